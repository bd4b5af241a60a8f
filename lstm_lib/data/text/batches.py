"""Batches of sequences of integers: padded, sorted by length, or cut from one long stream."""

import numpy as np

from lstm_lib.validation import one_of, positive_int

IGNORE_INDEX = -100
"""The target that ``CrossEntropyLoss`` leaves out by default, in both engines and in torch."""


def pad_sequences(sequences, *, value=0, length=None, side="post", truncate="post"):
    """Make one array of sequences of different lengths.

    Parameters
    ----------
    sequences : sequence of array_like, each of shape (T_n,) or (T_n, F)
        At least one, none empty, all with the same features.
    value : number
        What fills the free places.
    length : int, optional
        Steps of the result, T; the longest sequence by default. Longer ones are cut.
    side : {"post", "pre"}
        Where the padding goes. Layers that take ``lengths=`` need it behind, ``"post"``.
    truncate : {"post", "pre"}
        Which end of a sequence that is too long is cut off.

    Returns
    -------
    padded : ndarray, shape (N, T) or (N, T, F)
        Of the sequences' own dtype.
    lengths : ndarray of int64, shape (N,)
        Steps of every sequence that are there.

    Raises
    ------
    ValueError
        If there is no sequence, one is empty, or shapes do not fit together; if `value`
        cannot be written in the dtype.

    Examples
    --------
    >>> padded, lengths = pad_sequences([[5, 6, 7], [8]], value=-1)
    >>> padded
    array([[ 5,  6,  7],
           [ 8, -1, -1]])
    >>> lengths
    array([3, 1])
    >>> pad_sequences([[5, 6, 7], [8]], length=2, side="pre", truncate="pre")[0]
    array([[6, 7],
           [0, 8]])
    """
    one_of("side", side, ("post", "pre"))
    one_of("truncate", truncate, ("post", "pre"))
    rows = [np.asarray(sequence) for sequence in sequences]
    if not rows:
        raise ValueError("sequences must hold at least one sequence, got none")
    for index, row in enumerate(rows):
        if row.ndim not in (1, 2) or row.size == 0:
            raise ValueError(
                f"sequences[{index}] must have shape (T,) or (T, F) and not be empty, "
                f"got {row.shape}"
            )
        if row.shape[1:] != rows[0].shape[1:]:
            raise ValueError(
                f"sequences[{index}] has features {row.shape[1:]}, sequences[0] has "
                f"{rows[0].shape[1:]}"
            )
    dtype = np.result_type(*{row.dtype for row in rows})
    if np.array(value).astype(dtype) != value:
        raise ValueError(f"value {value!r} cannot be written as {dtype}")
    full = max(map(len, rows))
    steps = full if length is None else positive_int("length", length)
    rows = [row[:steps] if truncate == "post" else row[-steps:] for row in rows]
    padded = np.full((len(rows), steps, *rows[0].shape[1:]), value, dtype)
    for target, row in zip(padded, rows, strict=True):
        target[slice(len(row)) if side == "post" else slice(steps - len(row), None)] = row
    return padded, np.array([len(row) for row in rows], dtype=np.int64)


def length_mask(lengths, steps=None):
    """Say which steps of a batch padded behind are there: True where t < length.

    Parameters
    ----------
    lengths : array_like of int, shape (N,)
    steps : int, optional
        T; the largest length by default.

    Returns
    -------
    ndarray of bool, shape (N, T)

    Raises
    ------
    TypeError
        If a length is not an integer.
    ValueError
        If there is no length, one is below 1, or one is above `steps`.

    Examples
    --------
    >>> length_mask([2, 1], steps=3).astype(int)
    array([[1, 1, 0],
           [1, 0, 0]])
    """
    lengths = _lengths(lengths)
    steps = int(lengths.max()) if steps is None else positive_int("steps", steps)
    if lengths.max() > steps:
        raise ValueError(f"lengths must be at most steps = {steps}, got {lengths.max()}")
    return np.arange(steps) < lengths[:, None]


def one_hot(ids, size, *, dtype=np.float32):
    r"""Write integers as unit vectors: component :math:`k` is 1, the others 0.

    Parameters
    ----------
    ids : array_like of int, shape (...)
        Numbers from 0 to ``size - 1``.
    size : int
    dtype : dtype

    Returns
    -------
    ndarray, shape (..., size)

    Raises
    ------
    TypeError
        If the numbers are not integers.
    ValueError
        If one is negative or not below `size`.

    Examples
    --------
    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    size = positive_int("size", size)
    ids = np.asarray(ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"ids must be integers, got dtype {ids.dtype}")
    if ids.size and not (0 <= ids.min() and ids.max() < size):
        raise ValueError(f"ids must lie between 0 and {size - 1}, got {ids.min()} to {ids.max()}")
    vectors = np.zeros((*ids.shape, size), dtype)
    np.put_along_axis(vectors, ids[..., None], 1, axis=-1)
    return vectors


def bucket_by_length(lengths, boundaries):
    """Sort sequences into buckets of similar length.

    Parameters
    ----------
    lengths : array_like of int, shape (N,)
    boundaries : sequence of int
        The largest length of every bucket, increasing; the last holds the longest sequence.

    Returns
    -------
    list of ndarray of int64
        For every boundary the indices of the sequences with at most that length and more
        than the boundary before, in their order. A bucket may be empty.

    Raises
    ------
    ValueError
        If the boundaries do not increase, or a sequence is longer than the last one.

    Examples
    --------
    >>> bucket_by_length([3, 9, 4, 1], boundaries=[4, 10])
    [array([0, 2, 3]), array([1])]
    """
    lengths = _lengths(lengths)
    edges = [positive_int("a boundary", edge) for edge in boundaries]
    if not edges or any(a >= b for a, b in zip(edges, edges[1:], strict=False)):
        raise ValueError(f"boundaries must be increasing integers, got {list(boundaries)!r}")
    if lengths.max() > edges[-1]:
        raise ValueError(
            f"a sequence of length {lengths.max()} fits in no bucket: the last boundary is "
            f"{edges[-1]}"
        )
    bucket = np.searchsorted(edges, lengths)
    return [np.flatnonzero(bucket == number) for number in range(len(edges))]


def batches_by_length(lengths, batch_size, *, seed=0, epoch=0, pool=None):
    """Yield batches of sequences of similar length, so that little is padded.

    The sequences are shuffled, sorted by length within each pool of ``pool`` batches,
    cut into batches, and the batches are shuffled. Every sequence is in exactly one batch.
    The order is a function of `seed` and `epoch` alone.

    Parameters
    ----------
    lengths : array_like of int, shape (N,)
    batch_size : int
        Sequences a batch. One batch, anywhere in the order, has the rest and may be smaller.
    seed, epoch : int
    pool : int, optional
        Batches that are sorted together. Few mix the lengths more and pad more; None
        (default) sorts everything and pads least.

    Yields
    ------
    ndarray of int64
        Indices of the sequences of one batch.

    Raises
    ------
    TypeError, ValueError
        For lengths that are not positive integers, and sizes that are not positive.

    Examples
    --------
    >>> lengths = np.arange(1, 101)
    >>> batches = list(batches_by_length(lengths, 10, seed=0, epoch=3))
    >>> sorted(int(i) for batch in batches for i in batch) == list(range(100))
    True
    >>> round(padding_share(lengths, batches), 3)
    0.082
    >>> unsorted = np.random.default_rng(0).permutation(100).reshape(10, 10)
    >>> round(padding_share(lengths, unsorted), 3)
    0.436
    """
    lengths = _lengths(lengths)
    batch_size = positive_int("batch_size", batch_size)
    together = len(lengths) if pool is None else positive_int("pool", pool) * batch_size
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), together):
        part = order[start : start + together]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[k : k + batch_size] for k in range(0, len(part), batch_size)]
    return (batches[k] for k in rng.permutation(len(batches)))


def padding_share(lengths, batches):
    r"""Return the share of places in padded batches that hold nothing.

    .. math::

        1 - \sum_n T_n \Big/ \sum_b |b| \max_{n \in b} T_n

    Parameters
    ----------
    lengths : array_like of int, shape (N,)
    batches : iterable of array_like of int
        Indices of the sequences of every batch.

    Returns
    -------
    float

    Examples
    --------
    >>> padding_share([1, 3, 4], [[0, 1], [2]])
    0.2
    """
    lengths = _lengths(lengths)
    parts = [lengths[np.asarray(batch)] for batch in batches]
    places = sum(part.size * int(part.max()) for part in parts)
    return (places - sum(int(part.sum()) for part in parts)) / places


def stream_batches(tokens, batch_size, steps):
    r"""Cut one long text into parallel streams, for truncated backpropagation through time.

    A text of :math:`N` tokens has :math:`N - 1` targets, each token but the first. They are
    dealt to :math:`B` streams of consecutive tokens, whose lengths differ by at most one.
    Chunk :math:`k` holds steps :math:`kS` to :math:`kS + S - 1` of every stream, so row
    :math:`b` of a chunk goes on where row :math:`b` of the chunk before ended, and the
    state may be carried (detached) from one to the next. Every target comes exactly once,
    with the token right before it as its input.

    Parameters
    ----------
    tokens : array_like of int, shape (N,)
        A text as numbers.
    batch_size : int
        Streams, B. At most ``N - 1``.
    steps : int
        Steps of a chunk, S.

    Yields
    ------
    x, y : ndarray of int64, shape (B, S)
        Inputs, and targets one token further. The last chunk is shorter where the streams
        do not divide by S. Streams that are one step shorter than the others have the
        target ``IGNORE_INDEX`` (-100), which the losses leave out, in the last step.

    Raises
    ------
    TypeError
        If the tokens are not integers.
    ValueError
        If they are not of shape (N,), or too few for the streams.

    Examples
    --------
    >>> for x, y in stream_batches(np.arange(10), batch_size=2, steps=3):
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [5, 6, 7]] [[1, 2, 3], [6, 7, 8]]
    [[3, 4], [8, 8]] [[4, 5], [9, -100]]
    """
    tokens = np.asarray(tokens)
    batch_size, steps = positive_int("batch_size", batch_size), positive_int("steps", steps)
    if tokens.ndim != 1:
        raise ValueError(f"tokens must have shape (N,), got {tokens.shape}")
    if tokens.size and tokens.dtype.kind not in "iu":
        raise TypeError(f"tokens must be integers, got dtype {tokens.dtype}")
    targets = len(tokens) - 1
    if targets < batch_size:
        raise ValueError(
            f"tokens must hold at least batch_size + 1 = {batch_size + 1} tokens, got {len(tokens)}"
        )
    sizes = np.full(batch_size, targets // batch_size)
    sizes[: targets % batch_size] += 1
    starts = np.cumsum(sizes) - sizes
    step = np.arange(sizes[0])
    there = step < sizes[:, None]
    index = starts[:, None] + np.minimum(step, sizes[:, None] - 1)
    x = tokens[index].astype(np.int64)
    y = np.where(there, tokens[index + 1], IGNORE_INDEX).astype(np.int64)
    return ((x[:, k : k + steps], y[:, k : k + steps]) for k in range(0, x.shape[1], steps))


def _lengths(lengths):
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or lengths.size == 0:
        raise ValueError(f"lengths must have shape (N,) and not be empty, got {lengths.shape}")
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths must be integers, got dtype {lengths.dtype}")
    if lengths.min() < 1:
        raise ValueError(
            f"lengths must be at least 1, got {lengths.min()} at index {lengths.argmin()}"
        )
    return lengths
