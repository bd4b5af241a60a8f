"""The loop over time of the LSTM's variants: the readable steps of :mod:`lstm_lib.variants` in a row."""

import numpy as np

from lstm_lib.normalisation import layer_norm, layer_norm_backward
from lstm_lib.variants import NO_MASKS, VariantWeights, variant_step, variant_step_backward


class _Steps:
    """What a run remembers: its input, and every step with the states before it."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.x = self.product = self.past_end = self.masks = None
        self.steps = []


class VariantKernel:
    """An LSTM with any of its variants; see :mod:`lstm_lib.kernels` for the three methods.

    Parameters
    ----------
    extra : sequence of str
        Names of the weights that follow the usual four, without layer and direction, such as
        ``("weight_ch",)`` for peepholes.
    coupled : bool
        The forget gate is one minus the input gate.

    Examples
    --------
    Coupled gates of 1/2 take the mean of the old cell and the candidate, here 0:

    >>> weights = np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(3), np.zeros(3)
    >>> kernel, one = VariantKernel(coupled=True), np.ones((1, 1))
    >>> workspace = kernel.workspace(3, 1, 1, 1, np.float64)
    >>> output, (h, c) = kernel.forward(np.zeros((3, 1, 1)), (one, one), weights, workspace)
    >>> float(c[0, 0])
    0.125
    """

    def __init__(self, extra=(), coupled=False):
        self.extra, self.coupled = tuple(extra), coupled

    def workspace(self, steps, batch, input_size, hidden_size, dtype):
        """What the steps of a pass are kept in."""
        return _Steps(dtype)

    def forward(self, x, states, weights, workspace, past_end=None, masks=None):
        """Run all steps: output (T, B, P) and ``(h_n, c_n)``."""
        weight_ih, norm_ih, bias, step_weights = self._by_name(weights)
        w = workspace
        w.x, w.past_end, w.masks, w.steps = x, past_end, masks or NO_MASKS, []
        w.product = x @ weight_ih.T
        from_x = bias + (w.product if norm_ih is None else layer_norm(w.product, norm_ih))
        h, c = states
        output = np.empty((*x.shape[:2], h.shape[-1]), w.dtype)
        for t in range(len(x)):
            step = variant_step(from_x[t], h, c, step_weights, w.masks.of_steps(t), self.coupled)
            w.steps.append((step, h, c))
            if past_end is None:
                h, c = step.h, step.c
            else:
                ended = past_end[t][:, None]
                h, c = np.where(ended, h, step.h), np.where(ended, c, step.c)
            output[t] = h
        return output, (h.astype(w.dtype, copy=False), c.astype(w.dtype, copy=False))

    def backward(self, d_output, d_states, weights, workspace):
        """Backpropagation through time over the steps of the last :meth:`forward`."""
        weight_ih, norm_ih, _, step_weights = self._by_name(weights)
        w = workspace
        dh, dc = d_states
        T, B, I = w.x.shape
        da = np.empty(w.product.shape, w.dtype)
        total = VariantWeights(
            *(None if a is None else np.zeros(a.shape, w.dtype) for a in step_weights)
        )
        for t in reversed(range(T)):
            step, h, c = w.steps[t]
            dh = dh + d_output[t]
            dh_past = dc_past = 0
            if w.past_end is not None:
                ended = w.past_end[t][:, None]
                dh_past, dc_past = np.where(ended, dh, 0), np.where(ended, dc, 0)
                dh, dc = np.where(ended, 0, dh), np.where(ended, 0, dc)
            masks = w.masks.of_steps(t)
            grads = variant_step_backward(dh, dc, step, h, c, step_weights, masks, self.coupled)
            da[t], dh, dc = grads.from_x, grads.h + dh_past, grads.c + dc_past
            for into, value in zip(total, grads.weights, strict=True):
                if into is not None:
                    into += value
        named = total._asdict() | dict(bias_ih=da.sum(axis=(0, 1)), bias_hh=da.sum(axis=(0, 1)))
        if norm_ih is not None:
            da, named["norm_ih"], _ = layer_norm_backward(da, w.product, norm_ih)
        flat = da.reshape(T * B, -1)
        named["weight_ih"] = flat.T @ w.x.reshape(T * B, I)
        order = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", *self.extra)
        return da @ weight_ih, (dh, dc), tuple(named[name] for name in order)

    def _by_name(self, weights):
        """Input weights, their norm, the sum of the biases, and what a step needs."""
        weight_ih, weight_hh, bias_ih, bias_hh, *rest = weights
        named = dict(zip(self.extra, rest, strict=True))
        norm_ih = named.pop("norm_ih", None)
        return weight_ih, norm_ih, bias_ih + bias_hh, VariantWeights(weight_hh, **named)
