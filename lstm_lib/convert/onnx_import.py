"""ONNX graphs of recurrent layers, ours or another exporter's, as layers and models."""

from pathlib import Path

import numpy as np

from lstm_lib.convert.blueprint import KINDS, PARTS, assemble, build, build_model, require
from lstm_lib.convert.gate_orders import GATE_ORDERS, PEEPHOLES, our_gates, reorder
from lstm_lib.convert.onnx_graph import Graph
from lstm_lib.validation import has_shape

_ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}


def from_onnx(model, engine="numpy"):
    """Build the layer or model that an ONNX graph computes.

    The graph has to be a stack of ONNX's LSTM, GRU or RNN operators, with or without a linear layer on
    top, as :func:`to_onnx` and the exporters of torch write it. Whatever else it holds is refused by name,
    so what is returned computes what the graph computes.

    Parameters
    ----------
    model : str, Path or onnx.ModelProto
        A file or a model. Nothing in it is executed.
    engine : {"numpy", "torch", "auto"}

    Returns
    -------
    LSTM, GRU, RNN or SequenceModel
        In the graph's precision. A graph with a linear layer becomes a SequenceModel.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no valid ONNX model, or computes what this library has no layer for.
    ModuleNotFoundError
        If onnx is not installed.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> from lstm_lib.convert import to_onnx
    >>> lstm = L.LSTM(3, 5, num_layers=2, rng=0)
    >>> again = from_onnx(to_onnx(lstm))
    >>> bool((again.weight_hh_l1.data == lstm.weight_hh_l1.data).all())
    True
    """
    onnx = require("onnx", "from_onnx", "pip install onnx")
    graph = Graph(onnx, _read(onnx, model).graph, KINDS)
    stack, batch_first, head, readout = graph.structure()
    directions = _same(stack, "direction", lambda node: _directions(graph, node))
    coupled = _same(stack, "input_forget", lambda node: _is_coupled(graph, node))
    parts = _evened([part for node in stack for part in _parts(graph, node)])
    blueprint = assemble(
        parts,
        bidirectional=directions == 2,
        batch_first=batch_first,
        nonlinearity=_nonlinearity(graph, stack),
        peephole=parts[0]["weight_ch"] is not None,
        coupled=coupled,
    )
    if head is None:
        return build(blueprint, engine)
    return build_model(blueprint, head, readout, engine)


def _read(onnx, model):
    """A checked model, whose arrays are all inside."""
    if not isinstance(model, onnx.ModelProto):
        path = Path(model)
        if not path.is_file():
            raise FileNotFoundError(f"no ONNX model at {path}")
        try:
            model = onnx.load_model_from_string(path.read_bytes())
        except Exception as error:  # protobuf's own type
            raise ValueError(f"{path} is not an ONNX model: {error}") from error
    outside = [t.name for t in model.graph.initializer if t.data_location == t.EXTERNAL]
    if outside:
        raise ValueError(f"the weights {outside} are in other files: store them in the model")
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker raises several types
        raise ValueError(f"this is not a valid ONNX model: {error}") from error
    return model


def _directions(graph, node):
    """2 for a bidirectional operator, 1 for a forward one."""
    direction = graph.attribute(node, "direction", b"forward").decode()
    if direction == "reverse":
        raise ValueError(f"{node.op_type} with direction='reverse' alone has no layer here")
    return 2 if direction == "bidirectional" else 1


def _is_coupled(graph, node):
    """Whether the forget gate of an LSTM is one minus the input gate."""
    return bool(graph.attribute(node, "input_forget", 0))


def _same(stack, what, value_of):
    """What is the same for all operators of the stack."""
    values = {value_of(node) for node in stack}
    if len(values) > 1:
        raise ValueError(f"the recurrent operators differ in {what}: it must be the same for all")
    return values.pop()


def _parts(graph, node):
    """Weights of one operator in our layout, a dict for each direction."""
    kind = node.op_type
    _check_attributes(graph, node)
    weight, recurrent, bias, peepholes = (
        _stored(graph, node, name, index)
        for name, index in (("W", 1), ("R", 2), ("B", 3), ("P", 7))
    )
    order = GATE_ORDERS["onnx"][kind].gates, our_gates(kind)
    directions, hidden = _directions(graph, node), graph.attribute(node, "hidden_size", None)
    rows = None if hidden is None else len(order[0]) * hidden
    has_shape("R", recurrent.shape, (directions, rows, hidden), "(directions, blocks * H, H)")
    rows = recurrent.shape[1]
    has_shape("W", weight.shape, (directions, rows, None), "(directions, blocks * H, input)")
    biases = [(None, None)] * directions
    if bias is not None:
        has_shape("B", bias.shape, (directions, 2 * rows), "(directions, 2 * blocks * H)")
        biases = [np.split(row, 2) for row in bias]
    coupled, result = _is_coupled(graph, node), []
    for direction in range(directions):
        arrays = dict(
            zip(PARTS, (weight[direction], recurrent[direction], *biases[direction]), strict=True)
        )
        part = {name: _arranged(array, *order, coupled) for name, array in arrays.items()}
        peephole = None if peepholes is None else peepholes[direction]
        names = PEEPHOLES["onnx"], PEEPHOLES["lstm_lib"]
        result.append({**part, "weight_ch": _arranged(peephole, *names, coupled)})
    return result


def _stored(graph, node, name, index):
    """An input that has to be stored in the graph, or None if it is left out."""
    array = graph.constant_input(node, index)
    if array is None and len(node.input) > index and node.input[index]:
        raise ValueError(
            f"{name} of {node.op_type} is computed by the graph; it must be stored in it"
        )
    return array


def _arranged(array, source, target, coupled):
    """Blocks of one direction in our order, without a forget gate that is coupled."""
    if array is None:
        return None
    return reorder(array, source, [gate for gate in target if not (coupled and gate == "f")])


def _evened(parts):
    """All parts with the same weights: zeros for the biases or peepholes that only some have."""
    for name in ("bias_ih", "bias_hh", "weight_ch"):
        given = [part[name] for part in parts if part[name] is not None]
        for part in parts:
            if given and part[name] is None:
                part[name] = np.zeros_like(given[0])
    return parts


def _check_attributes(graph, node):
    """Raise if the operator has an option that our layers lack."""
    kind = node.op_type
    if graph.attribute(node, "layout", 0):
        raise ValueError(f"{kind} with layout=1 is not supported: export it with layout=0")
    if graph.attribute(node, "clip", None) is not None:
        raise ValueError(f"{kind} with clip has no layer here: it bounds the gates' inputs")
    if kind == "GRU" and not graph.attribute(node, "linear_before_reset", 0):
        raise ValueError(
            "GRU with linear_before_reset=0 applies the reset gate before the recurrent product, "
            "which is another GRU"
        )
    activations = _activations(graph, node)
    expected = _ACTIVATIONS.get(kind)
    if expected and activations and activations != expected * _directions(graph, node):
        raise ValueError(f"{kind} with activations {activations} has no layer here")


def _activations(graph, node):
    return [name.decode() for name in graph.attribute(node, "activations", [])]


def _nonlinearity(graph, stack):
    """The one activation of a stack of plain RNNs."""
    if stack[0].op_type != "RNN":
        return "tanh"
    used = {name for node in stack for name in _activations(graph, node) or ["Tanh"]}
    names = {"Tanh": "tanh", "Relu": "relu"}
    if len(used) > 1 or not used <= names.keys():
        raise ValueError(
            f"RNN with activations {sorted(used)} has no layer here: all must be Tanh, or all Relu"
        )
    return names[used.pop()]
