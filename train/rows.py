"""Rows of handwritten digits put into words, with attention and without; notebook 10-generation/captions."""

import numpy as np
from torch.nn import ModuleList

from lstm_lib import torch as L
from lstm_lib import training
from lstm_lib.data import corpora
from lstm_lib.data.metrics import exact_match
from lstm_lib.data.text import Vocabulary
from lstm_lib.seq2seq import decoder_arrays
from lstm_lib.torch.pictures import PictureEncoder

NAME = "rows"
SEED = 0
SYMBOLS = ["<begin>", "<end>", *"zero one two three four five six seven eight nine".split()]
MOST, WIDTH, EPOCHS, ROWS = 2, 48, 24, 4_000


def settings():
    """Three readers that look at the map before each word, three a little wider that do not."""
    return [
        dict(
            picture=dict(
                shape=[12, WIDTH], hidden_size=hidden, channels=[16, 32], pools=2, state="mean"
            ),
            words=dict(
                hidden_size=hidden,
                memory_size=32,
                embedding_size=16,
                target_vocabulary=len(SYMBOLS),
                attention=attention,
            ),
        )
        for hidden, attention in ((48, "general"), (54, None))
        for _ in range(3)
    ]


def build(settings):
    """The models before training, the seeds 0, 1, 2 of each kind."""
    return ModuleList(_reader(sizes, SEED + k % 3) for k, sizes in enumerate(settings))


def fit(model, quick, checkpoint):
    """Fresh rows for each epoch, the same for all; the learning rate falls along a cosine."""
    epochs = 1 if quick else EPOCHS
    for k, reader in enumerate(model):
        training.fit(
            reader,
            lambda epoch: arrays("train", 64 if quick else ROWS, [SEED, epoch])[1],
            loss="cross_entropy",
            lr=5e-3,
            epochs=epochs,
            batch_size=32,
            schedule=lambda optimizer: L.CosineAnnealingLR(optimizer, T_max=epochs),
            checkpoint=checkpoint.with_stem(f"{checkpoint.stem}-{k}"),
            seed=SEED + k % 3,
        )
    for k in range(len(model)):
        checkpoint.with_stem(f"{checkpoint.stem}-{k}").unlink()


def measure(model, quick):
    """Whole captions right on rows of validation digits, the mean of each kind."""
    rows, ((pictures, _), _, _) = arrays("valid", 20 if quick else 600, SEED + 1)
    words = _words()
    wanted = [" ".join(row.words) for row in rows]
    found = [
        exact_match(
            wanted,
            [
                " ".join(words.decode(said.tokens[: said.tokens.size - said.finished]))
                for said in reader.greedy(pictures, MOST + 2, words.bos_id, words.eos_id)
            ],
        )
        for reader in model
    ]
    kinds = "with attention", "without"
    return {
        f"exact, validation, {kind}": float(np.mean(found[3 * k : 3 * k + 3]))
        for k, kind in enumerate(kinds)
    }


def notes():
    """The words in the order of their numbers, and how the rows are made."""
    return {"symbols": SYMBOLS, "most": MOST, "width": WIDTH}


def arrays(part, count, seed):
    """Rows of the digits of one part, and what a reader learns from."""
    words = _words()
    digits = getattr(corpora.small_digits(), part)
    rows = corpora.canvases(digits, count, rng=np.random.default_rng(seed), most=MOST, width=WIDTH)
    before, after, lengths = decoder_arrays(
        [words.encode(row.words) for row in rows], words.bos_id, words.eos_id
    )
    return rows, ((np.array([row.image for row in rows]), before), after, (None, lengths))


def _reader(sizes, seed):
    place = dict(rng=np.random.default_rng(seed), device=L.device())
    encoder = PictureEncoder(**sizes["picture"], **place)
    return L.EncoderDecoder(encoder=encoder, **sizes["words"], forget_bias=1.0, **place)


def _words():
    return Vocabulary(SYMBOLS[2:], bos=SYMBOLS[0], eos=SYMBOLS[1])
