"""Weather and water: Seattle day by day, and the temperature of the sea every half hour."""

import csv
import gzip
import io

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.table import Table

__all__ = ["sea_temperature", "weather"]

SEATTLE = DataFile(
    "vega_datasets",
    "vega_datasets/_data/seattle-weather.csv",
    "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
)
SEA = DataFile(
    "bokeh-sampledata",
    "bokeh_sampledata/_data/sea_surface_temperature.csv.gz",
    "529155ac773634b0dca439781a839487640db92e2bdb597e372a2b0ba0ffbff0",
)


@corpus(
    SEATTLE,
    task="prediction: daily weather",
    size="1,461 days, 2012 to 2015: rain, two temperatures, wind, a label",
    source="NOAA, as the data set `seattle-weather` of Vega",
    licence="package MIT; measurements in the public domain",
    split="by time: 2014 for validation, 2015 for the test",
)
def weather():
    """Weather of Seattle, day by day, 2012-01-01 to 2015-12-31.

    1,461 days without a gap: precipitation in millimetres, highest and lowest temperature
    in degrees Celsius, mean wind in metres a second, and one of the labels ``drizzle``,
    ``fog``, ``rain``, ``snow``, ``sun``. The labels are not kept the same way over the
    years: 191 days of 2012 are ``rain``, and 3 of 2014.

    Returns
    -------
    Table
        Columns ``precipitation``, ``temp_max``, ``temp_min``, ``wind``; with labels.

    Examples
    --------
    >>> days = weather()
    >>> str(days.dates[0]), days.values[0], str(days.labels[0])
    ('2012-01-01', array([ 0. , 12.8,  5. ,  4.7]), 'drizzle')
    """
    rows = list(csv.DictReader(io.StringIO(read(SEATTLE).decode("utf-8"))))
    columns = ("precipitation", "temp_max", "temp_min", "wind")
    return Table(
        np.array([row["date"].replace("/", "-") for row in rows], dtype="datetime64[D]"),
        columns,
        np.array([[float(row[column]) for column in columns] for row in rows]),
        np.array([row["weather"] for row in rows]),
        ("2014-01-01", "2015-01-01"),
    )


@corpus(
    SEA,
    task="prediction: many steps ahead, sea temperature",
    size="19,249 half hours, 2016-02-15 to 2017-03-22, 24 of them filled in",
    source="a buoy of NERACOOS in the north-western Atlantic",
    licence="package BSD 3-clause; measurements free to use and to redistribute",
    split="by time: January 2017 for validation, from February on for the test",
)
def sea_temperature():
    """Temperature of the sea's surface every half hour, from 2016-02-15 to 2017-03-22.

    In degrees Celsius, at times in UTC. The file lacks 24 half hours, 23 of them in one
    night, and holds one twice; here the grid is whole, and what was lacking lies on the
    straight line between its neighbours and is labelled ``filled``.

    Returns
    -------
    Table
        The column ``temperature``; labels ``measured`` and ``filled``.

    Examples
    --------
    >>> sea = sea_temperature()
    >>> sea, int((sea.labels == "filled").sum())
    (Table(temperature: 19249 rows, 2016-02-15T00:00 to 2017-03-22T00:00), 24)
    """
    rows = list(csv.reader(io.StringIO(gzip.decompress(read(SEA)).decode("utf-8"))))[1:]
    times = np.array([time.removesuffix("Z") for time, _ in rows], dtype="datetime64[m]")
    times, first = np.unique(times, return_index=True)
    values = np.array([float(value) for _, value in rows])[first]
    half_hour = np.timedelta64(30, "m")
    grid = np.arange(times[0], times[-1] + half_hour, half_hour)
    filled = np.interp(grid.astype(float), times.astype(float), values)
    return Table(
        grid,
        ("temperature",),
        filled[:, None],
        np.where(np.isin(grid, times), "measured", "filled"),
        ("2017-01-01", "2017-02-01"),
    )
