"""Weights and whole layers to and from torch.nn, ONNX, Keras and Flax.

Every library stores the same recurrent layers, and no two agree on how: which gate comes first,
whether a weight is transposed, how many biases there are.
:data:`~lstm_lib.convert.gate_orders.GATE_ORDERS` holds these facts once, and
everything here reads them from there. Models of both engines go out, and :func:`from_torch`,
:func:`from_onnx`, :func:`from_keras_weights` and :func:`from_flax` build either engine's.

What another library cannot express is refused by the name of the option; nothing is dropped in silence.
Importing this package imports none of the other libraries. Keras and Flax are not needed at all: their
weights are plain arrays.
"""

from lstm_lib.convert.flax_params import from_flax, to_flax
from lstm_lib.convert.gate_orders import GATE_ORDERS, CellLayout
from lstm_lib.convert.keras_weights import from_keras_weights, to_keras_weights
from lstm_lib.convert.onnx_export import to_onnx
from lstm_lib.convert.onnx_import import from_onnx
from lstm_lib.convert.torch_nn import from_torch, to_torch

__all__ = [
    "GATE_ORDERS",
    "CellLayout",
    "from_flax",
    "from_keras_weights",
    "from_onnx",
    "from_torch",
    "to_flax",
    "to_keras_weights",
    "to_onnx",
    "to_torch",
]
