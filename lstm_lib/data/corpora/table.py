"""Columns of numbers over one calendar: what the loaders of series return."""

from dataclasses import dataclass

import numpy as np

from lstm_lib.data.windows import time_split

__all__ = ["Table", "pivot"]


@dataclass(frozen=True, repr=False)
class Table:
    """Columns of numbers over one calendar. The arrays cannot be written to.

    Attributes
    ----------
    dates : ndarray of datetime64, shape (T,)
        Increasing; of the unit that fits, days or minutes.
    columns : tuple of str, length C
    values : ndarray, shape (T, C)
        NaN where a column has no value on a date, as before a company was listed.
    labels : ndarray of str, shape (T,), or None
        A class for every date, where the data set has one.
    cuts : pair of str, or None
        The first dates of the validation and of the test part, where the book has settled
        on them.

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
    cuts: tuple | None = None

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

    @property
    def split(self):
        """Training, validation and test part by time, as slices of the rows.

        What `lstm_lib.data.windows.time_split` returns for `dates` and `cuts`.
        """
        if self.cuts is None:
            raise ValueError("this table has no cuts: use windows.time_split(table.dates, ...)")
        return time_split(self.dates, *self.cuts)

    def select(self, *columns):
        """Return a Table of these columns, on the dates where all of them have a value."""
        chosen = self.values[:, [self._index(column) for column in columns]]
        rows = np.isfinite(chosen).all(axis=1)
        labels = None if self.labels is None else self.labels[rows]
        return Table(self.dates[rows], columns, chosen[rows], labels, self.cuts)

    def _index(self, column):
        if column not in self.columns:
            raise KeyError(f"no column {column!r}; there are {', '.join(self.columns)}")
        return self.columns.index(column)


def pivot(rows, cuts=None):
    """Turn (column, date, value) rows into a Table with a column each, NaN where none is.

    Parameters
    ----------
    rows : iterable of (str, str, float)
        Column, ISO date and value.
    cuts : pair of str, optional
        As in `Table`.

    Returns
    -------
    Table

    Examples
    --------
    >>> pivot([("b", "2020-01-02", 3), ("a", "2020-01-01", 1), ("b", "2020-01-01", 2)]).values
    array([[ 1.,  2.],
           [nan,  3.]])
    """
    cells = {(name, np.datetime64(date, "D")): float(value) for name, date, value in rows}
    columns = tuple(sorted({name for name, _ in cells}))
    dates = np.array(sorted({date for _, date in cells}), dtype="datetime64[D]")
    values = [[cells.get((name, date), np.nan) for name in columns] for date in dates]
    return Table(dates, columns, np.array(values), cuts=cuts)
