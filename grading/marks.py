"""Grades a folder of submissions: runs what is new, writes the gradebook, the pages and the tables.

Whatever is interrupted is taken up by the next run: a submission's result is a file of its own, written
whole, and the gradebook says which results are in it.
"""

import json
from dataclasses import asdict
from pathlib import Path

from grading import pool
from grading.collect import collect, digest
from grading.feedback import Pages
from grading.files import read_json, replace
from grading.gradebook import Book, notebook_of, write
from grading.judge import blank
from grading.plan import plan
from grading.report import look, summary, write_marks, write_report

LOST = (
    "what its run printed is lost, and there is no file to run again: its marks stand as they are in the "
    "gradebook, and its page of feedback is not renewed"
)
CONFIG = """\
# For nbgrader's form grader:  cd into this folder and start  jupyter notebook
c = get_config()
c.CourseDirectory.root = "."
c.CourseDirectory.db_url = "sqlite:///gradebook.db"
"""


class Batch:
    """A folder of submissions of one assignment, and the folder of its marks.

    Parameters
    ----------
    source : grading.source.Source
    folder, out : Path
    limits : grading.sandbox.Limits
    workers : int
    sandboxed : bool
    others : sequence of str
        Names of other assignments whose files may lie in the folder.
    progress : callable, optional
        Wraps an iterable, as :class:`tqdm.tqdm` does, with its ``total`` and ``desc``.
    """

    def __init__(self, source, folder, out, limits, workers, sandboxed, others=(), progress=None):
        self.source, self.plan = source, plan(source)
        self.folder, self.out = Path(folder).resolve(), Path(out).resolve()
        self.limits, self.workers, self.sandboxed = limits, workers, sandboxed
        self.others = others
        self.progress = progress or (lambda rows, **facts: rows)
        self.found, self.passed = [], []

    def run(self):
        """Grade what is new or changed; return the rows of the marks."""
        self.found, self.passed = collect(self.folder, self.plan, self.others)
        self.out.mkdir(parents=True, exist_ok=True)
        replace(self.out / "nbgrader_config.py", CONFIG)
        name = self.plan["name"]
        replace(self.out / "source" / name / f"{name}.ipynb", self.source.path.read_text("utf-8"))
        with Book(self.out / "gradebook.db") as book:
            book.add(self.source, self.plan)
            self._grade(book)
            return self._write(book)

    def _result(self, student):
        return self.out / "runs" / self.plan["name"] / f"{student}.json"

    def _grade(self, book):
        settings = json.dumps([asdict(self.limits), self.sandboxed])
        wanted = {row.student: digest(row, self.plan, settings) for row in self.found}
        recorded = book.recorded(self.plan["name"])
        todo = []
        for row in self.found:
            if recorded.get(row.student) == wanted[row.student] and self._stored(row.student):
                continue
            stored = self._stored(row.student)
            if stored and stored["digest"] == wanted[row.student]:
                self._record(book, row.student, stored)
            else:
                todo.append(row)
        notes = {row.student: row.notes for row in todo}
        ended = pool.grade(map(self._job, todo), self.workers)
        for job, result in self.progress(ended, total=len(todo), desc="grading"):
            student = job["student"]
            result["notes"] = [*notes[student], *result["notes"]]
            stored = {"digest": wanted[student], "result": result}
            replace(self._result(student), json.dumps(stored))
            self._record(book, student, stored)

    def _stored(self, student):
        return read_json(self._result(student))

    def _job(self, row):
        return {
            "path": str(row.path),
            "student": row.student,
            "plan": self.plan,
            "limits": asdict(self.limits),
            "private": [str(self.folder), str(self.out)],
            "sandboxed": self.sandboxed,
        }

    def _record(self, book, student, stored):
        notebook = notebook_of(self.plan, stored["result"])
        notebook = book.record(self.plan, student, stored["digest"], notebook)
        name = self.plan["name"]
        write(self.out / "autograded" / student / name / f"{name}.ipynb", notebook)

    def _write(self, book):
        """Write pages, marks and report of all that was ever graded into the folder."""
        pages = Pages(self.out / "feedback")
        rows, findings = [], []
        students = sorted(book.recorded(self.plan["name"]).items())
        for student, mark in self.progress(students, total=len(students), desc="feedback"):
            stored = self._stored(student)
            if stored is None:
                result = {**blank(self.plan), "notes": [LOST], "lost": True}
            else:
                result = stored["result"]
                pages.write(book, self.plan, student, mark, result)
            rows.append(summary(self.plan, student, book.grades(self.plan, student), result))
            findings.append((student, look(result)))
        write_marks(self.out / f"{self.plan['name']}.csv", rows)
        write_report(self.out / f"{self.plan['name']}.html", self.plan, rows, findings, self.passed)
        return rows
