"""Draw the pictures of chapter 1, the four kinds of problems and the window, in the book's figure style.

.venv/bin/python tools/draw_sequences.py
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "01-sequences"


def kinds():
    """What goes in and what comes out of a model, for the four kinds of problems."""
    fig, axes = plt.subplots(2, 2, figsize=(4.8, 3.5))
    titles = ("prediction", "classification", "generation", "sequence to sequence")
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title, loc="left", pad=2)
        ax.add_patch(_box((0.2, 0), 5.6, 0.9, figures.INK, 0.2))
        ax.set(xlim=(-0.1, 6.6), ylim=(-1.7, 2.5), aspect="equal")
        ax.axis("off")
    one, two, three, four = axes.flat
    for k in range(5):
        _item(one, k + 1, -1.1, BLUE, f"$x_{k + 1}$")
        _item(two, k + 1, -1.1, BLUE, f"$x_{k + 1}$")
    _out(one, 5, "$x_6$")
    _out(two, 5, "class")
    for k in range(5):
        _item(three, k + 1, -1.1, BLUE, f"$x_{k + 1}$")
        _out(three, k + 1, f"$x_{k + 2}$")
        if k < 4:
            back = dict(arrowstyle="-|>", color=ORANGE, linewidth=1.3, linestyle="--")
            back |= dict(connectionstyle="arc3,rad=-0.25", shrinkA=3, shrinkB=3)
            three.annotate("", (k + 1.75, -0.75), (k + 1.25, 1.45), arrowprops=back)
    for k in range(3):
        _item(four, k + 1, -1.1, BLUE, f"$x_{k + 1}$")
        _out(four, k + 3, ("$y_1$", "$y_2$", "end")[k])
    alt = (
        "Four boxes, with what goes in below and what comes out above. Prediction: five items in, the "
        "sixth out. Classification: five items in, one class out. Generation: after each item the next "
        "comes out, and dashed arrows lead it back in. Sequence to sequence: three items in, then two "
        "others and an end mark out."
    )
    return fig, alt


def window():
    """A window of a series laid out as one row of numbers, and the network that reads it."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(4.8, 3.6), height_ratios=(1, 1.5))
    t = np.arange(12)
    values = np.sin(t * 0.8) + 0.3 * np.sin(t * 2.3 + 1)
    top.add_patch(Rectangle((2.55, -1.8), 4.9, 3.5, color=BLUE, alpha=0.15, linewidth=0))
    top.plot(t[:9], values[:9], "-o", color=figures.INK, zorder=3)
    top.plot(t[3:8], values[3:8], "o", color=BLUE, markersize=9, zorder=4)
    top.plot(t[8], values[8], "o", color=ORANGE, markersize=10, zorder=4)
    top.plot(t[8:], values[8:], ":", color=figures.INK, zorder=2)
    top.annotate("$x$", (5, -1.65), ha="center", color=BLUE, fontsize=13)
    top.annotate("$y$", (8, -1.65), ha="center", color=ORANGE, fontsize=13)
    top.set(xlim=(-0.6, 11.6), ylim=(-2, 1.9))
    inputs = [(3 + k, 0.0) for k in range(5)]
    hidden = [(3.5 + k * 4 / 3, 1.5) for k in range(4)]
    answer = (5.5, 2.9)
    for unit in hidden:
        for place in inputs:
            bottom.plot(*zip(place, unit, strict=True), color=figures.INK, linewidth=0.8, alpha=0.6)
        bottom.plot(*zip(unit, answer, strict=True), color=figures.INK, linewidth=0.8, alpha=0.6)
    for points, colour in ((inputs, BLUE), (hidden, figures.INK), ([answer], ORANGE)):
        bottom.plot(*zip(*points, strict=True), "o", color=colour, markersize=15)
    for y, name in ((0, "$x$"), (1.5, "$h$"), (2.9, r"$\hat{y}$")):
        bottom.annotate(name, (1.7, y - 0.12), ha="center", fontsize=13)
    bottom.annotate("$W$", (8.2, 0.65), ha="center", fontsize=13)
    bottom.annotate("$A$", (8.2, 2.1), ha="center", fontsize=13)
    bottom.set(xlim=(-0.6, 11.6), ylim=(-0.4, 3.3))
    for ax in (top, bottom):
        ax.axis("off")
    alt = (
        "Above: a series of dots; five of them lie in a shaded window, x, and the one after them is the "
        "target, y. Below: the five values as the lowest row of a network; every one is joined by a line "
        "to each of four hidden units, h, and those to one answer."
    )
    return fig, alt


def _box(corner, width, height, colour, alpha):
    style = dict(boxstyle="round,pad=0.06", facecolor=colour, alpha=alpha, edgecolor="none")
    return FancyBboxPatch(corner, width, height, **style)


def _item(ax, x, y, colour, name):
    ax.add_patch(_box((x - 0.32, y - 0.3), 0.64, 0.6, colour, 0.3))
    ax.annotate(name, (x, y), ha="center", va="center", fontsize=10)
    arrow(ax, (x, y + 0.4), (x, -0.08), linewidth=1.3)


def _out(ax, x, name):
    arrow(ax, (x, 1.0), (x, 1.5), linewidth=1.3)
    width = 0.64 if "$" in name else 0.92 if name == "end" else 1.3
    ax.add_patch(_box((x - width / 2, 1.62), width, 0.6, ORANGE, 0.3))
    ax.annotate(name, (x, 1.92), ha="center", va="center", fontsize=10)


PICTURES = {"kinds": kinds, "window": window}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
