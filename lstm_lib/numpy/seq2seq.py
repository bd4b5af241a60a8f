"""Sequence to sequence in the NumPy engine: an encoder, a decoder, and the way back through both."""

import numpy as np

from lstm_lib.masks import MaskSource, as_seed
from lstm_lib.numpy import attention, layers, recurrent
from lstm_lib.numpy.attention import valid_steps
from lstm_lib.numpy.module import Module, remembered
from lstm_lib.seq2seq import (
    DecoderState,
    SequenceToSequence,
    checked_sizes,
)
from lstm_lib.validation import has_shape, steps_of_side


class _Layers:
    """The classes an encoder-decoder is made of."""

    RNN, GRU, LSTM = recurrent.RNN, recurrent.GRU, recurrent.LSTM
    Linear, Embedding, Dropout = layers.Linear, layers.Embedding, layers.Dropout
    Attention = attention.Attention


class EncoderDecoder(SequenceToSequence, MaskSource, Module):
    r"""Read one sequence, write another: two recurrent networks, with attention or without.

    The encoder reads the source :math:`x_1 \dots x_{T_s}`. Its last state is the decoder's first one:
    as it is, or, of a bidirectional encoder, the states of both directions side by side, mapped layer
    by layer onto the decoder's size by :math:`s_0 = B [\overrightarrow{s}; \overleftarrow{s}] + b`. The
    decoder reads the target so far, :math:`y_{<t}`, and its output :math:`h_t` becomes the logits of
    the next token:

    .. math::  z_t = A h_t + b, \qquad p(y_t \mid y_{<t}, x) = \mathrm{softmax}(z_t)

    With attention (global, after the recurrence) the output first looks back at the encoder's outputs
    :math:`m_1 \dots m_{T_s}`, and the logits are those of :math:`\tilde h_t`:

    .. math::  \tilde h_t = \tanh(W_c [\,\textstyle\sum_j a_{tj} m_j\, ; h_t])

    Either side may hold real numbers instead of tokens, for forecasting: `source_features`,
    `target_features`. Such a side has no embedding, and :math:`z_t` is the prediction itself.

    While training, the decoder reads the target it is given (teacher forcing). With
    ``teacher_forcing=p`` below 1 it reads, with probability 1 - p at every step after the first, what it
    said itself at the step before: the most likely token, made without the decoder's dropout. What
    is read counts as a constant for the gradient.

    Parameters
    ----------
    hidden_size : int
        Units of every layer of both networks.
    num_layers : int
    source_vocabulary, target_vocabulary : int, optional
        Number of tokens on a side.
    source_features, target_features : int, optional
        Number of real features on a side, instead of a vocabulary.
    embedding_size : int, optional
        Size of a token's vector, `hidden_size` by default.
    encoder : module, optional
        Reads the source in place of a recurrent network, for instance a picture. Called as
        ``encoder(source, lengths=lengths)``, it returns the memory, (B, Ts, `memory_size`), and the decoder's
        first state, and has a ``backward`` of their derivatives.
    memory_size : int, optional
        Features of a place of the given encoder's memory, `hidden_size` by default.
    cell : {"LSTM", "GRU", "RNN"}
    bidirectional : bool
        Whether the encoder reads in both directions.
    attention : {None, "dot", "general", "additive"}
        How :class:`Attention` scores; None for none.
    dropout : float
        Probability of dropping: on embeddings, between layers, and before the logits.
    teacher_forcing : float
        Share of the steps that read the given target while training.
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`.
    **options
        Further arguments of both recurrent layers, such as ``forget_bias=1.0``.

    Raises
    ------
    ValueError
        For sizes and options that do not go together.

    References
    ----------
    I. Sutskever, O. Vinyals, Q. V. Le, Sequence to sequence learning with neural networks, NeurIPS 2014;
    K. Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014; M.-T. Luong,
    H. Pham, C. D. Manning, Effective approaches to attention-based neural machine translation, EMNLP
    2015; S. Bengio et al., Scheduled sampling for sequence prediction with recurrent neural
    networks, NeurIPS 2015.

    Examples
    --------
    >>> model = EncoderDecoder(
    ...     8, source_vocabulary=5, target_vocabulary=6, attention="general", bidirectional=True, rng=0
    ... )
    >>> source, target_in = np.array([[3, 4, 2], [1, 2, 0]]), np.array([[0, 5, 4, 2], [0, 3, 3, 1]])
    >>> logits = model(source, target_in, source_lengths=[3, 2])
    >>> logits.shape
    (2, 4, 6)
    >>> model.backward(np.ones_like(logits))
    (None, None)
    >>> [len(h.tokens) <= 7 for h in model.greedy(source, max_length=7, bos=0, eos=1)]
    [True, True]
    """

    def __init__(
        self,
        hidden_size,
        num_layers=1,
        *,
        source_vocabulary=None,
        target_vocabulary=None,
        source_features=None,
        target_features=None,
        embedding_size=None,
        encoder=None,
        memory_size=None,
        cell="LSTM",
        bidirectional=False,
        attention=None,
        dropout=0.0,
        teacher_forcing=1.0,
        dtype=np.float32,
        device=None,
        rng=None,
        **options,
    ):
        sizes = checked_sizes(
            hidden_size,
            num_layers,
            source_vocabulary=source_vocabulary,
            target_vocabulary=target_vocabulary,
            source_features=source_features,
            target_features=target_features,
            embedding_size=embedding_size,
            encoder=encoder,
            cell=cell,
            bidirectional=bidirectional,
            attention=attention,
            teacher_forcing=teacher_forcing,
        )
        rng = np.random.default_rng(rng)
        common = dict(dtype=dtype, device=device, rng=rng)
        self._build(_Layers, sizes, dropout, common, options, encoder, memory_size)
        if teacher_forcing < 1:
            self.reseed(as_seed(rng))
        self._saved = None

    def forward(self, source, target_in, source_lengths=None, target_lengths=None):
        """Return the logits of every step, with the target given.

        Parameters
        ----------
        source : array of int, shape (B, Ts), or of float, (B, Ts, source_features)
        target_in : array of int, shape (B, Tt), or of float, (B, Tt, target_features)
            What the decoder reads: the target moved one step on, with the starting token before it.
        source_lengths, target_lengths : sequence of int, optional
            Valid steps of every source and target. What stands past the end has no influence.

        Returns
        -------
        ndarray, shape (B, Tt, V)
            Logits of the token that follows; zero past the end of a target. Predictions
            ``(B, Tt, target_features)`` for real targets.
        """
        state = self.encode(source, source_lengths)
        target_in = np.asarray(target_in)
        steps_of_side("target_in", target_in.shape, self.target_features, len(state.memory))
        if self.training and self.teacher_forcing < 1:
            own, said = self._own_predictions(target_in, state)
            target_in = np.where(own, said, target_in)
        else:
            own = None
        self._saved = (own,)
        return self._decode(target_in, state, target_lengths)[0]

    def encode(self, source, lengths=None):
        """Read the sources and return the :class:`~lstm_lib.seq2seq.DecoderState` to start from."""
        source = np.asarray(source)
        if self.reads_steps:
            steps, batch = steps_of_side("source", source.shape, self.source_features)
            valid = valid_steps(lengths, steps, batch)
            source = self._embedded(source, valid, self.source_embedding, self.source_dropout)
        memory, final = self.encoder(source, lengths=lengths)
        return DecoderState(
            self._bridged(final), memory, None if lengths is None else np.asarray(lengths)
        )

    def step(self, tokens, state):
        """Feed one token a row, or one vector; return the logits and the state after it.

        Parameters
        ----------
        tokens : array of int, shape (B,), or of float, (B, target_features)
        state : DecoderState

        Returns
        -------
        logits : ndarray, shape (B, V)
        state : DecoderState
        """
        logits, hx, _ = self._decode(np.asarray(tokens)[:, None], state)
        return logits[:, 0], state._replace(hx=hx)

    def backward(self, d_logits):
        """Backpropagate through the latest call of ``forward``.

        Returns
        -------
        d_source, d_target_in : ndarray or None
            None for tokens, which have no derivative.
        """
        (own,) = remembered(self._saved)
        d_target, d_hx, d_memory = self._decode_backward(np.asarray(d_logits))
        if own is not None and d_target is not None:
            d_target = np.where(own, 0, d_target)
        d_x, _ = self.encoder.backward(d_memory, self._bridged_backward(d_hx))
        return self._embedded_backward(d_x, self.source_embedding, self.source_dropout), d_target

    def _decode(self, target_in, state, lengths=None):
        """Logits, the decoder's last state and the attention's weights (or None)."""
        steps, batch = steps_of_side("target_in", target_in.shape, self.target_features)
        valid = valid_steps(lengths, steps, batch)
        x = self._embedded(target_in, valid, self.target_embedding, self.target_dropout)
        h, hx = self.decoder(x, state.hx, lengths=lengths)
        weights = None
        if self.attention is not None:
            context, weights = self.attention(h, state.memory, lengths=state.lengths)
            h = np.tanh(self.combine(np.concatenate((context, h), axis=-1)))
        logits = self.head(self.output_dropout(h))
        self._decoded = h, valid
        return (logits if valid is None else np.where(valid[..., None], logits, 0)), hx, weights

    def _decode_backward(self, d_logits):
        """Derivatives by the target, the decoder's first state and the encoder's outputs."""
        h, valid = self._decoded
        if valid is not None:
            has_shape("d_logits", d_logits.shape, (*valid.shape, None), "the logits' shape")
            d_logits = np.where(valid[..., None], d_logits, 0)
        d_h, d_memory = self.output_dropout.backward(self.head.backward(d_logits)), None
        if self.attention is not None:
            d_pair = self.combine.backward(d_h * (1 - h * h))
            d_context, d_h = np.split(d_pair, [self.attention.key_size], axis=-1)
            d_query, d_memory = self.attention.backward(d_context)
            d_h = d_h + d_query
        d_x, d_hx = self.decoder.backward(d_h)
        d_target = self._embedded_backward(d_x, self.target_embedding, self.target_dropout)
        return d_target, d_hx, d_memory

    def _embedded(self, x, valid, embedding, dropout):
        """Vectors of a side's tokens; its real numbers as they are."""
        if embedding is None:
            return x
        return dropout(embedding(x if valid is None else np.where(valid, x, 0)))

    def _embedded_backward(self, d_x, embedding, dropout):
        return d_x if embedding is None else embedding.backward(dropout.backward(d_x))

    def _bridged(self, final):
        """The decoder's first state from the encoder's last one."""
        if not self.bidirectional:
            return final
        states = final if isinstance(final, tuple) else (final,)
        maps = iter(self._bridges())
        bridged = tuple(
            np.stack(
                [
                    getattr(self, next(maps))(np.concatenate((s[k], s[k + 1]), axis=-1))
                    for k in range(0, len(s), 2)
                ]
            )
            for s in states
        )
        return bridged if isinstance(final, tuple) else bridged[0]

    def _bridged_backward(self, d_hx):
        """The derivative by the encoder's last state from that by the decoder's first one."""
        if not self.bidirectional:
            return d_hx
        states = d_hx if isinstance(d_hx, tuple) else (d_hx,)
        maps = iter(self._bridges())
        d_final = tuple(
            np.concatenate(
                [np.split(getattr(self, next(maps)).backward(d), 2, axis=-1) for d in state]
            )
            for state in states
        )
        return d_final if isinstance(d_hx, tuple) else d_final[0]

    def _coins(self, shape, p):
        return self.coins(shape, p)
