"""Metrics of text: likelihood, overlap with references, distance, and copying."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from lstm_lib.data.metrics.libraries import library
from lstm_lib.validation import one_of, positive_int

__all__ = [
    "Rouge",
    "bits_per_symbol",
    "bleu",
    "chrf",
    "edit_distance",
    "error_rate",
    "exact_match",
    "longest_copied_run",
    "perplexity",
    "rouge_l",
    "rouge_n",
]


class Rouge(NamedTuple):
    """Overlap of a text with its reference; each part lies between 0 and 1."""

    precision: float
    recall: float
    f1: float


def perplexity(losses):
    r"""Between how many equally likely symbols the model is undecided, on average.

    .. math:: \exp\Bigl(\frac1n \sum_t -\ln p(s_t)\Bigr)

    At least 1, which is certainty; a uniform guess among V symbols has V. Perplexities of
    words and of characters, or of two vocabularies, cannot be compared.

    Parameters
    ----------
    losses : array_like
        Negative log-likelihood of every symbol, in nats, as cross-entropy gives it; their
        mean will do as well.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no loss, or one is not finite.

    Examples
    --------
    >>> perplexity(np.log([4.0, 4.0])).__round__(6)
    4.0
    """
    return float(np.exp(_mean_loss(losses)))


def bits_per_symbol(losses):
    r"""Length of the text in the best code that the model allows, in bits a symbol.

    .. math:: \frac1n \sum_t -\log_2 p(s_t)

    At least 0. For characters it can be held against the size of a compressed file.

    Parameters
    ----------
    losses : array_like
        Negative log-likelihood of every symbol, in nats.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no loss, or one is not finite.

    Examples
    --------
    >>> bits_per_symbol(np.log([2.0, 8.0]))
    2.0
    """
    return float(_mean_loss(losses) / np.log(2))


def bleu(references, hypotheses, tokenize="13a"):
    """BLEU of a whole test set, from 0 to 100, by sacrebleu.

    The geometric mean of the shares of one to four words in a row that stand in the
    reference, times a penalty for brevity. State the tokenisation with the number.

    Parameters
    ----------
    references, hypotheses : sequence of str
        One reference each.
    tokenize : {"13a", "zh", "char", "none"}
        ``"13a"`` for languages with blanks between words, ``"zh"`` for Chinese.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If the texts are not as many, are no strings, or the tokenisation is unknown.

    References
    ----------
    K. Papineni, S. Roukos, T. Ward and W.-J. Zhu, "BLEU: a method for automatic evaluation
    of machine translation", ACL 2002. M. Post, "A call for clarity in reporting BLEU
    scores", WMT 2018.

    Examples
    --------
    >>> bleu(["the cat sat on the mat"], ["the cat sat on a mat"]).__round__(1)
    53.7
    """
    references, hypotheses = _texts(references, hypotheses)
    one_of("tokenize", tokenize, ("13a", "zh", "char", "none"))
    corpus_bleu = library("sacrebleu").corpus_bleu
    return float(corpus_bleu(hypotheses, [references], tokenize=tokenize).score)


def chrf(references, hypotheses):
    """Overlap of runs of one to six characters, from 0 to 100, by sacrebleu.

    The F-score that weighs recall twice as much as precision (chrF2). It needs no words,
    so it serves Chinese and French alike, and short texts better than BLEU does.

    Parameters
    ----------
    references, hypotheses : sequence of str

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If the texts are not as many or are no strings.

    References
    ----------
    M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015.

    Examples
    --------
    >>> chrf(["cœur brisé"], ["cœur brisé"])
    100.0
    """
    references, hypotheses = _texts(references, hypotheses)
    return float(library("sacrebleu").corpus_chrf(hypotheses, [references]).score)


def edit_distance(first, second):
    """Fewest insertions, deletions and substitutions from one sequence to the other.

    Levenshtein's distance, a whole number of symbols, by rapidfuzz.

    Parameters
    ----------
    first, second : str or sequence of hashable

    Returns
    -------
    int

    References
    ----------
    V. I. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals",
    Soviet Physics Doklady 10 (1966) 707-710.

    Examples
    --------
    >>> edit_distance("kitten", "sitting"), edit_distance(["K", "AE1", "T"], ["K", "AH0", "T"])
    (3, 1)
    """
    return int(library("rapidfuzz.distance").Levenshtein.distance(first, second))


def error_rate(references, hypotheses):
    r"""Edits needed for each symbol of the references.

    .. math:: \sum_i d(r_i, h_i) \Big/ \sum_i |r_i|

    At least 0, and above 1 where a hypothesis is much too long. Of strings it is the
    character error rate, of lists of words the word error rate, of lists of phonemes the
    phoneme error rate.

    Parameters
    ----------
    references, hypotheses : sequence of str or of sequences

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the sequences are not as many, or the references hold nothing.

    Examples
    --------
    >>> error_rate(["abcd", "efgh"], ["abcd", "efxy"])
    0.25
    """
    _same_count(references, hypotheses)
    symbols = sum(map(len, references))
    if not symbols:
        raise ValueError("references must hold at least one symbol")
    return sum(map(edit_distance, references, hypotheses)) / symbols


def exact_match(references, hypotheses):
    """Share of hypotheses that equal their reference, between 0 and 1.

    Parameters
    ----------
    references, hypotheses : sequence
        As many of each.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If they are not as many, or none.

    Examples
    --------
    >>> exact_match(["1997-08-29", "2000-01-01"], ["1997-08-29", "2000-01-10"])
    0.5
    """
    _same_count(references, hypotheses)
    return float(np.mean([r == h for r, h in zip(references, hypotheses, strict=True)]))


def rouge_n(reference, hypothesis, n=1):
    """Overlap of runs of n words, each counted as often as it stands in both texts.

    Parameters
    ----------
    reference, hypothesis : sequence of str
        Words.
    n : int

    Returns
    -------
    Rouge

    Raises
    ------
    ValueError, TypeError
        If `n` is no positive integer.

    References
    ----------
    C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", Text Summarization
    Branches Out, ACL 2004.

    Examples
    --------
    >>> rouge_n("police killed the gunman".split(), "police kill the gunman".split(), 2).recall
    0.3333333333333333
    """
    positive_int("n", n)
    wanted, given = (
        Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))
        for words in (reference, hypothesis)
    )
    return _rouge((wanted & given).total(), wanted.total(), given.total())


def rouge_l(reference, hypothesis):
    """Longest common subsequence of words, as a share of either text.

    Parameters
    ----------
    reference, hypothesis : sequence of str
        Words.

    Returns
    -------
    Rouge

    References
    ----------
    C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", Text Summarization
    Branches Out, ACL 2004.

    Examples
    --------
    >>> rouge_l("police killed the gunman".split(), "police kill the gunman".split()).f1
    0.75
    """
    common = library("rapidfuzz.distance").LCSseq.similarity(list(reference), list(hypothesis))
    return _rouge(common, len(reference), len(hypothesis))


def longest_copied_run(text, source):
    """Return the longest run of characters that stands in both; long ones are memorised.

    Hold its length against the longest run that a held-out text of the same length shares
    with the source: that much is chance and idiom.

    Parameters
    ----------
    text : str
        What was generated.
    source : str
        What was learnt from.

    Returns
    -------
    str

    Examples
    --------
    >>> longest_copied_run("to sleep, no more sleep", "To die: to sleep; No more; no more")
    'to sleep'
    """
    best, start, known = "", 0, {}
    while start + len(best) < len(text):
        end = start + len(best) + 1
        half = end - start + 1 >> 1
        block = half * -(-start // half)  # the first whole block of that size from here on
        part = text[block : block + half]
        if block + half <= end and not known.setdefault(part, part in source):
            start = block + 1  # every run that begins up to here and beats the best holds the block
            continue
        while end <= len(text) and text[start:end] in source:
            best = text[start:end]
            end += 1
        start += 1
    return best


def _rouge(common, wanted, given):
    """Return precision, recall and their harmonic mean, 0 where a text is empty."""
    precision, recall = (common / size if size else 0.0 for size in (given, wanted))
    both = precision + recall
    return Rouge(precision, recall, 2 * precision * recall / both if both else 0.0)


def _mean_loss(losses):
    losses = np.asarray(losses, dtype=float)
    if not losses.size or not np.isfinite(losses).all() or losses.mean() < 0:
        raise ValueError("losses must be finite, at least one, and not below 0 on average")
    return losses.mean()


def _same_count(references, hypotheses):
    if len(references) != len(hypotheses) or not len(references):
        raise ValueError(
            "references and hypotheses must be equally many, at least one, "
            f"got {len(references)} and {len(hypotheses)}"
        )


def _texts(references, hypotheses):
    """Check two sequences of texts, where a single string is a mistake."""
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{name} must be a sequence of str")
    _same_count(references, hypotheses)
    return list(references), list(hypotheses)
