"""How English words are spoken, letters to phonemes; notebook 11-seq2seq/pronunciation.

Of the training words those are left out that may be relatives of half of the test words, so that the
notebook can compare: the other half may have relatives among them.
"""

from functools import cache

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.corpora.splits import hashed
from lstm_lib.data.metrics import error_rate, exact_match
from lstm_lib.data.text import pad_sequences
from lstm_lib.seq2seq import decoder_arrays
from lstm_lib.training import fit as train

NAME = "pronunciation"
SEED = 0
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BEGIN, END = 1, 2  # 0 fills up


def settings():
    """An encoder that reads in both directions, and a decoder that attends to it."""
    return dict(
        hidden_size=128,
        source_vocabulary=len(LETTERS) + 3,
        target_vocabulary=len(phonemes()) + 3,
        embedding_size=48,
        bidirectional=True,
        attention="general",
    )


def build(settings):
    """The model before training."""
    return L.EncoderDecoder(**settings, dropout=0.1, forget_bias=1.0, rng=SEED, device=L.device())


def fit(model, quick, checkpoint):
    """Twelve passes over the training words, the learning rate falling along a cosine."""
    words, chosen = _words(), split().valid[:2000]
    train(
        model,
        arrays(words[:200] if quick else words),
        valid=arrays(chosen[:100] if quick else chosen),
        loss="cross_entropy",
        lr=3e-3,
        epochs=1 if quick else 12,
        batch_size=100,
        pool=50,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=12),
        checkpoint=checkpoint,
        seed=SEED,
    )


def measure(model, quick):
    """Errors on the first validation words, against the first pronunciation; the test is the notebook's."""
    words = split().valid[: 50 if quick else 2000]
    (source, _), _, (lengths, _) = arrays(words)
    found = model.greedy(source, 30, BEGIN, END, lengths)
    symbols = [None, None, None, *phonemes()]
    said = [[symbols[k] for k in hypothesis.tokens if k > END] for hypothesis in found]
    truth = [list(word.spoken[0]) for word in words]
    return {
        "phoneme errors, validation": error_rate(truth, said),
        "words wrong, validation": 1 - exact_match(truth, said),
    }


def notes():
    """The phonemes in the order of their numbers, which begin at 3."""
    return {"phonemes": phonemes()}


def _words():
    strangers = {corpora.family(word.spelling) for word in split().test}
    strangers = {name for name in strangers if hashed(name) < 0.5}
    return [word for word in split().train if corpora.family(word.spelling) not in strangers]


@cache
def split():
    """The words of the dictionary in three parts."""
    return corpora.pronunciations()


@cache
def phonemes():
    """Those of the training words, sorted."""
    words = split().train
    return sorted({phoneme for word in words for way in word.spoken for phoneme in way})


def arrays(words):
    """What encoder and decoder read, what is to be said, and the lengths; the first pronunciation counts."""
    numbers = {phoneme: k for k, phoneme in enumerate(phonemes(), start=3)}
    source, lengths = pad_sequences(
        [[LETTERS.index(letter) + 3 for letter in word.spelling] for word in words]
    )
    said = [[numbers[phoneme] for phoneme in word.spoken[0]] for word in words]
    before, target, ends = decoder_arrays(said, BEGIN, END)
    return (source, before), target, (lengths, ends)
