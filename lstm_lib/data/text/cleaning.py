"""Cleaning and cutting: from text as it is found to symbols."""

import re
import unicodedata

_QUOTES = str.maketrans(dict.fromkeys("‘’‚‛", "'") | dict.fromkeys("“”„‟", '"'))
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_INVISIBLE = "\u00ad\u200b\u2060\ufeff"
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def clean(text, *, lines=True):
    r"""Make text of many sources alike; what is clean stays as it is.

    In this order:

    1. every line end (``\r\n``, ``\r``, form feed, U+2028 and the like) becomes ``\n``;
    2. what cannot be seen goes: control characters except tab and line end, lone
       surrogates, soft hyphens, zero-width spaces, word joiners and byte-order marks.
       Joiners within emoji and Persian or Indic words stay, for they change what is seen;
    3. Unicode normal form NFC, so that *é* is one code point and equal to every other *é*;
    4. curly quotes become the straight ``'`` and ``"``;
    5. every run of spaces and tabs becomes one space; lines lose the spaces at their ends,
       indentation included; more than one empty line in a row become one.

    Cleaning twice changes nothing more. Case, dashes, ellipses and guillemets stay.

    Parameters
    ----------
    text : str
    lines : bool
        Keep the line ends. Without them the text is one line.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If `text` is not a string.

    References
    ----------
    Unicode Standard Annex 15, "Unicode Normalization Forms".

    Examples
    --------
    >>> clean("  “Cafe\u0301”  \r\n\r\n\r\nis\topen\u200b. ")
    '"Café"\n\nis open.'
    >>> clean("one\ntwo", lines=False)
    'one two'
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    text = _LINE_ENDS.sub("\n", text)
    text = "".join(c for c in text if not _is_invisible(c))
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    if not lines:
        return " ".join(text.split())
    text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _is_invisible(character):
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in _INVISIBLE


def words(text):
    """Cut a text into words and single punctuation marks.

    A word is a run of letters, digits and underscores, with apostrophes inside it:
    the regular expression ``\\w+(?:['’]\\w+)*|[^\\w\\s]``. Everything else but white
    space is a token of its own, one character long, apostrophes at the edge of a word
    and hyphens included. White space separates and is dropped, so the text cannot be
    put together again exactly. Scripts written without spaces (Chinese) or with combining
    vowel signs (Devanagari) need characters or `BytePairs` instead.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If `text` is not a string.

    Examples
    --------
    >>> words("Don't stop, well-known Café 42!")
    ["Don't", 'stop', ',', 'well', '-', 'known', 'Café', '42', '!']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    return _WORD.findall(text)
