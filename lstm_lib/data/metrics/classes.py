"""Metrics of answers that are right or wrong, of rankings and of confidence."""

from statistics import NormalDist

import numpy as np

from lstm_lib.data.metrics.forecasts import Interval
from lstm_lib.data.metrics.libraries import library
from lstm_lib.validation import positive_int

__all__ = [
    "accuracy",
    "calibration_error",
    "f1",
    "precision",
    "proportion_interval",
    "recall",
    "recall_at_k",
    "roc_auc",
]


def accuracy(actual, predicted):
    """Share of right answers, between 0 and 1, by scikit-learn.

    Always giving the most frequent class reaches that class's share: state it beside.

    Parameters
    ----------
    actual, predicted : array_like, shape (n,)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> accuracy(["EI", "N", "IE", "N"], ["EI", "N", "N", "N"])
    0.75
    """
    actual, predicted = _labels(actual, predicted)
    return float(library("sklearn.metrics").accuracy_score(actual, predicted))


def precision(actual, predicted, positive=1):
    """Of the answers `positive`, the share that is right; 0 where there is none.

    Between 0 and 1, by scikit-learn.

    Parameters
    ----------
    actual, predicted : array_like, shape (n,)
    positive : object
        The class that is looked for.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> precision([1, 0, 0, 1], [1, 1, 0, 0])
    0.5
    """
    return _of_one_class("precision_score", actual, predicted, positive)


def recall(actual, predicted, positive=1):
    """Of what is `positive`, the share that was found; 0 where there is none.

    Between 0 and 1, by scikit-learn.

    Parameters
    ----------
    actual, predicted : array_like, shape (n,)
    positive : object
        The class that is looked for.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> recall([1, 0, 1, 1], [1, 1, 0, 1]).__round__(3)
    0.667
    """
    return _of_one_class("recall_score", actual, predicted, positive)


def f1(actual, predicted):
    r"""Mean over the classes of the harmonic mean of precision and recall (macro F1).

    .. math:: \frac1C \sum_c \frac{2 P_c R_c}{P_c + R_c}

    Between 0 and 1, by scikit-learn. A class counts as much as any other, however rare.

    Parameters
    ----------
    actual, predicted : array_like, shape (n,)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or nothing is there.

    Examples
    --------
    >>> f1([0, 0, 0, 1], [0, 0, 0, 0]).__round__(3)
    0.429
    """
    actual, predicted = _labels(actual, predicted)
    score = library("sklearn.metrics").f1_score
    return float(score(actual, predicted, average="macro", zero_division=0))


def roc_auc(actual, scores):
    """How often a positive has a higher score than a negative (area under the ROC curve).

    Between 0 and 1, by scikit-learn; 0.5 is what scores without knowledge give. No
    threshold enters.

    Parameters
    ----------
    actual : array_like of bool or of 0 and 1, shape (n,)
    scores : array_like, shape (n,)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ, or there are not two classes.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    actual, scores = _labels(actual, scores)
    if len(np.unique(actual)) != 2:
        raise ValueError(f"actual must hold two classes, got {np.unique(actual).tolist()}")
    return float(library("sklearn.metrics").roc_auc_score(actual, scores))


def recall_at_k(relevant, ranked, k=10):
    r"""Mean share of the relevant items that are among the first k of a ranking.

    .. math:: \frac1n \sum_i \frac{|R_i \cap \{r_{i1}, \dots, r_{ik}\}|}{\min(k, |R_i|)}

    Between 0 and 1. By the minimum a perfect ranking has 1 even where more than k items
    are relevant; many papers divide by :math:`|R_i|` instead.

    Parameters
    ----------
    relevant : sequence of collections
        What was to be found, in each case at least one item.
    ranked : sequence of sequences
        The best guess first.
    k : int

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no case, or nothing is relevant in one.

    Examples
    --------
    >>> recall_at_k([{"milk", "bread"}, {"tea"}], [["milk", "eggs"], ["tea", "milk"]], k=2)
    0.75
    """
    positive_int("k", k)
    if len(relevant) != len(ranked) or not len(relevant):
        raise ValueError(
            "relevant and ranked must hold the same number of cases, at least one, "
            f"got {len(relevant)} and {len(ranked)}"
        )
    shares = []
    for case, (wanted, guesses) in enumerate(zip(relevant, ranked, strict=True)):
        wanted = set(wanted)
        if not wanted:
            raise ValueError(f"relevant[{case}] must not be empty")
        shares.append(len(wanted & set(guesses[:k])) / min(k, len(wanted)))
    return float(np.mean(shares))


def calibration_error(probabilities, actual, bins=15):
    r"""How far confidence is from the share of right answers (expected calibration error).

    .. math:: \sum_b \frac{n_b}{n}\,\bigl|\,\mathrm{acc}(b) - \mathrm{conf}(b)\,\bigr|

    The answers are sorted into bins of equal width by the probability of the class that is
    chosen. Between 0 and 1; 0 is a model that is right in 80 of 100 cases of which it says
    so. Compare models by the same number of bins.

    Parameters
    ----------
    probabilities : array_like, shape (n, C)
        Rows that sum to 1.
    actual : array_like of int, shape (n,)
    bins : int

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes do not fit, or a row is no distribution.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
    networks", ICML 2017.

    Examples
    --------
    >>> calibration_error([[0.8, 0.2], [0.8, 0.2]], [0, 1]).__round__(3)
    0.3
    """
    probabilities, actual = np.asarray(probabilities, dtype=float), np.asarray(actual)
    if probabilities.ndim != 2 or actual.shape != probabilities.shape[:1] or not actual.size:
        raise ValueError(
            "probabilities and actual must have shapes (n, C) and (n,) with n > 0, "
            f"got {probabilities.shape} and {actual.shape}"
        )
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4) or probabilities.min() < 0:
        raise ValueError("probabilities must be at least 0 and sum to 1 in every row")
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == actual
    bins = positive_int("bins", bins)
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(places, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(actual))


def proportion_interval(right, n):
    r"""How far a share of right answers may be off by the luck of the test part (Wilson).

    .. math:: \frac{1}{1 + z^2 / n} \Bigl( \hat p + \frac{z^2}{2n} \pm
              z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}} \Bigr),
              \qquad \hat p = \frac{\mathrm{right}}{n}

    It supposes that the n answers are independent. Unlike :math:`\hat p` plus and minus its standard
    error it stays between 0 and 1, and it does not shrink to nothing where all are right. It says
    nothing of how much another training would change.

    Parameters
    ----------
    right : number
        Right answers, between 0 and n; a mean over several trainings may be no whole number.
    n : int

    Returns
    -------
    Interval
        The share ``right / n`` and the ends of its 95 % interval.

    Raises
    ------
    ValueError
        If `right` is not between 0 and n, or n is below 1.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927).

    Examples
    --------
    >>> share, low, high = proportion_interval(98, 100)
    >>> share, round(low, 3), round(high, 3)
    (0.98, 0.93, 0.994)
    """
    n = positive_int("n", n)
    if not 0 <= right <= n:
        raise ValueError(f"right must lie between 0 and n = {n}, got {right}")
    z = NormalDist().inv_cdf(0.975)
    share = right / n
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (float(end / (1 + z**2 / n)) for end in (centre - half, centre + half))
    return Interval(share, low, high)


def _of_one_class(name, actual, predicted, positive):
    actual, predicted = _labels(actual, predicted)
    score = getattr(library("sklearn.metrics"), name)
    return float(score(actual == positive, predicted == positive, zero_division=0))


def _labels(actual, predicted):
    actual, predicted = np.asarray(actual), np.asarray(predicted)
    if actual.ndim != 1 or actual.shape != predicted.shape or not actual.size:
        raise ValueError(
            "actual and predicted must have one shape (n,) with n > 0, "
            f"got {actual.shape} and {predicted.shape}"
        )
    return actual, predicted
