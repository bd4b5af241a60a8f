"""lstm_lib.figures: contrast, colours apart for every eye, alternative text, stable bytes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lstm_lib import figures

plt = pytest.importorskip("matplotlib.pyplot")

PAGES = ("#ffffff", "#0f141b")
# Linear-RGB simulation of colour-vision deficiencies at full severity
# (Machado, Oliveira & Fernandes, 2009, doi:10.1109/TVCG.2009.113).
EYES = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colour):
    """Linear RGB of a hexadecimal colour."""
    c = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """Contrast ratio of WCAG 2."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb):
    """Coordinates in which distance follows perceived difference (Ottosson, 2020)."""
    to_cone = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
               [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    to_lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
              [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip
    return np.cbrt(np.clip(rgb, 0, 1) @ np.transpose(to_cone)) @ np.transpose(to_lab)


@pytest.mark.parametrize("page", PAGES)
def test_contrast(page):
    assert contrast(figures.INK, page) >= 4
    assert min(contrast(colour, page) for colour in figures.COLOURS) >= 3


@pytest.mark.parametrize("eye", EYES)
def test_colours_stay_apart(eye):
    seen = np.array([oklab(linear(c) @ np.transpose(EYES[eye])) for c in figures.COLOURS])
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert apart[np.triu_indices(len(seen), 1)].min() > 0.14


def simple():
    figures.use_style()
    fig, ax = plt.subplots()
    ax.plot([1, 2, 3])
    return fig


def test_svg_is_transparent_titled_and_stable():
    alt = "A line that rises <from> one to three & stops"
    first, second = (figures.to_svg(simple(), alt) for _ in range(2))
    plt.close("all")
    assert first == second
    root = ET.fromstring(first)
    assert root.find("{http://www.w3.org/2000/svg}title").text == alt
    assert root.get("role") == "img"
    assert "Matplotlib v" not in first and "<dc:date>" not in first
    assert not re.search(r"fill: ?#(fff|000)", first)
    assert "<text" not in first


def test_show_closes_the_figure_and_prints_the_alt(capsys):
    before = plt.get_fignums()
    figures.show(simple(), "A line that\n  rises", caption="Rising.")
    assert plt.get_fignums() == before
    assert capsys.readouterr().out == "Figure: A line that rises\nRising.\n"


@pytest.mark.parametrize("alt", ["", "  ", "plot", None, "two words"])
def test_alt_is_needed(alt):
    with pytest.raises(ValueError, match="alt must say in words"):
        figures.show(simple(), alt)
    plt.close("all")


def test_show_wants_a_figure():
    with pytest.raises(TypeError, match="must be a matplotlib Figure, got list"):
        figures.show([], "Nothing at all here")


def test_rasterise_shrinks_a_dense_plot():
    rng = np.random.default_rng(0)
    sizes = []
    for dense in (False, True):
        fig, ax = plt.subplots()
        points = ax.scatter(*rng.normal(size=(2, 4000)))
        if dense:
            assert figures.rasterise(points) is points
        sizes.append(len(figures.to_svg(fig, "A cloud of points")))
        plt.close(fig)
    assert sizes[1] < sizes[0] / 3


def test_missing_matplotlib_is_named():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from lstm_lib import figures\n"
        "try: figures.use_style()\n"
        "except ImportError as e: print(e)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "lstm_lib[plot]"' in run.stdout


T = np.arange(20.0)
GATES = {name: np.full((20, 3), 0.5) for name in "ifgoch"}
PLOTS = {
    "forecast": lambda: figures.plot_forecast(T, {"LSTM": T + 1, "naive": T - 1}),
    "forecast with dates and band": lambda: figures.plot_forecast(
        T, {"LSTM": T}, x=np.datetime64("2020-01-01") + np.arange(20), band=(T - 1, T + 1)
    ),
    "learning curve": lambda: figures.plot_learning_curve(
        {"train_loss": T[::-1] + 1, "valid_loss": T[::-1] + 2}, baselines={"naive": 5.0}
    ),
    "learning curve without validation": lambda: figures.plot_learning_curve(
        {"train_loss": T[::-1] + 1, "valid_loss": []}, log=False
    ),
    "gates": lambda: figures.plot_gates(GATES),
    "some gates in another order": lambda: figures.plot_gates(GATES, names="fc", order=[2, 0, 1]),
    "errors": lambda: figures.plot_errors_with_confidence(
        {"LSTM": [1.0, 2.0]}, baselines={"naive": 1.5}
    ),
}


@pytest.mark.parametrize("name", PLOTS)
def test_plots_fit_a_phone_and_the_page(name):
    fig = PLOTS[name]()
    svg = figures.to_svg(fig, f"A test of the plot {name}")
    assert fig.get_size_inches()[0] == 6.4
    assert len(svg) < 400_000
    plt.close(fig)


def test_learning_curve_takes_a_history():
    class History:
        train_loss = [2.0, 1.0]
        valid_loss = [2.0, 1.5]

    plt.close(figures.plot_learning_curve(History()))


BAD = {
    "lengths": (lambda: figures.plot_forecast(T, {"LSTM": T[1:]}), "as long as real"),
    "no forecast": (lambda: figures.plot_forecast(T, {}), "at least one prediction"),
    "rank": (lambda: figures.plot_forecast(T[:, None], {"LSTM": T}), r"got shape \(20, 1\)"),
    "symbol": (lambda: figures.plot_gates({"z": np.ones((2, 2))}), r"got \['z'\]"),
    "no gate": (lambda: figures.plot_gates({}), "none of the symbols"),
    "gate shape": (lambda: figures.plot_gates({"i": np.ones((2, 2)), "f": np.ones(2)}), "of shape"),
    "one seed": (
        lambda: figures.plot_errors_with_confidence({"LSTM": [1.0]}),
        "at least two seeds",
    ),
    "confidence": (
        lambda: figures.plot_errors_with_confidence({"LSTM": [1.0, 2.0]}, confidence=95),
        "between 0 and 1",
    ),
    "no errors": (lambda: figures.plot_errors_with_confidence({}), "at least one method"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arrays(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
    plt.close("all")
