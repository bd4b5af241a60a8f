"""Programs read and run, half grows step by step, half is mixed; see train/_programs.py."""

from functools import partial

from train import _programs
from train._programs import SEED, build, measure, notes, settings

__all__ = ["NAME", "SEED", "build", "fit", "measure", "notes", "settings"]

NAME = "programs-combined"
fit = partial(_programs.fit, "combined")
