"""Losses, optimisers and clipping of the NumPy engine are torch's; masks hide what they should."""

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import compare_gradients, complex_step
from lstm_lib.numpy.module import Parameter
from tests.helpers import random_problem

ELEMENTWISE = {
    "MSELoss": {},
    "L1Loss": {},
    "HuberLoss": {"delta": 0.7},
    "BCEWithLogitsLoss": {},
}


def random_pair(name, seed=0):
    rng = np.random.default_rng(seed)
    target = rng.uniform(size=(4, 5, 3)) if name.startswith("BCE") else rng.normal(size=(4, 5, 3))
    return rng.normal(scale=2, size=(4, 5, 3)), target


def torch_loss_and_slope(loss, prediction, *rest):
    tensor = torch.tensor(prediction, requires_grad=True)
    value = loss(tensor, *(torch.tensor(r) for r in rest))
    value.backward()
    return value.item(), tensor.grad.numpy()


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_elementwise_losses_are_torchs(name, reduction):
    prediction, target = random_pair(name)
    options = dict(reduction=reduction, **ELEMENTWISE[name])
    value, slope = torch_loss_and_slope(getattr(torch.nn, name)(**options), prediction, target)
    ours = getattr(N, name)(**options)
    assert ours(prediction, target) == pytest.approx(value, abs=1e-13)
    assert np.abs(ours.backward() - slope).max() <= 1e-15
    theirs = getattr(T, name)(**options)
    assert torch_loss_and_slope(theirs, prediction, target)[0] == pytest.approx(value, abs=1e-13)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slopes_are_complex_step_derivatives(name):
    prediction, target = random_pair(name)
    loss = getattr(N, name)(**ELEMENTWISE[name])
    loss(prediction, target)
    claimed = {"prediction": loss.backward()}
    measured = complex_step(lambda a: loss(a["prediction"], target), {"prediction": prediction})
    compare_gradients(claimed, measured, tolerance=1e-12).raise_if_wrong()


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_mask_leaves_out_and_shields(name, axes, reduction):
    prediction, target = random_pair(name)
    mask = np.random.default_rng(1).random(prediction.shape[:axes]) < 0.6
    options = dict(reduction=reduction, **ELEMENTWISE[name])
    loss = getattr(N, name)(**options)
    expected = loss(prediction[mask], target[mask])
    slope = np.zeros_like(prediction)
    slope[mask] = loss.backward()
    prediction[~mask], target[~mask] = np.nan, np.inf
    assert loss(prediction, target, mask) == pytest.approx(expected, abs=1e-13)
    assert np.abs(loss.backward() - slope).max() <= 1e-15
    theirs = getattr(T, name)(**options)
    value, their_slope = torch_loss_and_slope(theirs, prediction, target, mask)
    assert value == pytest.approx(expected, abs=1e-13)
    assert np.abs(their_slope - slope).max() <= 1e-15


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored", [False, True])
def test_cross_entropy_is_torchs(reduction, label_smoothing, ignored):
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(4, 5, 3)), rng.integers(0, 3, size=(4, 5))
    if ignored:
        target[rng.random(target.shape) < 0.4] = 7
    options = dict(reduction=reduction, ignore_index=7, label_smoothing=label_smoothing)
    reference = torch.nn.CrossEntropyLoss(**options)
    value, slope = torch_loss_and_slope(
        lambda z, k: reference(z.reshape(-1, 3), k.reshape(-1)), logits, target
    )
    ours = N.CrossEntropyLoss(**options)
    assert ours(logits, target) == pytest.approx(value, abs=1e-13)
    assert np.abs(ours.backward() - slope).max() <= 1e-15
    theirs = T.CrossEntropyLoss(**options)
    assert torch_loss_and_slope(theirs, logits, target)[0] == pytest.approx(value, abs=1e-13)


def test_cross_entropy_of_huge_logits_is_finite():
    loss = N.CrossEntropyLoss()
    assert loss(np.array([[1e4, -1e4]]), np.array([1])) == pytest.approx(2e4)
    assert np.isfinite(loss.backward()).all()


def test_binary_cross_entropy_of_huge_logits_is_finite():
    loss = N.BCEWithLogitsLoss("sum")
    assert loss(np.array([1e4, -1e4]), np.array([0.0, 1.0])) == pytest.approx(2e4)
    assert np.array_equal(loss.backward(), [1.0, -1.0])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p: N.SGD(p, lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (lambda p: N.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (lambda p: N.Adam(p, lr=0.1), lambda p: torch.optim.Adam(p, lr=0.1)),
        (lambda p: N.AdamW(p, lr=0.1), lambda p: torch.optim.AdamW(p, lr=0.1)),
        (lambda p: N.RMSprop(p, lr=0.1), lambda p: torch.optim.RMSprop(p, lr=0.1)),
    ],
    ids=["sgd", "momentum", "adam", "adamw", "rmsprop"],
)
def test_optimizers_take_torchs_steps(ours, theirs):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2))
    parameter, tensor = Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start))
    a, b = ours([parameter]), theirs([tensor])
    for _ in range(20):
        grad = rng.normal(size=(3, 2))
        parameter.grad, tensor.grad = grad, torch.tensor(grad)
        a.step()
        b.step()
    assert np.abs(parameter.data - tensor.detach().numpy()).max() <= 1e-13


def test_gradients_and_optimizer_state_share_no_memory():
    problem = random_problem(0)
    lstm = N.LSTM(**problem.options, dtype=np.float64)
    lstm(problem.x)
    lstm.backward(problem.d_output)
    assert not np.shares_memory(lstm.bias_ih_l0.grad, lstm.bias_hh_l0.grad)
    parameter = Parameter(np.zeros(2))
    parameter.grad = np.ones(2)
    sgd = N.SGD([parameter], lr=0.1, momentum=0.9)
    sgd.step()
    parameter.grad *= 100
    assert np.array_equal(sgd.state[0]["momentum_buffer"], np.ones(2))


def test_clipping_is_torchs():
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=shape) for shape in ((3, 2), (4,))]
    ours = [Parameter(np.zeros_like(g)) for g in grads]
    theirs = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in grads]
    for p, t, g in zip(ours, theirs, grads, strict=True):
        p.grad, t.grad = g.copy(), torch.tensor(g)
    norm = N.clip_grad_norm_(ours, 0.5)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 0.5)
    assert norm == pytest.approx(float(expected))
    for p, t in zip(ours, theirs, strict=True):
        assert np.abs(p.grad - t.grad.numpy()).max() <= 1e-6


def test_clipping_by_value_is_torchs():
    grad = np.random.default_rng(0).normal(size=(3, 2))
    ours, theirs = Parameter(np.zeros((3, 2))), torch.nn.Parameter(torch.zeros(3, 2).double())
    ours.grad, theirs.grad = grad.copy(), torch.tensor(grad)
    N.clip_grad_value_([ours, Parameter(np.zeros(1))], 0.5)
    T.clip_grad_value_([theirs], 0.5)
    assert np.array_equal(ours.grad, theirs.grad.numpy())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("StepLR", dict(step_size=3, gamma=0.5)),
        ("CosineAnnealingLR", dict(T_max=12, eta_min=0.01)),
        ("ReduceLROnPlateau", dict(factor=0.5, patience=2, min_lr=0.03)),
    ],
)
def test_schedules_are_torchs(name, options):
    losses = [3, 2, 2, 2, 2, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9]
    rates = []
    for L, parameter in ((N, Parameter(np.zeros(1))), (T, torch.nn.Parameter(torch.zeros(1)))):
        optimizer = L.SGD([parameter], lr=0.1)
        schedule = getattr(L, name)(optimizer, **options)
        rates.append([])
        for loss in losses:
            optimizer.step()
            schedule.step(*([loss] if name == "ReduceLROnPlateau" else []))
            rates[-1].append(optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(rates[1], abs=1e-15)
    assert len(set(rates[0])) > 2


def test_schedules_refuse_what_makes_no_sense():
    optimizer = N.SGD([Parameter(np.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match="step_size must be a positive integer, got 0"):
        N.StepLR(optimizer, step_size=0)
    with pytest.raises(ValueError, match="T_max must be a positive integer, got -1"):
        N.CosineAnnealingLR(optimizer, T_max=-1)
    with pytest.raises(ValueError, match="factor must lie between 0 and 1, got 1"):
        N.ReduceLROnPlateau(optimizer, factor=1)
