"""Language models: tokens in, logits of the next token out; text from them, and training on streams.

Names, arguments and weights are those of :mod:`lstm_lib.numpy`; how a token is drawn from logits is in
:mod:`lstm_lib.sampling`.
"""

import math
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lstm_lib import mixtures, sampling
from lstm_lib.decoding import Continuing
from lstm_lib.parameters import to_numpy
from lstm_lib.torch import recurrent
from lstm_lib.torch.initial import as_dtype, one_stream
from lstm_lib.torch.layers import Dropout, Embedding, Linear
from lstm_lib.torch.mixture import MixtureDensity
from lstm_lib.torch.models import like_model
from lstm_lib.validation import check_indices, check_language_model, check_point_model, has_shape


class LanguageModel(Continuing, nn.Module):
    """Embedding, recurrent layers and a linear head; as :class:`lstm_lib.numpy.LanguageModel`.

    Parameters
    ----------
    vocabulary_size : int
    embedding_size : int or None
        None feeds one-hot vectors.
    hidden_size, num_layers : int
    cell : {"LSTM", "GRU", "RNN"}
    dropout : float
    tie_weights : bool
    dtype, device, rng
        As in :class:`Linear`.
    **options
        Further keyword arguments of the recurrent layer.

    Raises
    ------
    ValueError
        As :class:`lstm_lib.numpy.LanguageModel`.

    Examples
    --------
    >>> model = LanguageModel(50, 8, 16, tie_weights=True, rng=0)
    >>> model(torch.tensor([[3, 1, 4, 1, 5]])).shape
    torch.Size([1, 5, 50])
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_size,
        hidden_size,
        num_layers=1,
        *,
        cell="LSTM",
        dropout=0.0,
        tie_weights=False,
        dtype=None,
        device=None,
        rng=None,
        **options,
    ):
        super().__init__()
        check_language_model(vocabulary_size, embedding_size, cell, dropout, tie_weights, options)
        common = dict(dtype=dtype, device=device, rng=one_stream(rng))
        self.vocabulary_size, self.tie_weights = int(vocabulary_size), bool(tie_weights)
        if embedding_size is None:
            self.embedding = _OneHot(vocabulary_size, as_dtype(dtype))
        else:
            self.embedding = Embedding(vocabulary_size, embedding_size, **common)
        between = 0.0 if num_layers == 1 else dropout
        self.rnn = getattr(recurrent, cell)(
            embedding_size or vocabulary_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=between,
            **common,
            **options,
        )
        width = self.rnn.proj_size or hidden_size
        self.projection = None
        if tie_weights:
            self.embedding.weight.data /= math.sqrt(embedding_size)
            if width != embedding_size:
                self.projection = Linear(width, embedding_size, bias=False, **common)
            self.head = _TiedHead(self.embedding.weight)
        else:
            self.head = Linear(width, vocabulary_size, **common)
        self.dropout_in = Dropout(dropout, rng=common["rng"])
        self.dropout_out = Dropout(dropout, rng=common["rng"])

    def forward(self, tokens, hx=None, lengths=None):
        """Map tokens ``(B, T)`` to the logits ``(B, T, V)`` of the tokens that follow.

        Parameters
        ----------
        tokens : tensor of integers, shape (B, T)
        hx : state, optional
            Where to go on, as :meth:`forward_with_state` returned it; zeros by default.
        lengths : sequence of int, optional
            Valid steps of each sequence.
        """
        return self.forward_with_state(tokens, hx, lengths)[0]

    def forward_with_state(self, tokens, hx=None, lengths=None):
        """Return the logits and the recurrent layer's state after the last step."""
        has_shape("tokens", tokens.shape, (None, None), "(batch, steps)")
        x = self.dropout_in(self.embedding(tokens))
        output, state = self.rnn(x, hx, lengths=lengths)
        output = self.dropout_out(output)
        if self.projection is not None:
            output = self.projection(output)
        weight = (self.embedding.weight,) if self.tie_weights else ()
        return self.head(output, *weight), state

    def output_mask(self, lengths, steps):
        """Which of `steps` predictions of every sequence count, ``(B, steps)``."""
        return np.arange(steps) < np.asarray(lengths)[:, None]

    @contextmanager
    def searching(self):
        """Return a context in which the model is in evaluation mode and records no gradient."""
        with super().searching(), torch.no_grad():
            yield self

    def _tokens(self, array):
        return like_model(array, self)


class _OneHot(nn.Module):
    """A vector of zeros with a one at the token's place; an embedding that learns nothing."""

    def __init__(self, size, dtype):
        super().__init__()
        self.size, self.dtype = size, dtype

    def forward(self, tokens):
        is_integer = not (tokens.is_floating_point() or tokens.dtype == torch.bool)
        check_indices(tokens, is_integer, self.size)
        return functional.one_hot(tokens.long(), self.size).to(self.dtype)


class _TiedHead(nn.Module):
    """A linear layer whose weight belongs to the embedding, which is why only the bias is its own."""

    def __init__(self, weight):
        super().__init__()
        self.bias = nn.Parameter(weight.detach().new_zeros(len(weight)))

    def forward(self, x, weight):
        return functional.linear(x, weight, self.bias)


@torch.no_grad()
def generate(
    model,
    prefix,
    steps,
    rng=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
    stop=None,
    allowed=None,
):
    """Let a language model continue a text; as :func:`lstm_lib.numpy.generate`.

    Parameters
    ----------
    model : LanguageModel
    prefix : array_like of int, shape (T,) or (B, T)
    steps : int
    rng : int or numpy.random.Generator, optional
        The same value gives the same tokens, in both engines.
    temperature, top_k, top_p
        As in :func:`lstm_lib.sampling.sample_token`.
    stop : int, optional
    allowed : callable, optional

    Returns
    -------
    ndarray of int64, shape (steps,) or (B, steps), or fewer steps

    Raises
    ------
    TypeError, ValueError
        As :func:`lstm_lib.numpy.generate`.

    Examples
    --------
    >>> model = LanguageModel(10, 4, 8, rng=0)
    >>> generate(model, [1, 2, 3], steps=5, rng=0, top_k=3).shape
    (5,)
    """

    def advance(tokens, state):
        logits, state = model.forward_with_state(like_model(tokens, model), state)
        return to_numpy(logits[:, -1]), state

    options = dict(temperature=temperature, top_k=top_k, top_p=top_p)
    was_training = model.training
    model.eval()
    try:
        return sampling.continue_tokens(advance, prefix, steps, rng, stop, allowed, **options)
    finally:
        model.train(was_training)


@torch.no_grad()
def generate_points(model, prefix, steps, rng=None, bias=0.0):
    """Let a model with a mixture for its head continue a line; as :func:`lstm_lib.numpy.generate_points`.

    Parameters
    ----------
    model : SequenceModel
    prefix : array_like, shape (T, D) or (B, T, D)
    steps : int
    rng : int or numpy.random.Generator, optional
        The same value gives the same points, in both engines.
    bias : float

    Returns
    -------
    ndarray, shape (steps, D) or (B, steps, D)

    Raises
    ------
    TypeError, ValueError
        As :func:`lstm_lib.numpy.generate_points`.

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> rnn, head = L.LSTM(3, 8, batch_first=True, rng=0), L.MixtureDensity(8, 2, rng=0)
    >>> model = L.SequenceModel(rnn, head, "all")
    >>> generate_points(model, [[0.0, 0.0, 1.0]], steps=5, rng=0).shape
    (5, 3)
    """
    check_point_model(model, isinstance(model.head, MixtureDensity))

    def advance(points, state):
        output, state = model.rnn(like_model(points, model), state)
        return to_numpy(model.head(output[:, -1])), state

    was_training = model.training
    model.eval()
    try:
        return mixtures.continue_points(advance, prefix, steps, rng, bias)
    finally:
        model.train(was_training)


def stream_value_and_grad(model, criterion, x, y, hx=None):
    """Loss and gradients of one chunk of a long sequence, and the state to carry to the next.

    As :func:`lstm_lib.numpy.stream_value_and_grad`: the state is detached on its way in and on its
    way out, so no gradient can flow from one chunk into another.

    Parameters
    ----------
    model : LanguageModel, or a model with its ``forward_with_state``
    criterion : callable
    x, y : arrays or tensors
    hx : state, optional

    Returns
    -------
    loss : float
    hx : state

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> from lstm_lib.data.text import stream_batches
    >>> model, state = L.LanguageModel(5, 3, 8, rng=0), None
    >>> for x, y in stream_batches([0, 1, 2, 3, 4] * 8, batch_size=2, steps=10):
    ...     loss, state = stream_value_and_grad(model, L.CrossEntropyLoss(), x, y, state)
    """
    model.zero_grad(set_to_none=True)
    prediction, state = model.forward_with_state(like_model(x, model), _detached(hx))
    loss = criterion(prediction, like_model(y, model))
    loss.backward()
    return float(loss.detach()), _detached(state)


@torch.no_grad()
def stream_loss(model, criterion, x, y, hx=None):
    """Loss of one chunk of a long sequence in evaluation mode, and the state to carry to the next.

    Parameters
    ----------
    model, criterion, x, y, hx
        As in :func:`stream_value_and_grad`.

    Returns
    -------
    loss : float
    hx : state

    Examples
    --------
    A model that knows nothing of five tokens pays log 5 for each:

    >>> from lstm_lib import torch as L
    >>> model = L.LanguageModel(5, 3, 8, rng=0)
    >>> model.load_state_dict({name: 0 * value for name, value in model.state_dict().items()})
    <All keys matched successfully>
    >>> loss, state = stream_loss(model, L.CrossEntropyLoss(), [[0, 1, 2]], [[1, 2, 3]])
    >>> print(f"{loss:.4f}")
    1.6094
    """
    was_training = model.training
    model.eval()
    try:
        prediction, state = model.forward_with_state(like_model(x, model), hx)
    finally:
        model.train(was_training)
    return float(criterion(prediction, like_model(y, model))), state


def _detached(hx):
    if hx is None or isinstance(hx, torch.Tensor):
        return hx if hx is None else hx.detach()
    return tuple(state.detach() for state in hx)
