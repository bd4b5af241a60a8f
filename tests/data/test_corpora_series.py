"""Stocks, weather and other series: the right numbers, whole calendars, splits by time."""

import numpy as np
import pytest

from lstm_lib.data import corpora


def test_monthly_stocks():
    table = corpora.stocks_monthly()
    assert table.columns == ("AAPL", "AMZN", "GOOG", "IBM", "MSFT")
    assert str(table.dates[0]) == "2000-01-01" and str(table.dates[-1]) == "2010-03-01"
    assert len(table) == 123 and np.isfinite(table.values).sum() == 560
    assert table["MSFT"][0] == 39.81 and table["AAPL"][-1] == 223.02
    months = table.dates.astype("datetime64[M]").astype(int)
    assert (np.diff(months) == 1).all(), "no month is missing"
    google = table.select("GOOG")
    assert len(google) == 68 and str(google.dates[0]) == "2004-08-01"


def test_daily_stocks():
    table = corpora.stocks_daily()
    counts = dict(zip(table.columns, np.isfinite(table.values).sum(axis=0).tolist(), strict=True))
    assert counts == {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
    assert table["AAPL"][0] == pytest.approx(4.186662803811)
    assert (np.diff(table.dates.astype(int)) > 0).all()
    assert table.select("AAPL", "GOOG").values.shape == (2148, 2)
    raw = corpora.stocks_daily("Close")["AAPL"]
    jumps, adjusted = (np.diff(np.log(series)) for series in (raw, table["AAPL"]))
    splits = np.abs(jumps - adjusted) > 0.5
    assert splits.sum() == 2, "two share splits are in Close and not in Adj Close"
    assert corpora.stocks_daily("Volume")["AAPL"][0] == 9616100
    with pytest.raises(ValueError, match="'Adj Close'; got 'close'"):
        corpora.stocks_daily("close")


def test_weather():
    table = corpora.weather()
    assert len(table) == 1461 and (np.diff(table.dates).astype(int) == 1).all()
    assert table["temp_max"][0] == 12.8 and table["temp_min"][-1] == -2.1
    assert (table["temp_max"] >= table["temp_min"]).all() and (table["precipitation"] >= 0).all()
    names, counts = np.unique(table.labels, return_counts=True)
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert found == {"drizzle": 54, "fog": 411, "rain": 259, "snow": 23, "sun": 714}
    year = table.dates.astype("datetime64[Y]").astype(int) + 1970
    rain = [int((table.labels[year == y] == "rain").sum()) for y in (2012, 2014)]
    assert rain == [191, 3], "the docstring says so"


def test_sea_temperature_lies_on_a_whole_grid():
    table = corpora.sea_temperature()
    steps = np.diff(table.dates)
    assert len(table) == 19249 and (steps == np.timedelta64(30, "m")).all()
    assert table["temperature"][:3].tolist() == [4.929, 4.887, 4.821]
    filled = table.labels == "filled"
    assert filled.sum() == 24 and set(table.labels) == {"filled", "measured"}
    night = table["temperature"][np.flatnonzero(filled)[1] - 1 :][:25]
    assert np.ptp(np.diff(night, 2)) < 1e-12, "a straight line bridges the long gap"


def test_electricity():
    table = corpora.electricity()
    assert len(table) == 4032 and table["demand"][:3].tolist() == [22262, 21756, 22247]
    weekday = (table.dates.astype("datetime64[D]").astype(int) + 3) % 7
    assert weekday[0] == 0, "a Monday"
    means = [table["demand"][weekday == day].mean() for day in range(7)]
    assert max(means[5:]) < min(means[:5]), "weekends need less, so the calendar is right"
    assert [part.stop - part.start for part in table.split] == [9 * 336, 336, 2 * 336]


def test_airline():
    table = corpora.airline()
    assert len(table) == 144 and table["passengers"][[0, 1, -1]].tolist() == [112, 118, 432]


def test_glucose():
    table = corpora.glucose()
    assert len(table) == 52278 and table["glucose"][0] == 258
    steps = np.diff(table.dates).astype(int)
    assert (steps > 0).all() and (steps != 5).sum() == 580, "the docstring says so"


def test_laser():
    data = corpora.laser()
    assert data.values.shape == (10093,) and data.values[:5].tolist() == [86, 141, 95, 41, 22]
    assert data.values.max() == 255
    spans = [data.train, data.valid, data.test]
    assert [(s.start, s.stop) for s in spans] == [(0, 900), (900, 1000), (1000, 1100)]


@pytest.mark.parametrize(
    "load",
    [
        corpora.stocks_monthly,
        corpora.stocks_daily,
        corpora.weather,
        corpora.sea_temperature,
        corpora.electricity,
        corpora.airline,
        corpora.glucose,
    ],
    ids=lambda f: f.__name__,
)
def test_series_are_split_by_time(load):
    table = load()
    train, valid, test = table.split
    assert (train.start, train.stop, valid.stop, test.stop) == (
        0,
        valid.start,
        test.start,
        len(table),
    )
    assert table.dates[train][-1] < table.dates[valid][0] <= table.dates[valid][-1]
    assert table.dates[valid][-1] < table.dates[test][0]
    assert min(len(table.dates[part]) for part in table.split) >= 12
    chosen = table.select(*table.columns[:1])
    assert chosen.dates[chosen.split.test][0] >= table.dates[test][0]


def test_a_table_without_cuts_says_how_to_split_it():
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    with pytest.raises(ValueError, match="windows.time_split"):
        _ = corpora.Table(days, ("a",), np.zeros((2, 1))).split
