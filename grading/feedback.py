"""Pages for students: their notebook with marks, what each test found, and what a person wrote.

A page shows what a student wrote and what that printed, and an instructor may open it. So it forbids
every script and every request in its head, whatever else stands in it.
"""

import hashlib
import json
from pathlib import Path

import nbgrader
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from traitlets.config import Config

from grading.gradebook import notebook_of, replace

TEMPLATES = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
HEAD = f'<head>\n<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
VERSION = "1"


class Pages:
    """Writes pages of feedback into a folder, where their content has changed."""

    def __init__(self, folder):
        self.folder = folder
        bootstrap = TEMPLATES.parent / "static" / "node_modules" / "bootstrap" / "dist" / "css"
        settings = Config()
        settings.Exporter.default_preprocessors = []
        settings.HTMLExporter.template_name = "feedback"
        settings.HTMLExporter.extra_template_basedirs = [str(TEMPLATES)]
        settings.HTMLExporter.extra_template_paths = [str(bootstrap)]
        self.exporter = HTMLExporter(config=settings)
        self.exporter.register_preprocessor(CSSHTMLHeaderPreprocessor, enabled=True)

    def write(self, book, plan, student, digest, result):
        """Write a student's page, unless it shows all this already."""
        grades, comments = book.grades(plan, student), book.comments(plan, student)
        text = json.dumps([VERSION, digest, grades, comments])
        mark = f"<!-- {hashlib.sha256(text.encode()).hexdigest()} -->\n"
        path = self.folder / student / f"{plan['name']}.html"
        if path.exists() and path.read_text(encoding="utf-8").endswith(mark):
            return
        notebook = book.marked(plan, student, notebook_of(plan, result, hidden=False))
        replace(path, self.page(notebook, plan, grades) + mark)

    def page(self, notebook, plan, grades):
        """Return the HTML of a marked notebook."""
        facts = {
            "notebook": plan["name"],
            "score": sum(grade["score"] for grade in grades),
            "max_score": sum(grade["max_score"] for grade in grades),
            "late_penalty": 0,
        }
        page, _ = self.exporter.from_notebook_node(notebook, resources={"nbgrader": facts})
        return page.replace("<head>", HEAD, 1)
