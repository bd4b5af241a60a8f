"""Series to forecast that come from equations: Mackey-Glass, the Henon map, and waves."""

import numpy as np

from lstm_lib.validation import positive_int


def mackey_glass(
    steps, *, tau=17.0, dt=0.1, every=1.0, washout=100.0, start=1.2, beta=0.2, gamma=0.1, power=10
):
    r"""The Mackey-Glass series, by Runge-Kutta of order 4 with interpolated delay.

    .. math::

        \dot x(t) = \frac{\beta\, x(t - \tau)}{1 + x(t - \tau)^p} - \gamma\, x(t),
        \qquad x(t) = x_0 \text{ for } t \le 0.

    The delayed value at the middle of a step is that of the cubic through the values and
    slopes at both ends of the old step, so that the whole method is of order 4. `tau` is a
    whole number of steps: the corners that the constant past leaves in the solution's
    derivatives at 0, :math:`\tau`, :math:`2\tau` ... then fall between steps.

    Parameters
    ----------
    steps : int
        Number of values to return.
    tau : float
        Delay. The series is periodic for small ones and chaotic from about 16.8 on; 17 and
        30 are customary.
    dt : float
        Step of the integration; `tau`, `every` and `washout` have to be multiples of it.
    every : float
        Time between two returned values.
    washout : float
        Time that passes before the first of them.
    start : float
        The constant past :math:`x_0`, at least 0.
    beta, gamma, power : float
        Production, decay, and how steeply production falls.

    Returns
    -------
    ndarray of float64, shape (steps,)

    Raises
    ------
    ValueError
        If a time is no multiple of `dt`, a parameter is not positive, or `start` negative.

    Notes
    -----
    The task of the literature is to say a later value, such as :math:`x(t + 84)`, from
    :math:`x(t), x(t-6), x(t-12), x(t-18)`. Gers, Eck and Schmidhuber found a window MLP
    better at it than an LSTM. Chaos makes distant values depend on every rounding, so two
    programs agree for some hundred time units, not for ever.

    References
    ----------
    M. C. Mackey and L. Glass, "Oscillation and chaos in physiological control systems",
    Science 197 (1977); F. A. Gers, D. Eck and J. Schmidhuber, "Applying LSTM to time series
    predictable through time-window approaches", ICANN 2001.

    Examples
    --------
    >>> mackey_glass(5, washout=0).round(4)
    array([1.2   , 1.1176, 1.043 , 0.9755, 0.9144])
    """
    steps = positive_int("steps", steps)
    positive = dict(tau=tau, dt=dt, every=every, beta=beta, gamma=gamma, power=power)
    for name, value in positive.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive, got {value}")
    for name, value in (("washout", washout), ("start", start)):
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be at least 0, got {value}")
    delay, stride, first = (
        _multiple(name, value, dt)
        for name, value in (("tau", tau), ("every", every), ("washout", washout))
    )
    count = first + (steps - 1) * stride
    x = _integrate(count, delay, float(dt), float(start), beta, gamma, power)
    return x[first::stride]


def _integrate(count, delay, dt, start, beta, gamma, power):
    def slope(now, before):
        return beta * before / (1 + before**power) - gamma * now

    past = [start] * (delay + 1)  # the values at -delay, ..., 0
    slopes = [0.0] * delay + [slope(start, start)]  # from the right of each
    for step in range(count):
        now, old, new = past[-1], past[step], past[step + 1]
        # at the left of 0 the past is still constant
        slope_of_new = 0.0 if step + 1 == delay else slopes[step + 1]
        middle = (old + new) / 2 + dt / 8 * (slopes[step] - slope_of_new)
        k1 = slope(now, old)
        k2 = slope(now + dt / 2 * k1, middle)
        k3 = slope(now + dt / 2 * k2, middle)
        k4 = slope(now + dt * k3, new)
        past.append(now + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        slopes.append(slope(past[-1], new))
    return np.array(past[delay:])


def henon(steps, *, a=1.4, b=0.3, start=(0.1, 0.1), washout=50):
    r"""The Henon map as a series of one variable: chaos from two values and a square.

    .. math:: x_t = 1 - a\, x_{t-1}^2 + b\, x_{t-2}

    Parameters
    ----------
    steps : int
        Number of values to return.
    a, b : float
    start : (float, float)
        The first two values.
    washout : int
        How many values, these two included, are left out.

    Returns
    -------
    ndarray of float64, shape (steps,)

    Raises
    ------
    ValueError
        If the series leaves all bounds, as it does for many other parameters.

    References
    ----------
    M. Hénon, "A two-dimensional mapping with a strange attractor", Communications in
    Mathematical Physics 50 (1976).

    Examples
    --------
    >>> x = henon(1000)
    >>> bool(np.allclose(x[2:], 1 - 1.4 * x[1:-1] ** 2 + 0.3 * x[:-2]))
    True
    """
    steps = positive_int("steps", steps)
    if isinstance(washout, bool) or washout != int(washout) or washout < 0:
        raise ValueError(f"washout must be an integer of at least 0, got {washout!r}")
    before, now = map(float, start)
    x = [before, now]
    while len(x) < steps + washout:
        before, now = now, 1 - a * now**2 + b * before
        if not abs(now) < 1e6:
            raise ValueError(f"the map runs away with a = {a}, b = {b}, start = {tuple(start)}")
        x.append(now)
    return np.array(x[int(washout) : int(washout) + steps])


def waves(steps, periods=(25.0, 7.3), amplitudes=(1.0, 0.5), *, noise=0.0, rng=None):
    r"""A sum of sine waves with noise, whose variance nobody can forecast.

    .. math:: x_t = \sum_k a_k \sin(2 \pi t / p_k) + \epsilon_t, \qquad
        \epsilon_t \sim N(0, \texttt{noise}^2)

    Parameters
    ----------
    steps : int
        Number of values to return.
    periods, amplitudes : sequence of float
        One of each for every wave.
    noise : float
        Standard deviation of the noise: the least root mean squared error of a forecast.
    rng : int or numpy.random.Generator, optional

    Returns
    -------
    ndarray of float64, shape (steps,)

    Raises
    ------
    ValueError, TypeError
        If periods and amplitudes are not as many, a period is not positive, or the noise negative.

    Examples
    --------
    >>> waves(4, periods=[4], amplitudes=[2]).round(6)
    array([ 0.,  2.,  0., -2.])
    """
    steps = positive_int("steps", steps)
    periods, amplitudes = np.atleast_1d(periods), np.atleast_1d(amplitudes)
    if periods.shape != amplitudes.shape or periods.ndim != 1 or periods.size == 0:
        raise ValueError(
            f"periods and amplitudes must be as many, at least one, got {periods.shape} "
            f"and {amplitudes.shape}"
        )
    if not (np.isfinite(periods).all() and (periods > 0).all()):
        raise ValueError(f"periods must be positive, got {periods.tolist()}")
    if not (np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise must be at least 0, got {noise}")
    t = np.arange(steps)
    clean = np.sin(2 * np.pi * t[:, None] / periods) @ amplitudes
    return clean + np.random.default_rng(rng).normal(scale=noise, size=steps)


def _multiple(name, time, dt):
    """How many steps of `dt` make up `time`, or an error."""
    count = round(time / dt)
    if not np.isclose(count * dt, time, rtol=1e-9, atol=0) or (count < 1 and time > 0):
        raise ValueError(f"{name} must be a multiple of dt = {dt}, got {time}")
    return count
