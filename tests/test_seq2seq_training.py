"""Encoder-decoders in `fit`: two inputs, lengths of both, and a task that they learn in seconds."""

import re

import numpy as np
import pytest

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.decoding import log_softmax
from lstm_lib.seq2seq import decoder_arrays
from lstm_lib.training import evaluate, fit
from tests.helpers import distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
BOS, EOS = 0, 1


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def reversals(n, seed=0, longest=6, symbols=6):
    """Sequences of symbols and the same backwards, ready for `fit`: x, y, lengths, and the targets."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(2, longest + 1, size=n)
    source = rng.integers(2, 2 + symbols, size=(n, longest))
    targets = [row[:end][::-1] for row, end in zip(source, ends, strict=True)]
    target_in, target, target_ends = decoder_arrays(targets, BOS, EOS)
    return ((source, target_in), target, (ends, target_ends)), targets


def share_exact(hypotheses, targets):
    return np.mean(
        [h.tokens.tolist() == [*t, EOS] for h, t in zip(hypotheses, targets, strict=True)]
    )


def reverser(L, **options):
    sizes = dict(source_vocabulary=8, target_vocabulary=8, embedding_size=12)
    return L.EncoderDecoder(24, **sizes, attention="general", dtype="float64", rng=0, **options)


def test_a_model_learns_to_reverse_what_it_has_not_seen():
    train, _ = reversals(512)
    (test_x, test_y, test_lengths), targets = reversals(128, seed=1)
    model = reverser(N, bidirectional=True)

    def exact():
        return share_exact(model.greedy(test_x[0], 8, BOS, EOS, test_lengths[0]), targets)

    untrained = exact()
    fit(model, train, loss="cross_entropy", lr=0.01, epochs=20, batch_size=32, progress=False)
    beams = model.beam_search(test_x[0], 3, 8, BOS, EOS, test_lengths[0])
    copied = np.mean([list(t) == list(t[::-1]) for t in targets])
    assert max(untrained, copied) < 0.2
    assert exact() > 0.8
    assert share_exact([best for best, *_ in beams], targets) > 0.8
    weights = model.attention_weights(*test_x, *test_lengths)
    last_looked_at = [weights[k, 0].argmax() for k in range(128)]
    assert np.mean(np.equal(last_looked_at, test_lengths[0] - 1)) > 0.8


@pytest.mark.parametrize("options", [{}, dict(teacher_forcing=0.7, dropout=0.2)], ids=str)
def test_both_engines_follow_the_same_loss_curve(options):
    train, _ = reversals(48)
    valid, _ = reversals(16, seed=1)
    histories, models = [], []
    for L in (N, T):
        models.append(reverser(L, **options))
        settings = dict(loss="cross_entropy", valid=valid, lr=0.01, epochs=4, progress=False)
        histories.append(fit(models[-1], train, batch_size=20, **settings))
    ours, theirs = histories
    assert np.abs(np.subtract(ours.train_loss, theirs.train_loss)).max() < 1e-10
    assert np.abs(np.subtract(ours.valid_loss, theirs.valid_loss)).max() < 1e-10
    x, y, lengths = valid
    predictions = [
        L.predict(m, x, lengths, batch_size=5) for L, m in zip((N, T), models, strict=True)
    ]
    assert distance(*predictions) < 1e-9
    whole = evaluate(models[0], "cross_entropy", valid)
    assert whole == pytest.approx(min(ours.valid_loss))
    kept = np.arange(y.shape[1]) < lengths[1][:, None]
    log_p = log_softmax(predictions[0])[kept]
    expected = -log_p[np.arange(len(log_p)), y[kept]].mean()
    assert whole == pytest.approx(expected)


@ENGINES
def test_lengths_of_the_target_count_as_a_mask_where_nothing_is_ignored(L):
    ((source, target_in), target, lengths), _ = reversals(8)
    model, losses = reverser(L), []
    for fill in (-100, 3):
        y = np.where(target == -100, fill, target)
        losses.append(
            L.value_and_grad(model, L.CrossEntropyLoss(), (source, target_in), y, lengths)
        )
        losses.append(evaluate(model, "cross_entropy", ((source, target_in), y, lengths)))
    assert losses == pytest.approx([losses[0]] * 4)
    only_source = L.value_and_grad(
        model, L.CrossEntropyLoss(), (source, target_in), target, lengths[0]
    )
    assert only_source == pytest.approx(losses[0])


def test_an_interrupted_run_with_two_inputs_resumes(tmp_path):
    train, _ = reversals(40)
    settings = dict(loss="cross_entropy", lr=0.01, progress=False)
    whole = fit(reverser(N), train, epochs=4, **settings)
    path = tmp_path / "run.safetensors"
    fit(reverser(N), train, epochs=2, checkpoint=path, **settings)
    assert fit(reverser(N), train, epochs=4, checkpoint=path, **settings) == whole
    other, _ = reversals(40, seed=5)
    with raises(ValueError, "data was"):
        fit(reverser(N), other, epochs=5, checkpoint=path, **settings)


def test_data_of_two_inputs_that_does_not_fit():
    ((source, target_in), target, lengths), _ = reversals(8)

    def run(x, y=target, lengths=lengths):
        fit(reverser(N), (x, y, lengths), loss="cross_entropy", progress=False)

    with raises(ValueError, "train: X has 8 sequences, X has 7"):
        run((source, target_in[:7]))
    with raises(ValueError, "train: X has 8 sequences, lengths has 3"):
        run((source, target_in), lengths=(lengths[0], lengths[1][:3]))
    with raises(ValueError, "train holds no sequences"):
        run((source[:0], target_in[:0]), target[:0], None)
    with raises(ValueError, "predict needs at least one sequence"):
        N.predict(reverser(N), (source[:0], target_in[:0]))


def test_arrays_for_a_decoder_that_do_not_fit():
    with raises(ValueError, "targets must hold at least one sequence, got none"):
        decoder_arrays([], BOS, EOS)
    with raises(ValueError, "eos must be the number of a token, at least 0, got -1"):
        decoder_arrays([[2]], BOS, -1)
    assert [a.tolist() for a in decoder_arrays([[]], BOS, EOS)] == [[[BOS]], [[EOS]], [1]]


@ENGINES
def test_a_list_of_rows_and_a_tuple_of_lengths_are_one_input(L):
    rnn = L.LSTM(1, 4, batch_first=True, dtype="float64", rng=0)
    model = L.SequenceModel(rnn, L.Linear(4, 2, dtype="float64", rng=1))
    x, lengths = np.random.default_rng(0).normal(size=(3, 5, 1)), (5, 2, 4)
    expected = L.predict(model, x, np.array(lengths))
    assert distance(L.predict(model, x.tolist(), lengths, batch_size=2), expected) < 1e-8
    history = fit(model, (x.tolist(), expected.tolist(), lengths), epochs=1, progress=False)
    assert history.train_loss[0] < 1e-12


@ENGINES
def test_no_lengths_means_that_every_step_counts(L):
    (x, y, _), _ = reversals(8)
    y[y < 0] = 3
    model, full = reverser(L), (np.full(8, x[0].shape[1]), np.full(8, x[1].shape[1]))
    predictions = [L.predict(model, x, lengths) for lengths in (None, (None, None), full)]
    assert distance(predictions[0], predictions[1]) == distance(predictions[0], predictions[2]) == 0
    losses = [evaluate(model, "cross_entropy", (x, y, lengths)) for lengths in (None, full)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-15)
