"""What needs no network, and what a network has to beat.

Each forecast takes the windows that a network takes, ``X`` of shape (N, width, F), and answers
in the shape of the targets that `lstm_lib.data.windows.sliding_windows` makes: (N, K) for
a horizon of 1 and (N, horizon, K) beyond, with K the number of target columns.
To classify whole series there is `dtw_distances`: the class of the nearest known series.
"""

import numpy as np

from lstm_lib.data.text import pad_sequences
from lstm_lib.data.windows import _target_columns
from lstm_lib.validation import positive_int

__all__ = ["LinearAutoregression", "drift", "dtw_distances", "persistence", "seasonal_naive"]


def persistence(X, horizon=1, *, targets=None):
    r"""Repeat the last value seen: :math:`\hat s_{t+k} = s_t`.

    Parameters
    ----------
    X : array_like, shape (N, width, F)
    horizon : int
    targets : int or sequence of int, optional
        Columns that are forecast, as in `lstm_lib.data.windows.sliding_windows`.

    Returns
    -------
    ndarray, shape (N, K), or (N, horizon, K) beyond one step

    Raises
    ------
    ValueError
        For an array that is no set of windows, a column that does not exist or a horizon below 1.

    Examples
    --------
    >>> persistence(np.array([[[1.0], [2.0], [4.0]]]), horizon=2)[..., 0]
    array([[4., 4.]])
    """
    X = _as_windows(X)[..., _target_columns(targets, np.shape(X)[-1])]
    horizon = positive_int("horizon", horizon)
    return _shaped(np.repeat(X[:, -1:], horizon, axis=1))


def drift(X, horizon=1, *, targets=None):
    r"""Continue the straight line from the first value of the window to its last.

    .. math:: \hat s_{t+k} = s_t + k\,\frac{s_t - s_{t-w+1}}{w-1}

    Parameters
    ----------
    X, horizon, targets
        As in `persistence`; windows of at least 2 steps.

    Returns
    -------
    ndarray, shape (N, K), or (N, horizon, K) beyond one step

    Raises
    ------
    ValueError
        As `persistence`, and for windows of one step.

    Examples
    --------
    >>> drift(np.array([[[1.0], [2.0], [5.0]]]), horizon=2)[..., 0]
    array([[7., 9.]])
    """
    X = _as_windows(X)[..., _target_columns(targets, np.shape(X)[-1])]
    horizon = positive_int("horizon", horizon)
    width = X.shape[1]
    if width < 2:
        raise ValueError("drift needs windows of at least 2 steps, got a width of 1")
    slope = (X[:, -1:] - X[:, :1]) / (width - 1)
    return _shaped(X[:, -1:] + slope * np.arange(1, horizon + 1)[None, :, None])


def seasonal_naive(X, period, horizon=1, *, targets=None):
    r"""Repeat the value of one season ago: :math:`\hat s_{t+k} = s_{t+k-m}`, m the period.

    Beyond one season the last season seen is repeated.

    Parameters
    ----------
    X, horizon, targets
        As in `persistence`.
    period : int
        Steps of a season, at most the width of a window.

    Returns
    -------
    ndarray, shape (N, K), or (N, horizon, K) beyond one step

    Raises
    ------
    ValueError
        As `persistence`, and for a season that does not fit into a window.

    Examples
    --------
    >>> seasonal_naive(np.arange(6.0).reshape(1, 6, 1), period=4, horizon=5)[..., 0]
    array([[2., 3., 4., 5., 2.]])
    """
    X = _as_windows(X)[..., _target_columns(targets, np.shape(X)[-1])]
    period, horizon = positive_int("period", period), positive_int("horizon", horizon)
    width = X.shape[1]
    if period > width:
        raise ValueError(f"a season of {period} steps does not fit into windows of {width}")
    return _shaped(X[:, width - period + np.arange(horizon) % period])


class LinearAutoregression:
    r"""Forecast every target step as a weighted sum of all values in the window.

    .. math:: \hat y = a + W \operatorname{vec}(X)

    The weights minimise
    :math:`\sum_n \lVert y_n - \hat y_n \rVert^2 + \lambda \lVert W \rVert^2` on the training
    windows, solved exactly by least squares. Each target step has its own weights (direct
    multi-step forecasting), so no forecast is fed back. The intercept is not penalised.

    Parameters
    ----------
    ridge : float
        :math:`\lambda`. 0 gives ordinary least squares, and the solution of smallest norm
        where there are more weights than windows. The penalty knows no units: scale first.

    Attributes
    ----------
    weights : ndarray, shape (horizon, K, width, F)
    intercept : ndarray, shape (horizon, K)

    Raises
    ------
    ValueError
        If `ridge` is no number of at least 0.

    References
    ----------
    G. U. Yule, "On a method of investigating periodicities in disturbed series", Philosophical
    Transactions of the Royal Society A 226 (1927); A. E. Hoerl and R. W. Kennard, "Ridge
    regression", Technometrics 12 (1970).

    Examples
    --------
    A sine wave obeys s(t+1) = 2 cos(0.3) s(t) - s(t-1), and least squares finds that:

    >>> from lstm_lib.data.windows import sliding_windows
    >>> X, y = sliding_windows(np.sin(0.3 * np.arange(50)), width=2)
    >>> model = LinearAutoregression().fit(X, y)
    >>> model.weights.ravel().round(4)
    array([-1.    ,  1.9107])
    >>> bool(np.allclose(model.predict(X), y))
    True
    """

    def __init__(self, ridge=0.0):
        if not (np.ndim(ridge) == 0 and np.isfinite(ridge) and ridge >= 0):
            raise ValueError(f"ridge must be a number of at least 0, got {ridge!r}")
        self.ridge = float(ridge)
        self.weights = None
        self.intercept = None

    def fit(self, X, y):
        """Fit on windows X (N, width, F) and targets y (N, K) or (N, horizon, K)."""
        X = _as_windows(X)
        y = np.asarray(y, dtype=float)
        if y.ndim not in (2, 3) or len(y) != len(X):
            raise ValueError(
                f"y must have shape ({len(X)}, K) or ({len(X)}, horizon, K), got {y.shape}"
            )
        if not (np.isfinite(X).all() and np.isfinite(y).all()):
            raise ValueError("X and y must be finite")
        inputs, outputs = X.reshape(len(X), -1), y.reshape(len(y), -1)
        centre, level = inputs.mean(axis=0), outputs.mean(axis=0)
        A, B = inputs - centre, outputs - level
        if self.ridge:
            A = np.vstack([A, np.sqrt(self.ridge) * np.eye(A.shape[1])])
            B = np.vstack([B, np.zeros((A.shape[1], B.shape[1]))])
        W = np.linalg.lstsq(A, B, rcond=None)[0]
        steps = y.shape[1:] if y.ndim == 3 else (1, y.shape[1])
        self.weights = W.T.reshape(*steps, *X.shape[1:])
        self.intercept = (level - centre @ W).reshape(steps)
        return self

    def predict(self, X):
        """Forecast from windows X (N, width, F): (N, K), or (N, horizon, K) beyond one step."""
        if self.weights is None:
            raise ValueError("LinearAutoregression is not fitted: call fit(X, y) first")
        X = _as_windows(X)
        if X.shape[1:] != self.weights.shape[2:]:
            raise ValueError(f"X must have shape (N, *{self.weights.shape[2:]}), got {X.shape}")
        return _shaped(np.einsum("nwf,hkwf->nhk", X, self.weights) + self.intercept)


def dtw_distances(first, second):
    r"""Distance of every series to every other, however long, by dynamic time warping.

    A warping path pairs the steps of two series: it begins with both first steps, ends with both
    last ones, and moves on in one of the series or in both at a time. The distance is that of the
    cheapest path,

    .. math:: D(a, b)^2 = \min_\pi \sum_{(i, j) \in \pi} \lVert a_i - b_j \rVert^2 .

    All channels are warped together (*dependent* warping). The path may stray as far as it likes.
    A channel counts by its size: scale first. A longer path costs more, and nothing is divided
    by its length.

    Parameters
    ----------
    first : sequence of N array_like, each of shape (T_n, C)
    second : sequence of M array_like, each of shape (T_m, C)

    Returns
    -------
    ndarray, shape (N, M)
        All pairs are computed at once, cell by cell of their alignment: a thousand pairs cost
        little more than one, and memory for N M max(T_m) numbers.

    Raises
    ------
    ValueError
        If a series is empty or none is there, if channels differ, or a value is not finite.

    References
    ----------
    H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word
    recognition", IEEE Transactions on Acoustics, Speech, and Signal Processing 26 (1978);
    M. Shokoohi-Yekta et al., "Generalizing DTW to the multi-dimensional case requires an
    adaptive approach", Data Mining and Knowledge Discovery 31 (2017).

    Examples
    --------
    The same shape drawn more slowly is at distance 0; one that goes elsewhere is not:

    >>> shape = [[0.0], [1.0], [5.0]]
    >>> slower = [[0.0], [0.0], [1.0], [1.0], [5.0]]
    >>> dtw_distances([shape], [slower, [[0.0], [1.0], [2.0]]])
    array([[0., 3.]])
    """
    a, a_lengths = _as_series("first", first)
    b, b_lengths = _as_series("second", second)
    if a.shape[2] != b.shape[2]:
        raise ValueError(f"first has {a.shape[2]} channels, second has {b.shape[2]}")
    found = np.empty((len(a), len(b)))
    a_squares, b_squares = (a**2).sum(axis=2), (b**2).sum(axis=2)
    above = None
    for i in range(a.shape[1]):
        row, ends = [], a_lengths == i + 1
        for j in range(b.shape[1]):
            step = a_squares[:, i, None] + b_squares[:, j] - 2 * a[:, i] @ b[:, j].T
            np.maximum(step, 0, out=step)
            before = [above[j]] if i else []
            before += [row[-1]] if j else []
            before += [above[j - 1]] if i and j else []
            row.append(step + np.minimum.reduce(before) if before else step)
            done = np.ix_(ends, b_lengths == j + 1)
            found[done] = row[-1][done]
        above = row
    return np.sqrt(found)


def _as_series(name, series):
    padded, lengths = pad_sequences([np.asarray(one, dtype=float) for one in series])
    if padded.ndim != 3:
        raise ValueError(f"{name} must hold series of shape (T, C), got {padded.shape[2:]} a step")
    if not np.isfinite(padded).all():
        raise ValueError(f"{name} must be finite")
    return padded, lengths


def _as_windows(X):
    X = np.asarray(X, dtype=float)
    if X.ndim != 3 or 0 in X.shape:
        raise ValueError(f"X must have shape (N, width, F) and not be empty, got {X.shape}")
    return X


def _shaped(forecast):
    return forecast[:, 0] if forecast.shape[1] == 1 else forecast
