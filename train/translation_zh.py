"""Names and interface sentences from English to Chinese; notebook 11-seq2seq/translation."""

from functools import cache

from train import _translation as shared

NAME = "translation-zh"
SEED, build = shared.SEED, shared.build


@cache
def data():
    """The pairs, and the words of both sides."""
    return shared.translation("zh", shared.SIGNS)


def settings():
    """As for the other language, with this one's words."""
    return shared.settings(data())


def fit(model, quick, checkpoint):
    """Forty readings of the training pairs."""
    shared.train(model, data(), quick, checkpoint)


def measure(model, quick):
    """On the validation pairs."""
    return shared.measure(model, data(), "zh", quick)


def notes():
    """A hash by which to know the words."""
    return shared.notes(data())
