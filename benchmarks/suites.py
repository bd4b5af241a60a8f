"""Runs a suite and returns its rows: ratios to ``torch.nn``, with the goals they are held against."""

import inspect
import os
import statistics

from benchmarks import memory, plan
from benchmarks.contestants import Problem, build
from benchmarks.timing import interleaved, ratios, threads
from lstm_lib import numpy as numpy_engine


def run(suite, options):
    """All rows of a suite; none where this machine or this version of the library cannot run it.

    Parameters
    ----------
    suite : str
    options : argparse.Namespace
        With `sizes`, `seconds`, `rounds` and `repeats`.
    """
    if suite == "memory":
        return weigh_contestants(options)
    if suite == "checkpoint":
        return weigh_checkpoints(options)
    rows = []
    for comparison in plan.SPEED[suite]:
        if comparison.threads > (os.cpu_count() or 1):
            print(f"{suite}: left out, this machine has fewer than {comparison.threads} cores")
            continue
        for size in options.sizes:
            rounds = options.rounds
            if comparison.contestants == plan.SLOW:
                rounds = min(rounds, plan.SLOW_ROUNDS)
            rows += time_one(comparison, size, options.seconds, rounds)
    return rows


def time_one(comparison, size, seconds, rounds):
    """Rows of one comparison at one size, one for each contestant there is."""
    problem = Problem(comparison.cell, size, comparison.dtype, comparison.mode, {})
    with threads(comparison.threads):
        names = (plan.REFERENCE, *comparison.contestants)
        functions = {name: build(name, problem) for name in names}
        functions = {name: function for name, function in functions.items() if function}
        times = interleaved(functions, seconds, rounds)
    rows = []
    for name in list(functions)[1:]:
        row = head(problem, comparison.threads, name)
        row["ratio"] = ratios(times, name, plan.REFERENCE)
        row["milliseconds"] = milliseconds(times, name)
        row["goal"] = as_dict(plan.goal(comparison, name, size))
        rows.append(row)
        say(row)
    return rows


def weigh_contestants(options):
    """Peak memory of a training step of every engine, at the largest of the sizes."""
    problem = Problem("LSTM", options.sizes[-1], "float32", "training", {})
    reference = weigh(plan.REFERENCE, problem, options.repeats)
    rows = []
    for name in plan.MEMORY:
        mib = weigh(name, problem, options.repeats)
        if mib is None:
            continue
        row = head(problem, 1, name) | {"memory": compared(mib, reference)}
        held = name != "torch-loop" and problem.size == plan.SIZES[-1]
        row["goal"] = as_dict(plan.MEMORY_GOAL if held else None)
        rows.append(row)
        say(row)
    return rows


def weigh_checkpoints(options):
    """Peak memory and time of a training step for several ``checkpoint_every=``."""
    if "checkpoint_every" not in inspect.signature(numpy_engine.LSTM).parameters:
        print("checkpoint: left out, the layers have no such option")
        return []
    choices = {every: {"checkpoint_every": every} for every in plan.CHECKPOINTS}
    problems = {
        every: Problem("LSTM", options.sizes[-1], "float32", "training", chosen)
        for every, chosen in choices.items()
    }
    plain = problems[None]
    with threads(1):
        functions = {every: build("numpy", problem) for every, problem in problems.items()}
        functions[plan.REFERENCE] = build(plan.REFERENCE, plain)
        times = interleaved(functions, options.seconds, min(options.rounds, plan.SLOW_ROUNDS))
    del functions
    reference = weigh(plan.REFERENCE, plain, options.repeats)
    rows = []
    for every, problem in problems.items():
        row = head(problem, 1, "numpy") | choices[every]
        row["ratio"] = ratios(times, every, plan.REFERENCE)
        row["milliseconds"] = milliseconds(times, every)
        row["memory"] = compared(weigh("numpy", problem, options.repeats), reference)
        row["goal"] = None
        rows.append(row)
        say(row)
    return rows


def weigh(contestant, problem, repeats):
    """Median of the peak memory in MiB over several processes; None where there is no contestant."""
    found = [
        memory.in_new_process(contestant, problem.size, problem.options) for _ in range(repeats)
    ]
    return None if None in found else statistics.median(found)


def compared(mib, reference):
    """Two amounts of memory and their ratio."""
    return {"mib": mib, "reference_mib": reference, "ratio": mib / reference}


def head(problem, threads, contestant):
    """What was measured."""
    return {
        "cell": problem.cell,
        "dtype": problem.dtype,
        "mode": problem.mode,
        "threads": threads,
        "size": list(problem.size),
        "contestant": contestant,
    }


def milliseconds(times, name):
    """Median times, ours and the reference's: for the order of magnitude alone."""
    ours, reference = (1e3 * statistics.median(times[n]) for n in (name, plan.REFERENCE))
    return {"ours": ours, "reference": reference}


def as_dict(goal):
    """A goal as JSON holds it."""
    return None if goal is None else goal._asdict()


def say(row):
    """One line of the table on the screen."""
    line = f"{row['cell']:<4} {row['dtype']} {row['mode']:<9} {row['threads']} thr"
    line += f" {'x'.join(map(str, row['size'])):>15} {row['contestant']:<11}"
    if "checkpoint_every" in row:
        line += f" every {row['checkpoint_every']}"
    if "ratio" in row:
        line += " {median:6.2f} ({q1:.2f} to {q3:.2f})".format(**row["ratio"])
    if "memory" in row:
        line += " memory {ratio:.2f} = {mib:.0f} / {reference_mib:.0f} MiB".format(**row["memory"])
    if row["goal"]:
        measured = row["ratio"]["median"] if "ratio" in row else row["memory"]["ratio"]
        line += f"  goal {row['goal']['must']}" + (
            "" if measured <= row["goal"]["must"] else "  MISSED"
        )
    print(line, flush=True)
