r"""Bugs in one step of an LSTM: each differs from ``step`` in a line.

.. math::  c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh c_t
"""

import numpy as np

from lstm_lib import equations
from lstm_lib.equations import sigmoid
from lstm_lib.gradcheck import complex_step
from lstm_lib.parameters import GATES, gate_rows
from lstm_lib.zoo.entry import Bug


def step(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The right step."""
    a = x @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh
    i, f, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def swapped_projections(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The input meets the recurrent weights and the hidden state the input weights."""
    a = x @ weight_hh.T + h @ weight_ih.T + bias_ih + bias_hh
    i, f, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def shared_bias(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """All four blocks of rows get the first one's bias."""
    size = h.shape[-1]
    bias = np.tile((bias_ih + bias_hh)[:size], 4)
    i, f, g, o = np.split(x @ weight_ih.T + h @ weight_hh.T + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def output_gate_twice(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The output gate's rows are used a second time where the forget gate's belong."""
    a = x @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh
    i, _, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(o) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def cell_state_into_gates(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The gates read the cell state instead of the hidden state."""
    a = x @ weight_ih.T + c @ weight_hh.T + bias_ih + bias_hh
    i, f, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def forget_and_input_swapped(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """Weights in the order i, f, g, o are read in the order f, i, g, o."""
    a = x @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh
    f, i, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def sigmoid_candidate(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The candidate is treated as a fourth gate."""
    a = x @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh
    i, f, g, o = np.split(sigmoid(a), 4, axis=-1)
    c = f * c + i * g
    return o * np.tanh(c), c


def output_without_tanh(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The cell state leaves through the output gate alone."""
    a = x @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh
    i, f, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * c, c


def _problem(rng, batch=2, inputs=3, hidden=5):
    """Random arguments of a step, biases included, all sizes different."""
    rows = 4 * hidden
    shapes = dict(
        x=(batch, inputs),
        h=(batch, hidden),
        c=(batch, hidden),
        weight_ih=(rows, inputs),
        weight_hh=(rows, hidden),
        bias_ih=(rows,),
        bias_hh=(rows,),
    )
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def _at_rest(hidden=1, **gate_bias):
    """Arguments of a step without input whose gates are set by their biases alone; c is 1."""
    bias = np.zeros(4 * hidden)
    for gate, value in gate_bias.items():
        bias[gate_rows(gate, hidden)] = value
    states = dict(h=np.zeros((1, hidden)), c=np.ones((1, hidden)))
    weights = dict(weight_ih=np.zeros((4 * hidden, 1)), weight_hh=np.zeros((4 * hidden, hidden)))
    return dict(x=np.zeros((1, 1)), bias_ih=bias, bias_hh=np.zeros_like(bias), **states, **weights)


def _influence(implementation, problem):
    """Derivatives of the sum of h and c by everything that enters the step."""

    def total(arguments):
        h, c = implementation(**arguments)
        return h.sum() + c.sum()

    return complex_step(total, problem)


def _error(implementation, problem):
    """Largest difference of h and c to the equations."""
    h, c = implementation(**problem)
    bias = problem["bias_ih"] + problem["bias_hh"]
    right = equations.lstm_step(*list(problem.values())[:5], bias)
    return max(np.abs(h - right.h).max(), np.abs(c - right.c).max())


def _differs_from_the_equations(implementation, rng):
    error = _error(implementation, _problem(rng))
    return f"They differ by {error:.2g}." if error > 1e-12 else ""


def _dead_gates(name):
    """A judge that looks for gates whose rows of the array `name` have no influence."""

    def judge(implementation, rng):
        slope = _influence(implementation, _problem(rng))[name]
        blocks = np.abs(slope).reshape(4, -1).max(axis=1)
        dead = [gate for gate, influence in zip(GATES, blocks, strict=True) if influence == 0]
        return f"Rows without influence: {', '.join(dead)}." if dead else ""

    return judge


def _kept_by_a_forget_bias(implementation, rng):
    kept = [implementation(**_at_rest(f=bias))[1].item() for bias in (0.0, 3.0)]
    return kept[1] - kept[0]


def _dead_share(implementation, rng):
    return np.mean(_influence(implementation, _problem(rng))["weight_ih"] == 0)


def _hidden_state_unread(implementation, rng):
    influence = np.abs(_influence(implementation, _problem(rng))["h"]).max()
    return "The hidden state of the step before has no influence." if influence == 0 else ""


def _influence_of_h(implementation, rng):
    return np.abs(_influence(implementation, _problem(rng))["h"]).max()


def _cell_not_kept(implementation, rng):
    _, c = implementation(**_at_rest(i=-50.0, f=50.0, g=1.0))
    return f"A cell state of 1 became {c.item():.2g}." if abs(c.item() - 1) > 1e-12 else ""


def _kept_after_twenty_steps(implementation, rng):
    arguments = _at_rest(f=5.0)
    for _ in range(20):
        arguments["h"], arguments["c"] = implementation(**arguments)
    return arguments["c"].item()


def _never_negative(implementation, rng):
    problem = _problem(rng, batch=50)
    _, c = implementation(**{**problem, "c": 0 * problem["c"]})
    return "" if c.min() < 0 else f"From zero it only rose; the smallest of 250 is {c.min():.2g}."


def _negative_share(implementation, rng):
    arguments = _problem(rng, batch=20)
    arguments["c"] = 0 * arguments["c"]
    for _ in range(50):
        arguments["x"] = rng.normal(size=arguments["x"].shape)
        arguments["h"], arguments["c"] = implementation(**arguments)
    return (arguments["c"] < 0).mean()


def _unbounded(implementation, rng):
    problem = _problem(rng)
    h, _ = implementation(**{**problem, "c": 100 * problem["c"]})
    return f"|h| reached {np.abs(h).max():.2g}." if np.abs(h).max() > 1 else ""


def _largest_h_while_counting(implementation, rng):
    arguments = _at_rest(i=50.0, f=50.0, g=50.0, o=50.0)
    for _ in range(100):
        arguments["h"], arguments["c"] = implementation(**arguments)
    return arguments["h"].item()


BUGS = (
    Bug(
        name="swapped_projections",
        kind="step",
        title="Input and recurrent weights exchanged",
        wrong="The input is multiplied by U and the hidden state by W.",
        looks="With input and hidden size equal it runs and even learns, because weights are only "
        "names until somebody loads them; with other sizes it stops with an error.",
        promise="With input and hidden size different, h and c equal the equations.",
        seen="In the comments of labml_nn/lstm, where nothing noticed.",
        fix="Multiply x by weight_ih and h by weight_hh; test with all sizes different.",
        broken=swapped_projections,
        correct=step,
        quantity="error of h and c with given weights, input size 5 and hidden size 5",
        judge=_differs_from_the_equations,
        measure=lambda implementation, rng: _error(implementation, _problem(rng, inputs=5)),
    ),
    Bug(
        name="shared_bias",
        kind="step",
        title="One bias for all four gates",
        wrong="The same H biases are added to every block of rows.",
        looks="It trains, but a forget bias of 1 changes nothing, or opens all the gates at once.",
        promise="The bias of every gate has an influence of its own.",
        seen="Tutorials.",
        fix="Keep 4H biases, one for each row.",
        broken=shared_bias,
        correct=step,
        quantity="share of the cell state that a forget bias of 3 keeps beyond that of 0",
        judge=_dead_gates("bias_ih"),
        measure=_kept_by_a_forget_bias,
    ),
    Bug(
        name="output_gate_twice",
        kind="step",
        title="The output gate computed twice",
        wrong="A copied line computes the output gate again where the forget gate belongs.",
        looks="Memory and output open and close together; a quarter of the weights never moves.",
        promise="Every row of the weights has an influence.",
        seen="Tutorials.",
        fix="Compute all four blocks with one product and split it in one line.",
        broken=output_gate_twice,
        correct=step,
        quantity="share of the input weights without any influence",
        judge=_dead_gates("weight_ih"),
        measure=_dead_share,
    ),
    Bug(
        name="cell_state_into_gates",
        kind="step",
        title="Cell state instead of hidden state into the gates",
        wrong="The recurrent weights multiply c, which is close to a peephole, and h is never read.",
        looks="The output gate hides nothing from the network itself, and what enters the gates is not bounded "
        "by 1.",
        promise="The next state depends on the hidden state.",
        seen="Tutorials, which call it an LSTM.",
        fix="Feed h into all four blocks; peepholes are extra, diagonal weights.",
        broken=cell_state_into_gates,
        correct=step,
        quantity="largest influence of the hidden state on the next step",
        judge=_hidden_state_unread,
        measure=_influence_of_h,
    ),
    Bug(
        name="forget_and_input_swapped",
        kind="step",
        title="Gate order of other weights",
        wrong="Rows stored in the order i, f, g, o are read as f, i, g, o.",
        looks="Trained from scratch it is as good as any; with weights from elsewhere it forgets at once.",
        promise="With the forget rows at +50 and the input rows at -50 the cell keeps its content.",
        seen="Common when weights move between libraries.",
        fix="Write the order down once and test the loading with a cell that must keep its content.",
        broken=forget_and_input_swapped,
        correct=step,
        quantity="share of the cell state left after 20 steps with a forget bias of 5",
        judge=_cell_not_kept,
        measure=_kept_after_twenty_steps,
    ),
    Bug(
        name="sigmoid_candidate",
        kind="step",
        title="Four gates",
        wrong="The candidate goes through a sigmoid like the three gates.",
        looks="The cell state never falls below zero, so the memory can add but not subtract.",
        promise="The cell state can fall below zero.",
        seen="Tutorials say that an LSTM has four gates; it has three and a candidate.",
        fix="Use tanh for the candidate.",
        broken=sigmoid_candidate,
        correct=step,
        quantity="share of cell states below zero after 50 steps from zero",
        judge=_never_negative,
        measure=_negative_share,
    ),
    Bug(
        name="output_without_tanh",
        kind="step",
        title="No tanh between cell and output",
        wrong="h is the output gate times c itself.",
        looks="Fine on short sequences; where the cell counts, h grows with it and saturates every gate.",
        promise="However large the cell state, h stays between -1 and 1.",
        seen="Common.",
        fix="Let tanh(c) pass through the output gate.",
        broken=output_without_tanh,
        correct=step,
        quantity="largest h of a cell that counts to 100",
        judge=_unbounded,
        measure=_largest_h_while_counting,
    ),
)
