"""One recurrent step with its own weights: the steps of :mod:`lstm_lib.equations` as layers.

Calls are remembered in training mode, so a loop over time is differentiated by calling ``backward``
once for every step, in reverse order. ``zero_grad`` forgets them.
"""

import numpy as np

from lstm_lib import equations
from lstm_lib.layout import Layout
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype
from lstm_lib.validation import check_states, has_shape, one_of


class _Cell(Module):
    """Base of the cells: weights, checks and the memory of calls."""

    kind = "LSTM"

    def __init__(self, input_size, hidden_size, bias, *, dtype, device, rng, forget_bias=None):
        check_device(device)
        self.layout = Layout(self.kind, input_size, hidden_size, bias=bias)
        self.input_size, self.hidden_size = self.layout.input_size, self.layout.hidden_size
        self.bias, self.states = bias, self.layout.states
        dtype = np.float32 if dtype is None else dtype
        values = self.layout.values(rng=rng, dtype=dtype, forget_bias=forget_bias)
        for name, value in values.items():
            setattr(self, name.removesuffix("_l0"), Parameter(value))
        self._saved = []

    def forward(self, x, hx=None):
        """Return the state after one step: ``(h, c)`` for an LSTM, h for a GRU or RNN.

        Parameters
        ----------
        x : array, shape (B, I), or (I,) for a single one
        hx : state before the step, in the same form, optional
            Arrays of shape (B, H), or (H,); zeros by default.
        """
        x, states = self._inputs(np.asarray(x), hx)
        step, new = self._step(x, *states)
        self._remember(step, x, *states)
        return self._as_given(new)

    def _step(self, x, *states):
        """What the step computed, and the tuple of new states."""
        raise TypeError(f"{type(self).__name__} does not say what a step is")

    def _as_given(self, states):
        states = tuple(state[0] for state in states) if self._single else states
        return tuple(states) if len(self.states) > 1 else states[0]

    def _inputs(self, x, hx):
        """Checked input and states with a batch axis, in the precision to compute in."""
        self._single = x.ndim == 1
        leading = () if self._single else (None,)
        meaning = "(input_size,)" if self._single else "(batch, input_size)"
        has_shape("input", x.shape, (*leading, self.input_size), meaning)
        shapes = [(*x.shape[:-1], self.hidden_size)] * len(self.states)
        if hx is None:
            states = [np.zeros(shape, self.weight_ih.dtype) for shape in shapes]
        else:
            meaning = meaning.replace("input", "hidden")
            states = check_states(hx, self.states, shapes, meaning, np.asarray)
        weights = [parameter.data for parameter in self.parameters()]
        dtype = compute_dtype(self.weight_ih, x, *states, *weights)
        arrays = [np.atleast_2d(array).astype(dtype, copy=False) for array in (x, *states)]
        return arrays[0], arrays[1:]

    def _biases(self):
        return (self.bias_ih.data, self.bias_hh.data) if self.bias else (0.0, 0.0)

    def _remember(self, *call):
        if self.training:
            self._saved.append((self._single, call))

    def _recall(self):
        if not self._saved:
            raise RuntimeError("backward needs a forward pass in training mode first")
        self._single, call = self._saved.pop()
        return call

    def _input_gradient(self, dx):
        return dx[0] if self._single else dx

    def _add_gradients(self, weight_ih, weight_hh, *biases):
        self.weight_ih.add_grad(weight_ih)
        self.weight_hh.add_grad(weight_hh)
        if self.bias:
            self.bias_ih.add_grad(biases[0])
            self.bias_hh.add_grad(biases[1])

    def zero_grad(self):
        """Forget all gradients and all remembered calls."""
        super().zero_grad()
        self._saved.clear()


class LSTMCell(_Cell):
    r"""One LSTM step with its own weights: :func:`lstm_lib.equations.lstm_step` as a layer.

    Calls are remembered in training mode, so a loop over time is differentiated by calling
    :meth:`backward` once for every step, in reverse order. ``zero_grad`` forgets them.

    Parameters
    ----------
    input_size, hidden_size, bias, forget_bias, dtype, device, rng
        As in :class:`LSTM`. Parameters are ``weight_ih`` (4H, I), ``weight_hh`` (4H, H),
        ``bias_ih`` and ``bias_hh`` (4H,), as in ``torch.nn.LSTMCell``.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`.

    References
    ----------
    Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000.

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
        options = dict(dtype=dtype, device=device, rng=rng, forget_bias=forget_bias)
        super().__init__(input_size, hidden_size, bias, **options)

    def _step(self, x, h, c):
        bias_ih, bias_hh = self._biases()
        weights = self.weight_ih.data, self.weight_hh.data
        step = equations.lstm_step(x, h, c, *weights, bias_ih + bias_hh)
        return step, (step.h, step.c)

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
        weights = self.weight_ih.data, self.weight_hh.data
        dh, dc = np.atleast_2d(dh), np.atleast_2d(dc)
        grads = equations.lstm_step_backward(dh, dc, *self._recall(), *weights)
        self._add_gradients(grads.weight_ih, grads.weight_hh, grads.bias, grads.bias.copy())
        return self._input_gradient(grads.x), self._as_given((grads.h, grads.c))


class GRUCell(_Cell):
    """One GRU step with its own weights: :func:`lstm_lib.equations.gru_step` as a layer.

    Parameters
    ----------
    input_size, hidden_size, bias, dtype, device, rng
        As in :class:`LSTMCell`; parameters have 3H rows in the order r, z, n, as in ``torch.nn.GRUCell``.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`.

    References
    ----------
    Cho et al. 2014.

    Examples
    --------
    >>> cell = GRUCell(1, 2, dtype=np.float64, rng=0)
    >>> h = cell(np.ones((3, 1)))
    >>> dx, dh = cell.backward(np.ones((3, 2)))
    >>> h.shape, dx.shape, dh.shape
    ((3, 2), (3, 1), (3, 2))
    """

    kind = "GRU"

    def __init__(
        self, input_size, hidden_size, bias=True, *, dtype=np.float32, device=None, rng=None
    ):
        super().__init__(input_size, hidden_size, bias, dtype=dtype, device=device, rng=rng)

    def _step(self, x, h):
        weights = self.weight_ih.data, self.weight_hh.data
        step = equations.gru_step(x, h, *weights, *self._biases())
        return step, (step.h,)

    def backward(self, dh):
        """Differentiate the latest call that was not yet; return dx and the derivative by the state."""
        weights = self.weight_ih.data, self.weight_hh.data
        grads = equations.gru_step_backward(np.atleast_2d(dh), *self._recall(), *weights)
        self._add_gradients(*grads[2:])
        return self._input_gradient(grads.x), self._as_given((grads.h,))


class RNNCell(_Cell):
    """One step of a plain RNN with its own weights: :func:`lstm_lib.equations.rnn_step` as a layer.

    Parameters
    ----------
    input_size, hidden_size, bias, dtype, device, rng
        As in :class:`LSTMCell`; parameters have H rows, as in ``torch.nn.RNNCell``.
    nonlinearity : {"tanh", "relu"}

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`, and for another nonlinearity.

    References
    ----------
    Elman 1990.

    Examples
    --------
    >>> RNNCell(1, 2, rng=0)(np.ones((3, 1))).shape
    (3, 2)
    """

    kind = "RNN"

    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        nonlinearity="tanh",
        *,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        self.nonlinearity = one_of("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias, dtype=dtype, device=device, rng=rng)

    def _step(self, x, h):
        weights = self.weight_ih.data, self.weight_hh.data
        h_next = equations.rnn_step(x, h, *weights, *self._biases(), self.nonlinearity)
        return h_next, (h_next,)

    def backward(self, dh):
        """Differentiate the latest call that was not yet; return dx and the derivative by the state."""
        weights = self.weight_ih.data, self.weight_hh.data
        grads = equations.rnn_step_backward(
            np.atleast_2d(dh), *self._recall(), *weights, self.nonlinearity
        )
        self._add_gradients(*grads[2:])
        return self._input_gradient(grads.x), self._as_given((grads.h,))
