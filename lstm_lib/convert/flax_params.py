"""Parameters to and from the cells of Flax: nested dicts of arrays, of linen and of nnx."""

import numpy as np

from lstm_lib.convert.blueprint import PARTS, assemble, build, describe, kind_by_blocks
from lstm_lib.convert.gate_orders import GATE_ORDERS, our_gates, reorder
from lstm_lib.parameters import suffixes
from lstm_lib.validation import has_shape, one_of

_NOT_IN_FLAX = ("proj_size", "peephole", "coupled", "layer_norm", "zoneout")
_CELLS = GATE_ORDERS["flax"]
_DEFAULT = {"LSTM": "linen.OptimizedLSTMCell", "GRU": "linen.GRUCell", "RNN": "linen.SimpleCell"}


def to_flax(layer, cell=None):
    r"""Return the weights of a recurrent layer as parameters of Flax cells.

    Kernels are transposed. Where a Flax cell has one bias for two of ours it becomes
    :math:`b_{ih} + b_{hh}`, and zeros for ``bias=False``, as the cells always have biases.

    Parameters
    ----------
    layer : LSTM, GRU or RNN
        Of either engine. Dropout is no weight and is left to Flax's own layers.
    cell : str, optional
        One of the cells in ``GATE_ORDERS["flax"]`` (:data:`lstm_lib.convert.gate_orders.GATE_ORDERS`). By default
        linen's cell of the layer's kind; ``linen.LSTMCell`` and ``linen.OptimizedLSTMCell`` share their
        parameters.

    Returns
    -------
    dict
        ``{"l0": parameters of the cell, ...}``, one entry for each layer and direction, named like
        the ends of torch's names: Flax composes them from single cells. For linen,
        ``cell.apply({"params": result["l0"]}, carry, x)``, with the carry ``(c, h)``: c first.

    Raises
    ------
    ValueError
        For an unknown cell, one of another kind, an option that changes the equations and that Flax
        lacks, or a ``bias_hh`` of n for ``nnx.GRUCell``, which has none.
    TypeError
        If it is no recurrent layer of this library.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> params = to_flax(L.LSTM(3, 5))["l0"]
    >>> params["if"]["kernel"].shape, params["hf"]["kernel"].shape, params["hf"]["bias"].shape
    ((3, 5), (5, 5), (5,))
    """
    blueprint = describe(layer)
    blueprint.refuse("Flax", _NOT_IN_FLAX)
    cell = _DEFAULT[blueprint.layout.kind] if cell is None else one_of("cell", cell, tuple(_CELLS))
    if _CELLS[cell].kind != blueprint.layout.kind:
        raise ValueError(f"cell={cell!r} is no {blueprint.layout.kind}, and the layer is one")
    return {suffix: _to_cell(cell, *blueprint.part(suffix)) for suffix in blueprint.layout.suffixes}


def from_flax(params, engine="numpy", *, batch_first=True, nonlinearity="tanh"):
    """Build the recurrent layer whose weights Flax cells hold.

    The kind of cell is told by the names of its parameters, layers and directions by the keys.

    Parameters
    ----------
    params : dict
        As :func:`to_flax` returns it: ``{"l0": parameters of a cell, ...}``, of linen or nnx
        (``nnx.to_pure_dict(nnx.state(cell))``), NumPy or JAX arrays.
    engine : {"numpy", "torch", "auto"}
    batch_first : bool
        True by default, as Flax's ``RNN`` reads ``(batch, steps, features)``.
    nonlinearity : {"tanh", "relu"}
        The activation of a SimpleCell.

    Returns
    -------
    LSTM, GRU or RNN

    Raises
    ------
    ValueError
        If keys, names or shapes fit no cell.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> gru = L.GRU(3, 5, num_layers=2, bidirectional=True)
    >>> again = from_flax(to_flax(gru))
    >>> again.num_layers, again.bidirectional
    (2, True)
    """
    one_of("nonlinearity", nonlinearity, ("tanh", "relu"))
    bidirectional = "l0_reverse" in params
    names = suffixes(max(len(params) // (2 if bidirectional else 1), 1), bidirectional)
    if set(params) != set(names):
        raise ValueError(
            f"params must have one cell for every layer and direction, {names}, got {sorted(params)}"
        )
    parts = [_from_cell(params[name]) for name in names]
    blueprint = assemble(
        parts, bidirectional=bidirectional, batch_first=batch_first, nonlinearity=nonlinearity
    )
    return build(blueprint, engine)


def _blocks(cell):
    """Names of a cell's input blocks and of its recurrent blocks, gate by gate."""
    layout = _CELLS[cell]
    if "dense_i" in layout.weights:
        return ["dense_i"], ["dense_h"]
    if layout.kind == "RNN":
        return ["i"], ["h"]
    inputs = [f"i{gate}" for gate in layout.names]
    if cell == "nnx.LSTMCell":
        inputs[layout.gates.index("f")] = "if_"
    return inputs, [f"h{gate}" for gate in layout.names]


def _has_bias(cell, block):
    """Whether a block of a cell has a bias."""
    recurrent = block in _blocks(cell)[1]
    if _CELLS[cell].kind == "LSTM":
        return recurrent
    return not recurrent or block == "hn"


def _to_cell(cell, weight_ih, weight_hh, bias_ih, bias_hh):
    """One layer and direction as the parameters of a cell."""
    kind = _CELLS[cell].kind
    if bias_ih is None:
        bias_ih = bias_hh = np.zeros_like(weight_ih[:, 0])
    both, none = bias_ih + bias_hh, np.zeros_like(bias_ih)
    if kind == "LSTM":
        bias_ih, bias_hh = none, both
    elif kind == "RNN":
        bias_ih, bias_hh = both, none
    else:
        candidate = slice(2 * weight_hh.shape[1], None)
        if cell == "nnx.GRUCell" and bias_hh[candidate].any():
            raise ValueError(
                "nnx.GRUCell has no recurrent bias of n, and the bias_hh of n in this GRU is not zero; "
                "linen.GRUCell has one"
            )
        both[candidate], none[candidate] = bias_ih[candidate], bias_hh[candidate]
        bias_ih, bias_hh = both, none
    inputs, recurrent = _blocks(cell)
    params = {}
    for blocks, weight, bias in ((inputs, weight_ih, bias_ih), (recurrent, weight_hh, bias_hh)):
        rows = (
            np.split(reorder(array, our_gates(kind), _CELLS[cell].gates), len(blocks))
            for array in (weight, bias)
        )
        for block, kernel, offset in zip(blocks, *rows, strict=True):
            params[block] = {"kernel": kernel.T.copy()}
            if _has_bias(cell, block):
                params[block]["bias"] = offset
    return params


def _from_cell(params):
    """One layer and direction in our layout."""
    cell = _recognise(params)
    weights, biases = [], []
    for blocks in _blocks(cell):
        kernels = [np.asarray(params[block]["kernel"]) for block in blocks]
        for block, kernel in zip(blocks, kernels, strict=True):
            has_shape(f"{block}'s kernel", kernel.shape, (None, None), "(in, out)")
            has_shape(f"{block}'s kernel", kernel.shape, kernels[0].shape, "that of its neighbours")
        weights.append(np.concatenate(kernels, axis=1).T)
        bias = []
        for block, kernel in zip(blocks, kernels, strict=True):
            width = (kernel.shape[1],)
            offset = np.asarray(params[block].get("bias", np.zeros(width, kernel.dtype)))
            has_shape(f"{block}'s bias", offset.shape, width, "(out,)")
            bias.append(offset)
        biases.append(np.concatenate(bias))
    layout = _CELLS[cell]
    target = our_gates(layout.kind)
    arrays = (reorder(array, layout.gates, target) for array in (*weights, *biases))
    return dict(zip(PARTS, arrays, strict=True))


def _recognise(params):
    """The name of the cell that has these parameters."""
    given = {(block, name) for block, arrays in params.items() for name in arrays}
    for cell, layout in _CELLS.items():
        blocks = [block for side in _blocks(cell) for block in side]
        wanted = {(block, "kernel") for block in blocks}
        wanted |= {(block, "bias") for block in blocks if _has_bias(cell, block)}
        if wanted == given and layout.kind == _kind(layout, params):
            return cell
    found = sorted(f"{block}.{name}" for block, name in given)
    raise ValueError(f"no cell of Flax that is known here has the parameters {found}")


def _kind(layout, params):
    """The kind that the widths tell where cells of several kinds share their names."""
    if "dense_h" not in params:
        return layout.kind
    return kind_by_blocks(np.shape(params["dense_h"]["kernel"])[::-1])
