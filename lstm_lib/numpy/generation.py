"""Language models: tokens in, logits of the next token out; text from them, and training on streams.

How a token is drawn from logits is in :mod:`lstm_lib.sampling`.
"""

import math

import numpy as np

from lstm_lib import mixtures, sampling
from lstm_lib.decoding import Continuing
from lstm_lib.numpy import recurrent
from lstm_lib.numpy.layers import Dropout, Embedding, Linear
from lstm_lib.numpy.mixture import MixtureDensity
from lstm_lib.numpy.module import Module, Parameter, check_device, remembered
from lstm_lib.validation import check_indices, check_language_model, check_point_model, has_shape


class LanguageModel(Continuing, Module):
    r"""Embedding, recurrent layers and a linear head that gives the logits of the next token.

    .. math::

        x_t = E_{k_t}, \qquad h_t = \operatorname{RNN}(x_t, h_{t-1}), \qquad
        z_t = A h_t + b, \qquad p(k_{t+1} \mid k_1 \dots k_t) = \operatorname{softmax}(z_t)

    Dropout acts on :math:`x_t`, between the layers and on :math:`h_t` of the top layer: everywhere
    but on the way from step to step. With `tie_weights` the head has the table of the embedding for
    its weights, :math:`A = E`, or :math:`A = E P` with a projection P where the hidden state and
    the vectors have different sizes.

    Parameters
    ----------
    vocabulary_size : int
        Number of tokens V.
    embedding_size : int or None
        Size of a token's vector. None feeds one-hot vectors of size V.
    hidden_size, num_layers : int
    cell : {"LSTM", "GRU", "RNN"}
    dropout : float
        Probability that an entry is dropped in training.
    tie_weights : bool
        The table then starts with the variance 1 / `embedding_size`, so that logits start small.
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`.
    **options
        Further keyword arguments of the recurrent layer, such as ``forget_bias=1.0``.

    Raises
    ------
    ValueError
        For a wrong size, an unknown cell, a bidirectional layer, which would see the token it has to
        tell, or tied weights without an embedding.

    References
    ----------
    W. Zaremba, I. Sutskever, O. Vinyals, Recurrent neural network regularization, arXiv:1409.2329,
    2014 (where dropout acts); O. Press, L. Wolf, Using the output embedding to improve language
    models, EACL 2017, and H. Inan, K. Khosravi, R. Socher, Tying word vectors and word classifiers,
    ICLR 2017 (tied weights).

    Examples
    --------
    >>> model = LanguageModel(50, 8, 16, rng=0)
    >>> tokens = np.array([[3, 1, 4, 1, 5]])
    >>> model(tokens).shape
    (1, 5, 50)
    >>> logits, (h_n, c_n) = model.forward_with_state(tokens)
    >>> h_n.shape
    (1, 1, 16)
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
        dtype=np.float32,
        device=None,
        rng=None,
        **options,
    ):
        check_device(device)
        check_language_model(vocabulary_size, embedding_size, cell, dropout, tie_weights, options)
        rng = np.random.default_rng(rng)
        common = dict(dtype=dtype, device=device, rng=rng)
        self.vocabulary_size, self.tie_weights = int(vocabulary_size), bool(tie_weights)
        if embedding_size is None:
            self.embedding = _OneHot(vocabulary_size, dtype)
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
        self.dropout_in, self.dropout_out = Dropout(dropout, rng=rng), Dropout(dropout, rng=rng)

    def forward(self, tokens, hx=None, lengths=None):
        """Map tokens ``(B, T)`` to the logits ``(B, T, V)`` of the tokens that follow.

        Parameters
        ----------
        tokens : array of int, shape (B, T)
        hx : state, optional
            Where to go on, as :meth:`forward_with_state` returned it; zeros by default.
        lengths : sequence of int, optional
            Valid steps of each sequence.
        """
        return self.forward_with_state(tokens, hx, lengths)[0]

    def forward_with_state(self, tokens, hx=None, lengths=None):
        """Return the logits and the recurrent layer's state after the last step."""
        tokens = np.asarray(tokens)
        has_shape("tokens", tokens.shape, (None, None), "(batch, steps)")
        x = self.dropout_in(self.embedding(tokens))
        output, state = self.rnn(x, hx, lengths=lengths)
        output = self.dropout_out(output)
        return self.head(output if self.projection is None else self.projection(output)), state

    def output_mask(self, lengths, steps):
        """Which of `steps` predictions of every sequence count, ``(B, steps)``."""
        return np.arange(steps) < np.asarray(lengths)[:, None]

    def _tokens(self, array):
        return np.asarray(array)

    def backward(self, d_logits, d_hx=None):
        """Backpropagate through the whole model.

        Parameters
        ----------
        d_logits : array, shape (B, T, V)
        d_hx : derivative by the final state, optional

        Returns
        -------
        None, d_hx_0
            Tokens have no derivative; the initial state has.
        """
        d_output = self.head.backward(d_logits)
        if self.projection is not None:
            d_output = self.projection.backward(d_output)
        d_x, d_hx_0 = self.rnn.backward(self.dropout_out.backward(d_output), d_hx)
        self.embedding.backward(self.dropout_in.backward(d_x))
        return None, d_hx_0


class _OneHot(Module):
    """A vector of zeros with a one at the token's place; an embedding that learns nothing."""

    def __init__(self, size, dtype):
        self.table = np.eye(size, dtype=np.float32 if dtype is None else dtype)

    def forward(self, tokens):
        check_indices(tokens, tokens.dtype.kind in "iu", len(self.table))
        return self.table[tokens]

    def backward(self, d_output):
        return None


class _TiedHead(Module):
    """A linear layer whose weight belongs to the embedding, which is why only the bias is its own."""

    def __init__(self, weight):
        self.bias = Parameter(np.zeros(len(weight.data), weight.dtype))
        self._weight = (weight,)  # in a tuple, so that it is not counted as this module's parameter
        self._input = None

    def forward(self, x):
        self._input = x
        return x @ self._weight[0].data.T + self.bias.data

    def backward(self, d_output):
        x, weight = remembered(self._input), self._weight[0]
        d_output = np.asarray(d_output)
        has_shape("d_output", d_output.shape, (*x.shape[:-1], len(weight.data)), "output's shape")
        flat_d = d_output.reshape(-1, len(weight.data))
        weight.add_grad(flat_d.T @ x.reshape(-1, x.shape[-1]))
        self.bias.add_grad(flat_d.sum(axis=0))
        return d_output @ weight.data


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
    """Let a language model continue a text.

    The state is carried from step to step, so every token costs one step of the model.

    Parameters
    ----------
    model : LanguageModel
    prefix : array_like of int, shape (T,) or (B, T)
        What the text starts with, at least one token.
    steps : int
        Tokens to draw at most.
    rng : int or numpy.random.Generator, optional
        The same value gives the same tokens, in both engines.
    temperature, top_k, top_p
        As in :func:`lstm_lib.sampling.sample_token`; a temperature of 0 is greedy.
    stop : int, optional
        A row ends with this token and is filled up with it; when every row has ended, so does all.
    allowed : callable, optional
        Which tokens may come next, as in :func:`lstm_lib.sampling.continue_tokens`.

    Returns
    -------
    ndarray of int64, shape (steps,) or (B, steps), or fewer steps
        The tokens drawn, without the prefix.

    Raises
    ------
    TypeError, ValueError
        As :func:`lstm_lib.sampling.continue_tokens`, and for tokens the model does not know.

    Examples
    --------
    >>> model = LanguageModel(10, 4, 8, rng=0)
    >>> generate(model, [1, 2, 3], steps=5, rng=0, top_k=3).shape
    (5,)
    """

    def advance(tokens, state):
        logits, state = model.forward_with_state(tokens, state)
        return logits[:, -1], state

    options = dict(temperature=temperature, top_k=top_k, top_p=top_p)
    was_training = model.training
    model.eval()
    try:
        return sampling.continue_tokens(advance, prefix, steps, rng, stop, allowed, **options)
    finally:
        model.train(was_training)


def generate_points(model, prefix, steps, rng=None, bias=0.0):
    """Let a model with a mixture for its head continue a line of handwriting or a series.

    The state is carried from step to step, so every point costs one step of the model.

    Parameters
    ----------
    model : SequenceModel
        With ``readout="all"`` and a :class:`MixtureDensity` as its head, trained to tell the next point.
    prefix : array_like, shape (T, D) or (B, T, D)
        What the line starts with, at least one point; D is 3 for a pen, 1 for a real number.
    steps : int
        Points to draw.
    rng : int or numpy.random.Generator, optional
        The same value gives the same points, in both engines.
    bias : float
        Above 0 for tidier lines; see :func:`lstm_lib.mixtures.mixture`.

    Returns
    -------
    ndarray, shape (steps, D) or (B, steps, D)
        The points drawn, without the prefix.

    Raises
    ------
    ValueError
        For a model of another kind, or as :func:`lstm_lib.mixtures.continue_points`.

    References
    ----------
    A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> rnn, head = L.LSTM(3, 8, batch_first=True, rng=0), L.MixtureDensity(8, 2, rng=0)
    >>> model = L.SequenceModel(rnn, head, "all")
    >>> generate_points(model, [[0.0, 0.0, 1.0]], steps=5, rng=0).shape
    (5, 3)
    """
    check_point_model(model, isinstance(model.head, MixtureDensity))

    def advance(points, state):
        output, state = model.rnn(points.astype(model.rnn.weight_ih_l0.dtype), state)
        return model.head(output[:, -1]), state

    was_training = model.training
    model.eval()
    try:
        return mixtures.continue_points(advance, prefix, steps, rng, bias)
    finally:
        model.train(was_training)


def stream_value_and_grad(model, criterion, x, y, hx=None):
    """Loss and gradients of one chunk of a long sequence, and the state to carry to the next.

    The gradient stops at the chunk's first step: the state that comes in counts as a constant, and
    the one that comes out remembers nothing of how it was computed. That is truncated
    backpropagation through time.

    Parameters
    ----------
    model : LanguageModel, or a model with its ``forward_with_state`` and ``backward``
    criterion : CrossEntropyLoss or another loss of this engine
    x, y : arrays
        Inputs and targets of the chunk, for a language model (B, T) integers each.
    hx : state, optional
        What the call for the chunk before returned; None for the first.

    Returns
    -------
    loss : float
        Gradients are in the parameters' ``grad``; older ones are forgotten.
    hx : state

    References
    ----------
    R. Williams, J. Peng, An efficient gradient-based algorithm for on-line training of recurrent
    network trajectories, Neural Computation 2(4), 1990.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> from lstm_lib.data.text import stream_batches
    >>> model, state = L.LanguageModel(5, 3, 8, rng=0), None
    >>> for x, y in stream_batches(np.arange(41) % 5, batch_size=2, steps=10):
    ...     loss, state = stream_value_and_grad(model, L.CrossEntropyLoss(), x, y, state)
    """
    model.zero_grad()
    prediction, state = model.forward_with_state(x, hx)
    loss = criterion(prediction, y)
    model.backward(criterion.backward())
    return float(loss), state


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
    Two chunks, the second from where the first has led, are as one:

    >>> from lstm_lib import numpy as L
    >>> model, criterion = L.LanguageModel(5, 3, 8, dtype=np.float64, rng=0), L.CrossEntropyLoss()
    >>> x, y = np.array([[0, 1, 2, 3]]), np.array([[1, 2, 3, 4]])
    >>> first, state = stream_loss(model, criterion, x[:, :2], y[:, :2])
    >>> second, _ = stream_loss(model, criterion, x[:, 2:], y[:, 2:], state)
    >>> whole, _ = stream_loss(model, criterion, x, y)
    >>> bool(np.isclose((first + second) / 2, whole, rtol=1e-12))
    True
    """
    was_training = model.training
    model.eval()
    try:
        prediction, state = model.forward_with_state(x, hx)
    finally:
        model.train(was_training)
    return float(criterion(prediction, y)), state
