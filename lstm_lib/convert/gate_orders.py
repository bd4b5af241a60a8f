"""How each library lays out the weights of a recurrent layer: the one table of gate orders.

The conversions read their order of gates from here, the tests hold every row against the library itself, and
the book's table is generated from it.
"""

from dataclasses import dataclass

import numpy as np

from lstm_lib.parameters import GATES, GRU_GATES


@dataclass(frozen=True)
class CellLayout:
    """How one library stores one kind of layer.

    Attributes
    ----------
    kind : {"LSTM", "GRU", "RNN"}
        The layer of ours that it is.
    gates : tuple of str
        Blocks of H rows (or columns) in that library's order, by our names.
    names : tuple of str
        The same blocks by that library's names.
    weights : str
        Names and shapes of the weights.
    biases : str
        How many biases there are, and where.
    state : str
        The state as that library passes it.
    """

    kind: str
    gates: tuple
    names: tuple
    weights: str
    biases: str
    state: str


_PLAIN = ("h",)

_TORCH_WEIGHTS = "weight_ih (nH, I), weight_hh (nH, H)"
_TORCH_BIASES = "two: bias_ih and bias_hh, (nH,) each"
_ONNX_WEIGHTS = "W (D, nH, I), R (D, nH, H)"
_ONNX_BIASES = "two, one after the other in B (D, 2nH)"
_KERAS_WEIGHTS = "kernel (I, nH), recurrent_kernel (H, nH)"
_KERAS_ONE_BIAS = "one, (nH,): our two are added"
_LINEN_LSTM = "a Dense for each gate: ii, if, ig, io and hi, hf, hg, ho; kernels (I, H) and (H, H)"
_NNX_LSTM = _LINEN_LSTM.replace("if,", "if_,").replace("Dense", "Linear")
_FUSED = "dense_i (I, nH), dense_h (H, nH)"
_ONE_BIAS_ON_H = "one, with the recurrent part: our two are added"
_ONE_BIAS_ON_I = "one, with the input part: our two are added"

GATE_ORDERS = {
    "torch": {
        "LSTM": CellLayout("LSTM", GATES, GATES, _TORCH_WEIGHTS, _TORCH_BIASES, "(h, c)"),
        "GRU": CellLayout("GRU", GRU_GATES, GRU_GATES, _TORCH_WEIGHTS, _TORCH_BIASES, "h"),
        "RNN": CellLayout("RNN", _PLAIN, _PLAIN, _TORCH_WEIGHTS, _TORCH_BIASES, "h"),
    },
    "onnx": {
        "LSTM": CellLayout(
            "LSTM",
            ("i", "o", "f", "g"),
            ("i", "o", "f", "c"),
            f"{_ONNX_WEIGHTS}; peepholes P (D, 3H) in the order i, o, f",
            _ONNX_BIASES,
            "initial_h, initial_c",
        ),
        "GRU": CellLayout(
            "GRU",
            ("z", "r", "n"),
            ("z", "r", "h"),
            f"{_ONNX_WEIGHTS}, with linear_before_reset = 1",
            _ONNX_BIASES,
            "initial_h",
        ),
        "RNN": CellLayout("RNN", _PLAIN, ("i",), _ONNX_WEIGHTS, _ONNX_BIASES, "initial_h"),
    },
    "keras": {
        "LSTM": CellLayout(
            "LSTM", GATES, ("i", "f", "c", "o"), _KERAS_WEIGHTS, _KERAS_ONE_BIAS, "[h, c]"
        ),
        "GRU": CellLayout(
            "GRU",
            ("z", "r", "n"),
            ("z", "r", "h"),
            f"{_KERAS_WEIGHTS}, with reset_after=True",
            "two, (2, nH): first the input's",
            "h",
        ),
        "SimpleRNN": CellLayout("RNN", _PLAIN, _PLAIN, _KERAS_WEIGHTS, _KERAS_ONE_BIAS, "h"),
    },
    "flax": {
        "linen.LSTMCell": CellLayout("LSTM", GATES, GATES, _LINEN_LSTM, _ONE_BIAS_ON_H, "(c, h)"),
        "linen.OptimizedLSTMCell": CellLayout(
            "LSTM", GATES, GATES, _LINEN_LSTM, _ONE_BIAS_ON_H, "(c, h)"
        ),
        "linen.GRUCell": CellLayout(
            "GRU",
            GRU_GATES,
            GRU_GATES,
            "a Dense for each gate: ir, iz, in and hr, hz, hn; kernels (I, H) and (H, H)",
            "one for r and z, with the input part: our two are added; two for n, in and hn",
            "h",
        ),
        "linen.SimpleCell": CellLayout(
            "RNN", _PLAIN, _PLAIN, "i (I, H), h (H, H)", _ONE_BIAS_ON_I, "h"
        ),
        "nnx.LSTMCell": CellLayout("LSTM", GATES, GATES, _NNX_LSTM, _ONE_BIAS_ON_H, "(c, h)"),
        "nnx.OptimizedLSTMCell": CellLayout("LSTM", GATES, GATES, _FUSED, _ONE_BIAS_ON_H, "(c, h)"),
        "nnx.GRUCell": CellLayout(
            "GRU",
            GRU_GATES,
            GRU_GATES,
            _FUSED,
            "one, with the input part: our two are added, and n can have none with the recurrent part",
            "h",
        ),
        "nnx.SimpleCell": CellLayout("RNN", _PLAIN, _PLAIN, _FUSED, _ONE_BIAS_ON_I, "h"),
    },
}
"""Library, then cell, then its :class:`~lstm_lib.convert.gate_orders.CellLayout`.

H is the hidden size, I the width of the input, n the number of blocks, D the number of directions.
``lstm_lib`` stores its weights as torch does.
"""


PEEPHOLES = {"lstm_lib": ("i", "f", "o"), "onnx": ("i", "o", "f")}
"""The order of the peephole weights, where a library has any."""


def reorder(array, source, target):
    """Put the blocks of rows of an array into another order.

    Parameters
    ----------
    array : ndarray, shape (n H, ...)
    source, target : sequence of str
        Names of the n blocks, as they are and as they shall be.

    Returns
    -------
    ndarray, shape of `array`

    Examples
    --------
    >>> reorder(np.array([1, 1, 2, 2, 3, 3, 4, 4]), "ifgo", "iofg")
    array([1, 1, 4, 4, 2, 2, 3, 3])
    """
    blocks = dict(zip(source, np.split(array, len(source)), strict=True))
    return np.concatenate([blocks[gate] for gate in target])


def our_gates(kind):
    """The order of gates in this library's own layers.

    >>> our_gates("GRU")
    ('r', 'z', 'n')
    """
    return GATE_ORDERS["torch"][kind].gates
