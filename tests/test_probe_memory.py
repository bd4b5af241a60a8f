"""Jacobians against the complex step and torch; gradient flow and memory length against their definitions."""

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import complex_step
from lstm_lib.probe import (
    gradient_flow,
    jacobian_product,
    memory_length,
    step_jacobian,
    time_constants,
    trace,
)
from tests.helpers import as_states, distance, random_problem
from tests.test_probe import KINDS, layer_of


def nn_layer(problem):
    """torch.nn's layer with the problem's weights."""
    layer = getattr(torch.nn, problem.kind)(**problem.options, dtype=torch.float64)
    layer.load_state_dict({name: torch.tensor(a) for name, a in problem.state.items()})
    return layer


def torch_jacobian(problem, x, state):
    """d(final state) / d(state) of torch.nn for one sequence, by autograd, as one (S, S) matrix."""
    layer, sizes = nn_layer(problem), len(state)
    x = torch.tensor(x)[:, None]

    def last(*parts):
        parts = tuple(part[None, None] for part in parts)
        final = layer(x, parts if sizes > 1 else parts[0])[1]
        return tuple(part[0, 0] for part in as_states(final))

    blocks = torch.autograd.functional.jacobian(last, tuple(torch.tensor(s) for s in state))
    return np.block([[block.numpy() for block in row] for row in blocks])


@KINDS
def test_step_jacobian_is_that_of_torch_and_of_the_complex_step(kind):
    problem = random_problem(1, kind=kind, batch=3)
    layer = layer_of(problem)
    state = [s[0] for s in as_states(problem.hx)]
    packed = tuple(state) if kind == "LSTM" else state[0]
    ours = step_jacobian(layer, problem.x[0], packed)
    size = 5 * len(state)
    assert ours.matrix.shape == (3, size, size)
    for sequence in range(3):
        of_sequence = [s[sequence] for s in state]
        expected = torch_jacobian(problem, problem.x[:1, sequence], of_sequence)
        assert distance(ours.matrix[sequence], expected) <= 1e-14
        for row in range(size):

            def entry(arrays, sequence=sequence, row=row):
                hx = tuple(arrays[str(k)][None, None] for k in range(len(state)))
                hx = hx if kind == "LSTM" else hx[0]
                _, final = layer(problem.x[:1, sequence : sequence + 1], hx)
                return np.concatenate([part[0, 0] for part in as_states(final)])[row]

            measured = complex_step(entry, {str(k): s for k, s in enumerate(of_sequence)})
            measured = np.concatenate(list(measured.values()))
            assert distance(ours.matrix[sequence, row], measured) <= 1e-14


def test_relu_jacobian_is_that_of_torch():
    problem = random_problem(2, kind="RNN", nonlinearity="relu")
    state = problem.hx[0, 0]
    ours = step_jacobian(layer_of(problem), problem.x[0, 0], state)
    assert ours.matrix.shape == (5, 5)
    assert distance(ours.matrix, torch_jacobian(problem, problem.x[:1, 0], [state])) <= 1e-14


def test_spectrum_and_blocks():
    problem = random_problem(3)
    state = tuple(s[0] for s in problem.hx)
    ours = step_jacobian(layer_of(problem, T), problem.x[0], state)
    forget = trace(layer_of(problem), problem.x[:1], problem.hx)["l0"]["f"][0]
    assert distance(ours.block("c", "c"), forget[:, None] * np.eye(5)) <= 1e-15
    assert distance(ours.block("h", "c"), ours.matrix[:, :5, 5:]) == 0
    values, vectors = ours.singular_values, ours.eigenvalues
    assert values.shape == vectors.shape == (3, 10)
    assert (np.diff(values) <= 0).all() and (np.diff(np.abs(vectors)) <= 1e-12).all()
    assert distance(np.prod(values, axis=-1), np.abs(np.linalg.det(ours.matrix))) <= 1e-14
    assert distance(vectors.sum(axis=-1).real, np.trace(ours.matrix, axis1=1, axis2=2)) <= 1e-14
    assert distance(ours.spectral_radius, np.abs(np.linalg.eigvals(ours.matrix)).max(-1)) <= 1e-14
    assert (ours.spectral_radius <= values[:, 0] + 1e-14).all()


@KINDS
@pytest.mark.parametrize("lengths", [None, [6, 1, 4]], ids=str)
def test_the_product_is_the_jacobian_of_the_last_state(kind, lengths):
    problem = random_problem(4, kind=kind)
    layer = layer_of(problem)
    product = jacobian_product(layer, problem.x, problem.hx, lengths=lengths)
    found = trace(layer, problem.x, problem.hx, lengths=lengths)["l0"]
    for sequence, length in enumerate(lengths or [6] * 3):
        for t in range(length - 1):
            state = [found[s][t, sequence] for s in product.states]
            expected = torch_jacobian(problem, problem.x[t + 1 : length, sequence], state)
            assert distance(product.matrix[t, sequence], expected) <= 1e-13
        assert np.array_equal(
            product.matrix[length - 1, sequence], np.eye(product.matrix.shape[-1])
        )
        assert not product.matrix[length:, sequence].any()


@KINDS
@pytest.mark.parametrize("suffix", ["l0", "l1", "l1_reverse"])
def test_gradients_are_the_product_applied_to_the_loss(kind, suffix):
    """In the top layer the gradient by h is v' P, and that by c the part of it that h does not carry."""
    problem = random_problem(5, kind=kind, num_layers=2, bidirectional=True, lengths=[6, 2, 5])
    layer = layer_of(problem)
    call = dict(hx=problem.hx, lengths=problem.lengths)
    found = trace(layer, problem.x, d_hx=problem.d_hx, **call)[suffix]
    product = jacobian_product(layer, problem.x, suffix=suffix, **call)
    index = ["l0", "l0_reverse", "l1", "l1_reverse"].index(suffix)
    loss = np.concatenate([s[index] for s in as_states(problem.d_hx)], axis=-1)
    through = np.einsum("bs,tbsk->tbk", loss, product.matrix)[..., :5]
    same = distance(found["d_h"], through) <= 1e-13
    assert same == (suffix != "l0"), "the lower layer also hears the upper one"


@KINDS
@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
def test_gradient_flow_is_the_norm_of_the_trace(kind, L):
    problem = random_problem(6, kind=kind, num_layers=2, batch_first=True, lengths=[6, 2, 5])
    layer = layer_of(problem, L)
    ones = [np.zeros_like(s) for s in as_states(problem.hx)]
    ones[0][-1] = 1
    d_hx = tuple(ones) if kind == "LSTM" else ones[0]
    for given, used in ((None, d_hx), (problem.d_hx, problem.d_hx)):
        call = dict(hx=problem.hx, lengths=problem.lengths)
        flow = gradient_flow(layer, problem.x, d_hx=given, **call)
        found = trace(layer, problem.x, d_hx=used, **call)
        for suffix, of_states in flow.items():
            assert set(of_states) == ({"h", "c"} if kind == "LSTM" else {"h"})
            for state, norms in of_states.items():
                expected = np.linalg.norm(found[suffix][f"d_{state}"], axis=-1)
                assert norms.shape == (3, 6)
                assert distance(norms, expected) <= 1e-15
    by_output = gradient_flow(layer, problem.x, problem.hx, d_output=problem.d_output)
    assert by_output["l1"]["h"].all()


def linear_memory(factor):
    """A relu network of one unit that multiplies its state by `factor` at each step."""
    rnn = N.RNN(1, 1, nonlinearity="relu", dtype=np.float64)
    weights = {"weight_ih_l0": [[1.0]], "weight_hh_l0": [[factor]], "bias_ih_l0": [0.0]}
    rnn.load_state_dict({n: np.array(w) for n, w in weights.items()} | {"bias_hh_l0": np.zeros(1)})
    return rnn


def test_memory_length_follows_its_definition():
    x = np.ones((30, 2, 1))
    for factor, fraction in ((0.5, 0.01), (0.8, 0.1), (0.9, 0.3)):
        lag = np.arange(30)
        expected = 1 + lag[factor**lag >= fraction].max()
        found = memory_length(linear_memory(factor), x, fraction=fraction)["l0"]
        assert found.tolist() == [expected] * 2
    assert memory_length(linear_memory(1.0), x)["l0"].tolist() == [np.inf] * 2
    short = memory_length(linear_memory(0.5), x, lengths=[30, 7], fraction=0.01)["l0"]
    assert short.tolist() == [7, np.inf], "the second sequence ends before the gradient has faded"
    silent = memory_length(linear_memory(0.5), x, d_hx=np.zeros((1, 2, 1)))["l0"]
    assert np.isnan(silent).all()


def test_memory_length_counts_a_gradient_that_comes_back():
    """Two units that pass the state to and fro, by 0.1 one way and by 9 the other."""
    rnn = N.RNN(1, 2, bias=False, nonlinearity="relu", dtype=np.float64)
    weights = {"weight_ih_l0": np.ones((2, 1)), "weight_hh_l0": np.array([[0, 0.1], [9, 0]])}
    rnn.load_state_dict(weights)
    loss = np.array([[[1.0, 0.0]]])
    found = memory_length(rnn, np.ones((30, 1, 1)), fraction=0.5, d_hx=loss)["l0"]
    assert found.tolist() == [13], "0.9 ** 6 is the last of the even lags above a half"


@pytest.mark.parametrize("bidirectional", [False, True])
def test_memory_length_reads_each_direction_from_its_own_end(bidirectional):
    rng = np.random.default_rng(0)
    lstm = N.LSTM(2, 8, bidirectional=bidirectional, rng=0, dtype=np.float64)
    x, lengths = rng.normal(size=(40, 2, 2)), [40, 25]
    flow = gradient_flow(lstm, x, lengths=lengths)
    for state in "hc":
        for suffix, found in memory_length(lstm, x, lengths=lengths, state=state).items():
            for sequence, length in enumerate(lengths):
                norms = flow[suffix][state][:length, sequence]
                by_lag = norms if suffix.endswith("_reverse") else norms[::-1]
                lag = int(found[sequence])
                assert by_lag[lag - 1] >= 0.01 * by_lag[0] > by_lag[lag:].max()


@pytest.mark.parametrize(("kind", "gate"), [("LSTM", "f"), ("GRU", "z")])
def test_time_constants_are_those_of_the_gate(kind, gate):
    problem = random_problem(7, kind=kind, bidirectional=True, lengths=[6, 1, 4])
    layer = layer_of(problem)
    call = dict(hx=problem.hx, lengths=problem.lengths)
    traces = trace(layer, problem.x, **call)
    for suffix, tau in time_constants(layer, problem.x, **call).items():
        valid = np.concatenate(
            [traces[suffix][gate][:length, b] for b, length in enumerate(problem.lengths)]
        )
        assert distance(np.exp(-len(valid) / tau), np.prod(valid, axis=0)) <= 1e-14
    assert time_constants(layer, problem.x)["l0"].shape == (5,)


def test_a_shut_gate_has_no_memory():
    lstm = N.LSTM(1, 2, forget_bias=-2000.0, rng=0)
    assert time_constants(lstm, np.ones((3, 1, 1)))["l0"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p, r, x: memory_length(p, x, fraction=1), ValueError, "fraction must lie between"),
        (lambda p, r, x: memory_length(r, x, state="c"), ValueError, "state must be one of 'h'"),
        (lambda p, r, x: time_constants(r, x), TypeError, "a plain RNN has none"),
        (lambda p, r, x: jacobian_product(p, x, suffix="l1"), ValueError, "suffix must be one of"),
        (
            lambda p, r, x: step_jacobian(p, x[0], (np.zeros((3, 4)), np.zeros((3, 5)))),
            ValueError,
            r"h must have shape \(3, 5\)",
        ),
        (
            lambda p, r, x: step_jacobian(p, x[0], (np.zeros((3, 5)),)),
            ValueError,
            r"state must be \(h, c\), got 1",
        ),
        (lambda p, r, x: step_jacobian(r, x, np.zeros(5)), ValueError, r"x_t must have shape"),
        (
            lambda p, r, x: step_jacobian(r, x[0, :, :1], np.zeros((3, 5))),
            ValueError,
            r"x_t must have shape \(3, 2\)",
        ),
        (
            lambda p, r, x: step_jacobian(p, x[0], (np.zeros((3, 5)), 0)).block("c", "x"),
            ValueError,
            r"c must have shape",
        ),
        (lambda p, r, x: gradient_flow(N.Linear(2, 3), x), TypeError, "got Linear"),
    ],
)
def test_bad_input_is_named(call, error, message):
    problem = random_problem(0)
    with pytest.raises(error, match=message):
        call(layer_of(problem), N.RNN(2, 5, dtype=np.float64), problem.x)


def test_an_unknown_block_is_named():
    jacobian = step_jacobian(N.RNN(2, 5), np.zeros(2), np.zeros(5))
    with pytest.raises(ValueError, match="by must be one of 'h'; got 'c'"):
        jacobian.block("h", "c")
