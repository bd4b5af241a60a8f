"""The backends for a GPU, run on a CPU: the mathematics of the fused one, and what cuDNN is handed."""

import copy
import pickle
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from lstm_lib import torch as T
from lstm_lib.torch import backends, cudnn, graphs, unrolled
from tests.helpers import assert_same, random_problem, solve_loop, solve_numpy, solve_torch
from tests.test_equality import problems

KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
OPTIONS = [
    dict(),
    dict(steps=1, batch=1),
    dict(bias=False, batch_first=True),
    dict(lengths=[6, 1, 4]),
    dict(num_layers=2, bidirectional=True),
    dict(num_layers=2, bidirectional=True, lengths=[5, 2, 6]),
]


@contextmanager
def as_on_a_gpu():
    """Both backends as they are on a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backends._BACKENDS, "fused", unrolled)
        patch.setattr(cudnn, "_ON_CPU", True)
        yield


@pytest.fixture
def on_cpu():
    with as_on_a_gpu():
        yield


def solve(name, problem):
    return solve_torch(problem, backend=name)


@KINDS
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["fused", "cudnn"])
def test_outputs_states_and_gradients_are_those_of_the_loop(on_cpu, kind, options, name):
    problem = random_problem(11, kind=kind, **options)
    assert_same(solve(name, problem), solve_loop(problem), 1e-13)


@pytest.mark.parametrize("name", ["fused", "cudnn"])
def test_the_rectifier(on_cpu, name):
    problem = random_problem(8, kind="RNN", nonlinearity="relu", lengths=[6, 1, 4])
    assert_same(solve(name, problem), solve_loop(problem), 1e-13)


@pytest.mark.parametrize("name", ["fused", "cudnn"])
def test_what_would_overflow_past_the_end_has_no_influence(on_cpu, name):
    options = dict(nonlinearity="relu", steps=100, lengths=[2, 3, 1], dtype=np.float32)
    problem = random_problem(8, kind="RNN", **options)
    problem.state["weight_hh_l0"] = 3 * np.eye(5, dtype=np.float32)
    assert_same(solve(name, problem), solve_loop(problem), 2e-6)


def test_a_projection_goes_through_the_operator(on_cpu):
    problem = random_problem(8, proj_size=3, bidirectional=True, lengths=[6, 1, 4])
    assert_same(solve("cudnn", problem), solve_loop(problem), 1e-13)


@KINDS
def test_the_numpy_engine_agrees(on_cpu, kind):
    problem = random_problem(5, kind=kind, num_layers=2, bidirectional=True, lengths=[5, 2, 6])
    for name in ("fused", "cudnn"):
        assert_same(solve(name, problem), solve_numpy(problem), 1e-13)


@settings(max_examples=30)
@given(problems())
def test_all_backends_agree_on_any_shape(problem):
    expected = solve_loop(problem)
    assert_same(solve("fused", problem), expected, 1e-13)
    with as_on_a_gpu():
        for name in ("fused", "cudnn"):
            assert_same(solve(name, problem), expected, 1e-13)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"proj_size": 2}], ids=str)
def test_cudnn_gets_the_weights_of_a_layer_in_one_piece_of_memory(on_cpu, monkeypatch, options):
    calls = []
    monkeypatch.setattr(cudnn, "_movable", lambda flat: True)
    monkeypatch.setattr(torch, "_cudnn_rnn_flatten_weight", lambda *given: calls.append(given))
    monkeypatch.setattr("torch.backends.cudnn.rnn.get_cudnn_mode", str)
    lstm = T.LSTM(4, 3, num_layers=2, bidirectional=True, backend="cudnn", **options)
    lstm(torch.zeros(2, 1, 4))
    count = 4 - 2 * ("bias" in options) + ("proj_size" in options)
    projection = options.get("proj_size", 0)
    expected = [p for n, p in lstm.named_parameters() if "_l1" in n]
    inputs = 2 * (projection or 3)
    flat, *rest = calls[1]
    assert sorted(map(id, flat)) == sorted(map(id, expected)) and len(flat) == 2 * count
    assert rest == [count, inputs, "LSTM", 3, projection, 1, False, True]


@KINDS
@pytest.mark.parametrize("name", ["fused", "cudnn"])
def test_lower_precision_stays_near(on_cpu, kind, name):
    problem = random_problem(3, kind=kind, steps=40, batch=4, hidden=16, lengths=[40, 3, 17, 30])
    problem.state = {name: 0.4 * array for name, array in problem.state.items()}
    exact = solve_loop(problem)
    for dtype, bound in ((torch.float32, 2e-6), (torch.bfloat16, 2e-2)):
        found = solve_torch(problem, backend=name, dtype=dtype)
        assert_same(found, exact, bound)


def test_the_cell_is_summed_in_single_precision(on_cpu):
    lstm = T.LSTM(1, 1, backend="fused", dtype="bfloat16")
    state = {
        "weight_ih_l0": [[0, 0, 0, 0]],
        "weight_hh_l0": [[0, 0, 0, 0]],
        "bias_ih_l0": [9, 9, 0.005, 9],
    }
    state = {
        name: torch.tensor(value).reshape(lstm.state_dict()[name].shape)
        for name, value in state.items()
    }
    lstm.load_state_dict(state | {"bias_hh_l0": torch.zeros(4)})
    _, (_, c) = lstm(torch.zeros(1000, 1, 1, dtype=torch.bfloat16))
    assert abs(c.item() - 5) < 0.05  # a sum in bfloat16 stops growing at 2


@KINDS
@pytest.mark.parametrize("name", ["fused", "cudnn"])
def test_under_autocast_a_pass_is_in_lower_precision(on_cpu, kind, name):
    layer = getattr(T, kind)(2, 3, backend=name, rng=0)
    low = getattr(T, kind)(2, 3, backend=name, rng=0).bfloat16()
    x = torch.randn(4, 2, 2)
    expected = low(x.bfloat16())[0]
    expected.sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(x)[0]
        output.sum().backward()
    assert output.dtype == torch.bfloat16 and torch.equal(output, expected)
    assert layer.weight_hh_l0.grad.dtype == torch.float32
    assert torch.equal(layer.weight_hh_l0.grad, low.weight_hh_l0.grad.float())


def test_no_backend_but_the_loop_has_second_derivatives(on_cpu):
    lstm = T.LSTM(2, 3, backend="fused")
    output, _ = lstm(torch.zeros(4, 1, 2))
    with pytest.raises(RuntimeError, match="no second derivative.*backend='loop'"):
        torch.autograd.grad(output.sum(), lstm.weight_hh_l0, create_graph=True)


@pytest.fixture
def recorded(on_cpu, monkeypatch):
    """Recordings whose replay computes anew into the memory of the recording; a list of them all."""
    found = []

    def flat(results):
        return (
            [results] if torch.is_tensor(results) else [t for part in results for t in flat(part)]
        )

    def record(function):
        results = function()
        for tensor in flat(results):
            tensor.fill_(float("nan"))  # a recording computes nothing

        def replay():
            for tensor, again in zip(flat(results), flat(function()), strict=True):
                tensor.copy_(again)

        found.append(replay)
        return replay, results

    monkeypatch.setattr(graphs, "record", record)
    monkeypatch.setattr(graphs, "possible", lambda x: True)
    monkeypatch.setattr(graphs, "room_for", lambda x, size: size < 2**20)
    return found


def twins(kind, **options):
    """The same layer by the fused backend and by the loop."""
    layers = [
        getattr(T, kind)(2, 3, backend=b, dtype="float64", rng=0, **options)
        for b in ("fused", "loop")
    ]
    return layers


def step(layer, x, lengths=None):
    """One step of training: the loss, and the weights after it."""
    loss = layer(x, lengths=lengths)[0].square().sum()
    layer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter -= 0.1 * parameter.grad
    return {
        "loss": loss.detach().numpy(),
        **{n: p.detach().numpy() for n, p in layer.named_parameters()},
    }


@KINDS
@pytest.mark.parametrize("bias", [True, False])
def test_recordings_compute_what_is_recorded(recorded, kind, bias):
    ours, loop = twins(kind, num_layers=2, bidirectional=True, bias=bias)
    for seed in range(5):
        x = torch.randn(4, 2, 2, dtype=torch.float64)
        lengths = [4, 1 + seed % 4]
        assert_same(step(ours, x, lengths), step(loop, x, lengths), 1e-12)
        assert len(recorded) == (
            8 if seed > 1 else 0
        )  # four runs, there and back, at the third call


def test_another_shape_or_mode_is_recorded_by_itself(recorded):
    ours, loop = twins("LSTM")
    x = torch.randn(4, 2, 2, dtype=torch.float64)
    for _ in range(3):
        ours(x)
    assert len(recorded) == 2
    for inputs in (x[:3], x[:, :1], x):
        for _ in range(3):
            with torch.no_grad():
                assert torch.allclose(ours(inputs)[0], loop(inputs)[0], rtol=0, atol=1e-14)
    assert len(recorded) == 5


def test_passes_at_the_same_time_have_memory_of_their_own(recorded):
    ours, loop = twins("GRU")
    x = torch.randn(3, 4, 2, 2, dtype=torch.float64)
    gradients = []
    for layer in (ours, loop):
        for _ in range(3):
            outputs = [layer(part)[0] for part in x]
        layer.zero_grad()
        (outputs[0] * outputs[1] * outputs[2]).sum().backward(retain_graph=True)
        outputs[1].sum().backward()
        gradients.append({n: p.grad.numpy() for n, p in layer.named_parameters()})
    assert_same(*gradients, 1e-13)
    assert len(recorded) == 4  # two recordings; the third pass runs without


def test_zeros_of_an_inference_serve_no_training():
    found, weight = graphs.Graphs(), torch.zeros(8, 2)
    with torch.inference_mode():
        assert found.zeros(weight).is_inference()
    assert not found.zeros(weight).is_inference()


def test_without_memory_a_pass_runs_without_a_recording(recorded, monkeypatch):
    ours, loop = twins("RNN")
    x = torch.randn(4, 2, 2, dtype=torch.float64)
    monkeypatch.setattr(graphs, "room_for", lambda x, size: False)
    for _ in range(4):
        assert torch.allclose(ours(x)[0], loop(x)[0], rtol=0, atol=1e-14)
    calls = []

    def full(function):
        calls.append(function)
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(graphs, "room_for", lambda x, size: True)
    monkeypatch.setattr(graphs, "record", full)
    for _ in range(4):
        assert torch.allclose(ours(x)[0], loop(x)[0], rtol=0, atol=1e-14)
    assert not recorded and len(calls) == 1


def test_recordings_are_neither_copied_nor_stored_nor_kept_for_ever(recorded, monkeypatch):
    ours, _ = twins("LSTM")
    x = torch.randn(9, 2, 2, dtype=torch.float64)
    for _ in range(3):
        ours(x)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(other(x)[0], ours(x)[0])
    monkeypatch.setattr(graphs, "_SHAPES", 2)
    for steps in (1, 2, 3, 4):
        ours(x[:steps])
    assert len(ours._graphs._shapes) == 2
