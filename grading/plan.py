"""What grading knows of an assignment: its cells in order, what each is for, and whose names they bind."""

import ast
import hashlib
import json

from grading.release import release
from grading.source import has, is_by_hand, is_test, name_of


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


def tree(source):
    """Return the syntax tree of a cell, IPython's magics made calls; None where it has a fault."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def bound(source):
    """Return the names that a cell binds at top level."""
    found = set()
    for node in getattr(tree(source), "body", ()):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif not isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {
                part.id
                for part in ast.walk(node)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return found


def loaded(syntax):
    """Return the names that a cell reads."""
    names = (part for part in ast.walk(syntax) if isinstance(part, ast.Name))
    return {part.id for part in names if isinstance(part.ctx, ast.Load)}


def imports_of_library(source):
    """Return the modules of ``lstm_lib`` that a cell imports, sorted."""
    found = set()
    for part in ast.walk(tree(source) or ast.Module([], [])):
        if isinstance(part, ast.Import):
            found |= {alias.name for alias in part.names}
        elif isinstance(part, ast.ImportFrom) and part.module:
            found.add(part.module)
    return sorted(name for name in found if name.split(".")[0] == "lstm_lib")


def constant(source, name):
    """Return the string that a cell assigns to `name`, or None."""
    for node in getattr(tree(source), "body", ()):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            if any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return str(node.value.value)
    return None
