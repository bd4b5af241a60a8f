"""Sphinx extension: a figure that a notebook stored, on another page.

```{notebook-figure} 04-lstm-cell/counter
:says: Three strips over a string
```

`says` is how the figure's alternative text begins. A notebook or figure that is not there is a
warning, so that a build with -W fails. The page is read again when the notebook changes.
"""

import hashlib
import json
import os
from html import unescape
from pathlib import Path

from claims import docname_of
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


def figures_of(path):
    """Alternative text to SVG text, of every figure that a notebook stored."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    data = [o.get("data", {}) for c in cells for o in c.get("outputs", ())]
    pictures = ["".join(d["image/svg+xml"]) for d in data if "image/svg+xml" in d]
    return {
        unescape(svg.partition("<title>")[2].partition("</title>")[0]).strip(): svg
        for svg in pictures
    }


class NotebookFigure(SphinxDirective):
    """The figure, as an image that links to the notebook's page."""

    required_arguments = 1
    option_spec = {"says": directives.unchanged_required, "class": directives.class_option}

    def run(self):
        docname = docname_of(self.arguments[0])
        path = Path(self.env.srcdir) / f"{docname}.ipynb"
        self.env.note_dependency(str(path))
        if not path.exists():
            raise self.error(f"there is no notebook {docname}.ipynb")
        stored, start = figures_of(path), self.options.get("says", "")
        fitting = [alt for alt in stored if alt.startswith(start)]
        if len(fitting) != 1:
            raise self.error(
                f"{len(fitting)} figures of {path.name} say {start!r}; they say {list(stored)}"
            )
        image = nodes.image("", uri=self.write(stored[fitting[0]]), alt=fitting[0])
        image["classes"] += self.options.get("class", [])
        return [image]

    def write(self, svg):
        """Write the figure beside the built pages; its path from the sources' root."""
        app = self.env.app
        folder = Path(app.outdir).parent / "notebook_figures"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{hashlib.sha256(svg.encode()).hexdigest()[:20]}.svg"
        file.write_text(svg, encoding="utf-8")
        return "/" + Path(os.path.relpath(file, app.srcdir)).as_posix()


def setup(app):
    """Register the directive."""
    app.add_directive("notebook-figure", NotebookFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
