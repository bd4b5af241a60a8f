"""A backward pass against the derivative of the forward pass, argument by argument."""

import numpy as np

from lstm_lib.checks.calls import describe, quiet, with_digits
from lstm_lib.checks.calls import trials as draw_trials
from lstm_lib.checks.results import GATE_NAMES, entry
from lstm_lib.gradcheck import central_difference, complex_step

_AGREE = 1e-5


def gradient(
    backward,
    forward,
    draw,
    *,
    by=None,
    blocks=None,
    tolerance=None,
    entries=24,
    trials=2,
    seed=None,
    read=None,
):
    r"""Hold that a backward pass gives the derivative of a forward pass.

    Where `forward` returns one number, ``backward(*inputs)`` gives its derivatives. Where it returns
    arrays :math:`y_k`, the loss is :math:`\sum_k \langle \delta y_k, y_k \rangle` with random
    :math:`\delta y_k`, and ``backward(*dy, *inputs)`` gives the derivatives of that. Either way they come as an
    array (one argument), a tuple in the order of `by`, or a dict with its names.

    The complex step judges, exact to rounding; where `forward` does not take complex numbers, central differences
    do, with fewer digits. Right derivatives of a wrong forward pass stand this test, so hold `forward` against a
    reference first.

    Parameters
    ----------
    backward : callable
        Under test.
    forward : callable
        What is differentiated: the reference, or the student's own.
    draw : callable
        From a generator to a dict of arguments in the order of the call; some are arrays of real numbers.
    by : sequence of str, optional
        Differentiate by these arguments. By default all that are arrays of real numbers.
    blocks : dict, optional
        For the name of an argument, its axis of equal blocks and their labels: ``{"weight_ih": (0, "ifgo")}``.
    tolerance : float, optional
        Largest error, relative to the largest derivative by the same argument where that is above 1; 1e-8 by
        default, and 1e-5 with central differences.
    entries : int
        Look at no more than this many entries of each argument; each costs a call of `forward`.
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read: in words, or as page and heading.

    Raises
    ------
    CheckFailed
        If a derivative has another shape, is not finite or is wrong, or the function raises.

    Examples
    --------
    The derivative of a sum of squares, without its factor:

    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def d_loss(x):
    ...     return x
    >>> try:
    ...     checks.gradient(d_loss, lambda x: (x * x).sum(), lambda rng: {"x": rng.normal(size=2)}, seed=3)
    ... except checks.CheckFailed as failed:
    ...     print(failed)
    d_loss: the gradient by x is wrong.
      The worst is entry x[1]: yours is -2.55567, the complex step gives -5.11133.
      That is: when x[1] grows by a tiny ε, the loss changes by -5.11133·ε, and your gradient says -2.55567·ε.
      Everything is 0.5 times what it should be.
      Inputs: x [2.041, -2.556].
      The same numbers again: seed=3.
    """
    for trial in draw_trials(backward, draw, seed=seed, count=trials, read=read):
        names = _arguments(trial.inputs, by)
        weights, loss = _loss(trial, forward)
        inputs = {f"d_{k}": w for k, w in enumerate(weights)} | trial.inputs
        claimed = _claimed(trial, inputs, names)
        _check_forms(trial, claimed)
        point = {name: np.asarray(trial.inputs[name], float) for name in names}
        judge, method = _judge(loss, point, trial.rng)
        sample = {name: _sample(point[name].shape, entries, trial.rng) for name in names}
        with quiet():
            measured = judge(loss, point, entries=sample)
        allowed = tolerance or (1e-8 if method == "the complex step" else 1e-5)
        _check_values(trial, claimed, measured, sample, allowed, method, blocks or {})


def _arguments(inputs, by):
    """Names of the arguments that are differentiated."""
    real = [k for k, v in inputs.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    unknown = set(by or ()) - set(inputs)
    if unknown or not (by or real):
        raise TypeError(f"by must name real arguments among {list(inputs)}, got {by}")
    return [by] if isinstance(by, str) else list(by or real)


def _loss(trial, forward):
    """Random weights of the outputs (none where the output is a number) and the weighted sum as a function."""
    values = trial.call(forward)
    outputs = list(values) if isinstance(values, (tuple, list)) else [values]
    scalar = len(outputs) == 1 and np.ndim(outputs[0]) == 0
    weights = [] if scalar else [trial.rng.normal(size=np.shape(y)) for y in outputs]

    def loss(point):
        result = trial.call(forward, trial.inputs | point)
        if scalar:
            return np.asarray(result[0] if isinstance(result, (tuple, list)) else result)[()]
        parts = result if isinstance(result, (tuple, list)) else [result]
        return sum((w * y).sum() for w, y in zip(weights, parts, strict=True))

    return weights, loss


def _claimed(trial, inputs, names):
    """What the backward pass returned, by argument."""
    got = trial.run(inputs)
    listed = ", ".join(names)
    if got is None:
        raise trial.failure(f"{trial.name} returned None: is a `return` missing?")
    if isinstance(got, dict):
        missing = [name for name in names if name not in got]
        if missing:
            raise trial.failure(
                f"{trial.name} gives no gradient by {', '.join(missing)}; the keys are {', '.join(map(str, got))}."
            )
        return {name: got[name] for name in names}
    if len(names) == 1 and not isinstance(got, tuple):
        return {names[0]: got}
    if not isinstance(got, (tuple, list)):
        raise trial.failure(
            f"{trial.name} returned {describe(got)}, where a tuple of {len(names)} gradients ({listed}) is wanted."
        )
    if len(got) != len(names):
        raise trial.failure(
            f"{trial.name} returned {len(got)} gradients, where {len(names)} ({listed}) are wanted."
        )
    return dict(zip(names, got, strict=True))


def _check_forms(trial, claimed):
    for name, value in claimed.items():
        shape = np.shape(trial.inputs[name])
        label = f"{trial.name}: the gradient by {name}"
        if value is None:
            raise trial.failure(f"{label} is None.")
        if isinstance(value, (list, tuple, dict, str)):
            raise trial.failure(
                f"{label} is a {type(value).__name__}, where an array of shape {shape} is wanted."
            )
        if np.shape(value) != shape:
            hint = "A gradient has the shape of what it is the gradient by."
            if len(shape) == 2 and np.shape(value) == shape[::-1]:
                hint += " Yours is transposed."
            elif len(np.shape(value)) > len(shape):
                hint += " Yours is not yet summed over an axis, such as the batch."
            raise trial.failure(f"{label} has the shape {np.shape(value)}, not {shape}.", hint)
        bad = ~np.isfinite(value)
        if bad.any():
            index = tuple(int(k) for k in np.argwhere(bad)[0])
            raise trial.failure(
                f"{label} is not finite in {bad.sum()} of {bad.size} entries.",
                f"The first is {entry(name, index)}.",
            )


def _judge(loss, point, rng):
    """The complex step where the forward pass takes complex numbers and stays analytic, else differences.

    Along one random direction both have to say the same.
    """
    direction = {name: rng.normal(size=array.shape) for name, array in point.items()}

    def along(step):
        return {name: array + step * direction[name] for name, array in point.items()}

    try:
        with quiet():
            value = loss(along(1e-30j))
            slope = (loss(along(1e-5)) - loss(along(-1e-5))) / 2e-5
        exact = np.imag(value) / 1e-30
        if np.iscomplexobj(value) and abs(exact - slope) <= _AGREE * max(1, abs(slope)):
            return complex_step, "the complex step"
    except Exception:
        pass
    return central_difference, "the central difference"


def _sample(shape, entries, rng):
    """Index tuples of all entries of an array, or of some drawn without replacement."""
    size = int(np.prod(shape))
    chosen = (
        np.arange(size) if size <= entries else np.sort(rng.choice(size, entries, replace=False))
    )
    return [tuple(int(k) for k in np.unravel_index(n, shape)) for n in chosen]


def _check_values(trial, claimed, measured, sample, tolerance, method, blocks):
    """Raise the failure of the argument with the largest error."""
    wrong, right = {}, []
    for name, indices in sample.items():
        got = np.array([np.asarray(claimed[name])[index] for index in indices])
        want = np.array([measured[name][index] for index in indices])
        off = np.abs(got - want) / max(1.0, np.abs(want).max(initial=0))
        if (off > tolerance).any():
            wrong[name] = (off, got, want, indices)
        else:
            right.append(name)
    if not wrong:
        return
    worst = max(wrong, key=lambda name: wrong[name][0].max())
    off, got, want, indices = wrong[worst]
    k = int(np.argmax(off))
    where = entry(worst, indices[k])
    ours, theirs = with_digits(got[k], 6), with_digits(want[k], 6)
    raise trial.failure(
        f"{trial.name}: the gradient by {worst} is wrong{_in_blocks(worst, wrong, np.shape(claimed[worst]), tolerance, blocks)}.",
        f"The worst is entry {where}: yours is {ours}, {method} gives {theirs}.",
        f"That is: when {where} grows by a tiny ε, the loss changes by {theirs}·ε, and your gradient says {ours}·ε.",
        _pattern(got, want),
        f"Also wrong: the gradient by {', '.join(n for n in wrong if n != worst)}."
        if len(wrong) > 1
        else "",
        f"Right: the gradient by {', '.join(right)}." if right else "",
    )


def _in_blocks(name, wrong, shape, tolerance, blocks):
    """The gates in which a gradient is wrong, where not in all of them."""
    if name not in blocks:
        return ""
    axis, labels = blocks[name]
    off, _, _, indices = wrong[name]
    size = shape[axis] // len(labels)
    bad = {
        index[axis] // size for index, error in zip(indices, off, strict=True) if error > tolerance
    }
    names = [GATE_NAMES.get(labels[b], labels[b]) for b in sorted(bad)]
    return f", in the {' and the '.join(names)} alone" if len(names) < len(labels) else ""


def _pattern(got, want):
    if not np.any(got):
        return "All your entries are 0: is this gradient ever added up?"
    if not np.any(want):
        return "It should be 0: the loss does not depend on this argument."
    if len(got) > 1:
        factor = np.dot(want, got) / np.dot(want, want)
        if np.allclose(got, factor * want, rtol=1e-5, atol=1e-7):
            if np.isclose(factor, -1):
                return "Everything has the wrong sign."
            return f"Everything is {with_digits(factor)} times what it should be."
    return ""
