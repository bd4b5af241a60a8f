"""Draw the book's own pictures into book/_static: the logo, and the cell of the home page.

    .venv/bin/python tools/draw_art.py

Both have a transparent ground and colours that read on white and on near-black. tools/draw_card.py sets them
on the card that other sites show beside a link to the book.
"""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

STATIC = Path(__file__).resolve().parent.parent / "book" / "_static"
INK, BLUE, ORANGE, GREEN = "#808893", "#3b82f6", "#f97316", "#10b981"
ALT = "One LSTM cell: the cell state runs straight through, three gates and a candidate act on it"

LOGO = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="LSTM cell">
<rect x="7" y="7" width="50" height="50" rx="13" fill="{BLUE}" fill-opacity=".14" stroke="{BLUE}" stroke-width="4"/>
<path d="M24 24V45M42 24V45" stroke="{BLUE}" stroke-width="4"/>
<path d="M0 24H64" stroke="{ORANGE}" stroke-width="5"/>
<circle cx="24" cy="24" r="8" fill="{ORANGE}"/><circle cx="42" cy="24" r="8" fill="{ORANGE}"/>
<path d="M21 21l6 6M27 21l-6 6M42 19.6v8.8M37.6 24h8.8" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>
<rect x="18" y="39" width="12" height="12" rx="3.5" fill="{BLUE}"/><rect x="36" y="39" width="12" height="12" rx="3.5" fill="{BLUE}"/>
</svg>
"""


def arrow(ax, *points, color=INK, head=True):
    """A line through the points, with a head at its end."""
    xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, color=color, lw=2.4, solid_capstyle="round", solid_joinstyle="round", zorder=1)
    if head:
        style = dict(arrowstyle="-|>", mutation_scale=17, color=color, lw=0, shrinkA=0, shrinkB=0)
        (x0, y0), (x1, y1) = points[-2:]
        size = max(abs(x1 - x0), abs(y1 - y0))
        near = (x1 - 0.2 * (x1 - x0) / size, y1 - 0.2 * (y1 - y0) / size)
        ax.add_patch(FancyArrowPatch(near, (x1, y1), zorder=2, **style))


def gate(ax, x, text, name, color):
    """A small network with its squashing function inside and its name above it."""
    box = FancyBboxPatch(
        (x - 0.42, 1.3),
        0.84,
        0.56,
        boxstyle="round,pad=0,rounding_size=.12",
        fc=color,
        ec="none",
        zorder=3,
    )
    ax.add_patch(box)
    ax.text(
        x,
        1.57,
        text,
        color="white",
        ha="center",
        va="center",
        fontsize=16 if len(text) < 6 else 20,
        zorder=4,
    )
    ax.text(x + 0.12, 2.06, f"${name}$", color=color, ha="left", va="center", fontsize=17)


def node(ax, x, y, sign, color=ORANGE):
    """An element-wise operation."""
    ax.add_patch(Circle((x, y), 0.235, fc=color, ec="none", zorder=3))
    ax.text(x, y - 0.01, sign, color="white", ha="center", va="center", fontsize=17, zorder=4)


def draw_cell():
    """One LSTM cell: the cell state on its straight way, the gates below it."""
    fig, ax = plt.subplots(figsize=(7.4, 4.6))
    frame = dict(boxstyle="round,pad=0,rounding_size=.35", fc=BLUE, ec=BLUE, lw=2.2)
    ax.add_patch(FancyBboxPatch((0.75, 0.45), 6.3, 3.95, alpha=0.07, **frame))
    ax.add_patch(FancyBboxPatch((0.75, 0.45), 6.3, 3.95, **{**frame, "fc": "none"}))
    f, i, g, o, top, low = 1.75, 2.9, 4.0, 5.15, 3.75, 0.85
    arrow(ax, (0.15, top), (7.75, top), color=ORANGE)
    arrow(ax, (0.15, low), (o, low), (o, 1.3))
    for x in (f, i, g):
        arrow(ax, (x, low), (x, 1.3))
    arrow(ax, (1.2, -0.05), (1.2, low), head=False)
    arrow(ax, (f, 1.86), (f, top - 0.25), color=BLUE)
    arrow(ax, (i, 1.86), (i, 2.75), (g - 0.25, 2.75), color=BLUE)
    arrow(ax, (g, 1.86), (g, 2.5), color=GREEN)
    arrow(ax, (g, 2.98), (g, top - 0.25), color=GREEN)
    arrow(ax, (o, 1.86), (o, 2.4), (6.05, 2.4), color=BLUE)
    arrow(ax, (6.3, top), (6.3, 2.65), color=ORANGE)
    arrow(ax, (6.3, 2.4), (6.3, low), (7.75, low))
    node(ax, f, top, r"$\times$")
    node(ax, g, top, "+")
    node(ax, g, 2.75, r"$\times$", GREEN)
    node(ax, 6.3, 2.4, r"$\times$", BLUE)
    pill = dict(boxstyle="round,pad=.28", fc=ORANGE, ec="none")
    ax.text(
        6.3, 3.18, "tanh", color="white", ha="center", va="center", fontsize=12, bbox=pill, zorder=4
    )
    for x, text, name, color in [
        (f, r"$\sigma$", "f_t", BLUE),
        (i, r"$\sigma$", "i_t", BLUE),
        (g, "tanh", "g_t", GREEN),
        (o, r"$\sigma$", "o_t", BLUE),
    ]:
        gate(ax, x, text, name, color)
    for x, y, text, side in [
        (0.08, top, "c_{t-1}", "right"),
        (0.08, low, "h_{t-1}", "right"),
        (7.85, top, "c_t", "left"),
        (7.85, low, "h_t", "left"),
    ]:
        ax.text(
            x,
            y,
            f"${text}$",
            color=ORANGE if "c" in text else INK,
            ha=side,
            va="center",
            fontsize=19,
        )
    ax.text(1.2, -0.15, "$x_t$", color=INK, ha="center", va="top", fontsize=19)
    ax.set(xlim=(-0.7, 8.45), ylim=(-0.5, 4.5), aspect="equal")
    ax.axis("off")
    fig.subplots_adjust(0, 0, 1, 1)
    return fig


def main():
    """Draw everything."""
    plt.rcParams.update(
        {"svg.hashsalt": "lstm-book", "svg.fonttype": "path", "mathtext.fontset": "cm"}
    )
    (STATIC / "logo.svg").write_text(LOGO)
    cell = draw_cell()
    cell.savefig(STATIC / "cell.svg", transparent=True, metadata={"Date": None, "Title": ALT})


if __name__ == "__main__":
    main()
