"""The backends of the torch engine: what each serves and refuses, and how they share memory."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from benchmarks.record import RESULTS
from lstm_lib import torch as T
from lstm_lib.layout import Layout
from lstm_lib.torch import backends, choices
from tests.helpers import assert_same


def test_the_fused_backend_says_what_it_does_not_serve():
    lstm = T.LSTM(2, 3, backend="fused")
    with pytest.raises(ValueError, match="fused backend computes on the CPU.*float64"):
        lstm(torch.zeros(4, 1, 2, dtype=torch.float64))
    output, _ = lstm(torch.zeros(4, 1, 2, requires_grad=True))
    with pytest.raises(RuntimeError, match="no second derivative.*backend='loop'"):
        torch.autograd.grad(output.sum(), lstm.weight_hh_l0, create_graph=True)


def test_the_loop_has_second_derivatives():
    lstm = T.LSTM(2, 3, backend="loop", dtype="float64", rng=0)
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: lstm(x)[0], x)


def test_two_passes_before_one_backward_and_two_backwards_of_one_pass():
    lstm = T.LSTM(2, 3, num_layers=2, backend="fused", dtype="float64", rng=0)
    loop = T.LSTM(2, 3, num_layers=2, backend="loop", dtype="float64", rng=0)
    x, y = (torch.randn(5, 2, 2, dtype=torch.float64) for _ in range(2))
    gradients = []
    for layer in (lstm, loop):
        first, second = layer(x)[0], layer(y)[0]
        (first * second).sum().backward()
        twice = layer(x)[0].sin().sum()
        twice.backward(retain_graph=True)
        twice.backward()
        gradients.append({n: p.grad.numpy() for n, p in layer.named_parameters()})
    assert_same(*gradients, 1e-13)


def test_a_weight_changed_between_the_passes_is_noticed():
    lstm = T.LSTM(2, 3, backend="fused")
    loss = lstm(torch.zeros(4, 1, 2))[0].sum()
    with torch.no_grad():
        lstm.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_layer_can_be_copied_and_shown():
    lstm = T.LSTM(2, 3, zoneout=0.1, peephole=True, rng=0)
    x = torch.randn(5, 2, 2)
    lstm.eval()
    assert torch.equal(lstm(x)[0], copy.deepcopy(lstm)(x)[0])
    lstm.flatten_parameters()
    assert repr(lstm) == "LSTM(2, 3, peephole=True, zoneout=(0.1, 0.1))"


@pytest.mark.parametrize(("backend", "bound"), [("auto", 0.0), ("fused", 0.0), ("loop", 0.02)])
def test_autocast_changes_little(backend, bound):
    lstm = T.LSTM(2, 3, num_layers=2, backend=backend, rng=0)
    x = torch.randn(5, 2, 2).bfloat16()
    expected = lstm(x.float())[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, (_, c) = lstm(x)
        output.sum().backward()
    assert (output - expected).abs().max() <= bound
    assert output.dtype == c.dtype == lstm.weight_hh_l0.grad.dtype == torch.float32


def test_a_layer_says_by_which_backend_a_call_goes():
    lstm = T.LSTM(2, 3, num_layers=2, bidirectional=True, rng=0)
    x, states = torch.zeros(4, 5, 2), (torch.zeros(4, 5, 3), torch.zeros(4, 5, 3))
    assert lstm.backend_for(x, states, lengths=[4, 1, 1, 2, 2]) == "fused"
    assert lstm.backend_for(x[:, 0]) == lstm.backend_for(pack_sequence([x[:, 0]])) == "fused"
    assert lstm.backend_for(x[:1]) == "loop"
    assert T.LSTM(2, 3, backend="loop").backend_for(x) == "loop"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert lstm.backend_for(x.bfloat16()) == "fused"
    assert lstm.to("meta").backend_for(x.to("meta")) == "loop"
    with pytest.raises(ValueError, match="input must have"):
        lstm.backend_for(torch.zeros(4, 5, 3))


@pytest.mark.parametrize(
    ("backend", "message"),
    [("cudnn", "cuDNN runs on NVIDIA GPUs: on this CPU"), ("triton", "triton")],
)
def test_a_backend_that_does_not_serve_says_what_would(backend, message):
    lstm = T.LSTM(2, 3, backend=backend)
    for call in (lstm, lstm.backend_for):
        with pytest.raises(ValueError, match=message + ".*backend="):
            call(torch.zeros(4, 1, 2))


CUDA = backends.Request(
    kind="LSTM",
    device=torch.device("cuda", 0),
    dtype=torch.float32,
    weight_dtype=torch.float32,
    steps=7,
    batch=3,
    input_size=2,
    hidden_size=5,
    directions=1,
    lengths=False,
    grad=True,
    options=(),
    autocast=False,
)


@pytest.fixture
def cudnn_is_there(monkeypatch):
    monkeypatch.setattr("torch.backends.cudnn.is_available", lambda: True)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (CUDA, "cudnn"),
        (CUDA._replace(options=("peephole",)), "loop"),
        (CUDA._replace(options=("proj_size",)), "cudnn"),
        (CUDA._replace(options=("checkpoint_every",)), "loop"),
        (CUDA._replace(dtype=torch.bfloat16, autocast=True), "cudnn"),
        (CUDA._replace(dtype=torch.bfloat16), "loop"),
        (CUDA._replace(device=torch.device("meta")), "loop"),
    ],
    ids=str,
)
def test_the_choice_on_a_gpu(cudnn_is_there, request_, expected):
    assert backends.choose(request_) == expected


def test_without_cudnn_the_choice_is_the_fused_backend(monkeypatch):
    monkeypatch.setattr("torch.backends.cudnn.is_available", lambda: False)
    assert backends.choose(CUDA) == "fused"
    with pytest.raises(ValueError, match="cuDNN is missing.*backend='fused'"):
        backends.select("cudnn", CUDA)


VARIANTS = [
    dict(proj_size=2),
    dict(peephole=True),
    dict(coupled=True),
    dict(layer_norm=True),
    dict(recurrent_dropout=0.5),
    dict(zoneout=(0.0, 0.1)),
    dict(checkpoint_every=2),
]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_an_option_that_is_not_served_is_named_with_what_serves_it(cudnn_is_there, options):
    (name,) = Layout("LSTM", 2, 3, **options).options
    request = CUDA._replace(options=(name,))
    for backend in ("cudnn", "fused"):
        if (backend, name) != ("cudnn", "proj_size"):
            with pytest.raises(ValueError, match=f"{name}: pass backend='loop'"):
                backends.select(backend, request)


def test_every_line_of_the_table_says_where_it_was_measured():
    for line in choices.CHOICES:
        assert set(line.backends) <= set(backends.BACKENDS) - {"auto"}
        if line.measured != choices.NOT_MEASURED:
            assert (RESULTS / line.measured).is_file()


def test_a_compiled_model_steps_around_the_fused_backend():
    lstm = T.LSTM(2, 3, backend="fused", rng=0)
    x = torch.randn(2, 1, 2)
    expected = torch.autograd.grad(lstm(x)[0].sum(), lstm.weight_hh_l0)[0]
    compiled = torch.compile(lambda x: 2 * lstm(x)[0], backend="eager")
    output = compiled(x)
    assert torch.equal(output, 2 * lstm(x)[0])
    assert torch.equal(torch.autograd.grad(output.sum() / 2, lstm.weight_hh_l0)[0], expected)
    torch._dynamo.reset()
