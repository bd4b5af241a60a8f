"""What LSTM, GRU and RNN share in the torch engine: layers, directions, lengths, masks, states.

How one layer runs over time in one direction is the business of its backend: a loop of torch
operations that autograd differentiates, or the kernels of :mod:`lstm_lib.torch.fused`.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from lstm_lib.kernels import Segmented
from lstm_lib.layout import check_masks
from lstm_lib.torch.fused import FusedRun, Run, Workspaces, as_numpy_masks
from lstm_lib.torch.initial import register_layout
from lstm_lib.torch.masks import MaskSource, mask_seed
from lstm_lib.validation import (
    check_states,
    one_of,
    sequence_lengths,
    sequence_shape,
    state_meaning,
)
from lstm_lib.variants import NO_MASKS, VariantMasks

BACKENDS = ("auto", "loop", "fused")
"""What a layer can be computed by."""

_FUSED_DTYPES = (torch.float32, torch.float64)


class Recurrent(MaskSource, nn.Module):
    """Base of the recurrent layers: everything but the recurrence itself.

    A subclass defines :meth:`_from_input` and :meth:`_step`, which the loop runs.

    Parameters
    ----------
    layout : lstm_lib.layout.Layout
        Sizes and options; each is also an attribute of the layer.
    kernel : kernel of :mod:`lstm_lib.kernels`
        One layer in one direction, for the fused backend.
    backend, dtype, device, rng, **initial
        As in the layers.
    """

    def __init__(self, layout, kernel, *, backend, dtype, device, rng, **initial):
        super().__init__()
        self.layout = layout
        for name in layout.__dataclass_fields__:
            setattr(self, name, getattr(layout, name))
        self.backend = one_of("backend", backend, BACKENDS)
        every = layout.checkpoint_every
        self._kernel = kernel if every is None else Segmented(kernel, every)
        self._workspaces = Workspaces()
        register_layout(self, layout, dtype=dtype, device=device, rng=rng, **initial)
        self._draws_masks = bool(layout.masks(1, 1))
        if self._draws_masks:
            self.reseed(mask_seed(rng))

    @property
    def gates(self):
        """Number of blocks of H rows of the weights."""
        return len(self.layout.gates)

    @property
    def states(self):
        """Names of the states that are carried."""
        return self.layout.states

    @property
    def directions(self):
        """2 for a bidirectional layer, else 1."""
        return self.layout.directions

    def forward(self, x, hx=None, lengths=None, masks=None):
        """Run the layers over a batch of sequences, or over one sequence.

        Parameters
        ----------
        x : tensor, shape (T, B, I), or (B, T, I) with ``batch_first``; (T, I) for one sequence
            Or a ``PackedSequence``, which carries its own lengths.
        hx : initial state, optional
            ``(h_0, c_0)`` for an LSTM, ``h_0`` for a GRU or RNN, each of shape
            ``(layers * directions, B, H)``, without B for one sequence; zeros by default. With
            ``proj_size=P`` the h have P units.
        lengths : sequence of int, optional
            Valid steps of each sequence, between 1 and T. What stands past the end has no
            influence on anything.
        masks : dict of str to tensor, optional
            What :meth:`draw_masks` returns, or your own of the same names and shapes, used in
            training and evaluation mode alike. By default they are drawn in training mode and not
            used in evaluation mode, where zoneout takes the mean of both states.

        Returns
        -------
        output : tensor, shape (T, B, H * directions), or batch first; packed if x was
            Hidden states of the top layer; zero past the end of a sequence.
        hx : final state, in the form of the initial one
            After the last valid step of each sequence.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch, a length outside 1 to T, unknown masks, or a dtype or
            device that the ``"fused"`` backend does not serve.
        """
        if isinstance(x, PackedSequence):
            return self._forward_packed(x, hx, lengths, masks)
        steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first, single=True)
        initial = self._initial_states(hx, batch)
        single, batch = batch is None, 1 if batch is None else batch
        if lengths is not None and single:
            raise ValueError("lengths belong to a batch of sequences; this input is one sequence")
        x = x[:, None] if single else x.transpose(0, 1) if self.batch_first else x
        masks = self._masks_of_pass(masks, steps, batch, x)
        valid = mirror = None
        if lengths is not None:
            valid, mirror = _valid_steps(sequence_lengths(lengths, steps, batch), steps, x.device)
            x = torch.where(valid, x, x.new_zeros(()))
        final = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in (False, True)[: self.directions]:
                index = layer * self.directions + reverse
                suffix = self.layout.suffixes[index]
                own = _masks_of_run(masks, suffix, reverse, mirror)
                layer_input = _turned(x, mirror) if reverse else x
                output, states = self._run(layer_input, initial[index], suffix, valid, own)
                outputs.append(_turned(output, mirror) if reverse else output)
                final.append(states)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
            if f"dropout_l{layer}" in masks:
                x = x * masks[f"dropout_l{layer}"]
        final = [_stacked(state) for state in zip(*final, strict=True)]
        if single:
            x, final = x[:, 0], [state[:, 0] for state in final]
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, tuple(final) if len(self.states) > 1 else final[0]

    def _forward_packed(self, packed, hx, lengths, masks):
        """Unpack, run, and pack the output as the input was."""
        if lengths is not None:
            raise ValueError("a PackedSequence carries its own lengths: leave out lengths=")
        x, lengths = pad_packed_sequence(packed, batch_first=self.batch_first)
        output, hx = self(x, hx, lengths=lengths, masks=masks)
        if packed.sorted_indices is not None:
            order = packed.sorted_indices
            output = output.index_select(0 if self.batch_first else 1, order)
            lengths = lengths[order.to(lengths.device)]
        data = pack_padded_sequence(output, lengths, batch_first=self.batch_first).data
        indices = packed.sorted_indices, packed.unsorted_indices
        return PackedSequence(data, packed.batch_sizes, *indices), hx

    def draw_masks(self, steps, batch=1):
        """Draw the random masks of one pass, on the layer's device.

        Parameters
        ----------
        steps, batch : int

        Returns
        -------
        dict of str to tensor
            ``dropout_l0``, ...: multipliers of a layer's output, in its shape; ``recurrent_l0``, ...:
            multipliers (B, H) of the state that enters the gates; ``zoneout_h_l0``,
            ``zoneout_c_l0``, ...: True where the old state is kept. Empty without such options.
        """
        draw = {"dropout": self.dropout_mask, "zoneout": self.coins}
        like, planned = self.weight_ih_l0, self.layout.masks(steps, batch).items()
        return {name: draw[kind](shape, p, like) for name, (shape, kind, p) in planned}

    def _masks_of_pass(self, masks, steps, batch, x):
        """The masks of a pass with the steps first; the mean of zoneout outside training."""
        if masks is None and not self._draws_masks:
            return {}
        planned = self.layout.masks(steps, batch)
        if masks is not None:
            check_masks(masks, planned)
        elif self.training:
            masks = self.draw_masks(steps, batch)
        else:
            zoneout = {n: (s, p) for n, (s, kind, p) in planned.items() if kind == "zoneout"}
            masks = {n: x.new_full(shape, p) for n, (shape, p) in zoneout.items()}
        found = {}
        for name, mask in masks.items():
            mask = mask.to(x)
            found[name] = mask.transpose(0, 1) if mask.dim() == 3 and self.batch_first else mask
        return found

    def _run(self, x, states, suffix, valid, masks):
        """One layer in one direction, by the backend that serves it."""
        weights = {name: getattr(self, f"{name}_{suffix}") for name in self.layout.names}
        if self._is_fused(x):
            output, states = self._run_fused(x, states, weights, valid, masks)
        else:
            output, states = self._run_loop(x, states, weights, valid, masks or NO_MASKS)
        if valid is not None:
            output = torch.where(valid, output, output.new_zeros(()))
        return output, states

    def _is_fused(self, x):
        if self.backend == "loop":
            return False
        weight = self.weight_ih_l0
        served = x.device.type == "cpu" and x.dtype == weight.dtype and x.dtype in _FUSED_DTYPES
        if self.backend == "fused":
            if not served:
                raise ValueError(
                    "the fused backend computes on the CPU, with input and weights both float32 or both "
                    f"float64; got {x.dtype} on {x.device} for weights in {weight.dtype}. "
                    "Pass backend='loop' or convert"
                )
            return True
        # a single step is quicker in torch than by way of a kernel's memory
        return served and len(x) > 1 and not torch.is_autocast_enabled("cpu")

    def _run_fused(self, x, states, weights, valid, masks):
        arrays = list(weights.values())
        if not self.bias:
            arrays[2:2] = [x.new_zeros(len(arrays[0]))] * 2
        past_end = None if valid is None else ~valid[..., 0].numpy()
        run = Run(
            self._kernel,
            self._workspaces,
            past_end,
            as_numpy_masks(masks),
            len(states),
            self.hidden_size,
        )
        output, *final = FusedRun.apply(run, x, *states, *arrays)
        return output, tuple(final)

    def _run_loop(self, x, states, weights, valid, masks):
        every = self.checkpoint_every
        if every is None or not torch.is_grad_enabled():
            return self._steps(x, states, weights, valid, masks)
        outputs = []
        for start in range(0, len(x), every):
            part = slice(start, start + every)
            segment = x[part], states, weights, None if valid is None else valid[part]
            output, states = checkpoint(
                self._steps, *segment, masks.of_steps(part), use_reentrant=False
            )
            outputs.append(output)
        return torch.cat(outputs), states

    def _steps(self, x, states, weights, valid, masks):
        """The product with the input for all steps, then the loop over time."""
        # unbind: the derivative of indexing a step alone is as large as all steps together
        from_input = self._from_input(x, weights).unbind()
        outputs = []
        for t, part in enumerate(from_input):
            new = self._step(part, states, weights, masks.of_steps(t))
            if valid is not None:
                pairs = zip(new, states, strict=True)
                new = tuple(torch.where(valid[t], after, before) for after, before in pairs)
            states = new
            outputs.append(states[0])
        return torch.stack(outputs), states

    def _from_input(self, x, weights):
        """What the input contributes to the gates of all steps."""
        raise TypeError(f"{type(self).__name__} does not say what its input contributes")

    def _step(self, from_input, states, weights, masks):
        """The states after one step."""
        raise TypeError(f"{type(self).__name__} does not say what a step is")

    def _initial_states(self, hx, batch):
        """The initial states of every layer and direction, each a tuple of (B, H) tensors."""
        shapes = self.layout.state_shapes(1 if batch is None else batch)
        count = shapes[0][0]
        if hx is None:
            zeros = tuple(self.weight_ih_l0.new_zeros(shape[1:]) for shape in shapes)
            return [zeros] * count
        names = [f"{state}_0" for state in self.states]
        batched = batch is not None
        if not batched:
            shapes = [(count, size) for _, _, size in shapes]

        def meaning(name):
            return state_meaning(name, self.proj_size, batched)

        found = check_states(hx, names, shapes, meaning)
        found = found if batched else [state[:, None] for state in found]
        return list(zip(*(state.unbind() for state in found), strict=True))

    def flatten_parameters(self):
        """Do nothing; present because code for ``torch.nn.LSTM`` calls it."""

    def extra_repr(self):
        """What ``print`` shows of the layer."""
        return str(self.layout)


def _stacked(states):
    """The states of all layers and directions as one tensor."""
    return states[0][None] if len(states) == 1 else torch.stack(states)


def _masks_of_run(masks, suffix, reverse, mirror):
    """The masks of one layer and direction, in its own order of time; None without any."""
    if not masks:
        return None
    recurrent, *zoneout = (masks.get(f"{name}_{suffix}") for name in VariantMasks._fields)
    if reverse:
        zoneout = [z if z is None else _turned(z, mirror) for z in zoneout]
    return VariantMasks(recurrent, *zoneout)


def _valid_steps(lengths, steps, device):
    """Mask ``(T, B, 1)`` of valid steps, and the index that turns each sequence within its length."""
    lengths = torch.tensor(lengths, device=device)
    time = torch.arange(steps, device=device)[:, None]
    valid = time < lengths
    mirror = torch.where(valid, lengths - 1 - time, time)
    return valid[..., None], mirror[..., None]


def _turned(x, mirror):
    """Each sequence reversed within its own length."""
    return x.flip(0) if mirror is None else x.gather(0, mirror.expand(-1, -1, x.shape[-1]))
