"""One recurrent step with its own weights: the steps of :mod:`lstm_lib.equations` as layers."""

from torch import nn

from lstm_lib import equations
from lstm_lib.layout import Layout
from lstm_lib.torch.initial import register_layout
from lstm_lib.validation import check_states, has_shape, one_of


class _Cell(nn.Module):
    """Base of the cells: weights and checks."""

    kind = "LSTM"

    def __init__(self, input_size, hidden_size, bias, *, dtype, device, rng, forget_bias=None):
        super().__init__()
        self.layout = Layout(self.kind, input_size, hidden_size, bias=bias)
        self.input_size, self.hidden_size = self.layout.input_size, self.layout.hidden_size
        self.bias, self.states = bias, self.layout.states
        options = dict(dtype=dtype, device=device, rng=rng, forget_bias=forget_bias)
        register_layout(self, self.layout, suffix=False, **options)

    def _states(self, x, hx):
        single = x.ndim == 1
        meaning = "(input_size,)" if single else "(batch, input_size)"
        has_shape("input", x.shape, (*(() if single else (None,)), self.input_size), meaning)
        shapes = [(*x.shape[:-1], self.hidden_size)] * len(self.states)
        if hx is None:
            return tuple(self.weight_ih.new_zeros(shape) for shape in shapes)
        return check_states(hx, self.states, shapes, meaning.replace("input", "hidden"))

    def _weights(self):
        biases = (self.bias_ih, self.bias_hh) if self.bias else (0.0, 0.0)
        return self.weight_ih, self.weight_hh, *biases


class LSTMCell(_Cell):
    r"""One LSTM step with its own weights: :func:`lstm_lib.equations.lstm_step` as a layer.

    Parameters
    ----------
    input_size, hidden_size, bias, forget_bias, dtype, device, rng
        As in :class:`LSTM`. Parameters are ``weight_ih`` (4H, I), ``weight_hh`` (4H, H),
        ``bias_ih`` and ``bias_hh`` (4H,), as in ``torch.nn.LSTMCell``.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`.

    Examples
    --------
    >>> import torch
    >>> cell = LSTMCell(1, 2, rng=0)
    >>> h, c = cell(torch.ones(3, 1))
    >>> h.shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        *,
        forget_bias=None,
        dtype=None,
        device=None,
        rng=None,
    ):
        options = dict(dtype=dtype, device=device, rng=rng, forget_bias=forget_bias)
        super().__init__(input_size, hidden_size, bias, **options)

    def forward(self, x, hx=None):
        """Return ``(h, c)`` after one step.

        Parameters
        ----------
        x : tensor, shape (B, I), or (I,) for a single one
        hx : pair of tensors, shape (B, H) or (H,), optional
        """
        h, c = self._states(x, hx)
        weight_ih, weight_hh, bias_ih, bias_hh = self._weights()
        step = equations.lstm_step(x, h, c, weight_ih, weight_hh, bias_ih + bias_hh)
        return step.h, step.c


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

    Examples
    --------
    >>> import torch
    >>> GRUCell(1, 2, rng=0)(torch.ones(3, 1)).shape
    torch.Size([3, 2])
    """

    kind = "GRU"

    def __init__(self, input_size, hidden_size, bias=True, *, dtype=None, device=None, rng=None):
        super().__init__(input_size, hidden_size, bias, dtype=dtype, device=device, rng=rng)

    def forward(self, x, hx=None):
        """Return h, shape (B, H) or (H,), after one step from ``hx``, zeros by default."""
        return equations.gru_step(x, *self._states(x, hx), *self._weights()).h


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

    Examples
    --------
    >>> import torch
    >>> RNNCell(1, 2, rng=0)(torch.ones(3, 1)).shape
    torch.Size([3, 2])
    """

    kind = "RNN"

    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        nonlinearity="tanh",
        *,
        dtype=None,
        device=None,
        rng=None,
    ):
        one_of("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias, dtype=dtype, device=device, rng=rng)
        self.nonlinearity = nonlinearity

    def forward(self, x, hx=None):
        """Return h, shape (B, H) or (H,), after one step from ``hx``, zeros by default."""
        return equations.rnn_step(x, *self._states(x, hx), *self._weights(), self.nonlinearity)
