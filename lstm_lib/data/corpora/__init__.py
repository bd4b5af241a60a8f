"""Real data sets, read from the files of pinned pip packages.

pip reaches every reader, on Colab and on a machine without open internet, so a data set
here is a file inside a published package. The packages are installed without their
dependencies and never imported: only the file is read, and only if its SHA-256 is the
one that the book was written with. `DISTRIBUTIONS` and ``requirements-data.txt`` name the
same versions.

``install("vega_datasets")``
    does nothing where it is installed
``stocks_monthly()``
    a data set; each has its loader

Where a data set has a part to learn from and a part to be judged by, its loader divides it
so that the one tells nothing of the other: a `Split` of the records, or a `Table` of a
series with its ``split`` by time. What a loader returns is kept and shared: it cannot be
written to. Parts of what a record says of itself, the catalogue says too: `CATALOGUE` holds
task, size, source, licence and split of every data set.
"""

from lstm_lib.data.corpora.baskets import Groceries, Household, grocery_baskets
from lstm_lib.data.corpora.captions import (
    Canvas,
    Character,
    canvases,
    draw_character,
    named_characters,
)
from lstm_lib.data.corpora.digits import Digit, mnist_digits, small_digits
from lstm_lib.data.corpora.dna import Stretch, genome_windows, splice_sites
from lstm_lib.data.corpora.ecg import Heartbeats, heartbeats
from lstm_lib.data.corpora.environment import sea_temperature, weather
from lstm_lib.data.corpora.files import (
    CATALOGUE,
    DISTRIBUTIONS,
    LIBRARIES,
    ChangedData,
    Corpus,
    MissingData,
    install,
    require,
)
from lstm_lib.data.corpora.handwriting import (
    Glyph,
    Trace,
    hand_movements,
    hershey_fonts,
    pen_digits,
    write,
)
from lstm_lib.data.corpora.music import Chorale, Tune, chorales, folk_tunes, piano_roll
from lstm_lib.data.corpora.poems import Poem, tang_poems
from lstm_lib.data.corpora.pronunciation import Word, family, pronunciations
from lstm_lib.data.corpora.sentiment import Review, reviews
from lstm_lib.data.corpora.series import Laser, airline, electricity, glucose, laser
from lstm_lib.data.corpora.splits import Split
from lstm_lib.data.corpora.stocks import stocks_daily, stocks_monthly
from lstm_lib.data.corpora.summaries import Documented, docstrings
from lstm_lib.data.corpora.table import Table
from lstm_lib.data.corpora.text import Play, classic, shakespeare
from lstm_lib.data.corpora.translation import Dated, Pair, human_dates, translations
from lstm_lib.data.corpora.ucr import Series, japanese_vowels, ucr_archive

__all__ = [
    "CATALOGUE",
    "DISTRIBUTIONS",
    "LIBRARIES",
    "Canvas",
    "ChangedData",
    "Character",
    "Chorale",
    "Corpus",
    "Dated",
    "Digit",
    "Documented",
    "Glyph",
    "Groceries",
    "Heartbeats",
    "Household",
    "Laser",
    "MissingData",
    "Pair",
    "Play",
    "Poem",
    "Review",
    "Series",
    "Split",
    "Stretch",
    "Table",
    "Trace",
    "Tune",
    "Word",
    "airline",
    "canvases",
    "chorales",
    "classic",
    "docstrings",
    "draw_character",
    "electricity",
    "family",
    "folk_tunes",
    "genome_windows",
    "glucose",
    "grocery_baskets",
    "hand_movements",
    "heartbeats",
    "hershey_fonts",
    "human_dates",
    "install",
    "japanese_vowels",
    "laser",
    "mnist_digits",
    "named_characters",
    "pen_digits",
    "piano_roll",
    "pronunciations",
    "require",
    "reviews",
    "sea_temperature",
    "shakespeare",
    "small_digits",
    "splice_sites",
    "stocks_daily",
    "stocks_monthly",
    "tang_poems",
    "translations",
    "ucr_archive",
    "weather",
    "write",
]
