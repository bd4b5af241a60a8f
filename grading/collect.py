"""Finds what was handed in: whose it is, and which file of theirs is meant.

Two layouts are read: ``STUDENT/any name.ipynb`` and ``STUDENT.ipynb``. Links are not followed.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from grading.remote import writable
from grading.submission import SIZE

NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class Found:
    """A student's file for an assignment; `path` is where it should be, if there is none."""

    student: str
    path: Path
    notes: tuple


def collect(folder, plan, others=()):
    """Return what was handed in for an assignment, by student, and the names that were passed over.

    Parameters
    ----------
    folder : Path
    plan : dict
        The assignment.
    others : sequence of str
        Names of the other assignments that may lie in the same folder.
    """
    students, passed = {}, []
    for entry in sorted(Path(folder).iterdir()):
        if entry.name.startswith((".", "__")):
            continue
        if entry.name != writable(entry.name):
            passed.append(f"{writable(entry.name)} (its name is not in UTF-8: give it another)")
        elif entry.suffix == NOTEBOOK:
            students.setdefault(entry.stem, []).append(entry)
        elif entry.is_dir() or entry.is_symlink():
            students.setdefault(entry.name, []).extend(_notebooks(entry))
        else:
            passed.append(entry.name)
    rows = (_choose(Path(folder), name, paths, plan, others) for name, paths in students.items())
    return [row for row in rows if row is not None], passed


def _notebooks(folder):
    if folder.is_symlink():
        return [folder]
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(place, name) for name in names if name.endswith(NOTEBOOK)]
    return sorted(found)


def _choose(folder, student, paths, plan, others):
    own = [path for path in paths if is_of(path, plan["name"])]
    free = [path for path in paths if not any(is_of(path, name) for name in others)]
    meant = {plan["name"]} if others else {plan["name"], None}
    candidates = own or [path for path in free if told(path) in meant] or ([] if others else free)
    if not candidates:
        if others:
            return None
        return Found(student, folder / student / f"{plan['name']}{NOTEBOOK}", ())
    newest = max(candidates, key=lambda path: path.lstat().st_mtime)
    notes = ()
    if len(candidates) > 1:
        notes = (f"{len(candidates)} notebooks; the newest was taken, {writable(newest.name)}",)
    return Found(student, newest, notes)


def is_of(path, name):
    """Whether a file is called after an assignment: its whole name, or its number in front."""
    number = re.match(r"\d+-", name)
    return path.stem.startswith((name, number.group() if number else name))


def told(path):
    """Return the assignment that a notebook's metadata name, or None."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > SIZE:
            return None
        data = json.loads(path.read_bytes())
        return data["metadata"]["lstm_book"]["assignment"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def digest(found, plan, settings):
    """Return what changes when a file, its assignment or the way of grading changes."""
    sha = hashlib.sha256(
        f"{plan['digest']} {settings} {found.path.name}".encode("utf-8", "replace")
    )
    try:
        facts = found.path.lstat()
        sha.update(f"{facts.st_size}".encode())
        if not found.path.is_symlink() and found.path.is_file() and facts.st_size <= SIZE:
            sha.update(found.path.read_bytes())
    except OSError:
        sha.update(b"missing")
    return sha.hexdigest()
