"""Mixture densities: against torch.distributions, the complex step, quadrature and the laws of chance."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions as D

from lstm_lib import mixtures
from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import check_gradients, compare_gradients, complex_step
from lstm_lib.training import fit
from tests.helpers import TOLERANCE, distance

KINDS = pytest.mark.parametrize("kind", ["pen", "real"])
ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])


def wrap(L, array):
    return array if L is N else torch.tensor(array)


def random_mixture(kind, leading=(4, 5), components=3, seed=0, dtype=np.float64):
    """Raw outputs of random size and targets near them."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(*leading, mixtures.output_size(components, kind)))
    target = rng.normal(size=(*leading, 3 if kind == "pen" else 1))
    if kind == "pen":
        target[..., 2] = rng.random(leading) < 0.4
    return raw.astype(dtype), target.astype(dtype)


def judged_log_density(raw, target):
    """The density by torch.distributions, from the definition of the parameters."""
    raw, target = torch.as_tensor(raw), torch.as_tensor(target)
    m = raw.shape[-1] // 6 if target.shape[-1] == 3 else raw.shape[-1] // 3
    block = torch.split(raw[..., : raw.shape[-1] // m * m], m, dim=-1)
    weights = D.Categorical(logits=block[0])
    if target.shape[-1] == 1:
        parts = D.Normal(block[1], block[2].exp())
        return D.MixtureSameFamily(weights, parts).log_prob(target[..., 0])
    s1, s2, rho = block[3].exp(), block[4].exp(), block[5].tanh()
    covariance = torch.stack(
        [torch.stack([s1**2, rho * s1 * s2], -1), torch.stack([rho * s1 * s2, s2**2], -1)], -2
    )
    parts = D.MultivariateNormal(torch.stack(block[1:3], -1), covariance_matrix=covariance)
    point = D.MixtureSameFamily(weights, parts).log_prob(target[..., :2])
    return point + D.Bernoulli(logits=raw[..., -1]).log_prob(target[..., 2])


@KINDS
@pytest.mark.parametrize("components", [1, 4])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_and_its_gradient_are_those_of_torch_distributions(kind, components, reduction):
    raw, target = random_mixture(kind, components=components)
    tensor = torch.tensor(raw, requires_grad=True)
    expected = getattr(-judged_log_density(tensor, target), reduction)()
    expected.backward()
    ours = N.MDNLoss(reduction)
    assert ours(raw, target) == pytest.approx(expected.item(), rel=1e-13)
    assert distance(ours.backward(), tensor.grad) <= 1e-13
    theirs = torch.tensor(raw, requires_grad=True)
    value = T.MDNLoss(reduction)(theirs, torch.tensor(target))
    value.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-13)
    assert distance(theirs.grad, tensor.grad) <= 1e-13


@KINDS
def test_the_gradient_is_the_complex_step_derivative(kind):
    raw, target = random_mixture(kind, leading=(2, 3))
    blocks = mixtures.split(raw)
    blocks.scale[0][0, 1] = 16.0  # beyond the limit, where nothing depends on it
    if kind == "pen":
        blocks.end[0, 0] = -40.0
        blocks.correlation[0, 2] = [9.0, -9.0, 0.5]
        for block in (*blocks.mean, *blocks.scale):
            block[0, 2] = 0.0
        target[0, 2, :2] = 0.0
    loss = N.MDNLoss()
    loss(raw, target)
    claimed = {"raw": loss.backward()}
    measured = complex_step(lambda a: loss(a["raw"], target), {"raw": raw})
    compare_gradients(claimed, measured, tolerance=1e-12).raise_if_wrong()


def test_the_gradient_is_that_of_graves():
    """Equations 27 to 37 of Graves 2013, written down as they stand there."""
    raw, target = random_mixture("pen", leading=(6,), components=2)
    loss = N.MDNLoss("sum")
    loss(raw, target)
    m = mixtures.mixture(raw)
    x1, x2 = target[:, :1], target[:, 1:2]
    (mu1, mu2), (s1, s2) = (np.moveaxis(a, -1, 0) for a in (m.mean, m.scale))
    rho, end = m.correlation, m.end
    a, b = (x1 - mu1) / s1, (x2 - mu2) / s2
    z = a**2 + b**2 - 2 * rho * a * b
    c = 1 / (1 - rho**2)
    density = np.exp(-z * c / 2) / (2 * np.pi * s1 * s2 * np.sqrt(1 - rho**2))
    gamma = m.weight * density
    gamma /= gamma.sum(axis=1, keepdims=True)
    expected = np.concatenate(
        [
            m.weight - gamma,
            -gamma * c / s1 * (a - rho * b),
            -gamma * c / s2 * (b - rho * a),
            -gamma * (c * a * (a - rho * b) - 1),
            -gamma * (c * b * (b - rho * a) - 1),
            -gamma * (a * b + rho * (1 - c * z)),
            (end - target[:, 2])[:, None],
        ],
        axis=1,
    )
    # Graves has the density's derivative by rho itself times 1 - rho^2, as rho = tanh
    assert distance(loss.backward(), expected) <= 1e-12


@KINDS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_engines_agree(kind, dtype):
    raw, target = random_mixture(kind, dtype=dtype)
    ours, theirs = N.MDNLoss(), T.MDNLoss()
    value = ours(raw, target.astype(np.float64))
    tensor = torch.tensor(raw, requires_grad=True)
    their_value = theirs(tensor, torch.tensor(target, dtype=torch.float64))
    their_value.backward()
    assert value.dtype == dtype and ours.backward().dtype == dtype
    assert distance(value, their_value.detach()) <= TOLERANCE[dtype]
    assert distance(ours.backward(), tensor.grad) <= TOLERANCE[dtype]
    heads = [L.MixtureDensity(7, 4, kind, rng=3) for L in (N, T)]
    x = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    a, b = heads[0](x), heads[1](torch.tensor(x)).detach()
    assert np.array_equal(heads[0].weight.data, heads[1].weight.detach().numpy())
    assert distance(a, b) <= 2e-6
    for method, options in (("mean", {}), ("sample", dict(rng=1, bias=0.5))):
        first = getattr(heads[0], method)(raw, **options)
        second = getattr(heads[1], method)(torch.tensor(raw), **options)
        assert first.dtype == dtype and second.dtype == tensor.dtype
        assert np.array_equal(first, second.numpy())
    density = heads[0].log_density(raw, target)
    assert distance(density, heads[1].log_density(tensor, torch.tensor(target)).detach()) < 2e-6
    assert distance(density, judged_log_density(raw, target)) <= TOLERANCE[dtype] * 10


@KINDS
@ENGINES
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_mask_leaves_out_and_shields(L, kind, axes, reduction):
    raw, target = random_mixture(kind)
    lengths = np.array([5, 2, 4, 1])
    mask = np.arange(5) < lengths[:, None] if axes == 2 else lengths > 1
    loss = N.MDNLoss(reduction)
    expected = loss(raw[mask], target[mask])
    slope = np.zeros_like(raw)
    slope[mask] = loss.backward()
    raw[~mask], target[~mask] = np.nan, np.inf
    if L is N:
        value = loss(raw, target, mask)
        found = loss.backward()
    else:
        tensor = torch.tensor(raw, requires_grad=True)
        value = T.MDNLoss(reduction)(tensor, torch.tensor(target), torch.tensor(mask))
        value.backward()
        value, found = value.item(), tensor.grad.numpy()
    assert value == pytest.approx(expected, rel=1e-13)
    assert np.abs(found - slope).max() <= 1e-14


@ENGINES
@KINDS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [1.0, 30.0, 1e4])
def test_extreme_outputs_stay_finite(L, kind, dtype, size):
    """Standard deviations of almost nothing, correlations of almost one, certain ends of stroke."""
    raw, target = random_mixture(kind, leading=(50,), seed=1, dtype=dtype)
    raw *= dtype(size)
    if L is N:
        loss = N.MDNLoss()
        value, slope = loss(raw, target), None
        slope = loss.backward()
    else:
        tensor = torch.tensor(raw, requires_grad=True)
        value = T.MDNLoss()(tensor, torch.tensor(target))
        value.backward()
        value, slope = value.detach().numpy(), tensor.grad.numpy()
    assert np.isfinite(value) and np.isfinite(slope).all()
    head = L.MixtureDensity(2, 3, kind)
    assert np.isfinite(np.asarray(head.sample(wrap(L, raw), rng=0))).all()


def test_no_density_is_infinite_on_a_line():
    """A perfectly correlated component on its own line: large, but finite, and no gradient beyond."""
    raw = np.array([[0.0, 0.0, 0.0, -1000.0, -1000.0, 1000.0, 0.0]])
    loss = N.MDNLoss()
    expected = math.log(2 * math.pi) - 30 - math.log(math.cosh(8)) + math.log(2)
    assert loss(raw, np.zeros((1, 3))) == pytest.approx(expected)
    assert np.array_equal(loss.backward()[0, 3:6], np.zeros(3))


@KINDS
def test_the_density_integrates_to_one(kind):
    raw, _ = random_mixture(kind, leading=(), components=3, seed=4)
    raw *= 0.5
    x = np.linspace(-20, 20, 501)
    step = x[1] - x[0]
    if kind == "real":
        total = np.exp(mixtures.log_density(np.tile(raw, (len(x), 1)), x[:, None])).sum() * step
    else:
        grid = np.stack([a.ravel() for a in np.meshgrid(x, x)], axis=-1)
        total = 0.0
        for end in (0.0, 1.0):
            target = np.concatenate((grid, np.full((len(grid), 1), end)), axis=1)
            rows = np.broadcast_to(raw, (len(grid), len(raw)))
            total += np.exp(mixtures.log_density(rows, target)).sum() * step**2
    assert total == pytest.approx(1, abs=1e-9)


def test_samples_of_a_real_mixture_follow_its_distribution():
    raw, _ = random_mixture("real", leading=(), components=3, seed=5)
    drawn = mixtures.sample_mixture(np.tile(raw, (20_000, 1)), rng=0)[:, 0]
    m = mixtures.mixture(raw)

    def cumulative(x):
        return (m.weight * stats.norm.cdf(x[:, None], m.mean[:, 0], m.scale[:, 0])).sum(axis=1)

    assert stats.kstest(drawn, cumulative).pvalue > 0.01
    assert drawn.mean() == pytest.approx(mixtures.mixture_mean(raw)[0], abs=0.03)


def test_samples_of_a_pen_have_the_moments_and_the_ends_of_the_mixture():
    raw, _ = random_mixture("pen", leading=(), components=2, seed=6)
    n = 100_000
    drawn = mixtures.sample_mixture(np.tile(raw, (n, 1)), rng=0)
    m = mixtures.mixture(raw)
    mean = mixtures.mixture_mean(raw)
    off = m.scale[:, 0] * m.scale[:, 1] * m.correlation
    within = np.stack(
        [np.stack([m.scale[:, 0] ** 2, off], -1), np.stack([off, m.scale[:, 1] ** 2], -1)], -1
    )
    deviation = m.mean - mean[:2]
    between = deviation[:, :, None] * deviation[:, None, :]
    covariance = (m.weight[:, None, None] * (within + between)).sum(axis=0)
    scale = np.sqrt(np.diag(covariance))
    assert np.abs((drawn[:, :2].mean(axis=0) - mean[:2]) / scale).max() < 4 / math.sqrt(n)
    error = np.cov(drawn[:, :2].T) - covariance
    assert np.abs(error / np.outer(scale, scale)).max() < 0.03
    assert set(np.unique(drawn[:, 2])) == {0.0, 1.0}
    spread = math.sqrt(m.end * (1 - m.end) / n)
    assert abs(drawn[:, 2].mean() - m.end) < 4 * spread


@KINDS
def test_the_sampled_entropy_is_the_loss(kind):
    """The mean loss over samples of a density is its entropy: here against the same by quadrature."""
    raw, _ = random_mixture(kind, leading=(), components=1, seed=7)
    rows = np.tile(raw, (40_000, 1))
    value = N.MDNLoss()(rows, mixtures.sample_mixture(rows, rng=0))
    m = mixtures.mixture(raw)
    expected = np.log(m.scale).sum() + 0.5 * m.scale.size * math.log(2 * math.pi * math.e)
    if kind == "pen":
        expected += 0.5 * math.log(1 - m.correlation[0] ** 2)
        expected += stats.bernoulli(float(m.end)).entropy()
    assert value == pytest.approx(expected, abs=0.02)


def test_a_bias_narrows_components_and_prefers_the_likely_one():
    raw, _ = random_mixture("pen", leading=(), components=3, seed=8)
    plain, biased = mixtures.mixture(raw), mixtures.mixture(raw, bias=1.5)
    assert np.allclose(biased.scale, plain.scale * math.exp(-1.5))
    assert np.allclose(biased.weight, plain.weight**2.5 / (plain.weight**2.5).sum())
    assert np.array_equal(biased.correlation, plain.correlation) and biased.end == plain.end
    best = plain.mean[np.argmax(plain.weight)]
    drawn = mixtures.sample_mixture(np.tile(raw, (20, 1)), rng=0, bias=200.0)
    assert np.allclose(drawn[:, :2], best)


@ENGINES
def test_the_head_trains_with_fit_and_finds_two_branches(L):
    """x is +1 or -1 with a little noise: a mixture finds both, a mean would say 0."""
    rng = np.random.default_rng(0)
    y = rng.choice([-1.0, 1.0], size=(64, 1)) + 0.05 * rng.normal(size=(64, 1))
    x = np.ones((64, 2, 1))
    options = dict(dtype="float64", rng=0)
    model = L.SequenceModel(
        L.RNN(1, 4, batch_first=True, **options), L.MixtureDensity(4, 2, "real", **options)
    )
    fit(model, (x, y), loss=L.MDNLoss(), lr=0.05, epochs=60, batch_size=64, progress=False)
    m = mixtures.mixture(L.predict(model, x[:1]))
    assert np.allclose(np.sort(m.mean.ravel()), [-1, 1], atol=0.1)
    assert np.all(m.scale < 0.2) and np.all(np.abs(m.weight - 0.5) < 0.2)


def line_model(L, kind, **options):
    size = 3 if kind == "pen" else 1
    common = dict(dtype="float64", rng=4)
    rnn = L.LSTM(size, 5, num_layers=2, batch_first=True, **common)
    return L.SequenceModel(rnn, L.MixtureDensity(5, 2, kind, **common), "all", **options)


@KINDS
def test_both_engines_draw_the_same_line(kind):
    prefix = random_mixture(kind, leading=(3, 4))[1]
    for rows in (prefix, prefix[0]):
        lines = [
            L.generate_points(line_model(L, kind, dropout=0.4), rows, steps=20, rng=3, bias=0.5)
            for L in (N, T)
        ]
        assert lines[0].shape == (*rows.shape[:-2], 20, rows.shape[-1])
        assert distance(*lines) <= 1e-12


@ENGINES
def test_a_line_is_drawn_from_all_that_came_before(L):
    """By carried state against reading the whole line again, on the same random numbers."""
    model, line = line_model(L, "pen"), random_mixture("pen", leading=(4,))[1]
    drawn = L.generate_points(model, line, steps=6, rng=3)
    rng = np.random.default_rng(3)
    for _ in range(6):
        raw = L.predict(model, line[None])[:, -1]
        line = np.concatenate((line, mixtures.sample_mixture(raw, rng)))
    assert distance(drawn, line[4:]) <= 1e-12
    assert model.training
    assert distance(L.generate_points(model, line[:4], steps=6, rng=3, bias=2.0), drawn) > 0.1


@ENGINES
def test_lines_that_cannot_be_drawn_are_refused(L):
    with pytest.raises(ValueError, match="the model's head must be a MixtureDensity"):
        rnn = L.LSTM(1, 2, batch_first=True)
        L.generate_points(L.SequenceModel(rnn, L.Linear(2, 3), "all"), [[0.0]], steps=3)
    with pytest.raises(ValueError, match="readout='all'"):
        L.generate_points(L.SequenceModel(rnn, L.MixtureDensity(2, 1, "real")), [[0.0]], steps=3)
    model = line_model(L, "real")
    for wrong in ([0.0], np.zeros((0, 1))):
        with pytest.raises(ValueError, match="prefix must have shape .* and not be empty"):
            L.generate_points(model, wrong, steps=3)
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        L.generate_points(model, [[0.0]], steps=0)
    with pytest.raises(ValueError, match="input must have 1 features"):
        L.generate_points(model, [[0.0, 0.0, 1.0]], steps=3)


def test_the_head_passes_the_gradient_check():
    head = N.MixtureDensity(3, 2, dtype=np.float64, rng=0)
    check_gradients(head, np.random.default_rng(0).normal(size=(2, 5, 3))).raise_if_wrong()


@ENGINES
def test_what_is_refused(L):
    loss, head = L.MDNLoss(), L.MixtureDensity(2, 1)

    def zeros(*shape):
        return wrap(L, np.zeros(shape))

    with pytest.raises(ValueError, match="components must be a positive integer, got 0"):
        L.MixtureDensity(2, 0)
    with pytest.raises(ValueError, match="kind must be one of 'pen', 'real'; got 'ink'"):
        L.MixtureDensity(2, 3, "ink")
    with pytest.raises(ValueError, match="reduction must be one of 'mean', 'sum'"):
        L.MDNLoss("none")
    for call in (loss, head.log_density):
        with pytest.raises(ValueError, match=r"6M \+ 1 numbers \(pen\) or 3M \(real\).*, got 8"):
            call(zeros(4, 8), zeros(4, 3))
        with pytest.raises(ValueError, match=r"target must have shape \(4, 3\) = .*got \(4, 1\)"):
            call(zeros(4, 7), zeros(4, 1))
        with pytest.raises(ValueError, match=r"target must have shape \(4, 1\) = .*got \(4,\)"):
            call(zeros(4, 6), zeros(4))
        with pytest.raises(ValueError, match="must be 0 or 1"):
            call(zeros(4, 7), zeros(4, 3) + 0.5)
    with pytest.raises(ValueError, match="parameters must have shape"):
        loss(zeros(0, 7), zeros(0, 3))
    with pytest.raises(ValueError, match="mask must have the shape"):
        loss(zeros(4, 7), zeros(4, 3), zeros(3))
    with pytest.raises(ValueError, match="mask leaves no point"):
        loss(zeros(4, 7), zeros(4, 3), zeros(4))
    with pytest.raises(ValueError, match="bias must be a finite number of at least 0, got -1"):
        head.sample(zeros(4, 7), bias=-1)
    with pytest.raises(ValueError, match="parameters of a mixture must be finite"):
        head.sample(zeros(4, 7) * np.nan)


def test_backward_needs_a_forward_pass():
    with pytest.raises(RuntimeError, match="forward pass"):
        N.MDNLoss().backward()
    with pytest.raises(ValueError, match="got 1$"):
        mixtures.kind_of(1)
