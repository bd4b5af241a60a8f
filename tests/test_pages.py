"""The pages that list things: what stands in the glossary and in the table of topics."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = (ROOT / "book" / "glossary.md").read_text("utf8")
COVERAGE = (ROOT / "book" / "coverage.md").read_text("utf8")
TOPICS = 22


def disorder(text):
    """What is wrong with a glossary: its order, its names, what an entry has to say."""
    groups = re.findall(r"^## (\w)(?: to (\w))?\n\n```\{glossary\}\n(.+?)```", text, re.M | re.S)
    found, names, firsts = [], [], []
    for start, end, body in groups:
        for entry in body.strip().split("\n\n"):
            *terms, said = entry.split("\n")
            names += terms
            firsts.append(terms[0].casefold())
            if not start.casefold() <= firsts[-1][0] <= (end or start).casefold():
                found.append(f"{terms[0]} stands under {start}")
            if not re.match(r"  \S.+[.:] \[(See|Elsewhere:) .+\]\{\.where\}$", said):
                found.append(f"{terms[0]} does not say where it is treated or what others call it")
    if firsts != sorted(firsts):
        first = next(b for a, b in zip(firsts, firsts[1:], strict=False) if a > b)
        found.append(f"{first} is out of order")
    found += [
        f"{name} twice"
        for name in names
        if [n.casefold() for n in names].count(name.casefold()) > 1
    ]
    return found if names else ["no entries"]


def test_the_glossary_is_in_order():
    assert disorder(GLOSSARY) == []
    assert len(re.findall(r"\{\.where\}", GLOSSARY)) >= 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("\nBPTT\n", "\nBatch\n"), "Batch twice"),
        (("\nbaseline\n", "\nbit\n"), "batch is out of order"),
        (("\nzoo\n", "\nace\n"), "ace stands under W"),
        (("[See [The ledger", "[Or [The ledger"), "ledger does not say"),
    ],
)
def test_a_disordered_glossary_is_noticed(change, message):
    assert message in "\n".join(disorder(GLOSSARY.replace(*change, 1)))


def standing():
    """The numbers of the chapters that are in the book."""
    toc = (ROOT / "_toc.yml").read_text("utf8")
    return {int(number) for number in re.findall(r"chapters/(\d\d)-[\w-]+/index", toc)}


def gaps(text, chapters=frozenset()):
    """What is wrong with the table of topics, when these chapters stand."""
    rows = re.findall(r"^\| (\d+) \| .+? \| ([\d, ]+) \| (.+) \|$", text, re.M)
    found = [] if [int(row[0]) for row in rows] == [*range(1, TOPICS + 1)] else ["a row is missing"]
    for number, of, where in rows:
        targets = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", where)]
        if not targets and "to come" not in where:
            found.append(f"row {number} leads nowhere")
        for chapter in chapters & set(map(int, of.split(","))):
            if f"/chapters/{chapter:02d}-" not in where:
                found.append(f"row {number} has no link into chapter {chapter}, which stands")
        found += [f"{t}: no such file" for t in targets if not (ROOT / "book" / t).is_file()]
    return found


def test_every_topic_has_its_place():
    assert gaps(COVERAGE, standing()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("| 7 |", "| 77 |"), "a row is missing"),
        (("rnn.ipynb#three-bends", "absent.ipynb#three-bends"), "absent.ipynb: no such file"),
        (("| 12 | to come |", "| 12 | – |"), "row 19 leads nowhere"),
    ],
)
def test_a_gap_is_noticed(change, message):
    assert message in "\n".join(gaps(COVERAGE.replace(*change, 1)))


def test_a_chapter_that_no_row_links_to_is_noticed():
    assert gaps(COVERAGE, {22}) == gaps(COVERAGE)
    assert "row 3 has no link into chapter 2" in gaps(COVERAGE.replace("02-", "92-"), {2})[0]
