r"""Searching for the sequence that a model finds most likely: greedy search and beam search.

Pure NumPy, used by both engines and by any model that has three methods and a mode:

``encode(source, lengths)``
    reads a batch of sources and returns a state;
``step(tokens, state)``
    feeds one token a row and returns the logits ``(rows, V)`` of the next one and the new state;
``select(state, rows)``
    returns the state of the given rows, in that order, each as often as it is named;
``searching()``
    a context in which the model is in evaluation mode and keeps nothing for a gradient.

Log-probabilities are added up in float64 whatever the model computes in.
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from lstm_lib.parameters import to_numpy
from lstm_lib.validation import positive_int, token_number


class Hypothesis(NamedTuple):
    """A sequence that a search found.

    ``tokens``, an array of int, leaves out the token that starts a sequence and holds the one that ends
    it if it was reached. ``log_likelihood`` is the sum of their log-probabilities, and ``score``, what
    hypotheses are ranked by, is that over the length penalty. ``finished`` says whether the sequence
    came to its end before the search had to stop.
    """

    tokens: np.ndarray
    log_likelihood: float
    score: float
    finished: bool


class Searched:
    """A model that can be searched: in evaluation mode while the search lasts, then as it was before.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.LanguageModel(8, 4, 6, rng=0)
    >>> with model.searching():
    ...     print(model.training)
    False
    >>> model.training
    True
    """

    @contextmanager
    def searching(self):
        """Return a context in which the model is in evaluation mode."""
        was_training = self.training
        self.eval()
        try:
            yield self
        finally:
            self.train(was_training)


class Continuing(Searched):
    """What a language model needs to be searched: its source is the beginning of a text.

    Both engines' ``LanguageModel`` is one, so :func:`greedy` and :func:`beam_search` take it: with the
    last token of the beginnings for `bos`, and what stands before it for `source`.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.LanguageModel(8, 4, 6, rng=0)
    >>> found = greedy(model, [[3, 4, 2], [5, 6, 0]], 4, bos=7, eos=1, lengths=[3, 2])
    >>> len(found), len(found[0].tokens) <= 4
    (2, True)
    """

    def encode(self, source, lengths=None):
        """Read the beginnings, of shape (B, T), and return the state after each one's last token."""
        return self.forward_with_state(self._tokens(source), lengths=lengths)[1]

    def step(self, tokens, state):
        """Feed one token a row; return the logits ``(B, V)`` of the next one and the new state."""
        logits, state = self.forward_with_state(self._tokens(tokens)[:, None], state)
        return logits[:, 0], state

    def select(self, state, rows):
        """Return the state of the given rows of the batch, in that order."""
        if isinstance(state, tuple):
            return tuple(part[:, rows] for part in state)
        return state[:, rows]


def log_softmax(logits):
    r"""Log-probabilities :math:`z_k - \log \sum_j \exp z_j` over the last axis, in float64.

    Parameters
    ----------
    logits : array, shape (..., V)
        :math:`-\infty` forbids a token.

    Returns
    -------
    ndarray, shape (..., V)

    Raises
    ------
    ValueError
        For NaN, :math:`+\infty`, or a row that is :math:`-\infty` throughout.

    Examples
    --------
    >>> np.exp(log_softmax([0.0, np.log(3.0)])).round(4)
    array([0.25, 0.75])
    """
    logits = np.asarray(to_numpy(logits), np.float64)
    largest = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError(
            "logits must be finite, or -inf for some tokens of a row; "
            f"the largest of a row is {largest[~np.isfinite(largest)][0]}"
        )
    shifted = logits - largest
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def length_penalty(length, alpha):
    r"""The divisor that makes long hypotheses comparable with short ones.

    .. math::  \mathrm{lp}(n) = \left( \frac{5 + n}{6} \right)^{\alpha}

    A log-likelihood only falls as a sequence grows, so :math:`\alpha = 0`, no penalty, favours the short.

    Parameters
    ----------
    length : int or array of int
        Number of tokens, the last one included.
    alpha : float

    Returns
    -------
    float or ndarray

    References
    ----------
    Y. Wu et al., Google's neural machine translation system, arXiv:1609.08144, 2016, equation 14.

    Examples
    --------
    >>> length_penalty(1, 0.6), length_penalty(13, 1.0), length_penalty(13, 0.0)
    (1.0, 3.0, 1.0)
    """
    return ((5 + length) / 6) ** alpha


def greedy(model, source, max_length, bos, eos, lengths=None):
    r"""Take the most likely token at every step, :math:`y_t = \arg\max_k p(k \mid y_{<t}, x)`.

    Parameters
    ----------
    model : object with the methods named in :mod:`lstm_lib.decoding`
    source : array or tensor
        What the model encodes, one source an entry of its first axis.
    max_length : int
        Tokens after which the search stops, finished or not.
    bos, eos : int
        The token that starts every sequence, and the one that ends it.
    lengths : sequence of int, optional
        Valid steps of every source.

    Returns
    -------
    list of Hypothesis
        One for every source.

    Raises
    ------
    ValueError
        For a number of tokens below 1, a token outside the vocabulary, or logits that are not finite.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.EncoderDecoder(8, source_vocabulary=5, target_vocabulary=6, rng=0)
    >>> found = greedy(model, np.array([[3, 4, 2]]), max_length=4, bos=0, eos=1)
    >>> len(found), len(found[0].tokens) <= 4
    (1, True)
    """
    max_length = positive_int("max_length", max_length)
    bos, eos = token_number("bos", bos), token_number("eos", eos)
    chosen, gains = [], []
    with model.searching():
        state = model.encode(source, lengths)
        last = np.full(len(source), bos)
        finished = np.zeros(len(source), bool)
        while len(chosen) < max_length and not finished.all():
            logits, state = model.step(last, state)
            log_p = _log_probabilities(logits, eos)
            last = log_p.argmax(axis=1)
            gains.append(np.where(finished, 0.0, log_p[np.arange(len(last)), last]))
            chosen.append(last)
            finished |= last == eos
    return [
        _hypothesis(tokens, float(total), eos)
        for tokens, total in zip(np.stack(chosen, axis=1), sum(gains), strict=True)
    ]


def beam_search(
    model, source, beam_size, max_length, bos, eos, lengths=None, *, length_penalty=0.0
):
    """Keep the best `beam_size` hypotheses at every step, finished ones among them.

    Every hypothesis that is not finished is continued by every token; of these and the finished ones
    the best `beam_size` by score stay. A beam of 1 is greedy search; a beam that holds every sequence
    up to `max_length` finds the best of all.

    Parameters
    ----------
    model, source, max_length, bos, eos, lengths
        As in :func:`greedy`. All sources are searched at once.
    beam_size : int
    length_penalty : float
        The alpha of :func:`length_penalty`, at least 0; 0 ranks by log-likelihood alone.

    Returns
    -------
    list of list of Hypothesis
        For every source up to `beam_size` different hypotheses, best first.

    Raises
    ------
    ValueError
        As :func:`greedy`, and for a negative length penalty.

    References
    ----------
    A. Graves, Sequence transduction with recurrent neural networks, arXiv:1211.3711, 2012; I. Sutskever,
    O. Vinyals, Q. V. Le, Sequence to sequence learning with neural networks, NeurIPS 2014.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.EncoderDecoder(8, source_vocabulary=5, target_vocabulary=6, rng=0)
    >>> (found,) = beam_search(model, np.array([[3, 4, 2]]), 3, max_length=4, bos=0, eos=1)
    >>> len(found), found[0].score >= found[1].score >= found[2].score
    (3, True)
    """
    beam_size = positive_int("beam_size", beam_size)
    max_length = positive_int("max_length", max_length)
    bos, eos = token_number("bos", bos), token_number("eos", eos)
    if not 0 <= length_penalty < np.inf:
        raise ValueError(f"length_penalty must be at least 0, got {length_penalty}")
    beams = _Beams(len(source), beam_size, max_length, eos, length_penalty)
    with model.searching():
        every = np.repeat(np.arange(len(source)), beam_size)
        state = model.select(model.encode(source, lengths), every)
        last = np.full(len(every), bos)
        while beams.steps < max_length and not beams.finished.all():
            logits, state = model.step(last, state)
            rows, last = beams.extend(_log_probabilities(logits, eos))
            state = model.select(state, rows)
    return beams.ranked()


class _Beams:
    """The hypotheses of a beam search, K a source, in order of their scores."""

    def __init__(self, batch, size, max_length, eos, alpha):
        self.eos, self.alpha, self.steps = eos, alpha, 0
        self.tokens = np.full((batch, size, max_length), eos)
        self.log_likelihood = np.full((batch, size), -np.inf)
        self.log_likelihood[:, 0] = 0.0
        self.finished = np.zeros((batch, size), bool)
        self.length = np.zeros((batch, size), int)

    def extend(self, log_p):
        """Continue by one token; return the row each hypothesis came from and its last token."""
        batch, size = self.finished.shape
        vocabulary = log_p.shape[1]
        log_p = log_p.reshape(batch, size, vocabulary)
        stays = np.where(np.arange(vocabulary) == self.eos, 0.0, -np.inf)
        log_p = np.where(self.finished[..., None], stays, log_p)
        total = (self.log_likelihood[..., None] + log_p).reshape(batch, -1)
        length = self.length + ~self.finished
        penalty = np.repeat(length_penalty(length, self.alpha), vocabulary, axis=1)
        best = np.argsort(-total / penalty, axis=1, kind="stable")[:, :size]
        parent, token = np.divmod(best, vocabulary)
        self.log_likelihood = np.take_along_axis(total, best, axis=1)
        self.length = np.take_along_axis(length, parent, axis=1)
        self.tokens = np.take_along_axis(self.tokens, parent[..., None], axis=1)
        self.tokens[..., self.steps] = token
        # What is impossible cannot become possible again, so there is nothing left to do for it.
        self.finished = (token == self.eos) | (self.log_likelihood == -np.inf)
        self.steps += 1
        return (np.arange(batch)[:, None] * size + parent).ravel(), token.ravel()

    def ranked(self):
        """The hypotheses of every source, best first."""
        found = self.log_likelihood > -np.inf
        return [
            [
                _hypothesis(self.tokens[b, k, : self.steps], total, self.eos, self.alpha)
                for k, total in enumerate(self.log_likelihood[b].tolist())
                if found[b, k]
            ]
            for b in range(len(found))
        ]


def _hypothesis(tokens, log_likelihood, eos, alpha=0.0):
    """A hypothesis from a row of tokens, cut after its first `eos`."""
    ends = np.flatnonzero(tokens == eos)
    tokens = tokens[: ends[0] + 1] if len(ends) else tokens
    score = log_likelihood / length_penalty(len(tokens), alpha)
    return Hypothesis(tokens.copy(), log_likelihood, score, bool(len(ends)))


def _log_probabilities(logits, eos):
    log_p = log_softmax(logits)
    if eos >= log_p.shape[-1]:
        raise ValueError(
            f"eos must be one of the {log_p.shape[-1]} tokens the model knows, got {eos}"
        )
    return log_p
