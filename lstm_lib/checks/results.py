"""Comparing what a function returned with what it should have: form first, then values, then names.

A result is an array, a number, a string, None, or a tuple, list or dict of them. Its leaves have names
("c_t", "attention[2]"), so that a fault can say where it is.
"""

from typing import NamedTuple

import numpy as np

from lstm_lib.checks.calls import describe, with_digits

GATE_NAMES = {"i": "input gate i", "f": "forget gate f", "g": "candidate g", "o": "output gate o"}

SAME = 1e-9


class Fault(NamedTuple):
    """What is wrong with one leaf of a result."""

    leaf: str
    says: str
    details: tuple = ()
    is_form: bool = False


class Found(NamedTuple):
    """All faults of a result, and the names of the leaves without."""

    faults: list
    right: list


def compare(got, want, *, names=None, tolerance=1e-9, blocks=None):
    """The faults of a result against the wanted one."""
    found = Found([], [])
    top = _names(want, names)
    _compare(got, want, top, found, tolerance, blocks or {})
    return found


def _names(want, names):
    if names is None:
        names = getattr(want, "_fields", None)
    if names is None:
        return "the result"
    if isinstance(names, str):
        return names
    return tuple(names)


def _compare(got, want, name, found, tolerance, blocks):
    if isinstance(want, dict):
        return _compare_dict(got, want, name, found, tolerance, blocks)
    if isinstance(want, tuple) or (isinstance(want, list) and not _flat(want)):
        return _compare_parts(got, want, name, found, tolerance, blocks)
    fault = _form(got, want, name) or _values(got, want, name, tolerance, blocks.get(name))
    if fault:
        found.faults.append(fault)
    else:
        found.right.append(name)
    return None


def _compare_parts(got, want, name, found, tolerance, blocks):
    named = isinstance(name, tuple)
    parts = name if named else [f"{name}[{k}]" for k in range(len(want))]
    whole = "the result" if named else name
    listed = f" ({', '.join(parts)})" if named else ""
    if got is None:
        return found.faults.append(_nothing(whole))
    if not isinstance(got, (tuple, list)):
        kind = "a tuple" if isinstance(want, tuple) else "a list"
        says = f"{whole} is {_what(got)}, where {kind} of {len(want)}{listed} is wanted."
        return found.faults.append(Fault(whole, says, is_form=True))
    if len(got) != len(want):
        says = f"{whole} has {len(got)} parts, {len(want)}{listed} are wanted."
        return found.faults.append(Fault(whole, says, is_form=True))
    for part, label, wanted in zip(got, parts, want, strict=True):
        _compare(part, wanted, _names_inside(wanted, label), found, tolerance, blocks)
    return None


def _names_inside(want, label):
    fields = getattr(want, "_fields", None)
    return tuple(f"{label}.{field}" for field in fields) if fields else label


def _compare_dict(got, want, name, found, tolerance, blocks):
    whole = name if isinstance(name, str) else "the result"
    if got is None:
        return found.faults.append(_nothing(whole))
    if not isinstance(got, dict):
        says = f"{whole} is {_what(got)}, where a dict with the keys {_keys(want)} is wanted."
        return found.faults.append(Fault(whole, says, is_form=True))
    missing, extra = [k for k in want if k not in got], [k for k in got if k not in want]
    if missing or extra:
        said = [f"lacks {_keys(missing)}"] * bool(missing)
        said += [f"has {_keys(extra)}, which nobody asked for"] * bool(extra)
        says = f"{whole} {' and '.join(said)}."
        return found.faults.append(Fault(whole, says, is_form=True))
    for key, wanted in want.items():
        _compare(got[key], wanted, str(key), found, tolerance, blocks)
    return None


def _keys(keys):
    return ", ".join(repr(key) for key in keys)


def _flat(items):
    """Whether a list holds numbers or strings alone, and so counts as one leaf."""
    return all(isinstance(item, (str, bool, int, float, np.generic)) for item in items)


def _nothing(name):
    return Fault(name, f"{name} is None: is a `return` missing?", is_form=True)


def _what(got):
    """A wrong value by its kind and size."""
    if isinstance(got, np.ndarray):
        return f"an array of shape {got.shape}"
    if isinstance(got, (tuple, list, dict)):
        return f"a {type(got).__name__} of length {len(got)}"
    if isinstance(got, str):
        return f"the string {describe(got)}"
    if isinstance(got, (bool, int, float, complex, np.generic)):
        return f"the number {describe(got)}"
    return f"a {type(got).__name__}"


def _form(got, want, name):
    """The fault in kind, shape, type or finiteness; None if there is none."""
    if want is None:
        return None if got is None else _form_fault(name, got, "nothing (None)")
    if got is None:
        return _nothing(name)
    if isinstance(want, str):
        return None if isinstance(got, str) else _form_fault(name, got, "a string")
    if isinstance(want, list):
        return _form_of_list(got, want, name)
    want = np.asarray(want)
    if want.ndim == 0:
        return _form_of_number(got, want, name)
    return _form_of_array(got, want, name)


def _form_fault(name, got, wanted, hint=""):
    return Fault(name, f"{name} is {_what(got)}, where {wanted} is wanted.{hint}", is_form=True)


def _form_of_list(got, want, name):
    if isinstance(got, np.ndarray) and got.ndim == 1:
        got = got.tolist()
    if not isinstance(got, (list, tuple)):
        return _form_fault(name, got, f"a list of length {len(want)}")
    if not _flat(got):
        inside = next(item for item in got if not _flat([item]))
        says = f"{name} holds {_what(inside)} where single numbers or strings are wanted: it is nested too deep."
        return Fault(name, says, is_form=True)
    if len(got) != len(want):
        says = f"{name} has the length {len(got)}, {len(want)} is wanted."
        details = (f"Yours: {describe(list(got))}; wanted: {describe(want)}.",)
        return Fault(name, says, details, is_form=True)
    return None


def _form_of_number(got, want, name):
    if isinstance(got, np.ndarray) and got.ndim:
        hint = " Take its only entry." if got.size == 1 else " Is a sum or a mean missing?"
        return _form_fault(name, got, "a single number", hint)
    if not isinstance(got, (bool, int, float, complex, np.generic, np.ndarray)):
        return _form_fault(name, got, "a single number")
    return _kind_fault(np.asarray(got), want, name) or _finite_fault(np.asarray(got), want, name)


def _form_of_array(got, want, name):
    if isinstance(got, (list, tuple)):
        try:
            shape = np.shape(np.array(got))
        except ValueError:
            says = f"{name} is a {type(got).__name__} of parts of different shapes, where one array of shape {want.shape} is wanted."
            return Fault(name, says, is_form=True)
        says = (
            f"{name} is a {type(got).__name__} (as an array it would have the shape {shape}), "
            f"where an array of shape {want.shape} is wanted: np.array or np.stack makes one."
        )
        return Fault(name, says, is_form=True)
    if not isinstance(got, (np.ndarray, np.generic, int, float, complex)):
        return _form_fault(name, got, f"an array of shape {want.shape}")
    got = np.asarray(got)
    if got.ndim == 0:
        return _form_fault(name, got[()], f"an array of shape {want.shape}")
    if got.shape != want.shape:
        says = f"{name} has the shape {got.shape}, it should be {want.shape}."
        return Fault(name, says, (_shape_hint(got.shape, want.shape),), is_form=True)
    return _kind_fault(got, want, name) or _finite_fault(got, want, name)


def _shape_hint(got, want):
    if len(got) > 1 and got == want[::-1]:
        return "It is transposed."
    if sorted(got) == sorted(want):
        return "Its axes are in another order."
    if len(got) > len(want) and tuple(n for n in got if n != 1) == tuple(n for n in want if n != 1):
        return "It has an axis of length 1 too many."
    if len(got) < len(want):
        return "An axis is missing: was one summed over, or one entry taken out?"
    if len(got) == len(want) + 1:
        return "An axis is left that should have been summed over."
    return ""


def _kind_fault(got, want, name):
    kind, wanted = got.dtype.kind, want.dtype.kind
    if want.ndim == 0 and kind in "iuf" and wanted in "iuf":
        return None
    if kind == "O":
        return Fault(name, f"{name} is an array of Python objects, not of numbers.", is_form=True)
    if kind == wanted or (kind in "iub" and wanted in "f" and _integral(want)):
        return None
    if wanted in "iu" and kind in "iuf":
        if kind == "f" and got.ndim:
            says = (
                f"{name} holds floating-point numbers, where integers (such as indices) are wanted."
            )
            return Fault(name, says, is_form=True)
        return None
    if wanted == "f" and kind in "iu":
        says = f"{name} holds integers, where floating-point numbers are wanted: was something rounded, or an array made with dtype int?"
        return Fault(name, says, is_form=True)
    if wanted == "f" and kind == "c":
        return Fault(
            name, f"{name} holds complex numbers, where real ones are wanted.", is_form=True
        )
    if wanted == "c" and kind in "f":
        return None
    if wanted == "b":
        says = f"{name} holds {got.dtype}, where booleans (True or False) are wanted."
        return Fault(name, says, is_form=True)
    says = f"{name} holds {got.dtype}, where {want.dtype} is wanted."
    return Fault(name, says, is_form=True)


def _integral(want):
    return bool(np.all(np.isfinite(want)) and np.all(want == np.round(want)))


def _finite_fault(got, want, name):
    if got.dtype.kind not in "fc":
        return None
    bad = ~np.isfinite(got) & np.isfinite(want)
    if not bad.any():
        return None
    index = tuple(int(k) for k in np.argwhere(bad)[0])
    value = "NaN" if np.isnan(got[index]) else with_digits(got[index])
    says = f"{name} is not finite: {bad.sum()} of {bad.size} entries."
    return Fault(name, says, (f"The first is {entry(name, index)} = {value}.",), is_form=True)


def entry(name, index):
    """The name of one entry of an array, or of the number itself."""
    return f"{name}[{', '.join(str(k) for k in index)}]" if index else name


def _values(got, want, name, tolerance, block):
    if want is None:
        return None
    if isinstance(want, str):
        if got == want:
            return None
        return Fault(name, f"{name} is {describe(got)}, it should be {describe(want)}.")
    if isinstance(want, list) and any(isinstance(item, str) for item in want):
        return _strings(list(got), want, name)
    got, want = np.asarray(got), np.asarray(want)
    if want.dtype.kind not in "biufc":
        return None if np.array_equal(got, want) else Fault(name, f"{name} holds other entries.")
    off = distance(got, want)
    wrong = off > tolerance
    if not wrong.any():
        return None
    return _value_fault(got, want, name, off, wrong, block)


def distance(got, want):
    """Differences relative to the wanted values, or absolute where those are below 1; equal infinities count 0."""
    got, want = np.asarray(got), np.asarray(want)
    number = complex if "c" in (got.dtype.kind, want.dtype.kind) else float
    got, want = got.astype(number), want.astype(number)
    with np.errstate(all="ignore"):
        off = np.abs(got - want) / np.maximum(1, np.abs(want))
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))


def difference(got, base, before="before", after="after", label="result"):
    """How two results differ, in words; empty if they do not."""
    faults = compare(got, base, names="the result", tolerance=SAME).faults
    if not faults:
        return ""
    if faults[0].is_form or isinstance(base, (str, dict, tuple, list)):
        return f"{before[:1].upper()}{before[1:]} it is {describe(base)}, {after} {describe(got)}."
    base, got = np.asarray(base), np.asarray(got)
    index = tuple(int(k) for k in np.unravel_index(np.argmax(distance(got, base)), base.shape))
    return (
        f"{entry(label, index)} is {with_digits(base[index], 6)} {before} and "
        f"{with_digits(got[index], 6)} {after}."
    )


def _strings(got, want, name):
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        if a != b:
            says = f"{name} is wrong from place {k} on: {describe(a)}, it should be {describe(b)}."
            return Fault(name, says, (f"Yours: {describe(got)}; wanted: {describe(want)}.",))
    return None


def _value_fault(got, want, name, off, wrong, block):
    index = tuple(int(k) for k in np.unravel_index(np.argmax(off), off.shape))
    details = []
    if want.ndim:
        says = f"{name} is wrong in {wrong.sum()} of {wrong.size} entries{_where(wrong, block)}."
        details.append(
            f"The worst is {entry(name, index)} = {with_digits(got[index], 6)}, it should be {with_digits(want[index], 6)}."
        )
    else:
        says = f"{name} is {with_digits(got, 6)}, it should be {with_digits(want, 6)}."
    details.append(_pattern(got, want))
    return Fault(name, says, tuple(details))


def _where(wrong, block):
    """The named blocks, such as gates, in which entries are wrong."""
    if block is None:
        return ""
    axis, labels = block
    labels = [GATE_NAMES.get(label, label) for label in labels]
    parts = np.split(wrong, len(labels), axis=axis)
    bad = [label for label, part in zip(labels, parts, strict=True) if part.any()]
    return f", all of them in the {' and the '.join(bad)}" if len(bad) < len(labels) else ""


def _pattern(got, want):
    """What simple change would make the values right, if one would."""
    if want.dtype.kind not in "fc" or want.size < 2 or not np.isfinite(got).all():
        return ""
    if not np.isfinite(want).all() or not np.abs(want).max() > 0:
        return ""
    if not np.any(got):
        return "All your entries are 0."
    factor = np.vdot(want, got) / np.vdot(want, want)
    if np.allclose(got, factor * want, rtol=1e-6, atol=1e-9 * np.abs(want).max()):
        if np.isclose(factor, -1):
            return "Everything has the wrong sign."
        return f"Everything is {with_digits(factor.real)} times what it should be."
    if want.ndim == 2 and want.shape[0] == want.shape[1] and np.allclose(got, want.T):
        return "It is transposed."
    if np.allclose(got - want, (got - want).ravel()[0]):
        return f"Everything is shifted by {with_digits((got - want).ravel()[0])}."
    for axis in range(want.ndim):
        if want.shape[axis] > 1 and np.allclose(got, np.flip(want, axis)):
            return f"Axis {axis} is in reverse order."
    return ""
