"""lstm_lib.music: the files hold the notes, the page holds the files, and the same notes give the same bytes."""

import base64
import hashlib
import html
import io
import re
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib import music

MELODIES = st.lists(
    st.tuples(st.sampled_from([0, 48, 60, 69, 84]), st.integers(1, 40)), min_size=1, max_size=12
)
ALT = "Two notes and a rest, played one after the other."


def read_midi(file):
    """Notes as (pitch, begin, end), quarters a minute and ticks a quarter, read by the specification alone."""
    data = io.BytesIO(file)

    def number(count):
        return int.from_bytes(data.read(count), "big")

    def variable():
        value, byte = 0, 0x80
        while byte & 0x80:
            byte = number(1)
            value = value << 7 | byte & 0x7F
        return value

    assert data.read(4) == b"MThd" and number(4) == 6
    assert (number(2), number(2)) == (0, 1), "format 0, one track"
    ticks = number(2)
    assert data.read(4) == b"MTrk"
    assert number(4) == len(file) - data.tell(), "the length of the track"
    now, begun, notes, tempo = 0, {}, [], None
    while True:
        now += variable()
        status = number(1)
        if status == 0xFF:
            kind, content = number(1), data.read(variable())
            if kind == 0x51:
                tempo = 60_000_000 / int.from_bytes(content, "big")
            if kind == 0x2F:
                assert not data.read() and not begun, "nothing behind the end, nothing still sounds"
                return notes, tempo, ticks
        elif status == 0xC0:
            assert number(1) < 128
        else:
            pitch, strength = number(1), number(1)
            assert status in (0x80, 0x90) and strength < 128
            if status == 0x90:
                begun[pitch] = now
            else:
                notes.append((pitch, begun.pop(pitch), now))


@settings(max_examples=50)
@given(MELODIES, st.integers(40, 200))
def test_a_midi_file_holds_the_notes(melody, tempo):
    notes, read_tempo, ticks = read_midi(music.to_midi(melody, tempo))
    ends = np.cumsum([length for _, length in melody]).tolist()
    wanted = [
        (pitch, end - length, end)
        for (pitch, length), end in zip(melody, ends, strict=True)
        if pitch
    ]
    assert notes == wanted
    assert ticks == 8 and read_tempo == pytest.approx(tempo, rel=1e-4)


def test_a_long_rest_takes_several_bytes():
    assert read_midi(music.to_midi([[60, 8], [0, 20_000], [62, 8]]))[0][1] == (62, 20_008, 20_016)


def samples(file):
    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 1)
        data = sound.readframes(sound.getnframes())
        return sound.getframerate(), np.frombuffer(data, np.uint8).astype(int) - 128


@pytest.mark.parametrize("pitch", [57, 60, 69, 81])
def test_a_note_sounds_at_its_pitch(pitch):
    rate, sound = samples(music.to_wav([[pitch, 16]], tempo=60))
    assert len(sound) == 2 * rate
    loudest = np.abs(np.fft.rfft(sound)).argmax() / 2
    assert loudest == pytest.approx(440 * 2 ** ((pitch - 69) / 12), abs=0.5)
    assert 90 <= np.abs(sound).max() <= 127, "loud, and never cut off"
    assert np.abs(sound[:2]).max() <= 2 and np.abs(sound[-2:]).max() <= 2, "no click"


@settings(max_examples=20)
@given(MELODIES)
def test_sound_lasts_as_long_as_the_notes_and_rests_are_silent(melody):
    rate, sound = samples(music.to_wav(melody, tempo=240))
    ends = [0, *np.cumsum([length for _, length in melody]) * 60 * rate // (8 * 240)]
    assert len(sound) == ends[-1]
    for (pitch, _), first, last in zip(melody, ends, ends[1:], strict=False):
        assert np.any(sound[first:last]) == bool(pitch)


def test_the_same_notes_give_the_same_bytes_everywhere():
    file = music.to_wav([[60, 8], [0, 4], [67, 12], [84, 4]])
    assert hashlib.sha256(file).hexdigest().startswith("3a3a0c777aa279bb")


def test_no_step_of_the_wave_is_near_a_half():
    """Sines of two processors differ by 1e-14 of their size; what is rounded has to be farther from a half."""
    scaled = 256 * music._WAVE
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-6


def test_the_page_holds_the_files():
    melodies = {"real": [[60, 8], [0, 4], [62, 8]], "<drawn> & played": [[64, 16]]}
    page = music.sound_to_html(melodies, ALT, tempo=90)
    found = re.findall(r'download="([^"]+)" href="data:audio/midi;base64,([^"]+)"', page)
    assert [name for name, _ in found] == ["real.mid", "drawn-played.mid"]
    assert [base64.b64decode(file) for _, file in found] == [
        music.to_midi(melody, 90) for melody in melodies.values()
    ]
    sounds = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    assert [base64.b64decode(sound) for sound in sounds] == [
        music.to_wav(melody, 90) for melody in melodies.values()
    ]
    labels = [
        html.unescape(label) for label in re.findall(r'<audio[^>]*aria-label="([^"]+)"', page)
    ]
    assert labels == list(melodies)
    assert "<drawn>" not in page and f'aria-label="{ALT}"' in page and "<script" not in page


def test_a_piano_roll_has_a_bar_for_each_note_and_two_colours():
    fig = music.plot_piano_roll({"a": [[60, 8], [0, 8], [62, 8], [64, 16]]}, given=2, bar=16)
    bars = [
        (p.get_x(), p.get_y() + 0.4, p.get_width() + 0.08, p.get_facecolor())
        for p in fig.axes[0].patches
    ]
    assert np.allclose([bar[:3] for bar in bars], [(0, 60, 1), (2, 62, 1), (3, 64, 2)])
    assert bars[0][3] != bars[1][3] == bars[2][3]
    assert sorted({line.get_xdata()[0] for line in fig.axes[0].lines}) == [0, 2, 4]


@pytest.mark.parametrize(
    ("melody", "message"),
    [
        ([], "whole numbers of shape"),
        ([[60.0, 8.0]], "whole numbers of shape"),
        ([[60, 8, 1]], "whole numbers of shape"),
        ([[20, 8]], "between 21 and 108"),
        ([[60, 0]], "lengths must be positive"),
    ],
)
def test_bad_melodies_are_named(melody, message):
    for call in (music.to_midi, music.to_wav, lambda notes: music.plot_piano_roll({"a": notes})):
        with pytest.raises(ValueError, match=message):
            call(melody)


def test_bad_pages_are_named():
    with pytest.raises(ValueError, match="alt must say"):
        music.show_sound({"a": [[60, 8]]}, "short")
    with pytest.raises(ValueError, match="at least one melody"):
        music.show_sound({}, ALT)
    with pytest.raises(ValueError, match="at least one melody"):
        music.plot_piano_roll({})
