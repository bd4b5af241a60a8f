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


def nbval(folder):
    """Run nbval as `make test` does on a folder's notebooks with the root conftest.

    Returns the numbers of the cells that failed, by notebook, and all that was printed.
    """
    shutil.copy(ROOT / "conftest.py", folder)
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "-q", "-rf"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "."]
    printed = run(command, folder).stdout
    failed = {path.stem: set() for path in folder.glob("*.ipynb")}
    for name, cell in re.findall(r"^FAILED (\w+)\.ipynb::Cell (\d+)", printed, re.MULTILINE):
        failed[name].add(int(cell))
    ran = re.search(r"\d+ (passed|failed)", printed)
    assert ran and "error" not in printed.splitlines()[-1], printed
    return failed, printed


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


def altered(path, copy, old, new):
    """Store a copy with one piece of the stored outputs replaced; the piece must be there once."""
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
    nbformat.write(notebook, copy)


ALTERED = {
    "number": ("0.3333", "0.3433", {1}),
    "word": ("loss", "Loss", {1}),
    "bound": ("<= 0.4", "<= 0.5", {2}),
    "baseline": ("a half", "a quarter", {2}),
    "measured": ("0.333 (measured)", "0.321 (measured)", set()),
}


def test_what_was_altered_is_red_and_nothing_else(tiny, tmp_path):
    """A printed number, a word, a bound, a baseline, a claim that no longer holds; a measured number may differ."""
    shutil.copy(tiny, tmp_path / "untouched.ipynb")
    for name, (old, new, _) in ALTERED.items():
        altered(tiny, tmp_path / f"{name}.ipynb", old, new)
    notebook = nbformat.read(tiny, as_version=4)
    notebook.cells[-1].source = TINY[-1].replace("1 / 3", "2 / 3")
    nbformat.write(notebook, tmp_path / "claim.ipynb")
    failed, printed = nbval(tmp_path)
    wanted = {name: cells for name, (_, _, cells) in ALTERED.items()}
    assert failed == {**wanted, "untouched": set(), "claim": {2}}, printed
    assert "does not hold" in printed


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
    short = tmp_path / "short.ipynb"
    nbformat.write(notebook, short)
    digit = numbers[0][-3]
    other = numbers[0][:-3] + str((int(digit) + 5) % 10) + numbers[0][-2:]
    altered(short, tmp_path / "other.ipynb", numbers[0], other)
    failed, printed = nbval(tmp_path)
    assert failed["short"] == set() and len(failed["other"]) == 1, printed


FAULTS = [
    ("equations.py", "c_next = f * c + i * g", "c_next = f * c - i * g", "equality"),
    ("equations.py", "da_f = dc * c * f * (1 - f)", "da_f = -dc * c * f * (1 - f)", "gradients"),
    ("kernels/lstm.py", "add(ig, fc, c)", "np.subtract(fc, ig, c)", "equality"),
    ("kernels/lstm.py", "multiply(dh, by_o, da_o)", "multiply(-dh, by_o, da_o)", "gradients"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "proof"), FAULTS)
def test_the_wrong_sign_of_one_gate_is_red(file, right, wrong, proof, tmp_path):
    for part in ("lstm_lib", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-x"]
    command += ["-p", "no:cacheprovider", "-p", "no:nbval"]
    source = tmp_path / "lstm_lib" / file
    text = source.read_text("utf8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), "utf8")
    result = run([*command, f"tests/test_{proof}.py"], tmp_path)
    assert result.returncode == 1 and "1 failed" in result.stdout, result.stdout
