"""Kneser-Ney against a slow version straight from the formula, and against entropy."""

import math
import re
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.data import ngrams
from lstm_lib.data.ngrams import KneserNey, KneserNeyTable
from lstm_lib.data.text import Vocabulary, words

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=4)
LONGEST = st.lists(st.integers(0, 3), min_size=5, max_size=9)
TRAIN = st.tuples(LONGEST, SEQUENCES).map(lambda parts: [parts[0], *parts[1]])
BEGIN = "begin"


def slow_probability(sequences, order, size, context, symbol):
    """The formula of the docstring, with dictionaries and without any speed."""
    counts = [defaultdict(int) for _ in range(order + 1)]
    before = [defaultdict(set) for _ in range(order + 1)]
    for sequence in sequences:
        for end in range(1, len(sequence) + 1):
            for n in range(1, min(order, end) + 1):
                gram = tuple(sequence[end - n : end])
                counts[n][gram] += 1
                before[n][gram].add(sequence[end - n - 1] if end > n else BEGIN)
    for n in range(1, order):
        counts[n] = {gram: len(who) for gram, who in before[n].items()}

    def discount(n):
        once = sum(c == 1 for c in counts[n].values())
        twice = sum(c == 2 for c in counts[n].values())
        return once / (once + 2 * twice) if once else 0.5

    def probability(n, h):
        if n == 0:
            return 1 / size
        lower = probability(n - 1, h[1:])
        follows = {g: c for g, c in counts[n].items() if g[:-1] == h}
        if not follows:
            return lower
        total, d = sum(follows.values()), discount(n)
        own = max(follows.get((*h, symbol), 0) - d, 0)
        return own / total + d * len(follows) / total * lower

    h = tuple(context)[max(0, len(context) - order + 1) :]
    return probability(len(h) + 1, h)


@settings(max_examples=40)
@given(TRAIN, st.integers(1, 4), st.lists(st.integers(0, 4), max_size=5))
def test_the_formula_itself_gives_the_same(sequences, order, context):
    model = KneserNey(order, 5).fit(sequences)
    slow = [slow_probability(sequences, order, 5, context, symbol) for symbol in range(5)]
    assert np.allclose(model.probabilities(context), slow, rtol=0, atol=1e-14)


@given(TRAIN, st.integers(1, 5), st.lists(st.integers(0, 5), max_size=6))
def test_probabilities_sum_to_1_and_none_is_0(sequences, order, context):
    probability = KneserNey(order, 6).fit(sequences).probabilities(context)
    assert probability.shape == (6,) and probability.min() > 0
    assert probability.sum() == pytest.approx(1, abs=1e-13)


@given(TRAIN, SEQUENCES, st.integers(1, 4))
def test_all_steps_at_once_are_each_step_by_itself(sequences, test, order):
    model = KneserNey(order, 4).fit(sequences)
    each = [
        math.log2(model.probabilities(sequence[:k])[sequence[k]])
        for sequence in test
        for k in range(len(sequence))
    ]
    found = model.log2_probabilities(test)
    assert np.allclose(found, each, rtol=0, atol=1e-12)
    assert model.bits(test) == pytest.approx(-np.mean(each))
    assert model.perplexity(test) == pytest.approx(2 ** -np.mean(each))


def test_entropy_is_what_bits_come_to():
    rng = np.random.default_rng(0)
    chain = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])

    def draw(steps):
        state, out = 0, []
        for u in rng.random(steps):
            state = int(np.searchsorted(np.cumsum(chain[state]), u))
            out.append(state)
        return np.array(out)

    train, test = draw(20000), draw(20000)
    entropy = -np.mean(np.log2(chain[test[:-1], test[1:]]))
    assert abs(KneserNey(2, 3).fit([train]).bits([test]) - entropy) < 0.003
    independent = KneserNey(1, 3).fit([train]).bits([test])
    share = np.bincount(test) / len(test)
    assert independent == pytest.approx(-(share * np.log2(share)).sum(), abs=0.003)
    assert KneserNey(4, 3).fit([train]).bits([test]) < entropy + 0.01


def test_a_word_of_one_company_is_not_told_elsewhere():
    """Kneser and Ney's San Francisco: frequent, but after San alone."""
    text = words("san francisco " * 20 + "the cat a cat my cat one glass his glass the dog a dog")
    vocabulary = Vocabulary.from_symbols(text)
    model = KneserNey(2, len(vocabulary)).fit([vocabulary.encode(text)])
    after_new_word = model.probabilities([vocabulary["dog"]])
    assert after_new_word[vocabulary["cat"]] > after_new_word[vocabulary["francisco"]]
    assert model.probabilities([vocabulary["san"]]).argmax() == vocabulary["francisco"]


@pytest.mark.parametrize("kinds", [3, 40])
def test_a_table_and_a_sort_count_alike(monkeypatch, kinds):
    rng = np.random.default_rng(0)
    text, other = rng.integers(kinds, size=(2, 500))
    found = []
    for table in (0, ngrams.TABLE, 10**6):
        monkeypatch.setattr(ngrams, "TABLE", table)
        found.append(KneserNey(4, kinds).fit([text, other]).log2_probabilities([other, text]))
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


def test_sequences_do_not_reach_into_each_other():
    model = KneserNey(2, 3).fit([[0, 0, 0], [1, 2, 1]])
    joined = KneserNey(2, 3).fit([[0, 0, 0, 1, 2, 1]])
    assert model.probabilities([0])[1] < joined.probabilities([0])[1]


def test_a_long_text_is_quick_and_longer_contexts_help():
    rng = np.random.default_rng(1)
    syllables = [rng.integers(30, size=rng.integers(2, 6)) for _ in range(50)]
    text = np.concatenate([syllables[k] for k in rng.integers(50, size=20000)])
    train, test = text[:60000], text[60000:]
    bits = [KneserNey(order, 30).fit([train]).bits([test]) for order in (1, 2, 4)]
    assert bits[0] > bits[1] > bits[2] > 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: KneserNey(0, 3), ValueError, "order must be a positive integer"),
        (lambda: KneserNey(2, 0), ValueError, "size must be a positive integer"),
        (lambda: KneserNey(2, 3).fit([]), ValueError, "at least one sequence, got none"),
        (lambda: KneserNey(2, 3).fit([[0], []]), ValueError, "sequences[1] must have shape (T,)"),
        (lambda: KneserNey(2, 3).fit([0, 1]), ValueError, "sequences[0] must have shape (T,)"),
        (lambda: KneserNey(2, 3).fit([[0.5]]), TypeError, "sequences[0] must hold integers"),
        (lambda: KneserNey(3, 3).fit([[0], [1, 2]]), ValueError, "order must be at most 2"),
        (lambda: KneserNey(2, 3).fit([[3]]), ValueError, "between 0 and 2, got 3 to 3"),
        (lambda: KneserNey(2, 3).fit([[-1]]), ValueError, "between 0 and 2, got -1 to -1"),
        (lambda: KneserNey(2, 3).fit([[0, 0]]).bits([[3]]), ValueError, "between 0 and 2"),
        (lambda: KneserNey(2, 3).fit([[0, 0]]).probabilities([3]), ValueError, "between 0 and 2"),
        (lambda: KneserNey(2, 3).probabilities(), ValueError, "is not fitted: call fit"),
        (lambda: KneserNey(2, 3).bits([[0]]), ValueError, "is not fitted: call fit"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


ROWS = st.lists(st.tuples(*(st.integers(0, n - 1) for n in (3, 2, 4))), min_size=1, max_size=30)


def slow_table(rows, context, symbol, columns):
    """The formula for the last column of three, given the last of the others, in plain words."""
    counts = {}
    for row in set(rows) if columns < 2 else rows:
        gram = row[2 - columns :]
        counts[gram] = counts.get(gram, 0) + 1
    if columns < 2:  # after how many different things; rows are different already for one column
        before = {(row[2 - columns :], row[1 - columns]) for row in rows}
        counts = {g: sum(gram == g for gram, _ in before) for g in counts}
    once, twice = (sum(c == n for c in counts.values()) for n in (1, 2))
    d = once / (once + 2 * twice) if once else 0.5
    lower = slow_table(rows, context, symbol, columns - 1) if columns else 1 / 4
    h = context[2 - columns :]
    follows = {g: c for g, c in counts.items() if g[:-1] == h}
    if not follows:
        return lower
    own = max(follows.get((*h, symbol), 0) - d, 0)
    return (own + d * len(follows) * lower) / sum(follows.values())


@settings(max_examples=40)
@given(ROWS, st.tuples(st.integers(0, 2), st.integers(0, 1)))
def test_a_table_is_the_formula_with_columns_for_symbols(rows, context):
    table = KneserNeyTable([3, 2, 4]).fit(rows)
    slow = [slow_table(rows, context, symbol, 2) for symbol in range(4)]
    assert np.allclose(table.probabilities(context), slow, rtol=0, atol=1e-14)
    assert math.isclose(sum(slow), 1, abs_tol=1e-12)
    asked = [(*context, symbol) for symbol in range(4)]
    assert np.allclose(2 ** table.log2_probabilities(asked), slow, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: KneserNeyTable([]), ValueError, "at least one number"),
        (lambda: KneserNeyTable([3, 0]), ValueError, "sizes must be a positive integer"),
        (lambda: KneserNeyTable([3, 2]).fit([[0, 1, 1]]), ValueError, "shape (N, 2), got (1, 3)"),
        (lambda: KneserNeyTable([3, 2]).fit([[0, 2]]), ValueError, "must lie below [3, 2]"),
        (lambda: KneserNeyTable([3, 2]).fit([[0.0, 1.0]]), TypeError, "must hold integers"),
        (lambda: KneserNeyTable([3, 2]).probabilities([0]), ValueError, "is not fitted"),
    ],
)
def test_what_a_table_refuses(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
