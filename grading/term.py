"""The marks of a term: a row for each student, a column for each assignment, and the best of them."""

import csv
import io

from grading.files import replace
from grading.report import COLUMNS

NAME = "term.csv"


def write_term(out, best=None):
    """Write ``term.csv`` from the marks of all assignments in a folder; return its path.

    A cell is per cent of the assignment's points; empty where nothing was handed in, which counts as
    0. ``mean`` is over the best so many assignments, over all of them by default.

    Parameters
    ----------
    out : Path
        Folder of ``make grade``.
    best : int, optional

    Raises
    ------
    ValueError
        If `best` is less than 1 or more than there are assignments.
    """
    marks = {path.stem: _rows(path) for path in sorted(out.glob("*.csv"))}
    marks = {name: rows for name, rows in marks.items() if rows}
    if best is not None and not 1 <= best <= len(marks):
        raise ValueError(f"--best {best}: {out} holds marks of {len(marks)} of the assignments")
    students = sorted({row["student"] for rows in marks.values() for row in rows})
    cells = {
        (row["student"], name): (100 * float(row["marks"]) / float(row["of"]), int(row["waiting"]))
        for name, rows in marks.items()
        for row in rows
    }
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["student", *marks, "mean", "waiting"])
    for student in students:
        found = [cells.get((student, name)) for name in marks]
        shares = [0.0 if cell is None else cell[0] for cell in found]
        counted = sorted(shares, reverse=True)[: best or len(shares)]
        shown = ["" if cell is None else f"{cell[0]:.1f}" for cell in found]
        mean = f"{sum(counted) / len(counted):.1f}"
        table.writerow([student, *shown, mean, sum(cell[1] for cell in found if cell)])
    replace(out / NAME, file.getvalue())
    return out / NAME


def _rows(path):
    """The rows of an assignment's marks; none where the file is something else."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        table = csv.DictReader(file)
        return list(table) if tuple(table.fieldnames or ()) == COLUMNS else []
