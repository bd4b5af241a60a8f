"""Lines of text drawn with a pen, from a font and not by people; notebook 10-generation/handwriting."""

import re

import numpy as np

from lstm_lib import numpy as L  # quicker on a CPU for a net of this size
from lstm_lib.data import corpora
from lstm_lib.training import evaluate
from lstm_lib.training import fit as train

NAME = "handwriting"
SEED = 0
SYMBOLS = " .abcdefghijklmnopqrstuvwxyz"
HAND = dict(font="cursive", slant=0.2, wobble=0.3, tolerance=0.7)


def words(part):
    """Short words of that part of the plays which no part before it has."""
    plays, seen = corpora.shakespeare(), set()
    for name in ("train", "test", "valid"):
        text = " ".join(play.text for play in getattr(plays, name)).lower()
        found = set(re.findall(r"\b[a-z]{2,7}\b", text)) - seen
        if name == part:
            return sorted(found)
        seen |= found


def texts(part, count, seed):
    """Pairs of words, eight to ten characters and a full stop."""
    rng, known, found = np.random.default_rng(seed), np.array(words(part)), []
    while len(found) < count:
        text = " ".join(rng.choice(known, 2))
        if 8 <= len(text) <= 10:
            found.append(text + ".")
    return found


def lines(part, count, seed):
    """Texts and their pen strokes, in units of the font."""
    found = texts(part, count, seed)
    rng = np.random.default_rng([seed, 1])
    return found, [corpora.write(text, rng=rng, **HAND) for text in found]


def arrays(found, strokes, scale):
    """What a model is trained on: ``((points, text), targets, (lengths of both))``."""
    steps, places = (np.array([len(s) - 1 for s in strokes]), np.array([len(t) for t in found]))
    points = np.zeros((len(strokes), steps.max() + 1, 3), np.float32)
    text = np.zeros((len(found), places.max()), np.int64)
    for k, (line, stroke) in enumerate(zip(found, strokes, strict=True)):
        points[k, : len(stroke)] = stroke / [scale, scale, 1]
        text[k, : len(line)] = [SYMBOLS.index(character) for character in line]
    return (points[:, :-1], text), points[:, 1:], (steps, places)


def settings():
    """Two layers of 128, five bumps of the window, ten Gaussians."""
    return dict(vocabulary_size=len(SYMBOLS), hidden_size=128, components=10, bumps=5)


def build(settings):
    """The model before training."""
    return L.HandwritingModel(**settings, advance=0.08, forget_bias=1.0, rng=SEED)


def fit(model, quick, checkpoint):
    """Six readings of 1,600 lines, the learning rate falling along a cosine."""
    scale, epochs = notes()["scale"], 1 if quick else 6
    train(
        model,
        arrays(*lines("train", 8 if quick else 1_600, SEED), scale),
        valid=arrays(*lines("valid", 4 if quick else 96, SEED + 1), scale),
        loss=L.MDNLoss(),
        lr=5e-3,
        batch_size=16,
        epochs=epochs,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
        checkpoint=checkpoint,
        seed=SEED,
    )


def measure(model, quick):
    """Nats a point on lines of words that no training line has; the test words are the notebook's."""
    data = arrays(*lines("valid", 4 if quick else 256, SEED + 2), notes()["scale"])
    return {"nats a point, validation": evaluate(model, L.MDNLoss(), data)}


def notes():
    """The symbols in the order of their numbers, how the lines are drawn, and the unit of length."""
    return {"symbols": SYMBOLS, "hand": HAND, "scale": 5.0}
