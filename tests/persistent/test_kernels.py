"""The persistent kernels: their arithmetic as NumPy runs it, their machine code, their place on a chip."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lstm_lib.torch import persistent
from lstm_lib.torch.backends import Request
from lstm_lib.torch.persistent import compile as offline
from lstm_lib.torch.persistent import faults
from lstm_lib.torch.persistent.launch import apart, side_by_side
from lstm_lib.torch.persistent.residency import CHIPS, plan
from tests.persistent.interpreted import CASES

ROOT = Path(__file__).resolve().parents[2]

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is missing: pip install -r requirements-gpu.txt (x86 Linux)",
)


@needs_triton
def test_the_arithmetic_as_numpy_runs_it(subtests):
    """One test, so that one process of several computes it, and only once."""
    command = [sys.executable, "-m", "tests.persistent.interpreted"]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for case in CASES:
        with subtests.test("results and all gradients are those of the loop", case=case):
            assert {name: error for name, error in found[case].items() if not error <= 2e-6} == {}
    with subtests.test("half precision rounds no more than its digits do"):
        assert found["rounded"]["bfloat16"] <= 2e-2
        assert found["rounded"]["float16"] <= 2e-3
    with subtests.test("a trace is what the kernels stored"):
        assert max(found["traces"].values()) <= 1e-6
    with subtests.test("the graph may be used again, but not differentiated twice"):
        said = found["graph"]
        assert said["twice the same"]
        refusal = "no second derivative: build the layer with backend='loop'"
        assert refusal in said["second derivative"]
        assert "modified by an inplace operation" in said["changed weight"]
    with subtests.test("programs that wait in vain give up and leave NaN"):
        assert found["watchdog"] == {"fault": 1, "lost": 1.0}


class Event:
    """An event of a device that has or has not come about."""

    def __init__(self, over):
        self.over = over

    def query(self):
        return self.over

    def synchronize(self):
        self.over = True


def test_a_fault_is_told_as_soon_as_it_is_known(monkeypatch):
    monkeypatch.setattr(
        faults, "_pending", [(Event(True), torch.zeros(1)), (Event(False), torch.ones(1))]
    )
    faults._read(wait=False)
    assert len(faults._pending) == 1
    with pytest.raises(RuntimeError, match="waited for each other in vain.*NaN"):
        faults.check()
    faults.check()


EDGES = [("LSTM", "bfloat16", 1024, 16, "H100"), ("GRU", "float32", 512, 64, "H100")]


@needs_triton
@pytest.mark.parametrize(("kind", "dtype", "hidden", "batch", "chip"), EDGES)
@pytest.mark.parametrize("name", ["forward_kernel", "backward_kernel"])
def test_the_compiled_kernels_fit_and_spill_nothing(name, kind, dtype, hidden, batch, chip):
    chip = CHIPS[chip]
    chosen = plan(hidden, batch, 1, dtype, chip)
    found = offline.compiled(name, kind, dtype, hidden, chosen, chip.capability)
    assert found.stack == 0
    assert found.registers * 32 * chosen.warps <= chip.registers
    assert found.shared <= chosen.shared_memory(hidden, dtype) <= chip.shared_memory
    assert meets_in_order(found.ptx)


def meets_in_order(ptx):
    """Whether what others wrote is read in a block that acquires lead to, and stores end in a release.

    Thread 0 alone counts, so a barrier of all threads stands between the last store and the count.
    """
    events = (
        r"ld\.global\.gpu\.acquire|atom\.global\.gpu\.release|ld\.global\.cg|st\.global|bar\.sync"
    )
    blocks = [re.findall(events, block) for block in re.split(r"^\$L__BB\w+:", ptx, flags=re.M)]
    (step,) = [block for block in blocks if "ld.global.cg" in block]
    looks = [block for block in blocks if "ld.global.gpu.acquire" in block]
    tail = step[max(at for at, event in enumerate(step) if event == "st.global") :]
    return (
        len(looks) == 2
        and step not in looks
        and step.index("ld.global.cg") < len(step) - len(tail)
        and tail.index("bar.sync") < tail.index("atom.global.gpu.release")
    )


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("precision", ["tf32", "tf32x3"])
def test_no_plan_asks_for_more_than_the_chip_has(chip, dtype, precision):
    planned = 0
    for hidden in (1, 33, 64, 100, 128, 255, 512, 1024, 2048):
        for batch in (1, 17, 64, 300):
            for directions in (1, 2):
                try:
                    found = plan(hidden, batch, directions, dtype, chip, precision)
                except ValueError as error:
                    assert chip.name in str(error)
                    continue
                planned += 1
                assert found.slices * found.units >= hidden
                assert (found.slices - 1) * found.units < hidden
                assert found.tiles * found.rows >= batch
                assert found.shared_memory(hidden, dtype, precision) <= chip.shared_memory
                if found.slices > 1:
                    assert found.slices * found.tiles * directions <= chip.multiprocessors
    assert planned > 10


def test_what_does_not_fit_is_refused_with_what_it_would_need():
    with pytest.raises(ValueError, match="H = 1024 and B = 64 .* need 256 programs at once"):
        plan(1024, 64, 1, "bfloat16", CHIPS["H200"])
    with pytest.raises(ValueError, match="H = 1024 in float32 needs 196608 bytes of shared"):
        plan(1024, 1, 1, "float32", CHIPS["A100"])
    with pytest.raises(ValueError, match="V100 is older than the kernels"):
        plan(64, 1, 1, "float16", CHIPS["A100"]._replace(name="V100", capability=70))


CUDA = Request(
    kind="GRU",
    device=torch.device("cuda", 0),
    dtype=torch.bfloat16,
    weight_dtype=torch.bfloat16,
    steps=7,
    batch=64,
    input_size=2,
    hidden_size=512,
    directions=2,
    lengths=True,
    grad=True,
    options=(),
    autocast=False,
)


@pytest.fixture
def on_an_h100(monkeypatch):
    monkeypatch.setattr(persistent, "_chip", lambda device: CHIPS["H100"])


@needs_triton
def test_two_directions_that_do_not_fit_together_are_served_one_after_the_other(on_an_h100):
    with pytest.raises(ValueError, match="256 programs"):
        persistent._plan(CUDA)
    assert persistent.refusal(CUDA) == ""


@needs_triton
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(kind="RNN"), "computes LSTM and GRU, not RNN"),
        (dict(options=("peephole", "zoneout")), "has no peephole, zoneout"),
        (dict(device=torch.device("cpu")), "needs a CUDA device, got tensors on cpu"),
        (dict(autocast=True), "does not follow autocast"),
        (dict(dtype=torch.float64), "computes in float32, float16, bfloat16.*got float64"),
        (dict(weight_dtype=torch.float32), "got bfloat16 for weights in float32"),
        (dict(hidden_size=1024), "H = 1024 and B = 64 in bfloat16 need 256 programs at once"),
    ],
    ids=str,
)
def test_a_refusal_says_why_and_what_would(on_an_h100, change, said):
    assert re.search(f"{said}.*backend='loop'", persistent.refusal(CUDA._replace(**change)))


def test_without_triton_a_refusal_says_how_to_get_it(on_an_h100, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install -r requirements-gpu.txt" in persistent.refusal(CUDA)


def test_rows_of_weights_lie_side_by_side_and_go_back():
    weight = torch.arange(12.0)
    assert side_by_side("LSTM", weight, 2).view(3, 4)[1].tolist() == [1, 4, 7, 10]
    assert side_by_side("GRU", weight, 2).view(4, 4)[1].tolist() == [1, 5, 9, 0]
    assert side_by_side("GRU", weight, 3).view(4, 4)[1].tolist() == [1, 5, 0, 9]
    for kind, candidate in (("LSTM", 2), ("GRU", 2), ("GRU", 3)):
        there = side_by_side(kind, weight, candidate)
        assert torch.equal(apart(kind, there, candidate), weight)
