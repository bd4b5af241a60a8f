"""Draw the picture of chapter 7, who waits for whom when an LSTM runs on a GPU, in the book's figure style.

.venv/bin/python tools/draw_gpu.py
"""

from matplotlib import pyplot as plt
from matplotlib.patches import Patch
from pictures import ROOT, store

from lstm_lib import figures

CHAPTER = ROOT / "chapters" / "07-gpu"
STEPS = 4
LAUNCH = 1.0
DURATIONS = {"input": 0.45, "inputs": 1.2, "state": 0.45, "gates": 0.25, "step": 0.8}
COLOURS = {
    "input": figures.COLOURS[1],
    "inputs": figures.COLOURS[1],
    "state": figures.COLOURS[0],
    "gates": figures.COLOURS[2],
    "step": figures.COLOURS[3],
}
LABELS = {
    "input": "input product",
    "state": "state product",
    "gates": "gates",
    "step": "a step in one",
}
PROGRAMS = {
    "loop": STEPS * ["input", "state", "gates", "gates", "gates"],
    "hoisted": ["inputs", *STEPS * ["state", "gates", "gates", "gates"]],
    "fused": ["inputs", *STEPS * ["step"]],
}


def schedule(orders):
    """Start and end of every order on the CPU, and of its kernel on the GPU.

    The CPU launches one order after another without waiting. A kernel begins when it has been launched
    and the one before has ended.
    """
    launches, kernels = [], []
    free = 0.0
    for number, kind in enumerate(orders):
        launched = (number + 1) * LAUNCH
        launches.append((number * LAUNCH, launched))
        start = max(launched, free)
        free = start + DURATIONS[kind]
        kernels.append((start, free))
    return launches, kernels


def timeline():
    """CPU and GPU over time for three programs of the same four steps."""
    fig, axes = plt.subplots(len(PROGRAMS), 1, sharex=True, figsize=(6.4, 4.6))
    for ax, (name, orders) in zip(axes, PROGRAMS.items(), strict=True):
        launches, kernels = schedule(orders)
        for kind, launch, kernel in zip(orders, launches, kernels, strict=True):
            box = dict(color=COLOURS[kind], linewidth=0)
            ax.broken_barh([(launch[0] + 0.06, LAUNCH - 0.12)], (1.15, 0.6), alpha=0.35, **box)
            ax.broken_barh([(kernel[0], kernel[1] - kernel[0])], (0.1, 0.75), **box)
        ax.axvline(kernels[-1][1], color=figures.INK, linestyle=":", linewidth=1.2)
        ax.set_yticks((1.45, 0.475), ("CPU", "GPU"))
        ax.set_ylim(-0.1, 2)
        ax.set_title(name, loc="left")
        ax.grid(visible=False)
        ax.tick_params(left=False, bottom=False, labelbottom=False)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
    axes[-1].set_xlabel("time")
    keys = [Patch(color=COLOURS[kind], label=label) for kind, label in LABELS.items()]
    fig.legend(handles=keys, loc="outside upper center", ncols=2)
    alt = (
        "Three timelines of the same four steps, each with a lane for the CPU, which launches orders, and one "
        "for the GPU, which carries them out. Loop: twenty orders, the CPU is busy all the time, and the GPU "
        "works in short pieces with long gaps. Hoisted: one order for all input products, then sixteen; "
        "the gaps remain. Fused: five orders; the GPU is busy most of the time and all is done in less "
        "than a third of the time."
    )
    return fig, alt


PICTURES = {"timeline": timeline}


if __name__ == "__main__":
    store(CHAPTER, PICTURES)
