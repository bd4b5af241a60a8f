"""Names, shapes, order and initial values of the weights are torch's."""

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import parameters
from lstm_lib import torch as T
from tests.helpers import arrays_of


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_names_shapes_and_order_are_torchs(kind, num_layers, bidirectional, bias):
    options = dict(num_layers=num_layers, bidirectional=bidirectional, bias=bias)

    def shapes(library):
        layer = getattr(library, kind)(3, 5, **options)
        return {n: tuple(p.shape) for n, p in layer.named_parameters()}

    theirs = shapes(torch.nn)
    for L in (N, T):
        ours = shapes(L)
        assert list(ours.items()) == list(theirs.items())


def test_gate_order_by_behaviour():
    """Open or close one gate of torch's own LSTM through our row slices and watch what happens."""
    lstm = torch.nn.LSTM(1, 2)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        bias = lstm.bias_ih_l0
        bias[parameters.gate_rows("g", 2)] = 50.0
        bias[parameters.gate_rows("i", 2)] = -50.0
        bias[parameters.gate_rows("f", 2)] = 50.0
        bias[parameters.gate_rows("o", 2)] = 50.0
        c_0 = torch.tensor([[[0.3, -0.7]]])
        _, (h, c) = lstm(torch.ones(20, 1, 1), (torch.zeros(1, 1, 2), c_0))
    assert torch.allclose(c, c_0)
    assert torch.allclose(h, torch.tanh(c_0))


@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
def test_forget_bias_is_counted_once(L):
    lstm = L.LSTM(2, 3, num_layers=2, bidirectional=True, forget_bias=1.5)
    rows = parameters.gate_rows("f", 3)
    for suffix in parameters.suffixes(2, True):
        state = arrays_of(lstm)
        assert (state[f"bias_ih_{suffix}"][rows] == 1.5).all()
        assert (state[f"bias_hh_{suffix}"][rows] == 0).all()


@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
def test_initial_weights_are_uniform_within_one_over_root_h(L):
    values = np.concatenate([np.ravel(v) for v in arrays_of(L.LSTM(50, 100, rng=0)).values()])
    assert np.abs(values).max() <= 0.1
    assert abs(values.mean()) < 1e-3
    assert values.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.01)


def test_torch_engine_respects_torchs_seed_and_generators():
    torch.manual_seed(3)
    a = T.LSTM(2, 3).weight_ih_l0
    torch.manual_seed(3)
    assert torch.equal(a, T.LSTM(2, 3).weight_ih_l0)
    g = [torch.Generator().manual_seed(4) for _ in range(2)]
    assert torch.equal(T.LSTM(2, 3, rng=g[0]).weight_hh_l0, T.LSTM(2, 3, rng=g[1]).weight_hh_l0)


def test_precision_and_reproducibility():
    assert N.LSTM(2, 3).weight_ih_l0.dtype == np.float32
    assert N.LSTM(2, 3)(np.zeros((4, 1, 2)))[0].dtype == np.float32
    assert T.LSTM(2, 3, dtype=torch.float64).weight_ih_l0.dtype == torch.float64
    a, b = N.LSTM(2, 3, rng=1), N.LSTM(2, 3, rng=1, dtype=np.float64)
    assert np.array_equal(a.weight_ih_l0.data, b.weight_ih_l0.data.astype(np.float32))


@pytest.mark.parametrize("convert", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_chrono_biases_span_the_time_scales(convert):
    hidden, max_lag = 2000, 400
    shapes = parameters.recurrent_shapes(4, 1, hidden, num_layers=2)
    biases = {name: convert(np.full(s, 9.0)) for name, s in shapes.items() if "bias" in name}
    parameters.set_chrono_bias(biases, max_lag, hidden, rng=0)
    i, f, g, o = (parameters.gate_rows(gate, hidden) for gate in "ifgo")
    drawn = []
    for layer in ("l0", "l1"):
        ih, hh = (np.asarray(biases[f"bias_{part}_{layer}"]) for part in ("ih", "hh"))
        assert np.array_equal(ih[i], -ih[f])
        assert not hh[i].any() and not hh[f].any()
        assert (ih[g] == 9).all() and (ih[o] == 9).all() and (hh[g] == 9).all()
        drawn.append(np.exp(ih[f]))
        assert 1 <= drawn[-1].min() < 5 and max_lag - 6 < drawn[-1].max() <= max_lag - 1
        assert drawn[-1].mean() == pytest.approx(max_lag / 2, rel=0.05)
    assert not np.array_equal(*drawn)


def test_chrono_refuses_what_it_cannot_do():
    biases = {"bias_ih_l0": np.zeros(8), "bias_hh_l0": np.zeros(8)}
    for wrong in (2, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="max_lag .* must be above 2 steps, got"):
            parameters.set_chrono_bias(biases, wrong, 2)
    with pytest.raises(ValueError, match="needs a layer with biases"):
        parameters.set_chrono_bias({"weight_ih_l0": np.zeros((8, 1))}, 10, 2)
