"""What a chapter has to show: its sections, pictures, equations, and its notebooks' figures and claims."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nbformat

from lstm_lib.claims import MIMETYPE, Claim, read_claims

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
LEFT_OUT = {
    "What the notebooks found",
    "Measured",
    "Questions",
    "Further reading",
    "Try it",
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
QUESTION = re.compile(r"^\*((?!Reading time)[^*].+?)\*$", re.MULTILINE | re.DOTALL)
HEADED = re.compile(r"\*\*(.+?)\*\*|\*([^*]+[.?!])\*")
SENTENCE = re.compile(r"(?<=[.!?]) +")
CLAIMS = 4  # on one slide; the speaker's notes have the others


@dataclass
class Slide:
    """One slide.

    Attributes
    ----------
    title : str
    parts : list of (str, str)
        What stands on it, one below the other: kind (``question``, ``text``, ``math``, ``svg``,
        ``claim``) and content.
    notes : list of str
        Markdown for the speaker; of a slide with a picture the first says what is seen.
    above : str
        What the slide belongs to, in small letters above its title.
    """

    title: str
    parts: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    above: str = ""


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
    *sections, summary = prose(text, folder)
    return [*sections, *(notebook(path) for path in notebooks), summary, questions(text)]


@cache
def claims_of(path):
    """The claims of a notebook, read once for all the numbers that a page takes from it."""
    return read_claims(path)


def with_numbers(text):
    """Put what the notebooks measured in the place of the roles, and names in that of citations."""

    def value(found):
        kind, name, claim, share = found.groups()
        stored = claims_of(
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
    """The chapter's page: its question and first picture, then a stack for each section that shows something."""
    head, *sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    title = re.search(r"^# (.+)$", head, re.MULTILINE).group(1)
    opening = Slide(title, [("question", question(head))], [plain(head.partition("\n")[2])])
    shown = IMAGE.search(text)
    if shown:
        opening.parts.append(("svg", svg(folder, shown.group(1))))
        opening.notes.insert(0, alternative(shown.group(2)))
    yield [opening]
    for name, body in sorted(zip(sections[::2], sections[1::2], strict=True), key=is_summary):
        if name not in LEFT_OUT:
            yield section(name, body, folder, title)


def is_summary(section):
    """Whether a section, of its name and text, is the one that ends the chapter."""
    return section[0] == "Summary"


def question(head):
    """What a page or notebook asks: the line in italics below its title, or else how it begins."""
    found = QUESTION.search(head)
    return found.group(1) if found else lead(plain(head.partition("\n")[2]))


def svg(folder, name):
    """The text of a picture beside a page."""
    return (folder / name).resolve().read_text("utf8")


def alternative(options):
    """What is seen in a picture, of the options of its directive."""
    return ALT.search(options).group(1)


def section(name, body, folder, above=""):
    """A stack for a section: a slide for each picture and for the equations between two pictures."""
    slides, pieces = [], IMAGE.split(body)
    for k in range(0, len(pieces), 3):
        words = pieces[k]
        formulas = [("math", found) for found in DISPLAY.findall(words)]
        if formulas or (k == 0 and len(pieces) == 1):
            parts = formulas or [("text", points(plain(words)))]
            slides.append(Slide(name, parts, [plain(words)], above))
        if k + 1 < len(pieces):
            said = "" if formulas else plain(words) or plain(pieces[k + 3])
            parts = [("text", lead(said, 200))] if said else []
            notes = [alternative(pieces[k + 2]), plain(words)]
            slides.append(Slide(name, [*parts, ("svg", svg(folder, pieces[k + 1]))], notes, above))
    return slides


def points(text):
    """A text in short: how its paragraphs are headed, where two or more are, or else its first sentences."""
    paragraphs = text.split("\n\n")
    heads = [head(paragraph) for paragraph in paragraphs if HEADED.match(paragraph)]
    return "\n".join(f"- {each}" for each in heads) if len(heads) > 1 else lead(text)


def head(paragraph):
    """The words in bold or italics that a paragraph begins with; its first sentence if they are none themselves."""
    words = HEADED.match(paragraph).group().strip("*")
    return words if words[-1] in ".?!" else SENTENCE.split(re.sub(r"\s+", " ", paragraph))[0]


def lead(text, longest=240):
    """The first sentences of a text, up to so many characters, at least one."""
    sentences = SENTENCE.split(re.sub(r"\s+", " ", text.split("\n\n")[0]))
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
    first = cells[0].source
    title = re.search(r"^# (.+)$", first, re.MULTILINE).group(1)
    slides = [Slide(title, [("question", question(first))], [plain(first)])]
    heading, said = title, [plain(first)]
    for cell in cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^##+ (.+)$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
            said.append(plain(cell.source))
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/svg+xml" in data:
                figure = "".join(data["image/svg+xml"])
                notes = [TITLE.search(figure).group(1), *said[-2:]]
                slides.append(Slide(heading, [("svg", figure)], notes, title))
            if MIMETYPE in data:
                if slides[-1] is slides[0] or slides[-1].title != heading:
                    slides.append(Slide(heading, [], said[-1:], title))
                state(Claim.from_json(data[MIMETYPE]), slides[-1])
    return slides


def state(claim, slide):
    """Put a claim on a slide, or into its notes if the slide has enough of them."""
    if sum(kind == "claim" for kind, _ in slide.parts) < CLAIMS:
        slide.parts.append(("claim", claim))
    else:
        slide.notes.append(f"Also measured: {claim}".replace("claim ", ""))


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
