"""Draw the picture of chapter 11 that shows attention, in the book's figure style.

.venv/bin/python tools/draw_attention.py
"""

import math

from matplotlib import pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "11-seq2seq"
QUESTION, WRITTEN, SAID = "d4a7c1", "a", "7"
WEIGHTS = (0.03, 0.04, 0.10, 0.75, 0.03, 0.05)
VIOLET, TEAL = figures.COLOURS[2:4]
SIDE, GAP = 0.72, 1.0
ASKED, BARS, TALL = 1.15, 1.5, 1.7
MEAN = (2.86, 4.55)
DECODER, MIX = 7.2, 4.19


def attention():
    """One step of a decoder that asks all states of the encoder and takes their weighted mean."""
    fig, ax = plt.subplots(figsize=(5.8, 4.4))
    places = [t * GAP for t in range(len(QUESTION))]
    for k, (x, character) in enumerate(zip(places, QUESTION, strict=True)):
        _box(ax, x, 0, BLUE, f"$m_{k + 1}$")
        _read(ax, x, character)
        if k:
            arrow(ax, (places[k - 1] + SIDE, SIDE / 2), (x, SIDE / 2), linewidth=1.2)
    _box(ax, DECODER, 0, ORANGE, "$s_t$")
    _read(ax, DECODER, WRITTEN)
    bridge = (places[-1] + SIDE, SIDE / 2), (DECODER, SIDE / 2)
    arrow(ax, *bridge, color=TEAL, linewidth=3.0, mutation_scale=16)
    _ask(ax, places)
    _weigh(ax, places)
    _mix(ax)
    ax.set(xlim=(-0.2, 8.2), ylim=(-1.2, 6.1), aspect="equal")
    ax.axis("off")
    alt = (
        "Six blue boxes in a row, m1 to m6, read d, 4, a, 7, c, 1. To their right an orange box, s, has read "
        "a. A dashed line leads from s to all six boxes: it asks. Above each box stands a violet bar, its "
        "weight; only the bar over the box that read 7 is high. Lines, as thick as the bars are high, lead up "
        "to a circle, the mean. From there the context goes to the right, is mixed with s, and 7 is said."
    )
    return fig, alt


def _box(ax, x, y, colour, text):
    look = dict(boxstyle="round,pad=0,rounding_size=0.12", edgecolor=colour, linewidth=1.5)
    ax.add_patch(FancyBboxPatch((x, y), SIDE, SIDE, facecolor=f"{colour}40", **look))
    ax.text(x + SIDE / 2, y + SIDE / 2, text, ha="center", va="center")


def _read(ax, x, character):
    ax.text(x + SIDE / 2, -0.72, character, ha="center", va="top")
    arrow(ax, (x + SIDE / 2, -0.62), (x + SIDE / 2, 0), linewidth=1.2)


def _ask(ax, places):
    """From the decoder's state to each state of the encoder."""
    look = dict(color=ORANGE, linestyle="--", linewidth=1.3)
    start = DECODER + SIDE / 4
    ax.plot([start, start], [SIDE, ASKED], **look)
    ax.plot([places[0] + SIDE / 2, start], [ASKED, ASKED], **look)
    for x in places:
        arrow(ax, (x + SIDE / 2, ASKED), (x + SIDE / 2, SIDE), mutation_scale=8, **look)
    ax.text(6.45, ASKED + 0.1, "asks", ha="center", va="bottom")


def _weigh(ax, places):
    """A bar for each state, and lines from the bars to the mean."""
    for x, weight in zip(places, WEIGHTS, strict=True):
        middle, top = x + SIDE / 2, BARS + TALL * weight
        look = dict(facecolor=f"{VIOLET}80", edgecolor=VIOLET, linewidth=1.2)
        ax.add_patch(Rectangle((middle - 0.2, BARS), 0.4, TALL * weight, **look))
        line = dict(color=VIOLET, linewidth=0.5 + 5 * weight, alpha=0.8)
        away = 0.55 / math.hypot(middle - MEAN[0], top - MEAN[1])
        end = [m + away * (k - m) for m, k in zip(MEAN, (middle, top), strict=True)]
        ax.plot([middle, end[0]], [top, end[1]], **line)
    ax.plot([places[0], places[-1] + SIDE], [BARS, BARS], color=figures.INK, linewidth=0.8)
    ax.text(-0.1, BARS + 1.1, "weights,\nsum 1", ha="left", va="center", linespacing=1.1)


def _mix(ax):
    """The mean, on its way to the decoder, and what is said."""
    ax.add_patch(Circle(MEAN, 0.55, facecolor=f"{VIOLET}40", edgecolor=VIOLET, linewidth=1.5))
    ax.text(*MEAN, "mean", ha="center", va="center")
    arrow(ax, (MEAN[0] + 0.55, MEAN[1]), (DECODER, MEAN[1]), color=VIOLET, linewidth=2.2)
    ax.text(5.3, MEAN[1] + 0.12, "context", ha="center", va="bottom")
    middle = DECODER + SIDE / 2
    arrow(ax, (middle, SIDE), (middle, MIX))
    _box(ax, DECODER, MIX, ORANGE, "mix")
    arrow(ax, (middle, MIX + SIDE), (middle, MIX + SIDE + 0.5), linewidth=1.2)
    ax.text(middle, MIX + SIDE + 0.57, SAID, ha="center", va="bottom")


PICTURES = {"attention": attention}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
