"""A batch as an instructor runs it: interrupted, taken up again, with marks by hand, without a sandbox."""

import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from nbgrader.api import Gradebook

from benchmarks import grading as speed
from benchmarks import record
from grading import __main__ as command
from grading import gradebook as books
from grading.feedback import page
from grading.gradebook import Book, notebook_of
from grading.judge import blank
from grading.marks import Batch
from grading.plan import plan
from grading.sandbox import Limits
from grading.source import read, sources
from tests.grading.sources import store, tiny
from tests.grading.synthetic import FULL, NAME, hand_in, submission

LIMITS = Limits(cell=6.0, notebook=60.0, memory=300, disk=16, grace=2.0)
ROOT = Path(__file__).resolve().parents[2]


def rows(path):
    """Return the rows of a table of marks by student."""
    with open(path, encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def graded(small, base, **changes):
    """Grade what lies in base/in into base/out; return the rows of the marks."""
    settings = {"limits": LIMITS, "workers": 2, "sandboxed": True, **changes}
    Batch(small, base / "in", base / "out", **settings).run()
    return rows(base / "out" / f"{NAME}.csv")


def times(out):
    """Return when the result of each student was written."""
    return {path.stem: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.json")}


def test_the_solution_scores_full_marks_and_the_release_none(sandbox, small, tmp_path):
    hand_in(tmp_path / "in", "right", submission(small, "right"))
    hand_in(
        tmp_path / "in",
        "untouched",
        submission(small, "untouched", dict.fromkeys(("double", "mean", "guess", "explain"))),
    )
    (tmp_path / "in" / "alone.ipynb").write_text(json.dumps(submission(small, "someone else")))
    found = graded(small, tmp_path)
    assert (found["right"]["tests"], found["right"]["waiting"]) == ("9.0", "1")
    assert (found["untouched"]["marks"], found["untouched"]["waiting"]) == ("0.0", "0")
    assert found["alone"]["tests"] == "9.0"
    report = (tmp_path / "out" / f"{NAME}.html").read_text("utf-8")
    assert "STUDENT is &#x27;someone else&#x27;" in report
    page = (tmp_path / "out" / "feedback" / "untouched" / f"{NAME}.html").read_text("utf-8")
    assert "NotImplementedError: not written yet" in page
    for hidden in ("np.arange(3.0)", "mean_of(double, 5)", "Because it is so"):
        assert hidden not in page


def test_marks_by_hand_survive_and_only_what_changed_is_run_again(sandbox, small, tmp_path):
    for student in ("ann", "bob"):
        hand_in(tmp_path / "in", student, submission(small, student))
    graded(small, tmp_path)
    before = times(tmp_path / "out")
    with Gradebook(f"sqlite:///{tmp_path / 'out' / 'gradebook.db'}") as book:
        grade = book.find_grade("explain", NAME, NAME, "ann")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        book.find_comment("explain", NAME, NAME, "ann").manual_comment = "Well put."
        book.db.commit()
    path = tmp_path / "in" / "bob" / f"{NAME}.ipynb"
    path.write_text(json.dumps(submission(small, "bob", {"guess": "guess = -1"})))
    found = graded(small, tmp_path)
    assert (found["ann"]["marks"], found["ann"]["waiting"]) == ("11.5", "0")
    assert found["bob"]["tests"] == "7.0"
    after = times(tmp_path / "out")
    assert [student for student in after if after[student] != before[student]] == ["bob"]
    assert "Well put." in (tmp_path / "out" / "feedback" / "ann" / f"{NAME}.html").read_text(
        "utf-8"
    )


def test_marks_stand_where_a_run_and_its_file_are_lost(sandbox, small, tmp_path):
    for student in ("ann", "bob"):
        hand_in(tmp_path / "in", student, submission(small, student))
    before = graded(small, tmp_path)
    shutil.rmtree(tmp_path / "in" / "ann")
    next((tmp_path / "out" / "runs").rglob("ann.json")).unlink()
    pages = {
        page: page.read_text("utf-8") for page in (tmp_path / "out" / "feedback").rglob("*.html")
    }
    after = graded(small, tmp_path)
    assert after["ann"] == {**before["ann"], "state": "its run is lost"}
    assert after["bob"] == before["bob"]
    assert all(page.read_text("utf-8") == text for page, text in pages.items())
    report = (tmp_path / "out" / f"{NAME}.html").read_text("utf-8")
    assert report.count("what its run printed is lost") == 1


def test_a_second_grading_into_a_folder_is_refused(sandbox, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    source = store(tiny(), tmp_path / "chapters")
    line = ["grade", str(tmp_path / "in"), str(tmp_path / "out"), "--source", str(source)]
    with FileLock(tmp_path / "out" / ".grading.lock"):
        assert command.main(line) == 1
    assert "is being written by another grading" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.db"))
    assert command.main(line) == 0 and (tmp_path / "out" / "term.csv").exists()


def test_what_an_instructor_opens_has_model_answers_and_nothing_to_run(small):
    made = plan(small)
    cells = [{**row, "source": row["visible"]} for row in made["cells"]]
    cells[-1]["source"] = (
        "I say <script>alert(1)</script> and <img src=x onerror=alert(1)>, as 1 < 2."
    )
    svg = {"kind": "display", "data": {"text/plain": "a picture", "image/svg+xml": "<svg/>"}}
    cells[3]["outputs"] = [svg]
    result = {**blank(made), "cells": cells}
    text = nbformat.writes(notebook_of(made, result))
    assert "<script" not in text and "<img" not in text and "svg" not in text and "1 < 2" in text
    assert "Because it is so." in text and "np.arange(3.0)" in text and "BEGIN SOLUTION" not in text
    text = page(made, "ann", result, [], {})
    assert "Because it is so." not in text and "np.arange(3.0)" not in text and "svg" in text
    assert "<script" not in text and "<img src=x" not in text and "1 &lt; 2" in text


def test_a_generated_class_writes_its_own_names(small, tmp_path):
    speed.hand_in(small, tmp_path, 2)
    for path in tmp_path.rglob("*.ipynb"):
        assert f'STUDENT = "{path.parent.name}"' in nbformat.read(path, 4).cells[1].source


def test_how_long_a_class_takes_is_measured_by_one_command(sandbox, tmp_path, capsys):
    path = store(tiny(), tmp_path / "chapters")
    speed.main(["--source", str(path), "--count", "3", "--out", str(tmp_path)])
    (row,) = json.loads((tmp_path / "grading.json").read_text("utf-8"))["rows"]
    assert (row["submissions"], row["full marks"], row["workers"]) == (3, 1, 2)
    assert row["seconds"] > 0 and row["MiB, all processes"] > 0
    assert "submissions: 3" in capsys.readouterr().out


def test_what_the_guide_says_of_a_class_was_measured():
    stored = json.loads((record.RESULTS / "grading.json").read_text("utf-8"))
    (row,) = stored["rows"]
    guide = (ROOT / "book" / "instructors.md").read_text("utf-8")
    said = re.search(
        r"(\d+) submissions of the first assignment took (\d+) seconds and at most (\d+) MiB", guide
    )
    found = row["submissions"], round(row["seconds"]), row["MiB, all processes"]
    assert tuple(map(int, said.groups())) == found
    assert (row["submissions"], row["workers"], stored["machine"]["cores"]) == (200, 2, 2)
    assert row["seconds"] < 30 * 60
    grader = row["MiB, the grader in each fifth of the time"]
    assert max(grader) <= 1.25 * min(grader), "memory is flat"
    (own,) = re.findall(r"the grader itself had (\d+) from the first to the last", guide)
    assert all(abs(part - int(own)) <= 5 for part in grader)
    kinds = len(list(speed.versions(read(sources()[0]))))
    assert kinds == 13 and "Twelve in thirteen of them were wrong or empty" in guide
    assert row["full marks"] == len(range(0, row["submissions"], kinds))


def test_a_killed_batch_goes_on_where_it_stopped(sandbox, tmp_path):
    path = store(tiny(), tmp_path / "chapters")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(5):
        notebook = nbformat.read(path, 4)
        notebook.cells.append(nbformat.v4.new_code_cell("import time; time.sleep(0.5)"))
        (folder / f"s{number}.ipynb").write_text(json.dumps(notebook))
    line = [
        sys.executable,
        "-m",
        "grading",
        "grade",
        folder,
        out,
        "--source",
        path,
        "--workers",
        "1",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        line, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + 120
    while len(times(out)) < 2 and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = times(out)
    with sqlite3.connect(out / "gradebook.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    subprocess.run(line, env=environment, check=True, capture_output=True)
    found = rows(out / "01-tiny.csv")
    assert {student: row["tests"] for student, row in found.items()} == dict.fromkeys(
        (f"s{number}" for number in range(5)), "5.0"
    )
    after = times(out)
    assert all(after[student] == before[student] for student in before) and len(before) < 5


def test_a_failure_while_a_submission_is_written_leaves_nothing_of_it(small, tmp_path, monkeypatch):
    made = plan(small)
    result = {**blank(made), "tests": {"test-double": {"passed": True, "message": ""}}}
    with Book(tmp_path / "gradebook.db") as book:
        book.add(small, made)
        seen = []

        def fail(self, cell, resources, number):
            seen.append(cell)
            if len(seen) == 6:
                raise OSError("no space left")
            return original(self, cell, resources, number)

        original = books.Save.preprocess_cell
        monkeypatch.setattr(books.Save, "preprocess_cell", fail)
        with pytest.raises(OSError):
            book.record(made, "ann", "digest", notebook_of(made, result))
        monkeypatch.undo()
        assert book.recorded(NAME) == {} and book.gradebook.students == []
        book.record(made, "ann", "digest", notebook_of(made, result))
        assert [row["score"] for row in book.grades(made, "ann")].count(4.0) == 1
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        assert book.find_submission(NAME, "ann").score == 4.0


def test_grading_without_a_sandbox_keeps_the_limits_and_warns(small, tmp_path):
    hand_in(tmp_path / "in", "right", submission(small, "right"))
    stays = "while True:\n    try:\n        import time; time.sleep(9)\n    except BaseException:\n        pass"
    hand_in(tmp_path / "in", "stays", submission(small, "stays", None, stays))
    forks = "import os, time\nfor _ in range(40):\n    if not os.fork():\n        time.sleep(5)\n        os._exit(0)\ntime.sleep(5)"
    hand_in(tmp_path / "in", "forks", submission(small, "forks", None, forks))
    few = dataclasses.replace(LIMITS, processes=16)
    found = graded(small, tmp_path, sandboxed=False, limits=few)
    assert [row["tests"] for row in found.values()] == [f"{FULL}.0"] * 3
    report = (tmp_path / "out" / f"{NAME}.html").read_text("utf-8")
    assert "still running" in report and "more than 16 processes" in report
