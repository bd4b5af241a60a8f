"""The programs for a GPU, on a CPU: the gates hold and notice a fault, the benchmark runs, resumes and stops."""

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import device as devices
from benchmarks import (
    gpu,
    gpu_contestants,
    gpu_correctness,
    gpu_measure,
    gpu_plan,
    gpu_sanitizer,
    gpu_warm,
    record,
)
from lstm_lib import torch as T
from lstm_lib.torch import backends, cudnn, unrolled
from train import __main__ as train

SMALL = gpu_correctness.SMALL
BOTH = gpu_correctness.Case("LSTM", 3, 5, 2, 4, 1, 2, True)


@pytest.fixture(autouse=True)
def no_repeats(monkeypatch):
    monkeypatch.setattr(devices, "SMALLEST_TIMING", 0.0)


def run_gates(cases, backends, precisions):
    return gpu_correctness.Gates("cpu", cases, backends, precisions).run()


def test_the_gates_hold_on_a_cpu():
    rows = run_gates(SMALL[:1], ("loop", "fused"), ("fp64",))
    rows += run_gates(SMALL[3:4], ("loop", "fused"), ("fp32",))
    assert [row for row in rows if row["held"] is not True] == []
    assert {row["check"] for row in rows} == {"agree", "complex step", "same bits", "finite"}
    assert {row["backend"] for row in rows} == {"loop", "fused"}


def test_narrow_numbers_are_held_beside_those_of_torch_nn(monkeypatch):
    monkeypatch.setattr(gpu_correctness, "WIDE_SUMS", ("loop",))
    rows = run_gates((BOTH,), ("loop", "fused"), ("bf16",))
    assert {row["check"] for row in rows if row["backend"] == "loop"} == {
        "agree", "beside torch.nn", "same bits", "finite",
    }  # fmt: skip
    refused = [row for row in rows if row["held"] is None]
    assert refused and all("fused" in row["said"] for row in refused)


def test_the_loop_needs_its_room_in_16_bits_and_those_with_wide_sums_do_not(monkeypatch):
    problem = gpu_correctness.draw(gpu_correctness.LARGE[1], "bf16")
    exact = gpu_correctness.exact(problem)
    monkeypatch.setitem(backends._BACKENDS, "fused", unrolled)  # as on a GPU
    off = {
        name: gpu_correctness.largest(gpu_correctness.solve(problem, name, "bf16", "cpu"), exact)
        for name in ("loop", "fused")
    }
    assert off["fused"] <= gpu_correctness.bound("fused", "bf16") == 0.02
    assert 0.02 < off["loop"] <= gpu_correctness.bound("loop", "bf16") == 0.05


def test_a_torch_nn_that_fails_leaves_the_other_gates(monkeypatch):
    right = gpu_correctness.solve

    def broken(problem, backend, *where):
        if backend == gpu_correctness.REFERENCE:
            raise RuntimeError("no such kernel")
        return right(problem, backend, *where)

    monkeypatch.setattr(gpu_correctness, "solve", broken)
    monkeypatch.setattr(gpu_correctness, "WIDE_SUMS", ("loop",))
    rows = run_gates((BOTH,), ("loop",), ("bf16",))
    failed, *others = rows
    assert failed["backend"] == gpu_correctness.REFERENCE and failed["held"] is False
    assert "no such kernel" in failed["said"]
    assert {row["check"] for row in others} == {"agree", "same bits", "finite"}


def test_of_several_passes_the_last_counts():
    problem = gpu_correctness.draw(BOTH, "fp64")
    once, last = (gpu_correctness.solve(problem, "loop", "fp64", "cpu", n) for n in (1, 3))
    assert all(np.array_equal(once[name], last[name]) for name in once)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (lambda x: x * (1 + 1e-5), "agree"),
        (lambda x: torch.where(x > 0, x, float("nan")), "finite"),
        (lambda x: x + 1e-6 * torch.rand_like(x), "same bits"),
    ],
)
def test_a_fault_turns_a_gate_red(fault, check, monkeypatch):
    right = T.LSTM.forward

    def wrong(layer, *arguments, **options):
        output, final = right(layer, *arguments, **options)
        return fault(output), final

    monkeypatch.setattr(T.LSTM, "forward", wrong)
    rows = run_gates(SMALL[:1], ("loop",), ("fp32",))
    assert check in {row["check"] for row in rows if row["held"] is False}


def test_a_wrong_derivative_is_seen_by_the_complex_step_too(monkeypatch):
    right = gpu_correctness.solve

    def wrong(problem, *where):
        found = right(problem, *where)
        return found | {"dc_0": found["dc_0"] * (1 + 1e-9)}

    monkeypatch.setattr(gpu_correctness, "solve", wrong)
    rows = run_gates(SMALL[:1], ("loop",), ("fp64",))
    assert {r["check"] for r in rows if r["held"] is False} == {"agree", "complex step"}


def test_the_mathematics_that_a_gpu_runs_holds_on_a_cpu(monkeypatch):
    monkeypatch.setitem(backends._BACKENDS, "fused", unrolled)
    monkeypatch.setattr(cudnn, "_ON_CPU", True)
    rows = run_gates(SMALL[:1], ("fused", "cudnn"), ("fp64",))
    rows += run_gates((BOTH,), ("fused", "cudnn"), ("bf16",))
    assert [row for row in rows if row["held"] is not True] == []
    assert {"beside torch.nn", "complex step"} <= {row["check"] for row in rows}


def test_a_backend_that_refuses_everything_fails_the_run(monkeypatch):
    monkeypatch.setitem(gpu_correctness.MUST_SERVE, "cpu", ("fused",))
    rows = run_gates((BOTH,), ("fused",), ("bf16",))
    assert rows[-1]["check"] == "serves something" and rows[-1]["held"] is False
    assert run_gates((BOTH,), ("auto",), ("fp64",))[-1]["held"] is True


def test_problems_are_hard_enough():
    for case in SMALL + gpu_correctness.LARGE:
        sizes = case.inputs, case.hidden, case.batch, case.steps
        assert len(set(sizes)) == 4, case
    problem = gpu_correctness.draw(BOTH, "bf16")
    for name, array in problem.state.items():
        assert np.all(array != 0), name
        assert np.array_equal(torch.tensor(array).bfloat16().double().numpy(), array), name
    assert problem.lengths[0] == BOTH.steps and min(problem.lengths) < BOTH.steps


def test_the_record_of_the_gates(tmp_path, capsys):
    out = tmp_path / "record.json"
    command = ["--device", "cpu", "--smoke", "--backends", "loop", "--racecheck", "--out", str(out)]
    assert gpu_correctness.main(command) == 0
    stored = json.loads(out.read_text("utf-8"))
    assert (
        stored["held"]
        and stored["finished"]
        and stored["device"]["kind"] == "cpu"
        and stored["rows"]
    )
    assert stored["sanitizer"]["ran"] is False
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    assert "gates hold on cpu" in capsys.readouterr().out


def test_gates_that_are_cut_off_leave_what_was_tried(tmp_path, monkeypatch):
    class Cut(BaseException):
        """As a limit of time comes: nothing catches it."""

    def cut(problem, *rest):
        if problem.case == SMALL[1]:
            raise Cut
        return right(problem, *rest)

    right, out = gpu_correctness.solve, tmp_path / "record.json"
    monkeypatch.setattr(gpu_correctness, "solve", cut)
    command = ["--device", "cpu", "--backends", "loop", "--precisions", "fp32", "--out", str(out)]
    out.write_text("what was found before")
    with pytest.raises(Cut):
        gpu_correctness.main(command)
    stored = json.loads((tmp_path / "record.part.json").read_text("utf-8"))
    assert not stored["finished"] and not stored["held"]
    assert {row["case"] for row in stored["rows"]} == {str(SMALL[0])}
    assert out.read_text() == "what was found before"


SANITIZER = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
--help) echo "  --kernel-regex arg" ;;
*memcheck*) echo "Invalid read"; exit 9 ;;
esac
"""


@pytest.fixture
def sanitizer(tmp_path, monkeypatch):
    """A program in the place of NVIDIA's; returns what writes it, and where it writes what it was asked."""

    def write(text):
        program = tmp_path / "compute-sanitizer"
        program.write_text(text.format(log=tmp_path / "log"))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "log"

    return write


def test_the_sanitizer_has_a_say(sanitizer):
    log = sanitizer(SANITIZER)
    found = gpu_sanitizer.sanitized("cuda")
    assert found["ran"] and not found["held"] and found["memcheck"] == "Invalid read\n"
    _, races, memory = log.read_text().splitlines()
    assert races.startswith(
        "--tool racecheck --error-exitcode 9 --kernel-regex kernel_substring=ward"
    )
    assert memory.startswith("--tool memcheck") and races.endswith("--smoke --backends triton")


def test_a_sanitizer_that_takes_too_long_is_stopped_with_all_it_started(sanitizer, tmp_path):
    sanitizer("#!/bin/sh\nsleep 60 & echo $! > {log}\nwait\n")
    code, said = gpu_sanitizer._run([str(tmp_path / "compute-sanitizer")], 1.0)
    assert code is None and "timed out" in said
    child = int((tmp_path / "log").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def tiny(folder, *more):
    common = ["--device", "cpu", "--tiny", "--seconds", "0", "--rounds", "2"]
    gpu.main([*common, "--out", str(folder), *more])
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def test_one_command_measures_and_goes_on(tmp_path, capsys):
    stored = tiny(tmp_path)
    assert stored.keys() == {suite.replace("gpu", "cpu") for suite in gpu_measure.MEASURE}
    assert not list(tmp_path.glob("gpu-*")), "a processor writes no result of a GPU"
    for suite in stored.values():
        assert {"device", "versions", "flags", "clocks", "date", "command"} <= suite.keys()
    rows = stored["cpu-grid"]["rows"]
    timed = [row for row in rows if row["ratio"]]
    assert {row["contestant"] for row in timed} >= {"loop", "fused"}
    for row in timed:
        ratio, times = row["ratio"], row["milliseconds"]
        assert ratio["rounds"] == 2 and 0 < ratio["q1"] <= ratio["median"] <= ratio["q3"]
        assert times["ours"] > 0 and row["floors"].keys() >= {"arithmetic", "memory"}
        assert (row["goal"] is None) == (row["contestant"] not in gpu_measure.OURS)
    fused = [row for row in timed if row["contestant"] == "fused"]
    assert fused and all(row["over_loop"]["median"] > 0 for row in fused)
    assert all(row["said"] for row in rows if row["ratio"] is None)
    assert stored["cpu-map"]["rows"][0]["kernels"]["training"]
    again = tiny(tmp_path)
    assert again == stored, "nothing is measured twice"
    assert "jobs are measured" in capsys.readouterr().out


def test_a_budget_stops_and_keeps_what_is_there(tmp_path):
    stored = tiny(tmp_path, "--budget", "0")
    assert stored == {}
    stored = tiny(tmp_path, "--only", "gpu-peaks")
    assert stored.keys() == {"cpu-peaks"}
    assert set(stored["cpu-peaks"]["rows"][0]["peaks"]) == {"bytes", *devices.precisions("cpu")}


def test_results_of_another_device_are_not_added_to(tmp_path, capsys):
    tiny(tmp_path, "--only", "gpu-barrier")
    path = tmp_path / "cpu-barrier.json"
    other = json.loads(path.read_text("utf-8"))
    other["device"]["driver"] = "580.159.04"
    path.write_text(json.dumps(other), "utf-8")
    tiny(tmp_path, "--only", "gpu-barrier")  # of drivers builds are not told apart
    other["device"]["name"] = "another"
    path.write_text(json.dumps(other), "utf-8")
    with pytest.raises(SystemExit):
        tiny(tmp_path, "--only", "gpu-barrier")
    assert "was measured elsewhere" in capsys.readouterr().err
    assert (
        tiny(tmp_path, "--only", "gpu-barrier", "--again")["cpu-barrier"]["device"]
        != other["device"]
    )


def test_kernels_are_compiled_beforehand_and_faults_do_no_harm(tmp_path, monkeypatch, capsys):
    ran = []

    def task(number):
        ran.append(number)
        if number == 1:
            raise ValueError("refused")

    assert gpu_warm.warm(task, [(0,), (1,), (2,)], 2, ThreadPoolExecutor(2)) == 1
    assert sorted(ran) == [0, 1, 2]
    asked = []
    for module in (gpu, gpu_correctness):
        monkeypatch.setattr(module, "warm", lambda task, items, count: asked.append((task, items)))
    tiny(tmp_path, "--warm", "2")
    gpu_correctness.main(["--device", "cpu", "--smoke", "--backends", "loop", "--warm", "2"])
    (of_grid, cells), (of_gates, cases) = asked
    assert len(cells) == len(gpu_plan.TINY_GROUPS) and cases == [(SMALL[0], "fp32", "cpu")]
    for task, items in asked:
        with pytest.raises(ValueError, match="triton"):
            task(*items[0])


def test_a_processor_is_no_gpu(capsys):
    for arguments in (["--device", "cpu"], ["--device", "cuda", "--tiny"]):
        with pytest.raises(SystemExit):
            gpu.main(arguments)
        assert "no result of a GPU" in capsys.readouterr().err


def test_a_contestant_that_computes_something_else_is_not_timed(monkeypatch):
    right = gpu_contestants.output_of
    calls = []

    def wrong(contestant, steps):
        calls.append(contestant)
        return right(contestant, steps) * (1 if len(calls) == 1 else 2)

    monkeypatch.setattr(gpu_measure, "output_of", wrong)
    group = gpu_plan.TINY_GROUPS[1]
    setting = gpu_measure.Setting("cpu", 0.0, 2, True)
    job = gpu_plan.Job((0,), "gpu-grid", group.cells[0].key, (group, group.cells[0]))
    rows = gpu_measure.compare(job, setting)
    assert all(row["ratio"] is None for row in rows)
    assert any("not timed: its output is" in row["said"] for row in rows)


def test_a_fault_while_timing_is_said_and_ends_nothing(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("waited in vain")

    monkeypatch.setattr(gpu_measure.devices, "interleaved", broken)
    group = gpu_plan.TINY_GROUPS[1]
    job = gpu_plan.Job((0,), "gpu-grid", group.cells[0].key, (group, group.cells[0]))
    rows = gpu_measure.compare(job, gpu_measure.Setting("cpu", 0.0, 2, True))
    said = {row["contestant"]: row["said"] for row in rows}
    assert said["loop"] == said["fused"] == "while all were timed: RuntimeError: waited in vain"


def test_what_failed_is_tried_again_after_all_others(tmp_path):
    def rows(key, word, ratio=2.0):
        fused = {"key": key, "contestant": "fused", "ratio": ratio, "said": ""}
        return [fused, {"key": key, "contestant": "triton", "ratio": None, "said": word}]

    facts, group = {"device": {"kind": "cuda"}}, gpu_plan.TINY_GROUPS[0]
    jobs = [gpu_plan.Job((k,), "gpu-grid", name, (group, None)) for k, name in enumerate("abcd")]
    store = gpu.Store(tmp_path, facts, {})
    said = ("failed: OutOfMemoryError", "refused, as it should", "while all were timed: a watchdog")
    for job, word in zip(jobs, said, strict=False):
        store.add("gpu-grid", rows(job.key, word))
    assert [job.key for job in store.to_do(jobs)] == ["d", "a", "c"]
    store.add("gpu-grid", rows("c", said[0], None))
    assert store.of(jobs[2]) == rows("c", said[0]), (
        "what was measured stays where a later try fails"
    )
    store.add("gpu-grid", rows("a", ""))
    again = gpu.Store(tmp_path, facts, {})
    assert [job.key for job in again.to_do(jobs)] == ["d", "c"]
    assert [row["key"] for row in again.rows("gpu-grid")] == list("bbccaa")


def test_an_error_of_a_backend_is_a_gate_that_does_not_hold(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("waited in vain")

    monkeypatch.setattr(T.LSTM, "forward", broken)
    rows = run_gates(SMALL[:1], ("fused",), ("fp32",))
    assert rows and all(row["held"] is False for row in rows)
    assert "waited in vain" in rows[0]["said"]


def test_the_compiled_loop_computes_the_same(monkeypatch):
    monkeypatch.setattr(gpu_contestants.torch, "compile", lambda function, **options: function)
    cell = gpu_plan.Cell("training", "fp64", 2, 4, steps=5, inputs=3)
    outputs = [
        gpu_contestants.output_of(gpu_contestants.build(name, cell, "cpu"), cell.steps)
        for name in (gpu_contestants.REFERENCE, gpu_contestants.COMPILED)
    ]
    assert torch.allclose(*outputs, atol=1e-12)


def test_what_matters_most_comes_first():
    jobs = gpu_plan.jobs()
    keys = [(job.suite, job.key) for job in jobs]
    assert len(set(keys)) == len(keys), "no cell twice"
    suites = [job.suite for job in jobs]
    assert suites[0] == "gpu-peaks" and suites[1] == "gpu-barrier"
    first_goals = [job.what[0].name for job in jobs if job.suite == "gpu-grid"][
        : len(gpu_plan.GROUPS)
    ]
    assert first_goals == [group.name for group in gpu_plan.GROUPS]
    for group in gpu_plan.GROUPS:
        assert group.goal.must < group.goal.aim and group.cells


def test_goals_are_those_that_were_set():
    assert [tuple(group.goal) for group in gpu_plan.GROUPS] == [
        (1.5, 3.0), (1.3, 2.0), (1.5, 3.0), (1.3, 2.0), (1.3, 1.8), (0.8, 1.2), (0.7, 1.0),
    ]  # fmt: skip
    assert tuple(gpu_plan.LOOP_GOAL) == (20.0, 40.0)
    assert gpu_plan.STEPS == 512


def test_floors_by_hand():
    cell = gpu_plan.Cell("training", "bf16", 2, 4, steps=3)
    floors = gpu_plan.floors(cell, {"bf16": 1e6, "bytes": 1e6}, barrier=1e-3)
    assert floors["arithmetic"] == pytest.approx(1e3 * 3 * 2 * 3 * 2 * 8 * 16 / 1e6)
    assert floors["chain"] == pytest.approx(6.0)
    inputs, outputs, weights = 3 * 2 * 4, 3 * 2 * 4, 4 * 4 * 8
    numbers = 3 * inputs + 2 * outputs + 3 * weights + 2 * 5 * outputs
    assert floors["memory"] == pytest.approx(1e3 * 2 * numbers / 1e6)


@pytest.mark.skipif(not shutil.which("sh"), reason="no sh")
def test_the_commands_of_a_session_are_right(tmp_path):
    log = tmp_path / "log"
    for name in ("nvidia-smi", "python3"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
        program.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    parsers = {
        "benchmarks.gpu": gpu.parser(),
        "benchmarks.gpu_correctness": gpu_correctness.parser(),
        "train": train.parser(),
    }
    found = []
    for part in ("check", "gates", "bench", "plays", "words", "modes"):
        command = ["sh", str(record.RESULTS.parent / "gpu_session.sh"), part, str(tmp_path / "out")]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    for words in map(str.split, log.read_text().splitlines()):
        if words[:1] == ["-m"]:
            found.append(words[1])
            assert str(tmp_path / "out") in " ".join(words)
            if words[1] in parsers:
                parsers[words[1]].parse_args(words[2:])
    assert len(found) == 8 and set(found) == {*parsers, "benchmarks.modes"}


def test_stored_results_come_from_a_gpu():
    for path in record.RESULTS.glob("*.json"):
        if path.stem.startswith("gpu-"):
            stored = json.loads(path.read_text("utf-8"))
            assert stored["device"]["kind"] == "cuda" and "--tiny" not in stored["command"], (
                path.name
            )
    assert not list(record.RESULTS.glob("cpu-*"))
