"""Prices of shares: the loaders of monthly and of daily prices."""

import csv
import gzip
import io

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.table import pivot
from lstm_lib.validation import one_of

__all__ = ["stocks_daily", "stocks_monthly"]

MONTHLY = DataFile(
    "vega_datasets",
    "vega_datasets/_data/stocks.csv",
    "f9953ac6693e587476b4ebf2f0b00d9bb95371ca8c39da4cc6155077b3e417cd",
)
DAILY = DataFile(
    "bokeh-sampledata",
    "bokeh_sampledata/_data/stocks.csv.gz",
    "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_COLUMNS = ("Open", "High", "Low", "Close", "Volume", "Adj Close")


@corpus(
    MONTHLY,
    task="prediction: monthly share prices",
    size="5 companies, 123 months, 2000 to 2010",
    source="the data set `stocks` of Vega; the package does not say where the prices are from",
    licence="package MIT; nothing is said of the prices",
    split="by time: 2007 for validation, from 2008 on for the test",
)
def stocks_monthly():
    """Monthly prices of Apple, Amazon, Google, IBM and Microsoft, 2000-01 to 2010-03.

    One price in US dollars a month, dated the first of the month, adjusted for the splits
    up to 2010. 123 months; Google has 68, from its listing in August 2004.

    Returns
    -------
    Table
        Columns ``AAPL``, ``AMZN``, ``GOOG``, ``IBM``, ``MSFT``.

    Examples
    --------
    >>> prices = stocks_monthly()
    >>> prices.select("GOOG")
    Table(GOOG: 68 rows, 2004-08-01 to 2010-03-01)
    >>> prices.dates[prices.split.test][0]
    np.datetime64('2008-01-01')
    """
    rows = csv.DictReader(io.StringIO(read(MONTHLY).decode("utf-8")))
    cells = ((row["symbol"], _first_of_month(row["date"]), row["price"]) for row in rows)
    return pivot(cells, ("2007-01-01", "2008-01-01"))


@corpus(
    DAILY,
    task="prediction: daily share prices",
    size="5 companies, 3,270 trading days, 2000 to 2013",
    source="Quandl WIKI prices",
    licence="package BSD 3-clause; prices declared to be in the public domain by their publisher",
    split="by time: 2009 for validation, from 2010 on for the test",
)
def stocks_daily(column="Adj Close"):
    """Daily prices of Apple, Facebook, Google, IBM and Microsoft, 2000-03-01 to 2013-03-01.

    3,270 trading days; Google has 2,148, from 2004-08-19, and Facebook 196, from
    2012-05-18. Only ``Adj Close`` is adjusted for splits and dividends; the other prices
    jump where a share was split.

    Parameters
    ----------
    column : {"Adj Close", "Open", "High", "Low", "Close", "Volume"}

    Returns
    -------
    Table
        Columns ``AAPL``, ``FB``, ``GOOG``, ``IBM``, ``MSFT``, in US dollars (or shares).

    Examples
    --------
    >>> prices = stocks_daily()
    >>> prices
    Table(AAPL, FB, GOOG, IBM, MSFT: 3270 rows, 2000-03-01 to 2013-03-01)
    >>> round(float(prices["AAPL"][-1]), 2)
    56.14
    """
    one_of("column", column, _COLUMNS)
    text = gzip.decompress(read(DAILY)).decode("utf-8")
    rows = csv.DictReader(io.StringIO(text))
    cells = ((row["Ticker"], row["Date"], row[column]) for row in rows)
    return pivot(cells, ("2009-01-01", "2010-01-01"))


def _first_of_month(text):
    """Return an ISO date for text like ``Jan 1 2000``, whatever the locale."""
    month, day, year = text.split()
    return f"{year}-{_MONTHS.index(month) + 1:02d}-{int(day):02d}"
