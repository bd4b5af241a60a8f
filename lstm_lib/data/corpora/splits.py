"""Divide records so that nothing in the test part can be known from the training part.

Records that belong together, as all sentences about one film do, go to the same part. Which
part that is depends on a hash of the group's name and on nothing else: not on the order of
the records, not on a seed, and not on what other records there are.
"""

import hashlib
from typing import Any, NamedTuple

__all__ = ["Split", "deal", "hashed", "linked", "part_of", "stratified"]


class Split(NamedTuple):
    """Three parts that share no group: ``train``, ``valid`` and ``test``.

    Each is a tuple of records, or one string of running text.
    """

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

    Returns
    -------
    int

    Examples
    --------
    >>> [part_of(film) for film in ("Brazil", "Casablanca", "Dune")]
    [0, 0, 1]
    """
    number = hashed(group)
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
        Three tuples of records, mixed by the hashes of their places, so that the first
        hundred of a part are a fair sample of it.

    Examples
    --------
    >>> split = deal(range(8), [str(n // 2) for n in range(8)], test=0.3)
    >>> split
    Split(train: 6, valid: 0, test: 2)
    >>> split.train
    (6, 2, 0, 3, 7, 1)
    """
    parts = ([], [], [])
    places = {group: part_of(group, valid, test) for group in groups}
    pairs = list(zip(groups, records, strict=True))
    for n in sorted(range(len(pairs)), key=hashed):
        group, record = pairs[n]
        parts[places[group]].append(record)
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


def stratified(records, labels, valid=0.1, test=0.1):
    """Divide records of many classes so that every class has its share of every part.

    For records that belong to no group, or whose groups are not known. Within a class the
    order is that of the hashes of the records' places.

    Parameters
    ----------
    records : sequence of length N
    labels : sequence of length N
        The class of every record.
    valid, test : float
        Their shares of each class, rounded.

    Returns
    -------
    Split
        Three tuples of records, the classes mixed.

    Examples
    --------
    >>> stratified(range(30), [0] * 10 + [1] * 20, valid=0.1, test=0.2)
    Split(train: 21, valid: 3, test: 6)
    """
    members = {}
    for place in sorted(range(len(records)), key=hashed):
        members.setdefault(labels[place], []).append(place)
    parts = ([], [], [])
    for places in members.values():
        last, middle = (round(len(places) * share) for share in (test, test + valid))
        parts[2].extend(places[:last])
        parts[1].extend(places[last:middle])
        parts[0].extend(places[middle:])
    return Split(*(tuple(records[n] for n in sorted(part, key=hashed)) for part in parts))


def hashed(name):
    """Return a number in [0, 1) that is as good as random and always the same for a name.

    Parameters
    ----------
    name : object
        Hashed as ``str(name)``.

    Returns
    -------
    float

    Examples
    --------
    >>> [round(hashed(film), 3) for film in ("Brazil", "Dune", "Dune")]
    [0.515, 0.189, 0.189]
    """
    digest = hashlib.blake2b(str(name).encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
