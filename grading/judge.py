"""Grades one submission, in a process of its own that the batch can stop.

The student's cells run in a sandbox. The tests run here, where the student's code never is: in a
namespace made of the locked cells, with copies of the student's values and proxies of the student's
functions. So nothing that a submission does to Python, to the library or to the checks reaches a test.
"""

import builtins
import contextlib
import io
import json
import resource
import signal
import time
import traceback

from grading.outputs import clean
from grading.remote import LIMITS, Broken, Failure, TimeLimit, Unfit
from grading.sandbox import Limits, Sandbox
from grading.submission import Unreadable, load, rebuild, remarks
from grading.syntax import loaded, tree

GRACE = 5.0  # seconds beyond a limit after which the process that should have stopped is killed
STARTS = 4  # processes for one submission: each cell that kills one costs another
REPORT = 6 * 2**20
MEMORY = 16 * 2**30  # of this process, whatever a test makes of what it was given


class Overtime(Failure):
    """A test itself ran too long, on what the student returned."""


class Judge:
    """A submission and the processes that run it.

    Parameters
    ----------
    plan : dict
        See :func:`grading.plan.plan`.
    student : str
        The folder's name.
    limits : Limits
    private : list of str
    sandboxed : bool
    report : callable of dict
        Called with the result so far whenever a test is decided, and at the end.
    """

    def __init__(self, plan, student, limits, private, sandboxed, report):
        self.plan, self.student, self.limits = plan, student, limits
        self.private, self.sandboxed, self.report = private, sandboxed, report
        self.until = time.monotonic() + limits.notebook
        self.sandbox, self.starts, self.ran = None, 0, []
        self.names = {"__name__": "__main__", "display": lambda *args, **kwargs: None}
        self.wanted = set()
        self.result = blank(plan)

    def grade(self, cells, notes):
        """Run and test all cells; report the result."""
        self.result["cells"] = cells
        self.result["notes"] = [*notes, *remarks(cells, self.student)]
        self.report(self.result)
        try:
            for cell in cells:
                self._cell(cell)
        finally:
            self._close()
        self.report(self.result)

    def _cell(self, cell):
        if cell["type"] != "code" or cell["kind"] in ("text", "hand"):
            return
        if cell["kind"] == "test":
            self._test(cell)
            return
        source = cell["source"]
        if cell["kind"] == "student":
            source = f"STUDENT = {self.student!r}"
            self.names["STUDENT"] = self.student
        cell["outputs"], cell["error"] = self._run(source, cell["grade_id"] or "an added cell")
        if cell["kind"] == "locked":
            self._trusted(cell["full"], f"<{cell['grade_id']}>")

    def _run(self, source, where):
        """Run a cell in the sandbox; return its outputs and its error."""
        try:
            seconds = self._seconds()
            self._ready()
            fields = {"source": source, "seconds": seconds}
            outputs, error = clean(self.sandbox.ask("run", seconds + GRACE, **fields))
        except Failure as error:
            self.result["notes"].append(f"{where}: {error}")
            return [], ["Stopped", str(error), []]
        if error and error[0] == "TimeLimit":
            self.result["notes"].append(f"{where}: {error[1]}")
        else:
            self.ran.append(source)
        return outputs, error

    def _seconds(self):
        """The seconds that the next step may take."""
        rest = self.until - time.monotonic()
        if rest <= 0:
            raise TimeLimit(f"the notebook's {self.limits.notebook:g} s were over before")
        return min(self.limits.cell, rest)

    def _ready(self):
        """See to a living sandbox in which all cells have run that killed none before."""
        if self.sandbox is not None and not self.sandbox.over:
            return
        self._close()
        if self.starts == STARTS:
            raise Broken("the program had been stopped too often before")
        self.starts += 1
        sandbox = Sandbox(self.limits, self.private, self.sandboxed)
        self.sandbox = sandbox
        sandbox.start()
        for source in self.ran:
            seconds = self._seconds()
            sandbox.ask("run", seconds + GRACE, source=source, seconds=seconds)

    def _close(self):
        if self.sandbox is not None:
            self.sandbox.close()
        self.sandbox = None

    def _test(self, cell):
        try:
            self._seconds()
            message = self._trusted(cell["full"], f"<{cell['grade_id']}>", cell["visible"])
        except Failure as error:
            message = str(error)
        passed = message is None
        self.result["tests"][cell["grade_id"]] = {"passed": passed, "message": message or ""}
        self.report(self.result)

    def _trusted(self, source, name, visible=None):
        """Run a locked cell here; return what went wrong in words, or None."""
        syntax = tree(source)
        self.wanted |= loaded(syntax)
        before, fetched, unfit = dict(self.names), {}, {}
        try:
            fetched, unfit = self._fetch(is_test=visible is not None)
            self.names.update(fetched)
            with quiet(), alarm(self.limits.cell + 2 * GRACE):
                if self.sandbox is not None and self.sandbox.peer is not None:
                    self.sandbox.peer.deadline = time.monotonic() + self.limits.cell + GRACE
                exec(compile(syntax, name, "exec"), self.names)
        except BaseException as error:
            if isinstance(error, (Broken, Overtime)):
                self._close_after(error)
            return worded(error, name, source, visible or "", unfit)
        finally:
            for key, value in fetched.items():
                if self.names.get(key) is value:
                    self.names.pop(key)
                    if key in before:
                        self.names[key] = before[key]
        return None

    def _close_after(self, error):
        """Give up a sandbox whose pipe may be out of step, and say why."""
        reason = self.sandbox.watch.reason if self.sandbox and self.sandbox.watch else None
        if reason:
            error.args = (reason,)
        self._close()

    def _fetch(self, is_test):
        """Return the student's values of the names that locked cells read, and why some cannot pass.

        Where they cannot be had a test fails, and any other cell does without.
        """
        theirs = set(self.plan["theirs"])
        names = [
            name
            for name in sorted(self.wanted)
            if name in theirs or not (name in self.names or hasattr(builtins, name))
        ]
        fetched, unfit = {}, {}
        for name in names:
            try:
                self._ready()
                found = self.sandbox.ask("fetch", self.limits.cell + GRACE, name=name)
            except Unfit as error:
                unfit[name] = str(error)
                continue
            except Failure:
                if is_test:
                    raise
                break
            if isinstance(found, list) and found:
                fetched[name] = found[0]
        return fetched, unfit


def blank(plan):
    """Return the result of a submission of which nothing was graded."""
    return {"assignment": plan["name"], "cells": [], "tests": {}, "notes": [], "unread": None}


@contextlib.contextmanager
def quiet():
    """Keep what a test prints to itself."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def alarm(seconds):
    """Stop what runs here after so many seconds."""

    def ring(signum, frame):
        raise Overtime(f"the test itself took more than {seconds:g} s on what was returned")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def worded(error, name, source, visible, unfit):
    """Say what an error in a test means, and no line of a hidden test."""
    text = str(error).strip()[: LIMITS["text"]]
    if isinstance(error, Failure):
        return text
    if isinstance(error, NameError) and error.name in unfit:
        return f"{error.name}: {unfit[error.name]}"
    if isinstance(error, AssertionError) and text:
        return text
    lines = [
        step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == name
    ]
    line = source.splitlines()[lines[-1] - 1].strip() if lines else ""
    shown = line if line in {seen.strip() for seen in visible.splitlines()} else "a hidden test"
    if isinstance(error, AssertionError):
        return f"not true: {shown}"
    return f"{type(error).__name__}: {text} (in: {shown})"


def main(job, connection):
    """Grade one submission and send its result as JSON, again and again as it grows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    job = json.loads(job)

    def report(result):
        data = json.dumps(result).encode()
        if len(data) > REPORT:
            for cell in result["cells"]:
                cell["outputs"] = []
            result["notes"].append("its outputs were too long to keep")
            data = json.dumps(result).encode()
        connection.send_bytes(data)

    judge(job, report)


def judge(job, report):
    """Grade what a job names, and report its result."""
    limits = Limits(**job["limits"])
    arguments = (job["student"], limits, job["private"], job["sandboxed"], report)
    try:
        cells, notes = rebuild(job["plan"], load(job["path"]))
    except Unreadable as reason:
        report({**blank(job["plan"]), "unread": str(reason)})
        return
    Judge(job["plan"], *arguments).grade(cells, notes)
