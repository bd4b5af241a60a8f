"""What the encoder-decoders of both engines share: their layers, search, likelihood, own predictions.

The pass forward, and in the NumPy engine the one backward, stand in ``seq2seq`` of each engine; the
searches themselves in :mod:`lstm_lib.decoding`.
"""

from typing import Any, NamedTuple

import numpy as np

from lstm_lib import decoding
from lstm_lib.inputs import several
from lstm_lib.parameters import to_numpy
from lstm_lib.validation import (
    check_indices,
    has_shape,
    one_of,
    positive_int,
    token_number,
    tokens_or_features,
)

__all__ = ["DecoderState", "SequenceToSequence"]


class DecoderState(NamedTuple):
    """All that a decoder needs to take its next step.

    ``hx`` is the state of the decoder's recurrent layers, in their form; ``memory``, of shape
    (B, Ts, D), the outputs of the encoder that attention looks at; ``lengths`` the valid steps of every
    source, or None.
    """

    hx: Any
    memory: Any
    lengths: Any


class SequenceToSequence(decoding.Searched):
    """Base of both engines' ``EncoderDecoder``: everything that does not compute a layer.

    A subclass defines ``encode``, ``step``, ``_decode`` and ``_coins``.

    Examples
    --------
    The probabilities of all targets of one token sum to 1:

    >>> from lstm_lib import numpy as L
    >>> model = L.EncoderDecoder(8, source_vocabulary=5, target_vocabulary=6, rng=0)
    >>> isinstance(model, SequenceToSequence)
    True
    >>> source, first, target = np.full((6, 3), 4), np.zeros((6, 1), int), np.arange(6)[:, None]
    >>> round(float(np.exp(model.log_likelihood(source, first, target)).sum()), 5)
    1.0
    """

    def _build(self, layers, sizes, dropout, common, options, encoder=None, memory_size=None):
        """Make all layers, in one order, so that both engines draw the same weights.

        Parameters
        ----------
        layers : module
            The engine's own classes, by name.
        sizes : dict
            What :func:`checked_sizes` returns.
        dropout : float
        common : dict
            dtype, device and rng.
        options : dict
            Further arguments of the recurrent layers.
        encoder : module, optional
            What reads the source in place of a recurrent layer.
        memory_size : int, optional
            Features of its memory.
        """
        for name, value in sizes.items():
            setattr(self, name, value)
        hidden, options = self.hidden_size, self._rnn_options(dropout, options)
        rnn = getattr(layers, self.cell)
        self.source_embedding = self._embedding(layers, self.source_vocabulary, common)
        self.reads_steps = encoder is None
        if self.reads_steps:
            width = self.source_features or self.embedding_size
            directions = dict(bidirectional=self.bidirectional)
            encoder = rnn(width, hidden, **directions, **options, **common)
            memory_size = hidden * (2 if self.bidirectional else 1)
        self.encoder = encoder
        memory_size = hidden if memory_size is None else positive_int("memory_size", memory_size)
        for name in self._bridges():
            setattr(self, name, layers.Linear(memory_size, hidden, **common))
        self.target_embedding = self._embedding(layers, self.target_vocabulary, common)
        width = self.target_features or self.embedding_size
        self.decoder = rnn(width, hidden, **options, **common)
        self.attention = self.combine = None
        if self.score is not None:
            self.attention = layers.Attention(hidden, memory_size, self.score, **common)
            self.combine = layers.Linear(memory_size + hidden, hidden, bias=False, **common)
        outputs = self.target_vocabulary or self.target_features
        self.head = layers.Linear(hidden, outputs, **common)
        self.source_dropout = layers.Dropout(dropout, rng=common["rng"])
        self.target_dropout = layers.Dropout(dropout, rng=common["rng"])
        self.output_dropout = layers.Dropout(dropout, rng=common["rng"])

    def _rnn_options(self, dropout, given):
        """Arguments of both recurrent layers beside their sizes."""
        if given.get("proj_size"):
            raise ValueError("proj_size does not go with an encoder-decoder: leave it at 0")
        between = dropout if self.num_layers > 1 else 0.0
        return dict(num_layers=self.num_layers, batch_first=True, dropout=between, **given)

    def _embedding(self, layers, vocabulary, common):
        if vocabulary is None:
            return None
        return layers.Embedding(vocabulary, self.embedding_size, **common)

    def _bridges(self):
        """Names of the maps from the encoder's last state to the decoder's first, layer by layer."""
        states = ("h", "c") if self.cell == "LSTM" else ("h",)
        layers = range(self.num_layers) if self.bidirectional else ()
        return [f"bridge_{state}_l{layer}" for state in states for layer in layers]

    def greedy(self, source, max_length, bos, eos, lengths=None):
        """Return the hypothesis of the most likely next token for every source.

        Arguments and result are those of :func:`lstm_lib.decoding.greedy`.
        """
        self._needs_tokens("greedy")
        return decoding.greedy(self, source, max_length, bos, eos, lengths)

    def beam_search(
        self, source, beam_size, max_length, bos, eos, lengths=None, *, length_penalty=0.0
    ):
        """Return the best hypotheses for every source, best first.

        Arguments and result are those of :func:`lstm_lib.decoding.beam_search`.
        """
        self._needs_tokens("beam_search")
        return decoding.beam_search(
            self, source, beam_size, max_length, bos, eos, lengths, length_penalty=length_penalty
        )

    def log_likelihood(self, source, target_in, target, source_lengths=None, target_lengths=None):
        r"""Log-probability of whole targets, :math:`\log p(y \mid x) = \sum_t \log p(y_t \mid y_{<t}, x)`.

        Parameters
        ----------
        source, target_in, source_lengths, target_lengths
            As in ``forward``.
        target : array of int, shape (B, Tt)
            The tokens that follow those of `target_in`.

        Returns
        -------
        ndarray, shape (B,)
            In nats and float64.
        """
        self._needs_tokens("log_likelihood")
        target = np.asarray(to_numpy(target))
        with self.searching():
            logits = to_numpy(self(source, target_in, source_lengths, target_lengths))
        has_shape("target", target.shape, logits.shape[:2], "(batch, steps), target_in's shape")
        batch, steps = target.shape
        ends = [steps] * batch if target_lengths is None else target_lengths
        valid = np.arange(steps) < np.array(ends)[:, None]
        chosen = np.where(valid, target, 0)[..., None]
        check_indices(chosen, chosen.dtype.kind in "iu", logits.shape[-1])
        log_p = np.take_along_axis(decoding.log_softmax(logits), chosen, axis=-1)[..., 0]
        return np.where(valid, log_p, 0.0).sum(axis=1)

    def forecast(self, source, first, steps, lengths=None):
        """Continue a sequence of real numbers: every prediction is the next step's input.

        Parameters
        ----------
        source : array, shape (B, Ts) or (B, Ts, source_features)
        first : array, shape (B, target_features)
            What the decoder reads at its first step, such as the last value that is known.
        steps : int
        lengths : sequence of int, optional
            Valid steps of every source.

        Returns
        -------
        ndarray, shape (B, steps, target_features)
        """
        if self.target_features is None:
            raise ValueError("forecast needs a model with target_features; this one writes tokens")
        found = []
        with self.searching():
            state, value = self.encode(source, lengths), first
            for _ in range(positive_int("steps", steps)):
                value, state = self.step(value, state)
                found.append(to_numpy(value))
        return np.stack(found, axis=1)

    def attention_weights(self, source, target_in, source_lengths=None, target_lengths=None):
        """Return where every step of the decoder looks, shape (B, Tt, Ts).

        Takes the arguments of ``forward``; a row holds the weights of all steps of the source.
        """
        if self.attention is None:
            raise ValueError("attention_weights needs a model with attention; this one has none")
        with self.searching():
            state = self.encode(source, source_lengths)
            return to_numpy(self._decode(target_in, state, target_lengths)[2])

    def output_mask(self, lengths, steps):
        """Which of `steps` answers of every target count; None for all, if no target has a length."""
        ends = lengths[1] if several(lengths) else None
        return None if ends is None else np.arange(steps) < np.asarray(ends)[:, None]

    def select(self, state, rows):
        """Return the state of the given rows of the batch, in that order."""
        parts = state.hx if isinstance(state.hx, tuple) else (state.hx,)
        parts = tuple(part[:, rows] for part in parts)
        return DecoderState(
            parts if isinstance(state.hx, tuple) else parts[0],
            state.memory[rows],
            None if state.lengths is None else state.lengths[rows],
        )

    def _own_predictions(self, target_in, state):
        """Where the decoder reads what it said itself at the step before, and what that is."""
        values = np.array(to_numpy(target_in).real)
        own = self._coins(values.shape[:2], 1 - self.teacher_forcing)
        own[:, 0] = False
        with self.searching():
            for t in range(1, values.shape[1]):
                said, state = self.step(values[:, t - 1], state)
                said = to_numpy(said).real
                if self.target_features is None:
                    values[:, t] = np.where(own[:, t], said.argmax(axis=-1), values[:, t])
                else:
                    values[:, t] = np.where(own[:, t, None], said, values[:, t])
        return (own if self.target_features is None else own[..., None]), values

    def _needs_tokens(self, name):
        if self.target_vocabulary is None:
            raise ValueError(f"{name} needs a model with target_vocabulary; use forecast")


def checked_sizes(
    hidden_size,
    num_layers,
    *,
    source_vocabulary,
    target_vocabulary,
    source_features,
    target_features,
    embedding_size,
    encoder,
    cell,
    bidirectional,
    attention,
    teacher_forcing,
):
    """Check the arguments of an encoder-decoder and return them by the names of its attributes."""
    if encoder is None:
        tokens_or_features("source", source_vocabulary, source_features)
    elif (source_vocabulary, source_features, bool(bidirectional)) != (None, None, False):
        raise ValueError(
            "an encoder of your own reads the source: leave out source_vocabulary, "
            "source_features and bidirectional"
        )
    tokens_or_features("target", target_vocabulary, target_features)
    if not 0 <= teacher_forcing <= 1:
        raise ValueError(f"teacher_forcing must lie in [0, 1], got {teacher_forcing}")
    if attention is not None:
        one_of("attention", attention, ("dot", "general", "additive"))
    if attention == "dot" and bidirectional:
        raise ValueError(
            "attention='dot' needs decoder and encoder outputs of one size, and a bidirectional "
            "encoder's are twice as wide: use attention='general'"
        )
    embedding_size = hidden_size if embedding_size is None else embedding_size
    return dict(
        hidden_size=positive_int("hidden_size", hidden_size),
        num_layers=positive_int("num_layers", num_layers),
        source_vocabulary=source_vocabulary,
        target_vocabulary=target_vocabulary,
        source_features=source_features,
        target_features=target_features,
        embedding_size=positive_int("embedding_size", embedding_size),
        cell=one_of("cell", cell, ("LSTM", "GRU", "RNN")),
        bidirectional=bool(bidirectional),
        score=attention,
        teacher_forcing=teacher_forcing,
    )


def decoder_arrays(targets, bos, eos, ignore_index=-100):
    """Return what a decoder reads and what it should say, from sequences of tokens.

    Parameters
    ----------
    targets : sequence of sequences of int
        Without starting and ending tokens; they may be empty.
    bos, eos : int
        The token that starts every sequence, and the one that ends it.
    ignore_index : int
        Fills the places of `target` past the end, so that a loss leaves them out.

    Returns
    -------
    target_in, target : ndarray of int, shape (N, T)
        Every target after `bos`, and before `eos`. `target_in` is filled up with `eos`.
    lengths : ndarray of int, shape (N,)
        Valid steps of both.

    Examples
    --------
    >>> target_in, target, lengths = decoder_arrays([[5, 6], [7]], bos=0, eos=1)
    >>> target_in.tolist(), target.tolist(), lengths.tolist()
    ([[0, 5, 6], [0, 7, 1]], [[5, 6, 1], [7, 1, -100]], [3, 2])
    """
    lengths = np.array([len(tokens) + 1 for tokens in targets])
    if len(lengths) == 0:
        raise ValueError("targets must hold at least one sequence, got none")
    target_in = np.full((len(lengths), lengths.max()), token_number("eos", eos))
    target = np.full(target_in.shape, ignore_index)
    target_in[:, 0] = token_number("bos", bos)
    for row, (tokens, length) in enumerate(zip(targets, lengths, strict=True)):
        target_in[row, 1:length], target[row, : length - 1] = tokens, tokens
        target[row, length - 1] = eos
    return target_in, target, lengths
