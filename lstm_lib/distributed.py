r"""Training on several processors or machines: data parallelism for ``fit()`` and ``fit_stream()``.

Every worker is a process with the whole model and a part of every batch. What it computes is weighed by
how much counts in its part, so the mean over the workers is that of the whole batch:

.. math::  \nabla \mathcal L = \frac1N \sum_{r=1}^{N} \frac{N n_r}{n} \nabla \mathcal L_r ,
           \qquad n = \sum_r n_r

with :math:`n_r` the terms in the mean :math:`\mathcal L_r` of worker r. The mean of the gradients is
torch's ``DistributedDataParallel``, over NCCL on GPUs and over Gloo on CPUs. A program says where its
workers meet, and is started by ``torchrun``::

    with distributed.workers():
        fit(model, train, batch_size=64, checkpoint="run.safetensors")
"""

import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path

from lstm_lib.validation import one_of, positive_int

__all__ = ["Workers", "current", "launch", "workers"]

UNTIDY = (
    "on several machines a team that torchrun starts again first looks for the processes of the team before, "
    "and fails: start it with --rdzv-backend c10d and TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 set"
)
TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Workers:
    """The processes that train one model together, seen from one of them.

    Parameters
    ----------
    rank : int
        Number of this worker, from 0.
    size : int
        How many there are.

    Examples
    --------
    The second of three takes every third row, and what counts in its part is weighed against the mean:

    >>> import numpy as np
    >>> second = Workers(rank=1, size=3)
    >>> rows, counts, total = second.share(np.arange(8), count=len)
    >>> rows.tolist(), counts, total
    ([1, 4, 7], 3, 8)
    >>> second.first
    False
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self):
        """Whether this is the worker that writes files and shows the progress bar."""
        return self.rank == 0

    def check(self, engine, batch_size):
        """Raise ValueError where an engine or a batch cannot be shared by so many."""
        if self.size == 1:
            return
        if not engine.__name__.endswith(".torch"):
            raise ValueError(
                f"training with {self.size} workers needs a model of lstm_lib.torch, "
                f"got one of {engine.__name__}"
            )
        if batch_size < self.size:
            raise ValueError(
                f"batch_size must be at least the number of workers, {self.size}, got {batch_size}"
            )
        if batch_size % self.size:
            raise ValueError(
                f"batch_size must be a multiple of the number of workers, {self.size}, so that each "
                f"has an equal part, got {batch_size}"
            )

    def share(self, rows, count):
        """This worker's part of an array of row numbers, what counts in it, and what counts in all.

        Where there are fewer rows than workers, those left over take the first one, and it does not count.
        """
        if self.size == 1:
            counts = count(rows)
            return rows, counts, counts
        own = rows[self.rank :: self.size]
        if len(own) == 0:
            return rows[:1], 0, count(rows)
        return own, count(own), count(rows)

    def replica(self, model):
        """The model, or a wrapper of it whose gradients are the means over all workers."""
        if self.size == 1:
            return model
        from torch import distributed

        from lstm_lib.torch.replica import Replica

        if distributed.get_backend() == "nccl" and not next(model.parameters()).is_cuda:
            raise ValueError(
                "the workers met over NCCL, which carries what is on GPUs, and the model is on the "
                "CPU: move it to 'cuda', or call workers(backend='gloo')"
            )
        return Replica(model)

    def weighed(self, criterion, counts, total):
        """A criterion whose mean over the workers is that of the whole batch."""
        if self.size == 1:
            return criterion
        if total == 0:
            raise ValueError("no target counts: all are masked or ignored")
        reduction = getattr(criterion, "reduction", None)
        if reduction not in ("mean", "sum"):
            raise ValueError(
                f"with {self.size} workers the criterion must say whether it is a mean or a sum: give "
                f"{criterion!r} an attribute `reduction`, 'mean' or 'sum'; it has {reduction!r}"
            )
        if reduction == "sum":
            return WeighedLoss(criterion, self.size if counts else 0)
        return WeighedLoss(criterion, self.size * counts / total)

    def sum(self, *numbers):
        """The sums of numbers over all workers, to the last bit the same on each."""
        if self.size == 1:
            return numbers
        import torch
        from torch import distributed

        own = torch.tensor(numbers, dtype=torch.float64, device=_device())
        parts = [torch.empty_like(own) for _ in range(self.size)]
        distributed.all_gather(parts, own)
        return tuple(torch.stack(parts).sum(dim=0).tolist())

    def mean(self, number):
        """The mean of a number over all workers."""
        return self.sum(number)[0] / self.size

    def agree(self, **things):
        """Raise ValueError on every worker where one of them was given something else."""
        if self.size == 1:
            return
        from torch import distributed

        found = [None] * self.size
        distributed.all_gather_object(found, things)
        for rank, others in enumerate(found):
            if others.keys() != found[0].keys():
                raise ValueError(
                    "all workers must call the same function: one with "
                    f"{', '.join(found[0])} on worker 0, one with {', '.join(others)} on worker {rank}"
                )
            for name, value in others.items():
                if value != found[0][name]:
                    raise ValueError(
                        f"all workers must be given the same {name}: it is {found[0][name]!r} on "
                        f"worker 0 and {value!r} on worker {rank}"
                    )

    def from_first(self, compute):
        """What ``compute()`` returns or raises on the first worker; the others wait for it."""
        if self.size == 1:
            return compute()
        from torch import distributed

        told = [None, None]
        if self.first:
            try:
                told[0] = compute()
            except Exception as error:
                told[1] = error
        distributed.broadcast_object_list(told, src=0, device=_device())
        if told[1] is not None:
            raise told[1]
        return told[0]


class WeighedLoss:
    """A criterion times a factor; nothing counts where that is 0."""

    def __init__(self, criterion, factor):
        self.criterion, self.factor = criterion, factor

    def __getattr__(self, name):
        return getattr(self.criterion, name)

    def __call__(self, prediction, *target_and_mask):
        if self.factor == 0:
            return 0 * prediction.sum()
        return self.factor * self.criterion(prediction, *target_and_mask)


@contextmanager
def workers(backend=None, timeout=600):
    """Meet the other processes that torchrun started, for the length of a ``with``.

    A program that was started without torchrun is its only worker, so the same file serves both. Workers
    that have met already stay together. On a machine with GPUs, worker k of the machine has GPU k from
    here on.

    Parameters
    ----------
    backend : {"nccl", "gloo"}, optional
        What carries the gradients. By default NCCL where each worker has a GPU, else Gloo.
    timeout : float
        Seconds after which a worker that waits for others gives up.

    Yields
    ------
    Workers

    Raises
    ------
    ValueError
        If the backend is unknown or not there, or a part of torchrun's environment is missing; from
        ``fit`` where NCCL is to carry the gradients of a model on the CPU.

    Examples
    --------
    >>> with workers() as team:
    ...     print(team)
    Workers(rank=0, size=1)
    """
    if backend is not None:
        one_of("backend", backend, ("nccl", "gloo"))
    if _have_met() or _world() == 1:
        yield current()
        return
    missing = [name for name in TORCHRUN if name not in os.environ]
    if missing:
        raise ValueError(f"{', '.join(missing)} not set: start the program with torchrun")
    from torch import distributed
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    backend = _backend(backend)
    _stay_on_this_machine()
    _take_a_gpu()
    patience = timedelta(seconds=timeout)
    store, rank, size = next(distributed.rendezvous("env://", timeout=patience))
    distributed.init_process_group(
        backend, store=_of_this_life(store), rank=rank, world_size=size, timeout=patience
    )
    team = current()
    team.sum(0)  # nobody leaves before all are connected
    try:
        yield team
    except BaseException as error:
        if isinstance(error, Exception):
            get_error_handler().record_exception(error)
        if backend == "gloo":  # NCCL would wait for those that have gone
            _part()
        raise
    _part()


def current():
    """Return the workers that this process has met, or it alone.

    Returns
    -------
    Workers

    Raises
    ------
    RuntimeError
        If torchrun started several processes and they have not met yet.

    Examples
    --------
    >>> current()
    Workers(rank=0, size=1)
    """
    if _have_met():
        from torch import distributed

        return Workers(distributed.get_rank(), distributed.get_world_size())
    if _world() > 1:
        raise RuntimeError(
            f"torchrun started {_world()} processes that have not met: "
            "train inside `with lstm_lib.distributed.workers():`"
        )
    return Workers()


def launch(script, *arguments, processes=2, restarts=0, timeout=600):
    """Run a Python file in several processes of this machine, quickly.

    The processes find what ``torchrun --standalone --nproc-per-node processes --max-restarts restarts`` would
    tell them. They are copies of one that has imported torch already, which saves most of the time that a
    start takes. For notebooks and tests; a script calls it below ``if __name__ == "__main__":``.

    Parameters
    ----------
    script : str or Path
    *arguments : object
        What the script finds in ``sys.argv``, as text.
    processes, restarts : int
        How many, and how often all are started anew when one has failed.
    timeout : float
        Seconds after which all are stopped.

    Returns
    -------
    str
        What the processes printed.

    Raises
    ------
    RuntimeError
        If one failed and no restart is left; with all that was printed.
    TimeoutError
        If they took too long.

    Examples
    --------
    Two processes that train as one::

        print(launch("train.py", "run.safetensors", processes=2, restarts=1))

    >>> launch("train.py", processes=0)
    Traceback (most recent call last):
        ...
    ValueError: processes must be a positive integer, got 0
    """
    processes, deadline = positive_int("processes", processes), time.monotonic() + timeout
    if restarts < 0:
        raise ValueError(f"restarts must be 0 or more, got {restarts}")
    command = [str(script), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        for life in range(restarts + 1):
            done = _one_life(command, processes, life, log, deadline)
            printed = _read(log)
            if done:
                return printed
        raise RuntimeError(f"{script} failed in {processes} processes:\n{printed}")


def environment(rank, size, port, life=0):
    """What torchrun tells worker `rank` of `size` on one machine, where the parent keeps the store."""
    told = dict(
        RANK=rank,
        LOCAL_RANK=rank,
        WORLD_SIZE=size,
        LOCAL_WORLD_SIZE=size,
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=port,
        TORCHELASTIC_USE_AGENT_STORE=True,
        TORCHELASTIC_RESTART_COUNT=life,
    )
    return {name: str(value) for name, value in told.items()}


def _one_life(command, size, life, log, deadline):
    """Start all, wait until they are done or one has failed, and end what is left; whether all went well."""
    from torch.distributed import TCPStore

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "lstm_lib.torch.replica", "lstm_lib.streams"])
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    team = [
        context.Process(
            target=_live,
            args=(command, {**os.environ, **environment(rank, size, store.port, life)}, str(log)),
        )
        for rank in range(size)
    ]
    started = []
    try:
        for process in team:
            process.start()
            started.append(process)
        running = list(started)
        while running:
            left = deadline - time.monotonic()
            if left <= 0 or not wait([process.sentinel for process in running], left):
                raise TimeoutError(f"{command[0]} was not done in time:\n{_read(log)}")
            running = [process for process in team if process.exitcode is None]
            if any(process.exitcode for process in team):
                return False
        return True
    finally:
        for process in started:
            process.kill()
            process.join()


def _read(log):
    """What was printed; one that was killed may have left half a letter."""
    return log.read_text(encoding="utf-8", errors="replace")


def _live(command, told, log):
    """What a process of :func:`launch` does."""
    import torch

    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(handle, stream.fileno())
        stream.reconfigure(line_buffering=True)  # being killed loses no line
    os.environ.clear()  # of the first that called launch, where this process was copied from
    os.environ.update(told)
    torch.set_num_threads(1)
    sys.argv = command
    sys.path.insert(0, str(Path(command[0]).parent))
    runpy.run_path(command[0], run_name="__main__")


def _part():
    from torch import distributed

    from lstm_lib.torch import replica

    replica.part()
    distributed.destroy_process_group()


def _have_met():
    module = getattr(sys.modules.get("torch"), "distributed", None)
    return module is not None and module.is_available() and module.is_initialized()


def _world():
    return int(os.environ.get("WORLD_SIZE", 1))


def _backend(wanted):
    """What serves: NCCL with a GPU for each worker of this machine, else Gloo."""
    import torch
    from torch import distributed

    if not distributed.is_available():
        raise ValueError("this torch was built without torch.distributed: install another")
    gpus = torch.cuda.device_count()
    fits = distributed.is_nccl_available() and gpus >= int(os.environ["LOCAL_WORLD_SIZE"])
    if wanted == "nccl" and not fits:
        raise ValueError(
            f"backend 'nccl' needs a GPU for each of the {os.environ['LOCAL_WORLD_SIZE']} workers of "
            f"this machine, and torch finds {gpus}: use 'gloo'"
        )
    chosen = wanted or ("nccl" if fits else "gloo")
    if chosen == "gloo" and not distributed.is_gloo_available():
        raise ValueError("this torch was built without Gloo: install another, or use 'nccl'")
    return chosen


def _of_this_life(store):
    """Where workers read of each other: torchrun keeps what those before a restart wrote there."""
    from torch.distributed import PrefixStore

    if not _on_one_machine():  # each machine counts its own restarts
        names = "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_MAX_RESTARTS"
        shared, restarts = (os.environ.get(name) for name in names)
        if shared == "True" and restarts not in (None, "0"):
            warnings.warn(UNTIDY, stacklevel=4)
        return store
    return PrefixStore(f"life {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)


def _on_one_machine():
    return os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"]


def _stay_on_this_machine():
    """Let Gloo use the loopback where all workers are here: it needs no network and no host name."""
    if _on_one_machine():
        loopbacks = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
        if loopbacks:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopbacks[0])


def _take_a_gpu():
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


def _device():
    """Where tensors must be that the workers send each other."""
    import torch
    from torch import distributed

    name = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    return torch.device(name, torch.cuda.current_device()) if name == "cuda" else torch.device(name)
