"""Sampling of tokens: what is kept, what is drawn how often, and every edge."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from lstm_lib.sampling import nucleus, sample_token, softmax, top_k

LOGITS = arrays(
    np.float64,
    st.integers(1, 12),
    elements=st.one_of(st.floats(-30, 30), st.sampled_from([-math.inf, 0.0, 1.0])),
).filter(lambda z: (z > -math.inf).any())


@given(LOGITS, st.floats(0.05, 50))
def test_softmax_is_torchs(logits, temperature):
    expected = torch.softmax(torch.tensor(logits) / temperature, dim=-1).numpy()
    assert np.abs(softmax(logits, temperature) - expected).max() <= 1e-14
    assert (
        np.array_equal(softmax(logits, temperature)[logits == -np.inf], np.zeros(0) * 0)
        or (softmax(logits, temperature)[logits == -np.inf] == 0).all()
    )


@given(LOGITS)
def test_a_temperature_towards_zero_takes_the_largest(logits):
    logits = np.round(logits, 6)
    cold = softmax(logits, 0)
    assert cold.sum() == 1 and cold[np.argmax(logits)] == 1
    ties = logits == logits.max()
    assert np.allclose(softmax(logits, 1e-300), ties / ties.sum())


@given(LOGITS, st.integers(-1000, 1000))
def test_a_shift_of_all_logits_changes_nothing(logits, shift):
    assert np.allclose(softmax(logits + shift), softmax(logits), atol=1e-9)


@given(LOGITS, st.integers(1, 15))
def test_top_k_keeps_the_k_largest(logits, k):
    kept = top_k(logits, k)
    inside = kept > -np.inf
    possible = int((logits > -np.inf).sum())
    assert inside.sum() == min(k, possible)
    assert np.array_equal(kept[inside], logits[inside])
    if inside.sum() < possible:
        assert logits[inside].min() >= logits[~inside].max()


def test_among_ties_the_lower_token_stays():
    assert np.array_equal(top_k([2.0, 5.0, 2.0, 2.0], 2) > -np.inf, [True, True, False, False])
    many = np.tile([1.0, 0.0], 40)
    assert np.array_equal(
        np.flatnonzero(top_k(many, 50) > -np.inf), sorted([*range(0, 80, 2), *range(1, 20, 2)])
    )
    assert np.array_equal(nucleus(np.zeros(4), 0.5) > -np.inf, [True, True, False, False])
    assert sample_token([1.0, 3.0, 3.0], temperature=0) == 1
    assert {int(sample_token(np.zeros(5), rng=seed, top_k=2)) for seed in range(40)} == {0, 1}


@given(LOGITS, st.floats(0.01, 1))
def test_the_nucleus_is_the_smallest_set_of_its_mass(logits, p):
    probability = softmax(logits)
    inside = nucleus(logits, p) > -np.inf
    assert inside[np.argmax(logits)]
    assert probability[inside].sum() >= p - 1e-12
    if p < 1:
        without_last = probability[inside].sum() - probability[inside].min()
        assert without_last < p + 1e-12
    if not inside.all():
        assert probability[inside].min() >= probability[~inside].max() - 1e-15


def test_a_nucleus_of_one_forbids_nothing():
    logits = np.array([0.0, -700.0, -np.inf])
    assert np.array_equal(nucleus(logits, 1), logits)
    assert np.array_equal(nucleus(logits, 1e-9), [0.0, -np.inf, -np.inf])


def test_rows_are_independent():
    logits = np.random.default_rng(0).normal(size=(2, 3, 7))
    for f in (lambda z: softmax(z, 0.7), lambda z: top_k(z, 3), lambda z: nucleus(z, 0.6)):
        whole = f(logits)
        for index in np.ndindex(2, 3):
            assert np.array_equal(whole[index], f(logits[index]))
    assert sample_token(logits, rng=0).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), [0.4, 0.1, 0.3, 0.2, 0.0]),
        (dict(temperature=0.5), np.array([16, 1, 9, 4, 0]) / 30),
        (dict(top_k=2), np.array([4, 0, 3, 0, 0]) / 7),
        (dict(top_p=0.75), np.array([4, 0, 3, 2, 0]) / 9),
        (dict(top_k=3, top_p=0.75), np.array([4, 0, 3, 0, 0]) / 7),
        (dict(temperature=0.5, top_k=3, top_p=0.8), np.array([16, 0, 9, 0, 0]) / 25),
    ],
    ids=str,
)
def test_tokens_come_as_often_as_they_should(options, expected):
    """Chi-square of 20,000 tokens; top_k=3, top_p=0.75 needs the sum of the three made 1 again."""
    with np.errstate(divide="ignore"):
        logits = np.log([0.4, 0.1, 0.3, 0.2, 0.0])
    drawn = sample_token(np.tile(logits, (20_000, 1)), rng=7, **options)
    counts = np.bincount(drawn, minlength=5)
    expected = np.asarray(expected)
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    assert stats.chisquare(counts[possible], expected[possible] * 20_000).pvalue > 0.01


@settings(max_examples=200)
@given(LOGITS, st.integers(0, 2**32), st.floats(0, 5), st.integers(1, 15), st.floats(0.01, 1))
def test_a_drawn_token_is_always_a_possible_one(logits, seed, temperature, k, p):
    token = sample_token(logits, seed, temperature, k, p)
    assert logits[token] > -np.inf
    assert top_k(logits, k)[token] > -np.inf
    assert token == sample_token(logits, seed, temperature, k, p), "the same seed, the same token"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_are_fine(dtype):
    top = np.finfo(dtype).max
    assert np.array_equal(softmax(np.array([-top, top], dtype), 1e-3), [0, 1])
    assert sample_token(np.array([top, -top], dtype), rng=0) == 0


@pytest.mark.parametrize("f", [softmax, lambda z: top_k(z, 1), lambda z: nucleus(z, 1)])
def test_logits_that_make_no_sense_are_refused(f):
    for wrong in ([np.nan, 0.0], [np.inf, 0.0]):
        with pytest.raises(ValueError, match="logits must be finite, or -inf"):
            f(wrong)
    with pytest.raises(ValueError, match="every token is forbidden"):
        f([[0.0, 1.0], [-np.inf, -np.inf]])
    for empty in (np.zeros((2, 0)), np.zeros((0, 2)), 1.0):
        with pytest.raises(ValueError, match=r"logits must have shape \(..., tokens\)"):
            f(empty)


def test_options_that_make_no_sense_are_refused():
    for wrong in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="temperature must be a finite number of at least 0"):
            sample_token([0.0, 1.0], temperature=wrong)
    for wrong in (0, 1.5, math.nan):
        with pytest.raises(ValueError, match="p must lie above 0 and be at most 1"):
            sample_token([0.0, 1.0], top_p=wrong)
    with pytest.raises(ValueError, match="k must be a positive integer, got 0"):
        sample_token([0.0, 1.0], top_k=0)
    with pytest.raises(TypeError, match="k must be a positive integer, got 1.5"):
        sample_token([0.0, 1.0], top_k=1.5)
