"""Papers from the bank of examination questions."""

import re

import pytest

from grading import __main__ as command
from grading.exam import BANK, draw, printed, read_bank, write
from grading.source import ROOT, SourceError, sources

QUESTION = "## {} ({} points)\n\nWhat is {}?\n\n### Answer\n\nIt is.\n\n| points | for |\n|---|---|\n| {} | it |\n\n"


@pytest.fixture
def bank(tmp_path):
    for chapter in ("01-a", "02-b"):
        text = "".join(QUESTION.format(f"{chapter} {n}", n, n, n) for n in (2, 3, 4, 5))
        (tmp_path / f"{chapter}.md").write_text(f"# Questions\n\n{text}")
    return read_bank(tmp_path)


def test_the_bank_itself_is_whole():
    bank = read_bank()
    assert set(bank) == {path.parent.name for path in sources()}
    for chapter, questions in bank.items():
        assert len(questions) >= 5, chapter
        assert len({question.title for question in questions}) == len(questions)
        assert sum(question.points for question in questions) >= 20, chapter


@pytest.mark.parametrize("points", [2, 9, 13, 28])
def test_a_paper_has_the_points_asked_for(bank, points):
    for seed in range(5):
        paper = draw(bank, ["01", "02"], points, seed)
        assert sum(question.points for question in paper) == points
        assert len(set(paper)) == len(paper)


def test_every_chapter_has_its_share(bank):
    for seed in range(20):
        paper = draw(bank, ["02", "01"], 14, seed)
        assert [question.chapter for question in paper] == sorted(q.chapter for q in paper)
        assert {question.chapter for question in paper} == {"01-a", "02-b"}


def test_seeds_make_papers(bank):
    papers = {tuple(draw(bank, ["01", "02"], 14, seed)) for seed in range(10)}
    assert len(papers) > 3
    assert draw(bank, ["01"], 9, 3) == draw(bank, ["01"], 9, 3)


def test_what_cannot_be_had_is_told(bank):
    with pytest.raises(SourceError, match="no choice gives 100 points; all 4 give 14"):
        draw(bank, ["01"], 100, 0)
    with pytest.raises(SourceError, match="'03' names 0 chapters; there are 01-a, 02-b"):
        draw(bank, ["03"], 5, 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("## A (2 points)\n\nWhat?\n", "and, under '### Answer', an answer"),
        ("## A (2 points)\n\nWhat?\n\n### Answer\n\nSo.\n\n| 1 | for it |\n", "the rubric gives 1"),
    ],
)
def test_a_faulty_question_is_told(tmp_path, text, told):
    (tmp_path / "01-a.md").write_text(text)
    with pytest.raises(SourceError, match=told):
        read_bank(tmp_path)


def test_the_paper_keeps_the_answers_back(bank, tmp_path):
    paper, key = write(draw(bank, ["01"], 9, 0), tmp_path / "new" / "folder")
    assert "Answer" not in paper.read_text() and "It is." not in paper.read_text()
    assert key.read_text().count("It is.") == paper.read_text().count("What is")
    assert "9 points" in paper.read_text()


def test_a_page_to_print_has_its_formulas_drawn(tmp_path):
    questions = read_bank()["04-lstm-cell"]
    page = printed(write(questions, tmp_path)[1]).read_text("utf8")
    assert page.count("<table>") >= len(questions)
    assert "<math" in page and "$" not in page and "\\" not in page


def test_the_command(tmp_path, capsys):
    asked = ["exam", str(tmp_path / "out"), "--chapters", "04", "--points", "10", "--seed", "2"]
    assert command.main(asked) == 0
    assert "key.md" in capsys.readouterr().out
    assert "<table>" in (tmp_path / "out" / "key.html").read_text("utf8")
    assert "Answer" not in (tmp_path / "out" / "paper.html").read_text("utf8")
    assert command.main([*asked[:-4], "--points", "999"]) == 1
    assert "no choice gives 999" in capsys.readouterr().err


def test_no_answer_is_in_a_release_or_in_the_book():
    """By their longest sentences."""
    pages = [*(ROOT / "chapters").rglob("*.md"), *(ROOT / "chapters").rglob("exercises.ipynb")]
    text = re.sub(r"\s+", " ", " ".join(page.read_text("utf8") for page in pages))
    for questions in read_bank(BANK).values():
        for question in questions:
            first = re.sub(r"\s+", " ", question.answer.partition("\n|")[0]).strip()
            assert first[:60] not in text, question.title
