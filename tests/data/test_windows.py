"""Windows, splits and scalers: nothing is lost, and nothing of the future leaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib.data.windows import (
    MinMaxScaler,
    Standardizer,
    calendar_features,
    sliding_windows,
    time_split,
)

SCALERS = [Standardizer, MinMaxScaler]


@given(st.data())
def test_windows_are_the_series_cut_as_the_docstring_says(data):
    width, horizon, features = (data.draw(st.integers(1, 6)) for _ in range(3))
    length = width + horizon + data.draw(st.integers(0, 9))
    series = np.arange(length * features, dtype=float).reshape(length, features)
    X, y = sliding_windows(series, width, horizon)
    y = y.reshape(len(y), horizon, features)
    assert len(X) == len(y) == length - width - horizon + 1
    for n in range(len(X)):
        assert (X[n] == series[n : n + width]).all()
        assert (y[n] == series[n + width : n + width + horizon]).all()
    assert (y[-1, -1] == series[-1]).all(), "the last target is the last value"


@given(st.data())
def test_the_parts_share_no_target_and_lose_none(data):
    width, horizon = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    valid, test = (data.draw(st.integers(horizon, 12)) for _ in range(2))
    length = width + horizon + valid + test + data.draw(st.integers(0, 9))
    split = time_split(length, valid, test)
    seen = []
    for part in split:
        X, y = sliding_windows(np.arange(length), width, horizon, within=part)
        steps = y.reshape(len(y), horizon).astype(int)
        assert steps.min() >= part.start and steps.max() == part.stop - 1
        assert (X[:, -1, 0] == steps[:, 0] - 1).all(), "inputs end right before the target"
        seen.append(set(steps.ravel().tolist()))
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert set.union(*seen) == set(range(width, length))


def test_changing_the_test_part_changes_neither_training_nor_validation():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(60, 3))
    changed = series.copy()
    split = time_split(60, valid=10, test=15)
    changed[split.test] = 1e6
    for kind in SCALERS:
        scalers = [kind().fit(s[split.train]) for s in (series, changed)]
        assert (scalers[0].shift == scalers[1].shift).all()
        assert (scalers[0].scale == scalers[1].scale).all()
        for part in (split.train, split.valid):
            before, after = (
                sliding_windows(scaler.transform(s), 5, 2, within=part)
                for scaler, s in zip(scalers, (series, changed), strict=True)
            )
            assert (before[0] == after[0]).all() and (before[1] == after[1]).all()


def test_a_scaler_fitted_on_everything_would_have_been_noticed():
    series = np.arange(20.0)
    split = time_split(20, valid=4, test=4)
    for kind in SCALERS:
        honest, leaking = kind().fit(series[split.train]), kind().fit(series)
        assert honest.scale != leaking.scale


def test_targets_choose_columns():
    table = np.arange(20.0).reshape(5, 4)
    X, y = sliding_windows(table, 2, targets=[3, 1])
    assert X.shape == (3, 2, 4) and (y == table[2:, [3, 1]]).all()


def test_windows_are_copies():
    series = np.arange(6.0)
    X, _ = sliding_windows(series, 2)
    X[:] = -1
    assert (series == np.arange(6)).all()


def test_shortest_series_gives_one_window():
    X, y = sliding_windows(np.arange(5), width=3, horizon=2)
    assert X.shape == (1, 3, 1) and y.shape == (1, 2, 1)


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (np.arange(4), dict(width=3, horizon=2), r"4 steps, fewer than .* 3 \+ 2 = 5"),
        ([], dict(width=1), "0 steps"),
        (np.zeros((4, 2, 2)), dict(width=1), r"shape \(T,\) or \(T, F\), got \(4, 2, 2\)"),
        (3.0, dict(width=1), r"got \(\)"),
        ([1, 2, np.nan, 4, np.nan], dict(width=1), "nan at index 2 .2 of 5"),
        ([[1, 2], [3, np.inf]], dict(width=1), r"inf at index \(1, 1\)"),
        (np.arange(9), dict(width=0), "width must be a positive integer"),
        (np.arange(9), dict(width=-2), "width must be a positive integer"),
        (np.arange(9), dict(width=2, horizon=0), "horizon must be a positive integer"),
        (np.arange(9), dict(width=2, targets=1), r"not all in 0 to 0"),
        (np.arange(9), dict(width=2, targets=-1), r"not all in 0 to 0"),
        (np.arange(9), dict(width=2, targets=[]), "column numbers"),
        (np.arange(9), dict(width=2, targets=0.5), "column numbers"),
        (np.arange(9), dict(width=2, horizon=3, within=slice(7, 9)), "no window"),
        (np.arange(9), dict(width=2, within=slice(0, 2)), "no window"),
        (np.arange(9), dict(width=2, within=slice(0, 9, 2)), "consecutive"),
        (np.arange(9), dict(width=2, within=3), "consecutive"),
        (["a", "b", "c"], dict(width=1), "real numbers"),
        (np.array([1j, 2j, 3j]), dict(width=1), "real numbers"),
    ],
)
def test_bad_windows(series, options, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(series, **options)


def test_a_width_that_is_no_integer_is_a_type_error():
    with pytest.raises(TypeError, match="width"):
        sliding_windows(np.arange(9), width=2.5)


@given(st.integers(3, 200), st.data())
def test_split_by_position(length, data):
    test = data.draw(st.integers(1, length - 2))
    valid = data.draw(st.integers(0, length - test - 1))
    train, middle, last = time_split(length, valid, test)
    assert (train.start, last.stop) == (0, length)
    assert (train.stop, middle.stop) == (middle.start, last.start)
    assert (middle.stop - middle.start, last.stop - last.start) == (valid, test)


def test_split_by_date_puts_the_named_day_into_the_later_part():
    days = np.arange("2020-01-01", "2020-02-01", dtype="datetime64[D]")
    split = time_split(days, valid="2020-01-11", test=np.datetime64("2020-01-21"))
    assert [str(days[part][0]) for part in split] == ["2020-01-01", "2020-01-11", "2020-01-21"]


def test_split_by_date_over_a_weekend_starts_with_the_next_trading_day():
    days = np.array(["2020-01-02", "2020-01-03", "2020-01-06"], dtype="datetime64[D]")
    assert time_split(days, valid=0, test="2020-01-04").test == slice(2, 3)


def test_shares_round_down_and_do_not_suffer_from_binary_fractions():
    assert time_split(10, valid=0.3, test=0.3).train == slice(0, 4)
    assert time_split(100, valid=0.29, test=0.0999).test == slice(91, 100)


@pytest.mark.parametrize(
    ("steps", "valid", "test", "message"),
    [
        (10, 5, 5, "training would be steps 0 to 0"),
        (10, 2, 0, "test 10 to 10"),
        (10, 20, 5, "training would be steps 0 to -15"),
        (10, -1, 2, "valid must not be negative"),
        (10, 0.1, 1.5, "share"),
        (10, 0.1, True, "test must be"),
        (10, 1, "2020-01-01", "is a date"),
        (0, 1, 1, "steps must be a positive integer"),
        (np.zeros((2, 2), "datetime64[D]"), 1, 1, r"got \(2, 2\)"),
        (["2020-01-02", "2020-01-01"], 0, 1, "index 1 is not after"),
        (["2020-01-01", "NaT", "2020-01-03"], 0, 1, "no date at index 1"),
        (["2020-01-01", "2020-01-02"], "2020-01-02", "2020-01-01", "cannot split"),
    ],
)
def test_bad_splits(steps, valid, test, message):
    with pytest.raises(ValueError, match=message):
        time_split(steps, valid, test)


@pytest.mark.parametrize("kind", SCALERS)
@pytest.mark.parametrize("shape", [(50,), (50, 3), (10, 5, 3)])
def test_scaling_and_back(kind, shape):
    x = np.random.default_rng(1).normal(5, 3, size=shape)
    scaler = kind().fit(x)
    z = scaler.transform(x)
    assert z.shape == shape and np.allclose(scaler.inverse(z), x, atol=1e-12)
    axes = tuple(range(max(len(shape) - 1, 1)))
    if kind is Standardizer:
        assert np.allclose(z.mean(axes), 0) and np.allclose(z.std(axes), 1)
    else:
        assert np.allclose(z.min(axes), 0) and np.allclose(z.max(axes), 1)


@pytest.mark.parametrize("kind", SCALERS)
def test_scaling_windows_is_windows_of_the_scaled(kind):
    x = np.random.default_rng(2).normal(size=(30, 2))
    scaler = kind().fit(x[:20])
    X, y = sliding_windows(x, 4, 3, targets=1)
    Z, v = sliding_windows(scaler.transform(x), 4, 3, targets=1)
    assert np.allclose(scaler.transform(X), Z)
    assert np.allclose(scaler.inverse(v, columns=1), y)


@pytest.mark.parametrize("kind", SCALERS)
def test_constant_feature_keeps_its_unit(kind):
    scaler = kind().fit([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]])
    assert scaler.scale[0] == 1 and np.isfinite(scaler.transform([[0.3, 9.0]])).all()


@pytest.mark.parametrize("kind", SCALERS)
def test_bad_scaling(kind):
    with pytest.raises(ValueError, match=r"not fitted: call fit\(train\) first"):
        kind().transform([1.0])
    with pytest.raises(ValueError, match="nan at index 1"):
        kind().fit([1.0, np.nan])
    for empty in ([], np.zeros((0, 3)), 1.0):
        with pytest.raises(ValueError, match="not be empty"):
            kind().fit(empty)
    scaler = kind().fit(np.random.default_rng(0).normal(size=(9, 3)))
    with pytest.raises(ValueError, match=r"shape \(..., 3\).*got \(2, 4\)"):
        scaler.transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"shape \(..., 1\)"):
        scaler.inverse(np.zeros((2, 3)), columns=2)
    with pytest.raises(ValueError, match="0 to 2"):
        scaler.inverse(np.zeros((2, 1)), columns=3)
    with pytest.raises(ValueError, match="no meaning"):
        kind().fit([1.0, 2.0]).inverse([1.0], columns=0)


def test_calendar_comes_round_every_year_and_never_jumps():
    days = np.arange("2012-01-01", "2016-01-01", dtype="datetime64[D]")
    features = calendar_features(days, harmonics=2)
    assert features.shape == (days.size, 4)
    assert np.allclose(features[:, 0] ** 2 + features[:, 1] ** 2, 1)
    assert np.abs(np.diff(features, axis=0)).max() < 1.3 * 2 * 2 * np.pi / 365
    with pytest.raises(ValueError, match="not a date"):
        calendar_features(["NaT"])
    with pytest.raises(ValueError, match="harmonics"):
        calendar_features(days, harmonics=0)
