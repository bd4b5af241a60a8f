"""The NumPy kernels as one node of torch's graph: the fast path of the torch engine on a CPU.

A loop of torch operations pays for every operation of every step twice, in the forward pass and in
the graph. Here one layer in one direction is one :class:`torch.autograd.Function`, whose forward and
backward passes are those of :mod:`lstm_lib.kernels`, on views of the tensors' own memory.
"""

from typing import NamedTuple

import torch

from lstm_lib.torch import unrolled
from lstm_lib.variants import VariantMasks

_DTYPES = (torch.float32, torch.float64)


def refusal(request):
    """What the kernels cannot compute on, and what can."""
    if request.device.type == "cuda":
        return unrolled.refusal(request)
    own = request.dtype == request.weight_dtype or request.autocast
    if request.device.type == "cpu" and own and request.weight_dtype in _DTYPES:
        return ""
    return (
        "the fused backend computes on the CPU, with input and weights both float32 or both float64; "
        f"got {request.dtype} on {request.device} for weights in {request.weight_dtype}. "
        "Pass backend='loop' or convert"
    )


def run(layer, request, x, states, weights, ends, masks):
    """One layer in one direction; see :mod:`lstm_lib.torch.backends`.

    On a CPU, ``torch.autocast`` changes nothing: the kernels compute in the precision of the weights.
    """
    if x.is_cuda:
        return unrolled.run(layer, request, x, states, weights, ends, masks)
    if request.autocast:
        x, *states = (tensor.to(request.weight_dtype) for tensor in (x, *states))
    arrays = list(weights.values())
    if not layer.bias:
        arrays[2:2] = [x.new_zeros(len(arrays[0]))] * 2
    past_end = None if ends is None else ~ends.valid[..., 0].numpy()
    own = Run(
        layer._kernel,
        layer._workspaces,
        past_end,
        _as_numpy_masks(masks),
        len(states),
        layer.hidden_size,
    )
    output, *final = FusedRun.apply(own, x, *states, *arrays)
    return output, tuple(final)


class Workspaces:
    """Workspaces that are free to be used again; a copy of a layer starts with none."""

    def __init__(self):
        self._free = {}

    def lease(self, kernel, key):
        """Take a free workspace of this shape, or make one; it comes back when the lease ends."""
        free = self._free.setdefault(key, [])
        return Lease(free, free.pop() if free else kernel.workspace(*key))

    def __deepcopy__(self, memo):
        return Workspaces()

    def __reduce__(self):
        return (Workspaces, ())


class Lease:
    """Holds a workspace as long as a graph may still need it, then gives it back."""

    _KEPT = 2

    def __init__(self, free, workspace):
        self._free, self.workspace = free, workspace

    def __del__(self):
        if len(self._free) < self._KEPT:
            self._free.append(self.workspace)


class Run(NamedTuple):
    """What a node needs besides tensors that carry gradients."""

    kernel: object
    workspaces: Workspaces
    past_end: object
    masks: object
    states: int
    hidden_size: int


class FusedRun(torch.autograd.Function):
    """One layer in one direction: ``apply(run, x, *states, *weights)``."""

    @staticmethod
    def forward(ctx, run, x, *tensors):
        """Return the output and the final states."""
        arrays = [tensor.detach().numpy() for tensor in tensors]
        states, weights = tuple(arrays[: run.states]), arrays[run.states :]
        x_array = x.detach().numpy()
        key = (*x_array.shape, run.hidden_size, x_array.dtype)
        lease = run.workspaces.lease(run.kernel, key)
        output, final = run.kernel.forward(
            x_array, states, weights, lease.workspace, run.past_end, run.masks
        )
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(x, *tensors)
            ctx.run, ctx.lease = run, lease
        return tuple(torch.from_numpy(array) for array in (output, *final))

    @staticmethod
    def backward(ctx, d_output, *d_states):
        """Return the derivatives by x, the states and the weights."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused backend has no second derivative: build the layer with backend='loop'"
            )
        _, *tensors = ctx.saved_tensors
        weights = [tensor.detach().numpy() for tensor in tensors[ctx.run.states :]]
        dx, d_initial, d_weights = ctx.run.kernel.backward(
            d_output.numpy(),
            tuple(state.numpy() for state in d_states),
            weights,
            ctx.lease.workspace,
        )
        return None, *(torch.from_numpy(array) for array in (dx, *d_initial, *d_weights))


def _as_numpy_masks(masks):
    """Masks of a run as NumPy arrays."""
    if masks is None:
        return None
    return VariantMasks(*(None if mask is None else mask.numpy() for mask in masks))
