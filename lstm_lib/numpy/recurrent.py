"""LSTM layers of the NumPy engine: stacking, directions, lengths and their backward pass.

The loop over time is in :mod:`lstm_lib.numpy.kernels`, the mathematics of one step in
:mod:`lstm_lib.equations`.
"""

import numpy as np

from lstm_lib import equations, parameters
from lstm_lib.numpy import kernels
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype
from lstm_lib.validation import has_shape, sequence_lengths, sequence_shape

_KEPT_WORKSPACES = 4


class LSTM(Module):
    r"""Long short-term memory over whole sequences, with backpropagation through time.

    For every step t and layer

    .. math::

        i_t = \sigma(W_i x_t + U_i h_{t-1} + b_i), \quad
        f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)

        g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g), \quad
        o_t = \sigma(W_o x_t + U_o h_{t-1} + b_o)

        c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)

    The constructor's arguments, the parameters' names and shapes and the call are those of
    ``torch.nn.LSTM``, whose ``state_dict`` loads unchanged.

    Parameters
    ----------
    input_size : int
        Features I of the input.
    hidden_size : int
        Units H of every layer.
    num_layers : int
        Layers; each reads the output of the one below.
    bias : bool
        Whether the layers have biases (two each, as torch has them).
    batch_first : bool
        Input and output are ``(B, T, ...)`` instead of ``(T, B, ...)``. States are not affected.
    bidirectional : bool
        Adds a second direction that reads each sequence from its own last element.
    forget_bias : float, optional
        Value of the forget gate's bias; written to ``bias_ih``, with 0 in ``bias_hh``.
    dtype : numpy dtype or its name
        Precision of weights and computation, float32 by default.
    device : None or "cpu"
        Present so that both engines take the same arguments.
    rng : int or numpy.random.Generator, optional
        Source of the initial weights; the same value gives bit-identical weights in both engines.

    Raises
    ------
    ValueError
        For a size below 1, or `forget_bias` without biases.

    References
    ----------
    Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000; Werbos 1990 for
    backpropagation through time.

    Examples
    --------
    >>> lstm = LSTM(3, 5, num_layers=2, rng=0)
    >>> x = np.ones((7, 2, 3))
    >>> output, (h_n, c_n) = lstm(x)
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (2, 2, 5), (2, 2, 5))
    >>> dx, (dh_0, dc_0) = lstm.backward(np.ones_like(output))
    >>> dx.shape, lstm.weight_hh_l0.grad.shape
    ((7, 2, 3), (20, 5))
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        *,
        bidirectional=False,
        forget_bias=None,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        check_device(device)
        sizes = parameters.check_sizes(input_size, hidden_size, num_layers)
        self.input_size, self.hidden_size, self.num_layers = sizes
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        values = parameters.lstm_values(
            dict(
                input_size=self.input_size,
                hidden_size=self.hidden_size,
                num_layers=self.num_layers,
                bias=bias,
                bidirectional=bidirectional,
            ),
            forget_bias=forget_bias,
            rng=rng,
            dtype=np.float32 if dtype is None else dtype,
        )
        for name, value in values.items():
            setattr(self, name, Parameter(value))
        self._workspaces = {}
        self._saved = None

    def forward(self, x, hx=None, lengths=None):
        """Run the layers over a batch of sequences.

        Parameters
        ----------
        x : array, shape (T, B, I), or (B, T, I) with ``batch_first``
        hx : pair of arrays, optional
            ``(h_0, c_0)``, each ``(layers * directions, B, H)``; zeros by default.
        lengths : sequence of int, optional
            Valid steps of each sequence, between 1 and T. What stands past the end has no
            influence on anything.

        Returns
        -------
        output : ndarray, shape (T, B, H * directions), or batch first
            Hidden states of the top layer; zero past the end of a sequence.
        (h_n, c_n) : pair of ndarray, shape (layers * directions, B, H)
            States after the last valid step of each sequence.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch or a length outside 1 to T.
        """
        x = np.asarray(x)
        steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first)
        first = self.weight_ih_l0
        all_arrays = [x, *(p.data for p in self.parameters())]
        h_0, c_0 = self._initial_state(hx, batch)
        dtype = compute_dtype(first, *all_arrays, h_0, c_0)
        if self.batch_first:
            x = x.swapaxes(0, 1)
        span = _Span(lengths, steps, batch)
        layer_input = span.without_padding(x).astype(dtype, copy=False)
        directions = 2 if self.bidirectional else 1
        saved, h_n, c_n = [], [], []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                index = layer * directions + direction
                suffix = f"l{layer}" + ("_reverse" if direction else "")
                run = _Run(self, index, suffix, reverse=bool(direction), span=span)
                output, h, c = run.forward(layer_input, h_0[index], c_0[index], dtype)
                outputs.append(output)
                saved.append(run)
                h_n.append(h)
                c_n.append(c)
            layer_input = outputs[0] if directions == 1 else np.concatenate(outputs, axis=-1)
        self._saved = (saved, span, dtype)
        output = span.with_padding(layer_input)
        if self.batch_first:
            output = np.ascontiguousarray(output.swapaxes(0, 1))
        return output, (np.stack(h_n), np.stack(c_n))

    def backward(self, d_output=None, d_hx=None):
        """Backpropagation through time for the latest forward pass.

        Parameters
        ----------
        d_output : array, shape of the output, optional
            Derivative of the loss by the output; zero if None.
        d_hx : pair of arrays, optional
            Derivatives by ``(h_n, c_n)``; zero if None.

        Returns
        -------
        dx : ndarray, shape of the input
        (dh_0, dc_0) : pair of ndarray, shape (layers * directions, B, H)

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
        directions = 2 if self.bidirectional else 1
        width = self.hidden_size * directions
        d_layer = self._output_gradient(d_output, span, width, dtype)
        dh_n, dc_n = self._state_gradient(d_hx, span.batch, dtype)
        dh_0, dc_0 = np.empty_like(dh_n), np.empty_like(dc_n)
        for layer in reversed(range(self.num_layers)):
            d_below = 0
            for direction in range(directions):
                index = layer * directions + direction
                columns = slice(direction * self.hidden_size, (direction + 1) * self.hidden_size)
                d_input, dh_0[index], dc_0[index] = runs[index].backward(
                    d_layer[..., columns], dh_n[index], dc_n[index]
                )
                d_below = d_below + d_input
            d_layer = d_below
        dx = span.with_padding(d_layer)
        return (dx.swapaxes(0, 1) if self.batch_first else dx), (dh_0, dc_0)

    def _initial_state(self, hx, batch):
        count = self.num_layers * (2 if self.bidirectional else 1)
        expected = (count, batch, self.hidden_size)
        if hx is None:
            zeros = np.zeros(expected, self.weight_ih_l0.dtype)
            return zeros, zeros
        return _state_pair(hx, "h_0", "c_0", expected, "(layers * directions, batch, hidden_size)")

    def _output_gradient(self, d_output, span, width, dtype):
        if d_output is None:
            return np.zeros((span.longest, span.batch, width), dtype)
        d_output = np.asarray(d_output)
        expected = (span.steps, span.batch, width)
        if self.batch_first:
            has_shape(
                "d_output", d_output.shape, (expected[1], expected[0], width), "output's shape"
            )
            d_output = d_output.swapaxes(0, 1)
        has_shape("d_output", d_output.shape, expected, "output's shape")
        return span.without_padding(d_output).astype(dtype, copy=False)

    def _state_gradient(self, d_hx, batch, dtype):
        expected = (self.num_layers * (2 if self.bidirectional else 1), batch, self.hidden_size)
        if d_hx is None:
            return np.zeros(expected, dtype), np.zeros(expected, dtype)
        pair = _state_pair(d_hx, "dh_n", "dc_n", expected, "shape of h_n")
        return tuple(array.astype(dtype, copy=False) for array in pair)

    def workspace(self, index, steps, batch, input_size, dtype):
        """Return memory for one layer and direction, reusing what the last passes left."""
        key = (index, steps, batch, np.dtype(dtype))
        found = self._workspaces.pop(key, None)
        if found is None:
            found = kernels.Workspace(steps, batch, input_size, self.hidden_size, dtype)
        self._workspaces[key] = found
        kept = _KEPT_WORKSPACES * self.num_layers * (2 if self.bidirectional else 1)
        while len(self._workspaces) > kept:
            del self._workspaces[next(iter(self._workspaces))]
        return found


class _Run:
    """One pass of one layer in one direction, remembered for its backward pass."""

    def __init__(self, lstm, index, suffix, reverse, span):
        self.lstm, self.index, self.reverse, self.span = lstm, index, reverse, span
        self.weight_ih = getattr(lstm, f"weight_ih_{suffix}")
        self.weight_hh = getattr(lstm, f"weight_hh_{suffix}")
        self.biases = [getattr(lstm, f"bias_{part}_{suffix}") for part in ("ih", "hh") if lstm.bias]

    def forward(self, x, h_0, c_0, dtype):
        steps, batch, width = x.shape
        self.workspace = self.lstm.workspace(self.index, steps, batch, width, dtype)
        if self.biases:
            bias = self.biases[0].data + self.biases[1].data
        else:
            bias = np.zeros(4 * self.lstm.hidden_size, dtype)
        output, h_n, c_n = kernels.forward(
            self.span.turned(x) if self.reverse else x,
            h_0,
            c_0,
            self.weight_ih.data,
            self.weight_hh.data,
            bias,
            self.workspace,
            self.span.past_end,
        )
        self.span.clear_past_end(output)
        return (self.span.turned(output) if self.reverse else output), h_n, c_n

    def backward(self, d_output, dh_n, dc_n):
        if self.reverse:
            d_output = self.span.turned(d_output)
        dx, dh_0, dc_0, d_ih, d_hh, d_bias = kernels.backward(
            d_output,
            dh_n,
            dc_n,
            self.weight_ih.data,
            self.weight_hh.data,
            self.workspace,
            self.span.past_end,
        )
        self.weight_ih.add_grad(d_ih)
        self.weight_hh.add_grad(d_hh)
        for bias in self.biases:
            bias.add_grad(d_bias.copy())
        return (self.span.turned(dx) if self.reverse else dx), dh_0, dc_0


class _Span:
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


class LSTMCell(Module):
    r"""One LSTM step with its own weights: :func:`lstm_lib.equations.lstm_step` as a layer.

    Calls are remembered in training mode, so a loop over time is differentiated by calling
    :meth:`backward` once for every step, in reverse order. ``zero_grad`` forgets them.

    Parameters
    ----------
    input_size, hidden_size, bias, forget_bias, dtype, device, rng
        As in :class:`LSTM`. Parameters are ``weight_ih`` (4H, I), ``weight_hh`` (4H, H),
        ``bias_ih`` and ``bias_hh`` (4H,), as in ``torch.nn.LSTMCell``.

    Examples
    --------
    >>> cell = LSTMCell(1, 2, dtype=np.float64, rng=0)
    >>> h, c = cell(np.ones((3, 1)))
    >>> h, c = cell(np.ones((3, 1)), (h, c))
    >>> dx, (dh, dc) = cell.backward(np.ones((3, 2)), np.zeros((3, 2)))   # second step
    >>> dx, (dh, dc) = cell.backward(dh, dc)                              # first step
    >>> dx.shape
    (3, 1)
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        *,
        forget_bias=None,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        check_device(device)
        self.input_size, self.hidden_size, _ = parameters.check_sizes(input_size, hidden_size)
        self.bias = bias
        sizes = dict(input_size=self.input_size, hidden_size=self.hidden_size, bias=bias)
        dtype = np.float32 if dtype is None else dtype
        values = parameters.lstm_values(sizes, forget_bias=forget_bias, rng=rng, dtype=dtype)
        for name, value in values.items():
            setattr(self, name.removesuffix("_l0"), Parameter(value))
        self._saved = []

    def forward(self, x, hx=None):
        """Return ``(h, c)`` after one step.

        Parameters
        ----------
        x : array, shape (B, I)
        hx : pair of arrays, shape (B, H), optional
        """
        x = np.asarray(x)
        has_shape("input", x.shape, (None, self.input_size), "(batch, input_size)")
        if hx is None:
            h = c = np.zeros((x.shape[0], self.hidden_size), self.weight_ih.dtype)
        else:
            expected = (x.shape[0], self.hidden_size)
            h, c = _state_pair(hx, "h", "c", expected, "(batch, hidden_size)")
        bias = self.bias_ih.data + self.bias_hh.data if self.bias else None
        dtype = compute_dtype(self.weight_ih, x, h, c)
        x, h, c = (array.astype(dtype, copy=False) for array in (x, h, c))
        step = equations.lstm_step(x, h, c, self.weight_ih.data, self.weight_hh.data, bias)
        if self.training:
            self._saved.append((step, x, h, c))
        return step.h, step.c

    def backward(self, dh, dc):
        """Differentiate the latest call that was not yet differentiated.

        Parameters
        ----------
        dh, dc : arrays, shape (B, H)

        Returns
        -------
        dx : ndarray, shape (B, I)
        (dh_prev, dc_prev) : pair of ndarray, shape (B, H)
        """
        if not self._saved:
            raise RuntimeError("backward needs a forward pass in training mode first")
        step, x, h, c = self._saved.pop()
        grads = equations.lstm_step_backward(
            dh, dc, step, x, h, c, self.weight_ih.data, self.weight_hh.data
        )
        self.weight_ih.add_grad(grads.weight_ih)
        self.weight_hh.add_grad(grads.weight_hh)
        if self.bias:
            self.bias_ih.add_grad(grads.bias)
            self.bias_hh.add_grad(grads.bias)
        return grads.x, (grads.h, grads.c)

    def zero_grad(self):
        """Forget all gradients and all remembered calls."""
        super().zero_grad()
        self._saved.clear()


def _state_pair(pair, first, second, expected, meaning):
    """Check a pair of states and return it as two arrays."""
    try:
        a, b = pair
    except (TypeError, ValueError):
        raise ValueError(
            f"the state must be a pair ({first}, {second}), got {type(pair).__name__}"
        ) from None
    a, b = np.asarray(a), np.asarray(b)
    has_shape(first, a.shape, expected, meaning)
    has_shape(second, b.shape, expected, meaning)
    return a, b
