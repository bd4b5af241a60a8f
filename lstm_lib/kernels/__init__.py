"""The loops over time, in NumPy: one layer in one direction, forward and backward.

Both engines run them: the NumPy engine always, the torch engine on a CPU as its ``"fused"`` backend.
A kernel is an object with three methods, and knows nothing of layers, directions or parameters'
names:

``workspace(steps, batch, input_size, hidden_size, dtype)``
    Memory for one forward pass and its backward pass.
``forward(x, states, weights, workspace, past_end=None, masks=None)``
    Output (T, B, H) and the tuple of final states; what ``backward`` needs stays in the workspace.
``backward(d_output, d_states, weights, workspace)``
    Derivatives by x, by the initial states (a tuple) and by the weights (a tuple in their order).

`weights` are ``weight_ih, weight_hh, bias_ih, bias_hh`` and what an option adds; a layer without
biases passes zeros. `past_end` is a boolean array (T, B), True where a step lies past the end of its
sequence: the state is frozen there. The derivative of the output must be zero there.
"""

from lstm_lib.kernels.gru import GRUKernel
from lstm_lib.kernels.lstm import LSTMKernel
from lstm_lib.kernels.rnn import RNNKernel
from lstm_lib.kernels.segments import Segmented
from lstm_lib.kernels.variants import VariantKernel

__all__ = ["GRUKernel", "LSTMKernel", "RNNKernel", "Segmented", "VariantKernel"]
