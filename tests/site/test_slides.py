"""Slides of every chapter: one file each that asks for nothing, with notes, nothing cut off."""

import re

import pytest
from bs4 import BeautifulSoup

pytest.importorskip("latex2mathml", reason="requirements-instructor.txt is not installed")

from grading.prose import formula
from lstm_lib.claims import Claim
from slides import __main__ as command
from slides.chapter import (
    Slide,
    chapters,
    lead,
    plain,
    points,
    question,
    section,
    state,
    with_numbers,
)
from slides.page import page, table

NAMES = [folder.name for folder in chapters()]
MARKUP = re.compile(r"\{(measured|bound|baseline|cite|term|numref)|```|\\begin|\$\$|!\[|\]\(")
TOO_LARGE = """() => {
  const found = [];
  for (const slide of document.querySelectorAll('.slides section')) {
    if (slide.querySelector(':scope > section')) continue;
    const place = Reveal.getIndices(slide);
    Reveal.slide(place.h, place.v);
    if (slide.scrollHeight > 700 || slide.scrollWidth > 1125)
      found.push([slide.innerText.slice(0, 60), slide.scrollWidth, slide.scrollHeight]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    assert command.main(["--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_is_whole_and_asks_for_nothing(decks, name):
    text = (decks / f"{name}.html").read_text("utf8")
    soup = BeautifulSoup(text, "html.parser")
    slides = [one for one in soup.select(".slides section") if not one.select_one("section")]
    assert len(slides) > 12
    assert len(slides[0].select_one(".question").text) > 40 and slides[0].img
    assert [one.h2.text for one in slides if "Reading time" in one.select_one("h2 + *").text] == []
    assert [one.h2.text for one in slides if not one.select_one("aside.notes").text.strip()] == []
    assert [img["alt"] for img in soup.find_all("img") if len(img["alt"]) < 20] == []
    asked = [tag.get("src") or tag.get("href") for tag in soup.select("[src], link[href]")]
    assert [address for address in asked if not address.startswith("data:")] == []
    for style in soup.find_all("style"):
        assert "@import" not in style.text
        assert re.findall(r"url\((?![\"']?(?:data:|#))[^)]*\)", style.text) == []
    shown = " ".join(one.get_text(" ") for one in slides)
    assert [shown[m.start() - 30 : m.end() + 30] for m in MARKUP.finditer(shown)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_in_a_browser(decks, chromium, name):
    view = chromium.new_page(viewport={"width": 1120, "height": 700})
    said, asked = [], []
    view.on("console", lambda one: said.append(one.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("request", lambda one: asked.append(one.url))
    view.goto((decks / f"{name}.html").as_uri())
    view.wait_for_function("window.Reveal && Reveal.isReady()")
    assert view.evaluate(TOO_LARGE) == []
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    view.set_viewport_size({"width": 390, "height": 800})
    view.reload()
    assert view.evaluate("document.documentElement.scrollWidth") == 390
    assert view.evaluate(
        "[...document.querySelectorAll('section > h2')].every(h => h.offsetHeight)"
    )
    view.close()


def test_numbers_come_from_the_claims():
    text = with_numbers(
        "It is {measured}`04-lstm-cell/by-hand#sigma-of-zero`, {term}`gate <gate>`."
    )
    assert text == "It is 0.5, gate."
    with pytest.raises(KeyError):
        with_numbers("{measured}`04-lstm-cell/by-hand#no-such-claim`")


def test_a_section_becomes_pictures_equations_and_notes(tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    body = "Words.\n\n$$\na = b\n$$\n\n```{image} a.svg\n:alt: A picture of it.\n```\n\nMore words."
    first, second = section("Part", body, tmp_path)
    assert first.parts == [("math", "a = b")] and "Words." in first.notes[0]
    assert second.parts == [("svg", "<svg/>")] and second.notes[0] == "A picture of it."


def test_texts_are_cut_at_sentences():
    assert lead("One. Two three. Four.", longest=16) == "One. Two three."
    assert lead("A very long first sentence stays whole.", longest=5).endswith("whole.")
    assert plain("(here)=\nA [link](x.md) and text.") == "A link and text."


def test_a_list_is_made_of_how_paragraphs_are_headed():
    text = "Two questions.\n\n**Is it long?** If so, cut.\n\n**BLEU** counts words.\nIt is old."
    assert points(text) == "- Is it long?\n- **BLEU** counts words."
    assert points("*le* or *la*. Who knows?\n\nMore.") == "*le* or *la*. Who knows?"


def test_a_question_is_the_line_in_italics_or_the_beginning():
    assert question("# T\n\n*What then?*\n\nText.") == "What then?"
    assert question("# T\n\nWho wins?\n\n*Reading time: 5 minutes.*") == "Who wins?"


def test_claims_stand_in_a_table_and_what_is_too_many_in_the_notes():
    one = Slide("Title")
    for k in range(5):
        state(Claim("an-lstm-wins", 0.25, "<=", 1, "GW", ("line", 0.5 + k)), one)
    assert len(one.parts) == 4 and one.notes == [
        "Also measured: an-lstm-wins: 0.25 GW (measured) <= 1; line 4.5 (measured)"
    ]
    made = table([one.parts[0][1]])
    assert "<td>An LSTM wins</td><td>0.25 GW</td><td>line 0.5</td>" in made


def test_aligned_lines_stay_aligned():
    made = formula("\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}", True)
    assert made.count("<mtr>") == 2 and "&amp;" not in made
    spaced = formula("\\begin{aligned} a &= b \\\\[.5em] c &= d \\end{aligned}", True)
    assert spaced == made
    assert "\\" not in formula(r"\min \Bigl\{ j : \bigl\| a \bigr\| \Bigr\}", True)


def test_nothing_in_a_text_becomes_markup():
    made = page([[Slide("<b>bold</b>", [("text", "<script>x</script>")], ["</aside>"])]])
    assert "<script>x" not in made and "<b>bold" not in made


def test_an_unknown_chapter_is_told(capsys):
    with pytest.raises(SystemExit):
        command.main(["99"])
    assert "no chapter 99; there are 01-sequences" in capsys.readouterr().err
