"""Results of the small assignment as grading would find them, and the pages made of them."""

from grading.feedback import page
from grading.judge import blank
from grading.plan import plan
from tests.grading.synthetic import ANSWERS, POINTS

FIGURE = {
    "kind": "display",
    "data": {
        "text/plain": 'Figure: A line that "rises" <by> one.',
        "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" width="2000" height="9">'
        '<image href="http://127.0.0.1:9/z.png"/></svg>',
    },
}
HOSTILE = r"""<style>header{display:none}</style><script>alert(1)</script>
![far](http://127.0.0.1:9/y.png) [go](javascript:alert(1))

$\text{<b>&lt;script>}$, $\href{javascript:alert(1)}{x}$, $\frac{a$, $LONG$ and LONG

| LONG | LONG | LONG |
|---|---|---|
| 1 | 2 | 3 |

$$\sum_{t=1}^{T} LONG$$
""".replace("LONG", "wide" * 60)


def result(small, passed=True, explain=ANSWERS["explain"], extra=None):
    """A submission in which all tests passed, or none did."""
    made = plan(small)
    cells = [
        {**row, "source": ANSWERS.get(row["grade_id"], row["visible"])} for row in made["cells"]
    ]
    cells[-1]["source"] = explain
    if extra is not None:
        added = {"kind": "extra", "type": "code", "grade_id": None, "points": 0, "source": extra}
        printed = {"kind": "stream", "name": "stdout", "text": f"\x1b[31m{extra * 40}</pre><b>bold"}
        cells.append({**added, "outputs": [printed, FIGURE], "error": ["Error", extra, []]})
    outcome = {"passed": passed, "message": "" if passed else "c_t is wrong in 3 of 4 entries."}
    tests = {name: outcome for name in POINTS if name != "explain"}
    return {**blank(made), "cells": cells, "tests": tests}


def shown(small, student, waiting=True, comments=None, **facts):
    """The page of such a submission."""
    made, found = plan(small), result(small, **facts)
    grades = [
        {
            "name": name,
            "score": most * found["tests"].get(name, {"passed": False})["passed"],
            "max_score": most,
            "by_hand": name == "explain",
            "waiting": waiting and name == "explain",
        }
        for name, most in POINTS.items()
    ]
    return page(made, student, found, grades, comments or {})
