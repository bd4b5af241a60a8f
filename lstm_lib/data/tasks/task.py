"""What every task gives: arrays for ``fit()``, and the oracle that knows the answers."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np

from lstm_lib.data.text import IGNORE_INDEX, length_mask, one_hot, pad_sequences
from lstm_lib.validation import positive_int


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """A batch of sequences with their targets.

    ``fit(model, task.data, loss=task.loss)`` trains on it, with a
    ``SequenceModel(..., readout=task.readout)`` from `input_size` to `output_size`.

    Attributes
    ----------
    name : str
    x : ndarray, shape (N, T, I)
        Inputs, padded behind with zeros.
    y : ndarray
        Classes (N,) or (N, T) of int64, or numbers (N, K). A step without a target has the
        class ``IGNORE_INDEX`` (-100), which the losses leave out.
    lengths : ndarray of int64, shape (N,)
        Steps of every sequence that are there.
    loss : str
        The loss by its name in ``fit``.
    readout : {"last", "all"}
        Whether the answer follows the last step, or every step has one.
    oracle : callable
        ``oracle(x, lengths)`` works out from the inputs alone what `y` has to be, or
        `legal` where there is one. It shares nothing with the code that made the inputs.
    symbols : tuple of str
        What the components of a one-hot input stand for; empty for numbers.
    classes : tuple of str
        What the classes stand for; empty for numbers.
    legal : ndarray of bool, shape (N, T, O), optional
        For next-symbol prediction: which symbols may follow each step.
    texts : tuple, optional
        The strings behind the sequences; pairs (source, target) for sequence to sequence.
    baselines : dict of str to float
        What answers without any insight score, by name.
    extra : dict of str to ndarray, shape (N, ...)
        More facts about every sequence.

    Examples
    --------
    >>> from lstm_lib.data.tasks import temporal_order
    >>> task = temporal_order(100, steps=30, rng=0)
    >>> task
    Task temporal order: 100 sequences of 30 to 33 steps, x (100, 33, 8), y (100,)
    >>> train, test = task.split(0.2, rng=0)
    >>> len(train), len(test), train.input_size, train.output_size
    (80, 20, 8, 4)
    >>> bool((task.oracle(task.x, task.lengths) == task.y).all())
    True
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray
    loss: str
    readout: str
    oracle: Callable
    symbols: tuple = ()
    classes: tuple = ()
    legal: np.ndarray | None = None
    texts: tuple | None = None
    baselines: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.x)

    def __repr__(self):
        shortest, longest = self.lengths.min(), self.lengths.max()
        steps = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
        return (
            f"Task {self.name}: {len(self)} sequences of {steps} steps, "
            f"x {self.x.shape}, y {self.y.shape}"
        )

    def __getitem__(self, index):
        """Return a Task of some sequences: a slice, an array of indices or of bool."""
        rows = np.arange(len(self))[index]
        if rows.ndim != 1 or rows.size == 0:
            raise ValueError(f"index must choose some sequences of {len(self)}, got {index!r}")
        changes = {
            f.name: getattr(self, f.name)[rows]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        changes["extra"] = {name: array[rows] for name, array in self.extra.items()}
        if self.texts is not None:
            changes["texts"] = tuple(self.texts[row] for row in rows)
        return replace(self, **changes)

    @property
    def data(self):
        """The tuple ``(x, y, lengths)`` that ``fit`` takes."""
        return self.x, self.y, self.lengths

    @property
    def mask(self):
        """Steps that have a target, bool (N, T); None where the answer follows the last step."""
        if self.readout == "last":
            return None
        return self.y != IGNORE_INDEX

    @property
    def input_size(self):
        """Number of input components a step."""
        return self.x.shape[-1]

    @property
    def output_size(self):
        """Number of classes, or of numbers to be told."""
        return len(self.classes) or self.y.shape[-1]

    def split(self, test, *, rng=None):
        """Split into two tasks that share no input.

        Sequences with equal inputs go to the same side, so where strings are few and come
        several times, none is in both.

        Parameters
        ----------
        test : float
            Share of the sequences, above 0 and below 1, that the second task gets; more if
            the last group of equal inputs goes beyond.
        rng : int or numpy.random.Generator, optional

        Returns
        -------
        train, test : Task

        Raises
        ------
        ValueError
            If a part would be empty.
        """
        if not 0 < test < 1:
            raise ValueError(f"test must lie between 0 and 1, got {test}")
        wanted = max(1, round(test * len(self)))
        keys = [(int(n), row[:n].tobytes()) for n, row in zip(self.lengths, self.x, strict=True)]
        groups = {}
        for row, key in enumerate(keys):
            groups.setdefault(key, []).append(row)
        groups = list(groups.values())
        chosen = np.zeros(len(self), bool)
        for number in np.random.default_rng(rng).permutation(len(groups)):
            if chosen.sum() >= wanted:
                break
            chosen[groups[number]] = True
        if chosen.all():
            raise ValueError(
                f"cannot split {len(self)} sequences with {len(groups)} different inputs "
                f"and leave any for training: test is {test}"
            )
        return self[~chosen], self[chosen]


def symbol_task(name, inputs, symbols, y, classes, *, dtype, **facts):
    """Build a Task of classes from strings, whose every character is one of `symbols`."""
    number = {symbol: k for k, symbol in enumerate(symbols)}
    ids, lengths = pad_sequences([[number[c] for c in text] for text in inputs])
    x = one_hot(ids, len(symbols), dtype=dtype)
    x[~length_mask(lengths)] = 0
    return Task(
        name,
        x,
        y,
        lengths,
        "cross_entropy",
        "last" if y.ndim == 1 else "all",
        symbols=tuple(symbols),
        classes=tuple(classes),
        **facts,
    )


def step_classes(rows, steps=None):
    """Pad rows of classes to one array; -100 stands where there is no target."""
    return pad_sequences(rows, value=IGNORE_INDEX, length=steps)[0]


def texts_of(x, lengths, symbols):
    """Read the strings off one-hot inputs."""
    ids = np.asarray(x).argmax(axis=-1)
    return [
        "".join(symbols[k] for k in row[:n]) for row, n in zip(ids.tolist(), lengths, strict=True)
    ]


def integer_range(name, value):
    """Return ``(low, high)`` from an int or a pair of ints, checked."""
    try:
        low, high = (value, value) if np.ndim(value) == 0 else value
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be an integer or a pair (low, high), got {value!r}"
        ) from None
    low, high = positive_int(name, low), positive_int(name, high)
    if low > high:
        raise ValueError(f"{name} must satisfy low <= high, got {low} and {high}")
    return low, high
