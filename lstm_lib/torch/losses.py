"""Losses whose shapes differ from torch's own."""

from torch import nn
from torch.nn import functional

from lstm_lib.validation import check_classes, one_of


class CrossEntropyLoss(nn.Module):
    r"""Cross-entropy :math:`-\log \mathrm{softmax}(z)_k` of logits z and class k, in nats.

    Classes stand on the **last** axis, whatever comes before it, as in
    :class:`lstm_lib.numpy.CrossEntropyLoss`. (``torch.nn.CrossEntropyLoss`` expects them on the
    second.)

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    >>> import torch
    >>> loss = CrossEntropyLoss()(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long))
    >>> print(f"{loss:.4f}")
    1.3863
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))

    def forward(self, logits, target):
        """Return the loss of ``(..., C)`` logits against ``(...)`` integer classes."""
        is_integer = not (target.is_floating_point() or target.is_complex())
        check_classes(tuple(logits.shape), tuple(target.shape), is_integer)
        classes = logits.shape[-1]
        lowest, highest = int(target.min()), int(target.max())
        if lowest < 0 or highest >= classes:
            raise ValueError(
                f"target classes must lie between 0 and {classes - 1}, got {lowest} to {highest}"
            )
        return functional.cross_entropy(
            logits.reshape(-1, classes), target.reshape(-1).long(), reduction=self.reduction
        )
