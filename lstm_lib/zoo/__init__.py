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
"""

from types import MappingProxyType

from lstm_lib.zoo import data, gradients, sequences, steps, training
from lstm_lib.zoo.entry import KINDS, Bug, Symptom, Verdict

__all__ = ["BUGS", "KINDS", "Bug", "Symptom", "Verdict"]

BUGS = MappingProxyType(
    {bug.name: bug for part in (steps, gradients, sequences, training, data) for bug in part.BUGS}
)
"""All bugs by name."""
