"""How a check draws inputs, calls the function under test, and says what went wrong.

The function under test is a student's: it may raise, return anything, change what it is given, or live in
another process. Each call therefore gets copies of its own, and every failure leaves here as one
:class:`CheckFailed` whose message can be read without the code of the check.
"""

import contextlib
import copy
import operator
import secrets
import warnings

import numpy as np


class CheckFailed(AssertionError):
    """A property does not hold; the message says which, where, for which inputs, and what to read.

    Examples
    --------
    >>> from lstm_lib import checks
    >>> try:
    ...     checks.answer(300, 312, name="the number of parameters")
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    The number of parameters is not right: 300 is too small, by less than 10 %.
    """


def name_of(function):
    """What messages call the function."""
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "your function"


class Trial:
    """One draw: named inputs, the seed that repeats them, and the words for a failure."""

    def __init__(self, function, draw, seed, read):
        self.function, self.seed, self.read = function, seed, read
        self.name = name_of(function)
        self.rng = np.random.default_rng(seed)
        self.inputs = draw(self.rng)
        if not isinstance(self.inputs, dict):
            raise TypeError("draw must return a dict of named arguments, in the order of the call")

    def call(self, function=None, inputs=None):
        """The result of the function (or of another of the same signature) on copies of the inputs."""
        return (function or self.function)(
            *copied(self.inputs if inputs is None else inputs).values()
        )

    def run(self, inputs=None, *, copies=True):
        """The result of the student's function; what it raises becomes a failure that names it."""
        inputs = self.inputs if inputs is None else inputs
        try:
            return self.call(inputs=inputs) if copies else self.function(*inputs.values())
        except Exception as error:
            raise self.raised(error, inputs) from error

    def raised(self, error, inputs):
        """The failure for an exception of the student's function."""
        if isinstance(error, NotImplementedError):
            return CheckFailed(f"{self.name} is not written yet: it raises NotImplementedError.")
        kind = type(error).__name__
        said = f"{kind}: {error}" if str(error) else kind
        return self.failure(f"{self.name} raised an error:\n  {said}", inputs=inputs)

    def failure(self, says, *details, inputs=None):
        """A :class:`CheckFailed` with the inputs, the paragraph to read and the seed at its end."""
        lines = [says, *(f"  {detail}" for detail in details if detail)]
        given = self.inputs if inputs is None else inputs
        if given:
            lines.append(f"  Inputs: {', '.join(f'{k} {describe(v)}' for k, v in given.items())}.")
        lines.append(reading(self.read))
        if self.seed is not None:
            lines.append(f"  The same numbers again: seed={self.seed}.")
        return CheckFailed("\n".join(line for line in lines if line))


def copied(value):
    """A copy of nested arrays, lists, dicts and generators; functions and the rest are what they are."""
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, list) or type(value) is tuple:
        return type(value)(copied(part) for part in value)
    return copy.deepcopy(value) if isinstance(value, (np.ndarray, np.random.Generator)) else value


def trials(function, draw, *, seed=None, count=5, read=None):
    """`count` trials, each with a seed of its own: fresh ones, or `seed` and those that follow it."""
    if not callable(function):
        raise CheckFailed(f"a function is wanted here, but this is {describe(function)}.")
    for k in range(count):
        own = secrets.randbits(31) if seed is None else operator.index(seed) + k
        yield Trial(function, draw, own, read)


def reading(read):
    """The line that points to a paragraph: a string, or a pair of page and heading."""
    if not read:
        return ""
    if isinstance(read, str):
        return f"  Read again: {read}."
    page, heading = read
    return f"  Read again: “{heading}” in {page}."


def describe(value):
    """A value in a few words: small ones as they are, arrays by their shape."""
    if isinstance(value, np.ndarray):
        if value.size <= 4:
            return with_digits(value)
        kind = {"f": "", "i": " of integers", "b": " of booleans"}.get(value.dtype.kind)
        return f"{value.shape}{f' of {value.dtype}' if kind is None else kind}"
    if value is None or isinstance(value, (bool, int, np.integer, np.bool_)):
        return str(value)
    if isinstance(value, (float, complex, np.number)):
        return with_digits(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    if isinstance(value, (tuple, list, dict)):
        text = with_digits(value)
        if len(text) <= 60:
            return text
        return f"a {type(value).__name__} of length {len(value)}"
    if callable(value):
        return "(a function)"
    return f"({type(value).__name__})"


def with_digits(value, digits=4):
    """Numbers, also nested ones, to a few digits."""
    if isinstance(value, np.ndarray):
        return with_digits(value.tolist(), digits)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {with_digits(v, digits)}" for k, v in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(with_digits(v, digits) for v in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, (float, complex, np.inexact)):
        return f"{value:.{digits}g}"
    return repr(value.item() if isinstance(value, np.generic) else value)


def fresh_generators(inputs, rng):
    """Copies of the inputs with every random generator replaced by another."""
    return {
        name: np.random.default_rng(int(rng.integers(2**63)))
        if is_generator(value)
        else copied(value)
        for name, value in inputs.items()
    }


def other_entries(array, rng):
    """Entries of the same kind as an array's, none of them the same: tokens among those that occur."""
    if array.dtype.kind == "f":
        return 10 * rng.normal(size=array.shape)
    if array.dtype.kind == "b":
        return ~array
    low, high = int(array.min()), int(array.max())
    if high == low:
        return array + 1
    return low + (array - low + rng.integers(1, high - low + 1, array.shape)) % (high - low + 1)


def is_generator(value):
    """Whether an argument is a source of random numbers."""
    return isinstance(value, np.random.Generator)


@contextlib.contextmanager
def quiet():
    """Without warnings: what overflows or loses its imaginary part is judged by its result."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
