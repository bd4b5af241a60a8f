"""The loop over time of the GRU.

Feature-major arrays and the sigmoid by tanh as in :mod:`lstm_lib.kernels.lstm`, which explains why.
Other than there, the product with the input is made for all steps at once, because a GRU applies its
reset gate to the recurrent product alone.
"""

import numpy as np

from lstm_lib.kernels.shared import InputFirstWorkspace, steps_side_by_side


class GRUWorkspace(InputFirstWorkspace):
    """Memory for one pass: also the gates ``[r, z]``, the candidate n and q = U_n h + b."""

    def __init__(self, steps, batch, hidden_size, dtype):
        super().__init__(3, steps, batch, hidden_size, dtype)
        self.rz = np.empty((steps, 2 * hidden_size, batch), dtype)
        self.n = np.empty((steps, hidden_size, batch), dtype)
        self.q = np.empty((steps, hidden_size, batch), dtype)
        self.da_n = np.empty((steps, hidden_size, batch), dtype)


class GRUKernel:
    """The GRU in torch's form; see :mod:`lstm_lib.kernels` for the three methods.

    Examples
    --------
    With all weights zero the candidate is 0 and the gates are 1/2, so the state is halved at each step:

    >>> weights = np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(3), np.zeros(3)
    >>> kernel = GRUKernel()
    >>> workspace = kernel.workspace(3, 1, 1, 1, np.float64)
    >>> output, _ = kernel.forward(np.zeros((3, 1, 1)), (np.ones((1, 1)),), weights, workspace)
    >>> output.ravel()
    array([0.5  , 0.25 , 0.125])
    """

    def workspace(self, steps, batch, input_size, hidden_size, dtype):
        """Memory for T steps of B sequences."""
        return GRUWorkspace(steps, batch, hidden_size, dtype)

    def forward(self, x, states, weights, workspace, past_end=None, masks=None):
        """Run all steps: output (T, B, H) and ``(h_n,)``."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        w = workspace
        H = weight_hh.shape[1]
        halves = np.ones((3 * H, 1), w.dtype)
        halves[: 2 * H] = 0.5  # the inner half of sigmoid(a) = 1/2 + tanh(a/2) / 2
        bias = bias_ih.astype(w.dtype)
        bias[: 2 * H] += bias_hh[: 2 * H]
        w.start(x, states[0], halves * weight_ih, halves[:, 0] * bias, past_end)
        recurrent = np.ascontiguousarray(halves * weight_hh).astype(w.dtype, copy=False)
        bias_n = np.repeat(bias_hh[2 * H :, None], x.shape[1], axis=1).astype(w.dtype)
        r_z, of_n = w.from_h[: 2 * H], w.from_h[2 * H :]
        half = np.array(0.5, w.dtype)
        for t in range(len(x)):
            h, h_next, rz, n, q = w.h[t], w.h[t + 1], w.rz[t], w.n[t], w.q[t]
            np.dot(recurrent, h, w.from_h)
            np.add(w.from_x[t, : 2 * H], r_z, rz)
            np.tanh(rz, rz)
            np.multiply(rz, half, rz)
            np.add(rz, half, rz)
            np.add(of_n, bias_n, q)
            np.multiply(rz[:H], q, n)
            np.add(n, w.from_x[t, 2 * H :], n)
            np.tanh(n, n)
            np.subtract(h, n, h_next)
            np.multiply(h_next, rz[H:], h_next)
            np.add(h_next, n, h_next)
            if past_end is not None:
                np.copyto(h_next, h, where=past_end[t])
        return w.output()

    def backward(self, d_output, d_states, weights, workspace):
        """Backpropagation through time over the steps of the last :meth:`forward`."""
        weight_ih, weight_hh = weights[:2]
        w, past_end = workspace, workspace.past_end
        H = weight_hh.shape[1]
        r, z, n = w.rz[:, :H], w.rz[:, H:], w.n
        by_z = (w.h[:-1] - n) * z * (1 - z)
        by_n = (1 - z) * (1 - n * n)
        n_to_r = w.q * r * (1 - r)
        d_output = np.ascontiguousarray(d_output.transpose(0, 2, 1))
        transposed = np.ascontiguousarray(weight_hh.T).astype(w.dtype, copy=False)
        dh = d_states[0].T.astype(w.dtype)
        for t in reversed(range(len(d_output))):
            da, da_n = w.da[t], w.da_n[t]
            before = dh
            dh = dh + d_output[t]
            np.multiply(dh, by_n[t], da_n)
            np.multiply(da_n, n_to_r[t], da[:H])
            np.multiply(dh, by_z[t], da[H : 2 * H])
            np.multiply(da_n, r[t], da[2 * H :])
            if past_end is not None:
                da[:, past_end[t]] = 0
                da_n[:, past_end[t]] = 0
            dh = dh * z[t] + transposed @ da
            if past_end is not None:
                np.copyto(dh, before, where=past_end[t])
        by_h = steps_side_by_side(w.da)
        by_x = by_h.copy()
        by_x[2 * H :] = steps_side_by_side(w.da_n)
        return w.gradients(by_x, by_h, weight_ih, dh)
