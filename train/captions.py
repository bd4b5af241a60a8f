"""Names of drawn characters, word by word; notebook 10-generation/captions."""

import numpy as np

from lstm_lib import torch as L
from lstm_lib import training
from lstm_lib.data import corpora
from lstm_lib.data.metrics import bleu
from lstm_lib.data.text import Vocabulary
from lstm_lib.seq2seq import decoder_arrays
from lstm_lib.torch.pictures import PictureEncoder

NAME = "captions"
SEED = 0
KINDS = ("latin", "greek", "cyrillic", "box")
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif")
SIDE, HIDDEN, LONGEST, EPOCHS = 24, 96, 7, 26


def vocabulary():
    """Words that occur at least five times in the training names; begin is 0 and end is 1."""
    words = [word for one in _characters("train") for word in one.name]
    return Vocabulary.from_symbols(words, min_count=5, bos="<begin>", eos="<end>")


def settings():
    """Three convolutions leave a map of 6 x 6 places; one LSTM with attention writes."""
    return dict(
        picture=dict(
            shape=[SIDE, SIDE],
            hidden_size=HIDDEN,
            channels=[16, 32, 32],
            pools=2,
            state="whole",
        ),
        words=dict(
            hidden_size=HIDDEN,
            memory_size=32,
            embedding_size=48,
            target_vocabulary=len(vocabulary()),
            attention="general",
        ),
    )


def build(settings):
    """The model before training."""
    rng = np.random.default_rng(SEED)
    encoder = PictureEncoder(**settings["picture"], rng=rng, device=L.device())
    options = dict(dropout=0.2, forget_bias=1.0, rng=rng, device=L.device())
    return L.EncoderDecoder(encoder=encoder, **settings["words"], **options)


def fit(model, quick, checkpoint):
    """Several readings of all pictures, the learning rate falling along a cosine."""
    epochs = 1 if quick else EPOCHS
    training.fit(
        model,
        _arrays("train", quick),
        valid=_arrays("valid", quick),
        loss="cross_entropy",
        lr=3e-3,
        epochs=epochs,
        batch_size=32,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
        checkpoint=checkpoint,
        seed=SEED,
    )


def measure(model, quick):
    """BLEU of the names of the validation pictures; the test pictures are the notebook's."""
    words, shown = vocabulary(), _shown("valid", quick)
    found = model.greedy(_pictures(shown), LONGEST + 1, words.bos_id, words.eos_id)
    said = [" ".join(words.decode(h.tokens[: h.tokens.size - h.finished])) for h in found]
    return {"BLEU, validation": bleu([" ".join(one.name) for one, _ in shown], said)}


def notes():
    """The words in the order of their numbers."""
    return {"symbols": list(vocabulary().symbols)}


def _characters(part):
    """Characters of four kinds whose names are not too long."""
    every = getattr(corpora.named_characters(), part)
    return [one for one in every if one.name[0] in KINDS and len(one.name) <= LONGEST]


def _shown(part, quick):
    """Those whose words are known, each in the upright fonts that have it."""
    words = vocabulary()
    characters = _characters(part)[: 60 if quick else None]
    known = [one for one in characters if all(word in words for word in one.name)]
    return [(one, font) for one in known for font in FONTS if font in one.fonts]


def _pictures(shown):
    return np.array([corpora.draw_character(one.sign, font, SIDE) for one, font in shown])


def _arrays(part, quick):
    words, shown = vocabulary(), _shown(part, quick)
    names = [words.encode(one.name) for one, _ in shown]
    before, after, lengths = decoder_arrays(names, words.bos_id, words.eos_id)
    return (_pictures(shown), before), after, (None, lengths)
