"""Data sets: the right numbers, one file each, and a clear word where something is amiss."""

import importlib.metadata as metadata
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from lstm_lib.data import corpora
from lstm_lib.data.windows import sliding_windows

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_packages(monkeypatch):
    """A machine on which no data package is installed."""

    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(corpora.metadata, "version", version)


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
    with pytest.raises(ValueError, match="Adj Close; got 'close'"):
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


@pytest.mark.parametrize(
    "load",
    [corpora.stocks_monthly, corpora.stocks_daily, corpora.weather],
    ids=lambda f: f.__name__,
)
def test_tables_cannot_be_written_to(load):
    table = load()
    with pytest.raises(ValueError, match="read-only"):
        table.values[0, 0] = 0
    with pytest.raises(KeyError, match="no column 'TSLA'; there are"):
        table["TSLA"]
    assert len(repr(table)) < 120


def test_select_keeps_labels_beside_their_days():
    days = np.arange("2020-01-01", "2020-01-04", dtype="datetime64[D]")
    table = corpora.Table(
        days, ("a", "b"), np.array([[1, 2], [np.nan, 3], [4, 5.0]]), np.array(["x", "y", "z"])
    )
    chosen = table.select("a")
    assert chosen.labels.tolist() == ["x", "z"] and len(table.select("b")) == 3
    assert chosen.values.tolist() == [[1.0], [4.0]]


def test_a_company_before_its_listing_is_refused_by_the_windows():
    with pytest.raises(ValueError, match="nan at index 0"):
        sliding_windows(corpora.stocks_monthly()["GOOG"], 3)


def test_data_packages_are_read_and_never_imported():
    code = (
        "import sys; from lstm_lib.data import corpora as c;"
        "c.stocks_monthly(); c.stocks_daily(); c.weather();"
        "print({'vega_datasets', 'bokeh_sampledata', 'pandas', 'torch', 'matplotlib'}"
        " & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "set()", run.stderr


@pytest.mark.parametrize(
    ("load", "pin"),
    [
        (corpora.stocks_monthly, "vega_datasets==0.9.0"),
        (corpora.weather, "vega_datasets==0.9.0"),
        (corpora.stocks_daily, "bokeh-sampledata==2026.1"),
    ],
)
def test_missing_package_names_the_command(no_packages, load, pin):
    with pytest.raises(ModuleNotFoundError) as error:
        load()
    assert f"pip install --no-deps --only-binary :all: {pin}" in str(error.value)


def test_another_version_counts_as_missing(monkeypatch):
    monkeypatch.setattr(corpora.metadata, "version", lambda name: "0.8.0")
    with pytest.raises(corpora.MissingData, match="pinned version"):
        corpora.weather()


@pytest.mark.parametrize("load", [corpora.stocks_monthly, corpora.stocks_daily, corpora.weather])
def test_tampered_file(monkeypatch, tmp_path, load):
    original = metadata.distribution

    def tampered(dist):
        real = original(dist)

        def locate(file):
            copy = tmp_path / Path(file).name
            content = bytearray(Path(real.locate_file(file)).read_bytes())
            content[100] ^= 1
            copy.write_bytes(content)
            return copy

        return types.SimpleNamespace(version=real.version, locate_file=locate)

    monkeypatch.setattr(corpora.metadata, "distribution", tampered)
    with pytest.raises(corpora.ChangedData, match=r"expected SHA-256 (\w{64}), found (?!\1)\w{64}"):
        load()


def test_file_that_is_gone(monkeypatch, tmp_path):
    gone = types.SimpleNamespace(version="0.9.0", locate_file=lambda file: tmp_path / file)
    monkeypatch.setattr(corpora.metadata, "distribution", lambda dist: gone)
    with pytest.raises(corpora.ChangedData, match="no file vega_datasets/_data/seattle"):
        corpora.weather()


def test_install_does_nothing_where_all_is_there(monkeypatch):
    monkeypatch.setattr(corpora.subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    corpora.install("vega-datasets", "bokeh_sampledata")
    corpora.install()
    corpora.require()


def test_install_runs_pip_for_what_is_missing(monkeypatch):
    there, calls = set(), []

    def version(name):
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return corpora.DISTRIBUTIONS[name]

    def run(command, **options):
        calls.append(command)
        there.update(pin.split("==")[0] for pin in command if "==" in pin)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(corpora.metadata, "version", version)
    monkeypatch.setattr(corpora.subprocess, "run", run)
    corpora.install("vega_datasets")
    corpora.install("vega_datasets", "bokeh-sampledata")
    start = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    assert calls == [
        [*start, "--only-binary", ":all:", "vega_datasets==0.9.0"],
        [*start, "--only-binary", ":all:", "bokeh-sampledata==2026.1"],
    ]


def test_install_repeats_what_pip_said(no_packages, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "line\nERROR: no network\n")
    monkeypatch.setattr(corpora.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(RuntimeError, match="vega_datasets==0.9.0 failed: ERROR: no network"):
        corpora.install("vega_datasets")


def test_install_that_leaves_nothing_behind_is_an_error(no_packages, monkeypatch):
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(corpora.subprocess, "run", lambda *a, **k: done)
    with pytest.raises(corpora.MissingData):
        corpora.install("vega_datasets")


@pytest.mark.parametrize("call", [corpora.install, corpora.require])
def test_unknown_package(call):
    with pytest.raises(ValueError, match="'left-pad' is no data package"):
        call("left-pad")


def test_requirements_name_the_same_versions():
    lines = (ROOT / "requirements-data.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins == [f"{name}=={version}" for name, version in corpora.DISTRIBUTIONS.items()]
