"""tools/run_notebooks.py stores a run that succeeded, the same bytes each time, and no other."""

import re

import nbformat
import pytest

from tests.notebooks.hygiene import ROOT, runner
from tests.site.checks import toc_pages

CLAIM = "from lstm_lib.claims import claim\nclaim('a-third', 1 / 3, '<', 0.4)"
BAR = "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass"


def written(folder, *sources):
    """A notebook that was never run, with what editors and other runners leave in one."""
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{k}") for k, source in enumerate(sources)]
    cells[0].metadata.update(execution={"iopub.execute_input": "2026-01-01"}, tags=["hide-input"])
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"colab": {"provenance": []}})
    nbformat.write(notebook, folder / "n.ipynb")
    return folder / "n.ipynb"


def test_a_second_run_is_byte_identical(tmp_path, capsys):
    figure = (
        "from matplotlib import pyplot as plt\nfrom lstm_lib import figures\n"
        "fig = figures.plot_forecast([1, 2, 3], {'naive': [1, 1, 2]})\n"
        "figures.show(fig, 'A line and its forecast')"
    )
    path = written(tmp_path, CLAIM, figure, BAR)
    stored = []
    for _ in range(2):
        assert runner.main([str(path)]) == 0
        stored.append(path.read_bytes())
    assert stored[0] == stored[1]
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == runner.METADATA
    assert [dict(c.metadata) for c in notebook.cells] == [{"tags": ["hide-input"]}, {}, {}]
    assert [c.execution_count for c in notebook.cells] == [1, 2, 3]
    assert "n.ipynb:" in capsys.readouterr().out


REFUSED = {
    "error": (["1 / 0"], [], "ZeroDivisionError"),
    "claim": ([CLAIM.replace("<", ">")], [], "does not hold"),
    "stderr": (["import sys; sys.stderr.write('careful')"], [], "would see: careful"),
    "slow cell": (["import time; time.sleep(5)"], ["--limit", "1"], "more than 1 s"),
    "slow whole": (["import time; time.sleep(0.7)"] * 2, ["--limit", "1"], "limit is 1 s"),
    "name used twice": (["1", CLAIM, CLAIM], [], "'a-third' twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_did_not_succeed_is_not_stored(name, tmp_path, capsys):
    sources, options, message = REFUSED[name]
    path = written(tmp_path, *sources)
    before = path.read_bytes()
    assert runner.main([*options, str(path)]) == 1
    assert message in capsys.readouterr().err
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["n.ipynb"]


def test_a_path_that_is_no_notebook(tmp_path, capsys):
    assert runner.main([str(tmp_path / "absent.ipynb")]) == 1
    assert "is not a notebook file" in capsys.readouterr().err


def test_all_notebooks_by_default():
    found = runner.book_notebooks()
    assert ROOT / "chapters" / "08-prediction" / "stocks.ipynb" in found
    assert ROOT / "book" / "myths.ipynb" in found


@pytest.mark.parametrize(
    ("file", "pattern", "separator"),
    [
        ("Makefile", r"^NBVAL := .* -q (.*)$", " "),
        (".github/workflows/weekly.yml", r"--nbval-lax(?s:.)*no:cacheprovider (.*)$", " "),
        (".pre-commit-config.yaml", r"files: \^\((.*)\)/\.\*\\\.ipynb\$$", "|"),
    ],
)
def test_what_runs_the_notebooks_knows_all_their_folders(file, pattern, separator):
    (folders,) = re.findall(pattern, (ROOT / file).read_text("utf8"), re.MULTILINE)
    assert tuple(folders.split(separator)) == runner.FOLDERS


def test_every_notebook_of_the_table_of_contents_is_found():
    pages = (ROOT / f"{name}.ipynb" for name in toc_pages(ROOT / "_toc.yml"))
    to_run = {path for path in pages if path.exists() and path.name not in runner.ASSIGNMENTS}
    assert to_run <= set(runner.book_notebooks())
