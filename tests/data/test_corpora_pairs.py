"""Translations, dates, summaries, captions and music: the numbers their docstrings state."""

import datetime
from collections import Counter

import numpy as np
import pytest

from lstm_lib.data import corpora


def together(split):
    return [record for part in split for record in part]


@pytest.mark.parametrize(
    ("language", "count", "emoji", "example"),
    [
        ("fr", 7731, 3619, {"broken heart": "cœur brisé", "Germany": "Allemagne"}),
        ("zh", 8162, 3702, {"broken heart": "心碎", "Germany": "德国"}),
    ],
)
def test_translations(language, count, emoji, example):
    found = together(corpora.translations(language))
    assert len(found) == len(set(found)) == count
    origins = Counter(pair.origin for pair in found)
    assert origins["emoji"] == emoji and origins["interface"] > 3000
    assert set(origins) == {
        "emoji", "interface", "territories", "languages", "scripts", "currencies",
    }  # fmt: skip
    assert example.items() <= {pair.source: pair.target for pair in found}.items()
    assert all(pair.source and pair.target for pair in found)
    tones = sum("skin tone" in pair.source for pair in found)
    assert tones / emoji > 0.5, "half are one picture in several tones"


def test_languages_without_translations():
    with pytest.raises(ValueError, match="language must be one of 'fr', 'zh'; got 'de'"):
        corpora.translations("de")


def test_human_dates():
    split = corpora.human_dates(2000)
    found = together(split)
    assert len(found) == 2000 and len({dated.locale for dated in found}) == 14
    for dated in found:
        date = datetime.date.fromisoformat(dated.iso)
        assert 1900 <= date.year <= 2099 and str(date.year) in dated.text
        assert str(date.day) in dated.text and dated.text == " ".join(dated.text.split())
    assert together(corpora.human_dates(2000, seed=1)) != found
    readings = {}
    for dated in together(corpora.human_dates(20_000, seed=2)):
        readings.setdefault((dated.text, dated.locale), set()).add(dated.iso)
    assert all(len(dates) == 1 for dates in readings.values())


def test_docstrings():
    found = together(corpora.docstrings("numpy"))
    assert len(found) > 300 and len(set(found)) == len(found)
    assert all(10 <= len(pair.body.split()) <= 120 for pair in found)
    assert all(3 <= len(pair.summary.split()) <= 20 for pair in found)
    text = " ".join(pair.body for pair in found)
    assert "Parameters -----" not in text and ">>>" not in text


def test_named_characters():
    found = together(corpora.named_characters())
    assert len(found) == 6494 and sum(len(one.fonts) for one in found) == 45_715
    assert np.mean([len(one.name) for one in found]) == pytest.approx(4.5, abs=0.01)
    names = {one.sign: " ".join(one.name) for one in found}
    assert names["☃"] == "snowman" and " " not in names and len(set(names.values())) == 6494


def test_drawn_characters():
    bar = corpora.draw_character("|")
    assert bar.shape == (32, 32) and bar.dtype == np.uint8
    middle = np.average(np.arange(32), weights=bar.sum(axis=0))
    assert middle == pytest.approx(15.5, abs=1)
    assert (bar != corpora.draw_character("|", "DejaVuSans-Bold")).any()
    assert corpora.draw_character("W", size=20).shape == (20, 20)
    for wrong in ("", "ab"):
        with pytest.raises(ValueError, match="sign must be one character"):
            corpora.draw_character(wrong)
    with pytest.raises(ValueError, match="font must be one of 'DejaVuSans-Bold', .*got 'Arial'"):
        corpora.draw_character("a", "Arial")


def test_canvases():
    digits = corpora.mnist_digits().valid
    made = corpora.canvases(digits, 300, rng=0)
    assert {canvas.image.shape for canvas in made} == {(42, 98)}
    lengths = np.bincount([len(canvas.words) for canvas in made], minlength=4)
    assert lengths[0] == 0 and lengths[1:].min() > 70
    words = {word for canvas in made for word in canvas.words}
    assert words == set("zero one two three four five six seven eight nine".split())
    one = next(canvas for canvas in made if len(canvas.words) == 1)
    assert any(digit.image.sum() == one.image.sum() for digit in digits), "nothing is cut off"
    again = corpora.canvases(digits, 300, rng=0)
    assert all((a.image == b.image).all() for a, b in zip(made, again, strict=True))
    with pytest.raises(ValueError, match="digits must not be empty"):
        corpora.canvases([], 1, rng=0)
    with pytest.raises(ValueError, match="count must be a positive integer"):
        corpora.canvases(digits, 0, rng=0)


def test_a_wider_canvas_leaves_digits_more_places():
    digits = corpora.small_digits().valid
    made = corpora.canvases(digits, 300, rng=0, most=2, width=48)
    assert {canvas.image.shape for canvas in made} == {(12, 48)}
    pairs = [canvas.corners for canvas in made if len(canvas.words) == 2]
    (_, first), (_, second) = np.transpose(pairs, (1, 2, 0))
    assert first.min() == 0 and first.max() > 24 and second.max() == 40
    assert (second - first).min() >= 8
    with pytest.raises(ValueError, match="room for 2 digits of 8 columns; got 15"):
        corpora.canvases(digits, 1, rng=0, most=2, width=15)


def test_digits_stand_whole_and_in_the_order_of_their_words():
    names = "zero one two three four five six seven eight nine".split()
    shades = [corpora.Digit(np.full((4, 4), 10 + n, dtype=np.uint8), n) for n in range(10)]
    for canvas in corpora.canvases(shades, 200, rng=0, most=4):
        assert (canvas.image > 0).sum() == 16 * len(canvas.words)
        tops = canvas.image.max(axis=0)
        seen = tops[tops > 0].reshape(-1, 4)
        assert (seen == seen[:, :1]).all()
        assert tuple(names[shade - 10] for shade in seen[:, 0]) == canvas.words
        for word, (top, left) in zip(canvas.words, canvas.corners, strict=True):
            digit = canvas.image[top : top + 4, left : left + 4]
            assert (digit == 10 + names.index(word)).all()


def test_chorales():
    found = together(corpora.chorales())
    assert len(found) == 364 and {len(chorale.voices) for chorale in found} == {4}
    assert sum(len(voice) for chorale in found for voice in chorale.voices) == 85_519
    assert Counter(chorale.mode for chorale in found) == {"major": 186, "minor": 178}
    first = next(chorale for chorale in found if chorale.name == "bwv269")
    assert (first.fifths, first.beats) == (1, "3/4")
    assert first.voices[0][:3].tolist() == [[67, 8], [67, 16], [74, 8]], "G4 G4 D5"
    for chorale in found:
        assert len({int(voice[:, 1].sum()) for voice in chorale.voices}) == 1
        assert all((voice[:, 1] > 0).all() for voice in chorale.voices)
    assert (first.bar, first.upbeat, first.fermatas[:2]) == (24, 8, (9, 15)), (
        "an upbeat of a quarter"
    )
    without = [chorale.name for chorale in found if not chorale.fermatas]
    assert len(without) == 1 and sum(len(chorale.fermatas) for chorale in found) == 2258
    ends = [(c.voices[0][k], c) for c in found for k in c.fermatas]
    assert all(note[0] > 0 for note, _ in ends), "nobody holds a rest"
    pitches = [np.concatenate([c.voices[n][:, 0] for c in found]) for n in range(4)]
    means = [voice[voice > 0].mean() for voice in pitches]
    assert means == sorted(means, reverse=True), "soprano above alto above tenor above bass"


def test_piano_roll():
    chorale = corpora.chorales().train[0]
    roll = corpora.piano_roll(chorale)
    assert roll.shape == (chorale.voices[0][:, 1].sum() // 2, 4)
    assert roll[0].tolist() == [voice[0, 0] for voice in chorale.voices]
    whole = corpora.piano_roll(chorale, step=1)
    assert (whole[::2] == roll).all()
    pitch, length = chorale.voices[2][0]
    assert (whole[:length, 2] == pitch).all()


def test_folk_tunes():
    found = together(corpora.folk_tunes())
    assert Counter(tune.book for tune in found) == {"O'Neill": 2009, "Ryan": 1059}
    assert sum(len(tune.abc) for tune in found) == 749_848
    tunes = {tune.title: tune for tune in found}
    tune = tunes["If All the Young Ladies"]
    assert tune.abc.startswith("M:3/4\nL:1/8\nK:A\n(cd) | e2 A2 A2 | A2 G2 A2 |")
    assert not any(set(tune.body) & set('"\\!~') for tune in found)
    assert all(tune.body and tune.metre and tune.key for tune in found)
