"""Sequence to sequence in the torch engine; see :mod:`lstm_lib.numpy.seq2seq`."""

from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from lstm_lib.seq2seq import (
    DecoderState,
    SequenceToSequence,
    checked_sizes,
)
from lstm_lib.torch import attention, layers, recurrent
from lstm_lib.torch.attention import valid_steps
from lstm_lib.torch.initial import one_stream
from lstm_lib.torch.masks import MaskSource, mask_seed
from lstm_lib.validation import steps_of_side


class _Layers:
    """The classes an encoder-decoder is made of."""

    RNN, GRU, LSTM = recurrent.RNN, recurrent.GRU, recurrent.LSTM
    Linear, Embedding, Dropout = layers.Linear, layers.Embedding, layers.Dropout
    Attention = attention.Attention


class EncoderDecoder(SequenceToSequence, MaskSource, nn.Module):
    r"""Read one sequence, write another: two recurrent networks, with attention or without.

    Equations, arguments, parameters and results are those of :class:`lstm_lib.numpy.EncoderDecoder`.

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
        first state; see :class:`lstm_lib.torch.pictures.PictureEncoder`.
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
        As in :class:`lstm_lib.torch.LSTM`.
    **options
        Further arguments of both recurrent layers, such as ``forget_bias=1.0``.

    Raises
    ------
    ValueError
        For sizes and options that do not go together.

    References
    ----------
    Sutskever, Vinyals and Le 2014; Cho et al. 2014; Luong, Pham and Manning 2015; S. Bengio et al. 2015.

    Examples
    --------
    >>> model = EncoderDecoder(8, source_vocabulary=5, target_vocabulary=6, attention="dot", rng=0)
    >>> source, target_in = torch.tensor([[3, 4, 2], [1, 2, 0]]), torch.tensor([[0, 5], [0, 3]])
    >>> model(source, target_in, source_lengths=[3, 2]).shape
    torch.Size([2, 2, 6])
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
        dtype=None,
        device=None,
        rng=None,
        **options,
    ):
        super().__init__()
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
        rng = one_stream(rng)
        common = dict(dtype=dtype, device=device, rng=rng)
        self._build(_Layers, sizes, dropout, common, options, encoder, memory_size)
        if teacher_forcing < 1:
            self.reseed(mask_seed(rng))

    def forward(self, source, target_in, source_lengths=None, target_lengths=None):
        """Return the logits of every step, with the target given.

        Parameters
        ----------
        source : tensor of int, shape (B, Ts), or of float, (B, Ts, source_features)
        target_in : tensor of int, shape (B, Tt), or of float, (B, Tt, target_features)
            What the decoder reads: the target moved one step on, with the starting token before it.
        source_lengths, target_lengths : sequence of int, optional
            Valid steps of every source and target. What stands past the end has no influence.

        Returns
        -------
        tensor, shape (B, Tt, V)
            Logits of the token that follows; zero past the end of a target. Predictions
            ``(B, Tt, target_features)`` for real targets.
        """
        state = self.encode(source, source_lengths)
        target_in = self._tensor(target_in)
        steps_of_side("target_in", target_in.shape, self.target_features, len(state.memory))
        if self.training and self.teacher_forcing < 1:
            own, said = map(self._tensor, self._own_predictions(target_in, state))
            target_in = torch.where(own, said, target_in)
        return self._decode(target_in, state, target_lengths)[0]

    def encode(self, source, lengths=None):
        """Read the sources and return the :class:`~lstm_lib.seq2seq.DecoderState` to start from."""
        source = self._tensor(source)
        if self.reads_steps:
            steps_of_side("source", source.shape, self.source_features)
            valid = valid_steps(lengths, source)
            source = self._embedded(source, valid, self.source_embedding, self.source_dropout)
        memory, final = self.encoder(source, lengths=lengths)
        return DecoderState(
            self._bridged(final), memory, None if lengths is None else np.asarray(lengths)
        )

    def step(self, tokens, state):
        """Feed one token a row, or one vector; return the logits and the state after it.

        Parameters
        ----------
        tokens : array or tensor of int, shape (B,), or of float, (B, target_features)
        state : DecoderState

        Returns
        -------
        logits : tensor, shape (B, V)
        state : DecoderState
        """
        logits, hx, _ = self._decode(self._tensor(tokens)[:, None], state)
        return logits[:, 0], state._replace(hx=hx)

    @contextmanager
    def searching(self):
        """Return a context in which the model is in evaluation mode and records no gradient."""
        with super().searching(), torch.no_grad():
            yield self

    def _decode(self, target_in, state, lengths=None):
        """Logits, the decoder's last state and the attention's weights (or None)."""
        target_in = self._tensor(target_in)
        steps_of_side("target_in", target_in.shape, self.target_features)
        valid = valid_steps(lengths, target_in)
        x = self._embedded(target_in, valid, self.target_embedding, self.target_dropout)
        h, hx = self.decoder(x, state.hx, lengths=lengths)
        weights = None
        if self.attention is not None:
            context, weights = self.attention(h, state.memory, lengths=state.lengths)
            h = torch.tanh(self.combine(torch.cat((context, h), dim=-1)))
        logits = self.head(self.output_dropout(h))
        if valid is not None:
            logits = torch.where(valid[..., None], logits, logits.new_zeros(()))
        return logits, hx, weights

    def _embedded(self, x, valid, embedding, dropout):
        """Vectors of a side's tokens; its real numbers as they are."""
        if embedding is None:
            return x
        return dropout(embedding(x if valid is None else torch.where(valid, x, 0)))

    def _bridged(self, final):
        """The decoder's first state from the encoder's last one."""
        if not self.bidirectional:
            return final
        states = final if isinstance(final, tuple) else (final,)
        maps = iter(self._bridges())
        bridged = tuple(
            torch.stack(
                [
                    getattr(self, next(maps))(torch.cat((s[k], s[k + 1]), dim=-1))
                    for k in range(0, len(s), 2)
                ]
            )
            for s in states
        )
        return bridged if isinstance(final, tuple) else bridged[0]

    def _tensor(self, array):
        """An array or tensor on the model's device, real numbers in its precision."""
        tensor = torch.as_tensor(array)
        weight = self.head.weight
        return tensor.to(weight) if tensor.is_floating_point() else tensor.to(weight.device)

    def _coins(self, shape, p):
        return self.coins(shape, p, self.head.weight).cpu().numpy()
