"""Mackey-Glass against an independent integration, the Henon map and waves."""

import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lstm_lib.data.tasks import henon, mackey_glass, waves


def by_the_method_of_steps(times, tau, start=1.2, beta=0.2, gamma=0.1, power=10):
    """Delay by delay: within one delay the past is known, and the rest is an ordinary equation.

    SciPy's integrator of order 8 at a tolerance of 1e-13, with its own interpolation.
    """
    pieces, values = [lambda t: np.array([start])], np.full(len(times), start)
    for k in range(int(np.ceil(times[-1] / tau))):
        past = pieces[-1]

        def slope(t, x, past=past):
            before = past(t - tau)[0]
            return beta * before / (1 + before**power) - gamma * x

        begin = k * tau
        first = values[0] if k == 0 else pieces[-1](begin)[0]
        run = solve_ivp(
            slope,
            (begin, begin + tau),
            [first],
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
            dense_output=True,
            max_step=0.5,
        )
        pieces.append(run.sol)
        here = (times >= begin) & (times <= begin + tau)
        values[here] = run.sol(times[here])[0]
    return values


@pytest.mark.parametrize("tau", [17, 4, 30])
def test_an_independent_integration_agrees(tau):
    times = np.arange(101.0)
    exact = by_the_method_of_steps(times, tau)
    assert np.abs(mackey_glass(101, tau=tau, dt=0.05, washout=0) - exact).max() < 1e-7


def test_the_order_of_convergence_is_4():
    times = np.arange(61.0)
    exact = by_the_method_of_steps(times, 17)
    errors = [np.abs(mackey_glass(61, dt=dt, washout=0) - exact).max() for dt in (0.5, 0.25, 0.125)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (np.abs(orders - 4) < 0.3).all(), (orders, errors)


def test_other_parameters_agree_too():
    options = dict(start=0.5, beta=0.3, gamma=0.12, power=8)
    exact = by_the_method_of_steps(np.arange(51.0), 10, **options)
    assert np.abs(mackey_glass(51, tau=10, dt=0.05, washout=0, **options) - exact).max() < 1e-7


def test_the_fixed_point_stays():
    assert np.allclose(mackey_glass(500, start=1.0, washout=0), 1.0), "0.2 / 2 = 0.1"
    assert (mackey_glass(50, start=0.0) == 0).all()


def test_washout_and_every_choose_from_one_series():
    whole = mackey_glass(3000, every=0.1, washout=0)
    assert np.array_equal(mackey_glass(20, every=1.0, washout=100), whole[1000:1200:10])
    assert np.array_equal(mackey_glass(5, every=6.0, washout=0), whole[0:300:60])
    assert mackey_glass(1, washout=0).tolist() == [1.2]


def test_chaos_beyond_16_8_and_none_before():
    def spread(tau):
        a = mackey_glass(600, tau=tau, washout=2000)
        b = mackey_glass(600, tau=tau, washout=2000, start=1.2 + 1e-9)
        return np.abs(a - b).max()

    assert spread(8) < 1e-6 < 1e-4 < spread(30)
    x = mackey_glass(2000, washout=500)
    assert 0.2 < x.min() < 0.5 and 1.2 < x.max() < 1.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(steps=0), "steps must be a positive integer"),
        (dict(tau=0), "tau must be positive, got 0"),
        (dict(tau=-1), "tau must be positive"),
        (dict(tau=0.25), "tau must be a multiple of dt = 0.1, got 0.25"),
        (dict(tau=0.05), "tau must be a multiple of dt"),
        (dict(every=0.17), "every must be a multiple of dt"),
        (dict(washout=1.01), "washout must be a multiple of dt"),
        (dict(washout=-1), "washout must be at least 0"),
        (dict(start=-0.1), "start must be at least 0"),
        (dict(start=np.nan), "start must be at least 0"),
        (dict(dt=np.inf), "dt must be positive"),
        (dict(gamma=0), "gamma must be positive"),
    ],
)
def test_what_mackey_glass_refuses(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mackey_glass(**{"steps": 5, **options})


def test_henon_is_that_of_the_notebook():
    x = [0.1, 0.1]
    for _ in range(100 + 48):
        x.append(1 - 1.4 * x[-1] ** 2 + 0.3 * x[-2])
    assert henon(100).tolist() == x[50:]
    assert henon(2, washout=0).tolist() == [0.1, 0.1] and henon(1, washout=1).tolist() == [0.1]
    assert np.abs(henon(5000)).max() < 1.5


def test_what_henon_refuses():
    for bad in (-1, 0.5, True):
        with pytest.raises(ValueError, match="washout must be an integer of at least 0"):
            henon(5, washout=bad)
    with pytest.raises(ValueError, match="the map runs away with a = 3"):
        henon(50, a=3)
    with pytest.raises(ValueError, match="steps must be a positive integer"):
        henon(0)


def test_waves():
    t = np.arange(50)
    clean = np.sin(2 * np.pi * t / 25) + 0.5 * np.sin(2 * np.pi * t / 7.3)
    assert np.allclose(waves(50), clean, rtol=0, atol=1e-12)
    noisy = waves(20000, noise=0.3, rng=0)
    assert abs((noisy - waves(20000)).std() - 0.3) < 0.01
    assert np.array_equal(noisy, waves(20000, noise=0.3, rng=0))
    assert not np.array_equal(noisy, waves(20000, noise=0.3, rng=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(steps=0), "steps must be a positive integer"),
        (dict(periods=[3.0]), "must be as many, at least one, got (1,) and (2,)"),
        (dict(periods=[], amplitudes=[]), "at least one"),
        (dict(periods=[0, 1]), "periods must be positive"),
        (dict(noise=-1), "noise must be at least 0"),
    ],
)
def test_what_waves_refuse(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        waves(**{"steps": 5, **options})
