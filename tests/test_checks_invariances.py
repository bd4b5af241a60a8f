"""What must not matter and what must, and chance: right code passes on many draws, wrong code is told why not."""

import numpy as np
import pytest

from lstm_lib import checks
from lstm_lib import numpy as L
from tests.test_checks import SEEDS, said

LSTM = L.LSTM(2, 3, batch_first=True, dtype=np.float64, rng=0)


def masked_mean(x, lengths):
    counts = np.arange(x.shape[1]) < lengths[:, None]
    return (x * counts[..., None]).sum(1) / lengths[:, None]


def last_valid(x, lengths):
    return LSTM(x, lengths=lengths)[0][np.arange(len(x)), lengths - 1]


def features(rng):
    return checks.padded_inputs(rng, features=2)


def with_mask(rng):
    drawn = checks.padded_inputs(rng)
    mask = np.arange(drawn["x"].shape[1]) < drawn["lengths"][:, None]
    return {"x": drawn["x"], "mask": mask}


# -- padding


@pytest.mark.parametrize("function", [masked_mean, last_valid])
def test_right_pooling_does_not_see_the_padding(function):
    for seed in SEEDS:
        checks.padding_does_not_matter(function, features, seed=seed, trials=1)


def test_padding_with_a_mask_tokens_and_the_time_first():
    def count_threes(x, lengths):
        return np.array([(row[:n] == 3).sum() for row, n in zip(x, lengths, strict=True)])

    def tokens(rng):
        return checks.padded_inputs(rng, vocabulary=6)

    def time_first(rng):
        return checks.padded_inputs(rng, features=2, batch_first=False)

    for seed in SEEDS:
        once = {"seed": seed, "trials": 1}
        checks.padding_does_not_matter(lambda x, m: (x * m).sum(1), with_mask, mask="mask", **once)
        checks.padding_does_not_matter(count_threes, tokens, **once)
        checks.padding_does_not_matter(
            lambda x, n: masked_mean(x.swapaxes(0, 1), n), time_first, axis=0, **once
        )
        checks.padding_does_not_matter(
            lambda x, n: np.cumsum(x, 1), features, per_step=True, **once
        )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda x, n: x.mean(1), "what stands after the end"),
        (lambda x, n: LSTM(x)[1][0][-1], "what stands after the end"),
        (lambda x, n: x[:, -1], "what stands after the end"),
        (lambda x, n: masked_mean(x, n) * n[:, None] / x.shape[1], "how much padding there is"),
        (lambda x, n: np.where(np.isin(x, 0), 0, x).sum(1), "what stands after the end"),
    ],
)
def test_pooling_that_sees_the_padding(wrong, text):
    assert text in said(checks.padding_does_not_matter, wrong, features)


def test_steps_that_see_the_padding():
    text = said(
        checks.padding_does_not_matter,
        lambda x, n: x - x.mean(1, keepdims=True),
        features,
        per_step=True,
    )
    assert "what stands after the end" in text and " before and " in text
    text = said(checks.padding_does_not_matter, lambda x, n: x.sum(1), features, per_step=True)
    assert "where one entry for each of" in text


# -- the direction of time


def series(rng):
    return {"x": rng.normal(size=int(rng.integers(6, 12)))}


def last_value(x):
    return np.concatenate([[0.0], x[:-1]])


def test_what_does_not_look_ahead():
    for seed in SEEDS:
        checks.causal(np.cumsum, series, seed=seed, trials=3)
        checks.causal(last_value, series, lag=1, seed=seed, trials=3)
        checks.causal(lambda x: LSTM(x)[0], features_alone, axis=1, out_axis=1, seed=seed, trials=2)


def features_alone(rng):
    return {"x": features(rng)["x"]}


@pytest.mark.parametrize(
    ("wrong", "lag", "text"),
    [
        (lambda x: x - x.mean(), 0, "result[0] is"),
        (lambda x: np.cumsum(x[::-1])[::-1], 0, "looks ahead: at time 0"),
        (lambda x: np.append(x[1:], 0), 0, "looks ahead"),
        (lambda x: x, 1, "is known."),
        (lambda x: 0 * x, 0, "is it used?"),
        (lambda x: 3.0, 0, "an array with an axis of time is wanted"),
    ],
)
def test_what_looks_ahead(wrong, lag, text):
    assert text in said(checks.causal, wrong, series, lag=lag)


def test_order_matters():
    def first(x):
        return x[0]

    for seed in SEEDS:
        checks.order_matters(first, series, seed=seed)
        checks.order_matters(first, lambda rng: {"x": [1, 2, 3]}, seed=seed)
    for wrong in (np.mean, np.sort, len):
        assert "does not depend on the order of x" in said(checks.order_matters, wrong, series)


def scaled(series, split):
    past = series[:split]
    return (series - past.mean()) / past.std()


def split_series(rng):
    time = int(rng.integers(8, 14))
    return {"series": rng.normal(size=time), "split": time - 3}


def test_no_leak():
    for seed in SEEDS:
        checks.no_leak(scaled, split_series, seed=seed, trials=1)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda s, n: (s - s.mean()) / s.std(), "changes the training part"),
        (lambda s, n: (s - s[:n].mean()) / s.std(), "changes the training part"),
        (
            lambda s, n: np.append(scaled(s, n)[:n], (s[n:] - s[n:].mean()) / s[n:].std()),
            "changes the test part",
        ),
        (lambda s, n: np.tanh(s), "does not depend on the training part"),
        (lambda s, n: scaled(s, n)[n:], "has 3 steps, series has"),
    ],
)
def test_a_leak_is_found(wrong, text):
    assert text in said(checks.no_leak, wrong, split_series)


# -- members, constants, arguments


def matrix(rng):
    return {"x": rng.normal(size=checks.sizes(rng, 2))}


def test_permutation():
    for seed in SEEDS:
        checks.permutation(lambda x: x.mean(0), matrix, seed=seed, trials=1)
        checks.permutation(lambda x: (2 * x, x.sum(1)), matrix, out_axis=0, seed=seed, trials=1)
    text = said(checks.permutation, lambda x: x[0], matrix)
    assert "depends on the order of x, and must not" in text
    for wrong in (lambda x: np.cumsum(x, 0), lambda x: x - x[0]):
        text = said(checks.permutation, wrong, matrix, out_axis=0)
        assert "has to be in the same order as x, and is not" in text


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_shift_invariance():
    for seed in SEEDS:
        checks.shift_invariance(softmax, matrix, axis=-1, seed=seed, trials=1)
        checks.shift_invariance(np.median, matrix, moves=True, seed=seed, trials=1)
    for wrong in (lambda x: x / x.sum(-1, keepdims=True), lambda x: np.exp(x)):
        text = said(checks.shift_invariance, wrong, matrix, axis=-1)
        assert "has to stay the same when a constant is added to x, and does not" in text
    text = said(checks.shift_invariance, np.std, matrix, moves=True)
    assert "has to grow by the same" in text and "Added was" in text


def test_ignores():
    def draw(rng):
        return {
            "train": rng.normal(size=5),
            "test": rng.normal(size=4),
            "tokens": rng.integers(3, size=4),
        }

    for seed in SEEDS:
        checks.ignores(lambda a, b, c: a.mean(), draw, "test", seed=seed, trials=1)
        checks.ignores(lambda a, b, c: a.mean(), draw, "tokens", seed=seed, trials=1)
    text = said(
        checks.ignores,
        lambda a, b, c: (a.mean(), b.std()),
        draw,
        "test",
        because="it is the future",
    )
    assert "depends on test, and must not: it is the future." in text
    text = said(
        checks.ignores, lambda a, b, c: c.sum(), draw, "tokens", replace=lambda c, rng: c + 1
    )
    assert "depends on tokens" in text


def test_booleans_and_single_tokens_change_too():
    def draw(rng):
        return {"mask": np.array([True, False]), "ones": np.ones(3, int)}

    for name, function in (("mask", lambda m, o: m.argmax()), ("ones", lambda m, o: o.sum())):
        assert f"depends on {name}" in said(checks.ignores, function, draw, name)


def test_arguments_that_are_changed():
    def draw(rng):
        return {"x": rng.normal(size=3), "names": [1, 2], "f": np.tanh, "rng": rng}

    def polite(x, names, f, rng):
        return f(x) + rng.normal()

    def scales(x, names, f, rng):
        x *= 2

    def appends(x, names, f, rng):
        names.append(3)

    for seed in SEEDS:
        checks.does_not_change_its_arguments(polite, draw, seed=seed, trials=1)
    text = said(checks.does_not_change_its_arguments, scales, draw)
    assert "scales changes its argument x" in text and "x[" in text
    assert "its argument names" in said(checks.does_not_change_its_arguments, appends, draw)


# -- chance


def tempered(logits, temperature, rng):
    p = np.exp(logits / temperature)
    return p / p.sum()


def sample(logits, temperature, rng):
    return int(rng.choice(len(logits), p=tempered(logits, temperature, rng)))


def draw_logits(rng):
    return {"logits": np.array([1.0, 0.5, -0.5, -1.0]), "temperature": 0.5, "rng": rng}


MISTAKES = {
    "the temperature is not used": lambda logits, temperature, rng: tempered(logits, 1, rng),
    "the logits are multiplied by the temperature": lambda logits, temperature, rng: tempered(
        logits, 1 / temperature, rng
    ),
}


def test_a_right_sampler_passes():
    for seed in SEEDS:
        checks.distribution(sample, draw_logits, tempered, seed=seed, count=1000)

    def many(logits, temperature, rng):
        p = tempered(logits, temperature, rng)
        return rng.choice(len(p), p=p, size=500)

    checks.distribution(many, draw_logits, tempered, mistakes=MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_sampler_is_told_what_it_samples(mistake):
    def wrong(logits, temperature, rng):
        return rng.choice(len(logits), p=MISTAKES[mistake](logits, temperature, rng))

    text = said(checks.distribution, wrong, draw_logits, tempered, mistakes=MISTAKES)
    if mistake == "the temperature is not used":
        assert f"This is what comes out when {mistake}." in text
    assert "times of 3000, where about" in text


def test_what_has_no_probability_must_not_come():
    def top_two(logits, temperature, rng):
        p = tempered(logits, temperature, rng) * (logits > 0)
        return p / p.sum()

    text = said(checks.distribution, sample, draw_logits, top_two)
    assert "has the probability 0, and comes" in text

    def always(logits, temperature, rng):
        return np.array([1.0, 0, 0, 0])

    checks.distribution(lambda logits, t, rng: 0, draw_logits, always)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda logits, t, rng: int(logits.argmax()), "Outcome 0 of your function comes too often"),
        (lambda logits, t, rng: 7, "an integer from 0 to 3 is wanted"),
        (lambda logits, t, rng: 0.5, "an integer from 0 to 3 is wanted"),
        (lambda logits, t, rng: None, "an integer from 0 to 3 is wanted"),
        (
            lambda logits, t, rng: int(np.random.default_rng().integers(4)),
            "has to come from the generator it is given",
        ),
    ],
)
def test_other_faults_of_a_sampler(wrong, text):
    assert text in said(checks.distribution, wrong, draw_logits, tempered)


def test_false_alarms_are_as_rare_as_stated():
    """The exact chance that a fair coin fails, summed over all outcomes that would be complained about."""
    from math import exp, lgamma, log

    from lstm_lib.checks.samplers import FALSE_ALARM, _surprises

    n = 1000
    for p in (0.5, 0.1, 0.003):

        def chance(k, p=p):
            ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
            return exp(ways + k * log(p) + (n - k) * log(1 - p))

        alarms = [k for k in range(n + 1) if _surprises(np.array([k, n - k]), np.array([p, 1 - p]))]
        assert alarms and sum(map(chance, alarms)) < FALSE_ALARM <= 1e-6


def test_a_sampler_without_a_generator_is_judged_by_its_frequencies():
    def draw(rng):
        return {"p": np.array([0.5, 0.5])}

    rng = np.random.default_rng(0)
    checks.distribution(lambda p: int(rng.integers(2)), draw, lambda p: p, count=500)
    text = said(checks.distribution, lambda p: 1, draw, lambda p: p, count=500)
    assert "comes too seldom: 0 times of 500" in text
