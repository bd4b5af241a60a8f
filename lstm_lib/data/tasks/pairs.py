"""Sequence to sequence: as one stream, or with an encoder and a decoder."""

from lstm_lib.data.tasks.task import step_classes, symbol_task, texts_of
from lstm_lib.data.text import IGNORE_INDEX, Vocabulary, pad_sequences

END = "."


def pair_task(name, pairs, symbols, ask, solve, baselines, dtype, **extra):
    """Build a Task from pairs (source, target), as one stream for a single recurrent network.

    The input is the source and then the target less its last symbol; the target class is
    the next symbol wherever that belongs to the target, and ``IGNORE_INDEX`` while the
    source is read. So the network reads, and then says each symbol knowing those before.

    Parameters
    ----------
    symbols : str
        What sources and targets are made of, without the two that mark their ends.
    ask : str
        The symbol that ends every source and is nowhere else; ``"."`` ends every target.
    solve : callable
        From source to target: the oracle.
    """
    alphabet = f"{symbols}{ask}{END}"
    number = {symbol: k for k, symbol in enumerate(alphabet)}

    def classes(pairs, steps=None):
        silent = [[IGNORE_INDEX] * (len(source) - 1) for source, _ in pairs]
        said = [[number[c] for c in target] for _, target in pairs]
        return step_classes([a + b for a, b in zip(silent, said, strict=True)], steps)

    def oracle(x, lengths):
        sources = [t[: t.index(ask) + 1] for t in texts_of(x, lengths, alphabet)]
        return classes([(source, solve(source)) for source in sources], x.shape[1])

    return symbol_task(
        name,
        [source + target[:-1] for source, target in pairs],
        alphabet,
        classes(pairs),
        alphabet,
        dtype=dtype,
        oracle=oracle,
        texts=tuple(pairs),
        baselines=baselines,
        extra=extra,
    )


def encoder_decoder_arrays(task):
    """Return a sequence-to-sequence task as arrays for an encoder and a decoder.

    Parameters
    ----------
    task : Task
        One with pairs of strings in `texts`: `reversal`, `addition`, `programs`.

    Returns
    -------
    source : ndarray of int64, shape (N, S)
    source_lengths : ndarray of int64, shape (N,)
    target : ndarray of int64, shape (N, T)
        Between the begin symbol and the end symbol ``"."``. A decoder reads
        ``target[:, :-1]`` and is to say ``target[:, 1:]``.
    target_lengths : ndarray of int64, shape (N,)
        Begin and end included.
    vocabulary : Vocabulary
        Of both sides; padding is 0.

    Raises
    ------
    ValueError
        If the task is not made of pairs.

    Examples
    --------
    >>> from lstm_lib.data.tasks import reversal
    >>> task = reversal(1, 3, symbols=4, rng=0)
    >>> source, n, target, m, vocabulary = encoder_decoder_arrays(task)
    >>> task.texts[0], "".join(vocabulary.decode(source[0]))
    (('dcc>', 'ccd.'), 'dcc>')
    >>> vocabulary.decode(target[0])
    ['<bos>', 'c', 'c', 'd', '.']
    """
    if not task.texts or isinstance(task.texts[0], str):
        raise ValueError(f"task must have pairs of strings in texts; {task.name} has none")
    ordinary = [symbol for symbol in task.symbols if symbol != END]
    vocabulary = Vocabulary(ordinary, pad="<pad>", bos="<bos>", eos=END)
    sources = [vocabulary.encode(source) for source, _ in task.texts]
    targets = [vocabulary.encode(target, bos=True) for _, target in task.texts]
    return *pad_sequences(sources), *pad_sequences(targets), vocabulary
