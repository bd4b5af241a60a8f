"""The gradients of a module of the NumPy engine against numerical derivatives, entry by entry."""

import numpy as np

from lstm_lib.gradcheck.calls import Call, by_backward
from lstm_lib.gradcheck.derivatives import central_difference, complex_step
from lstm_lib.gradcheck.report import compare_gradients
from lstm_lib.validation import one_of, positive_int


def check_gradients(
    module,
    *inputs,
    method="complex",
    step=None,
    tolerance=None,
    rng=0,
    names=None,
    entries=None,
    **options,
):
    r"""Check the backward pass of a layer or model of the NumPy engine.

    All outputs are weighted by random numbers and summed,

    .. math::  f(\theta, x) = \sum_k \langle p_k, y_k(\theta, x) \rangle, \qquad p_k \sim N(0, 1),

    and the derivative of that sum by every parameter and every input is compared with what ``backward``
    says for :math:`\delta y_k = p_k`. Integer inputs (the tokens of an embedding) have no derivative and
    are passed as they are. A module in training mode draws the same random masks in every evaluation.
    Its weights and masks are left as they were, its gradients are forgotten.

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
        Source of the random weights, and of the sample of `entries`.
    names : sequence of str, optional
        Check these arrays alone: parameters by name, inputs as ``"input 0"``. All by default.
    entries : int, optional
        Look at no more than this many entries of each array, drawn without replacement; for large
        layers, whose every entry costs an evaluation. All by default.
    **options
        Further arguments of the call, such as ``lengths=`` or ``masks=``.

    Returns
    -------
    GradientReport

    Raises
    ------
    ValueError
        If `names` holds an unknown name, or `method` is unknown.
    TypeError
        If ``backward`` returns no derivative for a real input, or the module is not of this engine.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> lstm = L.LSTM(2, 3, dtype=np.float64, rng=0)
    >>> x = np.random.default_rng(1).normal(size=(4, 2, 2))
    >>> check_gradients(lstm, x).ok
    True

    A large layer, thirty entries of two of its arrays:

    >>> large = L.LSTM(20, 50, rng=0)
    >>> x = np.random.default_rng(1).normal(size=(4, 2, 20))
    >>> print(check_gradients(large, x, names=["weight_hh_l0", "input 0"], entries=30).ok)
    True
    """
    one_of("method", method, ("complex", "central"))
    rng = np.random.default_rng(rng)
    call = Call(module, inputs, options)
    if call.is_torch:
        raise TypeError(
            "check_gradients differentiates modules of the NumPy engine; use check_taylor for torch"
        )
    arrays = call.point()
    chosen = _chosen_names(names, arrays)
    with call:
        projection, claimed = by_backward(call, arrays, rng)

        def weighted_sum(point):
            return call.weighted_sum(arrays | point, projection)

        sample = {name: _sample(arrays[name].shape, entries, rng) for name in chosen}
        judge, size = (complex_step, 1e-30) if method == "complex" else (central_difference, 1e-5)
        wanted = {name: arrays[name] for name in chosen}
        measured = judge(weighted_sum, wanted, size if step is None else step, entries=sample)
    return compare_gradients(
        {name: _only(sample[name], claimed[name]) for name in chosen},
        measured,
        tolerance=tolerance or (1e-12 if method == "complex" else 1e-7),
        method="complex step" if method == "complex" else "central difference",
        **_rows_of(module),
    )


def _chosen_names(names, arrays):
    if names is None:
        return list(arrays)
    unknown = sorted(set(names) - arrays.keys())
    if unknown or not names:
        raise ValueError(f"names must be some of {sorted(arrays)}, got {list(names)}")
    return list(names)


def _sample(shape, entries, rng):
    """Index tuples of all entries, or of as many as are wanted, drawn without replacement."""
    size = int(np.prod(shape))
    if entries is None or positive_int("entries", entries) >= size:
        return list(np.ndindex(shape))
    flat = np.sort(rng.choice(size, entries, replace=False))
    return list(zip(*(axis.tolist() for axis in np.unravel_index(flat, shape)), strict=True))


def _only(indices, array):
    """`array` with zeros everywhere but at `indices`."""
    kept = np.zeros(np.shape(array))
    for index in indices:
        kept[index] = array[index]
    return kept


def _rows_of(module):
    """What names the rows of recurrent weights: the first recurrent layer's size and gates."""
    for owner in (module, *(child for _, child in module.named_children())):
        if hasattr(owner, "hidden_size"):
            gates = owner.layout.gates if hasattr(owner, "layout") else None
            return {"hidden_size": owner.hidden_size, "gates": gates}
    return {}
