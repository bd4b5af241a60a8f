"""First lines of documentation, from the explanation below them; notebook 11-seq2seq/summaries.

The texts are those of installed libraries, so words and weights belong to the versions named here.
"""

import importlib.metadata
import re
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.corpora.files import MissingData
from lstm_lib.data.metrics import rouge_l, rouge_n
from lstm_lib.data.text import Vocabulary, pad_sequences
from lstm_lib.seq2seq import decoder_arrays
from lstm_lib.training import fit as train

NAME = "summaries"
SEED = 0
VERSIONS = {
    "matplotlib": "3.11.2",
    "numpy": "2.4.6",
    "scikit-learn": "1.9.1",
    "scipy": "1.17.1",
}
READ, LONGEST, EPOCHS, RATE, BATCH = 30, 20, 24, 5e-3, 32
SPECIALS = {"pad": "<pad>", "unk": "<unk>", "bos": "<begin>", "eos": "<end>"}
NOT_IN_THE_LOSS, NEVER = -100, -1e4


class Texts(NamedTuple):
    """The pairs of training and validation, and the words of both sides."""

    train: list
    valid: tuple
    source: Vocabulary
    target: Vocabulary


def settings():
    """An encoder that reads in both directions, and a decoder that attends to it."""
    return dict(
        hidden_size=128,
        source_vocabulary=len(texts().source),
        target_vocabulary=len(texts().target),
        embedding_size=64,
        attention="general",
        bidirectional=True,
        dropout=0.3,
        forget_bias=1.0,
    )


def build(settings):
    """The model before training."""
    return L.EncoderDecoder(**settings, rng=SEED, device=L.device())


def fit(model, quick, checkpoint):
    """Passes over the training pairs, the rate falling along a cosine; the unknown word is barred then."""
    epochs = 1 if quick else EPOCHS
    train(
        model,
        arrays(texts().train[: 64 if quick else None]),
        loss="cross_entropy",
        lr=RATE,
        epochs=epochs,
        batch_size=BATCH,
        pool=10,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
        checkpoint=checkpoint,
        seed=SEED,
    )
    with torch.no_grad():
        model.head.bias[texts().target.unk_id] = NEVER


def measure(model, quick):
    """ROUGE of greedy summaries of the validation bodies; the test is the notebook's."""
    pairs = texts().valid[: 20 if quick else None]
    said = write(model, pairs)
    wanted = [words(pair.summary) for pair in pairs]
    both = list(zip(wanted, said, strict=True))
    return {
        "ROUGE-1, validation": float(np.mean([rouge_n(*one, 1).f1 for one in both])),
        "ROUGE-2, validation": float(np.mean([rouge_n(*one, 2).f1 for one in both])),
        "ROUGE-L, validation": float(np.mean([rouge_l(*one).f1 for one in both])),
    }


def notes():
    """The words of both sides in the order of their numbers, and how much of a body is read."""
    return {
        "source": list(texts().source.symbols),
        "target": list(texts().target.symbols),
        "read": READ,
        "versions": VERSIONS,
    }


def words(text):
    """Small letters and digits."""
    return re.findall(r"[a-z0-9]+", text.lower())


@cache
def texts():
    """The pairs whose bodies have no twin in validation or test, and the words that occur in them often."""
    for name, version in VERSIONS.items():
        if importlib.metadata.version(name) != version:
            raise MissingData(f"{name} is another version. Run: pip install {name}=={version}")
    split = corpora.docstrings()
    tfidf = TfidfVectorizer(analyzer=words, sublinear_tf=True)
    known = tfidf.fit_transform([pair.body for pair in split.train])
    held = tfidf.transform([pair.body for pair in split.valid + split.test])
    twin = (known @ held.T).toarray().max(axis=1) >= 0.6
    pairs = [pair for pair, out in zip(split.train, twin, strict=True) if not out]
    read = [word for pair in pairs for word in words(pair.body)]
    said = [word for pair in pairs for word in words(pair.summary)]
    return Texts(
        pairs,
        split.valid,
        Vocabulary.from_symbols(read, min_count=4, **SPECIALS),
        Vocabulary.from_symbols(said, min_count=3, **SPECIALS),
    )


def arrays(pairs):
    """What encoder and decoder read, what is to be said (no unknown words), and the lengths."""
    target = texts().target
    x, n = bodies(pairs)
    said = [target.encode(words(pair.summary)) for pair in pairs]
    before, y, m = decoder_arrays(said, target.bos_id, target.eos_id)
    return (x, before), np.where(y == target.unk_id, NOT_IN_THE_LOSS, y), (n, m)


def bodies(pairs):
    """The first words of each body, and how many they are."""
    return pad_sequences([texts().source.encode(words(pair.body)[:READ]) for pair in pairs])


def write(model, pairs):
    """The words of each greedy summary."""
    target = texts().target
    x, n = bodies(pairs)
    found = model.greedy(x, LONGEST, target.bos_id, target.eos_id, n)
    return [target.decode(h.tokens, specials=False) for h in found]
