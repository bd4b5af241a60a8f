"""Weights to Keras and back, held against Keras's own layers."""

import os

import numpy as np
import pytest
import torch

from lstm_lib.convert import GATE_ORDERS, from_keras_weights, to_keras_weights
from tests.convert.helpers import ENGINES, compute, random_layer
from tests.helpers import TOLERANCE, arrays_of, as_states, distance

CELLS = {layout.kind: name for name, layout in GATE_ORDERS["keras"].items()}
# keras.ops.matmul, of which its SimpleRNN is made, computes float64 in float32 on torch (Keras 3.15).
FLOAT64 = {"LSTM": 1e-13, "GRU": 1e-13, "RNN": 2e-6}
KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on torch, on one CPU thread like all tests, with its settings in a folder of its own."""
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ["KERAS_HOME"] = str(tmp_path_factory.mktemp("keras"))
    keras = pytest.importorskip("keras")
    with keras.device("cpu"):
        yield keras


def as_arrays(values):
    return [np.asarray(value.detach()) for value in values]


@KINDS
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_one_layer_with_states(keras, kind, bias, dtype):
    layer, problem = random_layer(kind, dtype=dtype, batch_first=True, bias=bias)
    theirs = getattr(keras.layers, CELLS[kind])(
        5, use_bias=bias, return_sequences=True, return_state=True, dtype=np.dtype(dtype).name
    )
    theirs.build(problem.x.shape)
    theirs.set_weights(to_keras_weights(layer))
    initial = [torch.tensor(state[0]) for state in as_states(problem.hx)]
    output, *final = as_arrays(theirs(torch.tensor(problem.x), initial_state=initial))
    ours, *states = compute(layer, problem.x, problem.hx)
    tolerance = FLOAT64[kind] if dtype is np.float64 else TOLERANCE[dtype]
    assert distance(ours, output) <= tolerance
    for ours, other in zip(states, final, strict=True):
        assert distance(ours[0], other) <= tolerance


@KINDS
def test_both_directions_with_states(keras, kind):
    layer, problem = random_layer(kind, batch_first=True, bidirectional=True)
    cell = getattr(keras.layers, CELLS[kind])
    theirs = keras.layers.Bidirectional(
        cell(5, return_sequences=True, return_state=True, dtype="float64"), dtype="float64"
    )
    theirs.build(problem.x.shape)
    theirs.set_weights(to_keras_weights(layer))
    per_direction = zip(*as_states(problem.hx), strict=True)
    initial = [torch.tensor(state) for states in per_direction for state in states]
    output, *final = as_arrays(theirs(torch.tensor(problem.x), initial_state=initial))
    ours, *states = compute(layer, problem.x, problem.hx)
    assert distance(ours, output) <= FLOAT64[kind]
    for ours, other in zip(
        (s for pair in zip(*states, strict=True) for s in pair), final, strict=True
    ):
        assert distance(ours, other) <= FLOAT64[kind]


@KINDS
def test_a_stack_is_a_sequential(keras, kind):
    layer, problem = random_layer(kind, batch_first=True, num_layers=2, bidirectional=True)
    cell = getattr(keras.layers, CELLS[kind])
    theirs = keras.Sequential(
        keras.layers.Bidirectional(cell(5, return_sequences=True, dtype="float64"), dtype="float64")
        for _ in range(2)
    )
    theirs.build(problem.x.shape)
    theirs.set_weights(to_keras_weights(layer))
    output = theirs(torch.tensor(problem.x)).detach().numpy()
    assert distance(compute(layer, problem.x)[0], output) <= FLOAT64[kind]


@KINDS
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "options", [dict(), dict(bias=False), dict(num_layers=2, bidirectional=True)], ids=str
)
def test_there_and_back(kind, engine, options):
    layer, problem = random_layer(kind, engine, batch_first=True, **options)
    options.pop("num_layers", None)
    weights = to_keras_weights(layer)
    again = from_keras_weights(weights, engine, **options)
    for ours, theirs in zip(
        compute(layer, problem.x, problem.hx), compute(again, problem.x, problem.hx), strict=True
    ):
        assert distance(ours, theirs) <= 1e-14
    for ours, theirs in zip(weights, to_keras_weights(again), strict=True):
        assert np.array_equal(ours, theirs)
    if kind == "GRU":
        ours, theirs = arrays_of(layer), arrays_of(again)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_the_nonlinearity_is_told_by_the_caller():
    layer, problem = random_layer("RNN", nonlinearity="relu")
    again = from_keras_weights(to_keras_weights(layer), nonlinearity="relu", batch_first=False)
    assert distance(compute(layer, problem.x)[0], compute(again, problem.x)[0]) <= 1e-14
