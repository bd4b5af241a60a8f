"""Draw the pictures of the chapters' prose pages, in the book's figure style.

    .venv/bin/python tools/draw_chapters.py

Each picture is one function here and one SVG beside the page that shows it.
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTERS = ROOT / "chapters"


def framing():
    """A window of a series, the value to foretell, and the unrolled network that reads the window."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 4.2), height_ratios=(1, 1.15))
    t = np.arange(11)
    values = np.sin(t * 0.75) + 0.25 * np.sin(t * 2.1 + 1)
    top.add_patch(Rectangle((1.55, -1.75), 4.9, 3.5, color=BLUE, alpha=0.15, linewidth=0))
    top.plot(t[:7], values[:7], "-o", color=figures.INK, zorder=3)
    top.plot(t[6:], values[6:], ":", color=figures.INK)
    top.plot(t[2:7], values[2:7], "o", color=BLUE, markersize=9, zorder=4)
    top.plot(t[7], values[7], "o", color=ORANGE, markersize=10, zorder=4)
    top.plot(t[8:], values[8:], "o", color=ORANGE, markersize=9, fillstyle="none", zorder=4)
    for k, x in enumerate((2, 3, 4, 5, 6), start=1):
        top.annotate(f"$x_{k}$", (x, -1.6), ha="center")
    for x, name in ((7, "$y_1$"), (8, "$y_2$"), (9, "$y_3$"), (10, "$y_4$")):
        top.annotate(name, (x, -1.6), ha="center", color=ORANGE)
    top.set(xlim=(-0.6, 10.6), ylim=(-2, 1.8))
    for k, x in enumerate((2, 3, 4, 5, 6), start=1):
        box = FancyBboxPatch(
            (x - 0.3, 0.55),
            0.6,
            0.6,
            boxstyle="round,pad=0.04",
            facecolor=BLUE,
            alpha=0.3,
            edgecolor="none",
        )
        bottom.add_patch(box)
        arrow(bottom, (x, 0.05), (x, 0.48))
        bottom.annotate(f"$x_{k}$", (x, -0.2), ha="center")
        arrow(bottom, (x - 0.64, 0.85), (x - 0.38, 0.85))
        bottom.annotate(f"$h_{k - 1}, c_{k - 1}$", (x - 0.5, 1.3), ha="center", fontsize=10)
    arrow(bottom, (6.38, 0.85), (6.7, 0.85))
    bottom.annotate("$h_5$", (6.5, 1.3), ha="center", fontsize=10)
    arrow(bottom, (7.02, 0.85), (7.5, 0.85))
    bottom.annotate(r"$\hat{y}$", (7.7, 0.76), color=ORANGE, fontsize=15)
    bottom.add_patch(Rectangle((6.72, 0.55), 0.26, 0.6, color=ORANGE, alpha=0.4, linewidth=0))
    bottom.set(xlim=(-0.6, 10.6), ylim=(-0.4, 1.7))
    for ax in (top, bottom):
        ax.axis("off")
    alt = (
        "Above: a series of dots; five of them, x1 to x5, lie in a shaded window, the next one, y1, is to "
        "be foretold, three more may follow. Below: the same cell drawn five times; each reads one x "
        "and hands its states h and c to the next; the last h goes to a linear layer that gives the "
        "forecast."
    )
    return fig, alt


def unrolled():
    """A recurrent cell with its loop, and the same cell drawn once a step, with one path of the error back."""
    fig, ax = plt.subplots(figsize=(6.4, 2.5))
    _cell(ax, 0.6)
    arrow(ax, (0.6, -0.75), (0.6, -0.02))
    arrow(ax, (0.6, 0.72), (0.6, 1.35))
    loop = dict(arrowstyle="-|>", color=figures.INK, linewidth=1.5, shrinkA=0, shrinkB=0)
    loop["connectionstyle"] = "arc3,rad=2.2"
    ax.annotate("", (0.98, 0.5), (0.98, 0.18), arrowprops=loop)
    for name, y in (("$x_t$", -1.05), ("$h_t$", 1.5)):
        ax.annotate(name, (0.6, y), ha="center")
    ax.annotate("=", (2.0, 0.25), ha="center", va="center", fontsize=18)
    for t in range(1, 5):
        x = 1.9 + 1.45 * t
        _cell(ax, x)
        arrow(ax, (x, -0.75), (x, -0.02))
        arrow(ax, (x, 0.72), (x, 1.35))
        arrow(ax, (x - 1.05, 0.45), (x - 0.4, 0.45))
        ax.annotate(f"$x_{t}$", (x, -1.05), ha="center")
        ax.annotate(f"$\\mathcal{{L}}_{t}$", (x, 1.5), ha="center")
        ax.annotate(f"$h_{t}$", (x - 0.2, 0.95), ha="center", fontsize=10)
    ax.annotate("$h_0$", (2.63, 0.6), ha="center", fontsize=10)
    last, early = 1.9 + 1.45 * 4, 1.9 + 1.45 * 2
    arrow(ax, (last + 0.16, 1.35), (last + 0.16, 0.72), color=ORANGE)
    for t in (4, 3):
        x = 1.9 + 1.45 * t
        arrow(ax, (x - 0.4, 0.1), (x - 1.05, 0.1), color=ORANGE)
    ax.annotate("$U$", (early + 0.05, 0.07), color=ORANGE, ha="center", fontsize=13)
    ax.set(xlim=(-0.4, 8.4), ylim=(-1.3, 1.9), aspect="equal")
    ax.axis("off")
    alt = (
        "Left: one cell with an input x, an output h and a loop from itself to itself. Right, after an "
        "equals sign: the same cell drawn four times; each reads one x, hands its state h on to the "
        "next cell and up to a loss. An orange path runs from the fourth loss down into its cell and back "
        "through the third cell to the weight U of the second."
    )
    return fig, alt


def _cell(ax, x):
    box = FancyBboxPatch(
        (x - 0.32, 0.04),
        0.64,
        0.6,
        boxstyle="round,pad=0.04",
        facecolor=BLUE,
        alpha=0.3,
        edgecolor="none",
    )
    ax.add_patch(box)


PICTURES = {"02-recurrence": unrolled, "08-prediction": framing}


def main():
    for folder, picture in PICTURES.items():
        store(CHAPTERS / folder, {picture.__name__: picture})


if __name__ == "__main__":
    main()
