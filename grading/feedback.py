"""Pages for students: their notebook with marks, what each test found, and what a person wrote.

A page shows what a student wrote and what that printed, and an instructor may open it. So it forbids
every script and every request in its head, and nothing that a student wrote becomes a tag.
"""

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path

import yaml
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from grading.files import replace
from grading.gradebook import outputs, reason
from grading.prose import markdown, typed
from grading.source import FOLDER, ROOT
from grading.words import counted

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
POLICY += "; form-action 'none'; base-uri 'none'"
VERSION = "3"
LONGEST = 20_000  # characters of one text on a page
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
LOCAL = re.compile(r"\]\((?![a-z]+:|#)([\w./-]+?)\.(?:md|ipynb)(#[\w-]*)?\)")
OURS, THEIRS = markdown(tags=True, draw=typed), markdown(draw=typed)
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head>
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{student}: {name}</title>
<style>{style}</style></head>
<body>
<header>
<h1>{student}</h1>
<p>Feedback on <code>{name}</code></p>
<p class="marks">{marks}</p>
{remarks}{table}
</header>
<main><article>
{cells}
</article></main>
</body></html>
"""


class Pages:
    """Writes pages of feedback into a folder, where their content has changed."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, book, plan, student, digest, result):
        """Write a student's page, unless it shows all this already."""
        grades, comments = book.grades(plan, student), book.comments(plan, student)
        text = json.dumps([VERSION, digest, grades, comments, result])
        mark = f"<!-- {hashlib.sha256(text.encode()).hexdigest()} -->\n"
        path = self.folder / student / f"{plan['name']}.html"
        if path.exists() and path.read_text(encoding="utf-8").endswith(mark):
            return
        replace(path, page(plan, student, result, grades, comments) + mark)


def page(plan, student, result, grades, comments):
    """Return a student's page.

    Parameters
    ----------
    plan : dict
    student : str
    result : dict
        Of :mod:`grading.judge`.
    grades : list of dict
    comments : dict of str to str
        By cell, as both come from :class:`grading.gradebook.Book`.
    """
    rows = result["cells"] or [{**row, "source": row["visible"]} for row in plan["cells"]]
    by_name = {grade["name"]: grade for grade in grades}
    return PAGE.format(
        policy=POLICY,
        student=html.escape(student),
        name=html.escape(plan["name"]),
        style=style(),
        marks=points(sum(g["score"] for g in grades), plan["points"]),
        remarks="".join(remarks(grades, result)),
        table=table(plan, by_name),
        cells="\n".join(cell(row, plan, result, by_name, comments) for row in rows),
    )


@cache
def style():
    """The style of a page: its own, and the colours of code in both themes."""
    light, dark = (
        HtmlFormatter(style=name, nobackground=True).get_style_defs("pre.code")
        for name in ("a11y-light", "a11y-dark")
    )
    own = Path(__file__).with_suffix(".css").read_text("utf8")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{own}"


def points(score, most):
    """Marks in words."""
    return f"{score:g} of {most:g} points"


def remarks(grades, result):
    """Yield what a student should know before reading on."""
    if result["unread"]:
        yield f"<p>Nothing could be graded: the file {html.escape(result['unread'])}.</p>\n"
    if any(grade["waiting"] for grade in grades):
        yield "<p>An answer still waits for its mark, and counts as 0 until then.</p>\n"


def table(plan, grades):
    """The points by task, each with a link to its cell."""
    task, lines = "", []
    for row in plan["cells"]:
        found = HEADING.findall(row["visible"]) if row["kind"] == "text" else ()
        task = found[-1] if found else task
        if row["grade_id"] in grades:
            name = html.escape(row["grade_id"], quote=True)
            link = f'<a href="#{name}">{"your words" if row["kind"] == "hand" else "tests"}</a>'
            score = mark(grades[row["grade_id"]])
            cells = (OURS.renderInline(task), link, score)
            lines.append("".join(f"<td>{one}</td>" for one in cells))
    head = "<th>Task</th><th>Marked</th><th>Points</th>"
    body = "\n".join(f"<tr>{line}</tr>" for line in (head, *lines))
    return f"<table>\n{body}\n</table>"


def mark(grade):
    """Marks of one cell in words."""
    if grade["waiting"]:
        return f"waits (of {grade['max_score']:g})"
    return f"{grade['score']:g} of {grade['max_score']:g}"


def cell(row, plan, result, grades, comments):
    """A cell of the notebook, with its outcome."""
    kind, grade = row["kind"], grades.get(row["grade_id"])
    comment = comments.get(row["grade_id"])
    said = f'<p class="label">Comment</p>\n{theirs(comment)}' if comment else ""
    if kind == "text":
        return ours(row["source"], plan["name"])
    if kind == "test":
        return test(row, result, grade)
    if kind == "hand":
        state = f"Your answer: {mark(grade)}" if grade else "Your answer"
        return panel(state, theirs(row["source"]) + said, row["grade_id"])
    shown = "".join(map(output, outputs(row, result)))
    if kind in ("answer", "student", "extra"):
        label = "A cell that you added" if kind == "extra" else "Your answer"
        body = code(row["source"]) if row["type"] == "code" else theirs(row["source"])
        return panel(label, body + shown + said)
    if row["grade_id"] == "setup":
        return f"<details><summary>Set-up</summary>{code(row['source'])}{shown}</details>"
    return code(row["source"]) + shown


def panel(label, body, name=None, kind=""):
    """A frame with a line above it."""
    place = f' id="{html.escape(name, quote=True)}"' if name else ""
    state = f' class="{kind}"' if kind else ""
    return f'<section{place}{state}>\n<p class="label">{html.escape(label)}</p>\n{body}</section>'


def test(row, result, grade):
    """What a test found, above the lines that a student may see of it."""
    name, outcome = row["grade_id"], result["tests"].get(row["grade_id"])
    if outcome is None:
        outcome = {"passed": False, "message": "was not run: " + reason(result)}
    label = f"Tests, {mark(grade)}" if grade else "Tests"
    said = '<p class="outcome">All passed.</p>\n'
    if not outcome["passed"]:
        said = f'<p class="outcome">Not passed:</p>\n{text(outcome["message"], "wrong")}'
    visible = (
        f"<details><summary>The checks in the notebook</summary>{code(row['visible'])}</details>\n"
    )
    return panel(label, said + visible, name, "right" if outcome["passed"] else "wrong")


def text(words, kind="shown"):
    """Words as they stand, with nothing in them that a browser acts on."""
    return (
        f'<pre class="{kind}">{html.escape(CONTROL.sub("", words[:LONGEST]))}</pre>\n{cut(words)}'
    )


def code(source):
    """A program, coloured."""
    lines = highlight(CONTROL.sub("", source[:LONGEST]), PythonLexer(), HtmlFormatter(nowrap=True))
    return f'<pre class="code">{lines}</pre>\n{cut(source)}'


@cache
def ours(source, name):
    """A text of the book, its links made to lead to the book."""
    folder = f"{address()}{FOLDER}/{name}/"
    return OURS.render(LOCAL.sub(rf"]({folder}\1.html\2)", source))


@cache
def address():
    """Where the book is published."""
    return yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["html"]["baseurl"]


def theirs(source):
    """A text that a student or an instructor wrote."""
    return THEIRS.render(CONTROL.sub("", source[:LONGEST])) + cut(source)


def cut(words):
    """Say how much of a text is not shown."""
    rest = len(words) - LONGEST
    return f"<p>[cut: {counted(rest, 'more character')}]</p>\n" if rest > 0 else ""


def output(shown):
    """What a cell printed, drew, or broke off with."""
    if shown.output_type == "stream":
        return text(shown.text)
    if shown.output_type == "error":
        return text("\n".join(shown.traceback), "wrong")
    data = shown.data
    words = data.get("text/plain", "").removeprefix("Figure: ")
    for kind in ("image/svg+xml", "image/png"):
        if kind in data:
            content = data[kind].strip()
            if kind == "image/svg+xml":
                content = base64.b64encode(content.encode()).decode()
            alt = html.escape(words[:2000] or "A figure that this cell drew", quote=True)
            return f'<p><img alt="{alt}" src="data:{kind};base64,{content}"></p>\n'
    return text(words)
