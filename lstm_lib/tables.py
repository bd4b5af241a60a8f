"""Tables of words for a page: real ones, which a phone can wrap and a screen reader can read.

For what training decides, such as the answers of a network. nbval passes over the entries, as it does
over figures, and compares the description.
"""

import html

from lstm_lib.shell import display_page

__all__ = ["show_table", "table_to_html"]

CELL = "padding:.15em .6em .15em 0;text-align:left;vertical-align:top;border:0"


def table_to_html(heads, rows, alt, lang=None):
    """Return a table as HTML. Entries break at spaces only, and what is still too wide can be scrolled.

    Parameters
    ----------
    heads : sequence of str
        What stands above the columns.
    rows : sequence of sequence
        An entry for each column; shown as ``str`` writes it, in letters of one width.
    alt : str
        What the table shows, for a reader who does not go through it cell by cell.
    lang : str, optional
        Language of the entries, such as ``"zh-Hant"``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no row, a row has not an entry for each head, or `alt` is too short.

    Examples
    --------
    >>> page = table_to_html(["question", "said"], [["2 + 2", 5]], "A sum and a wrong answer.")
    >>> "<td" in page and '<th scope="col"' in page
    True
    """
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(f"alt must say in words what the table shows, got {alt!r}")
    if not rows:
        raise ValueError("rows must hold at least one row")
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"a row must hold {len(heads)} entries, got {len(row)}: {row!r}")
    above = "".join(
        f'<th scope="col" style="{CELL};font-weight:650">{html.escape(str(head))}</th>'
        for head in heads
    )
    label = html.escape(" ".join(alt.split()), quote=True)
    language = f' lang="{html.escape(lang, quote=True)}"' if lang else ""
    body = "".join(f"<tr>{''.join(map(_entry, row))}</tr>" for row in rows)
    return (
        '<div class="lstm-table" style="overflow-x:auto">'
        f'<table aria-label="{label}" style="border-collapse:collapse;margin:0 auto;font-size:.9em">'
        f"<thead><tr>{above}</tr></thead><tbody{language}>{body}</tbody></table></div>"
    )


def _entry(entry):
    text = str(entry)
    wrap = "" if " " in text else ";white-space:nowrap"
    return f'<td style="{CELL};font-family:monospace{wrap}">{html.escape(text)}</td>'


def show_table(heads, rows, alt, lang=None):
    """Show a table in a notebook, elsewhere its description.

    Parameters
    ----------
    heads, rows, alt, lang
        As for :func:`table_to_html`.

    Raises
    ------
    ValueError
        As for :func:`table_to_html`.

    Examples
    --------
    >>> show_table(["question", "said"], [["2 + 2", 5]], "A sum and a wrong answer.")
    Table: A sum and a wrong answer.
    """
    page = table_to_html(heads, rows, alt, lang)
    display_page(page, "Table", alt)
