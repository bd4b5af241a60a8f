"""Baselines and metrics against their definitions, worked by hand or by another route."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib.data.baselines import (
    LinearAutoregression,
    drift,
    dtw_distances,
    persistence,
    seasonal_naive,
)
from lstm_lib.data.metrics import block_bootstrap, mae, mase, rmse, skill
from lstm_lib.data.windows import sliding_windows, time_split


def table(length=40, features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(length, features))


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("targets", [None, 1, [1, 0]])
def test_every_forecast_has_the_shape_of_the_targets(horizon, targets):
    X, y = sliding_windows(table(), 6, horizon, targets=targets)
    forecasts = [
        persistence(X, horizon, targets=targets),
        drift(X, horizon, targets=targets),
        seasonal_naive(X, 5, horizon, targets=targets),
        LinearAutoregression().fit(X, y).predict(X),
    ]
    assert [f.shape for f in forecasts] == [y.shape] * 4


def test_persistence_is_the_series_one_step_late():
    series = table(features=1)
    X, y = sliding_windows(series, 4)
    assert (persistence(X)[1:] == y[:-1]).all()


@given(st.integers(2, 6), st.integers(1, 5), st.floats(-3, 3), st.floats(-3, 3))
def test_drift_is_exact_on_a_straight_line(width, horizon, slope, level):
    X, y = sliding_windows(level + slope * np.arange(20), width, horizon)
    assert np.allclose(drift(X, horizon), y, atol=1e-9)


@given(st.integers(1, 6), st.integers(0, 3), st.integers(1, 14))
def test_seasonal_naive_is_exact_on_a_periodic_series(period, more, horizon):
    series = np.tile(np.random.default_rng(period).normal(size=period), 40 // period + 1)
    X, y = sliding_windows(series, period + more, horizon)
    assert np.allclose(seasonal_naive(X, period, horizon), y)


def test_linear_autoregression_is_the_least_squares_solution():
    X, y = sliding_windows(table(60, 3), 4, 2, targets=[0, 2])
    model = LinearAutoregression().fit(X, y)
    design = np.column_stack([np.ones(len(X)), X.reshape(len(X), -1)])
    theta = np.linalg.solve(design.T @ design, design.T @ y.reshape(len(y), -1))
    assert np.allclose(model.predict(X).reshape(len(y), -1), design @ theta)
    assert model.weights.shape == (2, 2, 4, 3) and model.intercept.shape == (2, 2)


def test_ridge_minimises_its_own_objective_and_leaves_the_intercept_free():
    X, y = sliding_windows(5 + table(50, 1), 3)
    model = LinearAutoregression(ridge=2.0).fit(X, y)
    flat, penalty = X.reshape(len(X), -1), 2.0
    centred = flat - flat.mean(axis=0)
    W = np.linalg.solve(centred.T @ centred + penalty * np.eye(3), centred.T @ (y - y.mean(axis=0)))
    assert np.allclose(model.weights.ravel(), W.ravel())
    heavy = LinearAutoregression(ridge=1e12).fit(X, y)
    assert np.allclose(heavy.predict(X), y.mean(), atol=1e-6)


def test_more_weights_than_windows_still_fits():
    X, y = sliding_windows(table(12, 4), 6)
    assert np.allclose(LinearAutoregression().fit(X, y).predict(X), y)


def test_a_fit_on_the_training_part_does_not_see_the_test_part():
    series = table(60)
    changed = series.copy()
    split = time_split(60, valid=0, test=20)
    changed[split.test] += 100
    models = [
        LinearAutoregression().fit(*sliding_windows(s, 4, 2, within=split.train))
        for s in (series, changed)
    ]
    assert (models[0].weights == models[1].weights).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: persistence(X[0]), r"shape \(N, width, F\)"),
        (lambda X, y: persistence(X[:0]), "not be empty"),
        (lambda X, y: persistence(X, 0), "horizon"),
        (lambda X, y: persistence(X, targets=2), "0 to 1"),
        (lambda X, y: drift(X[:, :1]), "at least 2 steps"),
        (lambda X, y: seasonal_naive(X, 7), "season of 7 .* windows of 6"),
        (lambda X, y: seasonal_naive(X, 0), "period"),
        (lambda X, y: LinearAutoregression(-1), "ridge"),
        (lambda X, y: LinearAutoregression(np.nan), "ridge"),
        (lambda X, y: LinearAutoregression().predict(X), "not fitted"),
        (lambda X, y: LinearAutoregression().fit(X, y[1:]), "y must have shape"),
        (lambda X, y: LinearAutoregression().fit(X, y[:, 0]), "y must have shape"),
        (lambda X, y: LinearAutoregression().fit(X, y * np.nan), "finite"),
        (lambda X, y: LinearAutoregression().fit(X, y).predict(X[:, 1:]), "X must have shape"),
        (lambda X, y: mae(y, y[:, 0]), "one shape"),
        (lambda X, y: rmse([], []), "empty"),
        (lambda X, y: mase([1.0], [1.0], [3.0, 3.0]), "never changes"),
        (lambda X, y: mase([1.0], [1.0], [1.0, 2.0], period=2), "T > 2"),
        (lambda X, y: skill([1.0], [2.0], [1.0]), "no error"),
        (lambda X, y: block_bootstrap(np.zeros(5), 6), "T >= 6"),
        (lambda X, y: block_bootstrap(np.zeros(5), 2, samples=0), "samples"),
    ],
)
def test_bad_input(call, message):
    X, y = sliding_windows(table(), 6)
    with pytest.raises(ValueError, match=message):
        call(X, y)


def test_metrics_by_hand():
    actual, forecast = [1.0, 2.0, 6.0], [1.0, 4.0, 2.0]
    assert mae(actual, forecast) == 2
    assert rmse(actual, forecast) == pytest.approx(np.sqrt(20 / 3))
    assert mase(actual, forecast, train=[0.0, 4.0, 0.0, 4.0]) == 0.5
    assert mase(actual, forecast, train=[0.0, 4.0, 1.0, 5.0], period=2) == 2
    assert skill(actual, actual, [3.0] * 3) == 1
    assert skill(actual, [3.0] * 3, [3.0] * 3) == 0
    assert skill(actual, [3.0] * 3, actual[:2] + [5.0]) < 0


def test_persistence_has_a_mase_of_one_on_its_own_training_series():
    series = table(30, 1)
    X, y = sliding_windows(series, 1)
    assert mase(y, persistence(X), series[:, 0]) == pytest.approx(1)


def test_block_bootstrap_covers_an_autocorrelated_mean_where_single_days_do_not():
    hits = {1: 0, 20: 0}
    for seed in range(120):
        rng = np.random.default_rng(seed)
        noise, series = rng.normal(size=300), np.zeros(300)
        for t in range(1, 300):
            series[t] = 0.8 * series[t - 1] + noise[t]
        for block in hits:
            _, low, high = block_bootstrap(series, block, samples=400, seed=seed)
            hits[block] += low <= 0 <= high
    assert hits[20] > 90 > 75 > hits[1]


def test_block_bootstrap_repeats():
    values = np.random.default_rng(0).normal(size=50)
    assert block_bootstrap(values, 5) == block_bootstrap(values, 5)


def alignment(a, b):
    """Dynamic time warping as its definition: two loops, one cell after the other."""
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            before = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
            cost[i + 1, j + 1] = ((one - other) ** 2).sum() + before
    return np.sqrt(cost[-1, -1])


@given(st.integers(0, 1000), st.integers(1, 3))
def test_warping_of_all_pairs_is_that_of_two_plain_loops(seed, channels):
    rng = np.random.default_rng(seed)
    first, second = (
        [rng.normal(size=(rng.integers(1, 9), channels)) for _ in range(number)]
        for number in (4, 3)
    )
    found = dtw_distances(first, second)
    assert np.allclose(found, [[alignment(a, b) for b in second] for a in first], atol=1e-6)
    assert np.allclose(found.T, dtw_distances(second, first), atol=1e-6)


def test_warping_does_not_look_past_the_end_of_a_series():
    rng = np.random.default_rng(0)
    short, long = rng.normal(size=(3, 2)), rng.normal(size=(20, 2))
    alone = dtw_distances([short], [short + 1])
    assert np.allclose(dtw_distances([short, long], [short + 1, long])[0, 0], alone)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([np.ones((3, 2))], [np.ones((3, 1))], "2 channels, second has 1"),
        ([np.ones(3)], [np.ones(3)], r"first must hold series of shape \(T, C\)"),
        ([np.full((3, 1), np.nan)], [np.ones((3, 1))], "first must be finite"),
        ([], [np.ones((3, 1))], "at least one sequence"),
    ],
)
def test_series_that_cannot_be_warped(first, second, message):
    with pytest.raises(ValueError, match=message):
        dtw_distances(first, second)
