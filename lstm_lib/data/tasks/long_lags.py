"""Tasks of Hochreiter and Schmidhuber (1997) whose answer waits long: adding and its relatives."""

from functools import partial

import numpy as np

from lstm_lib.data.tasks.task import Task, symbol_task, texts_of
from lstm_lib.validation import one_of, positive_int

_ORDER_SYMBOLS = "EBabcdXY"


def adding(n, steps, *, layout="original", rng=None, dtype=np.float32):
    r"""Add two marked numbers among many, to be told at the end.

    Each step shows a random value and a marker. In the ``"original"`` layout values are
    uniform in [-1, 1], lengths uniform from `steps` to 1.1 `steps`. One of the first ten
    values is marked with 1 and then another one of the first ``steps // 2 - 1``; the first
    and the last step have the marker -1, the rest 0. If the first step is drawn for a mark,
    its value is 0 instead. The target is

    .. math:: y = \tfrac12 + \tfrac14 (x_a + x_b) \in [0, 1].

    In the ``"modern"`` layout, common since 2016, values are uniform in [0, 1], all
    sequences have `steps` steps, one value of each half is marked with 1, the other markers
    are 0, and :math:`y = x_a + x_b`.

    Parameters
    ----------
    n : int
        Number of sequences.
    steps : int
        Least number of steps; at least 6 (original) or 2 (modern). Below 22 the first mark
        of the original falls into the first ``steps // 2 - 1`` values.
    layout : {"original", "modern"}
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of inputs and targets.

    Returns
    -------
    Task
        `x` (n, T, 2), value and marker; `y` (n, 1).

    Raises
    ------
    ValueError, TypeError
        For an unknown layout, or a number that is too small.

    Notes
    -----
    The paper counts an answer with an error below 0.04 as right. Baseline ``"mse"``, of the
    constant that is best: :math:`\frac1{24} \approx 0.0417` for two marks of the original
    (less where the first step was drawn), :math:`\frac16 \approx 0.167` for the modern one.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997),
    experiment 4; M. Arjovsky, A. Shah and Y. Bengio, "Unitary evolution recurrent neural
    networks", ICML 2016, for the modern layout.

    Examples
    --------
    >>> task = adding(1000, steps=50, rng=0)
    >>> task.x.shape, task.y.shape
    ((1000, 55, 2), (1000, 1))
    >>> x, length = task.x[0], task.lengths[0]
    >>> marked = x[x[:, 1] == 1, 0]
    >>> bool(np.isclose(0.5 + marked.sum() / 4, task.y[0, 0]))
    True
    """
    one_of("layout", layout, ("original", "modern"))
    if layout == "modern":
        return _modern_adding(n, steps, rng, dtype)
    x, lengths, first, second = _marked_values(n, steps, -1.0, 0.0, rng)
    rows = np.arange(len(x))
    y = 0.5 + (x[rows, first, 0] + x[rows, second, 0]) / 4
    return _regression("adding", x, y, lengths, solve_adding, {"mse": 1 / 24}, dtype)


def multiplication(n, steps, *, rng=None, dtype=np.float32):
    r"""Multiply two marked numbers among many, to be told at the end.

    As `adding` in its original layout, with values uniform in [0, 1] and the target

    .. math:: y = x_a x_b.

    If the first step is drawn for a mark, its value is 1 instead. No unit can add its way
    to the answer, so this is the harder of the two.

    Parameters
    ----------
    n : int
        Number of sequences.
    steps : int
        Least number of steps, at least 6.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of inputs and targets.

    Returns
    -------
    Task
        `x` (n, T, 2), value and marker; `y` (n, 1).

    Raises
    ------
    ValueError, TypeError
        For a number that is too small.

    Notes
    -----
    Baseline ``"mse"``, of the constant :math:`\frac14`: :math:`\frac19 - \frac1{16} =
    \frac7{144} \approx 0.0486` (a little more where the first step was drawn).

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997),
    experiment 5.

    Examples
    --------
    >>> task = multiplication(1000, steps=50, rng=0)
    >>> bool(np.allclose(solve_multiplication(task.x, task.lengths), task.y))
    True
    """
    x, lengths, first, second = _marked_values(n, steps, 0.0, 1.0, rng)
    rows = np.arange(len(x))
    y = x[rows, first, 0] * x[rows, second, 0]
    facts = solve_multiplication, {"mse": 7 / 144}
    return _regression("multiplication", x, y, lengths, *facts, dtype)


def temporal_order(n, steps, *, order=2, rng=None, dtype=np.float32):
    """Tell in which order two or three important symbols came.

    A sequence begins with E and ends with B; between them stand random symbols a, b, c, d,
    except at two places (three for ``order=3``) far apart, which hold X or Y. The class is
    what those places held: XX, XY, YX or YY. Lengths are uniform from `steps` to
    1.1 `steps`. With T for `steps`, the places lie at random between 0.1 T and 0.2 T and
    between 0.5 T and 0.6 T; for ``order=3`` from 0.1 T to 0.2 T, 0.33 T to 0.43 T and
    0.66 T to 0.76 T. With T = 100 these are the numbers of the paper.

    Parameters
    ----------
    n : int
        Number of sequences.
    steps : int
        Least number of steps, at least 10.
    order : {2, 3}
        How many important symbols there are: 4 or 8 classes.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (n, T, 8) one-hot; `y` (n,) classes. Baseline ``"accuracy"``: 1/4 or 1/8.

    Raises
    ------
    ValueError, TypeError
        For another order, or a number that is too small.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997),
    experiments 6a and 6b.

    Examples
    --------
    >>> task = temporal_order(3, steps=20, rng=0)
    >>> task.texts[0], task.classes[task.y[0]]
    ('EbaaYadcdccXccccdbdcaB', 'YX')
    """
    n, steps = positive_int("n", n), _at_least("steps", steps, 10)
    one_of("order", order, (2, 3))
    rng = np.random.default_rng(rng)
    shares = {2: ((0.1, 0.2), (0.5, 0.6)), 3: ((0.1, 0.2), (0.33, 0.43), (0.66, 0.76))}[order]
    lengths = rng.integers(steps, steps + steps // 10, size=n, endpoint=True)
    letters = rng.integers(4, size=(n, lengths.max()))
    rows = np.arange(n)
    grid = np.array(list("abcd"))[letters]
    grid[:, 0] = "E"
    grid[rows, lengths - 1] = "B"
    bits = rng.integers(2, size=(n, order))
    for bit, (low, high) in zip(bits.T, shares, strict=True):
        place = rng.integers(round(low * steps), round(high * steps), size=n, endpoint=True)
        grid[rows, place] = np.array(["X", "Y"])[bit]
    texts = ["".join(row[:length]) for row, length in zip(grid, lengths, strict=True)]
    classes = tuple(f"{k:0{order}b}".replace("0", "X").replace("1", "Y") for k in range(2**order))
    return symbol_task(
        "temporal order",
        texts,
        _ORDER_SYMBOLS,
        bits @ (1 << np.arange(order)[::-1]),
        classes,
        dtype=dtype,
        oracle=solve_temporal_order,
        texts=tuple(texts),
        baselines={"accuracy": 1 / len(classes)},
    )


def latch(n, steps, *, cue=3, noise=0.2, rng=None, dtype=np.float32):
    r"""Keep one bit through noise: the class is decided at the start and asked at the end.

    The first `cue` values are all 1 (class 1) or all -1 (class 0). Every later one is drawn
    from a normal distribution of mean 0 and the given variance. Lengths are uniform from
    `steps` to 1.1 `steps`.

    Parameters
    ----------
    n : int
        Number of sequences.
    steps : int
        Least number of steps, above `cue`.
    cue : int
        How many values show the class.
    noise : float
        Variance of what follows.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        `x` (n, T, 1); `y` (n,) classes 0 and 1. Baseline ``"accuracy"``: 1/2.

    Raises
    ------
    ValueError, TypeError
        For a number that is too small, or a negative variance.

    Notes
    -----
    Hochreiter and Schmidhuber point out that guessing weights at random solves this task
    quickly, so it shows how a latch works and proves little about learning.

    References
    ----------
    Y. Bengio, P. Simard and P. Frasconi, "Learning long-term dependencies with gradient
    descent is difficult", IEEE Transactions on Neural Networks 5 (1994); S. Hochreiter and
    J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), experiment 3a.

    Examples
    --------
    >>> task = latch(1000, steps=100, rng=0)
    >>> bool(((task.x[:, 0, 0] > 0) == task.y).all())
    True
    """
    n, cue = positive_int("n", n), positive_int("cue", cue)
    steps = _at_least("steps", steps, cue + 1)
    if not (np.ndim(noise) == 0 and np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise must be a variance of at least 0, got {noise!r}")
    rng = np.random.default_rng(rng)
    lengths = rng.integers(steps, steps + steps // 10, size=n, endpoint=True)
    y = rng.integers(2, size=n)
    x = rng.normal(scale=np.sqrt(noise), size=(n, lengths.max(), 1))
    x[:, :cue, 0] = 2 * y[:, None] - 1
    x[np.arange(x.shape[1]) >= lengths[:, None]] = 0
    return Task(
        "latch",
        x.astype(dtype),
        y,
        lengths,
        "cross_entropy",
        "last",
        partial(solve_latch, cue=cue),
        classes=("-1", "+1"),
        baselines={"accuracy": 0.5},
    )


def solve_adding(x, lengths, layout="original"):
    """Read the answer of `adding` off the inputs: find the marks and add.

    Parameters
    ----------
    x : array_like, shape (N, T, 2)
    lengths : sequence of int, length N
    layout : {"original", "modern"}

    Returns
    -------
    ndarray, shape (N, 1)

    Examples
    --------
    >>> solve_adding(np.array([[[0.5, -1], [0.2, 1], [0.6, 1], [0.9, -1]]]), [4])
    array([[0.7]])
    """
    answers = []
    for row, length in zip(x, lengths, strict=True):
        total = sum(float(value) for value, marker in row[:length] if marker == 1)
        answers.append([total if layout == "modern" else 0.5 + total / 4])
    return np.array(answers)


def solve_multiplication(x, lengths):
    """Read the answer of `multiplication` off the inputs: find the marks and multiply.

    Parameters
    ----------
    x : array_like, shape (N, T, 2)
    lengths : sequence of int, length N

    Returns
    -------
    ndarray, shape (N, 1)

    Examples
    --------
    >>> solve_multiplication(np.array([[[0.5, -1], [0.5, 1], [0.6, 1], [0.9, -1]]]), [4])
    array([[0.3]])
    """
    answers = []
    for row, length in zip(x, lengths, strict=True):
        product = 1.0
        for value, marker in row[:length]:
            product *= float(value) if marker == 1 else 1.0
        answers.append([product])
    return np.array(answers)


def solve_temporal_order(x, lengths):
    """Read the class of `temporal_order` off the inputs: keep the X and Y, in their order.

    Parameters
    ----------
    x : array_like, shape (N, T, 8)
    lengths : sequence of int, length N

    Returns
    -------
    ndarray of int, shape (N,)
        With X for 0 and Y for 1, the places read as a binary number.

    Examples
    --------
    >>> task = temporal_order(3, steps=20, rng=0)
    >>> task.texts[0], f"{solve_temporal_order(task.x, task.lengths)[0]:02b}"
    ('EbaaYadcdccXccccdbdcaB', '10')
    """
    answers = []
    for text in texts_of(x, lengths, _ORDER_SYMBOLS):
        bits = "".join({"X": "0", "Y": "1"}.get(symbol, "") for symbol in text)
        answers.append(int(bits, 2))
    return np.array(answers)


def solve_latch(x, lengths, cue=3):
    """Read the class of `latch` off the inputs: the common sign of the first `cue` values.

    Parameters
    ----------
    x : array_like, shape (N, T, 1)
    lengths : sequence of int, length N
    cue : int

    Returns
    -------
    ndarray of int, shape (N,)

    Raises
    ------
    ValueError
        If the first values of a sequence have different signs.

    Examples
    --------
    >>> solve_latch(np.array([[[-1.0], [-1.0], [0.7]], [[1.0], [1.0], [-0.3]]]), [3, 3], cue=2)
    array([0, 1])
    """
    signs = np.sign(np.asarray(x)[:, :cue, 0])
    if not (signs == signs[:, :1]).all():
        raise ValueError(f"the first {cue} values of a sequence must have one sign")
    return (signs[:, 0] > 0).astype(np.int64)


def _marked_values(n, steps, low, neutral, rng):
    """Values and markers in the layout of 1997, and the two places that count."""
    n, steps = positive_int("n", n), _at_least("steps", steps, 6)
    rng = np.random.default_rng(rng)
    lengths = rng.integers(steps, steps + steps // 10, size=n, endpoint=True)
    x = np.zeros((n, lengths.max(), 2))
    x[..., 0] = rng.uniform(low, 1.0, size=x.shape[:2])
    half = steps // 2 - 1
    first = rng.integers(min(10, half), size=n)
    second = rng.integers(half - 1, size=n)
    second += second >= first
    rows = np.arange(n)
    x[rows, first, 1] = x[rows, second, 1] = 1
    x[(first == 0) | (second == 0), 0, 0] = neutral
    x[:, 0, 1] = x[rows, lengths - 1, 1] = -1
    x[np.arange(x.shape[1]) >= lengths[:, None]] = 0
    return x, lengths, first, second


def _modern_adding(n, steps, rng, dtype):
    n, steps = positive_int("n", n), _at_least("steps", steps, 2)
    rng = np.random.default_rng(rng)
    x = np.zeros((n, steps, 2))
    x[..., 0] = rng.uniform(size=(n, steps))
    rows = np.arange(n)
    first, second = rng.integers(steps // 2, size=n), rng.integers(steps // 2, steps, size=n)
    x[rows, first, 1] = x[rows, second, 1] = 1
    y = x[rows, first, 0] + x[rows, second, 0]
    oracle = partial(solve_adding, layout="modern")
    lengths = np.full(n, steps)
    return _regression("adding", x, y, lengths, oracle, {"mse": 1 / 6}, dtype)


def _regression(name, x, y, lengths, oracle, baselines, dtype):
    arrays = x.astype(dtype), y[:, None].astype(dtype), lengths
    return Task(name, *arrays, "mse", "last", oracle, baselines=baselines)


def _at_least(name, value, least):
    if positive_int(name, value) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)
