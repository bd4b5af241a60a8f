"""Marks in nbgrader's gradebook: nbgrader's own cells, scores and comments, in whole transactions.

One process writes, a submission at a time; a table beside nbgrader's says which version of which
submission is in it. An interruption loses at most the submission being written.
"""

import copy
import os
import re
import sys
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    OverwriteCells,
    SaveAutoGrades,
    SaveCells,
)
from sqlalchemy import text

from grading.files import replace
from grading.release import SETTINGS
from grading.source import SourceError

CREATE = (
    "CREATE TABLE IF NOT EXISTS lstm_book_recorded (assignment TEXT NOT NULL, student TEXT NOT NULL, "
    "digest TEXT NOT NULL, PRIMARY KEY (assignment, student))"
)
RECORD = "INSERT OR REPLACE INTO lstm_book_recorded VALUES (:assignment, :student, :digest)"
READ = "SELECT student, digest FROM lstm_book_recorded WHERE assignment = :assignment"


class _InBook:
    """A preprocessor of nbgrader on an open gradebook, in the transaction that is under way."""

    def preprocess(self, notebook, resources):
        facts = resources["nbgrader"]
        self.gradebook = resources["gradebook"]
        self.notebook_id = self.assignment_id = facts["assignment"]
        self.student_id = facts.get("student")
        for number, cell in enumerate(notebook.cells):
            notebook.cells[number], resources = self.preprocess_cell(cell, resources, number)
        return notebook, resources


class Overwrite(_InBook, OverwriteCells):
    """Holds the cells to those that the gradebook knows."""


class Save(_InBook, SaveAutoGrades):
    """Scores the tests by their outputs, and leaves what a person gave."""


class Book:
    """An open gradebook.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path):
        if not path.exists():
            create(path)
        self.url = f"sqlite:///{path}"
        self.gradebook = Gradebook(self.url)
        self.commit = self.gradebook.db.commit
        self.gradebook.db.execute(text(CREATE))
        self.commit()

    def __enter__(self):
        self.gradebook.db.commit = self.gradebook.db.flush  # nbgrader commits at every step
        return self

    def __exit__(self, *error):
        self.gradebook.db.rollback()
        self.gradebook.close()

    def recorded(self, assignment):
        """Return the digests recorded of an assignment's submissions, by student."""
        rows = self.gradebook.db.execute(text(READ), {"assignment": assignment})
        return {student: digest for student, digest in rows if student}

    def add(self, source, plan):
        """Make an assignment known, or renew its tests; raise SourceError where its cells changed."""
        rows = self.gradebook.db.execute(text(READ), {"assignment": plan["name"]})
        if ("", plan["digest"]) in [tuple(row) for row in rows]:
            return
        self.gradebook.update_or_create_assignment(plan["name"])
        self.commit()
        facts = {"notebook": plan["name"], "assignment": plan["name"], "db_url": self.url}
        try:
            SaveCells().preprocess(master(source), {"nbgrader": facts})
        except RuntimeError:
            raise SourceError(
                f"{plan['name']}: cells were added or removed since the first submissions were "
                "graded into this folder; grade into another one"
            ) from None
        self._mark(plan, "", plan["digest"])
        self.commit()

    def record(self, plan, student, digest, notebook):
        """Write a submission's marks, all or nothing; return its notebook as nbgrader holds it."""
        resources = self._resources(plan, student)
        try:
            self.gradebook.update_or_create_student(student)
            with self.gradebook.db.no_autoflush:
                self.gradebook.update_or_create_submission(plan["name"], student)
            notebook, _ = Overwrite().preprocess(notebook, resources)
            Save().preprocess(notebook, resources)
            self._mark(plan, student, digest)
            self.commit()
        except BaseException:
            self.gradebook.db.rollback()
            raise
        finally:
            self.gradebook.db.expire_all()
        return notebook

    def grades(self, plan, student):
        """Return the grades of a submission: ``name``, ``score``, ``max_score``, ``by_hand``, ``waiting``."""
        found = self.gradebook.find_submission_notebook(plan["name"], plan["name"], student)
        by_hand = {row["grade_id"] for row in plan["cells"] if row["kind"] == "hand"}
        return [
            {
                "name": grade.name,
                "score": grade.score,
                "max_score": grade.max_score,
                "by_hand": grade.name in by_hand,
                "waiting": bool(grade.needs_manual_grade),
            }
            for grade in found.grades
        ]

    def comments(self, plan, student):
        """Return what was said of a submission's answers, by cell."""
        found = self.gradebook.find_submission_notebook(plan["name"], plan["name"], student)
        return {comment.name: comment.comment for comment in found.comments}

    def _mark(self, plan, student, digest):
        row = {"assignment": plan["name"], "student": student, "digest": digest}
        self.gradebook.db.execute(text(RECORD), row)

    def _resources(self, plan, student):
        facts = {"assignment": plan["name"], "student": student}
        return {"nbgrader": facts, "gradebook": self.gradebook}


def create(path):
    """Make an empty gradebook, whole or not at all; nbgrader calls a program that lies beside Python."""
    part, search = path.with_name(f".{path.name}.part"), os.environ.get("PATH", "")
    part.unlink(missing_ok=True)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), search])
    try:
        Gradebook(f"sqlite:///{part}").close()
    finally:
        os.environ["PATH"] = search
    part.replace(path)


def master(source):
    """Return an assignment as nbgrader stores it: without solutions, with its hidden tests."""
    notebook = copy.deepcopy(source.notebook)
    for step in (ClearSolutions, ClearOutput, LockCells, ComputeChecksums):
        notebook, _ = step(config=SETTINGS).preprocess(notebook, {})
    return notebook


def notebook_of(plan, result):
    """Return a graded submission as an instructor opens it, its tests' outcomes as outputs.

    It has the hidden tests and the model answers, which no student may see, and nothing that a browser
    could run, as the form grader would.
    """
    rows = result["cells"] or [{**row, "source": row["visible"]} for row in plan["cells"]]
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL})
    for row in rows:
        notebook.cells.append(_cell(row, result))
        if row["kind"] == "hand":
            model = re.sub(r"^\s*### (BEGIN|END) SOLUTION\s*$", "", row["model"], flags=re.M)
            text = f"**Model answer and rubric** (not shown to students)\n\n{model.strip()}"
            notebook.cells.append(nbformat.v4.new_markdown_cell(text))
    for cell in notebook.cells:
        cell.pop("id", None)
    notebook.nbformat_minor = 4  # cells without ids
    return notebook


def _cell(row, result):
    source = row["full"] if row["kind"] in ("locked", "test") else row["source"]
    if row["type"] == "code":
        cell = nbformat.v4.new_code_cell(source, outputs=outputs(row, result))
        for output in cell.outputs:
            output.get("data", {}).pop("image/svg+xml", None)
    else:
        theirs = row["kind"] == "extra" or row["kind"] == "hand" and source != row["visible"]
        cell = nbformat.v4.new_markdown_cell(without_tags(source) if theirs else source)
    if row["grade_id"]:
        cell.metadata["nbgrader"] = metadata(row)
    return cell


def without_tags(text):
    """Return a text in which nothing is an HTML tag, and which reads as before."""
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", text)


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def metadata(row):
    """Return nbgrader's metadata of a cell of the plan."""
    kind = row["kind"]
    card = {
        "schema_version": 3,
        "grade_id": row["grade_id"],
        "grade": kind in ("test", "hand"),
        "solution": kind in ("hand", "answer", "student"),
        "locked": kind not in ("hand", "answer", "student"),
        "task": False,
    }
    return {**card, "points": row["points"]} if card["grade"] else card


def outputs(row, result):
    """Return a cell's outputs in the notebook's form; of a test, what it found."""
    if row["kind"] == "test":
        outcome = result["tests"].get(row["grade_id"])
        if outcome is None:
            outcome = {"passed": False, "message": "was not run: " + reason(result)}
        return [] if outcome["passed"] else [_error("Failed", outcome["message"], [])]
    made = [_output(output) for output in row.get("outputs", ())]
    error = row.get("error")
    return [*made, _error(*error)] if error else made


def reason(result):
    """Say why a submission, or a part of it, was not run."""
    if result["unread"]:
        return f"the file {result['unread']}"
    return (result["notes"] or ["it broke off"])[-1]


def _output(output):
    if output["kind"] == "stream":
        return nbformat.v4.new_output("stream", name=output["name"], text=output["text"])
    return nbformat.v4.new_output("display_data", data=output["data"])


def _error(name, message, lines):
    trace = [f"{name}: {message}" if message else name, *lines]
    return nbformat.v4.new_output("error", ename=name, evalue=message, traceback=trace)


def write(path, notebook):
    """Write a notebook to a file, whole or not at all."""
    replace(path, nbformat.writes(notebook) + "\n")
