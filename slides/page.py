"""A deck as one HTML file that needs nothing else: reveal.js, figures and formulas are inside it."""

import base64
import html
import importlib.util
import re
from itertools import groupby
from pathlib import Path

from grading.prose import formula, markdown

STYLE = Path(__file__).with_name("slides.css")
SHORT = {"bleu", "cpu", "dna", "gpu", "gru", "lstm", "mlp", "rnn", "rouge", "tf"}
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{reveal_css}</style><style>{style}</style></head>
<body><div class="deck reveal"><div class="slides">
{slides}
</div></div>
<script>{reveal}</script><script>{notes}</script>
<script>
if (matchMedia("(max-width: 600px)").matches) document.querySelector(".deck").classList.remove("reveal");
else Reveal.initialize({{hash: true, slideNumber: "c/t", width: 1120, height: 700, margin: 0.06, center: false,
transition: "none", plugins: [RevealNotes]}});
</script>
</body></html>
"""


MARKDOWN = markdown()


def page(stacks):
    """Return the file's text.

    Parameters
    ----------
    stacks : sequence of list of slides.chapter.Slide
    """
    assets = Path(importlib.util.find_spec("sphinx_revealjs").origin).parent / "_static/revealjs"
    return PAGE.format(
        title=html.escape(stacks[0][0].title),
        reveal_css=(assets / "dist/reveal.css").read_text("utf8"),
        style=STYLE.read_text("utf8"),
        slides="\n".join(map(stack, stacks)),
        reveal=script(assets / "dist/reveal.js"),
        notes=script(assets / "plugin/notes/notes.js"),
    )


def script(path):
    """A script without what would end it early or ask for a file that is not there."""
    text = re.sub(r"//# sourceMappingURL=.*", "", path.read_text("utf8"))
    return text.replace("</script", "<\\/script")


def stack(slides):
    """Slides that stand one below the other."""
    inner = "\n".join(map(slide, slides))
    return f"<section>\n{inner}\n</section>" if len(slides) > 1 else inner


def slide(one):
    """One slide with its notes."""
    kinds = [kind for kind, _ in one.parts]
    look = "opening" if "question" in kinds else "claims" if set(kinds) == {"claim"} else "plain"
    bare = " bare" if kinds == ["svg"] else ""
    above = f'<p class="above">{MARKDOWN.renderInline(one.above)}</p>\n' if one.above else ""
    shown = "".join(
        table([claim for _, claim in found])
        if kind == "claim"
        else "".join(part(*each, one) for each in found)
        for kind, found in groupby(one.parts, key=lambda each: each[0])
    )
    notes = MARKDOWN.render("\n\n".join(one.notes))
    return (
        f'<section class="{look}{bare}">\n{above}<h2>{MARKDOWN.renderInline(one.title)}</h2>\n'
        f'{shown}<aside class="notes">{notes}</aside></section>'
    )


def part(kind, content, one):
    """A question, a text, a formula or a figure."""
    if kind == "question":
        return f'<div class="question">{MARKDOWN.render(content)}</div>\n'
    if kind == "text":
        return MARKDOWN.render(content)
    if kind == "math":
        size = "wide" if max(map(len, content.split("\\\\"))) > 85 else "formula"
        return f'<div class="{size}">{formula(content, True)}</div>\n'
    data = base64.b64encode(content.encode()).decode()
    alt = html.escape(one.notes[0], quote=True)
    return f'<p class="figure"><img alt="{alt}" src="data:image/svg+xml;base64,{data}"></p>\n'


def table(claims):
    """What was measured, beside what it is compared with."""
    rows = "\n".join(map(row, claims))
    head = "<tr><th></th><th>measured</th><th>beside it</th></tr>"
    return f'<table class="claims"><thead>{head}</thead><tbody>\n{rows}\n</tbody></table>\n'


def row(claim):
    """A claim in words: its name, its number, and its baseline."""
    words = [word.upper() if word in SHORT else word for word in claim.name.split("-")]
    name = " ".join(words)
    beside = f"{claim.baseline[0]} {claim.versus}" if claim.baseline else ""
    cells = (name[0].upper() + name[1:], f"{claim.measured} {claim.unit}".strip(), beside)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
