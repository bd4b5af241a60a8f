"""The table of gate orders, and the page made from it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lstm_lib.convert import GATE_ORDERS
from lstm_lib.convert.gate_orders import reorder
from lstm_lib.parameters import GATES, GRU_GATES

EXTENSION = Path(__file__).parents[2] / "_ext" / "gate_orders.py"
CELLS = [layout for cells in GATE_ORDERS.values() for layout in cells.values()]
OURS = {"LSTM": GATES, "GRU": GRU_GATES, "RNN": ("h",)}


@pytest.mark.parametrize("layout", CELLS, ids=lambda layout: f"{layout.kind} {layout.names}")
def test_every_row_has_each_gate_once(layout):
    assert sorted(layout.gates) == sorted(OURS[layout.kind])
    assert len(layout.names) == len(layout.gates)


def test_every_library_has_every_kind():
    for cells in GATE_ORDERS.values():
        assert {layout.kind for layout in cells.values()} == {"LSTM", "GRU", "RNN"}


def test_blocks_move_whole():
    rows = np.arange(24).reshape(12, 2)
    moved = reorder(rows, GRU_GATES, ("z", "r", "n"))
    assert np.array_equal(moved, rows[[4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11]])
    assert np.array_equal(reorder(moved, ("z", "r", "n"), GRU_GATES), rows)


def test_the_page_has_a_row_for_every_cell():
    spec = importlib.util.spec_from_file_location("gate_orders", EXTENSION)
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    rows = [row.astext() for row in extension.table().findall(extension.nodes.row)]
    assert len(rows) == len(CELLS) + 1
    for library, cells in GATE_ORDERS.items():
        for cell, layout in cells.items():
            (row,) = [r for r in rows if r.startswith(f"{extension.NAMES[library]}\n\n{cell}\n\n")]
            assert ", ".join(layout.names) in row and layout.biases in row
