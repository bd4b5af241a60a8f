"""Pictures with words: characters and their Unicode names, and rows of digits."""

import functools
import io
import unicodedata
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read_folder
from lstm_lib.data.corpora.splits import deal
from lstm_lib.validation import one_of, positive_int

__all__ = ["Canvas", "Character", "canvases", "draw_character", "named_characters"]

FONTS = DataFile(
    "matplotlib",
    "matplotlib/mpl-data/fonts/ttf",
    "f9e207e6eb52a731174355c234d176aaab9e69cc6dfe56a8088c078419107870",
    "DejaVu*.ttf",
)
_NO_PICTURE = ("C", "Z", "Mn", "Me")  # controls, blanks, marks that need another character
_WORDS = "zero one two three four five six seven eight nine".split()


class Character(NamedTuple):
    """A character, its name as words in small letters, and the fonts that have it."""

    sign: str
    name: tuple
    fonts: tuple


class Canvas(NamedTuple):
    """A picture of brightnesses, shape (rows, columns), its words, and the corner of each digit.

    A corner is the row and the column at which the digit's own picture begins.
    """

    image: np.ndarray
    words: tuple
    corners: tuple


@corpus(
    FONTS,
    task="generation: the Unicode name of a drawn character",
    size="6,494 characters in 14 fonts, 45,715 pictures",
    source="the DejaVu fonts in matplotlib, names from the Unicode Character Database",
    licence="fonts free (Bitstream Vera and DejaVu), names Unicode",
    split="by character: one character in all fonts is in one part",
)
def named_characters():
    """Characters of the DejaVu fonts with their names, for `draw_character` to draw.

    ``☃`` is *snowman*, ``Â`` is *latin capital letter a with circumflex*. Some characters
    look the same and have two names, as the Latin A and the Greek Alpha do.

    Any version of matplotlib will do whose fonts are these, and it is not imported; the
    fonts' tables are read with fontTools, which comes with it.

    Returns
    -------
    Split
        Three tuples of `Character`.

    Examples
    --------
    >>> signs = {one.sign: one for part in named_characters() for one in part}
    >>> signs["Â"].name
    ('latin', 'capital', 'letter', 'a', 'with', 'circumflex')
    """
    from fontTools.ttLib import TTFont

    fonts = {}
    for name, content in read_folder(FONTS).items():
        for code in TTFont(io.BytesIO(content), lazy=True).getBestCmap():
            fonts.setdefault(chr(code), []).append(name.removesuffix(".ttf"))
    found = [
        Character(sign, tuple(unicodedata.name(sign).lower().split()), tuple(fonts[sign]))
        for sign in sorted(fonts)
        if unicodedata.name(sign, "") and not unicodedata.category(sign).startswith(_NO_PICTURE)
    ]
    return deal(found, [character.sign for character in found])


def draw_character(sign, font="DejaVuSans", size=32):
    """Draw one character in the middle of a square, white on black.

    Pillow draws it, and its versions differ in the shade of single pixels.

    Parameters
    ----------
    sign : str
        One character.
    font : str
        One of the fonts in `Character.fonts`; a wrong name is answered with all of them.
    size : int
        Side of the square in pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size)

    Raises
    ------
    ValueError
        For an unknown font.

    Examples
    --------
    >>> picture = draw_character("I")
    >>> bool(picture[:, 15:17].mean() > picture[:, :8].mean())
    True
    """
    from PIL import Image, ImageDraw

    if len(sign) != 1:
        raise ValueError(f"sign must be one character, got {sign!r}")
    face = _face(font, positive_int("size", size))
    image = Image.new("L", (size, size))
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = pen.textbbox((0, 0), sign, font=face)
    pen.text(((size - left - right) / 2, (size - top - bottom) / 2), sign, fill=255, font=face)
    return np.array(image)


def canvases(digits, count, *, rng, most=3, width=None):
    """Put digits in a row on dark canvases; the caption is their names.

    Give it the digits of one part of :func:`~lstm_lib.data.corpora.digits.mnist_digits`, so that no picture of
    the test part is seen in training.

    Parameters
    ----------
    digits : sequence of Digit
    count : int
        How many canvases.
    rng : numpy.random.Generator or int
    most : int
        A canvas holds 1 to `most` digits, each number equally often.
    width : int, optional
        Pixels from left to right; `most` digits and a half by default.

    Returns
    -------
    tuple of Canvas
        Half as high again as a digit; a digit stands a little higher or lower than its neighbours.

    Raises
    ------
    ValueError, TypeError
        If there is no digit, a number is no positive integer, or the canvas is too narrow.

    Examples
    --------
    >>> from lstm_lib.data.corpora import mnist_digits
    >>> canvas = canvases(mnist_digits().train, 1, rng=0)[0]
    >>> canvas.image.shape, canvas.words
    ((42, 98), ('six', 'seven', 'five'))
    >>> [left for _, left in canvas.corners]
    [0, 29, 60]
    """
    rng = np.random.default_rng(rng)
    positive_int("most", most)
    if not len(digits):
        raise ValueError("digits must not be empty")
    columns = digits[0].image.shape[1]
    width = positive_int("width", width or most * columns + columns // 2)
    if width < most * columns:
        raise ValueError(
            f"width must leave room for {most} digits of {columns} columns; got {width}"
        )
    return tuple(_canvas(digits, most, width, rng) for _ in range(positive_int("count", count)))


def _canvas(digits, most, width, rng):
    rows, columns = digits[0].image.shape
    image = np.zeros((rows + rows // 2, width), dtype=np.uint8)
    chosen = [digits[n] for n in rng.integers(len(digits), size=rng.integers(1, most + 1))]
    free = image.shape[1] - len(chosen) * columns
    gaps = np.diff(np.sort(rng.integers(free + 1, size=len(chosen))), prepend=0)
    left, corners = 0, []
    for digit, gap in zip(chosen, gaps.tolist(), strict=True):
        top, left = int(rng.integers(rows // 2 + 1)), left + gap
        image[top : top + rows, left : left + columns] = digit.image
        corners.append((top, left))
        left += columns
    return Canvas(image, tuple(_WORDS[digit.label] for digit in chosen), tuple(corners))


@functools.cache
def _fonts():
    """Return the fonts' files by their names."""
    return {name.removesuffix(".ttf"): data for name, data in read_folder(FONTS).items()}


@functools.cache
def _face(font, size):
    from PIL import ImageFont

    one_of("font", font, tuple(_fonts()))
    return ImageFont.truetype(io.BytesIO(_fonts()[font]), round(0.75 * size))
