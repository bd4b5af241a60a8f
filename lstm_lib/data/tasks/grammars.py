"""Brackets, a^n b^n and a^n b^n c^n: languages that have to be counted or stacked."""

from functools import lru_cache, partial
from itertools import accumulate

import numpy as np

from lstm_lib.data.tasks.task import integer_range, step_classes, symbol_task, texts_of
from lstm_lib.validation import one_of, positive_int

_PAIRS = ("()", "[]", "{}")
_CLOSES = {pair[1]: pair[0] for pair in _PAIRS}


def brackets(
    n,
    pairs=(1, 10),
    *,
    kinds=1,
    depth=None,
    label="string",
    negatives="hard",
    balanced=0.5,
    rng=None,
    dtype=np.float32,
):
    """Tell whether brackets are balanced, of the whole string or after every step.

    A string is balanced when each closing bracket closes the last one of its kind that is
    still open, and none is left open: ``((()))`` and ``()[{}]`` are, ``([)]`` is not. The
    depth is the largest number of open brackets.

    Parameters
    ----------
    n : int
        Number of strings.
    pairs : int or (int, int)
        How many pairs of brackets, or from how many to how many, each number equally often;
        strings have twice as many symbols. Balanced and unbalanced strings have the same
        lengths.
    kinds : {1, 2, 3}
        Kinds of brackets: ``()``, ``[]``, ``{}``.
    depth : int or (int, int), optional
        The exact depth of the balanced strings, or the lowest and highest, each depth that
        fits equally often. By default every balanced string of a length is equally likely.
    label : {"string", "step"}
        One class a string: 0 unbalanced, 1 balanced. Or one a step: 0 nothing can balance
        it any more, 1 something is open and can still be closed, 2 balanced so far.
    negatives : {"hard", "turned", "random"} or several of them
        Where unbalanced strings come from. Hard ones are balanced strings of which two
        different brackets have changed places, so each has as many brackets of every sort
        as a balanced one and counting them does not help. In turned ones a single bracket
        has been turned round, so counting is enough. Random ones are any symbols. Of
        several sorts each is drawn equally often on average.
    balanced : float
        Share of balanced strings, rounded to whole strings; from 0 to 1.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (n, T, 2 kinds) one-hot; `y` (n,) or (n, T); with `extra`: ``"balanced"`` bool
        and ``"depth"``, the highest number of open brackets with kinds left aside.

    Raises
    ------
    ValueError
        If an option is unknown or no string has the depth asked for.

    Notes
    -----
    Baseline ``"accuracy"``: the share of the more frequent class of these very labels. For
    strings it is 1/2 by default, for counting as well when all negatives are hard.

    References
    ----------
    N. Chomsky and M. P. Schützenberger, "The algebraic theory of context-free languages",
    1963; strings are drawn uniformly by counting paths: A. Nijenhuis and H. S. Wilf,
    "Combinatorial algorithms", 1978.

    Examples
    --------
    >>> task = brackets(4, pairs=3, kinds=2, rng=1)
    >>> [(text, bool(is_balanced(text))) for text in task.texts]
    [('[][()]', True), ('([()])', True), ('][[]()', False), ('([)(])', False)]
    >>> brackets(1, pairs=3, depth=3, balanced=1, rng=0).texts
    ('((()))',)
    """
    n, (low, high) = positive_int("n", n), integer_range("pairs", pairs)
    one_of("kinds", kinds, (1, 2, 3))
    one_of("label", label, ("string", "step"))
    sorts = (negatives,) if isinstance(negatives, str) else tuple(negatives)
    for sort in sorts or ("",):
        one_of("negatives", sort, tuple(_SPOILERS))
    if not 0 <= balanced <= 1:
        raise ValueError(f"balanced must lie in [0, 1], got {balanced}")
    depths = None if depth is None else integer_range("depth", depth)
    if depths and depths[0] > high:
        raise ValueError(f"no string of at most {high} pairs has depth {depths[0]}")
    rng = np.random.default_rng(rng)
    good = rng.permutation(np.arange(n) < round(balanced * n))
    symbols = "".join(_PAIRS[:kinds])
    texts = []
    for is_good in good:
        text = _balanced(low, high, depths, symbols, rng)
        if not is_good:
            sort = sorts[0] if len(sorts) == 1 else sorts[int(rng.integers(len(sorts)))]
            text = _SPOILERS[sort](text, symbols, rng)
        texts.append(text)
    y = good.astype(np.int64)
    if label == "step":
        y = step_classes([_step_labels(text) for text in texts])
    names = {"string": ("unbalanced", "balanced"), "step": ("broken", "open", "balanced")}
    return symbol_task(
        "brackets",
        texts,
        symbols,
        y,
        names[label],
        dtype=dtype,
        oracle=partial(_brackets_oracle, symbols=symbols, label=label),
        texts=tuple(texts),
        baselines={"accuracy": float(np.bincount(y[y >= 0]).max() / (y >= 0).sum())},
        extra={"balanced": good, "depth": np.array([bracket_depth(text) for text in texts])},
    )


def is_balanced(text):
    """Whether brackets are balanced: take away neighbours that match until nothing changes.

    Parameters
    ----------
    text : str
        Of the brackets ``()[]{}`` alone.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_balanced("((()))"), is_balanced("([)]"), is_balanced("")
    (True, False, True)
    """
    return _rest(text) == ""


def bracket_depth(text):
    """Return the highest number of open brackets in a text, whatever their kinds.

    Parameters
    ----------
    text : str

    Returns
    -------
    int

    Examples
    --------
    >>> bracket_depth("(())[]")
    2
    """
    return max(accumulate((-1 if c in _CLOSES else 1 for c in text), initial=0))


def anbn(counts, *, dtype=np.float32):
    r"""Next-symbol prediction in the language :math:`a^n b^n`, which takes one counter.

    After the start symbol S come n times a, n times b, and the end symbol T. While a's
    come, a and b are both possible; from the first b on everything is determined.

    Parameters
    ----------
    counts : int or iterable of int
        The numbers n, one string each: ``range(1, 11)`` to train, others to test whether
        the network counts further than it has seen.
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (N, T, 3) one-hot S, a, b; `y` (N, T) the next symbol among a, b, T; `legal`
        (N, T, 3) which may follow; the strings in `texts`.

    Notes
    -----
    A string is accepted when every prediction is right (``predicts_legally``). Baseline
    ``"accepted"``: 0, of a model that sees the latest symbol alone and therefore cannot
    tell the last b from the others.

    References
    ----------
    F. A. Gers and J. Schmidhuber, "LSTM recurrent networks learn simple context-free and
    context-sensitive languages", IEEE Transactions on Neural Networks 12 (2001).

    Examples
    --------
    >>> task = anbn([2])
    >>> task.texts
    ('SaabbT',)
    >>> ["".join(np.array(task.classes)[step]) for step in task.legal[0]]
    ['a', 'ab', 'ab', 'b', 'T']
    """
    return _counting("ab", counts, dtype)


def anbncn(counts, *, dtype=np.float32):
    r"""Next-symbol prediction in :math:`a^n b^n c^n`, which no push-down automaton can do.

    As `anbn`, with n times c before the end: two counters at once.

    Parameters
    ----------
    counts : int or iterable of int
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (N, T, 4) one-hot S, a, b, c; `y` (N, T) among a, b, c, T; `legal` (N, T, 4).

    References
    ----------
    As for `anbn`.

    Examples
    --------
    >>> anbncn([1, 3]).texts
    ('SabcT', 'SaaabbbcccT')
    """
    return _counting("abc", counts, dtype)


def _counting(letters, counts, dtype):
    counts = [counts] if np.ndim(counts) == 0 else list(counts)
    if not counts:
        raise ValueError("counts must hold at least one number n, got none")
    counts = [positive_int("a count n", count) for count in counts]
    texts = [f"S{''.join(letter * count for letter in letters)}T" for count in counts]
    symbols, classes = f"S{letters}", f"{letters}T"
    y = step_classes([[classes.index(c) for c in text[1:]] for text in texts])
    legal = y[..., None] == np.arange(len(classes))
    for row, count in zip(legal, counts, strict=True):
        row[1 : count + 1, :2] = True
    return symbol_task(
        " ".join(f"{letter}^n" for letter in letters),
        [text[:-1] for text in texts],
        symbols,
        y,
        classes,
        dtype=dtype,
        oracle=partial(_counting_oracle, letters=letters),
        legal=legal,
        texts=tuple(texts),
        baselines={"accepted": 0.0},
        extra={"n": np.array(counts)},
    )


def _counting_oracle(x, lengths, letters):
    """Try every symbol after every prefix: may the result still become a string?"""
    classes = f"{letters}T"
    legal = np.zeros((*np.shape(x)[:2], len(classes)), bool)
    for row, text in enumerate(texts_of(x, lengths, f"S{letters}")):
        for step in range(len(text)):
            body = text[1 : step + 1]
            for k, symbol in enumerate(classes):
                legal[row, step, k] = _can_become(body + symbol, letters)
    return legal


def _can_become(text, letters):
    """Whether text begins a string of the language, whose n is at most the text's length."""
    strings = ("".join(c * n for c in letters) + "T" for n in range(1, len(text) + 1))
    return any(string.startswith(text) for string in strings)


def _balanced(low, high, depths, symbols, rng):
    if depths is None:
        pairs = int(rng.integers(low, high, endpoint=True))
        heights = _path(pairs, pairs, False, rng)
    else:
        pairs = int(rng.integers(max(low, depths[0]), high, endpoint=True))
        depth = int(rng.integers(depths[0], min(depths[1], pairs), endpoint=True))
        heights = _path(pairs, depth, True, rng)
    text, stack = "", []
    for opens in heights:
        if opens:
            kind = int(rng.integers(len(symbols) // 2))
            stack.append(symbols[2 * kind + 1])
            text += symbols[2 * kind]
        else:
            text += stack.pop()
    return text


@lru_cache(maxsize=256)
def _ways(pairs, top, must_touch):
    """Count the ways down: ``[steps left][touched top?][height]`` for heights 0 to `top`.

    A way ends at 0 and never leaves 0 to `top`; with `must_touch` it has to reach `top`.
    """
    counts = [[[0] * (top + 2), [1] + [0] * (top + 1)]]
    if not must_touch:
        counts[0][0][0] = 1
    for _ in range(2 * pairs):
        before, now = counts[-1], [[0] * (top + 2), [0] * (top + 2)]
        for touched in (0, 1):
            for height in range(top + 1):
                up = 0
                if height < top:
                    up = before[touched or height + 1 == top][height + 1]
                down = before[touched][height - 1] if height else 0
                now[touched][height] = up + down
        counts.append(now)
    return counts


def _path(pairs, top, must_touch, rng):
    """Draw one of the paths, each equally likely: True opens, False closes."""
    counts, height, touched, path = _ways(pairs, top, must_touch), 0, 0, []
    for steps in range(2 * pairs, 0, -1):
        down = counts[steps - 1][touched][height - 1] if height else 0
        share = 1 - down / counts[steps][touched][height]
        path.append(bool(rng.random() < share))
        height += 1 if path[-1] else -1
        touched = int(touched or height == top)
    return path


def _exchanged(text, symbols, rng):
    """Exchange two different brackets so that the string is no longer balanced."""
    while True:
        i, j = sorted(rng.choice(len(text), size=2, replace=False).tolist())
        changed = f"{text[:i]}{text[j]}{text[i + 1 : j]}{text[i]}{text[j + 1 :]}"
        if not is_balanced(changed):
            return changed


def _turned(text, symbols, rng):
    """Turn one bracket round: its kind then has two more that open than close, or two fewer."""
    place = int(rng.integers(len(text)))
    partner = symbols[symbols.index(text[place]) ^ 1]
    return f"{text[:place]}{partner}{text[place + 1 :]}"


def _other(text, symbols, rng):
    while True:
        other = "".join(symbols[k] for k in rng.integers(len(symbols), size=len(text)))
        if not is_balanced(other):
            return other


_SPOILERS = {"hard": _exchanged, "turned": _turned, "random": _other}


def _step_labels(text):
    """0 broken, 1 open, 2 balanced after each step, with a stack."""
    stack, broken, labels = [], False, []
    for symbol in text:
        if symbol not in _CLOSES:
            stack.append(symbol)
        elif not stack or stack.pop() != _CLOSES[symbol]:
            broken = True
        labels.append(0 if broken else 1 if stack else 2)
    return labels


def _brackets_oracle(x, lengths, symbols, label):
    texts = texts_of(x, lengths, symbols)
    if label == "string":
        return np.array([int(is_balanced(text)) for text in texts])
    labels = [[_prefix_label(text[: k + 1]) for k in range(len(text))] for text in texts]
    return step_classes(labels, x.shape[1])


def _prefix_label(prefix):
    """As `_step_labels`: what is left without its pairs must be opening brackets alone."""
    rest = _rest(prefix)
    if any(symbol in _CLOSES for symbol in rest):
        return 0
    return 1 if rest else 2


def _rest(text):
    """What is left of a text when matching neighbours are taken away until none match."""
    while any(pair in text for pair in _PAIRS):
        for pair in _PAIRS:
            text = text.replace(pair, "")
    return text
