"""A model of Shakespeare's plays, letter by letter; notebook 10-generation/text."""

from functools import cache

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.text import Vocabulary
from lstm_lib.streams import bits_per_token, fit_stream

NAME = "shakespeare"
SEED = 0


@cache
def vocabulary():
    """The characters of the training plays; others become the mark of the unknown."""
    return Vocabulary.from_symbols(_text("train"), unk="\N{REPLACEMENT CHARACTER}")


def settings():
    """Two layers; 80 letters and a mark for others on the way in and on the way out."""
    return dict(vocabulary_size=len(vocabulary()), embedding_size=64, hidden_size=256, num_layers=2)


def build(settings):
    """The model before training."""
    return L.LanguageModel(**settings, dropout=0.1, forget_bias=1.0, rng=SEED, device=L.device())


def fit(model, quick, checkpoint):
    """Six readings of the training plays, the learning rate falling along a cosine."""
    letters = vocabulary()
    tokens, valid = letters.encode(_text("train")), letters.encode(_text("valid"))
    if quick:
        tokens, valid = tokens[:6000], valid[:2000]
    fit_stream(
        model,
        tokens,
        valid=valid[:200_000],
        lr=3e-3,
        epochs=1 if quick else 6,
        batch_size=48,
        steps=96,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=1 if quick else 6),
        checkpoint=checkpoint,
        seed=SEED,
    )


def measure(model, quick):
    """Bits a character on the validation plays; the test plays are the notebook's."""
    tokens = vocabulary().encode(_text("valid"))
    return {
        "bits a character, validation": bits_per_token(model, tokens[: 2000 if quick else None], 8)
    }


def notes():
    """The characters in the order of their numbers."""
    return {"symbols": list(vocabulary().symbols)}


def _text(part):
    return "".join(play.text for play in getattr(corpora.shakespeare(), part))
