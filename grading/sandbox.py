"""A student's process: where it runs, what it can see, and when it is stopped.

With bubblewrap the process has a root folder of its own with the system's programs, Python and the
library read-only, an empty folder ``/work`` of limited size, no network, no other process and nothing
of this machine's environment. Without it (:func:`check` says how to get it; ``sandboxed=False``) only
the limits of time, memory and processes hold.
"""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from grading import seccomp
from grading.remote import Broken, Peer, Stalled
from grading.watch import Watch, become_reaper

HERE = Path(__file__).resolve().parent
RUNNER = ("__init__.py", "remote.py", "runner.py")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/fonts", "/etc/ld.so.cache")
SYSTEM += ("/etc/alternatives",)
START = 60.0  # seconds a process may take to begin, on a busy machine
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
AS_ROOT = (
    "WARNING: you are root, and so are students' programs to the kernel, shut in as they are. "
    "Grade as an ordinary user (book/instructors.md says why)."
)
PYTHON_IN_VIEW = """\
Students' code sees the Python it runs in, and yours lies right in {folder},
so it would see everything there. Grade with a Python that has a folder of its own, such as the system's:
make clean, then  make grade PYTHON=/usr/bin/python3 ...
"""
MISSING = """\
Students' code must not run unguarded, and bubblewrap, the program that guards it, {why}.
  Debian, Ubuntu:  sudo apt install bubblewrap
  Fedora:          sudo dnf install bubblewrap
  macOS, Windows:  grade inside a Linux virtual machine or WSL2 (README, book/instructors.md)
To grade without it, code you have read yourself or trust:  --no-sandbox  (OPTIONS=--no-sandbox for make)
"""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    cell, notebook : float
        Seconds of wall time, for a cell or a test's call, and for everything.
    memory, disk : int
        MiB: of all its processes together, and of files written.
    processes : int
    grace : float
        Seconds beyond a limit of time after which the process that should have stopped is killed.
    """

    cell: float = 20.0
    notebook: float = 120.0
    memory: int = 1024
    disk: int = 64
    processes: int = 32
    grace: float = 5.0


class NoSandbox(RuntimeError):
    """Bubblewrap is missing or does not work here."""


def check(private=()):
    """Raise :class:`NoSandbox`, with what to do about it, unless bubblewrap works here and hides what is private.

    Parameters
    ----------
    private : sequence of paths
        Folders that must not be seen, beside the home folder and the book's.

    Returns
    -------
    bool
        Whether students' processes belong to the machine's root, as they do where root grades.
    """
    prefixes = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    for folder in (Path.home(), HERE.parent, *private):
        if Path(folder).resolve() in prefixes:
            raise NoSandbox(PYTHON_IN_VIEW.format(folder=folder))
    if shutil.which("bwrap") is None:
        raise NoSandbox(MISSING.format(why="is not installed"))
    with filtered() as (words, ends):
        show = "print(open('/proc/self/uid_map').read())"
        command = [*frame(Limits(), (), words), sys.executable, "-I", "-c", show]
        tried = subprocess.run(command, pass_fds=ends, capture_output=True, text=True)
    if tried.returncode:
        raise NoSandbox(MISSING.format(why=f"does not work here ({tried.stderr.strip()})"))
    return is_root(tried.stdout, Path("/proc/self/uid_map").read_text("ascii"))


def is_root(inside, outside):
    """Whether the one user of a sandbox is root, by the ``uid_map`` of the sandbox and of what is outside."""
    first = [row.split()[:2] for row in outside.splitlines()]
    return inside.split()[1:2] == ["0"] and ["0", "0"] in first


@contextlib.contextmanager
def filtered():
    """Yield options for bubblewrap's filter of system calls, and the descriptors that it reads."""
    end = seccomp.readable()
    try:
        yield ([], ()) if end is None else (["--seccomp", str(end)], (end,))
    finally:
        if end is not None:
            os.close(end)


def frame(limits, private=(), more=()):
    """Return bubblewrap's command line up to the program it runs."""
    disk = str(limits.disk * 2**20)
    return [
        shutil.which("bwrap") or "bwrap",
        *"--unshare-all --unshare-user --die-with-parent --new-session --clearenv".split(),
        *_newer_options(),
        *more,
        *"--cap-drop ALL --hostname book --uid 1000 --gid 1000".split(),
        *("--size", disk, "--tmpfs", "/work", "--dir", "/work/tmp"),
        *_mounts(private),  # on top, were Python or the book in a folder of that name
        *"--proc /proc --ro-bind /proc/sys /proc/sys --dev /dev".split(),
        *("--size", str(2**20), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
        *"--remount-ro / --chdir /work".split(),
        *(
            word
            for name, value in environment("/work").items()
            for word in ("--setenv", name, value)
        ),
        "--",
    ]


def environment(home):
    """Return the environment of a student's process, whose folder is `home`."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "USER": "student",
        "TMPDIR": f"{home}/tmp",
        "IPYTHONDIR": f"{home}/tmp/ipython",
        "MPLCONFIGDIR": f"{home}/tmp/matplotlib",
        "MPLBACKEND": "agg",
        "TQDM_DISABLE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **THREADS,
    }


@functools.cache
def _newer_options():
    """Options that bubblewrap has from 0.8 on."""
    known = subprocess.run(["bwrap", "--help"], capture_output=True, text=True)
    return ["--disable-userns"] if "--disable-userns" in known.stdout + known.stderr else []


def _mounts(private):
    """Return options that show the system, Python, the library and the runner, and nothing private.

    Where a private folder lies within a shown one it is covered; where a shown one lies within a
    private one it alone is seen. So the order is that of depth.
    """
    shown = {Path(path) for path in SYSTEM if Path(path).exists() and not Path(path).is_symlink()}
    shown |= {Path(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    shown |= {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    covered = {
        Path(path).resolve()
        for path in (HERE.parent, Path.home(), *private)
        if any(outer in Path(path).resolve().parents for outer in shown)
    }
    words = []
    for path in sorted(shown | covered, key=lambda path: len(path.parts)):
        words += ["--ro-bind", str(path), str(path)] if path in shown else _empty(path)
    words += [word for path in covered - shown for word in ("--remount-ro", str(path))]
    for path in (Path(path) for path in SYSTEM if Path(path).is_symlink()):
        words += ["--symlink", os.readlink(path), str(path)]
    for name in RUNNER:
        words += ["--ro-bind", str(HERE / name), f"/box/grading/{name}"]
    words += ["--ro-bind", str(library()), "/box/lstm_lib"]
    if fonts():
        words += ["--ro-bind", str(fonts()), f"/box/{fonts().name}"]
    return words


def _empty(path):
    return ["--size", "65536", "--tmpfs", str(path)]


def library():
    """Return the folder of ``lstm_lib``, alone of all that may stand beside it."""
    import lstm_lib

    return Path(lstm_lib.__file__).resolve().parent


def fonts():
    """Return matplotlib's list of fonts, which takes seconds to make, or None."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        return None
    return next(iter(sorted(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))), None)


class Sandbox:
    """A running student's process, and the other end of its pipes.

    Parameters
    ----------
    limits : Limits
    private : sequence of paths
        Folders that must not be seen, were they within a folder that is shown.
    sandboxed : bool
    """

    def __init__(self, limits, private=(), sandboxed=True):
        self.limits, self.private, self.sandboxed = limits, private, sandboxed
        self.process = self.watch = self.peer = self.folder = None
        self.stopped = False

    def start(self):
        """Start the process; raise :class:`~grading.remote.Broken` where it does not begin."""
        become_reaper()
        theirs, ours = os.pipe(), os.pipe()
        ends = (theirs[0], ours[1])
        self.process = self._spawn(self._settings(*ends), ends)
        for end in ends:
            os.close(end)
        self.peer = Peer(ours[0], theirs[1], alive=self._alive)
        self.watch = Watch(self.process.pid, self.limits, self._stop)
        self.watch.start()
        self.ask("ready", START)
        self.watch.begin()

    def _settings(self, read, write):
        box = "/box" if self.sandboxed else None
        limits = {
            "cpu": int(self.limits.notebook) + 5,
            "cell": self.limits.cell,
            "memory": self.limits.memory * 2**20,
            "disk": self.limits.disk * 2**20,
            "processes": self.limits.processes * 4 if self.sandboxed else 0,
        }
        name = fonts() and (f"{box}/{fonts().name}" if box else str(fonts()))
        paths = [box] if box else [str(HERE.parent), str(library().parent)]
        return {"read": read, "write": write, "limits": limits, "paths": paths, "fonts": name}

    def _spawn(self, settings, ends):
        runner = "/box/grading/runner.py" if self.sandboxed else str(HERE / "runner.py")
        command = [sys.executable, "-I", runner, json.dumps(settings)]
        null = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        if self.sandboxed:
            with filtered() as (words, more):
                command = [*frame(self.limits, self.private, words), *command]
                # /proc shows a student the environment that bubblewrap itself was started with
                return subprocess.Popen(command, pass_fds=(*ends, *more), env={}, **null)
        self.folder = tempfile.mkdtemp(prefix="grading-")
        Path(self.folder, "tmp").mkdir()
        where = {"cwd": self.folder, "env": environment(self.folder)}
        return subprocess.Popen(command, pass_fds=ends, start_new_session=True, **where, **null)

    def ask(self, what, within, **fields):
        """Ask the process; kill it where it does not answer in time or breaks the form."""
        self.peer.deadline = time.monotonic() + within
        try:
            return self.peer.request(what, **fields)
        except Broken as error:
            self._stop(str(error) if isinstance(error, Stalled) else None)
            raise Broken(self.watch.reason or str(error)) from None

    def settle(self):
        """End what a cell left running, return how many processes; raise Broken above a limit."""
        left = self.watch.settle()
        if self.watch.reason:
            raise Broken(self.watch.reason)
        return left

    def _alive(self):
        if self.process.poll() is not None:
            raise Broken("the program ended")

    def _stop(self, reason=None):
        self.stopped = True
        if reason and not self.watch.reason:
            self.watch.reason = reason
        self.watch.kill()
        self.process.kill()  # the watch sees nothing where there is no /proc

    @property
    def over(self):
        """Whether the process is gone."""
        return self.stopped or self.process is None or self.process.poll() is not None

    def close(self):
        """End the process and all that it started."""
        if self.process is None:
            return
        self.watch.close()
        self.process.kill()
        self.process.wait()
        self.peer.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.process = None
