"""Every assignment as a class hands it in: solved, untouched, through Colab, and with plausible mistakes."""

import json
import re

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from grading.marks import Batch
from grading.release import release
from grading.sandbox import Limits
from grading.source import SOLUTION, is_answer, is_by_hand, is_test, name_of, read, sources
from tests.grading.synthetic import as_colab_saves

SOURCES = [read(path) for path in sources()]
MARKS = re.compile(rf"^.*({'|'.join(SOLUTION)}).*\n?", re.MULTILINE)


def answered(source, answers):
    """The students' notebook with some cells written."""
    notebook = release(source)
    for cell in notebook.cells:
        cell.source = answers.get(name_of(cell), cell.source)
    return notebook


def right_answers(source):
    """What the source itself answers, also in words."""
    cells = (cell for cell in source.notebook.cells if is_answer(cell) or is_by_hand(cell))
    return {name_of(cell): MARKS.sub("", cell.source) for cell in cells}


def hand_in(folder, student, notebook):
    """Write a submission."""
    for cell in notebook.cells:
        if name_of(cell) == "student":
            cell.source = f'STUDENT = "{student}"'
    path = folder / student / "any name.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), "utf8")


def lost_tests(batch, student):
    """The tests that a submission failed."""
    path = batch.out / "runs" / batch.source.name / f"{student}.json"
    tests = json.loads(path.read_text("utf8"))["result"]["tests"]
    return {name for name, row in tests.items() if not row["passed"]}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_marks_are_what_they_should_be(sandbox, source, tmp_path):
    points = {
        name_of(c): c.metadata["nbgrader"]["points"] for c in source.notebook.cells if is_test(c)
    }
    right = right_answers(source)
    wanted = {"solved": set(), "colab": set(), "untouched": set(points)}
    hand_in(tmp_path / "in", "solved", answered(source, right))
    hand_in(tmp_path / "in", "colab", as_colab_saves(answered(source, right)))
    hand_in(tmp_path / "in", "untouched", release(source))
    for number, bug in enumerate(source.bugs):
        wanted[f"bug-{number}"] = set(bug.loses)
        wrong = answered(source, {**right, bug.cell: bug.source})
        hand_in(tmp_path / "in", f"bug-{number}", wrong)
    batch = Batch(source, tmp_path / "in", tmp_path / "out", Limits(), 1, True)
    rows = {row["student"]: row for row in batch.run()}
    lost = {student: lost_tests(batch, student) for student in wanted}
    assert lost == wanted, {f"bug-{n}": bug.name for n, bug in enumerate(source.bugs)}
    for student, tests in wanted.items():
        left = sum(points.values()) - sum(points[name] for name in tests)
        assert rows[student]["tests"] == left, student
    assert rows["solved"]["waiting"] >= 1 and rows["untouched"]["marks"] == 0
