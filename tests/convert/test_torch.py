"""Layers and models to torch.nn and back: the same weights, the same numbers."""

import numpy as np
import pytest
import torch

from lstm_lib.convert import from_torch, to_torch
from tests.convert.helpers import ENGINES, STACKS, compute, predict, random_layer, random_model
from tests.helpers import TOLERANCE, arrays_of, distance

KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
OF_ENGINE = pytest.mark.parametrize("engine", ENGINES)


@KINDS
@OF_ENGINE
@pytest.mark.parametrize("options", STACKS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_the_torch_layer_computes_the_same(kind, engine, options, dtype):
    layer, problem = random_layer(kind, engine, dtype=dtype, **options)
    theirs = to_torch(layer)
    assert type(theirs) is getattr(torch.nn, kind)
    for ours, other in zip(
        compute(layer, problem.x, problem.hx), compute(theirs, problem.x, problem.hx), strict=True
    ):
        assert ours.dtype == other.dtype == dtype
        assert distance(ours, other) <= TOLERANCE[dtype]


@KINDS
@OF_ENGINE
@pytest.mark.parametrize("options", STACKS, ids=str)
def test_there_and_back_is_bit_identical(kind, engine, options):
    layer, _ = random_layer(kind, engine, dtype=np.float32, **options)
    again = from_torch(to_torch(layer), engine)
    assert type(again) is type(layer)
    assert again.batch_first == layer.batch_first
    ours, theirs = arrays_of(layer), arrays_of(again)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert np.array_equal(ours[name], theirs[name])


@OF_ENGINE
@pytest.mark.parametrize(
    "options",
    [
        dict(proj_size=3),
        dict(proj_size=3, num_layers=2, bidirectional=True, dropout=0.25, bias=False),
    ],
    ids=str,
)
def test_projections_and_dropout_between_layers(engine, options):
    layer, problem = random_layer(engine=engine, **options)
    theirs = to_torch(layer.eval())
    assert theirs.dropout == layer.dropout
    again = from_torch(theirs, engine)
    assert (again.proj_size, again.dropout) == (3, layer.dropout)
    expected = compute(layer, problem.x, problem.hx)
    for other in (theirs, again):
        for ours, result in zip(expected, compute(other, problem.x, problem.hx), strict=True):
            assert distance(ours, result) <= 1e-13


def test_dropout_of_a_gru_goes_both_ways():
    layer, _ = random_layer("GRU", num_layers=2, dropout=0.25)
    assert from_torch(to_torch(layer)).dropout == to_torch(layer).dropout == 0.25


def test_the_nonlinearity_goes_both_ways():
    layer, problem = random_layer("RNN", nonlinearity="relu")
    theirs = to_torch(layer)
    assert theirs.nonlinearity == "relu"
    assert from_torch(theirs).nonlinearity == "relu"
    assert distance(compute(layer, problem.x)[0], compute(theirs, problem.x)[0]) <= 1e-13


@OF_ENGINE
@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize(
    "options",
    [dict(), dict(num_layers=2, bidirectional=True), dict(kind="GRU", bias=False)],
    ids=str,
)
@pytest.mark.parametrize("lengths", [None, [6, 1, 4]], ids=str)
def test_models_go_both_ways(engine, readout, options, lengths):
    model, problem = random_model(engine=engine, readout=readout, **options)
    theirs = to_torch(model)
    assert not [m for m in theirs.modules() if type(m).__module__.startswith("lstm_lib.torch")]
    expected = predict(model, problem.x, lengths)
    assert distance(predict(theirs, problem.x, lengths), expected) <= 1e-13
    assert arrays_of(theirs).keys() == arrays_of(model).keys()
    again = from_torch(theirs, engine)
    assert again.readout == readout
    assert distance(predict(again, problem.x, lengths), expected) <= 1e-15


def test_a_conversion_shares_no_memory_and_draws_no_random_number():
    layer, problem = random_layer()
    before = torch.random.get_rng_state()
    theirs = to_torch(layer)
    again = from_torch(theirs, "torch")
    assert torch.equal(torch.random.get_rng_state(), before)
    output = compute(layer, problem.x)[0]
    with torch.no_grad():
        for parameter in [*theirs.parameters(), *again.parameters()]:
            parameter.zero_()
    assert np.array_equal(compute(layer, problem.x)[0], output)


def test_training_mode_is_kept():
    layer, _ = random_layer()
    assert to_torch(layer).training
    assert not to_torch(layer.eval()).training
    assert not from_torch(to_torch(layer)).training


def test_the_torch_layer_can_be_trained():
    layer, problem = random_layer("GRU")
    theirs = to_torch(layer)
    theirs(torch.tensor(problem.x))[0].sum().backward()
    assert all(p.grad is not None and p.requires_grad for p in theirs.parameters())


def test_engines_exchange_layers():
    layer, problem = random_layer(num_layers=2)
    other = from_torch(to_torch(layer), "torch")
    assert type(other).__module__.startswith("lstm_lib.torch")
    assert distance(compute(layer, problem.x)[0], compute(other, problem.x)[0]) <= 1e-13
