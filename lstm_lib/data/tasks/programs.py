"""Short programs and what they print, with the curricula of "Learning to execute"."""

import ast
import operator
import re
import zlib

import numpy as np

from lstm_lib.data.tasks.pairs import pair_task
from lstm_lib.validation import one_of, positive_int

SYMBOLS = "0123456789+-*=<>():\n abcdefghijklmnopqrstuvwxyz"
_NAMES = "abcdefghijklmnopqrstuvwyz"  # x counts the rounds of loops
_LARGEST = 10**100
_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
_COMPARISONS = {ast.Lt: operator.lt, ast.Gt: operator.gt}


class Curriculum:
    """How hard the programs are: the length of numbers and the nesting of operations.

    Four ways to reach the final `length` and `nesting`:

    - ``"none"``: every program has the final ones (the paper's baseline);
    - ``"naive"``: begin with 1 and 1; each `advance` makes the numbers one digit longer,
      and where that has reached its end, starts again at 1 with the nesting one deeper;
    - ``"mix"``: each program draws its length from 1 to the final one, and its nesting;
    - ``"combined"``: each program is, with equal chance, one of naive or one of mix.

    Parameters
    ----------
    strategy : {"none", "naive", "mix", "combined"}
    length : int
        Final number of digits of the numbers in a program.
    nesting : int
        Final number of operations that are put into one another.

    Raises
    ------
    ValueError, TypeError
        For an unknown strategy, a length that is not 1 to 9, or a nesting that is not 1 to 25.

    References
    ----------
    W. Zaremba and I. Sutskever, "Learning to execute", 2014.

    Examples
    --------
    >>> curriculum = Curriculum("naive", length=2, nesting=2)
    >>> seen = [curriculum.level]
    >>> while not curriculum.finished:
    ...     curriculum.advance()
    ...     seen.append(curriculum.level)
    >>> seen
    [(1, 1), (2, 1), (1, 2), (2, 2)]
    """

    def __init__(self, strategy, length, nesting):
        self.strategy = one_of("strategy", strategy, ("none", "naive", "mix", "combined"))
        self.length = _at_most("length", length, 9)
        self.nesting = _at_most("nesting", nesting, len(_NAMES))
        self.level = (1, 1) if strategy in ("naive", "combined") else (self.length, self.nesting)

    @property
    def finished(self):
        """Whether the final level is reached."""
        return self.level == (self.length, self.nesting)

    def advance(self):
        """Go to the next level, when a network has stopped getting better on this one."""
        if not self.finished:
            length, nesting = self.level
            self.level = (length + 1, nesting) if length < self.length else (1, nesting + 1)

    def reach(self, share):
        """Go to the level that is due after a share of the way, where every level but the last takes
        as long as the others. Without a level that grows, nothing happens.

        Parameters
        ----------
        share : float
            From 0, the easiest level, to 1 and beyond, the final one.
        """
        if self.strategy in ("naive", "combined"):
            last = self.length * self.nesting - 1
            nesting, length = divmod(min(int(share * last), last), self.length)
            self.level = (length + 1, nesting + 1)

    def draw(self, rng):
        """Return ``(length, nesting)`` for one program."""
        mixes = self.strategy == "mix" or (self.strategy == "combined" and rng.integers(2))
        if mixes:
            low, high = (1, 1), (self.length, self.nesting)
            return tuple(rng.integers(low, high, endpoint=True).tolist())
        return self.level


def programs(n, length=4, nesting=3, *, curriculum=None, keep=None, rng=None, dtype=np.float32):
    r"""Read a short program, character by character, and say what it prints.

    A program is Python. Beginning with numbers of `length` digits, `nesting` operations are
    put into one another: a sum or a difference, a product with a small number, a value
    given to a name, a choice between two values, a loop that adds or subtracts. The result
    of the last is printed. Every program can be run in one pass: there is no loop in a
    loop, and small numbers (of loops and products) lie between 1 and four times the length.

    The source ends with ``?``, which asks, and the answer with ``.``.

    Parameters
    ----------
    n : int
        Number of programs.
    length : int
        Digits of the numbers, at most 9.
    nesting : int
        Number of operations, at most 25.
    curriculum : Curriculum, optional
        Decides length and nesting of each program, in place of the two.
    keep : callable, optional
        Called with the text of a program. Where it says False, another of the same length and nesting
        is drawn: ``lambda text: fold(text) > 1`` keeps two folds for validation and test.
    rng : int or numpy.random.Generator, optional
    dtype : dtype
        Of the inputs.

    Returns
    -------
    Task
        Sequence to sequence, one-hot over `SYMBOLS` and ``?.``; with `extra`: ``"length"``
        and ``"nesting"`` of every program.

    Raises
    ------
    ValueError, TypeError
        For a number that is below 1 or too large.

    Notes
    -----
    An answer is right when all its characters are; the paper counts single characters,
    each said knowing the right ones before. Baseline ``"accuracy"`` of a character: the
    share of the most frequent one among the targets.

    References
    ----------
    W. Zaremba and I. Sutskever, "Learning to execute", 2014.

    Examples
    --------
    >>> task = programs(1, length=3, nesting=3, rng=8)
    >>> source, target = task.texts[0]
    >>> print(source)
    o=(234 if 987<326 else 176)
    for x in range(5):
     o-=48
    print((5*o))?
    >>> target
    '-320.'
    """
    n = positive_int("n", n)
    curriculum = curriculum or Curriculum("none", length, nesting)
    rng = np.random.default_rng(rng)
    pairs, levels = [], []
    for _ in range(n):
        level = curriculum.draw(rng)
        text, value = _Program(*level, rng).written()
        while keep is not None and not keep(text):
            text, value = _Program(*level, rng).written()
        pairs.append((f"{text}?", f"{value}."))
        levels.append(level)
    characters = np.unique(list("".join(target for _, target in pairs)), return_counts=True)[1]
    return pair_task(
        "programs",
        pairs,
        SYMBOLS,
        "?",
        lambda source: f"{run_program(source[:-1])}.",
        {"accuracy": float(characters.max() / characters.sum())},
        dtype,
        length=np.array([length for length, _ in levels]),
        nesting=np.array([nesting for _, nesting in levels]),
    )


def fold(text, folds=10):
    """Say into which part of the programs one belongs, with all its twins.

    Programs of the same characters in another order, names and the direction of comparisons aside,
    are in the same fold. So all forms of a program that differ in the names, or in the order of the
    operands of ``+`` and ``*`` or of both sides of a comparison, are together, and many more: those that
    differ in the order of their digits, for one.

    Parameters
    ----------
    text : str
    folds : int

    Returns
    -------
    int
        From 0 to folds - 1; the same on every machine.

    Raises
    ------
    ValueError
        If `folds` is not a positive integer.

    Examples
    --------
    >>> fold("a=12\\nprint((a+7))") == fold("k=12\\nprint((7+k))") == fold("c=21\\nprint((c+7))")
    True
    >>> fold("print((3 if 4<5 else 6))") == fold("print((3 if 5>4 else 6))")
    True
    """
    nameless = re.sub(r"\b[a-z]\b", "", text).replace(">", "<")
    return zlib.crc32("".join(sorted(nameless)).encode()) % positive_int("folds", folds)


def run_program(text):
    """Run a program of this task and return what it prints, an int.

    The text is parsed, never executed: only whole numbers, names, ``+``, ``-``, ``*``,
    ``<``, ``>``, ``a if b else c``, assignments, ``+=``, ``-=``, ``for ... in range(...)``
    and one ``print`` at the end have a meaning here.

    Parameters
    ----------
    text : str

    Returns
    -------
    int

    Raises
    ------
    ValueError
        For anything else, a name without a value, more than 10,000 rounds of loops or
        numbers of more than 100 digits.

    Examples
    --------
    >>> run_program("j=8584\\nfor x in range(8):\\n j+=920\\nprint((j+1500))")
    17444
    >>> run_program("print(__import__('os'))")
    Traceback (most recent call last):
        ...
    ValueError: this language has no Call
    """
    try:
        return _Machine().run(ast.parse(text).body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"not a program: {error}") from None


class _Machine:
    """An interpreter of the task's language, on Python's syntax tree."""

    def __init__(self):
        self.values, self.rounds_left = {}, 10_000

    def run(self, body):
        *statements, last = body or [None]
        for statement in statements:
            self.execute(statement)
        match last:
            case ast.Expr(ast.Call(ast.Name("print"), [argument], [])):
                return self.value(argument)
        raise ValueError("a program must end with one print(...)")

    def execute(self, node):
        match node:
            case ast.Assign([ast.Name(name)], expression):
                self.values[name] = self.value(expression)
            case ast.AugAssign(ast.Name() as name, operation, expression):
                self.values[name.id] = self.apply(operation, name, expression)
            case ast.For(ast.Name(name), ast.Call(ast.Name("range"), [count], []), body, []):
                for number in range(self.value(count)):
                    self.rounds_left -= 1
                    if self.rounds_left < 0:
                        raise ValueError("the program has more than 10,000 rounds of loops")
                    self.values[name] = number
                    for statement in body:
                        self.execute(statement)
            case _:
                raise ValueError(f"this language has no {_kind(node)}")

    def value(self, node):
        match node:
            case ast.Constant(int(number)) if not isinstance(number, bool):
                return number
            case ast.Name(name):
                if name not in self.values:
                    raise ValueError(f"name {name!r} has no value")
                return self.values[name]
            case ast.BinOp(left, operation, right):
                return self.apply(operation, left, right)
            case ast.IfExp(ast.Compare(left, [comparison], [right]), yes, no):
                test = _meaning(_COMPARISONS, comparison)(self.value(left), self.value(right))
                return self.value(yes if test else no)
        raise ValueError(f"this language has no {_kind(node)}")

    def apply(self, operation, left, right):
        result = _meaning(_ARITHMETIC, operation)(self.value(left), self.value(right))
        if abs(result) > _LARGEST:
            raise ValueError("a number of the program has more than 100 digits")
        return result


def _meaning(table, node):
    if type(node) not in table:
        raise ValueError(f"this language has no {_kind(node)}")
    return table[type(node)]


def _kind(node):
    return type(node.value if isinstance(node, ast.Expr) else node).__name__


class _Program:
    """A program in the making: finished lines, and the expression that waits to be used."""

    def __init__(self, length, nesting, rng):
        self.length, self.rng = length, rng
        self.lines, self.waiting, self.names = [], None, list(_NAMES)
        operations = (self.sum, self.product, self.assignment, self.choice, self.loop)
        for _ in range(nesting):
            self.waiting = operations[rng.integers(len(operations))]()

    def written(self):
        """Return the text of the program and the number it prints."""
        text, value = self.waiting
        return "\n".join([*self.lines, f"print({text})"]), value

    def sum(self):
        (a, left), (b, right) = self.operands(2)
        if self.rng.integers(2):
            return f"({a}+{b})", left + right
        return f"({a}-{b})", left - right

    def product(self):
        (text, value), small = self.operands(1)[0], self.small()
        if self.rng.integers(2):
            return f"({text}*{small})", value * small
        return f"({small}*{text})", small * value

    def assignment(self):
        [(text, value)] = self.operands(1)
        return self.named(text), value

    def choice(self):
        (a, x), (b, y), (c, left), (d, right) = self.operands(4)
        if self.rng.integers(2):
            return f"({a} if {c}<{d} else {b})", x if left < right else y
        return f"({a} if {c}>{d} else {b})", x if left > right else y

    def loop(self):
        [(text, value)], (_, step), rounds = self.operands(1), self.number(), self.small()
        name, sign = self.named(text), int(self.rng.choice([-1, 1]))
        self.lines += [f"for x in range({rounds}):", f" {name}{'+' if sign > 0 else '-'}={step}"]
        return name, value + sign * rounds * step

    def operands(self, count):
        """The expression that waits, if any, and new numbers, in random order."""
        found = [self.waiting] if self.waiting else []
        found += [self.number() for _ in range(count - len(found))]
        self.waiting = None
        return [found[k] for k in self.rng.permutation(count)]

    def number(self):
        value = int(self.rng.integers(10**self.length))
        return str(value), value

    def small(self):
        return int(self.rng.integers(1, 4 * self.length, endpoint=True))

    def named(self, text):
        name = self.names.pop(int(self.rng.integers(len(self.names))))
        self.lines.append(f"{name}={text}")
        return name


def _at_most(name, value, most):
    if positive_int(name, value) > most:
        raise ValueError(f"{name} must be at most {most}, got {value}")
    return int(value)
