"""Each chapter notebook alone, as Colab runs it.

A notebook is copied into an empty folder. Its kernel lives in a fresh environment that holds what
Colab brings (numpy, torch, matplotlib, a kernel) and nothing of this project. The first cell installs
lstm_lib from this checkout's git, which stands in for the public address through git's own
``insteadOf``, and the data packages; then the notebook runs to its end.

The base environment is made once. Each notebook gets an environment of its own on top of it, so that
installs never mix. Slow: ``make colab``.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.notebooks.hygiene import NOTEBOOKS, REPOSITORY, ROOT

pytestmark = pytest.mark.slow

BASE = ("numpy", "torch", "matplotlib", "ipykernel")
LAST_CELL = """
import json, sys, lstm_lib, torch
print(json.dumps({"lstm_lib": lstm_lib.__file__, "torch": torch.__file__, "prefix": sys.prefix}))
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
def base(tmp_path_factory):
    """An environment with what Colab brings, in the book's pinned versions."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder, with_pip=True)
    pins = re.findall(r"^[\w-]+==\S+", (ROOT / "requirements.txt").read_text("utf8"), re.MULTILINE)
    wanted = [pin for pin in pins if pin.partition("==")[0] in BASE]
    assert len(wanted) == len(BASE), wanted
    options = ["--quiet", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt")]
    command = [str(python_of(folder)), "-m", "pip", "install", *options, *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def fresh(base, tmp_path):
    """An environment of its own for one notebook, with the base's packages and none of ours."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True)
    (site_packages(folder) / "base.pth").write_text(f"{site_packages(base)}\n")
    command = [str(python_of(folder)), "-c", "import lstm_lib"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    absent = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "No module named 'lstm_lib'" in absent.stderr
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_alone(path, fresh, public_repository, tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = nbformat.read(shutil.copy(path, folder), as_version=4)
    for cell in notebook.cells:
        cell.outputs = [] if cell.cell_type == "code" else cell.get("outputs", [])
    notebook.cells.append(nbformat.v4.new_code_cell(LAST_CELL))
    for name in list(os.environ):
        if name in ("PYTHONPATH", "VIRTUAL_ENV") or name.startswith("GIT_"):
            monkeypatch.delenv(name)
    settings = {
        f"url.file://{public_repository}.insteadOf": f"{REPOSITORY}.git",
        "safe.directory": "*",
    }
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    run_in(fresh, notebook, folder)
    found = json.loads(notebook.cells[-1].outputs[0].text)
    assert Path(found["lstm_lib"]).is_relative_to(fresh)
    assert Path(found["prefix"]) == fresh
    printed = [o.data["text/plain"] for o in outputs(notebook) if "text/plain" in o.get("data", {})]
    stored = [c for c in map(str, printed) if c.startswith("claim ")]
    assert len(stored) >= 3, "the claims were stated, and so asserted"
    assert [p.name for p in folder.iterdir()] == [path.name], "nothing is left behind"


def run_in(environment, notebook, folder):
    """Execute a notebook with the Python of an environment, in a folder."""
    kernels = folder.parent / "kernels"
    (kernels / "fresh").mkdir(parents=True)
    command = [str(python_of(environment)), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "fresh", "language": "python"}
    (kernels / "fresh" / "kernel.json").write_text(json.dumps(spec))
    manager = AsyncKernelManager(
        kernel_name="fresh",
        kernel_spec_manager=KernelSpecManager(
            kernel_dirs=[str(kernels)], ensure_native_kernel=False
        ),
    )
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, km=manager, timeout=600, resources=resources).execute()


def outputs(notebook):
    return [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]


def test_the_environment_that_runs_this_test_is_another(fresh):
    assert not Path(sys.prefix).is_relative_to(fresh)
