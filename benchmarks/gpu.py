"""Speed on a GPU beside ``torch.nn.LSTM``: ``make bench-gpu``, or ``python -m benchmarks.gpu --help``.

Suites, each with a file ``benchmarks/results/gpu-*.json``:

gpu-peaks
    what the device reaches in a copy and in matrix products, which the floors are reckoned from
gpu-barrier
    a bare barrier among the programs of a grid, which bounds every layer that is spread over the chip
gpu-map
    which kernels ``torch.nn.LSTM`` runs for each precision, H and B, and its times
gpu-grid
    our backends beside it, cell by cell, with goals
gpu-sizes
    the sizes of the tables for a processor

What matters most is measured first, and every cell is written as soon as it is measured, so a run that
is cut off is of use, and the next one goes on where it ended; cells in which a contestant failed are
tried again at every call, after all others. A file of another device or of other versions
is not added to: give another folder, or ``--again``.

``benchmarks/gpu_session.sh`` has the commands for a session with a GPU, in their order.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from benchmarks import device as devices
from benchmarks import gpu_plan, record
from benchmarks.gpu_measure import FAILED, MEASURE, Setting
from benchmarks.gpu_warm import run_cell, warm
from lstm_lib.files import write_atomically


class Store:
    """Result files of one device, written anew with every row.

    Parameters
    ----------
    folder : Path
    facts : dict
        As :func:`benchmarks.device.facts`: rows of others are not mixed in.
    head : dict
        What else stands at the top of a file.
    again : bool
        Begin every file anew.
    """

    def __init__(self, folder, facts, head, again=False):
        self.folder, self.facts, self.head = Path(folder), facts, head
        self._files = {}
        self._again = again

    def path(self, suite):
        """The file of a suite; one that was measured on a processor has another name."""
        kind = self.facts["device"]["kind"]
        return self.folder / f"{suite if kind == 'cuda' else suite.replace('gpu', kind)}.json"

    def rows(self, suite):
        """The rows of a suite so far.

        Raises
        ------
        ValueError
            If the file there is of another device or of other versions.
        """
        if suite not in self._files:
            path, rows = self.path(suite), []
            if path.exists() and not self._again:
                stored = json.loads(path.read_text(encoding="utf-8"))
                known = {name: stored[name] for name in self.facts}
                if _without_driver(known) != _without_driver(self.facts):
                    raise ValueError(
                        f"{path} was measured elsewhere: {known} and not {self.facts}; "
                        "give another --out, or --again to measure anew"
                    )
                rows = stored["rows"]
            self._files[suite] = rows
        return self._files[suite]

    def of(self, job):
        """The rows of a job; none where it was not measured."""
        return [row for row in self.rows(job.suite) if row["key"] == job.key]

    def to_do(self, jobs):
        """The jobs that are not measured, and at last those in which something failed before."""
        known = {job: self.of(job) for job in jobs}
        failed = [
            job
            for job, rows in known.items()
            if any(row.get("said", "").startswith(FAILED) for row in rows)
        ]
        return [job for job, rows in known.items() if not rows] + failed

    def add(self, suite, rows):
        """Put rows in the place of those of the same key, and write the file.

        What was measured of a contestant stays where it is not measured this time.
        """
        new = {(row["key"], row.get("contestant")): row for row in rows}
        before = self.rows(suite)
        for row in before:
            name = row["key"], row.get("contestant")
            if name in new and row.get("ratio") and not new[name].get("ratio"):
                new[name] = row
        keys = {row["key"] for row in rows}
        kept = [row for row in before if row["key"] not in keys] + list(new.values())
        self._files[suite] = kept
        content = {"suite": suite, **self.head, **self.facts, "rows": kept}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.path(suite), text.encode("utf-8"))


def _without_driver(facts):
    """Machines with the same GPU are lent with builds of a driver that differ in the last digits."""
    device = {name: value for name, value in facts["device"].items() if name != "driver"}
    return {**facts, "device": device}


def measure(store, jobs, setting, budget=None):
    """Measure what is not stored yet; returns the jobs that the budget left out."""
    begin, longest, left = time.monotonic(), {}, []
    for job in store.to_do(jobs):
        start = time.monotonic()
        if budget is not None and start - begin + longest.get(job.suite, 0.0) > budget:
            left.append(job)
            continue
        known = setting._replace(peaks=_peaks(store), barrier=_barrier(store))
        rows = MEASURE[job.suite](job, known)
        store.add(job.suite, rows)
        longest[job.suite] = max(longest.get(job.suite, 0.0), time.monotonic() - start)
        for row in rows:
            print(f"{time.monotonic() - begin:6.0f} s  {line(job.suite, row)}", flush=True)
    return left


def _peaks(store):
    rows = store.rows("gpu-peaks")
    return rows[0]["peaks"] if rows else None


def _barrier(store):
    """Seconds of a barrier among 32 programs, or of the nearest number of them that was measured."""
    rows = [row for row in store.rows("gpu-barrier") if row["microseconds"] is not None]
    nearest = min(rows, key=lambda row: abs(row["programs"] - 32), default=None)
    return None if nearest is None else 1e-6 * nearest["microseconds"]


def line(suite, row):
    """One line of the table on the screen."""
    text = f"{suite:<12} {row['key']:<44}"
    if suite == "gpu-peaks":
        parts = [f"{name} {value / 1e12:.3g}" for name, value in row["peaks"].items()]
        return f"{text} {', '.join(parts)} (in 10^12 a second)"
    if suite == "gpu-barrier":
        return text + (row["said"] or f" {row['microseconds']:.2f} µs")
    if suite == "gpu-map":
        times, choice = row["milliseconds"], row["algorithm"]
        parts = [f"{mode} {times[mode]:.3g} ms ({choice[mode]})" for mode in times]
        return (
            f"{text} {', '.join(parts)}; {[k['name'][:40] for k in row['kernels']['training'][:3]]}"
        )
    text += f" {row['contestant']:<16}"
    if row["ratio"] is None:
        return f"{text} {row['said']}"
    text += " {median:6.2f} ({q1:.2f} to {q3:.2f})".format(**row["ratio"])
    text += " {ours:.3g} / {reference:.3g} ms".format(**row["milliseconds"])
    goal = row["goal"]
    if goal is None:
        return text
    return f"{text}  goal {goal['must']}" + (
        "" if row["ratio"]["median"] >= goal["must"] else "  MISSED"
    )


def parser():
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__.partition("\n")[0]
    )
    add = result.add_argument
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--only", nargs="+", choices=list(MEASURE), default=(), help="suites; all by default")
    add("--budget", type=float, help="seconds, compiling included, after which nothing is begun")
    add("--seconds", type=float, default=1.5, help="time for each comparison (1.5)")
    add("--rounds", type=int, default=7, help="rounds of each comparison at the least (7)")
    add("--out", type=Path, default=record.RESULTS, help="folder of the results")
    add("--warm", type=int, default=0, help="processes that compile the kernels of the grid first")
    add("--again", action="store_true", help="measure anew what is stored")
    add("--tiny", action="store_true", help="a few tiny cells, to see that it runs")
    return result


def main(arguments=None):
    """Measure what is asked for and not stored yet."""
    begin = time.monotonic()
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    gpu = devices.is_gpu(options.device)
    if options.out.resolve() == record.RESULTS and (options.tiny or not gpu):
        parser().error("what a CPU or --tiny measures is no result of a GPU: say where with --out")
    command = " ".join(["python -m benchmarks.gpu", *arguments])
    facts, head = devices.facts(options.device), record.circumstances(command)
    versions = head.pop("versions")
    if gpu:  # hosts of the same GPU differ in these, and no result depends on them
        head["host"] = {n: versions.pop(n) for n in ("blas of numpy", "vector code of torch")}
    facts["versions"] = versions | facts["versions"]
    head |= {"flags": devices.flags(), "clocks": devices.clocks(options.device)}
    print(json.dumps(facts | {"flags": head["flags"], "clocks": head["clocks"]}))
    setting = Setting(options.device, options.seconds, options.rounds, options.tiny)
    store = Store(options.out, facts, head, options.again)
    jobs = gpu_plan.jobs(options.tiny, options.only)
    try:
        for suite in MEASURE:
            store.rows(suite)
    except ValueError as error:
        parser().error(str(error))
    missing = store.to_do(jobs)
    if options.warm:
        cells = [job.what[1] for job in missing if job.suite == "gpu-grid"]
        warm(run_cell, [(cell, options.device) for cell in cells], options.warm)
    budget = options.budget
    if budget is not None:
        budget -= time.monotonic() - begin
    left = measure(store, jobs, setting, budget)
    print(f"{len(jobs) - len(left)} of {len(jobs)} jobs are measured; results in {options.out}")


if __name__ == "__main__":
    main()
