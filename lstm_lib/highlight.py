"""Text on coloured ground: which words speak for an answer, and what a cell does at every character.

A page of its own kind beside :mod:`lstm_lib.figures`: running text that wraps, not a drawing. Here live the
marks and their HTML; where the numbers come from is the notebook's matter.
"""

import html
import zlib
from itertools import groupby

import numpy as np

from lstm_lib.shell import display_page

__all__ = ["characters_to_html", "show_characters", "show_words", "words_to_html"]

FOR, AGAINST = "59,130,246", "249,115,22"  # blue and orange of the figures, as red, green, blue
LEVELS = 4
STRONGEST = 0.44  # opacity: text on it keeps a contrast of 5 on white and on near-black


def words_to_html(rows, alt):
    """Return texts as HTML in which every word has the ground of its number.

    A number above zero gives blue ground, an unbroken line under the word and, where it is large, a plus
    behind it; below zero orange ground, a dotted line and a minus. So no eye has to tell the colours.
    The largest number of all rows has the deepest ground, and words with less than an eighth of it none.

    Parameters
    ----------
    rows : sequence of tuple
        ``(words, values, note)``: strings, as many numbers, and what stands above them.
    alt : str
        What a reader who cannot see the colours needs to know.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no row, numbers and words differ in number, a number is not finite, or `alt` is too short.

    Examples
    --------
    >>> page = words_to_html([(["not", "good"], [-2.0, 0.5], "rotten")], "The word not speaks against.")
    >>> "−</sup>" in page, "+</sup>" in page
    (True, False)
    """
    _check_alt(alt)
    rows = [_checked(*row) for row in rows]
    if not rows:
        raise ValueError("rows must hold at least one text")
    largest = max(np.abs(values).max(initial=0.0) for _, values, _ in rows)
    body = "".join(_row(words, values / (largest or 1.0), note) for words, values, note in rows)
    return _group(body, alt, ' style="line-height:2;overflow-wrap:anywhere"')


def characters_to_html(choices, alt, lang=None):
    """Return texts as HTML with ground for every character, of which the reader chooses one to see.

    The marks are those of :func:`words_to_html`, without the signs; each choice has its own scale. The
    choice is made with buttons and style sheets alone: it works without JavaScript and without a server,
    and the first text is there at once.

    Parameters
    ----------
    choices : sequence of tuple
        ``(label, text, values)``: what stands on the button, a string, and a number for each character.
    alt : str
        What a reader who cannot see the colours needs to know.
    lang : str, optional
        Language of the texts, such as ``"zh-Hant"``: by it a browser chooses the letter forms, and a
        screen reader its voice.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no choice, numbers and characters differ in number, a number is not finite, or `alt` is
        too short.

    Examples
    --------
    >>> page = characters_to_html([("a cell", "to be", [0, 0, -1, 2, 2])], "The cell likes be.")
    >>> '<i class="m2"> </i><i class="p4">be</i>' in page
    True
    """
    _check_alt(alt)
    choices = [(label, *_checked(text, values, "")[:2]) for label, text, values in choices]
    if not choices:
        raise ValueError("choices must hold at least one text")
    panels = [_characters(text, values) for _, text, values in choices]
    name = f"lstm-{zlib.crc32(repr((choices, panels)).encode()):08x}"
    buttons, shown = [], []
    for k, (label, _, _) in enumerate(choices):
        ticked = " checked" if k == 0 else ""
        buttons.append(
            f'<input type="radio" name="{name}" id="{name}-{k}"{ticked}>'
            f'<label for="{name}-{k}">{html.escape(label)}</label>'
        )
        shown.append(f"#{name}-{k}:checked~.t{k}")
    mark = f' lang="{html.escape(lang, quote=True)}" style="font-size:1.1em"' if lang else ""
    texts = "".join(f'<div class="t{k}"{mark}>{panel}</div>' for k, panel in enumerate(panels))
    style = f"<style>{_style(name, shown)}</style>"
    return _group(f'{style}<div class="{name}">{"".join(buttons)}{texts}</div>', alt)


def show_characters(choices, alt, lang=None):
    """Show coloured texts to choose from in a notebook, elsewhere their alternative text.

    Parameters
    ----------
    choices, alt, lang
        As for :func:`characters_to_html`.

    Raises
    ------
    ValueError
        As for :func:`characters_to_html`.

    Examples
    --------
    >>> show_characters([("a cell", "to", [0, 1])], "The cell likes o.")
    Words: The cell likes o.
    """
    display_page(characters_to_html(choices, alt, lang), "Words", alt)


def show_words(rows, alt):
    """Show texts with coloured words in a notebook, elsewhere their alternative text.

    Parameters
    ----------
    rows, alt
        As for :func:`words_to_html`.

    Raises
    ------
    ValueError
        As for :func:`words_to_html`.

    Examples
    --------
    >>> show_words([(["a", "dull", "film"], [0.1, -3.0, 0.0], "")], "The word dull is orange.")
    Words: The word dull is orange.
    """
    display_page(words_to_html(rows, alt), "Words", alt)


def _group(body, alt, attributes=""):
    """All that is shown at once, with its alternative text; nbval knows it by the class."""
    alt = html.escape(" ".join(alt.split()), quote=True)
    return f'<div class="lstm-words" role="group" aria-label="{alt}"{attributes}>{body}</div>'


def _check_alt(alt):
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(f"alt must say in words what the colours show, got {alt!r}")


def _checked(words, values, note):
    values = np.asarray(values, dtype=float)
    if values.shape != (len(words),):
        raise ValueError(
            f"values must hold one number a word: {len(words)} words, shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
    return words, values, note


def _row(words, shares, note):
    above = (
        f'<span style="opacity:.8;font-size:.9em">{html.escape(note)}</span><br>' if note else ""
    )
    marked = " ".join(_word(word, share) for word, share in zip(words, shares, strict=True))
    return f'<p style="margin:.4em 0 .9em">{above}{marked}</p>'


def _word(word, share):
    word, level = html.escape(word), int(round(abs(float(share)) * LEVELS))
    if not level:
        return word
    colour, line, sign = (FOR, "solid", "+") if share > 0 else (AGAINST, "dotted", "−")
    style = (
        f"background:rgba({colour},{STRONGEST * level / LEVELS:.2f});padding:.1em .2em;"
        f"border-bottom:.13em {line} rgb({colour});border-radius:.2em .2em 0 0"
    )
    behind = f"<sup>{sign}</sup>" if level > LEVELS // 2 else ""
    return f'<span style="{style}">{word}{behind}</span>'


def _characters(text, values):
    """Characters of one ground in one element, so that the page stays small."""
    levels = np.rint(values / (np.abs(values).max(initial=0.0) or 1.0) * LEVELS).astype(int)
    parts = []
    for level, group in groupby(zip(text, levels, strict=True), key=lambda pair: int(pair[1])):
        run = html.escape("".join(character for character, _ in group))
        kind = "p" if level > 0 else "m"
        parts.append(f'<i class="{kind}{abs(level)}">{run}</i>' if level else run)
    return "".join(parts)


def _style(name, shown):
    rules = [
        f".{name}{{position:relative}}",
        f".{name} input{{position:absolute;opacity:0}}",
        f".{name} label{{display:inline-block;margin:0 .4em .4em 0;padding:.05em .6em;cursor:pointer;"
        "border:.1em solid currentColor;border-radius:.4em;opacity:.75}",
        f".{name} input:checked+label{{font-weight:700;opacity:1;background:rgba(128,128,128,.25)}}",
        f".{name} input:focus-visible+label{{outline:.15em solid currentColor;outline-offset:.1em}}",
        f".{name}>div{{display:none;margin-top:.4em;white-space:pre-wrap;overflow-wrap:anywhere;"
        "font:.85em/1.75 monospace}",
        f"{','.join(shown)}{{display:block!important}}",
        f".{name} i{{font-style:normal;padding:.1em 0}}",
    ]
    for kind, colour, line in (("p", FOR, "solid"), ("m", AGAINST, "dotted")):
        for level in range(1, LEVELS + 1):
            rules.append(
                f".{name} .{kind}{level}{{background:rgba({colour},{STRONGEST * level / LEVELS:.2f});"
                f"border-bottom:.13em {line} rgb({colour})}}"
            )
    return "".join(rules)
