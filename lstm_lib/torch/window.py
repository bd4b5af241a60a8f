"""The soft window of the torch engine; see :mod:`lstm_lib.numpy.window`."""

import math

import torch
from torch import nn
from torch.nn import functional

from lstm_lib import equations
from lstm_lib.parameters import to_numpy
from lstm_lib.softwindow import Handwriting, WindowState, check_line, check_window, window_step
from lstm_lib.torch.attention import valid_steps
from lstm_lib.torch.cells import LSTMCell
from lstm_lib.torch.initial import one_stream
from lstm_lib.torch.layers import Linear
from lstm_lib.torch.mixture import MixtureDensity
from lstm_lib.torch.models import like_model
from lstm_lib.torch.recurrent import LSTM
from lstm_lib.validation import check_indices, positive, positive_int


class WindowLSTM(nn.Module):
    """An LSTM that reads a text through a soft window which it moves on itself.

    Equations, arguments, parameters and results are those of :class:`lstm_lib.numpy.WindowLSTM`.

    Parameters
    ----------
    input_size, hidden_size, key_size, bumps : int
    advance : float
    forget_bias : float, optional
    dtype, device, rng
        As in :class:`lstm_lib.torch.LSTM`.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer, or an `advance` that is not above 0.

    References
    ----------
    Graves 2013, section 5.1.

    Examples
    --------
    >>> layer = WindowLSTM(3, 8, key_size=4, bumps=2, rng=0)
    >>> keys = torch.eye(4)[None]
    >>> output, context, weights, state = layer(torch.zeros(1, 30, 3), keys)
    >>> output.shape, context.shape, weights.shape
    (torch.Size([1, 30, 8]), torch.Size([1, 30, 4]), torch.Size([1, 30, 4]))
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        key_size,
        bumps=5,
        *,
        advance=0.1,
        forget_bias=None,
        dtype=None,
        device=None,
        rng=None,
    ):
        super().__init__()
        common = dict(dtype=dtype, device=device, rng=one_stream(rng))
        self.input_size = positive_int("input_size", input_size)
        self.key_size = positive_int("key_size", key_size)
        self.bumps = positive_int("bumps", bumps)
        self.cell = LSTMCell(
            self.input_size + self.key_size, hidden_size, forget_bias=forget_bias, **common
        )
        self.hidden_size = self.cell.hidden_size
        self.window = Linear(self.hidden_size, 3 * self.bumps, **common)
        self.window.bias.data[2 * self.bumps :] = math.log(positive("advance", advance))

    def forward(self, x, keys, lengths=None, state=None):
        """Return what the layer says and sees at every step, and the state after the last.

        Parameters
        ----------
        x : tensor, shape (B, T, I)
        keys : tensor, shape (B, U, D)
        lengths : sequence of int, optional
            Places of every text.
        state : WindowState, optional
            Where to go on; zeros by default.

        Returns
        -------
        output : tensor, shape (B, T, H)
        context : tensor, shape (B, T, D)
        weights : tensor, shape (B, T, U)
        state : lstm_lib.softwindow.WindowState
        """
        check_window(x.shape, keys.shape, self.input_size, self.key_size)
        places = torch.arange(keys.shape[1], dtype=x.dtype, device=x.device)
        valid = valid_steps(lengths, keys)
        if valid is not None:
            keys = torch.where(valid[..., None], keys, keys.new_zeros(()))
            valid = valid.to(keys)
        h, c, context, kappa = self._zeros(len(x)) if state is None else state
        weight_x, weight_w = self.cell.weight_ih.split([self.input_size, self.key_size], dim=1)
        from_x = functional.linear(x, weight_x, self.cell.bias_ih + self.cell.bias_hh)
        recurrent = torch.cat((weight_w, self.cell.weight_hh), dim=1).T
        outputs, contexts, weights = [], [], []
        for from_input in from_x.unbind(1):
            a = torch.addmm(from_input, torch.cat((context, h), dim=1), recurrent)
            step = equations.lstm_gates(a, c)
            h, c = step.h, step.c
            seen = window_step(self.window(h), kappa, keys, places, valid)
            context, kappa = seen.context, seen.kappa
            outputs.append(h)
            contexts.append(context)
            weights.append(seen.weights)
        stacked = (torch.stack(parts, dim=1) for parts in (outputs, contexts, weights))
        return (*stacked, WindowState(h, c, context, kappa))

    def _zeros(self, batch):
        sizes = self.hidden_size, self.hidden_size, self.key_size, self.bumps
        return [self.cell.weight_ih.new_zeros((batch, size)) for size in sizes]


class HandwritingModel(Handwriting, nn.Module):
    """Two LSTMs and a mixture density that write a text with a pen.

    Equations, arguments, parameters and results are those of :class:`lstm_lib.numpy.HandwritingModel`.

    Parameters
    ----------
    vocabulary_size, hidden_size, components, bumps : int
    advance : float
    forget_bias : float, optional
    dtype, device, rng
        As in :class:`lstm_lib.torch.LSTM`.

    Raises
    ------
    ValueError, TypeError
        As :class:`WindowLSTM`.

    References
    ----------
    Graves 2013, section 5.

    Examples
    --------
    >>> model = HandwritingModel(28, 8, components=3, rng=0)
    >>> model(torch.zeros(2, 30, 3), torch.ones(2, 5, dtype=torch.long)).shape
    torch.Size([2, 30, 19])
    >>> len(model.write([[7, 4, 11, 11, 14]], rng=0, max_steps=20)[0].points) <= 20
    True
    """

    def __init__(
        self,
        vocabulary_size,
        hidden_size,
        components=20,
        bumps=5,
        *,
        advance=0.1,
        forget_bias=None,
        dtype=None,
        device=None,
        rng=None,
    ):
        super().__init__()
        common = dict(dtype=dtype, device=device, rng=one_stream(rng))
        self.vocabulary_size = positive_int("vocabulary_size", vocabulary_size)
        self.first = WindowLSTM(
            3,
            hidden_size,
            self.vocabulary_size,
            bumps,
            advance=advance,
            forget_bias=forget_bias,
            **common,
        )
        width = 3 + hidden_size + self.vocabulary_size
        self.second = LSTM(width, hidden_size, batch_first=True, forget_bias=forget_bias, **common)
        self.head = MixtureDensity(2 * hidden_size, components, **common)

    def forward(self, points, text, point_lengths=None, text_lengths=None):
        """Return the raw outputs of the mixture for the point after each.

        Parameters
        ----------
        points : tensor, shape (B, T, 3)
            Offsets of the pen, and 1 where it is lifted.
        text : tensor of int, shape (B, U)
        point_lengths : sequence of int, optional
            Valid points of every line; needs no attention here, as no step looks ahead.
        text_lengths : sequence of int, optional
            Characters of every text.

        Returns
        -------
        tensor, shape (B, T, 6M + 1)
        """
        return self._run(points, text, text_lengths)[0]

    def window_weights(self, points, text, text_lengths=None):
        """Where the window stands after each point of given lines, an array of shape (B, T, U)."""
        with torch.no_grad():
            points, text = like_model(points, self), like_model(text, self)
            return to_numpy(self._run(points, text, text_lengths)[1])

    def _run(self, points, text, lengths=None, state=(None, None)):
        check_line(points.shape, text.shape)
        is_integer = not (text.is_floating_point() or text.dtype == torch.bool)
        check_indices(text, is_integer, self.vocabulary_size)
        keys = functional.one_hot(text.long(), self.vocabulary_size).to(points.dtype)
        h, context, weights, first = self.first(points, keys, lengths, state[0])
        output, second = self.second(torch.cat((points, h, context), dim=-1), state[1])
        return self.head(torch.cat((h, output), dim=-1)), weights, (first, second)

    @torch.no_grad()
    def _advance(self, points, text, lengths, state):
        points, text = like_model(points, self), like_model(text, self)
        raw, weights, state = self._run(points, text, lengths, state or (None, None))
        return to_numpy(raw[:, -1]), to_numpy(weights[:, -1]), state
