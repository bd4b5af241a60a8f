"""What a recurrent layer of the torch engine can be computed by, and how one is picked.

A backend is a module with two functions:

``refusal(request)``
    Why it does not serve the request and what would, as a sentence; ``""`` if it serves it.
``run(layer, request, x, states, weights, ends, masks)``
    One layer in one direction: output (T, B, P) and the tuple of final states. `weights` is
    ``{name: tensor}`` without suffix, `ends` an :class:`Ends` or None, `masks` a
    :class:`lstm_lib.variants.VariantMasks` or None. The layer zeroes what stands past the end.

and, where it computes both directions at once, a third:

``run_directions(layer, request, x, states, weights, ends, masks)``
    As ``run`` with a pair of states, of weights and of masks; returns a pair of its results, both in the
    order of the input.
"""

from typing import NamedTuple

import torch
from torch._compile import _disable_dynamo

from lstm_lib.torch import cudnn, fused, graphs, loop, persistent
from lstm_lib.torch.choices import CHOICES

BACKENDS = ("auto", "loop", "fused", "triton", "cudnn")
"""What a layer can be computed by."""


class Request(NamedTuple):
    """What a backend is asked to compute, as far as it decides whether it can.

    `kind` is ``"LSTM"``, ``"GRU"`` or ``"RNN"``; `dtype` is that of the input and `weight_dtype` that of
    the parameters; `lengths` says whether sequences end early, `grad` whether derivatives may be asked
    for; `options` are the names of the layer's options that differ from the plain layer.
    """

    kind: str
    device: torch.device
    dtype: torch.dtype
    weight_dtype: torch.dtype
    steps: int
    batch: int
    input_size: int
    hidden_size: int
    directions: int
    lengths: bool
    grad: bool
    options: tuple
    autocast: bool


class Ends(NamedTuple):
    """Where the sequences of a batch end.

    `lengths` is a list of int and `counts` the same as a tensor (B,); `valid`, (T, B, 1), is True up to the
    end; `mirror`, (T, B, 1), is the index that turns each sequence within its length.
    """

    lengths: list
    counts: torch.Tensor
    valid: torch.Tensor
    mirror: torch.Tensor


def ends_of(lengths, steps, device):
    """The :class:`Ends` of checked lengths."""
    counts = torch.tensor(lengths)
    if graphs.may_record(device):  # a copy from memory that is not pinned waits for the GPU
        counts = counts.pin_memory().to(device, non_blocking=True)
    counts = counts.to(device)
    time = torch.arange(steps, device=device)[:, None]
    valid = time < counts
    mirror = torch.where(valid, counts - 1 - time, time)
    return Ends(lengths, counts, valid[..., None], mirror[..., None])


def turned(x, ends):
    """Each sequence reversed within its own length."""
    return x.flip(0) if ends is None else x.gather(0, ends.mirror.expand(-1, -1, x.shape[-1]))


_BACKENDS = {
    "loop": loop,
    "fused": fused,
    "triton": persistent,
    "cudnn": cudnn,
}

_OUTSIDE = {
    function: _disable_dynamo(function)  # loads no compiler before it is called by one
    for module in _BACKENDS.values()
    for name in ("run", "run_directions")
    if module is not loop and (function := getattr(module, name, None)) is not None
}


def backend(name):
    """The module of a backend."""
    return _BACKENDS[name]


def entry(module, name):
    """A function of a backend; one that ``torch.compile`` steps around, but for the loop's.

    The compiler would read the other backends' own memory and kernels as if they were plain operations,
    and compute something else.
    """
    function = getattr(module, name)
    if module is loop or not torch.compiler.is_compiling():
        return function
    return _OUTSIDE[function]


def choose(request):
    """Name of the backend that ``"auto"`` takes: the first of the table that serves the request."""
    order = next(line.backends for line in CHOICES if line.fits(request))
    return next(name for name in order if not backend(name).refusal(request))


def select(name, request):
    """Name of the backend that serves a request.

    Raises
    ------
    ValueError
        If the named backend does not serve it: why, and what would.
    """
    if name == "auto":
        return choose(request)
    refusal = backend(name).refusal(request)
    if refusal:
        raise ValueError(refusal)
    return name
