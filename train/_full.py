"""What the runs at full scale share: the curve that they write while they learn, and mixed precision."""

import functools
import json
import time
from pathlib import Path

import torch

from benchmarks import device as devices
from benchmarks import record
from lstm_lib import distributed
from lstm_lib import torch as L
from lstm_lib.checkpoints import save_weights
from lstm_lib.files import write_atomically


class Curve:
    """What a run writes down after every epoch, into one JSON file that is always whole.

    Parameters
    ----------
    path : Path
    steps_an_epoch : int
        Steps of the optimizer.
    head : dict
        What stands at the top: settings, device, versions.
    budget : float, optional
        Seconds after which the run stops at the end of an epoch; its checkpoint goes on from there.
    """

    def __init__(self, path, steps_an_epoch, head, budget=None):
        self.path, self.steps_an_epoch, self.budget = path, steps_an_epoch, budget
        self.team = distributed.current()
        self.content = {**head, "curve": [], "measured": {}, "stopped": None}
        if self.team.first and path.exists():
            self.content["curve"] = json.loads(path.read_text(encoding="utf-8"))["curve"]
        self.before = self.content["curve"][-1]["seconds"] if self.content["curve"] else 0.0
        self.start = time.monotonic()

    def note(self, epoch, history):
        """After an epoch: a point of the curve; a callback of ``fit``."""
        seconds = time.monotonic() - self.start
        del self.content["curve"][epoch:]
        self.content["curve"].append(
            {
                "epoch": epoch + 1,
                "step": (epoch + 1) * self.steps_an_epoch,
                "seconds": round(self.before + seconds, 2),
                "train": history.train_loss[-1],
                "valid": history.valid_loss[-1],
                "lr": history.lr[-1],
            }
        )
        self.write()
        if self.budget is not None and self.team.from_first(lambda: seconds > self.budget):
            self.content["stopped"] = "budget"
            history.stopped_early = True

    def finish(self, history, measured):
        """What the run was worth, and why it ended."""
        self.content["measured"] = measured
        self.content["history"] = {"best epoch": history.best_epoch + 1}
        if self.content["stopped"] is None:
            self.content["stopped"] = "patience" if history.stopped_early else "epochs"
        self.write()

    def write(self):
        """Write the file, and show its last point; of several workers the first does."""
        if not self.team.first:
            return
        print(json.dumps(self.content["measured"] or self.content["curve"][-1]), flush=True)
        text = json.dumps(self.content, indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.path, text.encode("utf-8"))


def mixed(model, device):
    """Let a model compute its products in bfloat16, with its weights and its results in float32."""
    for name in ("forward", "forward_with_state", "encode", "_decode"):
        if hasattr(model, name):
            setattr(model, name, _cast(getattr(model, name), torch.device(device).type))
    return model


def _cast(method, kind):
    @functools.wraps(method)
    def narrow(*arguments, **options):
        with torch.autocast(kind, torch.bfloat16):
            return _float(method(*arguments, **options))

    return narrow


def _float(found):
    """Tensors, alone or in tuples, in float32."""
    if torch.is_tensor(found):
        return found.float() if found.is_floating_point() else found
    if isinstance(found, tuple):
        parts = [_float(part) for part in found]
        return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    return found


def run(network, options):
    """Train a network at full scale, measure it, and return the path of its record.

    Parameters
    ----------
    network : module
        With NAME, ``settings(quick)``, ``build(settings, backend)``, ``data(quick)``,
        ``fit(model, data, settings, checkpoint, callback)``, ``measure(model, data, quick)`` and
        ``steps(data, settings)``.
    options : argparse.Namespace
        With `quick`, `folder`, `checkpoints`, `mixed`, `backend`, `budget` and `command`.

    Returns
    -------
    Path
    """
    device = L.device()
    settings, data = network.settings(options.quick), network.data(options.quick)
    facts, head = devices.facts(device), record.circumstances(options.command)
    facts["versions"] = head.pop("versions") | facts["versions"]
    head |= facts | {
        "name": network.NAME,
        "settings": settings,
        "mixed": options.mixed,
        "tf32": options.tf32,
    }
    head |= {"backend": options.backend, "quick": options.quick, "flags": devices.flags()}
    kind, folder = facts["device"]["kind"].replace("cuda", "gpu"), Path(options.folder)
    path = folder / f"{kind}-run-{network.NAME}.json"
    model = network.build(settings, options.backend)
    if options.mixed:
        mixed(model, device)
    options.checkpoints.mkdir(parents=True, exist_ok=True)
    checkpoint = options.checkpoints / f"{network.NAME}{'-quick' if options.quick else ''}-run"
    first = distributed.current().first
    if first and not checkpoint.exists():
        path.unlink(missing_ok=True)
    curve = Curve(path, network.steps(data, settings), head, options.budget)
    with devices.precision("tf32" if options.tf32 else "fp32"):
        history = network.fit(model, data, settings, checkpoint, curve.note)
        if first:
            curve.finish(history, network.measure(model, data, options.quick))
    if first:
        save_weights(model, options.checkpoints / f"{network.NAME}.safetensors")
    return path
