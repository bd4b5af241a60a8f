"""Files that are whole or not there: one function, for everything the library writes."""

import os
import tempfile
from pathlib import Path


def write_atomically(path, data):
    """Write bytes to `path` through a temporary file in the same folder.

    An interruption leaves either the old file or the new one, never a part of it.

    Parameters
    ----------
    path : str or Path
        Folders that do not exist are made.
    data : bytes

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "new folder" / "note.txt"
    >>> write_atomically(path, b"whole")
    >>> path.read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
