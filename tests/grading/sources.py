"""Small sources of assignments for tests, built cell by cell."""

import copy

import nbformat

SETUP = "try:\n    import lstm_lib\nexcept ModuleNotFoundError:\n    pass"
LADDER = "".join(
    f"<details><summary>Hint {k} of 3</summary>\n\nThink.\n\n</details>\n\n" for k in (1, 2, 3)
)
DOUBLE = """def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""
TEST_DOUBLE = """assert double(1) == 2, "twice one is two"
### BEGIN HIDDEN TESTS
assert double(3) == 6, "twice three is six"
### END HIDDEN TESTS"""
SIGN = """sign = None
### BEGIN SOLUTION
sign = "minus"
### END SOLUTION"""
TEST_SIGN = """assert sign is not None, "not written yet"
### BEGIN HIDDEN TESTS
assert sign == "minus"
### END HIDDEN TESTS"""
EXPLAIN = """*Why?*

### BEGIN SOLUTION
Because of the sign in front, which turns a sum into a difference of two.
### END SOLUTION"""
BUGS = {
    "double": [
        {
            "name": "a square",
            "source": "def double(x):\n    return x**2",
            "loses": {"test-double": 3},
        },
        {
            "name": "right for one alone",
            "source": "def double(x):\n    return 2",
            "loses": {"test-double": 3},
        },
    ],
    "sign": [{"name": "plus", "source": 'sign = "plus"', "loses": {"test-sign": 2}}],
}


def marked(cell, grade_id, **flags):
    """Give a cell nbgrader's metadata."""
    base = dict(schema_version=3, grade=False, solution=False, locked=False, task=False)
    cell.metadata["nbgrader"] = {**base, "grade_id": grade_id, **flags}
    return cell


def tiny(name="01-tiny"):
    """A source with nothing wrong: 8 points, 3 of them by hand."""
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        text("# Exercises: tiny"),
        marked(code(SETUP), "setup", locked=True),
        marked(code('STUDENT = "your name"'), "student", solution=True),
        text("## 1 · Implement\n\n" + LADDER),
        marked(code(DOUBLE), "double", solution=True),
        marked(code(TEST_DOUBLE), "test-double", grade=True, locked=True, points=3),
        text("## 2 · Diagnose\n\n" + LADDER),
        marked(code(SIGN), "sign", solution=True),
        marked(code(TEST_SIGN), "test-sign", grade=True, locked=True, points=2),
        text("## 3 · Experiment"),
        marked(text(EXPLAIN), "explain", grade=True, solution=True, points=3),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:02d}"
    card = dict(assignment=name, title="Tiny", minutes=5, points=8, bugs=copy.deepcopy(BUGS))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "lstm_book": card,
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def store(notebook, root):
    """Write a source to its place under `root` and return the path."""
    path = root / "chapters" / notebook.metadata["lstm_book"]["assignment"] / "assignment.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
