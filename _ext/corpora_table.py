"""Sphinx extension: the table of the data sets, made from the library's own catalogue.

```{corpora}
```
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lstm_lib.data.corpora import CATALOGUE

KINDS = ("prediction", "classification", "generation", "transduction")
HEADER = ("Loader", "For", "Packages", "Size", "Licence", "Split")


def row(tag, cells):
    """A row of a table, from one node a cell."""
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def place(entry):
    """Where a data set stands in the table: by what it is for, in the order of the chapters."""
    kind, _, task = entry.task.partition(": ")
    return KINDS.index(kind), task


class CorporaDirective(SphinxDirective):
    """``{corpora}``: a row for each data set."""

    def run(self):
        entries = sorted(CATALOGUE.values(), key=place)
        table, group = nodes.table(classes=["corpora"]), nodes.tgroup(cols=len(HEADER))
        group += [nodes.colspec(colwidth=1) for _ in HEADER]
        group += nodes.thead("", row("", [nodes.paragraph(text=name) for name in HEADER]))
        group += nodes.tbody("", *(row("", self.cells(entry)) for entry in entries))
        table += group
        return [table]

    def cells(self, entry):
        """One cell a column; the first links to the loader."""
        target = f"{entry.load.__module__}.{entry.name}"
        name = self.parse_text_to_nodes(f"{{py:func}}`{entry.name} <{target}>`")
        texts = (entry.task, ", ".join(entry.packages), entry.size, entry.licence, entry.split)
        return [name[0], *(self.parse_text_to_nodes(text)[0] for text in texts)]


def setup(app):
    app.add_directive("corpora", CorporaDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
