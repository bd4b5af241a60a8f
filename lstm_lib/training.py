"""``fit()``: one training loop for both engines.

Mini-batches, clipping, validation, early stopping that keeps the best weights, and checkpoints
from which an interrupted run goes on to the very result of an uninterrupted one. The order of the
data and the masks of dropout in epoch k are functions of ``(seed, k)`` alone, so there is no random state to save.
"""

import numpy as np

from lstm_lib import distributed, engine, inputs
from lstm_lib.averages import LossAverage, counting_mask
from lstm_lib.data.text import batches_by_length
from lstm_lib.runs import Run, fingerprint
from lstm_lib.validation import one_of, positive_int

__all__ = ["evaluate", "fit"]


def fit(
    model,
    train,
    *,
    valid=None,
    loss="mse",
    optimizer="adam",
    lr=1e-3,
    epochs=10,
    batch_size=32,
    clip_norm=1.0,
    schedule=None,
    patience=None,
    checkpoint=None,
    seed=0,
    pool=None,
    progress=True,
    callback=None,
):
    """Train a model of either engine.

    Inside :func:`lstm_lib.distributed.workers` several processes train one model: each gets these same
    arguments and takes its part of every batch, with the result that one process would have. Only masks
    of dropout differ, as each worker draws its own.

    Parameters
    ----------
    model : module of lstm_lib.numpy or lstm_lib.torch
    train : tuple or callable
        ``(X, y)`` or ``(X, y, lengths)``: NumPy arrays with one sequence an entry of their first axis.
        With lengths, answers past the end of a sequence do not count. For a model with several inputs,
        such as an encoder-decoder, X is a tuple of arrays, and lengths the lengths of the first or
        a tuple with one entry for each. Or a function of the number of the epoch that returns such a
        tuple: fresh data for each, or harder ones, as in a curriculum.
    valid : tuple, optional
        Validation data of the same form. With it, the weights of the epoch with the lowest
        validation loss are in the model at the end.
    loss : {"mse", "mae", "huber", "cross_entropy", "binary_cross_entropy"} or callable
        A loss by name, or a loss object of the model's engine. Another function is taken for a mean over
        sequences; several workers, who weigh their parts, want it to say so: an attribute ``reduction``
        that is "mean" or "sum".
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or optimizer
        By name, built with `lr`; or an optimizer of the model's engine over the model's parameters.
    lr : float
        Learning rate of an optimizer given by name.
    epochs : int
        Passes over the training data.
    batch_size : int
        Sequences a step, over all workers.
    clip_norm : float or None
        Largest norm of the gradient of a step; None switches clipping off.
    schedule : callable, optional
        Called with the optimizer, returns a schedule of the model's engine, which is stepped after every
        epoch: ``lambda optimizer: L.StepLR(optimizer, step_size=10)``. One that watches a loss
        (``ReduceLROnPlateau``) watches the validation loss, or the training loss without validation.
    patience : int, optional
        Stop after so many epochs without a lower validation loss. Needs `valid`.
    checkpoint : str or Path, optional
        A file written after every epoch. If it exists, the run goes on from there; a checkpoint of a
        finished run returns at once. Of several workers the first writes and reads it, and the others,
        which wait for that, have to be given one, too.
    seed : int
        Decides the order of the training data.
    pool : int, optional
        With lengths: put sequences of similar length together, as
        :func:`lstm_lib.data.text.batches_by_length` does with pools of so many batches, and cut every
        batch to its longest. The sums are over the same steps, and next to nothing is padding. Of
        several inputs each needs its lengths; what is similar then is their sum.
    progress : bool
        Show a progress bar, unless the environment sets ``TQDM_DISABLE``.
    callback : callable, optional
        Called as ``callback(epoch, history)`` after every epoch and its checkpoint, by every worker.

    Returns
    -------
    lstm_lib.runs.History

    Raises
    ------
    ValueError
        For data that is empty, of different lengths or not finite; for an unknown option; for a
        checkpoint that is corrupt, of another model or of a run with other settings; for workers
        that cannot share the batch or were given different things.
    FloatingPointError
        If a loss or the gradient stops being finite.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(64, 5, 1)); y = X[:, -1]
    >>> model = L.SequenceModel(L.LSTM(1, 8, batch_first=True, rng=0), L.Linear(8, 1, rng=0))
    >>> history = fit(model, (X, y), lr=0.02, epochs=30, progress=False)
    >>> history.train_loss[-1] < 0.1 * history.train_loss[0]
    True
    """
    L = engine_of(model)
    fresh = callable(train)
    first = check_data("train", train(0) if fresh else train)
    valid = None if valid is None else check_data("valid", valid)
    epochs, batch_size = positive_int("epochs", epochs), positive_int("batch_size", batch_size)
    workers = distributed.current()
    workers.check(L, batch_size)
    if patience is not None:
        patience = positive_int("patience", patience)
        if valid is None:
            raise ValueError("patience needs validation data: pass valid=(X, y)")
    if pool is not None:
        pool = positive_int("pool", pool)
        every = first[0] if inputs.several(first[0]) else (first[0],)
        if len(list(inputs.arrays_of(first[2]))) != len(every):
            raise ValueError("pool needs the lengths of every input: pass train=(X, y, lengths)")
    criterion = make_loss(L, loss)
    name = optimizer if isinstance(optimizer, str) else type(optimizer).__name__
    optimizer = make_optimizer(L, optimizer, model, lr)
    settings = dict(
        optimizer=name.lower(),
        batch_size=batch_size,
        clip_norm=clip_norm,
        seed=seed,
        data=fingerprint(first),
        pool=pool,
    )
    workers.agree(data=settings["data"], valid=None if valid is None else fingerprint(valid))
    run = Run(model, optimizer, schedule, settings, checkpoint, workers)

    def train_epoch(epoch):
        data = first
        if fresh:
            data = check_data("train", train(epoch))
            workers.agree(data=fingerprint(data))
        return _train_epoch(L, run, criterion, data, epoch)

    return run.go(
        epochs,
        train_epoch,
        None if valid is None else lambda: _validate(L, run, criterion, valid),
        patience=patience,
        progress=progress,
        callback=callback,
    )


def evaluate(model, loss, data, batch_size=256):
    """Return the loss of `model` over ``(X, y)`` or ``(X, y, lengths)``, without training.

    Parameters
    ----------
    model : module of either engine
    loss : str or callable
        As in :func:`fit`.
    data : tuple
        ``(X, y)`` or ``(X, y, lengths)``.
    batch_size : int
        Sequences at a time; it does not change the result.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For data or a loss that :func:`fit` refuses.
    TypeError
        If `model` is of neither engine.

    Examples
    --------
    A head of zeros says 0 for the targets 1 and 3:

    >>> from lstm_lib import numpy as L
    >>> model = L.SequenceModel(L.LSTM(1, 2, batch_first=True), L.Linear(2, 1))
    >>> model.head.weight.data[:], model.head.bias.data[:] = 0, 0
    >>> evaluate(model, "mse", (np.ones((2, 5, 1)), np.array([[1.0], [3.0]])))
    5.0
    """
    L = engine_of(model)
    x, y, lengths = check_data("data", data)
    return L.evaluate(model, make_loss(L, loss), x, y, lengths, batch_size=batch_size)


def engine_of(model):
    """Return the engine, ``lstm_lib.numpy`` or ``lstm_lib.torch``, that a model belongs to."""
    for base in type(model).__mro__:
        if base.__module__.startswith("lstm_lib.numpy"):
            return engine("numpy")
        if base.__module__.startswith("torch.nn"):
            return engine("torch")
    raise TypeError(
        f"model must be a module of lstm_lib.numpy or lstm_lib.torch, got {type(model).__name__}"
    )


LOSSES = {
    "mse": "MSELoss",
    "mae": "L1Loss",
    "huber": "HuberLoss",
    "cross_entropy": "CrossEntropyLoss",
    "binary_cross_entropy": "BCEWithLogitsLoss",
}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}


def make_loss(L, loss):
    """Return the loss object of engine `L` for a name, or the given object itself."""
    if callable(loss):
        return loss
    return getattr(L, LOSSES[one_of("loss", loss, tuple(LOSSES))])()


def make_optimizer(L, optimizer, model, lr):
    """Return the optimizer of engine `L` for a name, or the given object itself."""
    if not isinstance(optimizer, str):
        return optimizer
    name = OPTIMIZERS[one_of("optimizer", optimizer, tuple(OPTIMIZERS))]
    return getattr(L, name)(list(model.parameters()), lr=lr)


def check_data(name, data):
    """Check ``(X, y)`` or ``(X, y, lengths)`` and return three entries, the last possibly None."""
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(f"{name} must be a tuple (X, y) or (X, y, lengths)")
    x, y, lengths = _as_arrays(data[0]), np.asarray(data[1]), None
    if len(data) == 3:
        lengths = _as_arrays(data[2])
    sequences = inputs.count(x)
    if sequences == 0:
        raise ValueError(f"{name} holds no sequences")
    for part, array in _named_arrays(X=x, y=y, lengths=lengths):
        if len(array) != sequences:
            raise ValueError(f"{name}: X has {sequences} sequences, {part} has {len(array)}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            first = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(
                f"{name}: {part} holds {array[first]} at index {first}; "
                "remove or fill what is missing before training"
            )
    return x, y, lengths


def _named_arrays(**parts):
    return [(name, array) for name, part in parts.items() for array in inputs.arrays_of(part)]


def _as_arrays(data):
    """An array, or a tuple of arrays for several inputs; None stays None."""
    if inputs.several(data):
        return tuple(_as_arrays(part) for part in data)
    return None if data is None else np.asarray(data)


def _train_epoch(L, run, criterion, train, epoch):
    x, y, lengths = train
    workers, settings = run.workers, run.settings
    batches = _batches(train, settings, epoch)
    run.reseed(L, epoch)
    average, norms = LossAverage(criterion), 0.0

    def count(rows):
        mask = counting_mask(run.model, criterion, y[rows], inputs.take(lengths, rows))
        return average.count(y[rows], mask)

    for pick in batches:
        rows, counts, total = workers.share(pick, count)
        batch = inputs.take(x, rows), y[rows], inputs.take(lengths, rows)
        if settings["pool"] is not None:
            batch = _cut(run.model, *batch)
        loss = workers.weighed(criterion, counts, total)
        value = workers.mean(L.value_and_grad(run.replica, loss, *batch))
        norms += run.step(L, value)
        average.add_counted(value, total)
    return average.value, norms / len(batches)


def _validate(L, run, criterion, valid):
    """The loss on the validation data, of which each worker reads its part."""
    workers, size = run.workers, run.settings["batch_size"]
    if workers.size == 1:
        return L.evaluate(run.model, criterion, *valid, size)
    x, y, lengths = (inputs.take(part, slice(workers.rank, None, workers.size)) for part in valid)
    average = LossAverage(criterion)
    counts = average.count(y, counting_mask(run.model, criterion, y, lengths))
    if counts:
        average.add_counted(L.evaluate(run.model, criterion, x, y, lengths, size), counts)
    average.total, average.weight = workers.sum(average.total, average.weight)
    return average.value


def _batches(train, settings, epoch):
    """Indices of the sequences of every batch of this epoch."""
    x, _, lengths = train
    seed, size, pool = settings["seed"], settings["batch_size"], settings["pool"]
    if pool is not None:
        lengths = sum(inputs.arrays_of(lengths))
        return list(batches_by_length(lengths, size, seed=seed, epoch=epoch, pool=pool))
    order = np.random.default_rng([seed, epoch]).permutation(inputs.count(x))
    return [order[start : start + size] for start in range(0, len(order), size)]


def _cut(model, x, y, lengths):
    """A batch without the steps at which all of it is padding."""
    if inputs.several(x):
        x = tuple(part[:, : int(np.max(ends))] for part, ends in zip(x, lengths, strict=True))
        mask = model.output_mask(lengths, y.shape[1])
        return x, y if mask is None else y[:, : int(mask.sum(axis=1).max())], lengths
    longest, steps = int(np.max(lengths)), x.shape[1]
    mask = model.output_mask(lengths, steps) if hasattr(model, "output_mask") else None
    if mask is None:
        return x[:, :longest], y, lengths
    # a convolution in front leaves fewer answers than there are steps: such a batch stays whole
    longest = longest if y.shape[1] == steps else steps
    return x[:, :longest], y[:, :longest], lengths
