"""Run notebooks from a fresh kernel each and store what they print, in one canonical form.

    python tools/run_notebooks.py                     every notebook of the book
    python tools/run_notebooks.py a.ipynb b.ipynb     these

A notebook is written only if it ran to its end, within the time limit, without writing to
stderr, and with claims that differ in name. No times, versions or machine names are
stored, so that a second run leaves the file byte-identical and a difference in a diff is a
difference in a result.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("chapters", "book")  # a test holds the Makefile and the hooks to these
ASSIGNMENTS = ("assignment.ipynb", "exercises.ipynb")  # stubs and hidden tests: grading/ runs these
LIMIT = 60.0  # seconds a notebook, on two cores
QUIET = {
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_CELL_METADATA = ("tags", "mystnb", "nbgrader")


class Refused(Exception):
    """A notebook that must not be stored, with the reason."""


def book_notebooks(root=ROOT):
    """Return every notebook of the book, sorted; assignments are none of them."""
    found = (path for folder in FOLDERS for path in (root / folder).rglob("*.ipynb"))
    return sorted(
        path
        for path in found
        if ".ipynb_checkpoints" not in path.parts and path.name not in ASSIGNMENTS
    )


def run(path, limit=LIMIT):
    """Execute `path` in its own folder and store it; return the seconds it took."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=limit,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.monotonic()
    try:
        client.execute(env={**os.environ, **QUIET, "PYTHONPATH": python_path()})
    except CellTimeoutError:
        raise Refused(f"a cell took more than {limit:g} s; make the quick SCALE smaller") from None
    except (CellExecutionError, DeadKernelError) as error:
        raise Refused(f"a cell failed\n{error}") from None
    seconds = time.monotonic() - start
    if seconds > limit:
        raise Refused(
            f"took {seconds:.0f} s, the limit is {limit:g} s; make the quick SCALE smaller"
        )
    store(path, canonical(notebook))
    return seconds


def python_path():
    """PYTHONPATH with this checkout first, so that a notebook runs this lstm_lib."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def canonical(notebook):
    """Return `notebook` without anything that belongs to this machine or this moment."""
    import nbformat

    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for key in set(cell.metadata) - set(KEPT_CELL_METADATA):
            del cell.metadata[key]
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                first = output.text.strip().splitlines()[0]
                raise Refused(f"a cell writes to stderr, so its reader would see: {first}")
    nbformat.validate(notebook)
    return notebook


def store(path, notebook):
    """Replace the file at `path` at once or not at all."""
    import nbformat

    from lstm_lib.claims import read_claims

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            nbformat.write(notebook, file)
        try:
            read_claims(temporary)
        except ValueError as error:
            raise Refused(str(error).replace(name, path.name)) from None
        temporary.chmod(path.stat().st_mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments=None):
    """Run the notebooks named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds a notebook may take")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    failed = 0
    for path in options.notebooks or book_notebooks():
        try:
            if path.suffix != ".ipynb" or not path.is_file():
                raise Refused("is not a notebook file")
            seconds = run(path.resolve(), options.limit)
            size = path.stat().st_size / 1024
            print(f"{path}: {seconds:.1f} s, {size:.0f} KiB", flush=True)
        except Refused as reason:
            failed += 1
            print(f"{path}: NOT STORED, {reason}", file=sys.stderr, flush=True)
    if failed:
        print(f"{failed} notebook(s) kept their former contents.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
