"""Counts, from outside, the processes and the memory of a sandbox, and kills it above its limits.

The kernel's own limits hold for one process at a time, and its limit on processes not at all for root;
so a thread looks at all processes below the sandbox's first one, twenty times a second.
"""

import ctypes
import os
import signal
import sys
import threading
import time

PAUSE = 0.05
SPARE = 256  # MiB: Python with its libraries, before a student's first line
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>


def become_reaper():
    """Let processes whose parent has gone come to this one, so that none escapes its watch."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


class Watch(threading.Thread):
    """Watches a child of this process and all that comes of it; ``reason`` says why it was killed.

    Parameters
    ----------
    first : int
        The child. Children that this process had before it are left alone.
    limits : grading.sandbox.Limits
    stop : callable of str
        Called with the reason when a limit is passed.
    """

    def __init__(self, first, limits, stop):
        super().__init__(daemon=True)
        self.first, self.limits, self.stop = first, limits, stop
        self.before = set(children(os.getpid())) - {first}
        self.reason = None
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(PAUSE):
            found = self.found()
            memory = sum(map(resident, found)) / 2**20
            if len(found) > self.limits.processes:
                self.stop(f"started more than {self.limits.processes} processes")
            elif memory > self.limits.memory + SPARE:
                self.stop(f"used more than {self.limits.memory} MiB of memory")

    def found(self):
        """Return the numbers of the processes watched."""
        own = [child for child in children(os.getpid()) if child not in self.before]
        return own + [below for child in own for below in descendants(child)]

    def kill(self):
        """Kill all that is watched."""
        for _ in range(100):
            found = self.found()
            for process in found:
                end(process, is_first=process == self.first)
            if set(found) <= {self.first}:
                return
            time.sleep(0.01)

    def close(self):
        """Kill all that is watched and stop watching."""
        self.ended.set()
        self.join()
        self.kill()


def end(process, is_first):
    """Kill a process, and bury it where that falls to this one."""
    try:
        os.kill(process, signal.SIGKILL)
        if not is_first:
            os.waitpid(process, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        pass


def descendants(process):
    """Return the numbers of all processes below one."""
    found, todo = [], [process]
    while todo:
        for child in children(todo.pop()):
            found.append(child)
            todo.append(child)
    return found


def children(process):
    """Return the numbers of a process's children, of all its threads."""
    folder, found = f"/proc/{process}/task", []
    try:
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def resident(process):
    """Return the bytes of memory that a process holds, of shared ones its share."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
