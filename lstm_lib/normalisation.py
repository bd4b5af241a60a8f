r"""Layer normalisation and its derivative, as pure functions of arrays.

They work on NumPy arrays and torch tensors alike, as :mod:`lstm_lib.equations` does. The layer
``LayerNorm`` of both engines and the normalised LSTM are built on them.

References
----------
J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450, 2016.
"""


def layer_norm(x, weight=None, bias=None, eps=1e-5):
    r"""Normalise the last axis to mean 0 and variance 1, then scale and shift it.

    .. math::

        \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad
        y = w \odot \hat x + b, \qquad
        \mu = \frac1n \sum_{k=1}^{n} x_k, \quad \sigma^2 = \frac1n \sum_{k=1}^{n} (x_k - \mu)^2

    Parameters
    ----------
    x : array, shape (..., n)
    weight, bias : arrays, shape (n,), optional
        :math:`w` and :math:`b`; left out where None.
    eps : float
        :math:`\epsilon`, which keeps the square root away from 0.

    Returns
    -------
    array, shape (..., n)

    Examples
    --------
    >>> import numpy as np
    >>> layer_norm(np.array([1.0, 2.0, 3.0]), weight=np.array([1.0, 1.0, 2.0]), eps=0.0).round(4)
    array([-1.2247,  0.    ,  2.4495])
    """
    y, _ = _normalised(x, eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def layer_norm_backward(dy, x, weight=None, eps=1e-5):
    r"""Derivative of :func:`layer_norm`.

    With :math:`\delta \hat x = \delta y \odot w` and means over the last axis,

    .. math::

        \delta x = \frac{1}{\sqrt{\sigma^2 + \epsilon}} \Bigl( \delta \hat x
        - \overline{\delta \hat x} - \hat x \odot \overline{\delta \hat x \odot \hat x} \Bigr), \qquad
        \delta w = \sum \delta y \odot \hat x, \qquad \delta b = \sum \delta y

    Mean and variance move with x: the two subtracted terms are their part, which is what a
    hand-written backward pass forgets most easily.

    Parameters
    ----------
    dy : array, shape (..., n)
        Derivative of the loss by the output.
    x, weight, eps
        What :func:`layer_norm` received.

    Returns
    -------
    dx : array, shape (..., n)
    d_weight, d_bias : arrays, shape (n,)
        Summed over all leading axes.

    Examples
    --------
    A shift of all inputs, or of their scale, changes nothing (but for eps):

    >>> import numpy as np
    >>> x, dy = np.array([1.0, 2.0, 4.0]), np.array([0.3, -1.0, 0.5])
    >>> dx, _, _ = layer_norm_backward(dy, x, eps=0.0)
    >>> bool(abs(dx.sum()) < 1e-15), bool(abs(dx @ x) < 1e-15)
    (True, True)
    """
    x_hat, inverse_deviation = _normalised(x, eps)
    d_hat = dy if weight is None else dy * weight
    d_mean = d_hat.mean(axis=-1, keepdims=True)
    d_scale = (d_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = (d_hat - d_mean - x_hat * d_scale) * inverse_deviation
    n = x.shape[-1]
    return dx, (dy * x_hat).reshape(-1, n).sum(axis=0), dy.reshape(-1, n).sum(axis=0)


def _normalised(x, eps):
    r"""Return :math:`\hat x` and :math:`1 / \sqrt{\sigma^2 + \epsilon}`."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    inverse_deviation = (variance + eps) ** -0.5
    return centred * inverse_deviation, inverse_deviation
