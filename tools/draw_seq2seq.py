"""Draw the picture of chapter 11, encoder, bridge and decoder, in the book's figure style.

.venv/bin/python tools/draw_seq2seq.py
"""

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "11-seq2seq"
QUESTION, ANSWER = "58+67", "125"
SIDE, GAP = 0.72, 1.0
BRIDGE = 1.5


def bridge():
    """An encoder that reads a sum, the state it hands on, and a decoder that writes the answer."""
    fig, ax = plt.subplots(figsize=(6.4, 3.0))
    ends = [t * GAP for t in range(len(QUESTION))]
    start = ends[-1] + GAP + BRIDGE
    starts = [start + t * GAP for t in range(len(ANSWER) + 1)]
    _row(ax, ends, BLUE, QUESTION)
    _row(ax, starts, ORANGE, ["b", *ANSWER])
    style = dict(color=figures.COLOURS[2], linewidth=3.0, mutation_scale=16)
    arrow(ax, (ends[-1] + SIDE, SIDE / 2), (starts[0], SIDE / 2), **style)
    middle = (ends[-1] + SIDE + starts[0]) / 2
    ax.text(middle, SIDE / 2 + 0.18, "$h,\\ c$", ha="center", va="bottom")
    for x, said, following in zip(starts, [*ANSWER, "e"], [*starts[1:], None], strict=True):
        arrow(ax, (x + SIDE / 2, SIDE), (x + SIDE / 2, SIDE + 0.55), linewidth=1.2)
        ax.text(x + SIDE / 2, SIDE + 0.62, said, ha="center", va="bottom")
        if following is not None:
            _fed_back(ax, x, following)
    _memory(ax, ends, starts)
    ax.set(xlim=(-0.2, starts[-1] + SIDE + 0.2), ylim=(-1.15, 3.6), aspect="equal")
    ax.axis("off")
    alt = (
        "Five blue boxes in a row read the characters of 58+67, each box joined to the next. A thick "
        "arrow, h and c, leads from the last to the first of four orange boxes. These read a sign to begin, "
        "1, 2 and 5, and say 1, 2, 5 and a sign to end; a dashed arrow leads from each character that is "
        "said down to the next box that reads it. Above, dotted: the states of all blue boxes, from which "
        "attention could reach the orange ones."
    )
    return fig, alt


def _row(ax, places, colour, read):
    for k, (x, character) in enumerate(zip(places, read, strict=True)):
        look = dict(boxstyle="round,pad=0,rounding_size=0.12", edgecolor=colour, linewidth=1.5)
        ax.add_patch(FancyBboxPatch((x, 0), SIDE, SIDE, facecolor=(*_rgb(colour), 0.25), **look))
        ax.text(x + SIDE / 2, -0.68, character, ha="center", va="top")
        arrow(ax, (x + SIDE / 2, -0.6), (x + SIDE / 2, 0), linewidth=1.2)
        if k:
            arrow(ax, (places[k - 1] + SIDE, SIDE / 2), (x, SIDE / 2), linewidth=1.2)


def _rgb(colour):
    return tuple(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))


def _fed_back(ax, x, following):
    """From the character that is said to where the next box reads it."""
    side = x + SIDE + (following - x - SIDE) / 2
    path = [(x + SIDE / 2 + 0.17, 1.55), (side, 1.55), (side, -0.9), (following + 0.2, -0.9)]
    ax.plot(*zip(*path[:3], strict=True), "--", color=figures.INK, linewidth=0.9)
    arrow(ax, path[2], path[3], linestyle="--", linewidth=0.9, mutation_scale=7)


def _memory(ax, ends, starts):
    """Where attention will sit: all states of the encoder, and a way from them to the decoder."""
    look = dict(color=figures.INK, linestyle=":", linewidth=1.5)
    for x in ends:
        ax.plot([x + SIDE / 2] * 2, [SIDE, 2.7], **look)
    ax.plot([ends[0] + SIDE / 2, starts[-1] + SIDE / 2], [2.7, 2.7], **look)
    for x in starts:
        ax.plot([x + SIDE / 2] * 2, [2.7, 2.15], **look)
    ax.text((ends[-1] + SIDE + starts[0]) / 2, 2.8, "?", ha="center", va="bottom")


PICTURES = {"bridge": bridge}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
