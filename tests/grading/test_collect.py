"""Which of the files of a folder are whose, and which of a student's are meant."""

import json
import os

import pytest

from grading.collect import collect

PLAN = {"name": "04-d"}


@pytest.fixture
def put(tmp_path):
    """Write a notebook that says which assignment it is, some seconds after the one before."""
    seconds = iter(range(100))

    def put(name, assignment=None):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        card = {"lstm_book": {"assignment": assignment}} if assignment else {}
        path.write_text(json.dumps({"cells": [], "metadata": card}), "utf-8")
        now = next(seconds)
        os.utime(path, (now, now))
        return path

    return put


def chosen(folder, others=()):
    """The name of the file that was taken, by student."""
    return {row.student: row.path.name for row in collect(folder, PLAN, others)[0]}


def test_the_newest_is_taken_of_those_that_may_be_meant(put, tmp_path):
    put("ada/first.ipynb", "04-d")
    put("ada/second.ipynb", "04-d")
    put("ada/of another.ipynb", "05-e")
    put("ben/pasted.ipynb")
    put("cem/04-mine.ipynb", "05-e")
    put("dan/of another.ipynb", "05-e")
    sure = {"ada": "second.ipynb", "cem": "04-mine.ipynb"}
    assert chosen(tmp_path, ["05-e"]) == sure
    assert chosen(tmp_path) == {**sure, "ben": "pasted.ipynb", "dan": "of another.ipynb"}
    notes = {row.student: row.notes for row in collect(tmp_path, PLAN)[0]}
    assert notes["ada"] == ("2 notebooks; the newest was taken, second.ipynb",)
    assert notes["ben"] == ()


def test_what_is_no_file_is_not_waited_for(put, tmp_path):
    put("ada/mine.ipynb", "04-d")
    os.mkfifo(tmp_path / "ada" / "pipe.ipynb")
    assert chosen(tmp_path, ["05-e"]) == {"ada": "mine.ipynb"}


def test_a_name_that_no_report_could_show_is_passed_over(put, tmp_path):
    put("ada.ipynb", "04-d")
    try:
        put(os.fsdecode(b"bj\xf6rn.ipynb"), "04-d")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    rows, passed = collect(tmp_path, PLAN)
    assert [row.student for row in rows] == ["ada"]
    assert passed == ["bj?rn.ipynb (its name is not in UTF-8: give it another)"]
