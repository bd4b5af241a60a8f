"""Bach's chorales, and tunes of Ireland and New England."""

import io
import re
import zipfile
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read_folder
from lstm_lib.data.corpora.splits import deal, linked

__all__ = ["Chorale", "Tune", "chorales", "folk_tunes", "piano_roll"]

BACH = DataFile(
    "music21",
    "music21/corpus/bach",
    "87429068def74476fd29f1fd561691890f16a3a0d75a6ce268d9383164f4c538",
    "*.mxl",
)
ONEILL = DataFile(
    "music21",
    "music21/corpus/oneills1850",
    "c45fbfa139a40a00dd465badff3f99dc9177877d00cb7cb7b696e9cdf4fd942e",
    "*.abc",
)
RYAN = DataFile(
    "music21",
    "music21/corpus/ryansMammoth",
    "3ea75e2db64cdbb5c57a0953097c13646ba9a670d3d1cdfc0d6a91f2fe7f50fc",
    "*.abc",
)
QUARTER = 8
"""The length of a quarter note in the unit of `Chorale.voices`, a thirty-second."""

_SEMITONES = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
_MARKS = r'"[^"]*"|![^!]*!|\[[A-Z]:[^\]]*\]|[\\!.~HLMOPSTkuv]'
_SAME_INTERVALS, _SAME_LETTERS = 12, 20


class Chorale(NamedTuple):
    """A hymn in four voices.

    Parameters
    ----------
    name : str
        Its number in the catalogue of Bach's works.
    fifths : int
        Sharps of the key signature; flats are negative.
    mode : {"major", "minor"}
    beats : str
        The first time signature, as ``"4/4"``.
    voices : tuple of ndarray of int, each of shape (notes, 2)
        Soprano, alto, tenor and bass: the MIDI pitch, 0 for a rest, and the length in
        thirty-seconds of a whole note, so that a quarter has 8.
    upbeat : int
        What sounds before the first bar line, in thirty-seconds; 0 where the hymn begins with a bar.
    fermatas : tuple of int
        Which notes of the soprano bear a fermata, the sign that ends a line of the hymn.
    """

    name: str
    fifths: int
    mode: str
    beats: str
    voices: tuple
    upbeat: int = 0
    fermatas: tuple = ()

    @property
    def bar(self):
        """The length of a bar in thirty-seconds."""
        beats, unit = map(int, self.beats.split("/"))
        return 32 * beats // unit


class Tune(NamedTuple):
    """A melody in ABC notation: letters are notes, numbers their lengths, bars are bars."""

    title: str
    book: str
    metre: str
    unit: str
    key: str
    body: str

    @property
    def abc(self):
        """The tune as a piece of ABC text, without its title."""
        return f"M:{self.metre}\nL:{self.unit}\nK:{self.key}\n{self.body}\n\n"


@corpus(
    BACH,
    task="generation: chorales in four voices",
    size="364 chorales, 85,519 notes and rests",
    source="J. S. Bach, as encoded in music21's corpus",
    licence="package BSD 3-clause; music in the public domain, encodings free to use with it",
    split="by melody: sopranos with 12 intervals in a row in common are in one part",
)
def chorales():
    """Chorales of Johann Sebastian Bach, those of the package with exactly four voices.

    Bach set many melodies more than once, and in other keys: these 364 settings have 203
    melodies by the measure of the split. Tied notes are one note, and repeats are played
    once. Reading takes a few seconds.

    Returns
    -------
    Split
        Three tuples of `Chorale`.

    Examples
    --------
    >>> chorale = chorales().train[0]
    >>> len(chorale.voices), piano_roll(chorale).shape[1]
    (4, 4)
    """
    found = []
    for name, content in read_folder(BACH).items():
        text = _score(content)
        if text.count(b"<score-part ") == 4:
            found.append(_chorale(name.removesuffix(".mxl"), ElementTree.fromstring(text)))
    return deal(
        found, linked([_runs(_melody(chorale), _SAME_INTERVALS) for chorale in found]), 0.15, 0.15
    )


@corpus(
    ONEILL,
    RYAN,
    task="generation: folk tunes as text",
    size="3,068 tunes, 749,848 characters",
    source="F. O'Neill, Music of Ireland (1903); Ryan's Mammoth Collection (1883)",
    licence="package BSD 3-clause; music in the public domain, typed in by volunteers",
    split="by tune: tunes with 20 notes in a row in common are in one part",
)
def folk_tunes():
    """Jigs, reels, hornpipes and airs in ABC notation, which a character model can learn.

    Kept are metre, unit, key and the tune; left out are ornaments, bowings, fingerings, chords and remarks. The
    two books print some tunes twice under other names, and in other keys only by accident:
    the split compares names of notes.

    Returns
    -------
    Split
        Three tuples of `Tune`.

    Examples
    --------
    >>> tunes = {tune.title: tune for part in folk_tunes() for tune in part}
    >>> print(tunes["If All the Young Ladies"].abc[:40])
    M:3/4
    L:1/8
    K:A
    (cd) | e2 A2 A2 | A2 G2
    """
    tunes = []
    for book, folder in (("O'Neill", ONEILL), ("Ryan", RYAN)):
        for content in read_folder(folder).values():
            blocks = re.split(r"^(?=X:)", content.decode("utf-8"), flags=re.MULTILINE)
            tunes += [_tune(block, book) for block in blocks if block.startswith("X:")]
    letters = [re.sub(r"\{[^}]*\}|[^a-g]", "", tune.body.lower()) for tune in tunes]
    return deal(tunes, linked([_runs(notes, _SAME_LETTERS) for notes in letters]))


def piano_roll(chorale, step=2):
    """Return what sounds at every step of a chorale.

    Parameters
    ----------
    chorale : Chorale
    step : int
        Length of a step in thirty-seconds of a whole note; 2 is a sixteenth.

    Returns
    -------
    ndarray of int, shape (T, 4)
        The MIDI pitch of every voice, 0 for a rest, at the beginning of each step.

    Examples
    --------
    Two quarters of the soprano over halves of the others, a quarter a step:

    >>> half = np.array([[48, 16]])
    >>> voices = np.array([[60, 8], [62, 8]]), half, half, half
    >>> piano_roll(Chorale("", 0, "major", "4/4", voices), step=8)
    array([[60, 48, 48, 48],
           [62, 48, 48, 48]])
    """
    return np.stack(
        [np.repeat(pitch, length)[::step] for pitch, length in (v.T for v in chorale.voices)],
        axis=1,
    )


def _score(content):
    """Return the MusicXML inside a compressed file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.startswith("META-INF")]
        return archive.read(next(n for n in names if n.endswith((".xml", ".musicxml"))))


def _chorale(name, score):
    fifths, mode, time = (
        score.findtext(".//fifths"),
        score.findtext(".//mode"),
        score.find(".//time"),
    )
    beats = f"{time.findtext('beats')}/{time.findtext('beat-type')}"
    voices, fermatas = zip(*map(_voice, score.findall("part")), strict=True)
    chorale = Chorale(name, int(fifths), mode, beats, voices, 0, fermatas[0])
    return chorale._replace(upbeat=_first_measure(score.find("part")) % chorale.bar)


def _first_measure(part):
    """Return the length of the first measure, which may be a fragment."""
    measure = part.find("measure")
    lengths = [int(duration.text) for duration in measure.iterfind("note/duration")]
    return sum(lengths) * QUARTER // int(measure.findtext("attributes/divisions"))


def _voice(part):
    """Return the notes of one part, those that are tied as one, and which bear a fermata."""
    notes, fermatas, division = [], set(), 1
    for element in (element for measure in part for element in measure):
        if element.tag == "attributes":
            division = int(element.findtext("divisions") or division)
        elif element.tag == "note" and element.find("grace") is None:
            length = int(element.findtext("duration")) * QUARTER // division
            pitch = _pitch(element.find("pitch"))
            tied = any(tie.get("type") == "stop" for tie in element.findall("tie"))
            if tied and notes and notes[-1][0] == pitch:
                notes[-1][1] += length
            else:
                notes.append([pitch, length])
            if element.find("notations/fermata") is not None:
                fermatas.add(len(notes) - 1)
    voice = np.array(notes)
    voice.flags.writeable = False
    return voice, tuple(sorted(fermatas))


def _pitch(element):
    """Return the MIDI number of a ``<pitch>``, 60 for middle C, or 0 for a rest."""
    if element is None:
        return 0
    octave, alter = int(element.findtext("octave")), int(element.findtext("alter") or 0)
    return 12 * (octave + 1) + _SEMITONES[element.findtext("step")] + alter


def _melody(chorale):
    """Return the intervals of the soprano, which do not depend on the key."""
    pitches = chorale.voices[0][:, 0]
    return np.diff(pitches[pitches > 0]).tolist()


def _runs(sequence, length):
    """Return all stretches of a length, as text; the whole where it is shorter."""
    count = max(1, len(sequence) - length + 1)
    return {str(sequence[n : n + length]) for n in range(count)}


def _tune(block, book):
    """Read one tune of an ABC file: fields up to the key, then the body."""
    head, body = {}, []
    for line in block.splitlines():
        field = re.match(r"([A-Za-z]):(.*)", line)
        if field and "K" not in head:
            head.setdefault(field[1], field[2].strip())
        elif not field:
            body.append(line.partition("%")[0])
    text = re.sub(_MARKS, "", "\n".join(body))
    lines = (" ".join(line.split()) for line in text.splitlines())
    unit = head.get("L", "1/8")
    return Tune(head["T"], book, head["M"], unit, head["K"], "\n".join(filter(None, lines)))
