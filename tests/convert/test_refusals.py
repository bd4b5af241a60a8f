"""What another library cannot express is refused by its name, and bad files and arrays are told apart."""

import re
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.convert import (
    from_flax,
    from_keras_weights,
    from_onnx,
    from_torch,
    to_flax,
    to_keras_weights,
    to_onnx,
    to_torch,
)
from tests.convert.helpers import random_model


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("convert", "target", "options"),
    [
        (to_torch, "torch.nn.LSTM", "peephole coupled layer_norm recurrent_dropout zoneout"),
        (to_onnx, "ONNX", "proj_size layer_norm zoneout"),
        (to_keras_weights, "Keras", "proj_size peephole coupled layer_norm zoneout"),
        (to_flax, "Flax", "proj_size peephole coupled layer_norm zoneout"),
    ],
    ids=["torch", "onnx", "keras", "flax"],
)
def test_options_that_a_library_lacks(L, convert, target, options):
    values = dict(proj_size=2, recurrent_dropout=0.25, zoneout=(0.0, 0.5))
    for name in options.split():
        value = values.get(name, True)
        with raises(ValueError, f"{target} cannot express {name}={value!r} of this LSTM"):
            convert(L.LSTM(2, 3, **{name: value}))


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
def test_a_graph_draws_no_masks(name):
    layer = N.LSTM(2, 3, num_layers=2, **{name: 0.5})
    with raises(ValueError, f"ONNX cannot express {name}=0.5 of this LSTM: a graph draws no masks"):
        to_onnx(layer)


def test_options_of_the_export():
    model, _ = random_model()
    with raises(ValueError, "states=True needs a layer: a SequenceModel starts from zero states"):
        to_onnx(model, states=True)


@pytest.mark.parametrize("convert", [to_torch, to_onnx, to_keras_weights, to_flax])
@pytest.mark.parametrize(
    "thing", [torch.nn.LSTM(2, 3), N.LSTMCell(2, 3), None], ids=lambda t: str(type(t))
)
def test_what_is_no_layer_of_ours(convert, thing):
    with raises(TypeError, f"expected an LSTM, GRU or RNN of lstm_lib, got {type(thing).__name__}"):
        convert(thing)


@pytest.mark.parametrize("convert", [to_keras_weights, to_flax])
def test_models_are_layers_and_heads_elsewhere(convert):
    with raises(TypeError, "got SequenceModel"):
        convert(random_model()[0])


def test_what_comes_from_torch():
    with raises(TypeError, "module must be a torch.nn.LSTM, GRU or RNN, got Linear"):
        from_torch(torch.nn.Linear(2, 3))
    with raises(
        ValueError, "weights must all be float32 or all float64, but weight_ih_l0 is float16"
    ):
        from_torch(torch.nn.LSTM(2, 3, dtype=torch.float16))
    with raises(ValueError, "engine must be 'auto', 'numpy' or 'torch', got 'jax'"):
        from_torch(torch.nn.LSTM(2, 3), "jax")


def test_torch_layers_whose_weights_are_computed():
    normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.LSTM(2, 3), "weight_hh_l0")
    with raises(ValueError, "missing ['weight_hh_l0'], not expected ['parametrizations"):
        from_torch(normed)


def test_what_comes_from_keras():
    weights = to_keras_weights(N.GRU(2, 3, rng=0))
    with raises(ValueError, "reset_after=False applies the reset gate before"):
        from_keras_weights(weights, reset_after=False)
    with raises(
        ValueError, "bias must have shape (2, 9), got (9,): that is a GRU with reset_after=False"
    ):
        from_keras_weights([*weights[:2], weights[2][0]])
    with raises(ValueError, "bias must have shape (2, 9)"):
        from_keras_weights([*weights[:2], weights[2][:, :6]])
    with raises(ValueError, "bias must have shape (12,)"):
        from_keras_weights([*to_keras_weights(N.LSTM(2, 3))[:2], np.zeros(9, np.float32)])
    with raises(ValueError, "nonlinearity must be one of 'tanh', 'relu'; got 'gelu'"):
        from_keras_weights(weights, nonlinearity="gelu")
    with raises(ValueError, "weights must hold 3 arrays for every layer"):
        from_keras_weights(weights[:2])
    with raises(ValueError, "weights must hold 6 arrays for every layer"):
        from_keras_weights(weights, bidirectional=True)
    with raises(ValueError, "weights must hold 2 arrays for every layer"):
        from_keras_weights([], bias=False)
    with raises(ValueError, "every kernel must have 2 axes, got shapes (2, 9) and (2, 9, 1)"):
        from_keras_weights([weights[0], np.zeros((2, 9, 1)), weights[2]])
    with raises(ValueError, "must have 4, 3 or 1 blocks of H = 3 rows, got shape (6, 3)"):
        from_keras_weights([weights[0], weights[1][:, :6], weights[2]])
    with raises(ValueError, "kernel must have shape (any, 9)"):
        from_keras_weights([weights[0][:, :6], *weights[1:]])
    with raises(ValueError, "but weight_hh_l0 is float64 and the first is float32"):
        from_keras_weights([weights[0], weights[1].astype(np.float64), weights[2]])
    two = [*weights, *to_keras_weights(N.GRU(4, 3))]
    with raises(ValueError, "weight_ih_l1 must have shape (9, 3)"):
        from_keras_weights(two)


def test_what_goes_to_and_comes_from_flax():
    gru = N.GRU(2, 3, rng=0)
    with raises(ValueError, "nnx.GRUCell has no recurrent bias of n"):
        to_flax(gru, "nnx.GRUCell")
    with raises(ValueError, "cell='linen.LSTMCell' is no GRU, and the layer is one"):
        to_flax(gru, "linen.LSTMCell")
    with raises(ValueError, "cell must be one of 'linen.LSTMCell'"):
        to_flax(gru, "linen.MGUCell")
    params = to_flax(gru)
    with raises(ValueError, "params must have one cell for every layer and direction, ['l0']"):
        from_flax({"cell": params["l0"]})
    with raises(ValueError, "['l0'], got []"):
        from_flax({})
    with raises(ValueError, "['l0', 'l0_reverse']"):
        from_flax({"l0_reverse": params["l0"], "l1": params["l0"]})
    with raises(ValueError, "no cell of Flax that is known here has the parameters ['ir.kernel']"):
        from_flax({"l0": {"ir": {"kernel": np.zeros((2, 3))}}})
    with raises(ValueError, "nonlinearity must be one of"):
        from_flax(params, nonlinearity="gelu")
    damaged = {"l0": params["l0"] | {"hz": {"kernel": np.zeros((3, 4), np.float32)}}}
    with raises(ValueError, "hz's kernel must have shape (3, 3)"):
        from_flax(damaged)
    damaged = {"l0": params["l0"] | {"hn": params["l0"]["hn"] | {"bias": np.zeros(4, np.float32)}}}
    with raises(ValueError, "hn's bias must have shape (3,)"):
        from_flax(damaged)


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "model.onnx"
    with raises(FileNotFoundError, "no ONNX model at"):
        from_onnx(path)
    to_onnx(N.LSTM(2, 3), path)
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"not a protobuf",
        whole[: len(whole) // 2],
        whole[:-1],
        b"\x80\x04" + whole,
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="not an ONNX model|not a valid ONNX model"):
            from_onnx(path)


def test_weights_outside_the_file():
    model = to_onnx(N.LSTM(2, 3))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    with raises(ValueError, "are in other files: store them in the model"):
        from_onnx(model)


@pytest.mark.parametrize(
    ("package", "function"),
    [("onnx", to_onnx), ("onnx", from_onnx), ("torch", to_torch), ("torch", from_torch)],
    ids=["to_onnx", "from_onnx", "to_torch", "from_torch"],
)
def test_a_missing_package_is_named(monkeypatch, package, function):
    monkeypatch.setitem(sys.modules, package, None)
    message = f"{function.__name__} needs {package}: pip install {package}"
    with raises(ModuleNotFoundError, message):
        function(N.LSTM(1, 2))


def recurrent(model, number=0):
    """A recurrent node of a graph."""
    return [n for n in model.graph.node if n.op_type in ("LSTM", "GRU", "RNN")][number]


def setting(**attributes):
    """An edit that sets attributes of the first recurrent node."""

    def edit(model):
        node = recurrent(model)
        kept = [a for a in node.attribute if a.name not in attributes]
        del node.attribute[:]
        node.attribute.extend(kept)
        node.attribute.extend(helper.make_attribute(n, v) for n, v in attributes.items())

    return edit


def feeding(index, array):
    """An edit that gives the first recurrent node a stored input."""

    def edit(model):
        node = recurrent(model)
        while len(node.input) <= index:
            node.input.append("")
        node.input[index] = "fed"
        model.graph.initializer.append(numpy_helper.from_array(array, "fed"))

    return edit


def computing(index):
    """An edit that lets the graph compute an input of the first recurrent node."""

    def edit(model):
        node = recurrent(model)
        model.graph.node.insert(0, helper.make_node("Identity", [node.input[index]], ["computed"]))
        node.input[index] = "computed"

    return edit


def on_top(operator, *more, **attributes):
    """An edit that puts an operator between the first output and what made it."""

    def edit(model):
        output = model.graph.output[0]
        made = next(node for node in model.graph.node if output.name in node.output)
        made.output[0] = "below"
        node = helper.make_node(operator, ["below", *more], [output.name], **attributes)
        model.graph.node.append(node)
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()

    return edit


ONE = np.ones((1, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        ("LSTM", setting(layout=1), "LSTM with layout=1 is not supported"),
        ("LSTM", setting(clip=5.0), "LSTM with clip has no layer here"),
        ("LSTM", setting(direction="reverse"), "direction='reverse' alone has no layer here"),
        ("LSTM", setting(activations=["HardSigmoid", "Tanh", "Tanh"]), "LSTM with activations"),
        ("GRU", setting(linear_before_reset=0), "GRU with linear_before_reset=0"),
        ("GRU", setting(activations=["Sigmoid", "Relu"]), "GRU with activations"),
        ("RNN", setting(activations=["Softsign"]), "RNN with activations ['Softsign']"),
        ("LSTM", feeding(5, ONE), "initial_h must be an input of the graph, or zero"),
        ("LSTM", feeding(6, ONE), "initial_c must be an input of the graph, or zero"),
        ("GRU", feeding(4, np.ones(3, np.int32)), "sequence_lens must be an input of the graph"),
        ("LSTM", computing(1), "W of LSTM is computed by the graph"),
        ("LSTM", computing(2), "R of LSTM is computed by the graph"),
        ("LSTM", computing(3), "B of LSTM is computed by the graph"),
        ("LSTM", on_top("Softmax"), "this graph also has Softmax"),
        ("LSTM", on_top("Transpose", perm=[1, 0, 2]), "the first output must have the axes"),
        ("LSTM", on_top("Add", "below"), "Add of two computed values"),
        ("LSTM", on_top("Concat", "below", axis=0), "must come from a recurrent operator"),
    ],
    ids=lambda part: None if callable(part) else part,
)
def test_graphs_that_are_not_ours(kind, edit, message):
    model = to_onnx(getattr(N, kind)(2, 3))
    edit(model)
    with raises(ValueError, message):
        from_onnx(model)
