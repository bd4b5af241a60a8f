"""lstm_lib.claims: what is refused, what is shown, what is stored and read back."""

import json
import subprocess
import sys

import numpy as np
import pytest

from lstm_lib import claims
from lstm_lib.claims import Claim, claim, format_number, read_claims


@pytest.fixture(autouse=True)
def nothing_stated(monkeypatch):
    monkeypatch.setattr(claims, "_stated", {})


@pytest.mark.parametrize(
    ("value", "op", "bound", "holds"),
    [
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (3, "<=", 2, False),
        (3, ">", 2, True),
        (2, ">", 2, False),
        (2, ">=", 2, True),
        (1, ">=", 2, False),
        (2, "==", 2, True),
        (2.5, "==", 2, False),
        (2, "between", (1, 3), True),
        (1, "between", (1, 3), True),
        (4, "between", (1, 3), False),
        (0.51, "≈", (0.5, 0.02), True),
        (0.53, "≈", (0.5, 0.02), False),
    ],
)
def test_every_operator(value, op, bound, holds, capsys):
    if holds:
        claim("a-result", value, op, bound)
        assert f"claim a-result: {value} (measured) {op}" in capsys.readouterr().out
    else:
        with pytest.raises(AssertionError, match=f"measured {value}, must be {op}"):
            claim("a-result", value, op, bound)
        assert capsys.readouterr().out == ""


def test_failure_names_value_bound_and_baseline():
    with pytest.raises(
        AssertionError, match=r"measured 0.5 °C, must be < 0.45 \(persistence: 0.61\)"
    ):
        claim("wins", 0.5, "<", 0.45, baseline=("persistence", 0.61), unit="°C")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Bad name"}, "lower-case words joined by hyphens"),
        ({"name": ""}, "lower-case words"),
        ({"name": 3}, "lower-case words"),
        ({"op": "!="}, "op of claim 'wins' must be one of"),
        ({"value": float("nan")}, "value of claim 'wins' must be one finite number; got nan"),
        ({"value": np.inf}, "finite"),
        ({"value": np.zeros(2)}, r"ndarray of shape \(2,\)"),
        ({"value": None}, "NoneType"),
        ({"value": "0.4"}, "the text '0.4'"),
        ({"value": True}, "claim the numbers behind it"),
        ({"value": np.bool_(True)}, "claim the numbers behind it"),
        ({"bound": float("nan")}, "bound of claim"),
        ({"op": "between"}, r"pair \(lowest, highest\)"),
        ({"op": "between", "bound": (2, 1)}, "the lowest is above the highest"),
        ({"op": "≈", "bound": (2, -1)}, "tolerance below zero"),
        ({"baseline": 0.61}, r"pair \(name, value\)"),
        ({"baseline": ("naive", float("nan"))}, "baseline 'naive'"),
        ({"baseline": ("AR(2)", 0.6)}, "no digits or brackets"),
        ({"unit": "m (deep)"}, "unit of claim"),
        ({"unit": None}, "unit of claim"),
        ({"source": ""}, "source of claim"),
        ({"digits": 0}, "digits of claim"),
    ],
    ids=str,
)
def test_bad_arguments(change, message):
    good = {"name": "wins", "value": 0.4, "op": "<", "bound": 0.45}
    with pytest.raises(ValueError, match=message):
        claim(**{**good, **change})


@pytest.mark.parametrize("value", [np.float32(0.25), np.array(0.25), np.array([0.25])])
def test_numpy_values_become_numbers(value):
    assert Claim("a", value, "<", 1).value == 0.25


def test_tensor_becomes_a_number():
    torch = pytest.importorskip("torch")
    assert Claim("a", torch.tensor(0.25, requires_grad=True), "<", 1).value == 0.25


def test_a_name_is_used_once(capsys):
    claim("wins", 1, "<", 2)
    with pytest.raises(ValueError, match="stated already"):
        claim("wins", 1, "<", 2)


@pytest.mark.parametrize(
    ("value", "op", "bound"),
    [(0.44999, "<", 0.45), (0.450004, ">", 0.45), (0.44949996, "<", 0.4495), (1999999.9, "<", 2e6)],
)
def test_rounding_never_contradicts_the_condition(value, op, bound):
    stated = Claim("a", value, op, bound)
    assert Claim("a", float(stated.measured), op, bound).holds
    assert Claim.from_json(stated.to_json()).holds


def test_format_number():
    values = [0, 0.0, -0.41234, 12.0, 1234.5, 99999.6, 1.23456e-5, 2.5e9, 10**9]
    assert [format_number(v) for v in values] == [
        "0", "0", "-0.412", "12", "1234", "100000", "1.23e-05", "2.5e+09", "1000000000",
    ]  # fmt: skip


def test_card_escapes_text():
    card = Claim("a", 1, "<", 2, source="<b>Smith & Sons</b>").to_html()
    assert "<b>" not in card and "&lt;b&gt;Smith &amp; Sons" in card


@pytest.mark.parametrize(
    "stated",
    [
        Claim("a", 3, "==", 3),
        Claim("b", 0.123456789, "between", (0.1, 0.2), "K", ("naive", 0.25), "a book", 4),
        Claim("c", 1e-15, "<", 1e-12),
    ],
)
def test_json_round_trip(stated):
    again = Claim.from_json(json.loads(json.dumps(stated.to_json())))
    assert str(again) == str(stated)
    assert again.to_html() == stated.to_html()
    assert again.to_json() == stated.to_json()


def notebook(path, *records):
    outputs = [{"output_type": "display_data", "data": {claims.MIMETYPE: r}} for r in records]
    outputs.insert(0, {"output_type": "stream", "name": "stdout", "text": "hello"})
    cells = [{"cell_type": "markdown", "source": "# A"}, {"cell_type": "code", "outputs": outputs}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_read_claims(tmp_path):
    first, second = Claim("a", 1, "<", 2, unit="°C"), Claim("b", 2.5, ">", 1)
    path = notebook(tmp_path / "n.ipynb", first.to_json(), second.to_json())
    assert read_claims(path) == {"a": first, "b": second}


def test_read_claims_refuses(tmp_path):
    record = Claim("a", 1, "<", 2).to_json()
    with pytest.raises(ValueError, match="states the claim 'a' twice"):
        read_claims(notebook(tmp_path / "twice.ipynb", record, record))
    with pytest.raises(ValueError, match="must have the fields"):
        read_claims(notebook(tmp_path / "short.ipynb", {"name": "a"}))
    with pytest.raises(ValueError, match="hold name and value"):
        read_claims(notebook(tmp_path / "base.ipynb", {**record, "baseline": 3}))
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match="is not a notebook"):
        read_claims(tmp_path / "torn.ipynb")


def test_import_is_light():
    code = "import sys, lstm_lib.claims, lstm_lib.figures; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"IPython", "torch", "matplotlib"} & set(run.stdout.split())


class Shell:
    """As much of IPython's shell as claim() looks at."""

    def __init__(self, count, cell=None):
        self.execution_count = count
        self.parent_header = {"metadata": {"cellId": cell} if cell else {}}


def test_running_a_cell_again_is_no_repetition():
    claims._forbid_twice("wins", Shell(1, "cell-1"))
    claims._forbid_twice("wins", Shell(2, "cell-1"))
    with pytest.raises(ValueError, match="stated already"):
        claims._forbid_twice("wins", Shell(2, "cell-1"))
    with pytest.raises(ValueError, match="stated already"):
        claims._forbid_twice("wins", Shell(3, "cell-2"))
    claims._forbid_twice("edited", Shell(1))
    claims._forbid_twice("edited", Shell(2))
