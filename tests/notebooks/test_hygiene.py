"""Every stored notebook is whole, in order and clean; and the check notices one that is not."""

import nbformat
import pytest

from lstm_lib.claims import MIMETYPE
from tests.notebooks.hygiene import NOTEBOOKS, REPOSITORY, ROOT, problems


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_stored_notebook(path):
    assert problems(path, REPOSITORY) == []


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 3


def strip_outputs(notebook):
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None


def swap_cells(notebook):
    cells = code_cells(notebook)
    cells[1].execution_count, cells[2].execution_count = 3, 2


def store_stderr(notebook):
    code_cells(notebook)[2].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="UserWarning: careful\n")
    ]


def store_traceback(notebook):
    error = dict(ename="ValueError", evalue="wrong", traceback=["ValueError: wrong"])
    code_cells(notebook)[2].outputs = [nbformat.v4.new_output("error", **error)]


def store_progress_bar(notebook):
    bar = " 40%|####      | 4/10 [00:01<00:02, 3.2it/s]"
    code_cells(notebook)[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text=bar)]


def store_widget(notebook):
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "bar"}
    code_cells(notebook)[2].outputs = [nbformat.v4.new_output("display_data", data=data)]


def store_huge_output(notebook):
    output = nbformat.v4.new_output("stream", name="stdout", text="x" * 500_000)
    code_cells(notebook)[2].outputs = [output]


def store_bitmap(notebook):
    output = nbformat.v4.new_output("display_data", data={"image/png": "aGk="})
    code_cells(notebook)[2].outputs = [output]


def drop_alternative_text(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            svg = output.get("data", {}).get("image/svg+xml")
            if svg:
                output.data["image/svg+xml"] = "".join(svg).replace(
                    "<title>", "<title> </title><g>"
                )


def add_timestamps(notebook):
    code_cells(notebook)[2].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}


def hide_from_comparison(notebook):
    code_cells(notebook)[2].metadata["tags"] = ["nbval-ignore-output"]


def change_setup(notebook):
    first = code_cells(notebook)[0]
    first.source = first.source.replace("github.com", "example.org")


def drop_claims(notebook):
    notebook.cells = [c for c in notebook.cells if "claim(" not in c.source]
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number


def lengthen_cell(notebook):
    code_cells(notebook)[2].source += "\npass" * 30


def lengthen_line(notebook):
    code_cells(notebook)[2].source += "\n# " + "long " * 30


def alter_a_claims_line(notebook):
    data = claims_of(notebook)[0]
    data["text/plain"] = data["text/plain"].replace(" (measured)", "1 (measured)", 1)


def alter_a_claims_card(notebook):
    data = claims_of(notebook)[0]
    data["text/html"] = data["text/html"].replace("</strong>", "1</strong>")


def alter_a_claims_record(notebook):
    record = claims_of(notebook)[0][MIMETYPE]
    record["op"], record["bound"], record["value"] = "<", 0.5, 0.75


def repeat_a_claim(notebook):
    first, second = claims_of(notebook)[:2]
    second[MIMETYPE]["name"] = first[MIMETYPE]["name"]


DAMAGE = {
    strip_outputs: "holds no outputs",
    swap_cells: "was not run in order",
    store_stderr: "stored stderr",
    store_traceback: "a stored traceback",
    store_progress_bar: "a stored progress bar",
    store_widget: "a stored progress bar",
    store_huge_output: "rasterise or thin it out",
    store_bitmap: "a bitmap",
    drop_alternative_text: "a figure without alternative text",
    add_timestamps: "metadata ['execution']",
    hide_from_comparison: "kept out of the comparison",
    change_setup: "does not begin with the set-up cell",
    drop_claims: "states no claim()",
    alter_a_claims_line: "shows something else than it records",
    alter_a_claims_card: "shows something else than it records",
    alter_a_claims_record: "does not hold",
    repeat_a_claim: "twice",
    lengthen_cell: "lines, more than",
    lengthen_line: "characters, more than",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_noticed(damage, tmp_path):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    damage(notebook)
    copy = tmp_path / "copy.ipynb"
    nbformat.write(notebook, copy)
    assert DAMAGE[damage] in "\n".join(problems(copy, REPOSITORY))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def claims_of(notebook):
    outputs = [o.get("data", {}) for c in code_cells(notebook) for o in c.outputs]
    return [data for data in outputs if MIMETYPE in data]
