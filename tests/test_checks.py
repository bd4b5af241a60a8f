"""Each property holds for right code on many draws, and wrong code is told what is wrong with it."""

import numpy as np
import pytest

from lstm_lib import checks, equations
from lstm_lib.checks import CheckFailed

SEEDS = range(20)


def said(check, *arguments, **options):
    """The message of a check that fails."""
    with pytest.raises(CheckFailed) as failed:
        check(*arguments, **options)
    return str(failed.value)


def lstm_step(*inputs):
    return tuple(equations.lstm_step(*inputs)[:2])


def step_backward(dh, dc, *inputs):
    x, h, c, weight_ih, weight_hh, _ = inputs
    step = equations.lstm_step(*inputs)
    return equations.lstm_step_backward(dh, dc, step, x, h, c, weight_ih, weight_hh)


def changed(**factors):
    """The step's backward pass with some of its gradients multiplied."""

    def backward(*inputs):
        right = step_backward(*inputs)._asdict()
        return tuple(factors.get(name, 1) * np.array(value) for name, value in right.items())

    return backward


def stub(*inputs):
    raise NotImplementedError("write stub")


def vector(rng):
    return {"x": rng.normal(size=checks.sizes(rng, 1)[0])}


STEP = {"names": ("h_t", "c_t"), "mistakes": checks.lstm_mistakes()}


# -- same_as


def test_the_reference_agrees_with_itself():
    for seed in SEEDS:
        checks.same_as(lstm_step, lstm_step, checks.lstm_inputs, seed=seed, trials=1, **STEP)


@pytest.mark.parametrize("mistake", STEP["mistakes"])
def test_every_known_mistake_is_named(mistake):
    wrong = STEP["mistakes"][mistake]
    text = said(checks.same_as, wrong, lstm_step, checks.lstm_inputs, **STEP)
    assert f"This is what comes out when {mistake}." in text
    assert "h_t is wrong" in text and "seed=" in text


def test_what_is_right_and_what_is_wrong_is_told_apart():
    def wrong(*inputs):
        h, c = lstm_step(*inputs)
        return h, 2 * c

    text = said(
        checks.same_as,
        wrong,
        lstm_step,
        checks.lstm_inputs,
        seed=4,
        read=("chapter 4", "A"),
        **STEP,
    )
    assert text.startswith("wrong: c_t is wrong") and "Right: h_t." in text
    assert "Everything is 2 times what it should be." in text
    assert "Read again: “A” in chapter 4." in text
    h, c = checks.lstm_inputs(np.random.default_rng(4))["h"].shape
    assert f"h ({h}, {c})" in text and "seed=4." in text


def test_the_seed_of_a_message_repeats_its_numbers():
    text = said(checks.same_as, np.sin, np.tanh, vector)
    seed = int(text.split("seed=")[1].rstrip("."))
    assert said(checks.same_as, np.sin, np.tanh, vector, seed=seed) == text


def test_inputs_of_all_kinds_are_described():
    inputs = {"s": "a" * 50, "d": {"a": 1.5}, "f": np.tanh, "long": list(range(99)), "o": object()}
    text = said(checks.agrees_with_hand, lambda *a: 1, inputs, 2)
    assert "{'a': 1.5}" in text and "f (a function)" in text and "o (object)" in text
    assert "a list of length 99" in text and "..." in text


def test_a_mistake_that_raises_is_passed_over():
    mistakes = {"it breaks": lambda x: x / [], "it is a sine": np.sin}
    text = said(checks.same_as, np.sin, np.tanh, vector, mistakes=mistakes)
    assert "This is what comes out when it is a sine." in text


def test_inputs_are_drawn_anew():
    texts = {said(checks.same_as, np.sin, np.tanh, vector) for _ in range(5)}
    assert len(texts) == 5


def test_the_gate_is_named():
    def preactivation(*inputs):
        a = np.array(equations.lstm_preactivation(*inputs))
        size = a.shape[1] // 4
        a[:, size : 2 * size] += 1
        return a

    def draw(rng):
        drawn = checks.lstm_inputs(rng)
        return {name: value for name, value in drawn.items() if name != "c"}

    text = said(
        checks.same_as,
        preactivation,
        equations.lstm_preactivation,
        draw,
        names="a",
        blocks={"a": (1, "ifgo")},
    )
    assert "all of them in the forget gate f." in text


WRONG_FORMS = {
    "None: is a `return` missing": lambda x: None,
    "where a tuple of 2 (mean, deviation) is wanted": lambda x: x.mean(0),
    "has 1 parts, 2 (mean, deviation) are wanted": lambda x: (x.mean(0),),
    "mean is None": lambda x: (None, x.std(0)),
    "mean is a list (as an array it would have the shape": lambda x: (x.mean(0).tolist(), x.std(0)),
    "mean is a list of parts of different shapes": lambda x: ([[1.0], [1.0, 2.0]], x.std(0)),
    "mean is the number": lambda x: (x.mean(), x.std(0)),
    "An axis is left that should have been summed over": lambda x: (x, x.std(0)),
    "It has an axis of length 1 too many": lambda x: (x.mean(0, keepdims=True), x.std(0)),
    "deviation is not finite": lambda x: (x.mean(0), x.std(0) / 0),
    "= NaN": lambda x: (x.mean(0), x.std(0) * np.nan),
    "mean holds integers": lambda x: (x.mean(0).astype(int), x.std(0)),
    "mean holds complex numbers": lambda x: (x.mean(0) + 0j, x.std(0)),
    "mean is the string 'a'": lambda x: ("a", x.std(0)),
    "raised an error:\n  ValueError": lambda x: (np.zeros(3) @ np.zeros(4), x.std(0)),
}


@pytest.mark.filterwarnings("ignore:divide:RuntimeWarning")
@pytest.mark.parametrize("text", WRONG_FORMS)
def test_each_wrong_form_has_its_own_message(text):
    def moments(x):
        return x.mean(0), x.std(0)

    def draw(rng):
        return {"x": rng.normal(size=checks.sizes(rng, 2))}

    names = ("mean", "deviation")
    assert text in said(checks.same_as, WRONG_FORMS[text], moments, draw, names=names)


@pytest.mark.parametrize(
    ("got", "want", "text"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, "lacks 'b'"),
        ({"a": 1, "b": 2}, {"a": 1}, "has 'b', which nobody asked for"),
        (3, {"a": 1}, "a dict with the keys 'a' is wanted"),
        (None, {"a": 1}, "is None"),
        ({"a": 1}, {"a": 2}, "a is 1, it should be 2"),
        ("cat", "dog", "is 'cat', it should be 'dog'"),
        (5, "dog", "where a string is wanted"),
        (["a", "c"], ["a", "b"], "wrong from place 1 on: 'c', it should be 'b'"),
        (["a"], ["a", "b"], "has the length 1, 2 is wanted"),
        ([["a"], ["b"]], ["a", "b"], "nested too deep"),
        (4, [1, 2], "where a list of length 2 is wanted"),
        ([[1], [3]], [[1], [2, 3]], "has the length 1, 2 is wanted"),
        (np.array([2.0]), 2.0, "Take its only entry"),
        (np.ones(3), 2.0, "Is a sum or a mean missing?"),
        ([2.0], 2.0, "where a single number is wanted"),
        (1, None, "where nothing (None) is wanted"),
        (np.array([0.0, 1.0]), np.array([0, 1]), "where integers (such as indices) are wanted"),
        (np.array([0, 1]), np.array([False, True]), "where booleans"),
        (np.ones((2, 3)), np.ones((3, 2)), "It is transposed"),
        (np.ones((2, 3, 4)), np.ones((3, 2, 4)), "in another order"),
        (np.array([{}, 1]), np.ones(2), "Python objects"),
        (np.array([1.0, 2.5]), np.array([1.0, 2.0]) + 0.1, "wrong in 2 of 2"),
        (np.array([2.0, 3.0]), np.array([1.0, 2.0]), "Everything is shifted by 1"),
        (np.arange(4.0) + 1, np.arange(4.0)[::-1] + 1, "in reverse order"),
        (np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 3], [2, 4]]), "It is transposed"),
        (np.zeros(3), np.arange(3.0), "All your entries are 0"),
        (-np.arange(3.0), np.arange(3.0), "Everything has the wrong sign"),
        (np.ones(3), np.ones((3, 2)), "An axis is missing"),
        (np.ones((3, 2)), np.ones((4, 5)), "has the shape (3, 2), it should be (4, 5)."),
        (np.array(["a"]), np.array([1.0]), "holds <U1, where float64 is wanted"),
        (np.array(["a"]), np.array(["b"]), "holds other entries"),
        (np.array([1.0]), np.array([np.inf]), "wrong in 1 of 1"),
        (lambda: 3, 2.0, "is a function, where a single number is wanted"),
        ([1.0, "a" * 90], [1.0], "a list of length 2"),
        (np.ones(3), np.array([1.0, 1.0, np.inf]), "it should be inf"),
        (np.array([1.0, 2.0]), np.array([1j, 2.0]), "wrong in 1 of 2"),
    ],
)
def test_results_of_every_kind_are_compared(got, want, text):
    assert text in said(checks.agrees_with_hand, lambda: got, {}, want)
    checks.agrees_with_hand(lambda: want, {}, want)


def test_small_differences_of_kind_are_let_pass():
    for got, want in ((3, 3.0), (3.0, 3), (np.arange(3), np.arange(3.0)), ((1, 2), [1, 2])):
        checks.agrees_with_hand(lambda got=got: got, {}, want)
    checks.agrees_with_hand(lambda: np.array([-np.inf, 1.0]), {}, np.array([-np.inf, 1.0]))
    checks.agrees_with_hand(lambda: np.arange(2), {}, [0, 1])


def test_a_stub_is_not_written_yet():
    cases = {"nothing": {"x": 1}}
    for check, arguments in (
        (checks.same_as, (lstm_step, checks.lstm_inputs)),
        (checks.gradient, (lstm_step, checks.lstm_inputs)),
        (checks.keeps_the_cell, (checks.lstm_inputs,)),
        (checks.sums_to_one, (vector,)),
        (checks.stable, (vector, "x")),
        (checks.refuses, (cases,)),
        (checks.agrees_with_hand, ({"x": 1}, 1)),
    ):
        assert said(check, stub, *arguments).startswith("stub is not written yet")


def test_what_the_students_function_raises_is_told_and_kept():
    class TooSmall(ValueError):
        pass

    def small(*inputs):
        raise TooSmall("x is too small")

    text = said(checks.same_as, small, np.tanh, vector)
    assert text.startswith("small raised an error:\n  TooSmall: x is too small\n")
    checks.refuses(small, {"a zero": {"x": 0}})
    assert "raised TooSmall (x is too small); it should raise a KeyError" in said(
        checks.refuses, small, {"a zero": {"x": 0}}, error="KeyError"
    )
    with pytest.raises(CheckFailed) as failed:
        checks.same_as(small, np.tanh, vector)
    assert isinstance(failed.value.__cause__, TooSmall)


def test_what_is_no_function_is_said():
    assert "a function is wanted" in said(checks.same_as, 3, np.tanh, vector)
    assert "a function is wanted" in said(checks.agrees_with_hand, None, {}, 3)


def test_a_draw_that_is_no_dict_is_the_authors_error():
    with pytest.raises(TypeError, match="draw must return a dict"):
        checks.same_as(np.tanh, np.tanh, lambda rng: 3)


# -- gradient


def test_right_gradients_pass_in_every_form():
    for seed in SEEDS:
        checks.gradient(step_backward, lstm_step, checks.lstm_inputs, seed=seed, trials=1)

    def by_name(*inputs):
        return step_backward(*inputs)._asdict()

    def of_one(dh, dc, *inputs):
        return step_backward(dh, dc, *inputs).c

    checks.gradient(by_name, lstm_step, checks.lstm_inputs, by=["c", "weight_hh"])
    checks.gradient(of_one, lstm_step, checks.lstm_inputs, by=["c"])
    checks.gradient(of_one, lstm_step, checks.lstm_inputs, by="c")
    checks.gradient(lambda x: 2 * x, lambda x: (x**2).sum(), vector)


def test_a_forward_pass_that_is_not_analytic_is_judged_by_differences():
    for seed in SEEDS:
        checks.gradient(np.sign, lambda x: np.abs(x).sum(), vector, seed=seed, trials=1)
    checks.gradient(lambda x: 2 * x, lambda x: float((x**2).sum()), vector)
    checks.gradient(lambda dy, x: 2 * x * dy, lambda x: (x**2,), vector)
    text = said(checks.gradient, lambda x: -np.sign(x), lambda x: np.abs(x).sum(), vector)
    assert "the central difference gives" in text


@pytest.mark.parametrize("name", ["x", "h", "c", "weight_ih", "weight_hh", "bias"])
@pytest.mark.parametrize(
    ("factor", "text"),
    [(-1, "wrong sign"), (0.5, "Everything is 0.5 times"), (0, "All your entries are 0")],
)
def test_the_wrong_gradient_is_named(name, factor, text):
    found = said(checks.gradient, changed(**{name: factor}), lstm_step, checks.lstm_inputs)
    assert f"the gradient by {name} is wrong." in found and text in found
    others = [n for n in ("x", "h", "c", "weight_ih", "weight_hh", "bias") if n != name]
    assert f"Right: the gradient by {', '.join(others)}." in found


def test_the_complex_step_finds_what_differences_would_miss():
    text = said(checks.gradient, changed(c=1 + 1e-6), lstm_step, checks.lstm_inputs)
    assert "the gradient by c is wrong" in text and "the complex step gives" in text


def test_the_gate_of_a_wrong_gradient_is_named():
    def backward(*inputs):
        right = step_backward(*inputs)
        size = right.c.shape[1]
        right.weight_hh[size : 2 * size] *= 1.5
        return tuple(right)

    blocks = {"weight_hh": (0, "ifgo")}
    text = said(
        checks.gradient, backward, lstm_step, checks.lstm_inputs, blocks=blocks, entries=200
    )
    assert "weight_hh is wrong, in the forget gate f alone." in text
    every = said(
        checks.gradient, changed(weight_hh=2), lstm_step, checks.lstm_inputs, blocks=blocks
    )
    assert "alone" not in every


@pytest.mark.parametrize(
    ("backward", "text"),
    [
        (lambda *a: None, "returned None"),
        (lambda *a: 3, "where a tuple of 6 gradients"),
        (lambda *a: tuple(step_backward(*a))[:5], "returned 5 gradients"),
        (lambda *a: {"x": 1}, "gives no gradient by h, c, weight_ih"),
        (lambda *a: (None, *step_backward(*a)[1:]), "the gradient by x is None"),
        (lambda *a: (step_backward(*a).x.tolist(), *step_backward(*a)[1:]), "x is a list"),
        (lambda *a: (step_backward(*a).x.T, *step_backward(*a)[1:]), "Yours is transposed"),
        (lambda *a: (*step_backward(*a)[:5], np.ones((2, 3))), "not yet summed over an axis"),
        (lambda *a: (step_backward(*a).x * np.inf, *step_backward(*a)[1:]), "x is not finite"),
    ],
)
def test_gradients_of_a_wrong_form_have_their_own_message(backward, text):
    assert text in said(checks.gradient, backward, lstm_step, checks.lstm_inputs)


def test_a_gradient_by_what_does_not_matter():
    def draw(rng):
        return {"x": rng.normal(size=3), "y": rng.normal(size=3)}

    text = said(checks.gradient, lambda x, y: (2 * x, y), lambda x, y: (x**2).sum(), draw)
    assert "the gradient by y is wrong" in text and "does not depend on this argument" in text


def test_the_author_is_told_of_a_wrong_name():
    with pytest.raises(TypeError, match="by must name"):
        checks.gradient(step_backward, lstm_step, checks.lstm_inputs, by=["q"])


# -- answer, variant


@pytest.mark.parametrize(
    ("given", "expected"),
    [(312, 312.0), (np.int64(312), 312), (np.array(1.5), 1.5), (True, True), (0, 0), (1e-9, 0)]
    + [("Input-Gate ", "input gate"), ([1, 2], (1, 2)), (np.array([1.0]), [1.0]), (["a"], ["A"])],
)
def test_right_answers(given, expected):
    checks.answer(given, expected)


@pytest.mark.parametrize(
    ("given", "expected", "text"),
    [
        (None, 1, "is not given yet"),
        (..., 1, "is not given yet"),
        ("  ", "f", "is not given yet"),
        (311, 312, "too small, by less than 1 %"),
        (330, 312, "too large, by less than 10 %"),
        (500, 312, "too large, by less than a factor of 2"),
        (100, 312, "too small, by more than a factor of 2"),
        (31200, 312, "too large, by more than a factor of 10"),
        (-312, 312, "the wrong sign"),
        (1, 0, "is too large"),
        (0, 3, "is too small"),
        (float("nan"), 3, "must be a finite number"),
        ("three", 3, "must be a number, not 'three'"),
        (True, 3, "must be a number, not True"),
        ([3], 3, "must be a number"),
        (1, True, "must be True or False"),
        (False, True, "is not right"),
        (3, "f", "must be a string"),
        ("i", "f", "is not right: 'i'"),
        ("q", "f", "must be one of 'i', 'f'"),
        ([1, 2, 4], [1, 2, 3], "right in 2 of 3 entries; the first wrong one is entry 2"),
        ([1], [1, 2], "has 1 entries, 2 are wanted"),
        (1, [1, 2], "must be a list of 2 entries"),
    ],
)
def test_wrong_answers(given, expected, text):
    options = ("i", "f") if isinstance(expected, str) else None
    found = said(
        checks.answer, given, expected, name="the count", options=options, read="chapter 4"
    )
    assert found.startswith("The count ") and text in found and "Read again: chapter 4." in found
    assert "312" not in found.replace("-312", "").replace("31200", "")


def test_the_wrong_answer_is_explained():
    mistakes = {"the biases are left out": 288, "only one gate is counted": 78}
    assert "when only one gate is counted." in said(checks.answer, 78, 312, mistakes=mistakes)
    assert "when" not in said(checks.answer, 79, 312, mistakes=mistakes)


def test_a_students_numbers_are_the_same_everywhere():
    assert checks.variant("ada-17") == checks.variant(" Ada-17") == 1943181062
    assert checks.variant(17) == checks.variant("17") != checks.variant("18")
    a, b, c = (checks.rng_for(s, q).random() for s, q in [("a", "1"), ("a", "1"), ("a", "2")])
    assert a == b != c
    with pytest.raises(ValueError, match="write your student id"):
        checks.variant("  ")
