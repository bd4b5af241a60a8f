"""Books of one page, built by Sphinx as the real one is, for tests of its extensions."""

import io
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONF = """\
import sys
sys.path[:0] = [{root!r}, {root!r} + "/_ext"]
project = "Small"
extensions = {extensions!r}
source_suffix = {{}}  # or Sphinx enters the suffixes into a dict that all books of a process share
"""


def build(source, out):
    """Build a book into a folder; return the warnings."""
    pytest.importorskip("sphinx")
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    warnings = io.StringIO()
    with docutils_namespace():
        Sphinx(source, source, out, out / "trees", "html", status=None, warning=warnings).build()
    return warnings.getvalue()


def build_page(folder, text, *extensions):
    """Build a page with some of our extensions into ``folder/out``; return it and the warnings."""
    conf = CONF.format(root=str(ROOT), extensions=["myst_parser", *extensions])
    (folder / "conf.py").write_text(conf, encoding="utf-8")
    (folder / "index.md").write_text(text, encoding="utf-8")
    warnings = build(folder, folder / "out")
    from bs4 import BeautifulSoup

    built = (folder / "out" / "index.html").read_text("utf-8")
    return BeautifulSoup(built, "html.parser"), warnings


def lines_of(table):
    """A table, or all tables of a page, as lists of the texts in their lines."""
    return [
        [cell.get_text(" ", strip=True) for cell in line.find_all(["td", "th"])]
        for line in table.find_all("tr")
    ]
