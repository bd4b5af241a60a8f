"""Training and judging language models on one long text, with the state carried all along.

The text is read as parallel streams in chunks (:func:`lstm_lib.data.text.stream_batches`); the state goes
from chunk to chunk, gradients do not: truncated backpropagation through time. For separate sequences, such
as sentences or windows, use :func:`lstm_lib.training.fit`.
"""

import math

import numpy as np

from lstm_lib import distributed
from lstm_lib.averages import LossAverage
from lstm_lib.data.text import stream_batches
from lstm_lib.decoding import log_softmax
from lstm_lib.parameters import to_numpy
from lstm_lib.runs import Run, fingerprint
from lstm_lib.training import engine_of, make_optimizer
from lstm_lib.validation import positive_int

ALONE = distributed.Workers()


def fit_stream(
    model,
    tokens,
    *,
    valid=None,
    optimizer="adam",
    lr=1e-3,
    epochs=10,
    batch_size=16,
    steps=64,
    clip_norm=1.0,
    schedule=None,
    patience=None,
    checkpoint=None,
    seed=0,
    progress=True,
    callback=None,
):
    """Train a language model of either engine on one long text.

    Every epoch reads the text once, from a state of zeros; the loss is the cross-entropy of the next
    token, in nats. Inside :func:`lstm_lib.distributed.workers` each worker reads its own streams and keeps
    their states, with the result that one process would have without dropout.

    Parameters
    ----------
    model : LanguageModel
    tokens : array_like of int, shape (N,)
        The text as numbers.
    valid : array_like of int, optional
        Another text. With it, the weights of the epoch with the lowest loss on it are in the model at
        the end.
    optimizer, lr, epochs, clip_norm, schedule, patience, checkpoint, progress, callback
        As in :func:`lstm_lib.training.fit`.
    batch_size : int
        Streams that are read side by side, over all workers.
    steps : int
        Steps of a chunk: how far gradients reach back at most.
    seed : int
        Decides the masks of dropout.

    Returns
    -------
    lstm_lib.runs.History

    Raises
    ------
    TypeError, ValueError
        For texts that are not integers or too short, unknown options, or a checkpoint that does not fit;
        for workers that cannot share the streams or were given different things.
    FloatingPointError
        If a loss or the gradient stops being finite.

    References
    ----------
    T. Mikolov, M. Karafiát, L. Burget, J. Černocký, S. Khudanpur, Recurrent neural network based
    language model, Interspeech 2010.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model, text = L.LanguageModel(5, 4, 16, rng=0), np.arange(201) % 5
    >>> history = fit_stream(model, text, lr=0.03, epochs=30, batch_size=4, steps=10, progress=False)
    >>> perplexity(model, text) < 1.2
    True
    """
    L = engine_of(model)
    epochs, batch_size = positive_int("epochs", epochs), positive_int("batch_size", batch_size)
    steps, tokens = positive_int("steps", steps), np.asarray(tokens)
    workers = distributed.current()
    workers.check(L, batch_size)
    stream_batches(tokens, batch_size, steps)
    if patience is not None:
        patience = positive_int("patience", patience)
        if valid is None:
            raise ValueError("patience needs validation data: pass valid=tokens")
    name = optimizer if isinstance(optimizer, str) else type(optimizer).__name__
    settings = dict(
        optimizer=name.lower(),
        batch_size=batch_size,
        steps=steps,
        clip_norm=clip_norm,
        seed=seed,
        data=fingerprint((tokens,)),
    )
    workers.agree(valid=None if valid is None else fingerprint((np.asarray(valid),)))
    optimizer = make_optimizer(L, optimizer, model, lr)
    run = Run(model, optimizer, schedule, settings, checkpoint, workers)
    return run.go(
        epochs,
        lambda epoch: _train_epoch(L, run, tokens, epoch),
        None
        if valid is None
        else lambda: _nats_per_token(model, valid, batch_size, steps, workers),
        patience=patience,
        progress=progress,
        callback=callback,
    )


def bits_per_token(model, tokens, batch_size=1, steps=256):
    r"""Cross-entropy of a language model on a text, in bits for every token but the first.

    .. math::  -\frac{1}{N - 1} \sum_{n=2}^{N} \log_2 p(k_n \mid k_1 \dots k_{n-1})

    Every token counts once and alike, and the state is carried through the whole text, so the number
    does not depend on `steps`.

    Parameters
    ----------
    model : LanguageModel
    tokens : array_like of int, shape (N,)
    batch_size : int
        Above 1, the text is cut into so many streams that are read side by side, each from a state of
        zeros: faster, and a little less exact.
    steps : int
        Steps of a chunk: how much memory it takes.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        For a text that is not integers or too short.

    Examples
    --------
    A model that knows nothing of four tokens needs two bits for each:

    >>> from lstm_lib import numpy as L
    >>> model = L.LanguageModel(4, 2, 3, rng=0)
    >>> model.load_state_dict({name: 0 * value for name, value in model.state_dict().items()})
    >>> print(f"{bits_per_token(model, [0, 1, 2, 3, 2]):.4f}")
    2.0000
    """
    return _nats_per_token(model, tokens, batch_size, steps) / math.log(2)


def perplexity(model, tokens, batch_size=1, steps=256):
    r"""Perplexity of a language model on a text: :math:`2^{\text{bits per token}}`.

    Between how many equally likely tokens the model is undecided, in the geometric mean.

    Parameters
    ----------
    model, tokens, batch_size, steps
        As in :func:`bits_per_token`.

    Returns
    -------
    float

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.LanguageModel(4, 2, 3, rng=0)
    >>> model.load_state_dict({name: 0 * value for name, value in model.state_dict().items()})
    >>> print(f"{perplexity(model, [0, 1, 2, 3, 2]):.4f}")
    4.0000
    """
    return math.exp(_nats_per_token(model, tokens, batch_size, steps))


def log2_probabilities(model, tokens, steps=256):
    r"""The log2 of each token's probability given all before it, for every token but the first.

    The state is carried through the whole text. Minus the mean is :func:`bits_per_token`; the single
    values say where a model wins, and mix with those of another model, such as
    :meth:`KneserNey's <lstm_lib.data.ngrams.KneserNey.log2_probabilities>`.

    Parameters
    ----------
    model : LanguageModel
    tokens : array_like of int, shape (N,)
    steps : int
        Steps of a chunk: how much memory it takes.

    Returns
    -------
    ndarray, shape (N - 1,)

    Raises
    ------
    TypeError, ValueError
        For a text that is not integers or too short.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.LanguageModel(4, 2, 3, rng=0)
    >>> model.load_state_dict({name: 0 * value for name, value in model.state_dict().items()})
    >>> log2_probabilities(model, [0, 1, 2]).round(4)
    array([-2., -2.])
    """
    L = engine_of(model)
    nats, state = [], None

    def note(logits, targets):
        targets = np.asarray(to_numpy(targets))[..., None]
        nats.append(np.take_along_axis(log_softmax(logits), targets, axis=-1).ravel())
        return -nats[-1].mean()

    for x, y in stream_batches(tokens, 1, steps):
        _, state = L.stream_loss(model, note, x, y, state)
    return np.concatenate(nats) / math.log(2)


def _nats_per_token(model, tokens, batch_size, steps, workers=ALONE):
    L = engine_of(model)
    criterion = L.CrossEntropyLoss()
    average, state = LossAverage(criterion), None
    for x, y in stream_batches(tokens, batch_size, steps):
        rows, counts, _ = _own_rows(average, y, workers)
        if counts:
            loss, state = L.stream_loss(model, criterion, x[rows], y[rows], state)
            average.add_counted(loss, counts)
    average.total, average.weight = workers.sum(average.total, average.weight)
    return average.value


def _train_epoch(L, run, tokens, epoch):
    workers, settings = run.workers, run.settings
    run.reseed(L, epoch)
    criterion = L.CrossEntropyLoss()
    average, norms, state = LossAverage(criterion), [], None
    for x, y in stream_batches(tokens, settings["batch_size"], settings["steps"]):
        rows, counts, total = _own_rows(average, y, workers)
        loss = workers.weighed(criterion, counts, total)
        value, state = L.stream_value_and_grad(run.replica, loss, x[rows], y[rows], state)
        value = workers.mean(value)
        norms.append(run.step(L, value))
        average.add_counted(value, total)
    return average.value, sum(norms) / len(norms)


def _own_rows(average, y, workers):
    """Which streams are this worker's, what counts in their chunk, and what in all."""
    return workers.share(np.arange(len(y)), lambda rows: average.count(y[rows]))
