"""Pages of feedback: whose, with which marks, formulas drawn, and nothing of a student's becomes a tag."""

import re
import time

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from bs4 import BeautifulSoup

from grading.feedback import LONGEST, ours, page, theirs
from grading.judge import blank
from grading.plan import plan
from grading.prose import LONGEST as LONGEST_FORMULA
from grading.prose import formula, typed
from grading.source import read, sources
from tests.grading.pages import HOSTILE, shown

SOURCES = sources()


def test_a_page_says_whose_it_is_and_what_was_earned(small):
    soup = BeautifulSoup(shown(small, "ada <b>"), "html.parser")
    assert soup.h1.text == "ada <b>" and soup.title.text.startswith("ada <b>:")
    assert soup.select_one(".marks").text == "9 of 12 points"
    assert "waits" in soup.select_one("header").text
    links = [link["href"][1:] for link in soup.select("header a")]
    assert len(links) == 4 and all(soup.find(id=name) for name in links)
    assert len(soup.select("section.right")) == 3 and not soup.select("section.wrong")


def test_a_page_says_what_a_test_found_and_what_a_person_wrote(small):
    comments = {"explain": "See $x_t$, and <i>well</i> put."}
    made = shown(small, "bob", waiting=False, passed=False, comments=comments)
    soup = BeautifulSoup(made, "html.parser")
    assert soup.select_one(".marks").text == "0 of 12 points"
    assert "waits" not in soup.select_one("header").text
    assert [pre.text for pre in soup.select("section.wrong pre.wrong")] == [
        "c_t is wrong in 3 of 4 entries."
    ] * 3
    hand = soup.find(id="explain")
    assert hand.find("math") and "<i>well</i> put." in hand.text and not hand.find("i")


def test_an_unreadable_file_is_told(small):
    made = plan(small)
    found = {**blank(made), "unread": "is no notebook: not a text file"}
    soup = BeautifulSoup(page(made, "eve", found, [], {}), "html.parser")
    assert "the file is no notebook" in soup.header.text
    assert "was not run" in soup.select_one("section.wrong").text


def test_nothing_of_a_student_becomes_a_tag(small):
    made = shown(small, "mallory", explain=HOSTILE, extra="x = '</pre><script>'  # ")
    assert made.index("Content-Security-Policy") < made.index("<style>")
    soup = BeautifulSoup(made, "html.parser")
    assert not soup.find_all(["script", "b", "i", "iframe", "object", "image", "form"])
    assert len(soup.find_all("style")) == 1 and "\x1b" not in made
    acting = {"style", "onclick", "onerror", "onload", "srcset"}
    assert [tag for tag in soup.find_all(True) if acting & set(tag.attrs)] == []
    assert [tag["href"] for tag in soup.find_all(href=True) if tag["href"][0] != "#"] == []
    assert [tag.name for tag in soup.find_all(src=True)] == ["img"]
    assert soup.img["alt"] == 'A line that "rises" <by> one.'
    assert soup.img["src"].startswith("data:image/svg+xml;base64,")


def test_formulas_come_out_as_typed_where_they_cannot_be_drawn():
    for tex in (r"\sqrt", r"\def\a{\a\a}\a", "{" * 9000, "a_a_a", "x" * (LONGEST_FORMULA + 1)):
        with pytest.raises(ValueError):
            formula(tex, False)
        assert typed(tex, True).startswith('<code class="typed">')
    assert "<b>" not in formula(r"\text{<b>&lt;b>}", False)
    assert "href" not in formula(r"\href{x}{y}", False)
    assert formula("a < b", False).count("&lt;") == 1


def test_long_texts_are_cut_and_no_text_takes_long():
    start = time.process_time()
    for part in ("$x$", "> ", "[", "*a_", "`", "![](", "$$", "| a |\n|---|\n", "<a", "[a]: b\n"):
        assert "more characters]" in theirs(part * (LONGEST + 2))
    assert time.process_time() - start < 10


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.parent.name)
def test_every_formula_of_an_assignment_is_drawn(path):
    cells = read(path).notebook.cells
    made = "".join(ours(cell.source, "01-a") for cell in cells if cell.cell_type == "markdown")
    soup = BeautifulSoup(made, "html.parser")
    assert soup.find("math") or "$" not in made
    assert soup.select("code.typed") == []
    for tag in soup(["code", "pre", "annotation"]):
        tag.decompose()
    assert "$" not in soup.text and not re.search(r"\\[a-zA-Z]", soup.text)
    assert [a["href"] for a in soup("a") if not a["href"].startswith("https://")] == []
