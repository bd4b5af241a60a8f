"""A soft window over a text: the layer that moves it, and a model that writes with a pen.

One step of the window and its derivative are in :mod:`lstm_lib.softwindow`; here is the loop over time,
forward and backward, and what is built around it.
"""

import math

import numpy as np

from lstm_lib import equations
from lstm_lib.numpy.attention import valid_steps
from lstm_lib.numpy.cells import LSTMCell
from lstm_lib.numpy.layers import Linear
from lstm_lib.numpy.mixture import MixtureDensity
from lstm_lib.numpy.module import Module, compute_dtype, remembered
from lstm_lib.numpy.recurrent import LSTM
from lstm_lib.softwindow import (
    Handwriting,
    WindowState,
    check_line,
    check_window,
    window_step,
    window_step_backward,
)
from lstm_lib.validation import check_indices, has_shape, positive, positive_int


class WindowLSTM(Module):
    r"""An LSTM that reads a text through a soft window which it moves on itself.

    At every step the cell reads its input and what the window showed at the step before; its hidden
    state then moves the window:

    .. math::

        (h_t, c_t) = \operatorname{LSTM}([x_t; w_{t-1}], h_{t-1}, c_{t-1}), \qquad
        (\hat\alpha_t, \hat\beta_t, \hat\kappa_t) = W h_t + b

    and :func:`lstm_lib.softwindow.window_step` makes :math:`w_t` of that.

    Parameters
    ----------
    input_size, hidden_size : int
    key_size : int
        D, the numbers that stand at every place of the text.
    bumps : int
        K, how many bumps the window is made of.
    advance : float
        How far the bumps move at a step before training, in places: about one divided by the
        number of steps that a place takes.
    forget_bias : float, optional
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are those of an :class:`LSTMCell` of
        ``input_size + key_size`` inputs, under ``cell.``, and ``window.weight`` (3K, H) and
        ``window.bias``.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer, or an `advance` that is not above 0.

    References
    ----------
    A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013, section 5.1.

    Examples
    --------
    Before training the window moves on by about a tenth of a place a step:

    >>> layer = WindowLSTM(3, 8, key_size=4, bumps=2, advance=0.1, rng=0)
    >>> keys = np.eye(4)[None]
    >>> output, context, weights, state = layer(np.zeros((1, 30, 3)), keys)
    >>> output.shape, context.shape, weights.shape, bool((abs(state.kappa - 3) < 1).all())
    ((1, 30, 8), (1, 30, 4), (1, 30, 4), True)
    >>> d_x, d_keys = layer.backward(np.ones_like(output))
    >>> d_x.shape, d_keys.shape
    ((1, 30, 3), (1, 4, 4))
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
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        common = dict(dtype=dtype, device=device, rng=np.random.default_rng(rng))
        self.input_size = positive_int("input_size", input_size)
        self.key_size = positive_int("key_size", key_size)
        self.bumps = positive_int("bumps", bumps)
        self.cell = LSTMCell(
            self.input_size + self.key_size, hidden_size, forget_bias=forget_bias, **common
        )
        self.hidden_size = self.cell.hidden_size
        self.window = Linear(self.hidden_size, 3 * self.bumps, **common)
        self.window.bias.data[2 * self.bumps :] = math.log(positive("advance", advance))
        self._saved = None

    def forward(self, x, keys, lengths=None, state=None):
        """Return what the layer says and sees at every step, and the state after the last.

        Parameters
        ----------
        x : array, shape (B, T, I)
        keys : array, shape (B, U, D)
        lengths : sequence of int, optional
            Places of every text.
        state : WindowState, optional
            Where to go on; zeros by default. It counts as a constant.

        Returns
        -------
        output : ndarray, shape (B, T, H)
        context : ndarray, shape (B, T, D)
        weights : ndarray, shape (B, T, U)
        state : lstm_lib.softwindow.WindowState
        """
        x, keys = np.asarray(x), np.asarray(keys)
        check_window(x.shape, keys.shape, self.input_size, self.key_size)
        weights = [p.data for p in self.parameters()]
        dtype = compute_dtype(self.window.weight, x, keys, *weights)
        valid = valid_steps(lengths, keys.shape[1], len(x))
        if valid is not None:
            keys, valid = np.where(valid[..., None], keys, 0), valid.astype(dtype)
        x, keys = x.astype(dtype, copy=False), keys.astype(dtype, copy=False)
        places = np.arange(keys.shape[1], dtype=dtype)
        now = self._zeros(len(x), dtype) if state is None else WindowState(*state)
        weight_ih, weight_hh, bias_ih, bias_hh, weight, bias = weights
        saved = []
        for t in range(x.shape[1]):
            given, before = np.concatenate((x[:, t], now.context), axis=1), now
            step = equations.lstm_step(
                given, before.h, before.c, weight_ih, weight_hh, bias_ih + bias_hh
            )
            raw = step.h @ weight.T + bias
            seen = window_step(raw, before.kappa, keys, places, valid)
            now = WindowState(step.h, step.c, seen.context, seen.kappa)
            saved.append((given, before, step, seen))
        self._saved = saved, keys, valid, x.shape
        parts = (
            np.stack([getattr(entry[k], name) for entry in saved], axis=1)
            for k, name in ((2, "h"), (3, "context"), (3, "weights"))
        )
        return (*parts, now)

    def backward(self, d_output=None, d_context=None, d_weights=None):
        """Backpropagate through the latest call; what is None is zero.

        Parameters
        ----------
        d_output : array, shape (B, T, H), optional
        d_context : array, shape (B, T, D), optional
        d_weights : array, shape (B, T, U), optional

        Returns
        -------
        d_x : ndarray, shape (B, T, I)
        d_keys : ndarray, shape (B, U, D)
        """
        saved, keys, valid, shape = remembered(self._saved)
        batch, steps, _ = shape
        sizes = dict(d_output=self.hidden_size, d_context=self.key_size, d_weights=keys.shape[1])
        given = dict(d_output=d_output, d_context=d_context, d_weights=d_weights)
        for name, size in sizes.items():
            if given[name] is None:
                given[name] = np.zeros((batch, steps, size), keys.dtype)
            has_shape(name, np.shape(given[name]), (batch, steps, size), "that of the result")
        weight_ih, weight_hh = self.cell.weight_ih.data, self.cell.weight_hh.data
        later = self._zeros(batch, keys.dtype)
        d_x, d_keys = np.empty(shape, keys.dtype), np.zeros_like(keys)
        d_raw = np.empty((steps, batch, 3 * self.bumps), keys.dtype)
        d_gates = np.empty((steps, batch, 4 * self.hidden_size), keys.dtype)
        for t in reversed(range(steps)):
            _, before, step, seen = saved[t]
            d_raw[t], d_kappa, d_key = window_step_backward(
                given["d_context"][:, t] + later.context,
                given["d_weights"][:, t],
                later.kappa,
                seen,
                before.kappa,
                keys,
                valid,
            )
            d_keys += d_key
            d_h = given["d_output"][:, t] + later.h + d_raw[t] @ self.window.weight.data
            parts, d_c = equations.lstm_gates_backward(d_h, later.c, step, before.c)
            np.concatenate(parts, axis=1, out=d_gates[t])
            d_x[:, t], d_seen = np.split(d_gates[t] @ weight_ih, [self.input_size], axis=1)
            later = WindowState(d_gates[t] @ weight_hh, d_c, d_seen, d_kappa)
        self._add_gradients(saved, d_gates, d_raw)
        return d_x, d_keys if valid is None else d_keys * valid[..., None]

    def _add_gradients(self, saved, d_gates, d_raw):
        """All steps at once: one product of matrices for each weight."""
        read = np.concatenate([entry[0] for entry in saved])
        before = np.concatenate([entry[1].h for entry in saved])
        after = np.concatenate([entry[2].h for entry in saved])
        d_gates, d_raw = (d.reshape(-1, d.shape[-1]) for d in (d_gates, d_raw))
        self.cell.weight_ih.add_grad(d_gates.T @ read)
        self.cell.weight_hh.add_grad(d_gates.T @ before)
        self.cell.bias_ih.add_grad(d_gates.sum(axis=0))
        self.cell.bias_hh.add_grad(d_gates.sum(axis=0))
        self.window.weight.add_grad(d_raw.T @ after)
        self.window.bias.add_grad(d_raw.sum(axis=0))

    def _zeros(self, batch, dtype):
        sizes = self.hidden_size, self.hidden_size, self.key_size, self.bumps
        return WindowState(*(np.zeros((batch, size), dtype) for size in sizes))


class HandwritingModel(Handwriting, Module):
    r"""Two LSTMs and a mixture density that write a text with a pen.

    The first layer moves a window over the text, the second reads the points, the first layer and what
    the window shows; the head reads both layers:

    .. math::

        (h^1_t, w_t) = \operatorname{WindowLSTM}(x_t, w_{t-1}), \qquad
        h^2_t = \operatorname{LSTM}([x_t; h^1_t; w_t]), \qquad
        \text{raw}_t = V [h^1_t; h^2_t] + b

    where the keys are the characters as vectors of zeros with a one, and `raw` the parameters of the
    mixture for the next point, as :class:`MixtureDensity` and :class:`MDNLoss` have them.

    Parameters
    ----------
    vocabulary_size : int
        Number of different characters.
    hidden_size : int
        Units of each of the two layers.
    components : int
        Gaussians of the mixture.
    bumps, advance
        As in :class:`WindowLSTM`.
    forget_bias : float, optional
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`.

    Raises
    ------
    ValueError, TypeError
        As :class:`WindowLSTM`.

    References
    ----------
    A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013, section 5; with
    two layers in place of three, and the heights of the window as he has them.

    Examples
    --------
    >>> model = HandwritingModel(28, 8, components=3, rng=0)
    >>> raw = model(np.zeros((2, 30, 3)), np.ones((2, 5), int))
    >>> raw.shape, model.backward(np.ones_like(raw))[0].shape
    ((2, 30, 19), (2, 30, 3))
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
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        common = dict(dtype=dtype, device=device, rng=np.random.default_rng(rng))
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
        points : array, shape (B, T, 3)
            Offsets of the pen, and 1 where it is lifted.
        text : array of int, shape (B, U)
        point_lengths : sequence of int, optional
            Valid points of every line; needs no attention here, as no step looks ahead.
        text_lengths : sequence of int, optional
            Characters of every text.

        Returns
        -------
        ndarray, shape (B, T, 6M + 1)
        """
        return self._run(np.asarray(points), np.asarray(text), text_lengths)[0]

    def backward(self, d_raw):
        """Return the derivative by the points, and None for the text; add to the gradients."""
        hidden = self.first.hidden_size
        d_h, d_output = np.split(self.head.backward(d_raw), [hidden], axis=-1)
        d_points, d_more, d_context = np.split(
            self.second.backward(d_output)[0], [3, 3 + hidden], axis=-1
        )
        return d_points + self.first.backward(d_h + d_more, d_context)[0], None

    def window_weights(self, points, text, text_lengths=None):
        """Where the window stands after each point of given lines, an array of shape (B, T, U)."""
        return self._run(np.asarray(points), np.asarray(text), text_lengths)[1]

    def _run(self, points, text, lengths=None, state=(None, None)):
        check_line(points.shape, text.shape)
        check_indices(text, text.dtype.kind in "iu", self.vocabulary_size)
        keys = np.eye(self.vocabulary_size, dtype=self.head.weight.dtype)[text]
        h, context, weights, first = self.first(points, keys, lengths, state[0])
        output, second = self.second(np.concatenate((points, h, context), axis=-1), state[1])
        return self.head(np.concatenate((h, output), axis=-1)), weights, (first, second)

    def _advance(self, points, text, lengths, state):
        points = points.astype(self.head.weight.dtype)
        raw, weights, state = self._run(points, text, lengths, state or (None, None))
        return raw[:, -1], weights[:, -1], state
