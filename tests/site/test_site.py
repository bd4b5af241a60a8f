"""The built book, as files: complete, linked, described, rendered, self-contained and light."""

from pathlib import Path

import pytest

from tests.notebooks.hygiene import NOTEBOOKS
from tests.site import checks

# in one process, which parses the pages once for all of them
pytestmark = pytest.mark.xdist_group("files")

TOC = Path(__file__).resolve().parents[2] / "_toc.yml"


def test_every_page_of_the_toc_is_built(site):
    assert checks.missing_pages(site, TOC) == []


def test_links_and_anchors_resolve(site):
    assert checks.broken_links(site) == []


def test_every_image_has_alt_text(site):
    assert checks.images_without_alt(site) == []


def test_no_source_markup_is_left(site):
    assert checks.leftover_markup(site) == []


def test_nothing_is_fetched_from_another_host(site):
    assert checks.outside_requests(site) == []


def test_every_page_is_light(site):
    """HTML and own images below 1 MB a page; what all pages share is bounded by the next test."""
    assert checks.heavy_pages(site) == []


def test_what_the_pages_share_is_light(site):
    """Style sheets, scripts, fonts and MathJax, fetched once for the whole book: below 4.5 MB together."""
    assert checks.heavy_shared(site) == []


def test_each_notebook_has_a_colab_button(site):
    for notebook in NOTEBOOKS:
        name = notebook.relative_to(TOC.parent).with_suffix("").as_posix()
        if name in checks.toc_pages(TOC):
            links = [a.get("href", "") for a in checks.parse(site / f"{name}.html").find_all("a")]
            assert any(
                "colab.research" in link and link.endswith(f"{name}.ipynb") for link in links
            ), name
