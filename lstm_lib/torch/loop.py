"""The loop over time in torch operations: every option, every device, differentiable without end."""

import torch
from torch.utils.checkpoint import checkpoint

from lstm_lib.variants import NO_MASKS


def refusal(request):
    """The loop serves everything."""
    return ""


def run(layer, request, x, states, weights, ends, masks):
    """One layer in one direction; see :mod:`lstm_lib.torch.backends`."""
    valid, masks = None if ends is None else ends.valid, masks or NO_MASKS
    every = layer.checkpoint_every
    if every is None or not torch.is_grad_enabled():
        return _steps(layer, x, states, weights, valid, masks)
    outputs = []
    for start in range(0, len(x), every):
        part = slice(start, start + every)
        segment = x[part], states, weights, None if valid is None else valid[part]
        own = masks.of_steps(part)
        output, states = checkpoint(_steps, layer, *segment, own, use_reentrant=False)
        outputs.append(output)
    return torch.cat(outputs), states


def _steps(layer, x, states, weights, valid, masks):
    """The product with the input for all steps, then the loop over time."""
    # unbind: the derivative of indexing a step alone is as large as all steps together
    from_input = layer._from_input(x, weights).unbind()
    outputs = []
    for t, part in enumerate(from_input):
        new = layer._step(part, states, weights, masks.of_steps(t))
        if valid is not None:
            pairs = zip(new, states, strict=True)
            new = tuple(torch.where(valid[t], after, before) for after, before in pairs)
        states = new
        outputs.append(states[0])
    return torch.stack(outputs), states
