"""A model of Shakespeare's plays, letter by letter, as large as a GPU allows; the performance page shows its curve.

The plays, their split and the letters are those of :mod:`train.shakespeare`. The text is read as parallel
streams in chunks whose state is carried on: truncated backpropagation through time. It stops when the
validation plays have not become cheaper for some epochs, and keeps the weights of the best.
"""

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.text import stream_batches
from lstm_lib.streams import bits_per_token, fit_stream
from train.shakespeare import vocabulary

NAME = "shakespeare"
SEED = 0


def settings(quick):
    """Sizes of the network and of its training."""
    if quick:
        network = dict(embedding_size=8, hidden_size=12, num_layers=2)
        return dict(
            network=network, dropout=0.1, lr=3e-3, epochs=2, streams=4, steps=16, patience=2
        )
    network = dict(embedding_size=128, hidden_size=1024, num_layers=2)
    return dict(
        network=network, dropout=0.5, lr=2e-3, epochs=80, streams=128, steps=256, patience=8
    )


def data(quick):
    """The letters of the plays of each part as numbers, and one play alone."""
    letters, plays = vocabulary(), corpora.shakespeare()
    texts = {part: "".join(p.text for p in getattr(plays, part)) for part in plays._fields}
    texts["The Tempest"] = next(p.text for p in plays.test if p.title == "the-tempest")
    return {name: letters.encode(text[: 600 if quick else None]) for name, text in texts.items()}


def build(settings, backend):
    """The model before training."""
    return L.LanguageModel(
        len(vocabulary()),
        **settings["network"],
        dropout=settings["dropout"],
        forget_bias=1.0,
        backend=backend,
        rng=SEED,
        device=L.device(),
    )


def steps(data, settings):
    """Steps of the optimizer in an epoch."""
    return sum(1 for _ in stream_batches(data["train"], settings["streams"], settings["steps"]))


def fit(model, data, settings, checkpoint, callback):
    """Read the training plays until the validation plays do not become cheaper."""
    return fit_stream(
        model,
        data["train"],
        valid=data["valid"],
        lr=settings["lr"],
        epochs=settings["epochs"],
        batch_size=settings["streams"],
        steps=settings["steps"],
        schedule=lambda optimizer: L.ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
        patience=settings["patience"],
        checkpoint=checkpoint,
        seed=SEED,
        progress=False,
        callback=callback,
    )


def measure(model, data, quick):
    """Bits a character of validation and test plays, each part read as one text from a state of zeros.

    *The Tempest* once more in the 32 pieces of notebook 10-generation/text.
    """
    parts = {"validation plays": "valid", "test plays": "test"}
    found = {
        f"bits a character, {name}": bits_per_token(model, data[part])
        for name, part in parts.items()
    }
    found["bits a character, The Tempest in 32 pieces"] = bits_per_token(
        model, data["The Tempest"], 32
    )
    return found
