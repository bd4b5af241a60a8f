"""The Taylor slope: a gradient of any size judged by a dozen evaluations along one direction."""

from dataclasses import dataclass

import numpy as np

from lstm_lib.gradcheck.calls import Call, by_autograd, by_backward, like
from lstm_lib.validation import has_shape

_STEPS = np.logspace(-1, -8, 8)
_ROUNDING_STEPS = (1e-13, 1e-14, 1e-15)
_ABOVE_ROUNDING = 30
_NOISE_ALLOWED = 1e-9
_LAST_SLOPES = 3


@dataclass(frozen=True)
class TaylorReport:
    r"""How fast the error of the linear prediction falls, as :func:`taylor_slope` measured it.

    Printing it shows the slope and every residual.

    Attributes
    ----------
    steps : ndarray, shape (S,)
        The steps :math:`\varepsilon`, largest first.
    residuals : ndarray, shape (S,)
        :math:`|f(x + \varepsilon d) - f(x) - \varepsilon \nabla f \cdot d|`.
    floor : float
        Residuals below it are rounding and are not used.
    tolerance : float
        How far below 2 the slope may be.
    """

    steps: np.ndarray
    residuals: np.ndarray
    floor: float
    tolerance: float

    @property
    def used(self):
        """Which steps are used, all that are larger than the first whose residual is rounding."""
        return np.logical_and.accumulate(~(self.residuals <= self.floor))

    @property
    def slope(self):
        """Slope of the residuals in a log-log plot; infinite if all are rounding, NaN if one is not finite."""
        if not np.isfinite([self.floor, *self.residuals]).all():
            return np.nan
        steps, residuals = np.log(self.steps[self.used]), np.log(self.residuals[self.used])
        if len(steps) < 2:
            return np.inf
        return float(np.median((np.diff(residuals) / np.diff(steps))[-_LAST_SLOPES:]))

    @property
    def ok(self):
        """Whether the slope is 2 or more, within the tolerance."""
        return bool(self.slope >= 2 - self.tolerance)

    def raise_if_wrong(self):
        """Raise an AssertionError with the whole report unless the gradient is right."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self):
        says = "the gradient is right" if self.ok else "the gradient is WRONG (a right one has 2)"
        lines = [f"Taylor slope {self.slope:.2f}: {says}", "step     residual"]
        for step, residual, used in zip(self.steps, self.residuals, self.used, strict=True):
            lines.append(f"{step:.1e}  {residual:.1e}{'' if used else '  (rounding)'}")
        return "\n".join(lines)


def taylor_slope(f, gradient, point, direction=None, *, rng=0, steps=None, tolerance=0.15):
    r"""Judge a gradient by how fast its linear prediction becomes right.

    Along a direction d, with g the gradient to be judged,

    .. math::

        r(\varepsilon) = |f(x + \varepsilon d) - f(x) - \varepsilon\, g \cdot d|
        = \varepsilon\, |(\nabla f - g) \cdot d| + O(\varepsilon^2),

    so in a log-log plot the residual of the right gradient has slope 2 and that of a wrong one bends to
    slope 1. The cost does not depend on the number of entries. The slope is the median over the three smallest
    pairs of steps whose residuals stand above the rounding that three tiny steps measure.

    Parameters
    ----------
    f : callable
        Takes a dict of arrays and returns a scalar, in float64. Must be smooth and repeat itself.
    gradient : dict of str to array
        The claimed derivative of `f` at `point`.
    point : dict of str to array
        NumPy arrays or torch tensors in float64.
    direction : dict of str to array, optional
        d. By default normal random numbers, scaled to the norm of the point, so that a step of 0.1
        changes it by a tenth.
    rng : int or numpy.random.Generator
        Source of the direction.
    steps : sequence of float, optional
        Powers of ten from 0.1 to 1e-8 by default.
    tolerance : float
        How far below 2 the slope may be.

    Returns
    -------
    TaylorReport

    Raises
    ------
    ValueError
        If names or shapes differ, fewer than two steps are given or one is not positive, or `f` does not
        repeat itself to nine digits (random masks, float32).

    Examples
    --------
    >>> f = lambda a: (a["x"] ** 3).sum()
    >>> point = {"x": np.array([1.0, 2.0])}
    >>> print(f"{taylor_slope(f, {'x': 3 * point['x'] ** 2}, point).slope:.2f}")
    2.00
    >>> wrong = taylor_slope(f, {"x": np.array([3.0, -12.0])}, point)
    >>> print(f"{wrong.slope:.2f}", wrong.ok)
    1.00 False
    """
    steps = _checked_steps(steps)
    if direction is None:
        direction = _random_direction(point, np.random.default_rng(rng))
    for other, arrays in (("gradient", gradient), ("direction", direction)):
        _same_shapes(other, arrays, point)
    start = f(point)
    if str(getattr(start, "dtype", "")).endswith(("32", "16")):
        raise ValueError(f"f must compute in float64, it returns {start.dtype}")
    start = float(start)
    rise = sum(float((gradient[name] * direction[name]).sum()) for name in point)

    def residual(step):
        moved = {name: array + step * direction[name] for name, array in point.items()}
        return abs(float(f(moved)) - start - step * rise)

    residuals = np.array([residual(step) for step in steps])
    noise = max(residual(step) for step in _ROUNDING_STEPS)
    if noise > _NOISE_ALLOWED * max(1.0, abs(start), residuals[0] / steps[0]):
        raise ValueError(
            f"f changes by {noise:.1e} between points equal to rounding: it must draw no random numbers "
            "(use eval() or give the masks) and not round to float32 inside"
        )
    floor = _ABOVE_ROUNDING * max(noise, np.finfo(np.float64).eps * abs(start))
    return TaylorReport(steps, residuals, floor, tolerance)


def check_taylor(module, *inputs, rng=0, steps=None, tolerance=0.15, **options):
    """Check the gradients of a model of any size, of either engine, in a dozen evaluations.

    All outputs are weighted by random numbers and summed; :func:`taylor_slope` judges the derivative of that
    sum by all parameters and real inputs together, as ``backward`` of the NumPy engine or torch's autograd gives
    it. The model computes in float64 meanwhile and draws the same random masks every time; its weights,
    buffers and masks are left as they were, its gradients are forgotten.

    Parameters
    ----------
    module : lstm_lib.numpy.Module or torch.nn.Module
    *inputs : arrays, tensors or nested tuples of them
        What the module is called with; tensors for the torch engine.
    rng : int or numpy.random.Generator
        Source of the weights of the outputs and of the direction.
    steps, tolerance
        As in :func:`taylor_slope`.
    **options
        Further arguments of the call, such as ``lengths=``.

    Returns
    -------
    TaylorReport

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.SequenceModel(L.LSTM(8, 64, 2, batch_first=True, rng=0), L.Linear(64, 3, rng=0))
    >>> x = np.random.default_rng(0).normal(size=(4, 10, 8))
    >>> check_taylor(model, x).ok
    True

    The same model in the torch engine, differentiated by autograd:

    >>> import torch
    >>> from lstm_lib import torch as T
    >>> model = T.SequenceModel(T.LSTM(8, 64, 2, batch_first=True, rng=0), T.Linear(64, 3, rng=0))
    >>> print(f"{check_taylor(model, torch.tensor(x)).slope:.1f}")
    2.0
    """
    rng = np.random.default_rng(rng)
    call = Call(module, inputs, options)
    point = call.point()
    with call:
        projection, gradient = (by_autograd if call.is_torch else by_backward)(call, point, rng)
        return taylor_slope(
            lambda arrays: call.weighted_sum(arrays, projection),
            gradient,
            point,
            rng=rng,
            steps=steps,
            tolerance=tolerance,
        )


def _checked_steps(steps):
    steps = _STEPS if steps is None else np.sort(np.asarray(steps, np.float64).ravel())[::-1]
    if len(steps) < 2 or not (steps > 0).all():
        raise ValueError(f"steps must be at least two positive numbers, got {steps.tolist()}")
    return steps


def _same_shapes(name, arrays, point):
    if arrays.keys() != point.keys():
        raise ValueError(f"{name} has the names {sorted(arrays)}, the point {sorted(point)}")
    for key, array in arrays.items():
        has_shape(f"{name}[{key!r}]", array.shape, point[key].shape, "shape of the point")


def _random_direction(point, rng):
    direction = {
        name: like(array, rng.normal(size=tuple(array.shape))) for name, array in point.items()
    }
    ratio = (_norm(point) or 1.0) / _norm(direction)
    return {name: ratio * array for name, array in direction.items()}


def _norm(arrays):
    return float(np.sqrt(sum(float((array * array).sum()) for array in arrays.values())))
