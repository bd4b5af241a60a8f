"""Divide records so that nothing in the test part can be known from the training part.

Records that belong together, as all sentences about one film do, go to the same part. Which
part that is depends on a hash of the group's name and on nothing else: not on the order of
the records, not on a seed, and not on what other records there are.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Split", "deal", "linked", "part_of", "stratified"]


class Split(NamedTuple):
    """Three parts that share no group: ``train``, ``valid`` and ``test``."""

    train: Any
    valid: Any
    test: Any

    def __repr__(self):
        sizes = ", ".join(f"{name}: {len(part)}" for name, part in self._asdict().items())
        return f"Split({sizes})"


def part_of(group, valid=0.1, test=0.1):
    """Return the part, 0, 1 or 2, to which a group of records belongs.

    The hash of a name is a number between 0 and 1 that is as good as drawn at random: below
    `test` the group is in the test part, and below ``test + valid`` in the validation part.

    Parameters
    ----------
    group : str
        The group's name.
    valid, test : float
        Their expected shares of the groups.

    Examples
    --------
    >>> [part_of(film) for film in ("Brazil", "Casablanca", "Dune")]
    [0, 0, 1]
    """
    digest = hashlib.blake2b(str(group).encode("utf-8"), digest_size=8).digest()
    number = int.from_bytes(digest, "big") / 2**64
    return 2 if number < test else 1 if number < test + valid else 0


def deal(records, groups, valid=0.1, test=0.1):
    """Divide records into a `Split`, all records of one group into the same part.

    Parameters
    ----------
    records : sequence of length N
    groups : sequence of str, length N
        The group of every record.
    valid, test : float
        Their expected shares of the groups.

    Returns
    -------
    Split
        Three tuples of records, each in the order that the records had.

    Examples
    --------
    >>> deal(range(8), [str(n // 2) for n in range(8)], test=0.3)
    Split(train: 6, valid: 0, test: 2)
    """
    parts = ([], [], [])
    for record, group in zip(records, groups, strict=True):
        parts[part_of(group, valid, test)].append(record)
    return Split(*map(tuple, parts))


def linked(keys):
    """Name the groups that arise where records with a common key belong together.

    Parameters
    ----------
    keys : sequence of collections of str, length N
        The keys of every record. Two records are in one group if a chain of records leads
        from one to the other in which each shares a key with the next.

    Returns
    -------
    list of str, length N
        The group of every record, named by the smallest key in it.

    Examples
    --------
    >>> linked([{"a", "b"}, {"c"}, {"b", "d"}, {"e"}])
    ['a', 'c', 'a', 'e']
    """
    parent = {}

    def root(key):
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for group in keys:
        for key in group:
            parent.setdefault(key, key)
        first, *others = {root(key) for key in group}
        smallest = min(first, *others) if others else first
        for other in (first, *others):
            parent[other] = smallest
    return [root(next(iter(group))) for group in keys]


def stratified(labels, names, valid=0.1, test=0.1):
    """Divide the records of every class into parts of exact size, in the order of their hashes.

    Parameters
    ----------
    labels : array_like, shape (N,)
        The class of every record.
    names : sequence of str, length N
        What is hashed, one name for each record.
    valid, test : float
        Their shares of each class, rounded.

    Returns
    -------
    Split
        Three arrays of indices into the records.

    Examples
    --------
    >>> stratified([0] * 10 + [1] * 20, [str(n) for n in range(30)], valid=0.1, test=0.2)
    Split(train: 21, valid: 3, test: 6)
    """
    labels = np.asarray(labels)
    order = np.argsort([hashlib.blake2b(name.encode("utf-8")).hexdigest() for name in names])
    parts = ([], [], [])
    for label in np.unique(labels):
        members = order[labels[order] == label]
        last = round(len(members) * test)
        middle = round(len(members) * (test + valid))
        for part, chosen in enumerate((members[middle:], members[last:middle], members[:last])):
            parts[part].append(chosen)
    return Split(*(np.sort(np.concatenate(part)) for part in parts))
