"""Sphinx extension: the table of the data sets, made from the library's own catalogue.

```{corpora}
```
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lstm_lib.data.corpora import CATALOGUE

KINDS = ("prediction", "classification", "generation", "transduction")
HEADER = ("Loader and task", "Size", "Packages and licence", "Split")
WIDTHS = (28, 24, 26, 22)


def row(cells):
    """A row of a table, from one list of nodes a cell."""
    return nodes.row("", *(nodes.entry("", *cell) for cell in cells))


def place(entry):
    """Where a data set stands in the table: by what it is for, in the order of the chapters."""
    kind, _, task = entry.task.partition(": ")
    return KINDS.index(kind), task


class CorporaDirective(SphinxDirective):
    """``{corpora}``: a row for each data set."""

    def run(self):
        entries = sorted(CATALOGUE.values(), key=place)
        table, group = nodes.table(classes=["corpora"]), nodes.tgroup(cols=len(HEADER))
        group += [nodes.colspec(colwidth=width) for width in WIDTHS]
        group += nodes.thead("", row([self.texts(name) for name in HEADER]))
        group += nodes.tbody("", *(row(self.cells(entry)) for entry in entries))
        table += group
        return [table]

    def cells(self, entry):
        """One cell a column; the first links to the loader."""
        link = f"{{py:func}}`{entry.name} <{entry.load.__module__}.{entry.name}>`"
        return [
            self.texts(link, entry.task),
            self.texts(entry.size),
            self.texts(", ".join(entry.packages), entry.licence),
            self.texts(entry.split),
        ]

    def texts(self, *paragraphs):
        """Paragraphs of Markdown as nodes."""
        return [node for text in paragraphs for node in self.parse_text_to_nodes(text)]


def setup(app):
    app.add_directive("corpora", CorporaDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
