"""What a chapter has to show: its sections, pictures, equations, and its notebooks' figures and claims."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from lstm_lib.claims import read_claims

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
LEFT_OUT = {
    "What the notebooks found",
    "Questions",
    "Further reading",
    "Try it",
    "Summary",
    "The tasks side by side",
}
ROLE = re.compile(r"\{(measured|bound|baseline)\}`([^`#]+)#([^`\s]+)( %)?`")
CITE = re.compile(r"\{cite:([pt])\}`([^`]+)`")
CITED = re.compile(r"\{([pt])\}\[([^\]]+)\]")
OTHER_ROLE = re.compile(r"\{[\w:-]+\}`([^`<]+?)(?: <[^`>]+>)?`")
DISPLAY = re.compile(r"\$\$\n?(.+?)\n?\$\$", re.DOTALL)
IMAGE = re.compile(r"```\{image\} (\S+)\n(.*?)```", re.DOTALL)
ALT = re.compile(r"^:alt: (.+)$", re.MULTILINE)
FENCE = re.compile(r"(`{3,}|:{3,})[^\n]*\n.*?\n\1[ \t]*$", re.DOTALL | re.MULTILINE)
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
CLAIMS = 4  # on one slide, below a figure
CLAIM = "application/vnd.lstm-book.claim+json"


@dataclass
class Slide:
    """One slide.

    Attributes
    ----------
    title : str
    parts : list of (str, str)
        What stands on it, one below the other: kind (``text``, ``math``, ``svg``, ``claim``) and content.
    notes : list of str
        Markdown for the speaker.
    """

    title: str
    parts: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def chapters():
    """Return the folders of all chapters, sorted."""
    return sorted(path.parent for path in CHAPTERS.glob("*/index.md"))


def deck(folder, notebooks):
    """Return the slides of a chapter, as stacks: the first slide of a stack is reached sideways.

    Parameters
    ----------
    folder : Path
    notebooks : sequence of Path
        In the order of the table of contents.
    """
    text = with_numbers((folder / "index.md").read_text("utf8"))
    return [*prose(text, folder), *(notebook(path) for path in notebooks), questions(text)]


def with_numbers(text):
    """Put what the notebooks measured in the place of the roles, and names in that of citations."""

    def value(found):
        kind, name, claim, share = found.groups()
        stored = read_claims(
            CHAPTERS / f"{name}.ipynb" if "book/" not in name else ROOT / f"{name}.ipynb"
        )
        one = stored[claim]
        shown = {"measured": one.measured, "bound": one.condition, "baseline": one.versus}[kind]
        if share:
            return f"{100 * float(shown):.3g} %"
        return f"{shown} {one.unit}".strip() if one.unit and kind != "bound" else str(shown)

    return CITED.sub(cited, OTHER_ROLE.sub(r"\1", ROLE.sub(value, CITE.sub(r"{\1}[\2]", text))))


def cited(found):
    """Papers by first author and year, which is what their keys begin with."""
    kind, keys = found.groups()
    parts = (re.match(r"([a-z]+)(\d{4})", key.strip()).groups() for key in keys.split(","))
    names = "; ".join(f"{name.capitalize()} {year}" for name, year in parts)
    return names if kind == "t" else f"({names})"


def prose(text, folder):
    """The chapter's page: a title with its question, then a stack for each section that shows something."""
    head, *sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    title = re.search(r"^# (.+)$", head, re.MULTILINE).group(1)
    question = re.search(r"^\*([^*].+?)\*$", head, re.MULTILINE | re.DOTALL)
    opening = Slide(title, [("text", question.group(1))] if question else [])
    opening.notes = [plain(head.partition("\n")[2])]
    yield [opening]
    for name, body in zip(sections[::2], sections[1::2], strict=True):
        if name not in LEFT_OUT:
            yield section(name, body, folder)


def section(name, body, folder):
    """A stack for a section: a slide for each picture and for the equations between two pictures."""
    slides, pieces = [], IMAGE.split(body)
    for k in range(0, len(pieces), 3):
        words = pieces[k]
        formulas = [("math", found) for found in DISPLAY.findall(words)]
        if formulas or (k == 0 and len(pieces) == 1):
            parts = formulas or [("text", lead(plain(words)))]
            slides.append(Slide(name, parts, [plain(words)]))
        if k + 1 < len(pieces):
            path = (folder / pieces[k + 1]).resolve()
            alt = ALT.search(pieces[k + 2]).group(1)
            notes = [alt, plain(words)]
            slides.append(Slide(name, [("svg", path.read_text("utf8"))], notes))
    return slides


def lead(text, longest=320):
    """The first sentences of a text, up to so many characters, at least one."""
    sentences = re.split(r"(?<=[.!?]) +", re.sub(r"\s+", " ", text.split("\n\n")[0]))
    kept = sentences[:1]
    for sentence in sentences[1:]:
        if len(" ".join([*kept, sentence])) > longest:
            break
        kept.append(sentence)
    return " ".join(kept)


def plain(markdown):
    """Markdown without directives, anchors and links to other pages."""
    markdown = FENCE.sub("", markdown)
    markdown = re.sub(r"^\([\w-]+\)=$", "", markdown, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown).strip()


def notebook(path):
    """A stack for a notebook: its question, then a slide for each figure with the claims that follow it."""
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = with_numbers(cell.source)
    title = re.search(r"^# (.+)$", cells[0].source, re.MULTILINE).group(1)
    question = re.search(r"^\*([^*].+?)\*$", cells[0].source, re.MULTILINE | re.DOTALL)
    slides = [Slide(title, [("text", question.group(1))] if question else [])]
    heading, said = title, [plain(cells[0].source)]
    for cell in cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^##+ (.+)$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
            said.append(plain(cell.source))
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/svg+xml" in data:
                svg = "".join(data["image/svg+xml"])
                slides.append(
                    Slide(heading, [("svg", svg)], [TITLE.search(svg).group(1), *said[-2:]])
                )
            if CLAIM in data:
                if len(slides[-1].parts) > CLAIMS:
                    slides.append(Slide(heading, [], said[-1:]))
                slides[-1].parts.append(
                    ("claim", "".join(data["text/plain"]).removeprefix("claim "))
                )
    slides[0].notes = said[:1]
    return slides


def questions(text):
    """A stack of the chapter's questions, with the answers for the speaker."""
    body = text.partition("\n## Questions\n")[2].partition("\n## ")[0]
    found = re.findall(
        r"^\*\*(\d+)\.\*\* (.+?)\n\n```\{dropdown\} Answer\n(.+?)\n```",
        body,
        re.DOTALL | re.MULTILINE,
    )
    return [
        Slide(f"Question {n}", [("text", plain(asked))], [plain(answer)])
        for n, asked, answer in found
    ]
