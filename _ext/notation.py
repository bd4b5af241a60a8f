"""Sphinx extension: the tables of the notation page, from ``lstm_lib.notation``.

    ```{notation} weights-lstm
    ```

shows one of the tables of :func:`lstm_lib.notation.tables`. Columns that would be empty are left out.
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lstm_lib.notation import tables

HEADS = {"tex": "symbol", "meaning": "meaning", "code": "in code", "shape": "shape", "rows": "rows"}


class NotationDirective(SphinxDirective):
    """One table."""

    required_arguments = 1

    def run(self):
        known = tables()
        if self.arguments[0] not in known:
            raise self.error(f"there is no table {self.arguments[0]!r}; there are {sorted(known)}")
        symbols = known[self.arguments[0]]
        columns = [name for name in HEADS if any(getattr(s, name) for s in symbols)]
        understood = set.intersection(*(set(symbol.options) for symbol in symbols))
        views = VIEWS | {"meaning": lambda symbol: meaning(symbol, understood)}
        group = nodes.tgroup("", cols=len(columns))
        group += [nodes.colspec("", colwidth=1) for _ in columns]
        group += nodes.thead("", line([nodes.Text(HEADS[name]) for name in columns]))
        group += nodes.tbody("", *(line([views[n](s) for n in columns]) for s in symbols))
        return [nodes.table("", group, classes=["notation"])]


def shape(symbol):
    """The sizes of its axes."""
    if not symbol.shape:
        return nodes.Text("")
    inner = ", ".join(symbol.shape) + ("," if len(symbol.shape) == 1 else "")
    return nodes.Text(f"({inner})")


def rows(symbol):
    """Where it stands in its array, as a slice."""
    if symbol.rows is None:
        return nodes.Text("all" if symbol.code.endswith("_l0") else "")
    first, stop = (f"{k}H" if k > 1 else "H" * k or "0" for k in symbol.rows)
    return nodes.literal("", f"{first}:{stop}")


def meaning(symbol, understood):
    """Its meaning, and the options without which it does not exist, but those that are understood."""
    text = nodes.inline("", symbol.meaning)
    for option, value in symbol.options.items():
        if option in understood:
            continue
        given = f"{option}=True" if value is True else option
        text += [nodes.Text("; with "), nodes.literal("", given)]
    return text


VIEWS = {
    "tex": lambda symbol: nodes.math("", symbol.tex),
    "code": lambda symbol: nodes.literal("", symbol.code) if symbol.code else nodes.Text(""),
    "shape": shape,
    "rows": rows,
}


def line(cells):
    """One line of a table."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app):
    """Register the directive."""
    app.add_directive("notation", NotationDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
