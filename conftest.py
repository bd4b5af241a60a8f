"""How nbval compares a notebook's stored outputs with those of a new run.

nbval asks for equal text. Trained numbers differ between processors from the sixth or
seventh digit on, so equal text would fail on the next machine. Here

- **decimal numbers** are equal within a unit of the last printed digit, or a
  thousandth of their size, or 1e-12, whichever is largest; whole numbers and all
  other text must be the same;
- **a number followed by "(measured)"** is not compared: ``claim()`` has asserted its
  condition in the same run. All else about a claim must be the same, to the letter, in
  its line, its card and its stored record: a bound is written down, not computed;
- **figures** are not compared (the last digits of an SVG's coordinates differ, too), nor are
  coloured words (lstm_lib.highlight), sounds (lstm_lib.music) and tables of answers (lstm_lib.tables);
  their alternative texts are.

tests/notebooks/test_tolerance.py tests these rules one by one.
"""

import math
import re

# assignments hold stubs, which fail, and hidden tests, which fail on stubs: tests/grading grades them
collect_ignore_glob = ["*/assignment.ipynb", "*/exercises.ipynb"]
# it imports Triton, which is not everywhere, and has no examples
collect_ignore = ["lstm_lib/torch/persistent/kernels.py"]

NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d+\.\d*|\.\d+|\d+(?=[eE][-+]?\d))(?:[eE][-+]?\d+)?(?!\w)")
ANY_NUMBER = r"[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
MEASURED = re.compile(rf"(?<![\w.]){ANY_NUMBER}(?=(?: [^\n0-9();,:]{{1,24}})? \(measured\))")
CARD_VALUE = re.compile(rf'(?<=class="lstm-claim-value">){ANY_NUMBER}')
CLAIM = ("claim ", '<div class="lstm-claim"')
RELATIVE, ABSOLUTE = 1e-3, 1e-12
FIGURES = ("image/svg+xml", "image/png", "image/jpeg", "application/pdf")
DRAWN = ('<div class="lstm-words"', '<div class="lstm-sound"', '<div class="lstm-table"')
CLAIM_FIELDS = {"name", "value", "op", "bound", "unit", "baseline", "source", "digits"}


def without_measured(text):
    """Replace the measured numbers of claims in `text`, in a line or in a card."""
    return CARD_VALUE.sub("<measured>", MEASURED.sub("<measured>", text))


def same_text(stored, new):
    """Whether two printed texts agree by the rules above."""
    stored, new = (without_measured(re.sub(r"[ \t]+", " ", text)) for text in (stored, new))
    if stored.startswith(CLAIM):
        return stored == new
    if NUMBER.sub("<number>", stored) != NUMBER.sub("<number>", new):
        return False
    pairs = zip(NUMBER.findall(stored), NUMBER.findall(new), strict=True)
    return all(same_number(a, b) for a, b in pairs)


def same_number(stored, new):
    """Whether two printed decimal numbers agree within the tolerance of `stored`."""
    stored, new = stored.replace("−", "-"), new.replace("−", "-")
    mantissa, _, exponent = stored.lower().partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return math.isclose(
        float(stored), float(new), rel_tol=RELATIVE, abs_tol=max(ABSOLUTE, 1.01 * last_digit)
    )


class Text(str):
    """A string equal to every string that :func:`same_text` accepts."""

    def __eq__(self, other):
        return isinstance(other, str) and (str.__eq__(self, other) or same_text(self, other))

    def __ne__(self, other):
        return not self == other

    __hash__ = None  # equality within a tolerance has no hash


def comparable(output):
    """Return what nbval compares in place of `output`, one value of one mimetype."""
    if isinstance(output, str):
        return next((mark for mark in DRAWN if output.startswith(mark)), Text(output))
    if isinstance(output, dict) and set(output) == CLAIM_FIELDS:
        baseline = output["baseline"] and output["baseline"]["name"]
        return {**output, "value": None, "baseline": baseline}
    return output


def pytest_collection_modifyitems(items):
    """Give nbval's cells these rules."""
    for item in items:
        if type(item).__name__ != "IPyNbCell":
            continue
        if not set(FIGURES) <= set(item.parent.skip_compare):
            item.parent.skip_compare = (*item.parent.skip_compare, *FIGURES)
        item.sanitize = lambda output, first=item.sanitize: comparable(first(output))
