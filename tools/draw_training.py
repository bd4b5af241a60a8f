"""Draw the picture of chapter 6, what is learned from which part of the data, in the book's figure style.

.venv/bin/python tools/draw_training.py
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "06-training"
PURPLE = figures.COLOURS[2]


def parts():
    """A series in three parts, what each of them may decide, and the arrow that must not be."""
    fig, ax = plt.subplots(figsize=(6.4, 3.9))
    t = np.linspace(0, 10, 300)
    series = 4.1 + 0.07 * t + 0.32 * np.sin(2.3 * t) + 0.16 * np.sin(7.1 * t + 1)
    columns = (
        (0.0, 5.9, BLUE, "training", ("weights", "scaling", "vocabulary")),
        (6.0, 7.9, PURPLE, "validation", ("epoch", "settings")),
        (8.0, 10.0, ORANGE, "test", ("one number,", "once")),
    )
    for low, high, colour, name, decides in columns:
        middle = (low + high) / 2
        ax.axvspan(low, high, 0.58, 0.88, color=colour, alpha=0.15, linewidth=0)
        inside = (t >= low) & (t <= high)
        ax.plot(t[inside], series[inside], color=colour)
        ax.annotate(name, (middle, 5.45), ha="center", color=colour)
        arrow(ax, (middle, 3.0), (middle, 2.25), color=colour)
        _box(ax, (middle, 1.55), min(high - low, 3.2), 1.15, colour)
        for k, line in enumerate(decides):
            y = 1.55 + 0.36 * ((len(decides) - 1) / 2 - k)
            ax.annotate(line, (middle, y), ha="center", va="center", fontsize=11)
    arrow(ax, (9.0, 0.9), (2.95, 0.9), linestyle="--", connectionstyle="bar,fraction=-0.1")
    ax.annotate("leak", (6.0, 0.02), ha="center")
    arrow(ax, (0, 3.2), (10.2, 3.2), linewidth=1)
    ax.annotate("time", (10.0, 2.75), ha="right", fontsize=10)
    ax.set(xlim=(-0.2, 10.2), ylim=(-0.25, 6.0))
    ax.axis("off")
    alt = (
        "A series in order of time, cut into three parts. An arrow leads from the training part to a box "
        "with weights, scaling and vocabulary, from the validation part to a box with epoch and "
        "settings, and from the test part to a box that says one number, once. A dashed arrow marked "
        "leak runs from the test back to the box of the training part."
    )
    return fig, alt


def _box(ax, centre, width, height, colour):
    x, y = centre
    box = FancyBboxPatch(
        (x - width / 2 + 0.08, y - height / 2),
        width - 0.16,
        height,
        boxstyle="round,pad=0.04",
        facecolor=colour,
        alpha=0.25,
        edgecolor="none",
    )
    ax.add_patch(box)


PICTURES = {"parts": parts}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
