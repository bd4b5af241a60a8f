"""Plays and books: every character there, and no part of a text on two sides."""

import pytest

from lstm_lib.data import corpora

GROUPS = {"comedies": 8, "histories": 11, "problems": 5, "roman": 4, "romances": 4, "tragedies": 6}


def test_all_of_shakespeare():
    plays = [play for part in corpora.shakespeare() for play in part]
    text = "".join(play.text for play in plays)
    assert len(plays) == 38 and len(text) == 4_957_312 and len(set(text)) == 80
    found = {group: sum(play.group == group for play in plays) for group in GROUPS}
    assert found == GROUPS
    assert "\nHAMLET\nTo be, or not to be: that is the question:\n" in text


@pytest.mark.parametrize("group", GROUPS)
def test_one_play_of_each_group_is_held_out_twice(group):
    split = corpora.shakespeare(group)
    assert [len(part) for part in split] == [GROUPS[group] - 2, 1, 1]
    titles = [play.title for part in split for play in part]
    assert len(set(titles)) == GROUPS[group]
    whole = {play.title: part for part in range(3) for play in corpora.shakespeare()[part]}
    assert all(whole[play.title] == part for part in range(3) for play in split[part])


def test_the_tragedies():
    split = corpora.shakespeare("tragedies")
    lengths = [sum(len(play.text) for play in part) for part in split]
    assert lengths == [619256, 108919, 100907] and sum(lengths) == 829082
    assert [play.title for play in split.test] == ["macbeth"]


@pytest.mark.parametrize(
    ("language", "length", "words"),
    [
        ("de", 199_556, "Habe nun, ach!  Philosophie"),
        ("en", 127_362, "MY DEAR BROTHER,--I can no longer refuse myself"),
        ("it", 532_000, "mi ritrovai per una selva oscura"),
    ],
)
def test_classics(language, length, words):
    split = corpora.classic(language)
    assert sum(map(len, split)) == pytest.approx(length, rel=0.002)
    assert words in split.train and "Gutenberg" not in "".join(split)
    assert all(part.endswith("\n") for part in split)
    assert [round(10 * len(part) / sum(map(len, split))) for part in split] == [8, 1, 1]


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="group must be one of 'comedies', .*; got 'tragedy'"):
        corpora.shakespeare("tragedy")
    with pytest.raises(ValueError, match="language must be one of 'de', 'en', 'it'; got 'cn'"):
        corpora.classic("cn")
