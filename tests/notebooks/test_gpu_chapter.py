"""Chapter 7 without a GPU: its numbers are those of the result files, and its code stays on one device.

The functions are taken out of the stored notebooks, so that what is tested is what readers run.
"""

import ast
import json
import re

import matplotlib

matplotlib.use("svg")
import nbformat
import pytest
import torch
from matplotlib import pyplot as plt

from benchmarks.plan import SIZES
from lstm_lib.figures import to_svg, use_style
from lstm_lib.torch import LSTM
from tests.notebooks.hygiene import ROOT
from tests.test_tools import same_picture

CHAPTER = ROOT / "chapters" / "07-gpu"
REFRESH = "there are new results: make notebooks NB=chapters/07-gpu/launches.ipynb"


def cells(name):
    found = nbformat.read(CHAPTER / f"{name}.ipynb", as_version=4).cells
    return [cell for cell in found if cell.cell_type == "code" and "%pip" not in cell.source]


def is_definition(node):
    if isinstance(node, ast.Assign):
        try:
            ast.literal_eval(node.value)
        except ValueError:
            return False
        return isinstance(node.targets[0], (ast.Name, ast.Tuple))
    return isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))


def definitions(name):
    """A namespace with a notebook's imports, functions, classes and literal constants, and nothing run."""
    namespace = {}
    for cell in cells(name):
        kept = [node for node in ast.parse(cell.source).body if is_definition(node)]
        code = compile(ast.Module(kept, type_ignores=[]), f"{name}.ipynb", "exec")
        exec(code, namespace)
    return namespace


@pytest.fixture
def launches():
    return definitions("launches")


def outputs(name):
    return [output for cell in cells(name) for output in cell.outputs]


def drawn(name, words):
    """The stored picture whose alternative text begins so."""
    svgs = [output.data.get("image/svg+xml", "") for output in outputs(name) if "data" in output]
    (svg,) = (svg for svg in svgs if f"<title>{words}" in svg)
    return svg


def rows(suite):
    return json.loads((ROOT / "benchmarks" / "results" / f"{suite}.json").read_text("utf8"))["rows"]


def orders_a_step(launches):
    text = "".join(output.text for output in outputs("launches") if "text" in output)
    (total,) = re.findall(r"^loop .* = +(\d+) operations$", text, re.MULTILINE)
    return int(total) / launches["T"]


def is_drawn(fig, stored):
    """Whether a figure is the stored picture, alternative text aside."""
    svg = to_svg(fig, re.search("<title>(.+?)</title>", stored, re.DOTALL).group(1))
    plt.close(fig)
    return same_picture(svg, stored)


def test_the_stored_pictures_show_the_result_files(launches, monkeypatch):
    monkeypatch.chdir(CHAPTER)
    use_style()
    stored = launches["stored"]
    assert stored("lstm") == rows("lstm")
    fig = launches["draw_checkpoints"](stored("checkpoint"))
    assert is_drawn(fig, drawn("launches", "Time of a training step against")), REFRESH
    fig = launches["draw_sizes"](stored("lstm"), stored("gpu"), orders_a_step(launches))
    assert is_drawn(fig, drawn("launches", "Milliseconds of a training step")), REFRESH


def test_another_result_is_another_picture(launches):
    use_style()
    found = drawn("launches", "Time of a training step against")
    assert is_drawn(launches["draw_checkpoints"](rows("checkpoint")), found)
    changed = rows("checkpoint")
    changed[1]["ratio"]["median"] *= 1.05
    assert not is_drawn(launches["draw_checkpoints"](changed), found)


def test_the_sizes_are_those_of_the_benchmark(launches):
    assert launches["SIZES"] == SIZES


def test_the_page_types_no_time_and_asks_for_every_table():
    page = (CHAPTER / "index.md").read_text("utf8")
    for table in ("{speed} lstm", "{speed} checkpoint", "{gpu-goals}"):
        assert page.count(f"```{table}\n") == 1
    found, _, _ = page.partition("## Questions")
    assert not re.search(r"\d\s*(ms|milliseconds|seconds|µs|GB/s|TFLOP)", found)


def curves(fig):
    """Label and values of every line of a figure."""
    (ax,) = fig.axes
    found = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    texts = [text.get_text() for text in ax.texts]
    plt.close(fig)
    return found, texts


def test_what_was_not_measured_is_said(launches, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert launches["stored"]("lstm") == []
    _, texts = curves(launches["draw_checkpoints"]([]))
    assert texts == ["no result files here"]
    found, _ = curves(launches["draw_sizes"](rows("lstm"), [], 40.0))
    assert list(found)[::2] == ["torch.nn, one CPU thread", "torch.nn, GPU: not measured"]
    found, _ = curves(launches["draw_sizes"]([], [], 40.0))
    assert list(found)[0] == "torch.nn, one CPU thread: not measured"


def test_a_gpu_measurement_appears_at_its_size_alone(launches, monkeypatch, tmp_path):
    gpu = [
        {
            "dtype": dtype,
            "mode": "training",
            "size": [16, 64, 32, 64],
            "milliseconds": {"reference": time},
        }
        for dtype, time in (("bfloat16", 0.1111), ("float32", 0.5678))
    ]
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    (folder / "gpu.json").write_text(json.dumps({"rows": gpu}))
    monkeypatch.chdir(folder.parent)
    found, _ = curves(launches["draw_sizes"](rows("lstm"), launches["stored"]("gpu"), 40.0))
    values = found["torch.nn, GPU"]
    assert [k for k, value in enumerate(values) if value == value] == [1]
    assert values[1] == 0.5678
    of_cpu = {
        tuple(r["size"]): r["milliseconds"]["reference"]
        for r in reversed(rows("lstm"))
        if r["dtype"] == "float32" and r["mode"] == "training"
    }
    assert found["torch.nn, one CPU thread"] == [of_cpu[size] for size in SIZES]


def test_the_clock_waits_for_the_device(launches, monkeypatch):
    seen = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: seen.append("wait"))
    monkeypatch.setattr(launches["time"], "perf_counter", lambda: seen.append("clock") or len(seen))
    launches["device"] = torch.device("cuda")
    launches["ratio"](lambda: seen.append("slow"), lambda: seen.append("fast"), 2, warm_up=1)
    one = ["wait", "clock", "slow", "wait", "clock", "wait", "clock", "fast", "wait", "clock"]
    assert seen == 3 * one
    seen.clear()
    launches["device"] = torch.device("cpu")
    launches["wait"]()
    assert launches["now"]() > 0
    assert seen == []


@pytest.mark.parametrize("version", ["loop", "hoisted", "ByHand"])
def test_a_version_stays_on_the_device_of_its_input(launches, version):
    """Torch refuses to mix the meta device with another, as it refuses to mix CPU and GPU."""
    T, B, inputs, H = 5, 4, 3, 2
    run = launches[version]
    run = run.apply if version == "ByHand" else run
    made = dict(device="meta", dtype=torch.float32)
    weights = [
        torch.empty(s, **made).requires_grad_() for s in ((4 * H, inputs), (4 * H, H), 4 * H)
    ]
    found = launches["train"](
        run, torch.empty(T, B, inputs, **made), weights, torch.empty(T, B, H, **made)
    )
    assert [tuple(a.shape) for a in found] == [(T, B, H), *(tuple(w.shape) for w in weights)]
    assert {a.device.type for a in found} == {"meta"}


def test_a_tensor_left_on_the_cpu_would_be_noticed(launches):
    with pytest.raises(RuntimeError):
        launches["hoisted"](
            torch.ones(5, 4, 3), *(torch.empty(s, device="meta") for s in ((8, 3), (8, 2), 8))
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_rounded_states_stay_on_the_device_too(dtype):
    precision = definitions("precision")
    precision |= {"B": 4, "H": 2, "device": torch.device("meta")}
    layer = LSTM(3, 2, device="meta", dtype="float64")
    x = torch.empty(5, 4, 3, device="meta", dtype=torch.float64)
    for factors in (lambda a: a.to(dtype), precision["tf32"]):
        assert precision["states"](x, layer, factors, dtype).device.type == "meta"


def test_rounding_to_ten_bits():
    """Ties go to even, the range is that of float32, and what has ten bits stays."""
    tf32 = definitions("precision")["tf32"]
    ulp = 2.0**-10
    given = [1 + ulp / 2, 1 + 1.5 * ulp, 1 + 0.51 * ulp, -(1 + 1.5 * ulp), 0.0, 1e-30, 3e38, 0.5]
    found = tf32(torch.tensor(given, dtype=torch.float64)).tolist()
    assert found[:4] == [1.0, 1 + 2 * ulp, 1 + ulp, -(1 + 2 * ulp)]
    assert found[4] == 0.0 and found[7] == 0.5
    assert found[5] == pytest.approx(1e-30, rel=ulp / 2)
    assert found[6] == pytest.approx(3e38, rel=ulp / 2)
