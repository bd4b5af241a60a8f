"""Files that are whole or not there, with the rights of any new file; folders that one command writes."""

import contextlib
import json

from filelock import FileLock, Timeout


class Taken(RuntimeError):
    """Another command writes into the folder."""


@contextlib.contextmanager
def alone(folder):
    """Keep a second command out of a folder; the lock falls with the process that holds it.

    Raises
    ------
    Taken
        If another holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".grading.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Taken(
            f"{folder} is being written by another grading: wait until it is done, or name another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


def replace(path, content):
    """Write text to a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


def read_json(path):
    """Return what a JSON file holds, or None where there is none or it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
