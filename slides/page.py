"""A deck as one HTML file that needs nothing else: reveal.js, figures and formulas are inside it."""

import base64
import html
import importlib.util
import re
from pathlib import Path

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

STYLE = Path(__file__).with_name("slides.css")
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{reveal_css}</style><style>{style}</style></head>
<body><div class="reveal"><div class="slides">
{slides}
</div></div>
<script>{reveal}</script><script>{notes}</script>
<script>Reveal.initialize({{hash: true, slideNumber: "c/t", width: 1120, height: 700, margin: 0.06,
transition: "none", plugins: [RevealNotes]}});</script>
</body></html>
"""


def formula(tex, display):
    """TeX as MathML, which browsers draw by themselves."""
    tex = re.sub(r"\\begin\{aligned\}(.*?)\\end\{aligned\}", as_array, tex, flags=re.DOTALL)
    return convert(tex, display="block" if display else "inline")


def as_array(found):
    """Aligned lines as an array, which the converter knows: columns right and left by turns."""
    lines = found.group(1)
    columns = 1 + max(line.count("&") for line in lines.split("\\\\"))
    return rf"\begin{{array}}{{{('rl' * columns)[:columns]}}}{lines}\end{{array}}"


MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
MARKDOWN.use(dollarmath_plugin, renderer=lambda tex, options: formula(tex, options["display_mode"]))


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
    words = sum(len(content.split()) for kind, content in one.parts if kind == "text")
    kind = "long" if words > 45 else "short"
    notes = MARKDOWN.render("\n\n".join(one.notes))
    return (
        f'<section class="{kind}">\n<h2>{MARKDOWN.renderInline(one.title)}</h2>\n'
        f'{"".join(part(*each, one) for each in one.parts)}<aside class="notes">{notes}</aside></section>'
    )


def part(kind, content, one):
    """A text, a formula, a figure or a claim."""
    if kind == "text":
        return MARKDOWN.render(content)
    if kind == "math":
        size = "wide" if max(map(len, content.split("\\\\"))) > 75 else "formula"
        return f'<div class="{size}">{formula(content, True)}</div>\n'
    if kind == "claim":
        return f'<p class="claim">{html.escape(content)}</p>\n'
    data = base64.b64encode(content.encode()).decode()
    alt = html.escape(one.notes[0], quote=True)
    return f'<p class="figure"><img alt="{alt}" src="data:image/svg+xml;base64,{data}"></p>\n'
