"""The NumPy engine, the torch engine and torch.nn compute the same, gradients included."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib import equations
from lstm_lib import numpy as N
from lstm_lib import torch as T
from tests.helpers import (
    SOLVERS,
    TOLERANCE,
    as_states,
    assert_same,
    distance,
    random_problem,
    solve_numpy,
    solve_torch,
)

OPTIONS = [
    dict(),
    dict(num_layers=3),
    dict(batch_first=True),
    dict(bias=False),
    dict(bidirectional=True),
    dict(num_layers=2, bidirectional=True, batch_first=True),
    dict(lengths=[6, 1, 4]),
    dict(lengths=[3, 3, 3]),
    dict(lengths=[5, 2, 4], num_layers=2, bidirectional=True),
    dict(lengths=[1, 1, 1], batch_first=True),
    dict(checkpoint_every=2, num_layers=2, lengths=[6, 1, 5]),
    dict(checkpoint_every=4, bidirectional=True),
]


KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])


@KINDS
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_three_implementations_agree(kind, options, dtype):
    problem = random_problem(7, kind=kind, dtype=dtype, **options)
    options = {n: v for n, v in problem.options.items() if n != "checkpoint_every"}
    reference = solve_torch(replace(problem, options=options), reference=True)
    for solve in SOLVERS:
        assert_same(solve(problem), reference, TOLERANCE[dtype])


@st.composite
def problems(draw):
    steps, batch = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    lengths = draw(st.none() | st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    return random_problem(
        draw(st.integers(0, 2**32 - 1)),
        kind=draw(st.sampled_from(["LSTM", "GRU", "RNN"])),
        steps=steps,
        batch=batch,
        inputs=draw(st.integers(1, 4)),
        hidden=draw(st.integers(1, 5)),
        num_layers=draw(st.integers(1, 3)),
        batch_first=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
        lengths=lengths,
    )


@settings(max_examples=120)
@given(problems())
def test_three_implementations_agree_on_any_shape(problem):
    reference = solve_torch(problem, reference=True)
    for solve in SOLVERS:
        assert_same(solve(problem), reference, 1e-13)


def test_relu_networks_agree():
    for lengths in (None, [6, 1, 4]):
        problem = random_problem(8, kind="RNN", nonlinearity="relu", num_layers=2, lengths=lengths)
        reference = solve_torch(problem, reference=True)
        for solve in SOLVERS:
            assert_same(solve(problem), reference, 1e-13)


def test_the_fast_loop_is_the_readable_step_repeated():
    problem = random_problem(3, steps=9)
    weights = [problem.state[f"weight_{part}_l0"] for part in ("ih", "hh")]
    bias = problem.state["bias_ih_l0"] + problem.state["bias_hh_l0"]
    h, c = problem.hx[0][0], problem.hx[1][0]
    outputs = []
    for x in problem.x:
        step = equations.lstm_step(x, h, c, *weights, bias)
        h, c = step.h, step.c
        outputs.append(h)
    solved = solve_numpy(problem)
    assert distance(np.stack(outputs), solved["output"]) <= 1e-14
    assert distance(c, solved["c_n"][0]) <= 1e-14


@pytest.mark.parametrize("chunk_elements", [1, 100, 10**6])
def test_the_backward_pass_does_not_depend_on_its_chunks(monkeypatch, chunk_elements):
    problem = random_problem(3, steps=9, lengths=[9, 2, 5])
    monkeypatch.setattr("lstm_lib.kernels.lstm._CHUNK_ELEMENTS", chunk_elements)
    assert_same(solve_numpy(problem), solve_torch(problem, reference=True), 1e-13)


def test_long_sequence_at_realistic_size_in_float32():
    problem = random_problem(5, steps=100, batch=16, inputs=8, hidden=32, dtype=np.float32)
    problem.state = {name: array * np.float32(0.3) for name, array in problem.state.items()}
    reference = solve_torch(problem, reference=True)
    for solve in SOLVERS:
        assert_same(solve(problem), reference, 2e-6)


@KINDS
@pytest.mark.parametrize("filling", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("solve", SOLVERS)
def test_padding_has_no_influence(kind, solve, filling):
    problem = random_problem(1, kind=kind, lengths=[6, 1, 4], num_layers=2, bidirectional=True)
    clean = solve(problem)
    for sequence, length in enumerate(problem.lengths):
        problem.x[length:, sequence] = filling
    assert_same(solve(problem), clean, 0.0)


@pytest.mark.parametrize("solve", SOLVERS)
def test_derivative_of_outputs_past_the_end_has_no_influence(solve):
    problem = random_problem(1, lengths=[6, 1, 4], bidirectional=True)
    clean = solve(problem)
    for sequence, length in enumerate(problem.lengths):
        problem.d_output[length:, sequence] = 99.0
    assert_same(solve(problem), clean, 0.0)


def test_outputs_past_the_end_are_zero_and_states_are_those_of_the_last_valid_step():
    problem = random_problem(2, lengths=[6, 1, 4])
    solved = solve_numpy(problem)
    for sequence, length in enumerate(problem.lengths):
        assert not solved["output"][length:, sequence].any()
        assert np.array_equal(solved["h_n"][0, sequence], solved["output"][length - 1, sequence])


def test_state_carries_a_sequence_over_two_calls():
    problem = random_problem(4, steps=8)
    lstm = N.LSTM(**problem.options, dtype=np.float64)
    lstm.load_state_dict(problem.state)
    whole, last = lstm(problem.x, problem.hx)
    first_half, state = lstm(problem.x[:5], problem.hx)
    second_half, state = lstm(problem.x[5:], state)
    assert distance(np.concatenate((first_half, second_half)), whole) <= 1e-15
    assert distance(state[1], last[1]) <= 1e-15


@KINDS
@pytest.mark.parametrize("sizes", [(3, 1), (1, 1), (1, 4), (3, 4)], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("solve", [solve_numpy, solve_torch])
def test_a_later_call_leaves_earlier_results_alone(kind, sizes, batch_first, solve, monkeypatch):
    options = dict(kind=kind, steps=sizes[0], batch=sizes[1], batch_first=batch_first)
    problem, other = random_problem(1, **options), random_problem(2, **options)
    engine = N if solve is solve_numpy else T
    layer = getattr(engine, kind)(**problem.options, dtype="float64")
    monkeypatch.setattr(engine, kind, lambda **_: layer)
    first = solve(problem)
    kept = {name: np.array(value) for name, value in first.items()}
    solve(other)
    results = ("output", "dx", "h_n", "c_n", "dh_0", "dc_0")
    assert_same(*({n: r[n] for n in results if n in r} for r in (first, kept)), 0.0)


@KINDS
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("engine", [N, T], ids=["numpy", "torch"])
def test_cells_agree_with_torch(engine, kind, bias):
    rng = np.random.default_rng(0)
    theirs = getattr(torch.nn, f"{kind}Cell")(3, 4, bias=bias, dtype=torch.float64)
    ours = getattr(engine, f"{kind}Cell")(3, 4, bias=bias, dtype="float64")
    ours.load_state_dict(theirs.state_dict())
    x, h, c = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    for state in ((h, c) if kind == "LSTM" else h, None):
        wrapped = state
        if state is not None:
            tensors = tuple(torch.tensor(s) for s in as_states(state))
            wrapped = tensors if kind == "LSTM" else tensors[0]
        expected = theirs(torch.tensor(x), wrapped)
        got = ours(x, state) if engine is N else ours(torch.tensor(x), wrapped)
        for a, b in zip(as_states(got), as_states(expected), strict=True):
            a = a if engine is N else a.detach().numpy()
            assert distance(a, b.detach().numpy()) <= 1e-15


def test_both_engines_start_from_the_same_weights():
    for seed in (0, np.random.default_rng(5)):
        again = 0 if seed == 0 else np.random.default_rng(5)
        ours = N.LSTM(3, 4, num_layers=2, forget_bias=1.0, rng=seed).state_dict()
        theirs = T.LSTM(3, 4, num_layers=2, forget_bias=1.0, rng=again).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name].numpy()) for name in ours)
    assert np.array_equal(
        N.Linear(3, 2, rng=0).weight.data, T.Linear(3, 2, rng=0).weight.detach().numpy()
    )


def test_weights_travel_to_torch_and_back():
    ours = T.LSTM(3, 4, num_layers=2, bidirectional=True)
    theirs = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    theirs.load_state_dict(ours.state_dict())
    back = N.LSTM(3, 4, num_layers=2, bidirectional=True)
    back.load_state_dict(theirs.state_dict())
    assert all(
        np.array_equal(back.state_dict()[n], v.numpy()) for n, v in ours.state_dict().items()
    )


@KINDS
@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_models_of_both_engines_have_the_same_loss_and_gradients(kind, readout, bidirectional):
    rng = np.random.default_rng(0)
    x, lengths = rng.normal(size=(4, 6, 2)), [6, 1, 3, 5]
    y = rng.normal(size=(4, 3) if readout == "last" else (4, 6, 3))
    losses, grads = [], []
    for engine, dtype in ((N, np.float64), (T, torch.float64)):
        rnn = getattr(engine, kind)(
            2, 5, num_layers=2, batch_first=True, bidirectional=bidirectional, dtype=dtype, rng=1
        )
        head = engine.Linear(10 if bidirectional else 5, 3, dtype=dtype, rng=2)
        model = engine.SequenceModel(rnn, head, readout)
        losses.append(engine.value_and_grad(model, engine.MSELoss(), x, y, lengths))
        grads.append({name: np.asarray(p.grad) for name, p in model.named_parameters()})
    assert abs(losses[0] - losses[1]) <= 1e-14
    assert_same(*grads, 1e-13)
