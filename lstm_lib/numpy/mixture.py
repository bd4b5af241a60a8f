"""Mixture density networks: a layer that puts out a mixture of Gaussians, and its loss.

What the raw outputs mean is in :mod:`lstm_lib.mixtures`; here is what trains them.
"""

import numpy as np

from lstm_lib import mixtures
from lstm_lib.averages import PointCount
from lstm_lib.equations import sigmoid
from lstm_lib.numpy.layers import Linear
from lstm_lib.numpy.module import Module
from lstm_lib.validation import mask_shape, one_of


class MixtureDensity(Linear):
    r"""Linear layer that puts out the raw parameters of a mixture of M Gaussians.

    ``kind="pen"`` gives 6M + 1 numbers for handwriting, ``kind="real"`` 3M for a real number;
    :mod:`lstm_lib.mixtures` says what they mean. Train it with :class:`MDNLoss`.

    Parameters
    ----------
    in_features : int
    components : int
        M, the number of Gaussians.
    kind : {"pen", "real"}
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer, or an unknown kind.

    References
    ----------
    A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013;
    C. Bishop, Mixture density networks, Aston University NCRG/94/004, 1994.

    Examples
    --------
    >>> head = MixtureDensity(8, components=3, rng=0)
    >>> raw = head(np.ones((2, 5, 8)))
    >>> raw.shape, head.mean(raw).shape, head.sample(raw, rng=0).shape
    ((2, 5, 19), (2, 5, 3), (2, 5, 3))
    """

    def __init__(
        self,
        in_features,
        components=20,
        kind="pen",
        *,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        size = mixtures.output_size(components, kind)
        super().__init__(in_features, size, dtype=dtype, device=device, rng=rng)
        self.components, self.kind = int(components), kind

    def log_density(self, parameters, target):
        """Return the logarithm of the targets' density, in nats; see :func:`lstm_lib.mixtures.log_density`."""
        return mixtures.log_density(parameters, target)

    def mean(self, parameters):
        """Return the mean of the mixture; see :func:`lstm_lib.mixtures.mixture_mean`."""
        return mixtures.mixture_mean(parameters)

    def sample(self, parameters, rng=None, bias=0.0):
        """Draw from the mixture; see :func:`lstm_lib.mixtures.sample_mixture`."""
        return mixtures.sample_mixture(parameters, rng, bias)


class MDNLoss(PointCount, Module):
    r"""Negative logarithm of a mixture's density at the target, in nats, averaged over points.

    .. math::  \ell = -\log \sum_j \pi^j\, \mathcal N(x \mid \mu^j, \sigma^j, \rho^j)
        - x_3 \log e - (1 - x_3) \log (1 - e)

    The second line is a pen's alone. With a component's responsibility
    :math:`\gamma^j = \pi^j \mathcal N^j / \sum_k \pi^k \mathcal N^k` the derivatives are

    .. math::

        \frac{\partial \ell}{\partial \hat\pi^j} = \pi^j - \gamma^j, \qquad
        \frac{\partial \ell}{\partial (\hat\mu, \hat\sigma, \hat\rho)^j} =
        -\gamma^j \frac{\partial \log \mathcal N^j}{\partial (\hat\mu, \hat\sigma, \hat\rho)^j}, \qquad
        \frac{\partial \ell}{\partial \hat e} = e - x_3

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Raises
    ------
    ValueError
        For another reduction.

    References
    ----------
    Graves 2013, equations 26 to 37.

    Examples
    --------
    Two of the three steps of a padded sequence count:

    >>> raw, target = np.zeros((1, 3, 7)), np.zeros((1, 3, 3))
    >>> mask = np.arange(3) < np.array([[2]])
    >>> print(f"{MDNLoss()(raw, target, mask):.4f} = log 2 pi + log 2")
    2.5310 = log 2 pi + log 2
    """

    def __init__(self, reduction="mean"):
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))
        self._saved = None

    def forward(self, parameters, target, mask=None):
        """Return the loss of raw outputs against targets.

        Parameters
        ----------
        parameters : array, shape (..., 6M + 1) or (..., 3M)
        target : array, shape (..., 3) or (..., 1)
        mask : array of bool, optional
            True where a point counts, shape (...) or its leading axes. What is masked has no
            influence, NaN included.
        """
        parameters, target = np.asarray(parameters), np.asarray(target)
        kind = mixtures.check_target(target.shape, parameters.shape)
        counted = _counted(mask, parameters.shape[:-1])
        outputs = parameters.reshape(-1, parameters.shape[-1])[counted]
        points = target.reshape(-1, target.shape[-1])[counted].astype(outputs.real.dtype)
        raw = mixtures.split(outputs)
        log_parts = mixtures.log_components(raw, points)
        log_total = mixtures.log_sum_exp(log_parts)
        value = -log_total.sum()
        if kind == "pen":
            mixtures.check_ends(np.isin(points[:, 2], (0, 1)).all())
            value = value - mixtures.log_end(raw.end, points[:, 2]).sum()
        scale = 1 / len(points) if self.reduction == "mean" else 1
        responsibility = np.exp(log_parts - log_total[:, None])
        self._saved = raw, points, responsibility, scale, counted, parameters.shape
        return value * scale

    def backward(self):
        """Return the derivative of the latest loss by its raw outputs."""
        if self._saved is None:
            raise RuntimeError("backward needs a forward pass first")
        raw, points, responsibility, scale, counted, shape = self._saved
        blocks = [np.exp(mixtures.log_softmax(raw.weight)) - responsibility]
        blocks += [-responsibility * slope for slope in _log_normal_slopes(raw, points)]
        if raw.end is not None:
            blocks.append((sigmoid(raw.end) - points[:, 2])[:, None])
        slopes = np.concatenate(blocks, axis=-1) * scale
        d_parameters = np.zeros((int(np.prod(shape[:-1])), shape[-1]), slopes.dtype)
        d_parameters[counted] = slopes
        return d_parameters.reshape(shape)


def _counted(mask, shape):
    """Indices of the points that count, in an array of this shape without its last axis."""
    if mask is None:
        return np.arange(int(np.prod(shape)))
    mask = np.asarray(mask, bool)
    mask_shape(mask.shape, shape)
    full = np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim)), shape)
    counted = np.flatnonzero(full)
    if not len(counted):
        raise ValueError("mask leaves no point to average over")
    return counted


def _log_normal_slopes(raw, target):
    r"""Derivatives of every component's log density by means, log scales and raw correlation.

    They follow from the form of the density in :func:`lstm_lib.mixtures.log_components`; with
    :math:`C = 1 / (1 - \rho^2)` they are equations 33 to 37 of Graves 2013.
    """
    limit = mixtures.LOG_SCALE_LIMIT
    inverse = [np.exp(-mixtures.bounded(s, limit)) for s in raw.scale]
    u = [(target[:, k : k + 1] - raw.mean[k]) * inverse[k] for k in range(len(raw.mean))]
    by_u, by_correlation = [-u[0]], []
    if raw.correlation is not None:
        r = mixtures.bounded(raw.correlation, mixtures.CORRELATION_LIMIT)
        along, across = u[0] + u[1], u[0] - u[1]
        falling, rising = np.exp(-2 * r), np.exp(2 * r)
        a, b = along * (1 + falling), across * (1 + rising)
        by_u = [-0.25 * (a + b), -0.25 * (a - b)]
        slope = np.tanh(r) - 0.25 * (across**2 * rising - along**2 * falling)
        by_correlation = [
            np.where(np.abs(raw.correlation.real) <= mixtures.CORRELATION_LIMIT, slope, 0)
        ]
    by_mean = [-slope * one_over for slope, one_over in zip(by_u, inverse, strict=True)]
    by_scale = [
        np.where(np.abs(raw_s.real) <= limit, -slope * u_k - 1, 0)
        for slope, u_k, raw_s in zip(by_u, u, raw.scale, strict=True)
    ]
    return by_mean + by_scale + by_correlation
