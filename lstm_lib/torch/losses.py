"""Losses with masks, and cross-entropy with the classes on the last axis.

Names, options and shapes are those of :mod:`lstm_lib.numpy.losses`; the formulas of each element are
torch's own.
"""

from torch import nn
from torch.nn import functional

from lstm_lib.averages import ClassCount, ElementCount
from lstm_lib.validation import check_classes, check_fraction, has_shape, mask_shape, one_of


class _ElementwiseLoss(ElementCount, nn.Module):
    """A loss that is a sum over elements; a subclass gives what an element costs."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))

    def forward(self, prediction, target, mask=None):
        """Return the loss of `prediction` against a `target` of the same shape.

        Parameters
        ----------
        prediction, target : tensors of equal shape
        mask : tensor of bool, optional
            True where an element counts. Has the prediction's shape, or its leading axes alone, such
            as ``(B, T)`` for predictions ``(B, T, O)``. What is masked has no influence, NaN included.
        """
        has_shape("target", target.shape, tuple(prediction.shape), "prediction's shape")
        if prediction.numel() == 0:
            raise ValueError(f"prediction must not be empty, got shape {tuple(prediction.shape)}")
        if mask is not None:
            mask = _full_mask(mask, prediction.shape)
            prediction, target = prediction[mask], target[mask]
        value = self._element(prediction, target)
        return value.mean() if self.reduction == "mean" else value.sum()

    def _element(self, prediction, target):
        raise TypeError(f"{type(self).__name__} does not say what an element costs")


class MSELoss(_ElementwiseLoss):
    r"""Mean squared error :math:`\frac1n \sum (y - t)^2`; as :class:`lstm_lib.numpy.MSELoss`.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    >>> import torch
    >>> float(MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])))
    2.0
    """

    def _element(self, prediction, target):
        return functional.mse_loss(prediction, target, reduction="none")


class L1Loss(_ElementwiseLoss):
    r"""Mean absolute error :math:`\frac1n \sum |y - t|`; as :class:`lstm_lib.numpy.L1Loss`.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    >>> import torch
    >>> float(L1Loss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])))
    1.0
    """

    def _element(self, prediction, target):
        return functional.l1_loss(prediction, target, reduction="none")


class HuberLoss(_ElementwiseLoss):
    r"""Squared error near zero, absolute beyond `delta`; as :class:`lstm_lib.numpy.HuberLoss`.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    delta : float
        Where the parabola goes over into a line, above 0.

    Raises
    ------
    ValueError
        For another reduction, or a `delta` that is not positive.

    Examples
    --------
    Half a square below 1, a line beyond:

    >>> import torch
    >>> float(HuberLoss("sum")(torch.tensor([0.5, 3.0]), torch.zeros(2)))
    2.625
    """

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"delta must be positive, got {delta}")
        self.delta = delta

    def _element(self, prediction, target):
        return functional.huber_loss(prediction, target, reduction="none", delta=self.delta)


class BCEWithLogitsLoss(_ElementwiseLoss):
    r"""Binary cross-entropy of logits, in nats; as :class:`lstm_lib.numpy.BCEWithLogitsLoss`.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    A logit of 0 says even odds and costs log 2:

    >>> import torch
    >>> print(f"{BCEWithLogitsLoss()(torch.tensor([0.0]), torch.tensor([1.0])):.4f}")
    0.6931
    """

    def _element(self, prediction, target):
        return functional.binary_cross_entropy_with_logits(prediction, target, reduction="none")


class CrossEntropyLoss(ClassCount, nn.Module):
    r"""Cross-entropy :math:`-\log \mathrm{softmax}(z)_k` of logits z and class k, in nats.

    Classes stand on the **last** axis, whatever comes before it, as in
    :class:`lstm_lib.numpy.CrossEntropyLoss`. (``torch.nn.CrossEntropyLoss`` expects them on the
    second.)

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

    Examples
    --------
    >>> import torch
    >>> loss = CrossEntropyLoss()(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long))
    >>> print(f"{loss:.4f}")
    1.3863
    """

    def __init__(self, reduction="mean", *, ignore_index=-100, label_smoothing=0.0):
        super().__init__()
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self.ignore_index = ignore_index
        self.label_smoothing = check_fraction("label_smoothing", label_smoothing)

    def forward(self, logits, target, mask=None):
        """Return the loss of ``(..., C)`` logits against ``(...)`` integer classes.

        Parameters
        ----------
        logits : tensor, shape (..., C)
        target : tensor of integers, shape (...)
        mask : tensor of bool, optional
            True where a target counts, shape (...) or its leading axes. What is masked or ignored has
            no influence, NaN included.
        """
        is_integer = not (target.is_floating_point() or target.is_complex())
        check_classes(tuple(logits.shape), tuple(target.shape), is_integer)
        counts = target != self.ignore_index
        if mask is not None:
            counts = counts & _full_mask(mask, target.shape)
        counted = target[counts].long()
        if counted.numel() == 0:
            raise ValueError(
                f"every target is masked or ignore_index {self.ignore_index}: nothing to average over"
            )
        classes, lowest, highest = logits.shape[-1], int(counted.min()), int(counted.max())
        if lowest < 0 or highest >= classes:
            raise ValueError(
                f"target classes must lie between 0 and {classes - 1}, got {lowest} to {highest}"
            )
        return functional.cross_entropy(
            logits[counts],
            counted,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


def _full_mask(mask, shape):
    """The mask over all axes of `shape`, of which it may have the leading ones alone."""
    mask_shape(mask.shape, tuple(shape))
    mask = mask.bool().reshape(*mask.shape, *[1] * (len(shape) - mask.ndim)).expand(shape)
    if not mask.any():
        raise ValueError("mask leaves no element to average over")
    return mask
