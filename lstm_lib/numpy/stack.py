"""What LSTM, GRU and RNN share: layers, directions, lengths, states and their backward pass.

A subclass of :class:`Recurrent` says how one layer runs over time in one direction. This module knows
no gate.
"""

import numpy as np

from lstm_lib import parameters
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype
from lstm_lib.validation import (
    STATE_MEANING,
    check_states,
    has_shape,
    sequence_lengths,
    sequence_shape,
)

_KEPT_WORKSPACES = 4


class Recurrent(Module):
    """Base of the recurrent layers: everything but the recurrence itself.

    A subclass sets `gates`, the number of blocks of H rows, and `states`, the names of the states
    it carries, and defines :meth:`_run_forward`, :meth:`_run_backward` and :meth:`_new_workspace`.
    """

    gates = 4
    states = ("h", "c")

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers,
        bias,
        batch_first,
        *,
        bidirectional,
        dtype,
        device,
        rng,
        forget_bias=None,
    ):
        check_device(device)
        sizes = parameters.check_sizes(input_size, hidden_size, num_layers)
        self.input_size, self.hidden_size, self.num_layers = sizes
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        values = parameters.recurrent_values(
            dict(
                input_size=self.input_size,
                hidden_size=self.hidden_size,
                num_layers=self.num_layers,
                bias=bias,
                bidirectional=bidirectional,
            ),
            self.gates,
            forget_bias=forget_bias,
            rng=rng,
            dtype=np.float32 if dtype is None else dtype,
        )
        for name, value in values.items():
            setattr(self, name, Parameter(value))
        self._workspaces = {}
        self._saved = None

    @property
    def directions(self):
        """2 for a bidirectional layer, else 1."""
        return 2 if self.bidirectional else 1

    def forward(self, x, hx=None, lengths=None):
        """Run the layers over a batch of sequences.

        Parameters
        ----------
        x : array, shape (T, B, I), or (B, T, I) with ``batch_first``
        hx : initial state, optional
            ``(h_0, c_0)`` for an LSTM, ``h_0`` for a GRU or RNN, each of shape
            ``(layers * directions, B, H)``; zeros by default.
        lengths : sequence of int, optional
            Valid steps of each sequence, between 1 and T. What stands past the end has no
            influence on anything.

        Returns
        -------
        output : ndarray, shape (T, B, H * directions), or batch first
            Hidden states of the top layer; zero past the end of a sequence.
        hx : final state, in the form of the initial one
            After the last valid step of each sequence.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch or a length outside 1 to T.
        """
        x = np.asarray(x)
        steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first)
        initial = self._state_arrays(hx, batch, "{}_0")
        weights = [p.data for p in self.parameters()]
        dtype = compute_dtype(self.weight_ih_l0, x, *weights, *initial)
        if self.batch_first:
            x = x.swapaxes(0, 1)
        span = Span(lengths, steps, batch)
        layer_input = span.without_padding(x).astype(dtype, copy=False)
        runs, final = [], []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.directions):
                run = _Run(self, layer, direction, span)
                output, states = run.forward(layer_input, [s[run.index] for s in initial], dtype)
                outputs.append(output)
                runs.append(run)
                final.append(states)
            layer_input = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
        self._saved = (runs, span, dtype)
        output = span.with_padding(layer_input)
        if self.batch_first:
            output = np.ascontiguousarray(output.swapaxes(0, 1))
        return output, self._as_state([np.stack(state) for state in zip(*final, strict=True)])

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
        runs, span, dtype = self._saved
        d_layer = self._output_gradient(d_output, span, dtype)
        d_final = [
            state.astype(dtype, copy=False)
            for state in self._state_arrays(d_hx, span.batch, "d{}_n")
        ]
        d_initial = [np.empty(state.shape, dtype) for state in d_final]
        for layer in reversed(range(self.num_layers)):
            d_below = 0
            for direction in range(self.directions):
                run = runs[layer * self.directions + direction]
                columns = slice(direction * self.hidden_size, (direction + 1) * self.hidden_size)
                d_states = [state[run.index] for state in d_final]
                d_input, d_start = run.backward(d_layer[..., columns], d_states)
                for into, value in zip(d_initial, d_start, strict=True):
                    into[run.index] = value
                d_below = d_below + d_input
            d_layer = d_below
        dx = span.with_padding(d_layer)
        return (dx.swapaxes(0, 1) if self.batch_first else dx), self._as_state(d_initial)

    def _run_forward(self, x, states, weights, workspace, past_end):
        """One layer and direction: return the output and the tuple of final states."""
        raise TypeError(f"{type(self).__name__} does not say how it runs")

    def _run_backward(self, d_output, d_states, weights, workspace, past_end):
        """Return dx, the initial states' derivatives and those of W, U and the two biases."""
        raise TypeError(f"{type(self).__name__} does not say how it runs backwards")

    def _as_state(self, arrays):
        return tuple(arrays) if len(self.states) > 1 else arrays[0]

    def _state_arrays(self, hx, batch, pattern):
        """The state as a list of arrays, checked; zeros for None."""
        expected = (self.num_layers * self.directions, batch, self.hidden_size)
        if hx is None:
            return [np.zeros(expected, self.weight_ih_l0.dtype)] * len(self.states)
        names = [pattern.format(state) for state in self.states]
        return check_states(hx, names, expected, STATE_MEANING, np.asarray)

    def _output_gradient(self, d_output, span, dtype):
        width = self.hidden_size * self.directions
        if d_output is None:
            return np.zeros((span.longest, span.batch, width), dtype)
        d_output = np.asarray(d_output)
        expected = (span.steps, span.batch, width)
        if self.batch_first:
            shape = (span.batch, span.steps, width)
            has_shape("d_output", d_output.shape, shape, "output's shape")
            d_output = d_output.swapaxes(0, 1)
        has_shape("d_output", d_output.shape, expected, "output's shape")
        return span.without_padding(d_output).astype(dtype, copy=False)

    def workspace(self, index, steps, batch, input_size, dtype):
        """Return memory for one layer and direction, reusing what the last passes left."""
        key = (index, steps, batch, np.dtype(dtype))
        found = self._workspaces.pop(key, None)
        if found is None:
            found = self._new_workspace(steps, batch, input_size, dtype)
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
        suffix = f"l{number}" + ("_reverse" if direction else "")
        names = ["weight_ih", "weight_hh"] + ["bias_ih", "bias_hh"] * layer.bias
        self.parameters = [getattr(layer, f"{name}_{suffix}") for name in names]

    def weights(self, dtype):
        """W, U and the two biases as arrays; zeros for absent biases."""
        arrays = [parameter.data for parameter in self.parameters]
        if len(arrays) == 2:
            arrays += [np.zeros(len(arrays[0]), dtype)] * 2
        return arrays

    def forward(self, x, states, dtype):
        steps, batch, width = x.shape
        self.dtype = dtype
        self.workspace = self.layer.workspace(self.index, steps, batch, width, dtype)
        x = self.span.turned(x) if self.reverse else x
        output, final = self.layer._run_forward(
            x, states, self.weights(dtype), self.workspace, self.span.past_end
        )
        self.span.clear_past_end(output)
        return (self.span.turned(output) if self.reverse else output), final

    def backward(self, d_output, d_states):
        if self.reverse:
            d_output = self.span.turned(d_output)
        dx, d_initial, d_weights = self.layer._run_backward(
            d_output, d_states, self.weights(self.dtype), self.workspace, self.span.past_end
        )
        for parameter, gradient in zip(self.parameters, d_weights, strict=False):
            parameter.add_grad(gradient)
        return (self.span.turned(dx) if self.reverse else dx), d_initial


class Span:
    """Where the sequences of a padded batch end, and what follows from it."""

    def __init__(self, lengths, steps, batch):
        self.steps, self.batch, self.longest = steps, batch, steps
        self.past_end = self.mirror = None
        if lengths is None:
            return
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
