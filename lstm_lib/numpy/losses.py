"""Losses: a number and its derivative by the prediction.

Each loss averages over its elements, or over those that a mask leaves, and remembers what its
``backward`` needs.
"""

import numpy as np

from lstm_lib.averages import ClassCount, ElementCount
from lstm_lib.equations import sigmoid
from lstm_lib.numpy.module import Module
from lstm_lib.validation import check_classes, check_fraction, has_shape, mask_shape, one_of


class _ElementwiseLoss(ElementCount, Module):
    """A loss that is a sum over elements; a subclass gives the element's value and slope."""

    def __init__(self, reduction="mean"):
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self._saved = None

    def forward(self, prediction, target, mask=None):
        """Return the loss of `prediction` against a `target` of the same shape.

        Parameters
        ----------
        prediction, target : arrays of equal shape
        mask : array of bool, optional
            True where an element counts. Has the prediction's shape, or its leading axes alone, such
            as ``(B, T)`` for predictions ``(B, T, O)``. What is masked has no influence, NaN included.
        """
        prediction, target = np.asarray(prediction), np.asarray(target)
        has_shape("target", target.shape, prediction.shape, "prediction's shape")
        if prediction.size == 0:
            raise ValueError(f"prediction must not be empty, got shape {prediction.shape}")
        count = prediction.size
        if mask is not None:
            mask, count = _full_mask(mask, prediction.shape)
            prediction, target = np.where(mask, prediction, 0), np.where(mask, target, 0)
        scale = 1 / count if self.reduction == "mean" else 1
        value, slope = self._element(prediction, target)
        if mask is not None:
            value, slope = np.where(mask, value, 0), np.where(mask, slope, 0)
        self._saved = slope * scale
        return value.sum() * scale

    def backward(self):
        """Return the derivative of the latest loss by its prediction."""
        if self._saved is None:
            raise RuntimeError("backward needs a forward pass first")
        return self._saved

    def _element(self, prediction, target):
        raise TypeError(f"{type(self).__name__} does not say what an element costs")


def _full_mask(mask, shape):
    mask = np.asarray(mask, bool)
    mask_shape(mask.shape, shape)
    full = np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim)), shape)
    count = int(full.sum())
    if count == 0:
        raise ValueError("mask leaves no element to average over")
    return full, count


class MSELoss(_ElementwiseLoss):
    r"""Mean squared error :math:`\frac1n \sum (y - t)^2`, for real numbers with normal noise.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    >>> loss = MSELoss()
    >>> float(loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    >>> loss.backward()
    array([ 0., -2.])
    """

    def _element(self, prediction, target):
        difference = prediction - target
        return difference * difference, 2 * difference


class L1Loss(_ElementwiseLoss):
    r"""Mean absolute error :math:`\frac1n \sum |y - t|`, which outliers move little.

    Its derivative is the sign of the error, and 0 where there is none.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    >>> float(L1Loss()(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """

    def _element(self, prediction, target):
        sign = np.sign((prediction - target).real)
        return sign * (prediction - target), sign


class HuberLoss(_ElementwiseLoss):
    r"""Squared error near zero, absolute error beyond `delta`.

    .. math::

        \ell(e) = \begin{cases} \frac12 e^2 & |e| \le \delta \\
        \delta (|e| - \frac12 \delta) & \text{otherwise} \end{cases}
        \qquad e = y - t

    Parameters
    ----------
    reduction : {"mean", "sum"}
    delta : float
        Where the parabola goes over into a line, above 0.

    Raises
    ------
    ValueError
        For another reduction, or a `delta` that is not positive.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35(1), 1964.

    Examples
    --------
    >>> float(HuberLoss()(np.array([0.5, 3.0]), np.zeros(2)))
    1.3125
    """

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"delta must be positive, got {delta}")
        self.delta = delta

    def _element(self, prediction, target):
        e = prediction - target
        sign = np.sign(e.real)
        near = np.abs(e.real) <= self.delta
        value = np.where(near, 0.5 * e * e, self.delta * (sign * e - 0.5 * self.delta))
        return value, np.where(near, e, self.delta * sign)


class BCEWithLogitsLoss(_ElementwiseLoss):
    r"""Binary cross-entropy of a logit z and a target t between 0 and 1, in nats.

    .. math::

        \ell = -t \log \sigma(z) - (1 - t) \log(1 - \sigma(z)) = \log(1 + e^{z}) - t z,
        \qquad \frac{\partial \ell}{\partial z} = \sigma(z) - t

    Written so that no logit overflows.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    References
    ----------
    C. Bishop, Pattern recognition and machine learning, Springer, 2006, section 4.3.

    Examples
    --------
    >>> print(f"{BCEWithLogitsLoss()(np.array([0.0]), np.array([1.0])):.4f}")
    0.6931
    """

    def _element(self, prediction, target):
        z = prediction
        sign = np.where(z.real > 0, 1.0, -1.0)
        softplus = np.where(z.real > 0, z, 0) + np.log1p(np.exp(-sign * z))
        return softplus - target * z, sigmoid(z) - target


class CrossEntropyLoss(ClassCount, Module):
    r"""Cross-entropy :math:`-\log \mathrm{softmax}(z)_k` of logits z and class k, in nats.

    Classes stand on the **last** axis, whatever comes before it: ``(N, C)`` with targets ``(N,)``,
    or ``(B, T, C)`` with targets ``(B, T)``.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    ignore_index : int
        Targets of this value do not count: padding, for example.
    label_smoothing : float
        The target distribution is :math:`1 - \epsilon` on the class and :math:`\epsilon / C` on every one.

    Raises
    ------
    ValueError
        For another reduction, or a `label_smoothing` outside [0, 1).

    References
    ----------
    C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016 (label smoothing).

    Examples
    --------
    A model that knows nothing about two classes pays log 2:

    >>> loss = CrossEntropyLoss()
    >>> print(f"{loss(np.zeros((1, 2)), np.array([1])):.4f}")
    0.6931
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    """

    def __init__(self, reduction="mean", *, ignore_index=-100, label_smoothing=0.0):
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self.ignore_index = ignore_index
        self.label_smoothing = check_fraction("label_smoothing", label_smoothing)
        self._saved = None

    def forward(self, logits, target, mask=None):
        """Return the loss of ``(..., C)`` logits against ``(...)`` integer classes.

        Parameters
        ----------
        logits : array, shape (..., C)
        target : array of int, shape (...)
        mask : array of bool, optional
            True where a target counts, shape (...) or its leading axes. What is masked or ignored has
            no influence, NaN included.
        """
        logits, target = np.asarray(logits), np.asarray(target)
        check_classes(logits.shape, target.shape, target.dtype.kind in "iu")
        classes = logits.shape[-1]
        k = target.reshape(-1)
        counts = k != self.ignore_index
        if mask is not None:
            counts = counts & _full_mask(mask, target.shape)[0].reshape(-1)
        counted = np.flatnonzero(counts)
        if not len(counted):
            raise ValueError(
                f"every target is masked or ignore_index {self.ignore_index}: nothing to average over"
            )
        z, k = logits.reshape(-1, classes)[counted], k[counted]
        if k.min() < 0 or k.max() >= classes:
            raise ValueError(
                f"target classes must lie between 0 and {classes - 1}, got {k.min()} to {k.max()}"
            )
        shifted = z - z.real.max(axis=-1, keepdims=True)
        log_probability = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        wanted = np.full(z.shape, self.label_smoothing / classes, z.real.dtype)
        wanted[np.arange(len(k)), k] += 1 - self.label_smoothing
        scale = 1 / len(k) if self.reduction == "mean" else 1
        self._saved = log_probability, wanted, scale, counted, logits.shape
        return -(wanted * log_probability).sum() * scale

    def backward(self):
        """Return the derivative of the latest loss by its logits: softmax minus the target's share."""
        if self._saved is None:
            raise RuntimeError("backward needs a forward pass first")
        log_probability, wanted, scale, counted, shape = self._saved
        d_logits = np.zeros((int(np.prod(shape[:-1])), shape[-1]), log_probability.dtype)
        d_logits[counted] = (np.exp(log_probability) - wanted) * scale
        return d_logits.reshape(shape)
