"""What both translators share: their texts, the network, its training and its measures."""

import hashlib
import re
from typing import NamedTuple

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.metrics import bleu, chrf
from lstm_lib.data.text import Vocabulary, pad_sequences
from lstm_lib.seq2seq import decoder_arrays
from lstm_lib.training import fit

SEED = 0
WORDS = re.compile(r" ?\w+['’]?| ?[^\w\s]")
SIGNS = re.compile(r"[A-Za-z0-9_]+|.")
SPECIALS = {"pad": "<pad>", "unk": "<unk>", "bos": "<begin>", "eos": "<end>"}


class Translation(NamedTuple):
    """The pairs of training and validation, how to cut the other language, and the words of both sides."""

    train: list
    valid: list
    cut: re.Pattern
    source: Vocabulary
    target: Vocabulary


def translation(language, cut):
    """The pairs of at most 15 English words and 160 characters; what occurs twice in training has a number."""
    split = corpora.translations(language)
    train, valid = (
        [p for p in part if len(p.source.split()) <= 15 and len(p.target) <= 160]
        for part in (split.train, split.valid)
    )
    english = [word for pair in train for word in read(pair.source)]
    other = [word for pair in train for word in cut.findall(" " + pair.target)]
    sides = (Vocabulary.from_symbols(side, min_count=2, **SPECIALS) for side in (english, other))
    return Translation(train, valid, cut, *sides)


def read(text):
    """English words in small letters; a sign before them says that the text begins with a capital."""
    return WORDS.findall(("^ " if text[:1].isupper() else " ") + text.lower())


def settings(data):
    """The arguments of the network: about half a million weights."""
    return dict(
        hidden_size=96,
        embedding_size=64,
        source_vocabulary=len(data.source),
        target_vocabulary=len(data.target),
        bidirectional=True,
        attention="general",
        dropout=0.3,
        forget_bias=1.0,
    )


def build(settings):
    """The model before training."""
    return L.EncoderDecoder(**settings, rng=SEED, device=L.device())


def train(model, data, quick, checkpoint):
    """Forty readings of the training pairs, the learning rate falling along a cosine."""
    epochs = 1 if quick else 40
    fit(
        model,
        arrays(data.train[: 128 if quick else None], data),
        loss="cross_entropy",
        lr=4e-3,
        epochs=epochs,
        batch_size=32,
        pool=10,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
        checkpoint=checkpoint,
        seed=SEED,
    )


def arrays(pairs, data):
    """What encoder and decoder read, what is to be said, and the lengths."""
    x, n = pad_sequences([data.source.encode(read(pair.source)) for pair in pairs])
    said = [data.target.encode(data.cut.findall(" " + pair.target)) for pair in pairs]
    before, y, m = decoder_arrays(said, data.target.bos_id, data.target.eos_id)
    return (x, before), y, (n, m)


def measure(model, data, tokenize, quick):
    """BLEU and chrF of greedy translations of the validation pairs; the test pairs are the notebook's."""
    pairs = data.valid[: 20 if quick else None]
    (x, _), _, (n, _) = arrays(pairs, data)
    found = model.greedy(x, 60, data.target.bos_id, data.target.eos_id, n)
    said = ["".join(data.target.decode(h.tokens, specials=False)).strip() for h in found]
    wanted = [pair.target for pair in pairs]
    return {
        "BLEU, validation": bleu(wanted, said, tokenize),
        "chrF, validation": chrf(wanted, said),
    }


def notes(data):
    """By what to know that the words have the numbers of the training."""
    words = repr((data.source.symbols, data.target.symbols))
    return {"words": hashlib.sha256(words.encode()).hexdigest()[:16]}
