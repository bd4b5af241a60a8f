"""Every gate and state of a layer, as its kernels have stored them on the way."""

from contextlib import contextmanager

import torch

from lstm_lib.torch.backends import turned

SYMBOLS = {"LSTM": "ifgo", "GRU": "rznq"}
"""The four columns of a unit."""

_runs = None


@contextmanager
def recording():
    """Keep the buffers of the layers that run inside: a list of ``(kind, ends, gates, hidden, cells)``."""
    global _runs
    outer, _runs = _runs, []
    try:
        yield _runs
    finally:
        _runs = outer


def keep(kind, ends, buffers):
    """Add a run to the list, if there is one."""
    if _runs is not None:
        _runs.append((kind, ends, *buffers))


def stored(layer, x, hx=None, lengths=None):
    """Run a layer of the triton backend, as in evaluation, and return what its kernels stored.

    Parameters
    ----------
    layer : LSTM or GRU
    x, hx, lengths
        As in the layer's call; x and hx may be arrays of NumPy.

    Returns
    -------
    dict of str to dict of str to tensor
        For each layer and direction the symbols, as :func:`lstm_lib.probe.trace` has them.
    """
    weight, was_training = layer.weight_ih_l0, layer.training

    def fitting(array):
        return torch.as_tensor(array).to(weight.device, weight.dtype)

    if hx is not None:
        hx = tuple(map(fitting, hx)) if isinstance(hx, (tuple, list)) else fitting(hx)
    layer.eval()
    try:
        with recording() as runs, torch.no_grad():
            layer(fitting(x), hx, lengths=lengths)
    finally:
        layer.train(was_training)
    parts = [(*run[:2], *buffers) for run in runs for buffers in zip(*run[2:], strict=True)]
    return {
        suffix: _symbols(layer, suffix, *part)
        for suffix, part in zip(layer.layout.suffixes, parts, strict=True)
    }


def _symbols(layer, suffix, kind, ends, gates, hidden, cells):
    """The symbols of one layer in one direction, in the order and layout of the layer's output."""
    found = dict(zip(SYMBOLS[kind], gates.unflatten(-1, (-1, 4)).unbind(-1), strict=True))
    if kind == "LSTM":
        found["c"] = cells[1:]
    found["h"] = hidden[1:]
    for name, array in found.items():
        if suffix.endswith("_reverse"):
            array = turned(array, ends)
        if ends is not None:
            array = torch.where(ends.valid, array, array.new_zeros(()))
        found[name] = array.transpose(0, 1) if layer.batch_first else array
    return found
