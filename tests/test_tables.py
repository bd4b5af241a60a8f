"""lstm_lib.tables: rows and heads as they are given, no way for an entry to become a tag."""

import xml.etree.ElementTree as tree

import pytest

from lstm_lib.tables import show_table, table_to_html

ALT = "Wrong answers of two networks."
HEADS = ["seed", "said"]


def test_every_entry_stands_in_its_row_under_its_head():
    page = tree.fromstring(table_to_html(HEADS, [[0, "7 May"], [1, "1962-05-09"]], ALT))
    assert [head.text for head in page.iter("th")] == HEADS
    rows = [[cell.text for cell in row.iter("td")] for row in page.find("table/tbody")]
    assert rows == [["0", "7 May"], ["1", "1962-05-09"]]
    assert page.find("table").get("aria-label") == ALT


def test_entries_break_at_spaces_only():
    page = tree.fromstring(table_to_html(HEADS, [["1962-05-09", "7 May"]], ALT))
    assert ["nowrap" in cell.get("style") for cell in page.iter("td")] == [True, False]


def test_entries_are_text():
    page = table_to_html(["<a>", "&"], [["<b>", '"']], 'Signs & "quotes" in words', lang="de")
    cells = [*tree.fromstring(page).iter("th"), *tree.fromstring(page).iter("td")]
    assert [cell.text for cell in cells] == ["<a>", "&", "<b>", '"']
    assert tree.fromstring(page).find("table/tbody").get("lang") == "de"


@pytest.mark.parametrize(
    ("rows", "alt", "message"),
    [
        ([], ALT, "at least one row"),
        ([["one"]], ALT, "2 entries, got 1"),
        ([["one", "two"]], "short", "alt must say"),
    ],
)
def test_bad_input_is_named(rows, alt, message):
    with pytest.raises(ValueError, match=message):
        show_table(HEADS, rows, alt)


def test_outside_a_notebook_the_description_is_printed(capsys):
    show_table(HEADS, [["0", "x"]], "Wrong  answers\nof one network.")
    assert capsys.readouterr().out == "Table: Wrong answers of one network.\n"
