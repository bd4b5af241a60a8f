"""What grading knows of an assignment: its cells in order, and what each is for."""

import hashlib
import json

from grading.release import release
from grading.source import has, is_by_hand, is_test, name_of
from grading.syntax import bound


def plan(source):
    """Return the plan of an assignment as plain data, which travels to the grading processes.

    Parameters
    ----------
    source : grading.source.Source

    Returns
    -------
    dict
        ``name``, ``points``, ``digest``, ``theirs`` (names that the student is to define) and
        ``cells``: of each its ``kind`` (text, locked, student, answer, test or hand), ``type``,
        ``grade_id``, ``points``, ``full`` (with hidden tests, without solutions), ``visible`` and
        ``model`` (of what is marked by hand: the model answer and the rubric).
    """
    for_students = release(source)
    cells = [_cell(*pair) for pair in zip(source.notebook.cells, for_students.cells, strict=True)]
    answers = [c.source for c, row in zip(source.notebook.cells, cells, strict=True) if answer(row)]
    theirs = sorted(set().union(*map(bound, answers)))
    text = json.dumps([cells, answers], sort_keys=True)
    return {
        "name": source.name,
        "points": source.points,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "theirs": theirs,
        "cells": cells,
    }


def answer(row):
    """Whether a cell of a plan is code for the student to write."""
    return row["kind"] == "answer"


def _cell(ours, theirs):
    kind = _kind(ours)
    return {
        "kind": kind,
        "type": ours.cell_type,
        "grade_id": name_of(ours),
        "points": ours.metadata.get("nbgrader", {}).get("points", 0),
        "full": ours.source if kind in ("text", "locked", "test") else theirs.source,
        "visible": theirs.source,
        "model": ours.source if kind == "hand" else "",
    }


def _kind(cell):
    if name_of(cell) is None:
        return "locked" if cell.cell_type == "code" else "text"
    if name_of(cell) == "student":
        return "student"
    if is_test(cell):
        return "test"
    if is_by_hand(cell):
        return "hand"
    if has(cell, "solution"):
        return "answer"
    return "locked" if cell.cell_type == "code" else "text"
