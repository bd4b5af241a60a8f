"""What an instructor reads after a batch: the marks as CSV, and what did not run or wants a look."""

import csv
import html
import io

from grading.gradebook import replace

COLUMNS = ("student", "assignment", "marks", "of", "tests", "by_hand", "waiting", "state")
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }}
table {{ border-collapse: collapse; width: 100%; }} td, th {{ text-align: left; vertical-align: top;
padding: .3em .8em .3em 0; border-bottom: 1px solid #ddd; }} td {{ overflow-wrap: anywhere; }}
</style></head><body>
<h1>{title}</h1>
<p>{count} submissions, mean {mean} of {of} points. {waiting} have answers that wait for a mark by hand.</p>
{sections}
</body></html>
"""


def summary(plan, student, grades, result):
    """Return a row of the marks, of a submission's grades and its result."""
    waiting = sum(grade["waiting"] for grade in grades)
    tests = sum(grade["score"] for grade in grades if not grade["by_hand"])
    by_hand = sum(grade["score"] for grade in grades if grade["by_hand"])
    state = "marked"
    if result["unread"]:
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
    """Return what of a submission wants a look: notes with what ran out of memory, and failed tests."""
    full = [
        f"{row['grade_id'] or 'an added cell'}: ran out of memory"
        for row in result["cells"]
        if row.get("error") and row["error"][0] == "MemoryError"
    ]
    failed = [
        f"{name}: {row['message']}" for name, row in result["tests"].items() if not row["passed"]
    ]
    return [*result["notes"], *full], failed


def write_report(path, plan, rows, findings, passed):
    """Write the page of what did not run and what wants a look."""
    mean = sum(row["marks"] for row in rows) / max(len(rows), 1)
    unread = [(row["student"], row["state"]) for row in rows if row["state"].startswith("not")]
    notes = [(student, note) for student, (notes, _) in findings for note in notes]
    failed = [(student, test) for student, (_, tests) in findings for test in tests]
    waiting = [(row["student"], f"{row['waiting']} answers") for row in rows if row["waiting"]]
    sections = [
        _section("Could not be graded", unread),
        _section("Stopped, or wants a look", notes),
        _section("Waiting for marks by hand", waiting),
        _section("Tests that failed", failed),
        _section("Files passed over", [(name, "") for name in passed]),
    ]
    page = PAGE.format(
        title=html.escape(f"Grading of {plan['name']}"),
        count=len(rows),
        mean=f"{mean:.1f}",
        of=plan["points"],
        waiting=len(waiting),
        sections="\n".join(filter(None, sections)),
    )
    replace(path, page)


def _section(title, rows):
    if not rows:
        return ""
    cells = (f"<tr><td>{html.escape(a)}</td><td>{html.escape(b[:600])}</td></tr>" for a, b in rows)
    return (
        f"<h2>{html.escape(title)} ({len(rows)})</h2>\n<table>\n" + "\n".join(cells) + "\n</table>"
    )
