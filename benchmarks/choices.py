"""``python -m benchmarks.choices``: loop against fused backend on a CPU, for few steps and many.

What ``backend="auto"`` takes on a CPU rests on these numbers; see ``lstm_lib/torch/choices.py``. The
ratio is the time of the fused backend to that of the loop, in turn, on one thread, by the processor's
clock.
"""

import argparse
import time

from benchmarks import record
from benchmarks.contestants import Problem, build
from benchmarks.plan import Size
from benchmarks.timing import interleaved, quartiles, ratios, threads

SIZES = tuple(
    Size(batch, steps, hidden // 2, hidden)
    for steps in (1, 2, 3, 16)
    for batch, hidden in ((1, 32), (16, 64), (64, 256))
)
SUITE = "choices-cpu"


def measure(cell, size, mode, seconds):
    """One row: a cell and a size, in training or inference."""
    problem = Problem(cell, size, "float32", mode, {})
    steps = {name: build(name, problem) for name in ("torch-fused", "torch-loop")}
    times = interleaved(steps, seconds, 15, time.process_time)
    loop = 1e3 * quartiles(times["torch-loop"])[1]
    row = {"cell": cell, "size": list(size), "dtype": "float32", "mode": mode}
    row |= {"threads": 1, "contestant": "torch-fused", "goal": None}
    return row | {
        "ratio": ratios(times, "torch-fused", "torch-loop"),
        "milliseconds": {"loop": loop},
    }


def main(arguments=None):
    """Measure all rows and write their file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="time for each comparison")
    parser.add_argument("--out", default=record.RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    rows, facts = [], record.circumstances("python -m benchmarks.choices")
    with threads(1):
        for cell in ("LSTM", "GRU", "RNN"):
            for size in SIZES:
                for mode in ("training", "inference"):
                    rows.append(measure(cell, size, mode, options.seconds))
                    print(cell, size, mode, f"{rows[-1]['ratio']['median']:.2f}", flush=True)
    print(f"==> {record.write(options.out, SUITE, rows, facts).name}")


if __name__ == "__main__":
    main()
