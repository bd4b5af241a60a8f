"""What LSTM, GRU and RNN share in the torch engine: layers, directions, lengths, masks, states.

How one layer runs over time in one direction is the business of its backend; see
:mod:`lstm_lib.torch.backends`.
"""

import torch
from torch import nn
from torch.amp import is_autocast_available
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_lib.kernels import Segmented
from lstm_lib.layout import check_masks
from lstm_lib.torch.backends import BACKENDS, Request, backend, ends_of, entry, select, turned
from lstm_lib.torch.fused import Workspaces
from lstm_lib.torch.graphs import Graphs
from lstm_lib.torch.initial import register_layout
from lstm_lib.torch.masks import MaskSource, mask_seed
from lstm_lib.validation import (
    check_states,
    one_of,
    sequence_lengths,
    sequence_shape,
    state_meaning,
)
from lstm_lib.variants import VariantMasks


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
        self._workspaces, self._graphs = Workspaces(), Graphs()
        self._options, self._names = (
            layout.options,
            {
                suffix: [(name, f"{name}_{suffix}") for name in layout.names]
                for suffix in layout.suffixes
            },
        )
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

        :meth:`backend_for` says beforehand by which backend.

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
            For a wrong shape, an empty batch, a length outside 1 to T, unknown masks, or what the
            layer's backend does not serve: the message says why and what would.
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
        request = self._request(x, steps, batch, initial, lengths is not None)
        runner = backend(select(self.backend, request))
        ends = None
        if lengths is not None:
            ends = ends_of(sequence_lengths(lengths, steps, batch), steps, x.device)
            x = _ended(x, ends)
        final = []
        for layer in range(self.num_layers):
            outputs, states = self._layer(runner, request, x, initial, layer, ends, masks)
            final += states
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

    def _weights(self, suffix):
        """The weights of one layer and direction by their names without suffix."""
        own = self._parameters  # an attribute of a module is found several times more slowly
        names = self._names[suffix]
        return {name: own[full] if full in own else getattr(self, full) for name, full in names}

    def _layer(self, runner, request, x, states, layer, ends, masks):
        """One layer in all its directions: their outputs and their final states."""
        first = layer * self.directions
        suffixes = self.layout.suffixes[first : first + self.directions]
        states = states[first : first + self.directions]
        weights = [self._weights(suffix) for suffix in suffixes]
        own = [_masks_of_run(masks, suffix) for suffix in suffixes]
        if self.directions == 2 and hasattr(runner, "run_directions"):
            run = entry(runner, "run_directions")
            found = run(self, request, x, states, weights, ends, own)
        else:
            run = entry(runner, "run")
            found = [run(self, request, x, states[0], weights[0], ends, own[0])]
            if self.directions == 2:
                source, masks = turned(x, ends), _turned_masks(own[1], ends)
                rest = source, states[1], weights[1], ends, masks
                output, final = run(self, request, *rest)
                found.append((turned(output, ends), final))
        return [_ended(output, ends) for output, _ in found], [final for _, final in found]

    def _request(self, x, steps, batch, states, has_lengths):
        """What a backend is asked: `x` is the input in any layout, `states` all initial ones."""
        own = self.parameters() if self._modules else self._parameters.values()
        learns = torch.is_grad_enabled() and (
            x.requires_grad
            or any(parameter.requires_grad for parameter in own)
            or any(state.requires_grad for pair in states for state in pair)
        )
        return Request(
            self.layout.kind,
            x.device,
            x.dtype,
            self.weight_ih_l0.dtype,
            steps,
            batch,
            self.input_size,
            self.hidden_size,
            self.directions,
            has_lengths,
            learns,
            self._options,
            is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type),
        )

    def backend_for(self, x, hx=None, lengths=None):
        """Name of the backend that a call with these arguments would use.

        Parameters
        ----------
        x, hx, lengths
            As in :meth:`forward`.

        Returns
        -------
        str
            ``"loop"``, ``"fused"``, ``"triton"`` or ``"cudnn"``.

        Raises
        ------
        ValueError
            As the call: for a wrong shape, or where the layer's own backend does not serve it.
        """
        if isinstance(x, PackedSequence):
            x, steps, batch, lengths = x.data, len(x.batch_sizes), int(x.batch_sizes[0]), True
        else:
            steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first, single=True)
        states = self._initial_states(hx, batch)
        request = self._request(x, steps, batch or 1, states, lengths is not None)
        return select(self.backend, request)

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


def _masks_of_run(masks, suffix):
    """The masks of one layer and direction; None without any."""
    if not masks:
        return None
    return VariantMasks(*(masks.get(f"{name}_{suffix}") for name in VariantMasks._fields))


def _turned_masks(masks, ends):
    """Masks of a run in the order of time of the other direction."""
    if masks is None:
        return None
    zoneout = (mask if mask is None else turned(mask, ends) for mask in masks[1:])
    return VariantMasks(masks.recurrent, *zoneout)


def _ended(x, ends):
    """Zero past the end of each sequence."""
    return x if ends is None else torch.where(ends.valid, x, x.new_zeros(()))
