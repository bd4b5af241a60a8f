"""Grading without walls, of answers of our own whose marks alone are asked.

A student's program is here a copy of the process that grades, in which all is loaded already.
"""

import json
import os
import sys
import tempfile
import time

from grading import judge, runner
from grading.sandbox import Sandbox


class Child:
    """A copy of this process, with what the sandbox asks of a process."""

    def __init__(self, settings, folder):
        self.ended = False
        self.pid = os.fork()
        if self.pid:
            return
        os.chdir(folder)
        sys.argv = ["runner", json.dumps(settings)]
        try:
            runner.main()
        finally:
            os._exit(0)

    def poll(self):
        """Return None while it runs, and then its status."""
        self.ended = self.ended or os.waitpid(self.pid, os.WNOHANG) != (0, 0)
        return 0 if self.ended else None

    def wait(self):
        """Wait for its end."""
        while self.poll() is None:
            time.sleep(0.002)


class Forked(Sandbox):
    """A sandbox without walls."""

    def _spawn(self, settings, ends):
        self.folder = tempfile.mkdtemp(prefix="grading-")
        limits = {**settings["limits"], "processes": 0}
        return Child({**settings, "limits": limits, "fonts": None}, self.folder)


def main(job, connection):
    """Grade one submission, as :func:`grading.judge.main`."""
    judge.Sandbox = Forked
    grade(job, connection)


grade = judge.main
