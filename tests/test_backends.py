"""The backends of the torch engine: what each serves and refuses, and how they share memory."""

import copy

import pytest
import torch

from lstm_lib import torch as T
from tests.helpers import (
    assert_same,
)


def test_the_fused_backend_says_what_it_does_not_serve():
    lstm = T.LSTM(2, 3, backend="fused")
    with pytest.raises(ValueError, match="fused backend computes on the CPU.*float64"):
        lstm(torch.zeros(4, 1, 2, dtype=torch.float64))
    output, _ = lstm(torch.zeros(4, 1, 2, requires_grad=True))
    with pytest.raises(RuntimeError, match="no second derivative.*backend='loop'"):
        torch.autograd.grad(output.sum(), lstm.weight_hh_l0, create_graph=True)


def test_the_loop_has_second_derivatives():
    lstm = T.LSTM(2, 3, backend="loop", dtype="float64", rng=0)
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: lstm(x)[0], x)


def test_two_passes_before_one_backward_and_two_backwards_of_one_pass():
    lstm = T.LSTM(2, 3, num_layers=2, backend="fused", dtype="float64", rng=0)
    loop = T.LSTM(2, 3, num_layers=2, backend="loop", dtype="float64", rng=0)
    x, y = (torch.randn(5, 2, 2, dtype=torch.float64) for _ in range(2))
    gradients = []
    for layer in (lstm, loop):
        first, second = layer(x)[0], layer(y)[0]
        (first * second).sum().backward()
        twice = layer(x)[0].sin().sum()
        twice.backward(retain_graph=True)
        twice.backward()
        gradients.append({n: p.grad.numpy() for n, p in layer.named_parameters()})
    assert_same(*gradients, 1e-13)


def test_a_weight_changed_between_the_passes_is_noticed():
    lstm = T.LSTM(2, 3, backend="fused")
    loss = lstm(torch.zeros(4, 1, 2))[0].sum()
    with torch.no_grad():
        lstm.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_layer_can_be_copied_and_shown():
    lstm = T.LSTM(2, 3, zoneout=0.1, peephole=True, rng=0)
    x = torch.randn(5, 2, 2)
    lstm.eval()
    assert torch.equal(lstm(x)[0], copy.deepcopy(lstm)(x)[0])
    lstm.flatten_parameters()
    assert repr(lstm) == "LSTM(2, 3, peephole=True, zoneout=(0.1, 0.1))"


def test_autocast_takes_the_loop():
    lstm = T.LSTM(2, 3, rng=0)
    x = torch.randn(5, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = lstm(x)[0]
    assert (output - lstm(x)[0]).abs().max() < 0.02
