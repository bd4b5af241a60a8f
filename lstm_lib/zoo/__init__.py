"""The zoo: well-known LSTM bugs, each runnable, with its symptom and the check that catches it.

Every entry of :data:`BUGS` stands beside the right code and differs from it as little as the bug
allows. Its symptom is measured, not told; its check tests a property that the right code has, so it
works on your own code of the same kind as well:

>>> from lstm_lib import zoo
>>> bug = zoo.BUGS["softmax_twice"]
>>> print(bug.looks)
Accuracy rises, but the loss stops far above zero, however long the training.
>>> print(bug.symptom())
loss of sure and right answers among 3 classes: 0.5514 with the bug, 0 without
>>> print(bug.check(bug.broken))
BROKEN: A sure and right answer costs nothing. Sure and right about 3 classes, it costs 0.551.
>>> print(bug.check(bug.correct))
holds: A sure and right answer costs nothing.

All entries; "tutorials" are those that the course grew out of.

"""

from types import MappingProxyType

from lstm_lib.zoo import data, gradients, sequences, steps, training
from lstm_lib.zoo.entry import KINDS, Bug, Symptom, Verdict

__all__ = ["BUGS", "KINDS", "Bug", "Symptom", "Verdict"]

BUGS = MappingProxyType(
    {bug.name: bug for part in (steps, gradients, sequences, training, data) for bug in part.BUGS}
)
"""All bugs by name."""


def _table(widths, *rows):
    """Rows of text as a table in reStructuredText; the first row is the head."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in rows:
        lines += [f"   {'  -' if k else '* -'} {cell}" for k, cell in enumerate(row)]
    return "\n".join(lines) + "\n\n"


__doc__ += _table(
    "34 36 30",
    ("Bug, and where it was seen", "Looks like", "Caught by"),
    *((f"``{b.name}``: {b.title}. *{b.seen}*", b.looks, b.promise) for b in BUGS.values()),
)
__doc__ += "What an implementation of each kind is, for checking your own:\n\n"
__doc__ += _table("20 80", ("Kind", "Called as"), *KINDS.items())
