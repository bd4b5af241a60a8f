"""The embedded Reber grammar: strings, the symbols that may follow, and long-lasting context."""

import re
from functools import lru_cache

import numpy as np

from lstm_lib.data.tasks.task import step_classes, symbol_task, texts_of
from lstm_lib.validation import positive_int

SYMBOLS = "BTPSXVE"
_ARCS = (  # of each state of the inner grammar: symbol and next state
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
    {},
)
_FROM_3 = "(?:T*VPX)*T*V(?:VE|PSE)"
_INNER = f"B(?:TS*X(?:SE|X{_FROM_3})|P{_FROM_3})"
_EMBEDDED = f"B(?:T{_INNER}T|P{_INNER}P)E"
_INNER_ENDINGS = ("BTXSE", "TXSE", "XSE", "VVE", "SE", "VE", "E", "")
_ENDINGS = ("TBTXSETE", "E", "", *(f"{i}{o}E" for i in _INNER_ENDINGS for o in "TP"))


def embedded_reber(n, *, rng=None, dtype=np.float32):
    r"""Next-symbol prediction in the embedded Reber grammar.

    A Reber string is a walk through a graph of seven states whose arcs carry the symbols B,
    T, P, S, X, V and E; at a fork each arc is taken with probability one half. An embedded
    string is B, then T or P, a Reber string, *the same* T or P again, and E. The last but
    one symbol can be known only from the second, at least seven steps before.

    Parameters
    ----------
    n : int
        Number of strings, drawn independently: short ones come often, so split with
        ``Task.split``, which keeps equal strings together.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (n, T, 7) one-hot, all symbols but the last; `y` (n, T) the next symbol;
        `legal` (n, T, 7) which symbols may follow; strings of 9 symbols or more in `texts`.

    Raises
    ------
    ValueError, TypeError
        For a number that is no positive integer.

    Notes
    -----
    A string is predicted when, at each step, the legal symbols are those with the highest
    scores (``predicts_legally``). Baselines: ``"last but one"``, the share of right guesses
    of that symbol without memory, is 1/2; ``"bits"`` is the cross-entropy in bits a
    symbol of the true probabilities on these very strings, which no model can expect to beat.

    References
    ----------
    A. S. Reber, "Implicit learning of artificial grammars", Journal of Verbal Learning and
    Verbal Behavior 6 (1967); S. Hochreiter and
    J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), experiment 1.

    Examples
    --------
    >>> task = embedded_reber(3, rng=3)
    >>> task.texts[0]
    'BPBTSSSXSEPE'
    >>> [task.classes[k] for k in np.flatnonzero(task.legal[0, 3])]
    ['S', 'X']
    >>> all(is_embedded_reber(text) for text in task.texts)
    True
    """
    n, rng = positive_int("n", n), np.random.default_rng(rng)
    return _task("embedded Reber", [_embedded(rng) for _ in range(n)], dtype)


def continual_reber(n, steps, *, rng=None, dtype=np.float32):
    """Next-symbol prediction in endless streams of embedded Reber strings.

    The strings of `embedded_reber` follow one another without a gap and without a reset: a
    network has to find out by itself where one ends and to forget it, which is what the
    forget gate was invented for.

    Parameters
    ----------
    n : int
        Number of streams.
    steps : int
        Symbols of a stream; its last string is cut there.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        As for `embedded_reber`, all of one length. B is what follows the last E of a string.

    Raises
    ------
    ValueError, TypeError
        For a number that is no positive integer.

    References
    ----------
    F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget: continual prediction
    with LSTM", Neural Computation 12 (2000).

    Examples
    --------
    >>> task = continual_reber(2, steps=22, rng=9)
    >>> task.texts[0]
    'BTBPVPXVVETEBPBPVVEPEBP'
    """
    n, steps = positive_int("n", n), positive_int("steps", steps)
    rng = np.random.default_rng(rng)
    texts = []
    for _ in range(n):
        text = ""
        while len(text) <= steps:
            text += _embedded(rng)
        texts.append(text[: steps + 1])
    return _task("continual embedded Reber", texts, dtype)


def is_embedded_reber(text):
    """Whether `text` is one whole string of the embedded Reber grammar, by a regular expression.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_embedded_reber("BTBTXSETE"), is_embedded_reber("BTBTXSEPE")
    (True, False)
    """
    return re.fullmatch(_EMBEDDED, text) is not None


def reber_successors(text):
    """Return, for each step of a stream of embedded Reber strings, the symbols that may follow.

    Found with the regular expression of whole strings alone: a symbol may follow where some
    ending makes a whole string. This is the oracle of both Reber tasks, slow and sure.

    Parameters
    ----------
    text : str
        Whole strings, the last of which may be cut.

    Returns
    -------
    list of str
        The legal symbols after each step, in the order of ``"BTPSXVE"``.

    Examples
    --------
    >>> reber_successors("BTBT")
    ['TP', 'B', 'TP', 'SX']
    """
    begun, legal = 0, []
    for step in range(1, len(text) + 1):
        if is_embedded_reber(text[begun:step]):
            begun = step
        legal.append(_legal_after(text[begun:step]))
    return legal


@lru_cache(maxsize=2**16)
def _legal_after(prefix):
    return "".join(
        symbol
        for symbol in SYMBOLS
        if any(is_embedded_reber(prefix + symbol + ending) for ending in _ENDINGS)
    )


def _oracle(x, lengths):
    return _legal_array(x.shape, map(reber_successors, texts_of(x, lengths, SYMBOLS)))


def _legal_array(shape, successors):
    legal = np.zeros(shape, bool)
    for row, of_text in zip(legal, successors, strict=True):
        sets = [_as_set(follows) for follows in of_text]
        row[: len(sets)] = sets
    return legal


@lru_cache
def _as_set(follows):
    return np.array([symbol in follows for symbol in SYMBOLS])


def predicts_legally(scores, legal):
    """Say at which steps the legal symbols, and they alone, have the highest scores.

    Parameters
    ----------
    scores : array_like, shape (..., O)
        Any scores that grow with a symbol's probability, such as logits.
    legal : array_like of bool, shape (..., O)

    Returns
    -------
    ndarray of bool, shape (...)
        True where the lowest score of a legal symbol is above every other's. A step where
        nothing is legal (padding) is True.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> predicts_legally([[0.4, 0.3, 0.1], [0.4, 0.1, 0.3]], [[True, True, False]] * 2)
    array([ True, False])
    """
    scores, legal = np.asarray(scores, dtype=float), np.asarray(legal, dtype=bool)
    if scores.shape != legal.shape:
        raise ValueError(f"scores must have the shape of legal {legal.shape}, got {scores.shape}")
    lowest = np.where(legal, scores, np.inf).min(axis=-1)
    highest = np.where(legal, -np.inf, scores).max(axis=-1)
    return lowest > highest


def _embedded(rng):
    outer = "TP"[rng.integers(2)]
    state, inner = 0, []
    while _ARCS[state]:
        choices = list(_ARCS[state])
        symbol = choices[rng.integers(len(choices))] if len(choices) > 1 else choices[0]
        inner.append(symbol)
        state = _ARCS[state][symbol]
    return f"B{outer}{''.join(inner)}{outer}E"


def _walk(text):
    """Yield, for every prefix of a stream, the symbols that may come next, on the graph."""
    outer, place = None, "end"  # a place is a state of the inner grammar or a name
    for symbol in text:
        if place == "begin":
            outer, place = symbol, 0
        elif place == "end":
            place = "begin"
        elif place == "closing":
            place = "closed"
        elif place == "closed":
            place = "end"
        else:
            place = _ARCS[place][symbol]
            place = place if _ARCS[place] else "closing"
        named = {"begin": "TP", "closing": outer, "closed": "E", "end": "B"}
        yield named[place] if place in named else "".join(_ARCS[place])


def _task(name, texts, dtype):
    y = step_classes([[SYMBOLS.index(c) for c in text[1:]] for text in texts])
    inputs = [text[:-1] for text in texts]
    shape = (len(texts), max(map(len, inputs)), len(SYMBOLS))
    legal = _legal_array(shape, map(_walk, inputs))
    choices = legal.sum(axis=-1)
    bits = float(np.log2(choices[choices > 0]).mean())
    facts = dict(oracle=_oracle, legal=legal, texts=tuple(texts))
    facts["baselines"] = {"last but one": 0.5, "bits": bits}
    return symbol_task(name, inputs, SYMBOLS, y, SYMBOLS, dtype=dtype, **facts)
