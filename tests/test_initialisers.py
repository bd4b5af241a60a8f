"""Initial values: the laws that they promise, gate by gate, and the same numbers in both engines."""

import re

import numpy as np
import pytest
import torch

from lstm_lib import initialisers
from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.initialisers import initialise
from lstm_lib.parameters import gate_rows
from tests.helpers import arrays_of, assert_same

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def gates_of(array, hidden_size):
    return np.split(array, len(array) // hidden_size)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("xavier_uniform", torch.nn.init.xavier_uniform_),
        ("xavier_normal", torch.nn.init.xavier_normal_),
        ("kaiming_uniform", torch.nn.init.kaiming_uniform_),
        ("kaiming_normal", torch.nn.init.kaiming_normal_),
    ],
)
@pytest.mark.parametrize("shape", [(300, 500), (500, 200)], ids=str)
def test_laws_are_torchs(name, theirs, shape):
    torch.manual_seed(0)
    ours, expected = initialisers.MATRICES[name](shape, rng=0), theirs(torch.empty(shape)).numpy()
    assert abs(ours.mean()) < 4 * expected.std() / np.sqrt(expected.size)
    assert ours.std() == pytest.approx(expected.std(), rel=0.01)
    if name.endswith("uniform"):
        assert np.abs(ours).max() == pytest.approx(np.abs(expected).max(), rel=1e-3)
    else:
        kurtosis = (ours**4).mean() / (ours**2).mean() ** 2
        assert kurtosis == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "orthogonal", "identity"])
def test_gain_multiplies(name):
    draw = initialisers.MATRICES[name]
    assert np.allclose(draw((3, 4), 5, gain=2.5), 2.5 * draw((3, 4), 5), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (1, 3)], ids=str)
def test_orthogonal_is_orthogonal(shape):
    Q = initialisers.orthogonal(shape, rng=1)
    gram = Q @ Q.T if shape[0] < shape[1] else Q.T @ Q
    assert np.abs(gram - np.eye(min(shape))).max() < 1e-14


def test_orthogonal_prefers_no_direction():
    """Without the signs of R, the diagonal of Q would be negative on the average."""
    rng = np.random.default_rng(0)
    drawn = np.stack([initialisers.orthogonal((3, 3), rng) for _ in range(4000)])
    assert np.abs(drawn.mean(axis=0)).max() < 4 / np.sqrt(3 * 4000)
    assert (drawn**2).mean(axis=0) == pytest.approx(np.full((3, 3), 1 / 3), abs=0.02)
    assert (np.linalg.det(drawn) > 0).mean() == pytest.approx(0.5, abs=0.03)


SCHEMES = dict(input="xavier_normal", recurrent="orthogonal", bias="uniform")


@KINDS
def test_both_engines_start_from_the_same_values(kind):
    layers = [
        getattr(L, kind)(3, 5, num_layers=2, bidirectional=True, dtype="float64") for L in (N, T)
    ]
    ours, theirs = (arrays_of(initialise(layer, **SCHEMES, rng=8)) for layer in layers)
    assert_same(ours, theirs, 0.0)
    again = arrays_of(initialise(layers[0], **SCHEMES, rng=8))
    assert_same(ours, again, 0.0)
    other = arrays_of(initialise(layers[0], **SCHEMES, rng=9))
    assert all((ours[name] != other[name]).all() for name in ours if ours[name].size > 1)
    single = arrays_of(initialise(getattr(T, kind)(3, 5, 2, bidirectional=True), **SCHEMES, rng=8))
    assert_same({n: a.astype(np.float32) for n, a in ours.items()}, single, 0.0)


@ENGINES
@KINDS
def test_every_gate_has_an_orthogonal_matrix_of_its_own(L, kind):
    layer = initialise(getattr(L, kind)(3, 5, dtype="float64"), recurrent="orthogonal", rng=0)
    gates = gates_of(arrays_of(layer)["weight_hh_l0"], 5)
    for U in gates:
        assert np.abs(U @ U.T - np.eye(5)).max() < 1e-14
    assert all(not np.allclose(a, b) for a, b in zip(gates, gates[1:], strict=False))


@ENGINES
def test_fans_are_those_of_a_gate_not_of_the_stack(L):
    """The common mistake, torch.nn.init on the stacked weight, draws from a narrower interval."""
    lstm = initialise(L.LSTM(100, 100), input="xavier_uniform", recurrent="kaiming_uniform", rng=0)
    state = arrays_of(lstm)
    assert np.abs(state["weight_ih_l0"]).max() == pytest.approx(np.sqrt(6 / 200), rel=1e-3)
    assert np.abs(state["weight_hh_l0"]).max() == pytest.approx(np.sqrt(6 / 100), rel=1e-3)
    stacked = torch.nn.init.xavier_uniform_(torch.empty(400, 100)).abs().max().item()
    assert np.sqrt(6 / 200) / stacked == pytest.approx(np.sqrt(5 / 2), rel=1e-2)


@ENGINES
def test_what_is_not_named_stays(L):
    lstm = L.LSTM(3, 4, num_layers=2, rng=0)
    before = arrays_of(lstm)
    after = arrays_of(initialise(lstm, recurrent="identity", forget_bias=2.0, rng=1))
    for name, array in after.items():
        if name.startswith("weight_hh"):
            assert np.array_equal(array, np.tile(np.eye(4), (4, 1)))
        elif name.startswith("weight_ih"):
            assert np.array_equal(array, before[name])
        else:
            f = gate_rows("f", 4)
            assert (array[f] == (2 if "bias_ih" in name else 0)).all()
            assert np.array_equal(np.delete(array, f), np.delete(before[name], f))
    assert lstm is initialise(lstm)


@ENGINES
def test_biases(L):
    state = arrays_of(initialise(L.LSTM(3, 400), bias="uniform", rng=0))
    for name in ("bias_ih_l0", "bias_hh_l0"):
        assert np.abs(state[name]).max() == pytest.approx(1 / 20, rel=0.01)
    state = arrays_of(initialise(L.GRU(3, 4), bias=0.5))
    assert (state["bias_ih_l0"] == 0.5).all() and not state["bias_hh_l0"].any()
    state = arrays_of(initialise(L.RNN(3, 4), bias="zeros", input=0.25, recurrent="uniform", rng=0))
    assert not state["bias_ih_l0"].any() and (state["weight_ih_l0"] == 0.25).all()
    assert 0 < np.abs(state["weight_hh_l0"]).max() <= 0.5


@ENGINES
def test_chrono_is_written_for_coupled_gates_too(L):
    plain = arrays_of(initialise(L.LSTM(1, 6, bias=True), chrono=50, rng=0))["bias_ih_l0"]
    i, f = gate_rows("i", 6), gate_rows("f", 6)
    assert np.array_equal(plain[i], -plain[f]) and (plain[f] >= 0).all()
    assert plain[f].max() <= np.log(49)
    coupled = arrays_of(initialise(L.LSTM(1, 6, coupled=True), chrono=50, rng=0))["bias_ih_l0"]
    assert np.array_equal(coupled[i], plain[i])


@ENGINES
def test_models_cells_and_torchs_own_layers(L):
    head = L.Linear(4, 1, rng=0)
    model = L.SequenceModel(L.LSTM(2, 4, batch_first=True, rng=0), head)
    before = arrays_of(head)
    initialise(model, recurrent="orthogonal", bias="zeros", rng=3)
    assert_same(before, arrays_of(head), 0.0)
    expected = initialise(L.LSTM(2, 4, rng=0), recurrent="orthogonal", bias="zeros", rng=3)
    assert_same(arrays_of(model.rnn), arrays_of(expected), 0.0)
    cell = arrays_of(
        initialise(L.LSTMCell(2, 4, rng=0), recurrent="orthogonal", bias="zeros", rng=3)
    )
    assert np.array_equal(cell["weight_hh"], arrays_of(expected)["weight_hh_l0"])
    theirs = initialise(torch.nn.LSTM(2, 4), recurrent="orthogonal", forget_bias=1.0, rng=3)
    assert np.array_equal(arrays_of(theirs)["weight_hh_l0"], cell["weight_hh"])


@ENGINES
def test_options_of_a_layer_are_left_alone(L):
    lstm = L.LSTM(3, 5, proj_size=2, peephole=True, layer_norm=True, rng=0)
    before = arrays_of(lstm)
    after = arrays_of(initialise(lstm, **SCHEMES, rng=1))
    changed = {name for name in after if (before[name] != after[name]).any()}
    assert changed == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    for U in gates_of(after["weight_hh_l0"], 5):
        assert np.abs(U.T @ U - np.eye(2)).max() < 1e-6


@ENGINES
def test_a_function_of_ones_own(L):
    draw = lambda shape, rng: rng.choice([-1.0, 1.0], size=shape)  # noqa: E731
    state = arrays_of(initialise(L.LSTM(3, 4), input=draw, rng=0))
    assert set(np.unique(state["weight_ih_l0"])) == {-1.0, 1.0}
    with raises(ValueError, "initial value of weight_ih_l0 must have shape (4, 3) = one gate's"):
        initialise(L.LSTM(3, 4), input=lambda shape, rng: np.ones(shape[::-1]))


@ENGINES
def test_errors_change_nothing(L):
    lstm = L.LSTM(2, 3, rng=0)
    before = arrays_of(lstm)
    with raises(ValueError, "recurrent must be one of 'zeros', 'xavier_uniform'"):
        initialise(lstm, recurrent="glorot")
    with raises(ValueError, "bias must be one of 'zeros', 'uniform'; got 'orthogonal'"):
        initialise(lstm, bias="orthogonal")
    with raises(ValueError, "input must be one of"):
        initialise(lstm, input=True)
    with raises(ValueError, "forget_bias and chrono both set the forget gate's bias"):
        initialise(lstm, forget_bias=1.0, chrono=10)
    with raises(ValueError, "must be above 2 steps, got 1"):
        initialise(lstm, chrono=1)
    with raises(ValueError, "need an LSTM, the only layer with a forget gate; got a layer GRU"):
        initialise(L.GRU(2, 3), forget_bias=1.0)
    with raises(ValueError, "needs a layer with biases"):
        initialise(L.LSTM(2, 3, bias=False), chrono=10)
    with raises(ValueError, "Linear holds no recurrent layer"):
        initialise(L.Linear(2, 3), input="zeros")
    assert_same(before, arrays_of(lstm), 0.0)
    for name in ("xavier_uniform", "orthogonal", "identity"):
        for shape in ((3,), (0, 3)):
            with raises(ValueError, "shape must be that of a matrix, (outputs, inputs), got"):
                initialisers.MATRICES[name](shape)
