"""Every assignment as a class hands it in: solved, untouched, through Colab, and with plausible mistakes."""

import json

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from grading import pool
from grading.marks import Batch
from grading.release import release
from grading.sandbox import Limits
from grading.source import is_test, name_of, read, sources
from tests.grading import shortcuts
from tests.grading.synthetic import as_colab_saves

SOURCES = [read(path) for path in sources()]


def answered(source, answers):
    """The students' notebook with some cells written."""
    notebook = release(source)
    for cell in notebook.cells:
        cell.source = answers.get(name_of(cell), cell.source)
    return notebook


def hand_in(folder, student, notebook):
    """Write a submission."""
    for cell in notebook.cells:
        if name_of(cell) == "student":
            cell.source = f'STUDENT = "{student}"'
    path = folder / student / "any name.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), "utf8")


def marks(source, base):
    """Grade what lies in a folder; return of each student what the lost tests say, and the rows of the marks."""
    batch = Batch(source, base / "in", base / "out", Limits(), 1, True)
    rows = {row["student"]: row for row in batch.run()}
    return {student: lost_tests(batch, student) for student in rows}, rows


def lost_tests(batch, student):
    """The tests that a submission failed, with what they say."""
    path = batch.out / "runs" / batch.source.name / f"{student}.json"
    tests = json.loads(path.read_text("utf8"))["result"]["tests"]
    return {name: row["message"] for name, row in tests.items() if not row["passed"]}


def points(source):
    """The points of the tests by name."""
    return {
        name_of(c): c.metadata["nbgrader"]["points"] for c in source.notebook.cells if is_test(c)
    }


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_solution_earns_all_and_the_untouched_release_nothing(sandbox, source, tmp_path):
    right, total = answered(source, source.answers()), sum(points(source).values())
    hand_in(tmp_path / "in", "solved", right)
    hand_in(tmp_path / "in", "colab", as_colab_saves(right))
    hand_in(tmp_path / "in", "untouched", release(source))
    lost, rows = marks(source, tmp_path)
    assert lost["solved"] == lost["colab"] == {} and set(lost["untouched"]) == set(points(source))
    said = lost["untouched"].values()
    assert not [message for message in said if "NameError" in message], said
    assert rows["solved"]["tests"] == rows["colab"]["tests"] == total
    assert rows["solved"]["waiting"] >= 1 and rows["untouched"]["marks"] == 0
    assert (tmp_path / "out" / "feedback" / "solved" / f"{source.name}.html").exists()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_wrong_answers_lose_exactly_what_they_should(source, tmp_path, monkeypatch):
    monkeypatch.setattr(pool.judge, "main", shortcuts.main)
    wanted, names = {}, {}
    for number, bug in enumerate(source.bugs):
        student = f"bug-{number}"
        wanted[student], names[student] = set(bug.loses), bug.name
        wrong = answered(source, {**source.answers(), bug.cell: bug.source})
        hand_in(tmp_path / "in", student, wrong)
    lost, rows = marks(source, tmp_path)
    assert {student: set(tests) for student, tests in lost.items()} == wanted, names
    left = {
        student: sum(points(source)[test] for test in set(points(source)) - tests)
        for student, tests in wanted.items()
    }
    assert {student: row["tests"] for student, row in rows.items()} == left
