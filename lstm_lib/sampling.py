r"""Drawing tokens from a model's logits: temperature, top-k and nucleus sampling.

Pure NumPy, used by both engines. Logits stand on the last axis, whatever comes before it. A logit of
:math:`-\infty` forbids its token; NaN and :math:`+\infty` are errors, and so are logits that forbid
every token. Among equal logits the token with the lower number goes first.
"""

import math

import numpy as np

from lstm_lib.validation import positive_int


def softmax(logits, temperature=1.0):
    r"""Probabilities of logits z at temperature :math:`\tau`.

    .. math::  p_k = \frac{\exp(z_k / \tau)}{\sum_j \exp(z_j / \tau)}

    Below 1 the likely tokens become likelier, above 1 all become more alike.

    Parameters
    ----------
    logits : array, shape (..., V)
    temperature : float
        At least 0 and finite; 0 gives the most likely token all the probability.

    Returns
    -------
    ndarray, shape (..., V)
        In float64. A forbidden token has the probability 0 exactly.

    Raises
    ------
    ValueError
        For logits that are empty, NaN, :math:`+\infty` or all :math:`-\infty`, or a wrong temperature.

    Examples
    --------
    >>> softmax(np.log([1.0, 3.0])).round(4)
    array([0.25, 0.75])
    >>> softmax([2.0, 5.0, 5.0], temperature=0)
    array([0., 1., 0.])
    """
    weights = np.exp(_scaled(_checked(logits), temperature))
    return weights / weights.sum(axis=-1, keepdims=True)


def top_k(logits, k):
    r"""Forbid all tokens but the `k` most likely.

    Parameters
    ----------
    logits : array, shape (..., V)
    k : int
        At least 1; where V or fewer tokens are possible anyway, all of those stay.

    Returns
    -------
    ndarray, shape (..., V)
        The logits, in float64, with :math:`-\infty` for every other token.

    Raises
    ------
    ValueError, TypeError
        For logits that :func:`softmax` refuses, or a `k` that is no positive integer.

    References
    ----------
    A. Fan, M. Lewis, Y. Dauphin, Hierarchical neural story generation, ACL 2018.

    Examples
    --------
    >>> top_k([1.0, 3.0, 2.0, 2.0], 2)
    array([-inf,   3.,   2., -inf])
    """
    logits = _checked(logits)
    return np.where(_rank(logits) < positive_int("k", k), logits, -np.inf)


def nucleus(logits, p):
    r"""Forbid all tokens outside the nucleus: the fewest that have a probability of at least `p` together.

    Parameters
    ----------
    logits : array, shape (..., V)
    p : float
        Above 0 and at most 1; 1 forbids nothing. The most likely token always stays.

    Returns
    -------
    ndarray, shape (..., V)
        The logits, in float64, with :math:`-\infty` for every other token.

    Raises
    ------
    ValueError
        For logits that :func:`softmax` refuses, or a `p` outside (0, 1].

    References
    ----------
    A. Holtzman, J. Buys, L. Du, M. Forbes, Y. Choi, The curious case of neural text degeneration,
    ICLR 2020.

    Examples
    --------
    >>> np.exp(nucleus(np.log([0.5, 0.125, 0.25, 0.125]), 0.7)).round(4)
    array([0.5 , 0.  , 0.25, 0.  ])
    """
    logits = _checked(logits)
    if not 0 < p <= 1:
        raise ValueError(f"p must lie above 0 and be at most 1, got {p}")
    if p == 1:
        return logits
    rank = _rank(logits)
    falling = np.empty_like(logits)
    np.put_along_axis(falling, rank, softmax(logits), axis=-1)
    before = np.zeros_like(logits)
    before[..., 1:] = np.cumsum(falling, axis=-1)[..., :-1]
    return np.where(np.take_along_axis(before, rank, axis=-1) < p, logits, -np.inf)


def sample_token(logits, rng=None, temperature=1.0, top_k=None, top_p=None):
    """Draw a token for every row of logits.

    The temperature comes first; of its distribution the `top_k` most likely tokens are kept, and of
    theirs, made to sum to 1 again, the nucleus of `top_p`.

    Parameters
    ----------
    logits : array, shape (..., V)
    rng : int or numpy.random.Generator, optional
        One number is drawn for every row, so the same `rng` gives the same tokens.
    temperature : float
        As in :func:`softmax`; 0 takes the most likely token.
    top_k : int, optional
        As in :func:`top_k`.
    top_p : float, optional
        As in :func:`nucleus`.

    Returns
    -------
    ndarray of int, shape (...)

    Raises
    ------
    ValueError
        As the three functions above.

    Examples
    --------
    >>> sample_token(np.log([[0.1, 0.9], [0.9, 0.1]]), rng=0)
    array([1, 0])
    >>> int(sample_token([0.0, 1.0, 0.5], temperature=0))
    1
    """
    keep = _scaled(_checked(logits), temperature)
    if top_k is not None:
        keep = _top_k(keep, top_k)
    if top_p is not None:
        keep = nucleus(keep, top_p)
    cumulative = np.cumsum(softmax(keep), axis=-1)
    cumulative /= cumulative[..., -1:]
    drawn = np.random.default_rng(rng).random((*cumulative.shape[:-1], 1))
    return (cumulative <= drawn).sum(axis=-1)


def continue_tokens(advance, prefix, steps, rng=None, stop=None, allowed=None, **options):
    """Draw tokens one after the other, each from what those before it make likely.

    Parameters
    ----------
    advance : callable
        Takes tokens, shape (B, T), and a state, None at first; returns the logits after the last of
        them, an array of shape (B, V), and the new state.
    prefix : array_like of int, shape (T,) or (B, T)
        What the text starts with, at least one token.
    steps : int
        Tokens to draw at most.
    rng : int or numpy.random.Generator, optional
    stop : int, optional
        A row ends with this token and is filled up with it; when every row has ended, so does all.
    allowed : callable, optional
        Takes all tokens so far, prefix included, shape (B, T), and says which may come next: an array of
        bool, shape (V,) or (B, V). Drawing is from what it leaves, so a form can be forced.
    **options
        As in :func:`sample_token`.

    Returns
    -------
    ndarray of int64, shape (steps,) or (B, steps), or fewer steps
        The tokens drawn, without the prefix.

    Raises
    ------
    TypeError
        If the prefix does not hold integers.
    ValueError
        If it is empty or has a wrong shape, `steps` is below 1, or nothing is allowed.

    Examples
    --------
    A model that always counts on by one, to the base 5:

    >>> def advance(tokens, state):
    ...     return 100.0 * np.eye(5)[(tokens[:, -1] + 1) % 5], state
    >>> continue_tokens(advance, [1, 2], steps=6)
    array([3, 4, 0, 1, 2, 3])
    >>> continue_tokens(advance, [[1, 2], [0, 0]], steps=6, stop=4)
    array([[3, 4, 4, 4], [1, 2, 3, 4]])

    No token twice:

    >>> def new(tokens):
    ...     return (tokens[:, :, None] != np.arange(5)).all(axis=1)
    >>> sorted(continue_tokens(advance, [1], steps=4, rng=0, allowed=new).tolist())
    [0, 2, 3, 4]
    """
    prefix, steps = np.asarray(prefix), positive_int("steps", steps)
    if prefix.ndim not in (1, 2) or prefix.size == 0:
        raise ValueError(
            f"prefix must have shape (tokens,) or (batch, tokens) and not be empty, got {prefix.shape}"
        )
    if prefix.dtype.kind not in "iu":
        raise TypeError(f"prefix must hold integers, got dtype {prefix.dtype}")
    rng = np.random.default_rng(rng)
    tokens, state, drawn = np.atleast_2d(prefix).astype(np.int64), None, []
    before, ended = [tokens], np.zeros(len(tokens), bool)
    while len(drawn) < steps and not ended.all():
        logits, state = advance(tokens, state)
        if allowed is not None:
            logits = np.where(allowed(np.concatenate(before, axis=1)), logits, -np.inf)
        token = sample_token(logits, rng, **options)
        if stop is not None:
            token = np.where(ended, stop, token)
            ended = token == stop
        drawn.append(token)
        tokens = token[:, None]
        before.append(tokens)
    drawn = np.stack(drawn, axis=1)
    return drawn if prefix.ndim == 2 else drawn[0]


_top_k = top_k  # sample_token has an argument of that name


def _scaled(logits, temperature):
    """Logits over the temperature, shifted so that the largest of a row is 0."""
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be a finite number of at least 0, got {temperature}")
    if temperature == 0:
        first = np.argmax(logits, axis=-1)[..., None]
        return np.where(np.arange(logits.shape[-1]) == first, 0.0, -np.inf)
    with np.errstate(over="ignore"):
        return (logits - logits.max(axis=-1, keepdims=True)) / temperature


def _rank(logits):
    """Place of every token in the order from the most to the least likely."""
    order = np.argsort(-logits, axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(logits.shape[-1]), axis=-1)
    return rank


def _checked(logits):
    logits = np.asarray(logits, np.float64)
    if logits.ndim == 0 or 0 in logits.shape:
        raise ValueError(
            f"logits must have shape (..., tokens) and not be empty, got {logits.shape}"
        )
    if np.isnan(logits).any() or (logits == np.inf).any():
        raise ValueError("logits must be finite, or -inf for a token that is forbidden")
    if (logits == -np.inf).all(axis=-1).any():
        raise ValueError("every token is forbidden: all logits of a row are -inf")
    return logits
