"""Losses, optimisers and clipping of the NumPy engine are torch's; masks hide what they should."""

import inspect

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import compare_gradients, complex_step
from lstm_lib.numpy.module import Parameter
from lstm_lib.parameters import to_numpy
from tests.helpers import distance, random_problem

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


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("axes", [1, 2])
def test_cross_entropy_leaves_out_what_is_masked_or_ignored(reduction, label_smoothing, axes):
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(4, 5, 3)), rng.integers(0, 3, size=(4, 5))
    mask = rng.random(target.shape[:axes]) < 0.6
    target[rng.random(target.shape) < 0.3] = -100
    counted = np.broadcast_to(mask.reshape(*mask.shape, *[1] * (2 - axes)), (4, 5)) & (target >= 0)
    options = dict(reduction=reduction, label_smoothing=label_smoothing)
    loss = N.CrossEntropyLoss(**options)
    expected, slope = loss(logits[counted], target[counted]), np.zeros_like(logits)
    slope[counted] = loss.backward()
    logits[~counted] = np.nan
    assert loss(logits, target, mask) == pytest.approx(expected, abs=1e-13)
    assert np.abs(loss.backward() - slope).max() <= 1e-15
    theirs = T.CrossEntropyLoss(**options)
    value, their_slope = torch_loss_and_slope(theirs, logits, target, mask)
    assert value == pytest.approx(expected, abs=1e-13)
    assert np.abs(their_slope - slope).max() <= 1e-15


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_the_slope_of_cross_entropy_is_the_complex_step_derivative(label_smoothing):
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(4, 3)), np.array([0, 2, -100, 1])
    loss = N.CrossEntropyLoss(label_smoothing=label_smoothing)
    loss(logits, target)
    claimed = {"logits": loss.backward()}
    measured = complex_step(lambda a: loss(a["logits"], target), {"logits": logits})
    compare_gradients(claimed, measured, tolerance=1e-12).raise_if_wrong()


OPTIMIZERS = [
    ("SGD", dict()),
    ("SGD", dict(momentum=0.9)),
    ("SGD", dict(momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("SGD", dict(momentum=0.8, dampening=0.3, weight_decay=0.1)),
    ("Adam", dict()),
    ("Adam", dict(betas=(0.7, 0.9), eps=1e-3, weight_decay=0.1)),
    ("Adam", dict(amsgrad=True)),
    ("AdamW", dict()),
    ("AdamW", dict(weight_decay=0.3, amsgrad=True)),
    ("RMSprop", dict()),
    ("RMSprop", dict(alpha=0.8, eps=1e-3, weight_decay=0.1)),
    ("RMSprop", dict(momentum=0.9, centered=True)),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_optimizers_take_torchs_steps(name, options, dtype):
    """Gradients shrink, so that AMSGrad's largest mean is not the latest."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2)).astype(dtype)
    parameter, tensor = Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start))
    a = getattr(N, name)([parameter], lr=0.1, **options)
    b = getattr(torch.optim, name)([tensor], lr=0.1, **options)
    for step in range(20):
        grad = (rng.normal(size=(3, 2)) * 0.7**step).astype(dtype)
        parameter.grad, tensor.grad = grad, torch.tensor(grad)
        a.step()
        b.step()
    assert parameter.dtype == dtype
    assert distance(parameter.data, tensor.detach()) <= (1e-13 if dtype == np.float64 else 2e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_optimizers_have_torchs_defaults_in_torchs_order(name):
    ours, theirs = (inspect.signature(c).parameters for c in (getattr(N, name), getattr(T, name)))
    positional = [p for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    for mine, torchs in zip(ours.values(), positional, strict=False):
        assert (mine.name, mine.default) == (torchs.name, torchs.default)


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
@pytest.mark.parametrize("order", [(N, T), (T, N)], ids=["numpy-torch", "torch-numpy"])
def test_the_state_of_an_optimizer_goes_over_to_the_other_engine(name, options, order):
    """Ten steps in one engine and ten in the other are twenty in one."""
    rng = np.random.default_rng(1)
    value, grads = rng.normal(size=4), rng.normal(size=(20, 4))
    whole = Parameter(value.copy())
    expected = N.__dict__[name]([whole], lr=0.05, **options)
    for grad in grads:
        whole.grad = grad
        expected.step()
    saved = None
    for L, part in zip(order, (grads[:10], grads[10:]), strict=True):
        parameter = Parameter(value.copy()) if L is N else T.Parameter(torch.tensor(value))
        optimizer = getattr(L, name)([parameter], lr=0.05, **options)
        if saved is not None:
            full = optimizer.state_dict()
            convert = torch.tensor if L is T else to_numpy
            full["state"] = {
                index: {k: convert(to_numpy(v)) for k, v in state.items() if v is not None}
                for index, state in saved.items()
            }
            optimizer.load_state_dict(full)
        for grad in part:
            parameter.grad = grad if L is N else torch.tensor(grad)
            optimizer.step()
        saved = optimizer.state_dict()["state"]
        value = to_numpy(parameter.data).copy()
    assert distance(value, whole.data) <= 1e-13


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
        ("CosineAnnealingLR", dict(T_max=4)),
        ("ReduceLROnPlateau", dict(factor=0.5, patience=2, min_lr=0.03)),
        ("ReduceLROnPlateau", dict(mode="max", factor=0.1, patience=0, threshold=0.1)),
        ("ReduceLROnPlateau", dict(factor=0.9, patience=0, min_lr=0.1 - 1e-9)),
    ],
)
def test_schedules_are_torchs(name, options):
    losses = [3, 2, 2, 2, 2, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9]
    if options.get("mode") == "max":
        losses = losses[::-1]
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
    assert len(set(rates[0])) > (0 if options.get("min_lr", 0) > 0.09 else 2)


def test_schedules_refuse_what_makes_no_sense():
    optimizer = N.SGD([Parameter(np.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match="step_size must be a positive integer, got 0"):
        N.StepLR(optimizer, step_size=0)
    with pytest.raises(ValueError, match="T_max must be a positive integer, got -1"):
        N.CosineAnnealingLR(optimizer, T_max=-1)
    with pytest.raises(ValueError, match="mode must be one of 'min', 'max'; got 'up'"):
        N.ReduceLROnPlateau(optimizer, "up")
    with pytest.raises(ValueError, match="factor must lie between 0 and 1, got 1"):
        N.ReduceLROnPlateau(optimizer, factor=1)
