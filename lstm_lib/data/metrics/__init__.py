"""How good a result is: one definition for every number that the book shows.

``forecasts``
    errors of a forecast in its unit, intervals and how sure we are of them
``classes``
    right and wrong answers, ranking, and whether confidence is deserved
``texts``
    likelihood per symbol, overlap of texts, distance between sequences

Where a well-kept library has the metric, it computes it: scikit-learn, sacrebleu and
rapidfuzz, which load when they are needed. Each function says what its number means, in
which unit, and where its ends are.
"""

from lstm_lib.data.metrics.classes import (
    accuracy,
    calibration_error,
    f1,
    precision,
    proportion_interval,
    recall,
    recall_at_k,
    roc_auc,
)
from lstm_lib.data.metrics.forecasts import (
    Interval,
    block_bootstrap,
    coverage,
    crps,
    mae,
    mase,
    pinball,
    rmse,
    skill,
)
from lstm_lib.data.metrics.texts import (
    Rouge,
    bits_per_symbol,
    bleu,
    chrf,
    edit_distance,
    error_rate,
    exact_match,
    longest_copied_run,
    perplexity,
    rouge_l,
    rouge_n,
)

__all__ = [
    "Interval",
    "Rouge",
    "accuracy",
    "bits_per_symbol",
    "bleu",
    "block_bootstrap",
    "calibration_error",
    "chrf",
    "coverage",
    "crps",
    "edit_distance",
    "error_rate",
    "exact_match",
    "f1",
    "longest_copied_run",
    "mae",
    "mase",
    "perplexity",
    "pinball",
    "precision",
    "proportion_interval",
    "recall",
    "recall_at_k",
    "rmse",
    "roc_auc",
    "rouge_l",
    "rouge_n",
    "skill",
]
