"""Symbols and their numbers: characters or words, with symbols for padding and the unknown."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from lstm_lib.files import write_atomically
from lstm_lib.validation import positive_int

_ROLES = ("pad", "unk", "bos", "eos")
_FORMAT = "lstm_lib vocabulary 1"


class Vocabulary:
    """A two-way table of symbols and integers 0, 1, 2, ...

    A symbol is a string: a character, a word, a note. Four special symbols may be added,
    each with a role. They come first, in the order padding, unknown, begin, end, so
    padding, if there is one, is 0.

    Parameters
    ----------
    symbols : iterable of str
        Ordinary symbols in the order of their numbers, each once.
    pad, unk, bos, eos : str, optional
        Names of the symbols for padding, for what the table lacks, and for the begin and
        the end of a sequence. None (default) means the vocabulary has no such symbol.

    Attributes
    ----------
    symbols : tuple of str
        All symbols, special ones first; the number of a symbol is its place.
    specials : dict of str to str
        The special symbols by role.

    Raises
    ------
    TypeError
        If a symbol is not a string.
    ValueError
        If a symbol is empty or stands twice, or there is none.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_symbols("hello", pad="<pad>")
    >>> vocabulary.symbols
    ('<pad>', 'l', 'e', 'h', 'o')
    >>> vocabulary.encode("hole")
    array([3, 4, 1, 2])
    >>> "".join(vocabulary.decode([3, 4, 1, 2]))
    'hole'
    >>> vocabulary.encode("help")
    Traceback (most recent call last):
        ...
    ValueError: symbol 'p' at position 3 is not among the 5 of the vocabulary, which has no unk
    """

    def __init__(self, symbols, *, pad=None, unk=None, bos=None, eos=None):
        given = zip(_ROLES, (pad, unk, bos, eos), strict=True)
        self.specials = {role: symbol for role, symbol in given if symbol is not None}
        self.symbols = (*self.specials.values(), *symbols)
        if not self.symbols:
            raise ValueError("a vocabulary needs at least one symbol, got none")
        for symbol in self.symbols:
            if not isinstance(symbol, str):
                raise TypeError(
                    f"every symbol must be a str, got {symbol!r} of type {type(symbol).__name__}"
                )
        if "" in self.symbols:
            raise ValueError("the empty string is no symbol")
        self._ids = {symbol: number for number, symbol in enumerate(self.symbols)}
        if len(self._ids) < len(self.symbols):
            twice = Counter(self.symbols).most_common(1)[0][0]
            raise ValueError(f"symbol {twice!r} stands more than once")

    @classmethod
    def from_symbols(cls, symbols, *, min_count=1, max_size=None, **specials):
        """Build a vocabulary from a text: each symbol that occurs often enough.

        Build it from the training part alone. The most frequent symbol comes first; equals
        stand in the order of their code points, so the same text gives the same numbers.

        Parameters
        ----------
        symbols : str or iterable of str
            Every item is a symbol: a string gives a vocabulary of characters, ``words(text)``
            one of words.
        min_count : int
            How often a symbol has to occur.
        max_size : int, optional
            The largest size, special symbols included.
        **specials : str
            `pad`, `unk`, `bos` and `eos`, as for the class.

        Returns
        -------
        Vocabulary

        Raises
        ------
        ValueError
            If no symbol is left, or `max_size` has no room for one.

        Examples
        --------
        >>> text = ["the", "cat", "saw", "the", "cat", "the"]
        >>> Vocabulary.from_symbols(text, min_count=2, unk="<unk>")
        Vocabulary of 3: '<unk>', 'the', 'cat'
        """
        min_count = positive_int("min_count", min_count)
        reserved = {symbol for symbol in specials.values() if symbol is not None}
        counts = Counter(symbol for symbol in symbols if symbol not in reserved)
        kept = [symbol for symbol, count in counts.items() if count >= min_count]
        if not kept:
            raise ValueError(f"no symbol occurs {min_count} time(s): the vocabulary would be empty")
        kept.sort(key=lambda symbol: (-counts[symbol], symbol))
        if max_size is not None:
            room = positive_int("max_size", max_size) - len(reserved)
            if room < 1:
                raise ValueError(
                    f"max_size must be above the number of special symbols {len(reserved)}, "
                    f"got {max_size}"
                )
            kept = kept[:room]
        return cls(kept, **specials)

    @property
    def pad_id(self):
        """Number of the padding symbol, or None."""
        return self._ids.get(self.specials.get("pad"))

    @property
    def unk_id(self):
        """Number of the symbol for unknown ones, or None."""
        return self._ids.get(self.specials.get("unk"))

    @property
    def bos_id(self):
        """Number of the symbol for the begin of a sequence, or None."""
        return self._ids.get(self.specials.get("bos"))

    @property
    def eos_id(self):
        """Number of the symbol for the end of a sequence, or None."""
        return self._ids.get(self.specials.get("eos"))

    def __len__(self):
        return len(self.symbols)

    def __contains__(self, symbol):
        return symbol in self._ids

    def __getitem__(self, symbol):
        """Return the number of one symbol; KeyError where the vocabulary lacks it."""
        return self._ids[symbol]

    def __eq__(self, other):
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.symbols, self.specials) == (other.symbols, other.specials)

    __hash__ = None

    def __repr__(self):
        shown = ", ".join(map(repr, self.symbols[:6]))
        return f"Vocabulary of {len(self)}: {shown}{', ...' if len(self) > 6 else ''}"

    def encode(self, symbols, *, bos=False, eos=False):
        """Turn symbols into their numbers.

        Parameters
        ----------
        symbols : str or iterable of str
            Every item is a symbol. A string is read by its characters.
        bos, eos : bool
            Put the symbol for the begin before, that for the end behind.

        Returns
        -------
        ndarray of int64, shape (T,)

        Raises
        ------
        ValueError
            If a symbol is unknown and the vocabulary has no `unk`, with its position; if
            `bos` or `eos` is asked for and the vocabulary has none.
        """
        unknown = self.unk_id
        numbers = [self._special("bos")] if bos else []
        for position, symbol in enumerate(symbols):
            number = self._ids.get(symbol, unknown)
            if number is None:
                raise ValueError(
                    f"symbol {symbol!r} at position {position} is not among the {len(self)} "
                    "of the vocabulary, which has no unk"
                )
            numbers.append(number)
        if eos:
            numbers.append(self._special("eos"))
        return np.array(numbers, dtype=np.int64)

    def decode(self, ids, *, specials=True):
        """Turn numbers into the list of their symbols.

        Parameters
        ----------
        ids : array_like of int, shape (T,)
        specials : bool
            False leaves out padding and begin, and ends before the first end symbol.

        Returns
        -------
        list of str
            For characters, ``"".join`` makes it a text again.

        Raises
        ------
        TypeError
            If the numbers are not integers.
        ValueError
            If they are not of shape (T,), or one is no number of this vocabulary.

        Examples
        --------
        >>> vocabulary = Vocabulary("ab", pad="<pad>", eos="<eos>")
        >>> vocabulary.decode([2, 3, 1, 0])
        ['a', 'b', '<eos>', '<pad>']
        >>> vocabulary.decode([2, 3, 1, 0], specials=False)
        ['a', 'b']
        """
        numbers = np.asarray(ids)
        if numbers.ndim != 1:
            raise ValueError(f"ids must have shape (T,), got {numbers.shape}")
        if numbers.size and numbers.dtype.kind not in "iu":
            raise TypeError(f"ids must be integers, got dtype {numbers.dtype}")
        numbers = numbers.tolist()
        for number in numbers:
            if not 0 <= number < len(self):
                raise ValueError(f"ids must lie between 0 and {len(self) - 1}, got {number}")
        if not specials:
            if self.eos_id in numbers:
                numbers = numbers[: numbers.index(self.eos_id)]
            numbers = [n for n in numbers if n not in (self.pad_id, self.bos_id)]
        return [self.symbols[number] for number in numbers]

    def save(self, path):
        """Write the vocabulary to a JSON file, whole or not at all.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "characters.json"
        >>> Vocabulary("ab").save(path)
        >>> Vocabulary.load(path) == Vocabulary("ab")
        True
        """
        ordinary = self.symbols[len(self.specials) :]
        content = {"format": _FORMAT, "specials": self.specials, "symbols": ordinary}
        write_atomically(path, json.dumps(content, indent=1).encode("ascii"))

    @classmethod
    def load(cls, path):
        """Read a vocabulary that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a whole vocabulary.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no vocabulary at {path}")
        try:
            content = json.loads(path.read_bytes())
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}")
            return cls(content["symbols"], **content["specials"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path} is not a whole vocabulary ({type(error).__name__}: {error})"
            ) from error

    def _special(self, role):
        if role not in self.specials:
            raise ValueError(f"the vocabulary has no {role}: build it with {role}='<{role}>'")
        return self._ids[self.specials[role]]
