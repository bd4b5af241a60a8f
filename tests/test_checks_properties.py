"""Properties of values, order and chance: right code passes on many draws, wrong code is told what is wrong."""

import numpy as np
import pytest

from lstm_lib import checks, equations
from tests.test_checks import SEEDS, STEP, lstm_step, said, vector

# -- values


def test_the_cell_is_kept():
    for seed in SEEDS:
        checks.keeps_the_cell(lstm_step, checks.lstm_inputs, seed=seed, trials=1)
    order = STEP["mistakes"]["the gates are in the order f, i, o, g"]
    checks.keeps_the_cell(order, checks.lstm_inputs, order="fiog")
    checks.keeps_the_cell(lambda *a: lstm_step(*a)[1], checks.lstm_inputs, cell=None)


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        ("the gates are in the order f, i, g, o", "Its old content is changed"),
        ("the candidate is not multiplied by i", "Something between -1 and 1 is added"),
        ("the bias is left out", "c_t is wrong in"),
    ],
)
def test_a_cell_that_is_not_kept(mistake, text):
    wrong = STEP["mistakes"][mistake]
    found = said(checks.keeps_the_cell, wrong, checks.lstm_inputs, seed=1)
    assert text in found and "With f = 1 and i = 0 the cell has to keep its content" in found


def test_an_emptied_cell_is_said_to_be_empty():
    text = said(checks.keeps_the_cell, lambda *a: (a[1], 0 * a[2]), checks.lstm_inputs)
    assert "It is emptied" in text
    assert "c_t is None" in said(checks.keeps_the_cell, lambda *a: (a[1], None), checks.lstm_inputs)


def softmax(z, mask=None):
    e = np.exp(z - z.max(-1, keepdims=True))
    e = e if mask is None else e * mask
    return e / e.sum(-1, keepdims=True)


def scores(rng):
    rows, columns = checks.sizes(rng, 2)
    mask = rng.random((rows, columns)) < 0.6
    mask[:, 0] = True
    mask[0] = True
    mask[1, 1] = False
    return {"z": rng.normal(size=(rows, columns)), "mask": mask}


def test_sums_to_one():
    for seed in SEEDS:
        checks.sums_to_one(softmax, scores, mask="mask", seed=seed, trials=1)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda z, mask: softmax(z), "gives weight to masked places"),
        (lambda z, mask: softmax(z) * mask, "does not sum to 1 along axis -1: row"),
        (lambda z, mask: softmax(z.T, mask.T).T, "Along axis 0 it does"),
        (lambda z, mask: softmax(z, mask) / len(z), "the normalisation runs over too many"),
        (lambda z, mask: z * mask, "a probability below 0"),
        (lambda z, mask: z / 0, "is not finite"),
        (lambda z, mask: None, "returned None"),
        (lambda z, mask: "a", "where an array of numbers is wanted"),
        (lambda z, mask: [[1], [1, 2]], "where an array of numbers is wanted"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide:RuntimeWarning")
def test_what_does_not_sum_to_one(wrong, text):
    assert text in said(checks.sums_to_one, wrong, scores, mask="mask", seed=0)


def test_refuses():
    def root(x):
        if x < 0:
            raise ValueError("x must not be below 0")
        return x**0.5

    cases = {"a number below 0": {"x": -4.0}}
    checks.refuses(root, cases)
    assert "accepts a number below 0 and returns 2" in said(checks.refuses, lambda x: 2.0, cases)
    text = said(checks.refuses, lambda x: [][0], cases)
    assert "raised IndexError (list index out of range); it should raise a ValueError" in text
    checks.refuses(lambda x: [][0], cases, error=("ValueError", "IndexError"))


def test_monotone():
    def draw(rng):
        return {"x": rng.normal(size=3), "k": 0.0}

    for seed in SEEDS:
        checks.monotone(lambda x, k: x + k, draw, "k", [0, 1, 2], seed=seed, trials=1)
        checks.monotone(lambda x, k: x - k, draw, "k", [0, 1, 2], increasing=False, strict=True)
    text = said(checks.monotone, lambda x, k: x - k, draw, "k", [0, 1, 2])
    assert "should grow as k grows" in text and "At k = 0 result[0] is" in text
    checks.monotone(lambda x, k: x, draw, "k", [0, 1])
    assert "should fall" in said(
        checks.monotone, lambda x, k: x, draw, "k", [0, 1], increasing=False, strict=True
    )


def test_stable():
    for seed in SEEDS:
        checks.stable(
            equations.sigmoid, vector, "x", seed=seed, trials=1, reference=equations.sigmoid
        )

    def naive(x):
        return np.exp(x) / (1 + np.exp(x))

    assert "With x times" in said(checks.stable, naive, lambda rng: {"x": np.ones(2)}, ["x"])
    text = said(checks.stable, lambda x: 0 * x, vector, "x", reference=equations.sigmoid)
    assert "With x times 30: the result is wrong" in text


# -- draws


def test_drawn_sizes_differ():
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for drawn in (checks.lstm_inputs(rng), checks.rnn_inputs(rng)):
            batch, hidden = drawn["h"].shape
            assert len({batch, hidden, drawn["x"].shape[1]}) == 3
        assert checks.rnn_inputs(rng, steps=9)["x"].shape[0] == 9


def test_padded_batches_hold_one_full_sequence_and_a_short_one():
    for seed in range(100):
        drawn = checks.padded_inputs(np.random.default_rng(seed), vocabulary=9)
        x, lengths = drawn["x"], drawn["lengths"]
        assert lengths.max() == x.shape[1] > lengths.min() >= 1
        assert ((x > 0).sum(1) == lengths).all() and x.max() < 9
        turned = checks.padded_inputs(np.random.default_rng(seed), vocabulary=9, batch_first=False)
        assert (turned["x"] == x.T).all()
