"""The rules by which the root conftest.py compares outputs, one by one."""

import importlib.util
from pathlib import Path

import pytest

from lstm_lib.claims import Claim

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("root_conftest", ROOT / "conftest.py")
rules = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rules)

SAME = [
    ("loss 0.0124999", "loss 0.0125001"),
    ("loss 0.0125", "loss 0.0124"),
    ("[0.12 0.5 ]", "[0.12  0.5 ]"),
    ("1.23e-05", "1.24e-05"),
    ("sum 1234.5678", "sum 1234.9"),
    ("error 2.2e-16", "error 4.4e-16"),
    ("−0.50 °C", "−0.51 °C"),
    (
        "claim a: 0.412 °C (measured) <= 0.45; naive 0.61 (measured)",
        "claim a: 0.377 °C (measured) <= 0.45; naive 0.7 (measured)",
    ),
    ("claim n: 12 (measured) == 12", "claim n: 13 (measured) == 12"),
    ("3e-14 (measured) < 1e-12", "8.25e-15 (measured) < 1e-12"),
]
DIFFERENT = [
    ("loss 0.009", "loss 0.029"),
    ("loss 0.0125", "loss 0.0127"),
    ("loss 0.0125", "loss -0.0125"),
    ("loss 0.5", "loss 0.5 0.5"),
    ("12 windows", "13 windows"),
    ("True", "False"),
    ("loss 0.5", "loss nan"),
    ("1.23e-05", "1.23e-04"),
    ("year 2001", "year 2002"),
    ("claim a: 0.412 (measured) <= 0.45", "claim a: 0.412 (measured) <= 0.55"),
    ("claim a: 0.412 (measured) <= 0.45", "claim a: 0.412 (measured) < 0.45"),
    ("claim a: 0.412 (measured) <= 0.45", "claim b: 0.412 (measured) <= 0.45"),
    ("claim a: 0.412 K (measured) <= 0.45", "claim a: 0.412 (measured) <= 0.45"),
    ("0.3 train, 0.412 (measured)", "0.6 train, 0.412 (measured)"),
]


@pytest.mark.parametrize(("stored", "new"), SAME)
def test_same(stored, new):
    assert rules.Text(stored) == new
    assert not rules.Text(stored) != new


@pytest.mark.parametrize(("stored", "new"), DIFFERENT)
def test_different(stored, new):
    assert rules.Text(stored) != new
    assert rules.Text(new) != stored


CLAIM = dict(
    name="wins",
    value=0.41,
    op="<",
    bound=0.45,
    unit="°C",
    baseline=("naive", 0.6),
    source="by hand",
    digits=3,
)


@pytest.mark.parametrize("view", [str, Claim.to_html, Claim.to_json])
@pytest.mark.parametrize(
    "change", [{"value": 0.3}, {"value": 0.449999}, {"baseline": ("naive", 9.0)}]
)
def test_a_claims_measured_numbers_are_not_compared(view, change):
    stored, new = view(Claim(**CLAIM)), view(Claim(**{**CLAIM, **change}))
    assert stored != new
    assert rules.comparable(stored) == rules.comparable(new)


@pytest.mark.parametrize("view", [str, Claim.to_html, Claim.to_json])
@pytest.mark.parametrize(
    "change",
    [
        {"name": "loses"},
        {"op": "<="},
        {"bound": 0.46},
        {"unit": "K"},
        {"baseline": ("drift", 0.6)},
        {"baseline": None},
        {"op": "between", "bound": (0.1, 0.45)},
    ],
    ids=str,
)
def test_the_rest_of_a_claim_is_compared(view, change):
    stored, new = view(Claim(**CLAIM)), view(Claim(**{**CLAIM, **change}))
    assert rules.comparable(stored) != rules.comparable(new)


def test_the_source_of_a_claim_is_compared():
    stored, new = Claim(**CLAIM), Claim(**{**CLAIM, "source": "by ear"})
    for view in (Claim.to_html, Claim.to_json):
        assert rules.comparable(view(stored)) != rules.comparable(view(new))


def test_other_json_is_left_to_nbval():
    assert rules.comparable({"a": 1}) == {"a": 1}
    assert rules.comparable({"a": 1}) != {"a": 2}


def test_coloured_words_and_sounds_are_figures():
    first, second = (f'<div class="lstm-words">{word}</div>' for word in ("good", "bad"))
    assert rules.comparable(first) == rules.comparable(second)
    assert rules.comparable(first) != rules.comparable("<div>good</div>")
    sounds = [f'<div class="lstm-sound">{note}</div>' for note in ("low", "high")]
    assert rules.comparable(sounds[0]) == rules.comparable(sounds[1]) != rules.comparable(first)
    assert rules.comparable("Sound: a tune") != rules.comparable("Sound: another tune")
    assert rules.comparable("Words: one text") != rules.comparable("Words: another text")


def test_tables_of_answers_are_figures():
    tables = [f'<div class="lstm-table">{entry}</div>' for entry in ("right", "wrong")]
    assert rules.comparable(tables[0]) == rules.comparable(tables[1])
    assert rules.comparable(tables[0]) != rules.comparable('<div class="lstm-words">right</div>')
    assert rules.comparable("Table: one network") != rules.comparable("Table: another network")
