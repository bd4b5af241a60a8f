r"""Are the gradients right? Numerical derivatives and a report that says where they are not.

Two independent judges of a hand-written backward pass:

* the **complex step**, :math:`f'(x) = \operatorname{Im} f(x + i\varepsilon) / \varepsilon`, which
  subtracts nothing and so is exact to rounding for any tiny :math:`\varepsilon`;
* the **central difference**, :math:`f'(x) \approx (f(x + \varepsilon) - f(x - \varepsilon)) / 2\varepsilon`,
  which works on any code, at about half the digits.

:func:`check_gradients` applies either to a layer of the NumPy engine and names the parameter, the
gate and the unit that is wrong.
"""

from dataclasses import dataclass, field

import numpy as np

from lstm_lib.parameters import row_name
from lstm_lib.validation import one_of


def complex_step(f, arrays, step=1e-30):
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
    point = {name: np.asarray(array, np.complex128).copy() for name, array in arrays.items()}
    gradients = {}
    for name, array in point.items():
        gradient = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + 1j * step
            value = f(point)
            array[index] = kept
            if not np.iscomplexobj(value):
                raise TypeError(
                    "f returned a real number, so its imaginary part was dropped on the way"
                )
            gradient[index] = np.imag(value) / step
        gradients[name] = gradient
    return gradients


def central_difference(f, arrays, step=1e-5):
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

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> slope = central_difference(lambda a: (a["x"] ** 3).sum(), {"x": np.array([2.0])})
    >>> print(f"{slope['x'][0]:.6f}")
    12.000000
    """
    point = {name: np.asarray(array, np.float64).copy() for name, array in arrays.items()}
    gradients = {}
    for name, array in point.items():
        gradient = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = float(f(point))
            array[index] = kept - step
            below = float(f(point))
            array[index] = kept
            gradient[index] = (above - below) / (2 * step)
        gradients[name] = gradient
    return gradients


@dataclass
class GradientError:
    """How far one array of gradients is from its judge.

    Attributes
    ----------
    name : str
        The parameter, input or state.
    error : float
        Largest difference, relative to the largest entry of either array.
    index : tuple of int
        Where the largest difference is.
    claimed, measured : float
        The two values there.
    where : str
        The index in words: row, column, gate and unit.
    """

    name: str
    error: float
    index: tuple
    claimed: float
    measured: float
    where: str


@dataclass
class GradientReport:
    """The result of a comparison: one :class:`GradientError` an array.

    Printing it shows every array that misses the tolerance, and where.
    """

    method: str
    tolerance: float
    errors: list = field(default_factory=list)

    @property
    def worst(self):
        """The largest error of all arrays."""
        return max(entry.error for entry in self.errors)

    @property
    def failures(self):
        """The arrays that miss the tolerance, worst first."""
        wrong = [entry for entry in self.errors if not entry.error <= self.tolerance]
        return sorted(wrong, key=lambda entry: -entry.error)

    @property
    def ok(self):
        """Whether every array is within the tolerance."""
        return not self.failures

    def raise_if_wrong(self):
        """Raise an AssertionError with the whole report unless all is right."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self):
        wrong = self.failures
        head = f"gradient check by {self.method}, tolerance {self.tolerance:.0e}: "
        if not wrong:
            return head + f"all {len(self.errors)} arrays agree, worst error {self.worst:.1e}"
        lines = [head + f"{len(wrong)} of {len(self.errors)} arrays are wrong"]
        for entry in wrong:
            lines.append(
                f"  {entry.name}: error {entry.error:.1e} at {entry.where}; "
                f"backward says {entry.claimed:+.6g}, {self.method} {entry.measured:+.6g}"
            )
        return "\n".join(lines)


def compare_gradients(
    claimed, measured, *, tolerance, method="numerical derivative", hidden_size=None
):
    """Compare two dicts of gradients, array by array.

    Parameters
    ----------
    claimed, measured : dict of str to ndarray
        The gradients to judge, and the judge's. Same names and shapes.
    tolerance : float
        Largest error allowed, relative to the largest entry of the array.
    method : str
        Name of the judge, for the report.
    hidden_size : int, optional
        If given, rows of recurrent weights are named by gate and unit.

    Returns
    -------
    GradientReport

    Raises
    ------
    ValueError
        If names or shapes differ.

    Examples
    --------
    >>> right = {"bias_ih_l0": np.arange(8.0)}
    >>> wrong = {"bias_ih_l0": np.array([0.0, 1, 2, 3, 4, -5, 6, 7])}
    >>> print(compare_gradients(wrong, right, tolerance=1e-12, hidden_size=2))
    gradient check by numerical derivative, tolerance 1e-12: 1 of 1 arrays are wrong
      bias_ih_l0: error 1.4e+00 at [5], gate g, unit 1; backward says -5, numerical derivative +5
    """
    if claimed.keys() != measured.keys():
        raise ValueError(f"names differ: {sorted(claimed)} and {sorted(measured)}")
    report = GradientReport(method, tolerance)
    for name in claimed:
        a, n = np.asarray(claimed[name]), np.asarray(measured[name])
        if a.shape != n.shape:
            raise ValueError(f"{name}: shapes {a.shape} and {n.shape} differ")
        difference = np.abs(a - n)
        difference = np.where(np.isnan(difference), np.inf, difference)
        index = np.unravel_index(np.argmax(difference), a.shape)
        scale = max(np.abs(a).max(), np.abs(n).max(), np.finfo(np.float64).tiny)
        error = float(difference[index] / scale) if difference[index] else 0.0
        index = tuple(int(k) for k in index)
        where = _in_words(name, index, a.shape, hidden_size)
        report.errors.append(
            GradientError(name, error, index, float(a[index]), float(n[index]), where)
        )
    return report


def _in_words(name, index, shape, hidden_size):
    words = "[" + ", ".join(map(str, index)) + "]"
    is_gated = name.rpartition(".")[2].startswith(("weight_", "bias_"))
    if hidden_size and is_gated and shape[0] % hidden_size == 0:
        words += f", {row_name(index[0], hidden_size, shape[0] // hidden_size)}"
    return words


def check_gradients(module, *inputs, method="complex", step=None, tolerance=None, rng=0, **options):
    """Check the backward pass of a layer or model of the NumPy engine.

    All outputs are weighted by random numbers and summed; the derivative of that sum by every
    parameter and every input is compared with what ``backward`` says. The module's weights are left
    as they were, its gradients are overwritten.

    Parameters
    ----------
    module : lstm_lib.numpy.Module
    *inputs : arrays or nested tuples of arrays
        What the module is called with, such as ``x, (h_0, c_0)``.
    method : {"complex", "central"}
    step : float, optional
        Size of the step; 1e-30 and 1e-5 by default.
    tolerance : float, optional
        1e-12 and 1e-7 by default.
    rng : int or numpy.random.Generator
        Source of the random weights.
    **options
        Further arguments of the call, such as ``lengths=``.

    Returns
    -------
    GradientReport

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> lstm = L.LSTM(2, 3, dtype=np.float64, rng=0)
    >>> x = np.random.default_rng(1).normal(size=(4, 2, 2))
    >>> check_gradients(lstm, x).ok
    True
    """
    one_of("method", method, ("complex", "central"))
    rng = np.random.default_rng(rng)
    parameters = dict(module.named_parameters())
    kept = {name: parameter.data for name, parameter in parameters.items()}
    arrays = {name: data.astype(np.float64) for name, data in kept.items()}
    leaves = _leaves(inputs)
    arrays.update({f"input {k}": np.asarray(leaf, np.float64) for k, leaf in enumerate(leaves)})
    projection = None

    def run(point):
        for name, parameter in parameters.items():
            parameter.data = point[name]
        x = _rebuild(inputs, iter([point[f"input {k}"] for k in range(len(leaves))]))
        return module(*x, **options)

    def weighted_sum(point):
        return sum((p * y).sum() for p, y in zip(projection, _leaves(run(point)), strict=True))

    try:
        output = run(arrays)
        projection = [rng.normal(size=np.shape(leaf)) for leaf in _leaves(output)]
        module.zero_grad()
        output = run(arrays)
        d_output = _rebuild(output, iter(projection))
        d_inputs = (
            module.backward(*d_output) if isinstance(output, tuple) else module.backward(d_output)
        )
        claimed = {name: parameter.grad for name, parameter in parameters.items()}
        claimed.update(
            {f"input {k}": leaf for k, leaf in enumerate(_leaves(d_inputs)[: len(leaves)])}
        )
        if method == "complex":
            measured = complex_step(weighted_sum, arrays, step or 1e-30)
        else:
            measured = central_difference(weighted_sum, arrays, step or 1e-5)
    finally:
        for name, parameter in parameters.items():
            parameter.data = kept[name]
    return compare_gradients(
        claimed,
        measured,
        tolerance=tolerance or (1e-12 if method == "complex" else 1e-7),
        method="complex step" if method == "complex" else "central difference",
        hidden_size=_hidden_size(module),
    )


def _hidden_size(module):
    for owner in (module, *(child for _, child in module.named_children())):
        if hasattr(owner, "hidden_size"):
            return owner.hidden_size
    return None


def _leaves(nested):
    """The arrays of nested tuples, in order."""
    if isinstance(nested, (tuple, list)):
        return [leaf for part in nested for leaf in _leaves(part)]
    return [nested]


def _rebuild(nested, leaves):
    """The same nested tuples with other arrays, taken in order from the iterator `leaves`."""
    if isinstance(nested, (tuple, list)):
        return tuple(_rebuild(part, leaves) for part in nested)
    return next(leaves)
