"""Kernels compiled beforehand, by many processes at once: Triton keeps them on disk for the one that measures."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks import device as devices
from benchmarks.gpu_contestants import build


def warm(task, items, processes, pool=None):
    """Run ``task(*item)`` for all items in new processes; what they return or raise does not matter.

    Parameters
    ----------
    task : function of a module
    items : sequence of tuple
    processes : int
    pool : Executor, optional
        For the tests; processes that share nothing by default, as CUDA asks for.

    Returns
    -------
    int
        How many raised an error.
    """
    begin = time.monotonic()
    pool = pool or ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    with pool:
        waiting = [pool.submit(task, *item) for item in items]
    failed = sum(one.exception() is not None for one in waiting)
    spent = time.monotonic() - begin
    print(f"{len(items)} warmed up in {spent:.0f} s, {failed} refused or failed", flush=True)
    return failed


def run_cell(cell, device):
    """One step of a cell of the grid by the triton backend."""
    with devices.precision(cell.precision):
        build("triton", cell, device).step()
    devices.synchronize(device)
