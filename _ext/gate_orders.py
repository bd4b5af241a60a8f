"""Sphinx extension: the table of other libraries' gate orders, made from the one that converts by it.

```{gate-orders}
```
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lstm_lib.convert import GATE_ORDERS

NAMES = {"torch": "torch.nn", "onnx": "ONNX", "keras": "Keras 3", "flax": "Flax"}
HEADER = ("Cell", "Order", "Weights and biases", "State")


def cell(*paragraphs):
    """A cell of the table, from texts and nodes."""
    filled = (nodes.Text(p) if isinstance(p, str) else p for p in paragraphs)
    return nodes.entry("", *(nodes.paragraph("", "", content) for content in filled))


def order(layout):
    """The blocks by the library's own names, with ours where they differ."""
    ours = {theirs: gate for theirs, gate in zip(layout.names, layout.gates, strict=True)}
    different = [f"{theirs} is our {gate}" for theirs, gate in ours.items() if theirs != gate]
    return ", ".join(layout.names) + (f" ({', '.join(different)})" if different else "")


def table():
    """One row for every cell of every library."""
    rows = [
        nodes.row(
            "",
            cell(NAMES[library], nodes.literal("", name)),
            cell(order(layout)),
            cell(layout.weights, f"Biases: {layout.biases}"),
            cell(layout.state),
        )
        for library, cells in GATE_ORDERS.items()
        for name, layout in cells.items()
    ]
    head = nodes.thead("", nodes.row("", *map(cell, HEADER)))
    columns = [nodes.colspec(colwidth=width) for width in (20, 20, 45, 15)]
    group = nodes.tgroup("", *columns, head, nodes.tbody("", *rows), cols=len(HEADER))
    return nodes.table("", group, classes=["gate-orders"])


class GateOrdersDirective(SphinxDirective):
    """``{gate-orders}``: a row for each cell."""

    def run(self):
        return [table()]


def setup(app):
    """Register the directive."""
    app.add_directive("gate-orders", GateOrdersDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
