"""The one source of an assignment: read, and told what is wrong with it.

A source is ``chapters/NN-name/assignment.ipynb``, a notebook with nbgrader's cell metadata. What the
cells are for is told by that metadata alone; what the assignment is called, how long it takes and which
wrong answers it must tell from right ones stands in the notebook's own metadata, under ``lstm_book``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from grading.words import counted

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "chapters"
STUDENT = "student"  # the cell in which students write who they are
NAME, RELEASE = "assignment.ipynb", "exercises.ipynb"
KINDS = ("Implement", "Diagnose", "Experiment")
BY_HAND = (3, 6)
FEWEST_BUGS = 3
SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
SOLUTION_LINE = re.compile(rf"^.*({'|'.join(SOLUTION)}).*\n?", re.MULTILINE)
SETUP = "try:\n    import lstm_lib\nexcept ModuleNotFoundError:"
HINT = re.compile(r"<summary>Hint (\d) of 3</summary>")
KEYS = {"schema_version", "grade", "solution", "locked", "task", "grade_id", "points", "cell_type"}


class SourceError(ValueError):
    """A source that cannot be released, with everything that is wrong with it."""


@dataclass(frozen=True)
class Bug:
    """A plausible wrong answer: what it writes into one solution cell, and the points that it loses."""

    name: str
    cell: str
    source: str
    loses: dict


@dataclass(frozen=True)
class Source:
    """An assignment, checked.

    Attributes
    ----------
    path : Path
    name : str
        Of its chapter's folder, such as ``04-lstm-cell``.
    title : str
    minutes, points : int
    notebook : nbformat.NotebookNode
    bugs : tuple of Bug
    """

    path: Path
    name: str
    title: str
    minutes: int
    points: int
    notebook: nbformat.NotebookNode
    bugs: tuple

    def cell(self, grade_id):
        """Return the cell of that name."""
        return cell_of(self.notebook, grade_id)

    def answers(self):
        """Return what the source itself answers, in code and in words, by the names of the cells."""
        cells = (cell for cell in self.notebook.cells if is_answer(cell) or is_by_hand(cell))
        return {name_of(cell): SOLUTION_LINE.sub("", cell.source) for cell in cells}


def sources(root=ROOT):
    """Return the paths of all sources, sorted."""
    return sorted((Path(root) / FOLDER).glob(f"*/{NAME}"))


def read(path):
    """Read a source.

    Raises
    ------
    SourceError
        For a file that is no notebook, and for a source with a fault; the message names all of them.
    """
    path = Path(path)
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except Exception as error:
        raise SourceError(f"{path}: not a notebook ({error})") from None
    found = list(problems(notebook, path.parent.name))
    if found:
        raise SourceError(f"{path}:\n" + "\n".join(f"  {problem}" for problem in found))
    card = notebook.metadata["lstm_book"]
    bugs = tuple(Bug(cell=cell, **bug) for cell, row in card["bugs"].items() for bug in row)
    known = {key: card[key] for key in ("title", "minutes", "points")}
    return Source(path, card["assignment"], notebook=notebook, bugs=bugs, **known)


def cell_of(notebook, grade_id):
    """Return the cell of that name in a notebook."""
    return next(cell for cell in notebook.cells if name_of(cell) == grade_id)


def name_of(cell):
    """The grade_id of a cell, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def has(cell, what):
    """Whether nbgrader's metadata of a cell say that it is `what`: grade, solution, locked or task."""
    return bool(cell.metadata.get("nbgrader", {}).get(what))


def is_test(cell):
    """Whether a cell holds tests, which give points by running through."""
    return has(cell, "grade") and not has(cell, "solution")


def is_by_hand(cell):
    """Whether a person gives the points of a cell."""
    return has(cell, "grade") and has(cell, "solution")


def is_answer(cell):
    """Whether a cell is code for the student to write."""
    return cell.cell_type == "code" and has(cell, "solution") and not has(cell, "grade")


def problems(notebook, folder):
    """Yield a sentence for each fault of a source notebook that stands in `folder`."""
    card = notebook.metadata.get("lstm_book", {})
    missing = {"assignment", "title", "minutes", "points", "bugs"} - set(card)
    if missing:
        yield f"the notebook's metadata under lstm_book lack {sorted(missing)}"
        return
    if card["assignment"] != folder:
        yield f"is called {card['assignment']!r} and stands in {folder!r}"
    yield from _of_the_cells(notebook)
    yield from _of_the_text(notebook)
    yield from _of_the_points(notebook, card)
    yield from _of_the_bugs(notebook, card)


def _of_the_cells(notebook):
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"is not a valid notebook: {str(error).splitlines()[0]}"
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    names = [name_of(cell) for cell in marked]
    if not all(names) or len(set(names)) < len(names):
        yield f"the grade_ids must be there and differ: {names}"
    for cell in marked:
        data = cell.metadata["nbgrader"]
        if data.get("schema_version") != 3 or set(data) - KEYS:
            yield f"{name_of(cell)}: nbgrader's metadata of schema 3 are wanted, got {dict(data)}"
        wanted = SOLUTION if has(cell, "solution") else HIDDEN if is_test(cell) else ()
        if name_of(cell) != STUDENT and not all(mark in cell.source for mark in wanted):
            yield f"{name_of(cell)}: lacks the lines {wanted}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or not code[0].source.startswith(SETUP) or name_of(code[0]) != "setup":
        yield "does not begin with the set-up cell, locked, grade_id setup"
    if STUDENT not in names:
        yield f"no cell named {STUDENT}, in which the student writes STUDENT"
    for cell in code:
        if cell.get("outputs") or cell.get("execution_count"):
            yield f"{name_of(cell) or 'a cell'}: a source stores no outputs"
        if "nbgrader" not in cell.metadata:
            yield f"a code cell without a role: {cell.source[:40]!r}"


def _of_the_text(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for kind in KINDS:
        if not re.search(rf"^## .*\b{kind}\b", text, re.MULTILINE):
            yield f"no exercise whose heading (##) says {kind}"
    hints = HINT.findall(text)
    if len(hints) < 6 or hints != ["1", "2", "3"] * (len(hints) // 3):
        yield f"hints must come in ladders of three, two ladders or more, got {hints}"
    if text.count("<details>") != text.count("</details>"):
        yield "a <details> that is not closed"


def _of_the_points(notebook, card):
    scored = [cell for cell in notebook.cells if has(cell, "grade")]
    total = sum(cell.metadata["nbgrader"].get("points", 0) for cell in scored)
    if total != card["points"]:
        yield f"the cells give {counted(total, 'point')}, the metadata say {card['points']}"
    by_hand = sum(c.metadata["nbgrader"].get("points", 0) for c in scored if is_by_hand(c))
    if not BY_HAND[0] <= by_hand <= BY_HAND[1]:
        given = counted(by_hand, "point is", "points are")
        yield f"{given} given by hand, wanted are {BY_HAND[0]} to {BY_HAND[1]}"


def _of_the_bugs(notebook, card):
    answers = {name_of(cell) for cell in notebook.cells if is_answer(cell)}
    points = {name_of(c): c.metadata["nbgrader"]["points"] for c in notebook.cells if is_test(c)}
    bugs = [(cell, bug) for cell, row in card["bugs"].items() for bug in row]
    if len(bugs) < FEWEST_BUGS:
        yield f"{counted(len(bugs), 'wrong answer')}, wanted are {FEWEST_BUGS} or more"
    for cell, bug in bugs:
        if cell not in answers:
            yield f"a wrong answer for {cell!r}, which is no solution cell of code"
        if set(bug) != {"name", "source", "loses"} or not bug["loses"]:
            yield f"a wrong answer of {cell} needs name, source and loses, got {sorted(bug)}"
        elif any(points.get(test) != lost for test, lost in bug["loses"].items()):
            yield f"{bug['name']!r} loses {bug['loses']}, and the tests give {points}"
