"""The marks of a term, from those of its assignments."""

import csv

import pytest

from grading.report import write_marks
from grading.term import write_term


@pytest.fixture
def out(tmp_path):
    def row(student, name, marks, waiting=0):
        zeros = {"tests": marks, "by_hand": 0, "state": "marked"}
        row = {"student": student, "assignment": name, "marks": marks, "of": 20.0}
        return {**row, "waiting": waiting, **zeros}

    write_marks(tmp_path / "02-b.csv", [row("ada", "02-b", 20.0), row("=ben", "02-b", 10.0, 2)])
    write_marks(tmp_path / "04-d.csv", [row("ada", "04-d", 15.0)])
    (tmp_path / "of-my-own.csv").write_text("name,grade\nada,1\n", encoding="utf-8")
    (tmp_path / "of-old.csv").write_bytes("Schüler;Größe\n".encode("latin-1"))
    return tmp_path


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_row_for_each_student_and_nothing_handed_in_is_zero(out):
    assert read(write_term(out)) == [
        ["student", "02-b", "04-d", "mean", "waiting"],
        ["'=ben", "50.0", "", "25.0", "2"],
        ["ada", "100.0", "75.0", "87.5", "0"],
    ]


def test_the_best_count(out):
    write_term(out)
    assert [row[-2] for row in read(write_term(out, best=1))] == ["mean", "50.0", "100.0"]


@pytest.mark.parametrize("best", [0, 3])
def test_more_than_there_are_cannot_count(out, best):
    with pytest.raises(ValueError, match="holds marks of 2"):
        write_term(out, best)
    assert not (out / "term.csv").exists()
