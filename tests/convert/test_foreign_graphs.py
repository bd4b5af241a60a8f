"""Graphs as other exporters or people write them: read if they are a stack of layers, refused if not."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lstm_lib.convert import from_onnx
from tests.convert.helpers import compute, predict
from tests.helpers import distance

LSTM = ("LSTM", "x W R", "Y Y_h Y_c", {})
SECOND = ("LSTM", "y W2 R", "Y2 Y2_h Y2_c", {})
SQUEEZED = ("Squeeze", "Y one", "y", {})
LAST = ("Squeeze", "Y_h zero", "last", {})
SWAPPED = ("Transpose", "x", "x_by_step", dict(perm=[1, 0, 2]))
ON_SWAPPED = ("LSTM", "x_by_step W R", "Y Y_h Y_c", {})


def graph(*nodes, output="out", rank=3, opset=17, **more):
    """A graph of one input ``x`` and the last node's first output, with the arrays it names."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.normal(scale=0.5, size=shape).astype(np.float32)

    arrays = dict(
        W=draw(1, 12, 2),
        W2=draw(1, 12, 3),
        R=draw(1, 12, 3),
        B=draw(1, 24),
        W_both=draw(2, 12, 2),
        R_both=draw(2, 12, 3),
        A=draw(3, 4),
        A_T=draw(4, 3),
        b=draw(4),
        zero=np.array([0]),
        one=np.array([1]),
        first=np.array(0),
        second=np.array(1),
        last_one=np.array(-1),
        yes=np.array(True),
        no=np.array(False),
        some=np.float32(0.5),
        keep=np.array([0, 0, -1]),
        swap=np.array([4, 5, -1]),
        W_gru=draw(1, 9, 3),
        R_gru=draw(1, 9, 3),
        states=np.zeros((1, 5, 3), np.float32),
    )
    arrays |= more
    made = [
        helper.make_node(
            op, [i if i != "-" else "" for i in inputs.split()], outputs.split(), **attributes
        )
        for op, inputs, outputs, attributes in nodes
    ]
    named = {name for node in made for name in node.input}
    weights = [numpy_helper.from_array(a, name) for name, a in arrays.items() if name in named]
    inputs = [("x", TensorProto.FLOAT, ["first_axis", "second_axis", 2])]
    inputs += [("bias_in", TensorProto.FLOAT, [4]), ("flag", TensorProto.BOOL, [])]
    inputs += [("matrix", TensorProto.FLOAT, [3, 4]), ("h_0", TensorProto.FLOAT, [1, None, 3])]
    infos = [
        helper.make_tensor_value_info(*one) for one in inputs if one[0] in named or one[0] == "x"
    ]
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * rank)
    whole = helper.make_graph(made, "foreign", infos, [out], weights)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def assert_reads(model, readout=None):
    """Import the graph and compare with ONNX's own evaluator."""
    x = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    ours = from_onnx(model)
    assert getattr(ours, "readout", None) == readout
    result = compute(ours, x)[0] if readout is None else predict(ours, x)
    assert distance(result, expected) <= 2e-6
    return ours


def test_a_stack_that_squeezes_the_directions_away():
    layer = assert_reads(graph(LSTM, SQUEEZED, SECOND, ("Squeeze", "Y2 one", "out", {})))
    assert layer.num_layers == 2 and not layer.bias and not layer.batch_first


def test_a_layer_without_biases_on_one_with_them():
    first = ("LSTM", "x W R B", "Y Y_h Y_c", {})
    layer = assert_reads(graph(first, SQUEEZED, SECOND, ("Squeeze", "Y2 one", "out", {})))
    assert layer.bias and not layer.bias_ih_l1.data.any()


def test_peepholes_of_one_layer_alone():
    peepholes = np.full((1, 9), 0.3, np.float32)
    first = ("LSTM", "x W R - - - - P", "Y Y_h Y_c", {})
    model = graph(first, SQUEEZED, SECOND, ("Squeeze", "Y2 one", "out", {}), P=peepholes)
    layer = assert_reads(model)
    assert layer.weight_ch_l0.data.any() and not layer.weight_ch_l1.data.any()


def test_older_operators_have_their_axes_as_attributes():
    assert_reads(graph(LSTM, ("Squeeze", "Y", "out", dict(axes=[1])), opset=11))


def test_dropout_that_is_switched_off():
    for inputs in ("y", "y some", "y some no"):
        assert_reads(graph(LSTM, SQUEEZED, ("Dropout", inputs, "out", {})))


def test_constants_inside_the_graph():
    axes = ("Constant", "", "axes", dict(value_ints=[1]))
    assert_reads(graph(LSTM, axes, ("Squeeze", "Y axes", "out", {})))


@pytest.mark.parametrize(
    "top",
    [
        [("Gemm", "last A", "out", {})],
        [("Gemm", "last A_T b", "out", dict(transB=1))],
        [("MatMul", "last A", "out", {})],
        [
            ("MatMul", "last A", "xA", {}),
            ("Add", "b xA", "sum", {}),
            ("Identity", "sum", "out", {}),
        ],
    ],
    ids=str,
)
def test_linear_layers_on_top(top):
    assert_reads(graph(SWAPPED, ON_SWAPPED, LAST, *top, rank=2), "last")


@pytest.mark.parametrize(
    "start", [dict(), dict(value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.0]))], ids=str
)
def test_zero_states_that_the_graph_makes(start):
    shape = ("Constant", "", "shape", dict(value_ints=[1, 5, 3]))
    zeros = ("ConstantOfShape", "shape", "zeros", start)
    lstm = ("LSTM", "x W R - - zeros states", "Y Y_h Y_c", {})
    assert_reads(graph(shape, zeros, lstm, ("Squeeze", "Y one", "out", {})))


HEAD = ("Gemm", "last A b", "out", {})
BOTH = dict(direction="bidirectional")
REFUSED = {
    "the graph has none of the operators LSTM, GRU, RNN": [("Identity", "x", "out", {})],
    "the graph mixes recurrent operators of several kinds": [
        *(LSTM, SQUEEZED),
        ("GRU", "y W_gru R_gru", "G", dict(linear_before_reset=1)),
        ("Squeeze", "G one", "out", {}),
    ],
    "the recurrent operators must form one stack": [
        *(LSTM, ("LSTM", "x W R", "Z", {})),
        ("Squeeze", "Z one", "out", {}),
    ],
    "the recurrent operators differ in input_forget": [
        *(LSTM, SQUEEZED),
        ("LSTM", "y W2 R", "Y2", dict(input_forget=1)),
        ("Squeeze", "Y2 one", "out", {}),
    ],
    "Add is understood only as the bias of a MatMul": [
        *(LSTM, LAST),
        ("Add", "last some", "out", {}),
    ],
    "MatMul must multiply with a stored matrix": [
        *(LSTM, LAST),
        ("MatMul", "last matrix", "out", {}),
    ],
    "Gemm must be a linear layer": [*(LSTM, LAST), ("Gemm", "last A b", "out", dict(alpha=2.0))],
    "the bias of Gemm is computed": [*(LSTM, LAST), ("Gemm", "last A bias_in", "out", {})],
    "the bias on top must have shape (4,), got (1,)": [
        *(LSTM, LAST),
        ("Gemm", "last A wide", "out", {}),
    ],
    "Gather after Concat is understood only as the last": [
        *(SWAPPED, ON_SWAPPED, ("Concat", "Y_h Y_h", "all", dict(axis=0))),
        ("Gather", "all first", "last", {}),
        HEAD,
    ],
    "a layer reads the one below with the axes ('B', 'T', 'F')": [
        *(LSTM, SQUEEZED, ("Transpose", "y", "wrong", dict(perm=[1, 0, 2]))),
        ("LSTM", "wrong W2 R", "Y2", {}),
        ("Squeeze", "Y2 one", "out", {}),
    ],
    "the input must reach the first layer as it is": [
        ("Transpose", "x", "mixed", dict(perm=[1, 2, 0])),
        ("LSTM", "mixed W R", "Y", {}),
        ("Squeeze", "Y one", "out", {}),
    ],
    "the cell state is understood as an output alone": [
        *(SWAPPED, ON_SWAPPED, ("Squeeze", "Y_c zero", "last", {})),
        HEAD,
    ],
    "Dropout must be switched off": [*(LSTM, SQUEEZED), ("Dropout", "y some flag", "out", {})],
    "Dropout in training mode": [*(LSTM, SQUEEZED), ("Dropout", "y some yes", "out", {})],
    "Squeeze of the axes [0]": [*(LSTM, ("Squeeze", "Y zero", "out", {}))],
    "Reshape of ('T', 'B', 'D', 'H') is not understood": [
        *(LSTM, ("Transpose", "Y", "Y_t", dict(perm=[0, 2, 1, 3]))),
        ("Reshape", "Y_t swap", "out", {}),
    ],
    "Gather of number 0 of the axis T": [
        *(SWAPPED, ON_SWAPPED, SQUEEZED, ("Gather", "y first", "last", {})),
        HEAD,
    ],
    "a graph with a linear layer must take (batch, steps, features)": [LSTM, LAST, HEAD],
    "the linear layer reads the axes ('T', 'B', 'F')": [
        *(SWAPPED, ON_SWAPPED, SQUEEZED, ("MatMul", "y A", "out", {})),
    ],
    "initial_h must be left out: a SequenceModel starts from zero": [
        *(SWAPPED, ("LSTM", "x_by_step W R - - h_0", "Y Y_h", {}), LAST, HEAD),
    ],
    "the linear layer reads the last step of the batch": [
        *(SWAPPED, ("LSTM", "x_by_step W R - lengths", "Y Y_h", {}), SQUEEZED),
        ("Gather", "y last_one", "last", {}),
        HEAD,
    ],
    "must come from a recurrent operator, it comes from Concat": [
        *(SWAPPED, ("LSTM", "x_by_step W_both R_both", "Y Y_h", BOTH)),
        ("Gather", "Y_h second", "back", {}),
        ("Gather", "Y_h first", "forth", {}),
        ("Concat", "back forth", "last", dict(axis=1)),
        ("Gemm", "last A6", "out", {}),
    ],
    "the first output must come from a recurrent operator, it comes from Concat": [
        *(SWAPPED, ON_SWAPPED, LAST, ("Concat", "last last", "out", dict(axis=1))),
    ],
    "the first output must come from a recurrent operator, it comes from an input": [
        *(LSTM, ("Identity", "x", "out", {})),
    ],
}


@pytest.mark.parametrize(("message", "nodes"), REFUSED.items(), ids=list(REFUSED))
def test_graphs_that_compute_something_else(message, nodes):
    rank = 2 if nodes[-1][0] == "Gemm" or "last" in nodes[-1][1].split() else 3
    model = graph(*nodes, rank=rank, wide=np.ones(1, np.float32), A6=np.ones((6, 4), np.float32))
    if any("lengths" in node.input for node in model.graph.node):
        info = helper.make_tensor_value_info("lengths", TensorProto.INT32, [None])
        model.graph.input.append(info)
    onnx.checker.check_model(model, full_check=True)
    with pytest.raises(ValueError, match=re.escape(message)):
        from_onnx(model)


@pytest.mark.parametrize(("first", "second"), [("first", "second"), ("last_two", "last_one")])
def test_two_directions_side_by_side(first, second):
    """What every classifier over both directions does, as torch exports it."""
    nodes = [
        *(SWAPPED, ("LSTM", "x_by_step W_both R_both", "Y Y_h", BOTH)),
        ("Gather", f"Y_h {first}", "forth", {}),
        ("Gather", f"Y_h {second}", "back", {}),
        ("Concat", "forth back", "last", dict(axis=-1)),
        ("Gemm", "last A6", "out", {}),
    ]
    rng = np.random.default_rng(2)
    A6 = rng.normal(size=(6, 4)).astype(np.float32)
    assert_reads(graph(*nodes, rank=2, A6=A6, last_two=np.array(-2)), "last")
