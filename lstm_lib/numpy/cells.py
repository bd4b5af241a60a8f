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

    def _inputs(self, x, hx):
        """Checked input and states, in the precision to compute in."""
        x = np.asarray(x)
        has_shape("input", x.shape, (None, self.input_size), "(batch, input_size)")
        expected = (len(x), self.hidden_size)
        if hx is None:
            states = [np.zeros(expected, self.weight_ih.dtype)] * len(self.states)
        else:
            shapes = [expected] * len(self.states)
            states = check_states(hx, self.states, shapes, "(batch, hidden_size)", np.asarray)
        weights = [parameter.data for parameter in self.parameters()]
        dtype = compute_dtype(self.weight_ih, x, *states, *weights)
        return [array.astype(dtype, copy=False) for array in (x, *states)]

    def _biases(self):
        return (self.bias_ih.data, self.bias_hh.data) if self.bias else (0.0, 0.0)

    def _remember(self, *call):
        if self.training:
            self._saved.append(call)

    def _recall(self):
        if not self._saved:
            raise RuntimeError("backward needs a forward pass in training mode first")
        return self._saved.pop()

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

    def forward(self, x, hx=None):
        """Return ``(h, c)`` after one step.

        Parameters
        ----------
        x : array, shape (B, I)
        hx : pair of arrays, shape (B, H), optional
        """
        x, h, c = self._inputs(x, hx)
        bias_ih, bias_hh = self._biases()
        weights = self.weight_ih.data, self.weight_hh.data
        step = equations.lstm_step(x, h, c, *weights, bias_ih + bias_hh)
        self._remember(step, x, h, c)
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
        weights = self.weight_ih.data, self.weight_hh.data
        grads = equations.lstm_step_backward(dh, dc, *self._recall(), *weights)
        self._add_gradients(grads.weight_ih, grads.weight_hh, grads.bias, grads.bias.copy())
        return grads.x, (grads.h, grads.c)


class GRUCell(_Cell):
    """One GRU step with its own weights: :func:`lstm_lib.equations.gru_step` as a layer.

    Parameters
    ----------
    input_size, hidden_size, bias, dtype, device, rng
        As in :class:`LSTMCell`; parameters have 3H rows in the order r, z, n, as in ``torch.nn.GRUCell``.

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

    def forward(self, x, hx=None):
        """Return h, shape (B, H), after one step from ``hx``, zeros by default."""
        x, h = self._inputs(x, hx)
        weights = self.weight_ih.data, self.weight_hh.data
        step = equations.gru_step(x, h, *weights, *self._biases())
        self._remember(step, x, h)
        return step.h

    def backward(self, dh):
        """Differentiate the latest call that was not yet; return dx and the derivative by the state."""
        weights = self.weight_ih.data, self.weight_hh.data
        grads = equations.gru_step_backward(dh, *self._recall(), *weights)
        self._add_gradients(*grads[2:])
        return grads.x, grads.h


class RNNCell(_Cell):
    """One step of a plain RNN with its own weights: :func:`lstm_lib.equations.rnn_step` as a layer.

    Parameters
    ----------
    input_size, hidden_size, bias, dtype, device, rng
        As in :class:`LSTMCell`; parameters have H rows, as in ``torch.nn.RNNCell``.
    nonlinearity : {"tanh", "relu"}

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

    def forward(self, x, hx=None):
        """Return h, shape (B, H), after one step from ``hx``, zeros by default."""
        x, h = self._inputs(x, hx)
        weights = self.weight_ih.data, self.weight_hh.data
        h_next = equations.rnn_step(x, h, *weights, *self._biases(), self.nonlinearity)
        self._remember(h_next, x, h)
        return h_next

    def backward(self, dh):
        """Differentiate the latest call that was not yet; return dx and the derivative by the state."""
        weights = self.weight_ih.data, self.weight_hh.data
        grads = equations.rnn_step_backward(dh, *self._recall(), *weights, self.nonlinearity)
        self._add_gradients(*grads[2:])
        return grads.x, grads.h
