"""A small assignment, and submissions of it: fast to grade, and with one of each kind of cell."""

import copy
import json

import nbformat

from grading.release import release
from grading.source import Source

NAME = "00-small"
ANSWERS = {
    "double": "def double(x):\n    return 2 * x",
    "mean": "def mean_of(f, n):\n    return sum(f(k) for k in range(n)) / n",
    "guess": "guess = len(STUDENT)",
    "explain": "Because it is so.",
}
TESTS = {
    "test-double": ("assert double(2) == 4", "assert (double(np.arange(3.0)) == [0, 2, 4]).all()"),
    "test-mean": ("assert mean_of(lambda k: k, 3) == 1", "assert mean_of(double, 5) == 4"),
    "test-guess": ("assert isinstance(guess, int)", "assert guess == len(STUDENT)"),
}
POINTS = {"test-double": 4, "test-mean": 3, "test-guess": 2, "explain": 3}
FULL = 9  # what the tests give


def cell(source, grade_id=None, **card):
    """A cell with nbgrader's metadata; of text where the card has no ``code``."""
    make = nbformat.v4.new_code_cell if card.pop("code", True) else nbformat.v4.new_markdown_cell
    made = make(source)
    if grade_id:
        flags = {"grade": False, "solution": False, "locked": False, "task": False, **card}
        made.metadata["nbgrader"] = {"schema_version": 3, "grade_id": grade_id, **flags}
    return made


def answer(name):
    """A solution cell of code."""
    head, _, body = ANSWERS[name].partition("\n")
    lines = body.split("\n") if body else [head]
    indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
    marked = [f"{indent}### BEGIN SOLUTION", *lines, f"{indent}### END SOLUTION"]
    return cell("\n".join([head, *marked] if body else marked), name, solution=True)


def test(name):
    """A cell of tests."""
    visible, hidden = TESTS[name]
    source = f"{visible}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    return cell(source, name, grade=True, locked=True, points=POINTS[name])


def source(path):
    """The assignment, written to `path`."""
    model = f"Say why.\n\n### BEGIN SOLUTION\n{ANSWERS['explain']}\n### END SOLUTION"
    cells = [
        cell("import numpy as np", "setup", locked=True),
        cell('STUDENT = "your student id"', "student", solution=True),
        cell("# A small assignment", code=False),
        answer("double"),
        test("test-double"),
        cell("## The mean", code=False),
        answer("mean"),
        test("test-mean"),
        answer("guess"),
        test("test-guess"),
        cell(model, "explain", code=False, grade=True, solution=True, points=POINTS["explain"]),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    card = {"assignment": NAME, "title": "Small", "minutes": 1, "points": 12, "bugs": {}}
    notebook.metadata = nbformat.from_dict({"lstm_book": card})
    nbformat.write(notebook, path)
    return Source(path, NAME, "Small", 1, 12, notebook, ())


def submission(small, student, answers=None, added=None, after="test-double"):
    """What a student hands in: the release with answers, and a cell that the student added.

    `answers` replaces some of :data:`ANSWERS`; None for one leaves the stub.
    """
    notebook = release(small)
    written = {**ANSWERS, **(answers or {})}
    for one in notebook.cells:
        name = one.metadata.get("nbgrader", {}).get("grade_id")
        if name == "student":
            one.source = f"STUDENT = {student!r}"
        elif written.get(name) is not None:
            one.source = written[name]
    if added is not None:
        place = 1 + [c.metadata.get("nbgrader", {}).get("grade_id") for c in notebook.cells].index(
            after
        )
        notebook.cells.insert(place, nbformat.v4.new_code_cell(added))
    return notebook


def as_colab_saves(notebook):
    """The notebook after Colab had it: its own metadata, no cell ids, a badge, another order of keys."""
    saved = copy.deepcopy(notebook)
    saved.nbformat_minor = 0
    saved.metadata["colab"] = {"provenance": [], "toc_visible": True}
    saved.metadata["accelerator"] = "GPU"
    badge = nbformat.v4.new_markdown_cell('<a href="https://colab.research.google.com">Open</a>')
    saved.cells.insert(0, badge)
    for number, one in enumerate(saved.cells):
        one.pop("id", None)
        one.metadata["id"] = f"x{number}"
        one.metadata["colab"] = {"base_uri": "https://localhost:8080/", "height": 34}
    saved.cells.append(nbformat.v4.new_code_cell(""))
    return saved


def hand_in(folder, student, content):
    """Write a submission: a notebook, text or bytes."""
    path = folder / student / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path
