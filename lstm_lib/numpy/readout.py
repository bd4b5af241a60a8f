"""What a model reads from its recurrent layer: the last state, every step, or a mean or maximum of them.

Each readout maps the output ``(B, T, W)`` and the top layer's final state ``(B, W)`` to what the head gets;
its ``backward`` returns the derivatives by both, None where there is none.
"""

import numpy as np


class Last:
    """The final state of the top layer, both directions side by side."""

    def forward(self, output, top, lengths):
        """Return the state ``(B, W)``."""
        return top

    def backward(self, d_read):
        """All goes to the state."""
        return None, d_read


class All:
    """Every step."""

    def forward(self, output, top, lengths):
        """Return the output ``(B, T, W)``."""
        return output

    def backward(self, d_read):
        """All goes to the output."""
        return d_read, None


class Mean:
    r"""The mean over the valid steps, :math:`\frac1n \sum_{t \le n} h_t`."""

    def forward(self, output, top, lengths):
        """Return the mean ``(B, W)``; outputs past the end are zero, so the sum needs no mask."""
        steps = output.shape[1]
        lengths = np.full(len(output), steps) if lengths is None else np.asarray(lengths)
        self._saved = lengths[:, None], steps
        return output.sum(axis=1) / lengths[:, None].astype(output.real.dtype)

    def backward(self, d_read):
        """Every valid step gets its share."""
        lengths, steps = self._saved
        share = d_read / lengths.astype(d_read.real.dtype)
        return np.where((np.arange(steps) < lengths)[..., None], share[:, None], 0), None


class Max:
    r"""The maximum over the valid steps, unit by unit, :math:`\max_{t \le n} h_t`."""

    def forward(self, output, top, lengths):
        """Return the maximum ``(B, W)``."""
        seen = output.real
        if lengths is not None:
            valid = np.arange(output.shape[1]) < np.asarray(lengths)[:, None]
            seen = np.where(valid[..., None], seen, -np.inf)
        where = seen.argmax(axis=1)[:, None]
        self._saved = where, output.shape
        return np.take_along_axis(output, where, axis=1)[:, 0]

    def backward(self, d_read):
        """The step that was the largest gets all."""
        where, shape = self._saved
        d_output = np.zeros(shape, d_read.dtype)
        np.put_along_axis(d_output, where, d_read[:, None], axis=1)
        return d_output, None


class Pooled:
    """A readout module, called with output and lengths."""

    def __init__(self, module):
        self.module = module

    def forward(self, output, top, lengths):
        """Return what the module makes of the output."""
        return self.module(output, lengths)

    def backward(self, d_read):
        """The module knows."""
        return self.module.backward(d_read), None


READOUTS = {"last": Last, "all": All, "mean": Mean, "max": Max}
"""Readouts by name."""
