r"""Mixtures of Gaussians whose parameters a network puts out: density, mean and samples.

A network gives a vector of raw outputs; this module says what they mean. It works on NumPy arrays and
serves both engines; the layers and losses that train such networks are ``MixtureDensity`` and
``MDNLoss`` of either engine.

Two kinds of mixture, with M components:

``"pen"``
    For handwriting: the target is :math:`(x_1, x_2, x_3)`, the pen's offset and 1 where a stroke
    ends. The raw outputs are 6M + 1 numbers, M of each of
    :math:`\hat\pi, \hat\mu_1, \hat\mu_2, \hat\sigma_1, \hat\sigma_2, \hat\rho` and then
    :math:`\hat e`:

    .. math::

        p(x) = \Big(\sum_{j=1}^M \pi^j\, \mathcal N(x_1, x_2 \mid \mu^j, \sigma^j, \rho^j)\Big)\,
        e^{x_3} (1 - e)^{1 - x_3}

``"real"``
    For a real number x: 3M raw outputs, M of each of :math:`\hat\pi, \hat\mu, \hat\sigma`:

    .. math::  p(x) = \sum_{j=1}^M \pi^j\, \mathcal N(x \mid \mu^j, \sigma^j)

with

.. math::

    \pi = \operatorname{softmax}(\hat\pi), \quad \mu = \hat\mu, \quad \sigma = \exp(\hat\sigma), \quad
    \rho = \tanh(\hat\rho), \quad e = \operatorname{sigmoid}(\hat e)

Before the exponential :math:`\hat\sigma` is held within :math:`\pm 15` and before the hyperbolic tangent
:math:`\hat\rho` within :math:`\pm 8`, so that no component collapses onto a point or a line, where its
density would be infinite. Densities are in nats.

References
----------
A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013, equations 15 to 25,
which write :math:`e = 1 / (1 + \exp \hat e)`, the same with the sign of :math:`\hat e` turned;
C. Bishop, Mixture density networks, Aston University NCRG/94/004, 1994.
"""

import math
from typing import NamedTuple

import numpy as np

from lstm_lib.equations import sigmoid
from lstm_lib.validation import has_shape, one_of, positive_int

__all__ = [
    "CORRELATION_LIMIT",
    "KINDS",
    "LOG_SCALE_LIMIT",
    "Mixture",
    "RawMixture",
    "continue_points",
    "kind_of",
    "log_components",
    "log_density",
    "mixture",
    "mixture_mean",
    "output_size",
    "sample_mixture",
    "split",
]

KINDS = ("pen", "real")
"""The kinds of mixture."""

LOG_SCALE_LIMIT = 15.0
r"""Largest size of :math:`\hat\sigma`: standard deviations lie between 3e-7 and 3e6."""

CORRELATION_LIMIT = 8.0
r"""Largest size of :math:`\hat\rho`: correlations stay 2e-7 away from 1."""

_TARGETS = {"pen": 3, "real": 1}


class RawMixture(NamedTuple):
    """A network's raw outputs, taken apart; entries have the shape (..., M)."""

    weight: object
    mean: list
    scale: list
    correlation: object
    end: object


class Mixture(NamedTuple):
    """What raw outputs mean, for arrays of shape (..., 6M + 1) or (..., 3M).

    ``weight`` has the shape (..., M), ``mean`` and ``scale`` (..., M, D) with D = 2 for a pen and 1 for
    a real number. ``correlation``, shape (..., M), and ``end``, shape (...), are None for a real number.
    """

    weight: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    correlation: np.ndarray | None
    end: np.ndarray | None


def output_size(components, kind="pen"):
    """Return how many raw outputs a mixture of so many components has.

    Parameters
    ----------
    components : int
        M, at least 1.
    kind : {"pen", "real"}

    Returns
    -------
    int

    Raises
    ------
    ValueError, TypeError
        If `components` is no positive integer, or the kind is unknown.

    Examples
    --------
    >>> output_size(20), output_size(20, "real")
    (121, 60)
    """
    components = positive_int("components", components)
    return 6 * components + 1 if one_of("kind", kind, KINDS) == "pen" else 3 * components


def kind_of(size):
    """Return the kind of mixture that `size` raw outputs belong to: no size belongs to both.

    Parameters
    ----------
    size : int

    Returns
    -------
    str
        ``"pen"`` or ``"real"``.

    Raises
    ------
    ValueError
        If no number of components has so many raw outputs.

    Examples
    --------
    >>> kind_of(121), kind_of(60)
    ('pen', 'real')
    >>> kind_of(8)
    Traceback (most recent call last):
        ...
    ValueError: parameters must hold 6M + 1 numbers (pen) or 3M (real) on their last axis, got 8
    """
    if size > 1 and size % 6 == 1:
        return "pen"
    if size and size % 3 == 0:
        return "real"
    raise ValueError(
        f"parameters must hold 6M + 1 numbers (pen) or 3M (real) on their last axis, got {size}"
    )


def check_parameters(shape):
    """Check the shape of raw outputs and return their kind."""
    shape = tuple(shape)
    if not shape or 0 in shape:
        raise ValueError(
            f"parameters must have shape (..., 6M + 1) or (..., 3M) and not be empty, got {shape}"
        )
    return kind_of(shape[-1])


def check_target(shape, parameters_shape):
    """Check that a target fits raw outputs of `parameters_shape`; return their kind."""
    kind = check_parameters(parameters_shape)
    meaning = "(..., dx, dy, end of stroke)" if kind == "pen" else "(..., value)"
    has_shape("target", shape, (*parameters_shape[:-1], _TARGETS[kind]), meaning)
    return kind


def check_ends(are_flags):
    """Raise unless every end of stroke is 0 or 1."""
    if not are_flags:
        raise ValueError("the end of a stroke, the target's last entry, must be 0 or 1")


def split(parameters):
    """Take raw outputs of either engine apart, without changing them.

    Parameters
    ----------
    parameters : array or tensor, shape (..., 6M + 1) or (..., 3M)

    Returns
    -------
    RawMixture
        Its entries are views.

    Raises
    ------
    ValueError
        If the last axis fits no kind of mixture.

    Examples
    --------
    Two components of a real number, their weights first, then means and scales:

    >>> split(np.array([0.0, 1.0, 5.0, 7.0, -1.0, -2.0])).mean
    [array([5., 7.])]
    """
    size = parameters.shape[-1]
    kind = kind_of(size)
    blocks = 6 if kind == "pen" else 3
    m = size // blocks
    block = [parameters[..., k * m : (k + 1) * m] for k in range(blocks)]
    if kind == "real":
        return RawMixture(block[0], block[1:2], block[2:3], None, None)
    return RawMixture(block[0], block[1:3], block[3:5], block[5], parameters[..., -1])


def bounded(x, limit):
    """Hold the real part of `x` within ±`limit`; beyond it nothing depends on `x`."""
    return np.where(np.abs(x.real) <= limit, x, np.clip(x.real, -limit, limit))


def log_softmax(z):
    """Logarithm of the softmax over the last axis, without overflow."""
    shifted = z - z.real.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_components(raw, target):
    r"""Logarithm of every component's share of the density, :math:`\log (\pi^j \mathcal N^j)`.

    With :math:`u_k = (x_k - \mu_k) / \sigma_k` and :math:`r = \hat\rho` a component of a pen's mixture is
    written so that nothing cancels near :math:`|\rho| = 1`:

    .. math::

        \log \mathcal N = -\log 2 \pi - \hat\sigma_1 - \hat\sigma_2 + \log \cosh r - \tfrac18
        \left[(u_1 + u_2)^2 (1 + e^{-2r}) + (u_1 - u_2)^2 (1 + e^{2r})\right]

    Parameters
    ----------
    raw : RawMixture
        Blocks of shape (..., M), real or complex.
    target : array, shape (..., 3) or (..., 1)

    Returns
    -------
    array, shape (..., M)

    Examples
    --------
    Two standard normal components of equal weight at 1 and -1: the value 1 is 2 deviations from the
    second, whose logarithm is lower by :math:`2^2 / 2`.

    >>> raw = split(np.array([0.0, 0.0, 1.0, -1.0, 0.0, 0.0]))
    >>> log_components(raw, np.array([1.0])).round(3)
    array([-1.612, -3.612])
    """
    scale = [bounded(s, LOG_SCALE_LIMIT) for s in raw.scale]
    u = [(target[..., k : k + 1] - raw.mean[k]) * np.exp(-scale[k]) for k in range(len(raw.mean))]
    constant = -0.5 * len(u) * math.log(2 * math.pi)
    log_normal = constant - sum(scale)
    if raw.correlation is None:
        return log_softmax(raw.weight) + log_normal - 0.5 * u[0] * u[0]
    r = bounded(raw.correlation, CORRELATION_LIMIT)
    along, across = u[0] + u[1], u[0] - u[1]
    quadratic = along**2 * (1 + np.exp(-2 * r)) + across**2 * (1 + np.exp(2 * r))
    return log_softmax(raw.weight) + log_normal + np.log(np.cosh(r)) - 0.125 * quadratic


def log_end(raw_end, end):
    r"""Logarithm of the end of stroke's probability, :math:`x_3 \hat e - \log(1 + \exp \hat e)`."""
    positive = raw_end.real > 0
    softplus = np.where(positive, raw_end, 0) + np.log1p(
        np.exp(np.where(positive, -raw_end, raw_end))
    )
    return end * raw_end - softplus


def log_sum_exp(z):
    """Logarithm of the sum of exponentials over the last axis, without overflow."""
    largest = z.real.max(axis=-1, keepdims=True)
    return (largest + np.log(np.exp(z - largest).sum(axis=-1, keepdims=True)))[..., 0]


def log_density(parameters, target):
    """Logarithm of the density of targets under raw outputs, in nats.

    Parameters
    ----------
    parameters : array, shape (..., 6M + 1) or (..., 3M)
    target : array, shape (..., 3) or (..., 1)

    Returns
    -------
    array, shape (...)

    Raises
    ------
    ValueError
        For shapes that do not fit, or an end of stroke that is neither 0 nor 1.

    Examples
    --------
    One standard normal component, at its mean: :math:`-\\tfrac12 \\log 2\\pi`.

    >>> print(f"{log_density(np.zeros(3), np.zeros(1)):.4f}")
    -0.9189
    """
    parameters, target = np.asarray(parameters), np.asarray(target)
    kind = check_target(target.shape, parameters.shape)
    raw = split(parameters)
    value = log_sum_exp(log_components(raw, target))
    if kind == "pen":
        end = target[..., 2]
        check_ends(np.isin(end, (0, 1)).all())
        value = value + log_end(raw.end, end)
    return value


def mixture(parameters, bias=0.0):
    r"""Turn raw outputs into weights, means, standard deviations, correlations and probabilities.

    A `bias` b above 0 makes samples tidier: components become narrower and the likely ones likelier,

    .. math::

        \sigma = \exp(\hat\sigma - b), \qquad \pi = \operatorname{softmax}((1 + b)\, \hat\pi)

    Parameters
    ----------
    parameters : array, shape (..., 6M + 1) or (..., 3M)
    bias : float
        At least 0.

    Returns
    -------
    Mixture

    Raises
    ------
    ValueError
        For a wrong shape, numbers that are not finite or a negative bias.

    References
    ----------
    Graves 2013, section 5.4.

    Examples
    --------
    >>> m = mixture(np.zeros(13))
    >>> m.weight, m.mean.shape, float(m.end)
    (array([0.5, 0.5]), (2, 2), 0.5)
    """
    parameters = np.asarray(parameters)
    kind = check_parameters(parameters.shape)
    if not np.isfinite(parameters).all():
        raise ValueError("parameters of a mixture must be finite, got NaN or infinity")
    if not 0 <= bias < math.inf:
        raise ValueError(f"bias must be a finite number of at least 0, got {bias}")
    raw = split(parameters)
    weight = np.exp(log_softmax((1 + bias) * raw.weight))
    mean = np.stack(raw.mean, axis=-1)
    scale = np.exp(bounded(np.stack(raw.scale, axis=-1), LOG_SCALE_LIMIT) - bias)
    if kind == "real":
        return Mixture(weight, mean, scale, None, None)
    correlation = np.tanh(bounded(raw.correlation, CORRELATION_LIMIT))
    return Mixture(weight, mean, scale, correlation, sigmoid(raw.end))


def mixture_mean(parameters):
    r"""Mean of the target under raw outputs: :math:`\sum_j \pi^j \mu^j`, and :math:`e` for a pen.

    Parameters
    ----------
    parameters : array, shape (..., 6M + 1) or (..., 3M)

    Returns
    -------
    array, shape (..., 3) or (..., 1)

    Examples
    --------
    Two components of equal weight, at 1 and 4:

    >>> mixture_mean(np.array([0.0, 0.0, 1.0, 4.0, 0.0, 0.0]))
    array([2.5])
    """
    m = mixture(parameters)
    mean = (m.weight[..., None] * m.mean).sum(axis=-2)
    return mean if m.end is None else np.concatenate((mean, m.end[..., None]), axis=-1)


def sample_mixture(parameters, rng=None, bias=0.0):
    r"""Draw a target from the mixture of each vector of raw outputs.

    First a component, then a point of it: with independent standard normal numbers
    :math:`n_1, n_2`, :math:`x_1 = \mu_1 + \sigma_1 n_1` and
    :math:`x_2 = \mu_2 + \sigma_2 (\rho\, n_1 + \sqrt{1 - \rho^2}\, n_2)`.

    Parameters
    ----------
    parameters : array, shape (..., 6M + 1) or (..., 3M)
    rng : int or numpy.random.Generator, optional
    bias : float
        As in :func:`mixture`; 0 samples from the density itself.

    Returns
    -------
    array, shape (..., 3) or (..., 1)

    References
    ----------
    Graves 2013, section 5.4, for the bias.

    Examples
    --------
    A large bias leaves the mean of the likeliest component:

    >>> sample_mixture(np.array([0.0, 1.0, 5.0, 7.0, 0.0, 0.0]), rng=0, bias=100.0)
    array([7.])
    """
    rng = np.random.default_rng(rng)
    parameters = np.asarray(parameters)
    m = mixture(parameters.astype(np.float64), bias)
    chosen = _choose(m.weight, rng)
    mean, scale = (np.take_along_axis(a, chosen[..., None], axis=-2)[..., 0, :] for a in m[1:3])
    noise = rng.standard_normal(mean.shape)
    if m.end is None:
        return (mean + scale * noise).astype(parameters.dtype)
    rho = np.take_along_axis(m.correlation, chosen, axis=-1)[..., 0]
    second = rho * noise[..., 0] + np.sqrt(1 - rho**2) * noise[..., 1]
    point = mean + scale * np.stack((noise[..., 0], second), axis=-1)
    end = rng.random(m.end.shape) < m.end
    return np.concatenate((point, end[..., None]), axis=-1).astype(parameters.dtype)


def continue_points(advance, prefix, steps, rng=None, bias=0.0):
    """Draw points one after the other, each from the mixture that those before it lead to.

    Parameters
    ----------
    advance : callable
        Takes points, shape (B, T, D), and a state, None at first; returns the raw outputs after the last
        of them, an array of shape (B, 6M + 1) or (B, 3M), and the new state.
    prefix : array_like, shape (T, D) or (B, T, D)
        What the sequence starts with, at least one point; D is 3 for a pen, 1 for a real number.
    steps : int
    rng : int or numpy.random.Generator, optional
    bias : float
        As in :func:`sample_mixture`.

    Returns
    -------
    ndarray, shape (steps, D) or (B, steps, D)
        The points drawn, without the prefix.

    Raises
    ------
    ValueError
        If the prefix is empty or has a wrong shape, or `steps` is below 1.

    Examples
    --------
    A model that counts on by one, as surely as a mixture can:

    >>> def advance(points, state):
    ...     return np.array([[0.0, points[0, -1, 0] + 1, -15.0]]), state
    >>> continue_points(advance, [[3.0]], steps=4, rng=0).round(3).ravel()
    array([4., 5., 6., 7.])
    """
    prefix, steps = np.asarray(prefix, np.float64), positive_int("steps", steps)
    if prefix.ndim not in (2, 3) or prefix.size == 0:
        raise ValueError(
            "prefix must have shape (points, numbers) or (batch, points, numbers) and not be empty, "
            f"got {prefix.shape}"
        )
    rng = np.random.default_rng(rng)
    points, state, drawn = prefix.reshape(-1, *prefix.shape[-2:]), None, []
    for _ in range(steps):
        parameters, state = advance(points, state)
        points = sample_mixture(parameters, rng, bias)[:, None]
        drawn.append(points)
    drawn = np.concatenate(drawn, axis=1)
    return drawn if prefix.ndim == 3 else drawn[0]


def _choose(weight, rng):
    """One component a row, shape (..., 1), by the inverse of the cumulative weights."""
    cumulative = np.cumsum(weight, axis=-1)
    cumulative /= cumulative[..., -1:]
    drawn = rng.random((*weight.shape[:-1], 1))
    return (cumulative <= drawn).sum(axis=-1, keepdims=True)
