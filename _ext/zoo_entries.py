"""Sphinx extension: the zoo's bugs, in one table and each with its code and what was measured.

```{zoo-table} bugs
```

lists all bugs, `kinds` instead what an implementation of each kind is; and

```{zoo-entries} steps
```

shows those of one module of `lstm_lib.zoo`.
"""

import inspect
import textwrap
from importlib import import_module

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lstm_lib.zoo import BUGS, KINDS


def lines_of_code(function):
    """The lines of a function or class, without its docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    quotes, doc = '"""', function.__doc__
    return source.replace(f"    {quotes}{doc}{quotes}\n", "", 1).splitlines()


def code(function, beside=None):
    """A block of code; lines that `beside`, another function, does not have are marked."""
    lines = lines_of_code(function)
    block = nodes.literal_block("", "\n".join(lines), language="python")
    if beside is not None:
        known = set(lines_of_code(beside))
        changed = [n for n, line in enumerate(lines, 1) if n > 1 and line not in known]
        block["highlight_args"] = {"hl_lines": changed}
    return block


def facts(bug):
    """Name and text of what is to be said of a bug."""
    verdict = bug.check(bug.broken)
    return {
        "Wrong": bug.wrong,
        "Looks like": bug.looks,
        "Measured": f"{bug.symptom()}.",
        "Promise": bug.promise,
        "Check": verdict.found,
        "Fix": bug.fix,
        "Seen": bug.seen,
    }


def anchor(bug):
    """The id of a bug's section."""
    return bug.name.replace("_", "-")


def entry(bug, shown):
    """A section for one bug; `shown` holds the right code that stands above already."""
    section = nodes.section(ids=[anchor(bug)], names=[bug.name])
    section += nodes.title("", bug.title)
    key = nodes.literal("", f'zoo.BUGS["{bug.name}"]')
    section += nodes.paragraph("", "", key, nodes.Text(f", an entry of the kind {bug.kind}."))
    comparable = inspect.isfunction(bug.broken) and inspect.isfunction(bug.correct)
    section += code(bug.broken, bug.correct if comparable else None)
    if comparable and bug.correct not in shown:
        section += nodes.paragraph("", "The right code:")
        section += code(bug.correct)
    shown.add(bug.correct)
    fields = nodes.field_list()
    for name, text in facts(bug).items():
        body = nodes.field_body("", nodes.paragraph("", text))
        fields += nodes.field("", nodes.field_name("", name), body)
    section += fields
    return section


def table(head, widths, rows):
    """A table of two columns, from texts and nodes."""

    def row(*cells):
        filled = (nodes.Text(cell) if isinstance(cell, str) else cell for cell in cells)
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in filled))

    columns = [nodes.colspec(colwidth=width) for width in widths]
    body = nodes.tbody("", *(row(*cells) for cells in rows))
    group = nodes.tgroup("", *columns, nodes.thead("", row(*head)), body, cols=2)
    return nodes.table("", group)


def overview(what):
    """The table of all bugs, each with a link to its section, or of all kinds."""
    if what == "kinds":
        return table(("Kind", "Called as"), (20, 80), KINDS.items())
    links = {b: nodes.reference("", b.title, refid=anchor(b), internal=True) for b in BUGS.values()}
    return table(("Bug", "Looks like"), (35, 65), ((links[b], b.looks) for b in BUGS.values()))


class ZooTable(SphinxDirective):
    """``{zoo-table} bugs`` or ``{zoo-table} kinds``."""

    required_arguments = 1

    def run(self):
        return [overview(self.arguments[0])]


class ZooEntries(SphinxDirective):
    """``{zoo-entries} PART``: a section for each bug of a module of :mod:`lstm_lib.zoo`."""

    required_arguments = 1

    def run(self):
        shown = set()
        bugs = import_module(f"lstm_lib.zoo.{self.arguments[0]}").BUGS
        return [entry(bug, shown) for bug in bugs]


def setup(app):
    """Register the directive."""
    app.add_directive("zoo-table", ZooTable)
    app.add_directive("zoo-entries", ZooEntries)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
