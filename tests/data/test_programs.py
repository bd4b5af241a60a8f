"""Programs: what they print, how hard they are, and what the interpreter refuses to run."""

import ast
import contextlib
import io
import re
from collections import Counter

import numpy as np
import pytest

from lstm_lib.data.tasks import Curriculum, fold, programs, run_program


def printed_by_python(text):
    """What Python itself prints; the text is one of the generator's own."""
    assert not set(text) - set("0123456789+-*=<>():\n abcdefghijklmnopqrstuvwxyz")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(text, {"__builtins__": {"print": print, "range": range}})
    return out.getvalue().strip()


@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (4, 3), (9, 2), (2, 25), (3, 8)])
def test_python_prints_the_same(length, nesting):
    task = programs(400, length, nesting, rng=0)
    for source, target in task.texts:
        assert source.endswith("?") and printed_by_python(source[:-1]) + "." == target
        assert run_program(source[:-1]) == int(target[:-1])


def test_all_operations_come_and_numbers_have_the_length():
    task = programs(2000, 3, 3, rng=0)
    text = "\n".join(source for source, _ in task.texts)
    for sign in ("for x in range(", "+=", "-=", " if ", "<", ">", "*", ")+", "="):
        assert sign in text
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    assert max(numbers) <= 999 and max(len(str(n)) for n in numbers) == 3
    rounds = {int(k) for k in re.findall(r"range\((\d+)\)", text)}
    assert rounds == set(range(1, 13)), "from 1 to four times the length"
    assert any(target.startswith("-") for _, target in task.texts)
    lines = [source.count("for") for source, _ in task.texts]
    assert max(lines) <= 3 and "  " not in text, "no loop in a loop"
    assert len(set(task.texts)) > 1990


def test_nesting_counts_operations():
    for nesting in (1, 2, 5):
        for source, _ in programs(200, 2, nesting, rng=1).texts:
            loops = len(re.findall("for x", source))
            signs = len(re.findall(r"[+*-](?!=)", source)) + len(re.findall(" if ", source))
            assignments = len(re.findall(r"^[a-z]=", source, re.MULTILINE)) - loops
            assert loops + signs + assignments == nesting


def test_the_baseline_is_the_most_frequent_character():
    task = programs(300, 4, 2, rng=0)
    characters = Counter("".join(target for _, target in task.texts))
    most = characters.most_common(1)[0][1]
    assert task.baselines["accuracy"] == pytest.approx(most / characters.total())


def test_the_curricula():
    rng = np.random.default_rng(0)
    assert {Curriculum("none", 4, 3).draw(rng) for _ in range(50)} == {(4, 3)}
    mix = Counter(Curriculum("mix", 4, 3).draw(rng) for _ in range(2400))
    assert set(mix) == {(a, b) for a in range(1, 5) for b in range(1, 4)}
    assert min(mix.values()) > 130
    naive = Curriculum("naive", 3, 2)
    levels = [naive.draw(rng)]
    while not naive.finished:
        naive.advance()
        levels.append(naive.draw(rng))
    assert levels == [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)]
    naive.advance()
    assert naive.level == (3, 2), "there is nothing beyond the last level"
    combined = Counter(Curriculum("combined", 4, 3).draw(rng) for _ in range(2400))
    assert 1200 < combined[1, 1] < 1400 and len(combined) == 12
    assert Curriculum("mix", 4, 3).finished and Curriculum("none", 4, 3).finished


def test_programs_follow_their_curriculum():
    curriculum = Curriculum("naive", 5, 4)
    task = programs(50, curriculum=curriculum, rng=0)
    assert set(task.extra["length"]) == set(task.extra["nesting"]) == {1}
    assert all(int(n) < 10 for s, _ in task.texts for n in re.findall(r"(?<![-+*])\b\d+", s))
    mixed = programs(300, curriculum=Curriculum("mix", 5, 4), rng=0)
    assert set(mixed.extra["length"]) == {1, 2, 3, 4, 5}
    assert set(mixed.extra["nesting"]) == {1, 2, 3, 4}


@pytest.mark.parametrize("strategy", ["none", "mix"])
def test_a_curriculum_without_levels_stays(strategy):
    curriculum = Curriculum(strategy, 2, 2)
    curriculum.reach(0)
    assert curriculum.level == (2, 2)


@pytest.mark.parametrize("strategy", ["naive", "combined"])
def test_levels_but_the_last_take_equally_long(strategy):
    curriculum, levels = Curriculum(strategy, 3, 2), []
    for k in range(12):
        curriculum.reach(k / 10)
        levels.append(curriculum.level)
    short = [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)]
    assert levels == [level for level in short for _ in range(2)] + [(3, 2)] * 2
    assert curriculum.finished
    curriculum.reach(0)
    assert curriculum.level == (1, 1), "nothing is remembered"


def renamed(text):
    """The same program with its names moved on by one letter, x left alone."""
    return re.sub(r"\b[a-v]\b", lambda name: chr(ord(name[0]) + 1), text)


def exchanged(text, swap=True):
    """The same program with operands and sides of comparisons exchanged where that changes nothing."""
    return "\n".join(_written(line, swap) for line in ast.parse(text).body)


def _written(node, swap):
    match node:
        case ast.Expr(ast.Call(args=[argument])):
            return f"print({_written(argument, swap)})"
        case ast.Assign([name], value):
            return f"{name.id}={_written(value, swap)}"
        case ast.AugAssign(name, operation, value):
            return f"{name.id}{SIGNS[type(operation)]}={_written(value, swap)}"
        case ast.For(name, ast.Call(args=[count]), [line]):
            rounds = _written(count, swap)
            return f"for {name.id} in range({rounds}):\n {_written(line, swap)}"
        case ast.BinOp(left, operation, right):
            sides = [_written(left, swap), _written(right, swap)]
            sides = sides[::-1] if swap and not isinstance(operation, ast.Sub) else sides
            return f"({SIGNS[type(operation)].join(sides)})"
        case ast.IfExp(ast.Compare(left, [comparison], [right]), yes, no):
            yes, left, right, no = (_written(part, swap) for part in (yes, left, right, no))
            less = isinstance(comparison, ast.Lt)
            test = f"{right}{'<>'[less]}{left}" if swap else f"{left}{'><'[less]}{right}"
            return f"({yes} if {test} else {no})"
    return ast.unparse(node)


SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


def test_twins_are_in_the_same_fold():
    different = 0
    for source, _ in programs(400, 2, 3, rng=3).texts:
        text = source[:-1].replace("w", "a")
        assert exchanged(text, swap=False) == text
        twin = exchanged(renamed(text))
        assert run_program(twin) == run_program(text)
        assert fold(twin, 1000) == fold(text, 1000)
        different += twin != text
    assert different > 350


def test_folds_are_of_about_one_size_and_stay_what_they_are():
    folds = Counter(fold(source[:-1]) for source, _ in programs(3000, 2, 3, rng=0).texts)
    assert set(folds) == set(range(10)) and 230 < min(folds.values()) <= max(folds.values()) < 380
    assert [fold(f"print(({k}+7))") for k in range(10, 16)] == [5, 9, 4, 6, 6, 4]
    assert fold("print(1)", 1) == 0


def test_only_what_is_to_be_kept_is_drawn():
    task = programs(
        200, curriculum=Curriculum("mix", 2, 2), keep=lambda text: fold(text) == 3, rng=0
    )
    assert {fold(source[:-1]) for source, _ in task.texts} == {3}
    free = programs(200, curriculum=Curriculum("mix", 2, 2), rng=0)
    assert {fold(source[:-1]) for source, _ in free.texts} == set(range(10))
    assert len(task) == 200 and (task.extra["length"] <= 2).all()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("print(0)", 0),
        ("print((1-2))", -1),
        ("a=3\nprint(a)", 3),
        ("a=3\na*=2\nprint(a)", 6),
        ("print((1 if 2<2 else 3))", 3),
        ("print((1 if 3>2 else 3))", 1),
        ("a=0\nfor x in range(4):\n a+=x\nprint(a)", 6),
        ("for x in range(0):\n a=1\nprint(2)", 2),
    ],
)
def test_small_programs(text, value):
    assert run_program(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must end with one print"),
        ("a=1", "must end with one print"),
        ("print(1, 2)", "must end with one print"),
        ("a=1\na=1", "must end with one print"),
        ("print((1)", "not a program"),
        ("a=9\nfor x in range(99):\n a*=a\nprint(a)", "more than 100 digits"),
        ("print(" + "1+" * 5000 + "1)", "not a program"),
        ("print(1)\nprint(2)", "this language has no Call"),
        ("print(a)", "name 'a' has no value"),
        ("print(__import__('os').system('true'))", "this language has no Call"),
        ("import os\nprint(1)", "this language has no Import"),
        ("print(().__class__)", "this language has no Attribute"),
        ("print(2**999999999)", "this language has no Pow"),
        ("print('a'*9)", "this language has no Constant"),
        ("print(True)", "this language has no Constant"),
        ("print(1.5)", "this language has no Constant"),
        ("print([1])", "this language has no List"),
        ("print((1 if 1<=2 else 3))", "this language has no LtE"),
        ("print((1 if 1 else 3))", "this language has no IfExp"),
        ("a=1\na//=2\nprint(a)", "this language has no FloorDiv"),
        ("while 1:\n a=1\nprint(1)", "this language has no While"),
        ("for x in range(10001):\n a=1\nprint(a)", "more than 10,000 rounds"),
        ("for x in range(3):\n a=1\nelse:\n a=2\nprint(a)", "this language has no For"),
        ("(a)=(1\nprint(1)", "not a program"),
        ("print(" + "(" * 500 + "1" + ")" * 500 + ")", "not a program"),
        ("print(1)\x00", "null bytes"),
    ],
)
def test_what_the_interpreter_refuses(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run_program(text)
