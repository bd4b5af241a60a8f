"""Metrics against their definitions, against brute force, and against published examples."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lstm_lib.data import metrics

numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))
short = st.text("abc", max_size=7)


@given(arrays(float, (5,), elements=numbers), arrays(float, (5,), elements=numbers))
def test_the_median_pays_half_the_absolute_error(actual, forecast):
    half = metrics.pinball(actual, forecast[:, None], [0.5])
    assert half == pytest.approx(metrics.mae(actual, forecast) / 2)
    assert metrics.crps(actual, forecast[:, None]) == pytest.approx(metrics.mae(actual, forecast))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_no_forecast_pays_less_than_the_quantile(level):
    values = np.random.default_rng(0).exponential(size=999)
    candidates = np.quantile(values, np.linspace(0.02, 0.98, 49))
    paid = [metrics.pinball(values, np.full((999, 1), c), [level]) for c in candidates]
    best = np.mean(values <= candidates[np.argmin(paid)])
    assert best == pytest.approx(level, abs=0.02)


@given(arrays(float, (3,), elements=numbers), arrays(float, (3, 6), elements=numbers))
def test_crps_is_its_double_sum(actual, samples):
    expected = np.abs(samples - actual[:, None]).mean()
    expected -= np.abs(samples[:, :, None] - samples[:, None, :]).mean() / 2
    assert metrics.crps(actual, samples) == pytest.approx(expected, abs=1e-9)


def test_crps_of_a_normal_distribution():
    """Gneiting and Raftery's closed form at the mean: sigma (sqrt 2 - 1) / sqrt pi."""
    quantiles = np.quantile(
        np.random.default_rng(0).standard_normal(200_000), np.linspace(0, 1, 999)[1:-1]
    )
    assert metrics.crps([0.0], quantiles[None]) == pytest.approx(
        0.41421356 / np.sqrt(np.pi), abs=0.003
    )


def test_coverage_counts_both_ends():
    assert metrics.coverage([0.0, 1.0, 2.0, 3.0], [0.0] * 4, [2.0] * 4) == 0.75
    assert metrics.coverage([5.0], [0.0], [1.0]) == metrics.coverage([-5.0], [0.0], [1.0]) == 0


def test_classes():
    actual, predicted = ["a", "a", "b", "c"], ["a", "b", "b", "b"]
    assert metrics.accuracy(actual, predicted) == 0.5
    assert metrics.precision(actual, predicted, "b") == pytest.approx(1 / 3)
    assert metrics.recall(actual, predicted, "b") == 1
    assert metrics.precision(actual, predicted, "c") == 0, "never said"
    assert metrics.f1(actual, predicted) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=8), st.data())
def test_roc_auc_counts_pairs(scores, data):
    actual = data.draw(st.lists(st.integers(0, 1), min_size=len(scores), max_size=len(scores)))
    if len(set(actual)) == 2:
        high = [s for s, y in zip(scores, actual, strict=True) if y]
        low = [s for s, y in zip(scores, actual, strict=True) if not y]
        won = [(h > n) + (h == n) / 2 for h, n in itertools.product(high, low)]
        assert metrics.roc_auc(actual, scores) == pytest.approx(np.mean(won))


def test_recall_at_k():
    relevant, ranked = [{1, 2, 3}, {4}], [[1, 9, 2, 3], [5, 6, 7, 4]]
    assert metrics.recall_at_k(relevant, ranked, 2) == pytest.approx((1 / 2 + 0) / 2)
    assert metrics.recall_at_k(relevant, ranked, 4) == 1
    assert metrics.recall_at_k([set(range(30))], [list(range(10))]) == 1, "ten of ten places"


@given(st.integers(1, 500), st.data())
def test_ends_of_a_share_are_just_compatible_with_it(n, data):
    share, low, high = metrics.proportion_interval(right := data.draw(st.integers(0, n)), n)
    assert share == right / n
    assert -1e-12 < low < share + 1e-12 and share - 1e-12 < high < 1 + 1e-12
    for end in {low, high} - {0.0, 1.0}:
        standard_error = np.sqrt(max(end * (1 - end), 0) / n)
        assert abs(share - end) == pytest.approx(1.959964 * standard_error, abs=1e-6)


def test_calibration_error():
    sure = np.array([[0.9, 0.1]] * 10)
    assert metrics.calibration_error(sure, [0] * 9 + [1]) == pytest.approx(0, abs=1e-12)
    assert metrics.calibration_error(sure, [1] * 10) == pytest.approx(0.9)
    top = [[1.0, 0.0], [0.95, 0.05]]
    assert metrics.calibration_error(top, [1, 0]) == pytest.approx(0.475), "1 is in the last bin"
    two = [[0.6, 0.4], [0.9, 0.1]]
    assert metrics.calibration_error(two, [0, 1]) == pytest.approx((0.4 + 0.9) / 2)
    assert metrics.calibration_error(two, [0, 1], bins=1) == pytest.approx(0.25)


@given(st.integers(2, 1000))
def test_a_uniform_guess(size):
    losses = np.full(7, np.log(size))
    assert metrics.perplexity(losses) == pytest.approx(size)
    assert metrics.bits_per_symbol(losses) == pytest.approx(np.log2(size))


def test_bleu_and_chrf():
    texts = ["the cat is on the mat .", "there is a cat on the mat ."]
    assert metrics.bleu(texts, texts) == pytest.approx(100) == metrics.chrf(texts, texts)
    nothing = ["xyz", "xyz"]
    assert metrics.bleu(texts, nothing) < 1 and metrics.chrf(texts, nothing) == 0
    assert metrics.bleu(["我喜欢长短期记忆网络"], ["我喜欢长短期记忆"], tokenize="zh") > 60
    brief = metrics.bleu(["a b c d e f g h"], ["a b c d"])
    assert brief == pytest.approx(100 * np.exp(1 - 8 / 4)), "all four right, penalty for brevity"


def brute_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    same = brute_distance(a[1:], b[1:])
    if a[0] == b[0]:
        return same
    return 1 + min(same, brute_distance(a[1:], b), brute_distance(a, b[1:]))


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_edit_distance_is_the_recursion(a, b):
    assert metrics.edit_distance(a, b) == brute_distance(a, b)
    assert metrics.edit_distance([*a], [*b]) == metrics.edit_distance(a, b)


def test_error_rates():
    assert metrics.error_rate([["K", "AE1", "T"]], [["K", "AH0", "T"]]) == pytest.approx(1 / 3)
    assert metrics.error_rate(["a"], ["abcd"]) == 3
    assert metrics.exact_match([("a",), ("b",)], [("a",), ("c",)]) == 0.5


def test_rouge_has_the_values_of_its_paper():
    """Lin 2004, section 3.1: three summaries of one reference."""
    reference = "police killed the gunman".split()
    kill, by_gunman = "police kill the gunman".split(), "the gunman kill police".split()
    assert metrics.rouge_n(reference, kill, 2) == metrics.rouge_n(reference, by_gunman, 2)
    assert metrics.rouge_l(reference, kill) == (0.75, 0.75, 0.75)
    assert metrics.rouge_l(reference, by_gunman) == (0.5, 0.5, 0.5)
    assert metrics.rouge_l(reference, "the gunman police killed".split()) == (0.5, 0.5, 0.5)


def test_rouge_clips_repetitions_and_takes_short_texts():
    found = metrics.rouge_n("the cat".split(), "the the the the".split())
    assert found == (0.25, 0.5, pytest.approx(1 / 3))
    assert metrics.rouge_n(["one"], ["one"], 2) == metrics.rouge_l([], ["a"]) == (0, 0, 0)


@given(short, short)
def test_longest_copied_run(text, source):
    runs = {text[a:b] for a in range(len(text)) for b in range(a, len(text) + 1)}
    longest = max((len(run) for run in runs if run in source), default=0)
    found = metrics.longest_copied_run(text, source)
    assert len(found) == longest and found in text and found in source


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: metrics.pinball([1.0], [1.0], [0.5]), "got (1,) and (1,)"),
        (lambda: metrics.pinball([1.0], [[1.0]], [1.5]), "1 numbers between 0 and 1, got [1.5]"),
        (lambda: metrics.pinball([1.0], [[1.0, 2.0]], [0.5]), "levels must be 2 numbers"),
        (lambda: metrics.crps([], np.zeros((0, 3))), "actual and samples must"),
        (lambda: metrics.coverage([1.0], [1.0, 2.0], [1.0]), "one shape"),
        (lambda: metrics.accuracy([1, 2], [1]), "got (2,) and (1,)"),
        (lambda: metrics.accuracy([], []), "n > 0"),
        (lambda: metrics.roc_auc([1, 1], [0.1, 0.2]), "two classes, got [1]"),
        (lambda: metrics.proportion_interval(5, 4), "between 0 and n = 4, got 5"),
        (lambda: metrics.proportion_interval(0, 0), "n must be a positive integer"),
        (lambda: metrics.recall_at_k([], []), "at least one"),
        (lambda: metrics.recall_at_k([set()], [[1]]), "relevant[0] must not be empty"),
        (lambda: metrics.recall_at_k([{1}], [[1]], k=0), "k must be a positive integer"),
        (lambda: metrics.calibration_error([0.5], [0]), "shapes (n, C) and (n,)"),
        (lambda: metrics.calibration_error([[0.5, 0.6]], [0]), "sum to 1"),
        (lambda: metrics.perplexity([]), "at least one"),
        (lambda: metrics.perplexity([np.nan]), "finite"),
        (lambda: metrics.bits_per_symbol([-1.0]), "not below 0"),
        (lambda: metrics.bleu(["a"], []), "got 1 and 0"),
        (lambda: metrics.bleu(["a"], ["a"], tokenize="intl"), "'char', 'none'; got 'intl'"),
        (lambda: metrics.error_rate([""], ["a"]), "at least one symbol"),
        (lambda: metrics.exact_match([], []), "at least one"),
        (lambda: metrics.rouge_n(["a"], ["a"], 0), "n must be a positive integer"),
    ],
)
def test_what_cannot_be_judged(call, said):
    with pytest.raises(ValueError) as error:
        call()
    assert said in str(error.value)


def test_a_single_text_is_no_list_of_texts():
    with pytest.raises(TypeError, match="references must be a sequence of str"):
        metrics.bleu("abc", ["a", "b", "c"])
    with pytest.raises(TypeError, match="hypotheses must be a sequence of str"):
        metrics.chrf(["a"], [["a"]])


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("sklearn", "accuracy([1], [1])"),
        ("sacrebleu", "bleu(['a'], ['a'])"),
        ("rapidfuzz", "edit_distance('a', 'b')"),
    ],
)
def test_a_missing_library_is_named_with_its_remedy(missing, call):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\nfrom lstm_lib.data.metrics import *\n{call}"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"needs {missing}: pip install 'lstm_lib[metrics]'" in run.stderr
