"""Tasks of pure memory: copy after a delay, reverse, and the next letter of the alphabet."""

from functools import partial

import numpy as np

from lstm_lib.data.tasks.pairs import pair_task
from lstm_lib.data.tasks.task import Task, integer_range, symbol_task, texts_of
from lstm_lib.data.text import one_hot
from lstm_lib.validation import positive_int

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def copy(n, delay, *, length=10, symbols=8, rng=None, dtype=np.float32):
    r"""Repeat a sequence of symbols after a delay.

    The input has `length` random symbols, ``delay - 1`` blanks, one delimiter that asks for
    the answer, and `length` blanks more: ``delay + 2 * length`` steps. The target is blank
    for ``delay + length`` steps and then the symbols in their order.

    Parameters
    ----------
    n : int
        Number of sequences.
    delay : int
        Steps from the last symbol to the delimiter, which is the step before the answer.
    length : int
        How many symbols are to be kept.
    symbols : int
        How many kinds there are, K.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (n, T, K + 2) one-hot, blank and delimiter last; `y` (n, T) classes, K + 1 with
        the blank last; ``T = delay + 2 * length``.

    Raises
    ------
    ValueError, TypeError
        For a number that is no positive integer.

    Notes
    -----
    Baseline ``"cross_entropy"``, in nats a step, of blanks and then guesses without memory:
    :math:`\texttt{length} \cdot \ln K / T`.

    References
    ----------
    M. Arjovsky, A. Shah and Y. Bengio, "Unitary evolution recurrent neural networks", ICML
    2016; S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997.

    Examples
    --------
    >>> task = copy(1, delay=3, length=2, rng=0)
    >>> task.x[0].argmax(axis=-1)
    array([6, 5, 8, 8, 9, 8, 8])
    >>> task.y[0]
    array([8, 8, 8, 8, 8, 6, 5])
    >>> round(task.baselines["cross_entropy"], 3)
    0.594
    """
    n, delay = positive_int("n", n), positive_int("delay", delay)
    length, symbols = positive_int("length", length), positive_int("symbols", symbols)
    blank, delimiter = symbols, symbols + 1
    data = np.random.default_rng(rng).integers(symbols, size=(n, length))
    steps = delay + 2 * length
    ids = np.full((n, steps), blank)
    ids[:, :length], ids[:, length + delay - 1] = data, delimiter
    y = np.full((n, steps), blank)
    y[:, -length:] = data
    names = tuple(map(str, range(symbols)))
    return Task(
        "copy",
        one_hot(ids, symbols + 2, dtype=dtype),
        y,
        np.full(n, steps),
        "cross_entropy",
        "all",
        partial(solve_copy, symbols=symbols),
        symbols=(*names, "blank", "delimiter"),
        classes=(*names, "blank"),
        baselines={"cross_entropy": float(length * np.log(symbols) / steps)},
    )


def solve_copy(x, lengths, symbols=8):
    """Work out the answer of `copy` from the inputs, step by step with a queue.

    Parameters
    ----------
    x : array_like, shape (N, T, K + 2)
    lengths : sequence of int, length N
    symbols : int
        K.

    Returns
    -------
    ndarray of int, shape (N, T)

    Examples
    --------
    Two symbols of three, a blank (3), the delimiter (4), and two steps for the answer:

    >>> solve_copy(np.eye(5)[[[2, 0, 3, 4, 3, 3]]], [6], symbols=3)
    array([[3, 3, 3, 3, 2, 0]])
    """
    answers = np.full(np.shape(x)[:2], symbols)
    for row, sequence in enumerate(x):
        queue, asked = [], False
        for step in range(lengths[row]):
            if asked:
                answers[row, step] = queue.pop(0)
            symbol = int(np.flatnonzero(sequence[step])[0])
            if symbol < symbols:
                queue.append(symbol)
            asked = asked or symbol == symbols + 1
    return answers


def reversal(n, length, *, symbols=8, rng=None, dtype=np.float32):
    """Say a sequence of symbols backwards.

    As text: ``abca>`` is read, ``acba.`` is the answer, where ``>`` asks for it and ``.``
    ends it. What came last has to be said first, so the memory is a stack and not a queue.

    Parameters
    ----------
    n : int
        Number of sequences.
    length : int or (int, int)
        How many symbols, or from how many to how many, each number equally often.
    symbols : int
        How many kinds there are, at most 26.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        Sequence to sequence, in the layout of `pair_task`. Baseline ``"accuracy"`` of a
        symbol: the share of the most frequent kind, one in `symbols`.

    Raises
    ------
    ValueError, TypeError
        For a number that is no positive integer, or more than 26 symbols.

    References
    ----------
    A. Graves, G. Wayne and I. Danihelka, "Neural Turing machines", 2014 (the copy task, of
    which this is the mirror); E. Grefenstette et al., "Learning to transduce with unbounded
    memory", NIPS 2015 (sequence reversal).

    Examples
    --------
    >>> task = reversal(2, length=(3, 5), rng=0)
    >>> task.texts[0]
    ('eccaa>', 'aacce.')
    """
    n, symbols = positive_int("n", n), positive_int("symbols", symbols)
    low, high = integer_range("length", length)
    if symbols > 26:
        raise ValueError(f"symbols must be at most 26, one for each letter, got {symbols}")
    rng = np.random.default_rng(rng)
    letters = LETTERS.lower()[:symbols]
    pairs = []
    for size in rng.integers(low, high, size=n, endpoint=True):
        text = "".join(letters[k] for k in rng.integers(symbols, size=size))
        pairs.append((f"{text}>", f"{text[::-1]}."))
    baselines = {"accuracy": 1 / symbols}
    return pair_task("reversal", pairs, letters, ">", solve_reversal, baselines, dtype)


def solve_reversal(source):
    """Reverse what stands before the ``>``, with a stack.

    Parameters
    ----------
    source : str

    Returns
    -------
    str

    Examples
    --------
    >>> solve_reversal("abc>")
    'cba.'
    """
    stack, answer = list(source.partition(">")[0]), ""
    while stack:
        answer += stack.pop()
    return f"{answer}."


def alphabet(width=4, *, letters=LETTERS, dtype=np.float32):
    """The smallest task of all: A, B, C, D are shown, E is next.

    Every window of the alphabet comes once. A table solves this; it is here to be looked at.

    Parameters
    ----------
    width : int
        Letters that are shown.
    letters : str
        The alphabet, each letter once.
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (N, width, I) one-hot with N the number of letters less `width`; `y` (N,) the
        next letter. Baseline ``"accuracy"``: 1 / N, one window of N ends the same way.

    Raises
    ------
    ValueError
        If a letter comes twice, or there is none left to be told.

    Examples
    --------
    >>> task = alphabet()
    >>> task.texts[0], task.classes[task.y[0]]
    ('ABCD', 'E')
    >>> len(task)
    22
    """
    width = positive_int("width", width)
    if len(set(letters)) < len(letters):
        raise ValueError(f"letters must be different, got {letters!r}")
    if len(letters) <= width:
        raise ValueError(f"letters must be more than width = {width}, got {len(letters)}")
    texts = tuple(letters[k : k + width] for k in range(len(letters) - width))
    return symbol_task(
        "alphabet",
        texts,
        letters,
        np.arange(width, len(letters)),
        letters,
        dtype=dtype,
        oracle=partial(_next_letter, letters=letters),
        texts=texts,
        baselines={"accuracy": 1 / len(texts)},
    )


def _next_letter(x, lengths, letters):
    return np.array([letters.index(text[-1]) + 1 for text in texts_of(x, lengths, letters)])
