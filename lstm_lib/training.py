"""``fit()``: one training loop for both engines.

Mini-batches, clipping, validation, early stopping that keeps the best weights, and checkpoints
from which an interrupted run goes on to the very result of an uninterrupted one. The order of the
data and the masks of dropout in epoch k are functions of ``(seed, k)`` alone, so there is no random state to save.
"""

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from lstm_lib import engine
from lstm_lib.averages import LossAverage, counting_mask
from lstm_lib.checkpoints import load_arrays, restore_parameters, save_arrays
from lstm_lib.parameters import to_numpy
from lstm_lib.validation import one_of, positive_int


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
    progress=True,
    callback=None,
):
    """Train a model of either engine.

    Parameters
    ----------
    model : module of lstm_lib.numpy or lstm_lib.torch
    train : tuple
        ``(X, y)`` or ``(X, y, lengths)``: NumPy arrays with one sequence an entry of their first axis.
        With lengths, answers past the end of a sequence do not count.
    valid : tuple, optional
        Validation data of the same form. With it, the weights of the epoch with the lowest
        validation loss are in the model at the end.
    loss : {"mse", "mae", "huber", "cross_entropy", "binary_cross_entropy"} or callable
        A loss by name, or a loss object of the model's engine.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or optimizer
        By name, built with `lr`; or an optimizer of the model's engine over the model's parameters.
    lr : float
        Learning rate of an optimizer given by name.
    epochs : int
        Passes over the training data.
    batch_size : int
        Sequences a step.
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
        finished run returns at once.
    seed : int
        Decides the order of the training data.
    progress : bool
        Show a progress bar, unless the environment sets ``TQDM_DISABLE``.
    callback : callable, optional
        Called as ``callback(epoch, history)`` after every epoch and its checkpoint.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        For data that is empty, of different lengths or not finite; for an unknown option; for a
        checkpoint that is corrupt, of another model or of a run with other settings.
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
    train = check_data("train", train)
    valid = None if valid is None else check_data("valid", valid)
    epochs, batch_size = positive_int("epochs", epochs), positive_int("batch_size", batch_size)
    if patience is not None:
        patience = positive_int("patience", patience)
        if valid is None:
            raise ValueError("patience needs validation data: pass valid=(X, y)")
    criterion = make_loss(L, loss)
    optimizer_name = optimizer if isinstance(optimizer, str) else type(optimizer).__name__
    optimizer = make_optimizer(L, optimizer, model, lr)
    settings = dict(
        optimizer=optimizer_name.lower(),
        lr=float(optimizer.param_groups[0]["lr"]),
        batch_size=batch_size,
        clip_norm=clip_norm,
        seed=seed,
        data=_fingerprint(train),
        scheduled=schedule is not None,
    )
    schedule = None if schedule is None else schedule(optimizer)
    run = _Run(model, optimizer, schedule, settings, checkpoint)
    run.resume()
    with _progress_bar(epochs, run.history.epochs, progress) as bar:
        while run.history.epochs < epochs and not run.history.stopped_early:
            epoch = run.history.epochs
            model.train()
            mean_loss, mean_norm = _train_epoch(
                L, model, criterion, optimizer, train, epoch, settings
            )
            run.history.train_loss.append(mean_loss)
            run.history.grad_norm.append(mean_norm)
            run.history.lr.append(float(optimizer.param_groups[0]["lr"]))
            if valid is not None:
                value = L.evaluate(model, criterion, *valid, batch_size=batch_size)
                run.record_validation(value, patience)
            run.step_schedule()
            run.save()
            bar.update()
            bar.set_postfix(_postfix(run.history))
            if callback is not None:
                callback(epoch, run.history)
    run.restore_best()
    return run.history


def evaluate(model, loss, data, batch_size=256):
    """Return the loss of `model` over ``(X, y)`` or ``(X, y, lengths)``, without training.

    Parameters
    ----------
    model : module of either engine
    loss : str or callable
        As in :func:`fit`.
    data : tuple
    batch_size : int

    Returns
    -------
    float
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
    x, y = np.asarray(data[0]), np.asarray(data[1])
    lengths = np.asarray(data[2]) if len(data) == 3 and data[2] is not None else None
    if len(x) == 0:
        raise ValueError(f"{name} holds no sequences")
    for part, array in (("y", y), ("lengths", lengths)):
        if array is not None and len(array) != len(x):
            raise ValueError(f"{name}: X has {len(x)} sequences, {part} has {len(array)}")
    for part, array in (("X", x), ("y", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            first = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(
                f"{name}: {part} holds {array[first]} at index {first}; "
                "remove or fill what is missing before training"
            )
    return x, y, lengths


def _fingerprint(data):
    """A number that changes with the data, so that a checkpoint knows its own."""
    checksum = 0
    for array in data:
        if array is not None:
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return checksum


def _train_epoch(L, model, criterion, optimizer, train, epoch, settings):
    x, y, lengths = train
    order = np.random.default_rng([settings["seed"], epoch]).permutation(len(x))
    L.reseed(model, (settings["seed"], epoch))
    average, norms = LossAverage(criterion), 0.0
    batches = range(0, len(x), settings["batch_size"])
    for start in batches:
        pick = order[start : start + settings["batch_size"]]
        part_lengths = None if lengths is None else lengths[pick]
        value = L.value_and_grad(model, criterion, x[pick], y[pick], part_lengths)
        _check_finite("training loss", value)
        largest = settings["clip_norm"]
        norms += L.clip_grad_norm_(
            list(model.parameters()), float("inf") if largest is None else largest
        )
        optimizer.step()
        average.add(value, y[pick], counting_mask(model, criterion, y[pick], part_lengths))
    return average.value, norms / len(batches)


def _check_finite(name, value):
    if not np.isfinite(value):
        raise FloatingPointError(
            f"the {name} is {value}: lower the learning rate or check the data"
        )


class _Run:
    """Model, optimizer, schedule and history of one call of :func:`fit`, and their checkpoint."""

    def __init__(self, model, optimizer, schedule, settings, checkpoint):
        self.model, self.optimizer, self.settings = model, optimizer, settings
        self.schedule = schedule
        self.path = None if checkpoint is None else Path(checkpoint)
        self.history = History()
        self.best = None

    def record_validation(self, value, patience):
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
        if self.schedule is None:
            return
        if type(self.schedule).__name__ == "ReduceLROnPlateau":
            self.schedule.step((self.history.valid_loss or self.history.train_loss)[-1])
        else:
            self.schedule.step()

    def restore_best(self):
        if self.best is not None:
            restore_parameters(self.model, self.best, self.path or "the best epoch")

    def save(self):
        if self.path is None:
            return
        arrays = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        arrays |= {f"best.{name}": value for name, value in (self.best or {}).items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": v for name, v in state.items() if v is not None}
        notes = {"history": asdict(self.history), "settings": self.settings}
        notes["lr"] = float(self.optimizer.param_groups[0]["lr"])
        notes["schedule"] = None if self.schedule is None else self.schedule.state_dict()
        save_arrays(self.path, arrays, notes)

    def resume(self):
        if self.path is None or not self.path.exists():
            return
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
        restore_parameters(self.model, _with_prefix(arrays, "model."), self.path)
        self.best = _with_prefix(arrays, "best.") or None
        self.history = History(**notes["history"])
        self._restore_optimizer(_with_prefix(arrays, "optimizer."))
        self.optimizer.param_groups[0]["lr"] = notes["lr"]
        if self.schedule is not None:
            self.schedule.load_state_dict(notes["schedule"])

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
