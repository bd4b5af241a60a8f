"""Draw the pictures of chapter 4, the cell's step and the explorer's still figure, in the book's figure style.

    .venv/bin/python tools/draw_cell.py

Each picture is one function here and one SVG beside the chapter's page.
"""

import numpy as np
from matplotlib import pyplot as plt
from pictures import BLUE, ORANGE, ROOT, store

from lstm_lib import figures
from lstm_lib.equations import lstm_gates, lstm_step

CHAPTER = ROOT / "chapters" / "04-lstm-cell"


def step():
    """One step of four units, each of which carries out one of four instructions, as rows of bars."""
    before = np.array([[0.8, 0.8, 0.8, 0.8]])
    gates = {"i": [-50, 50, 50, -50], "f": [50, -50, 50, -50], "o": [50, 50, -50, 50]}
    a = np.concatenate([gates["i"], gates["f"], np.full(4, np.arctanh(-0.5)), gates["o"]])[None]
    now = lstm_gates(a, before)
    rows = [
        [("f_t", now.f), (r"\odot", None), ("c_{t-1}", before), ("+", None), ("i_t", now.i)]
        + [(r"\odot", None), ("g_t", now.g), ("=", None), ("c_t", now.c)],
        [("o_t", now.o), (r"\odot", None), (r"\tanh c_t", now.tanh_c), ("=", None), ("h_t", now.h)],
    ]
    fig, axes = plt.subplots(2, 1, figsize=(6.4, 4.2))
    for ax, terms, gap, digits in zip(axes, rows, (0.47, 0.7), (1, 2), strict=True):
        left = 0.0
        for symbol, values in terms:
            if values is None:
                ax.annotate(f"${symbol}$", (left, 0), ha="center", va="center", fontsize=18)
                left += 0.5
                continue
            color = ORANGE if symbol[0] in "c\\h" else BLUE
            ax.bar(left + gap * np.arange(4), values[0], width=0.3, color=color)
            ax.plot([left - 0.25, left + 3 * gap + 0.25], [0, 0], color=figures.INK, linewidth=1)
            for k, value in enumerate(values[0]):
                side = 1 if value >= 0 else -1
                spot, end = (left + gap * k, value + 0.08 * side), "bottom" if side > 0 else "top"
                ax.annotate(_short(value, digits), spot, ha="center", va=end, fontsize=9)
                ax.annotate(f"{k + 1}", (left + gap * k, -1.35), ha="center", fontsize=12)
            middle = left + 1.5 * gap
            ax.annotate(f"${symbol}$", (middle, 1.65), ha="center", color=color, fontsize=18)
            left += 3 * gap + 0.55
        ax.set(xlim=(-0.4, 11.4), ylim=(-1.5, 2.2))
        ax.axis("off")
    alt = (
        "Four units, one step, as bars with their values. All hold 0.8 before, and the candidate is minus "
        "one half. Unit 1 keeps 0.8, unit 2 is overwritten with minus one half, unit 3 holds the sum, 0.3, "
        "and unit 4 nothing. Below, the tanh of the new state times the output gate, shut for unit 3, gives "
        "the hidden state."
    )
    return fig, alt


def _short(value, digits):
    """A number as a label, without the zero before the point: .8, −.5, 1."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".").replace("-", "−")


def explorer():
    """The first setting of the explorer: one unit, first bracket, all weights one."""
    weights = [np.ones((4, 1)), 4 * np.ones((4, 1)), np.ones(4)]
    now = lstm_step(np.ones((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)), *weights)
    words = "forget gate", "input gate", "candidate", "cell state", "output gate", "hidden state"
    fig, ax = plt.subplots(figsize=(6.4, 3.0), subplot_kw=dict(xlim=(-2.4, 1.45), ylim=(5.6, -0.6)))
    for k, (symbol, name) in enumerate(zip("figcoh", words, strict=True)):
        color, low = ORANGE if symbol in "ch" else BLUE, -1 if symbol in "gch" else 0
        value = getattr(now, symbol).item()
        ax.plot([low, 1], [k, k], color=figures.INK, alpha=0.3, linewidth=10, solid_capstyle="butt")
        ax.barh(k, value, height=0.45, color=color)
        ax.annotate(f"${symbol}_t$ {name}", (-1.15, k), ha="right", va="center")
        ax.annotate(f"{value:.4f}", (1.4, k), ha="right", va="center")
    ax.plot([0, 0], [-0.5, 5.5], color=figures.INK, linewidth=1)
    ax.axis("off")
    shown = ", ".join(
        f"{n} {getattr(now, k).item():.4f}" for k, n in zip("figcoh", words, strict=True)
    )
    return fig, f"The first step of the cell with all weights one, as bars. {shown.capitalize()}."


PICTURES = {"step": step, "explorer": explorer}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
