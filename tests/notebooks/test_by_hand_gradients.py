"""The two steps by hand in chapter 5: every number in its prose is what lstm_lib computes, to the last digit."""

import re

import nbformat
import numpy as np
import pytest

from lstm_lib.equations import lstm_preactivation, lstm_step, lstm_step_backward
from lstm_lib.gradcheck import complex_step
from tests.notebooks.hygiene import ROOT

PATH = ROOT / "chapters" / "05-backpropagation" / "derivation.ipynb"
INPUTS = (1.0, -1.0)
FORWARD = ("a_i", "a_f", "a_g", "a_o", "i_t", "f_t", "g_t", "o_t", "c_t", r"\tanh c_t", "h_t")
BACKWARD = ("h_t", "c_t", "a_i", "a_f", "a_g", "a_o", "h_{t-1}", "c_{t-1}")


@pytest.fixture(scope="module")
def rows():
    """``{first cell: the numbers beside it}`` of all tables of the section, in their order."""
    cells = nbformat.read(PATH, as_version=4).cells
    [section] = [cell.source for cell in cells if cell.source.startswith("## With numbers")]
    found = re.findall(r"^\| \$(.+?)\$ \| (.+) \|$", section, re.MULTILINE)
    return [
        (name, [float(n) for n in numbers.replace("−", "-").split(" | ")])
        for name, numbers in found
        if not numbers.startswith("$")
    ]


@pytest.fixture(scope="module")
def by_code(rows):
    """The same rows, computed from the weights in the first table."""
    assert [name for name, _ in rows[:4]] == list("ifgo")
    W, U, b = np.array([numbers for _, numbers in rows[:4]]).T
    weights = W[:, None], U[:, None], b
    state, steps, forward = (np.zeros((1, 1)), np.zeros((1, 1))), [], []
    for x in INPUTS:
        before = np.full((1, 1), x), *state
        a = lstm_preactivation(*before[:2], *weights)
        step = lstm_step(*before, *weights)
        state = step.h, step.c
        steps.append((step, before))
        forward.append([*a[0], step.i, step.f, step.g, step.o, step.c, step.tanh_c, step.h])
    dh, dc, backward, total = state[0] - 1, np.zeros((1, 1)), [], 0
    for step, before in reversed(steps):
        back = lstm_step_backward(dh, dc, step, *before, *weights[:2])
        cell = dc + dh * step.o * (1 - step.tanh_c**2)
        backward.append([dh, cell, *back.bias, back.h, back.c])
        dh, dc = back.h, back.c
        total = total + np.column_stack((back.weight_ih, back.weight_hh, back.bias))
    columns = [
        np.array([[float(np.squeeze(v)) for v in column] for column in part]).T
        for part in (forward, backward)
    ]
    return weights, *columns, total


def test_every_table_of_the_section(rows, by_code):
    _, forward, backward, total = by_code
    names = [*FORWARD, *(rf"\delta {name}" for name in BACKWARD), *"ifgo"]
    assert [name for name, _ in rows[4:]] == names
    for (name, numbers), values in zip(rows[4:], [*forward, *backward, *total], strict=True):
        assert numbers == [round(float(value), 4) + 0.0 for value in values], name


def test_the_last_table_is_the_derivative_of_the_loss(rows, by_code):
    W, U, b = by_code[0]

    def loss(p):
        h = c = np.zeros((1, 1))
        for x in INPUTS:
            step = lstm_step(np.full((1, 1), x), h, c, p["W"], p["U"], p["b"])
            h, c = step.h, step.c
        return ((h - 1) ** 2 / 2).sum()

    true = complex_step(loss, {"W": W, "U": U, "b": b})
    true = np.column_stack((true["W"], true["U"], true["b"]))
    np.testing.assert_allclose([numbers for _, numbers in rows[-4:]], true, rtol=0, atol=5.1e-5)
