"""From a series to what a network learns from: windows, a split by time, scaling.

Time has a direction, and the three tools here keep it. `time_split` cuts a series into
past, middle and future. `sliding_windows` turns a part into inputs and targets, and no
target belongs to two parts. The scalers learn their constants from the array that `fit`
is given, which has to be the training part and nothing else.

The scalers are our own because windows have three axes and scikit-learn's scalers take
two; because a forecast has fewer columns than its input and has to be scaled back all
the same; and because NumPy is the only package this library needs.
"""

from typing import NamedTuple

import numpy as np

from lstm_lib.validation import positive_int

__all__ = [
    "MinMaxScaler",
    "Standardizer",
    "TimeSplit",
    "calendar_features",
    "sliding_windows",
    "time_split",
]


def sliding_windows(series, width, horizon=1, *, targets=None, within=None):
    r"""Cut a series into input windows and the values that follow each of them.

    With the series :math:`s_0, \dots, s_{T-1}`, window :math:`n` is

    .. math::

        X_n = (s_n, \dots, s_{n+w-1}), \qquad
        y_n = (s_{n+w}, \dots, s_{n+w+h-1}), \qquad n = 0, \dots, T - w - h,

    so the last target of the last window is the last value of the series.

    Parameters
    ----------
    series : array_like, shape (T,) or (T, F)
        Values in order of time; F features a step.
    width : int
        How many steps a window shows, :math:`w`.
    horizon : int
        How many following steps are to be forecast, :math:`h`.
    targets : int or sequence of int, optional
        Columns of `series` that are forecast. All of them by default.
    within : slice, optional
        Keep the windows whose *targets* all lie in this part of the series. Their inputs
        may reach back to before it: on the first day of the test part the past is known.
        Parts that do not overlap therefore give targets that do not overlap.

    Returns
    -------
    X : ndarray, shape (N, width, F)
    y : ndarray, shape (N, K) for a horizon of 1, else (N, horizon, K)
        K is the number of target columns.

    Raises
    ------
    ValueError
        If the series has another rank, is shorter than ``width + horizon``, or holds a
        value that is not finite (the message names the first); if a size is not positive;
        if a target column does not exist; if no window fits into `within`.

    Examples
    --------
    >>> X, y = sliding_windows([10, 11, 12, 13, 14], width=3)
    >>> X[..., 0]
    array([[10., 11., 12.],
           [11., 12., 13.]])
    >>> y
    array([[13.],
           [14.]])

    Two steps ahead of the second column:

    >>> table = np.column_stack([np.arange(6), 10 * np.arange(6)])
    >>> X, y = sliding_windows(table, width=3, horizon=2, targets=1)
    >>> X.shape, y.shape
    ((2, 3, 2), (2, 2, 1))
    >>> y[..., 0]
    array([[30., 40.],
           [40., 50.]])
    """
    values = _as_series(series)
    width = positive_int("width", width)
    horizon = positive_int("horizon", horizon)
    length, features = values.shape
    if length < width + horizon:
        raise ValueError(
            f"series has {length} steps, fewer than width + horizon = "
            f"{width} + {horizon} = {width + horizon}"
        )
    columns = _target_columns(targets, features)
    first, last = width, length - horizon  # the first target step of the first, last window
    if within is not None:
        start, stop = _bounds(within, length)
        first, last = max(first, start), min(last, stop - horizon)
        if last < first:
            raise ValueError(
                f"no window of width {width} has its {horizon} target step(s) within "
                f"steps {start} to {stop} of a series of {length}"
            )
    starts = np.arange(first, last + 1)[:, None]
    X = values[starts + np.arange(-width, 0)]
    y = values[starts + np.arange(horizon)][..., columns]
    return X, (y[:, 0] if horizon == 1 else y)


class TimeSplit(NamedTuple):
    """Three slices of one series, in order of time: ``train``, ``valid`` and ``test``."""

    train: slice
    valid: slice
    test: slice


def time_split(steps, valid, test):
    """Split a series by time into training, validation and test parts.

    The parts follow one another without a gap and without overlap, and together they are
    the whole series: the training part is the oldest, the test part the newest.

    Parameters
    ----------
    steps : int or array_like of datetime64, shape (T,)
        The length of the series, or the date of each of its steps, increasing.
    valid, test : int, float or date
        Where these parts begin. An int is the number of steps in the part; a float
        between 0 and 1 is its share of the series, rounded down; a date (``"2009-01-01"``
        or a ``datetime64``, with `steps` given as dates) is the first that belongs to it.
        `valid` may be 0 for no validation part.

    Returns
    -------
    TimeSplit
        Slices of the series; pass one as ``within=`` to `sliding_windows`.

    Raises
    ------
    ValueError
        If the dates do not increase, the parts do not fit, or the training or test part
        would be empty.

    Examples
    --------
    >>> time_split(100, valid=20, test=0.1)
    TimeSplit(train=slice(0, 70, None), valid=slice(70, 90, None), test=slice(90, 100, None))

    >>> days = np.arange("2012-01-01", "2016-01-01", dtype="datetime64[D]")
    >>> split = time_split(days, valid="2014-01-01", test="2015-01-01")
    >>> [int(days[part].size) for part in split]
    [731, 365, 365]

    A test window looks back into the year before, and its targets are of 2015 only:

    >>> X, y = sliding_windows(np.arange(days.size), width=7, within=split.test)
    >>> len(y), str(days[int(X[0, 0, 0])]), str(days[int(y[0, 0])])
    (365, '2014-12-25', '2015-01-01')
    """
    dates = None
    if np.ndim(steps) == 0:
        length = positive_int("steps", steps)
    else:
        dates = np.asarray(steps, dtype="datetime64")
        if dates.ndim != 1:
            raise ValueError(f"steps must be an int or dates of shape (T,), got {dates.shape}")
        if np.isnat(dates).any():
            raise ValueError(f"steps has no date at index {int(np.argmax(np.isnat(dates)))}")
        if (dates[1:] <= dates[:-1]).any():
            where = int(np.argmax(dates[1:] <= dates[:-1])) + 1
            raise ValueError(f"steps must increase: index {where} is not after the one before")
        length = dates.size
    test_start = _part_start("test", test, length, length, dates)
    valid_start = _part_start("valid", valid, test_start, length, dates)
    if not 0 < valid_start <= test_start < length:
        raise ValueError(
            f"cannot split {length} steps: training would be steps 0 to {valid_start}, "
            f"validation {valid_start} to {test_start}, test {test_start} to {length}"
        )
    return TimeSplit(
        slice(0, valid_start), slice(valid_start, test_start), slice(test_start, length)
    )


class _Scaler:
    """Shift and scale the last axis by constants learned from the training part."""

    def __init__(self):
        self.shift = None
        self.scale = None

    def fit(self, x):
        """Learn the constants from `x`, the training part: shape (T,) or (..., F).

        Raises ValueError for an array that is empty or holds a value that is not finite.
        """
        x = _as_finite("x", x)
        if x.ndim == 0 or x.size == 0:
            raise ValueError(f"x must have shape (T,) or (..., F) and not be empty, got {x.shape}")
        self.shift, self.scale = self._constants(x, axis=tuple(range(max(x.ndim - 1, 1))))
        return self

    def transform(self, x, columns=None):
        """Scale `x`. `columns` says which fitted columns its last axis holds."""
        shift, scale, x = self._matched(x, columns)
        return (x - shift) / scale

    def inverse(self, x, columns=None):
        """Undo `transform`: the way a forecast goes back to its own unit."""
        shift, scale, x = self._matched(x, columns)
        return x * scale + shift

    def _matched(self, x, columns):
        if self.shift is None:
            raise ValueError(f"{type(self).__name__} is not fitted: call fit(train) first")
        x = np.asarray(x, dtype=float)
        if np.ndim(self.shift) == 0:
            if columns is not None:
                raise ValueError("columns has no meaning for a scaler fitted on one series (T,)")
            return self.shift, self.scale, x
        chosen = _target_columns(columns, self.shift.size)
        if x.ndim == 0 or x.shape[-1] != chosen.size:
            raise ValueError(
                f"x must have shape (..., {chosen.size}), one per fitted column, got {x.shape}"
            )
        return self.shift[chosen], self.scale[chosen], x


class Standardizer(_Scaler):
    r"""Scale every feature to mean 0 and standard deviation 1 on the training part.

    .. math:: z = (x - \mu) / \sigma

    A feature that is constant on the training part keeps its unit (:math:`\sigma = 1`).

    Examples
    --------
    >>> train, test = np.array([1.0, 3.0]), np.array([5.0])
    >>> scaler = Standardizer().fit(train)
    >>> scaler.transform(test)
    array([3.])
    >>> scaler.inverse(scaler.transform(test))
    array([5.])

    A forecast of the second of two columns:

    >>> scaler = Standardizer().fit([[0.0, 10.0], [2.0, 30.0]])
    >>> scaler.inverse([[0.5]], columns=1)
    array([[25.]])
    """

    @staticmethod
    def _constants(x, axis):
        scale = x.std(axis=axis)
        return x.mean(axis=axis), np.where(x.max(axis=axis) > x.min(axis=axis), scale, 1.0)[()]


class MinMaxScaler(_Scaler):
    r"""Scale every feature to the range 0 to 1 on the training part.

    .. math:: z = (x - x_{\min}) / (x_{\max} - x_{\min})

    Later values may leave that range, and it is right that they do. A feature that is
    constant on the training part keeps its unit.

    Examples
    --------
    >>> scaler = MinMaxScaler().fit([10.0, 20.0])
    >>> scaler.transform([15.0, 25.0])
    array([0.5, 1.5])
    """

    @staticmethod
    def _constants(x, axis):
        low, span = x.min(axis=axis), np.ptp(x, axis=axis)
        return low, np.where(span > 0, span, 1.0)[()]


def calendar_features(dates, harmonics=1):
    r"""Return the time of the year as sines and cosines, known for every future day.

    .. math::

        \bigl(\sin 2\pi k \phi_t,\ \cos 2\pi k \phi_t\bigr), \qquad
        \phi_t = \frac{\text{days since 1 January}}{365.2425}, \qquad k = 1, \dots, K

    Parameters
    ----------
    dates : array_like of datetime64, shape (...)
    harmonics : int
        K. One gives a sine wave a year; two let autumn be shorter than spring.

    Returns
    -------
    ndarray, shape (..., 2 K)

    Raises
    ------
    ValueError
        If a date is missing, or `harmonics` is below 1.

    Examples
    --------
    >>> calendar_features(["2015-01-01", "2015-07-02"]).round(2)
    array([[ 0.  ,  1.  ],
           [ 0.01, -1.  ]])
    """
    harmonics = positive_int("harmonics", harmonics)
    days = np.asarray(dates, dtype="datetime64[D]")
    if np.isnat(days).any():
        raise ValueError("dates holds a value that is not a date")
    phase = (days - days.astype("datetime64[Y]")).astype(float) / 365.2425
    angle = 2 * np.pi * phase[..., None] * np.arange(1, harmonics + 1)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(*days.shape, 2 * harmonics)


def _as_series(series):
    values = _as_finite("series", series)
    if values.ndim not in (1, 2):
        raise ValueError(f"series must have shape (T,) or (T, F), got {values.shape}")
    return values[:, None] if values.ndim == 1 else values


def _as_finite(name, values):
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {values.dtype}")
    values = values.astype(float)
    bad = ~np.isfinite(values)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        place = where[0] if len(where) == 1 else where
        raise ValueError(
            f"{name} holds {values[where]} at index {place} "
            f"({int(bad.sum())} of {values.size} values are not finite)"
        )
    return values


def _target_columns(targets, features):
    if targets is None:
        return np.arange(features)
    columns = np.atleast_1d(np.asarray(targets))
    if columns.ndim != 1 or columns.size == 0 or columns.dtype.kind not in "iu":
        raise ValueError(f"column numbers must be an int or a sequence of int, got {targets!r}")
    if (columns < 0).any() or (columns >= features).any():
        raise ValueError(f"columns {columns.tolist()} are not all in 0 to {features - 1}")
    return columns


def _bounds(part, length):
    if not isinstance(part, slice) or part.step not in (None, 1):
        raise ValueError(f"within must be a slice of consecutive steps, got {part!r}")
    start, stop, _ = part.indices(length)
    return start, stop


def _part_start(name, part, end, length, dates):
    """Return the step at which a part that ends before step `end` begins."""
    if isinstance(part, (bool, np.bool_)):
        raise ValueError(f"{name} must be a number of steps, a share or a date, got {part!r}")
    if isinstance(part, (int, np.integer)):
        if part < 0:
            raise ValueError(f"{name} must not be negative, got {part}")
        return end - int(part)
    if isinstance(part, (float, np.floating)):
        if not 0 <= part < 1:
            raise ValueError(f"{name} as a share must be at least 0 and below 1, got {part}")
        return end - int(part * length + 1e-9)
    if dates is None:
        raise ValueError(f"{name}={part!r} is a date, so steps must be the dates of the series")
    return int(np.searchsorted(dates, np.datetime64(part)))
