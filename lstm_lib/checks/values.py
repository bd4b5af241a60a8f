"""What the values of a result must obey, whatever they are: refusals, bounds, sums, order, the cell that is kept."""

import numpy as np

from lstm_lib.checks.calls import (
    CheckFailed,
    Trial,
    describe,
    quiet,
    with_digits,
)
from lstm_lib.checks.calls import trials as draw_trials
from lstm_lib.checks.results import compare, entry

_ALMOST = 1e-9


def refuses(function, cases, *, error="ValueError", read=None):
    """Hold that a function raises an error for inputs that make no sense, instead of computing on.

    It proves that these inputs are refused, and not that good inputs are accepted.

    Parameters
    ----------
    function : callable
        Under test.
    cases : dict of str to dict
        What is wrong with the inputs, and the inputs: arguments by name in the order of the call.
    error : str or tuple of str
        Names of the exceptions that count as a refusal, and with them what inherits from them.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If a case is accepted, or refused by another error.

    Examples
    --------
    >>> from lstm_lib import checks
    >>> def root(x):
    ...     return abs(x) ** 0.5
    >>> try:
    ...     checks.refuses(root, {"a number below 0": {"x": -4.0}})
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    root accepts a number below 0 and returns 2; it should raise a ValueError.
      Inputs: x -4.
    """
    wanted = (error,) if isinstance(error, str) else tuple(error)
    for what, inputs in cases.items():
        trial = Trial(function, lambda rng, inputs=inputs: dict(inputs), 0, read)
        trial.seed = None
        try:
            with quiet():
                result = trial.call()
        except Exception as raised:
            if {kind.__name__ for kind in type(raised).__mro__} & set(wanted):
                continue
            if isinstance(raised, NotImplementedError):
                raise trial.raised(raised, inputs) from raised
            raise trial.failure(
                f"{trial.name} given {what} raised {type(raised).__name__} ({raised}); it should raise a {' or '.join(wanted)}."
            ) from raised
        raise trial.failure(
            f"{trial.name} accepts {what} and returns {describe(result)}; "
            f"it should raise a {' or '.join(wanted)}."
        )


def sums_to_one(function, draw, *, axis=-1, mask=None, trials=5, seed=None, read=None):
    """Hold that a result holds probabilities: finite, none below 0, each row with the sum 1.

    It proves that the result is *a* distribution and not that it is the right one.

    Parameters
    ----------
    function : callable
        Under test; returns an array.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    axis : int
        Along which the sum is 1.
    mask : str, optional
        The argument, a boolean array that can be broadcast to the result, where False means that the
        probability has to be 0.
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
    >>> def softmax(z):
    ...     return np.exp(z) / np.exp(z).sum()
    >>> try:
    ...     checks.sums_to_one(softmax, lambda rng: {"z": rng.normal(size=(2, 3))}, seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    The result of softmax does not sum to 1 along axis -1: row 1 has the sum 0.4449.
      Along all axes together the sum is 1: the normalisation runs over too many.
      Inputs: z (2, 3).
      The same numbers again: seed=0.
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        result = array_of(trial, trial.run())
        if (result < 0).any():
            index = _first(result < 0)
            raise trial.failure(
                f"The result of {trial.name} holds a probability below 0.",
                f"{entry('result', index)} = {with_digits(result[index], 6)}.",
            )
        if mask is not None:
            _zero_where_masked(trial, result, mask)
        sums = result.sum(axis)
        wrong = np.abs(sums - 1) > _ALMOST
        if wrong.any():
            index = _first(wrong & (np.abs(sums - 1) == np.abs(sums - 1).max()))
            row = f"row {', '.join(map(str, index))} has the sum" if index else "the sum is"
            raise trial.failure(
                f"The result of {trial.name} does not sum to 1 along axis {axis}: {row} {with_digits(sums[index])}.",
                _other_axis(result, axis),
            )


def _zero_where_masked(trial, result, mask):
    open_ = np.broadcast_to(np.asarray(trial.inputs[mask], bool), result.shape)
    leaks = ~open_ & (result > 1e-12)
    if leaks.any():
        index = _first(leaks & (result == result[leaks].max()))
        raise trial.failure(
            f"{trial.name} gives weight to masked places, where {mask} is False: {leaks.sum()} of {(~open_).sum()}.",
            f"The largest is {entry('result', index)} = {with_digits(result[index])}, it should be 0.",
        )


def _other_axis(result, axis):
    for other in range(result.ndim):
        if other != axis % result.ndim and np.allclose(result.sum(other), 1):
            return f"Along axis {other} it does: the normalisation runs over the wrong axis."
    if np.isclose(result.sum(), 1):
        return "Along all axes together the sum is 1: the normalisation runs over too many."
    return ""


def _first(where):
    return tuple(int(k) for k in np.argwhere(where)[0])


def array_of(trial, result):
    """A result as a finite array of real numbers, or the failure that says what it is."""
    if result is None:
        raise trial.failure(f"{trial.name} returned None: is a `return` missing?")
    try:
        array = np.asarray(result)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise trial.failure(
            f"{trial.name} returned {describe(result)}, where an array of numbers is wanted."
        )
    bad = ~np.isfinite(array)
    if bad.any():
        index = _first(bad)
        raise trial.failure(
            f"The result of {trial.name} is not finite in {bad.sum()} of {bad.size} entries.",
            f"The first is {entry('result', index)} = {array[index]}.",
        )
    return array


def monotone(
    function,
    draw,
    argument,
    values,
    *,
    increasing=True,
    strict=False,
    trials=3,
    seed=None,
    read=None,
):
    """Hold that a result only grows (or only falls) as one argument grows.

    It proves the direction and not the size of the effect.

    Parameters
    ----------
    function : callable
        Under test; returns a number or an array, compared entry by entry.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    argument : str
        The one that takes the values.
    values : sequence
        In increasing order.
    increasing : bool
        Whether the result should grow (or fall).
    strict : bool
        Whether it must not stay the same.
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
    >>> from lstm_lib import checks
    >>> checks.monotone(lambda x, k: x + k, lambda rng: {"x": rng.normal(), "k": 0}, "k", [0, 1, 2])
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        results = [array_of(trial, trial.run(trial.inputs | {argument: v})) for v in values]
        for k in range(len(values) - 1):
            step = (results[k + 1] - results[k]) * (1 if increasing else -1)
            wrong = step <= 0 if strict else step < -_ALMOST
            if wrong.any():
                index = _first(wrong)
                way = "grow" if increasing else "fall"
                raise trial.failure(
                    f"The result of {trial.name} should {way} as {argument} grows, and does not.",
                    f"At {argument} = {describe(values[k])} {entry('result', index)} is "
                    f"{with_digits(results[k][index], 6)}, at {describe(values[k + 1])} it is "
                    f"{with_digits(results[k + 1][index], 6)}.",
                    inputs={n: v for n, v in trial.inputs.items() if n != argument},
                )


def stable(
    function,
    draw,
    arguments,
    *,
    reference=None,
    scales=(30.0, 1e3, 1e5),
    trials=3,
    seed=None,
    read=None,
):
    """Hold that a result stays finite where the inputs are large.

    It proves that nothing overflows, and with a `reference` that the values are right there too.

    Parameters
    ----------
    function : callable
        Under test; returns a number or an array.
    draw : callable
        From a generator to a dict of arguments in the order of the call.
    arguments : str or sequence of str
        Those that are multiplied by each of `scales`.
    reference : callable, optional
        Compare with what this returns.
    scales : sequence of float
        Factors.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If a result is not finite, or is another than the reference's.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def softplus(x):
    ...     with np.errstate(over="ignore"):
    ...         return np.log(1 + np.exp(x))
    >>> try:
    ...     checks.stable(softplus, lambda rng: {"x": np.array([-1.0, 1.0])}, "x", seed=0)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    With x times 1000: The result of softplus is not finite in 1 of 2 entries.
    """
    scaled = [arguments] if isinstance(arguments, str) else list(arguments)
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        for scale in scales:
            inputs = trial.inputs | {name: scale * trial.inputs[name] for name in scaled}
            lead = f"With {' and '.join(scaled)} times {scale:g}: "
            try:
                with quiet():
                    got = array_of(trial, trial.run(inputs))
            except CheckFailed as failed:
                if "not written yet" in str(failed):
                    raise
                raise CheckFailed(lead + str(failed)) from failed.__cause__
            if reference is not None:
                faults = compare(got, trial.call(reference, inputs), names="the result").faults
                if faults:
                    raise trial.failure(lead + faults[0].says, *faults[0].details)


def keeps_the_cell(step, draw, *, order="ifgo", cell=1, trials=5, seed=None, read=None):
    """Hold that a step leaves the cell state as it is where the forget gate is 1 and the input gate is 0.

    The biases of the two gates are set to 200 and -200, so that neither the input nor the hidden state can
    move them. It proves that both gates are where `order` says and that the cell adds up as it should, not that
    the output gate and the candidate are right.

    Parameters
    ----------
    step : callable
        Under test: ``f(x, h, c, weight_ih, weight_hh, bias)`` as :func:`lstm_inputs` draws them, or with other
        arguments of which one is called ``c`` and one ``bias`` or ``b``.
    draw : callable
        From a generator to a dict of arguments, such as :func:`lstm_inputs`.
    order : str
        Which gate each quarter of the bias is for.
    cell : int, optional
        Place of the new cell state in the result; None where it is the result itself.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If the cell state is another, with what became of it.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks, equations
    >>> checks.keeps_the_cell(lambda *inputs: equations.lstm_step(*inputs)[:2], checks.lstm_inputs)
    """
    for trial in draw_trials(step, draw, seed=seed, count=trials, read=read):
        inputs = trial.inputs
        bias = next(name for name in ("bias", "b") if name in inputs)
        size = inputs[bias].shape[0] // 4
        held = np.array(inputs[bias])
        for gate, value in (("f", 200.0), ("i", -200.0)):
            held[size * order.index(gate) : size * (order.index(gate) + 1)] = value
        trial.inputs = inputs | {bias: held}
        result = trial.run()
        if cell is not None and isinstance(result, (tuple, list)) and len(result) > cell:
            result = result[cell]
        faults = compare(result, inputs["c"], names="c_t", tolerance=1e-9).faults
        if faults:
            raise trial.failure(
                "With f = 1 and i = 0 the cell has to keep its content, and it does not: "
                + faults[0].says,
                *faults[0].details,
                "" if faults[0].is_form else _what_became(result, inputs["c"]),
                f"(The biases of f are 200 and those of i are -200, with the rows in the order {', '.join(order)}.)",
            )


def _what_became(new, old):
    """What a wrong cell state says about the gates."""
    new = np.asarray(new)
    if np.abs(new).max() < 1e-9:
        return "It is emptied, as if the forget gate were 0."
    if np.abs(new - old).max() <= 1 + 1e-9:
        return "Something between -1 and 1 is added, as if the input gate were open or not applied."
    return (
        "Its old content is changed: is the forget gate read from other rows, or not applied alone?"
    )
