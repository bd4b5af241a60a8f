"""A file that a student handed in: read with suspicion, and put back into the order of the release.

Colab, editors and students change notebooks: cells lose their ids, move, are copied, added and deleted,
and metadata change. So only what a student writes is taken from the file, cell by cell; all else comes
from the release.
"""

import json
import os
import stat

from grading.syntax import bound, constant, imports_of_library

SIZE, CELLS, SOURCE = 20 * 2**20, 600, 100_000


class Unreadable(Exception):
    """A submission that is no notebook, with the reason."""


def load(path):
    """Return the cells of a notebook file: dicts of type, source and grade_id (None where there is none).

    Raises
    ------
    Unreadable
    """
    try:
        notebook = json.loads(_bytes(path).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("is no notebook: not a text file") from None
    except (ValueError, RecursionError):
        raise Unreadable("is no notebook, or only a part of one: not valid JSON") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("is no notebook of format 4: it has no list of cells")
    if len(cells) > CELLS:
        raise Unreadable(f"has {len(cells)} cells, more than {CELLS}")
    return list(filter(None, map(_cell, cells)))


def _bytes(path):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Unreadable("is not there") from None
    except OSError:
        raise Unreadable("is a link or cannot be opened") from None
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable("is no file")
        if facts.st_size == 0:
            raise Unreadable("is empty")
        if facts.st_size > SIZE:
            raise Unreadable(f"is {facts.st_size / 2**20:.0f} MiB, more than {SIZE // 2**20}")
        return file.read(SIZE + 1)


def _cell(raw):
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown"):
        return None
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    metadata = raw.get("metadata")
    card = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = card.get("grade_id") if isinstance(card, dict) else None
    source = source[:SOURCE].replace("\r\n", "\n").encode("utf-8", "replace").decode()
    grade_id = name if isinstance(name, str) else None
    return {"type": raw["cell_type"], "source": source, "grade_id": grade_id}


def rebuild(plan, cells):
    """Return the cells of a submission in the plan's order, and notes of what was amiss.

    Each is a cell of the plan with its ``source``: the student's for those a student writes, else the
    plan's. Cells that a student added stand where they stood, of kind ``extra``.
    """
    notes, claimed = [], {}
    for row in plan["cells"]:
        if row["kind"] in ("answer", "hand", "student"):
            place = _find(plan, row, cells, claimed)
            if place is None:
                notes.append(f"the cell {row['grade_id']} is missing")
            else:
                claimed[place] = row["grade_id"]
    taken = {name: cells[place]["source"] for place, name in claimed.items()}
    extras = _extras(plan, cells, claimed)
    result = extras.get(None, [])
    for row in plan["cells"]:
        own = row["kind"] in ("answer", "hand", "student")
        source = taken.get(row["grade_id"], row["visible"]) if own else row["visible"]
        result.append({**row, "source": source})
        result += extras.get(row["grade_id"], []) if row["grade_id"] else []
    return result, notes


def _find(plan, row, cells, claimed):
    """Return the place of a student's version of `row`: by its id, else by the names that it binds."""
    same = [n for n, cell in enumerate(cells) if cell["grade_id"] == row["grade_id"]]
    changed = [n for n in same if cells[n]["source"].strip() != row["visible"].strip()]
    if same:
        return (changed or same)[-1]
    free = [n for n, cell in enumerate(cells) if cell["grade_id"] is None and n not in claimed]
    if row["type"] == "code":
        names = bound(row["visible"]) & set(plan["theirs"]) or bound(row["visible"])
        found = [
            n for n in free if cells[n]["type"] == "code" and names & bound(cells[n]["source"])
        ]
        return found[-1] if found else None
    before = plan["cells"][plan["cells"].index(row) - 1]["visible"].strip()
    found = [n for n in free if n and cells[n - 1]["source"].strip() == before]
    return found[0] if found and cells[found[0]]["type"] == "markdown" else None


def _extras(plan, cells, claimed):
    """Return lists of the added cells by the grade_id that they follow."""
    ids = {row["grade_id"] for row in plan["cells"] if row["grade_id"]}
    known = {row["visible"].strip() for row in plan["cells"]}
    result, after = {}, None
    for number, cell in enumerate(cells):
        if number in claimed:
            after = claimed[number]
        elif cell["grade_id"] in ids and not _is_copy(plan, cell):
            after = cell["grade_id"]
        elif cell["source"].strip() and cell["source"].strip() not in known:
            extra = {"kind": "extra", "type": cell["type"], "grade_id": None, "points": 0}
            result.setdefault(after, []).append({**extra, "source": cell["source"]})
    return result


def _is_copy(plan, cell):
    """Whether a cell is one more of an answer, which counts as an added cell."""
    row = next(row for row in plan["cells"] if row["grade_id"] == cell["grade_id"])
    return row["kind"] in ("answer", "hand")


def remarks(cells, student):
    """Yield what an instructor should look at: a strange name, the library used in an answer."""
    for cell in cells:
        if cell["kind"] == "student":
            name = constant(cell["source"], "STUDENT")
            if name is None or name.strip() != student:
                yield f"STUDENT is {name!r} in the notebook; the folder's name counts"
        elif cell["kind"] in ("answer", "extra") and cell["type"] == "code":
            modules = imports_of_library(cell["source"])
            if modules:
                where = cell["grade_id"] or "an added cell"
                yield f"{where} imports {', '.join(modules)}"
