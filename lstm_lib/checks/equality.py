"""Equality with a reference on random inputs, and with a worked example on the page."""

from lstm_lib.checks.calls import CheckFailed, Trial, quiet, reading
from lstm_lib.checks.calls import trials as draw_trials
from lstm_lib.checks.results import compare


def same_as(
    function,
    reference,
    draw,
    *,
    names=None,
    blocks=None,
    mistakes=None,
    tolerance=1e-9,
    trials=5,
    seed=None,
    read=None,
):
    """Hold that a function returns what a reference returns, on random inputs of random shapes.

    Form comes first: kind, number of parts, shape, type, finite entries, each with a message of its own.
    Then the values; the message names the results that are wrong and those that are right, the gates where
    `blocks` says what they are, the worst entry and a simple pattern (wrong sign, a constant factor). What
    known mistakes return is compared with the result too, and a match is named.

    It proves that both agree on a few draws. It cannot find what happens rarely, such as at sequences of
    length 0, unless `draw` draws it.

    Parameters
    ----------
    function : callable
        Under test. It gets copies of the inputs, by position.
    reference : callable
        Takes the same arguments and returns arrays, numbers, strings, or tuples, lists or dicts of them.
    draw : callable
        From a generator to a dict of arguments in the order of the call. Sizes of different axes should differ.
    names : str or sequence of str, optional
        What the result is called, or the parts of a tuple, such as ``("h_t", "c_t")``. The fields of a
        named tuple by default.
    blocks : dict, optional
        For the name of a result, its axis that is made of equal blocks and their labels: ``{"a": (1, "ifgo")}``.
        The letters i, f, g and o are known as the gates.
    mistakes : dict of str to callable, optional
        Wrong variants of the reference; each key completes "This is what comes out when ...".
    tolerance : float
        Largest difference, relative to values above 1 and absolute below.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read: in words, or as page and heading.

    Raises
    ------
    CheckFailed
        If they differ, or the function raises or returns nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def tanh(x):
    ...     return np.exp(x) / (np.exp(x) + np.exp(-x))
    >>> try:
    ...     checks.same_as(tanh, np.tanh, lambda rng: {"x": rng.normal(size=3)}, seed=1)
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    The result of tanh is wrong in 3 of 3 entries.
      The worst is result[2] = 0.659457, it should be 0.318913.
      Inputs: x [0.3456, 0.8216, 0.3304].
      The same numbers again: seed=1.
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        want = trial.call(reference)
        got = trial.run()
        judge(trial, got, want, names=names, blocks=blocks, mistakes=mistakes, tolerance=tolerance)


def judge(trial, got, want, *, names=None, blocks=None, mistakes=None, tolerance=1e-9, lead=""):
    """Raise the failure of a trial whose result is not the wanted one."""
    found = compare(
        got, want, names=names or _default_name(want), tolerance=tolerance, blocks=blocks
    )
    if not found.faults:
        return
    fault = next((f for f in found.faults if f.is_form), found.faults[0])
    says = _of(fault.says, trial.name, "the" if lead else "The")
    others = [f.leaf for f in found.faults if f is not fault]
    details = [*fault.details]
    if others:
        details.append(f"Also wrong: {', '.join(others)}.")
    if found.right:
        details.append(f"Right: {', '.join(found.right)}.")
    details.append(recognised(trial, got, want, mistakes, tolerance))
    raise trial.failure(lead + says, *details)


def _default_name(want):
    return getattr(want, "_fields", None) or "result"


def _of(says, name, article):
    """What is wrong as a sentence that names the function."""
    rest = says.removeprefix("result ")
    return f"{name}: {says}" if rest == says else f"{article} result of {name} {rest}"


def recognised(trial, got, want, mistakes, tolerance):
    """The sentence about the first known mistake that gives the same result and differs from the right one."""
    for sentence, wrong in (mistakes or {}).items():
        try:
            with quiet():
                other = trial.call(wrong)
            if compare(other, want, tolerance=tolerance).faults and not _differs(got, other):
                return f"This is what comes out when {sentence}."
        except Exception:
            continue
    return ""


def _differs(got, other):
    return bool(compare(got, other, tolerance=1e-7).faults)


def agrees_with_hand(
    function, inputs, expected, *, names=None, tolerance=5e-4, mistakes=None, read=None
):
    """Hold that a function returns what the page works out by hand, on one tiny example.

    It proves nothing about other inputs; it is the check to pass first, since every number in it can be
    followed with a pencil.

    Parameters
    ----------
    function : callable
        Under test.
    inputs : dict
        Arguments by name, in the order of the call.
    expected : array, number, string, or tuple, list or dict of them
        What the page says.
    names : str or sequence of str, optional
        What the result or its parts are called.
    tolerance : float
        Half a digit of what is printed; 5e-4 by default.
    mistakes : dict, optional
        Known wrong results for these inputs: a sentence and the result, or a function that computes it.
    read : str or pair of str, optional
        Where the example is worked out.

    Raises
    ------
    CheckFailed
        If the result is another one.

    Examples
    --------
    >>> from lstm_lib import checks
    >>> checks.agrees_with_hand(lambda x, y: x - y, {"x": 3.0, "y": 1.0}, 2.0)
    >>> try:
    ...     checks.agrees_with_hand(lambda x, y: y - x, {"x": 3.0, "y": 1.0}, 2.0,
    ...                             mistakes={"the difference is taken the other way round": -2.0})
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    On the worked example the result of your function is -2, it should be 2.
      This is what comes out when the difference is taken the other way round.
      Inputs: x 3, y 1.
    """
    if not callable(function):
        raise CheckFailed(f"a function is wanted, not {function!r}.\n{reading(read)}".strip())
    trial = Trial(function, lambda rng: dict(inputs), 0, read)
    trial.seed = None
    known = {
        sentence: wrong if callable(wrong) else (lambda *_, wrong=wrong: wrong)
        for sentence, wrong in (mistakes or {}).items()
    }
    judge(
        trial,
        trial.run(),
        expected,
        names=names,
        mistakes=known,
        tolerance=tolerance,
        lead="On the worked example ",
    )
