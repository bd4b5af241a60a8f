"""State, check and record one result: ``claim()``.

A number that a notebook reports is a claim: a measured value, the condition it has to
meet, and the baseline it is set against. :func:`claim` asserts the condition, so a
notebook whose result no longer holds stops with an error, and displays the claim so
that the book, its ledger and the tests can read it back. :func:`read_claims` is that
way back, from a stored notebook, with the standard library alone.

Neither IPython, torch nor matplotlib is imported here. What the site does with claims
lives in ``_ext/claims.py``; what nbval compares of them, in ``conftest.py``.
"""

import html
import json
import math
import operator
import re
from dataclasses import dataclass
from pathlib import Path

from lstm_lib.shell import display, running_shell

__all__ = ["MIMETYPE", "Claim", "claim", "read_claims"]

MIMETYPE = "application/vnd.lstm-book.claim+json"
"""The mimetype under which a stored notebook carries each claim."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# The test run recognises "NUMBER UNIT (measured)", so these would end a unit early.
_NOT_IN_UNIT = re.compile(r"[0-9();,:\n]")
_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "between": lambda value, pair: pair[0] <= value <= pair[1],
    "≈": lambda value, pair: abs(value - pair[0]) <= pair[1],
}
_PAIRS = ("between", "≈")
_SIGNS = {"<=": "≤", ">=": "≥", "==": "="}

# Enough style for Jupyter and Colab; the book's own is in book/_static/claims.css.
_CARD = "border-left:.2em solid #2f7fc1;padding:.2em .8em;margin:.4em 0"

# name -> what ran it; see _forbid_twice
_stated = {}


@dataclass(frozen=True)
class Claim:
    """One result with its condition; :func:`claim` makes, checks and shows it.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens, unique in its notebook.
    value : int or float
        What was measured.
    op : {"<", "<=", ">", ">=", "==", "between", "≈"}
        How `value` has to stand to `bound`.
    bound : float or pair of float
        One number; for ``"between"`` the lowest and the highest value allowed, for
        ``"≈"`` the target and the largest distance from it.
    unit : str
        Written after the measured value; may be empty.
    baseline : pair of str and float, optional
        Name and measured value of what the result is compared with.
    source : str, optional
        Where the bound comes from: a paper, a data set, a line of reasoning.
    digits : int
        Significant digits to show.

    Examples
    --------
    >>> c = Claim("lstm-beats-persistence", 0.41234, "<=", 0.45, "°C", ("persistence", 0.61))
    >>> c.holds
    True
    >>> print(c)
    claim lstm-beats-persistence: 0.412 °C (measured) <= 0.45; persistence 0.61 (measured)
    >>> Claim.from_json(c.to_json()) == Claim(**{**vars(c), "value": 0.41234})
    True
    """

    name: str
    value: float
    op: str
    bound: object
    unit: str = ""
    baseline: tuple = None
    source: str = None
    digits: int = 3

    def __post_init__(self):
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(
                "name must be lower-case words joined by hyphens, such as"
                f" 'lstm-beats-persistence'; got {self.name!r}"
            )
        if self.op not in _COMPARE:
            options = ", ".join(repr(op) for op in _COMPARE)
            raise ValueError(f"op of claim {self.name!r} must be one of {options}; got {self.op!r}")
        if not isinstance(self.unit, str) or _NOT_IN_UNIT.search(self.unit):
            raise ValueError(
                f"unit of claim {self.name!r} must be text without digits, brackets, commas,"
                f" semicolons, colons and line breaks; got {self.unit!r}"
            )
        if isinstance(self.digits, bool) or not isinstance(self.digits, int) or self.digits < 1:
            raise ValueError(
                f"digits of claim {self.name!r} must be a whole number of at least 1;"
                f" got {self.digits!r}"
            )
        if self.source is not None and (
            not isinstance(self.source, str) or not self.source.strip()
        ):
            raise ValueError(f"source of claim {self.name!r} must be text; got {self.source!r}")
        self._set("value", _number(self.name, "value", self.value))
        self._set("bound", self._checked_bound())
        self._set("baseline", self._checked_baseline())

    def _set(self, field, value):
        object.__setattr__(self, field, value)

    def _checked_bound(self):
        if self.op not in _PAIRS:
            return _number(self.name, "bound", self.bound)
        meaning = "(lowest, highest)" if self.op == "between" else "(target, tolerance)"
        try:
            first, second = self.bound
        except (TypeError, ValueError):
            raise ValueError(
                f"bound of claim {self.name!r} must be a pair {meaning} because op is"
                f" {self.op!r}; got {self.bound!r}"
            ) from None
        first = _number(self.name, "bound[0]", first)
        second = _number(self.name, "bound[1]", second)
        if (first > second) if self.op == "between" else (second < 0):
            wrong = "the lowest is above the highest" if first > second else "below zero"
            raise ValueError(
                f"bound of claim {self.name!r} must be a pair {meaning}; got"
                f" {self.bound!r} ({wrong if self.op == 'between' else 'tolerance below zero'})"
            )
        return (first, second)

    def _checked_baseline(self):
        if self.baseline is None:
            return None
        try:
            label, value = self.baseline
        except (TypeError, ValueError):
            label = value = None
        if not isinstance(label, str) or not label.strip() or _NOT_IN_UNIT.search(label):
            raise ValueError(
                f"baseline of claim {self.name!r} must be a pair (name, value) whose name holds"
                f" no digits or brackets, such as ('persistence', 0.61); got {self.baseline!r}"
            )
        return (label, _number(self.name, f"baseline {label!r}", value))

    @property
    def holds(self):
        """Whether `value` meets the condition."""
        return _COMPARE[self.op](self.value, self.bound)

    @property
    def measured(self):
        """The measured value as text, without unit; it never contradicts `holds` by rounding.

        >>> Claim("rounding", 0.44961, "<", 0.45, digits=2).measured
        '0.4496'
        """
        return self._honest(self.digits)

    def _honest(self, digits):
        """The value to at least `digits` digits, and as many more as the condition needs."""
        for enough in range(digits, 17):
            text = format_number(self.value, enough)
            if _COMPARE[self.op](float(text), self.bound) == self.holds:
                return text
        return repr(self.value)

    @property
    def limit(self):
        """The bound as text: ``0.45``, ``0.4 and 0.5`` or ``0.4 ± 0.1``."""
        if self.op not in _PAIRS:
            return format(self.bound, ".6g")
        first, second = (format(x, ".6g") for x in self.bound)
        return f"{first} and {second}" if self.op == "between" else f"{first} ± {second}"

    @property
    def condition(self):
        """Operator and bound in typeset signs.

        >>> Claim("near-half", 0.51, "≈", (0.5, 0.02)).condition
        '≈ 0.5 ± 0.02'
        >>> Claim("small", 1e-14, "<=", 1e-12).condition
        '≤ 1e-12'
        """
        return f"{_SIGNS.get(self.op, self.op)} {self.limit}"

    @property
    def versus(self):
        """The baseline's value as text, or ``""`` without a baseline."""
        return format_number(self.baseline[1], self.digits) if self.baseline else ""

    def _with_unit(self, text):
        return f"{text} {self.unit}" if self.unit else text

    def __str__(self):
        line = (
            f"claim {self.name}: {self._with_unit(self.measured)} (measured) {self.op} {self.limit}"
        )
        if self.baseline:
            line += f"; {self.baseline[0]} {self.versus} (measured)"
        return line

    def to_json(self):
        """Return the record that a notebook stores under :data:`MIMETYPE`.

        Measured numbers are kept to six significant digits (more where fewer would
        contradict the condition), so that the last bits of a machine do not show up as
        a change of the notebook.
        """
        return {
            "name": self.name,
            "value": self.value if isinstance(self.value, int) else float(self._honest(6)),
            "op": self.op,
            "bound": list(self.bound) if self.op in _PAIRS else self.bound,
            "unit": self.unit,
            "baseline": self.baseline
            and {"name": self.baseline[0], "value": json.loads(format_number(self.baseline[1], 6))},
            "source": self.source,
            "digits": self.digits,
        }

    @classmethod
    def from_json(cls, record):
        """Make a claim from what :meth:`to_json` returned.

        Raises
        ------
        ValueError
            If the record lacks a field, has an unknown one, or a field is invalid.
        """
        fields = {"name", "value", "op", "bound", "unit", "baseline", "source", "digits"}
        if not isinstance(record, dict) or set(record) != fields:
            raise ValueError(
                f"a claim's record must have the fields {sorted(fields)}; got {record!r}"
            )
        baseline = record["baseline"]
        if baseline is not None:
            if not isinstance(baseline, dict) or set(baseline) != {"name", "value"}:
                raise ValueError(f"baseline of a record must hold name and value; got {baseline!r}")
            baseline = (baseline["name"], baseline["value"])
        return cls(**{**record, "baseline": baseline})

    def to_html(self):
        """Return the small card that a notebook and the book show."""
        parts = [
            '<span class="lstm-claim-mark" aria-hidden="true">✓</span>',
            f'<code class="lstm-claim-name">{html.escape(self.name)}</code>',
            f'<strong class="lstm-claim-value">{html.escape(self._with_unit(self.measured))}</strong>',
            f'<span class="lstm-claim-condition">{html.escape(self.condition)}</span>',
        ]
        if self.baseline:
            parts.append(
                f'<span class="lstm-claim-baseline">{html.escape(self.baseline[0])}'
                f' <span class="lstm-claim-value">{html.escape(self.versus)}</span></span>'
            )
        if self.source:
            parts.append(f'<span class="lstm-claim-source">{html.escape(self.source)}</span>')
        return (
            f'<div class="lstm-claim" id="{self.name}" role="note" style="{_CARD}">'
            + "&ensp;".join(parts)
            + "</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/html": self.to_html(), MIMETYPE: self.to_json()}


def claim(name, value, op, bound, *, baseline=None, unit="", source=None, digits=3):
    """State one result, check it, and show it.

    In a notebook the claim appears as a small card and is stored for the book's ledger
    and for the tests; elsewhere it is printed as one line.

    Parameters
    ----------
    name, value, op, bound, baseline, unit, source, digits
        As for :class:`Claim`. `value`, `bound` and the baseline's value may be Python
        numbers, NumPy scalars or arrays and tensors of one element.

    Raises
    ------
    AssertionError
        If the condition does not hold. The message gives the measured value, the
        condition and the baseline.
    ValueError
        If an argument is invalid, a number is NaN or infinite, or the notebook or the
        process has stated a claim of this name already.

    Examples
    --------
    >>> claim("small-error", 3.1e-14, "<", 1e-12)
    claim small-error: 3.1e-14 (measured) < 1e-12
    >>> claim("wins", 0.5, "<", 0.45, baseline=("persistence", 0.61), unit="°C")
    Traceback (most recent call last):
        ...
    AssertionError: claim 'wins' does not hold: measured 0.5 °C, must be < 0.45 (persistence: 0.61)
    """
    stated = Claim(name, value, op, bound, unit, baseline, source, digits)
    _forbid_twice(name, running_shell())
    if not stated.holds:
        beside = f" ({stated.baseline[0]}: {stated.versus})" if stated.baseline else ""
        raise AssertionError(
            f"claim {name!r} does not hold: measured {stated._with_unit(stated.measured)},"
            f" must be {op} {stated.limit}{beside}"
        )
    display(stated._repr_mimebundle_())


def read_claims(path):
    """Return the claims that a stored notebook holds, in their order.

    Parameters
    ----------
    path : str or path-like
        An ``.ipynb`` file.

    Returns
    -------
    dict of str to Claim
        By name.

    Raises
    ------
    ValueError
        If the file is no notebook, a record is damaged, or a name occurs twice.

    Examples
    --------
    >>> import tempfile
    >>> record = Claim("small-error", 3.1e-14, "<", 1e-12).to_json()
    >>> cell = {"outputs": [{"data": {MIMETYPE: record}}]}
    >>> path = Path(tempfile.mkdtemp()) / "notebook.ipynb"
    >>> _ = path.write_text(json.dumps({"cells": [cell]}))
    >>> print(read_claims(path)["small-error"])
    claim small-error: 3.1e-14 (measured) < 1e-12
    """
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a notebook: {error}") from None
    found = {}
    for cell in cells:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(MIMETYPE)
            if record is None:
                continue
            try:
                stated = Claim.from_json(record)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
            if stated.name in found:
                raise ValueError(f"{path} states the claim {stated.name!r} twice; rename one")
            found[stated.name] = stated
    return found


def format_number(value, digits=3):
    """Return `value` with `digits` significant digits, plainly where that is readable.

    >>> [format_number(x) for x in (0.41234, 12.0, 1234.5, 0.000012345, 2.5e9, 7)]
    ['0.412', '12', '1234', '1.23e-05', '2.5e+09', '7']

    Fewer than six digits are those of the value with six, which is what a record keeps:

    >>> format_number(0.6234996), format_number(0.6234996, 6), format_number(0.6235)
    ('0.624', '0.6235', '0.624')
    """
    if isinstance(value, int):
        return str(value)
    value = value if digits >= 6 else float(f"{value:.6g}")
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.0f}" if whole >= digits else f"{value:.{digits}g}"


def _number(name, field, value):
    """Return `value` as an int or a float, or raise a ValueError that says what it is."""
    problem = f"{field} of claim {name!r} must be one finite number"
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        raise ValueError(f"{problem}; got {value!r}: claim the numbers behind it")
    if isinstance(value, (str, bytes)):
        raise ValueError(f"{problem}; got the text {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        try:
            number = float(value.item() if hasattr(value, "item") else value)
        except (TypeError, ValueError, RuntimeError):
            shape = getattr(value, "shape", None)
            kind = type(value).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")
            raise ValueError(f"{problem}; got {kind}") from None
    if not math.isfinite(number):
        raise ValueError(f"{problem}; got {number}: look at the data and the loss for NaN first")
    return number


def _forbid_twice(name, shell):
    """Raise if `name` was stated before; running a notebook's cell again is no repetition.

    In a notebook the same name is a repetition within one run of a cell, or in another
    cell where the front end says which cell it runs. (Stored notebooks are checked as a
    whole by :func:`read_claims`.) Elsewhere any second use is one.
    """
    where = None if shell is None else (shell.execution_count, _cell_id(shell))
    if name in _stated:
        before = _stated[name]
        if where is None or before is None or where[0] == before[0]:
            again = True
        else:
            again = None not in (where[1], before[1]) and where[1] != before[1]
        if again:
            raise ValueError(
                f"claim {name!r} has been stated already; give each claim a name of its own"
                " (in a loop, put the loop's variable into it)"
            )
    _stated[name] = where


def _cell_id(shell):
    """The id of the cell that runs, where the front end sends it."""
    parent = getattr(shell, "parent_header", None) or {}
    return parent.get("metadata", {}).get("cellId") if isinstance(parent, dict) else None
