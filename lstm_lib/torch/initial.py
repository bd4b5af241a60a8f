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
        bound = 1 / math.sqrt(in_features)
        values = {"weight": _uniform((out_features, in_features), bound, rng)}
        if bias:
            values["bias"] = _uniform((out_features,), bound, rng)
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


def drawn_by_numpy(rng):
    return rng is not None and not isinstance(rng, torch.Generator)


def _uniform(shape, bound, generator):
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
    return drawn * (2 * bound) - bound


def _register(module, values, dtype, device, suffix):
    for name, value in values.items():
        tensor = torch.as_tensor(value).to(device=device, dtype=as_dtype(dtype))
        module.register_parameter(
            name if suffix else name.removesuffix("_l0"), nn.Parameter(tensor)
        )
