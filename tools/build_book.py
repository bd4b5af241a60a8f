"""Build the book to _build/html, cleanly and with every warning an error; do nothing when nothing changed.

Jupyter Book's own cache misses changes in lstm_lib and reads nothing again on a repeat, so each build is a
full one, and what it was built from is kept as one hash beside it.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
STAMP = ROOT / "_build" / "book-inputs.sha256"
INPUTS = ["book", "chapters", "lstm_lib", "_ext", "_config.yml", "_toc.yml", "tools/build_book.py"]
INPUTS += ["benchmarks", "requirements.txt", "constraints.txt"]
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
COMMAND = ["build", ".", "--all", "-W", "-n", "--keep-going", "-q"]
SKIPPED = {"__pycache__", ".ipynb_checkpoints"}


def input_files(root: Path) -> list[Path]:
    """Every file the book is built from, sorted."""
    found = []
    for name in INPUTS:
        path = root / name
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sorted(p for p in found if not SKIPPED.intersection(p.parts) and p.suffix != ".pyc")


def inputs_hash(root: Path) -> str:
    """One hash of the names and contents of all inputs."""
    digest = hashlib.sha256()
    for path in input_files(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def complaints(output: str) -> str:
    """The warnings in what Jupyter Book printed, without its colours; all of it where there are none."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()
    return "\n".join([x for x in lines if "WARNING" in x or "ERROR" in x] or lines)


def main() -> int:
    """Build unless the built book already fits its inputs."""
    now = inputs_hash(ROOT)
    where = "The book: " + str((HTML / "index.html").relative_to(ROOT))
    if STAMP.exists() and STAMP.read_text() == now and (HTML / "index.html").exists():
        print("Nothing has changed since the last build.\n" + where)
        return 0
    print("Building the book (about half a minute)", flush=True)
    start = time.time()
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(HTML, ignore_errors=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, *COMMAND]
    built = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    if built.returncode or not (HTML / "index.html").exists():
        print(complaints(built.stdout), file=sys.stderr)
        print("\nThe book did not build cleanly: the lines above say where.", file=sys.stderr)
        return built.returncode or 1
    STAMP.write_text(now)
    print(f"Built in {time.time() - start:.0f} s.\n{where}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
