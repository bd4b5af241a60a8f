"""Splits: nothing by which the test part could be known lies in another part."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.data import corpora
from lstm_lib.data.corpora.splits import deal, linked, part_of, stratified

names = st.text("abcdef", min_size=1, max_size=3)


@given(st.lists(names, max_size=40))
def test_groups_stay_together_and_nothing_is_lost(groups):
    split = deal(range(len(groups)), groups, valid=0.3, test=0.3)
    assert sorted(n for part in split for n in part) == list(range(len(groups)))
    found = [{groups[n] for n in part} for part in split]
    assert not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])


@given(st.lists(names, min_size=1, max_size=20))
def test_the_part_of_a_group_does_not_depend_on_the_others(groups):
    whole, alone = deal(groups, groups), deal(groups[:1], groups[:1])
    part = next(n for n in range(3) if alone[n])
    assert groups[0] in whole[part] and part == part_of(groups[0])


def test_shares_are_as_asked_for():
    parts = [part_of(n, valid=0.2, test=0.3) for n in range(4000)]
    assert [parts.count(n) / 4000 for n in (1, 2)] == pytest.approx([0.2, 0.3], abs=0.02)


@settings(max_examples=50)
@given(st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=1, max_size=3), min_size=1))
def test_linked_is_the_finest_grouping_without_a_shared_key(keys):
    groups = linked(keys)
    for a, group in zip(keys, groups, strict=True):
        assert {other for b, other in zip(keys, groups, strict=True) if a & b} == {group}
        together = [b for b, other in zip(keys, groups, strict=True) if other == group]
        reached = set(a)
        for _ in together:
            reached |= {key for b in together if b & reached for key in b}
        assert reached == set().union(*together), "a chain leads to every member"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_stratified_gives_every_class_its_share(labels):
    split = stratified(range(len(labels)), labels, valid=0.2, test=0.2)
    assert sorted(n for part in split for n in part) == list(range(len(labels)))
    for label in set(labels):
        sizes = [sum(labels[n] == label for n in part) for part in split]
        assert sizes[2] == round(0.2 * sum(sizes)) and sizes[1] + sizes[2] == round(
            0.4 * sum(sizes)
        )


def test_a_split_says_how_large_it_is():
    assert repr(corpora.Split((1, 2), (), "abc")) == "Split(train: 2, valid: 0, test: 3)"


def words(text):
    return re.sub(r"\W+", " ", text.lower()).strip()


def lines_of(poem):
    return {line[:7] for line in poem.lines}


def pieces_of(stretch):
    return {stretch.bases[n : n + 20] for n in range(41)}


def pieces_of_both_strands(window):
    pieces = pieces_of(window)
    complement = str.maketrans("ACGT", "TGCA")
    return pieces | {piece.translate(complement)[::-1] for piece in pieces}


def same_but_for_tone_and_sex(pair):
    source = pair.source.lower()
    if pair.origin == "emoji":
        source = re.sub(r"(medium-)?(light|dark|medium) skin tone", "", source)
        source = re.sub(r"\b(wo)?m[ae]n\b|\bperson\b|\bpeople\b|\b(boy|girl)\b", "*", source)
    return {("source", " ".join(source.split())), ("target", pair.target.lower())}


def intervals_of(chorale):
    pitches = [int(pitch) for pitch, _ in chorale.voices[0] if pitch]
    steps = [b - a for a, b in zip(pitches, pitches[1:], strict=False)]
    return {tuple(steps[n : n + 12]) for n in range(len(steps) - 11)}


def notes_of(tune):
    notes = re.sub(r"\{[^}]*\}|[^a-g]", "", tune.body.lower())
    return {notes[n : n + 20] for n in range(len(notes) - 19)}


def texts_of(pair):
    return {("name", pair.name), ("body", pair.body), ("summary", pair.summary)}


KEYS = {
    "translations to French": (lambda: corpora.translations("fr"), same_but_for_tone_and_sex),
    "translations to Chinese": (lambda: corpora.translations("zh"), same_but_for_tone_and_sex),
    "human_dates, day": (lambda: corpora.human_dates(2000), lambda dated: {dated.iso}),
    "chorales, melody": (corpora.chorales, intervals_of),
    "folk_tunes, notes": (corpora.folk_tunes, notes_of),
    "docstrings, texts and name": (lambda: corpora.docstrings("numpy"), texts_of),
    "named_characters, sign": (corpora.named_characters, lambda one: {one.sign}),
    "reviews, film": (corpora.reviews, lambda review: {review.film}),
    "reviews, words": (corpora.reviews, lambda review: {words(review.text)}),
    "splice_sites, 20 bases": (corpora.splice_sites, pieces_of),
    "genome_windows, 20 bases": (corpora.genome_windows, pieces_of_both_strands),
    "tang_poems, line": (corpora.tang_poems, lines_of),
    "pronunciations, word": (corpora.pronunciations, lambda word: {word.spelling}),
    "shakespeare, play": (corpora.shakespeare, lambda play: {play.title}),
    "mnist_digits, picture": (corpora.mnist_digits, lambda digit: {digit.image.tobytes()}),
    "small_digits, picture": (corpora.small_digits, lambda digit: {digit.image.tobytes()}),
    "pen_digits, trace": (corpora.pen_digits, lambda trace: {trace.points.tobytes()}),
    "hand_movements, curve": (corpora.hand_movements, lambda trace: {trace.points.tobytes()}),
    "japanese_vowels, sound": (corpora.japanese_vowels, lambda one: {one.values.tobytes()}),
}


@pytest.mark.parametrize("name", KEYS)
def test_parts_share_nothing(name):
    load, keys_of = KEYS[name]
    train, valid, test = (set().union(*map(keys_of, part)) for part in load())
    assert train and valid and test
    assert not train & test and not train & valid and not valid & test


def test_every_split_is_proven():
    """What is not in KEYS is divided by time or place, or by its archive, or not at all."""
    by_order = {
        "airline", "classic", "electricity", "glucose", "grocery_baskets", "heartbeats", "laser",
        "sea_temperature", "stocks_daily", "stocks_monthly", "weather",
    }  # fmt: skip
    others = {"hershey_fonts", "ucr_archive"}
    proven = {re.match(r"\w+", name)[0] for name in KEYS}
    assert proven | by_order | others == set(corpora.CATALOGUE)
