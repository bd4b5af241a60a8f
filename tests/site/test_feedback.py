"""Pages of feedback in a browser: they fit a phone, can be read in both themes, and ask for nothing."""

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from grading.feedback import ours
from tests.grading import synthetic
from tests.grading.pages import HOSTILE, shown
from tests.site.browser import complaints

KINDS = {
    "right": {},
    "wrong": {"passed": False, "comments": {"explain": "Look at $x_t$."}},
    "hostile": {"explain": HOSTILE, "extra": "x = '</pre><script>'  # "},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feedback")
    small = synthetic.source(folder / "assignment.ipynb")
    text = ours(r"The cell: $c_t$ and $$\frac{\partial L}{\partial c_t} = 0$$", "01-a")
    for name, facts in KINDS.items():
        made = shown(small, name, **facts).replace("</article>", f"{text}</article>")
        (folder / f"{name}.html").write_text(made, "utf8")
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_a_page_of_feedback(context, pages, name):
    assert complaints(context, (pages / f"{name}.html").as_uri(), "phone") == []
