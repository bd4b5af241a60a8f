"""Byte pairs: pieces of words, learnt from a text by the tokenizers library."""

import json
from pathlib import Path

import numpy as np

from lstm_lib.files import write_atomically
from lstm_lib.validation import positive_int

_BYTES = 256


class BytePairs:
    """Pieces of text, from single bytes to whole words, found by byte-pair encoding.

    Training starts with the 256 bytes and again and again joins the pair of neighbouring
    pieces that is most frequent, never across a word's edge. Every text can be encoded,
    since its bytes can, and is decoded to the letter. The same texts give the same pieces.

    The work is done by the tokenizers library. Build one with `train` or `load`.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        What `train` and `load` make.

    Raises
    ------
    ModuleNotFoundError
        If the tokenizers package is not installed.

    References
    ----------
    R. Sennrich, B. Haddow and A. Birch, "Neural machine translation of rare words with
    subword units", ACL 2016.

    Examples
    --------
    >>> corpus = "low newer newest lowest widest wider " * 9
    >>> pieces = BytePairs.train(corpus, size=270)
    >>> pieces.pieces("the lowest new")
    ['t', 'h', 'e', ' low', 'est', ' new']
    >>> ids = pieces.encode("naïve 长江")
    >>> pieces.decode(ids)
    'naïve 长江'
    """

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, texts, size, *, specials=()):
        """Learn the pieces of some texts. Give it the training part alone.

        Parameters
        ----------
        texts : str or iterable of str
        size : int
            Number of pieces, the 256 bytes and the special symbols included; a text with
            too few pairs gives fewer.
        specials : sequence of str
            Symbols such as ``"<pad>"`` that get the numbers 0, 1, ... and stand for nothing
            in a text; `encode` never makes them.

        Returns
        -------
        BytePairs

        Raises
        ------
        TypeError
            If a text or a special symbol is not a string.
        ValueError
            If `size` has no room for the bytes, a special symbol stands twice or is empty.
        """
        tokenizers = _tokenizers()
        texts = [texts] if isinstance(texts, str) else list(texts)
        specials = [specials] if isinstance(specials, str) else list(specials)
        for text in (*texts, *specials):
            if not isinstance(text, str):
                raise TypeError(f"texts and specials must be str, got {type(text).__name__}")
        if len(set(specials)) < len(specials) or "" in specials:
            raise ValueError(f"specials must be different and not empty, got {specials}")
        least = _BYTES + len(specials)
        if positive_int("size", size) < least:
            raise ValueError(
                f"size must be at least {least}, the bytes and special symbols, got {size}"
            )
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        tokenizer.encode_special_tokens = True
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=specials,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def __len__(self):
        return self._tokenizer.get_vocab_size()

    def __getitem__(self, special):
        """Return the number of a special symbol; KeyError where there is none."""
        number = self._tokenizer.token_to_id(special)
        if number is None:
            raise KeyError(special)
        return number

    def encode(self, text):
        """Turn a text into numbers: ndarray of int64, shape (T,)."""
        return np.array(self._encoding(text).ids, dtype=np.int64)

    def pieces(self, text):
        """Cut a text into its pieces; bytes that are no whole character show as U+FFFD."""
        return [self.decode([number]) for number in self._encoding(text).ids]

    def decode(self, ids):
        """Turn numbers back into text, special symbols left out.

        Raises
        ------
        ValueError
            If the numbers are not of shape (T,), or one is no number of a piece.
        TypeError
            If they are not integers.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1:
            raise ValueError(f"ids must have shape (T,), got {ids.shape}")
        if ids.size and ids.dtype.kind not in "iu":
            raise TypeError(f"ids must be integers, got dtype {ids.dtype}")
        if ids.size and not (0 <= ids.min() and ids.max() < len(self)):
            raise ValueError(
                f"ids must lie between 0 and {len(self) - 1}, got {ids.min()} to {ids.max()}"
            )
        return self._tokenizer.decode(ids.tolist(), skip_special_tokens=True)

    def save(self, path):
        """Write the pieces to a JSON file that the tokenizers library reads, too."""
        write_atomically(path, self._tokenizer.to_str(pretty=True).encode("utf-8"))

    @classmethod
    def load(cls, path):
        """Read the pieces that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a whole file of pieces.
        """
        tokenizers = _tokenizers()
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no byte pairs at {path}")
        try:
            text = path.read_bytes().decode("utf-8")
            kind = json.loads(text)["model"]["type"]
            if kind != "BPE":
                raise ValueError(f"it holds a model of kind {kind}")
            tokenizer = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises Exception itself
            raise ValueError(
                f"{path} is not a whole file of byte pairs ({type(error).__name__}: {error})"
            ) from error
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)

    def _encoding(self, text):
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("text holds a lone surrogate, which has no bytes: clean() it")
        return self._tokenizer.encode(text)


def _tokenizers():
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "byte pairs need the tokenizers package: pip install 'lstm_lib[text]'",
            name="tokenizers",
        ) from error
    return tokenizers
