"""The extensions that show what was measured on a GPU: with made-up results, and without any."""

import doctest
import json
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("sphinx")
from tests.small_book import build_page, lines_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = """# Speed

```{gpu-goals}
```

```{gpu-map}
```

```{gpu-grid}
```

```{gpu-facts} gpu-grid
```

```{gpu-device}
```

```{gpu-gates}
```

```{training-run} shakespeare
```
"""
FACTS = {
    "command": "python -m benchmarks.gpu",
    "date": "2026-01-02",
    "device": {
        "kind": "cuda",
        "name": "A Card",
        "multiprocessors": 132,
        "driver": "580.1",
    },
    "versions": {"torch": "2.11", "cuda": "13.0", "cudnn": "91000", "triton": "3.6.0"},
    "flags": {"allow_tf32 of cuDNN": True},
}
GROUP, GOAL = "bf16, H 256 to 512, B 1 to 64", {"must": 1.5, "aim": 3.0}


def cell(hidden, batch=16):
    names = "mode precision batch hidden directions lengths steps inputs".split()
    values = "training", "bf16", batch, hidden, 1, False, 512, None
    return dict(zip(names, values, strict=True))


def row(contestant, hidden, median, goal=GOAL, **other):
    ratio = {"median": median, "q1": 0.9 * median, "q3": 1.1 * median, "rounds": 7}
    measured = {"ratio": ratio, "milliseconds": {"ours": 1.0, "reference": 20.04}}
    floors = {"arithmetic": 0.1, "memory": 0.02, "chain": 1.04}
    return {
        "key": f"H {hidden}", "group": GROUP, "cell": cell(hidden), "size": [16, 512, hidden, hidden],
        "contestant": contestant, "goal": goal, "floors": floors, "said": "", **measured, **other,
    }  # fmt: skip


RESULTS = {
    "gpu-grid": [
        row("fused", 512, 0.8),
        row("triton", 512, 3.5, over_loop={"median": 15.0}),
        row("fused", 256, 0.7),
        row("triton", 256, 0, ratio=None, said="failed: OutOfResources: too much"),
        row("cudnn", 256, 0.99, goal=None),
    ],
    "gpu-map": [
        {
            "key": "a",
            "cell": cell(512),
            "milliseconds": {"inference": 5.0, "training": 12.34},
            "algorithm": {"inference": "persistent", "training": "kernels at every step"},
            "kernels": {"training": [{"name": "elementWise_fp", "count": 512}]},
        }
    ],
    "gpu-peaks": [{"key": "peaks", "peaks": {"bytes": 4.3e12, "bf16": 7.9e14}}],
    "gpu-barrier": [{"key": "b", "programs": 64, "microseconds": 1.23, "said": ""}],
    "gpu-correctness": [
        dict(check="agree", backend="triton", precision="bf16", case=case, value=value, bound=0.02,
             held=value <= 0.02, said="")
        for case, value in (("a case", 0.01), ("another", 0.03))
    ] + [
        dict(check="finite", backend="fused", precision="fp16", case="a third", value=None, bound=None,
             held=False, said="RuntimeError: waited in vain"),
        dict(check="finite", backend="fused", precision="fp16", case="a case", value=0, bound=0, held=True,
             said=""),
    ],
}  # fmt: skip
RUN = {
    "quick": False, "mixed": True, "backend": "auto", "stopped": "patience",
    "measured": {"bits a character, test plays": 1.87654},
    "curve": [
        {"epoch": 1, "step": 10, "seconds": 5.0, "train": 2.0, "valid": 1.9},
        {"epoch": 2, "step": 20, "seconds": 10.0, "train": 1.5, "valid": 1.4},
    ],
}  # fmt: skip


@pytest.fixture
def build(tmp_path):
    """Builds the page from some results; returns its tables as text, and the whole page."""

    def builder(results, run=None):
        folder = tmp_path / "benchmarks" / "results"
        folder.mkdir(parents=True)
        contents = {name: {"suite": name, **FACTS, "rows": rows} for name, rows in results.items()}
        if run:
            contents["gpu-run-shakespeare"] = {**FACTS, **run}
        for name, content in contents.items():
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        page, warnings = build_page(tmp_path, PAGE, "gpu_speed", "training_runs")
        assert warnings == ""
        for image in page.find_all("img"):
            assert "<svg" in (tmp_path / "out" / image["src"]).read_text("utf-8")[:2000]
        return [lines_of(table) for table in page.find_all("table")], page

    return builder


def test_wins_and_losses_are_shown(build):
    (goals, times, kernels, grid, device, gates, measured), page = build(RESULTS, RUN)
    assert goals[1] == [GROUP, "≥ 1.5", "≥ 3", "1 of 2", "0.70 to 3.5", "bf16 B 16 H 256"]
    assert goals[2][3] == "not measured"
    assert goals[-1][3:] == ["0 of 1", "15", "bf16 B 16 H 512"]
    assert times == [["H", "B = 16"], ["512", "12 ms kernels at every step"]]
    assert kernels[1] == ["kernels at every step", "elementWise_fp"]
    assert grid[0][1:] == ["fused", "triton", "cudnn", "torch.nn takes", "no less than"]
    assert grid[1:] == [
        ["16, 512, 512, 512 bf16", "0.80 ✗ 0.72 to 0.88", "3.5 ✓ aim 3.1 to 3.9", "–", "20 ms",
         "1.0 ms (chain)"],
        ["16, 512, 256, 256 bf16", "0.70 ✗ 0.63 to 0.77", "–", "0.99 0.89 to 1.1", "20 ms",
         "1.0 ms (chain)"],
    ]  # fmt: skip
    assert device[1:] == [
        ["copy", "4300 GB/s"],
        ["product, bf16", "790 TFLOP/s"],
        ["barrier among 64 programs", "1.2 µs"],
    ]
    assert gates[1][3:] == ["3.0e-02 ✗", "≤ 0.02", "another"]
    assert gates[2][3:] == ["0.0e+00 ✗", "≤ 0", "a case"], "one case broke, the other held"
    assert measured[1] == ["bits a character, test plays", "1.877"]
    said = [p.get_text() for p in page.find_all("p", class_="speed-facts")]
    assert any("triton: failed: OutOfResources" in text for text in said)
    assert any(
        "Not held: finite, fp16, fused, 1 times, first a third: RuntimeError: waited" in text
        for text in said
    )
    assert any("A Card (132 multiprocessors, driver 580.1)" in text for text in said)
    assert any(
        "20 steps in 10 seconds, until the validation loss no longer fell" in t for t in said
    )
    alts = [image["alt"] for image in page.find_all("img")]
    assert len(alts) == 2 and "from 0.70 to 3.5" in alts[0] and "1.400 nats" in alts[1]
    assert "not measured" not in " ".join(map(str, grid + times + device + gates)).lower()


def test_nothing_measured_is_said_and_is_no_error(build):
    (goals,), page = build({})
    assert len(goals) == 9 and all(line[3] == "not measured" for line in goals[1:])
    assert len(page.find_all("p", class_="speed-none")) == 5


def test_what_a_processor_measured_is_not_shown_as_a_gpu(build):
    FACTS["device"]["kind"] = "cpu"
    try:
        (goals,), page = build(RESULTS, {**RUN, "quick": True})
    finally:
        FACTS["device"]["kind"] = "cuda"
    assert all(line[3] == "not measured" for line in goals[1:])
    assert page.find_all("img") == []


def test_the_page_of_the_book_asks_for_everything():
    page = (ROOT / "book" / "performance.md").read_text("utf-8")
    wanted = ("gpu-goals", "gpu-map", "gpu-grid", "gpu-device", "gpu-gates")
    assert all(f"```{{{name}}}" in page for name in wanted)
    assert all(f"```{{training-run}} {name}" in page for name in ("shakespeare", "pronunciation"))


def test_examples_of_the_extension():
    sys.path.insert(0, str(ROOT / "_ext"))
    try:
        import gpu_speed
    finally:
        sys.path.pop(0)
    failed, attempted = doctest.testmod(gpu_speed)
    assert failed == 0 and attempted >= 4


def test_torch_still_leaves_weights_in_bfloat16_apart():
    """As the page says: the list that ``flatten_parameters`` asks lacks the type."""
    assert torch.bfloat16 not in torch.backends.cudnn.CUDNN_TENSOR_DTYPES
