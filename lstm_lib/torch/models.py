"""Models made of layers, and the few functions a training loop needs."""

import numpy as np
import torch
from torch import nn

from lstm_lib.validation import check_layers, one_of, positive_int


def device():
    """Return ``"cuda"`` where torch finds a GPU, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class SequenceModel(nn.Module):
    r"""A recurrent layer and a linear head: many-to-one or many-to-many.

    ``readout="last"`` feeds the head the hidden state of the top layer after the last valid step,
    :math:`y = A h_{T} + b`, for one answer a sequence. ``readout="all"`` feeds it every step,
    :math:`y_t = A h_t + b`.

    Parameters
    ----------
    rnn : LSTM, GRU or RNN
        Built with ``batch_first=True``.
    head : Linear
        From ``hidden_size * directions`` to the number of outputs.
    readout : {"last", "all"}

    Raises
    ------
    ValueError
        If the layers do not fit together.

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> model = L.SequenceModel(L.LSTM(1, 8, batch_first=True), L.Linear(8, 2))
    >>> model(torch.zeros(4, 10, 1)).shape
    torch.Size([4, 2])
    """

    def __init__(self, rnn, head, readout="last"):
        super().__init__()
        self.readout = one_of("readout", readout, ("last", "all"))
        check_layers(rnn, head)
        self.rnn, self.head = rnn, head

    def forward(self, x, lengths=None):
        """Map ``(B, T, I)`` to ``(B, O)``, or to ``(B, T, O)`` for ``readout="all"``."""
        output, state = self.rnn(x, lengths=lengths)
        h_n = state[0] if isinstance(state, tuple) else state
        if self.readout == "all":
            return self.head(output)
        top = torch.cat((h_n[-2], h_n[-1]), dim=-1) if self.rnn.bidirectional else h_n[-1]
        return self.head(top)


def value_and_grad(model, criterion, x, y, lengths=None):
    """Compute the loss and the gradient of every parameter.

    Parameters
    ----------
    model : torch.nn.Module
    criterion : callable
        From prediction and target to a scalar tensor.
    x, y : arrays or tensors
        One batch of inputs and targets; moved to the model's device, floats to its precision.
    lengths : sequence of int, optional
        Valid steps of every input.

    Returns
    -------
    float
        The loss. Gradients are in the parameters' ``grad``; older ones are forgotten.

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> model = L.SequenceModel(L.LSTM(1, 4, batch_first=True, rng=0), L.Linear(4, 1, rng=0))
    >>> loss = value_and_grad(model, L.MSELoss(), torch.ones(2, 3, 1), torch.ones(2, 1))
    >>> [name for name, p in model.named_parameters() if p.grad is None]
    []
    """
    model.zero_grad(set_to_none=True)
    prediction = _forward(model, _like_model(x, model), lengths)
    loss = criterion(prediction, _like_model(y, model))
    loss.backward()
    return float(loss.detach())


@torch.no_grad()
def predict(model, x, lengths=None, batch_size=256):
    """Run the model in evaluation mode, without gradients, batch by batch.

    Returns
    -------
    ndarray
        Predictions for all of `x`, in order, on the CPU.
    """
    batch_size = positive_int("batch_size", batch_size)
    if len(x) == 0:
        raise ValueError("predict needs at least one sequence, got an empty batch")
    was_training = model.training
    model.eval()
    try:
        parts = []
        for k in range(0, len(x), batch_size):
            part = None if lengths is None else lengths[k : k + batch_size]
            y = _forward(model, _like_model(x[k : k + batch_size], model), part)
            parts.append(y.cpu().numpy())
    finally:
        model.train(was_training)
    return np.concatenate(parts)


def evaluate(model, criterion, x, y, lengths=None, batch_size=256):
    """Return the mean loss over all sequences, in evaluation mode, without gradients.

    Parameters
    ----------
    model, criterion, x, y, lengths
        As in :func:`value_and_grad`.
    batch_size : int
        Sequences at a time.

    Returns
    -------
    float
    """
    total = 0.0
    for k in range(0, len(x), batch_size):
        part = slice(k, k + batch_size)
        prediction = predict(model, x[part], None if lengths is None else lengths[part], batch_size)
        total += float(criterion(*_pair(prediction, y[part]))) * len(prediction)
    return total / len(x)


def _forward(model, x, lengths):
    return model(x) if lengths is None else model(x, lengths=lengths)


def _pair(prediction, y):
    """Prediction and target as tensors on the CPU, a real target in the prediction's precision."""
    prediction, y = torch.as_tensor(prediction), torch.as_tensor(y).cpu()
    return prediction, y.to(prediction) if y.is_floating_point() else y


def _like_model(array, model):
    """Move an array to the model's device, and floats to its precision."""
    parameter = next(model.parameters())
    tensor = torch.as_tensor(array)
    if tensor.is_floating_point():
        return tensor.to(parameter)
    return tensor.to(parameter.device)
