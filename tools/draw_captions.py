"""Draw the picture of chapter 10 on captions, from a picture over its map to words, in the book's figure style.

.venv/bin/python tools/draw_captions.py
"""

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "10-generation"
ROWS, COLUMNS = 3, 7
DIGITS = (("3", 1.0, 1.6), ("7", 3.5, 1.2), ("1", 5.6, 1.8))
WORDS = ("three", "seven", "one", "end")
APART = 3.1


def looking():
    """A picture becomes a map; before each word the LSTM takes a mean of the map with weights of its own."""
    fig, ax = plt.subplots(figsize=(5.6, 4.9))
    ax.set(xlim=(-0.3, 4 * APART - 0.1), ylim=(-5.1, 5.7), aspect="equal")
    ax.axis("off")
    ax.add_patch(Rectangle((0, 2.4), 4.7, 2.4, facecolor="black", edgecolor=figures.INK))
    for sign, x, y in DIGITS:
        look = dict(fontsize=23, color="white", ha="center", va="center")
        ax.text(x * 0.69, 2.4 + y * 0.8, sign, **look)
    ax.text(2.35, 5.15, "picture", ha="center")
    arrow(ax, (4.9, 3.6), (6.9, 3.6))
    ax.text(5.9, 3.85, "CNN", ha="center")
    _map(ax, 7.1, 2.4, 0.68, lambda row, column: 0.0)
    ax.text(9.5, 5.15, "map of features $m_j$", ha="center")
    for t, word in enumerate(WORDS):
        x = APART * t
        centre = x + 1.26
        focus = DIGITS[t][1] if t < len(DIGITS) else None
        _map(ax, x, -0.6, 0.36, lambda row, column, focus=focus: _weight(row, column, focus))
        arrow(ax, (9.5, 2.3), (centre, 0.6), linewidth=0.8, linestyle=":")
        arrow(ax, (centre, -0.7), (centre, -1.75), color=ORANGE, arrowstyle="<|-|>")
        box = FancyBboxPatch((centre - 0.95, -2.8), 1.9, 1.0, boxstyle="round,pad=0")
        box.set(facecolor="none", edgecolor=figures.INK, linewidth=1.5)
        ax.add_patch(box)
        ax.text(centre, -2.32, "LSTM", ha="center", va="center")
        arrow(ax, (centre, -2.85), (centre, -3.7))
        ax.text(centre, -4.1, word, ha="center", va="center", color=BLUE, fontweight="bold")
        if t:
            arrow(ax, (centre - APART + 1.0, -2.3), (centre - 1.0, -2.3))
            start, end = (centre - APART + 0.5, -4.55), (centre - 0.6, -2.95)
            bend = dict(linestyle="--", color=BLUE, connectionstyle="angle3,angleA=0,angleB=90")
            arrow(ax, start, end, **bend)
    ax.text(-0.2, 1.5, "where it looks, $\\alpha_{tj}$", color=ORANGE)
    alt = (
        "A dark picture with the digits 3, 7 and 1 goes through a CNN and becomes a map of three by seven "
        "places. Below, four LSTM steps in a row, each under a small copy of the map. In the first the "
        "places of the 3 are orange, in the second those of the 7, in the third those of the 1, in the "
        "last all faintly. The steps say three, seven, one and end, and each word goes on to the next step."
    )
    return fig, alt


def _weight(row, column, focus):
    if focus is None:
        return 0.12
    return max(0.0, 1 - 0.45 * abs(column - focus)) * (1.0 if row == 1 else 0.6)


def _map(ax, left, low, size, weight):
    for row in range(ROWS):
        for column in range(COLUMNS):
            corner = left + size * column, low + size * row
            ax.add_patch(
                Rectangle(corner, size, size, facecolor=ORANGE, alpha=weight(row, column), lw=0)
            )
            ax.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=figures.INK, lw=0.8))


PICTURES = {"looking": looking}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
