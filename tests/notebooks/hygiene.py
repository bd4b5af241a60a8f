"""What a stored notebook has to look like, as a function that lists what is wrong with one.

nbval passes over cells without stored outputs, so an emptied notebook would be green there.
"""

import importlib.util
import json
import re
from pathlib import Path

import nbformat
import yaml

from lstm_lib.claims import MIMETYPE, Claim, read_claims

ROOT = Path(__file__).parents[2]
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["repository"]["url"]
_spec = importlib.util.spec_from_file_location("run_notebooks", ROOT / "tools" / "run_notebooks.py")
runner = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(runner)
NOTEBOOKS = runner.book_notebooks()

LARGEST_OUTPUT = 400_000
LONGEST_CELL = 30
LONGEST_LINE = 88
FEWEST_WORDS = 300
SETUP = """try:
    import lstm_lib
except ModuleNotFoundError:  # on Colab
    %pip install -q "lstm_lib[book] @ git+{repository}.git@main\""""
PROGRESS = re.compile(r"\d+%\|.*\||it/s\]|s/it\]")


def problems(path, repository):
    """Return a list of sentences, empty for a notebook that may be stored.

    Parameters
    ----------
    path : Path
    repository : str
        Public address of the repository, which the first cell installs from.
    """
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    found = list(_of_the_whole(notebook, code, path))
    found += _of_the_setup(code[0] if code else None, repository)
    for number, cell in enumerate(code, start=1):
        found += (f"code cell {number}: {problem}" for problem in _of_a_cell(cell, number))
        for output in cell.get("outputs", ()):
            found += (f"code cell {number}: {p}" for p in _of_an_output(output))
    return found


def _of_the_whole(notebook, code, path):
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"is not a valid notebook: {error}"
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield "was not run in order from a fresh kernel: make notebooks"
    if not any(cell.get("outputs") for cell in code):
        yield "holds no outputs: make notebooks"
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    if words < FEWEST_WORDS:
        yield f"has only {words} words of prose"
    if set(notebook.metadata) - {"kernelspec", "language_info"}:
        yield "stores metadata of an editor: make notebooks"
    try:
        if not list(read_claims(path)):
            yield "states no claim()"
    except ValueError as error:
        yield str(error)


def _of_the_setup(cell, repository):
    if cell is None or not cell.source.startswith(SETUP.format(repository=repository)):
        yield "does not begin with the set-up cell that installs lstm_lib where it is missing"
    elif not {"hide-input", "nbval-ignore-output"} <= set(cell.metadata.get("tags", ())):
        yield "the set-up cell lacks the tags hide-input and nbval-ignore-output"


def _of_a_cell(cell, number):
    lines = cell.source.splitlines()
    if len(lines) > LONGEST_CELL:
        yield f"{len(lines)} lines, more than {LONGEST_CELL}"
    for line in lines:
        if len(line) > LONGEST_LINE and "%pip install" not in line:
            yield f"a line of {len(line)} characters, more than {LONGEST_LINE}"
    extra = set(cell.metadata) - {"tags", "mystnb", "nbgrader"}
    if extra:
        yield f"metadata {sorted(extra)}: make notebooks"
    ignored = {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", ()))
    if number > 1 and (ignored or "NBVAL_" in cell.source):
        yield "is kept out of the comparison of outputs"


def _of_an_output(output):
    if output.output_type == "error":
        yield "a stored traceback"
    if output.output_type == "stream" and output.name == "stderr":
        yield "stored stderr"
    text = json.dumps(output)
    if len(text) > LARGEST_OUTPUT:
        yield f"an output of {len(text)} characters: rasterise or thin it out"
    if PROGRESS.search(output.get("text", "")) or "jupyter.widget-view" in text:
        yield "a stored progress bar"
    data = output.get("data", {})
    if "image/png" in data or "image/jpeg" in data:
        yield "a bitmap: show figures through lstm_lib.figures.show"
    if MIMETYPE in data:
        yield from _of_a_claim(data)
    svg = "".join(data.get("image/svg+xml", ""))
    if svg and not re.search(r"<title>\s*\S[^<]{20,}</title>", svg):
        yield "a figure without alternative text: figures.show(fig, alt)"


def _of_a_claim(data):
    """nbval does not compare measured numbers, so what is shown must be what was recorded."""
    try:
        stated = Claim.from_json(data[MIMETYPE])
    except ValueError as error:
        yield str(error)
        return
    if not stated.holds:
        yield f"the stored claim {stated.name!r} does not hold"
    if "".join(data["text/plain"]) != str(stated) or "".join(data["text/html"]) != stated.to_html():
        yield f"the claim {stated.name!r} shows something else than it records: make notebooks"
