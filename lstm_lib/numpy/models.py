"""Models made of layers, and the few functions a training loop needs."""

import numpy as np

from lstm_lib import inputs
from lstm_lib.averages import LossAverage, counting_mask
from lstm_lib.numpy.front import FrontPass, layers_of, lengths_after
from lstm_lib.numpy.layers import Dropout
from lstm_lib.numpy.module import Module, remembered
from lstm_lib.numpy.readout import READOUTS, Pooled
from lstm_lib.validation import check_fraction, check_layers, positive_int


def device():
    """Return the device this engine computes on: ``"cpu"``.

    Returns
    -------
    str

    Examples
    --------
    >>> device()
    'cpu'
    """
    return "cpu"


class SequenceModel(Module):
    r"""A recurrent layer and a head, and what may stand before and between them.

    .. math::

        x \;\xrightarrow{\text{front}}\; (B, T', I) \;\xrightarrow{\text{rnn}}\; h_1 \dots h_{T'}
        \;\xrightarrow{\text{readout}}\; r \;\xrightarrow{\text{dropout, head}}\; y = A r + b

    The readout decides what the head gets: ``"last"`` the hidden state of the top layer after the last
    valid step, for one answer a sequence; ``"mean"`` and ``"max"`` the mean or, unit by unit, the maximum of
    the valid steps; ``"all"`` every step, for an answer a step.

    Parameters
    ----------
    rnn : LSTM, GRU or RNN
        Built with ``batch_first=True``.
    head : Linear or another module
        From ``hidden_size * directions`` to the number of outputs.
    readout : {"last", "all", "mean", "max"} or Module
        A module is called as ``readout(output, lengths)`` and returns one vector a sequence, such as
        :class:`lstm_lib.numpy.AttentionPooling`.
    front : Module, optional
        What the input goes through first: an :class:`Embedding` for integers ``(B, T)``, a :class:`Conv1d`
        for a signal ``(B, T, C)``, whose layout and lengths are taken care of, another layer, or a
        :class:`Sequential` of them. Every layer in it reads ``(B, T, ...)``.
    dropout : float or Dropout
        Applied to what the head gets.

    Raises
    ------
    ValueError
        If the layers do not fit together.

    References
    ----------
    T. N. Sainath, O. Vinyals, A. Senior, H. Sak, Convolutional, long short-term memory, fully connected
    deep neural networks, ICASSP 2015 (convolutions before an LSTM).

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.SequenceModel(L.LSTM(1, 8, batch_first=True), L.Linear(8, 2))
    >>> model(np.zeros((4, 10, 1))).shape
    (4, 2)
    >>> words = L.Embedding(50, 6, padding_idx=0)
    >>> tagger = L.SequenceModel(L.GRU(6, 8, batch_first=True), L.Linear(8, 3), "all", front=words)
    >>> tagger(np.array([[7, 3, 9], [4, 0, 0]]), lengths=[3, 1]).shape
    (2, 3, 3)
    """

    def __init__(self, rnn, head, readout="last", *, front=None, dropout=0.0):
        check_layers(rnn, head, readout, tuple(READOUTS), Module)
        if not isinstance(dropout, Module):
            dropout = Dropout(dropout) if check_fraction("dropout", dropout) else None
        self.front, self.rnn, self.dropout = front, rnn, dropout
        self.readout, self.head = readout, head
        self._saved = None

    def forward(self, x, lengths=None):
        """Map ``(B, T, I)``, or what the front reads, to ``(B, O)``, or ``(B, T', O)`` for ``"all"``.

        Parameters
        ----------
        x : array
        lengths : sequence of int, optional
            Valid steps of every input. What stands past the end has no influence.
        """
        front = None
        if self.front is not None:
            front = FrontPass(self.front)
            x, lengths = front.forward(x, lengths)
        output, state = self.rnn(x, lengths=lengths)
        h_n = state[0] if isinstance(state, tuple) else state
        reading = Pooled(self.readout) if callable(self.readout) else READOUTS[self.readout]()
        read = reading.forward(output, _top_layer(h_n, self.rnn), lengths)
        self._saved = front, reading
        return self.head(read if self.dropout is None else self.dropout(read))

    def backward(self, d_output):
        """Backpropagate through all layers; return the derivative by the input, None for indices."""
        front, reading = remembered(self._saved)
        d_read = self.head.backward(d_output)
        if self.dropout is not None:
            d_read = self.dropout.backward(d_read)
        d_steps, d_top = reading.backward(d_read)
        d_state = None if d_top is None else _state_below(d_top, self.rnn)
        d_x = self.rnn.backward(d_steps, d_state)[0]
        return d_x if front is None else front.backward(d_x)

    def output_mask(self, lengths, steps):
        """Which of `steps` answers of every sequence count, ``(B, steps)``; None but for ``"all"``."""
        if self.readout != "all":
            return None
        if self.front is not None:
            lengths = lengths_after(layers_of(self.front), lengths)
        return np.arange(steps) < np.asarray(lengths)[:, None]


def _top_layer(h_n, rnn):
    """Hidden state of the top layer, both directions side by side, shape (B, H * directions)."""
    return np.concatenate((h_n[-2], h_n[-1]), axis=-1) if rnn.bidirectional else h_n[-1]


def _state_below(d_top, rnn):
    """The derivative by the final state of all layers, of which the top layer's h alone has any."""
    shapes = rnn.layout.state_shapes(len(d_top))
    d_state = [np.zeros(shape, d_top.dtype) for shape in shapes]
    d_state[0][-rnn.directions :] = np.stack(np.split(d_top, rnn.directions, axis=-1))
    return tuple(d_state) if len(d_state) > 1 else d_state[0]


def value_and_grad(model, criterion, x, y, lengths=None):
    """Compute the loss and the gradient of every parameter.

    Parameters
    ----------
    model : Module
    criterion : loss
        Of this library, or another with ``backward``.
    x, y : arrays
        One batch of inputs and targets. For a model with several inputs x is a tuple of arrays.
    lengths : sequence of int, optional
        Valid steps of every input; or a tuple of them, one for each of several inputs. Where the model answers at every step, a loss of this library leaves
        out what stands past the end.

    Returns
    -------
    float
        The loss. Gradients are in the parameters' ``grad``; older ones are forgotten.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.SequenceModel(L.LSTM(1, 4, batch_first=True, rng=0), L.Linear(4, 1, rng=0))
    >>> loss = value_and_grad(model, L.MSELoss(), np.ones((2, 3, 1)), np.ones((2, 1)))
    >>> sorted(name for name, p in model.named_parameters() if p.grad is None)
    []
    """
    model.zero_grad()
    mask = counting_mask(model, criterion, np.asarray(y), lengths)
    loss = _loss(criterion, inputs.call(model, x, lengths), y, mask)
    model.backward(criterion.backward())
    return float(loss)


def predict(model, x, lengths=None, batch_size=256):
    """Run the model in evaluation mode, without gradients, batch by batch.

    Parameters
    ----------
    model : Module
    x : array
        All inputs, one an entry of the first axis.
    lengths : sequence of int, optional
        Valid steps of every input.
    batch_size : int
        Sequences at a time; it does not change the result.

    Returns
    -------
    ndarray
        Predictions for all of `x`, in order.

    Raises
    ------
    ValueError
        If there is no sequence, or `batch_size` is below 1.

    Examples
    --------
    A mode is left as it was, and evaluation drops nothing:

    >>> from lstm_lib import numpy as L
    >>> model = L.Sequential(L.Dropout(0.9), L.Tanh())
    >>> predict(model, np.zeros((3, 2))).shape, predict(model, np.ones((1, 1))).round(4), model.training
    ((3, 2), array([[0.7616]]), True)
    """
    batch_size = positive_int("batch_size", batch_size)
    if inputs.count(x) == 0:
        raise ValueError("predict needs at least one sequence, got an empty batch")
    was_training = model.training
    model.eval()
    try:
        batches = [slice(k, k + batch_size) for k in range(0, inputs.count(x), batch_size)]
        parts = [
            inputs.call(model, inputs.take(x, part), inputs.take(lengths, part)) for part in batches
        ]
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
    >>> from lstm_lib import numpy as L
    >>> model = L.Sequential(L.ReLU())
    >>> evaluate(model, L.MSELoss(), np.array([[1.0], [3.0], [-5.0], [-7.0]]), np.zeros((4, 1)))
    2.5
    """
    average, batch_size = LossAverage(criterion), positive_int("batch_size", batch_size)
    for k in range(0, inputs.count(x), batch_size):
        part = slice(k, k + batch_size)
        part_lengths, target = inputs.take(lengths, part), np.asarray(y[part])
        mask = counting_mask(model, criterion, target, part_lengths)
        if average.count(target, mask):
            prediction = predict(model, inputs.take(x, part), part_lengths, batch_size)
            average.add(float(_loss(criterion, prediction, target, mask)), target, mask)
    return average.value


def _loss(criterion, prediction, y, mask):
    return criterion(prediction, y) if mask is None else criterion(prediction, y, mask)
