"""The kernels as one node of torch's graph: large products before and after, one launch between."""

import os
from typing import NamedTuple

import torch

from lstm_lib.torch.persistent.faults import LOOKS, watch
from lstm_lib.torch.persistent.residency import Plan


class Run(NamedTuple):
    """What a node needs besides tensors that carry gradients.

    Attributes
    ----------
    kind : {"LSTM", "GRU"}
    plan : Plan
    lengths : tensor, shape (B,), of int32
    directions : int
    precision : {"tf32", "tf32x3"}
        How float32 is multiplied: with 10 bits of each number, or split into two such parts.
    keep : callable
        Is given the buffers of the forward pass.
    """

    kind: str
    plan: Plan
    lengths: torch.Tensor
    directions: int
    precision: str
    keep: object

    @property
    def states(self):
        """Number of states that are carried."""
        return 2 if self.kind == "LSTM" else 1


def interpreting():
    """Whether Triton's kernels run as NumPy on the CPU."""
    return os.environ.get("TRITON_INTERPRET", "0") == "1"


class PersistentRun(torch.autograd.Function):
    """One layer: ``apply(run, *tensors)``, for each direction x, the states and four weights."""

    @staticmethod
    def forward(ctx, run, *tensors):
        """Return, for each direction, the output and the final states."""
        every = len(tensors) // run.directions
        parts = [tensors[every * d : every * (d + 1)] for d in range(run.directions)]
        x, hidden_size = parts[0][0], parts[0][1].shape[-1]
        steps, batch, _ = x.shape
        gates = x.new_empty(run.directions, steps, batch, 4 * hidden_size)
        hidden = x.new_empty(run.directions, steps + 1, batch, hidden_size)
        cells = torch.empty_like(hidden, dtype=torch.float32)
        recurrent = x.new_empty(run.directions, 4 * hidden_size, hidden_size)
        for d, (x, h, *rest) in enumerate(parts):
            weight_ih, weight_hh, bias_ih, bias_hh = rest[-4:]
            bias = side_by_side(run.kind, bias_ih, 2) + side_by_side(run.kind, bias_hh, 3)
            weight = side_by_side(run.kind, weight_ih, 2)
            torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight.T, out=gates[d].flatten(0, 1))
            recurrent[d] = side_by_side(run.kind, weight_hh, 3)
            hidden[d, 0] = h
            cells[d, 0] = rest[0] if run.kind == "LSTM" else h
        _launch("forward_kernel", run, (gates, recurrent, hidden, cells), steps, batch)
        run.keep((gates, hidden, cells))
        ctx.run = run
        ctx.save_for_backward(gates, hidden, cells, recurrent, *tensors)
        results = []
        for d in range(run.directions):
            last = [hidden[d, -1].clone(), cells[d, -1].to(x.dtype, copy=True)]
            results += [hidden[d, 1:], *last[: run.states]]
        return tuple(results)

    @staticmethod
    def backward(ctx, *d_results):
        """Return the derivatives by x, the states and the weights of each direction."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the triton backend has no second derivative: build the layer with backend='loop'"
            )
        run = ctx.run
        gates, hidden, cells, recurrent, *tensors = ctx.saved_tensors
        directions, steps, batch, columns = gates.shape
        d_gates = gates.new_empty(directions, steps + 1, batch, columns)
        d_gates[:, steps] = 0
        every = 1 + run.states
        d_output, d_final = (torch.stack(d_results[part::every]) for part in (0, 1))
        if run.kind == "LSTM":
            d_carry = torch.stack(d_results[2::every]).float()
        else:
            d_carry = torch.zeros_like(d_final, dtype=torch.float32)
        buffers = gates, recurrent, cells, d_output, d_final, d_carry, d_gates
        _launch("backward_kernel", run, buffers, steps, batch)
        gradients = []
        every = len(tensors) // directions
        for d in range(directions):
            x, *_, weight_ih, _, _, _ = tensors[every * d : every * (d + 1)]
            weight = side_by_side(run.kind, weight_ih, 2)
            d_h = d_gates[d, 0] @ recurrent[d]
            d_states = (d_h, d_carry[d]) if run.kind == "LSTM" else (d_h + d_carry[d],)
            da = d_gates[d, :steps].reshape(-1, columns)
            d_bias = da.sum(0, dtype=torch.float32)
            d_hidden = hidden[d, :-1].reshape(-1, hidden.shape[-1])
            by_x = (da @ weight).view_as(x) if ctx.needs_input_grad[1 + every * d] else None
            gradients += [
                by_x,
                *(state.to(x.dtype) for state in d_states),
                apart(run.kind, da.T @ x.reshape(-1, x.shape[-1]), 2),
                apart(run.kind, da.T @ d_hidden, 3),
                apart(run.kind, d_bias.to(x.dtype), 2),
                apart(run.kind, d_bias.to(x.dtype), 3),
            ]
        return None, *gradients


def side_by_side(kind, weight, candidate):
    """Rows of a weight or bias as the kernels have them: four to a unit.

    Parameters
    ----------
    kind : {"LSTM", "GRU"}
    weight : tensor, shape (4H, ...), or (3H, ...) of a GRU
    candidate : {2, 3}
        Where a GRU's third block goes: 2 for what belongs to x, 3 for what belongs to h. The other is
        zero, as r stands between the two.

    Returns
    -------
    tensor, shape (4H, ...)
    """
    if kind == "GRU":
        r, z, n = weight.chunk(3)
        none = torch.zeros_like(n)
        weight = torch.cat((r, z, n, none) if candidate == 2 else (r, z, none, n))
    return weight.unflatten(0, (4, -1)).transpose(0, 1).flatten(0, 1)


def apart(kind, d_weight, candidate):
    """The inverse of :func:`side_by_side`, for derivatives: blocks of H rows."""
    blocks = d_weight.unflatten(0, (-1, 4)).transpose(0, 1)
    if kind == "GRU":
        blocks = torch.cat((blocks[:2], blocks[candidate, None]))
    return blocks.flatten(0, 1)


def _launch(name, run, buffers, steps, batch):
    """Run a kernel over all steps; one launch a step where programs cannot wait for each other."""
    from lstm_lib.torch.persistent import kernels

    kernel, plan = getattr(kernels, name), run.plan
    hidden_size = buffers[1].shape[-1]
    alone = plan.slices == 1
    constants = plan.constants(run.kind, hidden_size, name, run.precision, not interpreting())
    groups, device = plan.tiles * run.directions, buffers[0].device
    # every pointer is a multiple of 16 bytes, as in the kernels that were checked offline
    fault, flags = torch.zeros(4 + groups, dtype=torch.int32, device=device).split((4, groups))
    times = [(0, steps)]
    options = {"num_warps": plan.warps, "num_stages": 1}
    if not alone and interpreting():
        times = [(t, t + 1) for t in range(steps)]
        times = times if name == "forward_kernel" else times[::-1]
    elif not alone:
        options["launch_cooperative_grid"] = True
    with torch.cuda.device_of(buffers[0]):
        for start, stop in times:
            kernel[plan.grid(run.directions)](
                *buffers,
                run.lengths,
                flags,
                fault,
                start,
                stop,
                steps,
                batch,
                LOOKS,
                **constants,
                **options,
            )
        if not alone and not interpreting() and not torch.cuda.is_current_stream_capturing():
            watch(fault[:1])
