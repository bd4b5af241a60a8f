"""Parameters to Flax and back, held against Flax's equations, and against Flax where it is installed."""

from functools import partial

import numpy as np
import pytest

from lstm_lib.convert import GATE_ORDERS, from_flax, to_flax
from tests.convert.flax_cells import CELLS, real_step
from tests.convert.helpers import compute, random_layer
from tests.helpers import arrays_of, as_states, distance

EVERY_CELL = pytest.mark.parametrize("cell", GATE_ORDERS["flax"])


def layer_of(cell, engine="numpy", **options):
    """A random layer that the cell can hold: nnx.GRUCell has no recurrent bias of n."""
    layer, problem = random_layer(GATE_ORDERS["flax"][cell].kind, engine, **options)
    if cell == "nnx.GRUCell":
        for name, array in problem.state.items():
            if name.startswith("bias_hh"):
                array[2 * layer.hidden_size :] = 0
        layer.load_state_dict(problem.state)
    return layer, problem


def run(step, params, x, hx):
    """Output and final states, ours in their order, of a cell over a sequence."""
    states = [state[0] for state in as_states(hx)]
    carry = tuple(states[::-1]) if len(states) == 2 else states[0]
    outputs = []
    for now in x:
        carry = step(params, carry, now)
        outputs.append(carry[1] if len(states) == 2 else carry)
    final = carry[::-1] if len(states) == 2 else (carry,)
    return np.stack(outputs), *(np.asarray(state)[None] for state in final)


def assert_agrees(cell, step):
    layer, problem = layer_of(cell)
    theirs = run(step, to_flax(layer, cell)["l0"], problem.x, problem.hx)
    for ours, other in zip(compute(layer, problem.x, problem.hx), theirs, strict=True):
        assert distance(ours, other) <= 1e-13


@EVERY_CELL
def test_the_cell_written_again_computes_the_same(cell):
    assert_agrees(cell, CELLS[cell])


@EVERY_CELL
def test_the_cell_of_flax_computes_the_same(cell):
    jax = pytest.importorskip("jax")
    pytest.importorskip("flax")
    jax.config.update("jax_enable_x64", True)
    assert_agrees(cell, real_step(cell, hidden_size=5, input_size=2))


@EVERY_CELL
def test_there_and_back(cell):
    layer, problem = layer_of(cell, num_layers=2, bidirectional=True)
    params = to_flax(layer, cell)
    again = from_flax(params, batch_first=False)
    for ours, theirs in zip(
        compute(layer, problem.x, problem.hx), compute(again, problem.x, problem.hx), strict=True
    ):
        assert distance(ours, theirs) <= 1e-14
    for name, cell_params in to_flax(again, cell).items():
        for block, arrays in cell_params.items():
            for kind, array in arrays.items():
                assert np.array_equal(array, params[name][block][kind])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_the_torch_engine_and_the_default_cells(kind):
    layer, problem = random_layer(kind, "torch", bias=False)
    again = from_flax(to_flax(layer), "torch", batch_first=False)
    assert distance(compute(layer, problem.x)[0], compute(again, problem.x)[0]) <= 1e-13
    assert not any(array.any() for n, array in arrays_of(again).items() if n.startswith("bias"))


def test_the_default_is_batch_first_as_in_flax():
    layer, problem = random_layer("RNN", batch_first=True, nonlinearity="relu")
    again = from_flax(to_flax(layer), nonlinearity="relu")
    assert distance(compute(layer, problem.x)[0], compute(again, problem.x)[0]) <= 1e-14


def test_the_two_lstm_cells_of_linen_share_their_parameters():
    convert = partial(to_flax, random_layer()[0])
    one, other = convert("linen.LSTMCell")["l0"], convert("linen.OptimizedLSTMCell")["l0"]
    assert one.keys() == other.keys() == {"ii", "if", "ig", "io", "hi", "hf", "hg", "ho"}
