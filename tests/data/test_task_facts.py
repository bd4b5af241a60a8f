"""What is known about each task's distribution: lengths, places, shares, chance."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest

from lstm_lib.data import tasks

rows = np.arange


def close_to(share, expected, count, sigmas=5):
    """Whether an observed share is within five standard deviations of its expectation."""
    return abs(share - expected) < sigmas * math.sqrt(expected * (1 - expected) / count)


def mean_squared(task):
    return float(((task.y - task.y.mean()) ** 2).mean())


def test_adding_as_in_1997():
    task = tasks.adding(4000, 100, rng=0)
    values, marks = task.x[..., 0], task.x[..., 1]
    assert set(task.lengths) == set(range(100, 111))
    last = marks[rows(4000), task.lengths - 1]
    assert (marks[:, 0] == -1).all() and (last == -1).all()
    ones = (marks == 1).sum(axis=1)
    assert set(ones) == {1, 2} and (marks == -1).sum() == 8000
    whole = task[ones == 2]
    places = [np.flatnonzero(m == 1) for m in whole.x[..., 1]]
    assert all(1 <= p[0] < 10 and p[1] < 49 for p in places)
    assert (values[ones == 1, 0] == 0).all(), "a first step that is drawn has the value 0"
    assert close_to((ones == 1).mean(), 1 / 10 + 9 / 10 / 48, 4000)
    assert -1 <= values.min() < -0.99 and 0.99 < values.max() <= 1
    assert 0 <= task.y.min() and task.y.max() <= 1
    assert abs(mean_squared(whole) - task.baselines["mse"]) < 0.003
    marked = whole.x[..., 0][whole.x[..., 1] == 1].reshape(-1, 2)
    assert np.allclose(whole.y[:, 0], 0.5 + marked.sum(axis=1) / 4, atol=1e-6)


def test_adding_today():
    task = tasks.adding(4000, 9, layout="modern", rng=0)
    assert (task.lengths == 9).all()
    marks = task.x[..., 1]
    assert (marks[:, :4].sum(axis=1) == 1).all() and (marks[:, 4:].sum(axis=1) == 1).all()
    assert 0 <= task.x.min() and task.x.max() <= 1
    assert set(np.unique(marks)) == {0, 1}
    assert abs(mean_squared(task) - task.baselines["mse"]) < 0.01
    assert task.baselines["mse"] == 1 / 6


def test_multiplication():
    task = tasks.multiplication(4000, 100, rng=0)
    values, marks = task.x[..., 0], task.x[..., 1]
    one = (marks == 1).sum(axis=1) == 1
    assert (values[one, 0] == 1).all(), "a first step that is drawn has the value 1"
    assert 0 <= values.min() and values.max() <= 1
    assert abs(mean_squared(task[~one]) - task.baselines["mse"]) < 0.003
    assert abs(task[~one].y.mean() - 0.25) < 0.02


@pytest.mark.parametrize("order", [2, 3])
def test_temporal_order_with_the_numbers_of_the_paper(order):
    task = tasks.temporal_order(4000, 100, order=order, rng=0)
    assert set(task.lengths) == set(range(100, 111))
    shape = {2: "(E)[abcd]*([XY])[abcd]*([XY])[abcd]*B"}
    shape[3] = shape[2].replace("[abcd]*B", "[abcd]*([XY])[abcd]*B")
    found = [re.fullmatch(shape[order], text) for text in task.texts]
    assert all(found)
    ranges = {2: [(10, 20), (50, 60)], 3: [(10, 20), (33, 43), (66, 76)]}[order]
    for group, (low, high) in enumerate(ranges, start=2):
        places = {m.start(group) for m in found}
        assert places == set(range(low, high + 1))
    assert [task.classes[k] for k in task.y] == ["".join(m.groups()[1:]) for m in found]
    shares = np.bincount(task.y) / 4000
    assert len(shares) == 2**order and task.baselines["accuracy"] == 1 / 2**order
    assert all(close_to(share, 1 / 2**order, 4000) for share in shares)
    letters = Counter("".join(task.texts))
    total = sum(letters[c] for c in "abcd")
    assert all(abs(letters[c] / total - 0.25) < 0.01 for c in "abcd")


def test_latch():
    task = tasks.latch(4000, 50, cue=2, noise=0.09, rng=0)
    assert set(task.lengths) == set(range(50, 56))
    assert close_to(task.y.mean(), 0.5, 4000)
    assert (task.x[:, :2, 0] == 2 * task.y[:, None] - 1).all()
    later = task.x[:, 2:50, 0]
    assert abs(later.var() - 0.09) < 0.002 and abs(later.mean()) < 0.005
    by_class = [later[task.y == k].mean() for k in (0, 1)]
    assert max(map(abs, by_class)) < 0.01, "nothing after the cue tells the class"
    assert (tasks.latch(5, 9, noise=0, rng=0).x[:, 3:9] == 0).all()


def test_copy_as_arjovsky_lays_it_out():
    task = tasks.copy(50, delay=100, rng=0)
    ids = task.x.argmax(axis=-1)
    assert ids.shape == task.y.shape == (50, 120)
    assert (ids[:, :10] < 8).all() and (ids[:, 10:109] == 8).all()
    assert (ids[:, 109] == 9).all() and (ids[:, 110:] == 8).all()
    assert (task.y[:, :110] == 8).all() and (task.y[:, 110:] == ids[:, :10]).all()
    assert task.baselines["cross_entropy"] == pytest.approx(10 * math.log(8) / 120)
    shares = np.bincount(ids[:, :10].ravel()) / 500
    assert all(close_to(share, 1 / 8, 500) for share in shares)
    guess = np.full((50, 120, 9), -1e9)
    guess[:, :110, 8], guess[:, 110:, :8] = 0, 0
    from lstm_lib import numpy as N

    loss = float(N.CrossEntropyLoss()(guess, task.y))
    assert loss == pytest.approx(task.baselines["cross_entropy"])


def test_reversal():
    task = tasks.reversal(3000, (2, 5), symbols=3, rng=0)
    lengths = Counter(len(source) - 1 for source, _ in task.texts)
    assert set(lengths) == {2, 3, 4, 5}
    assert all(close_to(count / 3000, 1 / 4, 3000) for count in lengths.values())
    for source, target in task.texts:
        assert target == source[-2::-1] + "."
    letters = Counter("".join(source[:-1] for source, _ in task.texts))
    assert set(letters) == set("abc") and max(letters.values()) / letters.total() < 0.35
    assert task.baselines == {"accuracy": 1 / 3}


def test_pairs_as_one_stream():
    task = tasks.reversal(1, 3, symbols=4, rng=0)
    source, target = task.texts[0]
    read = "".join(task.symbols[k] for k in task.x[0].argmax(axis=-1))
    assert read == source + target[:-1]
    said = ["" if k < 0 else task.classes[k] for k in task.y[0]]
    assert said == ["", "", "", *target], "nothing while reading, then the whole target"


def test_pairs_for_encoder_and_decoder():
    task = tasks.addition(30, (1, 4), rng=0)
    source, n, target, m, vocabulary = tasks.encoder_decoder_arrays(task)
    assert vocabulary.pad_id == 0 and vocabulary.symbols[vocabulary.eos_id] == "."
    for k, (text, answer) in enumerate(task.texts):
        assert "".join(vocabulary.decode(source[k, : n[k]])) == text
        assert (source[k, n[k] :] == 0).all() and (target[k, m[k] :] == 0).all()
        assert target[k, 0] == vocabulary.bos_id and target[k, m[k] - 1] == vocabulary.eos_id
        assert "".join(vocabulary.decode(target[k], specials=False)) + "." == answer


def test_the_alphabet():
    task = tasks.alphabet()
    assert task.texts[0] == "ABCD" and task.classes[task.y[0]] == "E"
    assert task.texts[-1] == "VWXY" and task.classes[task.y[-1]] == "Z"
    assert len(task) == 22 and len(set(task.y)) == 22


def test_embedded_reber_strings():
    task = tasks.embedded_reber(6000, rng=0)
    assert all(tasks.is_embedded_reber(text) for text in task.texts)
    counts = Counter(task.texts)
    shortest = {"BTBTXSETE", "BPBTXSEPE", "BTBPVVETE", "BPBPVVEPE"}
    assert {text for text in counts if len(text) == 9} == shortest
    for text in shortest:
        # outer 1/2; BTXSE takes three forks, BPVVE takes three
        assert close_to(counts[text] / 6000, 1 / 16, 6000)
    assert (task.lengths == [len(text) - 1 for text in task.texts]).all()
    last_but_one = [text[-2] == "T" for text in task.texts]
    assert close_to(np.mean(last_but_one), task.baselines["last but one"], 6000)


REBER_SYMBOLS = "BTPSXVE"


def test_legal_sets_are_those_of_all_strings():
    """The grammar spelt out anew: all its strings up to a length, and what follows what."""
    whole = set()
    arcs = {0: "B1", 1: "T2P3", 2: "S2X4", 3: "T3V5", 4: "X3S6", 5: "P4V6", 6: "E7"}
    inner = [("", 0)]
    for _ in range(14):
        inner = [
            (t + a[k], int(a[k + 1]))
            for t, s in inner
            for a in [arcs.get(s, "")]
            for k in range(0, len(a), 2)
        ]
        whole |= {f"B{o}{t}{o}E" for t, s in inner if s == 7 for o in "TP"}
    assert all(map(tasks.is_embedded_reber, whole)) and len(whole) > 400
    follows = {}
    for text in whole:
        for k in range(len(text)):
            follows.setdefault(text[:k], set()).add(text[k])
    task = tasks.embedded_reber(500, rng=1)
    checked = 0
    for text, legal in zip(task.texts, task.legal, strict=True):
        if len(text) <= 12:  # short enough that every way to go on ends among the strings
            for step in range(len(text) - 1):
                named = {task.classes[k] for k in np.flatnonzero(legal[step])}
                assert named == follows[text[: step + 1]]
                checked += 1
    assert checked > 1000


@pytest.mark.parametrize(
    "text",
    ["", "B", "BTBTXSEPE", "BPBTXSETE", "BTBTXSET", "BTBTXSETEB", "BTBTSSETE", "BTBPVVTE", "BTE"],
)
def test_what_is_no_reber_string(text):
    assert not tasks.is_embedded_reber(text)


def test_streams_are_strings_without_a_gap():
    task = tasks.continual_reber(200, 60, rng=0)
    assert task.x.shape == (200, 60, 7) and all(len(text) == 61 for text in task.texts)
    for text, legal in zip(task.texts, task.legal, strict=True):
        begun = 0
        for step in range(1, 61):
            if tasks.is_embedded_reber(text[begun:step]):
                begun = step
                assert text[step] == "B" and legal[step - 1].tolist() == [1, 0, 0, 0, 0, 0, 0]
        assert begun > 0


def test_no_model_expects_to_beat_the_bits_of_reber():
    task = tasks.embedded_reber(2000, rng=0)
    share = task.legal / np.maximum(task.legal.sum(axis=-1, keepdims=True), 1)
    chosen = np.take_along_axis(share, np.maximum(task.y, 0)[..., None], 2)[..., 0][task.mask]
    assert float(-np.log2(chosen).mean()) == pytest.approx(task.baselines["bits"])


def test_predicts_legally():
    legal = np.array([True, False, True])
    assert tasks.predicts_legally([0.3, 0.2, 0.5], legal)
    assert not tasks.predicts_legally([0.1, 0.2, 0.7], legal)
    assert not tasks.predicts_legally([0.2, 0.2, 0.7], legal), "a tie is not above"
    assert tasks.predicts_legally([0.2, 0.2, 0.7], [False] * 3)


def test_brackets_the_known_examples():
    for text in ("", "()", "((()))", "()[]{}", "{[()]()}"):
        assert tasks.is_balanced(text)
    for text in ("(", ")", ")(", "([)]", "(()", "(}", "())("):
        assert not tasks.is_balanced(text)
    assert tasks.bracket_depth("((()))") == 3 and tasks.bracket_depth(")))") == 0


def test_all_balanced_strings_are_equally_likely():
    task = tasks.brackets(7000, 4, balanced=1, rng=0)
    counts = Counter(task.texts)
    assert len(counts) == 14, "the Catalan number of 4"
    assert all(close_to(count / 7000, 1 / 14, 7000) for count in counts.values())
    of_depth_3 = tasks.brackets(5000, 4, depth=3, balanced=1, rng=0)
    counts = Counter(of_depth_3.texts)
    expected = {
        t
        for t in map("".join, itertools.product("()", repeat=8))
        if tasks.is_balanced(t) and tasks.bracket_depth(t) == 3
    }
    assert set(counts) == expected and len(expected) == 5
    assert all(close_to(count / 5000, 1 / 5, 5000) for count in counts.values())


@pytest.mark.parametrize("negatives", ["hard", "random"])
@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_half_is_balanced_and_length_does_not_tell(kinds, negatives):
    task = tasks.brackets(3000, (2, 6), kinds=kinds, negatives=negatives, rng=0)
    assert task.y.sum() == 1500 and (task.y == task.extra["balanced"]).all()
    assert task.baselines["accuracy"] == 0.5
    for pairs in range(2, 7):
        share = (task.lengths[task.y == 1] == 2 * pairs).mean()
        assert close_to(share, 1 / 5, 1500)
        assert close_to((task.lengths[task.y == 0] == 2 * pairs).mean(), 1 / 5, 1500)
    kinds_seen = Counter("".join(t for t, good in zip(task.texts, task.y, strict=True) if good))
    assert len(kinds_seen) == 2 * kinds
    if negatives == "hard":
        counts = task.x.sum(axis=1)
        opened, closed = counts[:, 0::2], counts[:, 1::2]
        assert (opened == closed).all(), "counting brackets does not find the bad ones"


def test_a_turned_bracket_shows_in_the_counts():
    task = tasks.brackets(2000, (1, 6), kinds=2, negatives="turned", balanced=0, rng=0)
    counts = task.x.sum(axis=1)
    surplus = np.sort(np.abs(counts[:, 0::2] - counts[:, 1::2]), axis=1)
    assert (surplus == [0, 2]).all(), "one kind is two off, the other as it was"
    places = Counter(text for text in task.texts if len(text) == 2)
    assert set(places) == {"((", "))", "[[", "]]"} and min(places.values()) > 40


def test_several_sorts_of_negatives_are_equally_frequent():
    task = tasks.brackets(3000, (2, 6), negatives=("hard", "turned"), rng=0)
    counts = task.x.sum(axis=1)[task.y == 0]
    assert close_to((counts[:, 0] == counts[:, 1]).mean(), 1 / 2, 1500)


def test_a_single_pair_has_one_hard_negative():
    task = tasks.brackets(20, 1, rng=0)
    assert set(task.texts) == {"()", ")("}


def test_depth_is_as_asked():
    task = tasks.brackets(2000, (1, 9), depth=(2, 4), kinds=2, balanced=1, rng=0)
    assert (task.extra["depth"] == [tasks.bracket_depth(t) for t in task.texts]).all()
    depths = Counter(task.extra["depth"].tolist())
    assert set(depths) == {2, 3, 4} and min(task.lengths) == 4
    assert min(depths.values()) > 400
    only = tasks.brackets(50, (1, 9), depth=9, balanced=1, rng=0)
    assert set(only.texts) == {"(" * 9 + ")" * 9}


def test_long_brackets():
    task = tasks.brackets(4, 300, rng=0)
    assert task.x.shape == (4, 600, 2)
    assert [tasks.is_balanced(text) for text in task.texts] == task.y.astype(bool).tolist()


def test_labels_of_steps():
    task = tasks.brackets(1, 3, depth=3, balanced=1, label="step", rng=0)
    assert task.texts == ("((()))",) and task.y.tolist() == [[1, 1, 1, 1, 1, 2]]
    spoilt = tasks.brackets(200, (1, 5), kinds=2, label="step", balanced=0, rng=0)
    for row, length in zip(spoilt.y, spoilt.lengths, strict=True):
        labels = row[:length].tolist()
        assert labels[-1] != 2 and labels == sorted(labels, key=lambda k: k == 0), "broken stays"


@pytest.mark.parametrize(("make", "letters"), [(tasks.anbn, "ab"), (tasks.anbncn, "abc")])
def test_counting_languages(make, letters):
    task = make([1, 4, 2])
    assert task.texts == tuple(f"S{''.join(c * n for c in letters)}T" for n in (1, 4, 2))
    assert task.extra["n"].tolist() == [1, 4, 2]
    assert (task.lengths == 1 + len(letters) * np.array([1, 4, 2])).all()
    assert (task.legal.sum(axis=-1) == 2).sum(axis=1).tolist() == [1, 4, 2], "a fork at every a"
    assert make(3).texts == make(range(3, 4)).texts


def test_sums():
    task = tasks.addition(4000, (1, 3), rng=0)
    sizes, operands = Counter(), []
    for (source, target), total, carry in zip(
        task.texts, task.extra["total"], task.extra["carries"], strict=True
    ):
        a, b = source.rstrip("=").split("+")
        assert int(a) + int(b) == total and target == f"{total}."
        assert str(int(a)) == a and str(int(b)) == b, "no leading zero"
        sizes.update([len(a), len(b)])
        operands += [int(a), int(b)]
        assert carry > 0 or int(a[-1]) + int(b[-1]) < 10
    assert all(close_to(sizes[k] / 8000, 1 / 3, 8000) for k in (1, 2, 3))
    assert set(range(100)) < set(operands) and 990 < max(operands) < 1000
    assert task.baselines["accuracy"] == max(Counter(task.extra["total"].tolist()).values()) / 4000


def test_the_answer_backwards():
    plain, back = tasks.addition(50, 3, rng=0), tasks.addition(50, 3, reverse=True, rng=0)
    for (a, b), (c, d) in zip(plain.texts, back.texts, strict=True):
        assert a == c and b[:-1] == d[-2::-1]


def test_carries_counted_by_hand():
    rng = np.random.default_rng(0)
    a, b = rng.integers(10 ** rng.integers(1, 18, size=(500, 2))).T
    for x, y, found in zip(a.tolist(), b.tolist(), tasks.carries(a, b).tolist(), strict=True):
        count = carry = 0
        for p, q in itertools.zip_longest(str(x)[::-1], str(y)[::-1], fillvalue="0"):
            carry = int(int(p) + int(q) + carry >= 10)
            count += carry
        assert count == found
    largest = 10**18 - 1
    assert tasks.carries(largest, largest) == 18
    assert tasks.add_by_hand(f"{largest}+1=") == str(10**18)
