"""What is compared: the sizes, the suites, and the goals that the results are held against."""

from typing import NamedTuple


class Size(NamedTuple):
    """Batch B, steps T, input size I and hidden size H."""

    batch: int
    steps: int
    inputs: int
    hidden: int

    def __str__(self):
        return "x".join(map(str, self))


SIZES = (
    Size(1, 64, 16, 32),
    Size(16, 64, 32, 64),
    Size(32, 100, 64, 128),
    Size(64, 128, 128, 256),
    Size(32, 256, 256, 512),
)
QUICK_SIZES = SIZES[:3]
REFERENCE = "torch.nn"
ENGINES = ("numpy", "torch-fused")
SLOW = ("numpy", "torch-loop", "cell-loop", "tutorial")
SLOW_ROUNDS = 3


class Comparison(NamedTuple):
    """Implementations that are timed together, in turn."""

    cell: str
    dtype: str
    mode: str
    threads: int
    contestants: tuple


def _cells(cell):
    return [
        Comparison(cell, dtype, mode, 1, ENGINES)
        for dtype in ("float32", "float64")
        for mode in ("training", "inference")
    ]


SPEED = {
    "lstm": _cells("LSTM"),
    "gru": _cells("GRU"),
    "rnn": _cells("RNN"),
    "threads": [Comparison("LSTM", "float32", "training", 2, ENGINES)],
    "scale": [Comparison("LSTM", "float32", "training", 1, SLOW)],
}
"""Suites of timings; each becomes a file of results."""

MEMORY = ("numpy", "torch-fused", "torch-loop")
"""Whose peak memory the suite "memory" measures, beside the reference's."""

CHECKPOINTS = (None, 64, 32, 16, 8)
"""Values of ``checkpoint_every`` that the suite "checkpoint" tries on the NumPy engine."""

SUITES = (*SPEED, "memory", "checkpoint")


class Goal(NamedTuple):
    """Upper bounds of a ratio: the one that must hold, and the one aimed at (None: no such bound)."""

    must: float | None
    aim: float | None


FASTER = Goal(1.0, None)
LARGE = SIZES[-2:]
TIGHT = (SIZES[0], *LARGE)
MEMORY_GOAL = Goal(1.5, None)
"""Of the peak memory of a training step at the largest size, ours to that of ``torch.nn``."""


def goal(comparison, contestant, size):
    """The goal of a ratio of times, ours to that of ``torch.nn``; None where there is none."""
    cell, dtype, mode, threads, _ = comparison
    if threads != 1 or cell == "RNN":
        return None
    if contestant == "torch-fused" and (cell, dtype, mode) == ("LSTM", "float32", "training"):
        return Goal(1.7, 1.2)
    if contestant != "numpy":
        return None
    if cell == "GRU":
        return FASTER
    if dtype == "float64":
        return FASTER if size.hidden <= 128 else None
    if mode == "inference":
        return Goal(1.9, 1.3)
    return Goal(1.2 if size in TIGHT else 1.6, 1.0 if size in LARGE else 1.25)
