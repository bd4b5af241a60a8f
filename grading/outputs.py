"""What a student's cells showed, as the sandbox tells it: kept where it has a known form, else dropped.

It comes from the student's process, so nothing about it is taken on trust. Only text and pictures are
kept; the pages of feedback forbid scripts besides.
"""

import base64
import binascii

from grading.remote import writable
from grading.words import counted

TEXT, PICTURE, OUTPUTS = 50_000, 600_000, 60
STARTS = {"image/png": b"\x89PNG\r\n\x1a\n"}


def clean(answer):
    """Return the outputs, the error and what was cut in what a sandbox answered to ``run``.

    What was cut are two numbers: of characters, and of outputs of other kinds.
    """
    if not isinstance(answer, list) or len(answer) != 3 or not isinstance(answer[0], list):
        return [], ["Stopped", "the outputs could not be read", []], [0, 0]
    outputs = list(filter(None, map(_output, answer[0][:OUTPUTS])))
    cut = [_count(number) for number in answer[2]] if isinstance(answer[2], list) else []
    cut = cut if len(cut) == 2 else [0, 0]
    outputs += [
        {"kind": "stream", "name": "stderr", "text": f"... {note} ..."} for note in cuts(cut)
    ]
    return outputs, _error(answer[1]), cut


def cuts(cut):
    """Return in words what was cut."""
    characters, others = cut
    notes = []
    if characters:
        some = counted(characters, "more character was", "more characters were")
        notes.append(f"{some} printed and left out")
    if others:
        some = counted(others, "more output was", "more outputs were")
        notes.append(f"{some} shown and left out")
    return notes


def _count(raw):
    return raw if type(raw) is int and 0 <= raw < 2**53 else 0


def _output(raw):
    if not isinstance(raw, dict):
        return None
    if raw.get("kind") == "stream" and raw.get("name") in ("stdout", "stderr"):
        return {"kind": "stream", "name": raw["name"], "text": text(raw.get("text"))}
    data = raw.get("data")
    if raw.get("kind") != "display" or not isinstance(data, dict):
        return None
    kept = {}
    if isinstance(data.get("text/plain"), str):
        kept["text/plain"] = text(data["text/plain"])
    for kind in ("image/png", "image/svg+xml"):
        value = data.get(kind)
        if isinstance(value, str) and len(value) <= PICTURE and _is_picture(kind, value):
            kept[kind] = text(value, PICTURE)
    return {"kind": "display", "data": kept} if kept else None


def _is_picture(kind, value):
    if kind == "image/svg+xml":
        return value.lstrip().startswith(("<svg", "<?xml"))
    try:
        return base64.b64decode(value, validate=True).startswith(STARTS[kind])
    except (binascii.Error, ValueError):
        return False


def _error(raw):
    if not isinstance(raw, list) or len(raw) != 3:
        return None
    lines = raw[2] if isinstance(raw[2], list) else []
    return [text(raw[0], 80), text(raw[1], 2000), [text(line, 200) for line in lines[:10]]]


def text(value, length=TEXT):
    """Return at most so many characters of a text, all of which can be written to a file."""
    value = value if isinstance(value, str) else ""
    return writable(value[:length])
