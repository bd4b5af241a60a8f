"""Losses: a number and its derivative by the prediction."""

import numpy as np

from lstm_lib.numpy.module import Module
from lstm_lib.validation import check_classes, has_shape, one_of


class MSELoss(Module):
    r"""Mean squared error :math:`\frac1n \sum (y - t)^2` over all n elements.

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

    def __init__(self, reduction="mean"):
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self._saved = None

    def forward(self, prediction, target):
        """Return the loss of `prediction` against a `target` of the same shape."""
        prediction, target = np.asarray(prediction), np.asarray(target)
        has_shape("target", target.shape, prediction.shape, "prediction's shape")
        difference = prediction - target
        if difference.size == 0:
            raise ValueError(f"prediction must not be empty, got shape {prediction.shape}")
        scale = 1 / difference.size if self.reduction == "mean" else 1
        self._saved = difference, scale
        return (difference * difference).sum() * scale

    def backward(self):
        """Return the derivative of the latest loss by its prediction."""
        if self._saved is None:
            raise RuntimeError("backward needs a forward pass first")
        difference, scale = self._saved
        return (2 * scale) * difference


class CrossEntropyLoss(Module):
    r"""Cross-entropy :math:`-\log \mathrm{softmax}(z)_k` of logits z and class k, in nats.

    Classes stand on the **last** axis, whatever comes before it: ``(N, C)`` with targets ``(N,)``,
    or ``(B, T, C)`` with targets ``(B, T)``.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Examples
    --------
    A model that knows nothing about two classes pays log 2:

    >>> loss = CrossEntropyLoss()
    >>> print(f"{loss(np.zeros((1, 2)), np.array([1])):.4f}")
    0.6931
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    """

    def __init__(self, reduction="mean"):
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self._saved = None

    def forward(self, logits, target):
        """Return the loss of ``(..., C)`` logits against ``(...)`` integer classes."""
        logits, target = np.asarray(logits), np.asarray(target)
        check_classes(logits.shape, target.shape, target.dtype.kind in "iu")
        classes = logits.shape[-1]
        z = logits.reshape(-1, classes)
        k = target.reshape(-1)
        if k.min() < 0 or k.max() >= classes:
            raise ValueError(
                f"target classes must lie between 0 and {classes - 1}, got {k.min()} to {k.max()}"
            )
        shifted = z - z.real.max(axis=-1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        log_probability = shifted - log_sum
        scale = 1 / len(k) if self.reduction == "mean" else 1
        self._saved = log_probability, k, scale, logits.shape
        return -log_probability[np.arange(len(k)), k].sum() * scale

    def backward(self):
        """Return the derivative of the latest loss by its logits: softmax minus one-hot."""
        if self._saved is None:
            raise RuntimeError("backward needs a forward pass first")
        log_probability, k, scale, shape = self._saved
        d_logits = np.exp(log_probability)
        d_logits[np.arange(len(k)), k] -= 1
        return (d_logits * scale).reshape(shape)
