"""What is wrong with the source of an assignment is told before it is released."""

import pytest

from grading.source import SourceError, cell_of, read, sources
from tests.grading.sources import store, tiny


def test_a_good_source_is_read(tmp_path):
    source = read(store(tiny(), tmp_path))
    assert (source.name, source.minutes, source.points) == ("01-tiny", 5, 8)
    assert [bug.name for bug in source.bugs] == ["a square", "right for one alone", "plus"]
    assert source.bugs[0].cell == "double"
    assert sources(tmp_path) == [source.path]


def without_markers(cell):
    cell.source = cell.source.replace("### BEGIN", "# begin")


def change(notebook, fault):
    """Put one fault into a good source."""
    card = notebook.metadata["lstm_book"]
    if fault == "card":
        del card["minutes"]
    elif fault == "name":
        card["assignment"] = "02-other"
    elif fault == "points":
        card["points"] = 20
    elif fault == "by hand":
        cell_of(notebook, "explain").metadata["nbgrader"]["points"] = 1
    elif fault == "same ids":
        cell_of(notebook, "sign").metadata["nbgrader"]["grade_id"] = "double"
    elif fault == "schema":
        cell_of(notebook, "sign").metadata["nbgrader"]["schema_version"] = 2
    elif fault == "no solution":
        without_markers(cell_of(notebook, "double"))
    elif fault == "no hidden test":
        without_markers(cell_of(notebook, "test-sign"))
    elif fault == "setup":
        cell_of(notebook, "setup").source = "import lstm_lib"
    elif fault == "student":
        notebook.cells.remove(cell_of(notebook, "student"))
    elif fault == "outputs":
        cell_of(notebook, "sign").execution_count = 3
    elif fault == "role":
        del cell_of(notebook, "test-sign").metadata["nbgrader"]
    elif fault == "kinds":
        notebook.cells[6].source = notebook.cells[6].source.replace("Diagnose", "Look")
    elif fault == "hints":
        notebook.cells[3].source = notebook.cells[3].source.replace("Hint 2 of 3", "Hint 3 of 3")
    elif fault == "unclosed":
        notebook.cells[3].source += "<details>"
    elif fault == "few bugs":
        del card["bugs"]["sign"]
    elif fault == "bug of a test":
        card["bugs"]["test-sign"] = card["bugs"].pop("sign")
    elif fault == "bug without loss":
        card["bugs"]["sign"][0]["loses"] = {}
    elif fault == "bug of other points":
        card["bugs"]["sign"][0]["loses"] = {"test-sign": 1}


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("card", r"lack \['minutes'\]"),
        ("name", "is called '02-other' and stands in '01-tiny'"),
        ("points", "the cells give 8 points, the metadata say 20"),
        ("by hand", "1 point is given by hand, wanted are 3 to 6"),
        ("same ids", "grade_ids must be there and differ"),
        ("schema", "sign: nbgrader's metadata of schema 3"),
        ("no solution", "double: lacks the lines"),
        ("no hidden test", "test-sign: lacks the lines"),
        ("setup", "does not begin with the set-up cell"),
        ("student", "no cell named student"),
        ("outputs", "sign: a source stores no outputs"),
        ("role", "a code cell without a role"),
        ("kinds", "no exercise whose heading .* says Diagnose"),
        ("hints", "hints must come in ladders of three"),
        ("unclosed", "a <details> that is not closed"),
        ("few bugs", "2 wrong answers, wanted are 3"),
        ("bug of a test", "a wrong answer for 'test-sign'"),
        ("bug without loss", "a wrong answer of sign needs name, source and loses"),
        ("bug of other points", "'plus' loses .*, and the tests give"),
    ],
)
def test_a_fault_is_named(tmp_path, fault, told):
    notebook = tiny()
    path = store(notebook, tmp_path)
    change(notebook, fault)
    path.unlink()
    import nbformat

    path.write_text(nbformat.writes(notebook))
    with pytest.raises(SourceError, match=told):
        read(path)


def test_no_notebook_at_all(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        read(tmp_path / "assignment.ipynb")
    (tmp_path / "assignment.ipynb").write_text('{"cells": [')
    with pytest.raises(SourceError, match="not a notebook"):
        read(tmp_path / "assignment.ipynb")
