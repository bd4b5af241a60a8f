"""Sphinx extension: what ``benchmarks.gpu`` and ``benchmarks.gpu_correctness`` measured on a GPU.

    ```{gpu-goals}
    ```

shows the goals of ``benchmarks.gpu_plan`` and, once they are measured, how many cells meet them, the
range of ratios, and the cells that miss. `{gpu-grid}` shows every cell of the grid that is stored, wins and
losses alike, under the name of its group, each group with a picture; `{gpu-map}` what ``torch.nn.LSTM`` runs;
`{gpu-device}` the peaks and the barrier; `{gpu-gates}` the gates of correctness; and

    ```{gpu-facts} gpu-grid
    ```

says on what device, with which versions, when and by which command a suite was measured. Where there is no
file, or one that was not measured on a GPU, each says that it was not measured.
"""

import hashlib
import os
import sys
from pathlib import Path

from docutils import nodes
from speed import MARKS, Shown, significant, table, with_command, with_mark

sys.path.append(str(Path(__file__).resolve().parent.parent))
from benchmarks.gpu_plan import GROUPS, LOOP_GOAL, Cell

OURS = ("fused", "triton")
LOOP_GROUP = "against our loop with autograd, bf16 and TF32"


def met(ratio, goal):
    """ "aim", "must" or "missed", for a goal that is a lower bound; None without a goal.

    >>> [met(ratio, {"must": 1.5, "aim": 3.0}) for ratio in (3.1, 1.5, 1.49)]
    ['aim', 'must', 'missed']
    >>> met(1.0, None)
    """
    if goal is None:
        return None
    if ratio < goal["must"]:
        return "missed"
    return "aim" if ratio >= goal["aim"] else "must"


def times(value):
    """A ratio in few digits.

    >>> times(0.957), times(3.14159), times(41.3)
    ('0.96', '3.1', '41')
    """
    return f"{value:.2f}" if value < 1 else significant(value)


class OnGPU(Shown):
    """What all directives here need: results that come from a GPU."""

    def rows(self, suite):
        """The rows of a suite; none where there is no file, or one of another device."""
        stored = self.stored(suite)
        return stored["rows"] if stored and stored["device"]["kind"] == "cuda" else []


class GoalsDirective(OnGPU):
    """The table of goals."""

    def run(self):
        rows = self.rows("gpu-grid")
        lines = [
            self.line(group.name, group.goal, best(rows, group.name, "ratio")) for group in GROUPS
        ]
        lines.append(self.line(LOOP_GROUP, LOOP_GOAL, best(rows, None, "over_loop")))
        head = [
            "forward and backward",
            "must",
            "aim",
            "cells that meet the first",
            "ratios",
            "missed",
        ]
        return [table(head, lines, "speed-goals")]

    def line(self, name, goal, found):
        """A line of the table, from the best ratio of every measured cell."""
        bounds = [nodes.Text(f"≥ {value:g}") for value in goal]
        if not found:
            return [nodes.Text(name), *bounds, unmeasured(), nodes.Text("–"), nodes.Text("–")]
        missed = [size for size, ratio in found.items() if ratio < goal.must]
        counted = nodes.strong("", f"{len(found) - len(missed)} of {len(found)}")
        span = sorted({times(min(found.values())), times(max(found.values()))}, key=float)
        return [
            nodes.Text(name),
            *bounds,
            counted,
            nodes.Text(" to ".join(span)),
            nodes.Text(" · ".join(missed) or "–"),
        ]


def best(rows, group, field):
    """Of every cell, named by precision, B and H, the better ratio of our two backends."""
    found = {}
    for row in rows:
        fits = row["contestant"] in OURS and row.get(field) and group in (None, row["group"])
        if fits:
            cell = Cell(**row["cell"])
            name = f"{cell.precision} B {cell.batch} H {cell.hidden}"
            found[name] = max(found.get(name, 0.0), row[field]["median"])
    return found


class GridDirective(OnGPU):
    """Every cell that is stored, a table and a picture for each group."""

    def run(self):
        rows = self.rows("gpu-grid")
        if not rows:
            return self.not_measured()
        result = []
        for name in dict.fromkeys(row["group"] for row in rows):
            of = [row for row in rows if row["group"] == name]
            result.append(nodes.rubric("", name[0].upper() + name[1:]))
            if any(row["ratio"] for row in of):
                result.append(self.picture(name, of))
            result += self.tables(of)
        return result

    def tables(self, rows):
        """The table of a group, and what was said by those who were not timed."""
        names = list(dict.fromkeys(row["contestant"] for row in rows))
        found = {(row["key"], row["contestant"]): row for row in rows}
        lines = []
        for key in dict.fromkeys(row["key"] for row in rows):
            of = [found[key, name] for name in names if (key, name) in found]
            reference = next((r["milliseconds"]["reference"] for r in of if r["ratio"]), None)
            floors = of[0].get("floors") or {}
            lines.append(
                [
                    nodes.Text(cell_text(of[0])),
                    *(ratio(found.get((key, name))) for name in names),
                    nodes.Text(f"{significant(reference)} ms" if reference else "–"),
                    nodes.Text(floor_text(floors)),
                ]
            )
        head = ["B, T, I, H", *names, "torch.nn takes", "no less than"]
        said = dict.fromkeys(f"{row['contestant']}: {row['said']}" for row in rows if row["said"])
        notes = [nodes.paragraph("", text, classes=["speed-facts"]) for text in said]
        return [table(head, lines), *notes]

    def picture(self, name, rows):
        """The ratios of a group on a logarithmic axis, with the lines of 1 and of the goals."""
        return write_picture(self.env.app, *drawn(name, [row for row in rows if row["ratio"]]))


def write_picture(app, svg, alt):
    """Write a picture beside the built pages and return its node."""
    folder = Path(app.outdir).parent / "notebook_figures"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(svg.encode()).hexdigest()[:20]}.svg"
    file.write_text(svg, encoding="utf-8")
    return nodes.image("", uri="/" + Path(os.path.relpath(file, app.srcdir)).as_posix(), alt=alt)


def drawn(name, rows):
    """A picture of ratios as SVG, and its alternative text."""
    from lstm_lib import figures

    figures.use_style()
    import matplotlib.pyplot as plt

    cells = list(dict.fromkeys(cell_text(row) for row in rows))
    fig, ax = plt.subplots(figsize=(6.4, 1.3 + 0.3 * len(cells)))
    for k, contestant in enumerate(dict.fromkeys(row["contestant"] for row in rows)):
        of = [row for row in rows if row["contestant"] == contestant]
        at = [cells.index(cell_text(row)) for row in of]
        spread = [(row["ratio"]["q1"], row["ratio"]["q3"]) for row in of]
        style = dict(color=figures.COLOURS[k % len(figures.COLOURS)])
        ax.hlines(at, *zip(*spread, strict=True), **style)
        marks = [row["ratio"]["median"] for row in of]
        ax.plot(marks, at, "osD^v<"[k % 6], label=contestant, **style)
    ax.axvline(1, color=figures.INK, lw=1)
    goal = next((row["goal"] for row in rows if row["goal"]), None)
    for value in goal.values() if goal else ():
        ax.axvline(value, color=figures.INK, lw=1, ls=":")
    ax.set(
        xscale="log",
        xlabel="time of torch.nn / ours (right is good)",
        ylim=(len(cells) - 0.5, -0.5),
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(range(len(cells)), cells)
    fig.legend(loc="outside upper center", ncols=3)
    low, high = (f([row["ratio"]["median"] for row in rows], default=1.0) for f in (min, max))
    alt = (
        f"Ratios of times, {name}: a row for each cell and a mark for each contestant, "
        f"from {times(low)} to {times(high)}."
    )
    svg = figures.to_svg(fig, alt)
    plt.close(fig)
    return svg, alt


def cell_text(row):
    """What names a cell in its group."""
    cell = row["cell"]
    text = ", ".join(map(str, row["size"])) + f" {cell['precision']}"
    return text + (" forward" if cell["mode"] == "inference" else "")


def floor_text(floors):
    """The largest of the floors, and what it is made of.

    >>> floor_text({"arithmetic": 0.1, "memory": 0.02, "chain": 1.04}), floor_text({})
    ('1.0 ms (chain)', '–')
    """
    if not floors:
        return "–"
    name = max(floors, key=floors.get)
    return f"{significant(floors[name])} ms ({name})"


def ratio(row):
    """A ratio with its mark and its quartiles; a dash where nothing was timed."""
    if row is None or row["ratio"] is None:
        return nodes.Text("–")
    found = row["ratio"]
    cell = with_mark(times(found["median"]), met(found["median"], row["goal"]))
    spread = f"{times(found['q1'])} to {times(found['q3'])}"
    return nodes.inline("", "", cell, nodes.inline("", spread, classes=["speed-spread"]))


class MapDirective(OnGPU):
    """What ``torch.nn.LSTM`` takes for a training step, and which algorithm that is."""

    def run(self):
        rows = self.rows("gpu-map")
        if not rows:
            return self.not_measured()
        cells = {Cell(**row["cell"])[1:4]: row for row in rows}
        result = []
        for precision in dict.fromkeys(key[0] for key in cells):
            of = sorted(key for key in cells if key[0] == precision)
            batches = sorted({batch for _, batch, _ in of})
            lines = [
                [
                    nodes.Text(str(hidden)),
                    *(self.entry(cells.get((precision, batch, hidden))) for batch in batches),
                ]
                for hidden in sorted({hidden for *_, hidden in of})
            ]
            result.append(nodes.rubric("", precision))
            result.append(table(["H", *(f"B = {batch}" for batch in batches)], lines))
        return [*result, self.kernels(rows)]

    def entry(self, row):
        """Milliseconds of a training step, and below them the algorithm."""
        if row is None:
            return nodes.Text("–")
        time = nodes.strong("", f"{significant(row['milliseconds']['training'])} ms")
        choice = nodes.inline("", row["algorithm"]["training"], classes=["speed-spread"])
        return nodes.inline("", "", time, choice)

    def kernels(self, rows):
        """The kernels that took longest, for each algorithm."""
        found = {}
        for row in rows:
            names = found.setdefault(row["algorithm"]["training"], {})
            for kernel in row["kernels"]["training"][:2]:
                names[kernel["name"][:70]] = None
        lines = [
            [nodes.Text(name), nodes.Text(" · ".join(list(of)[:6]))] for name, of in found.items()
        ]
        return table(["algorithm", "kernels that took longest"], lines)


class DeviceDirective(OnGPU):
    """What the device reached: peaks, and the barrier."""

    def run(self):
        peaks, barrier = self.rows("gpu-peaks"), self.rows("gpu-barrier")
        if not peaks:
            return self.not_measured()
        lines = []
        for name, value in peaks[0]["peaks"].items():
            what = (
                ("copy", "GB/s", 1e9) if name == "bytes" else (f"product, {name}", "TFLOP/s", 1e12)
            )
            lines.append(
                [nodes.Text(what[0]), nodes.Text(f"{significant(value / what[2])} {what[1]}")]
            )
        for row in sorted(barrier, key=lambda row: row["programs"]):
            value = row["microseconds"]
            text = f"{significant(value)} µs" if value is not None else row["said"]
            lines.append(
                [nodes.Text(f"barrier among {row['programs']} programs"), nodes.Text(text)]
            )
        return [table(["", "measured"], lines)]


class GatesDirective(OnGPU):
    """The worst value of every gate of correctness, and what was not even computed."""

    def run(self):
        found = self.rows("gpu-correctness")
        if not found:
            return self.not_measured()
        rows = [row for row in found if row["value"] is not None]
        worst = {}
        for row in rows:
            key = row["check"], row["precision"], row["backend"]
            if row["value"] >= worst.get(key, row)["value"]:
                worst[key] = row
        lines = []
        for (check, precision, backend), row in sorted(worst.items()):
            of = [
                r
                for r in found
                if (r["check"], r["precision"], r["backend"]) == (check, precision, backend)
            ]
            mark = "missed" if any(r["held"] is False for r in of) else "must"
            cell = with_mark(f"{row['value']:.1e}", None)
            said = nodes.inline("", f" {MARKS[mark]}", classes=[f"speed-{mark}"])
            cell = nodes.inline("", "", cell, said)
            texts = (check, precision, backend)
            bound = nodes.Text(f"≤ {row['bound']:g}")
            lines.append([*map(nodes.Text, texts), cell, bound, nodes.Text(row["case"])])
        head = ["gate", "precision", "backend", "worst", "bound", "at (B x T x I x H)"]
        return [table(head, lines), *self.remarks(found)]

    def remarks(self, found):
        """What a table of values cannot say."""
        broken = {}
        for row in found:
            if row["value"] is None and row["held"] is False:
                key = row["check"], row["precision"], row["backend"]
                broken.setdefault(key, []).append(f"{row['case']}: {row['said']}")
        said = [
            f"Not held: {check}, {precision}, {backend}, {len(of)} times, first {of[0]}"
            for (check, precision, backend), of in sorted(broken.items())
        ]
        return [nodes.paragraph("", text, classes=["speed-facts"]) for text in said]


class FactsDirective(OnGPU):
    """Device, versions, flags, date and command of a suite."""

    required_arguments = 1

    def run(self):
        if not self.rows(self.arguments[0]):
            return []
        stored = self.stored(self.arguments[0])
        device, versions, flags = stored["device"], stored["versions"], stored["flags"]
        text = (
            f"Measured on {stored['date']} on {device['name']} ({device['multiprocessors']} "
            f"multiprocessors, driver {device['driver']}); torch {versions['torch']}, CUDA "
            f"{versions['cuda']}, cuDNN {versions['cudnn']}, Triton {versions['triton']}. "
            f"{'; '.join(f'{name}: {value}' for name, value in flags.items())}. By the command "
        )
        return [with_command(text, stored["command"])]


def unmeasured():
    """What stands where a number will."""
    return nodes.inline("", "not measured", classes=["speed-none"])


def setup(app):
    """Register the directives."""
    app.add_directive("gpu-goals", GoalsDirective)
    app.add_directive("gpu-grid", GridDirective)
    app.add_directive("gpu-map", MapDirective)
    app.add_directive("gpu-device", DeviceDirective)
    app.add_directive("gpu-gates", GatesDirective)
    app.add_directive("gpu-facts", FactsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
