"""SequenceModel: fronts, readouts, dropout and lengths, in both engines; losses over what counts."""

import re

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.averages import LossAverage
from lstm_lib.gradcheck import check_gradients
from lstm_lib.training import evaluate, fit
from tests.helpers import arrays_of, assert_same, distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
READOUTS = pytest.mark.parametrize("readout", ["last", "all", "mean", "max", "attention"])
FRONTS = pytest.mark.parametrize("front", ["none", "words", "signal", "both"])
LENGTHS = [12, 5, 9, 7]
OPTIONS = dict(dtype="float64")


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def front_of(L, name):
    """A front and the number of features that come out of it."""
    if name == "none":
        return None, 2
    if name == "words":
        return L.Embedding(7, 3, padding_idx=0, rng=5, **OPTIONS), 3
    convolutions = L.Sequential(
        L.Conv1d(2 if name == "signal" else 3, 4, 3, stride=2, padding=1, rng=6, **OPTIONS),
        L.Tanh(),
        L.LayerNorm(4, **OPTIONS),
        L.Conv1d(4, 3, 3, padding="same", rng=7, **OPTIONS),
    )
    if name == "signal":
        return convolutions, 3
    return L.Sequential(L.Embedding(7, 3, padding_idx=0, rng=5, **OPTIONS), convolutions), 3


def build(L, front="none", readout="last", kind="LSTM", dropout=0.0, **rnn_options):
    """The same model for the same arguments, in either engine."""
    front, features = front_of(L, front)
    rnn_options = dict(bidirectional=True, num_layers=2) | rnn_options
    rnn = getattr(L, kind)(features, 5, batch_first=True, rng=1, **rnn_options, **OPTIONS)
    width = (rnn.proj_size or 5) * (2 if rnn.bidirectional else 1)
    if readout == "attention":
        readout = L.AttentionPooling(width, 3, rng=4, **OPTIONS)
    head = L.Linear(width, 2, rng=2, **OPTIONS)
    return L.SequenceModel(rnn, head, readout, front=front, dropout=dropout)


def data(front="none", readout="last", seed=0, batch=4):
    """Inputs that fit the front, and targets for every sequence or every step that comes out."""
    rng = np.random.default_rng(seed)
    words = front in ("words", "both")
    x = rng.integers(0, 7, size=(batch, 12)) if words else rng.normal(size=(batch, 12, 2))
    steps = 6 if front in ("signal", "both") else 12
    y = rng.normal(size=(batch, steps, 2) if readout == "all" else (batch, 2))
    return x, y


def call(model, x, lengths=None):
    x = x if isinstance(model, N.Module) else torch.as_tensor(x)
    y = model(x, lengths=lengths)
    return y if isinstance(y, np.ndarray) else y.detach().numpy()


def gradients(model):
    return {
        n: np.zeros(1) if p.grad is None else np.asarray(p.grad)
        for n, p in model.named_parameters()
    }


# One model, two engines


@FRONTS
@READOUTS
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_both_engines_have_the_same_loss_and_gradients(front, readout, lengths):
    x, y = data(front, readout)
    models = [build(L, front, readout) for L in (N, T)]
    assert list(models[0].state_dict()) == list(models[1].state_dict())
    assert_same(*(arrays_of(model) for model in models), 0.0)
    assert distance(*(call(model, x, lengths) for model in models)) <= 1e-13
    losses = [
        L.value_and_grad(model, L.MSELoss(), x, y, lengths)
        for L, model in zip((N, T), models, strict=True)
    ]
    assert abs(losses[0] - losses[1]) <= 1e-13
    assert_same(*(gradients(model) for model in models), 1e-13)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
@READOUTS
def test_other_layers_and_directions(kind, bidirectional, readout):
    x, y = data(readout=readout)
    options = dict(kind=kind, bidirectional=bidirectional, num_layers=1)
    models = [build(L, readout=readout, **options) for L in (N, T)]
    for L, model in zip((N, T), models, strict=True):
        L.value_and_grad(model, L.MSELoss(), x, y, LENGTHS)
    assert_same(*(gradients(model) for model in models), 1e-13)


@ENGINES
def test_a_projection_reaches_the_head(L):
    model = build(L, proj_size=3)
    x, y = data()
    L.value_and_grad(model, L.MSELoss(), x, y, LENGTHS)
    assert all(np.abs(g).max() > 0 for g in gradients(model).values())
    if L is N:
        check_gradients(model, x[:, :4], lengths=[4, 2, 3, 1]).raise_if_wrong()


@pytest.mark.parametrize(
    ("front", "readout"),
    [("words", "last"), ("signal", "max"), ("both", "mean")]
    + [("none", name) for name in ("last", "all", "mean", "max", "attention")],
)
def test_backward_is_the_complex_step_derivative(front, readout):
    model = build(N, front, readout, num_layers=1, kind="GRU")
    x, _ = data(front, readout, batch=2)
    x = np.maximum(x, 1) if x.dtype.kind == "i" else x  # the padding row is a constant to backward
    check_gradients(model, x[:, :7], lengths=[7, 5]).raise_if_wrong()


@ENGINES
def test_readouts_are_what_they_say(L):
    x, _ = data()
    model = build(L)
    output, _ = model.rnn(x if L is N else torch.tensor(x), lengths=LENGTHS)
    output = output if L is N else output.detach().numpy()
    weight, bias = arrays_of(model.head)["weight"], arrays_of(model.head)["bias"]
    valid = [output[b, :n] for b, n in enumerate(LENGTHS)]
    expected = {
        "mean": np.stack([h.mean(axis=0) for h in valid]),
        "max": np.stack([h.max(axis=0) for h in valid]),
        "last": np.stack([np.concatenate((h[-1, :5], h[0, 5:])) for h in valid]),
        "all": output,
    }
    for readout, read in expected.items():
        y = call(build(L, readout=readout), x, LENGTHS)
        assert distance(y, read @ weight.T + bias) <= 1e-14, readout
    full = call(build(L, readout="mean"), x)
    assert distance(full, call(build(L, readout="mean"), x, [12] * 4)) <= 1e-15


@ENGINES
def test_a_readout_of_ones_own_gets_output_and_lengths(L):
    class First(L.Module):
        def forward(self, output, lengths):
            self.seen = lengths
            return output[:, 0]

    model = build(L, "signal")
    model.readout = First()
    x, _ = data("signal")
    assert call(model, x, LENGTHS).shape == (4, 2)
    assert list(model.readout.seen) == [6, 3, 5, 4], "lengths that the stride has halved"


@ENGINES
def test_a_head_of_several_layers(L):
    rnn = L.LSTM(2, 5, batch_first=True, **OPTIONS)
    head = L.Sequential(L.Linear(5, 4, **OPTIONS), L.ReLU(), L.Linear(4, 1, **OPTIONS))
    model = L.SequenceModel(rnn, head, "mean")
    x, _ = data()
    L.value_and_grad(model, L.MSELoss(), x, np.zeros((4, 1)))
    assert all(
        g.shape == a.shape
        for g, a in zip(gradients(model).values(), arrays_of(model).values(), strict=True)
    )


# Lengths


@ENGINES
@FRONTS
@READOUTS
def test_padding_has_no_influence(L, front, readout):
    x, y = data(front, readout)
    model = build(L, front, readout)
    clean = call(model, x, LENGTHS)
    loss = L.value_and_grad(model, L.MSELoss(), x, y, LENGTHS)
    expected = gradients(model)
    x, y = x.copy(), y.copy()
    for b, length in enumerate(LENGTHS):
        x[b, length:] = -999 if x.dtype.kind == "i" else np.nan
        if readout == "all":
            y[b, -(-length // (12 // y.shape[1])) :] = np.inf
    assert np.array_equal(call(model, x, LENGTHS), clean)
    assert L.value_and_grad(model, L.MSELoss(), x, y, LENGTHS) == loss
    assert_same(gradients(model), expected, 0.0)


@ENGINES
@pytest.mark.parametrize("front", ["signal", "both"])
@READOUTS
def test_a_sequence_in_a_batch_is_read_as_if_it_were_alone(L, front, readout):
    x, _ = data(front, readout)
    model = build(L, front, readout)
    together = call(model, x, LENGTHS)
    for b, length in enumerate(LENGTHS):
        alone = call(model, x[b : b + 1, :length])[0]
        found = together[b, : len(alone)] if readout == "all" else together[b]
        assert distance(found, alone) <= 1e-14


def test_derivative_by_the_input_is_zero_past_the_end():
    x, y = data("signal")
    model = build(N, "signal")
    d_x = model.backward(np.ones_like(model(x, LENGTHS)))
    for b, length in enumerate(LENGTHS):
        assert not d_x[b, length:].any() and d_x[b, :length].any(axis=-1).all()
    words = build(N, "words")
    assert words.backward(np.ones_like(words(data("words")[0]))) is None


@ENGINES
def test_lengths_that_do_not_fit_the_front(L):
    model = L.SequenceModel(
        L.LSTM(3, 4, batch_first=True), L.Linear(4, 1), front=L.Conv1d(2, 3, 4, stride=2)
    )
    x = np.zeros((2, 9, 2), np.float32)
    assert call(model, x, [9, 4]).shape == (2, 1)
    with raises(ValueError, "a sequence must have at least 4 steps for a kernel of size 4"):
        call(model, x, [9, 3])
    with raises(ValueError, "lengths[1] must lie between 1 and the number of steps 9, got 0"):
        call(model, x, [9, 0])
    with raises(ValueError, "input must have shape (batch, 2 channels, steps), got (2, 3, 9)"):
        call(model, x[..., [0, 0, 0]])


# Dropout


def test_dropout_is_the_same_in_both_engines_and_sleeps_in_evaluation():
    x, y = data()
    models = [build(L, readout="mean", dropout=0.5) for L in (N, T)]
    for L, model in zip((N, T), models, strict=True):
        L.reseed(model, 3)
        L.value_and_grad(model, L.MSELoss(), x, y)
    assert_same(*(gradients(model) for model in models), 1e-13)
    plain = build(N, readout="mean")
    assert distance(N.predict(models[0], x), call(plain, x)) <= 1e-15
    assert distance(T.predict(models[1], x), call(plain, x)) <= 1e-14
    assert distance(call(models[0], x), call(plain, x)) > 0.01


def test_backward_through_dropout_is_the_complex_step_derivative():
    class SameMask(N.SequenceModel):
        def forward(self, x):
            N.reseed(self, 0)
            return super().forward(x)

    rnn, head = N.GRU(2, 3, batch_first=True, rng=0, **OPTIONS), N.Linear(3, 2, rng=1, **OPTIONS)
    model = SameMask(rnn, head, "all", dropout=N.Dropout(0.5, rng=9))
    check_gradients(model, data()[0][:2, :4]).raise_if_wrong()


# Losses over what counts


def uneven_classes(seed=0, n=23):
    """Sequences with very different numbers of targets that count."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 12, 2)), rng.integers(0, 2, size=(n, 12))
    y[rng.random(y.shape) < rng.random((n, 1))] = -100
    y[5] = -100
    return x, y, rng.integers(1, 13, size=n)


@ENGINES
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batch_size", [1, 3, 10, 256])
def test_evaluation_does_not_depend_on_the_batches(L, reduction, batch_size):
    x, y, lengths = uneven_classes()
    model = build(L, readout="all")
    logits = L.predict(model, x, lengths)
    counts = (y != -100) & (np.arange(12) < lengths[:, None])
    log_p = torch.log_softmax(torch.tensor(logits), -1).numpy()
    each = -np.take_along_axis(log_p, np.where(counts, y, 0)[..., None], -1)[..., 0][counts]
    criterion = L.CrossEntropyLoss(reduction)
    expected = getattr(each, reduction)()
    found = L.evaluate(model, criterion, x, y, lengths, batch_size=batch_size)
    assert found == pytest.approx(expected, rel=1e-12)
    assert evaluate(model, criterion, (x, y, lengths), batch_size) == found
    real = np.where(counts, y, 0.5)[..., None] * np.ones(2)
    errors = (logits - real)[np.arange(12) < lengths[:, None]] ** 2
    found = L.evaluate(model, L.MSELoss(reduction), x, real, lengths, batch_size=batch_size)
    assert found == pytest.approx(getattr(errors, reduction)(), rel=1e-12)


@ENGINES
def test_the_training_loss_of_an_epoch_is_over_all_that_counts(L):
    x, y, lengths = uneven_classes(n=22)
    y = np.delete(np.r_[y, y[:1]], 5, axis=0)
    y[:, 0] = 1
    model = build(L, readout="all")
    before = evaluate(model, "cross_entropy", (x, y, lengths))
    history = fit(
        model,
        (x, y, lengths),
        loss="cross_entropy",
        optimizer=L.SGD(list(model.parameters()), lr=1e-300),
        epochs=1,
        batch_size=5,
        progress=False,
    )
    assert history.train_loss[0] == pytest.approx(before, rel=1e-12)


@ENGINES
def test_evaluation_of_other_criteria_weighs_sequences(L):
    model, (x, y) = build(L), data(batch=5)
    worst = L.evaluate(model, lambda p, t: abs(p - t).max(), x, y, batch_size=1)
    each = np.abs(L.predict(model, x) - y).max(axis=1)
    assert worst == pytest.approx(each.mean(), rel=1e-12)


@ENGINES
def test_nothing_to_average_over(L):
    x, y, lengths = uneven_classes()
    with raises(ValueError, "no target counts: all are masked or ignored"):
        L.evaluate(build(L, readout="all"), L.CrossEntropyLoss(), x, np.full_like(y, -100), lengths)
    with raises(ValueError, "no target counts"):
        L.evaluate(build(L), L.MSELoss(), x[:0], y[:0])
    with raises(ValueError, "batch_size must be a positive integer, got 0"):
        L.evaluate(build(L), L.MSELoss(), x, y, batch_size=0)


@ENGINES
def test_counts(L):
    target, mask = np.zeros((2, 3, 4)), np.array([[True, False, True], [True, False, False]])
    classes = np.array([[0, -100, 2], [1, 1, -100]])
    assert L.MSELoss().count(target) == 24 and L.MSELoss().count(target, mask) == 12
    assert L.MDNLoss().count(target) == 6 and L.MDNLoss().count(target, mask) == 3
    assert L.CrossEntropyLoss().count(classes) == 4
    assert L.CrossEntropyLoss().count(classes, mask) == 3
    assert L.CrossEntropyLoss(ignore_index=1).count(classes[..., None], mask) == 2
    average = LossAverage(L.MSELoss("sum"))
    average.add(2.0, target)
    average.add(3.0, target)
    assert average.value == 5.0


# Training and use


def test_both_engines_follow_the_same_loss_curve_with_words_and_dropout():
    rng = np.random.default_rng(0)
    x, lengths = rng.integers(1, 7, size=(40, 12)), rng.integers(1, 13, size=40)
    y = (np.array([(row[:n] == 3).any() for row, n in zip(x, lengths, strict=True)])).astype(int)
    runs = []
    for L in (N, T):
        model = build(L, "words", "max", dropout=0.3, num_layers=1)
        settings = dict(loss="cross_entropy", lr=0.02, epochs=12, valid=(x[:8], y[:8], lengths[:8]))
        history = fit(model, (x, y, lengths), progress=False, **settings)
        runs.append((history, arrays_of(model)))
    (ours, a), (theirs, b) = runs
    assert np.abs(np.subtract(ours.train_loss, theirs.train_loss)).max() < 1e-10
    assert np.abs(np.subtract(ours.valid_loss, theirs.valid_loss)).max() < 1e-10
    assert_same(a, b, 1e-9)
    assert ours.train_loss[-1] < 0.7 * ours.train_loss[0]
    assert not a["front.weight"][0].any()


@ENGINES
def test_prediction_from_words(L):
    model = build(L, "words", "mean", dropout=0.5)
    x, _ = data("words", batch=9)
    lengths = [12, 3, 5, 1, 7, 12, 2, 9, 4]
    together = L.predict(model, x, lengths, batch_size=256)
    assert together.shape == (9, 2) and together.dtype == np.float64
    assert distance(L.predict(model, x, lengths, batch_size=2), together) <= 1e-15


@ENGINES
def test_layers_that_do_not_fit(L):
    rnn, head = L.LSTM(3, 4, batch_first=True), L.Linear(4, 1)
    with raises(ValueError, "dropout must lie in [0, 1), got 1.0"):
        L.SequenceModel(rnn, head, dropout=1.0)
    with raises(ValueError, "head must take 2 features"):
        L.SequenceModel(L.LSTM(3, 4, batch_first=True, proj_size=2), head)
    with raises(ValueError, "input must have 3 features on its last axis"):
        call(L.SequenceModel(rnn, head, front=L.Embedding(5, 2)), np.ones((2, 6), np.int64))
    with raises(TypeError, "indices must be integers"):
        call(L.SequenceModel(rnn, head, front=L.Embedding(5, 3)), np.ones((2, 6)))
    if L is N:
        with raises(RuntimeError, "backward needs a forward pass first"):
            L.SequenceModel(rnn, head).backward(np.zeros((2, 1)))
