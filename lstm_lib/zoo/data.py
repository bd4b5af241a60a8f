"""Bugs in the data: windows, scaling, splits and scores. No network is involved, and none can help."""

import numpy as np

from lstm_lib.data.windows import MinMaxScaler, sliding_windows
from lstm_lib.zoo.entry import Bug


def windows(series, width):
    """Every step from `width` on is a target once, and a window ends before its target."""
    X, y = sliding_windows(series, width, targets=0)
    return X, y[:, 0]


def drops_the_last_target(series, width):
    """The range ends one window too early."""
    starts = range(len(series) - width - 1)
    return (
        np.stack([series[n : n + width] for n in starts]),
        np.array([series[n + width, 0] for n in starts]),
    )


def holds_the_target(series, width):
    """The target is the window's own last value."""
    starts = range(len(series) - width + 1)
    return (
        np.stack([series[n : n + width] for n in starts]),
        np.array([series[n + width - 1, 0] for n in starts]),
    )


def same_day_columns(series, width):
    """All columns but the first are one day ahead: those of the day that is to be forecast."""
    ahead = np.column_stack((series[:-1, :1], series[1:, 1:]))
    starts = range(len(series) - width)
    return (
        np.stack([ahead[n : n + width] for n in starts]),
        np.array([series[n + width, 0] for n in starts]),
    )


def scaled(series, split):
    """The range is that of the training part."""
    return MinMaxScaler().fit(series[:split]).transform(series)


def scaled_with_the_future(series, split):
    """The range is that of all data, the test part included."""
    return MinMaxScaler().fit(series).transform(series)


def split_by_time(count, split, rng):
    """The test windows come after all training windows."""
    return np.arange(split), np.arange(split, count)


def split_at_random(count, split, rng):
    """Overlapping windows are shuffled before they are split."""
    order = rng.permutation(count)
    return order[:split], order[split:]


def next_tokens(tokens):
    """Each target is the token after its input."""
    return tokens[:-1], tokens[1:]


def same_tokens(tokens):
    """Inputs and targets are cut alike, so that the model has to copy."""
    return tokens[1:], tokens[1:]


def skill(series, forecast):
    """One minus the squared error over that of repeating yesterday's value."""
    actual, yesterday = series[1:], series[:-1]
    return 1 - ((actual - forecast) ** 2).mean() / ((actual - yesterday) ** 2).mean()


def explained_variance(series, forecast):
    """One minus the squared error over the variance of the level, which any path beats."""
    actual = series[1:]
    return 1 - ((actual - forecast) ** 2).mean() / actual.var()


def _calendar(steps=12, columns=3):
    """A series whose values say at which step they become known."""
    return np.arange(float(steps))[:, None].repeat(columns, axis=1)


def _missing_targets(implementation, rng):
    _, y = implementation(_calendar(), 4)
    return len(set(range(4, 12)) - set(y.tolist()))


def _targets_are_lost(implementation, rng):
    missing = _missing_targets(implementation, rng)
    return f"Of 8 possible targets {missing} never came." if missing else ""


def _latest(part):
    """A judge that looks for windows whose columns `part` are known no earlier than the target."""

    def judge(implementation, rng):
        X, y = implementation(_calendar(), 4)
        late = X[..., part].max(axis=(1, 2)) >= y
        return (
            f"{late.mean():.0%} of the windows hold values of the target's day."
            if late.any()
            else ""
        )

    return judge


def _fit_on_noise(implementation, rng):
    """Share of the variance of pure noise that a linear model explains on windows it was not fitted on."""
    first = rng.normal(size=(400, 1))
    series = np.concatenate((first, first + 0.1 * rng.normal(size=(400, 1))), axis=1)
    X, y = implementation(series, 4)
    X = X.reshape(len(X), -1)
    weights, *_ = np.linalg.lstsq(X[:200], y[:200], rcond=None)
    return 1 - ((X[200:] @ weights - y[200:]) ** 2).mean() / y[200:].var()


def _rising(rng):
    return np.linspace(0.0, 10.0, 100) + 0.1 * rng.normal(size=100)


def _largest_in_training(implementation, rng):
    return implementation(_rising(rng), 70)[:70].max()


def _future_in_the_scale(implementation, rng):
    series = _rising(rng)
    other = np.concatenate((series[:70], 5 * series[70:]))
    change = np.abs(implementation(series, 70)[:70] - implementation(other, 70)[:70]).max()
    return f"Another test part changed the training part by {change:.2g}." if change > 1e-12 else ""


def _known_targets(implementation, rng, width=10):
    """Share of test targets that also stand in a training window or are a training target."""
    train, test = implementation(100, 70, rng)
    known = {step for n in train for step in range(n, n + width + 1)}
    return np.mean([n + width in known for n in test])


def _test_is_known(implementation, rng):
    share = _known_targets(implementation, rng)
    return f"{share:.0%} of the test targets stand in training windows." if share else ""


def _copying_pays(implementation, rng):
    """Accuracy of a model that repeats its input, on random tokens."""
    inputs, targets = implementation(rng.integers(20, size=2000))
    return (inputs == targets).mean()


def _not_the_next(implementation, rng):
    tokens = rng.permutation(50)
    inputs, targets = implementation(tokens)
    right = np.array_equal(inputs, tokens[:-1]) and np.array_equal(targets, tokens[1:])
    return "" if right else f"After {inputs[0]} comes {tokens[1]}, its target is {targets[0]}."


def _score_of_yesterday(implementation, rng):
    walk = rng.normal(size=500).cumsum()
    return implementation(walk, walk[:-1])


def _repeating_scores(implementation, rng):
    score = _score_of_yesterday(implementation, rng)
    return "" if abs(score) < 1e-12 else f"It scores {score:.2f}."


BUGS = (
    Bug(
        name="drops_the_last_target",
        kind="windows",
        title="The last target dropped",
        wrong="The windows stop one short.",
        looks="Nothing fails; the newest value, which matters most, is neither learned nor tested.",
        promise="Every step that has a full window before it is a target.",
        seen="Tutorials (off-by-one windows).",
        fix="There are T - width windows; test with a series that counts.",
        broken=drops_the_last_target,
        correct=windows,
        quantity="targets missing from a series of 12 with windows of 4",
        judge=_targets_are_lost,
        measure=_missing_targets,
    ),
    Bug(
        name="holds_the_target",
        kind="windows",
        title="The target stands in its window",
        wrong="The target's index is one too small.",
        looks="A forecast too good to be true, also for pure noise.",
        promise="No window holds its target.",
        seen="Common (off-by-one windows).",
        fix="The target is series[n + width]; test with a series that counts.",
        broken=holds_the_target,
        correct=windows,
        quantity="variance of pure noise that a linear model explains",
        judge=_latest(slice(0, 1)),
        measure=_fit_on_noise,
    ),
    Bug(
        name="same_day_columns",
        kind="windows",
        title="Other columns of the same day",
        wrong="The other columns are those of the day that is to be forecast.",
        looks="The closing price follows from the day's highest and lowest, which nobody knows in the morning.",
        promise="All that a window holds was known before the target's day.",
        seen="Stock-price tutorials.",
        fix="Cut all columns at the same step, before the target.",
        broken=same_day_columns,
        correct=windows,
        quantity="variance of pure noise that a linear model explains",
        judge=_latest(slice(None)),
        measure=_fit_on_noise,
    ),
    Bug(
        name="scaled_with_the_future",
        kind="scaling",
        title="Scaled with the test data's range",
        wrong="The scaler is fitted on the whole series.",
        looks="Training knows how far prices will rise: its own largest value is below 1.",
        promise="The test part has no influence on the scaled training part.",
        seen="Stock-price tutorials.",
        fix="Fit the scaler on the training part.",
        broken=scaled_with_the_future,
        correct=scaled,
        quantity="largest scaled value of the training part of a rising series",
        judge=_future_in_the_scale,
        measure=_largest_in_training,
    ),
    Bug(
        name="split_at_random",
        kind="splitting",
        title="Overlapping windows split at random",
        wrong="Windows that share values are shuffled before the split.",
        looks="The test error is close to the training error, and far below what tomorrow will show.",
        promise="No test target stands in a training window.",
        seen="Common.",
        fix="Split the series by time, then cut the windows.",
        broken=split_at_random,
        correct=split_by_time,
        quantity="share of test targets that training has seen",
        judge=_test_is_known,
        measure=_known_targets,
    ),
    Bug(
        name="same_tokens",
        kind="next token",
        title="Targets that are not shifted",
        wrong="Input and target of the language model are the same token.",
        looks="The loss goes to zero at once, and what the model writes repeats its first letter.",
        promise="Each target is the token after its input, up to the last.",
        seen="Common.",
        fix="Inputs are tokens[:-1], targets tokens[1:].",
        broken=same_tokens,
        correct=next_tokens,
        quantity="accuracy of copying the input, on random tokens of 20 kinds",
        judge=_not_the_next,
        measure=_copying_pays,
    ),
    Bug(
        name="explained_variance",
        kind="score",
        title="A score that repeating yesterday wins",
        wrong="The error is compared with the variance of the level.",
        looks="Real and predicted curve lie on each other, one a day behind the other.",
        promise="Repeating yesterday's value scores nothing.",
        seen="Stock-price tutorials, as one-step forecasts that repeat yesterday.",
        fix="Compare with persistence.",
        broken=explained_variance,
        correct=skill,
        quantity="score of repeating yesterday on a random walk",
        judge=_repeating_scores,
        measure=_score_of_yesterday,
    ),
)
