"""Layers without recurrence."""

from torch import nn

from lstm_lib.torch.initial import register_linear
from lstm_lib.validation import positive_int


class Linear(nn.Linear):
    r"""Affine map :math:`y = x A^\top + b` of the last axis: ``torch.nn.Linear`` with an `rng`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype, device : torch dtype or its name, torch device, optional
    rng : int, numpy.random.Generator or torch.Generator, optional
        An int or a NumPy generator gives the very weights of the NumPy engine.

    Examples
    --------
    >>> import torch
    >>> Linear(3, 2, rng=0)(torch.ones(4, 5, 3)).shape
    torch.Size([4, 5, 2])
    """

    def __init__(self, in_features, out_features, bias=True, *, dtype=None, device=None, rng=None):
        positive_int("in_features", in_features)
        positive_int("out_features", out_features)
        super().__init__(in_features, out_features, bias, device="meta")
        register_linear(self, in_features, out_features, bias, dtype=dtype, device=device, rng=rng)

    def forward(self, x):
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"input must have {self.in_features} features on its last axis, "
                f"got shape {tuple(x.shape)}"
            )
        return super().forward(x)
