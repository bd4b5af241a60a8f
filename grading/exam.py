"""Examination papers from the bank: as many points as asked for, questions from each chapter, and a key."""

import html
import re
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

import numpy as np

from grading.prose import markdown
from grading.source import ROOT, SourceError
from grading.words import counted

BANK = ROOT / "instructor" / "exam"
HEAD = re.compile(r"^## (.+) \((\d+) points?\)$", re.MULTILINE)
ANSWER = "### Answer"
RUBRIC = re.compile(r"^\| *(\d+) *\|", re.MULTILINE)
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 12pt/1.5 serif; max-width: 42em; margin: 2em auto; padding: 0 1em; color: #000; background: #fff; }}
h2 {{ font-size: 1.1em; margin-top: 1.8em; break-after: avoid; }}
table {{ border-collapse: collapse; }} td, th {{ text-align: left; padding: .1em .8em .1em 0; border-bottom: 1px solid #999; }}
</style></head><body>
{body}</body></html>
"""


@dataclass(frozen=True)
class Question:
    """A question of the bank, with its model answer and rubric."""

    chapter: str
    title: str
    points: int
    text: str
    answer: str


def read_bank(folder=BANK):
    """Return the questions by chapter.

    Raises
    ------
    SourceError
        For a question without an answer, and for a rubric that does not add up to its points.
    """
    bank = {path.stem: tuple(_questions(path)) for path in sorted(Path(folder).glob("*.md"))}
    if not bank:
        raise SourceError(f"no questions in {folder}")
    return bank


def _questions(path):
    parts = HEAD.split(path.read_text("utf8"))[1:]
    for title, points, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        text, mark, answer = body.partition(ANSWER)
        given = sum(map(int, RUBRIC.findall(answer)))
        if not (mark and text.strip() and answer.strip()):
            raise SourceError(f"{path.name}, {title!r}: a text and, under {ANSWER!r}, an answer")
        if given != int(points):
            wanted = counted(int(points), "point")
            raise SourceError(f"{path.name}, {title!r}: {wanted}, the rubric gives {given}")
        yield Question(path.stem, title, int(points), text.strip(), answer.strip())


def draw(bank, chapters, points, seed):
    """Choose questions of some chapters that give exactly so many points.

    Parameters
    ----------
    bank : dict
        Of :func:`read_bank`.
    chapters : sequence of str
        How their names begin, such as ``"04"``.
    points : int
    seed : int
        Another seed, another paper.

    Returns
    -------
    list of Question
        In the order of the chapters. The questions are shuffled in each chapter and dealt in turn, and
        the earliest choice that adds up is taken, so every chapter has its share where the points allow it.
    """
    rng = np.random.default_rng(seed)
    stacks = []
    for start in dict.fromkeys(chapters):
        names = [name for name in bank if name.startswith(start)]
        if len(names) != 1:
            raise SourceError(
                f"{start!r} names {counted(len(names), 'chapter')}; there are {', '.join(bank)}"
            )
        stacks.append([bank[names[0]][k] for k in rng.permutation(len(bank[names[0]]))])
    dealt = [one for turn in zip_longest(*stacks) for one in turn if one is not None]
    chosen = _exactly([one.points for one in dealt], points)
    if chosen is None:
        total = sum(one.points for one in dealt)
        raise SourceError(
            f"no choice gives {counted(points, 'point')}; all {len(dealt)} give {total}"
        )
    return sorted((dealt[k] for k in chosen), key=lambda one: one.chapter)


def _exactly(weights, total):
    """Indices that add up to `total`, the earliest ones; None if there are none."""

    @cache
    def reachable(first, left):
        if left == 0:
            return ()
        if left < 0 or first == len(weights):
            return None
        taken = reachable(first + 1, left - weights[first])
        return (first, *taken) if taken is not None else reachable(first + 1, left)

    return reachable(0, total) if total > 0 else None


def write(questions, out):
    """Write ``paper.md`` and ``key.md`` into a folder, and return the two paths."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    total = sum(one.points for one in questions)
    paths = out / "paper.md", out / "key.md"
    for path, title, keyed in zip(paths, ("Examination", "Key"), (False, True), strict=True):
        blocks = [f"# {title}\n\n{counted(len(questions), 'question')}, {counted(total, 'point')}."]
        for number, one in enumerate(questions, start=1):
            blocks.append(
                f"## {number} · {one.title} ({counted(one.points, 'point')})\n\n{one.text}"
            )
            blocks += [f"**Answer** (chapter {one.chapter[:2]})\n\n{one.answer}"] if keyed else []
        path.write_text("\n\n".join(blocks) + "\n", encoding="utf8")
    return paths


def printed(path):
    """Write a page for printing beside a paper or key, formulas drawn, and return its path."""
    text = path.read_text("utf8")
    title = html.escape(text.partition("\n")[0].lstrip("# "))
    page = path.with_suffix(".html")
    page.write_text(PAGE.format(title=title, body=markdown().render(text)), encoding="utf8")
    return page
