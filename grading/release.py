"""What students get of a source: stubs for solutions, no hidden test, no model answer, locked cells."""

import copy

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from traitlets.config import Config

from grading.files import replace
from grading.source import RELEASE, STUDENT, cell_of, is_test, read, sources

SETTINGS = Config(
    ClearSolutions={
        "code_stub": {"python": '# YOUR CODE HERE\nraise NotImplementedError("not written yet")'}
    }
)
# On the book's page a check is folded, so that the task and the stub stand together; notebooks show it.
FOLDED = {
    "tags": ["hide-input"],
    "mystnb": {"code_prompt_show": "Show the check", "code_prompt_hide": "Hide the check"},
}


class Clear(Preprocessor):
    """Takes out solutions and hidden tests, and the blank lines that these leave at the end of a cell."""

    def preprocess(self, nb, resources):
        """Leave the cell in which students write their name as it is: it has nothing to take out."""
        name = cell_of(nb, STUDENT).source
        for step in (ClearSolutions, ClearHiddenTests):
            nb, resources = step(parent=self).preprocess(nb, resources)
        for cell in nb.cells:
            cell.source = cell.source.rstrip()
        cell_of(nb, STUDENT).source = name
        return nb, resources


STEPS = (Clear, ClearOutput, LockCells, ComputeChecksums)


def release(source):
    """Return the notebook for students, of a :class:`grading.source.Source`."""
    notebook = copy.deepcopy(source.notebook)
    for step in STEPS:
        notebook, _ = step(config=SETTINGS).preprocess(notebook, {})
    card = notebook.metadata["lstm_book"]
    notebook.metadata["lstm_book"] = {key: card[key] for key in ("assignment", "minutes", "points")}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        if is_test(cell):
            cell.metadata.update(copy.deepcopy(FOLDED))
    nbformat.validate(notebook)
    return notebook


def text_of(notebook):
    """A notebook as it is written to a file."""
    return nbformat.writes(notebook) + "\n"


def store(source):
    """Write the release beside its source, whole or not at all; return its path and whether it changed."""
    path, text = source.path.with_name(RELEASE), text_of(release(source))
    if path.exists() and path.read_text("utf8") == text:
        return path, False
    replace(path, text)
    return path, True


def release_all(paths=()):
    """Release the sources at `paths`, or all, and print a line for each; read all before any is written."""
    found = [read(path) for path in paths or sources()]
    for source in found:
        path, changed = store(source)
        print(f"{path.parent.name}/{path.name}: {'written' if changed else 'unchanged'}")
