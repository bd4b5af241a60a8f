"""Attention: weighted means of a sequence, with weights that the network computes itself.

Three ways to score how well a key answers a query, masks that are exact, and a pooling of a whole
sequence into one vector. Every backward pass is vectorised over batch, queries and keys.
"""

import numpy as np

from lstm_lib.numpy.layers import Linear
from lstm_lib.numpy.module import Module, remembered
from lstm_lib.validation import (
    attention_mask_shape,
    attention_options,
    attention_shapes,
    has_shape,
    positive_int,
    sequence_lengths,
    sequence_shape,
)


class Attention(Module):
    r"""Soft attention of queries over keys, with the dot, general or additive score.

    Each query q looks at all keys :math:`k_1 \dots k_n` of its sequence, turns scores into weights
    that sum to 1, and returns the mean of the values under these weights:

    .. math::

        e_j = \begin{cases}
            q^\top k_j & \text{dot} \\
            q^\top W k_j & \text{general} \\
            v^\top \tanh(W q + U k_j) & \text{additive}
        \end{cases}
        \qquad
        a_j = \frac{\exp e_j}{\sum_{l} \exp e_l}
        \qquad
        \text{context} = \sum_j a_j \, \text{value}_j

    A masked key has weight exactly 0, and what stands there has no influence on anything.

    Parameters
    ----------
    query_size, key_size : int
        Features of a query and of a key. Equal for ``score="dot"``.
    score : {"dot", "general", "additive"}
    hidden_size : int, optional
        Size of the tanh layer of the additive score, `query_size` by default.
    scaled : bool
        Divide the dot score by :math:`\sqrt{d}`, with d the size of a key, so that its spread does not
        grow with the size.
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are ``key.weight`` (query_size, key_size) of
        the general score, W; and ``query.weight`` (hidden, query_size), ``key.weight`` (hidden,
        key_size) and ``energy.weight`` (1, hidden) of the additive score, W, U and v. The dot score
        has none.

    Raises
    ------
    ValueError
        For options that do not belong together.

    References
    ----------
    D. Bahdanau, K. Cho, Y. Bengio, Neural machine translation by jointly learning to align and
    translate, ICLR 2015 (additive). M.-T. Luong, H. Pham, C. D. Manning, Effective approaches to
    attention-based neural machine translation, EMNLP 2015 (dot, general). A. Vaswani et al., Attention
    is all you need, NeurIPS 2017 (scaled).

    Examples
    --------
    >>> attention = Attention(4, 3, "additive", rng=0)
    >>> query, keys = np.ones((2, 5, 4)), np.ones((2, 7, 3))
    >>> context, weights = attention(query, keys, lengths=[7, 2])
    >>> context.shape, weights.shape, weights[1, 0].tolist()
    ((2, 5, 3), (2, 5, 7), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    >>> d_query, d_keys = attention.backward(np.ones_like(context))
    >>> d_query.shape, d_keys.shape
    ((2, 5, 4), (2, 7, 3))
    """

    def __init__(
        self,
        query_size,
        key_size,
        score="dot",
        hidden_size=None,
        *,
        scaled=False,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        sizes = attention_options(score, hidden_size, query_size, key_size, scaled)
        self.query_size, self.key_size, self.hidden_size = sizes
        self.score, self.scaled = score, scaled
        options = dict(bias=False, dtype=dtype, device=device, rng=np.random.default_rng(rng))
        if score == "general":
            self.key = Linear(key_size, query_size, **options)
        elif score == "additive":
            self.query = Linear(query_size, self.hidden_size, **options)
            self.key = Linear(key_size, self.hidden_size, **options)
            self.energy = Linear(self.hidden_size, 1, **options)
        self._saved = None

    def forward(self, query, keys, values=None, *, mask=None, lengths=None):
        """Return the context of every query and the weights behind it.

        Parameters
        ----------
        query : array, shape (B, Tq, Dq)
        keys : array, shape (B, Tk, Dk)
        values : array, shape (B, Tk, Dv), optional
            What is averaged; the keys by default.
        mask : array of bool, shape (B, Tk) or (B, Tq, Tk), optional
            True where a key counts.
        lengths : sequence of int, optional
            Valid keys of each sequence, instead of a mask.

        Returns
        -------
        context : ndarray, shape (B, Tq, Dv)
        weights : ndarray, shape (B, Tq, Tk)
            Positive, and summing to 1 over the keys that count; exactly 0 elsewhere.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch, both a mask and lengths, or a query with no key left.
        """
        query, keys = np.asarray(query), np.asarray(keys)
        own_values = values is not None
        values = np.asarray(values) if own_values else keys
        shapes = query.shape, keys.shape, values.shape
        attention_shapes(*shapes, self.query_size, self.key_size)
        mask = _key_mask(mask, lengths, *query.shape[:2], keys.shape[1])
        if mask is not None:
            used = mask.any(axis=1)[..., None]
            keys, values = np.where(used, keys, 0), np.where(used, values, 0)
        energy, factors = self._energy(query, keys)
        weights = _softmax(energy, mask)
        self._saved = weights, values, own_values, mask, factors
        return weights @ values, weights

    def backward(self, d_context=None, d_weights=None):
        """Backpropagate through the latest call.

        Parameters
        ----------
        d_context : array, shape (B, Tq, Dv), optional
            Derivative of the loss by the context; zero if None.
        d_weights : array, shape (B, Tq, Tk), optional
            Derivative of the loss by the weights; zero if None.

        Returns
        -------
        tuple of ndarray
            The derivative by every array that `forward` was given: query and keys, and values too if
            they were.
        """
        weights, values, own_values, mask, factors = remembered(self._saved)
        expected = (*weights.shape[:2], values.shape[2])
        d_context = np.zeros(expected, values.dtype) if d_context is None else d_context
        has_shape("d_context", np.shape(d_context), expected, "the context's shape")
        d_values = _transposed(weights) @ d_context
        d_total = d_context @ _transposed(values)
        if d_weights is not None:
            has_shape("d_weights", np.shape(d_weights), weights.shape, "the weights' shape")
            d_total = d_total + d_weights
        d_energy = _softmax_backward(d_total, weights, mask)
        d_query, d_keys = self._energy_backward(d_energy, *factors)
        return (d_query, d_keys, d_values) if own_values else (d_query, d_keys + d_values)

    def _energy(self, query, keys):
        """Scores of all pairs, shape (B, Tq, Tk), and what their derivative needs."""
        if self.score == "additive":
            a = self.query(query)[:, :, None] + self.key(keys)[:, None]
            tanh = np.tanh(a)
            flat = self.energy(tanh.reshape(-1, self.hidden_size))
            return flat.reshape(tanh.shape[:-1]), (tanh,)
        if self.score == "general":
            keys = self.key(keys)
        return self._scale * (query @ _transposed(keys)), (query, keys)

    def _energy_backward(self, d_energy, *factors):
        """Derivatives by query and keys."""
        if self.score == "additive":
            (tanh,) = factors
            d_tanh = self.energy.backward(d_energy.reshape(-1, 1)).reshape(tanh.shape)
            d_a = d_tanh * (1 - tanh * tanh)
            return self.query.backward(d_a.sum(axis=2)), self.key.backward(d_a.sum(axis=1))
        query, keys = factors
        d_energy = self._scale * d_energy
        d_keys = _transposed(d_energy) @ query
        if self.score == "general":
            d_keys = self.key.backward(d_keys)
        return d_energy @ keys, d_keys

    @property
    def _scale(self):
        return 1 / self.key_size**0.5 if self.scaled else 1.0


class AttentionPooling(Module):
    r"""One vector for a whole sequence: the mean of its steps under learned weights.

    .. math::

        e_t = v^\top \tanh(W h_t + b), \qquad
        a_t = \frac{\exp e_t}{\sum_s \exp e_s}, \qquad
        \text{pooled} = \sum_t a_t h_t

    v plays the part of a query that asks the same of every sequence. Without `hidden_size` the score is
    :math:`e_t = v^\top h_t`.

    Parameters
    ----------
    input_size : int
        Features of a step.
    hidden_size : int, optional
        Size of the tanh layer; None scores the steps directly.
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are ``hidden.weight``, ``hidden.bias`` and
        ``energy.weight``: W, b and v.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer.

    References
    ----------
    Z. Yang et al., Hierarchical attention networks for document classification, NAACL 2016.

    Examples
    --------
    >>> pool = AttentionPooling(3, 4, rng=0)
    >>> pool(np.ones((2, 5, 3)), lengths=[5, 1]).shape
    (2, 3)
    >>> pool.backward(np.ones((2, 3))).shape
    (2, 5, 3)
    """

    def __init__(self, input_size, hidden_size=None, *, dtype=np.float32, device=None, rng=None):
        self.input_size = positive_int("input_size", input_size)
        self.hidden_size = None if hidden_size is None else positive_int("hidden_size", hidden_size)
        options = dict(dtype=dtype, device=device, rng=np.random.default_rng(rng))
        if hidden_size is not None:
            self.hidden = Linear(input_size, hidden_size, **options)
        self.energy = Linear(self.hidden_size or input_size, 1, bias=False, **options)
        self._saved = None

    def forward(self, output, lengths=None):
        """Map the outputs of a recurrent layer ``(B, T, H)`` to ``(B, H)``."""
        return self.attend(output, lengths)[0]

    def attend(self, output, lengths=None):
        """Return what :meth:`forward` does and the weights of the steps, shape ``(B, T)``.

        Parameters
        ----------
        output : array, shape (B, T, H)
        lengths : sequence of int, optional
            Valid steps of each sequence.
        """
        output = np.asarray(output)
        steps, batch = sequence_shape(output.shape, self.input_size, batch_first=True)
        mask = valid_steps(lengths, steps, batch)
        if mask is not None:
            output = np.where(mask[..., None], output, 0)
        features = output if self.hidden_size is None else np.tanh(self.hidden(output))
        weights = _softmax(self.energy(features)[..., 0], mask)
        self._saved = output, features, weights, mask
        return np.einsum("bt,bth->bh", weights, output), weights

    def backward(self, d_pooled):
        """Return the derivative by the outputs; add to the gradients of the parameters."""
        output, features, weights, mask = remembered(self._saved)
        d_pooled = np.asarray(d_pooled)
        has_shape("d_pooled", d_pooled.shape, (len(output), self.input_size), "(batch, input_size)")
        d_weights = np.einsum("bh,bth->bt", d_pooled, output)
        d_energy = _softmax_backward(d_weights, weights, mask)
        d_features = self.energy.backward(d_energy[..., None])
        if self.hidden_size is not None:
            d_features = self.hidden.backward(d_features * (1 - features * features))
        return weights[..., None] * d_pooled[:, None] + d_features


def _softmax(energy, mask):
    """Weights over the last axis; the largest energy is taken off, so that nothing overflows."""
    if mask is not None:
        energy = np.where(mask, energy, -np.inf)
    powers = np.exp(energy - energy.real.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax_backward(d_weights, weights, mask):
    r"""Derivative by the energies, :math:`de_j = a_j (da_j - \sum_l a_l\, da_l)`."""
    if mask is not None:
        d_weights = np.where(mask, d_weights, 0)
    return weights * (d_weights - (weights * d_weights).sum(axis=-1, keepdims=True))


def _key_mask(mask, lengths, batch, queries, keys):
    """The mask of shape (B, 1 or Tq, Tk) that a mask or lengths mean; None where all keys count."""
    if mask is None:
        valid = valid_steps(lengths, keys, batch)
        return None if valid is None else valid[:, None]
    if lengths is not None:
        raise ValueError("pass a mask or lengths, not both")
    mask = np.asarray(mask, bool)
    attention_mask_shape(mask.shape, batch, queries, keys)
    mask = mask[:, None] if mask.ndim == 2 else mask
    if not mask.any(axis=-1).all():
        raise ValueError("mask leaves a query without any key to look at")
    return mask


def valid_steps(lengths, steps, batch):
    """True at the valid steps, shape (B, T); None for None."""
    if lengths is None:
        return None
    return np.arange(steps) < np.array(sequence_lengths(lengths, steps, batch))[:, None]


def _transposed(x):
    return x.swapaxes(-1, -2)
