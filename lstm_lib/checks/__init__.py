"""The properties that exercises are graded by.

A check takes the function of a student and holds it to a property: equality with a reference, the right gradient,
causality, a cell that is kept. Inputs are drawn anew at each call, so that no stored answer passes; a failure is
a :class:`CheckFailed` that says which property, which part of the result, which gate and entry, for inputs of
which shapes, which seed repeats it and which paragraph to read. Where the result is that of a known mistake,
the message names the mistake.

All functions are called by position with copies of what ``draw`` returns, so the student's may live
in another process. Nothing here is needed to build or train a network.
"""

from lstm_lib.checks.calls import CheckFailed
from lstm_lib.checks.draws import lstm_inputs, lstm_mistakes, padded_inputs, rnn_inputs, sizes
from lstm_lib.checks.equality import agrees_with_hand, same_as
from lstm_lib.checks.invariances import (
    does_not_change_its_arguments,
    ignores,
    padding_does_not_matter,
    permutation,
    shift_invariance,
)
from lstm_lib.checks.order import causal, no_leak, order_matters
from lstm_lib.checks.samplers import distribution
from lstm_lib.checks.slopes import gradient
from lstm_lib.checks.students import answer, rng_for, variant
from lstm_lib.checks.values import keeps_the_cell, monotone, refuses, stable, sums_to_one

__all__ = [
    "CheckFailed",
    "agrees_with_hand",
    "answer",
    "causal",
    "distribution",
    "does_not_change_its_arguments",
    "gradient",
    "ignores",
    "keeps_the_cell",
    "lstm_inputs",
    "lstm_mistakes",
    "monotone",
    "no_leak",
    "order_matters",
    "padded_inputs",
    "padding_does_not_matter",
    "permutation",
    "refuses",
    "rng_for",
    "rnn_inputs",
    "same_as",
    "shift_invariance",
    "sizes",
    "stable",
    "sums_to_one",
    "variant",
]
