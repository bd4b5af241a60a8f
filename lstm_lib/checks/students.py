"""What belongs to one student: the seed of a variant, and answers that are single values."""

import hashlib
import math

import numpy as np

from lstm_lib.checks.calls import CheckFailed, describe, reading


def variant(student):
    """The seed of a student's variant of an assignment's data.

    The first four bytes of the SHA-256 of the id, which is the same on every machine and in every version.
    Blanks around it and capital letters do not count.

    Parameters
    ----------
    student : str or int
        The student's id.

    Returns
    -------
    int
        At least 0, below 2**32.

    Raises
    ------
    ValueError
        If the id is empty.

    Examples
    --------
    >>> variant("Ada-17") == variant(" ada-17 ")
    True
    >>> variant("ada-17")
    1943181062
    """
    text = str(student).strip().casefold()
    if not text:
        raise ValueError("STUDENT is empty: write your student id there")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def rng_for(student, question):
    """The generator of a student's numbers in one question.

    Parameters
    ----------
    student : str or int
        The student's id.
    question : str
        Name of the question; each has numbers of its own.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> a, b = rng_for("ada-17", "windows"), rng_for("ada-17", "windows")
    >>> bool((a.normal(size=3) == b.normal(size=3)).all())
    True
    """
    return np.random.default_rng([variant(student), variant(question)])


def answer(
    given, expected, *, tolerance=1e-6, name="your answer", options=None, mistakes=None, read=None
):
    """Hold that an answer is right, and say how far off it is without saying what is right.

    Blanks around a string, capital letters and hyphens do not count. An answer left at ``None``, ``...`` or
    an empty string is "not given yet". A right answer may be guessed: options are few.

    Parameters
    ----------
    given : number, str, bool, or a list, tuple or array of them
        The student's.
    expected : number, str, bool, or a list, tuple or array of them
        What is right.
    tolerance : float
        Allowed difference of numbers, relative to `expected` (absolute where it is 0).
    name : str
        What was asked for, such as "the number of parameters".
    options : sequence of str, optional
        The strings among which the answer is to be chosen; another one is called so.
    mistakes : dict, optional
        A sentence and the wrong answer it explains; the sentence completes "This is what comes out when ...".
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If the answer is missing, of another kind, or wrong.

    Examples
    --------
    >>> from lstm_lib import checks
    >>> checks.answer("Forget gate", "forget gate")
    >>> try:
    ...     checks.answer(700, 312, name="the number of parameters",
    ...                   mistakes={"the biases are left out": 288})
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    The number of parameters is not right: 700 is too large, by more than a factor of 2.
    """
    says = _wrong(given, expected, tolerance, options)
    if not says:
        return
    lines = [f"{name[:1].upper()}{name[1:]} {says}"]
    for sentence, wrong in (mistakes or {}).items():
        if not _wrong(given, wrong, tolerance, None) and _wrong(wrong, expected, tolerance, None):
            lines.append(f"  This is what comes out when {sentence}.")
            break
    raise CheckFailed("\n".join(line for line in [*lines, reading(read)] if line))


def _wrong(given, expected, tolerance, options):
    """What is wrong with an answer, as the end of a sentence; empty if nothing."""
    if given is None or given is ... or (isinstance(given, str) and not given.strip()):
        return "is not given yet."
    if isinstance(expected, str):
        return _wrong_string(given, expected, options)
    if isinstance(expected, (list, tuple, np.ndarray)) and np.ndim(expected) + len(
        np.shape(expected)
    ):
        return _wrong_list(given, expected, tolerance, options)
    if isinstance(expected, (bool, np.bool_)):
        if not isinstance(given, (bool, np.bool_)):
            return f"must be True or False, not {describe(given)}."
        return "" if bool(given) == bool(expected) else "is not right."
    return _wrong_number(given, expected, tolerance)


def _wrong_string(given, expected, options):
    if not isinstance(given, str):
        return f"must be a string, not {describe(given)}."
    if _plain(given) == _plain(expected):
        return ""
    if options is not None and _plain(given) not in [_plain(option) for option in options]:
        return f"is {given!r}, but must be one of {', '.join(map(repr, options))}."
    return f"is not right: {given!r}."


def _plain(text):
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").split())


def _wrong_list(given, expected, tolerance, options):
    if not isinstance(given, (list, tuple, np.ndarray)):
        return f"must be a list of {len(expected)} entries, not {describe(given)}."
    if len(given) != len(expected):
        return f"has {len(given)} entries, {len(expected)} are wanted."
    said = [_wrong(a, b, tolerance, options) for a, b in zip(given, expected, strict=True)]
    wrong = [k for k, text in enumerate(said) if text]
    if not wrong:
        return ""
    right = len(said) - len(wrong)
    return f"is right in {right} of {len(said)} entries; the first wrong one is entry {wrong[0]}."


def _wrong_number(given, expected, tolerance):
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    if isinstance(given, (str, bool, np.bool_)) or not np.isscalar(given):
        return f"must be a number, not {describe(given)}."
    if not math.isfinite(given):
        return f"must be a finite number, not {given}."
    given, expected = float(given), float(expected)
    off = abs(given - expected)
    if off <= tolerance * (abs(expected) or 1):
        return ""
    if given * expected < 0:
        return f"is not right: {given:.6g} has the wrong sign."
    side = "large" if given > expected else "small"
    if expected == 0 or given == 0:
        return f"is not right: {given:.6g} is too {side}."
    ratio = max(abs(given / expected), abs(expected / given))
    steps = ((1.01, "less than 1 %"), (1.1, "less than 10 %"), (2, "less than a factor of 2"))
    steps += ((10, "more than a factor of 2"),)
    how = next((text for limit, text in steps if ratio < limit), "more than a factor of 10")
    return f"is not right: {given:.6g} is too {side}, by {how}."
