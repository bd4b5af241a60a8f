"""The built book in Chromium: every page, on a desk and on a phone, in light and in dark."""

from pathlib import Path

import pytest

from tests.site import browser, checks

TOC = Path(__file__).resolve().parents[2] / "_toc.yml"


@pytest.fixture(scope="module")
def address(site, serve):
    with serve(site) as url:
        yield url


@pytest.mark.parametrize("theme", browser.VISITS)
@pytest.mark.parametrize("name", checks.toc_pages(TOC))
def test_page_in_a_browser(chromium, address, name, theme):
    widths = browser.VISITS[theme]
    assert browser.complaints(chromium, f"{address}/{name}.html", widths, theme) == []


def test_search_finds_a_word_of_the_book(chromium, address):
    page = chromium.new_page()
    page.goto(f"{address}/search.html?q=forget")
    page.wait_for_selector("#search-results ul.search li a", timeout=15_000)
    page.close()
