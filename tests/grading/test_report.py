"""What an instructor reads after a batch."""

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from grading.judge import blank
from grading.outputs import clean
from grading.plan import plan
from grading.report import look, write_report
from grading.words import counted


def a_result(small):
    """A result in which one of each kind of thing happened."""
    made = plan(small)
    result = blank(made)
    result["cells"] = [{**row, "error": None} for row in made["cells"]]
    result["cells"].append({"kind": "extra", "grade_id": None, "error": ["MemoryError", "", []]})
    result["cells"][3]["error"] = ["ValueError", "no", []]
    result["stopped"] = [["test-double", "stopped after 8 s"]]
    result["notes"] = ["double imports lstm_lib.reference"]
    result["tests"] = {
        "test-double": {"passed": False, "message": "stopped after 8 s", "stopped": True},
        "test-mean": {"passed": False, "message": "not true", "stopped": False},
    }
    return made, result


def test_what_was_stopped_is_told_apart_from_what_failed(small):
    _, result = a_result(small)
    stopped = [
        ("test-double", "stopped after 8 s"),
        ("test-guess", "was not run"),
        ("an added cell", "ran out of memory"),
    ]
    notes = [("double imports lstm_lib.reference",)]
    failed = [("test-mean", "not true")]
    assert look(result) == {"stopped": stopped, "notes": notes, "failed": failed}


def test_one_is_no_plural(small, tmp_path):
    made, result = a_result(small)
    row = {"student": "ann", "state": "marked", "marks": 1.0, "waiting": 1}
    write_report(tmp_path / "one.html", made, [row], [("ann", look(result))], [])
    page = (tmp_path / "one.html").read_text("utf-8")
    assert "<p>1 submission, " in page and " 1 waits for a mark by hand" in page
    assert "<td>ann</td><td>1 answer</td>" in page
    write_report(tmp_path / "two.html", made, [row, {**row, "waiting": 2}], [], [])
    page = (tmp_path / "two.html").read_text("utf-8")
    assert "<p>2 submissions, " in page and " 2 wait for a mark by hand" in page
    assert "2 answers" in page


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        ([0, 0], []),
        ([1, 0], ["1 more character was printed and left out"]),
        ([5000, 2], ["5,000 more characters were printed", "2 more outputs were shown"]),
        ([-1, "x"], []),
        ("nonsense", []),
    ],
)
def test_what_was_cut_is_said(cut, told):
    outputs, _, _ = clean([[], None, cut])
    assert len(outputs) == len(told)
    assert all(part in output["text"] for part, output in zip(told, outputs, strict=True))


def test_numbers_and_nouns_agree():
    assert [counted(n, "answer") for n in (0, 1, 2)] == ["0 answers", "1 answer", "2 answers"]
