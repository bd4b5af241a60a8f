"""The loop over time of the plain RNN; arrays are feature-major as in :mod:`lstm_lib.kernels.lstm`."""

import numpy as np

from lstm_lib.kernels.shared import InputFirstWorkspace, steps_side_by_side


class RNNKernel:
    """The plain RNN; see :mod:`lstm_lib.kernels` for the three methods.

    Parameters
    ----------
    nonlinearity : {"tanh", "relu"}

    Examples
    --------
    A rectified unit that doubles its state at each step:

    >>> weights = np.zeros((1, 1)), np.array([[2.0]]), np.zeros(1), np.zeros(1)
    >>> kernel = RNNKernel("relu")
    >>> workspace = kernel.workspace(3, 1, 1, 1, np.float64)
    >>> output, _ = kernel.forward(np.zeros((3, 1, 1)), (np.ones((1, 1)),), weights, workspace)
    >>> output.ravel()
    array([2., 4., 8.])
    """

    def __init__(self, nonlinearity="tanh"):
        self.nonlinearity = nonlinearity

    def workspace(self, steps, batch, input_size, hidden_size, dtype):
        """Memory for T steps of B sequences."""
        return InputFirstWorkspace(1, steps, batch, hidden_size, dtype)

    def forward(self, x, states, weights, workspace, past_end=None, masks=None):
        """Run all steps: output (T, B, H) and ``(h_n,)``."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        w = workspace
        w.start(x, states[0], weight_ih, bias_ih + bias_hh, past_end)
        recurrent = np.ascontiguousarray(weight_hh).astype(w.dtype, copy=False)
        for t in range(len(x)):
            h_next = w.h[t + 1]
            np.dot(recurrent, w.h[t], w.from_h)
            np.add(w.from_x[t], w.from_h, h_next)
            if self.nonlinearity == "tanh":
                np.tanh(h_next, h_next)
            else:
                np.multiply(h_next, h_next.real > 0, h_next)
            if past_end is not None:
                np.copyto(h_next, w.h[t], where=past_end[t])
        return w.output()

    def backward(self, d_output, d_states, weights, workspace):
        """Backpropagation through time over the steps of the last :meth:`forward`."""
        weight_ih, weight_hh = weights[:2]
        w, past_end = workspace, workspace.past_end
        h = w.h[1:]
        slope = 1 - h * h if self.nonlinearity == "tanh" else (h.real > 0).astype(w.dtype)
        d_output = np.ascontiguousarray(d_output.transpose(0, 2, 1))
        transposed = np.ascontiguousarray(weight_hh.T).astype(w.dtype, copy=False)
        dh = d_states[0].T.astype(w.dtype)
        for t in reversed(range(len(d_output))):
            da = w.da[t]
            np.multiply(dh + d_output[t], slope[t], da)
            if past_end is None:
                dh = transposed @ da
            else:
                da[:, past_end[t]] = 0
                dh = np.where(past_end[t], dh, transposed @ da)
        by_a = steps_side_by_side(w.da)
        return w.gradients(by_a, by_a, weight_ih, dh)
