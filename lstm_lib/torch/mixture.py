"""Mixture density networks: a layer that puts out a mixture of Gaussians, and its loss.

What the raw outputs mean is in :mod:`lstm_lib.mixtures`; here is what trains them, by autograd.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from lstm_lib import mixtures
from lstm_lib.averages import PointCount
from lstm_lib.parameters import to_numpy
from lstm_lib.torch.layers import Linear
from lstm_lib.validation import mask_shape, one_of


class MixtureDensity(Linear):
    """Linear layer with the raw parameters of a mixture of Gaussians as its outputs.

    As :class:`lstm_lib.numpy.MixtureDensity`.

    Parameters
    ----------
    in_features, components : int
    kind : {"pen", "real"}
    dtype, device, rng
        As in :class:`Linear`.

    Raises
    ------
    ValueError, TypeError
        As :class:`lstm_lib.numpy.MixtureDensity`.

    Examples
    --------
    >>> head = MixtureDensity(8, components=3, rng=0)
    >>> raw = head(torch.ones(2, 5, 8))
    >>> raw.shape, head.sample(raw, rng=0).shape
    (torch.Size([2, 5, 19]), torch.Size([2, 5, 3]))
    """

    def __init__(
        self, in_features, components=20, kind="pen", *, dtype=None, device=None, rng=None
    ):
        size = mixtures.output_size(components, kind)
        super().__init__(in_features, size, dtype=dtype, device=device, rng=rng)
        self.components, self.kind = int(components), kind

    def log_density(self, parameters, target):
        """Return the logarithm of the targets' density, in nats, differentiable."""
        mixtures.check_target(target.shape, tuple(parameters.shape))
        return _log_density(parameters, target)

    def mean(self, parameters):
        """Return the mean of the mixture; see :func:`lstm_lib.mixtures.mixture_mean`."""
        return parameters.new_tensor(mixtures.mixture_mean(to_numpy(parameters)))

    def sample(self, parameters, rng=None, bias=0.0):
        """Draw from the mixture; see :func:`lstm_lib.mixtures.sample_mixture`.

        An int or a NumPy generator as `rng` draws what the NumPy engine draws.
        """
        return parameters.new_tensor(mixtures.sample_mixture(to_numpy(parameters), rng, bias))


class MDNLoss(PointCount, nn.Module):
    """Negative log density of a mixture at the target, in nats; as :class:`lstm_lib.numpy.MDNLoss`.

    Parameters
    ----------
    reduction : {"mean", "sum"}

    Raises
    ------
    ValueError
        For another reduction.

    Examples
    --------
    >>> loss = MDNLoss()(torch.zeros(2, 5, 7), torch.zeros(2, 5, 3))
    >>> print(f"{loss:.4f} = log 2 pi + log 2")
    2.5310 = log 2 pi + log 2
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = one_of("reduction", reduction, ("mean", "sum"))

    def forward(self, parameters, target, mask=None):
        """Return the loss of raw outputs against targets.

        Parameters
        ----------
        parameters : tensor, shape (..., 6M + 1) or (..., 3M)
        target : tensor, shape (..., 3) or (..., 1)
        mask : tensor of bool, optional
            True where a point counts, shape (...) or its leading axes. What is masked has no
            influence, NaN included.
        """
        mixtures.check_target(target.shape, tuple(parameters.shape))
        if mask is not None:
            mask_shape(mask.shape, tuple(parameters.shape[:-1]))
            if not mask.any():
                raise ValueError("mask leaves no point to average over")
            parameters, target = parameters[mask.bool()], target[mask.bool()]
        value = -_log_density(parameters, target.to(parameters.dtype))
        return value.mean() if self.reduction == "mean" else value.sum()


def _log_density(parameters, target):
    raw = mixtures.split(parameters)
    limit = mixtures.LOG_SCALE_LIMIT
    scale = [s.clamp(-limit, limit) for s in raw.scale]
    u = [(target[..., k, None] - raw.mean[k]) * torch.exp(-scale[k]) for k in range(len(scale))]
    log_normal = -0.5 * len(u) * math.log(2 * math.pi) - sum(scale)
    if raw.correlation is None:
        log_normal = log_normal - 0.5 * u[0] ** 2
    else:
        log_normal = log_normal + _log_correlated(u, raw.correlation)
    value = torch.logsumexp(functional.log_softmax(raw.weight, dim=-1) + log_normal, dim=-1)
    if raw.end is None:
        return value
    end = target[..., 2]
    mixtures.check_ends(bool(((end == 0) | (end == 1)).all()))
    return value - functional.binary_cross_entropy_with_logits(raw.end, end, reduction="none")


def _log_correlated(u, raw_correlation):
    """What correlation makes of two standard deviates; see :func:`lstm_lib.mixtures.log_components`."""
    r = raw_correlation.clamp(-mixtures.CORRELATION_LIMIT, mixtures.CORRELATION_LIMIT)
    along, across = (u[0] + u[1]) ** 2, (u[0] - u[1]) ** 2
    quadratic = along * (1 + torch.exp(-2 * r)) + across * (1 + torch.exp(2 * r))
    return torch.log(torch.cosh(r)) - 0.125 * quadratic
