"""Time in one direction: no look ahead, no leak from the test part, and an order that counts."""

import numpy as np

from lstm_lib.checks.calls import describe, other_entries
from lstm_lib.checks.calls import trials as draw_trials
from lstm_lib.checks.results import SAME, difference, distance


def causal(
    function, draw, *, sequence="x", axis=0, out_axis=0, lag=0, trials=8, seed=None, read=None
):
    """Hold that a result at a time does not look ahead: it stays when what comes later is changed.

    It proves that nothing later is used, at a few random times, and that something is used at all.

    Parameters
    ----------
    function : callable
        Under test; returns an array with an axis of time.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    sequence : str
        The argument that has a future.
    axis : int
        Its axis of time.
    out_axis : int
        The result's axis of time; its step t belongs to step t of the sequence.
    lag : int
        How many of the last steps are still unknown: 0 where the result at t may use the step t, 1 where it
        forecasts step t and may use only those before it.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If a result looks ahead, or depends on no step at all, or the function raises.

    Examples
    --------
    A moving average that looks to both sides:

    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def smooth(x):
    ...     return np.convolve(x, np.ones(3) / 3, mode="same")
    >>> try:
    ...     checks.causal(smooth, lambda rng: {"x": rng.normal(size=6)}, seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    The result of smooth looks ahead: at time 2 it changes when x changes from time 3 on.
    """
    alive = False
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        x = trial.inputs[sequence]
        end = x.shape[axis]
        first = int(trial.rng.integers(1, end))
        later = (
            np.arange(end).reshape([-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])
            >= first
        )
        base = _timed(trial, trial.run(), out_axis)
        inputs = trial.inputs | {sequence: np.where(later, other_entries(x, trial.rng), x)}
        got = _timed(trial, trial.run(inputs), out_axis)
        known = min(first + lag, len(base), len(got))
        off = np.array([distance(got[t], base[t]).max(initial=0) for t in range(known)])
        if (off > SAME).any():
            t = int(np.argmax(off > SAME))
            raise trial.failure(
                f"The result of {trial.name} looks ahead: at time {t} it changes when {sequence} "
                f"changes from time {first} on.",
                difference(got[t], base[t], label=f"result[{t}]").replace("][", ", "),
                f"At time {t} only {sequence} before time {t + 1 - lag} is known." if lag else "",
            )
        alive = alive or got.shape != base.shape or bool((distance(got, base) > SAME).any())
    if not alive:
        raise trial.failure(
            f"The result of {trial.name} stays the same whatever {sequence} is: is it used?"
        )


def order_matters(function, draw, *, sequence="x", axis=0, trials=5, seed=None, read=None):
    """Hold that a result depends on the order of a sequence, as a mean or a bag of words does not.

    It proves that the order is used and not that it is used well.

    Parameters
    ----------
    function : callable
        Under test.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    sequence : str
        The argument, an array or a list, whose steps are put in reverse order.
    axis : int
        Its axis of time.
    trials : int
        How many draws; one result that changes is enough.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If the result is the same in every trial, or the function raises.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> try:
    ...     checks.order_matters(np.sum, lambda rng: {"x": rng.normal(size=5)}, seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    The result of sum does not depend on the order of x: reversed, it gives the same.
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        x = trial.inputs[sequence]
        turned = x[::-1] if isinstance(x, (list, tuple, str)) else np.flip(x, axis)
        if difference(trial.run(trial.inputs | {sequence: turned}), trial.run()):
            return
    raise trial.failure(
        f"The result of {trial.name} does not depend on the order of {sequence}: reversed, it gives the same."
    )


def no_leak(function, draw, *, series="series", split="split", trials=5, seed=None, read=None):
    """Hold that a scaled series learned its constants from the training part alone.

    One value after the split is changed by a lot. Nothing but that value may change in the result, which has
    the time as its first axis. The training part has to matter.

    Parameters
    ----------
    function : callable
        Under test; returns the whole series scaled.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    series : str
        The argument that is scaled, (T,) or (T, F).
    split : str
        The argument that says where training ends, an index.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If another value changes, or nothing depends on the training part, or the function raises.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def scale(series, split):
    ...     return (series - series.mean()) / series[:split].std()
    >>> try:
    ...     checks.no_leak(scale, lambda rng: {"series": rng.normal(size=8), "split": 5}, seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    The result of scale leaks: a value of series after the split (5) changes the training part of the result.
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        x, end = trial.inputs[series], int(trial.inputs[split])
        base = _timed(trial, trial.run(), 0)
        if len(base) != len(x):
            raise trial.failure(
                f"The result of {trial.name} has {len(base)} steps, {series} has {len(x)}."
            )
        place = int(trial.rng.integers(end, len(x)))
        later, early = x.copy(), x.copy()
        later[place] += 50
        got = _timed(trial, trial.run(trial.inputs | {series: later}), 0)
        others = np.arange(len(x)) != place
        for part, where in (("training", slice(0, end)), ("test", others)):
            fault = difference(got[where], base[where])
            if fault:
                raise trial.failure(
                    f"The result of {trial.name} leaks: a value of {series} after the split ({end}) changes "
                    f"the {part} part of the result.",
                    f"Changed was {series}[{place}] alone. {fault}",
                )
        early[int(trial.rng.integers(end))] += 50
        if not difference(
            _timed(trial, trial.run(trial.inputs | {series: early}), 0)[end:], base[end:]
        ):
            raise trial.failure(
                f"The result of {trial.name} after the split does not depend on the training part: "
                "are the constants learned from it?"
            )


def _timed(trial, result, axis):
    """A result as an array with the time first."""
    array = np.asarray(result)
    if array.dtype.kind not in "biufc" or array.ndim == 0:
        raise trial.failure(
            f"{trial.name} returned {describe(result)}, where an array with an axis of time is wanted."
        )
    return np.moveaxis(array, axis, 0)
