"""Tests of the checks themselves: each is given a page that is broken in one way, and has to complain."""

import pytest

from tests.site import browser, checks

GOOD = """<!doctype html><html lang="en"><head><title>t</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="_static/own.css"></head><body><article><h1 id="top">Title</h1>
<p>Prose with <code>$$x$$</code>, a price of $5 and <a href="other.html#there">a link</a>.</p>
<span class="math">\\(x_t\\)</span><img src="_images/a.svg" alt="a figure">EXTRA</article></body></html>"""


@pytest.fixture
def write(tmp_path):
    """Write a small site whose first page holds `extra`, and return its folder."""

    def build(extra="", css="body { color: black }"):
        (tmp_path / "_static").mkdir()
        (tmp_path / "_images").mkdir()
        (tmp_path / "_static" / "own.css").write_text(css)
        (tmp_path / "_images" / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        (tmp_path / "index.html").write_text(GOOD.replace("EXTRA", extra))
        (tmp_path / "other.html").write_text("<article><p id='there'>There.</p></article>")
        return tmp_path

    return build


FILE_CHECKS = [
    checks.broken_links,
    checks.images_without_alt,
    checks.leftover_markup,
    checks.outside_requests,
    checks.heavy_pages,
    checks.heavy_shared,
]


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.__name__)
def test_a_sound_page_passes(write, check):
    assert check(write()) == []


@pytest.mark.parametrize("check", FILE_CHECKS, ids=lambda check: check.__name__)
def test_sound_inside_the_page_is_no_request(write, check):
    sound = "data:audio/wav;base64,//8" + "A" * 300
    page = f"<audio controls src='{sound}'></audio><a download='a.mid' href='{sound}'>MIDI</a>"
    assert check(write(page)) == []


@pytest.mark.parametrize(
    ("check", "extra"),
    [
        (checks.broken_links, "<a href='nowhere.html'>x</a>"),
        (checks.broken_links, "<a href='other.html#elsewhere'>x</a>"),
        (checks.broken_links, "<a href='#nothing'>x</a>"),
        (checks.broken_links, "<img src='_images/lost.png' alt='lost'>"),
        (checks.images_without_alt, "<img src='_images/a.svg'>"),
        (checks.images_without_alt, "<img src='_images/a.svg' alt=' '>"),
        (checks.images_without_alt, "<img src='_images/a.svg' alt='_images/a.svg'>"),
        (checks.leftover_markup, "<p>:::{note}</p>"),
        (checks.leftover_markup, "<p>```{figure} x</p>"),
        (checks.leftover_markup, "<p>$$ c_t $$</p>"),
        (checks.leftover_markup, "<p>so $h_{t-1}$ is</p>"),
        (checks.leftover_markup, "<p>see {ref}`this`</p>"),
        (checks.leftover_markup, "<p>see {doc}<code>this</code> and {cite:t}`that`</p>"),
        (checks.leftover_markup, "<p>\\frac{1}{2}</p>"),
        (checks.leftover_markup, "<p>[text](other.md)</p>"),
        (checks.leftover_markup, "<p>:func:`fit`</p>"),
        (checks.outside_requests, "<script src='https://example.org/x.js'></script>"),
        (checks.outside_requests, "<img src='//example.org/x.png' alt='x'>"),
        (
            checks.outside_requests,
            "<img src='_images/a.svg' srcset='https://example.org/x.png 2x' alt='x'>",
        ),
        (checks.outside_requests, "<iframe src='https://example.org/'></iframe>"),
        (checks.outside_requests, "<link rel='preconnect' href='https://example.org/'>"),
        (checks.outside_requests, "<p style='background: url(https://example.org/x.png)'>x</p>"),
        (checks.heavy_pages, "<p>" + "x" * checks.PAGE_LIMIT + "</p>"),
    ],
)
def test_a_broken_page_is_noticed(write, check, extra):
    assert check(write(extra))


@pytest.mark.parametrize(
    "css", ["@import 'https://example.org/x.css';", "a{background:url(//example.org/x)}"]
)
def test_a_style_sheet_that_fetches_is_noticed(write, css):
    assert checks.outside_requests(write(css=css))


def test_a_heavy_image_and_heavy_shared_files_are_noticed(write):
    site = write(css="/*" + "x" * checks.SHARED_LIMIT + "*/")
    (site / "_images" / "a.svg").write_bytes(b"x" * checks.PAGE_LIMIT)
    assert checks.heavy_pages(site)
    assert checks.heavy_shared(site)


def test_a_page_that_was_not_built_is_noticed(write, tmp_path):
    site, toc = write(), tmp_path / "_toc.yml"
    toc.write_text(
        "root: index\nparts:\n- chapters:\n  - file: other.md\n    sections:\n    - file: a/lost\n"
    )
    assert checks.toc_pages(toc) == ["index", "other", "a/lost"]
    assert checks.missing_pages(site, toc) == ["a/lost.html was not built"]


MATH = "<script>document.querySelectorAll('.math').forEach(e => e.innerHTML = '<mjx-container>x</mjx-container>')</script>"


@pytest.mark.parametrize("start", browser.STARTS)
def test_a_sound_page_passes_in_the_browser(write, serve, context, start):
    with serve(write(MATH)) as address:
        assert browser.complaints(context, f"{address}/index.html", start) == []


@pytest.mark.parametrize("start", browser.STARTS)
def test_a_page_too_wide_for_a_phone_is_noticed_there_alone(write, serve, context, start):
    with serve(write(MATH + "<div style='width: 500px'>x</div>")) as address:
        found = browser.complaints(context, f"{address}/index.html", start)
    assert {text.partition(":")[0] for text in found} == {"at 390 px, light", "at 390 px, dark"}


@pytest.mark.parametrize("start", browser.STARTS)
def test_what_one_theme_alone_hides_is_noticed_there_alone(write, serve, context, start):
    rule = "<style>@media (prefers-color-scheme: dark) { b { color: #eee } }</style><b>pale</b>"
    with serve(write(MATH + rule)) as address:
        found = browser.complaints(context, f"{address}/index.html", start)
    assert {text.partition(":")[0] for text in found} == {"at 1360 px, dark", "at 390 px, dark"}


@pytest.mark.parametrize("start", browser.STARTS)
def test_a_page_that_keeps_one_theme_is_noticed(write, serve, context, start):
    stuck = "<script>document.documentElement.dataset.theme = 'light'</script>"
    with serve(write(MATH + stuck)) as address:
        found = browser.complaints(context, f"{address}/index.html", start)
    assert len(found) == 2 and all("dark: got the light theme" in text for text in found), found


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (MATH + "<script>console.error('oh')</script>", "console error"),
        (MATH + "<script>undefined.x</script>", "script error"),
        (MATH + "<script>let a = 1;</script><script>let a = 2;</script>", "script error"),
        (MATH + "<div style='width: 500px'>x</div>", "wide in a window"),
        (MATH + "<script src='http://127.0.0.1:9/x.js'></script>", "another host"),
        (MATH + "<img src='lost.png' alt='lost'>", "404 for"),
        (MATH + "<p>\\(h_t\\)</p>", "raw TeX"),
        (MATH + "<p style='color: #eee'>pale</p>", "hardly visible, contrast 1."),
        (
            MATH + "<div style='background: #ddd'><p style='color: #fff'>pale</p></div>",
            "hardly visible",
        ),
        ("", "formula not rendered"),
    ],
)
def test_a_broken_page_is_noticed_in_the_browser(write, serve, context, extra, complaint):
    with serve(write(extra)) as address:
        found = browser.complaints(context, f"{address}/index.html", "phone")
    assert any(complaint in text for text in found), found
