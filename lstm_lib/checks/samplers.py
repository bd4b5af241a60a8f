"""Whether random choices come with the right frequencies."""

import math

import numpy as np

from lstm_lib.checks.calls import describe, fresh_generators, is_generator, with_digits
from lstm_lib.checks.calls import trials as draw_trials

FALSE_ALARM = 1e-7
"""How often, at most, :func:`distribution` fails a right sampler."""


def distribution(
    function, draw, expected, *, count=3000, mistakes=None, trials=1, seed=None, read=None
):
    r"""Hold that a sampler chooses with given probabilities, and by the generator that it is given.

    What has probability 0 must never come. The frequency :math:`q` of every other outcome may be off its probability
    :math:`p` as far as chance allows: by Chernoff's bound
    :math:`P(\text{frequency} \ge q) \le e^{-n \operatorname{KL}(q \| p)}`, so that a right sampler fails once in ten
    million calls at most. With 3000 samples, a probability of 0.5 that is off by 0.06 is found nearly always and a
    smaller fault may pass.

    Parameters
    ----------
    function : callable
        Under test; returns one outcome, an integer from 0, or an array of them. A new generator takes the place of
        each in the arguments at every call.
    draw : callable
        From a generator to a dict of arguments in the order of the call, one of them a generator.
    expected : callable
        From the same arguments to the probabilities of the outcomes 0, 1, ...
    count : int
        How many samples; the function is called until there are so many.
    mistakes : dict of str to callable, optional
        Wrong variants of `expected`; the first that chance allows is named: "This is what comes out when ...".
    trials : int
        How many draws.
    seed : int, optional
        Repeat a failure with the seed that its message gives.
    read : str or pair of str, optional
        Which paragraph to read.

    Raises
    ------
    CheckFailed
        If an outcome is none, comes too often or too seldom, or the given generator is not used.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import checks
    >>> def draw(rng):
    ...     return {"p": np.array([0.7, 0.2, 0.1]), "rng": rng}
    >>> checks.distribution(lambda p, rng: rng.choice(3, p=p), draw, lambda p, rng: p)
    >>> try:
    ...     checks.distribution(lambda p, rng: rng.choice(3), draw, lambda p, rng: p, seed=1)
    ... except checks.CheckFailed as failed:
    ...     print(str(failed).splitlines()[0])
    Outcome 0 of your function comes too seldom: 972 times of 3000, where about 2100 are to be expected.
    """
    for trial in draw_trials(function, draw, seed=seed, count=trials, read=read):
        p = np.asarray(trial.call(expected), float)
        _uses_the_generator(trial)
        seen = _sampled(trial, len(p), count)
        wrong = _surprises(seen, p)
        if not wrong:
            continue
        k = max(wrong, key=wrong.get)
        total = int(seen.sum())
        raise trial.failure(
            _says(trial.name, k, int(seen[k]), total, p[k]),
            f"Frequencies: {with_digits(seen / total, 3)}; probabilities: {with_digits(p, 3)}."
            if len(p) <= 12
            else "",
            _known(trial, seen, mistakes),
            f"(A right sampler fails here less than once in {1 / FALSE_ALARM:,.0f} times.)",
        )


def _uses_the_generator(trial):
    """Two calls with generators in the same state have to choose the same."""
    if not any(is_generator(value) for value in trial.inputs.values()):
        return
    for k in range(20):
        twice = [
            trial.run(fresh_generators(trial.inputs, np.random.default_rng(k)), copies=False)
            for _ in range(2)
        ]
        if not np.array_equal(*map(np.asarray, twice)):
            raise trial.failure(
                f"{trial.name} chooses differently with the same generator: "
                "every random number has to come from the generator it is given.",
                f"Two generators in the same state gave {describe(twice[0])} and {describe(twice[1])}.",
            )


def _sampled(trial, outcomes, count):
    """How often each outcome came."""
    seen, total = np.zeros(outcomes, int), 0
    while total < count:
        got = trial.run(fresh_generators(trial.inputs, trial.rng), copies=False)
        array = np.asarray(got)
        whole = array.dtype.kind in "iu" and array.size > 0
        if not whole or array.min() < 0 or array.max() >= outcomes:
            raise trial.failure(
                f"{trial.name} returned {describe(got)}, where an integer from 0 to {outcomes - 1} is wanted."
            )
        seen += np.bincount(array.ravel(), minlength=outcomes)
        total += array.size
    return seen


def _surprises(seen, p):
    """By how much each outcome that chance does not allow exceeds the bound."""
    n = int(seen.sum())
    limit = math.log(2 * len(p) / FALSE_ALARM)
    excess = {k: n * _divergence(seen[k] / n, float(p[k])) for k in range(len(p))}
    return {k: value for k, value in excess.items() if value > limit}


def _divergence(q, p):
    """Kullback-Leibler divergence of two coins."""
    p = min(max(p, 0.0), 1.0)
    if q == p:
        return 0.0
    if p < 1e-12 or p > 1 - 1e-12:
        return math.inf if abs(q - p) > 1e-9 else 0.0
    return sum(a * math.log(a / b) for a, b in ((q, p), (1 - q, 1 - p)) if a > 0)


def _says(name, k, times, total, p):
    if p < 1e-12:
        return f"Outcome {k} of {name} has the probability 0, and comes {times} times of {total}."
    how = "often" if times > total * p else "seldom"
    return (
        f"Outcome {k} of {name} comes too {how}: {times} times of {total}, "
        f"where about {total * p:.0f} are to be expected."
    )


def _known(trial, seen, mistakes):
    for sentence, wrong in (mistakes or {}).items():
        p = np.asarray(trial.call(wrong), float)
        if len(p) == len(seen) and not _surprises(seen, p):
            return f"This is what comes out when {sentence}."
    return ""
