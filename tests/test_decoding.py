"""Greedy and beam search against every sequence there is, on models that are tables of numbers."""

import itertools
import re
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.decoding import beam_search, greedy, length_penalty, log_softmax

BOS, EOS = 0, 1


class Table:
    """A model without weights: a source is a seed, and a prefix and a seed give the next logits."""

    def __init__(self, vocabulary=3, spread=1.5):
        self.vocabulary, self.spread, self.calls = vocabulary, spread, 0

    @contextmanager
    def searching(self):
        yield

    def encode(self, source, lengths):
        return [(int(seed),) for seed in source]

    def step(self, tokens, state):
        self.calls += 1
        state = [(*prefix, int(token)) for prefix, token in zip(state, tokens, strict=True)]
        return np.stack([self.logits(prefix) for prefix in state]), state

    def select(self, state, rows):
        return [state[row] for row in rows]

    def logits(self, prefix):
        return np.random.default_rng(prefix).normal(scale=self.spread, size=self.vocabulary)

    def log_likelihood(self, seed, tokens):
        total, prefix = 0.0, (seed, BOS)
        for token in tokens:
            total += log_softmax(self.logits(prefix))[token]
            prefix = (*prefix, int(token))
        return total


def every_sequence(vocabulary, max_length):
    """All sequences that end with EOS, or that are as long as a search may go."""
    others = [token for token in range(vocabulary) if token != EOS]
    for length in range(max_length):
        for start in itertools.product(others, repeat=length):
            yield (*start, EOS)
    yield from itertools.product(others, repeat=max_length)


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.integers(2, 4),
    max_length=st.integers(1, 4),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 3.0]),
)
def test_a_beam_that_holds_everything_finds_every_sequence_in_order(
    seed, vocabulary, max_length, alpha
):
    model = Table(vocabulary)
    sequences = list(every_sequence(vocabulary, max_length))
    (found,) = beam_search(
        model, [seed], len(sequences), max_length, BOS, EOS, length_penalty=alpha
    )
    scores = {s: model.log_likelihood(seed, s) / ((5 + len(s)) / 6) ** alpha for s in sequences}
    assert sorted(tuple(h.tokens) for h in found) == sorted(sequences)
    assert [h.score for h in found] == pytest.approx(sorted(scores.values(), reverse=True))
    assert tuple(found[0].tokens) == max(scores, key=scores.get)
    (chosen,) = greedy(model, [seed], max_length, BOS, EOS)
    assert alpha > 0 or found[0].score >= chosen.score


@settings(max_examples=60)
@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=4),
    vocabulary=st.integers(2, 6),
    max_length=st.integers(1, 7),
    alpha=st.sampled_from([0.0, 0.8]),
)
def test_a_beam_of_one_is_greedy_search(seeds, vocabulary, max_length, alpha):
    model = Table(vocabulary)
    one = beam_search(model, seeds, 1, max_length, BOS, EOS, length_penalty=alpha)
    for (found,), expected in zip(one, greedy(model, seeds, max_length, BOS, EOS), strict=True):
        assert found.tokens.tolist() == expected.tokens.tolist()
        assert found.log_likelihood == expected.log_likelihood
        assert found.finished == expected.finished


@settings(max_examples=60)
@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=3),
    beam_size=st.integers(1, 6),
    max_length=st.integers(1, 6),
    alpha=st.sampled_from([0.0, 0.6, 2.0]),
)
def test_hypotheses_are_different_ranked_and_score_what_the_model_says(
    seeds, beam_size, max_length, alpha
):
    model = Table(4)
    all_found = beam_search(model, seeds, beam_size, max_length, BOS, EOS, length_penalty=alpha)
    for seed, found in zip(seeds, all_found, strict=True):
        assert 1 <= len(found) <= beam_size
        assert len({tuple(h.tokens) for h in found}) == len(found)
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
        for h in found:
            total = model.log_likelihood(seed, h.tokens)
            assert h.log_likelihood == pytest.approx(total, abs=1e-12)
            assert h.score == pytest.approx(total / length_penalty(len(h.tokens), alpha))
            assert h.finished == (h.tokens[-1] == EOS)
            assert len(h.tokens) == max_length if not h.finished else EOS not in h.tokens[:-1]
        (alone,) = beam_search(model, [seed], beam_size, max_length, BOS, EOS, length_penalty=alpha)
        assert [h.tokens.tolist() for h in alone] == [h.tokens.tolist() for h in found]


def test_a_wider_beam_finds_what_greedy_misses():
    class Trap(Table):
        """The likelier first token leads to four tokens that are all alike."""

        def logits(self, prefix):
            chances = {
                (5, BOS): [0.0, 0.0, 0.6, 0.4],
                (5, BOS, 2): [0.25, 0.25, 0.25, 0.25],
                (5, BOS, 3): [0.0, 1.0, 0.0, 0.0],
            }[prefix]
            with np.errstate(divide="ignore"):
                return np.log(chances)

    (chosen,) = greedy(Trap(), [5], 2, BOS, EOS)
    ((best, *_),) = beam_search(Trap(), [5], 2, 2, BOS, EOS)
    assert chosen.tokens.tolist()[0] == 2 and best.tokens.tolist() == [3, EOS]
    assert np.exp([chosen.score, best.score]) == pytest.approx([0.15, 0.4])


def test_a_length_penalty_prefers_longer_hypotheses():
    lengths = []
    for alpha in (0.0, 1.0, 5.0):
        found = beam_search(Table(4, 1.0), range(40), 10, 8, BOS, EOS, length_penalty=alpha)
        lengths.append(np.mean([len(best.tokens) for best, *_ in found]))
    assert lengths[0] < lengths[1] < lengths[2]


def test_a_search_stops_when_everything_has_ended():
    class Ends(Table):
        def logits(self, prefix):
            return np.where(np.arange(self.vocabulary) == EOS, 50.0, 0.0)

    for search in (greedy, lambda *arguments: beam_search(*arguments[:2], 1, *arguments[2:])):
        model = Ends()
        search(model, [1, 2], 100, BOS, EOS)
        assert model.calls == 1


def test_a_forbidden_token_is_never_chosen():
    class Forbids(Table):
        def logits(self, prefix):
            logits = super().logits(prefix)
            logits[2:] = -np.inf
            return logits

    (found,) = beam_search(Forbids(4), [3], 50, 2, BOS, EOS)
    assert sorted(h.tokens.tolist() for h in found) == [[0, 0], [0, 1], [1]]


def test_log_softmax_neither_overflows_nor_loses_small_probabilities():
    with np.errstate(all="raise", under="ignore"):
        found = log_softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0], [0.0, -np.inf]]))
    assert found[0].tolist() == [0.0, -1000.0]
    assert found[1] == pytest.approx([-np.log(2)] * 2)
    assert found[2].tolist() == [0.0, -np.inf]
    assert log_softmax(np.zeros(4, np.float32)).dtype == np.float64


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_not_finite(wrong):
    with raises(ValueError, f"the largest of a row is {wrong}"):
        log_softmax([[0.0, 1.0], [wrong, 0.0]])
    with raises(ValueError, "the largest of a row is -inf"):
        log_softmax([-np.inf, -np.inf])


def test_arguments_that_do_not_fit():
    model = Table()

    def search(beam_size=2, max_length=3, bos=BOS, eos=EOS, **options):
        return beam_search(model, [1], beam_size, max_length, bos, eos, **options)

    with raises(ValueError, "beam_size must be a positive integer, got 0"):
        search(beam_size=0)
    for call in (
        search,
        lambda max_length=3, bos=0, eos=1: greedy(model, [1], max_length, bos, eos),
    ):
        with raises(ValueError, "max_length must be a positive integer, got 0"):
            call(max_length=0)
        with raises(TypeError, "bos must be the number of a token, got None"):
            call(bos=None)
        with raises(ValueError, "eos must be the number of a token, at least 0, got -1"):
            call(eos=-1)
        with raises(ValueError, "eos must be one of the 3 tokens the model knows, got 3"):
            call(eos=3)
    for alpha in (-0.1, float("nan"), float("inf")):
        with raises(ValueError, f"length_penalty must be at least 0, got {alpha}"):
            search(length_penalty=alpha)
