"""What the networks that read programs share; notebook 11-seq2seq/programs."""

from lstm_lib import numpy as L
from lstm_lib.data.tasks import Curriculum, fold, programs
from lstm_lib.training import fit as train

SEED = 0
LENGTH, NESTING = 2, 3
EPOCHS, PROGRAMS, LR = 80, 2048, 5e-3


def settings():
    """One layer, which reads the program and writes what it prints."""
    return dict(vocabulary_size=len(_draw(1).symbols), embedding_size=32, hidden_size=96)


def build(settings):
    """The model before training."""
    return L.LanguageModel(**settings, forget_bias=1.0, rng=SEED)


def fit(strategy, model, quick, checkpoint):
    """Fresh programs every epoch, as hard as the curriculum says; the rate falls along a cosine."""
    curriculum = Curriculum(strategy, LENGTH, NESTING)
    epochs = 1 if quick else EPOCHS

    def fresh(epoch):
        curriculum.reach(2 * epoch / EPOCHS)
        task = _draw(64 if quick else PROGRAMS, curriculum, fold_of=range(2, 10), rng=[SEED, epoch])
        return task.x.argmax(axis=-1), task.y, task.lengths

    train(
        model,
        fresh,
        loss="cross_entropy",
        lr=LR,
        epochs=epochs,
        batch_size=8,
        pool=8,
        schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
        checkpoint=checkpoint,
        seed=SEED,
    )


def measure(model, quick):
    """Programs of the final difficulty, fold 1: characters with the truth before them, whole answers."""
    task = _draw(50 if quick else 2000, fold_of=[1], rng=1)
    said = L.predict(model, task.x.argmax(axis=-1), task.lengths).argmax(axis=-1)
    right = (said == task.y) | ~task.mask
    return {
        "characters right, validation": float(right[task.mask].mean()),
        "answers right, validation": float(right.all(axis=1).mean()),
    }


def notes():
    """The characters in the order of their numbers, and the difficulty."""
    return {"symbols": list(_draw(1).symbols), "length": LENGTH, "nesting": NESTING}


def _draw(n, curriculum=None, fold_of=range(10), rng=0):
    return programs(
        n, LENGTH, NESTING, curriculum=curriculum, keep=lambda text: fold(text) in fold_of, rng=rng
    )
