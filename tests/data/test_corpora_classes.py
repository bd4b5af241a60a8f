"""Data sets to classify: the numbers that their docstrings state."""

from collections import Counter

import numpy as np
import pytest

from lstm_lib.data import corpora


def together(split):
    return [record for part in split for record in part]


def test_reviews():
    split = corpora.reviews()
    found = together(split)
    assert Counter(review.fresh for review in found) == {1: 7367, 0: 5382}
    assert len({review.film for review in found}) == 507
    assert [len({review.film for review in part}) for part in split] == [400, 58, 49]
    assert any(review.text == "Hollywood's answer to an air ball." for review in found)
    lengths = [len(review.text.split()) for review in found]
    assert np.mean(lengths) == pytest.approx(18.5, abs=0.2) and max(lengths) < 60
    assert not any("\n" in review.text for review in found)
    share = np.mean([review.fresh for review in split.test])
    assert 0.5 < share < 0.65, "the parts are alike"


def test_splice_sites():
    found = together(corpora.splice_sites())
    assert len(found) == 3004 and len({stretch.bases for stretch in found}) == 3004
    assert Counter(stretch.label for stretch in found) == {"N": 1653, "EI": 679, "IE": 672}
    letters = Counter("".join(stretch.bases for stretch in found))
    assert set(letters) == set("ACGTNDRS") and sum(letters[c] for c in "NDRS") == 60
    donors = [stretch.bases[30:32] for stretch in found if stretch.label == "EI"]
    assert Counter(donors)["GT"] / len(donors) > 0.97, "introns begin with GT"
    assert len({stretch.label for stretch in corpora.splice_sites().train[:20]}) == 3, "mixed"


def test_genome_windows():
    split = corpora.genome_windows()
    found = together(split)
    assert Counter(window.label for window in found) == {"coding": 3160, "non-coding": 3160}
    assert {len(window.bases) for window in found} == {60}
    assert set("".join(window.bases for window in found)) == set("ACGT")
    shares = {label: [] for label in ("coding", "non-coding")}
    for window in found:
        shares[window.label].append(sum(map(window.bases.count, "GC")) / 60)
    coding, other = map(np.mean, shares.values())
    assert coding > other + 0.03, "genes of this bacterium have more G and C"
    assert all(0.4 < np.mean([w.label == "coding" for w in part]) < 0.6 for part in split)


@pytest.mark.parametrize(("width", "said"), [(0, "positive integer, got 0"), (19, "at least 20")])
def test_width_of_genome_windows(width, said):
    with pytest.raises(ValueError, match=f"width must be {said}|a {said}"):
        corpora.genome_windows(width)


def test_heartbeats():
    data = corpora.heartbeats()
    assert data.values.shape == data.labels.shape == (7500,)
    assert data.values[:3].tolist() == [-0.195, -0.21, -0.21]
    assert (
        np.flatnonzero(data.labels)[[0, -1]].tolist() == [6936, 7287] and data.labels.sum() == 352
    )
    assert not data.labels[data.train].any() and not data.labels[data.valid].any()
    assert data.labels[data.test].sum() == 352
    assert data.train.stop == data.valid.start and data.valid.stop == data.test.start
    with pytest.raises(ValueError, match="read-only"):
        data.values[0] = 0


@pytest.mark.parametrize(
    ("name", "known", "test", "channels", "steps", "classes"),
    [
        ("ACSF1", 100, 100, 1, {1460}, 10),
        ("ArrowHead", 36, 175, 1, {251}, 3),
        ("BasicMotions", 40, 40, 6, {100}, 4),
        ("GunPoint", 50, 150, 1, {150}, 2),
        ("ItalyPowerDemand", 67, 1029, 1, {24}, 2),
        ("JapaneseVowels", 270, 370, 12, set(range(7, 30)) - {26}, 9),
        ("OSULeaf", 200, 242, 1, {427}, 6),
    ],
)
def test_archive(name, known, test, channels, steps, classes):
    split = corpora.ucr_archive(name)
    assert (len(split.train) + len(split.valid), len(split.test)) == (known, test)
    found = together(split)
    assert {series.values.shape[1] for series in found} == {channels}
    assert {len(series.values) for series in found} <= steps | {26}
    assert len({series.label for series in found}) == classes
    assert {series.label for series in split.valid} == {series.label for series in found}
    assert all(np.isfinite(series.values).all() for series in found)


def test_unknown_set_of_the_archive():
    with pytest.raises(ValueError, match="name must be one of 'ACSF1', .*; got 'Coffee'"):
        corpora.ucr_archive("Coffee")


def test_japanese_vowels():
    split = corpora.japanese_vowels()
    assert split is corpora.ucr_archive("JapaneseVowels")
    assert Counter(s.label for s in split.train) == {str(n): 24 for n in range(1, 10)}
    lengths = [len(series.values) for series in together(split)]
    assert (min(lengths), max(lengths)) == (7, 29)


@pytest.mark.parametrize(
    ("load", "size", "top", "counts"),
    [
        (corpora.mnist_digits, 28, 255, [500] * 10),
        (corpora.small_digits, 8, 16, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    ],
)
def test_digits(load, size, top, counts):
    found = together(load())
    assert np.bincount([digit.label for digit in found]).tolist() == counts
    images = np.stack([digit.image for digit in found])
    assert images.shape[1:] == (size, size) and (images.min(), images.max()) == (0, top)
    per_class = np.bincount([digit.label for digit in load().test], minlength=10)
    assert np.ptp(per_class) <= 1
    ones = np.mean([d.image.mean() for d in found if d.label == 1])
    zeros = np.mean([d.image.mean() for d in found if d.label == 0])
    assert ones < zeros, "a one takes less ink than a zero"
