"""A look inside a recurrent layer: its gates, its gradients, its memory.

Everything here is computed step by step in NumPy from the layer's weights and the equations of
:mod:`lstm_lib.equations`, so it says the same for a layer of either engine and for every backend.
"""

from lstm_lib.probe.cells import SYMBOLS
from lstm_lib.probe.flow import gradient_flow, memory_length, time_constants
from lstm_lib.probe.jacobians import Jacobian, jacobian_product, step_jacobian
from lstm_lib.probe.traces import trace

__all__ = [
    "SYMBOLS",
    "Jacobian",
    "gradient_flow",
    "jacobian_product",
    "memory_length",
    "step_jacobian",
    "time_constants",
    "trace",
]
