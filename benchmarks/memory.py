"""Peak memory of a training step, each contestant in a process of its own.

A fresh process builds the layer and its input and makes one step of a tiny problem, so that libraries
have loaded their code and buffers. Then it makes two steps of the real size. The measure is the growth
of the process's high-water mark of resident memory over those two steps: it counts NumPy, torch and every
buffer that a library keeps, and not what was there before. The mark is Linux's ``VmHWM``, and elsewhere
``ru_maxrss`` (which on Linux would begin with the size of the process that started this one).
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.plan import Size

ROOT = Path(__file__).resolve().parent.parent


def high_water():
    """The most memory this process ever had resident, in MiB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(x.split()[1]) for x in lines if x.startswith("VmHWM")) / 2**10
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def measure(contestant, size, options):
    """Growth of the high-water mark in MiB; None where this version has no such contestant."""
    from benchmarks.contestants import Problem, build
    from benchmarks.timing import threads

    with threads(1):
        tiny = Size(1, 2, size.inputs, size.hidden)
        warm = build(contestant, Problem("LSTM", tiny, "float32", "training", {}))
        if warm is None:
            return None
        warm()
        step = build(contestant, Problem("LSTM", size, "float32", "training", options))
        before = high_water()
        step()
        step()
        return high_water() - before


def in_new_process(contestant, size, options):
    """:func:`measure` in a process of its own.

    Raises
    ------
    RuntimeError
        With what the process said, if it failed, or if the size is too small to be seen.
    """
    command = [sys.executable, "-m", "benchmarks.memory", contestant, str(size)]
    command.append(json.dumps(options))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"measuring {contestant} failed:\n{done.stderr}")
    grown = json.loads(done.stdout)
    if grown == 0:
        raise RuntimeError(
            f"a step of {size} fits into memory that was there already: take a larger size"
        )
    return grown


def main():
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("contestant")
    parser.add_argument("size")
    parser.add_argument("options", type=json.loads)
    given = parser.parse_args()
    size = Size(*map(int, given.size.split("x")))
    print(json.dumps(measure(given.contestant, size, given.options)))


if __name__ == "__main__":
    main()
