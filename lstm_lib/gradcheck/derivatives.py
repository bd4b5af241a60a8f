"""Numerical derivatives of functions of arrays, and how their error depends on the step."""

from dataclasses import dataclass

import numpy as np

from lstm_lib.validation import one_of


def complex_step(f, arrays, step=1e-30, *, entries=None):
    r"""Derivative of a real function of arrays by a step along the imaginary axis.

    .. math::  \frac{\partial f}{\partial x_k} = \frac{\operatorname{Im} f(x + i \varepsilon e_k)}{\varepsilon}

    Parameters
    ----------
    f : callable
        Takes a dict of arrays and returns a scalar. Must be analytic code: no ``abs``, no
        comparison of values, no conversion to float.
    arrays : dict of str to ndarray
        Where to differentiate.
    step : float
        :math:`\varepsilon`. No subtraction takes place, so it may be as small as 1e-30.
    entries : dict of str to list of index tuples, optional
        The entries to differentiate by, for some of the arrays; the rest stays 0. All by default.

    Returns
    -------
    dict of str to ndarray
        The derivative by every array, in float64.

    Raises
    ------
    TypeError
        If `f` returns a real number: the imaginary part was lost on the way.

    References
    ----------
    W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions,
    SIAM Review 40(1), 1998.

    Examples
    --------
    >>> complex_step(lambda a: (a["x"] ** 3).sum(), {"x": np.array([2.0])})
    {'x': array([12.])}
    """

    def slope(evaluate):
        value = evaluate(1j * step)
        if not np.iscomplexobj(value):
            raise TypeError(
                "f returned a real number, so its imaginary part was dropped on the way"
            )
        return np.imag(value) / step

    return _differentiate(f, arrays, np.complex128, slope, entries)


def central_difference(f, arrays, step=1e-5, *, entries=None):
    r"""Derivative of a function of arrays by central differences.

    .. math::

        \frac{\partial f}{\partial x_k} =
        \frac{f(x + \varepsilon e_k) - f(x - \varepsilon e_k)}{2 \varepsilon} + O(\varepsilon^2)

    Parameters
    ----------
    f : callable
        Takes a dict of arrays and returns a scalar.
    arrays : dict of str to ndarray
    step : float
        :math:`\varepsilon`. Rounding spoils smaller steps, truncation larger ones; about the cube root
        of the rounding unit is best.
    entries : dict of str to list of index tuples, optional
        As in :func:`complex_step`.

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> slope = central_difference(lambda a: (a["x"] ** 3).sum(), {"x": np.array([2.0])})
    >>> print(f"{slope['x'][0]:.6f}")
    12.000000
    """

    def slope(evaluate):
        return (float(evaluate(step)) - float(evaluate(-step))) / (2 * step)

    return _differentiate(f, arrays, np.float64, slope, entries)


def forward_difference(f, arrays, step=1e-8, *, entries=None):
    r"""Derivative of a function of arrays by one-sided differences: half the work, a third of the digits.

    .. math::

        \frac{\partial f}{\partial x_k} =
        \frac{f(x + \varepsilon e_k) - f(x)}{\varepsilon} + O(\varepsilon)

    Parameters
    ----------
    f, arrays, entries
        As in :func:`central_difference`.
    step : float
        :math:`\varepsilon`. About the square root of the rounding unit is best.

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> slope = forward_difference(lambda a: (a["x"] ** 3).sum(), {"x": np.array([2.0])})
    >>> print(f"{slope['x'][0]:.4f}")
    12.0000
    """

    def slope(evaluate):
        return (float(evaluate(step)) - float(evaluate(0.0))) / step

    return _differentiate(f, arrays, np.float64, slope, entries)


def _differentiate(f, arrays, dtype, slope, entries):
    """Apply `slope` to f as a function of the change of one entry, entry after entry."""
    point = {name: np.array(array, dtype) for name, array in arrays.items()}
    gradients = {}
    for name, array in point.items():
        gradients[name] = np.zeros(array.shape)
        everywhere = np.ndindex(array.shape)
        for index in everywhere if entries is None else entries.get(name, everywhere):
            gradients[name][index] = _slope_at(f, point, array, index, slope)
    return gradients


def _slope_at(f, point, array, index, slope):
    kept = array[index]

    def evaluate(change):
        array[index] = kept + change
        return f(point)

    try:
        return slope(evaluate)
    finally:
        array[index] = kept


_METHODS = {
    "forward": forward_difference,
    "central": central_difference,
    "complex": complex_step,
}


@dataclass(frozen=True)
class StepSweep:
    """The error of numerical derivatives for every size of the step, as :func:`step_sweep` measured it.

    Printing it shows a table; the best step of every method is marked.

    Attributes
    ----------
    steps : ndarray, shape (S,)
        The steps, largest first.
    errors : dict of str to ndarray, shape (S,)
        For every method, the largest difference to the true derivative, relative to the largest
        entry of the true derivative.
    """

    steps: np.ndarray
    errors: dict

    def best_step(self, method):
        """The step with the smallest error of `method`; the largest such step of several."""
        return float(self.steps[self._best(method)])

    def best_error(self, method):
        """The smallest error that `method` reached."""
        return float(self.errors[method][self._best(method)])

    def _best(self, method):
        return int(np.nanargmin(self.errors[one_of("method", method, tuple(self.errors))]))

    def __str__(self):
        best = {method: self._best(method) for method in self.errors}
        lines = ["step    " + "".join(f"  {method:<9}" for method in self.errors)]
        for row, step in enumerate(self.steps):
            cells = (
                f"  {errors[row]:.1e}{' *' if best[method] == row else '  '}"
                for method, errors in self.errors.items()
            )
            lines.append(f"{step:.1e} " + "".join(cells))
        return "\n".join(line.rstrip() for line in lines)


def step_sweep(
    f, arrays, steps=None, *, methods=("forward", "central", "complex"), exact=None, entries=None
):
    r"""Measure how the error of a numerical derivative depends on its step: the valley.

    A large step suffers from truncation, a small one from rounding, with u the rounding unit:

    .. math::

        e_{\text{forward}} \sim \varepsilon + \frac{u}{\varepsilon}, \qquad
        e_{\text{central}} \sim \varepsilon^2 + \frac{u}{\varepsilon}, \qquad
        e_{\text{complex}} \sim \varepsilon^2

    so the best steps are about :math:`u^{1/2} \approx 10^{-8}` and :math:`u^{1/3} \approx 10^{-5}`, and
    the complex step, which subtracts nothing, has no best one.

    Parameters
    ----------
    f : callable
        Takes a dict of arrays and returns a scalar.
    arrays : dict of str to ndarray
    steps : sequence of float, optional
        Powers of ten from 0.1 to 1e-12 by default.
    methods : sequence of {"forward", "central", "complex"}
    exact : dict of str to ndarray, optional
        The true derivative; the complex step of 1e-30 by default, which needs analytic code.
    entries : dict of str to list of index tuples, optional
        As in :func:`complex_step`.

    Returns
    -------
    StepSweep

    Raises
    ------
    ValueError
        For an unknown method, no method, no step, or a step that is not positive.

    References
    ----------
    W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions,
    SIAM Review 40(1), 1998.

    Examples
    --------
    >>> sweep = step_sweep(lambda a: np.exp(a["x"]).sum(), {"x": np.array([0.5])},
    ...                    steps=[1e-2, 1e-5, 1e-8, 1e-11])
    >>> sweep.best_step("forward"), sweep.best_step("central")
    (1e-08, 1e-05)
    >>> sweep.best_error("complex") < 1e-15 < sweep.best_error("central") < 1e-9
    True
    """
    steps = np.logspace(-1, -12, 12) if steps is None else np.asarray(steps, np.float64)
    if steps.ndim != 1 or not steps.size or not (steps > 0).all():
        raise ValueError(f"steps must be positive numbers, at least one, got {steps.tolist()}")
    if not methods:
        raise ValueError("methods must name at least one of 'forward', 'central', 'complex'")
    for method in methods:
        one_of("method", method, tuple(_METHODS))
    if exact is None:
        exact = complex_step(f, arrays, entries=entries)
    steps = np.sort(steps)[::-1]
    errors = {
        method: np.array(
            [_error(_METHODS[method](f, arrays, step, entries=entries), exact) for step in steps]
        )
        for method in methods
    }
    return StepSweep(steps, errors)


def _error(measured, exact):
    scale = max(np.abs(array).max() for array in exact.values())
    worst = max(np.abs(measured[name] - exact[name]).max() for name in exact)
    return float(worst / max(scale, np.finfo(np.float64).tiny))
