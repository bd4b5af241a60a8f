"""What an entry of the zoo holds, and what its check and its measurement return."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

KINDS = {
    "step": "f(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh), one LSTM step, returns (h, c)",
    "backward": "f(input_size, hidden_size, rng=None), a layer with forward, backward and the "
    "parameters of lstm_lib.numpy.LSTM",
    "padded batch": "f(lstm, x, lengths), a padded batch (T, B, I), returns (output, h_n)",
    "answers": "f(lstm, x), one answer (B, H) for each sequence of x (B, T, I); the layer is not batch_first",
    "stream": "f(cell, chunks), a generator of ChunkGradient, one for each chunk (T, B, I) of a long sequence",
    "initial weights": "f(input_size, hidden_size, forget_bias, rng), returns a state_dict of an LSTM",
    "dropout": "f(p), a module with train() and eval() whose call drops entries",
    "layer with dropout": "f(p, rng), an LSTM of 3 inputs in training mode with dropout p",
    "prediction": "f(model, x), returns the model's predictions for new data",
    "classification loss": "f(logits, target), returns the mean loss",
    "masked loss": "f(prediction, target, lengths), the mean squared error of padded sequences (B, T)",
    "clipping": "f(params, max_norm), changes the gradients in place",
    "schedule": "f(optimizer, schedule, epochs, batches), returns the learning rate after each epoch",
    "gradients of batches": "f(model, criterion, batches), returns the gradient's norm of each batch",
    "windows": "f(series, width), windows (N, width, F) and the first column's next value (N,)",
    "scaling": "f(series, split), the whole series scaled; training ends at the index split",
    "splitting": "f(count, split, rng), which of count windows are for training, which for testing",
    "next token": "f(tokens), returns inputs and targets of a language model",
    "score": "f(series, forecast), where forecast[k] is for series[k + 1]; returns how good it is",
}
"""What an implementation of each kind is called with and returns."""


class Verdict(NamedTuple):
    """The result of a check.

    Attributes
    ----------
    ok : bool
        Whether the property holds.
    promise : str
        The property, in a sentence.
    found : str
        What was found instead; empty if the property holds.
    """

    ok: bool
    promise: str
    found: str

    def __str__(self):
        return f"holds: {self.promise}" if self.ok else f"BROKEN: {self.promise} {self.found}"


class Symptom(NamedTuple):
    """One quantity, measured with the bug and without it.

    Attributes
    ----------
    quantity : str
        What was measured.
    broken : float
        Its value with the bug.
    correct : float
        Its value without.
    """

    quantity: str
    broken: float
    correct: float

    def __str__(self):
        return f"{self.quantity}: {self.broken:.4g} with the bug, {self.correct:.4g} without"


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One bug: the wrong code beside the right one, its symptom and the check that catches it.

    Attributes
    ----------
    name : str
        Its key in :data:`lstm_lib.zoo.BUGS`.
    kind : str
        What sort of code it lives in, a key of :data:`lstm_lib.zoo.entry.KINDS`. All implementations of one
        kind are called alike, so the checks of a kind serve your own code too.
    title : str
        What it is called.
    wrong : str
        What is wrong in the code.
    looks : str
        How it looks from outside.
    seen : str
        Where it was seen.
    fix : str
        What to do.
    promise : str
        The property that its check tests.
    broken : callable
        The wrong implementation.
    correct : callable
        The right one.
    quantity : str
        What :meth:`symptom` measures.
    judge : callable
        From an implementation and a generator to what was found against the promise, empty if nothing.
    measure : callable
        From an implementation and a generator to a number.

    Examples
    --------
    >>> from lstm_lib import zoo
    >>> bug = zoo.BUGS["sigmoid_candidate"]
    >>> print(bug.looks)
    The cell state never falls below zero, so the memory can add but not subtract.
    >>> bug.check(bug.broken).ok, bug.check(bug.correct).ok
    (False, True)
    """

    name: str
    kind: str
    title: str
    wrong: str
    looks: str
    promise: str
    seen: str
    fix: str
    broken: Callable
    correct: Callable
    quantity: str
    judge: Callable
    measure: Callable

    def check(self, implementation, seed=0):
        """Test whether an implementation keeps the promise that this bug breaks.

        Parameters
        ----------
        implementation : callable
            Of this bug's kind.
        seed : int
            Source of the random problem.

        Returns
        -------
        Verdict
            An implementation that raises an error breaks the promise; the error is what was found.

        Raises
        ------
        TypeError
            If `implementation` cannot be called.
        """
        if not callable(implementation):
            raise TypeError(
                f"implementation must be callable as {KINDS[self.kind]}; got {implementation!r}"
            )
        try:
            found = self.judge(implementation, np.random.default_rng(seed))
        except Exception as error:
            found = f"It raised {type(error).__name__}: {error}"
        return Verdict(not found, self.promise, found)

    def symptom(self, seed=0):
        """Measure the symptom with the bug and without it.

        Parameters
        ----------
        seed : int
            Source of the random problem, the same for both.

        Returns
        -------
        Symptom
        """
        broken, correct = (
            float(self.measure(implementation, np.random.default_rng(seed))) + 0.0
            for implementation in (self.broken, self.correct)
        )
        return Symptom(self.quantity, broken, correct)

    @property
    def code(self):
        """The source of the wrong code."""
        return inspect.getsource(self.broken)
