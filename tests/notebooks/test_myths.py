"""The page of myths: each of its fifteen sections states a myth, shows what is so, and says where to read on."""

import ast
import re

import nbformat
import pytest

from tests.notebooks.hygiene import ROOT

PATH = ROOT / "book" / "myths.ipynb"
HEADING = re.compile(r"^## (?:(\d+) · )?", re.MULTILINE)


def sections(path=PATH):
    """Number of a section to its Markdown text and its code cells."""
    found, number = {}, None
    for cell in nbformat.read(path, as_version=4).cells:
        heading = HEADING.match(cell.source) if cell.cell_type == "markdown" else None
        if heading:
            number = heading[1] and int(heading[1])
            assert number not in found, f"two sections {number}"
        if number:
            text, code = found.setdefault(number, ([], []))
            (text if cell.cell_type == "markdown" else code).append(cell.source)
    return {n: ("\n\n".join(text), code) for n, (text, code) in found.items()}


def is_shown(code):
    """Whether a cell fails where what it shows is not so: it asserts, or states a claim."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim")
        for node in ast.walk(ast.parse(code))
    )


def test_there_are_fifteen_in_order():
    assert list(sections()) == list(range(1, 16))


@pytest.mark.parametrize("number", range(1, 16))
def test_a_myth(number):
    text, code = sections()[number]
    assert re.search(r'^\*".+"\*$', text, re.MULTILINE), "the sentence as one meets it"
    assert any(map(is_shown, code)), "a cell that shows what is so"
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links, "a link to where it is treated"
    assert all((PATH.parent / link).resolve().exists() for link in links), links


@pytest.mark.parametrize("part", ["scale", "columns", "rate", "picture"])
def test_each_part_of_the_stock_myth(part):
    """The tenth is four mistakes, each shown by cells of its own."""
    shown, current = False, None
    for cell in nbformat.read(PATH, as_version=4).cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^##.*", cell.source, re.MULTILINE):
                current = heading
        elif (current or "").startswith(f"### The {part}"):
            shown |= is_shown(cell.source)
    assert shown


def test_a_comment_or_a_word_is_no_proof():
    assert is_shown("assert x == 1") and is_shown("for x in y:\n    claim('a', x, '<', 1)")
    assert not is_shown("# assert x\nprint('claim(')")
