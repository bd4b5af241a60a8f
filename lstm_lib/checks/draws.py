"""Random inputs of random, small shapes, and the mistakes known for the step of an LSTM."""

import itertools

import numpy as np

from lstm_lib import equations


def sizes(rng, count, low=2, high=6):
    """Different small sizes, so that no axis can be taken for another.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
        How many.
    low, high : int
        Smallest and largest size; there must be `count` of them.

    Returns
    -------
    list of int

    Examples
    --------
    >>> batch, inputs, hidden = sizes(np.random.default_rng(0), 3)
    >>> len({batch, inputs, hidden})
    3
    """
    return [int(n) for n in rng.choice(np.arange(low, high + 1), count, replace=False)]


def lstm_inputs(rng, *, steps=None):
    """Arguments of one LSTM step, or of a run over several, with weights of ordinary size and biases that are not 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    steps : int, optional
        Length T of the sequence; one step without the axis of time by default.

    Returns
    -------
    dict of str to ndarray
        ``x`` (B, I) or (T, B, I), ``h`` and ``c`` (B, H), ``weight_ih`` (4H, I), ``weight_hh`` (4H, H),
        ``bias`` (4H,); B, I and H differ.

    Examples
    --------
    >>> {name: a.shape for name, a in lstm_inputs(np.random.default_rng(0), steps=7).items()}
    {'x': (7, 5, 6), 'h': (5, 4), 'c': (5, 4), 'weight_ih': (16, 6), 'weight_hh': (16, 4), 'bias': (16,)}
    """
    return _recurrent(rng, steps, 4, ("h", "c"))


def rnn_inputs(rng, *, steps=None):
    """Arguments of one step of a plain RNN, or of a run over several.

    Parameters
    ----------
    rng : numpy.random.Generator
    steps : int, optional
        Length T of the sequence; one step without the axis of time by default.

    Returns
    -------
    dict of str to ndarray
        ``x`` (B, I) or (T, B, I), ``h`` (B, H), ``weight_ih`` (H, I), ``weight_hh`` (H, H), ``bias`` (H,).

    Examples
    --------
    >>> {name: a.shape for name, a in rnn_inputs(np.random.default_rng(0)).items()}
    {'x': (5, 6), 'h': (5, 4), 'weight_ih': (4, 6), 'weight_hh': (4, 4), 'bias': (4,)}
    """
    return _recurrent(rng, steps, 1, ("h",))


def _recurrent(rng, steps, rows, states):
    batch, inputs, hidden = sizes(rng, 3)
    drawn = {"x": rng.normal(size=(batch, inputs) if steps is None else (steps, batch, inputs))}
    drawn |= {name: rng.normal(size=(batch, hidden)) for name in states}
    drawn["weight_ih"] = rng.normal(size=(rows * hidden, inputs)) / np.sqrt(inputs)
    drawn["weight_hh"] = rng.normal(size=(rows * hidden, hidden)) / np.sqrt(hidden)
    drawn["bias"] = rng.normal(size=rows * hidden)
    return drawn


def padded_inputs(rng, *, features=None, vocabulary=None, batch_first=True):
    """A padded batch of sequences of different lengths, with zeros (or token 0) after each one's end.

    Parameters
    ----------
    rng : numpy.random.Generator
    features : int, optional
        Entries of each step; none by default, so that a step is one number.
    vocabulary : int, optional
        Draw tokens 1 to ``vocabulary - 1`` instead of real numbers; 0 is the padding.
    batch_first : bool
        Whether the batch is the first axis, the time the second.

    Returns
    -------
    dict of str to ndarray
        ``x`` (B, T) or (B, T, features) and ``lengths`` (B,), one of which is T and one below.

    Examples
    --------
    >>> drawn = padded_inputs(np.random.default_rng(0), features=2)
    >>> drawn["x"].shape, drawn["lengths"].tolist()
    ((4, 6, 2), [6, 2, 2, 1])
    """
    batch = int(rng.integers(2, 5))
    time = int(rng.integers(5, 8))
    lengths = rng.integers(1, time, batch)
    lengths[rng.integers(batch)] = time
    shape = (batch, time) if features is None else (batch, time, features)
    x = rng.normal(size=shape) if vocabulary is None else rng.integers(1, vocabulary, shape)
    x[np.arange(time) >= lengths[:, None]] = 0
    return {"x": x if batch_first else np.swapaxes(x, 0, 1), "lengths": lengths}


def lstm_mistakes(results=2):
    """Wrong variants of an LSTM step ``f(x, h, c, weight_ih, weight_hh, bias)``, for ``same_as(mistakes=)``.

    Parameters
    ----------
    results : int
        How many of h, c, i, f, g, o and tanh(c) the step returns, in this order; 2 by default.

    Returns
    -------
    dict of str to callable
        Keyed by what was done wrong: the rows in another order, a gate or the candidate with the other
        nonlinearity, the old cell state in the output, a bias or a tanh forgotten.

    Examples
    --------
    >>> next(iter(lstm_mistakes()))
    'the gates are in the order i, f, o, g'
    """
    known = {
        f"the gates are in the order {', '.join(order)}": _in_order(order)
        for order in itertools.permutations("ifog")
        if order != tuple("ifgo")
    }
    known |= {
        "the bias is left out": lambda x, h, c, w, u, b: equations.lstm_step(x, h, c, w, u),
        "the bias is added twice": lambda x, h, c, w, u, b: equations.lstm_step(
            x, h, c, w, u, 2 * b
        ),
        "the candidate g goes through a sigmoid": _changed(g=equations.sigmoid),
        "the output is o * c_t, without the tanh": _changed(h=lambda s, c: s.o * s.c),
        "the output is o * tanh(c_{t-1}), with the old cell state": _changed(
            h=lambda s, c: s.o * np.tanh(c)
        ),
        "h_{t-1} is left out": lambda x, h, c, w, u, b: equations.lstm_step(x, 0 * h, c, w, u, b),
        "the old cell state is multiplied by 1 - i instead of f": _changed(
            cell=lambda s, c: (1 - s.i) * c + s.i * s.g
        ),
        "the old cell state is not multiplied by f": _changed(cell=lambda s, c: c + s.i * s.g),
        "the candidate is not multiplied by i": _changed(cell=lambda s, c: s.f * c + s.g),
    }
    return {sentence: _first(step, results) for sentence, step in known.items()}


def _first(step, results):
    return lambda *inputs: tuple(step(*inputs)[:results])


def _in_order(order):
    """A step that takes its rows of weights to be in another order."""

    def step(x, h, c, weight_ih, weight_hh, bias):
        size = c.shape[-1]
        rows = np.concatenate([np.arange(size) + size * order.index(gate) for gate in "ifgo"])
        return equations.lstm_step(x, h, c, weight_ih[rows], weight_hh[rows], bias[rows])

    return step


def _changed(g=None, h=None, cell=None):
    """A step with one of its equations replaced."""

    def step(x, hidden, c, weight_ih, weight_hh, bias):
        a = equations.lstm_preactivation(x, hidden, weight_ih, weight_hh, bias)
        right = equations.lstm_gates(a, c)
        if g is not None:
            size = c.shape[-1]
            right = right._replace(g=g(a[:, 2 * size : 3 * size]))
            right = right._replace(c=right.f * c + right.i * right.g)
        if cell is not None:
            right = right._replace(c=cell(right, c))
        right = right._replace(tanh_c=np.tanh(right.c))
        return right._replace(h=right.o * right.tanh_c if h is None else h(right, c))

    return step
