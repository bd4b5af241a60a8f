"""What stands before the recurrent layer of a model, and what it does to lengths."""

import numpy as np

from lstm_lib.numpy.convolution import Conv1d
from lstm_lib.numpy.layers import Sequential
from lstm_lib.validation import sequence_lengths


class FrontPass:
    """One pass through the front, remembered for its backward pass.

    Everything in a front reads ``(B, T, ...)``; a :class:`Conv1d` gets its own layout, ``(B, C, T)``.
    Before each convolution, and at the start, what stands past the end is set to zero: every sequence
    is read as if it were alone.

    Parameters
    ----------
    front : Module
    """

    def __init__(self, front):
        self.layers = layers_of(front)
        self.masks = []

    def forward(self, x, lengths=None):
        """Return the output and its lengths."""
        x = np.asarray(x)
        for index, layer in enumerate(self.layers):
            convolves = isinstance(layer, Conv1d)
            past_end = None
            if lengths is not None and (index == 0 or convolves):
                lengths = sequence_lengths(lengths, x.shape[1], len(x))
                past_end = np.arange(x.shape[1]) >= np.array(lengths)[:, None]
                past_end = past_end.reshape(past_end.shape + (1,) * (x.ndim - 2))
                x = np.where(past_end, np.zeros((), x.dtype), x)
            self.masks.append(past_end)
            if convolves:
                x = layer(x.swapaxes(1, 2)).swapaxes(1, 2)
                lengths = lengths_after([layer], lengths)
            else:
                x = layer(x)
        return x, lengths

    def backward(self, d_output):
        """Return the derivative by the input of the front; None for indices."""
        for layer, past_end in zip(reversed(self.layers), reversed(self.masks), strict=True):
            if isinstance(layer, Conv1d):
                d_output = layer.backward(d_output.swapaxes(1, 2)).swapaxes(1, 2)
            else:
                d_output = layer.backward(d_output)
            if past_end is not None and d_output is not None:
                d_output = np.where(past_end, 0, d_output)
        return d_output


def layers_of(front):
    """The layers of a front one after the other, however they are nested."""
    if not isinstance(front, Sequential):
        return [front]
    return [layer for part in front for layer in layers_of(part)]


def lengths_after(layers, lengths):
    """Valid steps that come out of the layers; None stays None."""
    for layer in layers:
        if lengths is not None and isinstance(layer, Conv1d):
            lengths = [layer.output_length(int(length)) for length in lengths]
    return lengths
