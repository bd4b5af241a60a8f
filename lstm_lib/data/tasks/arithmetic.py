"""Integer addition, character by character."""

import numpy as np

from lstm_lib.data.tasks.pairs import pair_task
from lstm_lib.data.tasks.task import integer_range
from lstm_lib.validation import positive_int


def addition(n, digits, *, reverse=False, rng=None, dtype=np.float32):
    r"""Add two whole numbers, written and answered in decimal characters.

    As text: ``58+7=`` is read, ``65.`` is the answer. Every operand has a number of digits
    that is uniform in the given range, and then any such number equally likely, without
    leading zeros (0 itself has one digit).

    Parameters
    ----------
    n : int
        Number of sums, drawn independently. Few digits give few sums: split with
        ``Task.split``, which keeps equal ones together.
    digits : int or (int, int)
        Digits of an operand, at most 18.
    reverse : bool
        Answer with the last digit first, the order in which carries arise.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        Sequence to sequence, one-hot over ``0123456789+=.``; with `extra`: ``"carries"``,
        how many columns of each sum carry, and ``"total"``, the sums.

    Raises
    ------
    ValueError, TypeError
        For a number that is below 1, or more than 18 digits.

    Notes
    -----
    An answer is right when all its characters are. Baseline ``"accuracy"`` of a whole
    answer: the share of the most frequent answer among these sums.

    References
    ----------
    W. Zaremba and I. Sutskever, "Learning to execute", 2014, where sums are one of
    the tasks.

    Examples
    --------
    >>> task = addition(3, digits=(1, 3), rng=0)
    >>> task.texts
    (('167+11=', '178.'), ('25+8=', '33.'), ('6+9=', '15.'))
    >>> task.extra["carries"]
    array([0, 1, 1])
    """
    n, (low, high) = positive_int("n", n), integer_range("digits", digits)
    if high > 18:
        raise ValueError(f"digits must be at most 18, so that sums fit 64 bits, got {high}")
    rng = np.random.default_rng(rng)
    sizes = rng.integers(low, high, size=(n, 2), endpoint=True)
    smallest = np.where(sizes == 1, 0, 10 ** (sizes - 1))
    a, b = rng.integers(smallest, 10**sizes).T
    total = a + b
    pairs = []
    for first, second, value in zip(a.tolist(), b.tolist(), total.tolist(), strict=True):
        answer = str(value)[::-1] if reverse else str(value)
        pairs.append((f"{first}+{second}=", f"{answer}."))

    def solve(source):
        answer = add_by_hand(source)
        return f"{answer[::-1] if reverse else answer}."

    most = np.unique(total, return_counts=True)[1].max()
    return pair_task(
        "addition",
        pairs,
        "0123456789+",
        "=",
        solve,
        {"accuracy": float(most / n)},
        dtype,
        carries=carries(a, b),
        total=total,
    )


def add_by_hand(text):
    """Add as at school, column by column, from text to text.

    Parameters
    ----------
    text : str
        Two numbers with a ``+`` between them; a ``=`` may follow.

    Returns
    -------
    str

    Examples
    --------
    >>> add_by_hand("58+7="), add_by_hand("999+1")
    ('65', '1000')
    """
    first, second = text.rstrip("=").split("+")
    width = max(len(first), len(second))
    answer, carry = "", 0
    for a, b in zip(first.zfill(width)[::-1], second.zfill(width)[::-1], strict=True):
        carry, digit = divmod("0123456789".index(a) + "0123456789".index(b) + carry, 10)
        answer = f"{digit}{answer}"
    return f"1{answer}" if carry else answer


def carries(a, b):
    r"""Count the columns that carry when two numbers are added.

    With the digit sum :math:`s`, it is :math:`(s(a) + s(b) - s(a + b)) / 9`: each carry
    turns ten of one column into one of the next.

    Parameters
    ----------
    a, b : array_like of int, at least 0

    Returns
    -------
    ndarray of int64

    Raises
    ------
    ValueError
        If a number is negative.

    Examples
    --------
    >>> carries([58, 99, 12], [7, 1, 34])
    array([1, 2, 0])
    """
    a, b = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    if (a < 0).any() or (b < 0).any():
        raise ValueError("a and b must not be negative")
    return (_digit_sum(a) + _digit_sum(b) - _digit_sum(a + b)) // 9


def _digit_sum(number):
    powers = 10 ** np.arange(19, dtype=np.int64)
    return (number[..., None] // powers % 10).sum(axis=-1)
