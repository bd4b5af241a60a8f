"""Draw the picture of chapter 3, the gradient on its way back, in the book's figure style.

.venv/bin/python tools/draw_gradients.py
"""

from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch
from pictures import BLUE, ORANGE, ROOT, arrow, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "03-gradients"


def message():
    """The gradient on its way back: through every h of an RNN, and along the c of an LSTM."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 3.9), height_ratios=(1, 1.25))
    columns = ((1.2, "t"), (4.2, "t+1"), (7.2, "T-1"), (10.2, "T"))
    for ax, state, factor in ((top, "h", "J"), (bottom, "c", "f")):
        for x, time in columns:
            _state(ax, (x, 0), f"${state}_{{{time}}}$", BLUE)
        for k, (x, time) in enumerate(columns[1:]):
            strength = (0.8, 2.2, 6.0)[k] if state == "h" else 6.0
            arrow(ax, (x - 0.62, 0), (columns[k][0] + 0.62, 0), color=ORANGE, linewidth=strength)
            label = "..." if time == "T-1" else f"$\\times\\,{factor}_{{{time}}}$"
            ax.annotate(label, (x - 1.5, 0.42), ha="center", color=ORANGE)
        ax.set_xlim(-1.6, 11.2)
        ax.axis("off")
    for k, (x, time) in enumerate(columns):
        _state(bottom, (x, -1.5), f"$h_{{{time}}}$", figures.INK)
        arrow(bottom, (x, -1.02), (x, -0.48), linewidth=1, linestyle="--")
        if k:
            arrow(
                bottom,
                (x - 0.5, -0.42),
                (columns[k - 1][0] + 0.6, -1.4),
                linewidth=1,
                linestyle="--",
            )
    top.annotate("RNN", (-1.5, -0.1), fontsize=13)
    bottom.annotate("LSTM", (-1.5, -0.1), fontsize=13)
    top.set_ylim(-0.7, 0.9)
    bottom.set_ylim(-2.1, 0.9)
    alt = (
        "Above, an RNN: four states h from step t to step T. The arrow of the gradient runs from T back "
        "to t, is multiplied by a Jacobian J at every step and gets thinner each time. Below, an LSTM: "
        "along the cell states c the arrow is multiplied by the forget gate f alone and keeps its "
        "width, while thin dashed arrows make the detour through the hidden states h."
    )
    return fig, alt


def _state(ax, centre, name, colour):
    x, y = centre
    box = FancyBboxPatch(
        (x - 0.5, y - 0.36),
        1.0,
        0.72,
        boxstyle="round,pad=0.04",
        facecolor=colour,
        alpha=0.25,
        edgecolor="none",
    )
    ax.add_patch(box)
    ax.annotate(name, (x, y), ha="center", va="center")


PICTURES = {"message": message}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
