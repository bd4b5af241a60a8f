"""Sphinx extension: how long each chapter takes, counted from its pages when the book is built.

```{reading-times}
```

is a table with a line for each chapter: words of prose, lines of code that are shown, notebooks,
and the minutes that reading them takes.
"""

import json
import math
import re
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

WORDS_A_MINUTE = 240
LINES_A_MINUTE = 25
HEAD = ("Chapter", "Notebooks", "Words", "Lines of code", "Reading")
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


class Count(NamedTuple):
    """What there is to read on a page, or on several."""

    notebooks: int
    words: int
    lines: int

    @property
    def minutes(self):
        """Minutes of reading, rounded up to the next five.

        >>> Count(1, 2400, 100).minutes, Count(1, 2401, 100).minutes
        (15, 15)
        >>> Count(1, 2400, 125).minutes
        15
        """
        exact = self.words / WORDS_A_MINUTE + self.lines / LINES_A_MINUTE
        return 5 * math.ceil(exact / 5)


def count(path):
    """Count a page: of a notebook the prose and the code that is not folded away."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return Count(0, words(text), 0)
    cells = [(c, "".join(c["source"])) for c in json.loads(text)["cells"]]
    prose = sum(words(source) for c, source in cells if c["cell_type"] == "markdown")
    code = [
        source
        for c, source in cells
        if c["cell_type"] == "code" and not HIDDEN.intersection(c["metadata"].get("tags", ()))
    ]
    lines = sum(bool(line.strip()) for source in code for line in source.splitlines())
    return Count(1, prose, lines)


def words(markdown):
    """How many words a Markdown text has; fences and options of directives do not count.

    >>> words("Two words.\\n\\n```{image} a.svg\\n:alt: four more that do not count\\n```\\n")
    2
    """
    prose = re.sub(r"^(`{3,}|:{3,}|:[\w-]+:).*$", "", markdown, flags=re.MULTILINE)
    return len(prose.split())


def said(minutes):
    """Minutes as one says them.

    >>> said(45), said(60), said(95)
    ('45 min', '1 h', '1 h 35 min')
    """
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest))


class ReadingTimes(SphinxDirective):
    """The table."""

    def run(self):
        self.env.note_reread()
        chapters = {}
        for docname in sorted(self.env.found_docs):
            if re.match(r"chapters/\d\d-[^/]+/(?!exercises$)", docname):
                page = count(self.env.srcdir / self.env.doc2path(docname, base=False))
                folder = docname.rpartition("/")[0]
                so_far = chapters.get(folder, Count(0, 0, 0))
                chapters[folder] = Count(*map(sum, zip(so_far, page, strict=True)))
        rows = [self.row(folder, page) for folder, page in chapters.items()]
        group = nodes.tgroup("", cols=len(HEAD))
        group += [nodes.colspec("", colwidth=width) for width in (36, 14, 14, 18, 18)]
        group += nodes.thead("", line(*map(nodes.Text, HEAD)))
        group += nodes.tbody("", *rows)
        return [nodes.table("", group, classes=["reading-times"])]

    def row(self, folder, page):
        """One chapter, with a link to it."""
        link = addnodes.pending_xref(
            "",
            nodes.inline("", folder, classes=["doc"]),
            refdomain="std",
            reftype="doc",
            reftarget=f"/{folder}/index",
            refexplicit=False,
            refwarn=True,
            refdoc=self.env.docname,
        )
        numbers = (str(page.notebooks), f"{page.words:,}", f"{page.lines:,}", said(page.minutes))
        return line(link, *map(nodes.Text, numbers))


def line(*cells):
    """A row of a table."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app):
    """Register the directive."""
    app.add_directive("reading-times", ReadingTimes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
