"""Each notebook alone, as Colab runs it.

A notebook is copied into an empty folder. Its kernel lives in a fresh environment that holds what
Colab brings (numpy, torch, matplotlib, scikit-learn, a kernel and a few more, see BASE) and nothing
of this project. The first cell installs lstm_lib from this checkout's git, which stands in for the
public address through git's own ``insteadOf``, and the data packages; then the notebook runs to its
end under nbval, which compares what it prints with what is stored. ``make colab`` sets the code
paths of an older processor, so that each notebook is held to its numbers a second time, on other
instructions than in ``make test``.

The base is a folder of links to the pinned packages that run this test, only those that Colab brings and what
they require. A first cell begins with the lines that install the library; where several notebooks have the
very same lines, these are run once, in an environment that has nothing but the base, and each notebook gets a
copy of what they left behind, in which it installs its own data. A notebook with lines of its own begins with
nothing but the base. A copy is made of hard links: pip replaces files and never writes into them. Slow.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections import Counter
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.notebooks.hygiene import NOTEBOOKS, REPOSITORY, ROOT

pytestmark = pytest.mark.slow

BASE = (
    "numpy",
    "torch",
    "matplotlib",
    "ipykernel",
    "scikit-learn",
    "tqdm",
    "safetensors",
    "tokenizers",
)
LAST_CELL = """
import json, os, pathlib, sys, lstm_lib, torch
found = {"lstm_lib": lstm_lib.__file__, "torch": torch.__file__, "prefix": sys.prefix}
pathlib.Path(os.environ["FOUND_BY_NOTEBOOK"]).write_text(json.dumps(found))
"""


def git(*arguments, **options):
    command = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def python_of(environment):
    return (
        next(environment.glob("bin/python*"))
        if os.name != "nt"
        else environment / "Scripts/python.exe"
    )


def site_packages(environment):
    return next(environment.glob("lib/python3*/site-packages"))


@pytest.fixture(scope="session")
def public_repository(tmp_path_factory):
    """A bare repository whose branch main is this checkout, uncommitted changes included."""
    bare = tmp_path_factory.mktemp("public") / "repository.git"
    git("clone", "--quiet", "--bare", str(ROOT), str(bare))
    names = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")
    index = {"GIT_INDEX_FILE": str(bare / "test-index"), **dict.fromkeys(names, "test")}
    environment = {**os.environ, **index}
    git("read-tree", "HEAD", env=environment)
    git("add", "--all", "lstm_lib", "pyproject.toml", env=environment)
    tree = git("write-tree", env=environment)
    commit = git("commit-tree", tree, "-p", "HEAD", "-m", "state of the checkout", env=environment)
    git("push", "--quiet", str(bare), f"{commit}:refs/heads/colab-test")
    subprocess.run(["git", "-C", str(bare), "update-ref", "refs/heads/main", commit], check=True)
    return bare


@pytest.fixture(scope="session")
def base(tmp_path_factory, worker_id):
    """A folder of packages: what Colab brings, in the book's pinned versions; one for all workers."""
    alone = worker_id == "master"
    shared = tmp_path_factory.mktemp("base") if alone else tmp_path_factory.getbasetemp().parent
    folder, done = shared / "colab", shared / "colab-is-made"
    with FileLock(shared / "colab.lock"):
        if not done.exists():
            for package in packages(BASE):
                link_package(package, folder)
            done.touch()
    return folder


def packages(names):
    """The installed packages of these names and all that they require."""
    found, waiting = {}, [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), ("", *wanted.extras)
        new = [extra for extra in extras if (name, extra) not in found]
        for extra in new:
            found[name, extra] = metadata.distribution(name)
            required = map(Requirement, found[name, extra].requires or ())
            waiting += (
                one for one in required if not one.marker or one.marker.evaluate({"extra": extra})
            )
    return [package for (_, extra), package in found.items() if not extra]


def link_package(package, folder):
    """Link, or copy, the files of an installed package into a folder, leaving out its commands."""
    for file in package.files:
        source = Path(package.locate_file(file))
        if ".." not in file.parts and source.exists():
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            link(source, target)


def link(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def bare(base, tmp_path_factory):
    """An environment with the base's packages and none of ours; to be copied."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    venv.create(folder, with_pip=True)
    (site_packages(folder) / "base.pth").write_text(f"{base}\n")
    return folder


@pytest.fixture(scope="session")
def with_library(bare, base, public_repository):
    """A function from the lines that install the library to an environment in which they were run."""

    def run(lines):
        name = hashlib.sha256(lines.encode()).hexdigest()[:16]
        folder = base.parent / f"library-{name}"
        with FileLock(base.parent / f"{name}.lock"):
            if not (folder / "done").exists():
                folder.mkdir()
                copy_environment(bare, folder / "environment")
                install_library(lines, folder, public_repository)
                (folder / "done").touch()
        return folder / "environment"

    return run


def copy_environment(source, target):
    """Copy with hard links, or files where the system has none."""
    shutil.copytree(source, target, symlinks=True, copy_function=link)


def install_library(lines, folder, public_repository):
    assert not has_library(folder / "environment"), "the environment is to begin without lstm_lib"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(lines), probe()])
    nbformat.write(notebook, folder / "first.ipynb")
    done = run_in(
        folder / "environment", folder / "first.ipynb", public_repository, folder / "found.json"
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert has_library(folder / "environment"), "these lines are to install lstm_lib"


def has_library(environment):
    command = [str(python_of(environment)), "-c", "import lstm_lib"]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=environment, env=variables, capture_output=True, text=True)
    assert done.returncode == 0 or "No module named 'lstm_lib'" in done.stderr, done.stderr
    return done.returncode == 0


def probe():
    """A cell that writes down where the library was found."""
    return nbformat.v4.new_code_cell(LAST_CELL, metadata={"tags": ["nbval-ignore-output"]})


@pytest.fixture
def fresh(bare, with_library, path, tmp_path):
    """An environment for one notebook alone; the library is there if others install it by the same lines."""
    lines = installing(path)
    folder = tmp_path / "environment"
    if INSTALLING[lines] > 1:
        copy_environment(with_library(lines), folder)
    else:
        copy_environment(bare, folder)
        assert not has_library(folder), "the environment is to begin without lstm_lib"
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_alone(path, fresh, public_repository, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(probe())
    nbformat.write(notebook, folder / path.name)
    report = tmp_path / "found.json"
    done = run_in(fresh, folder / path.name, public_repository, report)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert f"{len(code_cells(notebook))} passed" in done.stdout, done.stdout[-2000:]
    found = json.loads(report.read_text())
    assert Path(found["lstm_lib"]).is_relative_to(fresh)
    assert Path(found["prefix"]) == fresh
    assert {p.name for p in folder.iterdir()} - {"__pycache__"} == {path.name}, "nothing is left"


def run_in(environment, notebook, public_repository, report):
    """Hold a notebook to its stored outputs with the Python of an environment, in its folder."""
    kernels = report.parent / "jupyter" / "kernels" / "fresh"
    kernels.mkdir(parents=True)
    command = [str(python_of(environment)), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "fresh", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV") and not name.startswith(("GIT_", "PYTEST_"))
    }
    variables |= {"JUPYTER_PATH": str(kernels.parents[1]), "FOUND_BY_NOTEBOOK": str(report)}
    settings = {
        f"url.file://{public_repository}.insteadOf": f"{REPOSITORY}.git",
        "safe.directory": "*",
    }
    variables["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    options = ["--nbval", "--nbval-kernel-name", "fresh", "--nbval-cell-timeout", "600"]
    options += [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "conftest",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    program = [sys.executable, "-m", "pytest", *options, str(notebook)]
    return subprocess.run(program, cwd=ROOT, env=variables, capture_output=True, text=True)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def installing(path):
    """The lines of a notebook's first cell that install the library."""
    source = code_cells(nbformat.read(path, as_version=4))[0].source
    lines, found, _ = source.partition("\nfrom lstm_lib.data import corpora\n")
    assert "%pip install" in lines and (found or lines == source), source
    return lines


INSTALLING = Counter(map(installing, NOTEBOOKS))


def test_the_environment_that_runs_this_test_is_another(bare):
    assert not Path(sys.prefix).is_relative_to(bare)
    assert not has_library(bare)
