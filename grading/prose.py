"""Markdown as HTML in which a browser draws the formulas by itself, for pages of feedback and slides.

Students' texts come through here too. So no tag, no attribute that a browser acts on and no picture
from elsewhere gets out of a text or a formula, and no formula takes long.
"""

import html
import re
from xml.etree.ElementTree import tostring

from latex2mathml.converter import Converter
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

LONGEST = 2000  # characters of a formula
MACROS = re.compile(r"\\[A-Za-z]*(?:def|new|Declare)")
ALIGNED = re.compile(r"\\begin\{aligned\}(.*?)\\end\{aligned\}", re.DOTALL)
# What the converter does not know: a line's end that asks for space. And what it leaves after \big and its like.
SPACED = re.compile(r"\\\\\[[^\]]*\]")
DELIMITERS = {r"\{": "{", r"\}": "}", r"\|": "‖"}
DROPPED = {"href", "style", "class"}


def formula(tex, display):
    """Return TeX as MathML.

    Raises
    ------
    ValueError
        For what cannot be drawn: faulty TeX, definitions of commands, more than 2000 characters.
    """
    if MACROS.search(tex) or len(tex) > LONGEST:
        raise ValueError(f"a formula that is too long or defines commands: {tex[:80]}")
    converter = Converter(display="block" if display else "inline")
    try:
        tree = converter.convert_to_element(ALIGNED.sub(as_array, tex))
        for part in tree.iter():
            said = html.unescape(part.text) if part.text else part.text
            part.text = DELIMITERS.get(said, said)
            kept = {name: value for name, value in part.attrib.items() if name not in DROPPED}
            part.attrib = {name: html.unescape(value) for name, value in kept.items()}
        return tostring(tree, encoding="unicode")
    except Exception as error:
        raise ValueError(
            f"a formula that cannot be drawn ({type(error).__name__}): {tex}"
        ) from None


def as_array(found):
    """Aligned lines as an array, which the converter knows: columns right and left by turns."""
    lines = SPACED.sub(r"\\\\", found.group(1))
    columns = 1 + max(line.count("&") for line in lines.split("\\\\"))
    return rf"\begin{{array}}{{{('rl' * columns)[:columns]}}}{lines}\end{{array}}"


def typed(tex, display):
    """Return a formula as MathML, or as it was typed where it cannot be drawn."""
    try:
        return formula(tex, display)
    except ValueError:
        return f'<code class="typed">{html.escape(tex)}</code>'


def markdown(tags=False, draw=formula):
    """Return a converter from Markdown to HTML, without links by reference, which could take minutes.

    Parameters
    ----------
    tags : bool
        Whether HTML tags in the text stay tags: for the book's own texts alone.
    draw : callable of str and bool
        What makes HTML of a formula, :func:`formula` or :func:`typed`.
    """
    made = MarkdownIt("commonmark", {"html": tags}).enable("table").disable("reference")
    made.use(
        dollarmath_plugin,
        allow_labels=False,
        double_inline=True,
        renderer=lambda tex, options: draw(tex, options["display_mode"]),
    )
    made.add_render_rule("image", picture)
    return made


def picture(renderer, tokens, index, options, env):
    """A picture that stands in the text itself; of any other its description."""
    token = tokens[index]
    if str(token.attrs["src"]).startswith("data:image/"):
        return renderer.image(tokens, index, options, env)
    return f"[picture: {html.escape(token.content)}]"
