"""``python -m train``: train the networks that the library keeps, and store their weights.

In two processes:  torchrun --standalone --nproc-per-node 2 -m train shakespeare
"""

import argparse
import importlib
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import record
from lstm_lib import distributed, pretrained
from train import _full

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
)
FULL = [name for name in PROGRAMS if name.endswith("_full")]
"""Runs for a GPU, whose record and curve are kept and not their weights; only by name."""
NETWORKS = [name for name in PROGRAMS if name not in FULL]
MEASURING = 3600.0  # seconds the other workers wait while the first measures what it has trained


def parser():
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    add = result.add_argument
    known = f"of {', '.join(NETWORKS)}, which are all by default; or of {', '.join(FULL)}"
    add("networks", nargs="*", metavar="NETWORK", help=known)
    add("--quick", action="store_true", help="a moment only, to see that it runs; needs --folder")
    add("--folder", type=Path, help="where to put weights and cards; the library by default")
    add("--checkpoints", type=Path, default=ROOT / "_build" / "train", help="for runs in progress")
    full = result.add_argument_group("for runs at full scale, on a GPU")
    full.add_argument("--mixed", action="store_true", help="products in bfloat16")
    full.add_argument("--tf32", action="store_true", help="products of float32 by TF32")
    full.add_argument("--backend", default="auto", help="of the recurrent layers (auto)")
    full.add_argument("--budget", type=float, help="seconds after which it stops after an epoch")
    return result


def run(name, quick, folder, checkpoints):
    """Train one network; the first of several workers stores it and returns its card."""
    network = importlib.import_module(f"train.{name}")
    settings = network.settings()
    model = network.build(settings)
    checkpoints.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints / f"{network.NAME}{'-quick' if quick else ''}.safetensors"
    team, begin = distributed.current(), time.process_time()
    network.fit(model, quick, checkpoint)
    (seconds,) = team.sum(time.process_time() - begin)
    if not team.first:
        return None
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


def run_full(name, options):
    """Run a program at full scale and return the path of its record."""
    if options.folder is None:
        if not torch.cuda.is_available():
            parser().error(f"{name} is for a GPU, and here is none: say where with --folder")
        options.folder = record.RESULTS
    return _full.run(importlib.import_module(f"train.{name}"), options)


def main(arguments=None):
    """Run what is asked for."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    options.command = " ".join(["python -m train", *arguments])
    unknown = sorted(set(options.networks) - set(PROGRAMS))
    if unknown:
        parser().error(f"no network {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
    if options.quick and options.folder is None:
        parser().error("--quick makes weights nobody should use: say where with --folder")
    with distributed.workers(timeout=MEASURING) as team:
        for name in options.networks or NETWORKS:
            folder = options.folder or pretrained.FOLDER
            if name in FULL:
                made = run_full(name, options)
            else:
                made = run(name, options.quick, folder, options.checkpoints)
            if team.first:
                print(made)


if __name__ == "__main__":
    main()
