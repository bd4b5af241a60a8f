"""The extension that shows benchmarks/results on the performance page."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
from tests.small_book import build_page, lines_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = """# Speed

```{speed-goals}
```

```{speed} lstm
:mode: training
```

```{speed} gru
```

```{speed} memory
```

```{speed} checkpoint
```

```{speed-facts} lstm
```

```{speed-facts} gru
```
"""
MODES = """# Modes

```{speed-modes} autocast
```

```{speed-modes} compile
```

```{speed-choices}
```
"""
FACTS = {
    "command": "python -m benchmarks",
    "date": "2026-01-02",
    "machine": {"cpu": "A CPU", "cores": 2, "system": "Linux x86_64", "gpu": None},
    "versions": {
        "python": "3.11.1",
        "numpy": "2.4.6",
        "torch": "2.13.0",
        "blas of numpy": "openblas",
        "vector code of torch": "AVX2",
    },
}
GOAL = {"must": 1.2, "aim": 1.0}


def row(contestant="numpy", size=(1, 2, 3, 4), median=1.1, goal=GOAL, **other):
    ratio = {"median": median, "q1": median - 0.1, "q3": median + 0.1, "rounds": 5}
    what = {"cell": "LSTM", "dtype": "float32", "mode": "training", "threads": 1}
    times = {"ours": 1.0, "reference": 12.34}
    return (
        what
        | {"size": list(size), "contestant": contestant, "goal": goal}
        | {"ratio": ratio, "milliseconds": times}
        | other
    )


RESULTS = {
    "grading": [{"assignment": "01-sequences", "seconds": 60.0}],
    "lstm": [
        row(median=0.9),
        row(size=(5, 6, 7, 8), median=1.3),
        row("torch-fused", median=1.1),
        row("torch-fused", (5, 6, 7, 8), median=7.0, goal=None),
        row(median=0.123, mode="inference"),
    ],
    "memory": [
        {
            "cell": "LSTM",
            "dtype": "float32",
            "mode": "training",
            "threads": 1,
            "size": [5, 6, 7, 8],
            "contestant": "numpy",
            "goal": {"must": 1.5, "aim": None},
            "memory": {"mib": 120.0, "reference_mib": 100.0, "ratio": 1.2},
        }
    ],
    "checkpoint": [
        row(
            checkpoint_every=every,
            goal=None,
            memory={"mib": mib, "reference_mib": 100.0, "ratio": mib / 100},
        )
        for every, mib in ((None, 120.0), (8, 45.0))
    ],
}


@pytest.fixture
def build(tmp_path):
    """Builds the page from some results; returns its tables as text, and the whole page."""

    def builder(results, text=PAGE):
        folder = tmp_path / "benchmarks" / "results"
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in results.items():
            content = {"suite": name, **FACTS, "rows": rows}
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        page, warnings = build_page(tmp_path, text, "speed", "speed_modes")
        assert warnings == ""
        return [lines_of(table) for table in page.find_all("table")], page

    return builder


def test_the_page_shows_what_was_stored(build):
    (goals, lstm, memory, checkpoint), page = build(RESULTS)
    assert goals[1:] == [
        ["NumPy engine, LSTM, training, float32", "1 of 2 ≤ 1.2", "1 of 2 ≤ 1.0", "5, 6, 7, 8"],
        ["NumPy engine, LSTM, inference, float32", "1 of 1 ≤ 1.2", "1 of 1 ≤ 1.0", "–"],
        ["NumPy engine, LSTM, peak memory", "1 of 1 ≤ 1.5", "–", "–"],
        ["torch engine, fused, LSTM, training, float32", "1 of 1 ≤ 1.2", "0 of 1 ≤ 1.0", "–"],
    ]
    assert lstm == [
        ["B, T, I, H", "NumPy engine", "torch engine, fused", "torch.nn takes"],
        ["1, 2, 3, 4", "0.90 ✓ aim 0.80 to 1.00", "1.10 ✓ 1.00 to 1.20", "12 ms"],
        ["5, 6, 7, 8", "1.30 ✗ 1.20 to 1.40", "7.00 6.90 to 7.10", "12 ms"],
    ]
    assert memory[1:] == [["NumPy engine", "1.20 ✓", "120 MiB", "100 MiB"]]
    assert checkpoint[1:] == [
        ["None", "120 MiB", "1.20", "1.10 1.00 to 1.20"],
        ["8", "45 MiB", "0.45", "1.10 1.00 to 1.20"],
    ]
    (facts,) = page.find_all("p", class_="speed-facts")
    assert "2026-01-02 on A CPU with 2 cores" in facts.get_text()
    assert facts.find("code").get_text() == "python -m benchmarks"
    assert [p.get_text() for p in page.find_all("p", class_="speed-none")] == ["Not measured."]


def test_nothing_measured_is_said_and_is_no_error(build):
    tables, page = build({})
    assert tables == []
    assert len(page.find_all("p", class_="speed-none")) == 5


def test_modes_are_shown_beside_what_was_not_measured(build):
    ratio = {"median": 1.234}
    cast = {
        "output": "bfloat16",
        "gradient": "float32",
        "error": {"output": 0.004, "gradient": 0.02},
    }
    graphs = {"graphs": 3, "full": False, "first": 12.34, "difference": 0.0}
    results = {
        "modes-cpu": [
            {"mode": "autocast", "contestant": "loop", "ratio": ratio, **cast},
            {"mode": "autocast", "contestant": "fused", "refusal": "because"},
            {"mode": "compile", "contestant": "torch.nn", "ratio": ratio, **graphs},
        ],
        "choices-cpu": [row(size=(b, 2, 3, 4), median=m) for b, m in ((1, 0.5), (8, 1.5))],
    }
    (autocast, compiled, choices), _ = build(results, MODES)
    assert autocast[1][:6] == ["CPU", "loop", "bfloat16", "float32", "4e-03", "2e-02"]
    assert [line[2] for line in autocast[2:]] == ["refuses", *["not measured"] * 6]
    assert compiled[3] == ["CPU", "torch.nn.LSTM", "3", "no", "12 s", "0", "1.23"]
    assert choices == [["T", "LSTM, training"], ["2", "0.50 to 1.50"]]


def test_a_new_measurement_changes_the_page(build):
    build(RESULTS)
    changed = RESULTS | {"lstm": [row(median=1.15)]}
    (_, lstm, *_), _ = build(changed)
    assert lstm[1][1] == "1.15 ✓ 1.05 to 1.25"


def test_examples_of_the_extension():
    import doctest

    sys.path.insert(0, str(ROOT / "_ext"))
    try:
        import speed
        import speed_modes
    finally:
        sys.path.pop(0)
    assert doctest.testmod(speed) == (0, doctest.testmod(speed).attempted)
    assert doctest.testmod(speed).attempted >= 4
    assert doctest.testmod(speed_modes) == (0, 1)
