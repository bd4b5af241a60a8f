"""Short texts in two languages, and dates as people write them in many."""

import datetime
import json
import re
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read, read_folder, require
from lstm_lib.data.corpora.splits import deal, linked
from lstm_lib.validation import one_of, positive_int

__all__ = ["Dated", "Pair", "human_dates", "translations"]

_EMOJI = "emoji/unicode_codes/emoji"
NAMES = {
    "en": DataFile(
        "emoji",
        f"{_EMOJI}.json",
        "68d0dc4ac61ccb49c1335809ffb963bcca0fdb4a7e04278ff597125a2b043122",
    ),
    "fr": DataFile(
        "emoji",
        f"{_EMOJI}_fr.json",
        "64f12947a3e0e3859e6330a3ade9e992888af9dd25a950d0378c17f5d961c1f7",
    ),
    "zh": DataFile(
        "emoji",
        f"{_EMOJI}_zh.json",
        "090339fb5f9f9d00c8330e7c276596af16a852556820d9b2c923501e56b06a09",
    ),
}
_PACK = "jupyterlab_language_pack_{0}/locale/{0}/LC_MESSAGES"
SENTENCES = {
    "fr": DataFile(
        "jupyterlab-language-pack-fr-FR",
        _PACK.format("fr_FR"),
        "a6999b7f7d19c442466d8db93506d4af24e8aaca5827babc08181efa57be4feb",
        "*.json",
    ),
    "zh": DataFile(
        "jupyterlab-language-pack-zh-CN",
        _PACK.format("zh_CN"),
        "a931f7d0847849fe00e65c0ea1f70ded37442aee866783a885e4da368046845c",
        "*.json",
    ),
}
_LISTS = ("territories", "languages", "scripts", "currencies")
_FULLY_QUALIFIED = 2
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_TONE = re.compile(r",? ?\b(medium-light|medium-dark|light|medium|dark) skin tone\b")
_PEOPLE = re.compile(r"\b(man|men|woman|women|person|people|boy|girl|mr\.|mrs\.|mx)(?=\W|$)")
_LOCALES = ("de", "en", "en_GB", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh")
_FIRST, _LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)


class Pair(NamedTuple):
    """A text in English, the same in the other language, and where it comes from."""

    source: str
    target: str
    origin: str


class Dated(NamedTuple):
    """A date as people write it, the same as ISO 8601 has it, and the locale."""

    text: str
    iso: str
    locale: str


@corpus(
    *NAMES.values(),
    *SENTENCES.values(),
    libraries=("babel",),
    task="transduction: translation from English to French or Chinese",
    size="7,731 pairs to French, 8,162 to Chinese, 1 to 98 words",
    source="Unicode CLDR (names of emoji, places, languages, scripts, currencies); JupyterLab",
    licence="packages BSD 3-clause; CLDR Unicode licence",
    split="by name: what differs in skin tone or sex only, or shares a side, is in one part",
)
def translations(language):
    """Names and sentences of user interfaces in English and one other language.

    Small, and real: translated by people, for the Unicode consortium and for JupyterLab.
    ``origin`` is ``"emoji"``, ``"interface"``, or one of ``"territories"``, ``"languages"``,
    ``"scripts"`` and ``"currencies"``. Pairs that are the same on both sides are left out.
    Half of the emoji are one picture in several skin tones: a split that takes no heed of
    that tests what it has taught.

    Parameters
    ----------
    language : {"fr", "zh"}

    Returns
    -------
    Split
        Three tuples of `Pair`.

    Examples
    --------
    >>> pairs = {pair.source: pair.target for part in translations("fr") for pair in part}
    >>> pairs["broken heart"], pairs["Shut down kernel"]
    ('cœur brisé', 'Arrêter le noyau')
    """
    one_of("language", language, tuple(SENTENCES))
    found = [*_emoji(language), *_names(language), *_sentences(language)]
    found = [pair for pair in dict.fromkeys(found) if pair.source.lower() != pair.target.lower()]
    return deal(found, linked([_keys(pair) for pair in found]))


@corpus(
    libraries=("babel",),
    task="transduction: dates of many languages to ISO 8601",
    size="generated, any number; 73,049 days in 14 locales, 3 lengths each",
    source="Unicode CLDR, through Babel",
    licence="Babel BSD 3-clause; CLDR Unicode licence",
    split="by date: one day, however it is written, is in one part",
)
def human_dates(count, seed=0):
    """Dates from 1900 to 2099 in the words and orders of fourteen locales.

    Generated, and exact: day, locale and length (medium, long or full) are drawn evenly,
    and Babel writes the date. No form has two readings: none gives a year by two digits.

    Parameters
    ----------
    count : int
        How many.
    seed : int

    Returns
    -------
    Split
        Three tuples of `Dated`.

    Examples
    --------
    >>> human_dates(2000).train[2]
    Dated(text='woensdag 8 mei 1940', iso='1940-05-08', locale='nl')
    """
    positive_int("count", count)
    require("babel")
    from babel.dates import format_date

    rng = np.random.default_rng(seed)
    days = rng.integers((_LAST - _FIRST).days + 1, size=count).tolist()
    locales = rng.choice(_LOCALES, size=count).tolist()
    lengths = rng.choice(["medium", "long", "full"], size=count).tolist()
    found = []
    for day, locale, length in zip(days, locales, lengths, strict=True):
        date = _FIRST + datetime.timedelta(days=day)
        text = " ".join(format_date(date, length, locale=locale).split())
        found.append(Dated(text, date.isoformat(), locale))
    return deal(found, [dated.iso for dated in found])


def _emoji(language):
    """Yield the names of all emoji that a keyboard can send, flags left out.

    The package calls a flag by its country's name in English and not in French.
    """
    english, other = (json.loads(read(NAMES[name])) for name in ("en", language))
    for sign, entry in english.items():
        if entry["status"] == _FULLY_QUALIFIED and sign[0] not in _FLAG_LETTERS:
            names = (name.strip(":").replace("_", " ") for name in (entry["en"], other[sign]))
            yield Pair(*names, "emoji")


def _names(language):
    """Yield the names of places, languages, scripts and currencies."""
    require("babel")
    from babel import Locale

    english, other = Locale("en"), Locale(language)
    for kind in _LISTS:
        ours, theirs = getattr(english, kind), getattr(other, kind)
        for code in sorted(ours.keys() & theirs.keys()):
            yield Pair(ours[code], theirs[code], kind)


def _sentences(language):
    """Yield the translated sentences of JupyterLab and its extensions."""
    for content in read_folder(SENTENCES[language]).values():
        for message, translated in json.loads(content).items():
            text = message.rpartition("\x04")[2]
            if text and translated[0]:
                yield Pair(" ".join(text.split()), " ".join(translated[0].split()), "interface")


def _keys(pair):
    """Return what a pair must not share with a pair of another part."""
    source = pair.source.lower()
    if pair.origin == "emoji":
        bare = " ".join(_PEOPLE.sub("someone", _TONE.sub("", source)).split())
        return {f"emoji {bare}", f"en {source}", f"to {pair.target.lower()}"}
    return {f"en {source}", f"to {pair.target.lower()}"}
