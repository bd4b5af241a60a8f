"""Modules of ``torch.nn`` layers alone, for who goes on without this library. Imports torch."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class SequenceModel(nn.Module):
    """A ``torch.nn`` recurrent layer and a linear head: :class:`lstm_lib.torch.SequenceModel` rebuilt.

    Parameters
    ----------
    rnn : torch.nn.LSTM, GRU or RNN
        With ``batch_first=True``.
    head : torch.nn.Linear
    readout : {"last", "all"}

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> from lstm_lib.convert import to_torch
    >>> model = L.SequenceModel(L.LSTM(1, 8, batch_first=True), L.Linear(8, 2))
    >>> to_torch(model)(torch.zeros(4, 10, 1), lengths=[10, 2, 3, 1]).shape
    torch.Size([4, 2])
    """

    def __init__(self, rnn, head, readout):
        super().__init__()
        self.rnn, self.head, self.readout = rnn, head, readout

    def forward(self, x, lengths=None):
        """Map ``(B, T, I)`` to ``(B, O)``, or to ``(B, T, O)`` for ``readout="all"``."""
        if lengths is None:
            output, state = self.rnn(x)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            output, state = self.rnn(packed)
            output, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
        if self.readout == "all":
            return self.head(output)
        h_n = state[0] if isinstance(state, tuple) else state
        top = torch.cat((h_n[-2], h_n[-1]), dim=-1) if self.rnn.bidirectional else h_n[-1]
        return self.head(top)
