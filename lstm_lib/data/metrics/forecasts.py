"""Errors of a forecast, with their definitions, and how sure we are of them.

A trained network is uncertain in two ways. Another seed gives other weights, so train it
several times and show every run. Another stretch of time gives other data: that is what
`block_bootstrap` measures, and no number of seeds makes it smaller.
"""

from typing import NamedTuple

import numpy as np

from lstm_lib.validation import positive_int

__all__ = [
    "Interval",
    "block_bootstrap",
    "coverage",
    "crps",
    "mae",
    "mase",
    "pinball",
    "rmse",
    "skill",
]


def mae(actual, forecast):
    r"""Mean absolute error :math:`\frac1n \sum_t |y_t - \hat y_t|`, in the unit of the data.

    Parameters
    ----------
    actual, forecast : array_like of equal shape

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return float(np.abs(_errors(actual, forecast)).mean())


def rmse(actual, forecast):
    r"""Root mean squared error :math:`\sqrt{\frac1n \sum_t (y_t - \hat y_t)^2}`.

    Parameters
    ----------
    actual, forecast : array_like of equal shape

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> rmse([0.0, 0.0], [3.0, 4.0]).__round__(3)
    3.536
    """
    return float(np.sqrt(np.square(_errors(actual, forecast)).mean()))


def mase(actual, forecast, train, period=1):
    r"""Mean absolute scaled error: 1 is as good as the naive forecast was in training.

    .. math::

        \frac{\frac1n \sum_t |y_t - \hat y_t|}
             {\frac{1}{T-m} \sum_{t=m}^{T-1} |s_t - s_{t-m}|}

    The denominator is the one-step error of repeating the value of :math:`m` steps ago,
    on the training series :math:`s_0, \dots, s_{T-1}`.

    Parameters
    ----------
    actual, forecast : array_like of equal shape
    train : array_like, shape (T,)
        The training series, in the same unit.
    period : int
        The season :math:`m`; 1 is plain persistence.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ, or the training series is too short or never changes.

    References
    ----------
    R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy",
    International Journal of Forecasting 22 (2006) 679-688.

    Examples
    --------
    >>> mase([5.0], [7.0], train=[1.0, 2.0, 3.0])
    2.0
    """
    period = positive_int("period", period)
    train = np.asarray(train, dtype=float)
    if train.ndim != 1 or train.size <= period:
        raise ValueError(f"train must have shape (T,) with T > {period}, got {train.shape}")
    naive = float(np.abs(train[period:] - train[:-period]).mean())
    if not naive > 0:
        raise ValueError("train never changes (or is not finite), so there is nothing to scale by")
    return mae(actual, forecast) / naive


def skill(actual, forecast, baseline):
    r"""Share of the baseline's squared error that the forecast removes.

    .. math:: 1 - \sum_t (y_t - \hat y_t)^2 \big/ \sum_t (y_t - b_t)^2

    1 is perfect, 0 is as good as the baseline, below 0 is worse. With the training mean
    as the baseline this is the out-of-sample :math:`R^2`.

    Parameters
    ----------
    actual, forecast, baseline : array_like of equal shape

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ, nothing is there or the baseline makes no error.

    Examples
    --------
    >>> skill([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], baseline=[2.0, 2.0, 2.0])
    0.5
    """
    worst = np.square(_errors(actual, baseline)).sum()
    if not worst > 0:
        raise ValueError("the baseline makes no error, so nothing can be better")
    return float(1 - np.square(_errors(actual, forecast)).sum() / worst)


def pinball(actual, quantiles, levels):
    r"""Quantile loss, in the unit of the data; 0 is perfect, and less is better.

    .. math::

        \frac{1}{nQ} \sum_{t,q} \max\bigl(\tau_q\,(y_t - \hat y_{tq}),\
        (\tau_q - 1)\,(y_t - \hat y_{tq})\bigr)

    The forecast of least expected loss at level :math:`\tau` is the :math:`\tau`-quantile. At
    0.5 this is half the mean absolute error.

    Parameters
    ----------
    actual : array_like, shape (n,)
    quantiles : array_like, shape (n, Q)
        A forecast for each level.
    levels : array_like, shape (Q,)
        The levels :math:`\tau_q`, between 0 and 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes do not fit or a level is not between 0 and 1.

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1978) 33-50.

    Examples
    --------
    >>> pinball([10.0], [[8.0, 11.0]], levels=[0.5, 0.9])
    0.55
    """
    levels, error = np.asarray(levels, dtype=float), _against(actual, quantiles, "quantiles")
    if levels.shape != error.shape[1:] or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(
            f"levels must be {error.shape[1]} numbers between 0 and 1, got {levels.tolist()}"
        )
    return float(np.maximum(levels * error, (levels - 1) * error).mean())


def crps(actual, samples):
    r"""Continuous ranked probability score of a sampled forecast, in the unit of the data.

    .. math::

        \frac1n \sum_t \Bigl( \frac1S \sum_s |x_{ts} - y_t|
        - \frac{1}{2 S^2} \sum_{s,s'} |x_{ts} - x_{ts'}| \Bigr)

    0 is perfect, and less is better. For a single sample it is the mean absolute error, so
    a forecast by samples can be compared with a forecast by one number.

    Parameters
    ----------
    actual : array_like, shape (n,)
    samples : array_like, shape (n, S)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and
    estimation", Journal of the American Statistical Association 102 (2007) 359-378.

    Examples
    --------
    >>> crps([1.0], [[0.0, 2.0]])
    0.5
    """
    ordered = np.sort(np.asarray(samples, dtype=float), axis=-1)
    error = np.abs(_against(actual, ordered, "samples")).mean(axis=1)
    size = ordered.shape[1]
    weights = 2 * np.arange(size) - size + 1
    return float((error - ordered @ weights / size**2).mean())


def coverage(actual, low, high):
    """Share of the values that lie in their intervals, ends included; between 0 and 1.

    An honest 80 % interval has a coverage of 0.8, neither less nor more.

    Parameters
    ----------
    actual, low, high : array_like of equal shape

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> coverage([1.0, 2.0, 3.0, 4.0], [0.0] * 4, [3.0] * 4)
    0.75
    """
    above, below = _errors(actual, low) >= 0, _errors(actual, high) <= 0
    return float((above & below).mean())


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def block_bootstrap(values, block, *, samples=2000, seed=0):
    """Mean over time with its 95 % interval, resampling whole blocks of neighbours.

    Give it the difference of two forecasts' errors, day by day: where the interval holds
    0, the data do not say which forecast is better. Blocks keep what neighbouring days
    have in common, which resampling single days would throw away.

    Parameters
    ----------
    values : array_like, shape (T,)
        One value a step, in order of time.
    block : int
        Length of a block; a few times the memory of the values. At most T.
    samples : int
        Number of resampled series.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If there are fewer values than one block has, or a number is below 1.

    References
    ----------
    H. R. Künsch, "The jackknife and the bootstrap for general stationary observations",
    Annals of Statistics 17 (1989) 1217-1241.

    Examples
    --------
    >>> mean, low, high = block_bootstrap(np.arange(100.0) % 7, block=5)
    >>> low < mean < high
    True
    """
    values = np.asarray(values, dtype=float)
    block = positive_int("block", block)
    if values.ndim != 1 or values.size < block:
        raise ValueError(f"values must have shape (T,) with T >= {block}, got {values.shape}")
    rng = np.random.default_rng(seed)
    pieces = -(-values.size // block)
    starts = rng.integers(
        0, values.size - block + 1, size=(positive_int("samples", samples), pieces)
    )
    steps = (starts[..., None] + np.arange(block)).reshape(len(starts), -1)[:, : values.size]
    low, high = np.quantile(values[steps].mean(axis=1), [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def _errors(actual, forecast):
    actual, forecast = np.asarray(actual, dtype=float), np.asarray(forecast, dtype=float)
    if actual.shape != forecast.shape:
        raise ValueError(
            f"actual and forecast must have one shape, got {actual.shape} and {forecast.shape}"
        )
    if actual.size == 0:
        raise ValueError("there is no forecast to judge: the arrays are empty")
    return actual - forecast


def _against(actual, forecasts, name):
    """Return actual values (n,) less each of the forecasts (n, K)."""
    actual, forecasts = np.asarray(actual, dtype=float), np.asarray(forecasts, dtype=float)
    if forecasts.ndim != 2 or actual.shape != forecasts.shape[:1] or not forecasts.size:
        raise ValueError(
            f"actual and {name} must have shapes (n,) and (n, K) and not be empty, "
            f"got {actual.shape} and {forecasts.shape}"
        )
    return actual[:, None] - forecasts
