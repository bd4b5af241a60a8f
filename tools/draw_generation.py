"""Draw the picture of chapter 10, a network that reads a text and one that reads itself, in the book's figure style.

.venv/bin/python tools/draw_generation.py
"""

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "10-generation"
TEXT, DRAWN = "to be", "to my"
APART = 2.0


def running():
    """Above, training: the text goes in whatever comes out. Below, writing: what is drawn goes in next."""
    fig, axes = plt.subplots(2, 1, figsize=(5.2, 5.2))
    for ax, title in zip(axes, ("training: reads the text", "writing: reads itself"), strict=True):
        ax.set_title(title, loc="left")
        ax.set(xlim=(-0.9, 4 * APART - 0.9), ylim=(-1.2, 3.4), aspect="equal")
        ax.axis("off")
    _network(axes[0], TEXT[:4])
    for t, letter in enumerate(TEXT[1:]):
        _sign(axes[0], t, 2.9, letter, BLUE)
        _sign(axes[0], t, -0.85, TEXT[t], BLUE)
    _network(axes[1], DRAWN[:4])
    _sign(axes[1], 0, -0.85, DRAWN[0], BLUE)
    for t, letter in enumerate(DRAWN[1:]):
        _sign(axes[1], t, 2.9, letter, ORANGE)
        if t:
            _sign(axes[1], t, -0.85, DRAWN[t], ORANGE)
            start, end = (APART * (t - 1) + 0.38, 2.8), (APART * t - 0.38, -0.75)
            arrow(axes[1], start, end, color=ORANGE, linestyle="--")
    alt = (
        "Two rows of four LSTM steps, each with bars for the probabilities of the next letter above it. "
        "Upper row, training: the letters of the text go in below, and above the bars stands the next "
        "letter of the text, whose bar is scored. Lower row, writing: the first letter is given; above "
        "the bars stands a letter that was drawn, and a dashed arrow takes it down to the next input."
    )
    return fig, alt


def _network(ax, letters):
    heights = ((0.2, 0.5, 0.3), (0.3, 0.2, 0.6), (0.5, 0.3, 0.2), (0.2, 0.6, 0.3))
    for t, bars in zip(range(len(letters)), heights, strict=True):
        x = APART * t
        box = FancyBboxPatch((x - 0.5, 0.1), 1, 0.7, boxstyle="round,pad=0,rounding_size=0.1")
        box.set(facecolor="none", edgecolor=figures.INK, linewidth=1.5)
        ax.add_patch(box)
        ax.text(x, 0.42, "LSTM", ha="center", va="center")
        arrow(ax, (x, -0.5), (x, 0.08))
        arrow(ax, (x, 0.82), (x, 1.25))
        ax.bar(
            [x - 0.3, x, x + 0.3], [1.6 * b for b in bars], 0.22, 1.4, color=figures.INK, alpha=0.5
        )
        if t:
            arrow(ax, (x - APART + 0.5, 0.45), (x - 0.52, 0.45))


def _sign(ax, t, y, letter, colour):
    shown = "␣" if letter == " " else letter
    ax.text(APART * t, y, shown, ha="center", va="center", color=colour, fontsize=15, weight="bold")


PICTURES = {"running": running}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
