"""Sphinx extension: what ``benchmarks.modes`` and ``benchmarks.choices`` measured.

    ```{speed-modes} autocast
    ```

shows what each backend does under ``torch.autocast``, `{speed-modes} compile` under ``torch.compile``: a
line for each device and backend, those of a device without a file as not measured. And

    ```{speed-choices}
    ```

shows the time of the fused backend to that of the loop for few steps and many.
"""

from docutils import nodes
from speed import Shown, significant, table

NAMES = {"torch.nn": "torch.nn.LSTM"}
BACKENDS = {"cpu": ("loop", "fused"), "cuda": ("loop", "fused", "cudnn", "triton")}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
HEADS = {
    "autocast": ["results", "gradients", "error, output", "error, gradient", "time"],
    "compile": ["graphs", "fullgraph=True", "first step", "difference", "time"],
}


class ModesDirective(Shown):
    """One table of modes."""

    required_arguments = 1

    def run(self):
        mode = self.arguments[0]
        lines = []
        for device, backends in BACKENDS.items():
            stored = self.stored(f"modes-{device}") or {"rows": []}
            rows = {row["contestant"]: row for row in stored["rows"] if row["mode"] == mode}
            for name in (*backends, "torch.nn"):
                first = [DEVICES[device], NAMES.get(name, name)]
                cells = [*first, *texts(mode, rows.get(name))]
                lines.append([nodes.Text(text) for text in cells])
        return [table(["device", "backend", *HEADS[mode]], lines)]


def texts(mode, row):
    """The cells of a row."""
    if row is None:
        return ["not measured", *["–"] * (len(HEADS[mode]) - 1)]
    if "refusal" in row:
        return ["refuses", *["–"] * (len(HEADS[mode]) - 1)]
    time = f"{row['ratio']['median']:.2f}"
    if mode == "autocast":
        errors = (small(row["error"][name]) for name in ("output", "gradient"))
        return [row["output"], row["gradient"], *errors, time]
    graphs = str(row["graphs"]) if row["graphs"] else "none: runs as it is"
    accepts = "yes" if row["full"] else "no"
    return [graphs, accepts, f"{significant(row['first'])} s", small(row["difference"]), time]


def small(value):
    """A difference by its first digit.

    >>> small(0.0123), small(0.0)
    ('1e-02', '0')
    """
    return f"{value:.0e}" if value else "0"


class ChoicesDirective(Shown):
    """Fused backend against loop."""

    def run(self):
        stored = self.stored("choices-cpu")
        if stored is None:
            return self.not_measured()
        rows = stored["rows"]
        columns = list(dict.fromkeys((row["cell"], row["mode"]) for row in rows))
        lines = []
        for steps in sorted({row["size"][1] for row in rows}):
            line = [str(steps)]
            for column in columns:
                found = [
                    row["ratio"]["median"]
                    for row in rows
                    if row["size"][1] == steps and (row["cell"], row["mode"]) == column
                ]
                line.append(f"{min(found):.2f} to {max(found):.2f}")
            lines.append([nodes.Text(text) for text in line])
        return [table(["T", *(f"{cell}, {mode}" for cell, mode in columns)], lines)]


def setup(app):
    """Register the directives."""
    app.add_directive("speed-modes", ModesDirective)
    app.add_directive("speed-choices", ChoicesDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
