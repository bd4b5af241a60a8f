"""The built book in Chromium: every page, on a desk and on a phone, in light and in dark.

Every second page is opened on a phone in the dark, the others on a desk in the light; each is then
looked at in all four views.
"""

from pathlib import Path

import pytest

from tests.site import browser, checks

TOC = Path(__file__).resolve().parents[2] / "_toc.yml"


@pytest.fixture(scope="module")
def address(site, serve):
    with serve(site) as url:
        yield url


PAGES = [(name, tuple(browser.STARTS)[k % 2]) for k, name in enumerate(checks.toc_pages(TOC))]


@pytest.mark.parametrize(("name", "start"), PAGES)
def test_page_in_a_browser(context, address, name, start):
    assert browser.complaints(context, f"{address}/{name}.html", start) == []


def test_search_finds_a_word_of_the_book(chromium, address):
    page = chromium.new_page()
    page.goto(f"{address}/search.html?q=forget")
    page.wait_for_selector("#search-results ul.search li a", timeout=15_000)
    page.close()
