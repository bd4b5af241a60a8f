"""fit(): it learns, it is the same in both engines, and an interruption changes nothing."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from lstm_lib import engine
from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.checkpoints import load_arrays
from lstm_lib.training import evaluate, fit
from tests.helpers import arrays_of

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])


def small_model(L, readout="last", outputs=1, seed=0, kind="LSTM"):
    rnn = getattr(L, kind)(1, 6, batch_first=True, dtype="float64", rng=seed)
    return L.SequenceModel(rnn, L.Linear(6, outputs, dtype="float64", rng=seed + 1), readout)


def echo_data(n=48, steps=5, seed=0):
    """The target is the first item: something that only a memory can tell."""
    x = np.random.default_rng(seed).normal(size=(n, steps, 1))
    return x, x[:, 0]


def same_weights(a, b, tolerance=0.0):
    a, b = arrays_of(a), arrays_of(b)
    return all(np.abs(a[name] - b[name]).max() <= tolerance for name in a)


@ENGINES
def test_fit_learns_to_remember(L):
    model = small_model(L)
    before = evaluate(model, "mse", echo_data(seed=1))
    history = fit(model, echo_data(), epochs=80, lr=0.02, batch_size=16, progress=False)
    after = evaluate(model, "mse", echo_data(seed=1))
    assert history.epochs == 80
    assert after < 0.1 < 0.5 < before


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("GRU", {}),
        ("RNN", {}),
        ("LSTM", dict(optimizer="sgd", loss="mae")),
        ("LSTM", dict(optimizer="rmsprop", loss="huber", clip_norm=None)),
        ("LSTM", dict(optimizer="adamw", loss="binary_cross_entropy")),
    ],
    ids=str,
)
def test_both_engines_follow_the_same_loss_curve(kind, options):
    runs = []
    data = [echo_data(), echo_data(16, seed=1)]
    if options.get("loss") == "binary_cross_entropy":
        data = [(x, (y > 0).astype(float)) for x, y in data]
    for L in (N, T):
        model = small_model(L, kind=kind)
        history = fit(model, data[0], valid=data[1], lr=0.02, epochs=20, progress=False, **options)
        runs.append((history, model))
    (ours, a), (theirs, b) = runs
    assert np.abs(np.subtract(ours.train_loss, theirs.train_loss)).max() < 1e-10
    assert np.abs(np.subtract(ours.valid_loss, theirs.valid_loss)).max() < 1e-10
    assert np.abs(np.subtract(ours.grad_norm, theirs.grad_norm)).max() < 1e-6
    assert same_weights(a, b, 1e-9)


@ENGINES
def test_classification_at_every_step(L):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 6, 1))
    y = (np.cumsum(x[..., 0], axis=1) > 0).astype(np.int64)
    model = small_model(L, "all", outputs=2)
    history = fit(model, (x, y), loss="cross_entropy", lr=0.05, epochs=40, progress=False)
    assert history.train_loss[-1] < 0.4 < history.train_loss[0]
    assert L.predict(model, x).shape == (32, 6, 2)


@ENGINES
def test_lengths_reach_the_model(L):
    x, y = echo_data()
    lengths = np.random.default_rng(0).integers(1, 6, size=len(x))
    model = small_model(L)
    fit(model, (x, y, lengths), epochs=2, progress=False)
    garbage = x.copy()
    for k, length in enumerate(lengths):
        garbage[k, length:] = 1e6
    assert np.array_equal(L.predict(model, x, lengths), L.predict(model, garbage, lengths))


@ENGINES
@pytest.mark.parametrize("readout", ["last", "all"])
def test_pools_put_like_lengths_together_and_read_no_padding(L, readout):
    """Padding to twice the length changes no bit; every batch is as long as its longest."""
    x, y = echo_data(steps=9)
    lengths = np.random.default_rng(0).integers(1, 10, size=len(x))
    y = x if readout == "all" else y
    models, steps = [], []
    for extra in (0, 9):
        wide = np.pad(x, ((0, 0), (0, extra), (0, 0)))
        target = np.pad(y, ((0, 0), (0, extra), (0, 0))) if readout == "all" else y
        model, forward = small_model(L, readout), L.LSTM.forward

        def seen(self, x, *args, forward=forward, **options):
            steps.append(x.shape[1])
            return forward(self, x, *args, **options)

        model.rnn.forward = seen.__get__(model.rnn)
        options = dict(batch_size=8, pool=6, epochs=2, progress=False)
        fit(model, (wide, target, lengths), **options)
        models.append(model)
    by_length = np.sort(lengths).reshape(6, 8).max(axis=1)
    assert sorted(steps[:6]) == by_length.tolist()
    assert same_weights(*models)


@ENGINES
def test_a_pool_of_two_inputs_cuts_each_to_its_longest(L):
    """More padding changes no bit; a batch is as long as its longest source and its longest target."""
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 5, size=(2, 48, 9))
    lengths = tuple(rng.integers(1, 10, size=(2, 48)))
    models, shapes = [], []
    for extra in (0, 9):
        x, y = (np.pad(part, ((0, 0), (0, extra))) for part in (source, target))
        model = L.EncoderDecoder(4, source_vocabulary=5, target_vocabulary=5, rng=0)

        def seen(source, target, *args, forward=model.forward, **options):
            shapes.append((source.shape[1], target.shape[1]))
            return forward(source, target, *args, **options)

        model.forward = seen
        options = dict(loss="cross_entropy", batch_size=8, pool=6, progress=False)
        fit(model, ((x, y), y, lengths), epochs=2, **options)
        models.append(model)
    assert len(shapes) == 24 and shapes[:12] == shapes[12:]
    assert np.mean(shapes[:12]) < 7.5, "sources and targets of similar length stand together"
    assert same_weights(*models)


def test_a_pool_needs_lengths():
    source, lengths = np.zeros((6, 3), int), np.full(6, 3)
    model = N.EncoderDecoder(4, source_vocabulary=5, target_vocabulary=5, rng=0)
    with pytest.raises(ValueError, match="pool needs the lengths of every input"):
        fit(small_model(N), echo_data(), pool=4, progress=False)
    for known in (lengths, (lengths, None)):
        with pytest.raises(ValueError, match="pool needs the lengths of every input"):
            fit(model, ((source, source), source, known), pool=4, progress=False)
    with pytest.raises((TypeError, ValueError), match="pool"):
        fit(small_model(N), (*echo_data(), np.full(48, 5)), pool=0, progress=False)


@ENGINES
def test_fresh_data_every_epoch(L, tmp_path):
    asked = []

    def fresh(epoch):
        asked.append(epoch)
        return echo_data(seed=epoch)

    options = dict(lr=0.05, batch_size=16, progress=False)
    model, twin, resumed = (small_model(L) for _ in range(3))
    history = fit(model, fresh, epochs=3, **options)
    assert asked == [0, 0, 1, 2], "a look at the first, and then each"
    same = fit(twin, echo_data(), epochs=1, **options)
    assert same.train_loss == history.train_loss[:1]
    assert len(set(history.train_loss)) == 3
    path = tmp_path / "run.safetensors"
    fit(resumed, fresh, epochs=2, checkpoint=path, **options)
    again = fit(small_model(L, seed=5), fresh, epochs=3, checkpoint=path, **options)
    assert again.train_loss == history.train_loss
    with pytest.raises(ValueError, match="train holds no sequences"):
        fit(model, lambda epoch: (np.ones((0, 2, 1)), np.ones((0, 1))), **options)


@ENGINES
def test_the_same_seed_gives_the_same_run(L):
    models = [small_model(L) for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        fit(model, echo_data(), epochs=3, seed=seed, progress=False)
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])


def test_every_epoch_has_an_order_of_its_own():
    x = np.arange(6.0)[:, None, None]
    seen = []

    class Recorder(N.SequenceModel):
        def forward(self, x, lengths=None):
            seen.append(x[:, 0, 0].astype(int).tolist())
            return super().forward(x, lengths)

    recorder = Recorder(N.LSTM(1, 2, batch_first=True), N.Linear(2, 1))
    fit(recorder, (x, x[:, 0]), epochs=4, batch_size=6, progress=False)
    assert all(sorted(order) == list(range(6)) for order in seen)
    assert len({tuple(order) for order in seen}) == 4


@ENGINES
def test_early_stopping_restores_the_best_weights(L):
    model, seen = small_model(L), []
    valid = echo_data(16, seed=1)
    history = fit(
        model,
        echo_data(8),
        valid=valid,
        lr=0.1,
        epochs=200,
        patience=3,
        progress=False,
        callback=lambda epoch, _: seen.append(arrays_of(model)),
    )
    assert history.stopped_early and history.epochs < 200
    assert history.epochs - 1 - history.best_epoch == 3
    assert history.best_epoch == int(np.argmin(history.valid_loss))
    best = seen[history.best_epoch]
    assert all(np.array_equal(best[name], value) for name, value in arrays_of(model).items())
    assert evaluate(model, "mse", valid) == pytest.approx(min(history.valid_loss))


class Interrupted(Exception):
    """Stands for a power cut after an epoch."""


SCHEDULES = {
    "constant": lambda L: None,
    "step": lambda L: lambda optimizer: L.StepLR(optimizer, step_size=2, gamma=0.5),
    "plateau": lambda L: lambda optimizer: L.ReduceLROnPlateau(optimizer, factor=0.3, patience=0),
}


@ENGINES
def test_a_schedule_changes_the_learning_rate_every_epoch(L):
    history = fit(
        small_model(L),
        echo_data(),
        lr=0.08,
        epochs=5,
        schedule=SCHEDULES["step"](L),
        progress=False,
    )
    assert history.lr == pytest.approx([0.08, 0.08, 0.04, 0.04, 0.02])


@ENGINES
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_an_interrupted_run_resumes_to_the_same_result(L, optimizer, schedule, tmp_path):
    settings = dict(valid=echo_data(16, seed=1), lr=0.03, epochs=9, progress=False, patience=5)
    settings["schedule"] = SCHEDULES[schedule](L)

    def run(model, **extra):
        made = L.SGD(list(model.parameters()), lr=0.03, momentum=0.9)
        chosen = "adam" if optimizer == "adam" else made
        return fit(model, echo_data(), optimizer=chosen, **settings, **extra)

    def cut(epoch, _):
        if epoch == 3:
            raise Interrupted

    whole = small_model(L)
    expected = run(whole)
    path = tmp_path / "run.safetensors"
    with pytest.raises(Interrupted):
        run(small_model(L), checkpoint=path, callback=cut)
    resumed = small_model(L, seed=5)
    history = run(resumed, checkpoint=path)
    assert history == expected
    assert same_weights(resumed, whole)
    again = small_model(L, seed=6)
    assert run(again, checkpoint=path) == expected, "a finished run returns at once"
    assert same_weights(again, whole)


def test_a_checkpoint_of_one_engine_resumes_in_the_other(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(small_model(N), echo_data(), epochs=3, checkpoint=path, progress=False)
    model = small_model(T, seed=3)
    history = fit(model, echo_data(), epochs=6, checkpoint=path, progress=False)
    whole = small_model(N)
    expected = fit(whole, echo_data(), epochs=6, progress=False)
    assert np.abs(np.subtract(history.train_loss, expected.train_loss)).max() < 1e-10


def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path):
    """Kill training with no chance to clean up: the file stays readable."""
    path = tmp_path / "run.safetensors"
    program = f"""
from tests.test_training import *
fit(small_model(N), echo_data(), epochs=10**6, checkpoint={str(path)!r}, progress=False,
    callback=lambda epoch, _: print(epoch, flush=True))
"""
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        for _ in range(40):
            process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        _, notes = load_arrays(path)
        assert len(notes["history"]["train_loss"]) >= 39


def test_settings_that_differ_are_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(small_model(N), echo_data(), epochs=1, checkpoint=path, progress=False)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="batch_size was 32 and is 8"):
        fit(small_model(N), echo_data(), epochs=2, batch_size=8, checkpoint=path, progress=False)
    with pytest.raises(ValueError, match="data was"):
        fit(small_model(N), echo_data(seed=9), epochs=2, checkpoint=path, progress=False)
    assert path.read_bytes() == before


def test_progress_bar_shows_epochs_and_loss(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(small_model(N), echo_data(), valid=echo_data(8, seed=1), epochs=2)
    shown = capsys.readouterr().err
    assert "2/2" in shown and "valid=" in shown
    fit(small_model(N), echo_data(), epochs=2, progress=False)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    fit(small_model(N), echo_data(), epochs=2)
    assert capsys.readouterr().err == ""


def test_evaluate_is_the_mean_over_sequences_not_over_batches():
    model, (x, y) = small_model(N), echo_data(10)
    direct = ((N.predict(model, x) - y) ** 2).mean()
    assert evaluate(model, "mse", (x, y), batch_size=3) == pytest.approx(direct, rel=1e-12)


def test_prediction_leaves_mode_and_gradients_alone():
    for L in (N, T):
        model = small_model(L)
        L.predict(model, echo_data()[0])
        assert model.training
        model.eval()
        L.predict(model, echo_data()[0])
        assert not model.training
        assert all(p.grad is None for p in model.parameters())


def test_engine_by_name():
    assert engine("numpy") is N and engine("torch") is T
    assert engine("auto") is (T if torch.cuda.is_available() else N)
