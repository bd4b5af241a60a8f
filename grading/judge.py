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

from grading.outputs import clean, cuts
from grading.remote import LIMITS, Broken, Failure, TimeLimit, Unfit, writable
from grading.sandbox import Limits, Sandbox
from grading.submission import Unreadable, load, rebuild, remarks
from grading.syntax import loaded, tree
from grading.words import counted

STARTS = 4  # programs for one submission: each cell that ends one costs another
NEAR = 0.75  # of the memory may be kept by what ran, so that what follows finds some
LARGE = 0.25  # of it, kept by one cell, is enough to leave that cell out
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
        self.sandbox, self.starts = None, 0
        self.ran = []  # what a new program has to run to be where the old one was
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
        self._run(cell, source)
        if cell["kind"] == "locked":
            self._trusted(cell["full"], f"<{cell['grade_id']}>")
            with contextlib.suppress(Failure):
                self._settle()

    def _run(self, cell, source):
        """Run a cell in the sandbox and note its outputs and its error; remember it if it ran through."""
        try:
            self._ready()
            before = self.sandbox.watch.taken()
            (outputs, error, cut), left = self._play(source, self._seconds())
        except Failure as reason:
            cell["outputs"] = []
            self._stopped(cell, str(reason))
            return
        cell["outputs"], cell["error"] = outputs, error
        self._remark(cell, left, cut)
        if error and error[0] == "TimeLimit":
            self._stopped(cell, error[1])
        else:
            kept = self.sandbox.watch.taken() - before
            self.ran.append({"cell": cell, "source": source, "kept": kept})
        self._make_room()

    def _play(self, source, seconds):
        """Run a cell; return what :func:`clean` makes of the answer, and how many processes it left."""
        try:
            within = seconds + self.limits.grace
            answer = self.sandbox.ask("run", within, source=source, seconds=seconds)
        except Broken:
            raise
        except (Failure, Exception) as error:
            self._close()
            raise Broken(f"the program broke off ({type(error).__name__}: {error})") from None
        left = self.sandbox.settle()
        return clean(answer), left

    def _stopped(self, cell, reason):
        """Note that a cell or a test was stopped, and why."""
        if cell["kind"] != "test":
            cell["error"] = ["Stopped", reason, []]
        self.result["stopped"].append([called(cell), reason])

    def _remark(self, cell, left, cut):
        """Note what a cell left running, and what it showed beyond what is kept."""
        notes = cuts(cut)
        if left:
            notes.append(
                f"left {counted(left, 'process', 'processes')} running; ended with the cell"
            )
        self.result["notes"] += [f"{called(cell)}: {note}" for note in notes]

    def _without(self, row, reason):
        """Go on as if a cell had not been run: the next step begins a program that runs the others."""
        self.ran.remove(row)
        self._stopped(row["cell"], reason)
        self._close()

    def _make_room(self):
        """Begin anew where little memory is left, without the cell that keeps most of it."""
        if self.sandbox is None or self.sandbox.over or self.sandbox.watch.taken() <= NEAR:
            return
        if sum(row["kept"] for row in self.ran) <= NEAR:  # a stopped cell keeps it, or a call
            self._close()
            return
        theirs = [row for row in self.ran if row["cell"]["kind"] != "locked"]
        row = max(theirs, key=lambda row: row["kept"], default=None)
        if row is not None and row["kept"] > LARGE:
            kept, memory = row["kept"] * self.limits.memory, self.limits.memory
            self._without(row, f"kept {kept:.0f} of {memory} MiB of memory, and others need some")

    def _settle(self):
        """End what a call left running; begin anew where it kept too much."""
        if self.sandbox is not None and not self.sandbox.over:
            self.sandbox.settle()
            self._make_room()

    def _seconds(self):
        """The seconds that the next step may take."""
        return min(self.limits.cell, self._rest())

    def _rest(self):
        """The seconds that are left."""
        rest = self.until - time.monotonic()
        if rest <= 0:
            raise TimeLimit(f"the notebook's {self.limits.notebook:g} s were over before")
        return rest

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
        for row in list(self.ran):
            try:
                self._play(row["source"], self._rest())
            except Broken as error:
                if row["cell"]["kind"] == "locked":
                    raise
                self._without(row, f"{error}, when it was run again")
                self._ready()
                return

    def _close(self):
        if self.sandbox is not None:
            self.sandbox.close()
        self.sandbox = None

    def _test(self, cell):
        try:
            self._seconds()
            message, stopped = self._trusted(cell["full"], f"<{cell['grade_id']}>", cell["visible"])
            self._settle()
        except Failure as error:
            message, stopped = str(error), True
        if stopped:
            self._stopped(cell, message)
        outcome = {"passed": message is None, "message": message or "", "stopped": stopped}
        self.result["tests"][cell["grade_id"]] = outcome
        self.report(self.result)

    def _trusted(self, source, name, visible=None):
        """Run a locked cell here; return what went wrong in words, or None, and whether it was stopped."""
        syntax = tree(source)
        self.wanted |= loaded(syntax)
        before, fetched, unfit = dict(self.names), {}, {}
        try:
            fetched, unfit = self._fetch(is_test=visible is not None)
            self.names.update(fetched)
            within = self.limits.cell + self.limits.grace
            with quiet(), alarm(within + self.limits.grace):
                if self.sandbox is not None and self.sandbox.peer is not None:
                    self.sandbox.peer.deadline = time.monotonic() + within
                exec(compile(syntax, name, "exec"), self.names)
        except BaseException as error:
            if isinstance(error, (Broken, Overtime)):
                self._close_after(error)
            stopped = isinstance(error, Failure) and not isinstance(error, Unfit)
            return worded(error, name, source, visible or "", unfit), stopped
        finally:
            for key, value in fetched.items():
                if self.names.get(key) is value:
                    self.names.pop(key)
                    if key in before:
                        self.names[key] = before[key]
        return None, False

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
                found = self.sandbox.ask("fetch", self.limits.cell + self.limits.grace, name=name)
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
    lists = {"cells": [], "tests": {}, "notes": [], "stopped": []}
    return {"assignment": plan["name"], **lists, "unread": None}


def called(cell):
    """Return what a cell is called where it is spoken of."""
    return cell["grade_id"] or "an added cell"


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
    text = writable(str(error).strip()[: LIMITS["text"]])
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
