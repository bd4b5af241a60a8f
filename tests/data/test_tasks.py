"""Every task against its oracle, what both say about chance, and what is refused."""

import re

import numpy as np
import pytest

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.data import tasks
from lstm_lib.data.text import IGNORE_INDEX
from lstm_lib.training import evaluate, fit

MAKERS = {
    "adding": lambda n, rng: tasks.adding(n, 30, rng=rng),
    "adding, short": lambda n, rng: tasks.adding(n, 6, rng=rng),
    "adding, modern": lambda n, rng: tasks.adding(n, 9, layout="modern", rng=rng),
    "multiplication": lambda n, rng: tasks.multiplication(n, 30, rng=rng),
    "temporal order": lambda n, rng: tasks.temporal_order(n, 30, rng=rng),
    "temporal order of 3": lambda n, rng: tasks.temporal_order(n, 10, order=3, rng=rng),
    "latch": lambda n, rng: tasks.latch(n, 20, rng=rng),
    "copy": lambda n, rng: tasks.copy(n, 5, length=4, rng=rng),
    "copy at once": lambda n, rng: tasks.copy(n, 1, length=1, symbols=1, rng=rng),
    "reversal": lambda n, rng: tasks.reversal(n, (1, 9), rng=rng),
    "embedded Reber": lambda n, rng: tasks.embedded_reber(n, rng=rng),
    "continual Reber": lambda n, rng: tasks.continual_reber(max(n // 10, 4), 50, rng=rng),
    "brackets": lambda n, rng: tasks.brackets(n, rng=rng),
    "brackets, random": lambda n, rng: tasks.brackets(n, kinds=2, negatives="random", rng=rng),
    "brackets, mixed": lambda n, rng: tasks.brackets(n, negatives=("hard", "turned"), rng=rng),
    "brackets, steps": lambda n, rng: tasks.brackets(n, kinds=3, label="step", rng=rng),
    "brackets, deep": lambda n, rng: tasks.brackets(n, (1, 12), kinds=3, depth=(3, 9), rng=rng),
    "addition": lambda n, rng: tasks.addition(n, (1, 5), rng=rng),
    "addition, reversed": lambda n, rng: tasks.addition(n, 18, reverse=True, rng=rng),
    "programs": lambda n, rng: tasks.programs(n, 4, 3, rng=rng),
    "programs, combined": lambda n, rng: tasks.programs(
        n, curriculum=tasks.Curriculum("combined", 5, 6), rng=rng
    ),
}
EXACT = {
    "alphabet": lambda: tasks.alphabet(),
    "a^n b^n": lambda: tasks.anbn(range(1, 12)),
    "a^n b^n c^n": lambda: tasks.anbncn([1, 9, 2]),
}
EVERY = {name: (lambda make=make: make(64, 5)) for name, make in MAKERS.items()} | EXACT

named = pytest.mark.parametrize("name", MAKERS)
every = pytest.mark.parametrize("name", EVERY)


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def answers(task):
    return task.y if task.legal is None else task.legal


@named
def test_the_generator_agrees_with_the_oracle_on_thousands(name):
    task = MAKERS[name](3000, 11)
    found = task.oracle(task.x, task.lengths)
    assert found.shape == answers(task).shape
    if task.loss == "mse":
        assert np.abs(found - task.y).max() < 1e-6
    else:
        assert (found == answers(task)).all()


@pytest.mark.parametrize("name", EXACT)
def test_exact_tasks_agree_with_the_oracle(name):
    task = EXACT[name]()
    assert (task.oracle(task.x, task.lengths) == answers(task)).all()


@every
def test_the_oracle_reads_the_inputs_alone(name):
    task = EVERY[name]()
    order = np.arange(len(task))[::-1]
    found = task.oracle(task.x[order], task.lengths[order])
    assert np.allclose(found, answers(task)[order], rtol=0, atol=1e-6)


@every
def test_the_arrays_of_every_task_have_one_form(name):
    task = EVERY[name]()
    n, steps = task.x.shape[:2]
    assert task.x.shape == (n, steps, task.input_size) and task.x.dtype == np.float32
    assert task.lengths.shape == (n,) and task.lengths.dtype == np.int64
    assert task.lengths.min() >= 1 and task.lengths.max() == steps
    there = np.arange(steps) < task.lengths[:, None]
    assert (task.x[~there] == 0).all(), "zeros behind the end"
    assert np.isfinite(task.x).all()
    if task.symbols:
        assert len(task.symbols) == task.input_size
        assert ((task.x == 0) | (task.x == 1)).all() and (task.x[there].sum(axis=-1) == 1).all()
    if task.loss == "mse":
        assert task.y.shape == (n, 1) == (n, task.output_size) and task.y.dtype == np.float32
        assert task.readout == "last" and task.mask is None
        return
    assert task.loss == "cross_entropy" and task.y.dtype == np.int64
    assert task.output_size == len(task.classes)
    if task.readout == "last":
        assert task.y.shape == (n,) and task.mask is None
    else:
        assert task.y.shape == (n, steps)
        assert (task.y[~there] == IGNORE_INDEX).all() and not task.mask[~there].any()
        assert task.mask.any(axis=1).all(), "each sequence has something to learn"
    wanted = task.y[task.y != IGNORE_INDEX]
    assert wanted.min() >= 0 and wanted.max() < task.output_size
    if task.legal is not None:
        assert task.legal.shape == (n, steps, task.output_size)
        assert not task.legal[~there].any() and task.legal[there].any(axis=-1).all()
        assert np.take_along_axis(task.legal, np.maximum(task.y, 0)[..., None], 2)[there].all()
    assert repr(task).startswith(f"Task {task.name}: {n} sequences of")


@named
def test_the_same_seed_gives_the_same_task(name):
    a, b, c = MAKERS[name](40, 3), MAKERS[name](40, 3), MAKERS[name](40, 4)
    assert np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) and a.texts == b.texts
    assert np.array_equal(a.lengths, b.lengths)
    same = a.x.shape == c.x.shape and np.array_equal(a.x, c.x)
    assert not same or name == "copy at once"


def test_a_generator_goes_on_where_it_is():
    rng = np.random.default_rng(0)
    assert not np.array_equal(
        tasks.latch(5, 9, rng=rng).x[:, :9], tasks.latch(5, 9, rng=rng).x[:, :9]
    )


def test_another_dtype():
    assert tasks.adding(3, 20, dtype=np.float64, rng=0).y.dtype == np.float64
    assert tasks.anbn([2], dtype=np.float64).x.dtype == np.float64


@every
@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
def test_fit_takes_every_task_as_it_is(name, L):
    task = EVERY[name]()
    kwargs = dict(batch_first=True, rng=0)
    model = L.SequenceModel(
        L.LSTM(task.input_size, 3, **kwargs), L.Linear(3, task.output_size, rng=0), task.readout
    )
    before = evaluate(model, task.loss, task.data)
    history = fit(model, task.data, loss=task.loss, epochs=2, lr=0.03, progress=False)
    assert len(history.train_loss) == 2
    assert evaluate(model, task.loss, task.data) < before


def test_slices_keep_what_belongs_together():
    task = tasks.addition(20, (1, 4), rng=0)
    for index in (slice(5, 9), np.array([3, 1]), np.arange(20) % 2 == 0):
        part = task[index]
        rows = np.arange(20)[index]
        assert np.array_equal(part.x, task.x[rows]) and np.array_equal(part.y, task.y[rows])
        assert part.texts == tuple(task.texts[row] for row in rows)
        assert np.array_equal(part.extra["carries"], task.extra["carries"][rows])
        assert (part.oracle(part.x, part.lengths) == part.y).all()
    for empty in (slice(0, 0), 3):
        with raises(ValueError, "index must choose some sequences of 20"):
            task[empty]


@pytest.mark.parametrize("test", [0.1, 0.5, 0.9])
def test_no_string_is_in_both_parts(test):
    task = tasks.embedded_reber(600, rng=0)
    assert len(set(task.texts)) < 400, "many strings come twice"
    train, held_out = task.split(test, rng=1)
    assert len(train) + len(held_out) == 600
    assert not set(train.texts) & set(held_out.texts)
    assert 600 * test <= len(held_out) < 600 * test + 80
    again = task.split(test, rng=1)
    assert again[0].texts == train.texts and again[1].texts == held_out.texts
    assert task.split(test, rng=2)[0].texts != train.texts


def test_what_a_split_refuses():
    task = tasks.anbn([3, 3, 3])
    with raises(ValueError, "cannot split 3 sequences with 1 different inputs"):
        task.split(0.3)
    for share in (0, 1, -0.1):
        with raises(ValueError, f"test must lie between 0 and 1, got {share}"):
            task.split(share)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        *(
            (lambda make=make, n=n: make(n), error, "n must be a positive integer")
            for make in (
                lambda n: tasks.adding(n, 30),
                lambda n: tasks.adding(n, 30, layout="modern"),
                lambda n: tasks.multiplication(n, 30),
                lambda n: tasks.temporal_order(n, 30),
                lambda n: tasks.latch(n, 30),
                lambda n: tasks.copy(n, 3),
                lambda n: tasks.reversal(n, 3),
                lambda n: tasks.embedded_reber(n),
                lambda n: tasks.continual_reber(n, 9),
                lambda n: tasks.brackets(n),
                lambda n: tasks.addition(n, 3),
                lambda n: tasks.programs(n),
                lambda n: tasks.anbn(n),
            )
            for n, error in ((0, ValueError), (-2, ValueError), (1.5, TypeError))
        ),
        (lambda: tasks.adding(3, 5), ValueError, "steps must be at least 6, got 5"),
        (lambda: tasks.adding(3, 1, layout="modern"), ValueError, "steps must be at least 2"),
        (lambda: tasks.adding(3, 30, layout="new"), ValueError, "layout must be one of"),
        (lambda: tasks.multiplication(3, 5), ValueError, "steps must be at least 6, got 5"),
        (lambda: tasks.temporal_order(3, 9), ValueError, "steps must be at least 10, got 9"),
        (lambda: tasks.temporal_order(3, 30, order=4), ValueError, "order must be one of 2, 3"),
        (lambda: tasks.latch(3, 3), ValueError, "steps must be at least 4, got 3"),
        (lambda: tasks.latch(3, 9, cue=0), ValueError, "cue must be a positive integer"),
        (lambda: tasks.latch(3, 9, noise=-1), ValueError, "noise must be a variance"),
        (lambda: tasks.latch(3, 9, noise=np.nan), ValueError, "noise must be a variance"),
        (
            lambda: tasks.solve_latch(np.array([[[1], [-1], [1]]]), [3]),
            ValueError,
            "must have one sign",
        ),
        (lambda: tasks.copy(3, 0), ValueError, "delay must be a positive integer"),
        (lambda: tasks.copy(3, 1, length=0), ValueError, "length must be a positive integer"),
        (lambda: tasks.copy(3, 1, symbols=0), ValueError, "symbols must be a positive integer"),
        (lambda: tasks.reversal(3, 0), ValueError, "length must be a positive integer"),
        (
            lambda: tasks.reversal(3, (4, 2)),
            ValueError,
            "length must satisfy low <= high, got 4 and 2",
        ),
        (lambda: tasks.reversal(3, (1, 2, 3)), ValueError, "a pair (low, high)"),
        (lambda: tasks.reversal(3, 3, symbols=27), ValueError, "symbols must be at most 26"),
        (lambda: tasks.alphabet(26), ValueError, "letters must be more than width = 26, got 26"),
        (lambda: tasks.alphabet(1, letters="aba"), ValueError, "letters must be different"),
        (lambda: tasks.alphabet(0), ValueError, "width must be a positive integer"),
        (lambda: tasks.continual_reber(3, 0), ValueError, "steps must be a positive integer"),
        (lambda: tasks.brackets(3, 0), ValueError, "pairs must be a positive integer"),
        (lambda: tasks.brackets(3, 4, depth=5), ValueError, "at most 4 pairs has depth 5"),
        (lambda: tasks.brackets(3, 4, depth=0), ValueError, "depth must be a positive integer"),
        (lambda: tasks.brackets(3, kinds=4), ValueError, "kinds must be one of 1, 2, 3; got 4"),
        (lambda: tasks.brackets(3, label="x"), ValueError, "label must be one of"),
        (lambda: tasks.brackets(3, negatives="x"), ValueError, "negatives must be one of"),
        (lambda: tasks.brackets(3, negatives=("hard", "x")), ValueError, "negatives must be one"),
        (lambda: tasks.brackets(3, negatives=()), ValueError, "negatives must be one of"),
        (lambda: tasks.brackets(3, balanced=1.1), ValueError, "balanced must lie in [0, 1]"),
        (lambda: tasks.anbn([]), ValueError, "counts must hold at least one number"),
        (lambda: tasks.anbncn([2, 0]), ValueError, "a count n must be a positive integer, got 0"),
        (lambda: tasks.addition(3, 19), ValueError, "digits must be at most 18"),
        (lambda: tasks.addition(3, 0), ValueError, "digits must be a positive integer"),
        (lambda: tasks.carries([-1], [1]), ValueError, "must not be negative"),
        (lambda: tasks.programs(3, 10), ValueError, "length must be at most 9, got 10"),
        (lambda: tasks.programs(3, 0), ValueError, "length must be a positive integer"),
        (lambda: tasks.programs(3, 1, 26), ValueError, "nesting must be at most 25, got 26"),
        (lambda: tasks.Curriculum("hard", 3, 3), ValueError, "strategy must be one of"),
        (
            lambda: tasks.encoder_decoder_arrays(tasks.anbn([1])),
            ValueError,
            "task must have pairs of strings",
        ),
        (
            lambda: tasks.encoder_decoder_arrays(tasks.latch(1, 9)),
            ValueError,
            "task must have pairs of strings",
        ),
        (
            lambda: tasks.predicts_legally([[1.0]], [[True, False]]),
            ValueError,
            "scores must have the shape of legal (1, 2), got (1, 1)",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with raises(error, message):
        call()
