"""Documentation of functions and its first line: texts with their summaries."""

import ast
import importlib.metadata as metadata
import re
from typing import NamedTuple

from lstm_lib.data.corpora.files import MissingData, corpus
from lstm_lib.data.corpora.splits import deal, linked

__all__ = ["Documented", "docstrings"]

_LIBRARIES = ("matplotlib", "numpy", "scikit-learn", "scipy")
_NOT_THEIRS = re.compile(r"(^|/)(tests?|testing|_?vendor\w*|externals?|extern)/")
_SECTION = re.compile(
    r"^(?:[A-Z][\w ]*\n[-=~]{3,}|>>> |\.\. |:param|:type|Args:|Returns:|Examples?:)", re.MULTILINE
)
_BODY_WORDS, _SUMMARY_WORDS = range(10, 121), range(3, 21)


class Documented(NamedTuple):
    """The explanation of a function or class, its first line, its name and its package."""

    body: str
    summary: str
    name: str
    package: str


@corpus(
    libraries=_LIBRARIES,
    task="transduction: summaries, from the explanation of a function to its first line",
    size="about 2,950 pairs from four libraries; depends on their versions",
    source="docstrings of installed libraries, read as text",
    licence="BSD 3-clause and like it",
    split="by name: functions of one name, or with one text, are in one part",
)
def docstrings(*packages):
    """Explanations of functions, 10 to 120 words, with their first line of 3 to 20 words.

    No news: no package ships clean ones. The source files are read and parsed, not
    imported. Whatever versions are installed are taken, so numbers that stand on this set
    hold for the versions they were made with.

    Parameters
    ----------
    *packages : str
        Names of installed packages; matplotlib, numpy, scikit-learn and scipy by default.

    Returns
    -------
    Split
        Three tuples of `Documented`.

    Examples
    --------
    >>> split = docstrings("numpy")
    >>> {pair.name: pair.summary for part in split for pair in part}["fftshift"]
    'Shift the zero-frequency component to the center of the spectrum.'
    """
    found = [pair for package in packages or _LIBRARIES for pair in _pairs(package)]
    distinct = list({(pair.body, pair.summary): pair for pair in found}.values())
    keys = [{f"name {p.name}", f"body {p.body}", f"summary {p.summary}"} for p in distinct]
    return deal(distinct, linked(keys))


def _pairs(package):
    """Yield the pairs of one package's source files."""
    for file in _sources(package):
        for node in _public(ast.parse(file.read_text(encoding="utf-8"))):
            head, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
            body = _SECTION.split(rest, maxsplit=1)[0].split()
            head = head.split()
            if len(body) in _BODY_WORDS and len(head) in _SUMMARY_WORDS:
                yield Documented(" ".join(body), " ".join(head), node.name, package)


def _public(tree):
    """Yield the functions and classes of a module, and the methods of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node)


def _sources(package):
    """Return the package's own source files, less its tests."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        raise MissingData(f"{package} is not installed. Run: pip install {package}") from None
    own = (file for file in metadata.files(package) or () if not _NOT_THEIRS.search(str(file)))
    return [file.locate() for file in own if file.suffix == ".py"]
