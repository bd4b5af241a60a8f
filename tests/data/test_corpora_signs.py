"""Poems, strokes and pronunciations: what is in them, and what was left out."""

import re
from collections import Counter

import numpy as np
import pytest

from lstm_lib.data import corpora


def together(split):
    return [record for part in split for record in part]


def test_tang_poems():
    found = together(corpora.tang_poems())
    assert len(found) == 7328 and len({poem.author for poem in found}) == 637
    assert len(found) + 5 + 52 + 38 == 7423, "what the docstring leaves out"
    assert {len(poem.lines) for poem in found} == {8}
    assert {len(line) for poem in found for line in poem.lines} == {8}
    signs = Counter(character for poem in found for line in poem.lines for character in line)
    assert len(signs) == 4967 and "□" not in signs
    assert Counter(poem.author for poem in found).most_common(1) == [("白居易", 563)]
    first = next(poem for poem in found if poem.author == "楊虞卿")
    assert first.title == "過小妓英英墓" and first.lines[0] == "蕭晨騎馬出皇都，"


def test_pronunciations():
    found = together(corpora.pronunciations())
    assert len(found) == 117_493 and sum(len(word.spoken) for word in found) == 125_855
    assert sum(2 <= len(word.spelling) <= 12 for word in found) == 114_591
    phonemes = {phoneme for word in found for way in word.spoken for phoneme in way}
    assert len(phonemes) == 69 and len({phoneme.rstrip("012") for phoneme in phonemes}) == 39
    words = {word.spelling: word.spoken for word in found}
    assert [" ".join(way) for way in words["tomato"]] == ["T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"]


def test_pen_digits():
    found = together(corpora.pen_digits())
    counts = [1143, 1143, 1144, 1055, 1144, 1055, 1056, 1142, 1055, 1055]
    assert np.bincount([trace.label for trace in found]).tolist() == counts
    points = np.stack([trace.points for trace in found])
    assert points.shape == (10992, 8, 2) and (points.min(), points.max()) == (0, 100)
    first = [[47, 100], [27, 81], [57, 37], [26, 0], [0, 23], [56, 53], [100, 90], [40, 98]]
    assert any(trace.points.tolist() == first and trace.label == 8 for trace in found)


def test_pen_digits_are_told_apart_by_their_nearest_neighbour():
    train, _, test = corpora.pen_digits()
    known = np.stack([trace.points.ravel() for trace in train])
    labels = np.array([trace.label for trace in train])
    asked = np.stack([trace.points.ravel() for trace in test])
    distances = (known**2).sum(axis=1) - 2 * asked @ known.T
    right = labels[distances.argmin(axis=1)] == [trace.label for trace in test]
    assert right.mean() > 0.98


def test_hand_movements():
    found = together(corpora.hand_movements())
    assert len(found) == 330 and {trace.points.shape for trace in found} == {(45, 2)}
    assert {trace.label for trace in found} == set(range(1, 16))
    assert {trace.label for trace in corpora.hand_movements().test} == set(range(1, 16))


def test_hershey_fonts():
    with pytest.raises(ValueError, match="got 'arial'") as error:
        corpora.hershey_fonts("arial")
    names = [part for part in str(error.value).split("'")[1::2] if part != "arial"]
    fonts = {name: corpora.hershey_fonts(name) for name in names}
    assert len(fonts) == 32 and sum(map(len, fonts.values())) == 3170
    letter = fonts["futural"]["L"]
    assert [stroke.tolist() for stroke in letter.strokes] == [[[4, 21], [4, 0]], [[4, 0], [16, 0]]]
    assert fonts["futural"][" "].strokes == ()
    with pytest.raises(TypeError):
        fonts["futural"]["L"] = None


def test_a_written_line():
    strokes = corpora.write("LL", "futural", rng=0, slant=0, wobble=0)
    lifted = np.flatnonzero(strokes[:, 2])
    assert strokes.shape == (8, 3) and lifted.tolist() == [1, 3, 5, 7]
    places = strokes[:, :2].cumsum(axis=0)
    scale = places[2, 1] / -21
    shown = (places / scale).round(6).tolist()
    assert shown[:4] == [[0, 0], [0, -21], [0, -21], [12, -21]]
    assert shown[4] == [corpora.hershey_fonts("futural")["L"].width, 0], "the next letter's place"


def test_no_two_lines_are_alike_but_each_can_be_repeated():
    one, same, other = (corpora.write("gates", rng=seed) for seed in (1, 1, 2))
    assert (one == same).all() and one.shape == other.shape and (one != other).any()
    assert (one[:, 2] == other[:, 2]).all(), "the strokes are the font's"


def test_points_that_no_curve_needs_can_be_left_out():
    exact = dict(slant=0, wobble=0)
    full = corpora.write("gates", rng=1, **exact)
    thin = corpora.write("gates", rng=1, tolerance=0.7, **exact)
    assert len(thin) < 0.75 * len(full) and thin[:, 2].sum() == full[:, 2].sum()
    size = np.exp(0.1 * np.random.default_rng(1).standard_normal(2)[1])
    places, kept = (strokes[:, :2].cumsum(axis=0) for strokes in (full, thin))
    assert {tuple(p) for p in kept.round(6)} <= {tuple(p) for p in places.round(6)}
    for line, stroke in zip(pieces(kept, thin), pieces(places, full), strict=True):
        assert line[[0, -1]] == pytest.approx(stroke[[0, -1]])
        steps = np.linspace(line[:-1], line[1:], 50).reshape(-1, 2)
        for place in stroke:
            assert np.hypot(*(steps - place).T).min() <= 0.75 * size


def pieces(places, strokes):
    """The places of every stroke."""
    return np.split(places, np.flatnonzero(strokes[:, 2])[:-1] + 1)


def test_a_tolerance_is_not_negative():
    with pytest.raises(ValueError, match="tolerance must be at least 0, got -1"):
        corpora.write("a", rng=0, tolerance=-1)


@pytest.mark.parametrize(("text", "said"), [("", "of characters"), ("a漢", "漢"), ("  ", "blanks")])
def test_what_cannot_be_written(text, said):
    with pytest.raises(ValueError, match=said):
        corpora.write(text, rng=0)


def test_relatives_share_a_family_and_a_stem_keeps_a_vowel():
    for relatives in (
        "walk walks walked walking walker walkers",
        "stop stopped stopping stops",
        "happy happily happiness happier",
        "final finals finalist finality finalize",
        "peterson peter peters petersen peterman",
    ):
        assert len({corpora.family(word) for word in relatives.split()}) == 1, relatives
    for word in ("string", "she", "spring", "is", "bed", "through", "strengths"):
        assert re.search("[aeiouy]", corpora.family(word)), word
    assert corpora.family("walker") != corpora.family("talker")
