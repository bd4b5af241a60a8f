"""Several processes that train together, for tests: started quickly, and stopped whatever happens."""

import multiprocessing
import os

import numpy as np
import torch
import torch._dynamo
from torch.distributed import TCPStore

from lstm_lib import distributed
from lstm_lib import torch as L
from lstm_lib.streams import fit_stream
from lstm_lib.training import fit
from tests.helpers import arrays_of

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.teams"])  # torch is imported once, not once a process


def together(work, *arguments, size=2, seconds=60):
    """What ``work(*arguments)`` returned, or ``"Type: message"`` of what it raised, for every worker.

    A worker that was killed is "dead".
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    team = []
    for rank in range(size):
        here, there = CONTEXT.Pipe(duplex=False)
        told = distributed.environment(rank, size, store.port)
        process = CONTEXT.Process(target=_worker, args=(there, told, work, arguments))
        process.start()
        there.close()
        team.append((process, here))
    try:
        return [_hear(here, seconds) for _, here in team]
    finally:
        for process, _ in team:
            process.kill()
            process.join()


def _hear(pipe, seconds):
    try:
        return pipe.recv() if pipe.poll(seconds) else "silence"
    except EOFError:
        return "dead"


def _worker(pipe, told, work, arguments):
    torch.set_num_threads(1)
    os.environ.update(told)
    try:
        with distributed.workers(timeout=30):
            pipe.send(work(*arguments))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


def model_of(kind="sequences", seed=0):
    """A small model in double precision."""
    if kind == "pairs":
        sizes = dict(source_vocabulary=5, target_vocabulary=5, embedding_size=4)
        return L.EncoderDecoder(6, **sizes, dtype="float64", rng=seed)
    if kind == "text":
        return L.LanguageModel(7, 4, 8, dtype="float64", rng=seed)
    outputs = 3 if kind == "classes" else 1
    rnn = L.LSTM(1, 6, batch_first=True, dtype="float64", rng=seed)
    head = L.Linear(6, outputs, dtype="float64", rng=seed + 1)
    return L.SequenceModel(rnn, head, "last" if kind == "last" else "all")


def data_of(kind="sequences", n=25, seed=0):
    """Sequences of uneven lengths: 25 leave one alone in the last batch of 8."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, size=n)
    if kind == "pairs":
        source, target = rng.integers(0, 5, size=(2, n, 7))
        return (source, target), target, (lengths, lengths[::-1].copy())
    x = rng.normal(size=(n, 7, 1))
    if kind == "classes":
        y = rng.integers(0, 3, size=(n, 7))
        y[:: 2 if n % 2 else 5] = -100  # whole sequences that do not count
        return x, y, lengths
    return x, x[:, 0] if kind == "last" else np.cumsum(x, axis=1), lengths


RUNS = {
    "every step": {},
    "last step": dict(kind="last", optimizer="sgd", clip_norm=None),
    "pools": dict(pool=2),
    "sum": dict(loss="sum", clip_norm=0.05),
    "classes": dict(kind="classes", loss="cross_entropy"),
    "pairs": dict(kind="pairs", loss="cross_entropy", pool=2),
    "fresh": dict(fresh=True),
}


def train(name, path=None, epochs=4, seed=0, callback=None):
    """One of the runs above: its weights and its history."""
    options = dict(kind="sequences", loss="mse", fresh=False) | RUNS[name]
    kind, loss, fresh = (options.pop(key) for key in ("kind", "loss", "fresh"))
    model = model_of(kind, seed)
    history = fit(
        model,
        (lambda epoch: data_of(kind, seed=epoch)) if fresh else data_of(kind),
        valid=data_of(kind, 9, seed=9),
        loss=L.MSELoss("sum") if loss == "sum" else loss,
        lr=0.02,
        epochs=epochs,
        batch_size=8,
        patience=3,
        schedule=lambda optimizer: L.StepLR(optimizer, step_size=2, gamma=0.5),
        checkpoint=path,
        progress=False,
        callback=callback,
        **options,
    )
    return arrays_of(model), history


def read(batch_size, steps, tokens, path=None, epochs=3):
    """A run on one long text: the model's weights and the history."""
    text = np.random.default_rng(0).integers(0, 7, size=tokens)
    model = model_of("text")
    history = fit_stream(
        model,
        text,
        valid=text[:29],
        lr=0.02,
        epochs=epochs,
        batch_size=batch_size,
        steps=steps,
        checkpoint=path,
        progress=False,
    )
    return arrays_of(model), history
