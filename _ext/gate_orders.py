"""Sphinx extension: the table of other libraries' gate orders, made from the one that converts by it.

```{gate-orders}
```
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lstm_lib.convert import GATE_ORDERS

NAMES = {"torch": "torch.nn", "onnx": "ONNX", "keras": "Keras 3", "flax": "Flax"}
HEADER = ("Library", "Cell", "Order", "Weights", "Biases", "State")


def row(*cells):
    """A row of a table, from one text or node a cell."""
    filled = (nodes.paragraph("", "", nodes.Text(c) if isinstance(c, str) else c) for c in cells)
    return nodes.row("", *(nodes.entry("", cell) for cell in filled))


def order(layout):
    """The blocks by the library's own names, with ours where they differ."""
    ours = {theirs: gate for theirs, gate in zip(layout.names, layout.gates, strict=True)}
    different = [f"{theirs} is {gate}" for theirs, gate in ours.items() if theirs != gate]
    return ", ".join(layout.names) + (f" ({', '.join(different)})" if different else "")


def table():
    """One row for every cell of every library."""
    rows = [
        row(
            NAMES[library],
            nodes.literal("", cell),
            order(layout),
            layout.weights,
            layout.biases,
            layout.state,
        )
        for library, cells in GATE_ORDERS.items()
        for cell, layout in cells.items()
    ]
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in HEADER), cols=len(HEADER))
    group += [nodes.thead("", row(*HEADER)), nodes.tbody("", *rows)]
    return nodes.table("", group, classes=["gate-orders"])


class GateOrdersDirective(SphinxDirective):
    """``{gate-orders}``: a row for each cell."""

    def run(self):
        return [table()]


def setup(app):
    """Register the directive."""
    app.add_directive("gate-orders", GateOrdersDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
