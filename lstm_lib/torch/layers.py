"""Layers without recurrence."""

import torch
from torch import nn

from lstm_lib.torch.initial import as_dtype, register_embedding, register_linear
from lstm_lib.torch.masks import MaskSource, mask_seed
from lstm_lib.validation import (
    check_fraction,
    check_indices,
    check_normalized,
    check_padding_idx,
    has_shape,
    normalized_sizes,
    positive,
    positive_int,
)


class Linear(nn.Linear):
    r"""Affine map :math:`y = x A^\top + b` of the last axis: ``torch.nn.Linear`` with an `rng`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype, device : torch dtype or its name, torch device, optional
    rng : int, numpy.random.Generator or torch.Generator, optional
        An int or a NumPy generator gives the very weights of the NumPy engine.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer.

    Examples
    --------
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


class Embedding(nn.Embedding):
    r"""A table of vectors, one for every symbol; as :class:`lstm_lib.numpy.Embedding`.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    padding_idx : int, optional
        The symbol that only fills up: its vector starts at zero and gets no gradient.
    dtype, device, rng
        As in :class:`Linear`. The ``state_dict`` of ``torch.nn.Embedding`` loads unchanged.

    Raises
    ------
    ValueError, TypeError
        As :class:`lstm_lib.numpy.Embedding`.

    Examples
    --------
    >>> Embedding(10, 3, padding_idx=0, rng=0)(torch.tensor([[4, 0], [9, 9]])).shape
    torch.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        *,
        dtype=None,
        device=None,
        rng=None,
    ):
        positive_int("num_embeddings", num_embeddings)
        positive_int("embedding_dim", embedding_dim)
        padding_idx = check_padding_idx(padding_idx, num_embeddings)
        super().__init__(num_embeddings, embedding_dim, padding_idx, device="meta")
        sizes = num_embeddings, embedding_dim, padding_idx
        register_embedding(self, *sizes, dtype=dtype, device=device, rng=rng)

    def forward(self, indices):
        """Map integers of any shape ``(...)`` to vectors ``(..., embedding_dim)``."""
        is_integer = not (
            indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool
        )
        check_indices(indices, is_integer, self.num_embeddings)
        return super().forward(indices.long())


class Dropout(MaskSource, nn.Module):
    r"""Inverted dropout; as :class:`lstm_lib.numpy.Dropout`, with its very masks on a CPU.

    Parameters
    ----------
    p : float
        Probability of 0, in [0, 1).
    rng : int, numpy.random.Generator or torch.Generator, optional
        Where the masks start.

    Raises
    ------
    ValueError
        If `p` is outside [0, 1).

    Examples
    --------
    >>> sorted(set(Dropout(0.75, rng=0)(torch.ones(100)).tolist()))
    [0.0, 4.0]
    """

    def __init__(self, p=0.5, *, rng=None):
        super().__init__()
        self.p = check_fraction("p", p)
        self.reseed(mask_seed(rng))

    def forward(self, x, mask=None):
        """Multiply by a random mask, or by the given `mask`; see :class:`lstm_lib.numpy.Dropout`."""
        if mask is None and (not self.training or self.p == 0):
            return x
        if mask is None:
            mask = self.dropout_mask(x.shape, self.p, x)
        has_shape("mask", mask.shape, tuple(x.shape), "input's shape")
        return x * mask

    def extra_repr(self):
        """What ``print`` shows of the layer."""
        return f"p={self.p}"


class LayerNorm(nn.LayerNorm):
    r"""Normalise the last axes, then scale and shift: ``torch.nn.LayerNorm`` with checks.

    Parameters
    ----------
    normalized_shape : int or tuple of int
    eps : float
    dtype, device
        As in :class:`Linear`.

    Raises
    ------
    ValueError, TypeError
        As :class:`lstm_lib.numpy.LayerNorm`.

    Examples
    --------
    >>> bool(LayerNorm(3)(torch.tensor([[1.0, 2.0, 3.0]])).sum().abs() < 1e-6)
    True
    """

    def __init__(self, normalized_shape, eps=1e-5, *, dtype=None, device=None):
        sizes, eps = normalized_sizes(normalized_shape), positive("eps", eps)
        super().__init__(sizes, eps, device=device, dtype=as_dtype(dtype))

    def forward(self, x):
        """Map an array that ends in `normalized_shape` to one of the same shape."""
        check_normalized(x.shape, self.normalized_shape)
        return super().forward(x)
