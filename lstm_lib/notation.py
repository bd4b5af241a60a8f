r"""Every symbol of the course: what it means, what it is called in code, its shape and its rows.

The book's page of notation is made from these tables, and tests hold them to the layers: each weight
that is listed exists in both engines with the stated shape, no weight is missing, and a change in
the stated rows changes the gate that they are said to belong to.
"""

import re
from typing import NamedTuple

from lstm_lib.layout import Layout


class Symbol(NamedTuple):
    """One line of the notation.

    `tex` is the symbol as TeX, `code` its name in code (empty for a mere convention), `shape` the sizes
    of its axes, such as ``("4H", "I")`` (empty for numbers and functions). Where it is a part of an
    array, `rows` holds its first row and the one after its last, in multiples of H. Without `options`
    the layer does not have it.
    """

    tex: str
    meaning: str
    code: str = ""
    shape: tuple = ()
    rows: tuple | None = None
    options: dict = {}


SIZES = (
    Symbol("B", "sequences in a batch", "batch"),
    Symbol("T", "steps of the longest sequence", "steps"),
    Symbol("I", "features of the input at one step", "input_size"),
    Symbol("H", "hidden units of a layer", "hidden_size"),
    Symbol("P", "units of the hidden state: those of the projection, H without one", "proj_size"),
    Symbol("N", "layers", "num_layers"),
    Symbol("D", "directions: 2 for a bidirectional layer, else 1", "bidirectional"),
)
"""Sizes that shapes are made of."""

SEQUENCES = (
    Symbol("x_t", "input at step t; all steps are the argument", "x", ("T", "B", "I")),
    Symbol("h_t", "hidden state after step t; those of the top layer are the output", "output", ("T", "B", "DP")),
    Symbol("h_0", "hidden state before the first step, of every layer and direction", "h_0", ("DN", "B", "P")),
    Symbol("c_0", "cell state before the first step", "c_0", ("DN", "B", "H")),
    Symbol("h_n", "hidden state after the last valid step of each sequence", "h_n", ("DN", "B", "P")),
    Symbol("c_n", "cell state after the last valid step", "c_n", ("DN", "B", "H")),
    Symbol("c_t", "cell state after step t, of an LSTM", 'trace(...)["l0"]["c"]', ("T", "B", "H")),
)  # fmt: skip
"""What goes into a layer and comes out; batch first where the layer says so, states never."""

_GATE_NAMES = {
    "LSTM": {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate"},
    "GRU": {"r": "reset gate", "z": "update gate", "n": "candidate"},
    "RNN": {"h": "hidden state"},
}

OPERATIONS = (
    Symbol(r"\odot", "product, element by element", "*"),
    Symbol(r"\sigma", "logistic sigmoid, between 0 and 1", "equations.sigmoid"),
    Symbol(r"\tanh", "hyperbolic tangent, between -1 and 1", "equations.tanh"),
    Symbol(r"\phi", "nonlinearity of a plain RNN: tanh or relu", "nonlinearity"),
    Symbol(r"\operatorname{LN}", "layer normalisation", "normalisation.layer_norm"),
    Symbol("m", "mask of the recurrent dropout, the same at all steps", "masks", ("B", "P"), options={"recurrent_dropout": 0.5}),
    Symbol("z_h", "where zoneout keeps the old hidden state", "masks", ("T", "B", "P"), options={"zoneout": (0.5, 0.0)}),
    Symbol("z_c", "where zoneout keeps the old cell state", "masks", ("T", "B", "H"), options={"zoneout": (0.0, 0.5)}),
)  # fmt: skip
"""Functions and masks."""

DERIVATIVES = (
    Symbol("L", "loss, one number"),
    Symbol(r"\delta s", "derivative of the loss by s, with the shape of s", 'd_s, s.grad'),
    Symbol("s", "state: h, or h and c together", "", ("B", "P+H")),
    Symbol(r"\partial s_T / \partial s_t", "Jacobian of the last state by an earlier one", "probe.jacobian_product"),
    Symbol("D(v)", "diagonal matrix of the vector v"),
    Symbol(r"\gamma_k", "size of the gradient k steps before the last", "probe.gradient_flow"),
    Symbol(r"\rho", "fraction of the last gradient that counts as remembered", "fraction"),
    Symbol("K", "memory length: steps over which the gradient keeps that fraction", "probe.memory_length"),
    Symbol(r"\tau", "time constant of a unit, from its forget or update gate", "probe.time_constants"),
)  # fmt: skip
"""The backward pass and what is measured on it."""


def values(kind):
    """Symbols of one step of an LSTM, GRU or RNN, as a trace holds them.

    Parameters
    ----------
    kind : {"LSTM", "GRU", "RNN"}

    Returns
    -------
    list of Symbol

    Examples
    --------
    >>> [symbol.tex for symbol in values("GRU")]
    ['r_t', 'z_t', 'n_t', 'q_t', 'h_t']
    """
    names = dict(_GATE_NAMES[kind])
    if kind == "LSTM":
        names |= {"c": "cell state", "h": "hidden state"}
    elif kind == "GRU":
        names |= {"q": "recurrent part of the candidate", "h": "hidden state"}
    else:
        names = {"a": "pre-activation", "h": "hidden state"}
    width = {"h": "P"} if kind == "LSTM" else {}
    return [
        Symbol(f"{name}_t", means, f'trace(...)["l0"]["{name}"]', ("T", "B", width.get(name, "H")))
        for name, means in names.items()
    ]


def weights(kind, coupled=False):
    """Symbols of the weights of the first layer, gate by gate, with the rows where each stands.

    Parameters
    ----------
    kind : {"LSTM", "GRU", "RNN"}
    coupled : bool
        The forget gate is one minus the input gate and has no rows.

    Returns
    -------
    list of Symbol

    Examples
    --------
    >>> for symbol in weights("LSTM")[:2]:
    ...     print(symbol.tex, symbol.code, symbol.shape, symbol.rows)
    W_i weight_ih_l0 ('H', 'I') (0, 1)
    W_f weight_ih_l0 ('H', 'I') (1, 2)
    """
    options = {"coupled": True} if coupled else {}
    gates = Layout(kind, 1, 1, **options).gates
    found = []
    for tex, part, meaning, columns in (
        ("W", "weight_ih", "input weights", ("I",)),
        ("U", "weight_hh", "recurrent weights", ("P" if kind == "LSTM" else "H",)),
        ("b", "bias_ih", "bias", ()),
        ("b", "bias_hh", "bias", ()),
    ):
        for slot, gate in enumerate(gates):
            rows = (slot, slot + 1)
            of = f"{meaning} of the {_GATE_NAMES[kind][gate]}"
            if tex == "b":
                of += ", input side" if part == "bias_ih" else ", recurrent side"
            subscript = _subscript(kind, gate, part)
            symbol = f"{tex}_{subscript}" if subscript else tex
            found.append(Symbol(symbol, of, f"{part}_l0", ("H", *columns), rows, options))
    return found + (_options(gates, options) if kind == "LSTM" else [])


def _subscript(kind, gate, part):
    """Subscript of a gate's weight; only the two biases of a candidate in a GRU, and those of an RNN, differ."""
    if kind == "RNN":
        return {"bias_ih": "i", "bias_hh": "h"}.get(part, "")
    if kind == "GRU" and gate == "n" and part.startswith("bias"):
        return "{in}" if part == "bias_ih" else "{hn}"
    return gate


def _options(gates, options):
    """Symbols of what the options of an LSTM add."""
    names = _GATE_NAMES["LSTM"]
    peephole = options | {"peephole": True}
    normed = options | {"layer_norm": True}
    seeing = [gate for gate in gates if gate != "g"]
    rows = f"{len(gates)}H"
    return [
        *(
            Symbol(f"p_{gate}", f"peephole of the {names[gate]}", "weight_ch_l0", ("H",), (k, k + 1), peephole)
            for k, gate in enumerate(seeing)
        ),
        Symbol("W_{hr}", "projection of the hidden state", "weight_hr_l0", ("P", "H"), None, options | {"proj_size": 1}),
        Symbol("w_x", "gain of the normalised input product", "norm_ih_l0", (rows,), None, normed),
        Symbol("w_h", "gain of the normalised recurrent product", "norm_hh_l0", (rows,), None, normed),
        Symbol("w_c", "gain of the normalised cell state", "norm_c_l0", ("H",), None, normed),
        Symbol("b_c", "shift of the normalised cell state", "norm_c_bias_l0", ("H",), None, normed),
    ]  # fmt: skip


def tables():
    """All tables of the page of notation, by name.

    Returns
    -------
    dict of str to sequence of Symbol

    Examples
    --------
    >>> sorted(tables())[:3]
    ['derivatives', 'operations', 'sequences']
    """
    found = {
        "sizes": SIZES,
        "sequences": SEQUENCES,
        "operations": OPERATIONS,
        "derivatives": DERIVATIVES,
        "weights-lstm-coupled": weights("LSTM", coupled=True),
    }
    for kind in ("LSTM", "GRU", "RNN"):
        found[f"values-{kind.lower()}"] = values(kind)
        found[f"weights-{kind.lower()}"] = weights(kind)
    return found


def size(text, sizes):
    """The number that an entry of a shape stands for.

    Parameters
    ----------
    text : str
        Sums of products of a number and letters.
    sizes : dict of str to int
        What each letter stands for.

    Returns
    -------
    int

    Examples
    --------
    >>> size("4H", {"H": 8}), size("DP", {"D": 2, "P": 3}), size("P+H", {"P": 3, "H": 8})
    (32, 6, 11)
    """
    total = 0
    for term in text.split("+"):
        number, letters = re.fullmatch(r"(\d*)([A-Z]*)", term).groups()
        product = int(number or 1)
        for letter in letters:
            product *= sizes[letter]
        total += product
    return total
