"""Models made of layers, and the few functions a training loop needs."""

import numpy as np
import torch
from torch import nn

from lstm_lib import inputs
from lstm_lib.averages import LossAverage, counting_mask
from lstm_lib.torch.front import layers_of, lengths_after, run_front
from lstm_lib.torch.layers import Dropout
from lstm_lib.torch.readout import READOUTS
from lstm_lib.validation import check_fraction, check_layers, positive_int, sequence_lengths


def device():
    """Return ``"cuda"`` where torch finds a GPU, else ``"cpu"``.

    Returns
    -------
    str

    Examples
    --------
    >>> device() in ("cpu", "cuda")
    True
    """
    return "cuda" if torch.cuda.is_available() else "cpu"


class SequenceModel(nn.Module):
    r"""A recurrent layer and a head, and what may stand before and between them.

    As :class:`lstm_lib.numpy.SequenceModel`, which has the picture.

    Parameters
    ----------
    rnn : LSTM, GRU or RNN
        Built with ``batch_first=True``.
    head : Linear or another module
        From ``hidden_size * directions`` to the number of outputs.
    readout : {"last", "all", "mean", "max"} or Module
        What the head gets: the final state, every step, the mean or the maximum of the valid steps, or
        what a module makes of ``(output, lengths)``.
    front : Module, optional
        What the input goes through first: :class:`Embedding`, :class:`Conv1d`, another layer, or a
        ``Sequential`` of them. Every layer in it reads ``(B, T, ...)``.
    dropout : float or Dropout
        Applied to what the head gets.

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
    >>> signal = L.Sequential(L.Conv1d(1, 6, 5, stride=2), L.ReLU())
    >>> model = L.SequenceModel(L.GRU(6, 8, batch_first=True), L.Linear(8, 3), "mean", front=signal)
    >>> model(torch.zeros(4, 30, 1), lengths=[30, 7, 12, 5]).shape
    torch.Size([4, 3])
    """

    def __init__(self, rnn, head, readout="last", *, front=None, dropout=0.0):
        super().__init__()
        check_layers(rnn, head, readout, tuple(READOUTS), nn.Module)
        if not isinstance(dropout, nn.Module):
            dropout = Dropout(dropout) if check_fraction("dropout", dropout) else None
        self.front, self.rnn, self.dropout = front, rnn, dropout
        self.readout, self.head = readout, head

    def forward(self, x, lengths=None):
        """Map ``(B, T, I)``, or what the front reads, to ``(B, O)``, or ``(B, T', O)`` for ``"all"``.

        Parameters
        ----------
        x : tensor
        lengths : sequence of int, optional
            Valid steps of every input. What stands past the end has no influence.
        """
        if self.front is not None:
            x, lengths = run_front(self.front, x, lengths)
        if lengths is not None:
            lengths = sequence_lengths(lengths, x.shape[1], len(x))
        output, state = self.rnn(x, lengths=lengths)
        h_n = state[0] if isinstance(state, tuple) else state
        if callable(self.readout):
            read = self.readout(output, lengths)
        else:
            top = torch.cat((h_n[-2], h_n[-1]), dim=-1) if self.rnn.bidirectional else h_n[-1]
            read = READOUTS[self.readout](output, top, lengths)
        return self.head(read if self.dropout is None else self.dropout(read))

    def output_mask(self, lengths, steps):
        """Which of `steps` answers of every sequence count; as in the NumPy engine, and an array."""
        if self.readout != "all":
            return None
        if self.front is not None:
            lengths = lengths_after(layers_of(self.front), lengths)
        return np.arange(steps) < np.asarray(lengths)[:, None]


def value_and_grad(model, criterion, x, y, lengths=None):
    """Compute the loss and the gradient of every parameter.

    Parameters
    ----------
    model : torch.nn.Module
    criterion : callable
        From prediction and target to a scalar tensor.
    x, y : arrays or tensors
        One batch of inputs and targets; moved to the model's device, floats to its precision. For a
        model with several inputs x is a tuple of arrays.
    lengths : sequence of int, optional
        Valid steps of every input; or a tuple of them, one for each of several inputs. Where the model answers at every step, a loss of this library leaves
        out what stands past the end.

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
    prediction = inputs.call(model, _inputs_like(x, model), lengths)
    y = like_model(y, model)
    loss = _loss(criterion, prediction, y, counting_mask(model, criterion, y, lengths))
    loss.backward()
    return float(loss.detach())


@torch.no_grad()
def predict(model, x, lengths=None, batch_size=256):
    """Run the model in evaluation mode, without gradients, batch by batch.

    Parameters
    ----------
    model : torch.nn.Module
    x : array or tensor
        All inputs, one an entry of the first axis; moved to the model's device, batch by batch.
    lengths : sequence of int, optional
    batch_size : int

    Returns
    -------
    ndarray
        Predictions for all of `x`, in order, on the CPU.

    Raises
    ------
    ValueError
        If there is no sequence, or `batch_size` is below 1.

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> model = L.SequenceModel(L.LSTM(1, 4, batch_first=True, rng=0), L.Linear(4, 1, rng=0), dropout=0.9)
    >>> x = np.ones((3, 5, 1))
    >>> bool((predict(model, x) == predict(model, x)).all()), model.training
    (True, True)
    """
    batch_size = positive_int("batch_size", batch_size)
    if inputs.count(x) == 0:
        raise ValueError("predict needs at least one sequence, got an empty batch")
    was_training = model.training
    model.eval()
    try:
        parts = []
        for k in range(0, inputs.count(x), batch_size):
            part = slice(k, k + batch_size)
            some = _inputs_like(inputs.take(x, part), model)
            parts.append(inputs.call(model, some, inputs.take(lengths, part)).cpu().numpy())
    finally:
        model.train(was_training)
    return np.concatenate(parts)


def evaluate(model, criterion, x, y, lengths=None, batch_size=256):
    """Return the loss of all sequences, in evaluation mode, without gradients.

    It is what the criterion would say of all predictions at once, whatever `batch_size` is: a mean is
    over all that counts, neither ignored nor past the end of its sequence.

    Parameters
    ----------
    model, criterion, x, y, lengths
        As in :func:`value_and_grad`.
    batch_size : int
        Sequences at a time.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no sequence, or no target that counts.

    Examples
    --------
    >>> from lstm_lib import torch as L
    >>> model = L.SequenceModel(L.LSTM(1, 4, batch_first=True), L.Linear(4, 1))
    >>> _ = torch.nn.init.zeros_(model.head.weight), torch.nn.init.zeros_(model.head.bias)
    >>> evaluate(model, L.MSELoss(), np.ones((2, 5, 1)), np.array([[1.0], [3.0]]))
    5.0
    """
    average, batch_size = LossAverage(criterion), positive_int("batch_size", batch_size)
    for k in range(0, inputs.count(x), batch_size):
        part = slice(k, k + batch_size)
        part_lengths, target = inputs.take(lengths, part), torch.as_tensor(y[part])
        mask = counting_mask(model, criterion, target, part_lengths)
        if average.count(target, mask):
            prediction = predict(model, inputs.take(x, part), part_lengths, batch_size)
            average.add(float(_loss(criterion, *_pair(prediction, target), mask)), target, mask)
    return average.value


def _inputs_like(x, model):
    return tuple(like_model(a, model) for a in x) if inputs.several(x) else like_model(x, model)


def _loss(criterion, prediction, y, mask):
    if mask is None:
        return criterion(prediction, y)
    return criterion(prediction, y, torch.from_numpy(mask).to(y.device))


def _pair(prediction, y):
    """Prediction and target as tensors on the CPU, a real target in the prediction's precision."""
    prediction, y = torch.as_tensor(prediction), torch.as_tensor(y).cpu()
    return prediction, y.to(prediction) if y.is_floating_point() else y


def like_model(array, model):
    """Return an array as a tensor on the model's device, floats in its precision."""
    parameter = next(model.parameters())
    tensor = torch.as_tensor(array)
    if tensor.is_floating_point():
        return tensor.to(parameter)
    return tensor.to(parameter.device)
