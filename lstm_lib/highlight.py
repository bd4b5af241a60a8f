"""Words on coloured ground: which of them speak for an answer, and which against it.

A page of its own kind beside :mod:`lstm_lib.figures`: running text that wraps, not a drawing. Here live the
marks and their HTML; where the numbers come from is the notebook's matter.
"""

import html
import sys

import numpy as np

__all__ = ["show_words", "words_to_html"]

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
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(f"alt must say in words what the colours show, got {alt!r}")
    rows = [_checked(*row) for row in rows]
    if not rows:
        raise ValueError("rows must hold at least one text")
    largest = max((np.abs(values).max(initial=0.0) for _, values, _ in rows), default=0.0)
    body = "".join(_row(words, values / (largest or 1.0), note) for words, values, note in rows)
    alt = html.escape(" ".join(alt.split()), quote=True)
    style = "line-height:2;overflow-wrap:anywhere"
    return f'<div class="lstm-words" role="group" aria-label="{alt}" style="{style}">{body}</div>'


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
    page = words_to_html(rows, alt)
    text = f"Words: {' '.join(alt.split())}"
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(text)
        return
    ipython.display.display({"text/html": page, "text/plain": text}, raw=True)


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
