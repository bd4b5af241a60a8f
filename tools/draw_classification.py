"""Draw the picture of chapter 9, the ways of reading out an LSTM, in the book's figure style.

.venv/bin/python tools/draw_classification.py
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "09-classification"
STATES = np.array(
    [[-0.7, 0.3, 0.9, 0.1, -0.4], [-0.2, -0.8, -0.5, 0.2, 0.7], [0.8, 0.4, -0.3, -0.9, -0.1]]
)
WEIGHTS = np.array([0.04, 0.14, 0.6, 0.07, 0.15])
UNITS, STEPS = STATES.shape
PADDED = 7


def readouts():
    """Hidden states of five steps and two of padding, and what each way of reading makes of them."""
    fig, axes = plt.subplots(3, 2, figsize=(4.8, 4.5))
    last, mean, largest, attention, every, trap = axes.flat
    highest = STATES.argmax(axis=1)
    for ax in (last, mean, largest, attention, every):
        _states(ax, np.arange(STEPS))
    _states(trap, np.arange(PADDED), wander=True)
    _frame(last, STEPS - 1)
    _read(last, STATES[:, -1])
    for t in range(STEPS):
        _frame(mean, t)
        _frame(every, t)
        arrow(every, (t + 0.45, -0.15), (t + 0.45, -0.8), linewidth=1.2)
        every.plot(t + 0.45, -1.1, "o", color=ORANGE, markersize=6)
    _read(mean, STATES.mean(axis=1))
    for unit, t in enumerate(highest):
        _frame(largest, t, unit)
    _read(largest, STATES.max(axis=1))
    for t, weight in enumerate(WEIGHTS):
        attention.add_patch(Rectangle((t + 0.1, -1.35), 0.7, 2 * weight, color=ORANGE, alpha=0.8))
    _read(attention, STATES @ WEIGHTS)
    _frame(trap, PADDED - 1)
    _read(trap, _wandering()[:, -1])
    names = ("last", "mean", "maximum", "attention", "every step", "a trap")
    for ax, name in zip(axes.flat, names, strict=True):
        ax.set_title(name, loc="left", pad=1)
        ax.set(xlim=(-0.2, 10.2), ylim=(-1.5, UNITS + 0.1), aspect="equal")
        ax.axis("off")
    alt = (
        "Six times the same grid of three units and seven steps, two of them padding, with what is read "
        "off it. Last: the column of the fifth step. Mean: one column made of all five. Maximum: the "
        "largest entry of each row. Attention: all five columns, with a bar for the weight of each, the "
        "third the highest. Every step: one answer below each of the five columns. A trap: the seventh "
        "column, which is padding."
    )
    return fig, alt


def _wandering():
    """The states of a network that reads on into the padding."""
    drift = STATES[:, -1:] * (0.6, 0.3)
    return np.hstack((STATES, drift + [[0.1, 0.15], [0.1, 0.15], [0.1, 0.15]]))


def _states(ax, filled, wander=False):
    values = _wandering() if wander else STATES
    for unit in range(UNITS):
        for t in range(PADDED):
            if t in filled:
                _square(ax, t, unit, values[unit, t])
            if t >= STEPS:
                _outline(ax, t, UNITS - 1 - unit, 1, figures.INK, linestyle=":")


def _square(ax, x, unit, value):
    shade = 0.06 + 0.88 * (value + 1) / 2
    corner = (x, UNITS - 1 - unit)
    ax.add_patch(Rectangle(corner, 0.9, 0.9, color=BLUE, alpha=shade, linewidth=0))


def _outline(ax, x, y, height, colour, **style):
    style = dict(facecolor="none", edgecolor=colour, linewidth=1.2) | style
    ax.add_patch(Rectangle((x, y), 0.9, height - 0.1, **style))


def _frame(ax, t, unit=None):
    y, height = (0, UNITS) if unit is None else (UNITS - 1 - unit, 1)
    _outline(ax, t, y, height, ORANGE, linewidth=1.8)


def _read(ax, values):
    arrow(ax, (7.3, 1.45), (8.7, 1.45), linewidth=1.5)
    for unit, value in enumerate(values):
        _square(ax, 9, unit, value)
    _frame(ax, 9)


PICTURES = {"readouts": readouts}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
