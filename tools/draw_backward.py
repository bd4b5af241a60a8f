"""Draw the picture of chapter 5, one step of the cell with the factor of every road back, in the book's style.

.venv/bin/python tools/draw_backward.py
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from pictures import BLUE, ORANGE, ROOT, arrow, store

CHAPTER = ROOT / "chapters" / "05-backpropagation"
NODES = {  # symbol and place
    "before": ("c_{t-1}", 0.1, 7.6),
    "keep": (r"\odot", 2.9, 7.6),
    "add": ("+", 6.5, 7.6),
    "cell": ("c_t", 10.3, 7.6),
    "write": (r"\odot", 6.5, 5.7),
    "tanh": (r"\tanh", 10.3, 6.1),
    "show": (r"\odot", 10.3, 4.6),
    "hidden": ("h_t", 13.2, 4.6),
    "f": ("f", 2.9, 5.3),
    "i": ("i", 5.3, 3.9),
    "g": ("g", 7.7, 3.9),
    "o": ("o", 10.3, 3.1),
}
ROADS = (  # from, to, factor on the way back, its label's place beside the middle of the road, gap at the start
    ("before", "keep", "f_t", (0, 0.5), 0.75),
    ("f", "keep", "c_{t-1}", (0.85, 0)),
    ("keep", "add", "1", (0, 0.5)),
    ("write", "add", "1", (0.5, 0)),
    ("i", "write", "g_t", (-0.6, 0.25)),
    ("g", "write", "i_t", (0.6, 0.25)),
    ("add", "cell", "1", (0, 0.5)),
    ("cell", "tanh", r"1 - \tanh^2 c_t", (-1.75, 0)),
    ("tanh", "show", "o_t", (-0.65, 0)),
    ("o", "show", r"\tanh c_t", (-1.1, 0)),
    ("show", "hidden", "1", (0, 0.5)),
)
SLOPES = {"f": "f_t(1-f_t)", "i": "i_t(1-i_t)", "g": "1-g_t^2", "o": "o_t(1-o_t)"}


def backward():
    """Forward roads in blue; beside each, in orange, what the message is multiplied by on its way back."""
    fig, ax = plt.subplots(figsize=(6.4, 4.9))
    for symbol, *centre in NODES.values():
        size = 16 if symbol in (r"\odot", "+") else 13
        ax.annotate(f"${symbol}$", centre, ha="center", va="center", fontsize=size)
    for start, end, factor, shift, *gap in ROADS:
        _road(ax, NODES[start][1:], NODES[end][1:], factor, shift, *gap)
    for gate, slope in SLOPES.items():
        _, x, y = NODES[gate]
        _road(ax, (x, 1.55), (x, y), slope, (1.25 if gate == "o" else -1.25, 0), 0.0)
    box = FancyBboxPatch(
        (1.6, 0.7), 9.9, 0.85, boxstyle="round,pad=0.05", facecolor=BLUE, alpha=0.2, lw=0
    )
    ax.add_patch(box)
    ax.annotate(r"$a = W x_t + U h_{t-1} + b$", (6.5, 1.12), ha="center", va="center")
    for x, name, weight in ((4.0, "x_t", "W"), (8.6, "h_{t-1}", "U")):
        ax.annotate(f"${name}$", (x, -0.75), ha="center", va="center")
        _road(ax, (x, -0.75), (x, 0.65), weight, (0.5, -0.1), 0.35, 0.0)
    for centre, name in (((13.2, 7.6), r"\delta c"), ((13.2, 5.7), r"\delta h")):
        ax.annotate(f"${name}$", centre, ha="center", va="center", color=ORANGE, fontsize=14)
    arrow(ax, (12.7, 7.6), (10.95, 7.6), color=ORANGE, linewidth=1.4)
    arrow(ax, (13.2, 5.4), (13.2, 5.05), color=ORANGE, linewidth=1.4)
    ax.set(xlim=(-0.6, 13.9), ylim=(-1.1, 8.4))
    ax.axis("off")
    alt = (
        "One step of the cell as a graph. Blue arrows lead forward from the old cell state along the top to the new "
        "one, from a through the three gates and the candidate into it, and by tanh and the output gate down to the hidden state. Beside each "
        "runs an orange arrow back, with its factor: f on the way to the old cell state, c of the step "
        "before to the forget gate, g to the input gate, i to the candidate, o and one minus tanh squared from the hidden "
        "state up to the cell, tanh c to the output gate, and each gate's own slope down to a. From a, W leads to x "
        "and U to the old hidden state. The messages delta c and delta h enter on the right."
    )
    return fig, alt


def _road(ax, start, end, factor, shift, gap=0.42, gap_end=0.42):
    """A blue arrow forward, an orange one back beside it, and the factor."""
    start, end = np.array(start), np.array(end)
    along = (end - start) / np.linalg.norm(end - start)
    aside = 0.11 * np.array([-along[1], along[0]])
    first, last = start + gap * along, end - gap_end * along
    arrow(ax, first - aside, last - aside, color=BLUE, linewidth=1.4)
    arrow(ax, last + aside, first + aside, color=ORANGE, linewidth=1.4)
    middle = (first + last) / 2 + shift
    ax.annotate(f"${factor}$", middle, ha="center", va="center", color=ORANGE)


PICTURES = {"backward": backward}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
