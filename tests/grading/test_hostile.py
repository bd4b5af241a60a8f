"""Hostile submissions: each gets the marks it earned and a reason, and the batch goes on."""

import contextlib
import csv
import fcntl
import json
import os
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from grading.marks import Batch
from grading.plan import plan
from grading.report import look
from grading.sandbox import Limits, environment
from tests.grading.hostile import HOSTILE
from tests.grading.synthetic import FULL, NAME, as_colab_saves, hand_in, submission

LIMITS = Limits(cell=8.0, notebook=90.0, memory=150, disk=16, processes=16, grace=2.0)
WORKERS = 4  # on two cores: much of what is graded here only sleeps
ROOT = Path(__file__).resolve().parents[2]
NESTED = "[" * 100_000
FILES = {
    "empty": (b"", "is empty"),
    "truncated": (None, "only a part of one"),
    "binary": (bytes(range(256)) * 40, "not a text file"),
    "no notebook": ("A letter to my teacher", "not valid JSON"),
    "other json": ({"a": 1}, "no list of cells"),
    "nested": ('{"cells": ' + NESTED, "not valid JSON"),
    "huge": (b"", "is 50 MiB"),
    "odd cells": ({"cells": [1, None, {"cell_type": "code", "source": 5, "metadata": []}] * 9}, ""),
}


@pytest.fixture(scope="module")
def batch(sandbox, small, tmp_path_factory):
    """All hostile submissions and some honest ones, graded; where they lie and what came of them.

    Processes that share the tests share the batch: the first to come grades it.
    """
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "hostile"
    base.mkdir(exist_ok=True)
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "done").exists():
            for name in ("in", "out"):  # of a process that failed
                shutil.rmtree(base / name, ignore_errors=True)
            grade(base, small)
            (base / "done").touch()
    return base / "in", base / "out"


def grade(base, small):
    """Write the submissions into base/in and grade them into base/out."""
    folder, out = base / "in", base / "out"
    folder.mkdir()
    secret = hand_in(folder, "honest", submission(small, "honest"))
    hand_in(folder, "zz honest", submission(small, "zz honest"))
    paths = [str(path) for path in (secret, out / "gradebook.db", small.path, ROOT / "README.md")]
    paths += [str(Path.home() / ".bashrc"), "/etc/passwd", str(base)]
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0)
        port = str(server.getsockname()[1])
        (base / "port").write_text(port)
        for name, (answers, added, _, _) in HOSTILE.items():
            if added is not None:
                added = added.replace("PATHS", repr(paths)).replace("PORT", port)
            hand_in(folder, name, submission(small, name, answers, added))
        for name, (content, _) in FILES.items():
            if content is None:
                content = json.dumps(submission(small, name))[:3000]
            path = hand_in(folder, name, content)
            if name == "huge":
                os.truncate(path, 50 * 2**20)
        (folder / "nothing").mkdir()
        (folder / "link").mkdir()
        (folder / "link" / f"{NAME}.ipynb").symlink_to(secret)
        (folder / "notes.txt").write_text("not a student")
        changed(folder, small)
        Batch(small, folder, out, LIMITS, WORKERS, True).run()
        with contextlib.suppress(BlockingIOError):
            server.accept()
            (base / "reached").touch()


def changed(folder, small):
    """Hand in copies of a right submission, changed as editors and pupils change them."""
    first = submission(small, "tests deleted")
    first.cells = [c for c in first.cells if not c.metadata.get("nbgrader", {}).get("grade")]
    hand_in(folder, "tests deleted", first)
    second = submission(small, "ids twice", {"double": "def double(x):\n    return 0"})
    right = submission(small, "ids twice").cells
    second.cells += [c for c in right if c.metadata.get("nbgrader", {}).get("grade_id") == "double"]
    hand_in(folder, "ids twice", second)
    third = submission(small, "points changed", {"mean": None})
    for one in third.cells:
        if one.metadata.get("nbgrader", {}).get("grade"):
            one.metadata["nbgrader"]["points"] = 1000
            one.source = "pass"
    hand_in(folder, "points changed", third)
    hand_in(folder, "colab", as_colab_saves(submission(small, "colab")))


def marks(out):
    """Return the rows of the marks by student."""
    with open(out / f"{NAME}.csv", encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def result(out, student):
    """Return what is stored of a run."""
    return json.loads((out / "runs" / NAME / f"{student}.json").read_text("utf-8"))["result"]


def shown(out, student):
    """Return all that the cells of a submission printed and raised."""
    return json.dumps([[c.get("outputs"), c.get("error")] for c in result(out, student)["cells"]])


def said(out, student):
    """Return what the report says of a submission."""
    return "\n".join(": ".join(row) for rows in look(result(out, student)).values() for row in rows)


@pytest.mark.parametrize("name", HOSTILE)
def test_each_gets_the_marks_it_earned_and_a_reason(batch, name):
    _, _, earned, phrase = HOSTILE[name]
    assert float(marks(batch[1])[name]["tests"]) == earned, said(batch[1], name)
    assert phrase is None or phrase in said(batch[1], name)


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_notebooks_get_nothing_and_a_reason(batch, name):
    row = marks(batch[1])[name]
    assert float(row["marks"]) == 0
    assert FILES[name][1] in row["state"]


def test_missing_notebooks_and_links_get_nothing_and_a_reason(batch):
    rows = marks(batch[1])
    assert "is not there" in rows["nothing"]["state"]
    assert "is a link" in rows["link"]["state"]
    assert float(rows["link"]["marks"]) == float(rows["nothing"]["marks"]) == 0


def test_the_batch_goes_on_around_them(batch):
    folder, out = batch
    rows = marks(out)
    assert set(rows) == {path.name for path in folder.iterdir() if path.is_dir()}
    assert float(rows["honest"]["tests"]) == float(rows["zz honest"]["tests"]) == FULL
    assert "notes.txt" in (out / f"{NAME}.html").read_text("utf-8")


def test_what_editors_change_costs_nothing(batch):
    rows = marks(batch[1])
    for name in ("tests deleted", "ids twice", "colab"):
        assert float(rows[name]["tests"]) == FULL, said(batch[1], name)
    assert float(rows["points changed"]["tests"]) == FULL - 3
    assert {row["of"] for row in rows.values()} == {"12"}


def test_the_report_says_what_was_stopped_and_why(batch):
    page = (batch[1] / f"{NAME}.html").read_text("utf-8")
    stopped, failed = (page.split(f"<h2>{title}")[1] for title in ("Stopped", "Tests that failed"))
    stopped, failed = (part.split("</table>")[0] for part in (stopped, failed))
    for student, cell, reason in (
        ("loops in a function", "test-mean", "stopped after"),
        ("leaves many in an answer", "double", "started more than 16 processes"),
    ):
        row = f"<td>{student}</td><td>{cell}</td><td>{reason}"
        assert row in stopped and row not in failed
    assert "<td>returns much</td><td>test-mean</td>" in failed


def test_a_figure_that_cannot_be_drawn_is_an_error_as_any_other(batch):
    cell = next(c for c in result(batch[1], "cannot be drawn")["cells"] if c["kind"] == "extra")
    assert cell["error"][0] == "ValueError"


def test_nothing_private_is_seen(batch):
    assert "SAW" not in shown(batch[1], "reads")
    for name in set(os.environ) - {"PWD", *environment("/work")}:
        assert f"'{name}'" not in shown(batch[1], "reads")


def test_nobody_is_reached(batch):
    assert "CONNECTED" not in shown(batch[1], "network")
    assert "Errno" in shown(batch[1], "network")
    assert not (batch[1].parent / "reached").exists()


def test_no_more_is_written_or_taken_than_allowed(batch):
    written = shown(batch[1], "disk").split("WROTE ")[1]
    assert int(written.split("\\")[0]) <= LIMITS.disk + 1
    assert "TOOK" not in shown(batch[1], "memory") + shown(batch[1], "memory of many")
    assert "Memory" in shown(batch[1], "memory")
    assert "MADE" not in shown(batch[1], "memory elsewhere")
    assert "not implemented" in shown(batch[1], "memory elsewhere")


def test_nothing_is_deleted_or_changed(batch):
    folder, out = batch
    assert "REMOVED" not in shown(out, "deletes") and "WROTE" not in shown(out, "deletes")
    assert (folder / "honest" / f"{NAME}.ipynb").exists()
    assert not list((ROOT / "lstm_lib").glob("canary*"))


def test_nothing_runs_on(batch):
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(place.read_bytes())
    left = b"31." + (batch[1].parent / "port").read_bytes()
    assert lines and not [line for line in lines if left in line]


def test_outputs_are_kept_short(batch):
    assert len(shown(batch[1], "prints")) < 60_000
    assert "more characters were printed" in shown(batch[1], "prints")
    assert "UNPICKLED" not in shown(batch[1], "pickles")


def test_pages_of_feedback_forbid_scripts(batch):
    page = (batch[1] / "feedback" / "scripts" / f"{NAME}.html").read_text("utf-8")
    assert "default-src 'none'" in page.split("<style")[0]
    assert "<script>alert" not in page


def test_the_gradebook_is_whole(batch, small):
    from nbgrader.api import Gradebook

    with sqlite3.connect(batch[1] / "gradebook.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Gradebook(f"sqlite:///{batch[1] / 'gradebook.db'}") as book:
        rows = {row.student.id: row.score for row in book.find_assignment(NAME).submissions}
    assert rows == {name: float(row["marks"]) for name, row in marks(batch[1]).items()}
    assert plan(small)["points"] == 12
