"""``python -m grading grade SUBMISSIONS OUT``: the command line of grading."""

import argparse
import os
import sys
from pathlib import Path

from grading.files import Taken, alone
from grading.sandbox import AS_ROOT, THREADS, Limits, NoSandbox, check
from grading.source import SourceError, read, sources
from grading.term import write_term
from grading.words import counted

WARNING = """\
WARNING: grading without a sandbox. Each student's code can read, change and delete whatever you can,
on this machine and over the network; only the limits of time, memory and processes hold.
"""
PARTS = {
    "cell": ("SECONDS", "for a cell, and for a test"),
    "notebook": ("SECONDS", "for a whole submission"),
    "memory": ("MIB", "of all processes of a submission"),
    "disk": ("MIB", "of files that a submission writes"),
    "processes": ("N", "that a submission may start"),
}


def add_parser(commands):
    """Add the command ``grade``."""
    one = commands.add_parser("grade", help="grade a folder of submissions")
    add = one.add_argument
    add("submissions", type=Path, help="folder of STUDENT/any.ipynb or STUDENT.ipynb")
    add("out", type=Path, help="folder for gradebook, marks, feedback and report")
    add("--assignment", help="its name or how it begins; where there are several, all are graded")
    add("--source", type=Path, help="an assignment.ipynb that lies elsewhere")
    add(
        "--workers",
        type=_above_0(int),
        default=min(2, os.cpu_count() or 1),
        help="submissions at a time (%(default)s)",
    )
    add("--best", type=int, metavar="N", help="assignments that count in term.csv (all)")
    add("--no-sandbox", action="store_true", help="run students' code unguarded (see the warning)")
    for name, (unit, what) in PARTS.items():
        default = getattr(Limits, name)
        add(
            f"--{name}",
            type=_above_0(type(default)),
            default=default,
            metavar=unit,
            help=f"{what} (%(default)s)",
        )


def _above_0(kind):
    """Return what reads a number of a kind from the command line."""

    def number(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return value

    return number


def grade(options):
    """Grade; return the exit status."""
    os.environ.update({**THREADS, "MPLBACKEND": "agg"})
    try:
        chosen = _assignments(options)
        _guard(options)
    except (SourceError, NoSandbox) as error:
        print(error, file=sys.stderr)
        return 1
    try:
        with alone(options.out.resolve()):
            for source in chosen:
                others = [one.name for one in chosen if one is not source]
                _grade_one(source, others, options)
            return _term(options)
    except (SourceError, Taken) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where this one stopped.", file=sys.stderr)
        return 130


def _term(options):
    try:
        print(f"all assignments  {write_term(options.out.resolve(), options.best)}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _assignments(options):
    if not options.submissions.is_dir():
        raise SourceError(f"{options.submissions} is no folder")
    if options.source:
        return [read(options.source)]
    known = [read(path) for path in sources()]
    if not options.assignment:
        return known
    chosen = [one for one in known if one.name.startswith(options.assignment)]
    if len(chosen) != 1:
        names = ", ".join(one.name for one in known)
        raise SourceError(
            f"{options.assignment!r} names {counted(len(chosen), 'assignment')}; there are {names}"
        )
    return chosen


def _guard(options):
    if options.no_sandbox:
        print(WARNING, file=sys.stderr)
    elif check((options.submissions, options.out)):
        print(AS_ROOT, file=sys.stderr)


def bar(rows, **facts):
    """A progress bar over rows, of tqdm."""
    from tqdm import tqdm

    return tqdm(rows, smoothing=0, **facts)


def _grade_one(source, others, options):
    from grading.marks import Batch

    limits = Limits(**{name: getattr(options, name) for name in PARTS})
    batch = Batch(
        source,
        options.submissions,
        options.out,
        limits,
        options.workers,
        not options.no_sandbox,
        others,
        bar,
    )
    rows = batch.run()
    out = batch.out
    waiting = counted(sum(row["waiting"] > 0 for row in rows), "waits", "wait")
    print(f"{source.name}: {counted(len(rows), 'submission')}, {waiting} for marks by hand")
    print(f"  marks     {out / (source.name + '.csv')}")
    print(f"  report    {out / (source.name + '.html')}")
    print(f"  feedback  {out / 'feedback'}")
    print(
        "  To give marks by hand: start  jupyter notebook  in that folder and open its Formgrader,"
    )
    print("  then run this command again; it renews the tables and the feedback.")
