"""The loss of many batches as if they were one.

A mean is over what counts: elements, points, classes that are not ignored. Batches in which different
numbers count must not weigh the same, so each loss says how many there were.
"""

import math

from lstm_lib.parameters import to_numpy


class ElementCount:
    """What a loss over elements inherits.

    Examples
    --------
    Two sequences of three steps with four numbers each; one step of the second is padding:

    >>> import numpy as np
    >>> ElementCount().count(np.zeros((2, 3, 4)), np.array([[True, True, True], [True, True, False]]))
    20
    """

    def count(self, target, mask=None):
        """Number of terms that the mean over `target` has, those of the mask alone if there is one."""
        shape = tuple(target.shape)
        if mask is None:
            return math.prod(shape)
        return int(mask.sum()) * math.prod(shape[mask.ndim :])


class PointCount:
    """What a loss over points, whose coordinates stand on the last axis, inherits.

    Examples
    --------
    >>> import numpy as np
    >>> PointCount().count(np.zeros((2, 3, 4)), np.array([[True, True, True], [True, True, False]]))
    5
    """

    def count(self, target, mask=None):
        """Number of points that the mean over `target` has, those of the mask alone if there is one."""
        shape = tuple(target.shape)[:-1]
        if mask is None:
            return math.prod(shape)
        return int(mask.sum()) * math.prod(shape[mask.ndim :])


class ClassCount:
    """What a loss over classes inherits, of which its ``ignore_index`` does not count.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import numpy as L
    >>> loss = L.CrossEntropyLoss()
    >>> isinstance(loss, ClassCount), loss.count(np.array([2, 0, -100]))
    (True, 2)
    """

    def count(self, target, mask=None):
        """Number of targets that the mean has: neither ignored nor masked."""
        counts = to_numpy(target) != self.ignore_index
        if mask is not None:
            mask = to_numpy(mask)
            counts = counts & mask.reshape(mask.shape + (1,) * (counts.ndim - mask.ndim))
        return int(counts.sum())


class LossAverage:
    """The value that a criterion would give for all batches at once.

    A criterion that does not say what it counts weighs batches by their sequences.

    Parameters
    ----------
    criterion : loss or callable

    Examples
    --------
    The mean of three elements, of which the batches have two and one:

    >>> import numpy as np
    >>> from lstm_lib import numpy as L
    >>> average = LossAverage(L.MSELoss())
    >>> for error in (np.array([1.0, 3.0]), np.array([2.0])):
    ...     average.add(float((error**2).mean()), np.zeros_like(error))
    >>> round(average.value, 3)
    4.667
    """

    def __init__(self, criterion):
        self.criterion = criterion
        self.is_sum = getattr(criterion, "reduction", "mean") == "sum"
        self.total = self.weight = 0

    def count(self, target, mask=None):
        """How much a batch weighs."""
        if hasattr(self.criterion, "count"):
            return self.criterion.count(target, mask)
        return len(target)

    def add(self, value, target, mask=None):
        """Take in the loss of one batch."""
        self.add_counted(value, self.count(target, mask))

    def add_counted(self, value, count):
        """Take in the loss of a batch that weighs `count`."""
        self.total += value if self.is_sum else value * count
        self.weight += count

    @property
    def value(self):
        """The loss of all batches so far."""
        if self.weight == 0:
            raise ValueError("no target counts: all are masked or ignored")
        return self.total if self.is_sum else self.total / self.weight


def counting_mask(model, criterion, target, lengths):
    """What counts of a padded batch of targets, as a boolean array; None where all does.

    Asks ``model.output_mask``, for models that answer at every step, and only for a criterion of this
    library, which takes a mask.

    Parameters
    ----------
    model, criterion : module
    target : array, one sequence an entry of its first axis
    lengths : sequence of int or None

    Returns
    -------
    ndarray of bool, or None

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import numpy as L
    >>> model = L.SequenceModel(L.LSTM(1, 2, batch_first=True), L.Linear(2, 1), "all")
    >>> counting_mask(model, L.MSELoss(), np.zeros((2, 3, 1)), lengths=[3, 1])
    array([[ True,  True,  True],
           [ True, False, False]])
    """
    knows = hasattr(model, "output_mask") and hasattr(criterion, "count")
    if lengths is None or not knows or target.ndim < 2:
        return None
    return model.output_mask(lengths, target.shape[1])
