"""``python -m train``: train the networks that the library keeps, and store their weights."""

import argparse
import importlib
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from lstm_lib import pretrained

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
)


def parser():
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    add = result.add_argument
    add("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}; all by default")
    add("--quick", action="store_true", help="a moment only, to see that it runs; needs --folder")
    add("--folder", type=Path, help="where to put weights and cards; the library by default")
    add("--checkpoints", type=Path, default=ROOT / "_build" / "train", help="for runs in progress")
    return result


def run(name, quick, folder, checkpoints):
    """Train one network, store it and return its card."""
    network = importlib.import_module(f"train.{name}")
    settings = network.settings()
    model = network.build(settings)
    checkpoints.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints / f"{network.NAME}{'-quick' if quick else ''}.safetensors"
    begin = time.process_time()
    network.fit(model, quick, checkpoint)
    seconds = time.process_time() - begin
    pretrained.half(model)
    made = pretrained.store(
        model,
        network.NAME,
        settings=settings,
        notes=network.notes(),
        measured=network.measure(model, quick),
        seed=network.SEED,
        seconds=seconds,
        made_with=f"{_engine(model)}, {platform.machine()}, {torch.get_num_threads()} threads",
        folder=folder,
    )
    checkpoint.unlink(missing_ok=True)
    return made


def _engine(model):
    if isinstance(model, torch.nn.Module):
        return f"torch {torch.__version__}"
    return f"NumPy {np.__version__}"


def main(arguments=None):
    """Run what is asked for."""
    options = parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    unknown = sorted(set(options.networks) - set(NETWORKS))
    if unknown:
        parser().error(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    if options.quick and options.folder is None:
        parser().error("--quick makes weights nobody should use: say where with --folder")
    for name in options.networks or NETWORKS:
        print(run(name, options.quick, options.folder or pretrained.FOLDER, options.checkpoints))


if __name__ == "__main__":
    main()
