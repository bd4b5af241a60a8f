"""What goes wrong is said: which argument, what it is, what it should be. Nothing is lost."""

import re

import numpy as np
import pytest
import torch

import lstm_lib
from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.checkpoints import load_arrays, load_weights, save_arrays, save_weights
from lstm_lib.training import fit
from tests.helpers import arrays_of

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])


def wrap(L, array):
    return array if L is N else torch.tensor(array)


def zeros(L, *shape):
    return wrap(L, np.zeros(shape, np.float32))


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


@ENGINES
@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
def test_sizes(L, name):
    good = dict(input_size=2, hidden_size=3, num_layers=1)
    for wrong in (0, -3):
        with raises(ValueError, f"{name} must be a positive integer, got {wrong}"):
            L.LSTM(**{**good, name: wrong})
    for wrong in (2.5, "3", None, True):
        with raises(TypeError, f"{name} must be a positive integer, got {wrong!r}"):
            L.LSTM(**{**good, name: wrong})


@ENGINES
def test_shapes_of_input_and_state(L):
    lstm = L.LSTM(2, 3)
    axes = "input must have 3 axes (steps, batch, input_size), or 2 axes (steps, input_size), got "
    for wrong in ((2,), (4, 5, 2, 2)):
        with raises(ValueError, f"{axes}{len(wrong)}"):
            lstm(zeros(L, *wrong))
    with raises(ValueError, "input must have 2 features on its last axis (steps, input_size)"):
        lstm(zeros(L, 4, 5))
    with raises(ValueError, "input must have 2 features on its last axis"):
        lstm(zeros(L, 4, 1, 5))
    for empty in ((0, 1, 2), (4, 0, 2)):
        with raises(ValueError, "must not be empty"):
            lstm(zeros(L, *empty))
    x = zeros(L, 4, 5, 2)
    right = zeros(L, 1, 5, 3)
    with raises(ValueError, "h_0 must have shape (1, 5, 3) = (layers * directions, batch, hidden"):
        lstm(x, (zeros(L, 1, 1, 3), right))
    with raises(ValueError, "c_0 must have shape (1, 5, 3)"):
        lstm(x, (right, zeros(L, 5, 3)))
    with raises(ValueError, "the state must be a pair (h_0, c_0)"):
        lstm(x, (right,))
    with raises(ValueError, "(batch, steps, input_size)"):
        L.LSTM(2, 3, batch_first=True)(zeros(L, 2))


@ENGINES
def test_lengths(L):
    lstm, x = L.LSTM(2, 3), zeros(L, 4, 3, 2)
    with raises(ValueError, "lengths[1] must lie between 1 and the number of steps 4, got 0"):
        lstm(x, lengths=[4, 0, 1])
    with raises(ValueError, "lengths[2] must lie between 1 and the number of steps 4, got 5"):
        lstm(x, lengths=[4, 1, 5])
    with raises(ValueError, "batch is 3, got 2"):
        lstm(x, lengths=[4, 1])
    with raises(TypeError, "lengths must be 3 integers"):
        lstm(x, lengths=[4, 1.5, 2])
    with raises(TypeError, "lengths must be 3 integers"):
        lstm(x, lengths=4)


@ENGINES
def test_cells_and_linear(L):
    cell = L.LSTMCell(2, 3)
    with raises(ValueError, "input must have shape (any, 2) = (batch, input_size), got (4, 3)"):
        cell(zeros(L, 4, 3))
    with raises(ValueError, "h must have shape (4, 3)"):
        cell(zeros(L, 4, 2), (zeros(L, 1, 3), zeros(L, 4, 3)))
    with raises(ValueError, "input must have 2 features on its last axis, got shape (4, 3)"):
        L.Linear(2, 1)(zeros(L, 4, 3))
    with raises(ValueError, "out_features must be a positive integer, got 0"):
        L.Linear(2, 0)


@ENGINES
@pytest.mark.parametrize("kind", ["GRU", "RNN"])
def test_layers_with_one_state(L, kind):
    layer, x = getattr(L, kind)(2, 3), zeros(L, 4, 5, 2)
    with raises(ValueError, "h_0 must have shape (1, 5, 3)"):
        layer(x, zeros(L, 5, 3))
    with raises(ValueError, "h must have shape (4, 3)"):
        getattr(L, f"{kind}Cell")(2, 3)(zeros(L, 4, 2), zeros(L, 1, 3))
    with raises(ValueError, "nonlinearity must be one of 'tanh', 'relu'; got 'sigmoid'"):
        L.RNN(2, 3, nonlinearity="sigmoid")
    with raises(ValueError, "nonlinearity must be one of 'tanh', 'relu'; got 'sigmoid'"):
        L.RNNCell(2, 3, nonlinearity="sigmoid")


@ENGINES
def test_options(L):
    with raises(ValueError, "forget_bias needs a layer with biases"):
        L.LSTM(2, 3, bias=False, forget_bias=1.0)
    with raises(TypeError, "peephol"):
        L.LSTM(2, 3, peephol=True)
    with raises(ValueError, "readout must be one of 'last', 'all', 'mean', 'max'; got 'first'"):
        L.SequenceModel(L.LSTM(2, 3, batch_first=True), L.Linear(3, 1), readout="first")
    with raises(ValueError, "batch_first=True"):
        L.SequenceModel(L.LSTM(2, 3), L.Linear(3, 1))
    with raises(ValueError, "head must take 3 features"):
        L.SequenceModel(L.LSTM(2, 3, batch_first=True), L.Linear(4, 1))
    with raises(ValueError, "reduction must be one of 'mean', 'sum'"):
        L.CrossEntropyLoss("max")
    with raises(ValueError, "max_norm must be positive"):
        L.clip_grad_norm_([], 0)


def test_numpy_engine_only():
    with raises(ValueError, "the NumPy engine runs on 'cpu' only, got device='cuda'"):
        N.LSTM(2, 3, device="cuda")
    with raises(ValueError, "engine must be 'auto', 'numpy' or 'torch', got 'jax'"):
        lstm_lib.engine("jax")
    for layer in (N.LSTM(2, 3), N.Linear(2, 3), N.MSELoss(), N.CrossEntropyLoss()):
        arguments = [] if isinstance(layer, (N.MSELoss, N.CrossEntropyLoss)) else [np.zeros(3)]
        with raises(RuntimeError, "forward pass"):
            layer.backward(*arguments)
    lstm = N.LSTM(2, 3)
    lstm(np.zeros((4, 1, 2)))
    with raises(ValueError, "d_output must have shape (4, 1, 3)"):
        lstm.backward(np.zeros((4, 3)))
    with raises(ValueError, "the optimizer got an empty list of parameters"):
        N.Adam([], lr=0.1)
    parameters = list(lstm.parameters())
    for lr in (0, -1.0, float("nan")):
        with raises(ValueError, "lr must be positive"):
            N.SGD(parameters, lr=lr)
    with raises(ValueError, "momentum must lie in [0, 1)"):
        N.SGD(parameters, lr=0.1, momentum=1.0)
    with raises(ValueError, "betas must lie in [0, 1)"):
        N.Adam(parameters, betas=(0.9, 1.0))
    with raises(ValueError, "weight_decay must be at least 0, got -1"):
        N.AdamW(parameters, weight_decay=-1)
    with raises(ValueError, "alpha must lie in [0, 1), got 1"):
        N.RMSprop(parameters, alpha=1)
    for kind in (N.SGD, N.Adam, N.RMSprop):
        with raises(ValueError, "weight_decay must be at least 0, got -1"):
            kind(parameters, weight_decay=-1)
        with raises(TypeError, "params must be Parameters, got a dict; groups are not supported"):
            kind([{"params": parameters}])
        with raises(TypeError, "maximize"):
            kind(parameters, maximize=True)
    for wrong in (dict(), dict(momentum=0.9, dampening=0.1)):
        with raises(ValueError, "nesterov needs a momentum above 0 and a dampening of 0"):
            N.SGD(parameters, nesterov=True, **wrong)
    with raises(ValueError, "clip_value must be positive, got 0"):
        N.clip_grad_value_(parameters, 0)


@ENGINES
def test_losses(L):
    with raises(ValueError, "target must have shape (2,)"):
        L.CrossEntropyLoss()(zeros(L, 2, 3), wrap(L, np.zeros((2, 3), np.int64)))
    with raises(ValueError, "target classes must lie between 0 and 2, got 0 to 3"):
        L.CrossEntropyLoss()(zeros(L, 2, 3), wrap(L, np.array([0, 3])))
    with raises(ValueError, "target classes must lie between 0 and 2, got -1 to 0"):
        L.CrossEntropyLoss()(zeros(L, 2, 3), wrap(L, np.array([0, -1])))
    with raises(TypeError, "target must hold integer classes"):
        L.CrossEntropyLoss()(zeros(L, 2, 3), zeros(L, 2))
    with raises(ValueError, "every target is masked or ignore_index -100"):
        L.CrossEntropyLoss()(zeros(L, 2, 3), wrap(L, np.array([-100, -100])))
    with raises(ValueError, "every target is masked or ignore_index -100"):
        mask = wrap(L, np.array([True, False]))
        L.CrossEntropyLoss()(zeros(L, 2, 3), wrap(L, np.array([-100, 0])), mask)
    with raises(ValueError, "mask must have the shape (2,) or its leading axes, got (3,)"):
        L.CrossEntropyLoss()(zeros(L, 2, 3), wrap(L, np.array([0, 0])), zeros(L, 3))
    with raises(ValueError, "label_smoothing must lie in [0, 1), got 1.5"):
        L.CrossEntropyLoss(label_smoothing=1.5)
    for name in ("MSELoss", "L1Loss", "HuberLoss", "BCEWithLogitsLoss"):
        loss = getattr(L, name)()
        with raises(ValueError, "target must have shape (2, 1)"):
            loss(zeros(L, 2, 1), zeros(L, 2))
        with raises(ValueError, "prediction must not be empty"):
            loss(zeros(L, 0, 1), zeros(L, 0, 1))
        with raises(ValueError, "mask must have the shape (2, 1) or its leading axes, got (1,)"):
            loss(zeros(L, 2, 1), zeros(L, 2, 1), zeros(L, 1))
        with raises(ValueError, "mask leaves no element"):
            loss(zeros(L, 2, 1), zeros(L, 2, 1), zeros(L, 2))
    with raises(ValueError, "delta must be positive, got 0"):
        L.HuberLoss(delta=0)


@ENGINES
def test_numbers_that_are_not_finite_stop_the_run(L):
    model = L.SequenceModel(L.LSTM(1, 2, batch_first=True), L.Linear(2, 1))
    x = np.full((4, 3, 1), 1e30, np.float32)
    with (
        raises(FloatingPointError, "lower the learning rate or check the data"),
        np.errstate(all="ignore"),
    ):
        fit(model, (x, np.full((4, 1), 1e38, np.float32)), epochs=2, progress=False)


@ENGINES
def test_training_data(L):
    model = L.SequenceModel(L.LSTM(1, 2, batch_first=True), L.Linear(2, 1))
    x, y = np.zeros((4, 3, 1), np.float32), np.zeros((4, 1), np.float32)
    before = arrays_of(model)
    missing = x.copy()
    missing[2, 1, 0] = np.nan
    with raises(ValueError, "train: X holds nan at index (2, 1, 0)"):
        fit(model, (missing, y), progress=False)
    with raises(ValueError, "valid: y holds inf at index (3, 0)"):
        fit(model, (x, y), valid=(x, np.array([[0], [0], [0], [np.inf]])), progress=False)
    with raises(ValueError, "train: X has 4 sequences, y has 3"):
        fit(model, (x, y[:3]), progress=False)
    with raises(ValueError, "train holds no sequences"):
        fit(model, (x[:0], y[:0]), progress=False)
    with raises(ValueError, "train must be a tuple (X, y) or (X, y, lengths)"):
        fit(model, x, progress=False)
    with raises(ValueError, "must lie between 1 and the number of steps 3, got 0"):
        fit(model, (x, y, np.array([3, 0, 1, 2])), progress=False)
    with raises(
        ValueError,
        "loss must be one of 'mse', 'mae', 'huber', 'cross_entropy', 'binary_cross_entropy'; got 'mea'",
    ):
        fit(model, (x, y), loss="mea", progress=False)
    with raises(
        ValueError, "optimizer must be one of 'adam', 'adamw', 'rmsprop', 'sgd'; got 'adagrad'"
    ):
        fit(model, (x, y), optimizer="adagrad", progress=False)
    with raises(ValueError, "epochs must be a positive integer, got 0"):
        fit(model, (x, y), epochs=0, progress=False)
    with raises(ValueError, "patience needs validation data"):
        fit(model, (x, y), patience=2, progress=False)
    with raises(ValueError, "predict needs at least one sequence"):
        L.predict(model, x[:0])
    with raises(TypeError, "model must be a module of lstm_lib.numpy or lstm_lib.torch"):
        fit(object(), (x, y))
    assert all(np.array_equal(before[n], v) for n, v in arrays_of(model).items())


@ENGINES
def test_weights_that_do_not_fit(L, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(L.LSTM(2, 3), path)
    other = L.LSTM(2, 4)
    before = arrays_of(other)
    with raises(ValueError, "weight_ih_l0 has shape (12, 2) there and (16, 2) in the model"):
        load_weights(other, path)
    with raises(ValueError, "missing ['bias_hh_l1', 'bias_ih_l1', 'weight_hh_l1', 'weight_ih_l1']"):
        load_weights(L.LSTM(2, 3, num_layers=2), path)
    assert all(np.array_equal(before[n], v) for n, v in arrays_of(other).items())


def test_state_dict_that_does_not_fit():
    lstm = N.LSTM(2, 3)
    state = lstm.state_dict()
    with raises(ValueError, "missing ['bias_hh_l0'], not expected ['bias']"):
        lstm.load_state_dict({**{k: v for k, v in state.items() if k != "bias_hh_l0"}, "bias": 1})
    with raises(ValueError, "weight_ih_l0 must have shape (12, 2), the state_dict has (2, 12)"):
        lstm.load_state_dict({**state, "weight_ih_l0": state["weight_ih_l0"].T})


def damaged(data):
    yield b""
    yield data[:40]
    yield data[:-8]
    yield b"\x80\x04" + data
    yield b"\xff" * 64


def test_corrupt_checkpoints(tmp_path):
    path = tmp_path / "run.safetensors"
    save_arrays(path, {"w": np.arange(9.0)}, {"epoch": 1})
    for data in damaged(path.read_bytes()):
        broken = tmp_path / "broken.safetensors"
        broken.write_bytes(data)
        with raises(ValueError, "is not a whole checkpoint"):
            load_arrays(broken)
        assert broken.read_bytes() == data, "a file that cannot be read is left alone"
    with raises(FileNotFoundError, "no checkpoint at"):
        load_arrays(tmp_path / "absent.safetensors")


def test_a_pickle_is_not_executed(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"w": torch.zeros(2)}, path)
    with raises(ValueError, "is not a whole checkpoint"):
        load_arrays(path)


def test_fit_refuses_a_corrupt_or_foreign_checkpoint(tmp_path):
    model = N.SequenceModel(N.LSTM(1, 2, batch_first=True), N.Linear(2, 1))
    data = np.zeros((4, 3, 1), np.float32), np.zeros((4, 1), np.float32)
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"not a checkpoint")
    with raises(ValueError, "is not a whole checkpoint"):
        fit(model, data, checkpoint=path, progress=False)
    assert path.read_bytes() == b"not a checkpoint"
    save_weights(model, path)
    with raises(ValueError, "holds weights alone"):
        fit(model, data, checkpoint=path, progress=False)
    path.unlink()
    fit(model, data, epochs=1, checkpoint=path, progress=False)
    bigger = N.SequenceModel(N.LSTM(1, 3, batch_first=True), N.Linear(3, 1))
    with raises(ValueError, "belongs to another model"):
        fit(bigger, data, epochs=2, checkpoint=path, progress=False)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save_arrays(path, {"w": np.zeros(3)})
    before = path.read_bytes()

    def full_disk(_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with raises(OSError, "no space left"):
        save_arrays(path, {"w": np.ones(3)})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]
