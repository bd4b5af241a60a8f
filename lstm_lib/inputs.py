"""Models with one input or several: a tuple of arrays goes wherever an array goes.

A model with several inputs, such as an encoder-decoder with its source and its target, gets a tuple
with one array for each, and of lengths the array of its first input or a tuple with one for each
(None where all steps are valid).
"""


def several(x):
    """Return whether x is a tuple of arrays or Nones, not an array or a tuple of numbers.

    Parameters
    ----------
    x : object

    Returns
    -------
    bool

    Examples
    --------
    >>> several(([1, 2], None)), several([1, 2]), several((1, 2))
    (True, False, False)
    """
    return isinstance(x, tuple) and all(part is None or hasattr(part, "__len__") for part in x)


def count(x):
    """Return the number of sequences in an array, or in every array of a tuple.

    Parameters
    ----------
    x : array or tuple of arrays

    Returns
    -------
    int

    Examples
    --------
    >>> count(([1, 2, 3], [4, 5, 6])), count([1, 2])
    (3, 2)
    """
    return len(x[0]) if several(x) else len(x)


def take(x, pick):
    """Return the sequences that an index or slice picks, of an array or of every array of a tuple.

    None stays None.

    Parameters
    ----------
    x : array, None, or a tuple of them
    pick : slice or array of int

    Returns
    -------
    of the kind of `x`

    Examples
    --------
    >>> take(([1, 2, 3], None), slice(1, 3))
    ([2, 3], None)
    """
    if several(x):
        return tuple(take(part, pick) for part in x)
    return None if x is None else x[pick]


def call(model, x, lengths=None):
    """Return ``model(x)`` or ``model(*x)``, with the lengths if there are any.

    Parameters
    ----------
    model : callable
    x : array or tuple of arrays
    lengths : array or tuple of arrays, optional

    Returns
    -------
    object
        What the model returns.

    Examples
    --------
    >>> call(lambda source, target: source + target, ([2], [3]))
    [2, 3]
    """
    if not several(x):
        return model(x) if lengths is None else model(x, lengths=lengths)
    if lengths is None:
        return model(*x)
    return model(*x, *(lengths if several(lengths) else (lengths,)))


def arrays_of(x):
    """Yield the arrays of nested tuples in order, without None.

    Parameters
    ----------
    x : array, None, or nested tuples of them

    Yields
    ------
    array

    Examples
    --------
    >>> list(arrays_of(([1], ([2], None), [3, 4])))
    [[1], [2], [3, 4]]
    """
    if several(x):
        for part in x:
            yield from arrays_of(part)
    elif x is not None:
        yield x
