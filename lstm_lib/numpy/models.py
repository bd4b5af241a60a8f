"""Models made of layers, and the few functions a training loop needs."""

import numpy as np

from lstm_lib.numpy.module import Module
from lstm_lib.validation import check_layers, one_of, positive_int


def device():
    """Return the device this engine computes on: ``"cpu"``."""
    return "cpu"


class SequenceModel(Module):
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
    >>> from lstm_lib import numpy as L
    >>> model = L.SequenceModel(L.LSTM(1, 8, batch_first=True), L.Linear(8, 2))
    >>> model(np.zeros((4, 10, 1))).shape
    (4, 2)
    """

    def __init__(self, rnn, head, readout="last"):
        self.readout = one_of("readout", readout, ("last", "all"))
        check_layers(rnn, head)
        self.rnn, self.head = rnn, head
        self._output_shape = None

    def forward(self, x, lengths=None):
        """Map ``(B, T, I)`` to ``(B, O)``, or to ``(B, T, O)`` for ``readout="all"``."""
        output, state = self.rnn(x, lengths=lengths)
        h_n = state[0] if isinstance(state, tuple) else state
        self._output_shape = output.shape
        if self.readout == "all":
            return self.head(output)
        return self.head(_top_layer(h_n, self.rnn))

    def backward(self, d_output):
        """Backpropagate through head and recurrent layer; return the derivative by the input."""
        if self._output_shape is None:
            raise RuntimeError("backward needs a forward pass first: call the model on an input")
        d_hidden = self.head.backward(d_output)
        if self.readout == "all":
            return self.rnn.backward(d_hidden)[0]
        directions = 2 if self.rnn.bidirectional else 1
        shape = (self.rnn.num_layers * directions, len(d_hidden), self.rnn.hidden_size)
        dh_n = np.zeros(shape, d_hidden.dtype)
        dh_n[-directions:] = np.stack(np.split(d_hidden, directions, axis=-1))
        d_state = (dh_n, np.zeros_like(dh_n)) if len(self.rnn.states) > 1 else dh_n
        return self.rnn.backward(None, d_state)[0]


def _top_layer(h_n, rnn):
    """Hidden state of the top layer, both directions side by side, shape (B, H * directions)."""
    return np.concatenate((h_n[-2], h_n[-1]), axis=-1) if rnn.bidirectional else h_n[-1]


def value_and_grad(model, criterion, x, y, lengths=None):
    """Compute the loss and the gradient of every parameter.

    Parameters
    ----------
    model : Module
    criterion : MSELoss or CrossEntropyLoss
    x, y : arrays
        One batch of inputs and targets.
    lengths : sequence of int, optional
        Valid steps of every input.

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
    loss = criterion(_forward(model, x, lengths), y)
    model.backward(criterion.backward())
    return float(loss)


def predict(model, x, lengths=None, batch_size=256):
    """Run the model in evaluation mode, without gradients, batch by batch.

    Returns
    -------
    ndarray
        Predictions for all of `x`, in order.
    """
    batch_size = positive_int("batch_size", batch_size)
    if len(x) == 0:
        raise ValueError("predict needs at least one sequence, got an empty batch")
    was_training = model.training
    model.eval()
    try:
        parts = [
            _forward(
                model,
                x[k : k + batch_size],
                None if lengths is None else lengths[k : k + batch_size],
            )
            for k in range(0, len(x), batch_size)
        ]
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
        total += float(criterion(prediction, y[part])) * len(prediction)
    return total / len(x)


def _forward(model, x, lengths):
    return model(x) if lengths is None else model(x, lengths=lengths)
