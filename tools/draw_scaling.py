"""Draw the pictures of chapter 15, a shared batch and a ring of workers, in the book's figure style.

.venv/bin/python tools/draw_scaling.py
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "15-scaling"
WORKERS = 4
PARTS = [figures.COLOURS[k] for k in (0, 1, 2, 3)]


def shared():
    """One batch, four workers with the same weights, one mean gradient, four equal steps."""
    fig, ax = plt.subplots(figsize=(6.4, 4.4))
    columns = 2.0 * np.arange(WORKERS)
    ax.add_patch(Rectangle((-0.8, 3.9), 7.6, 0.5, color=figures.INK, alpha=0.12, linewidth=0))
    for x, colour in zip(columns, PARTS, strict=True):
        ax.add_patch(Rectangle((x - 0.75, 3.95), 1.5, 0.4, color=colour, alpha=0.55, linewidth=0))
        arrow(ax, (x, 3.85), (x, 3.3))
        _box(ax, (x, 2.95), "$W,\\ U,\\ b$", figures.INK, 0.1)
        arrow(ax, (x, 2.6), (x, 2.05))
        ax.annotate("$\\nabla\\mathcal{L}_" + str(int(x) // 2) + "$", (x + 0.15, 2.2), color=colour)
        arrow(ax, (x, 0.85), (x, 0.3))
        _box(ax, (x, -0.05), "$W,\\ U,\\ b$", ORANGE, 0.3)
    _box(
        ax,
        (3, 1.45),
        "$\\sum_r\\ \\frac{n_r}{n}\\,\\nabla\\mathcal{L}_r$",
        BLUE,
        0.25,
        wide=7.4,
        high=0.9,
    )
    ax.set(xlim=(-1, 7), ylim=(-0.6, 4.6))
    ax.axis("off")
    alt = (
        "A batch is cut into four parts, one for each of four workers. Every worker has the same weights "
        "W, U and b and computes a gradient from its own part. One sum over all workers, each weighed by "
        "the share of what counts in its part, goes back to all four, which make the same step and "
        "have the same weights again."
    )
    return fig, alt


def ring():
    """Four workers, four pieces of a gradient: what has been summed at the start, half-way, at the end."""
    fig, axes = plt.subplots(1, 3, figsize=(6.4, 3.3))
    start = np.ones((WORKERS, WORKERS), int)
    half = np.array([[(r - k) % WORKERS + 1 for r in range(WORKERS)] for k in range(WORKERS)])
    for ax, summed, title in zip(
        axes, (start, half, WORKERS * start), ("0", "$N-1$", "$2(N-1)$"), strict=True
    ):
        for k in range(WORKERS):
            for r in range(WORKERS):
                number = int(summed[k, r])
                look = dict(color=PARTS[k], alpha=0.12 + 0.14 * (number - 1), linewidth=0)
                ax.add_patch(Rectangle((r - 0.44, WORKERS - k - 0.42), 0.88, 0.84, **look))
                weight = "bold" if number == WORKERS else "normal"
                ax.annotate(
                    str(number), (r, WORKERS - k), ha="center", va="center", fontweight=weight
                )
        for r in range(WORKERS):
            ax.annotate(str(r), (r, 0.15), ha="center", va="center", fontsize=10)
            if r + 1 < WORKERS:
                arrow(ax, (r + 0.22, 0.15), (r + 0.78, 0.15), linewidth=1.2)
        back = dict(connectionstyle="arc3,rad=-0.35", linewidth=1.2)
        arrow(ax, (WORKERS - 1, -0.15), (0, -0.15), **back)
        ax.set_title(title)
        ax.set(xlim=(-0.6, WORKERS - 0.4), ylim=(-0.9, WORKERS + 0.5), aspect="equal")
        ax.axis("off")
    alt = (
        "Three tables, one column for each of four workers 0 to 3 in a ring, one row for each of four pieces of "
        "the gradient; a number says how many gradients have been summed there. At the start all are 1. "
        "After N minus 1 exchanges each worker has the whole sum, 4, of another piece, and parts of it, 1 to "
        "3, of the others. After 2(N minus 1) exchanges all are 4."
    )
    return fig, alt


def _box(ax, centre, text, colour, alpha, wide=1.3, high=0.6, size=None):
    x, y = centre
    box = FancyBboxPatch(
        (x - wide / 2, y - high / 2),
        wide,
        high,
        boxstyle="round,pad=0.04",
        facecolor=colour,
        alpha=alpha,
        edgecolor="none",
    )
    ax.add_patch(box)
    ax.annotate(text, (x, y), ha="center", va="center", fontsize=size)


PICTURES = {"shared": shared, "ring": ring}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
