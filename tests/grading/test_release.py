"""What students get holds no solution, no hidden test and no model answer."""

import html
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbgrader import utils

from grading import __main__ as command
from grading.release import FOLDED, release, release_all, text_of
from grading.source import HIDDEN, RELEASE, SOLUTION, cell_of, is_by_hand, is_test, read, sources
from tests.grading.sources import store, tiny

ROOT = Path(__file__).parents[2]
SOURCES = [read(path) for path in sources()]
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
LONG = 24  # a shorter line may stand elsewhere by right


def regions(text, marks):
    """The texts between two marks."""
    return re.findall(rf"{marks[0]}\n(.*?)\s*{marks[1]}", text, re.DOTALL)


def secrets(source):
    """Lines that no student may see: of hidden tests and of model answers."""
    for cell in source.notebook.cells:
        marks = HIDDEN if is_test(cell) else SOLUTION if is_by_hand(cell) else None
        for region in regions(cell.source, marks) if marks else ():
            lines = (line.strip() for line in region.splitlines())
            yield from (
                x for x in lines if len(x) >= LONG and not x.startswith(("from ", "import "))
            )


def passages(source):
    """Two lines of a secret together: one alone may stand in the library by chance."""
    lines = [squeezed(line) for line in secrets(source)]
    return {first + second for first, second in zip(lines, lines[1:], strict=False)}


def shown(source):
    """What the release shows, as one text."""
    return "\n".join(cell.source for cell in release(source).cells)


def squeezed(text):
    """A text without its white space, in which a line is found however it was wrapped."""
    return re.sub(r"\s+", "", text)


@pytest.fixture
def source(tmp_path):
    return read(store(tiny(), tmp_path))


def test_stubs_stand_in_for_solutions(source):
    made = release(source)
    assert cell_of(made, "double").source.endswith('raise NotImplementedError("not written yet")')
    assert cell_of(made, "explain").source == "*Why?*\n\nYOUR ANSWER HERE"
    assert cell_of(made, "student").source == 'STUDENT = "your name"'
    assert cell_of(made, "test-double").source == 'assert double(1) == 2, "twice one is two"'


def test_nothing_of_the_source_is_left(source):
    text = text_of(release(source))
    assert [mark for mark in MARKERS if mark in text] == []
    assert "twice three" not in text and "turns a sum" not in text and "a square" not in text


def test_tests_are_locked_and_summed(source):
    cell = cell_of(release(source), "test-double")
    assert cell.metadata["editable"] is False and cell.metadata["deletable"] is False
    assert cell.metadata["nbgrader"]["checksum"] == utils.compute_checksum(cell)


def test_checks_alone_are_folded_on_the_page(source):
    folded = {
        cell.metadata["nbgrader"]["grade_id"]
        for cell in release(source).cells
        if cell.metadata.get("mystnb") == FOLDED["mystnb"]
    }
    assert folded == {name for name in folded if name.startswith("test-")} != set()
    assert "tags" not in cell_of(release(source), "double").metadata


def test_the_source_itself_is_untouched_and_the_release_always_the_same(source):
    before = nbformat.writes(source.notebook)
    assert text_of(release(source)) == text_of(release(source))
    assert nbformat.writes(source.notebook) == before


def test_one_bad_source_and_nothing_is_written(tmp_path, capsys):
    good = store(tiny("01-good"), tmp_path)
    bad = tiny("02-bad")
    bad.metadata["lstm_book"]["points"] = 1
    assert command.main(["release", str(good), str(store(bad, tmp_path))]) == 1
    assert "02-bad" in capsys.readouterr().err
    assert not good.with_name(RELEASE).exists()


def test_a_release_is_written_once(tmp_path, capsys):
    path = store(tiny(), tmp_path)
    release_all([path])
    release_all([path])
    assert capsys.readouterr().out.split("\n")[:2] == [
        "01-tiny/exercises.ipynb: written",
        "01-tiny/exercises.ipynb: unchanged",
    ]
    assert [p.name for p in path.parent.iterdir() if p.name not in (RELEASE, path.name)] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_stored_release_is_what_the_source_gives(source):
    stored = source.path.with_name(RELEASE)
    assert stored.read_text("utf8") == text_of(release(source)), "make assignments"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_no_secret_is_in_the_release(source):
    hidden = list(secrets(source))
    text = source.path.with_name(RELEASE).read_text("utf8")
    assert len(hidden) >= 4
    assert [mark for mark in MARKERS if mark in text] == []
    plain = squeezed(shown(source))
    assert [line for line in hidden if squeezed(line) in plain] == []
    solutions = [
        region
        for cell in source.notebook.cells
        for region in regions(cell.source, SOLUTION)
        if len(region) >= LONG
    ]
    assert [region for region in solutions if squeezed(region) in plain] == []


def plain_text(path):
    """What a page, a notebook or a text file says, without white space."""
    text = path.read_text("utf8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return squeezed(html.unescape(re.sub(r"<[^>]+>", "", text)))


def found_in(path, lines):
    """Which of the lines a file says."""
    text = plain_text(path)
    return [line for line in lines if line in text]


def test_no_secret_is_in_the_built_book():
    """Neither in the pages nor in their sources for download, if the book was built here."""
    built = ROOT / "_build" / "html"
    if not (built / "index.html").exists():
        pytest.skip("the book is not built here: make book")
    assert list(built.rglob("assignment*")) == []
    hidden = set().union(*map(passages, SOURCES), map(squeezed, MARKERS))
    pages = [p for kind in ("html", "ipynb", "md") for p in built.rglob(f"*.{kind}")]
    found = [(path.name, line) for path in pages for line in found_in(path, hidden)]
    assert len(pages) > 50 and found == []
