"""The benchmarks at a tiny size: all contestants compute the same, each suite runs, the files say what they must."""

import json
import re
from itertools import product

import numpy as np
import pytest

from benchmarks import choices, memory, modes, plan, record, suites, timing
from benchmarks.__main__ import main, parser
from benchmarks.contestants import Problem, build
from tests.helpers import TOLERANCE, distance

TINY = plan.Size(2, 5, 3, 4)
NAMES = {name for suite in plan.SPEED.values() for case in suite for name in case.contestants}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["training", "inference"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_all_contestants_compute_the_same(cell, mode, dtype):
    problem = Problem(cell, TINY, dtype, mode, {})
    expected = build(plan.REFERENCE, problem)()
    assert len(expected) == (4 if mode == "training" else 1)
    names = NAMES if cell == "LSTM" else set(plan.ENGINES)
    for name in sorted(names):
        step = build(name, problem)
        step()
        again = step()  # gradients must not add up from step to step
        for ours, theirs in zip(again, expected, strict=True):
            bound = TOLERANCE[getattr(np, dtype)]
            assert str(ours.dtype).endswith(dtype)
            assert distance(ours, theirs) <= bound, name


def test_checkpoints_change_memory_and_not_numbers():
    plain = build("numpy", Problem("LSTM", TINY, "float64", "training", {}))()
    options = {"checkpoint_every": 2}
    spare = build("numpy", Problem("LSTM", TINY, "float64", "training", options))()
    assert all(distance(a, b) <= 1e-15 for a, b in zip(plain, spare, strict=True))


@pytest.fixture
def weighed(monkeypatch):
    """Measurements of memory without processes: 100 MiB the reference, 120 ours, less with checkpoints."""
    calls = []

    def in_new_process(contestant, size, options):
        calls.append((contestant, size, options))
        every = options.get("checkpoint_every")
        return 100.0 if contestant == plan.REFERENCE else 120.0 - (every or 0)

    monkeypatch.setattr(memory, "in_new_process", in_new_process)
    return calls


def test_one_command_runs_every_suite(tmp_path, capsys, weighed):
    arguments = ["--sizes", "1x3x2x4", "2x3x2x4", "--seconds", "0", "--rounds", "2"]
    main([*arguments, "--repeats", "2", "--out", str(tmp_path)])
    assert {path.stem for path in tmp_path.iterdir()} == set(plan.SUITES)
    said = capsys.readouterr().out
    assert said.rstrip().splitlines()[-1].startswith("Measured in ")
    for suite in plan.SUITES:
        stored = json.loads((tmp_path / f"{suite}.json").read_text("utf-8"))
        assert stored["suite"] == suite
        assert stored["command"].startswith("python -m benchmarks --sizes 1x3x2x4 2x3x2x4")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", stored["date"])
        assert stored["machine"]["cpu"] and stored["machine"]["cores"] >= 1
        assert {"python", "numpy", "torch", "blas of numpy"} <= stored["versions"].keys()
        for row in stored["rows"]:
            assert row["threads"] == (2 if suite == "threads" else 1)
            if suite != "memory":
                assert 0 < row["ratio"]["q1"] <= row["ratio"]["median"] <= row["ratio"]["q3"]
                assert row["ratio"]["rounds"] == 2
                assert row["milliseconds"]["ours"] > 0
            if suite in ("memory", "checkpoint"):
                assert row["size"] == [2, 3, 2, 4], "the largest"
                assert row["memory"]["ratio"] == row["memory"]["mib"] / 100
        expected = {
            "memory": len(plan.MEMORY),
            "checkpoint": len(plan.CHECKPOINTS),
        }.get(suite) or 2 * sum(len(case.contestants) for case in plan.SPEED.get(suite, ()))
        assert len(stored["rows"]) == expected
    every = [row["checkpoint_every"] for row in stored["rows"]]
    assert every == list(plan.CHECKPOINTS), "the last file is that of the checkpoints"
    assert {size for _, size, _ in weighed} == {plan.Size(2, 3, 2, 4)}


def test_memory_is_held_to_its_goal_at_the_largest_size_alone(weighed):
    for size, held in ((plan.SIZES[-1], True), (TINY, False)):
        options = parser().parse_args(["--sizes", str(size)])
        options.repeats = 1
        goals = {row["contestant"]: row["goal"] for row in suites.run("memory", options)}
        of_ours = plan.MEMORY_GOAL._asdict() if held else None
        assert goals == {"numpy": of_ours, "torch-fused": of_ours, "torch-loop": None}


def test_goals_are_those_of_the_table():
    training, inference, double, _ = plan.SPEED["lstm"]
    of_numpy = [plan.goal(training, "numpy", size) for size in plan.SIZES]
    assert [tuple(goal) for goal in of_numpy] == [
        (1.2, 1.25), (1.6, 1.25), (1.6, 1.25), (1.2, 1.0), (1.2, 1.0),
    ]  # fmt: skip
    assert {plan.goal(inference, "numpy", size) for size in plan.SIZES} == {(1.9, 1.3)}
    assert {plan.goal(training, "torch-fused", size) for size in plan.SIZES} == {(1.7, 1.2)}
    assert [plan.goal(double, "numpy", size) is None for size in plan.SIZES] == 3 * [False] + 2 * [
        True
    ]
    assert plan.goal(plan.SPEED["gru"][0], "numpy", plan.SIZES[0]) == (1.0, None)
    for suite, name in (("rnn", "numpy"), ("threads", "numpy"), ("scale", "tutorial")):
        assert plan.goal(plan.SPEED[suite][0], name, plan.SIZES[0]) is None


def test_a_goal_that_is_missed_is_said(capsys):
    row = suites.head(Problem("LSTM", TINY, "float32", "training", {}), 1, "numpy")
    row |= {"goal": {"must": 1.2, "aim": 1.0}, "ratio": {"median": 1.3, "q1": 1.2, "q3": 1.4}}
    suites.say(row)
    suites.say(row | {"ratio": {"median": 1.2, "q1": 1.2, "q3": 1.4}})
    missed, met = capsys.readouterr().out.splitlines()
    assert missed.endswith("1.30 (1.20 to 1.40)  goal 1.2  MISSED")
    assert met.endswith("1.20 (1.20 to 1.40)  goal 1.2")


def test_contestants_take_turns():
    calls = []
    functions = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    times = timing.interleaved(functions, seconds=0, least_rounds=4)
    assert {name: len(of) for name, of in times.items()} == dict.fromkeys("abc", 4)
    assert "".join(calls) == "abcabc" + "abc" + "bca" + "cab" + "abc"


def test_more_time_means_more_rounds():
    functions = {"a": lambda: None}
    assert len(timing.interleaved(functions, seconds=5, least_rounds=1)["a"]) == timing.MOST_ROUNDS


def test_ratios_are_taken_round_by_round():
    times = {"ours": [2.0, 30.0, 5.0], "theirs": [1.0, 10.0, 5.0]}
    found = timing.ratios(times, "ours", "theirs")
    assert found == {"median": 2.0, "q1": 1.5, "q3": 2.5, "rounds": 3}
    assert timing.quartiles([7.0]) == (7.0, 7.0, 7.0)


def test_both_libraries_get_the_same_threads():
    import torch
    from threadpoolctl import threadpool_info

    before = torch.get_num_threads()
    with timing.threads(1):
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == before


def test_memory_of_a_step_is_measured_in_its_own_process():
    """The forward pass alone keeps five blocks of (T, B, H); twenty times that would be a mistake."""
    size = plan.Size(32, 100, 16, 128)
    block = size.batch * size.steps * size.hidden * 4 / 2**20
    assert 5 * block < memory.in_new_process("numpy", size, {}) < 100 * block


def test_what_cannot_be_measured_is_said(monkeypatch):
    with pytest.raises(RuntimeError, match="measuring nobody failed"):
        memory.in_new_process("nobody", TINY, {})
    done = type("Done", (), {"returncode": 0, "stdout": "0.0", "stderr": ""})
    monkeypatch.setattr(memory.subprocess, "run", lambda *a, **k: done)
    with pytest.raises(RuntimeError, match="a step of 2x5x3x4 fits into memory"):
        memory.in_new_process("numpy", TINY, {})


def test_more_threads_than_cores_are_left_out(monkeypatch, capsys):
    monkeypatch.setattr(suites.os, "cpu_count", lambda: 1)
    assert suites.run("threads", parser().parse_args([])) == []
    assert "fewer than 2 cores" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "1x2x3"], "a size is BxTxIxH, four positive integers"),
        (["--sizes", "1x2x3x0"], "got '1x2x3x0'"),
        (["--only", "everything"], "invalid choice"),
    ],
)
def test_bad_arguments_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_the_stored_results_are_complete():
    """What the book shows: every suite of a processor that is stored holds every row of its plan."""
    for path in record.RESULTS.glob("*.json"):
        if path.stem.startswith("gpu-"):
            continue
        stored = json.loads(path.read_text("utf-8"))
        rows = stored["rows"]
        assert "--quick" not in stored["command"] and "--sizes" not in stored["command"], path.name
        if path.stem in plan.SPEED:
            found = {(r["dtype"], r["mode"], r["contestant"], tuple(r["size"])) for r in rows}
            assert found == {
                (case.dtype, case.mode, name, size)
                for case in plan.SPEED[path.stem]
                for name in case.contestants
                for size in plan.SIZES
            }, path.name
        elif path.stem in plan.SUITES:
            assert {tuple(row["size"]) for row in rows} == {plan.SIZES[-1]}, path.name
        elif path.stem == choices.SUITE:
            found = {(r["cell"], r["mode"], tuple(r["size"])) for r in rows}
            wanted = product(("LSTM", "GRU", "RNN"), ("training", "inference"), choices.SIZES)
            assert found == set(wanted), path.name
        elif path.stem.startswith("modes-"):
            names = (*modes.NAMES[path.stem.removeprefix("modes-")], plan.REFERENCE)
            found = {(r["mode"], r["contestant"]) for r in rows}
            assert found == set(product(("autocast", "compile"), names)), path.name


def test_what_auto_rests_on_is_measured_by_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(choices, "SIZES", (TINY,))
    choices.main(["--seconds", "0", "--out", str(tmp_path)])
    stored = json.loads((tmp_path / f"{choices.SUITE}.json").read_text("utf-8"))
    assert len(stored["rows"]) == 6 and all(row["ratio"]["median"] > 0 for row in stored["rows"])


def test_autocast_is_measured_for_every_backend(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(modes, "AUTOCAST", TINY)
    monkeypatch.setattr(modes, "NAMES", {"cpu": ("loop", "fused", "triton"), "cuda": ()})
    modes.main(["--seconds", "0", "--only", "autocast", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "modes-cpu.json").read_text("utf-8"))["rows"]
    assert [row["contestant"] for row in rows] == ["loop", "fused", "triton", "torch.nn"]
    assert rows[1]["error"]["output"] < 1e-6 and "refusal" in rows[2]
