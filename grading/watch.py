"""Counts, from outside, the processes and the memory of a sandbox, and kills it above its limits.

The kernel's own limits hold for one process at a time, and its limit on processes not at all for root.
So all processes below the sandbox's first one are counted when a cell has ended, which decides the same
way every time, and what it left running is ended; meanwhile a thread looks twenty times a second.
"""

import ctypes
import os
import signal
import sys
import threading
import time

from grading.words import counted

PAUSE = 0.05
TRIES, SOON = 100, 0.01  # to end processes that may start others
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
        self.ended, self.turn = threading.Event(), threading.Lock()
        self.own, self.spent, self.size = set(), set(), 0

    def run(self):
        while not self.ended.wait(PAUSE):
            with self.turn:
                self._look()

    def _look(self):
        found = self.found()
        memory = sum(map(resident, found)) / 2**20
        if len(set(found) - self.spent) > self.limits.processes:
            self.stop(f"started more than {counted(self.limits.processes, 'process', 'processes')}")
        elif memory > self.limits.memory + SPARE:
            self.stop(f"used more than {self.limits.memory} MiB of memory")

    def begin(self):
        """Take the processes that are there for the sandbox's own, and their size for its start."""
        self.own = set(self.found())
        self.size = sum(map(size, self.own))

    def settle(self):
        """Count the processes, end those that a cell left and return how many of them still ran.

        Those that ended and that nobody waited for count as well, so it does not matter how long they
        took; what was ended here is not counted again.
        """
        with self.turn:
            self._look()
            running = sum(map(runs, self._left()))
            for _ in range(TRIES):
                left = self._left()
                if not left or self.reason:
                    return running
                for process in left:
                    end(process, is_first=False)
                self.spent |= {process for process in left if not runs(process)}
                time.sleep(SOON)
            self.stop("left processes that could not be ended")
            return running

    def _left(self):
        return [process for process in self.found() if process not in self.own | self.spent]

    def taken(self):
        """Return the part of its memory that the sandbox's program has taken since it began."""
        return (sum(map(size, self.own)) - self.size) / (self.limits.memory * 2**20)

    def found(self):
        """Return the numbers of the processes watched."""
        own = [child for child in children(os.getpid()) if child not in self.before]
        return own + [below for child in own for below in descendants(child)]

    def kill(self):
        """Kill all that is watched."""
        for _ in range(TRIES):
            found = self.found()
            for process in found:
                end(process, is_first=process == self.first)
            if set(found) <= {self.first}:
                return
            time.sleep(SOON)

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


def runs(process):
    """Whether a process is there and has not ended."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def size(process):
    """Return the bytes of addresses that a process has taken, which its limit of memory counts."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def resident(process):
    """Return the bytes of memory that a process holds, swapped out or not, of shared ones its share."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            found = [line.split()[1] for line in file if line.startswith(("Pss:", "SwapPss:"))]
        if found:
            return sum(map(int, found)) * 1024
    except OSError:
        pass
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
