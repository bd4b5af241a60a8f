"""Draw which chapter needs which, for the page "How to use this book".

.venv/bin/python tools/draw_paths.py
"""

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from pictures import BLUE, ORANGE, ROOT, store

from lstm_lib import figures

CHAPTER = ROOT / "book" / "_static"
TEAL = figures.COLOURS[3]

# number: name, column, row
PLACES = {
    1: ("Sequences", 1, 5),
    2: ("Recurrence", 1, 4),
    3: ("Gradients", 0, 3),
    4: ("The cell", 1, 3),
    5: ("Backward pass", 0, 2),
    6: ("Training", 1, 2),
    7: ("On a GPU", 0, 1),
    8: ("Prediction", 3, 5),
    9: ("Classification", 1, 1),
    10: ("Generation", 2, 1),
    11: ("Seq to seq", 2, 0),
    12: ("Variants", 2, 2),
    13: ("Architectures", 3, 2),
    14: ("Limits", 3, 4),
    15: ("Machines", 0, 0),
}
NEEDS = ((2, 3), (2, 4), (3, 6), (4, 5), (4, 6), (4, 12), (4, 13), (5, 7), (6, 9), (6, 10), (7, 15))
NEEDS += ((8, 14), (10, 11))
HELPS = ((1, 2), (1, 8))
STARTS = (1, 2, 8)
WIDE, HIGH = 0.8, 0.6


def paths():
    """Fifteen boxes, an arrow from each to those that build on it; dashed where it only helps."""
    fig, ax = plt.subplots(figsize=(6.4, 5.4))
    for number, (name, column, row) in PLACES.items():
        box = FancyBboxPatch(
            (column - WIDE / 2, row - HIGH / 2),
            WIDE,
            HIGH,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=(*matplotlib.colors.to_rgb(BLUE if number < 8 else TEAL), 0.13),
            edgecolor=ORANGE if number in STARTS else "none",
            linewidth=2.5,
        )
        ax.add_patch(box)
        ax.annotate(str(number), (column, row + 0.12), ha="center", va="center", fontsize=13)
        ax.annotate(name, (column, row - 0.13), ha="center", va="center", fontsize=11.5)
    for edges, style in ((NEEDS, "-"), (HELPS, "--")):
        for one, other in edges:
            _arrow(ax, PLACES[one][1:], PLACES[other][1:], style)
    ax.set(xlim=(-0.45, 3.45), ylim=(-0.4, 5.4))
    ax.axis("off")
    alt = (
        "Fifteen chapters as boxes, with an arrow from each to those that need it. Chapter 2 leads "
        "to 3 and 4; 3 and 4 lead to 6; 4 to 5, 12 and 13; 5 to 7, and 7 to 15; 6 to 9 and 10, and "
        "10 to 11; 8 to 14. Dashed arrows, for what only helps, lead from 1 to 2 and to 8. "
        "Chapters 1, 2 and 8, with a coloured edge, need no other."
    )
    return fig, alt


def _arrow(ax, start, end, style):
    """From the edge of one box to that of another: down where rows differ, else to the side."""
    (x, y), (to_x, to_y) = start, end
    if y == to_y:
        x, to_x = x + WIDE / 2, to_x - WIDE / 2
    else:
        shift = 0.25 * max(-1, min(1, to_x - x))
        x, y, to_x, to_y = x + shift, y - HIGH / 2, to_x - shift / 2, to_y + HIGH / 2
    look = dict(arrowstyle="-|>", color=figures.INK, linewidth=1.4, linestyle=style)
    ax.annotate("", (to_x, to_y), (x, y), arrowprops=look | dict(shrinkA=1, shrinkB=1))


PICTURES = {"paths": paths}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
