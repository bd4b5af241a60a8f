"""Grades many submissions, some at a time, each in a fresh process that ends with it.

Processes are forked from a server that has imported what they need, so each begins in milliseconds and
nothing of one submission is left when the next begins. One that outstays its time is killed; what it
had decided until then counts.
"""

import contextlib
import json
import multiprocessing
import os
import sys
import time
import types
from multiprocessing.connection import wait

from grading import judge

PRELOADED = (
    "grading.judge",
    "IPython.core.inputtransformer2",
    "matplotlib.pyplot",
    "lstm_lib.numpy",
    "lstm_lib.checks",
    "lstm_lib.figures",
)
MARGIN = (
    90.0  # seconds over a notebook's own limit: starts of the sandbox and tests, on a busy machine
)


def context():
    """Return a way to start processes from a clean server."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(list(PRELOADED))
    return chosen


@contextlib.contextmanager
def bare():
    """Let processes begin without the program that grades: its imports would cost each of them seconds.

    The server finds modules by the environment alone, whatever this process added to its path.
    """
    main, path = sys.modules["__main__"], os.environ.get("PYTHONPATH")
    sys.modules["__main__"] = types.ModuleType("__main__")
    os.environ["PYTHONPATH"] = os.pathsep.join(part or os.getcwd() for part in sys.path)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if path is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = path


class Running:
    """A submission that is being graded."""

    def __init__(self, job, chosen):
        self.job = job
        self.latest, self.reason = None, None
        self.until = time.monotonic() + job["limits"]["notebook"] + MARGIN
        self.ours, theirs = chosen.Pipe(duplex=False)
        target, data = judge.main, json.dumps(job)
        self.process = chosen.Process(target=target, args=(data, theirs), daemon=True)
        with bare():
            self.process.start()
        theirs.close()

    def read(self):
        """Take what it reports; return whether it has ended."""
        try:
            self.latest = self.ours.recv_bytes()
        except (EOFError, OSError):
            return True
        return False

    def result(self):
        """Return its result, of what was decided."""
        result = json.loads(self.latest) if self.latest else judge.blank(self.job["plan"])
        reason = self.reason
        if reason is None and self.process.exitcode:
            reason = "the grading of it broke off"
        if reason:
            result["notes"].append(reason)
            if self.latest is None:
                result["unread"] = reason
        return result

    def kill(self, reason=None):
        """End it at once."""
        self.reason = reason
        self.process.kill()

    def close(self):
        """Leave nothing of it."""
        self.process.join()
        self.ours.close()


def grade(jobs, workers):
    """Yield each job with its result, in the order in which they end.

    Parameters
    ----------
    jobs : iterable of dict
        ``path``, ``student``, ``plan``, ``limits``, ``private``, ``sandboxed``.
    workers : int
    """
    chosen, waiting, running = context(), iter(jobs), []
    try:
        while True:
            while len(running) < workers and (job := next(waiting, None)) is not None:
                running.append(Running(job, chosen))
            if not running:
                return
            for one in _ended(running):
                running.remove(one)
                one.close()
                yield one.job, one.result()
    finally:
        for one in running:
            one.kill()
            one.close()


def _ended(running):
    ready = wait([one.ours for one in running], timeout=1.0)
    ended = [one for one in running if one.ours in ready and one.read()]
    for one in running:
        if one not in ended and time.monotonic() > one.until:
            one.kill("stopped: it took longer than a submission may")
    return ended
