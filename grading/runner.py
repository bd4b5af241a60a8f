"""What runs inside the sandbox: a student's cells, one by one, in one namespace.

Started as ``python -I runner.py SETTINGS`` (JSON: where modules are, the two pipes, the limits); it
answers ``run``, ``fetch`` and calls of the student's functions until the pipe closes. It trusts nobody
and is trusted by nobody: a student's code can change everything in this process, and the grading
process takes what comes from here for no more than the student's own word.
"""

import base64
import io
import json
import os
import resource
import shutil
import signal
import sys

TEXT, FIGURE, FIGURES, OUTPUTS = 40_000, 400_000, 6, 40
FIGURE_SECONDS = 4.0
KEPT = ("text/plain", "image/png", "image/svg+xml")


class Pen(io.TextIOBase):
    """A stream that keeps the first characters and counts the rest."""

    def __init__(self, name, page):
        self.name, self.page = name, page

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() wants a string, got {type(text).__name__}")
        self.page.text(self.name, text)
        return len(text)


class Page:
    """What the current cell shows."""

    def __init__(self):
        self.begin()

    def begin(self, quiet=False):
        """Start a clean page, which shows no result of a cell if `quiet`."""
        self.quiet = quiet
        self.outputs, self.length = [], 0
        self.dropped, self.omitted = 0, 0

    def text(self, name, text):
        """Add text of a stream."""
        kept = text[: max(TEXT - self.length, 0)]
        last = self.outputs[-1] if self.outputs else {}
        if kept and last.get("kind") == "stream" and last["name"] == name:
            last["parts"].append(kept)
        elif kept and len(self.outputs) < OUTPUTS:
            self.outputs.append({"kind": "stream", "name": name, "parts": [kept]})
        else:
            kept = ""
        self.length += len(kept)
        self.dropped += len(text) - len(kept)

    def show(self, data):
        """Add something displayed."""
        kept = {}
        for kind in KEPT:
            value = data.get(kind)
            value = base64.b64encode(value).decode() if isinstance(value, bytes) else value
            if isinstance(value, str) and len(value) <= (TEXT if kind == "text/plain" else FIGURE):
                kept[kind] = value
        if kept and len(self.outputs) < OUTPUTS:
            self.outputs.append({"kind": "display", "data": kept})
        else:
            self.omitted += 1

    def end(self):
        """Return what was shown, and how many characters and other outputs were not kept."""
        for output in self.outputs:
            if output["kind"] == "stream":
                output["text"] = "".join(output.pop("parts"))
        return self.outputs, [self.dropped, self.omitted]


def make_shell(page):
    """Return IPython's shell without history or files, showing on `page`."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Hook(DisplayHook):
        def __call__(self, result=None):
            if result is not None and not page.quiet:
                page.show(self.compute_format_data(result)[0])

    class Publisher(DisplayPublisher):
        def publish(self, data, *args, **kwargs):
            page.show(data)

    class Shell(InteractiveShell):
        def enable_gui(self, gui=None):
            """No windows here."""

    Shell.displayhook_class, Shell.display_pub_class = Hook, Publisher
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    settings.InteractiveShell.history_length = 0
    return Shell.instance(config=settings)


class Program:
    """The student's program: the shell, and what may be asked of it."""

    def __init__(self):
        self.page = Page()
        self.shell = make_shell(self.page)
        self.error = None
        self.shell.showtraceback = self._keep_error
        self.shell.showsyntaxerror = lambda *args, **kwargs: self._keep_error()

    def _keep_error(self, found=None, *args, **kwargs):
        kind, value, trace = found or sys.exc_info()
        name = getattr(kind, "__name__", "Error")
        self.error = [name, str(value)[:2000], list(places(trace))[-8:]]

    def run(self, source, seconds):
        """Run a cell; return what it showed, the error that ended it or None, and what was cut."""
        self.page.begin(quiet=source.rstrip().endswith(";"))
        self.error = None
        sys.stdout, sys.stderr = Pen("stdout", self.page), Pen("stderr", self.page)
        with_limit(seconds, self.shell.run_cell, source, store_history=False)
        self.shell.last_execution_result = None  # else an error keeps all that its functions held
        self._figures()
        outputs, cut = self.page.end()
        return [outputs, self.error, cut]

    def _figures(self):
        """Show the open figures; one that cannot be drawn is an error of the cell, as any other."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        from grading.remote import TimeLimit

        numbers = pyplot.get_fignums()
        self.page.omitted += len(numbers)
        try:
            with_limit(FIGURE_SECONDS, self._draw, pyplot, numbers[:FIGURES])
        except TimeLimit:
            pass
        except Exception:
            if self.error is None:
                self._keep_error()
        pyplot.close("all")

    def _draw(self, pyplot, numbers):
        for number in numbers:
            buffer = io.BytesIO()
            pyplot.figure(number).savefig(buffer, format="png", dpi=60)
            self.page.omitted -= 1
            self.page.show({"image/png": buffer.getvalue()})

    def fetch(self, name):
        """Return a name's value, in a list, or an empty list where there is none."""
        names = self.shell.user_ns
        return [names[name]] if name in names else []


def places(trace):
    """Yield the lines of the student's cells that an error passed through."""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "ipython-input" in code.co_filename:
            yield f"{code.co_name}, line {trace.tb_lineno}"
        trace = trace.tb_next


def with_limit(seconds, function, *args, **kwargs):
    """Call `function`, stopped by an exception after that many seconds."""
    from grading.remote import TimeLimit

    def stop(signum, frame):
        raise TimeLimit(f"stopped after {seconds:g} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function(*args, **kwargs)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def set_limits(limits):
    """Set what the kernel holds a process to; the grading process watches all of them together."""
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_CPU, limits["cpu"])
    lower(resource.RLIMIT_FSIZE, limits["disk"])
    lower(resource.RLIMIT_NOFILE, 256)
    if limits["processes"]:
        lower(resource.RLIMIT_NPROC, limits["processes"])
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        lower(resource.RLIMIT_AS, now + limits["memory"])


def lower(which, value):
    """Set a limit for good, where it is not lower already."""
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def main():
    """Serve until the grading process closes the pipe."""
    settings = json.loads(sys.argv[1])
    sys.path[:0] = settings["paths"]
    from grading.remote import Broken, Peer

    if settings["fonts"]:
        os.makedirs(os.environ["MPLCONFIGDIR"], exist_ok=True)
        shutil.copy(settings["fonts"], os.environ["MPLCONFIGDIR"])
    program = Program()
    set_limits(settings["limits"])

    def call(number, args, kwargs):
        program.page.begin()
        return with_limit(settings["limits"]["cell"], peer.functions[number], *args, **kwargs)

    handlers = {"run": program.run, "fetch": program.fetch, "ready": lambda: True}
    peer = Peer(settings["read"], settings["write"], handlers)
    peer.handlers["call"] = call
    try:
        while True:
            peer.answer(peer.receive())
    except Broken:
        return


if __name__ == "__main__":
    main()
