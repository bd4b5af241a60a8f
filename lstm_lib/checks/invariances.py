"""What a result must not depend on: padding, the order of a batch, an added constant, a part of the data."""

import numpy as np

from lstm_lib.checks.calls import copied, describe, is_generator, other_entries
from lstm_lib.checks.calls import trials as draw_trials
from lstm_lib.checks.results import difference


def padding_does_not_matter(
    function,
    draw,
    *,
    padded="x",
    lengths="lengths",
    mask=None,
    axis=1,
    per_step=False,
    trials=5,
    seed=None,
    read=None,
):
    """Hold that what stands after the end of a sequence changes nothing, neither its values nor its amount.

    The entries after each end are replaced, zeros by large random numbers and tokens by other tokens; then the
    batch is padded further. It proves that padding is left out and not that the rest is right.

    Parameters
    ----------
    function : callable
        Under test.
    draw : callable
        From a generator to a dict of arguments, such as :func:`padded_inputs`.
    padded : str or sequence of str
        Arguments that are padded: arrays with the batch and the time as their first two axes.
    lengths : str
        The argument that holds the lengths (B,). Not looked at where `mask` is given.
    mask : str, optional
        The argument that holds a mask in the shape of batch and time instead, True where a step counts.
    axis : {0, 1}
        Which axis is the time.
    per_step : bool
        Whether the result is an array with the same two first axes, of which only the steps that count are
        compared. By default the whole result is.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If the result changes, or the function raises.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def mean(x, lengths):
    ...     return x.mean(1)
    >>> try:
    ...     checks.padding_does_not_matter(mean, checks.padded_inputs, seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    The result of mean depends on what stands after the end of a sequence.
    """
    names = [padded] if isinstance(padded, str) else list(padded)
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        counts = _counts(trial.inputs, names[0], lengths, mask, axis)
        base = trial.run()
        says = f"The result of {trial.name} depends on "
        filled = trial.inputs | {n: _filled(trial.inputs[n], counts, trial.rng) for n in names}
        _same_where(
            trial,
            base,
            filled,
            counts if per_step else None,
            says + "what stands after the end of a sequence.",
        )
        more = int(trial.rng.integers(1, 4))
        longer = trial.inputs | {n: _longer(trial.inputs[n], more, axis) for n in names}
        if mask is not None:
            longer[mask] = _longer(np.asarray(trial.inputs[mask]), more, axis)
        says += f"how much padding there is: {more} more steps of it change the result."
        _same_where(trial, base, longer, counts if per_step else None, says, axis)


def _counts(inputs, name, lengths, mask, axis):
    """A boolean array of batch and time, in the order of the inputs: which steps count."""
    if mask is not None:
        return np.asarray(inputs[mask], bool)
    time = np.arange(inputs[name].shape[axis])
    counts = time < np.asarray(inputs[lengths])[:, None]
    return counts if axis == 1 else counts.T


def _filled(array, counts, rng):
    """The array with other entries where steps do not count."""
    other = other_entries(array, rng)
    spread = counts.reshape(counts.shape + (1,) * (array.ndim - 2))
    return np.where(spread, array, other)


def _longer(array, more, axis):
    widths = [(0, more if k == axis else 0) for k in range(array.ndim)]
    return np.pad(array, widths)


def _same_where(trial, base, inputs, counts, says, axis=None):
    """Raise unless the result on other inputs is the same, in the steps that count."""
    got = trial.run(inputs)
    if counts is not None:
        base, got = np.asarray(base), np.asarray(got)
        if axis is not None:
            got = np.take(got, np.arange(min(base.shape[axis], got.shape[axis])), axis)
        if base.shape[:2] != counts.shape or got.shape != base.shape:
            raise trial.failure(
                f"The result of {trial.name} has the shape {base.shape}, where one entry for each of "
                f"{counts.shape} steps is wanted."
            )
        base, got = base[counts], got[counts]
    fault = difference(got, base)
    if fault:
        raise trial.failure(says, fault, inputs=inputs)


def permutation(
    function, draw, *, arguments="x", axis=0, out_axis=None, trials=5, seed=None, read=None
):
    """Hold that the members of a set or a batch are treated alike, whatever their order.

    With `out_axis` the result has to be permuted like the arguments (the sequences of a batch do not mix); without
    it the result has to stay the same (a sum, a mean, a bag of words).

    Parameters
    ----------
    function : callable
        Under test.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    arguments : str or sequence of str
        The arrays that are permuted alike.
    axis : int
        Along which.
    out_axis : int, optional
        The axis of the result, or of each of its parts, that follows.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If it does not, or the function raises.

    Examples
    --------
    A scaling by the whole batch mixes its members, yet treats them alike:

    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> checks.permutation(lambda x: x / x.sum(), lambda rng: {"x": rng.random(5)}, out_axis=0)
    """
    names = [arguments] if isinstance(arguments, str) else list(arguments)
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        size = trial.inputs[names[0]].shape[axis]
        order = trial.rng.permutation(size)
        if (order == np.arange(size)).all():
            order = np.roll(order, 1)
        inputs = trial.inputs | {n: np.take(trial.inputs[n], order, axis) for n in names}
        base, got = trial.run(), trial.run(inputs)
        if out_axis is not None:
            base = _permuted(base, order, out_axis)
            should = f"has to be in the same order as {' and '.join(names)}, and is not"
        else:
            should = f"depends on the order of {' and '.join(names)}, and must not"
        fault = difference(got, base, "as it should be", "as it is")
        if fault:
            raise trial.failure(f"The result of {trial.name} {should}.", fault, inputs=inputs)


def _permuted(result, order, axis):
    if isinstance(result, (tuple, list)) and not isinstance(result[0], (int, float, str)):
        return tuple(_permuted(part, order, axis) for part in result)
    return np.take(result, order, axis)


def shift_invariance(
    function, draw, *, argument="x", axis=None, moves=False, trials=5, seed=None, read=None
):
    """Hold that a constant added to an argument changes nothing, or moves the result by the same.

    Softmax is of the first kind, along its axis; a forecast by the last value, a mean and a quantile
    are of the second.

    Parameters
    ----------
    function : callable
        Under test.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    argument : str or sequence of str
        The array, or the arrays, to which the constant is added.
    axis : int, optional
        Add another constant to each row along this axis. By default it is one number.
    moves : bool
        Whether the result has to grow by the constant.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If it does not, or the function raises.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> checks.shift_invariance(np.std, lambda rng: {"x": rng.normal(size=5)})
    >>> checks.shift_invariance(np.mean, lambda rng: {"x": rng.normal(size=5)}, moves=True)
    """
    names = [argument] if isinstance(argument, str) else list(argument)
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        shape = np.shape(trial.inputs[names[0]])
        size = (
            ()
            if axis is None
            else [1 if k == axis % len(shape) else n for k, n in enumerate(shape)]
        )
        shift = 1 + 4 * trial.rng.random(size)
        inputs = trial.inputs | {n: trial.inputs[n] + shift for n in names}
        base, got = trial.run(), trial.run(inputs)
        should = "has to stay the same"
        if moves:
            base, should = np.asarray(base) + shift, "has to grow by the same"
        fault = difference(got, base, "as it should be", "as it is")
        if fault:
            raise trial.failure(
                f"The result of {trial.name} {should} when a constant is added to {' and '.join(names)}, and does not.",
                f"Added was {describe(shift)}." if np.size(shift) == 1 else "",
                fault,
            )


def ignores(function, draw, argument, *, replace=None, because="", trials=5, seed=None, read=None):
    """Hold that a result does not depend on one argument, or on what is changed in it.

    Parameters
    ----------
    function : callable
        Under test.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    argument : str
        The one that must not matter.
    replace : callable, optional
        From the argument and a generator to another value of it. By default every entry of an array changes.
    because : str
        Why it must not matter, for the message.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If the result changes, or the function raises.

    Examples
    --------
    >>> from lstm_lib import checks
    >>> def draw(rng):
    ...     return {"train": rng.normal(size=5), "test": rng.normal(size=5)}
    >>> checks.ignores(lambda train, test: train.mean(), draw, "test")
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        value = trial.inputs[argument]
        other = (
            other_entries(np.asarray(value), trial.rng)
            if replace is None
            else replace(value, trial.rng)
        )
        fault = difference(trial.run(trial.inputs | {argument: other}), trial.run())
        if fault:
            says = f"The result of {trial.name} depends on {argument}, and must not"
            raise trial.failure(f"{says}{': ' + because if because else ''}.", fault)


def does_not_change_its_arguments(function, draw, *, trials=3, seed=None, read=None):
    """Hold that a function leaves the arrays, lists and dicts it is given as they were.

    A function in another process gets copies, and so always does.

    Parameters
    ----------
    function : callable
        Under test.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If one is changed, or the function raises.

    Examples
    --------
    >>> from lstm_lib import checks
    >>> def double(x):
    ...     x *= 2
    ...     return x
    >>> try:
    ...     checks.does_not_change_its_arguments(double, lambda rng: {"x": rng.normal(size=2)}, seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    double changes its argument x, which belongs to the caller: work on a copy.
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        given = copied(trial.inputs)
        trial.run(given, copies=False)
        for name, value in trial.inputs.items():
            if is_generator(value) or callable(value):
                continue
            fault = difference(given[name], value, label=name)
            if fault:
                raise trial.failure(
                    f"{trial.name} changes its argument {name}, which belongs to the caller: work on a copy.",
                    fault,
                )
