"""How English words are spoken, from the whole CMU dictionary; the performance page shows its curve.

The words and their split are those of ``corpora.pronunciations``: by word, at random, in the version of the
dictionary that the package holds. Published error rates are of an older, smaller and cleaned version with a
split of its own, so they are not comparable one to one. Every pronunciation of a training word is
learned; an answer is held against the nearest pronunciation of its word, and once more against the first alone,
each with the marks of stress and without, as the literature has it.
"""

from lstm_lib import torch as L
from lstm_lib.data import corpora
from lstm_lib.data.metrics import edit_distance
from lstm_lib.data.text import batches_by_length
from lstm_lib.training import fit as train
from train.pronunciation import BEGIN, END, LETTERS, arrays, phonemes, split

NAME = "pronunciation"
SEED = 0
LONGEST = 30
BEAM = 5


def settings(quick):
    """Sizes of the network and of its training."""
    shared = dict(bidirectional=True, attention="general")
    if quick:
        network = dict(hidden_size=12, num_layers=1, embedding_size=6, **shared)
        return dict(network=network, dropout=0.1, lr=3e-3, epochs=2, batch=5, pool=2, patience=2)
    network = dict(hidden_size=512, num_layers=2, embedding_size=128, **shared)
    return dict(network=network, dropout=0.4, lr=1e-3, epochs=60, batch=256, pool=50, patience=8)


def data(quick):
    """The words of each part; of those to learn from, one entry for each pronunciation."""
    edit_distance("", "")  # where its library is missing, not after the training
    whole = split()
    parts = {name: getattr(whole, name)[: 20 if quick else None] for name in whole._fields}
    ways = [corpora.Word(word.spelling, (way,)) for word in parts["train"] for way in word.spoken]
    return parts | {"train": ways}


def build(settings, backend):
    """The model before training."""
    return L.EncoderDecoder(
        **settings["network"],
        source_vocabulary=len(LETTERS) + 3,
        target_vocabulary=len(phonemes()) + 3,
        dropout=settings["dropout"],
        forget_bias=1.0,
        backend=backend,
        rng=SEED,
        device=L.device(),
    )


def steps(data, settings):
    """Steps of the optimizer in an epoch."""
    lengths = [len(word.spelling) for word in data["train"]]
    pools = batches_by_length(lengths, settings["batch"], seed=SEED, pool=settings["pool"])
    return sum(1 for _ in pools)


def fit(model, data, settings, checkpoint, callback):
    """Learn until the validation words do not become likelier."""
    return train(
        model,
        arrays(data["train"]),
        valid=arrays(data["valid"]),
        loss="cross_entropy",
        lr=settings["lr"],
        epochs=settings["epochs"],
        batch_size=settings["batch"],
        pool=settings["pool"],
        schedule=lambda optimizer: L.ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
        patience=settings["patience"],
        checkpoint=checkpoint,
        seed=SEED,
        progress=False,
        callback=callback,
    )


def measure(model, data, quick):
    """Error rates of phonemes and of words on the validation and test words, greedily and with a beam."""
    found = {}
    for part in ("valid", "test"):
        words = data[part]
        for name, width in (("greedy", 1), (f"beam of {BEAM}", BEAM)):
            said = answers(model, words, width)
            for what, rate in error_rates(words, said).items():
                found[f"{what}, {name}, {part}"] = rate
    return found


def answers(model, words, width, at_once=1000):
    """The phonemes that the model says for each word."""
    symbols, found = [None, None, None, *phonemes()], []
    for start in range(0, len(words), at_once):
        (x, _), _, (lengths, _) = arrays(words[start : start + at_once])
        if width == 1:
            best = model.greedy(x, LONGEST, BEGIN, END, lengths)
        else:
            best = [row[0] for row in model.beam_search(x, width, LONGEST, BEGIN, END, lengths)]
        found += [[symbols[k] for k in hypothesis.tokens if k > END] for hypothesis in best]
    return found


def error_rates(words, said):
    """Shares of phonemes to be mended and of words that are wrong, by the four ways of counting.

    >>> word = corpora.Word("tomato", (("T", "EY1"), ("T", "AA1")))
    >>> {name: float(rate) for name, rate in error_rates([word], [["T", "AA0"]]).items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'phonemes, stress, nearest': 0.5, 'words, stress, nearest': 1.0,
     'phonemes, stress, first': 0.5, 'words, stress, first': 1.0,
     'phonemes, bare, nearest': 0.0, 'words, bare, nearest': 0.0,
     'phonemes, bare, first': 0.5, 'words, bare, first': 1.0}
    """
    found = {}
    for form_name, form in (("stress", tuple), ("bare", bare)):
        for truth, count in (("nearest", None), ("first", 1)):
            edits = [
                min(
                    (edit_distance(form(way), form(answer)), len(way))
                    for way in word.spoken[:count]
                )
                for word, answer in zip(words, said, strict=True)
            ]
            wrong, length = zip(*edits, strict=True)
            found[f"phonemes, {form_name}, {truth}"] = sum(wrong) / sum(length)
            found[f"words, {form_name}, {truth}"] = sum(e > 0 for e in wrong) / len(words)
    return found


def bare(spoken):
    """Without the marks of stress.

    >>> bare(("T", "AH0"))
    ('T', 'AH')
    """
    return tuple(phoneme.rstrip("012") for phoneme in spoken)
