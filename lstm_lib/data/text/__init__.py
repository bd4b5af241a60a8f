"""From text to arrays of integers, and from those to batches.

The way of a text: `clean` it, cut it into symbols (characters as they are, `words`, or
`BytePairs`), number the symbols with a `Vocabulary`, and batch the numbers: `stream_batches`
for one long text, `pad_sequences` and `batches_by_length` for many short ones.

Nothing here learns anything but counts, and nothing here knows an engine.
"""

from lstm_lib.data.text.batches import (
    IGNORE_INDEX,
    batches_by_length,
    bucket_by_length,
    length_mask,
    one_hot,
    pad_sequences,
    padding_share,
    stream_batches,
)
from lstm_lib.data.text.byte_pairs import BytePairs
from lstm_lib.data.text.cleaning import clean, words
from lstm_lib.data.text.vocabulary import Vocabulary

__all__ = [
    "IGNORE_INDEX",
    "BytePairs",
    "Vocabulary",
    "batches_by_length",
    "bucket_by_length",
    "clean",
    "length_mask",
    "one_hot",
    "pad_sequences",
    "padding_share",
    "stream_batches",
    "words",
]
