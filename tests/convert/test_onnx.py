"""Layers and models as ONNX graphs: onnxruntime computes the same, and the way back gives the same weights."""

import os
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from lstm_lib.convert import from_onnx, to_onnx
from tests.convert.helpers import ENGINES, STACKS, compute, predict, random_layer, random_model
from tests.helpers import arrays_of, as_states, distance

KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
OF_ENGINE = pytest.mark.parametrize("engine", ENGINES)


def run(model, x, hx=None, lengths=None):
    """All outputs of a graph by onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds(x, hx, lengths))


def feeds(x, hx=None, lengths=None):
    """The inputs of a graph by name."""
    inputs = {"x": x}
    if hx is not None:
        inputs |= {f"{name}_0": state for name, state in zip("hc", as_states(hx), strict=False)}
    if lengths is not None:
        inputs["lengths"] = np.array(lengths, np.int32)
    return inputs


def assert_agrees(ours, theirs, tolerance):
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        assert distance(mine, other) <= tolerance


@KINDS
@OF_ENGINE
@pytest.mark.parametrize("options", STACKS, ids=str)
def test_onnxruntime_computes_the_same(kind, engine, options):
    layer, problem = random_layer(kind, engine, dtype=np.float32, **options)
    assert_agrees(compute(layer, problem.x), run(to_onnx(layer), problem.x), 2e-6)
    with_states = run(to_onnx(layer, states=True), problem.x, problem.hx)
    assert_agrees(compute(layer, problem.x, problem.hx), with_states, 2e-6)


@KINDS
@pytest.mark.parametrize("options", STACKS, ids=str)
def test_lengths_go_through_sequence_lens(kind, options):
    layer, problem = random_layer(kind, dtype=np.float32, **options)
    lengths = [6, 1, 4]
    ours = compute(layer, problem.x, problem.hx, lengths)
    model = to_onnx(layer, states=True, lengths=True)
    assert_agrees(ours, run(model, problem.x, problem.hx, lengths), 2e-6)


@KINDS
def test_padding_has_no_influence_on_the_graph(kind):
    layer, problem = random_layer(kind, dtype=np.float32, num_layers=2, bidirectional=True)
    model, lengths = to_onnx(layer, states=True, lengths=True), [6, 1, 4]
    clean = run(model, problem.x, problem.hx, lengths)
    for sequence, length in enumerate(lengths):
        problem.x[length:, sequence] = np.nan
    assert_agrees(run(model, problem.x, problem.hx, lengths), clean, 0.0)


@KINDS
@pytest.mark.parametrize("options", STACKS, ids=str)
def test_the_reference_of_onnx_computes_the_same_in_float64(kind, options):
    layer, problem = random_layer(kind, **options)
    evaluator = ReferenceEvaluator(to_onnx(layer, states=True))
    theirs = evaluator.run(None, feeds(problem.x, problem.hx))
    assert_agrees(compute(layer, problem.x, problem.hx), theirs, 1e-13)


def test_a_relu_network():
    layer, problem = random_layer(
        "RNN", dtype=np.float32, nonlinearity="relu", bidirectional=True, steps=3
    )
    assert_agrees(compute(layer, problem.x), run(to_onnx(layer), problem.x), 2e-6)
    assert from_onnx(to_onnx(layer)).nonlinearity == "relu"


def test_the_graph_takes_any_batch_and_any_number_of_steps():
    layer, problem = random_layer(dtype=np.float32, num_layers=2)
    model = to_onnx(layer)
    for x in (problem.x[:1], problem.x[:, :1], np.concatenate([problem.x] * 3, axis=1)):
        assert_agrees(compute(layer, x), run(model, x), 2e-6)


@KINDS
@OF_ENGINE
@pytest.mark.parametrize("options", STACKS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_there_and_back_is_bit_identical(kind, engine, options, dtype):
    layer, _ = random_layer(kind, engine, dtype=dtype, **options)
    again = from_onnx(to_onnx(layer, states=True, lengths=True), engine)
    assert type(again) is type(layer) and again.batch_first == layer.batch_first
    ours, theirs = arrays_of(layer), arrays_of(again)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].dtype == theirs[name].dtype
        assert np.array_equal(ours[name], theirs[name])


@settings(max_examples=25)
@given(
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.integers(0, 2**32 - 1),
    st.fixed_dictionaries(
        dict(
            inputs=st.integers(1, 4),
            hidden=st.integers(1, 5),
            batch=st.integers(1, 4),
            steps=st.integers(1, 7),
            num_layers=st.integers(1, 3),
            bidirectional=st.booleans(),
            batch_first=st.booleans(),
            bias=st.booleans(),
        )
    ),
)
def test_any_shape(kind, seed, options):
    layer, problem = random_layer(kind, seed=seed, dtype=np.float32, **options)
    model = to_onnx(layer, states=True)
    ours = compute(layer, problem.x, problem.hx)
    assert_agrees(ours, run(model, problem.x, problem.hx), 4e-6)
    assert_agrees(ours, compute(from_onnx(model), problem.x, problem.hx), 0.0)


MODELS = [
    dict(),
    dict(num_layers=2),
    dict(bidirectional=True, kind="GRU"),
    dict(num_layers=2, bidirectional=True, bias=False),
]


@OF_ENGINE
@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("options", MODELS, ids=str)
@pytest.mark.parametrize("lengths", [None, [6, 1, 4]], ids=str)
def test_models_with_a_linear_layer(engine, readout, options, lengths):
    model, problem = random_model(engine=engine, readout=readout, dtype=np.float32, **options)
    graph = to_onnx(model, lengths=lengths is not None)
    ours = predict(model, problem.x, lengths)
    assert_agrees([ours], run(graph, problem.x, lengths=lengths), 2e-6)
    again = from_onnx(graph, engine)
    assert again.readout == readout
    assert np.array_equal(predict(again, problem.x, lengths), ours)


def test_a_file_is_written_whole_and_read_back(tmp_path):
    layer, problem = random_layer(dtype=np.float32)
    path = tmp_path / "new" / "layer.onnx"
    model = to_onnx(layer, path)
    assert os.listdir(path.parent) == ["layer.onnx"]
    assert onnx.load(str(path)) == model
    assert_agrees(compute(from_onnx(str(path)), problem.x), compute(layer, problem.x), 0.0)


def test_the_graph_says_what_it_is():
    model = to_onnx(
        random_layer("GRU", num_layers=2, batch_first=True)[0], states=True, lengths=True
    )
    assert (model.producer_name, model.ir_version) == ("lstm_lib", 8)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert model.graph.name == "GRU" and "2 recurrent layer" in model.doc_string

    def shapes(values):
        return {
            v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in values
        }

    assert shapes(model.graph.input) == {
        "x": ["batch", "steps", 2],
        "h_0": [2, "batch", 5],
        "lengths": ["batch"],
    }
    assert shapes(model.graph.output) == {"output": ["batch", "steps", 5], "h_n": [2, "batch", 5]}


class Classifier(torch.nn.Module):
    """What a user of torch writes, read out in one of the usual ways."""

    def __init__(self, readout, kind="LSTM", **options):
        super().__init__()
        self.readout = readout
        self.rnn = getattr(torch.nn, kind)(3, 5, **options)
        self.fc = torch.nn.Linear(10 if options.get("bidirectional") else 5, 4)

    def forward(self, x):
        output, state = self.rnn(x)
        h_n = state[0] if isinstance(state, tuple) else state
        if self.readout == "output":
            return output
        if self.readout == "all":
            return self.fc(output)
        if self.readout == "last step":
            return self.fc(output[:, -1])
        if self.readout == "h_n":
            return self.fc(h_n[-1])
        return self.fc(torch.cat((h_n[-2], h_n[-1]), dim=1))


@pytest.mark.parametrize(
    ("readout", "options"),
    [
        ("output", dict(num_layers=2, dropout=0.5)),
        ("output", dict(kind="GRU", num_layers=2, bidirectional=True, batch_first=True)),
        ("output", dict(kind="RNN", nonlinearity="relu", bias=False, batch_first=True)),
        ("all", dict(batch_first=True)),
        ("all", dict(num_layers=2, bidirectional=True, batch_first=True)),
        ("last step", dict(batch_first=True)),
        ("h_n", dict(batch_first=True)),
        ("h_n", dict(kind="GRU", num_layers=2, batch_first=True)),
        ("both h_n", dict(bidirectional=True, batch_first=True)),
        ("both h_n", dict(num_layers=2, bidirectional=True, batch_first=True)),
    ],
    ids=str,
)
def test_what_torch_exports_can_be_read(tmp_path, readout, options):
    path = tmp_path / "model.onnx"
    torch.manual_seed(0)
    theirs = Classifier(readout, **options).eval()
    x = torch.randn(2, 7, 3)
    export(theirs, x, path)
    ours = from_onnx(path)
    y = compute(ours, x.numpy())[0] if readout == "output" else predict(ours, x.numpy())
    assert distance(y, theirs(x).detach().numpy()) <= 2e-6


def export(model, x, path, **more):
    """By torch's exporter that needs no further package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"x": {0: "first", 1: "second"}}
        options = dict(dynamo=False, opset_version=17, input_names=["x"], dynamic_axes=axes)
        torch.onnx.export(model, (x,), path, **options, **more)


def test_the_last_step_of_two_directions_is_refused(tmp_path):
    # the reverse direction has seen a single step there; SequenceModel reads its final state
    path = tmp_path / "model.onnx"
    model = Classifier("last step", bidirectional=True, batch_first=True).eval()
    export(model, torch.randn(2, 7, 3), path)
    with pytest.raises(ValueError, match="in one direction"):
        from_onnx(path)


VARIANTS = [
    dict(peephole=True),
    dict(coupled=True),
    dict(peephole=True, bidirectional=True, num_layers=2, bias=False),
    dict(peephole=True, coupled=True, bidirectional=True, num_layers=2),
]


@OF_ENGINE
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_peepholes_and_coupled_gates(engine, options):
    layer, problem = random_layer(engine=engine, dtype=np.float32, **options)
    model = to_onnx(layer, states=True, lengths=True)
    lengths = [6, 1, 4]
    ours = compute(layer, problem.x, problem.hx, lengths)
    assert_agrees(ours, run(model, problem.x, problem.hx, lengths), 2e-6)
    again = from_onnx(model, engine)
    assert (again.peephole, again.coupled) == (layer.peephole, layer.coupled)
    mine, theirs = arrays_of(layer), arrays_of(again)
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_the_reference_of_onnx_has_peepholes_in_float64():
    layer, problem = random_layer(peephole=True, num_layers=2)
    theirs = ReferenceEvaluator(to_onnx(layer, states=True)).run(None, feeds(problem.x, problem.hx))
    assert_agrees(compute(layer, problem.x, problem.hx), theirs, 1e-13)


def test_dropout_leaves_no_trace_in_evaluation_mode():
    layer, problem = random_layer(
        dtype=np.float32, num_layers=2, dropout=0.5, recurrent_dropout=0.5
    )
    layer.eval()
    assert_agrees(compute(layer, problem.x), run(to_onnx(layer), problem.x), 2e-6)
