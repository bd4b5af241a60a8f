r"""Graves's soft window: how a network that writes looks at its text, letter after letter.

One step as pure functions of arrays, for NumPy and torch alike; the layers are ``SoftWindow``,
``WindowLSTM`` and ``HandwritingModel`` of either engine.

With K bumps over the U places of a text, each place :math:`u = 0 \dots U - 1` with a key
:math:`s_u`, the raw outputs :math:`\hat\alpha_t, \hat\beta_t, \hat\kappa_t` of a layer say

.. math::

    \alpha_t = \exp \hat\alpha_t, \quad \beta_t = \exp \hat\beta_t, \quad
    \kappa_t = \kappa_{t-1} + \exp \hat\kappa_t

    \phi_t(u) = \sum_{k=1}^K \alpha_t^k \exp\!\big(-\beta_t^k (\kappa_t^k - u)^2\big), \qquad
    w_t = \sum_{u=0}^{U-1} \phi_t(u)\, s_u

The centres :math:`\kappa` can only move on, and the weights :math:`\phi` need not sum to 1.

References
----------
A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013, equations 46 to 51,
which count places from 1.
"""

from typing import Any, NamedTuple

import numpy as np

from lstm_lib.mixtures import sample_mixture
from lstm_lib.validation import check_indices, has_shape, positive_int

__all__ = [
    "Handwriting",
    "WindowState",
    "WindowStep",
    "WrittenLine",
    "window_step",
    "window_step_backward",
]


class WindowStep(NamedTuple):
    """What one step of a window computed.

    ``context`` (B, D) and ``weights`` (B, U) are the results; ``alpha``, ``beta`` and ``kappa`` have
    the shape (B, K), ``distance`` and ``bumps`` (B, K, U).
    """

    context: Any
    weights: Any
    kappa: Any
    alpha: Any
    beta: Any
    distance: Any
    bumps: Any


class WindowState(NamedTuple):
    """All that a layer with a window carries from step to step.

    ``h`` and ``c`` (B, H) of the cell, the latest ``context`` (B, D), and ``kappa`` (B, K).
    """

    h: Any
    c: Any
    context: Any
    kappa: Any


class WrittenLine(NamedTuple):
    """A line that a model wrote: offsets of the pen with ends of strokes (T, 3), the window's weights
    (T, U) when each was drawn, and whether the line came to its end by itself."""

    points: np.ndarray
    weights: np.ndarray
    ended: bool


def window_step(raw, kappa, keys, places, valid=None):
    """Move the window on and look through it.

    Parameters
    ----------
    raw : array, shape (B, 3K)
        K each of the raw heights, sharpnesses and moves.
    kappa : array, shape (B, K)
        The centres before the step.
    keys : array, shape (B, U, D)
        What stands at every place.
    places : array, shape (U,)
        The numbers 0, 1, ... of the places.
    valid : array, shape (B, U), optional
        1 where a text has a place and 0 past its end, where the weight is 0 then.

    Returns
    -------
    WindowStep

    Examples
    --------
    One bump of height 1 and sharpness 1 moves by one place: it stands on the second letter and sees
    a little of the first.

    >>> keys = np.eye(2)[None]
    >>> step = window_step(np.zeros((1, 3)), np.zeros((1, 1)), keys, np.arange(2.0))
    >>> step.kappa, step.weights.round(3)
    (array([[1.]]), array([[0.368, 1.   ]]))
    """
    size = kappa.shape[-1]
    alpha, beta = _exp(raw[:, :size]), _exp(raw[:, size : 2 * size])
    kappa = kappa + _exp(raw[:, 2 * size :])
    distance = kappa[..., None] - places
    bumps = _exp(-beta[..., None] * (distance * distance))
    weights = (alpha[:, None] @ bumps)[:, 0]
    weights = weights if valid is None else weights * valid
    context = (weights[:, None] @ keys)[:, 0]
    return WindowStep(context, weights, kappa, alpha, beta, distance, bumps)


def window_step_backward(d_context, d_weights, d_kappa, step, kappa, keys, valid=None):
    r"""Derivative of :func:`window_step`.

    With :math:`\delta\phi(u) = \delta\phi(u) + \delta w \cdot s_u` and
    :math:`b^k_u = \exp(-\beta^k (\kappa^k - u)^2)`:

    .. math::

        \delta\hat\alpha^k = \alpha^k \sum_u \delta\phi(u)\, b^k_u, \qquad
        \delta\hat\beta^k = -\alpha^k \beta^k \sum_u \delta\phi(u)\, b^k_u (\kappa^k - u)^2

        \delta\kappa^k = \delta\kappa^k - 2 \alpha^k \beta^k \sum_u \delta\phi(u)\, b^k_u
        (\kappa^k - u), \qquad
        \delta\hat\kappa^k = \delta\kappa^k (\kappa^k_t - \kappa^k_{t-1})

    Parameters
    ----------
    d_context, d_weights, d_kappa : arrays, shapes (B, D), (B, U) and (B, K)
    step : WindowStep
    kappa : array, shape (B, K)
        The centres before the step.
    keys, valid
        As in :func:`window_step`.

    Returns
    -------
    d_raw : ndarray, shape (B, 3K)
    d_kappa_prev : ndarray, shape (B, K)
    d_keys : ndarray, shape (B, U, D)

    Examples
    --------
    Where only the centre counts, its derivative goes to the move and to the centre before:

    >>> keys, zero = np.eye(2)[None], np.zeros((1, 1))
    >>> step = window_step(np.zeros((1, 3)), zero, keys, np.arange(2.0))
    >>> d_raw, d_kappa, _ = window_step_backward(
    ...     np.zeros((1, 2)), np.zeros((1, 2)), np.ones((1, 1)), step, zero, keys)
    >>> float(d_raw[0, 2]), float(d_kappa[0, 0]), bool(d_raw[0, :2].any())
    (1.0, 1.0, False)
    """
    d_weights = d_weights + (keys @ d_context[..., None])[..., 0]
    d_weights = d_weights if valid is None else d_weights * valid
    d_keys = step.weights[..., None] * d_context[:, None]
    shares = step.bumps * d_weights[:, None]
    far, slope = step.distance, -step.alpha * step.beta
    d_alpha = step.alpha * shares.sum(axis=-1)
    d_beta = slope * (shares * far * far).sum(axis=-1)
    d_kappa = d_kappa + 2 * slope * (shares * far).sum(axis=-1)
    d_move = d_kappa * (step.kappa - kappa)
    return np.concatenate((d_alpha, d_beta, d_move), axis=-1), d_kappa, d_keys


class Handwriting:
    """Base of both engines' ``HandwritingModel``: everything that does not compute a layer.

    A subclass defines ``_advance``.

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> isinstance(L.HandwritingModel(5, 4, rng=0), Handwriting)
    True
    """

    def write(self, texts, rng=None, bias=0.0, max_steps=1000):
        """Write texts, point after point, each drawn from the mixture that those before lead to.

        A line ends with the first stroke at whose first point the window looks at the last place of
        the text more than at any other. So let every text end in a sign that is drawn in one stroke,
        such as a full stop.

        Parameters
        ----------
        texts : sequence of sequences of int
            Numbers of the characters of every text, one or more.
        rng : int or numpy.random.Generator, optional
            The same value gives the same lines, in both engines.
        bias : float
            Above 0 for tidier lines; see :func:`lstm_lib.mixtures.mixture`.
        max_steps : int
            Where a line is broken off that does not end by itself.

        Returns
        -------
        list of WrittenLine
        """
        padded, lengths = padded_texts(texts, self.vocabulary_size)
        rng = np.random.default_rng(rng)
        points, state = np.zeros((len(texts), 1, 3)), None
        drawn, seen, ends = [], [], np.zeros(len(texts), int)
        lifted, last_stroke = np.ones(len(texts), bool), np.zeros(len(texts), bool)
        was_training = self.training
        self.eval()
        try:
            for step in range(1, positive_int("max_steps", max_steps) + 1):
                raw, weights, state = self._advance(points, padded, lengths, state)
                points = sample_mixture(raw, rng, bias)[:, None]
                drawn.append(points)
                seen.append(weights[:, None])
                at_last = weights.argmax(axis=1) == lengths - 1
                last_stroke = np.where(lifted, at_last, last_stroke)
                lifted = points[:, 0, 2] == 1
                ends[(ends == 0) & last_stroke & lifted] = step
                if ends.all():
                    break
        finally:
            self.train(was_training)
        drawn, seen = np.concatenate(drawn, axis=1), np.concatenate(seen, axis=1)
        steps = np.where(ends == 0, drawn.shape[1], ends)
        return [
            WrittenLine(drawn[b, : steps[b]], seen[b, : steps[b], : lengths[b]], bool(ends[b]))
            for b in range(len(texts))
        ]

    def output_mask(self, lengths, steps):
        """Which of `steps` points of every line count; None for all, if no line has a length."""
        ends = lengths[0] if isinstance(lengths, tuple) else lengths
        return None if ends is None else np.arange(steps) < np.asarray(ends)[:, None]


def padded_texts(texts, vocabulary_size):
    """Texts as one array of numbers, filled up with 0, and their lengths.

    Examples
    --------
    >>> padded, lengths = padded_texts([[3, 1], [2]], 4)
    >>> padded.tolist(), lengths.tolist()
    ([[3, 1], [2, 0]], [2, 1])
    """
    if len(texts) == 0 or not all(len(text) for text in texts):
        raise ValueError("texts must hold at least one text, and each at least one character")
    lengths = np.array([len(text) for text in texts])
    padded = np.zeros((len(texts), lengths.max()), np.int64)
    for row, text in zip(padded, texts, strict=True):
        row[: len(text)] = text
    check_indices(padded, True, vocabulary_size)
    return padded, lengths


def check_line(points, text):
    """Check the shapes of a batch of lines and of their texts."""
    has_shape("points", points, (None, None, 3), "(batch, steps, 3)")
    has_shape("text", text, (points[0], None), "(batch, characters)")


def check_window(x, keys, input_size, key_size):
    """Check the shapes of what a layer with a window reads."""
    has_shape("x", x, (None, None, input_size), "(batch, steps, input_size)")
    has_shape("keys", keys, (x[0], None, key_size), "(batch, places, key_size)")


def _exp(x):
    return x.exp() if hasattr(x, "exp") else np.exp(x)
