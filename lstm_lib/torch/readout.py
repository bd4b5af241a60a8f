"""What a model reads from its recurrent layer; see :mod:`lstm_lib.numpy.readout`.

Each readout maps the output ``(B, T, W)``, the top layer's final state ``(B, W)`` and the lengths to what
the head gets.
"""

import torch


def last(output, top, lengths):
    """The final state of the top layer, both directions side by side."""
    return top


def every(output, top, lengths):
    """Every step."""
    return output


def mean(output, top, lengths):
    """The mean over the valid steps; outputs past the end are zero, so the sum needs no mask."""
    if lengths is None:
        return output.mean(dim=1)
    return output.sum(dim=1) / torch.tensor(lengths, device=output.device)[:, None]


def largest(output, top, lengths):
    """The maximum over the valid steps, unit by unit."""
    if lengths is not None:
        lengths = torch.tensor(lengths, device=output.device)[:, None]
        valid = torch.arange(output.shape[1], device=output.device) < lengths
        output = output.masked_fill(~valid[..., None], -torch.inf)
    return output.max(dim=1).values


READOUTS = {"last": last, "all": every, "mean": mean, "max": largest}
"""Readouts by name."""
