"""One run of training: its history, its checkpoint and its progress bar.

What an epoch does is said by :mod:`lstm_lib.training` and :mod:`lstm_lib.streams`. The order of the data
and the masks of dropout in epoch k are functions of ``(seed, k)`` alone, so a checkpoint holds no random
state and an interrupted run goes on to the very result of an uninterrupted one.
"""

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from lstm_lib.checkpoints import load_arrays, restore_parameters, save_arrays
from lstm_lib.inputs import arrays_of
from lstm_lib.parameters import to_numpy


@dataclass
class History:
    """What happened in every epoch of a run.

    Attributes
    ----------
    train_loss : list of float
        Loss over all that counts in the epoch, each batch taken before its step.
    valid_loss : list of float
        Loss on the validation data after the epoch; empty without validation data.
    grad_norm : list of float
        Mean norm of the gradient before clipping.
    lr : list of float
        Learning rate of the epoch.
    best_epoch : int or None
        Epoch, counted from 0, with the lowest validation loss.
    stopped_early : bool
    """

    train_loss: list = field(default_factory=list)
    valid_loss: list = field(default_factory=list)
    grad_norm: list = field(default_factory=list)
    lr: list = field(default_factory=list)
    best_epoch: int | None = None
    stopped_early: bool = False

    @property
    def epochs(self):
        """Number of epochs that were run."""
        return len(self.train_loss)


class Run:
    """Model, optimizer, schedule and history of one call of ``fit``, and their checkpoint.

    Parameters
    ----------
    model : module of either engine
    optimizer : optimizer of the model's engine
    schedule : callable or None
        Called with the optimizer, returns a schedule.
    settings : dict
        What has to be the same for a checkpoint to be gone on from: at least ``clip_norm``.
    checkpoint : str, Path or None
    workers : lstm_lib.distributed.Workers
        Who trains the model; the first of them has the checkpoint.
    """

    def __init__(self, model, optimizer, schedule, settings, checkpoint, workers):
        self.model, self.optimizer, self.workers = model, optimizer, workers
        self.replica = workers.replica(model)
        self.settings = {
            **settings,
            "lr": float(optimizer.param_groups[0]["lr"]),
            "scheduled": schedule is not None,
        }
        self.schedule = None if schedule is None else schedule(optimizer)
        self.path = None if checkpoint is None else Path(checkpoint)
        self.history = History()
        self.best = None

    def go(
        self, epochs, train_epoch, validate=None, *, patience=None, progress=True, callback=None
    ):
        """Go on from the checkpoint, if there is one, up to `epochs` epochs.

        Parameters
        ----------
        epochs : int
        train_epoch : callable
            Called with the epoch's number; returns the mean loss and the mean norm of the gradient.
        validate : callable, optional
            Returns the validation loss.
        patience, progress, callback
            As in :func:`lstm_lib.training.fit`.

        Returns
        -------
        History
        """
        path = None if self.path is None else "a path"
        self.workers.agree(**self.settings, epochs=epochs, patience=patience, checkpoint=path)
        self.resume()
        history = self.history
        with _progress_bar(epochs, history.epochs, progress and self.workers.first) as bar:
            while history.epochs < epochs and not history.stopped_early:
                epoch = history.epochs
                self.model.train()
                mean_loss, mean_norm = train_epoch(epoch)
                history.train_loss.append(mean_loss)
                history.grad_norm.append(mean_norm)
                history.lr.append(float(self.optimizer.param_groups[0]["lr"]))
                if validate is not None:
                    self.record_validation(validate(), patience)
                self.step_schedule()
                self.save()
                bar.update()
                bar.set_postfix(_postfix(history))
                if callback is not None:
                    callback(epoch, history)
        self.restore_best()
        return history

    def step(self, L, value):
        """Make a step along the gradients of a loss of this `value`; return their norm unclipped."""
        _check_finite("training loss", value)
        largest = self.settings["clip_norm"]
        norm = L.clip_grad_norm_(
            list(self.model.parameters()), float("inf") if largest is None else largest
        )
        self.optimizer.step()
        return norm

    def record_validation(self, value, patience):
        """Remember the loss, the weights if they are the best, and whether it is time to stop."""
        _check_finite("validation loss", value)
        history = self.history
        best_so_far = min(history.valid_loss, default=np.inf)
        history.valid_loss.append(value)
        epoch = history.epochs - 1
        if value < best_so_far:
            history.best_epoch = epoch
            self.best = _copies(self.model.state_dict())
        elif patience is not None:
            history.stopped_early = epoch - history.best_epoch >= patience

    def step_schedule(self):
        """Let the schedule, if there is one, set the learning rate of the next epoch."""
        if self.schedule is None:
            return
        if type(self.schedule).__name__ == "ReduceLROnPlateau":
            self.schedule.step((self.history.valid_loss or self.history.train_loss)[-1])
        else:
            self.schedule.step()

    def restore_best(self):
        """Put the weights of the best epoch, if any was measured, into the model."""
        if self.best is not None:
            restore_parameters(self.model, self.best, self.path or "the best epoch")

    def reseed(self, L, epoch):
        """Start the masks of dropout anew, for each worker its own."""
        own = () if self.workers.first else (self.workers.rank,)
        L.reseed(self.model, (self.settings["seed"], epoch, *own))

    def save(self):
        """Write the checkpoint, if there is to be one; all workers wait until it is whole."""
        if self.path is not None:
            self.workers.from_first(self._write)

    def _write(self):
        arrays = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        arrays |= {f"best.{name}": value for name, value in (self.best or {}).items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": v for name, v in state.items() if v is not None}
        notes = {"history": asdict(self.history), "settings": self.settings}
        notes["lr"] = float(self.optimizer.param_groups[0]["lr"])
        notes["schedule"] = None if self.schedule is None else self.schedule.state_dict()
        save_arrays(self.path, arrays, notes)

    def resume(self):
        """Take everything back from the checkpoint, if it is there."""
        found = None if self.path is None else self.workers.from_first(self._read)
        if found is None:
            return
        arrays, notes = found
        restore_parameters(self.model, _with_prefix(arrays, "model."), self.path)
        self.best = _with_prefix(arrays, "best.") or None
        self.history = History(**notes["history"])
        self._restore_optimizer(_with_prefix(arrays, "optimizer."))
        self.optimizer.param_groups[0]["lr"] = notes["lr"]
        if self.schedule is not None:
            self.schedule.load_state_dict(notes["schedule"])

    def _read(self):
        """The checkpoint's arrays and notes; None where there is no checkpoint."""
        if not self.path.exists():
            return None
        arrays, notes = load_arrays(self.path)
        if not isinstance(notes, dict) or not {"history", "settings"} <= notes.keys():
            raise ValueError(
                f"{self.path} holds weights alone, not a run of fit(): give another path"
            )
        now = json.loads(json.dumps(self.settings))
        changed = [
            f"{key} was {notes['settings'].get(key)!r} and is {now[key]!r}"
            for key in now
            if notes["settings"].get(key) != now[key]
        ]
        if changed:
            raise ValueError(
                f"{self.path} is of a run with other settings: {'; '.join(changed)}. "
                "Use the same settings to go on, or give another path"
            )
        return arrays, notes

    def _restore_optimizer(self, flat):
        saved = self.optimizer.state_dict()
        saved["state"] = {}
        like = list(self.model.parameters())
        for key, array in flat.items():
            index, name = key.split(".")
            parameter = like[int(index)]
            value = parameter.new_tensor(array) if hasattr(parameter, "new_tensor") else array
            saved["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(saved)


def _copies(state):
    """Copies of a state_dict as NumPy arrays."""
    return {name: to_numpy(value).copy() for name, value in state.items()}


def _with_prefix(arrays, prefix):
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _postfix(history):
    shown = {"loss": f"{history.train_loss[-1]:.4g}"}
    if history.valid_loss:
        shown["valid"] = f"{history.valid_loss[-1]:.4g}"
    return shown


def _progress_bar(total, done, show):
    # In notebooks tqdm overrules its own TQDM_DISABLE, so it is read here.
    show = show and not os.environ.get("TQDM_DISABLE")
    if not show:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the progress bar needs tqdm: pip install 'lstm_lib[train]', or pass progress=False",
            name="tqdm",
        ) from error
    return tqdm(total=total, initial=done, unit="epoch", disable=False)


class _NoBar:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def update(self):
        """Nothing to show."""

    def set_postfix(self, _):
        """Nothing to show."""


def fingerprint(data):
    """Return a number that changes with the arrays, so that a checkpoint knows its own data."""
    checksum = 0
    for array in arrays_of(data):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return checksum


def _check_finite(name, value):
    if not np.isfinite(value):
        raise FloatingPointError(
            f"the {name} is {value}: lower the learning rate or check the data"
        )
