"""What the programs that draw the book's pictures share: colours, an arrow, and the way from a figure to a file.

A picture is a function that returns a figure and its text for those who cannot see it.
"""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

from lstm_lib import figures

ROOT = Path(__file__).resolve().parent.parent
BLUE, ORANGE = figures.COLOURS[0], figures.COLOURS[1]


def arrow(ax, start, end, **options):
    """An arrow from `start` to `end`; `options` change its look."""
    style = dict(arrowstyle="-|>", color=figures.INK, linewidth=1.5, shrinkA=0, shrinkB=0)
    ax.annotate("", end, start, arrowprops=style | options)


def as_svg(picture):
    """A picture as SVG text, in the book's figure style."""
    figures.use_style()
    fig, alt = picture()
    svg = figures.to_svg(fig, alt)
    plt.close(fig)
    return svg


def store(folder, pictures):
    """Write each picture into `folder` as an SVG under its name."""
    for name, picture in pictures.items():
        path = folder / f"{name}.svg"
        path.write_text(as_svg(picture), encoding="utf8")
        print(path.relative_to(ROOT))
