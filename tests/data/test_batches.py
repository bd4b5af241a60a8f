"""Padding, batches by length and streams: every step comes once, at its place."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib import numpy as N
from lstm_lib.data.text import (
    IGNORE_INDEX,
    batches_by_length,
    bucket_by_length,
    length_mask,
    one_hot,
    pad_sequences,
    padding_share,
    stream_batches,
)

SEQUENCES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=6)
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


@given(SEQUENCES, st.sampled_from(["post", "pre"]), st.sampled_from(["post", "pre"]), st.data())
def test_padding_keeps_every_step_at_its_place(sequences, side, truncate, data):
    length = data.draw(st.none() | st.integers(1, 10))
    padded, lengths = pad_sequences(
        sequences, value=-1, length=length, side=side, truncate=truncate
    )
    steps = length or max(map(len, sequences))
    assert padded.shape == (len(sequences), steps)
    for row, n, sequence in zip(padded.tolist(), lengths.tolist(), sequences, strict=True):
        assert n == min(len(sequence), steps)
        kept = sequence[:n] if truncate == "post" else sequence[len(sequence) - n :]
        free = [-1] * (steps - n)
        assert row == (kept + free if side == "post" else free + kept)


def test_padding_of_features_keeps_their_dtype():
    rows = [np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)]
    padded, lengths = pad_sequences(rows, value=0.5)
    assert padded.shape == (2, 2, 3) and padded.dtype == np.float32
    assert (padded[1, 1] == 0.5).all() and lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("sequences", "options", "error", "message"),
    [
        ([], {}, ValueError, "at least one sequence, got none"),
        ([[1], []], {}, ValueError, "sequences[1] must have shape (T,) or (T, F) and not be empty"),
        ([3], {}, ValueError, "sequences[0] must have shape"),
        (
            [[[1, 2]], [[1]]],
            {},
            ValueError,
            "sequences[1] has features (1,), sequences[0] has (2,)",
        ),
        ([[1]], dict(value=0.5), ValueError, "value 0.5 cannot be written as int64"),
        ([[1]], dict(length=0), ValueError, "length must be a positive integer, got 0"),
        ([[1]], dict(side="left"), ValueError, "side must be one of 'post', 'pre'; got 'left'"),
        ([[1]], dict(truncate="no"), ValueError, "truncate must be one of"),
    ],
)
def test_what_padding_refuses(sequences, options, error, message):
    with raises(error, message):
        pad_sequences(sequences, **options)


@given(LENGTHS, st.integers(0, 3))
def test_length_mask(lengths, more):
    mask = length_mask(lengths, max(lengths) + more)
    assert mask.dtype == bool and mask.shape == (len(lengths), max(lengths) + more)
    assert mask.sum(axis=1).tolist() == lengths
    assert (mask[:, :-1] >= mask[:, 1:]).all(), "no gap"
    assert length_mask(lengths).shape[1] == max(lengths)


@given(st.integers(1, 6), st.data())
def test_one_hot(size, data):
    ids = data.draw(st.lists(st.lists(st.integers(0, size - 1), min_size=2, max_size=2)))
    ids = np.array(ids, dtype=int).reshape(-1, 2)
    vectors = one_hot(ids, size, dtype=np.float64)
    assert vectors.shape == (*ids.shape, size) and vectors.dtype == np.float64
    assert (vectors.sum(axis=-1) == 1).all()
    assert (vectors.argmax(axis=-1) == ids).all()


def test_what_one_hot_refuses():
    with raises(ValueError, "ids must lie between 0 and 2, got 0 to 3"):
        one_hot([0, 3], 3)
    with raises(ValueError, "ids must lie between 0 and 2, got -1 to 0"):
        one_hot([0, -1], 3)
    with raises(TypeError, "ids must be integers, got dtype float64"):
        one_hot([0.0], 3)
    with raises(ValueError, "size must be a positive integer"):
        one_hot([0], 0)


@given(LENGTHS, st.integers(1, 9), st.none() | st.integers(1, 4), st.integers(0, 9))
def test_every_sequence_is_in_exactly_one_batch(lengths, batch_size, pool, epoch):
    batches = list(batches_by_length(lengths, batch_size, seed=1, epoch=epoch, pool=pool))
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(lengths)))
    sizes = sorted(map(len, batches))
    assert sizes[1:] == [batch_size] * (len(sizes) - 1) and 1 <= sizes[0] <= batch_size


def as_lists(lengths, *args, **kwargs):
    return [batch.tolist() for batch in batches_by_length(lengths, *args, **kwargs)]


def test_the_order_is_a_function_of_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(1, 30, size=200)
    first = as_lists(lengths, 8, seed=3, epoch=2)
    assert first == as_lists(lengths, 8, seed=3, epoch=2)
    assert first != as_lists(lengths, 8, seed=3, epoch=1)
    assert first != as_lists(lengths, 8, seed=2, epoch=2)
    groups = [set(map(frozenset, as_lists(lengths, 8, seed=3, epoch=k))) for k in (1, 2)]
    assert len(groups[0] & groups[1]) < 5, "equals in length meet others in each epoch"
    tops = [max(lengths[i] for i in batch) for batch in first]
    assert tops != sorted(tops), "the batches are shuffled, too"


def test_sorting_saves_padding_and_pools_are_in_between():
    lengths = np.random.default_rng(0).integers(1, 100, size=1000)
    rng = np.random.default_rng(1)
    anyhow = padding_share(lengths, rng.permutation(1000).reshape(-1, 20))
    pooled = padding_share(lengths, batches_by_length(lengths, 20, pool=5))
    full = padding_share(lengths, batches_by_length(lengths, 20))
    assert 0 < full < 0.03 < pooled < 0.2 < anyhow


def test_padding_share_is_that_of_the_padded_arrays():
    sequences = [[1], [1, 1, 1], [1, 1], [1, 1, 1, 1]]
    lengths = [len(s) for s in sequences]
    batches = [[0, 1], [3, 2]]
    arrays = [pad_sequences([sequences[i] for i in batch])[0] for batch in batches]
    empty = sum(int((a == 0).sum()) for a in arrays)
    assert padding_share(lengths, batches) == empty / sum(a.size for a in arrays) == 4 / 14
    assert padding_share([2, 2], [[0], [1]]) == 0


@given(LENGTHS)
def test_buckets(lengths):
    edges = [5, 20, 40]
    buckets = bucket_by_length(lengths, edges)
    assert sorted(i for bucket in buckets for i in bucket.tolist()) == list(range(len(lengths)))
    for low, high, bucket in zip([0, *edges], edges, buckets, strict=False):
        assert all(low < lengths[i] <= high for i in bucket)
        assert bucket.tolist() == sorted(bucket.tolist())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bucket_by_length([3], [2]), ValueError, "length 3 fits in no bucket"),
        (lambda: bucket_by_length([3], [4, 4]), ValueError, "boundaries must be increasing"),
        (lambda: bucket_by_length([3], []), ValueError, "boundaries must be increasing"),
        (lambda: bucket_by_length([3], [0, 4]), ValueError, "a boundary must be a positive"),
        (lambda: length_mask([3], steps=2), ValueError, "lengths must be at most steps = 2, got 3"),
        (lambda: length_mask([]), ValueError, "lengths must have shape (N,) and not be empty"),
        (lambda: length_mask([[3]]), ValueError, "lengths must have shape (N,)"),
        (lambda: length_mask([2, 0]), ValueError, "at least 1, got 0 at index 1"),
        (lambda: length_mask([1.5]), TypeError, "lengths must be integers"),
        (lambda: batches_by_length([1], 0), ValueError, "batch_size must be a positive integer"),
        (lambda: batches_by_length([1], 2, pool=0), ValueError, "pool must be a positive integer"),
        (lambda: batches_by_length([0], 2), ValueError, "lengths must be at least 1"),
        (lambda: stream_batches([1, 2], 2, 3), ValueError, "batch_size + 1 = 3 tokens, got 2"),
        (lambda: stream_batches([], 1, 3), ValueError, "got 0"),
        (lambda: stream_batches([[1, 2]], 1, 1), ValueError, "shape (N,), got (1, 2)"),
        (lambda: stream_batches([0.5, 1.0], 1, 1), TypeError, "tokens must be integers"),
        (lambda: stream_batches([1, 2], 0, 1), ValueError, "batch_size must be a positive"),
        (lambda: stream_batches([1, 2], 1, -1), ValueError, "steps must be a positive"),
    ],
)
def test_what_is_refused_is_refused_at_the_call(call, error, message):
    with raises(error, message):
        call()


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 80))
def test_streams_use_every_target_once_with_the_token_before_it(batch_size, steps, more):
    tokens = np.arange(batch_size + 1 + more) + 1000
    chunks = list(stream_batches(tokens, batch_size, steps))
    seen = []
    for x, y in chunks:
        assert x.shape == y.shape and x.shape[0] == batch_size
        there = y != IGNORE_INDEX
        assert (y[there] == x[there] + 1).all(), "the input is the token right before the target"
        seen += y[there].tolist()
    assert sorted(seen) == tokens[1:].tolist(), "no target is lost, none comes twice"
    assert [x.shape[1] for x, _ in chunks[:-1]] == [steps] * (len(chunks) - 1)
    assert 1 <= chunks[-1][0].shape[1] <= steps
    for (_, y), (x, following) in zip(chunks, chunks[1:], strict=False):
        goes_on = following[:, 0] != IGNORE_INDEX
        assert (x[goes_on, 0] == y[goes_on, -1]).all(), "a row goes on where it ended"
    missing = sum(int((y == IGNORE_INDEX).sum()) for _, y in chunks)
    assert missing == -(len(tokens) - 1) % batch_size, "less than a step of the streams"
    assert all((y[:, :-1] != IGNORE_INDEX).all() for _, y in chunks)


def test_the_last_target_of_the_text_is_learnt():
    """The off-by-one mistake: windows of a text cut at N - 1 that never show its last token."""
    tokens = np.array([7, 7, 7, 7, 9])
    assert [y.tolist() for _, y in stream_batches(tokens, 1, 2)] == [[[7, 7]], [[7, 9]]]


def test_losses_leave_out_what_no_stream_has():
    (x, y), *_ = stream_batches(np.array([0, 1, 2, 0]), 2, 5)
    assert y.tolist() == [[1, 2], [0, IGNORE_INDEX]]
    logits = np.random.default_rng(0).normal(size=(*x.shape, 3))
    loss = N.CrossEntropyLoss()
    changed = logits.copy()
    changed[1, 1] = 9.0
    assert loss(logits, y) == loss(changed, y)
    assert loss.ignore_index == IGNORE_INDEX


def test_streams_are_copies():
    tokens = np.arange(9)
    x, y = next(iter(stream_batches(tokens, 2, 4)))
    x[:], y[:] = -1, -1
    assert (tokens == np.arange(9)).all()
