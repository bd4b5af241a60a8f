"""Submissions that mean harm, each bounded in itself: a limit that fails must not hurt the machine.

Of each: its code, the marks that its honest part earns, and a phrase of what the report must say. Most
add a cell to a right submission, so that all marks are earned; some answer wrongly and try to hide it.
"""

from tests.grading.synthetic import FULL

WRONG = {"double": "def double(x):\n    return x"}
STAYS = "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass"
FORKS = """\
import os, time
for _ in range(64):
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)
time.sleep(3)"""
LEAVES_MANY = """\
import os, time
for _ in range(24):
    if os.fork() == 0:
        time.sleep(9)
        os._exit(0)"""
KEEPS = """\
kept = []
try:
    while len(kept) < 40:
        kept.append(np.ones(5 * 2**17))
except MemoryError:
    print("FULL")"""
WANTS = {
    "mean": "def mean_of(f, n):\n    room = np.ones(2**21)\n    return sum(f(k) for k in range(n)) / n",
    "guess": "guess = int(np.ones(5 * 2**20)[0]) * len(STUDENT)",
}
HOARDS = """\
kept = []
def mean_of(f, n):
    kept.append(np.ones(60 * 2**17))
    return sum(f(k) for k in range(n)) / n"""
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('$a_{$')"
MEMORY = """\
kept = []
for step in range(10):
    kept.append(np.ones(100 * 2**17))
print("TOOK", len(kept))"""
MEMORY_OF_MANY = """\
import os, time
for _ in range(10):
    if os.fork() == 0:
        kept = np.ones(100 * 2**17)
        time.sleep(9)
        os._exit(0)
time.sleep(7)
print("TOOK ALL")"""
DISK = """\
import os
written = 0
for folder in (".", "/tmp", "/dev/shm", "/work/tmp", "/", "/box", "/var/tmp", "/dev", "/run"):
    try:
        for number in range(10):
            with open(f"{folder}/part{number}", "wb") as file:
                written += file.write(bytes(4 * 2**20))
    except OSError as error:
        pass
print("WROTE", written // 2**20)"""
ELSEWHERE = """\
import ctypes, os
try:
    os.memfd_create("store")
    print("MADE a file without a name")
except OSError as error:
    print(error)
kernel = ctypes.CDLL(None)
shared = kernel.shmget(0, 2**20, 0o600)
if shared >= 0:
    kernel.shmctl(shared, 0, None)
    print("MADE shared memory")"""
READ = """\
import os
for path in PATHS:
    if os.path.exists(path):
        print("SAW", path)
for place, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if name not in ("proc", "usr", "site-packages")]
    for name in names:
        if name in ("assignment.ipynb", "00-small.ipynb", "gradebook.db", "marks.py"):
            print("SAW", place, name)
for number in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{number}/environ") as file:
            print([line.partition("=")[0] for line in file.read().split("\\0")])
    except OSError as error:
        print(error)
print(os.environ)"""
NETWORK = """\
import socket
for kind, place in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, "\\0PORT")):
    try:
        socket.socket(kind).connect(place)
        print("CONNECTED", place)
    except OSError as error:
        print(error)"""
PATCH = """\
import builtins, lstm_lib, numpy.testing, sys, unittest
class Same:
    def __eq__(self, other): return True
    def all(self): return True
np.allclose = np.array_equal = numpy.testing.assert_allclose = lambda *a, **k: True
builtins.AssertionError = type("AssertionError", (Exception,), {"__init__": lambda self, *a: None})
builtins.isinstance = lambda *a: True
sys.settrace(lambda *a: None)
get_ipython().events.register("post_run_cell", lambda *a: print("passed"))
double = lambda x: Same()"""
FAKE = """\
import sys
from IPython.display import display
print("test-double: 4 points")
display({"text/plain": "4.0"}, raw=True)
import grading.remote as remote
remote.Peer.encode = lambda self, value, depth=0: {"t": "yours", "v": 0}
sys.modules["__main__"].Program.fetch = lambda self, name: [lambda *a: 4]"""
GARBAGE = """\
import os
for number in range(3, 40):
    try:
        os.write(number, b"\\xff" * 1000)
    except OSError:
        pass"""
FORGED = """\
import json, os, struct
def say(message):
    data = json.dumps(message).encode()
    for number in range(3, 40):
        try:
            os.write(number, struct.pack(">I", len(data)) + data)
        except OSError:
            pass
say({"value": [[], None]})
for number in range(20):
    say({"value": [True]})
say({"ask": "call", "number": 0, "args": [], "kwargs": {}})"""
DELETE = """\
import os, lstm_lib
for path in PATHS:
    try:
        os.remove(path)
        print("REMOVED", path)
    except OSError:
        pass
for folder in {os.path.dirname(path) for path in PATHS} | {lstm_lib.__path__[0]}:
    try:
        with open(folder + "/canary-of-a-test", "w"):
            print("WROTE", folder)
    except OSError:
        pass"""
LEAVES = """\
import subprocess
subprocess.Popen(["sleep", "31.PORT"], start_new_session=True)"""
PICKLE = """\
class Bomb:
    def __reduce__(self):
        return (print, ("UNPICKLED",))
def mean_of(f, n):
    return Bomb()"""

# name: (answers, added cell, marks, phrase in the notes or the failed tests)
HOSTILE = {
    "loops": ({}, "import time\nwhile True:\n    time.sleep(0.1)", FULL, "stopped after 8 s"),
    "loops on": ({}, STAYS, FULL, "still running at the end of its time"),
    "loops in a function": (
        {"mean": "import time\ndef mean_of(f, n):\n    while True:\n        time.sleep(0.1)"},
        None,
        FULL - 3,
        "stopped after",
    ),
    "forks": ({}, FORKS, FULL, "started more than 16 processes"),
    "leaves many": ({}, LEAVES_MANY, FULL, "an added cell: started more than 16 processes"),
    "leaves many in an answer": (
        {"double": LEAVES_MANY + "\ndef double(x):\n    return 2 * x"},
        None,
        FULL - 7,
        "double: started more than 16 processes",
    ),
    "keeps memory": (WANTS, KEEPS, FULL, "of 150 MiB of memory"),
    "hoards in calls": ({**WANTS, "mean": HOARDS}, None, FULL, None),
    "cannot be drawn": ({}, FIGURE, FULL, None),
    "memory": ({}, MEMORY, FULL, "an added cell: ran out of memory"),
    "memory of many": ({}, MEMORY_OF_MANY, FULL, "used more than 150 MiB"),
    "disk": ({}, DISK, FULL, None),
    "memory elsewhere": ({}, ELSEWHERE, FULL, None),
    "reads": ({}, READ, FULL, None),
    "network": ({}, NETWORK, FULL, None),
    "patches checks": (WRONG, PATCH, 2, "test-double"),
    "fakes marks": (WRONG, FAKE, 2, "test-double"),
    "garbage": ({}, GARBAGE, FULL, "a message"),
    "forged": (WRONG, FORGED, 2, "test-double"),
    "deletes": ({}, DELETE, FULL, None),
    "leaves a process": ({}, LEAVES, FULL, "an added cell: left 1 process running"),
    "exits": ({}, "import sys\nsys.exit(0)", FULL, None),
    "exits hard": ({}, "import os\nos._exit(0)", FULL, "the program ended"),
    "kills its parent": (
        {},
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
        FULL,
        None,
    ),
    "kills itself": ({}, "import os, signal\nos.kill(os.getpid(), 9)", FULL, "the program ended"),
    "prints": (
        {},
        "for _ in range(20):\n    print('x' * 2**20)",
        FULL,
        "an added cell: 20,931,540 more characters were printed and left out",
    ),
    "half a letter": (
        {"mean": "def mean_of(f, n):\n    raise ValueError('\\ud83d')"},
        None,
        FULL - 3,
        "ValueError: ?",
    ),
    "pickles": ({"mean": PICKLE}, None, FULL - 3, "type Bomb cannot be checked"),
    "returns much": (
        {"mean": "def mean_of(f, n):\n    return np.ones(5 * 2**20)"},
        None,
        FULL - 3,
        "may pass",
    ),
    "asks back": (
        {"mean": "def mean_of(f, n):\n    return f(f, f(f)) if n < 0 else f(np.ones(5 * 2**20))"},
        None,
        FULL - 3,
        "may pass",
    ),
    "scripts": (
        {},
        "from IPython.display import HTML\nHTML('<script>alert(1)</script>')",
        FULL,
        None,
    ),
}
