"""What stands before the recurrent layer of a model, and what it does to lengths."""

import torch
from torch import nn

from lstm_lib.torch.convolution import Conv1d
from lstm_lib.validation import sequence_lengths


def run_front(front, x, lengths=None):
    """Return the output of a front and its lengths; see :mod:`lstm_lib.numpy.front`.

    Everything in a front reads ``(B, T, ...)``; a :class:`Conv1d` gets its own layout, ``(B, C, T)``.
    Before each convolution, and at the start, what stands past the end is set to zero: every sequence
    is read as if it were alone.
    """
    for index, layer in enumerate(layers_of(front)):
        convolves = isinstance(layer, Conv1d)
        if lengths is not None and (index == 0 or convolves):
            lengths = sequence_lengths(lengths, x.shape[1], len(x))
            valid = torch.arange(x.shape[1]) < torch.tensor(lengths)[:, None]
            valid = valid.to(x.device).reshape(*valid.shape, *[1] * (x.ndim - 2))
            x = torch.where(valid, x, x.new_zeros(()))
        if convolves:
            x = layer(x.transpose(1, 2)).transpose(1, 2)
            lengths = lengths_after([layer], lengths)
        else:
            x = layer(x)
    return x, lengths


def layers_of(front):
    """The layers of a front one after the other, however they are nested."""
    if not isinstance(front, nn.Sequential):
        return [front]
    return [layer for part in front for layer in layers_of(part)]


def lengths_after(layers, lengths):
    """Valid steps that come out of the layers; None stays None."""
    for layer in layers:
        if lengths is not None and isinstance(layer, Conv1d):
            lengths = [layer.output_length(int(length)) for length in lengths]
    return lengths
