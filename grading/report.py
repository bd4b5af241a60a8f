"""What an instructor reads after a batch: the marks as CSV, and what did not run or wants a look."""

import csv
import html
import io

from grading.files import replace
from grading.judge import called
from grading.words import counted

COLUMNS = ("student", "assignment", "marks", "of", "tests", "by_hand", "waiting", "state")
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }}
table {{ border-collapse: collapse; width: 100%; }} td, th {{ text-align: left; vertical-align: top;
padding: .3em .8em .3em 0; border-bottom: 1px solid #ddd; }} td {{ overflow-wrap: anywhere; }}
</style></head><body>
<h1>{title}</h1>
<p>{count}, mean {mean} of {of} points. {waiting} for a mark by hand.</p>
{sections}
</body></html>
"""


def summary(plan, student, grades, result):
    """Return a row of the marks, of a submission's grades and its result."""
    waiting = sum(grade["waiting"] for grade in grades)
    tests = sum(grade["score"] for grade in grades if not grade["by_hand"])
    by_hand = sum(grade["score"] for grade in grades if grade["by_hand"])
    state = "marked"
    if result.get("lost"):
        state = "its run is lost"
    elif result["unread"]:
        state = f"not graded: the file {result['unread']}"
    elif waiting:
        state = "waits for marks by hand"
    return {
        "student": student,
        "assignment": plan["name"],
        "marks": tests + by_hand,
        "of": plan["points"],
        "tests": tests,
        "by_hand": by_hand,
        "waiting": waiting,
        "state": state,
    }


def write_marks(path, rows):
    """Write the rows as CSV, names that a spreadsheet would take for formulas with a quote in front."""
    file = io.StringIO()
    table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        name = row["student"]
        table.writerow({**row, "student": f"'{name}" if name[:1] in "=+-@\t" else name})
    replace(path, file.getvalue())


def look(result):
    """Return what of a submission wants a look: what was stopped, notes, and tests that failed.

    What was stopped are pairs of a cell and a reason, tests that were not run among them.
    """
    stopped = [tuple(pair) for pair in result.get("stopped", ())]
    for row in result["cells"]:
        if row.get("error") and row["error"][0] == "MemoryError":
            stopped.append((called(row), "ran out of memory"))
        if row["kind"] == "test" and row["grade_id"] not in result["tests"]:
            stopped.append((row["grade_id"], "was not run"))
    failed = [
        (name, row["message"])
        for name, row in result["tests"].items()
        if not row["passed"] and not row.get("stopped")
    ]
    return {"stopped": stopped, "notes": [(note,) for note in result["notes"]], "failed": failed}


def write_report(path, plan, rows, findings, passed):
    """Write the page of what did not run and what wants a look."""
    mean = sum(row["marks"] for row in rows) / max(len(rows), 1)
    unread = [(row["student"], row["state"]) for row in rows if row["state"].startswith("not")]
    found = {
        kind: [(student, *row) for student, kinds in findings for row in kinds[kind]]
        for kind in ("stopped", "notes", "failed")
    }
    waiting = [
        (row["student"], counted(row["waiting"], "answer")) for row in rows if row["waiting"]
    ]
    sections = [
        _section("Could not be graded", unread),
        _section("Stopped, and why", found["stopped"]),
        _section("Wants a look", found["notes"]),
        _section("Waiting for marks by hand", waiting),
        _section("Tests that failed", found["failed"]),
        _section("Files passed over", [(name,) for name in passed]),
    ]
    page = PAGE.format(
        title=html.escape(f"Grading of {plan['name']}"),
        count=counted(len(rows), "submission"),
        mean=f"{mean:.1f}",
        of=plan["points"],
        waiting=counted(len(waiting), "waits", "wait"),
        sections="\n".join(filter(None, sections)),
    )
    replace(path, page)


def _section(title, rows):
    if not rows:
        return ""
    cells = ("".join(f"<td>{html.escape(part[:600])}</td>" for part in row) for row in rows)
    lines = "\n".join(f"<tr>{row}</tr>" for row in cells)
    return f"<h2>{html.escape(title)} ({len(rows)})</h2>\n<table>\n{lines}\n</table>"
