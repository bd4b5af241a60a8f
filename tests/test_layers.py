"""Layers without recurrence: torch's numbers in both engines, complex-step gradients, clear errors."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.convolution import padding_of
from lstm_lib.gradcheck import check_gradients
from tests.helpers import TOLERANCE, arrays_of, assert_same, distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


def wrap(L, array):
    return array if L is N else torch.tensor(array)


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def with_random_weights(layer, seed=0):
    """The layer with weights, biases and all drawn anew, none of them zero or one."""
    rng = np.random.default_rng(seed)
    state = {n: rng.normal(size=a.shape).astype(a.dtype) for n, a in arrays_of(layer).items()}
    if isinstance(layer, torch.nn.Module):
        state = {name: torch.tensor(array) for name, array in state.items()}
    layer.load_state_dict(state)
    return layer


def solve(layer, x, d_output):
    """Output and all gradients of a layer of either engine or of torch.nn, as arrays."""
    if isinstance(layer, N.Module):
        y = layer(x)
        dx = layer.backward(d_output)
        grads = {name: p.grad for name, p in layer.named_parameters()}
    else:
        x = torch.tensor(x, requires_grad=x.dtype.kind == "f")
        y = layer(x)
        y.backward(torch.tensor(d_output))
        dx = x.grad
        grads = {name: p.grad for name, p in layer.named_parameters()}
    results = {"y": y, **grads} | ({} if dx is None else {"dx": dx})
    return {n: a if isinstance(a, np.ndarray) else a.detach().numpy() for n, a in results.items()}


def assert_three_agree(ours, theirs, reference, x, dtype):
    """The same layer three times, with the same random weights, on the same input and derivative."""
    layers = [with_random_weights(layer) for layer in (ours, theirs, reference)]
    d_output = np.random.default_rng(1).normal(size=layers[2](torch.tensor(x)).shape).astype(dtype)
    expected = solve(layers[2], x, d_output)
    assert_same(solve(layers[0], x, d_output), expected, TOLERANCE[dtype])
    assert_same(solve(layers[1], x, d_output), expected, TOLERANCE[dtype])


# Embedding


@DTYPES
@pytest.mark.parametrize("padding_idx", [None, 0, -2])
@pytest.mark.parametrize("shape", [(), (6,), (4, 7), (2, 3, 5)], ids=str)
def test_embedding_is_torchs(dtype, padding_idx, shape):
    indices = np.random.default_rng(0).integers(0, 5, size=shape)
    options = dict(padding_idx=padding_idx, dtype=wrap(T, np.zeros(0, dtype)).dtype)
    ours = N.Embedding(5, 3, padding_idx=padding_idx, dtype=dtype)
    reference = torch.nn.Embedding(5, 3, **options)
    assert_three_agree(ours, T.Embedding(5, 3, **options), reference, indices, dtype)


def test_embedding_backward_is_the_complex_step_derivative():
    layer = N.Embedding(5, 3, dtype=np.float64, rng=0)
    indices = np.array([[1, 4, 1], [1, 0, 3]])
    report = check_gradients(layer, indices)
    assert report.ok and [entry.name for entry in report.errors] == ["weight"]
    assert layer.backward(np.ones((2, 3, 3))) is None


@ENGINES
def test_the_padding_row_starts_at_zero_and_stays_there(L):
    layer = L.Embedding(6, 4, padding_idx=-4, rng=0)
    assert layer.padding_idx == 2
    model = L.Sequential(layer, L.Linear(4, 1, rng=0))
    indices = wrap(L, np.array([[0, 2, 2], [2, 5, 1]]))
    for _ in range(3):
        L.value_and_grad(model, L.MSELoss(), indices, wrap(L, np.ones((2, 3, 1), np.float32)))
        L.SGD(list(model.parameters()), lr=0.5).step()
    rows = np.abs(arrays_of(layer)["weight"]).sum(axis=1)
    assert rows[2] == 0 and (np.delete(rows, 2) > 0).all()


def test_embedding_weights_are_standard_normal_and_the_same_in_both_engines():
    values = N.Embedding(300, 100, rng=3).weight.data
    assert abs(values.mean()) < 0.01 and values.std() == pytest.approx(1, rel=0.01)
    assert np.array_equal(values, arrays_of(T.Embedding(300, 100, rng=3))["weight"])
    drawn = [
        T.Embedding(300, 100, 7, rng=torch.Generator().manual_seed(4)).weight for _ in range(2)
    ]
    assert torch.equal(*drawn) and not drawn[0][7].any()
    assert drawn[0].std().item() == pytest.approx(1, rel=0.01)


@ENGINES
def test_embedding_errors(L):
    layer = L.Embedding(5, 3)
    with raises(ValueError, "indices must lie between 0 and 4, got 1 to 5"):
        layer(wrap(L, np.array([1, 5])))
    with raises(ValueError, "indices must lie between 0 and 4, got -1 to 2"):
        layer(wrap(L, np.array([-1, 2])))
    for wrong in (np.array([1.0, np.nan]), np.array([True]), np.array([1j])):
        with raises(TypeError, "indices must be integers, got an array of"):
            layer(wrap(L, wrong))
    with raises(ValueError, "indices must not be empty, got shape (0, 3)"):
        layer(wrap(L, np.zeros((0, 3), np.int64)))
    with raises(ValueError, "num_embeddings must be a positive integer, got 0"):
        L.Embedding(0, 3)
    with raises(ValueError, "embedding_dim must be a positive integer, got -3"):
        L.Embedding(5, -3)
    for wrong in (5, -6):
        with raises(ValueError, f"padding_idx must lie between -5 and 4, got {wrong}"):
            L.Embedding(5, 3, padding_idx=wrong)
    with raises(TypeError, "padding_idx must be an integer or None, got 0.5"):
        L.Embedding(5, 3, padding_idx=0.5)
    assert layer(wrap(L, np.array([4], np.uint8))).shape == (1, 3)


# Dropout


@ENGINES
def test_dropout_keeps_the_mean_and_drops_the_right_share(L):
    layer = L.Dropout(0.3, rng=0)
    y = np.asarray(layer(wrap(L, np.ones((300, 400)))))
    assert np.allclose(np.unique(y), [0, 1 / 0.7])
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.005)
    assert y.mean() == pytest.approx(1, abs=0.01)
    again = np.asarray(layer(wrap(L, np.ones((300, 400)))))
    assert (y != again).mean() == pytest.approx(2 * 0.3 * 0.7, abs=0.01), "a new mask every time"


@ENGINES
@pytest.mark.parametrize("quiet", ["eval", "p=0"])
def test_dropout_that_does_nothing(L, quiet):
    layer = L.Dropout(0.0 if quiet == "p=0" else 0.5, rng=0)
    layer.train(quiet != "eval")
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert np.array_equal(np.asarray(layer(wrap(L, x))), x)
    if L is N:
        assert np.array_equal(layer.backward(x), x)


def test_dropout_of_both_engines_is_the_same_with_gradients():
    x, d_output = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    layers = [L.Dropout(0.4, rng=7) for L in (N, T)]
    for _ in range(2):
        ours, theirs = (solve(layer, x, d_output) for layer in layers)
        assert_same(ours, theirs, 0.0)
    N.reseed(layers[0], (1, 2))
    T.reseed(layers[1], (1, 2))
    assert_same(*(solve(layer, x, d_output) for layer in layers), 0.0)


@ENGINES
def test_dropout_with_a_given_mask(L):
    x, mask = np.arange(6.0).reshape(2, 3), np.array([[0, 2.0, 2], [2, 0, 1]])
    layer = L.Dropout(0.5)
    for mode in (True, False):
        assert np.array_equal(layer.train(mode)(wrap(L, x), mask=wrap(L, mask)), x * mask)
    with raises(ValueError, "mask must have shape (2, 3) = input's shape, got (3,)"):
        layer(wrap(L, x), mask=wrap(L, mask[0]))
    for wrong in (1.0, -0.1):
        with raises(ValueError, f"p must lie in [0, 1), got {wrong}"):
            L.Dropout(wrong)


def test_dropout_backward_is_the_complex_step_derivative():
    rng = np.random.default_rng(0)
    layer = N.Dropout(0.5)
    mask = layer.dropout_mask((4, 5), 0.5, np.float64)
    check_gradients(layer, rng.normal(size=(4, 5)), mask=mask).raise_if_wrong()
    single = np.ones((2, 2), np.float32)
    assert layer(single).dtype == layer.backward(single).dtype == np.float32


# Conv1d


def direct_convolution(x, weight, bias, stride, left, right, dilation):
    """The equation, by loops over everything, with np.dot over nothing."""
    x = np.pad(x, ((0, 0), (0, 0), (left, right)))
    batch, _, length = x.shape
    outputs, channels, size = weight.shape
    steps = (length - dilation * (size - 1) - 1) // stride + 1
    y = np.zeros((batch, outputs, steps))
    for b, o, t in np.ndindex(y.shape):
        y[b, o, t] = bias[o]
        for c in range(channels):
            for k in range(size):
                y[b, o, t] += weight[o, c, k] * x[b, c, stride * t + dilation * k]
    return y


@st.composite
def convolutions(draw):
    size, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, 3) | st.sampled_from(["valid", "same", "causal"]))
    stride = 1 if padding == "same" else draw(st.integers(1, 4))
    shortest = dilation * (size - 1) + 1
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 6)))
    options = dict(kernel_size=size, stride=stride, padding=padding, dilation=dilation)
    options |= dict(in_channels=shape[1], out_channels=draw(st.integers(1, 4)))
    return options, (*shape[:2], shortest + shape[2]), draw(st.integers(0, 2**32 - 1))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@settings(max_examples=60)
@given(convolutions())
def test_convolution_is_its_equation_and_torchs(case):
    options, shape, seed = case
    x = np.random.default_rng(seed).normal(size=shape)
    layers = [L.Conv1d(**options, dtype="float64") for L in (N, T)]
    padding = options["padding"]
    reference = options | dict(padding="valid" if padding == "causal" else padding)
    reference = torch.nn.Conv1d(**reference, dtype=torch.float64)
    for layer in (*layers, reference):
        with_random_weights(layer, seed)
    left, right = layers[0].zeros_around
    weight, bias = layers[0].weight.data, layers[0].bias.data
    expected = direct_convolution(
        x, weight, bias, options["stride"], left, right, options["dilation"]
    )
    d_output = np.random.default_rng(seed + 1).normal(size=expected.shape)
    ours = solve(layers[0], x, d_output)
    assert distance(ours["y"], expected) <= 1e-13
    assert layers[0].output_length(shape[2]) == expected.shape[2]
    assert_same(ours, solve(layers[1], x, d_output), 1e-13)
    if padding != "causal":
        assert_same(ours, solve(reference, x, d_output), 1e-13)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "options", [dict(stride=2, padding=3, dilation=2), dict(padding="same", dilation=3)], ids=str
)
@DTYPES
def test_convolution_is_torchs_in_both_precisions(bias, options, dtype):
    x = np.random.default_rng(2).normal(size=(4, 3, 11)).astype(dtype)
    ours = N.Conv1d(3, 5, 4, **options, bias=bias, dtype=dtype)
    options = dict(options, bias=bias, dtype=torch.tensor(x).dtype)
    layers = T.Conv1d(3, 5, 4, **options), torch.nn.Conv1d(3, 5, 4, **options)
    assert_three_agree(ours, *layers, x, dtype)
    assert ours(x).dtype == dtype


@pytest.mark.parametrize("padding", [2, "same", "causal"])
def test_convolution_backward_is_the_complex_step_derivative(padding):
    stride = 1 if padding == "same" else 2
    layer = N.Conv1d(2, 3, 3, stride=stride, padding=padding, dilation=2, dtype=np.float64, rng=0)
    check_gradients(layer, np.random.default_rng(0).normal(size=(2, 2, 9))).raise_if_wrong()


@ENGINES
def test_a_causal_convolution_does_not_see_the_future(L):
    layer = L.Conv1d(2, 3, 3, padding="causal", dilation=2, dtype="float64", rng=0)
    x = np.random.default_rng(0).normal(size=(1, 2, 12))
    changed = x.copy()
    changed[:, :, 7:] += 1
    before, after = (layer(wrap(L, a)) for a in (x, changed))
    before, after = (np.asarray(y if L is N else y.detach()) for y in (before, after))
    assert np.array_equal(before[:, :, :7], after[:, :, :7])
    assert (before[:, :, 7:] != after[:, :, 7:]).any(axis=(0, 1)).all()


def test_convolution_weights_are_the_same_in_both_engines_and_torchs_in_law():
    ours, theirs = N.Conv1d(10, 200, 10, rng=4), T.Conv1d(10, 200, 10, rng=4)
    assert_same(arrays_of(ours), arrays_of(theirs), 0.0)
    for layer in (ours, T.Conv1d(10, 200, 10, rng=torch.Generator().manual_seed(1))):
        weight = arrays_of(layer)["weight"]
        assert np.abs(weight).max() <= 0.1
        assert weight.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.01)
    theirs.load_state_dict(torch.nn.Conv1d(10, 200, 10).state_dict())
    assert "10, 200, 10, stride=1, padding=0, dilation=1, bias=True" in str(theirs)


@ENGINES
def test_convolution_errors(L):
    layer = L.Conv1d(2, 3, 4, dilation=3, padding=1)
    with raises(ValueError, "input must have shape (batch, 2 channels, steps), got (5, 9, 2)"):
        layer(wrap(L, np.zeros((5, 9, 2), np.float32)))
    with raises(ValueError, "input must have shape (batch, 2 channels, steps), got (2, 9)"):
        layer(wrap(L, np.zeros((2, 9), np.float32)))
    with raises(ValueError, "must not be empty"):
        layer(wrap(L, np.zeros((0, 2, 9), np.float32)))
    message = "at least 8 steps for a kernel of size 4 with dilation 3 and padding 1, got 7"
    with raises(ValueError, message):
        layer(wrap(L, np.zeros((1, 2, 7), np.float32)))
    assert layer(wrap(L, np.zeros((1, 2, 8), np.float32))).shape == (1, 3, 1)
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "dilation"):
        good = dict(in_channels=2, out_channels=3, kernel_size=4)
        with raises(ValueError, f"{name} must be a positive integer, got 0"):
            L.Conv1d(**{**good, name: 0})
    with raises(ValueError, "padding must be at least 0, got -1"):
        L.Conv1d(2, 3, 4, padding=-1)
    for wrong in (1.5, "full", None):
        with raises(
            TypeError,
            f"padding must be an integer or one of 'valid', 'same', 'causal'; got {wrong!r}",
        ):
            L.Conv1d(2, 3, 4, padding=wrong)
    with raises(ValueError, "padding='same' keeps the length only with stride 1, got 2"):
        padding_of("same", 3, 2, 1)


# LayerNorm


@DTYPES
@pytest.mark.parametrize("shape", [4, (4,), (3, 4)], ids=str)
def test_layer_norm_is_torchs(dtype, shape):
    x = np.random.default_rng(0).normal(1, 2, size=(5, 3, 4)).astype(dtype)
    options = dict(eps=1e-3, dtype=torch.tensor(x).dtype)
    ours = N.LayerNorm(shape, eps=1e-3, dtype=dtype)
    layers = T.LayerNorm(shape, **options), torch.nn.LayerNorm(shape, **options)
    assert_three_agree(ours, *layers, x, dtype)
    assert ours(x).dtype == dtype


def test_layer_norm_backward_is_the_complex_step_derivative():
    layer = with_random_weights(N.LayerNorm((3, 4), eps=1e-3, dtype=np.float64))
    check_gradients(layer, np.random.default_rng(0).normal(size=(2, 3, 4))).raise_if_wrong()


@ENGINES
def test_layer_norm_errors(L):
    with raises(ValueError, "input must end in the axes (4,), got shape (2, 3)"):
        L.LayerNorm(4)(wrap(L, np.zeros((2, 3), np.float32)))
    with raises(ValueError, "input must not be empty"):
        L.LayerNorm(4)(wrap(L, np.zeros((0, 4), np.float32)))
    with raises(ValueError, "normalized_shape must be a positive integer, got 0"):
        L.LayerNorm((3, 0))
    with raises(ValueError, "normalized_shape must name at least one axis"):
        L.LayerNorm(())
    for wrong in (0, -1e-5, float("nan")):
        with raises(ValueError, f"eps must be positive, got {wrong}"):
            L.LayerNorm(4, eps=wrong)


# ReLU, Tanh, Sequential


@pytest.mark.parametrize("name", ["ReLU", "Tanh"])
def test_activations_are_torchs(name):
    x, d_output = np.random.default_rng(0).normal(size=(2, 4, 5))
    ours, theirs = (solve(getattr(L, name)(), x, d_output) for L in (N, T))
    assert_same(ours, theirs, 1e-15)
    check_gradients(getattr(N, name)(), x).raise_if_wrong()
    special = np.array([-np.inf, np.nan, np.inf, 0.0])
    found = getattr(N, name)()(special)
    assert np.array_equal(found, getattr(T, name)()(torch.tensor(special)).numpy(), equal_nan=True)


def small_network(L, dtype="float64"):
    layers = L.Linear(3, 4, dtype=dtype, rng=0), L.Tanh(), L.LayerNorm(4, dtype=dtype)
    inner = L.Sequential(L.Linear(4, 5, dtype=dtype, rng=1), L.ReLU())
    return L.Sequential(*layers, inner, L.Linear(5, 2, dtype=dtype, rng=2))


def test_sequential_is_torchs_and_has_its_names():
    ours, theirs = small_network(N), small_network(T)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(theirs.state_dict())
    x, d_output = np.random.default_rng(0).normal(size=(6, 3)), np.ones((6, 2))
    assert_same(solve(ours, x, d_output), solve(theirs, x, d_output), 1e-13)
    check_gradients(ours, x).raise_if_wrong()
    assert len(ours) == len(theirs) == 5
    assert isinstance(ours[3][1], N.ReLU) and list(ours)[-1] is ours[-1]


@ENGINES
def test_sequential_refuses_what_is_no_layer(L):
    with pytest.raises(TypeError):
        L.Sequential(L.Linear(2, 3), np.tanh)


def test_training_mode_reaches_every_layer_of_a_sequence():
    model = N.Sequential(N.Linear(2, 3), N.Sequential(N.Dropout(0.5)))
    model.eval()
    assert not any(module.training for module in model.modules())


# All of them


@pytest.mark.parametrize("name", ["Embedding", "Dropout", "Conv1d", "LayerNorm", "ReLU", "Tanh"])
def test_backward_needs_a_forward_pass_and_the_right_shape(name):
    arguments = {"Embedding": (5, 3), "Conv1d": (2, 3, 4), "LayerNorm": (6,)}.get(name, ())
    layer = getattr(N, name)(*arguments)
    with raises(RuntimeError, "backward needs a forward pass first"):
        layer.backward(np.zeros((2, 3)))
    layer(np.zeros((2, 2, 6), np.int64 if name == "Embedding" else np.float64))
    with raises(ValueError, "d_output must have shape"):
        layer.backward(np.zeros((2, 2)))


@pytest.mark.parametrize("name", ["Embedding", "Conv1d", "LayerNorm"])
def test_layers_of_both_engines_refuse_wrong_devices_and_dtypes(name):
    arguments = {"Embedding": (5, 3), "Conv1d": (2, 3, 4), "LayerNorm": (6,)}[name]
    with raises(ValueError, "the NumPy engine runs on 'cpu' only"):
        getattr(N, name)(*arguments, device="cuda")
    with raises(ValueError, "dtype must be a floating-point dtype"):
        getattr(T, name)(*arguments, dtype="int64")
