"""Interleaved timing: what a machine does beside the benchmark hits all contestants alike."""

import gc
import statistics
import time
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

MOST_ROUNDS = 101


@contextmanager
def threads(count):
    """Give NumPy's BLAS and torch the same number of threads while the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)


def interleaved(functions, seconds, least_rounds, clock=time.perf_counter):
    """Time several functions in turn, A B C A B C ..., each once a round.

    The order moves on by one with every round, so that no function always follows the same other
    one. A round or more before the first is for warming up.

    Parameters
    ----------
    functions : dict of str to callable
    seconds : float
        About how long to go on.
    least_rounds : int
        Rounds to make even if that takes longer.
    clock : callable
        ``time.process_time`` does not count what other programs on the machine take; on a GPU, or with
        several threads, it would not count all that is ours either.

    Returns
    -------
    dict of str to list of float
        Seconds of every round.
    """
    names = list(functions)
    start = time.perf_counter()
    for function in 2 * list(functions.values()):
        function()
    a_round = (time.perf_counter() - start) / 2
    rounds = max(least_rounds, min(MOST_ROUNDS, int(seconds / max(a_round, 1e-9))))
    times = {name: [] for name in names}
    with _rubbish_kept():
        for number in range(rounds):
            gc.collect()
            first = number % len(names)
            for name in names[first:] + names[:first]:
                start = clock()
                functions[name]()
                times[name].append(clock() - start)
    return times


@contextmanager
def _rubbish_kept():
    """No garbage collection but by hand, and then without the objects that were there before."""
    collecting = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()


def quartiles(values):
    """Lower quartile, median and upper quartile.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
    (2.0, 3.0, 4.0)
    """
    if len(values) < 2:
        return (values[0],) * 3
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def ratios(times, name, reference):
    """The ratio of `name` to `reference` in every round, summed up by median and quartiles."""
    of_rounds = [a / b for a, b in zip(times[name], times[reference], strict=True)]
    low, middle, high = quartiles(of_rounds)
    return {"median": middle, "q1": low, "q3": high, "rounds": len(of_rounds)}
