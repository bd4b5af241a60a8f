"""The loops over time of the GRU and the plain RNN: one layer, one direction.

Feature-major arrays and the sigmoid by tanh as in :mod:`lstm_lib.numpy.kernels`, which explains why.
Other than there, the product with the input is made for all steps at once, because a GRU applies its
reset gate to the recurrent product alone.
"""

import numpy as np


class RNNWorkspace:
    """Memory for one pass of a plain RNN: input products, states and derivatives."""

    gates = 1

    def __init__(self, steps, batch, hidden_size, dtype):
        T, B, H = steps, batch, hidden_size
        self.dtype = np.dtype(dtype)
        self.from_x = np.empty((T, self.gates * H, B), dtype)
        self.h = np.empty((T + 1, H, B), dtype)
        self.from_h = np.empty((self.gates * H, B), dtype)
        self.da = np.empty((T, self.gates * H, B), dtype)
        self.x = None


class GRUWorkspace(RNNWorkspace):
    """Memory for one pass of a GRU: also the gates ``[r, z]``, the candidate n and q = U_n h + b."""

    gates = 3

    def __init__(self, steps, batch, hidden_size, dtype):
        super().__init__(steps, batch, hidden_size, dtype)
        self.rz = np.empty((steps, 2 * hidden_size, batch), dtype)
        self.n = np.empty((steps, hidden_size, batch), dtype)
        self.q = np.empty((steps, hidden_size, batch), dtype)
        self.da_n = np.empty((steps, hidden_size, batch), dtype)


def gru_forward(x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, workspace, past_end=None):
    """Run all steps of a GRU; what the backward pass needs stays in `workspace`.

    Parameters
    ----------
    x : ndarray, shape (T, B, I)
    h_0 : ndarray, shape (B, H)
    weight_ih, weight_hh : ndarray, shapes (3H, I) and (3H, H), rows r, z, n
    bias_ih, bias_hh : ndarray, shape (3H,)
    workspace : GRUWorkspace
    past_end : ndarray of bool, shape (T, B), optional
        True where a step lies past the end of its sequence: the state is frozen there.

    Returns
    -------
    output : ndarray, shape (T, B, H)
    h_n : ndarray, shape (B, H)
    """
    w = workspace
    H = weight_hh.shape[1]
    halves = np.ones((3 * H, 1), w.dtype)
    halves[: 2 * H] = 0.5  # the inner half of sigmoid(a) = 1/2 + tanh(a/2) / 2
    bias = bias_ih.astype(w.dtype)
    bias[: 2 * H] += bias_hh[: 2 * H]
    _start(w, x, h_0, halves * weight_ih, halves[:, 0] * bias)
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
    return np.ascontiguousarray(w.h[1:].transpose(0, 2, 1)), w.h[-1].T.copy()


def gru_backward(d_output, dh_n, weight_ih, weight_hh, workspace, past_end=None):
    """Backpropagation through time over the steps of the last :func:`gru_forward`.

    Returns
    -------
    dx : ndarray, shape (T, B, I)
    dh_0 : ndarray, shape (B, H)
    d_weight_ih, d_weight_hh, d_bias_ih, d_bias_hh : ndarray
    """
    w = workspace
    H = weight_hh.shape[1]
    r, z, n = w.rz[:, :H], w.rz[:, H:], w.n
    by_z = (w.h[:-1] - n) * z * (1 - z)
    by_n = (1 - z) * (1 - n * n)
    n_to_r = w.q * r * (1 - r)
    d_output = np.ascontiguousarray(d_output.transpose(0, 2, 1))
    transposed = np.ascontiguousarray(weight_hh.T).astype(w.dtype, copy=False)
    dh = dh_n.T.astype(w.dtype)
    for t in reversed(range(len(d_output))):
        da, da_n = w.da[t], w.da_n[t]
        before = dh if past_end is None else dh.copy()
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
    by_h = _steps_side_by_side(w.da)
    by_x = by_h.copy()
    by_x[2 * H :] = _steps_side_by_side(w.da_n)
    return _gradients(w, by_x, by_h, weight_ih, dh)


def rnn_forward(
    x, h_0, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity, workspace, past_end=None
):
    """Run all steps of a plain RNN; arguments and results as in :func:`gru_forward`, with H rows."""
    w = workspace
    _start(w, x, h_0, weight_ih, bias_ih + bias_hh)
    recurrent = np.ascontiguousarray(weight_hh).astype(w.dtype, copy=False)
    for t in range(len(x)):
        h_next = w.h[t + 1]
        np.dot(recurrent, w.h[t], w.from_h)
        np.add(w.from_x[t], w.from_h, h_next)
        if nonlinearity == "tanh":
            np.tanh(h_next, h_next)
        else:
            np.multiply(h_next, h_next.real > 0, h_next)
        if past_end is not None:
            np.copyto(h_next, w.h[t], where=past_end[t])
    return np.ascontiguousarray(w.h[1:].transpose(0, 2, 1)), w.h[-1].T.copy()


def rnn_backward(d_output, dh_n, weight_ih, weight_hh, nonlinearity, workspace, past_end=None):
    """Backpropagation through time over the steps of the last :func:`rnn_forward`."""
    w = workspace
    h = w.h[1:]
    slope = 1 - h * h if nonlinearity == "tanh" else (h.real > 0).astype(w.dtype)
    d_output = np.ascontiguousarray(d_output.transpose(0, 2, 1))
    transposed = np.ascontiguousarray(weight_hh.T).astype(w.dtype, copy=False)
    dh = dh_n.T.astype(w.dtype)
    for t in reversed(range(len(d_output))):
        da = w.da[t]
        np.multiply(dh + d_output[t], slope[t], da)
        if past_end is None:
            dh = transposed @ da
        else:
            da[:, past_end[t]] = 0
            dh = np.where(past_end[t], dh, transposed @ da)
    by_a = _steps_side_by_side(w.da)
    return _gradients(w, by_a, by_a, weight_ih, dh)


def _start(w, x, h_0, weight_ih, bias):
    """Keep the input and make its product with the weights for all steps."""
    w.x = x
    w.h[0] = h_0.T
    np.matmul(weight_ih.astype(w.dtype, copy=False), x.transpose(0, 2, 1), out=w.from_x)
    w.from_x += bias[:, None]


def _steps_side_by_side(a):
    """From (T, R, B) to (R, T * B), so that a weight gradient is one product."""
    return a.transpose(1, 0, 2).reshape(a.shape[1], -1)


def _gradients(w, by_x, by_h, weight_ih, dh):
    """Derivatives by input, initial state and weights from those by the pre-activations."""
    T, B, I = w.x.shape
    h_before = w.h[:-1].transpose(0, 2, 1).reshape(T * B, -1)
    dx = (by_x.T @ weight_ih).reshape(T, B, I)
    return (
        dx,
        dh.T.copy(),
        by_x @ w.x.reshape(T * B, I),
        by_h @ h_before,
        by_x.sum(axis=1),
        by_h.sum(axis=1),
    )
