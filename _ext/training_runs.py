"""Sphinx extension: a run at full scale, as ``python -m train NAME_full`` recorded it.

    ```{training-run} shakespeare
    ```

shows the curve of ``benchmarks/results/gpu-run-shakespeare.json``, loss on training and validation data over
the seconds, what was measured at the end, and by what command on what device. Where there is no such
file, or one of a quick trial, it says that it was not measured.
"""

import sys

from docutils import nodes
from gpu_speed import write_picture
from speed import Shown, table, with_command


class TrainingRun(Shown):
    """The curve, the numbers and the circumstances of one run."""

    required_arguments = 1

    def run(self):
        stored = self.stored(f"gpu-run-{self.arguments[0]}")
        if stored is None or stored["quick"] or not stored["curve"]:
            return self.not_measured()
        picture = write_picture(self.env.app, *drawn(stored))
        lines = [
            [nodes.Text(name), nodes.strong("", f"{value:.4g}")]
            for name, value in stored["measured"].items()
        ]
        content = [picture]
        if lines:
            content.append(table(["measured at the end", ""], lines))
        return [*content, facts(stored)]


def drawn(stored):
    """The curve as SVG, and its alternative text."""
    from lstm_lib import figures

    figures.use_style()
    plt = sys.modules["matplotlib.pyplot"]
    curve = stored["curve"]
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    for name, label in (("train", "training"), ("valid", "validation")):
        ax.plot([p["seconds"] for p in curve], [p[name] for p in curve], label=label)
    ax.set(xlabel="seconds", ylabel="loss, nats")
    ax.legend()
    best = min(curve, key=lambda point: point["valid"])
    alt = (
        f"Loss in training and on validation data over the seconds of a run of {len(curve)} "
        f"epochs. The lowest on validation data, {best['valid']:.3f} nats, is that of epoch "
        f"{best['epoch']}, after {best['seconds']:.0f} seconds."
    )
    svg = figures.to_svg(fig, alt)
    plt.close(fig)
    return svg, alt


def facts(stored):
    """On what, when, how and until when it ran."""
    device, last = stored["device"], stored["curve"][-1]
    ends = {
        "patience": "the validation loss no longer fell",
        "budget": "the time that it was given was over",
        "epochs": "all its epochs were done",
        None: "it was cut off",
    }
    mixed = "products in bfloat16" if stored["mixed"] else "all in float32"
    text = (
        f"Run on {stored['date']} on {device['name']}, torch {stored['versions']['torch']}, {mixed}, "
        f"backend {stored['backend']}; {last['step']} steps in {last['seconds']:.0f} seconds, until "
        f"{ends[stored['stopped']]}. By the command "
    )
    return with_command(text, stored["command"])


def setup(app):
    """Register the directive."""
    app.add_directive("training-run", TrainingRun)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
