"""``python -m benchmarks.grading``: how long a class takes to grade, and how much memory.

A class is made of one assignment's source: right answers, its known wrong ones, and untouched releases,
in turn, each under another name. Memory is that of the grader and of all that it starts, shared pages
counted once, twice a second; that of the grader alone says whether it grows with the class.
"""

import argparse
import os
import resource
import tempfile
import threading
import time
from pathlib import Path

import nbformat

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
        self.own, self.all = [], []

    def run(self):
        me = os.getpid()
        while True:
            self.own.append(resident(me) / 2**20)
            self.all.append(sum(map(resident, [me, *descendants(me)])) / 2**20)
            time.sleep(0.5)


def main():
    """Grade a generated class and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="an assignment.ipynb; the first by default")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    check()
    source = read(options.source or sources()[0])
    with tempfile.TemporaryDirectory() as base:
        hand_in(source, Path(base, "in"), options.count)
        meter, start = Meter(), time.monotonic()
        meter.start()
        batch = Batch(source, Path(base, "in"), Path(base, "out"), Limits(), options.workers, True)
        rows = batch.run()
        seconds = time.monotonic() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(
        f"{source.name}: {len(rows)} submissions on {options.workers} workers, {os.cpu_count()} cores"
    )
    print(f"  {seconds:.0f} s in all, {seconds / len(rows):.2f} s a submission")
    print(
        f"  {sum(use.ru_utime + use.ru_stime for use in used):.0f} s of processor, as far as counted"
    )
    print(f"  memory: at most {max(meter.all):.0f} MiB with all processes;")
    step = max(len(meter.own) // 5, 1)
    fifths = ", ".join(f"{max(meter.own[n : n + step]):.0f}" for n in range(0, 5 * step, step))
    print(f"  the grader itself, in each fifth of the time: {fifths} MiB")


if __name__ == "__main__":
    main()
