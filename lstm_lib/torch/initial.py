"""How numbers of :mod:`lstm_lib.parameters` become torch parameters."""

import math

import numpy as np
import torch
from torch import nn

from lstm_lib import parameters
from lstm_lib.torch.masks import mask_seed


def register_layout(module, layout, *, dtype, device, rng, suffix=True, **biases):
    """Create all parameters of a recurrent layer or cell on `module`, with torch's names.

    `rng` as an int or a NumPy generator draws the very weights of the NumPy engine. None, or a
    ``torch.Generator``, draws from torch, so ``torch.manual_seed`` is respected. `biases` are
    ``forget_bias=`` or ``chrono=``.
    """
    if drawn_by_numpy(rng):
        values = layout.values(rng=rng, dtype=np.float64, **biases)
    else:
        bound = 1 / math.sqrt(layout.hidden_size)
        drawn = {name: _uniform(shape, bound, rng) for name, shape in layout.shapes().items()}
        values = parameters.with_unit_norms(drawn)
        if biases.get("chrono") is not None:
            biases["rng"] = mask_seed(rng)
        parameters.set_gate_biases(values, layout.hidden_size, coupled=layout.coupled, **biases)
    _register(module, values, dtype, device, suffix)


def register_linear(module, in_features, out_features, bias, *, dtype, device, rng):
    """Create ``weight`` and ``bias`` of a linear layer on `module`."""
    if drawn_by_numpy(rng):
        values = parameters.linear_values(
            in_features, out_features, bias, rng=rng, dtype=np.float64
        )
    else:
        values = _weight_and_bias((out_features, in_features), bias, rng)
    _register(module, values, dtype, device, suffix=True)


def register_conv(module, in_channels, out_channels, kernel_size, bias, *, dtype, device, rng):
    """Create ``weight`` and ``bias`` of a convolution over time on `module`."""
    sizes = in_channels, out_channels, kernel_size
    if drawn_by_numpy(rng):
        values = parameters.conv_values(*sizes, bias, rng=rng, dtype=np.float64)
    else:
        values = _weight_and_bias((out_channels, in_channels, kernel_size), bias, rng)
    _register(module, values, dtype, device, suffix=True)


def register_embedding(module, num_embeddings, embedding_dim, padding_idx, *, dtype, device, rng):
    """Create ``weight`` of an embedding on `module`."""
    if drawn_by_numpy(rng):
        values = parameters.embedding_values(
            num_embeddings, embedding_dim, padding_idx, rng=rng, dtype=np.float64
        )
    else:
        size = (num_embeddings, embedding_dim)
        values = {"weight": torch.randn(size, generator=rng, dtype=torch.float64)}
        if padding_idx is not None:
            values["weight"][padding_idx] = 0
    _register(module, values, dtype, device, suffix=True)


def as_dtype(dtype):
    """Return a torch dtype for a torch dtype, a name such as ``"float64"`` or None (the default).

    Names are what both engines understand.
    """
    if dtype is None:
        return torch.get_default_dtype()
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(
            f"dtype must be a floating-point dtype of torch or its name, got {dtype!r}"
        )
    return found


def one_stream(rng):
    """Return what several layers can draw from in turn, so that they do not start with equal weights."""
    return np.random.default_rng(rng) if drawn_by_numpy(rng) else rng


def drawn_by_numpy(rng):
    return rng is not None and not isinstance(rng, torch.Generator)


def _uniform(shape, bound, generator):
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
    return drawn * (2 * bound) - bound


def _weight_and_bias(shape, bias, generator):
    """PyTorch's default for a weight of `shape`, outputs first, and its bias."""
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    values = {"weight": _uniform(shape, bound, generator)}
    if bias:
        values["bias"] = _uniform(shape[:1], bound, generator)
    return values


def _register(module, values, dtype, device, suffix):
    for name, value in values.items():
        tensor = torch.as_tensor(value).to(device=device, dtype=as_dtype(dtype))
        module.register_parameter(
            name if suffix else name.removesuffix("_l0"), nn.Parameter(tensor)
        )
