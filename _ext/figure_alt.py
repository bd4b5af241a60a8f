"""Sphinx extension: a notebook's figure gets the alternative text that its SVG carries.

``lstm_lib.figures.show`` stores the text in the SVG's ``<title>``; in an ``<img>`` only
``alt`` is read. An image of any page that ends up without alternative text is a warning, so
that a build with -W fails.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)
TITLE = "{http://www.w3.org/2000/svg}title"


def title_of(path):
    """The text of an SVG's ``<title>``, or ``""``."""
    try:
        return (ET.parse(path).getroot().findtext(TITLE) or "").strip()
    except (OSError, ET.ParseError):
        return ""


def add_alt(app, doctree):
    """Fill in ``alt`` from the file, or warn."""
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir) / image["uri"]
        if not image.get("alt") and path.suffix == ".svg":
            image["alt"] = title_of(path)
        if not image.get("alt"):
            logger.warning(
                "a figure without alternative text (%s): show it with lstm_lib.figures.show(fig, alt)",
                path.name,
                location=image,
                type="figure_alt",
            )


def setup(app):
    """Register the event."""
    app.connect("doctree-read", add_alt)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
