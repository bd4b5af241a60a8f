r"""One layer in one direction in torch operations, forward and backward, for a GPU.

A GPU waits for its orders, so what counts is how many there are in the loop over time. A class for each
cell has two pure functions of tensors:

``forward(x, counts, states, weights)``
    Output (T, B, H), the final states, and what the backward pass needs.
``backward(d_output, d_states, x, counts, weights, kept)``
    Derivatives by x, by the initial states and by the weights.

Both make everything outside the recurrence large: the product with the input of all steps is one, the
factors of the chain rule that need no later step are computed for all steps at once, and the gradients
of the weights are one product each after the loop. What is left in the loop is one product a step and
two to seven operations on numbers, in place, in memory that is made once:

======  ===========  ============
cell    forward      backward
======  ===========  ============
LSTM    7 a step     5 a step
GRU     5 a step     3 a step
RNN     2 a step     2 a step
======  ===========  ============

Sequences that end early cost nothing in the loop. Past the end it computes numbers that nobody reads: the
final states are picked at each sequence's end. The derivative of the final h enters there, beside that of
the output, so past the end that of h is zero. The derivative of the final cell waits there, and factors of
zero let it do nothing else.

Numbers are kept in the precision of the input; cells, their derivatives and the factors of the chain
rule at least in float32.
"""

from typing import NamedTuple

import torch

from lstm_lib.torch import graphs

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SERVED = ("nonlinearity",)


def refusal(request):
    """What is not computed here, and by what it is."""
    found = [name for name in request.options if name not in _SERVED]
    if found:
        return (
            f"the fused backend computes the plain {request.kind} on a GPU, without {found[0]}: "
            "pass backend='loop'"
        )
    if request.dtype not in _DTYPES or not (
        request.autocast or request.dtype == request.weight_dtype
    ):
        return (
            "the fused backend needs input and weights of one floating-point precision on a GPU; got "
            f"{request.dtype} for weights in {request.weight_dtype}. Convert one of them"
        )
    return ""


def run(layer, request, x, states, weights, ends, masks):
    """One layer in one direction; see :mod:`lstm_lib.torch.backends`."""
    arrays = list(weights.values())
    if not layer.bias:
        arrays += [layer._graphs.zeros(arrays[0])] * 2
    cell, kind = _CELLS[request.kind], x.device.type
    if "nonlinearity" in request.options:
        cell = RNNSteps(relu=True)
    if request.autocast and request.dtype != torch.float64:
        cell = Lowered(cell, torch.get_autocast_dtype(kind))
    counts = None if ends is None else ends.counts
    own = _Run(cell, layer._graphs, counts, len(states), request.grad)
    with torch.autocast(kind, enabled=False):
        output, *final = UnrolledRun.apply(own, x, *states, *arrays)
    return output, tuple(final)


class _Run(NamedTuple):
    """What a node needs besides tensors that carry gradients."""

    cell: object
    graphs: graphs.Graphs
    counts: object
    states: int
    learns: bool


class UnrolledRun(torch.autograd.Function):
    """One layer in one direction: ``apply(run, x, *states, *weights)``."""

    @staticmethod
    def forward(ctx, run, x, *tensors):
        """Return the output and the final states."""
        states, weights = tensors[: run.states], tensors[run.states :]
        lease = key = None
        if graphs.possible(x):
            key = _key(run, x, tensors)
            parts = run.cell, x, run.counts, states, weights, run.learns
            with torch.cuda.device_of(x):
                lease = run.graphs.lease(key, x, lambda: graphs.Recording(*parts))
        if lease is None:
            output, final, kept = run.cell.forward(x, run.counts, states, weights)
            if key is not None:
                run.graphs.note(key, x, kept)
        else:
            output, final, kept = lease.recording.forward(x, run.counts, states)
        if run.learns:
            ctx.save_for_backward(x, *tensors, *kept)
            ctx.run, ctx.lease, ctx.tensors = run, lease, len(tensors)
        return output.clone(), *(state.clone() for state in final)

    @staticmethod
    def backward(ctx, d_output, *d_states):
        """Return the derivatives by x, the states and the weights."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused backend has no second derivative: build the layer with backend='loop'"
            )
        run, (x, *saved) = ctx.run, ctx.saved_tensors
        tensors, kept = saved[: ctx.tensors], saved[ctx.tensors :]
        if ctx.lease is not None:
            dx, d_initial, d_weights = ctx.lease.recording.backward(d_output, d_states)
        else:
            weights = tensors[run.states :]
            with torch.autocast(x.device.type, enabled=False):
                dx, d_initial, d_weights = run.cell.backward(
                    d_output, d_states, x, run.counts, weights, kept
                )
        return None, dx, *d_initial, *d_weights


def _key(run, x, tensors):
    """What two passes have in common that one recording serves."""
    shapes = tuple((tensor.shape, tensor.dtype) for tensor in (x, *tensors))
    places = tuple(weight.data_ptr() for weight in tensors[run.states :])
    return x.device, run.cell, shapes, places, run.counts is None, run.learns


class Lowered(NamedTuple):
    """A cell in a lower precision than its tensors have, as under ``torch.autocast``."""

    cell: object
    dtype: torch.dtype

    def forward(self, x, counts, states, weights):
        """Run all steps."""
        return self.cell.forward(self._of(x), counts, self._all(states), self._all(weights))

    def backward(self, d_output, d_states, x, counts, weights, kept):
        """Backpropagation through time."""
        weights = self._all(weights)
        return self.cell.backward(d_output, d_states, self._of(x), counts, weights, kept)

    def _of(self, tensor):
        return tensor.to(self.dtype)

    def _all(self, tensors):
        return tuple(map(self._of, tensors))


def _wide(dtype):
    """The precision of sums over time."""
    return torch.promote_types(dtype, torch.float32)


def _product_with_input(x, weight_ih, bias):
    """``W x + b`` of all steps as one product."""
    flat = torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight_ih.T)
    return flat.view(*x.shape[:2], -1)


def _at_ends(states, counts):
    """The states (T + 1, B, H) at the end of each sequence."""
    if counts is None:
        return states[-1].clone()
    return states.gather(0, counts[None, :, None].expand(1, -1, states.shape[-1]))[0]


def _derivative_by_h(d_output, d_final, counts):
    """What reaches h from outside, (T + 1, B, H): by the output and, at the end, by the final state."""
    steps, batch, units = d_output.shape
    found = d_output.new_empty(steps + 1, batch, units)
    found[0] = 0
    found[1:] = d_output
    if counts is None:
        found[-1] += d_final
    else:
        last = torch.arange(1, steps + 1, device=counts.device)[:, None] == counts
        found[1:] += torch.where(last[..., None], d_final, 0)
    return found


def _past_end(counts, steps):
    """Steps past the end, (T, B, 1, 1); None if there are none."""
    if counts is None:
        return None
    return (torch.arange(steps, device=counts.device)[:, None] >= counts)[..., None, None]


def _gradients(da_x, da_h, x, h_before, weight_ih):
    """Derivatives by x and the four weights from those by the pre-activations, (T, B, R)."""
    da_x, da_h = da_x.flatten(0, 1), da_h.flatten(0, 1)
    dx = (da_x @ weight_ih).view(x.shape)
    d_ih, d_hh = da_x.T @ x.flatten(0, 1), da_h.T @ h_before.flatten(0, 1)
    return dx, (d_ih, d_hh, da_x.sum(0), da_h.sum(0))


class LSTMSteps:
    """Gates lie in the order o, i, f, g: three sigmoids are one block, and so is what acts on the cell."""

    @staticmethod
    def forward(x, counts, states, weights):
        """Run all steps."""
        weight_ih, weight_hh, bias_ih, bias_hh = (w.roll(states[0].shape[-1], 0) for w in weights)
        gates = _product_with_input(x, weight_ih, bias_ih + bias_hh)
        steps, batch, units = len(x), x.shape[1], weight_hh.shape[1]
        hidden = gates.new_empty(steps + 1, batch, units)
        cells = hidden.new_empty(hidden.shape, dtype=_wide(x.dtype))
        hidden[0], cells[0] = states
        tanh_c, transposed = torch.empty_like(cells[0]), weight_hh.T
        oif, g = (part.unbind() for part in gates.split((3 * units, units), -1))
        o, i, f, _ = (part.unbind() for part in gates.split(units, -1))
        h, c = hidden.unbind(), cells.unbind()
        for t, a in enumerate(gates.unbind()):
            a.addmm_(h[t], transposed)
            oif[t].sigmoid_()
            g[t].tanh_()
            torch.mul(f[t], c[t], out=c[t + 1])
            c[t + 1].addcmul_(i[t], g[t])
            torch.tanh(c[t + 1], out=tanh_c)
            torch.mul(o[t], tanh_c, out=h[t + 1])
        final = _at_ends(hidden, counts), _at_ends(cells, counts).to(x.dtype)
        return hidden[1:], final, (gates, hidden, cells)

    @staticmethod
    def backward(d_output, d_states, x, counts, weights, kept):
        """Backpropagation through time."""
        gates, hidden, cells = kept
        units = hidden.shape[-1]
        weight_ih, weight_hh = (w.roll(units, 0) for w in weights[:2])
        by_o, by_ifg, h_to_c, f = _lstm_factors(gates, cells, counts)
        da = torch.empty_like(gates)
        da_o = da[..., :units].unbind()
        da_ifg = da[..., units:].unflatten(-1, (3, units)).unbind()
        dh = _derivative_by_h(d_output, d_states[0], counts)
        dc = d_states[1].to(cells.dtype, copy=True)
        wide_dc, into = dc[:, None], dh.unbind()
        by_o, by_ifg, h_to_c, f = (part.unbind() for part in (by_o, by_ifg, h_to_c, f))
        for t in reversed(range(len(x))):
            here = into[t + 1]
            dc.addcmul_(here, h_to_c[t])
            torch.mul(here, by_o[t], out=da_o[t])
            torch.mul(wide_dc, by_ifg[t], out=da_ifg[t])
            dc.mul_(f[t])
            into[t].addmm_(da[t], weight_hh)
        dx, by_weights = _gradients(da, da, x, hidden[:-1], weight_ih)
        d_initial = into[0].clone(), dc.to(x.dtype)
        return dx, d_initial, tuple(w.roll(-units, 0) for w in by_weights)


def _lstm_factors(gates, cells, counts):
    """Derivatives of one step that need no later step, for all steps.

    That of h by the pre-activation of o; those of c by the ones of i, f and g, (T, B, 3, H); that of h by
    c; and f, that of c by the cell before.
    """
    steps, batch, units = len(gates), gates.shape[1], cells.shape[-1]
    o, i, f, g = gates.to(cells.dtype).unflatten(-1, (4, units)).unbind(2)
    tanh_c = cells[1:].tanh()
    factors = cells.new_empty(steps, batch, 5, units)
    factors[:, :, 0] = tanh_c * o * (1 - o)
    factors[:, :, 1] = g * i * (1 - i)
    factors[:, :, 2] = cells[:-1] * f * (1 - f)
    factors[:, :, 3] = i * (1 - g * g)
    factors[:, :, 4] = o * (1 - tanh_c * tanh_c)
    past_end = _past_end(counts, steps)
    if past_end is not None:
        factors.masked_fill_(past_end, 0)
        f = f.masked_fill(past_end[..., 0], 1)  # the derivative of the final cell waits there
    return factors[:, :, 0], factors[:, :, 1:4], factors[:, :, 4], f


class GRUSteps:
    """Blocks of a step are r, z, q and n, where q is the recurrent product that r multiplies."""

    @staticmethod
    def forward(x, counts, states, weights):
        """Run all steps."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        steps, batch, units = len(x), x.shape[1], weight_hh.shape[1]
        from_x = _product_with_input(x, weight_ih, bias_ih)
        from_x[..., : 2 * units] += bias_hh[: 2 * units]
        bias_q = bias_hh[2 * units :].expand(steps, batch, units)
        blocks = torch.cat((from_x[..., : 2 * units], bias_q, from_x[..., 2 * units :]), -1)
        hidden = blocks.new_empty(steps + 1, batch, units)
        hidden[0] = states[0]
        transposed = weight_hh.T
        rzq, rz = (blocks[..., : k * units].unbind() for k in (3, 2))
        r, z, q, n = (part.unbind() for part in blocks.split(units, -1))
        h = hidden.unbind()
        for t in range(steps):
            rzq[t].addmm_(h[t], transposed)
            rz[t].sigmoid_()
            n[t].addcmul_(r[t], q[t])
            n[t].tanh_()
            torch.lerp(n[t], h[t], z[t], out=h[t + 1])
        return hidden[1:], (_at_ends(hidden, counts),), (blocks, hidden)

    @staticmethod
    def backward(d_output, d_states, x, counts, weights, kept):
        """Backpropagation through time."""
        blocks, hidden = kept
        steps, units = len(x), hidden.shape[-1]
        weight_ih, weight_hh = weights[:2]
        factors = _gru_factors(blocks, hidden)
        da = blocks.new_empty(*blocks.shape[:2], 4, units)
        by_h = da.flatten(2)[..., : 3 * units]
        into = _derivative_by_h(d_output, d_states[0], counts).unbind()
        by_blocks, z = factors[:, :, :4].unbind(), factors[:, :, 4].unbind()
        for t in reversed(range(steps)):
            here = into[t + 1]
            torch.mul(here[:, None], by_blocks[t], out=da[t])
            into[t].addcmul_(here, z[t])
            into[t].addmm_(by_h[t], weight_hh)
        by_x = torch.cat((da[:, :, :2], da[:, :, 3:]), 2).flatten(
            2
        )  # a list would be sent to the GPU
        dx, by_weights = _gradients(by_x, by_h, x, hidden[:-1], weight_ih)
        return dx, (into[0].clone(),), by_weights


def _gru_factors(blocks, hidden):
    """Derivatives of h by the pre-activations r, z, q, n of its step, and by h directly, (T, B, 5, H)."""
    wide = _wide(hidden.dtype)
    r, z, q, n = blocks.to(wide).unflatten(-1, (4, hidden.shape[-1])).unbind(2)
    by_n = (1 - z) * (1 - n * n)
    by_q = by_n * r
    by_r, by_z = by_q * q * (1 - r), (hidden[:-1] - n) * z * (1 - z)
    return torch.stack((by_r, by_z, by_q, by_n, z), 2)


class RNNSteps(NamedTuple):
    """A plain RNN with tanh or, with `relu`, the rectifier."""

    relu: bool = False

    def forward(self, x, counts, states, weights):
        """Run all steps."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        from_x = _product_with_input(x, weight_ih, bias_ih + bias_hh)
        hidden = torch.cat((states[0][None], from_x))
        h, transposed = hidden.unbind(), weight_hh.T
        for before, after in zip(h, h[1:], strict=False):
            after.addmm_(before, transposed)
            after.relu_() if self.relu else after.tanh_()
        final = _at_ends(hidden, counts)
        if counts is not None:  # there the rectifier may have run into infinity
            hidden[1:].masked_fill_(_past_end(counts, len(x))[..., 0], 0)
        return hidden[1:], (final,), (hidden,)

    def backward(self, d_output, d_states, x, counts, weights, kept):
        """Backpropagation through time."""
        (hidden,) = kept
        weight_ih, weight_hh = weights[:2]
        h = hidden[1:]
        slope = (h > 0).to(h.dtype) if self.relu else 1 - h * h
        da = torch.empty_like(slope)
        into = _derivative_by_h(d_output, d_states[0], counts).unbind()
        for t in reversed(range(len(x))):
            torch.mul(into[t + 1], slope[t], out=da[t])
            into[t].addmm_(da[t], weight_hh)
        dx, by_weights = _gradients(da, da, x, hidden[:-1], weight_ih)
        return dx, (into[0].clone(),), by_weights


_CELLS = {"LSTM": LSTMSteps, "GRU": GRUSteps, "RNN": RNNSteps()}
