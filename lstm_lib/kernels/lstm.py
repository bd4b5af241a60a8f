r"""The loop over time of the LSTM.

The readable step is :func:`lstm_lib.equations.lstm_step`; this module computes the same
numbers several times faster and is tested against it. For the small arrays of an LSTM step
the cost is the *number of NumPy calls* and whether each works on one block of memory, so:

* Arrays are **feature-major**, ``(features, batch)``: each gate is one contiguous block, and
  neighbouring blocks can be treated as one.
* A step's gates are kept as ``[o, i, f, g, c_prev]``. The three sigmoids are then one block,
  and :math:`i \odot g` and :math:`f \odot c_{t-1}` are *one* product of ``[i, f]`` by
  ``[g, c_prev]``.
* The sigmoid is :math:`\tfrac12 + \tfrac12 \tanh(a/2)` with the inner half folded into the
  weights, so one call of tanh serves all four gates.
* ``[W | b | U]`` is one matrix, applied to ``[x; 1; h]``: one product a step.
* All views are made once for a shape and kept; nothing is allocated inside the loop.
* In the backward pass, the factors that do not depend on later steps are computed for a chunk
  of steps at a time, and the weight gradients are one product after the loop.
"""

import numpy as np

_OIFG = (3, 0, 1, 2)
_CHUNK_ELEMENTS = 1 << 16


def to_kernel_order(rows):
    """Reorder the 4H rows of an array from i, f, g, o to the kernel's o, i, f, g."""
    blocks = rows.reshape(4, -1, *rows.shape[1:])
    return blocks[list(_OIFG)].reshape(rows.shape)


def to_torch_order(rows):
    """Reorder the 4H rows of an array from the kernel's o, i, f, g to i, f, g, o."""
    blocks = rows.reshape(4, -1, *rows.shape[1:])
    return blocks[[1, 2, 3, 0]].reshape(rows.shape)


class Workspace:
    """Memory for one forward and backward pass over T steps of B sequences.

    Attributes
    ----------
    z : ndarray, shape (T + 1, I + 1 + H + 2H, B)
        Row t holds ``[x_t; 1; h_{t-1}]``, followed by ``[i*g; f*c]`` of step t - 1.
    s : ndarray, shape (T + 1, 5, H, B)
        Row t holds ``[o, i, f, g]`` of step t and ``c_{t-1}``.
    tanh_c : ndarray, shape (T, H, B)
    """

    def __init__(self, steps, batch, input_size, hidden_size, dtype):
        T, B, I, H = steps, batch, input_size, hidden_size
        self.shape, self.dtype = (T, B, I, H), np.dtype(dtype)
        self.z = np.empty((T + 1, I + 1 + 3 * H, B), dtype)
        self.z[:, I] = 1
        self.s = np.empty((T + 1, 5, H, B), dtype)
        self.tanh_c = np.empty((T, H, B), dtype)
        self.h = self.z[:, I + 1 : I + 1 + H]
        self.c = self.s[:, 4]
        self.forward_views = [self._views_of_step(t) for t in range(T)]
        self.past_end = self._backward = None

    def _views_of_step(self, t):
        T, B, I, H = self.shape
        s, products = self.s[t], self.z[t + 1, I + 1 + H :]
        return (
            self.z[t, : I + 1 + H],
            s[:4].reshape(4 * H, B),
            s[:3],
            s[1:3],
            s[3:5],
            products.reshape(2, H, B),
            products[:H],
            products[H:],
            self.c[t + 1],
            self.tanh_c[t],
            s[0],
            self.h[t + 1],
        )

    def backward_buffers(self):
        """Buffers of the backward pass, made at its first use."""
        if self._backward is None:
            self._backward = _BackwardBuffers(self)
        return self._backward


class _BackwardBuffers:
    def __init__(self, workspace):
        T, B, I, H = workspace.shape
        dtype = workspace.dtype
        self.chunk = n = max(1, min(T, _CHUNK_ELEMENTS // (5 * H * B)))
        self.factors = np.empty((n, 6, H, B), dtype)
        self.da = np.empty((n, 5, H, B), dtype)
        self.dy = np.empty((n, H, B), dtype)
        self.da_all = np.empty((4 * H, T, B), dtype)
        self.dh, self.dc_n, self.carry = (np.empty((H, B), dtype) for _ in range(3))
        self.views = [
            (
                self.dy[k],
                self.factors[k, 0],
                self.factors[k, 1:5],
                self.factors[k, 5],
                self.da[k, 0],
                self.da[k, 1:5],
                self.da[k, 4],
                self.da[k, :4].reshape(4 * H, B),
            )
            for k in range(n)
        ]


class LSTMKernel:
    """The standard LSTM; see :mod:`lstm_lib.kernels` for the three methods.

    Examples
    --------
    With all weights zero every gate is 1/2 and the candidate 0, so the cell is halved at each of three
    steps, and a derivative that arrives by the cell is halved on its way back:

    >>> weights = np.zeros((4, 1)), np.zeros((4, 1)), np.zeros(4), np.zeros(4)
    >>> kernel, one = LSTMKernel(), np.ones((1, 1))
    >>> workspace = kernel.workspace(3, 1, 1, 1, np.float64)
    >>> output, (h, c) = kernel.forward(np.zeros((3, 1, 1)), (one, one), weights, workspace)
    >>> dx, (dh, dc), gradients = kernel.backward(0 * output, (0 * one, one), weights, workspace)
    >>> float(c[0, 0]), float(dc[0, 0])
    (0.125, 0.125)
    """

    def workspace(self, steps, batch, input_size, hidden_size, dtype):
        """Memory for T steps of B sequences."""
        return Workspace(steps, batch, input_size, hidden_size, dtype)

    def forward(self, x, states, weights, workspace, past_end=None, masks=None):
        """Run all steps: output (T, B, H) and ``(h_n, c_n)``."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        T, I, H = len(x), weight_ih.shape[1], weight_hh.shape[1]
        w = workspace
        w.past_end = past_end
        w.z[:T, :I] = x.transpose(0, 2, 1)
        w.h[0], w.c[0] = states[0].T, states[1].T
        bias = (bias_ih + bias_hh)[:, None]
        weight = to_kernel_order(np.concatenate((weight_ih, bias, weight_hh), axis=1))
        weight[: 3 * H] *= 0.5
        weight = weight.astype(w.dtype, copy=False)
        half = np.array(0.5, w.dtype)  # a 0-d array: half the call overhead of a Python float
        first_end = _first_end(past_end, T)
        tanh, multiply, add, copyto = np.tanh, np.multiply, np.add, np.copyto
        dot = weight.dot  # np.dot would look for overrides first
        for t, views in enumerate(w.forward_views):
            z, gates, oif, if_, gc, ig_fc, ig, fc, c, tanh_c, o, h = views
            dot(z, gates)
            tanh(gates, gates)
            multiply(oif, half, oif)
            add(oif, half, oif)
            multiply(if_, gc, ig_fc)
            add(ig, fc, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)
            if t >= first_end:
                copyto(c, w.c[t], where=past_end[t])
                copyto(h, w.h[t], where=past_end[t])
        output = w.h[1:].transpose(0, 2, 1).copy()
        return output, (w.h[T].T.copy(), w.c[T].T.copy())

    def backward(self, d_output, d_states, weights, workspace):
        """Backpropagation through time over the steps of the last :meth:`forward`."""
        weight_ih, weight_hh = weights[:2]
        w, b = workspace, workspace.backward_buffers()
        T, B = d_output.shape[:2]
        I, H = weight_ih.shape[1], weight_hh.shape[1]
        past_end, first_end = w.past_end, _first_end(w.past_end, T)
        weight_hh_t = np.ascontiguousarray(to_kernel_order(weight_hh).T.astype(w.dtype, copy=False))
        tiny = _TINY.get(w.dtype)
        dh, dc, carry = b.dh, b.dc_n, b.carry
        dh[...], dc[...] = d_states[0].T, d_states[1].T
        multiply, add, subtract, dot = np.multiply, np.add, np.subtract, weight_hh_t.dot
        for start in range((T - 1) // b.chunk * b.chunk, -1, -b.chunk):
            stop = min(T, start + b.chunk)
            if dc is not b.dc_n:  # it lies in a block that this chunk will write to
                b.dc_n[...] = dc
                dc = b.dc_n
            _local_factors(w, start, stop, b.factors)
            b.dy[: stop - start] = d_output[start:stop].transpose(0, 2, 1)
            for t in range(stop - 1, start - 1, -1):
                dy, by_o, by_ifgc, h_to_c, da_o, da_ifgc, dc_before, da = b.views[t - start]
                ended = past_end[t] if t >= first_end else None
                if ended is not None:
                    dh_past, dc_past = dh[:, ended], dc[:, ended]
                add(dh, dy, dh)
                multiply(dh, by_o, da_o)
                multiply(dh, h_to_c, carry)
                add(dc, carry, dc)
                multiply(dc, by_ifgc, da_ifgc)
                dc = dc_before
                if ended is not None:
                    da[:, ended] = 0
                dot(da, dh)
                if ended is not None:
                    dh[:, ended], dc[:, ended] = dh_past, dc_past
                if tiny is not None and not t & 15:
                    for gradient in (dh, dc):
                        add(gradient, tiny, gradient)
                        subtract(gradient, tiny, gradient)
            chunk = b.da[: stop - start, :4].reshape(stop - start, 4 * H, B)
            b.da_all[:, start:stop] = chunk.transpose(1, 0, 2)
        da_all = b.da_all.reshape(4 * H, T * B)
        inputs = w.z[:T, : I + 1 + H].transpose(0, 2, 1).reshape(T * B, I + 1 + H)
        d_weight = to_torch_order(da_all @ inputs)
        weight_ih = to_kernel_order(weight_ih).astype(w.dtype, copy=False)
        dx = (da_all.T @ weight_ih).reshape(T, B, I)
        d_ih, d_bias, d_hh = d_weight[:, :I], d_weight[:, I], d_weight[:, I + 1 :]
        return dx, (dh.T.copy(), dc.T.copy()), (d_ih, d_hh, d_bias, d_bias.copy())


def _local_factors(w, start, stop, factors):
    r"""Derivatives of one step that need no later step, for the steps from `start` to `stop`.

    ``factors[:, 0]`` is :math:`(1-o) \odot h`, the derivative of h by the pre-activation of o;
    ``1`` to ``3`` are :math:`(1-i) \odot ig`, :math:`(1-f) \odot fc` and :math:`i - ig \odot g`,
    those of c by the pre-activations of i, f and g; ``4`` is f, that of c by the cell before, beside
    them so that one product serves all four; ``5`` is :math:`o - h \odot \tanh c`, that of h by c.
    """
    T, B, I, H = w.shape
    n = stop - start
    s = w.s[start:stop]
    h_ig_fc = w.z[start + 1 : stop + 1, I + 1 :].reshape(n, 3, H, B)
    oif, h, ig = factors[:n, :3], h_ig_fc[:, 0], h_ig_fc[:, 1]
    np.subtract(1, s[:, :3], oif)
    np.multiply(oif, h_ig_fc, oif)
    by_g, f, h_to_c = factors[:n, 3], factors[:n, 4], factors[:n, 5]
    np.multiply(ig, s[:, 3], by_g)
    np.subtract(s[:, 1], by_g, by_g)
    f[...] = s[:, 2]
    np.multiply(h, w.tanh_c[start:stop], h_to_c)
    np.subtract(s[:, 0], h_to_c, h_to_c)


def _first_end(past_end, steps):
    """First step at which some sequence has ended; `steps` if none has."""
    if past_end is None:
        return steps
    return int(np.argmax(past_end.any(axis=1))) if past_end.any() else steps


_TINY = {
    np.dtype(np.float32): np.array(1e-25, np.float32),
    np.dtype(np.float64): np.array(1e-290, np.float64),
}
"""Numbers whose addition and subtraction turns denormals into exact zeros, for each precision.

A vanishing gradient ends in denormal numbers, on which the processor is many times slower. The
numbers are far below anything that reaches a weight gradient.
"""
