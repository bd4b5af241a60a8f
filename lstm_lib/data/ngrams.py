"""Counting as a language model: interpolated Kneser-Ney, the baseline for text.

Characters and words alike, given as integers. Everything is counted with arrays, so
a million characters of order 6 take a second or two.
"""

import numpy as np

from lstm_lib.validation import positive_int

__all__ = ["KneserNey", "KneserNeyTable"]

TABLE = 16  # entries a key: above, sorting takes less memory


class KneserNey:
    r"""An n-gram language model with interpolated Kneser-Ney smoothing.

    With the last :math:`n - 1` symbols :math:`h`, and :math:`h'` without the oldest of them,

    .. math::

        p_n(w \mid h) = \frac{\max(c_n(hw) - D_n, 0)}{c_n(h\,\cdot)}
        + \frac{D_n N_n(h\,\cdot)}{c_n(h\,\cdot)}\, p_{n-1}(w \mid h'),
        \qquad p_0(w) = \frac1V,

    where :math:`c_n(h\,\cdot) = \sum_w c_n(hw)` and :math:`N_n(h\,\cdot)` is the number of
    different :math:`w` seen after :math:`h`. At the highest order :math:`c` counts how often
    :math:`hw` occurs; at the lower ones after how many different symbols it does, and at the
    begin of a sequence, where nothing stands before, that counts as one more. A context never
    seen leaves the word to :math:`p_{n-1}`. The discount is
    :math:`D_n = n_1 / (n_1 + 2 n_2)` of the numbers of n-grams counted once and twice.

    So every symbol has a probability above 0, and for each context they sum to 1.

    Parameters
    ----------
    order : int
        n: a symbol is told from the n - 1 before it, or from as many as there are.
    size : int
        Size of the vocabulary V; symbols are 0 to V - 1.

    Attributes
    ----------
    discounts : list of float
        :math:`D_1, \dots, D_n` after `fit`; a half where no n-gram was counted once.

    Raises
    ------
    ValueError, TypeError
        If `order` or `size` is no positive integer.

    References
    ----------
    R. Kneser and H. Ney, "Improved backing-off for m-gram language modeling", ICASSP
    1995; S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for
    language modeling", Computer Speech and Language 13 (1999).

    Examples
    --------
    >>> text = np.array([0, 1, 2] * 20)
    >>> model = KneserNey(order=2, size=4).fit([text])
    >>> model.probabilities([0]).round(3)
    array([0.012, 0.98 , 0.005, 0.002])
    >>> bool(model.bits([text]) < 0.2)
    True
    >>> round(2 ** model.bits([text]), 2) == round(model.perplexity([text]), 2)
    True
    """

    def __init__(self, order, size):
        self.order, self.size = positive_int("order", order), positive_int("size", size)
        self.discounts = None
        self._without_counts = 1 / self.size

    def fit(self, sequences):
        """Count the n-grams of sequences of integers; give it the training part alone.

        Parameters
        ----------
        sequences : iterable of array_like of int, each of shape (T,)
            One long text is a list of one. No n-gram reaches from one into the next.

        Returns
        -------
        KneserNey
            Itself.

        Raises
        ------
        ValueError
            If there is no sequence, one is empty, a symbol is not among those of the
            vocabulary, or no sequence is as long as the order.
        TypeError
            If the symbols are not integers.
        """
        tokens, place = self._joined(sequences)
        if place.max() + 1 < self.order:
            raise ValueError(
                f"order must be at most {place.max() + 1}, the length of the longest sequence, "
                f"got {self.order}"
            )
        ids = np.zeros(len(tokens) + 1, np.int64)  # of the gram without symbols
        grams, ends = [], []
        for k in range(self.order):
            keys, found = self._keys(tokens, place, ids, k)
            of_order, number = _numbered(keys[found])
            ids = _ids_before(number, found)
            grams.append(of_order)
            ends.append(ids[1:])
        counts = [_different_before(ends[k], ends[k + 1], place == k) for k in range(len(ends) - 1)]
        counts.append(np.bincount(ends[-1][ends[-1] >= 0]))
        self._levels = [_Level(g, c, self.size) for g, c in zip(grams, counts, strict=True)]
        self.discounts = [level.discount for level in self._levels]
        return self

    def log2_probabilities(self, sequences):
        """Return the log2 of each symbol's probability given those before it in its sequence.

        Parameters
        ----------
        sequences : iterable of array_like of int, each of shape (T,)

        Returns
        -------
        ndarray, shape (sum of T,)
        """
        self._check_fitted()
        tokens, place = self._joined(sequences)
        probability = np.full(len(tokens), self._without_counts)
        ids = np.zeros(len(tokens) + 1, np.int64)
        for k, level in enumerate(self._levels):
            keys, possible = self._keys(tokens, place, ids, k)
            contexts = np.where(possible, ids[:-1], -1)
            probability = level.interpolate(contexts, keys, probability)
            number = level.number(keys)
            known = possible & (number >= 0)
            ids = _ids_before(number[known], known)
        return np.log2(probability)

    def probabilities(self, context=()):
        """Return the probability of every symbol after a context, shape (size,).

        Parameters
        ----------
        context : array_like of int, shape (T,)
            What stands before; the last ``order - 1`` symbols count. Shorter is allowed.
        """
        self._check_fitted()
        context = np.asarray(context)
        if context.size:
            context = self._joined([context])[0][max(0, context.size - self.order + 1) :]
        symbols = np.arange(self.size)
        probability = np.full(self.size, self._without_counts)
        for k in range(min(self.order, context.size + 1)):
            number = self._number(context[context.size - k :])
            keys, contexts = number * self.size + symbols, np.full(self.size, number)
            probability = self._levels[k].interpolate(contexts, keys, probability)
        return probability

    def bits(self, sequences):
        r"""Return the cross-entropy in bits a symbol, :math:`-\frac1T \sum_t \log_2 p(w_t)`."""
        return float(-self.log2_probabilities(sequences).mean())

    def perplexity(self, sequences):
        """Return 2 to the power of `bits`: among how many equal choices it felt like choosing."""
        return 2.0 ** self.bits(sequences)

    def _restrict(self, first):
        """Tell symbols from `first` on, which follow contexts of their own; the others are contexts."""
        for level in self._levels:
            level.tell(level.grams % self.size >= first)
        told = self._levels[0].counts
        self._levels[0].total, self._levels[0].kinds = np.array([[told.sum()], [(told > 0).sum()]])
        self._without_counts = 1 / (self.size - first)

    def _joined(self, sequences):
        """All symbols in one array, and each one's place within its sequence."""
        parts = [np.asarray(sequence) for sequence in sequences]
        if not parts:
            raise ValueError("sequences must hold at least one sequence, got none")
        for index, part in enumerate(parts):
            if part.ndim != 1 or part.size == 0:
                raise ValueError(
                    f"sequences[{index}] must have shape (T,) and not be empty, got {part.shape}"
                )
            if part.dtype.kind not in "iu":
                raise TypeError(f"sequences[{index}] must hold integers, got dtype {part.dtype}")
            if not (0 <= part.min() and part.max() < self.size):
                raise ValueError(
                    f"symbols must lie between 0 and {self.size - 1}, got {part.min()} to "
                    f"{part.max()} in sequences[{index}]"
                )
        tokens = np.concatenate(parts).astype(np.int64)
        return tokens, np.concatenate([np.arange(part.size) for part in parts])

    def _keys(self, tokens, place, ids, k):
        """For each step the key of the (k + 1)-gram that ends there, and whether there is one.

        ``ids[t]`` numbers the k-gram that ends before step t, -1 for none.
        """
        before = ids[:-1]
        return before * self.size + tokens, (place >= k) & (before >= 0)

    def _number(self, gram):
        """The number of a gram among those counted, -1 for none."""
        number = 0
        for level, symbol in zip(self._levels, gram, strict=False):
            if number >= 0:
                number = level.number(number * self.size + symbol)
        return int(number)

    def _check_fitted(self):
        if self.discounts is None:
            raise ValueError("KneserNey is not fitted: call fit(sequences) first")


class KneserNeyTable:
    r"""Kneser-Ney counts of a thing given others that need not be of its kind.

    An n-gram model tells a symbol from the symbols before it. Here each row of the data names what
    to tell it from, the least important first: a note's length from the length before it and its
    place in the bar, say. Where a combination
    is rare the first column is left out, then the second, and so on, as :class:`KneserNey` leaves
    out the oldest symbol.

    Parameters
    ----------
    sizes : sequence of int, length k
        How many values each column has; symbols of a column are 0 to its size - 1. The last column
        is what is told.

    Raises
    ------
    ValueError, TypeError
        If there is no column, or a size is no positive integer.

    References
    ----------
    J. A. Bilmes and K. Kirchhoff, "Factored language models and generalized parallel backoff",
    NAACL 2003, of which this is the case with a fixed order of backing off.

    Examples
    --------
    After rain (1) umbrellas (1) are common, whatever the day of the week:

    >>> weather = np.array([0, 1] * 21)
    >>> rows = np.stack([np.arange(42) % 7, weather, weather], axis=1)
    >>> table = KneserNeyTable([7, 2, 2]).fit(rows)
    >>> table.probabilities([3, 1]).round(2)
    array([0.01, 0.99])
    """

    def __init__(self, sizes):
        sizes = [positive_int("sizes", size) for size in sizes]
        if not sizes:
            raise ValueError("sizes must hold at least one number, that of what is told")
        self.sizes = np.array(sizes)
        self._starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
        self._counts = KneserNey(len(sizes), int(self.sizes.sum()))

    def fit(self, rows):
        """Count.

        Parameters
        ----------
        rows : array_like of int, shape (N, k)

        Returns
        -------
        KneserNeyTable
            Itself.

        Raises
        ------
        ValueError, TypeError
            If there is no row, or a number in it is not of its column.
        """
        self._counts.fit(list(self._checked(rows) + self._starts))
        self._counts._restrict(self._starts[-1])
        return self

    def log2_probabilities(self, rows):
        """Return the log2 of the probability of each row's last column given the others, shape (N,)."""
        rows = self._checked(rows) + self._starts
        return self._counts.log2_probabilities(list(rows)).reshape(rows.shape)[:, -1]

    def probabilities(self, context):
        """Return the probability of every value of the last column, shape (sizes[-1],).

        Parameters
        ----------
        context : array_like of int, shape (k - 1,)
        """
        row = self._checked([[*context, 0]])[0] + self._starts
        return self._counts.probabilities(row[:-1])[self._starts[-1] :]

    def _checked(self, rows):
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != len(self.sizes) or not len(rows):
            raise ValueError(f"rows must have shape (N, {len(self.sizes)}), got {rows.shape}")
        if rows.dtype.kind not in "iu":
            raise TypeError(f"rows must hold integers, got dtype {rows.dtype}")
        if (rows < 0).any() or (rows >= self.sizes).any():
            raise ValueError(f"columns must lie below {self.sizes.tolist()} and not below 0")
        return rows


class _Level:
    """The counts of one order, and the interpolation with the order below."""

    def __init__(self, grams, counts, size):
        contexts = grams // size
        self.grams, self.counts = grams, counts
        self.total, self.kinds = np.bincount(contexts, counts), np.bincount(contexts)
        self.discount = _discount(counts)

    def tell(self, told):
        """Take the discount from some of the grams, and give the others none of the counts."""
        self.counts = np.where(told, self.counts, 0)
        self.discount = _discount(self.counts)

    def number(self, keys):
        """The places of grams among those counted, -1 for none."""
        where = np.minimum(np.searchsorted(self.grams, keys), len(self.grams) - 1)
        return np.where(self.grams[where] == keys, where, -1)

    def interpolate(self, contexts, keys, lower):
        """Probabilities of the grams `keys` in `contexts`, given those of the order below."""
        number = self.number(keys)
        count = np.where(number >= 0, self.counts[number], 0)
        known = (contexts >= 0) & (contexts < len(self.total))
        contexts = np.where(known, contexts, 0)
        total = np.where(known, self.total[contexts], 0)
        kept = np.maximum(count - self.discount, 0) + self.discount * self.kinds[contexts] * lower
        return np.divide(kept, total, out=lower.copy(), where=total > 0)


def _discount(counts):
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    return float(once / (once + 2 * twice)) if once else 0.5


def _numbered(keys):
    """The different keys, sorted, and for every key its place among them.

    As ``np.unique``, but with a table in place of a sort where the largest key is small enough for one.
    """
    size = int(keys.max()) + 1
    if size > TABLE * len(keys):
        return np.unique(keys, return_inverse=True)
    table = np.zeros(size, np.int32)
    table[keys] = 1
    different = np.flatnonzero(table)
    table[different] = np.arange(len(different))
    return different, table[keys].astype(np.int64)


def _ids_before(number, found):
    """Numbers of the grams that end before each step, from those that end at the found ones."""
    ids = np.full(len(found) + 1, -1)
    ids[1:][found] = number
    return ids


def _different_before(ends, longer, begins):
    """For each gram how many different symbols stand before it, the begin being one of them.

    `ends` and `longer` number the grams of an order and of the next that end at each step,
    and `begins` says where a gram of this order begins its sequence.
    """
    found = np.flatnonzero(longer >= 0)
    somewhere = np.zeros(longer.max() + 1, np.int64)
    somewhere[longer[found]] = found
    counts = np.bincount(ends[somewhere], minlength=ends.max() + 1)
    counts[np.unique(ends[begins])] += 1
    return counts
