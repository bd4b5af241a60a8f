"""Sphinx extension: the table of the assignments, read from the students' notebooks.

```{assignments}
```
"""

import json
import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

HEADER = ("Assignment", "Tasks", "Points", "by hand", "Time")
WIDTHS = (30, 46, 8, 8, 8)
TASK = re.compile(r"^## \d+ · (.+)$", re.MULTILINE)


def card(path):
    """What the table says of one assignment.

    Parameters
    ----------
    path : Path
        A students' notebook, ``exercises.ipynb``.
    """
    notebook = json.loads(path.read_text("utf8"))
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    about = notebook["metadata"]["lstm_book"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in notebook["cells"]]
    by_hand = sum(mark["points"] for mark in marks if mark.get("grade") and mark["solution"])
    tasks = " · ".join(TASK.findall(text))
    return tasks, str(about["points"]), str(by_hand), f"{about['minutes']} min"


class AssignmentsDirective(SphinxDirective):
    """``{assignments}``: a row for each."""

    def run(self):
        self.env.note_reread()
        table, group = nodes.table(classes=["assignments"]), nodes.tgroup(cols=len(HEADER))
        group += [nodes.colspec(colwidth=width) for width in WIDTHS]
        group += nodes.thead("", self.row(HEADER))
        pages = sorted(name for name in self.env.found_docs if name.endswith("/exercises"))
        group += nodes.tbody("", *map(self.assignment, pages))
        table += group
        return [table]

    def assignment(self, docname):
        """The row of a page."""
        path = self.env.srcdir / self.env.doc2path(docname, base=False)
        return self.row((f"{{doc}}`/{docname}`", *card(path)))

    def row(self, cells):
        """A row of a table, each cell a text of Markdown."""
        entries = (nodes.entry("", *self.parse_text_to_nodes(cell)) for cell in cells)
        return nodes.row("", *entries)


def setup(app):
    """Register the directive."""
    app.add_directive("assignments", AssignmentsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
