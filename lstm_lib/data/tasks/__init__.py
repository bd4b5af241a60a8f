"""The classical tasks for recurrent networks, drawn at random or exact, each with its oracle.

Every generator returns a `Task` with arrays for ``fit()``, the strings behind them, what
answers without insight score, and an ``oracle`` that works out the answers from the inputs
alone. The same `rng` gives the same task. Series that come from equations are plain arrays
for `lstm_lib.data.windows.sliding_windows`.
"""

from lstm_lib.data.tasks.arithmetic import add_by_hand, addition, carries
from lstm_lib.data.tasks.grammars import anbn, anbncn, bracket_depth, brackets, is_balanced
from lstm_lib.data.tasks.long_lags import (
    adding,
    latch,
    multiplication,
    solve_adding,
    solve_latch,
    solve_multiplication,
    solve_temporal_order,
    temporal_order,
)
from lstm_lib.data.tasks.memory import alphabet, copy, reversal, solve_copy, solve_reversal
from lstm_lib.data.tasks.pairs import encoder_decoder_arrays
from lstm_lib.data.tasks.programs import Curriculum, fold, programs, run_program
from lstm_lib.data.tasks.reber import (
    continual_reber,
    embedded_reber,
    is_embedded_reber,
    predicts_legally,
    reber_successors,
)
from lstm_lib.data.tasks.series import henon, mackey_glass, waves
from lstm_lib.data.tasks.task import Task

__all__ = [
    "Curriculum",
    "Task",
    "add_by_hand",
    "adding",
    "addition",
    "alphabet",
    "anbn",
    "anbncn",
    "bracket_depth",
    "brackets",
    "carries",
    "continual_reber",
    "copy",
    "embedded_reber",
    "encoder_decoder_arrays",
    "fold",
    "henon",
    "is_balanced",
    "is_embedded_reber",
    "latch",
    "mackey_glass",
    "multiplication",
    "predicts_legally",
    "programs",
    "reber_successors",
    "reversal",
    "run_program",
    "solve_adding",
    "solve_copy",
    "solve_latch",
    "solve_multiplication",
    "solve_reversal",
    "solve_temporal_order",
    "temporal_order",
    "waves",
]
