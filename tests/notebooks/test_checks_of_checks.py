"""The checks that keep the book true are themselves able to fail.

Each test damages a copy, runs the real check on it in a process of its own, and sees red.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]

TINY = [
    "from lstm_lib.claims import claim",
    "print(f'loss {1 / 3:.4f}')",
    "claim('a-third', 1 / 3, '<=', 0.4, baseline=('a half', 0.5))",
]


def run(command, folder):
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def nbval(folder, name):
    """Run nbval as `make test` does, on one notebook of a folder with the root conftest."""
    shutil.copy(ROOT / "conftest.py", folder)
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "-q"]
    return run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, name], folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small notebook, executed and stored by the project's own runner."""
    folder = tmp_path_factory.mktemp("tiny")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in TINY])
    nbformat.write(notebook, folder / "tiny.ipynb")
    runner = [sys.executable, str(ROOT / "tools" / "run_notebooks.py"), "tiny.ipynb"]
    done = run(runner, folder)
    assert done.returncode == 0, done.stderr
    return folder / "tiny.ipynb"


def altered(path, folder, old, new):
    """Copy a notebook with one piece of its stored outputs replaced; the piece must be there once."""
    notebook = nbformat.read(path, as_version=4)
    hits = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if old in output.get("text", ""):
                hits += output.text.count(old)
                output.text = output.text.replace(old, new)
            for kind, data in output.get("data", {}).items():
                if kind == "text/plain" and old in data:
                    hits += data.count(old)
                    output.data[kind] = data.replace(old, new)
    assert hits == 1, f"{old!r} stands {hits} times in the stored outputs"
    copy = folder / path.name
    nbformat.write(notebook, copy)
    return copy


def test_an_untouched_notebook_passes(tiny, tmp_path):
    shutil.copy(tiny, tmp_path)
    result = nbval(tmp_path, tiny.name)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.3333", "0.3433"), ("loss", "Loss"), ("<= 0.4", "<= 0.5"), ("a half", "a quarter")],
    ids=["number", "word", "bound", "baseline"],
)
def test_one_altered_output_is_red(tiny, tmp_path, old, new):
    altered(tiny, tmp_path, old, new)
    result = nbval(tmp_path, tiny.name)
    assert result.returncode == 1 and "1 failed" in result.stdout, result.stdout


def test_a_measured_number_alone_may_differ(tiny, tmp_path):
    altered(tiny, tmp_path, "0.333 (measured)", "0.321 (measured)")
    assert nbval(tmp_path, tiny.name).returncode == 0


def test_a_claim_that_no_longer_holds_is_red(tiny, tmp_path):
    notebook = nbformat.read(tiny, as_version=4)
    notebook.cells[-1].source = TINY[-1].replace("1 / 3", "2 / 3")
    nbformat.write(notebook, tmp_path / tiny.name)
    result = nbval(tmp_path, tiny.name)
    assert result.returncode == 1 and "does not hold" in result.stdout


def test_one_altered_number_of_a_real_notebook_is_red(tmp_path):
    """Only the cells up to the first printed decimal number are run, to be quick."""
    path = ROOT / "chapters" / "08-prediction" / "stocks.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for position, cell in enumerate(notebook.cells):  # noqa: B007
        texts = [o.get("text", "") for o in cell.get("outputs", ())]
        numbers = re.findall(r"\d+\.\d{2,}", " ".join(texts))
        if numbers:
            break
    notebook.cells = notebook.cells[: position + 1]
    short = tmp_path / "short" / path.name
    short.parent.mkdir()
    nbformat.write(notebook, short)
    assert nbval(short.parent, path.name).returncode == 0
    digit = numbers[0][-3]
    other = numbers[0][:-3] + str((int(digit) + 5) % 10) + numbers[0][-2:]
    altered(short, tmp_path, numbers[0], other)
    assert nbval(tmp_path, path.name).returncode == 1


FAULTS = [
    ("equations.py", "c_next = f * c + i * g", "c_next = f * c - i * g", "equations"),
    ("equations.py", "da_f = dc * c * f * (1 - f)", "da_f = -dc * c * f * (1 - f)", "gradients"),
    ("kernels/lstm.py", "add(ig, fc, c)", "np.subtract(fc, ig, c)", "kernel"),
    ("kernels/lstm.py", "multiply(dh, by_o, da_o)", "multiply(-dh, by_o, da_o)", "backward"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "_"), FAULTS, ids=[f[-1] for f in FAULTS])
def test_the_wrong_sign_of_one_gate_is_red(file, right, wrong, _, tmp_path):
    for part in ("lstm_lib", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    proofs = ["tests/test_equality.py", "tests/test_gradients.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *proofs]
    source = tmp_path / "lstm_lib" / file
    text = source.read_text("utf8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), "utf8")
    result = run(command, tmp_path)
    assert result.returncode == 1 and "1 failed" in result.stdout, result.stdout
