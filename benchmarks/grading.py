"""``python -m benchmarks.grading``: how long a class takes to grade, and how much memory.

A class is made of one assignment's source: right answers, its known wrong ones, and untouched releases,
in turn, each under another name. Memory is that of the grader and of all that it starts, shared pages
counted once, twice a second; that of the grader alone says whether it grows with the class.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import numpy as np

from grading.command import bar
from grading.marks import Batch
from grading.release import release
from grading.sandbox import Limits, check
from grading.source import name_of, read, sources
from grading.watch import descendants, resident


def versions(source):
    """Yield the releases of a source with its solutions, with each of its wrong answers, and untouched."""
    right = source.answers()
    yield right
    for bug in source.bugs:
        yield {**right, bug.cell: bug.source}
    yield {}


def hand_in(source, folder, count):
    """Write `count` submissions into a folder."""
    kinds = list(versions(source))
    for number in range(count):
        notebook, student = release(source), f"student-{number:03d}"
        answers = {**kinds[number % len(kinds)], "student": f'STUDENT = "{student}"'}
        for cell in notebook.cells:
            cell.source = answers.get(name_of(cell), cell.source)
        path = folder / student / f"{source.name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)


class Meter(threading.Thread):
    """Measures memory while a batch runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.own, self.all, self.over = [], [], threading.Event()

    def run(self):
        me = os.getpid()
        while not self.over.is_set():
            self.own.append(resident(me) / 2**20)
            self.all.append(sum(map(resident, [me, *descendants(me)])) / 2**20)
            self.over.wait(0.5)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.join()


def measure(source, count, workers):
    """Grade a generated class; return what it took, as a row of a record."""
    with tempfile.TemporaryDirectory() as base:
        hand_in(source, Path(base, "in"), count)
        folders, start = (Path(base, "in"), Path(base, "out")), time.monotonic()
        with Meter() as meter:
            rows = Batch(source, *folders, Limits(), workers, True, (), bar).run()
        seconds = time.monotonic() - start
    return {
        "assignment": source.name,
        "submissions": len(rows),
        "workers": workers,
        "seconds": round(seconds, 1),
        "MiB, all processes": round(max(meter.all)),
        "MiB, the grader in each fifth of the time": [
            round(max(part)) for part in np.array_split(meter.own, 5) if len(part)
        ],
        "full marks": sum(row["tests"] == max(r["tests"] for r in rows) for row in rows),
    }


def main(arguments=None):
    """Grade a generated class and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="an assignment.ipynb; the first by default")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder of the record; none by default")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    check()
    source = read(options.source or sources()[0])
    row = measure(source, options.count, options.workers)
    for name, value in row.items():
        print(f"{name}: {value}")
    if options.out:
        from benchmarks import record  # torch comes with it, and would count as the grader's memory

        facts = record.circumstances(" ".join(["python -m benchmarks.grading", *arguments]))
        print(record.write(options.out, "grading", [row], facts))


if __name__ == "__main__":
    main()
