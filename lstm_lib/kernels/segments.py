"""Less memory for more time: keep some states of a pass and compute the rest a second time."""

import numpy as np


class _Kept:
    """What a pass in segments remembers: its input, and the states at the start of every segment."""

    def __init__(self, inner):
        self.inner = inner
        self.x = self.past_end = self.masks = None
        self.starts = []


class Segmented:
    r"""A kernel that remembers the states of every `every`-th step alone.

    The backward pass runs each segment forward once more, so that memory for gates is that of one
    segment instead of T steps, at the price of a second forward pass. With :math:`\sqrt T` steps a
    segment the memory grows like :math:`\sqrt T`.

    Parameters
    ----------
    kernel : kernel
        What computes a segment.
    every : int
        Steps of a segment.

    References
    ----------
    T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost,
    arXiv:1604.06174, 2016.

    Examples
    --------
    Ten steps in segments of three give what one pass gives:

    >>> from lstm_lib.kernels import LSTMKernel
    >>> rng = np.random.default_rng(0)
    >>> x, weights = rng.normal(size=(10, 2, 3)), [rng.normal(size=s) for s in ((8, 3), (8, 2), 8, 8)]
    >>> states, outputs = (np.zeros((2, 2)), np.zeros((2, 2))), []
    >>> for kernel in (LSTMKernel(), Segmented(LSTMKernel(), every=3)):
    ...     workspace = kernel.workspace(10, 2, 3, 2, np.float64)
    ...     outputs.append(kernel.forward(x, states, weights, workspace)[0])
    >>> bool(np.allclose(*outputs, rtol=0, atol=1e-14))
    True
    """

    def __init__(self, kernel, every):
        self.kernel, self.every = kernel, every

    def workspace(self, steps, batch, input_size, hidden_size, dtype):
        """Memory for one segment, and for the rest that is left over if T is no multiple."""
        sizes = (batch, input_size, hidden_size, dtype)
        full, rest = divmod(steps, self.every)
        inner = {n: self.kernel.workspace(n, *sizes) for n in {self.every * (full > 0), rest} - {0}}
        return _Kept(inner)

    def forward(self, x, states, weights, workspace, past_end=None, masks=None):
        """Run all segments; what stays is the input and each segment's initial states."""
        w = workspace
        w.x, w.past_end, w.masks, w.starts = x, past_end, masks, []
        outputs = []
        for part in self._parts(len(x)):
            w.starts.append(states)
            output, states = self._run(part, states, weights, w)
            outputs.append(output)
        return np.concatenate(outputs), states

    def backward(self, d_output, d_states, weights, workspace):
        """Run each segment forward again, last one first, then backward."""
        w = workspace
        dx, total = [], None
        for part, start in zip(reversed(self._parts(len(w.x))), reversed(w.starts), strict=True):
            self._run(part, start, weights, w)
            inner = w.inner[part.stop - part.start]
            d_part, d_states, d_weights = self.kernel.backward(
                d_output[part], d_states, weights, inner
            )
            dx.append(d_part)
            if total is None:
                total = d_weights
            else:
                total = tuple(a + b for a, b in zip(total, d_weights, strict=True))
        return np.concatenate(dx[::-1]), d_states, total

    def _parts(self, steps):
        return [slice(k, min(k + self.every, steps)) for k in range(0, steps, self.every)]

    def _run(self, part, states, weights, w):
        past_end = None if w.past_end is None else w.past_end[part]
        inner = w.inner[part.stop - part.start]
        masks = None if w.masks is None else w.masks.of_steps(part)
        return self.kernel.forward(w.x[part], states, weights, inner, past_end, masks)
