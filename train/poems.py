"""A model of Tang verse, one Chinese character a step; notebook 10-generation/poems."""

import numpy as np

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.text import Vocabulary
from lstm_lib.training import evaluate
from lstm_lib.training import fit as train

NAME = "poems"
SEED = 0


def vocabulary():
    """The characters that stand ten times or more in the training poems, and three marks."""
    text = "".join(line for poem in corpora.tang_poems().train for line in poem.lines)
    return Vocabulary.from_symbols(text, min_count=10, unk="□", bos="^", eos="\n")


def settings():
    """One layer; the characters' vectors serve on the way in and on the way out."""
    return dict(
        vocabulary_size=len(vocabulary()), embedding_size=96, hidden_size=192, tie_weights=True
    )


def build(settings):
    """The model before training; it begins with how common each character is."""
    model = L.LanguageModel(**settings, dropout=0.3, forget_bias=1.0, rng=SEED, device=L.device())
    counts = np.bincount(_poems("train")[:, 1:].ravel(), minlength=settings["vocabulary_size"])
    share = (counts + 0.5) / (counts + 0.5).sum()
    model.head.bias.data.copy_(model.head.bias.data.new_tensor(np.log(share)))
    return model


def fit(model, quick, checkpoint):
    """Twelve readings of the training poems, the learning rate falling along a cosine."""
    poems, valid, epochs = _poems("train"), _poems("valid")[:256], 12
    if quick:
        poems, valid, epochs = poems[:32], valid[:8], 1
    train(
        model,
        (poems[:, :-1], poems[:, 1:]),
        valid=(valid[:, :-1], valid[:, 1:]),
        loss="cross_entropy",
        lr=4e-3,
        epochs=epochs,
        batch_size=16,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
        checkpoint=checkpoint,
        seed=SEED,
    )


def measure(model, quick):
    """Bits a sign on the validation poems; the test poems are the notebook's."""
    poems = _poems("valid")[: 8 if quick else None]
    nats = evaluate(model, "cross_entropy", (poems[:, :-1], poems[:, 1:]), batch_size=64)
    return {"bits a sign, validation": nats / np.log(2)}


def notes():
    """The characters in the order of their numbers, after the marks."""
    return {"symbols": "".join(vocabulary().symbols)}


def _poems(part):
    """A poem a row: the mark of the beginning, 64 signs, the mark of the end."""
    letters = vocabulary()
    texts = ("".join(poem.lines) for poem in getattr(corpora.tang_poems(), part))
    return np.array([letters.encode(text, bos=True, eos=True) for text in texts])
