"""Sphinx extension: the tables of speed and memory, as ``make bench`` wrote them.

    ```{speed} lstm
    :mode: training
    :dtype: float32
    ```

shows the rows of ``benchmarks/results/lstm.json`` of that mode and precision: a line for each size, a
column for each implementation, and in each cell the median of the ratio to ``torch.nn``, whether it meets
its goal, and the quartiles. The suites ``memory`` and ``checkpoint`` have tables of their own. Where there
is no such file or row, the page says that it was not measured.

    ```{speed-goals}
    ```

counts over all suites of a processor how many goals are met, and names those that are not, and

    ```{speed-facts} lstm
    ```

says on what machine, when and by which command a suite was measured.
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

RESULTS = Path("benchmarks/results")
NAMES = {
    "numpy": "NumPy engine",
    "torch-fused": "torch engine, fused",
    "torch-loop": "torch engine, loop",
    "cell-loop": "torch.nn.LSTMCell in a loop",
    "tutorial": "NumPy as in a tutorial",
}
MARKS = {"aim": "✓ aim", "must": "✓", "missed": "✗"}


def verdict(value, goal):
    """ "aim", "must" or "missed"; None where there is no goal.

    >>> [verdict(value, {"must": 1.2, "aim": 1.0}) for value in (0.9, 1.1, 1.3)]
    ['aim', 'must', 'missed']
    >>> verdict(0.9, {"must": 1.2, "aim": None}), verdict(1.0, None)
    ('must', None)
    """
    if goal is None:
        return None
    if value > goal["must"]:
        return "missed"
    return "aim" if goal["aim"] is not None and value <= goal["aim"] else "must"


def measured(row):
    """The number that a row's goal is about."""
    return row["ratio"]["median"] if "ratio" in row else row["memory"]["ratio"]


def of_size(row):
    """B, T, I, H."""
    return ", ".join(map(str, row["size"]))


class Shown(SphinxDirective):
    """What all three directives need: the stored results."""

    def stored(self, suite):
        """A suite's file, which the current page depends on; None where there is none."""
        path = self.env.srcdir / RESULTS / f"{suite}.json"
        if not path.exists():
            return None
        self.env.note_dependency(str(path))
        return json.loads(path.read_text(encoding="utf-8"))

    def not_measured(self):
        return [nodes.paragraph("", "Not measured.", classes=["speed-none"])]


class SpeedDirective(Shown):
    """One table."""

    required_arguments = 1
    option_spec = {"mode": directives.unchanged, "dtype": directives.unchanged}

    def run(self):
        stored = self.stored(self.arguments[0])
        rows = [
            row
            for row in (stored or {"rows": []})["rows"]
            if all(row[name] == value for name, value in self.options.items())
        ]
        if not rows:
            return self.not_measured()
        kind = {"memory": by_memory, "checkpoint": by_checkpoint}.get(stored["suite"], by_size)
        return [table(*kind(rows))]


def by_size(rows):
    """Head and lines: a line for each size, a column for each contestant."""
    sizes = list(dict.fromkeys(of_size(row) for row in rows))
    contestants = list(dict.fromkeys(row["contestant"] for row in rows))
    found = {(of_size(row), row["contestant"]): row for row in rows}
    lines = []
    for size in sizes:
        line = [nodes.Text(size)]
        line += [ratio(found.get((size, name))) for name in contestants]
        reference = found[size, contestants[0]]["milliseconds"]["reference"]
        lines.append([*line, nodes.Text(f"{significant(reference)} ms")])
    return ["B, T, I, H", *(NAMES[name] for name in contestants), "torch.nn takes"], lines


def by_memory(rows):
    """Head and lines: a line for each contestant."""
    lines = [
        [
            nodes.Text(NAMES[row["contestant"]]),
            with_mark(f"{row['memory']['ratio']:.2f}", verdict(measured(row), row["goal"])),
            nodes.Text(f"{row['memory']['mib']:.0f} MiB"),
            nodes.Text(f"{row['memory']['reference_mib']:.0f} MiB"),
        ]
        for row in rows
    ]
    return ["training step", "ratio", "ours", "torch.nn"], lines


def by_checkpoint(rows):
    """Head and lines: a line for each ``checkpoint_every``."""
    lines = [
        [
            nodes.literal("", str(row["checkpoint_every"])),
            nodes.Text(f"{row['memory']['mib']:.0f} MiB"),
            nodes.Text(f"{row['memory']['ratio']:.2f}"),
            ratio(row),
        ]
        for row in rows
    ]
    return ["checkpoint_every", "peak memory", "memory, ratio", "time, ratio"], lines


def ratio(row):
    """A ratio of times with its mark and its quartiles."""
    if row is None:
        return nodes.Text("–")
    r = row["ratio"]
    cell = with_mark(f"{r['median']:.2f}", verdict(r["median"], row["goal"]))
    spread = f"{r['q1']:.2f} to {r['q3']:.2f}"
    return nodes.inline("", "", cell, nodes.inline("", spread, classes=["speed-spread"]))


def with_mark(number, mark):
    """A number, and whether it meets its goal."""
    cell = nodes.inline("", "", nodes.strong("", number))
    if mark:
        said = nodes.inline("", f"\N{NO-BREAK SPACE}{MARKS[mark]}", classes=[f"speed-{mark}"])
        cell += said
    return cell


def significant(value):
    """Two significant digits, never in scientific notation.

    >>> significant(1234.0), significant(0.0456), significant(7.04)
    ('1200', '0.046', '7.0')
    """
    return f"{float(f'{value:.1e}'):g}" if not 1 <= value < 10 else f"{value:.1f}"


class GoalsDirective(Shown):
    """How many goals are met."""

    def run(self):
        folder = self.env.srcdir / RESULTS
        rows = [
            row
            for path in sorted(folder.glob("*.json"))
            if not path.stem.startswith("gpu-")
            for row in self.stored(path.stem)["rows"]
            if row.get("goal")
        ]
        if not rows:
            return self.not_measured()
        groups = {}
        for row in rows:
            what = f"{NAMES[row['contestant']]}, {row['cell']}, "
            what += f"{row['mode']}, {row['dtype']}" if "ratio" in row else "peak memory"
            groups.setdefault(what, []).append(row)
        lines = [[nodes.Text(what), *counts(of)] for what, of in sorted(groups.items(), key=rank)]
        return [table(["goal", "must", "aim", "missed at B, T, I, H"], lines, "speed-goals")]


def rank(group):
    """LSTM before GRU, our main engine before the other; else as stored."""
    return "LSTM" not in group[0], "NumPy" not in group[0]


def counts(rows):
    """How many of a group of goals are met, and the sizes where the bound is missed."""
    verdicts = [verdict(measured(row), row["goal"]) for row in rows]
    missed = [of_size(row) for row, found in zip(rows, verdicts, strict=True) if found == "missed"]
    musts, aims = ([row["goal"][name] for row in rows] for name in ("must", "aim"))
    aims = [aim for aim in aims if aim is not None]
    return [
        share(len(rows) - len(missed), musts),
        share(verdicts.count("aim"), aims) if aims else nodes.Text("–"),
        nodes.Text(" · ".join(missed) or "–"),
    ]


def share(met, goals):
    """How many of some goals are met, and the bounds below."""
    count = nodes.strong("", f"{met} of {len(goals)}")
    return nodes.inline("", "", count, nodes.inline("", bounds(goals), classes=["speed-spread"]))


def bounds(values):
    """The bounds of a group of goals.

    >>> bounds([1.2, 1.6, 1.2]), bounds([1.0])
    ('≤ 1.2 to 1.6', '≤ 1.0')
    """
    return "≤ " + " to ".join(
        f"{value:g}" if value % 1 else f"{value:.1f}"
        for value in sorted({min(values), max(values)})
    )


class FactsDirective(Shown):
    """Machine, versions, date and command of a suite."""

    required_arguments = 1

    def run(self):
        stored = self.stored(self.arguments[0])
        if stored is None:
            return []
        machine, versions = stored["machine"], stored["versions"]
        threads = sorted({row["threads"] for row in stored["rows"]})
        text = (
            f"Measured on {stored['date']} on {machine['cpu']} with {machine['cores']} cores "
            f"({machine['system']}), {' or '.join(map(str, threads))} "
            f"thread{'s' if threads != [1] else ''} on either side; Python {versions['python']}, "
            f"NumPy {versions['numpy']} with {versions['blas of numpy']}, torch {versions['torch']} "
            f"({versions['vector code of torch']}). By the command "
        )
        return [with_command(text, stored["command"])]


def with_command(text, command):
    """The paragraph of facts below a table: a text that ends with the command."""
    content = [nodes.Text(text), nodes.literal("", command), nodes.Text(".")]
    return nodes.paragraph("", "", *content, classes=["speed-facts"])


def table(head, lines, name="speed-ratios"):
    """A table from text and nodes."""
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec("", colwidth=1) for _ in head]
    group += nodes.thead("", line_of([nodes.Text(text) for text in head]))
    group += nodes.tbody("", *map(line_of, lines))
    return nodes.table("", group, classes=["speed", name])


def line_of(cells):
    """One line of a table."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app):
    """Register the directives."""
    app.add_directive("speed", SpeedDirective)
    app.add_directive("speed-goals", GoalsDirective)
    app.add_directive("speed-facts", FactsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
