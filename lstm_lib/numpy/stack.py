"""What LSTM, GRU and RNN share: layers, directions, lengths, masks, states and their backward pass.

This module knows no gate: how one layer runs over time in one direction is its kernel's business.
"""

import numpy as np

from lstm_lib.kernels import Segmented
from lstm_lib.layout import check_masks
from lstm_lib.masks import MaskSource, as_seed
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype
from lstm_lib.validation import (
    check_states,
    has_shape,
    one_of,
    sequence_lengths,
    sequence_shape,
    state_meaning,
)
from lstm_lib.variants import VariantMasks

_KEPT_WORKSPACES = 4


class Recurrent(MaskSource, Module):
    """Base of the recurrent layers: everything but the recurrence itself.

    Parameters
    ----------
    layout : lstm_lib.layout.Layout
        Sizes and options; each is also an attribute of the layer.
    kernel : kernel of :mod:`lstm_lib.kernels`
        One layer in one direction.
    backend, dtype, device, rng, **initial
        As in the layers; `initial` are options of :func:`lstm_lib.parameters.recurrent_values`.
    """

    def __init__(self, layout, kernel, *, backend, dtype, device, rng, **initial):
        check_device(device)
        one_of("backend", backend, ("auto", "fused"))
        self.layout = layout
        for name in layout.__dataclass_fields__:
            setattr(self, name, getattr(layout, name))
        every = layout.checkpoint_every
        self._kernel = kernel if every is None else Segmented(kernel, every)
        rng = np.random.default_rng() if rng is None else rng
        dtype = np.float32 if dtype is None else dtype
        for name, value in layout.values(rng=rng, dtype=dtype, **initial).items():
            setattr(self, name, Parameter(value))
        self._draws_masks = bool(layout.masks(1, 1))
        if self._draws_masks:
            self.reseed(as_seed(rng))
        self._weights = [
            [getattr(self, f"{name}_{suffix}") for name in layout.names]
            for suffix in layout.suffixes
        ]
        self._workspaces = {}
        self._saved = None

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
        x : array, shape (T, B, I), or (B, T, I) with ``batch_first``; (T, I) for one sequence
        hx : initial state, optional
            ``(h_0, c_0)`` for an LSTM, ``h_0`` for a GRU or RNN, each of shape
            ``(layers * directions, B, H)``, without B for one sequence; zeros by default. With
            ``proj_size=P`` the h have P units.
        lengths : sequence of int, optional
            Valid steps of each sequence, between 1 and T. What stands past the end has no
            influence on anything.
        masks : dict of str to array, optional
            What :meth:`draw_masks` returns, or your own of the same names and shapes, used in
            training and evaluation mode alike. By default they are drawn in training mode and not
            used in evaluation mode, where zoneout takes the mean of both states.

        Returns
        -------
        output : ndarray, shape (T, B, H * directions), or batch first
            Hidden states of the top layer; zero past the end of a sequence.
        hx : final state, in the form of the initial one
            After the last valid step of each sequence.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch, a length outside 1 to T or unknown masks.
        """
        x = np.asarray(x)
        steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first, single=True)
        initial = self._state_arrays(hx, batch, "{}_0")
        weights = [p.data for own in self._weights for p in own]
        dtype = compute_dtype(self.weight_ih_l0, x, *weights, *initial)
        span = Span(lengths, steps, batch)
        masks = self._masks_of_pass(masks, span, dtype)
        layer_input = span.without_padding(self._time_major(x)).astype(dtype, copy=False)
        runs, final = [], []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.directions):
                run = _Run(self, layer, direction, span)
                start = [s[run.index] for s in initial]
                output, states = run.forward(layer_input, start, dtype, masks)
                outputs.append(output)
                runs.append(run)
                final.append(states)
            layer_input = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
            if f"dropout_l{layer}" in masks:
                layer_input = layer_input * masks[f"dropout_l{layer}"]
        self._saved = (runs, span, dtype, masks)
        output = self._as_given(span.with_padding(layer_input), span)
        final = [np.stack(state) for state in zip(*final, strict=True)]
        return np.ascontiguousarray(output), self._as_state(final, span)

    def backward(self, d_output=None, d_hx=None):
        """Backpropagation through time for the latest forward pass.

        Parameters
        ----------
        d_output : array, shape of the output, optional
            Derivative of the loss by the output; zero if None.
        d_hx : derivative by the final state, in its form, optional
            Zero if None.

        Returns
        -------
        dx : ndarray, shape of the input
        d_hx_0 : derivative by the initial state, in its form

        Raises
        ------
        RuntimeError
            If there was no forward pass.
        ValueError
            For a wrong shape.
        """
        if self._saved is None:
            raise RuntimeError("backward needs a forward pass first: call the layer on an input")
        runs, span, dtype, masks = self._saved
        d_layer = self._output_gradient(d_output, span, dtype)
        batch = None if span.single else span.batch
        d_final = [
            state.astype(dtype, copy=False) for state in self._state_arrays(d_hx, batch, "d{}_n")
        ]
        d_initial = [np.empty(state.shape, dtype) for state in d_final]
        units = self.layout.units
        for layer in reversed(range(self.num_layers)):
            if f"dropout_l{layer}" in masks:
                d_layer = d_layer * masks[f"dropout_l{layer}"]
            d_below = 0
            for direction in range(self.directions):
                run = runs[layer * self.directions + direction]
                columns = slice(direction * units, (direction + 1) * units)
                d_states = [state[run.index] for state in d_final]
                d_input, d_start = run.backward(d_layer[..., columns], d_states)
                for into, value in zip(d_initial, d_start, strict=True):
                    into[run.index] = value
                d_below = d_below + d_input
            d_layer = d_below
        dx = self._as_given(span.with_padding(d_layer), span)
        return dx, self._as_state(d_initial, span)

    def draw_masks(self, steps, batch=1):
        """Draw the random masks of one pass.

        Parameters
        ----------
        steps, batch : int

        Returns
        -------
        dict of str to ndarray
            ``dropout_l0``, ...: multipliers of a layer's output, in its shape; ``recurrent_l0``, ...:
            multipliers (B, H) of the state that enters the gates; ``zoneout_h_l0``,
            ``zoneout_c_l0``, ...: True where the old state is kept. Empty without such options.

        Examples
        --------
        >>> from lstm_lib import numpy as L
        >>> lstm = L.LSTM(2, 3, num_layers=2, dropout=0.5, rng=0)
        >>> lstm.draw_masks(steps=4, batch=5)["dropout_l0"].shape
        (4, 5, 3)
        """
        masks = {}
        for name, (shape, kind, p) in self.layout.masks(steps, batch).items():
            if kind == "dropout":
                masks[name] = self.dropout_mask(shape, p, self.weight_ih_l0.dtype)
            else:
                masks[name] = self.coins(shape, p)
        return masks

    def _masks_of_pass(self, masks, span, dtype):
        """The masks of a pass, time first and without padding; the mean of zoneout outside training."""
        if masks is None and not self._draws_masks:
            return {}
        planned = self.layout.masks(span.steps, span.batch)
        if masks is not None:
            check_masks(masks, planned)
        elif self.training:
            masks = self.draw_masks(span.steps, span.batch)
        else:
            zoneout = {n: (s, p) for n, (s, kind, p) in planned.items() if kind == "zoneout"}
            masks = {n: np.full(shape, p) for n, (shape, p) in zoneout.items()}
        found = {}
        for name, mask in masks.items():
            mask = np.asarray(mask).astype(dtype)
            if mask.ndim == 3:
                mask = mask.swapaxes(0, 1) if self.batch_first else mask
                mask = mask[: span.longest]
            found[name] = mask
        return found

    def _time_major(self, x):
        """A batch with the steps first."""
        if x.ndim == 2:
            return x[:, None]
        return x.swapaxes(0, 1) if self.batch_first else x

    def _as_given(self, x, span):
        """From the steps first to the layout of the input."""
        if span.single:
            return x[:, 0]
        return x.swapaxes(0, 1) if self.batch_first else x

    def _as_state(self, arrays, span):
        arrays = [a[:, 0] for a in arrays] if span.single else arrays
        return tuple(arrays) if len(self.states) > 1 else arrays[0]

    def _state_arrays(self, hx, batch, pattern):
        """The state as a list of arrays with a batch axis, checked; zeros for None."""
        shapes = self.layout.state_shapes(1 if batch is None else batch)
        if hx is None:
            return [np.zeros(shape, self.weight_ih_l0.dtype) for shape in shapes]
        names = [pattern.format(state) for state in self.states]
        if batch is not None:
            return check_states(hx, names, shapes, self._state_meaning, np.asarray)
        shapes = [(count, size) for count, _, size in shapes]
        found = check_states(hx, names, shapes, self._state_meaning_of_one, np.asarray)
        return [state[:, None] for state in found]

    def _state_meaning(self, name):
        return state_meaning(name, self.proj_size)

    def _state_meaning_of_one(self, name):
        return state_meaning(name, self.proj_size, batched=False)

    def _output_gradient(self, d_output, span, dtype):
        width = self.layout.units * self.directions
        if d_output is None:
            return np.zeros((span.longest, span.batch, width), dtype)
        d_output = np.asarray(d_output)
        if span.single:
            expected = (span.steps, width)
        elif self.batch_first:
            expected = (span.batch, span.steps, width)
        else:
            expected = (span.steps, span.batch, width)
        has_shape("d_output", d_output.shape, expected, "output's shape")
        d_output = self._time_major(d_output)
        return span.without_padding(d_output).astype(dtype, copy=False)

    def workspace(self, index, steps, batch, input_size, dtype):
        """Return memory for one layer and direction, reusing what the last passes left."""
        key = (index, steps, batch, np.dtype(dtype))
        found = self._workspaces.pop(key, None)
        if found is None:
            found = self._kernel.workspace(steps, batch, input_size, self.hidden_size, dtype)
        self._workspaces[key] = found
        kept = _KEPT_WORKSPACES * self.num_layers * self.directions
        while len(self._workspaces) > kept:
            del self._workspaces[next(iter(self._workspaces))]
        return found


class _Run:
    """One pass of one layer in one direction, remembered for its backward pass."""

    def __init__(self, layer, number, direction, span):
        self.layer, self.reverse, self.span = layer, bool(direction), span
        self.index = number * layer.directions + direction
        self.parameters = layer._weights[self.index]

    def weights(self, dtype):
        """The weights as arrays, in the kernel's order; zeros for absent biases."""
        arrays = [parameter.data for parameter in self.parameters]
        if not self.layer.bias:
            arrays[2:2] = [np.zeros(len(arrays[0]), dtype)] * 2
        return arrays

    def forward(self, x, states, dtype, masks):
        steps, batch, width = x.shape
        self.dtype = dtype
        self.workspace = self.layer.workspace(self.index, steps, batch, width, dtype)
        x = self.span.turned(x) if self.reverse else x
        states = tuple(state.astype(dtype, copy=False) for state in states)
        output, final = self.layer._kernel.forward(
            x,
            states,
            self.weights(dtype),
            self.workspace,
            self.span.past_end,
            self._own_masks(masks),
        )
        self.span.clear_past_end(output)
        return (self.span.turned(output) if self.reverse else output), final

    def backward(self, d_output, d_states):
        if self.reverse:
            d_output = self.span.turned(d_output)
        dx, d_initial, d_weights = self.layer._kernel.backward(
            d_output, d_states, self.weights(self.dtype), self.workspace
        )
        if not self.layer.bias:
            d_weights = (*d_weights[:2], *d_weights[4:])
        for parameter, gradient in zip(self.parameters, d_weights, strict=True):
            parameter.add_grad(gradient)
        return (self.span.turned(dx) if self.reverse else dx), d_initial

    def _own_masks(self, masks):
        """The masks of this layer and direction, in its own order of time; None without any."""
        if not masks:
            return None
        suffix = self.layer.layout.suffixes[self.index]
        own = [masks.get(f"{name}_{suffix}") for name in VariantMasks._fields]
        recurrent, *zoneout = own
        if self.reverse:
            zoneout = [z if z is None else self.span.turned(z) for z in zoneout]
        return VariantMasks(recurrent, *zoneout)


class Span:
    """Where the sequences of a padded batch end, and what follows from it."""

    def __init__(self, lengths, steps, batch):
        self.single = batch is None
        self.steps, self.batch, self.longest = steps, 1 if self.single else batch, steps
        self.past_end = self.mirror = None
        if lengths is None:
            return
        if self.single:
            raise ValueError("lengths belong to a batch of sequences; this input is one sequence")
        lengths = np.array(sequence_lengths(lengths, steps, batch))
        self.longest = int(lengths.max())
        if lengths.min() < self.longest:
            time = np.arange(self.longest)[:, None]
            self.past_end = time >= lengths
            self.mirror = np.where(self.past_end, time, lengths - 1 - time)

    def without_padding(self, x):
        """The steps that some sequence has, with zeros past the end of the others."""
        x = x[: self.longest]
        return x if self.past_end is None else np.where(self.past_end[..., None], 0, x)

    def with_padding(self, x):
        """Zeros appended up to the number of steps of the batch."""
        if self.longest == self.steps:
            return x
        return np.concatenate((x, np.zeros((self.steps - self.longest, *x.shape[1:]), x.dtype)))

    def turned(self, x):
        """Each sequence reversed within its own length."""
        if self.mirror is None:
            return x[::-1]
        return np.take_along_axis(x, self.mirror[..., None], axis=0)

    def clear_past_end(self, x):
        """Set what stands past the end to zero, in place."""
        if self.past_end is not None:
            x[self.past_end] = 0
