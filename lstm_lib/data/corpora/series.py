"""Other series: electricity, airline passengers, glucose, and a laser's chaos."""

import ast
import csv
import gzip
import io
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.table import Table

__all__ = ["Laser", "airline", "electricity", "glucose", "laser"]

ELECTRICITY = DataFile(
    "pmdarima",
    "pmdarima/datasets/taylor.py",
    "3df2f44f654bfe4338ea39350912140c9710fa776270f50a2529b2f5c87a4e19",
)
AIRLINE = DataFile(
    "sktime",
    "sktime/datasets/data/Airline/Airline.csv",
    "28af0eb869db6d9fbd31d5af03993a0cbf36c0857c3eb046a068c094b60da851",
)
GLUCOSE = DataFile(
    "bokeh-sampledata",
    "bokeh_sampledata/_data/CGM.csv.gz",
    "91fdad8325541a4487d88cb59b2fc9f6ed821c7c01eaabed0606bbb7089be8de",
)
LASER = DataFile(
    "reservoirpy",
    "reservoirpy/datasets/santafe_laser.npy",
    "8c07281200935596f8e28bc94e1bb25e9964ab7d7f63c5e27ac87b810ac3b33a",
)


class Laser(NamedTuple):
    """Intensities of a laser, and the task that the competition set.

    Parameters
    ----------
    values : ndarray of uint8, shape (10093,)
    train, valid, test : slice
        What the competitors had; the last tenth of it, to choose a model by; and the
        hundred steps after it, which they had to foretell.
    """

    values: np.ndarray
    train: slice = slice(0, 900)
    valid: slice = slice(900, 1000)
    test: slice = slice(1000, 1100)


@corpus(
    ELECTRICITY,
    task="prediction: many steps ahead, electricity demand",
    size="4,032 half hours, 12 weeks of the year 2000",
    source="J. W. Taylor, Journal of the Operational Research Society 54 (2003) 799-805",
    licence="package MIT; nothing is said of the data, which their author made public",
    split="by time: the 10th week for validation, the last two for the test",
)
def electricity():
    """Demand for electricity in England and Wales, every half hour of twelve weeks.

    In megawatts, from Monday 2000-06-05 to Sunday 2000-08-27, with a daily and a weekly
    season. The package keeps the numbers in a Python file: they are read as text, and
    nothing is run. It gives no times of day: the first value is taken to be midnight's.

    Returns
    -------
    Table
        The column ``demand``.

    Examples
    --------
    >>> demand = electricity()
    >>> len(demand), demand["demand"][:3]
    (4032, array([22262., 21756., 22247.]))
    """
    tree = ast.parse(read(ELECTRICITY))
    lists = [node for node in ast.walk(tree) if isinstance(node, ast.List)]
    values = np.array(ast.literal_eval(max(lists, key=lambda node: len(node.elts))), dtype=float)
    times = np.datetime64("2000-06-05T00:00", "m") + 30 * np.arange(len(values))
    return Table(times, ("demand",), values[:, None], cuts=("2000-08-07", "2000-08-14"))


@corpus(
    AIRLINE,
    task="prediction: monthly passengers",
    size="144 months, 1949 to 1960",
    source="G. E. P. Box and G. M. Jenkins, Time Series Analysis, 1976, series G",
    licence="package BSD 3-clause; nothing is said of the data",
    split="by time: 1958 for validation, 1959 and 1960 for the test",
)
def airline():
    """Passengers of international airlines, month by month, 1949-01 to 1960-12.

    In thousands. The textbook example of a season that grows with the level.

    Returns
    -------
    Table
        The column ``passengers``.

    Examples
    --------
    >>> airline()["passengers"][:12]
    array([112., 118., 132., 129., 121., 135., 148., 148., 136., 119., 104., 118.])
    """
    rows = list(csv.DictReader(io.StringIO(read(AIRLINE).decode("utf-8"))))
    dates = np.array([row["Date"] for row in rows], dtype="datetime64[M]").astype("datetime64[D]")
    values = np.array([[float(row["Passengers"])] for row in rows])
    return Table(dates, ("passengers",), values, cuts=("1958-01-01", "1959-01-01"))


@corpus(
    GLUCOSE,
    task="prediction: glucose every five minutes, with gaps",
    size="52,278 readings of one person, 2010-03-24 to 2010-10-10",
    source="the package's maintainer, from his own sensor",
    licence="package BSD 3-clause; declared to be in the public domain",
    split="by time: August 2010 for validation, from September on for the test",
)
def glucose():
    """Glucose of one person, measured under the skin about every five minutes for 200 days.

    In milligrams a decilitre. Mind the gaps: the steps between readings are five minutes
    for all but 580 of them. Of readings with one time the first is kept.

    Returns
    -------
    Table
        The column ``glucose``.

    Examples
    --------
    >>> readings = glucose()
    >>> len(readings), readings["glucose"][:3]
    (52278, array([258., 260., 258.]))
    """
    text = gzip.decompress(read(GLUCOSE)).decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    times = np.array([row["datetime"].replace(" ", "T") for row in rows], dtype="datetime64[m]")
    times, first = np.unique(times, return_index=True)
    values = np.array([float(row["glucose"]) for row in rows])[first]
    return Table(times, ("glucose",), values[:, None], cuts=("2010-08-01", "2010-09-01"))


@corpus(
    LASER,
    task="prediction: chaos",
    size="10,093 intensities, whole numbers from 0 to 255",
    source="data set A of the Santa Fe time series competition (Weigend and Gershenfeld, 1994)",
    licence="package MIT; nothing is said of the data",
    split="the competition's: 1,000 steps are known, the next 100 are to be foretold",
)
def laser():
    """Intensity of a far-infrared laser in a chaotic state, measured and not simulated.

    Pulsations grow and collapse, and the collapse is what is hard to foretell. The 8,993
    steps after the competition's test are the continuation that was published later.

    Returns
    -------
    Laser

    References
    ----------
    A. S. Weigend and N. A. Gershenfeld (eds.), "Time Series Prediction: Forecasting the
    Future and Understanding the Past", Addison-Wesley, 1994.

    Examples
    --------
    >>> task = laser()
    >>> task.values[:6], task.values[task.test].size
    (array([ 86, 141,  95,  41,  22,  21], dtype=uint8), 100)
    """
    values = np.load(io.BytesIO(read(LASER)), allow_pickle=False).ravel()
    exact = values.astype(np.uint8)
    exact.flags.writeable = False
    return Laser(exact)
