"""The computation by hand in chapter 4: what its prose says is what lstm_lib computes, to the last digit."""

import re

import nbformat
import numpy as np
import pytest

from lstm_lib.equations import lstm_preactivation, lstm_step
from tests.notebooks.hygiene import ROOT

PATH = ROOT / "chapters" / "04-lstm-cell" / "by-hand.ipynb"
INPUTS = (1.0, 1.0, -1.0, -1.0)


@pytest.fixture(scope="module")
def prose():
    cells = nbformat.read(PATH, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.fixture(scope="module")
def steps():
    """The four steps with all weights one: pre-activation, gate, candidate, states."""
    weights = np.ones((16, 1)), np.ones((16, 4)), np.ones(16)
    h = c = np.zeros((1, 4))
    found = []
    for x in INPUTS:
        x = np.array([[x]])
        a = lstm_preactivation(x, h, *weights)
        step = lstm_step(x, h, c, *weights)
        kept, written = step.f * c, step.i * step.g
        h, c = step.h, step.c
        numbers = (a, step.i, step.g, step.c, step.tanh_c, step.h, kept, written)
        found.append([number[0, 0] for number in numbers])
    return found


def test_the_table_in_the_prose(prose, steps):
    rows = re.findall(r"^\| (\d) \| (−?1) \| (.+) \|$", prose, re.MULTILINE)
    assert [(int(k), float(x.replace("−", "-"))) for k, x, _ in rows] == list(enumerate(INPUTS, 1))
    for (_, _, entries), numbers in zip(rows, steps, strict=True):
        assert entries.split(" | ") == [f"{number:.4f}" for number in numbers[:6]]


@pytest.mark.parametrize("k", [2, 3, 4])
def test_every_number_of_a_step_in_the_prose(prose, steps, k):
    """Each number with four digits in the paragraph of step k is one of this step, or the memory before it."""
    paragraph = re.search(rf"\*\*Step {k}.*", prose).group()
    known = {f"{number:.4f}" for number in [*steps[k - 1], steps[k - 2][3]]}
    said = set(re.findall(r"(?<![\d.])\d\.\d{4}(?!\d)", paragraph))
    assert said and said <= known
    assert f"{steps[k - 2][5]:.5f}" in paragraph
    assert f"{steps[k - 1][5]:.4f}" in said
