"""lstm_lib.highlight: marks for every eye, text that can be read, and no way for a word to become a tag."""

import html
import re

import numpy as np
import pytest

from lstm_lib import highlight
from lstm_lib.highlight import characters_to_html, show_characters, show_words, words_to_html
from tests.test_figures import PAGES, contrast

ALT = "Words that speak for it and against it."
INK = {"#ffffff": "#323232", "#0f141b": "#ced6dd"}  # the text of the book's two themes


def spans(page):
    """The marked words: ground, kind of line, and what stands in them."""
    found = r'rgba\((.+?),([\d.]+)\).+?border-bottom:\S+ (\w+) .+?">(.+?)</span>'
    return re.findall(found, page)


def test_sign_and_size_are_told_without_colour():
    words = ["fine", "not", "dull", "the", "a"]
    marked = spans(words_to_html([(words, [4, -4, -2, 0.1, 0], "")], ALT))
    assert [line for _, _, line, _ in marked] == ["solid", "dotted", "dotted"]
    assert [text for *_, text in marked] == ["fine<sup>+</sup>", "not<sup>−</sup>", "dull"]
    assert float(marked[0][1]) == float(marked[1][1]) == 2 * float(marked[2][1])


def test_one_scale_for_all_rows():
    page = words_to_html([(["good"], [1.0], "one"), (["great"], [4.0], "two")], ALT)
    assert [float(depth) for _, depth, *_ in spans(page)] == pytest.approx([0.11, 0.44])
    assert words_to_html([(["so"], [0.0], "")], ALT).count("rgba") == 0


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", [highlight.FOR, highlight.AGAINST])
def test_text_can_be_read_on_the_deepest_ground(page, colour):
    under = np.array([int(page[k : k + 2], 16) for k in (1, 3, 5)])
    over = np.array([int(part) for part in colour.split(",")])
    ground = np.round(highlight.STRONGEST * over + (1 - highlight.STRONGEST) * under).astype(int)
    assert contrast(INK[page], "#" + "".join(f"{part:02x}" for part in ground)) >= 4.5


def test_words_are_text():
    page = words_to_html([(["<b>", '"'], [1.0, 0.0], "a < b")], 'Signs & "quotes" in words')
    assert "<b>" not in page and "a &lt; b" in page and "Signs &amp; &quot;quotes&quot;" in page


def test_bad_input_is_named():
    for rows, alt, message in [
        ([], ALT, "at least one text"),
        ([(["a", "b"], [1.0], "")], ALT, "one number a word"),
        ([(["a"], [np.nan], "")], ALT, "finite"),
        ([(["a"], [1.0], "")], "short", "alt must say"),
    ]:
        with pytest.raises(ValueError, match=message):
            show_words(rows, alt)


def test_every_character_of_every_choice_stands_in_the_page():
    text = 'Enter <HAMLET> & "ghost"\nExit'
    page = characters_to_html([("one", text, np.arange(len(text))), ("two", "ab", [0, -1])], ALT)
    panels = re.findall(r'<div class="t\d">(.*?)</div>', page, re.DOTALL)
    assert [html.unescape(re.sub(r"</?i[^>]*>", "", panel)) for panel in panels] == [text, "ab"]
    page = characters_to_html([("<b>", text, np.ones(len(text)))], ALT)
    assert "&lt;HAMLET&gt; &amp; &quot;" in page and "&lt;b&gt;</label>" in page
    assert panels[1] == 'a<i class="m4">b</i>'


def test_one_choice_is_made_before_anybody_clicks_and_no_script_is_needed():
    page = characters_to_html([("one", "ab", [1, 1]), ("two", "ab", [0, 1])], ALT)
    ids = re.findall(r'type="radio" name="(\S+)" id="(\S+)"( checked)?>', page)
    assert len({name for name, *_ in ids}) == 1 and len({key for _, key, _ in ids}) == 2
    assert [bool(ticked) for *_, ticked in ids] == [True, False]
    assert re.findall(r'label for="(\S+)"', page) == [key for _, key, _ in ids]
    assert "<script" not in page
    for k, (_, key, _) in enumerate(ids):
        assert f"#{key}:checked~.t{k}" in page


def test_two_pages_of_choices_do_not_share_their_buttons():
    pages = [characters_to_html([("one", text, [1, 1])], ALT) for text in ("ab", "cd")]
    assert len({re.search(r'name="(\S+)"', page).group(1) for page in pages}) == 2


def test_choices_with_bad_input_are_named():
    for choices, alt, message in [
        ([], ALT, "at least one text"),
        ([("a", "ab", [1.0])], ALT, "2 words, shape"),
        ([("a", "a", [np.inf])], ALT, "finite"),
        ([("a", "a", [1.0])], "short", "alt must say"),
    ]:
        with pytest.raises(ValueError, match=message):
            show_characters(choices, alt)


def test_the_language_of_the_texts_is_marked_and_that_of_the_labels_left():
    page = characters_to_html([("real", "白日", [1, 0]), ("drawn", "山", [0])], ALT, lang="zh-Hant")
    assert re.findall(r'<(\w+) [^>]*lang="([^"]+)"', page) == [("div", "zh-Hant")] * 2
    assert "lang" not in re.sub(r"<div.*?>", "", characters_to_html([("a", "ab", [0, 1])], ALT))
    assert 'lang="a&quot;b"' in characters_to_html([("a", "ab", [0, 1])], ALT, lang='a"b')
