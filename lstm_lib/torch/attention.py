"""Attention of the torch engine; see :mod:`lstm_lib.numpy.attention`."""

import torch
from torch import nn

from lstm_lib.torch.initial import one_stream
from lstm_lib.torch.layers import Linear
from lstm_lib.validation import (
    attention_mask_shape,
    attention_options,
    attention_shapes,
    positive_int,
    sequence_lengths,
    sequence_shape,
)


class Attention(nn.Module):
    r"""Soft attention of queries over keys, with the dot, general or additive score.

    Equations, arguments, parameters and results are those of :class:`lstm_lib.numpy.Attention`.

    Parameters
    ----------
    query_size, key_size : int
        Features of a query and of a key. Equal for ``score="dot"``.
    score : {"dot", "general", "additive"}
    hidden_size : int, optional
        Size of the tanh layer of the additive score, `query_size` by default.
    scaled : bool
        Divide the dot score by :math:`\sqrt{d}`, with d the size of a key.
    dtype, device, rng
        As in :class:`lstm_lib.torch.LSTM`.

    Raises
    ------
    ValueError
        For options that do not belong together.

    References
    ----------
    Bahdanau, Cho and Bengio 2015 (additive); Luong, Pham and Manning 2015 (dot, general); Vaswani et al.
    2017 (scaled).

    Examples
    --------
    >>> attention = Attention(4, 3, "additive", rng=0)
    >>> context, weights = attention(torch.ones(2, 5, 4), torch.ones(2, 7, 3), lengths=[7, 2])
    >>> context.shape, weights[1, 0].tolist()
    (torch.Size([2, 5, 3]), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    """

    def __init__(
        self,
        query_size,
        key_size,
        score="dot",
        hidden_size=None,
        *,
        scaled=False,
        dtype=None,
        device=None,
        rng=None,
    ):
        super().__init__()
        sizes = attention_options(score, hidden_size, query_size, key_size, scaled)
        self.query_size, self.key_size, self.hidden_size = sizes
        self.score, self.scaled = score, scaled
        options = dict(bias=False, dtype=dtype, device=device, rng=one_stream(rng))
        if score == "general":
            self.key = Linear(key_size, query_size, **options)
        elif score == "additive":
            self.query = Linear(query_size, self.hidden_size, **options)
            self.key = Linear(key_size, self.hidden_size, **options)
            self.energy = Linear(self.hidden_size, 1, **options)

    def forward(self, query, keys, values=None, *, mask=None, lengths=None):
        """Return the context of every query and the weights behind it.

        Parameters
        ----------
        query : tensor, shape (B, Tq, Dq)
        keys : tensor, shape (B, Tk, Dk)
        values : tensor, shape (B, Tk, Dv), optional
            What is averaged; the keys by default.
        mask : tensor of bool, shape (B, Tk) or (B, Tq, Tk), optional
            True where a key counts.
        lengths : sequence of int, optional
            Valid keys of each sequence, instead of a mask.

        Returns
        -------
        context : tensor, shape (B, Tq, Dv)
        weights : tensor, shape (B, Tq, Tk)
            Positive, and summing to 1 over the keys that count; exactly 0 elsewhere.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch, both a mask and lengths, or a query with no key left.
        """
        values = keys if values is None else values
        shapes = query.shape, keys.shape, values.shape
        attention_shapes(*shapes, self.query_size, self.key_size)
        mask = _key_mask(mask, lengths, *query.shape[:2], keys)
        if mask is not None:
            used = mask.any(dim=1)[..., None]
            keys, values = (torch.where(used, a, a.new_zeros(())) for a in (keys, values))
        weights = _softmax(self._energy(query, keys), mask)
        return weights @ values, weights

    def _energy(self, query, keys):
        """Scores of all pairs, shape (B, Tq, Tk)."""
        if self.score == "additive":
            a = self.query(query)[:, :, None] + self.key(keys)[:, None]
            return self.energy(a.tanh())[..., 0]
        if self.score == "general":
            keys = self.key(keys)
        scale = 1 / self.key_size**0.5 if self.scaled else 1.0
        return scale * (query @ keys.transpose(-1, -2))


class AttentionPooling(nn.Module):
    r"""One vector for a whole sequence: the mean of its steps under learned weights.

    Equations, arguments and parameters are those of :class:`lstm_lib.numpy.AttentionPooling`.

    Parameters
    ----------
    input_size : int
        Features of a step.
    hidden_size : int, optional
        Size of the tanh layer; None scores the steps directly.
    dtype, device, rng
        As in :class:`lstm_lib.torch.LSTM`.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer.

    References
    ----------
    Yang et al. 2016.

    Examples
    --------
    >>> pool = AttentionPooling(3, 4, rng=0)
    >>> pool(torch.ones(2, 5, 3), lengths=[5, 1]).shape
    torch.Size([2, 3])
    """

    def __init__(self, input_size, hidden_size=None, *, dtype=None, device=None, rng=None):
        super().__init__()
        self.input_size = positive_int("input_size", input_size)
        self.hidden_size = None if hidden_size is None else positive_int("hidden_size", hidden_size)
        options = dict(dtype=dtype, device=device, rng=one_stream(rng))
        if hidden_size is not None:
            self.hidden = Linear(input_size, hidden_size, **options)
        self.energy = Linear(self.hidden_size or input_size, 1, bias=False, **options)

    def forward(self, output, lengths=None):
        """Map the outputs of a recurrent layer ``(B, T, H)`` to ``(B, H)``."""
        return self.attend(output, lengths)[0]

    def attend(self, output, lengths=None):
        """Return what :meth:`forward` does and the weights of the steps, shape ``(B, T)``.

        Parameters
        ----------
        output : tensor, shape (B, T, H)
        lengths : sequence of int, optional
            Valid steps of each sequence.
        """
        sequence_shape(output.shape, self.input_size, batch_first=True)
        mask = valid_steps(lengths, output)
        if mask is not None:
            output = torch.where(mask[..., None], output, output.new_zeros(()))
        features = output if self.hidden_size is None else self.hidden(output).tanh()
        weights = _softmax(self.energy(features)[..., 0], mask)
        return torch.einsum("bt,bth->bh", weights, output), weights


def _softmax(energy, mask):
    if mask is not None:
        energy = energy.masked_fill(~mask, -torch.inf)
    return energy.softmax(dim=-1)


def _key_mask(mask, lengths, batch, queries, keys):
    """The mask of shape (B, 1 or Tq, Tk) that a mask or lengths mean; None where all keys count."""
    if mask is None:
        valid = valid_steps(lengths, keys)
        return None if valid is None else valid[:, None]
    if lengths is not None:
        raise ValueError("pass a mask or lengths, not both")
    mask = torch.as_tensor(mask, dtype=torch.bool, device=keys.device)
    attention_mask_shape(mask.shape, batch, queries, keys.shape[1])
    mask = mask[:, None] if mask.ndim == 2 else mask
    if not mask.any(dim=-1).all():
        raise ValueError("mask leaves a query without any key to look at")
    return mask


def valid_steps(lengths, sequences):
    """True at the valid steps, shape (B, T); None for None."""
    if lengths is None:
        return None
    batch, steps = sequences.shape[:2]
    ends = torch.tensor(sequence_lengths(lengths, steps, batch), device=sequences.device)
    return torch.arange(steps, device=sequences.device) < ends[:, None]
