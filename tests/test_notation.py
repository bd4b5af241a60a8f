"""The tables of the notation against the layers of both engines, and against the formulas of the docstrings."""

import ast
import inspect
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_lib
from lstm_lib import notation
from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.layout import Layout
from lstm_lib.probe import SYMBOLS, trace
from tests.small_book import build_page, lines_of

LIBRARY = Path(lstm_lib.__file__).parent
KINDS = [("LSTM", False), ("LSTM", True), ("GRU", False), ("RNN", False)]
WEIGHTS = [(kind, symbol) for kind, coupled in KINDS for symbol in notation.weights(kind, coupled)]


def named(case):
    kind, symbol = case
    return f"{kind}-{symbol.tex}-{symbol.code}" + "-coupled" * ("coupled" in symbol.options)


def layer_of(L, kind, symbol, sizes, **more):
    options = dict(symbol.options) | more
    if "proj_size" in options:
        options["proj_size"] = sizes["P"]
    return getattr(L, kind)(sizes["I"], sizes["H"], **options)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(3, 9), st.integers(1, 2))
def test_every_weight_exists_with_its_shape(inputs, hidden, projected):
    cases = [(kind, symbol, {}) for kind, symbol in WEIGHTS]
    cases += [(kind, symbol, {"proj_size": 1}) for kind, symbol in WEIGHTS if kind == "LSTM"]
    for (kind, symbol, more), L in itertools.product(cases, (N, T)):
        projects = "proj_size" in symbol.options | more
        sizes = {"I": inputs, "H": hidden, "P": projected if projects else hidden}
        array = dict(layer_of(L, kind, symbol, sizes, **more).named_parameters())[symbol.code]
        expected = tuple(notation.size(entry, sizes) for entry in symbol.shape)
        found = tuple(array.shape)
        if symbol.rows is not None:
            first, stop = (k * hidden for k in symbol.rows)
            assert 0 <= first < stop <= found[0], symbol
            found = (stop - first, *found[1:])
        assert found == expected, symbol


@pytest.mark.parametrize(("kind", "coupled"), KINDS)
@pytest.mark.parametrize("extra", [{}, {"proj_size": 2}, {"peephole": True, "layer_norm": True}])
def test_no_weight_is_missing_and_its_rows_are_all_named(kind, coupled, extra):
    if kind != "LSTM" and extra:
        return
    options = extra | ({"coupled": True} if coupled else {})
    listed = {}
    for symbol in notation.weights(kind, coupled):
        listed.setdefault(symbol.code, []).append(symbol.rows)
    for name, shape in Layout(kind, 3, 5, **options).shapes().items():
        slots = listed[name]
        assert slots == [None] or slots == [(k, k + 1) for k in range(shape[0] // 5)], name


EXPECTED = {  # what changes at the first step beside c and h, by the part and the gate of the weight
    "i": {"i"}, "f": {"f"}, "g": {"g"}, "o": {"o"},
    "r": {"r", "n"}, "z": {"z"}, "weight_ih n": {"n"}, "bias_ih n": {"n"},
    "weight_hh n": {"q", "n"}, "bias_hh n": {"q", "n"}, "": {"a"},
    "coupled i": {"i", "f"}, "weight_ch i": {"i", "o"}, "weight_ch f": {"f", "o"},
    "coupled weight_ch i": {"i", "f", "o"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "symbol"), [c for c in WEIGHTS if c[1].rows], ids=map(named, [c for c in WEIGHTS if c[1].rows])
)  # fmt: skip
def test_the_rows_belong_to_their_gate(kind, symbol):
    """A weight that grows in its rows alone changes its own gate at the next step, and what follows from it."""
    layer = layer_of(N, kind, symbol, {"I": 2, "H": 3, "P": 3}, dtype=np.float64, rng=0)
    rng = np.random.default_rng(1)
    x, state = rng.normal(size=(1, 4, 2)), rng.normal(size=(1, 4, 3))
    hx = (state, rng.normal(size=(1, 4, 3))) if kind == "LSTM" else state
    before = trace(layer, x, hx)["l0"]
    rows = slice(*(3 * k for k in symbol.rows))
    dict(layer.named_parameters())[symbol.code].data[rows] += 0.3
    after = trace(layer, x, hx)["l0"]
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    part = symbol.code.removesuffix("_l0")
    gate = "" if kind == "RNN" else re.search(r"([a-z])}?$", symbol.tex)[1]
    coupled = "coupled " * ("coupled" in symbol.options)
    keys = [f"{coupled}{part} {gate}", f"{coupled}{gate}", f"{part} {gate}", gate]
    assert changed - {"c", "h"} == next(EXPECTED[key] for key in keys if key in EXPECTED)
    assert "h" in changed


def test_a_gru_names_the_two_biases_of_its_candidate_apart():
    codes = {symbol.tex: symbol.code for symbol in notation.weights("GRU")}
    assert (codes["b_{in}"], codes["b_{hn}"]) == ("bias_ih_l0", "bias_hh_l0")


def test_values_are_those_of_a_trace():
    for kind, _ in KINDS:
        assert tuple(s.tex.removesuffix("_t") for s in notation.values(kind)) == SYMBOLS[kind]
    sizes = {"T": 6, "B": 3, "H": 5, "P": 2, "I": 4, "D": 2, "N": 2}
    lstm = N.LSTM(4, 5, num_layers=2, bidirectional=True, proj_size=2)
    x = np.ones((6, 3, 4), np.float32)
    traces = trace(lstm, x)
    for symbol in notation.values("LSTM"):
        found = eval(symbol.code, {"trace": lambda *_: traces})
        assert found.shape == tuple(notation.size(entry, sizes) for entry in symbol.shape)
    output, (h_n, c_n) = lstm(x)
    known = {"x": x, "output": output, "h_n": h_n, "c_n": c_n, "h_0": h_n, "c_0": c_n}
    known["trace"] = lambda *_: traces
    for symbol in notation.SEQUENCES:
        found = eval(symbol.code, known)
        assert found.shape == tuple(notation.size(entry, sizes) for entry in symbol.shape), symbol


def test_masks_have_their_shapes():
    sizes = {"T": 6, "B": 3, "H": 5, "P": 2}
    for symbol in notation.OPERATIONS:
        if symbol.code == "masks":
            masks = N.LSTM(4, 5, proj_size=2, **symbol.options).draw_masks(6, 3)
            (mask,) = masks.values()
            assert mask.shape == tuple(notation.size(entry, sizes) for entry in symbol.shape)


def test_names_in_code_exist():
    from lstm_lib import equations, normalisation, probe

    for symbol in (*notation.OPERATIONS, *notation.DERIVATIVES):
        if "." in symbol.code and "grad" not in symbol.code:
            module, name = symbol.code.split(".")
            owners = dict(equations=equations, normalisation=normalisation, probe=probe)
            assert callable(getattr(owners[module], name))
    arguments = inspect.signature(N.LSTM).parameters.keys() | {"batch", "steps"}
    assert {symbol.code for symbol in notation.SIZES} <= arguments
    assert "fraction" in inspect.signature(probe.memory_length).parameters
    assert "nonlinearity" in inspect.signature(N.RNN).parameters


# Formulas: words of TeX's own, and what is left must be a symbol of the tables.
WORDS = """tfrac frac sum textstyle quad qquad top max log lVert rVert left right partial overline operatorname
    text hat tilde cdots ge geq le pm infty cdot odot big bigl bigr Bigl Bigr , ; ! { }""".split()
INDICES = {"k", "j", "t", "e", "d"}
MODULES = [
    "equations",
    "variants",
    "numpy/recurrent",
    "torch/recurrent",
    "numpy/cells",
    "torch/cells",
]
MODULES += ["numpy/stack", "torch/stack", "probe/traces", "probe/flow", "probe/jacobians"]


def formulas(path):
    """All formulas of a module's docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node) or ""
            yield from re.findall(r":math:`([^`]+)`", text)
            for block in re.findall(r"^( *)\.\. math::(.*?)(?=^\1\S|\Z)", text, re.M | re.S):
                yield block[1]


def symbols_in(formula):
    """The letters and commands of a formula, without subscripts, superscripts and words in it."""
    formula = re.sub(r"\\(?:text|operatorname)\{[^}]*\}", " ", formula)
    formula = re.sub(r"[_^](?:\{[^{}]*\}|\\?[A-Za-z]+|.)", " ", formula)
    return set(re.findall(r"\\[A-Za-z]+|[A-Za-z]", formula)) - {"\\" + word for word in WORDS}


def known_symbols():
    """The letters and commands of the tables."""
    found = set()
    for table in notation.tables().values():
        for symbol in table:
            found |= symbols_in(symbol.tex)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_symbol_of_the_formulas_is_in_the_tables(module):
    known = known_symbols() | INDICES
    unknown = {
        symbol: formula.strip()
        for formula in formulas(LIBRARY / f"{module}.py")
        for symbol in symbols_in(formula) - known
    }
    assert unknown == {}


def test_an_unknown_symbol_is_noticed():
    assert symbols_in(r"a = \tilde W x_t + \operatorname{LN}(U_{hr} \zeta^2)") == {
        "a", "W", "x", "U", r"\zeta",
    }  # fmt: skip
    assert r"\zeta" not in known_symbols() and r"\sigma" in known_symbols()
    read = [f for module in MODULES for f in formulas(LIBRARY / f"{module}.py")]
    assert len(read) > 60, "the formulas are found at all"


def built(tmp_path, page):
    """A page with the extension: its tables as text, and the warnings."""
    page, warnings = build_page(tmp_path, page, "notation")
    return lines_of(page), warnings


def test_the_page_shows_the_tables(tmp_path):
    names = ["sizes", "weights-lstm", "weights-lstm-coupled"]
    page = "# Notation\n" + "".join(f"\n```{{notation}} {name}\n```\n" for name in names)
    lines, warnings = built(tmp_path, page)
    assert warnings == ""
    assert lines[0] == ["symbol", "meaning", "in code"]
    start = lines.index(["symbol", "meaning", "in code", "shape", "rows"])
    assert lines[start + 2][1:] == ["input weights of the forget gate", "weight_ih_l0", "(H, I)", "H:2H"]  # fmt: skip
    assert ["peephole of the output gate; with peephole=True", "weight_ch_l0", "(H,)", "2H:3H"] in [
        line[1:] for line in lines
    ]
    assert ["projection of the hidden state; with proj_size", "weight_hr_l0", "(P, H)", "all"] in [
        line[1:] for line in lines
    ]
    assert not any("coupled" in text for line in lines for text in line), "the heading says it"


def test_a_table_that_does_not_exist_is_named(tmp_path):
    _, warnings = built(tmp_path, "# Notation\n\n```{notation} nothing\n```\n")
    assert "there is no table 'nothing'" in warnings
