"""Notes that can be seen and heard: piano rolls, sound and MIDI files, and a player for the page.

A melody is an array of shape (notes, 2) as :func:`lstm_lib.data.corpora.music.chorales` has it: the MIDI pitch,
60 for middle C and 0 for a rest, and the length in thirty-seconds of a whole note, so that a quarter has 8.
Sound is made here from whole numbers alone, so a melody has the same bytes on every machine.
"""

import base64
import html
import io
import struct
import sys
import wave

import numpy as np

from lstm_lib import figures
from lstm_lib.shell import display_page

__all__ = ["plot_piano_roll", "show_sound", "sound_to_html", "to_midi", "to_wav"]

QUARTER = 8
LOWEST, HIGHEST = 21, 108  # of a piano

_STEPS = 4096
_WAVE = sum(
    weight * np.sin(2 * np.pi * harmonic * np.arange(_STEPS) / _STEPS)
    for harmonic, weight in ((1, 96.0), (2, 35.0), (3, 18.0), (4, 8.0))
)
_TABLE = np.rint(256 * _WAVE).astype(np.int64)
_ORGAN = 19  # General MIDI counts from 0: church organ


def to_wav(melody, tempo=100, rate=8000):
    """Return a melody as a WAV file: four harmonics with an envelope, mono, eight bits.

    The sine is rounded once, for a table of 4096 steps; all after that is done with whole numbers.

    Parameters
    ----------
    melody : array_like of int, shape (notes, 2)
    tempo : int
        Quarters a minute.
    rate : int
        Samples a second. A second at 8000 takes 8 kB.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If a pitch is no key of a piano, a length is not positive, or the melody is empty.

    Examples
    --------
    A quarter at 60 in a minute lasts one second:

    >>> file = to_wav([[60, 8]], tempo=60)
    >>> file[:4], len(file)
    (b'RIFF', 8044)
    """
    sounds = []
    for pitch, start, end in _timed(melody):
        first, last = (time * 60 * rate // (QUARTER * tempo) for time in (start, end))
        sounds.append(_tone(pitch, last - first, rate))
    samples = (np.concatenate(sounds) + 128).astype(np.uint8)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 1, rate, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def _tone(pitch, length, rate):
    """Samples of a note between -127 and 127; it swells for 20 ms and dies away over its last quarter."""
    if not pitch:
        return np.zeros(length, np.int64)
    steps = np.arange(length)
    hertz = round(440_000 * 2 ** ((pitch - 69) / 12))  # thousandths
    phase = steps * hertz * _STEPS // (1000 * rate) % _STEPS
    swell = np.minimum(256, steps * 256 // max(1, rate // 50))
    fade = np.minimum(256, (length - steps) * 256 // max(1, length // 4))
    return _TABLE[phase] * swell * fade >> 24


def to_midi(melody, tempo=100):
    """Return a melody as a MIDI file of one track, which any score editor or synthesiser reads.

    Parameters
    ----------
    melody : array_like of int, shape (notes, 2)
    tempo : int
        Quarters a minute.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        As :func:`to_wav`.

    References
    ----------
    MIDI Manufacturers Association, The complete MIDI 1.0 detailed specification, Standard MIDI files 1.0.

    Examples
    --------
    >>> to_midi([[60, 8]])[:4]
    b'MThd'
    """
    track = b"\x00\xff\x51\x03" + (60_000_000 // tempo).to_bytes(3, "big")
    track += bytes([0, 0xC0, _ORGAN])
    now = 0
    for pitch, start, end in _timed(melody):
        if pitch:
            track += _variable(start - now) + bytes([0x90, pitch, 80])
            track += _variable(end - start) + bytes([0x80, pitch, 0])
            now = end
    track += b"\x00\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, QUARTER)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + track


def _variable(number):
    """A whole number as MIDI writes times: seven bits a byte, the highest bit set on all but the last."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def plot_piano_roll(melodies, given=0, bar=None, upbeat=0):
    """Draw melodies one below the other, each note a bar at the height of its pitch.

    Parameters
    ----------
    melodies : dict of str to array_like of int, shape (notes, 2)
        By what stands above each.
    given : int
        So many notes of each are drawn blue; those that follow are orange and outlined.
    bar : int, optional
        Length of a bar, for lines between them.
    upbeat : int
        Length of what sounds before the first bar line.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no melody, or as :func:`to_wav`.

    Examples
    --------
    >>> fig = plot_piano_roll({"a fifth": [[60, 8], [67, 8]]}, given=1, bar=16)
    >>> figures.show(fig, "A note and another a fifth above it.")
    Figure: A note and another a fifth above it.
    """
    if not melodies:
        raise ValueError("melodies must hold at least one melody")
    rows = {name: list(_timed(melody)) for name, melody in melodies.items()}
    figures.use_style()
    fig, axes = sys.modules["matplotlib.pyplot"].subplots(
        len(rows),
        figsize=(6.4, 0.5 + 1.5 * len(rows)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    end = max(notes[-1][2] for notes in rows.values())
    for ax, (name, notes) in zip(axes[:, 0], rows.items(), strict=True):
        for kind, part in enumerate((notes[:given], notes[given:])):
            edge = dict(edgecolor=figures.INK, linewidth=0.8) if kind else dict(linewidth=0)
            heard = [(pitch, start, stop) for pitch, start, stop in part if pitch]
            ax.barh(
                [pitch for pitch, *_ in heard],
                [(stop - start) / QUARTER - 0.08 for _, start, stop in heard],
                left=[start / QUARTER for _, start, _ in heard],
                height=0.8,
                color=figures.COLOURS[kind],
                **edge,
            )
        for line in range(upbeat, end + 1, bar) if bar else ():
            ax.axvline(line / QUARTER, color=figures.INK, linewidth=0.7, alpha=0.5)
        ax.set_title(name, loc="left")
        ax.set_ylabel("pitch")
        ax.locator_params(axis="y", integer=True, nbins=4)
        ax.grid(visible=False)
    axes[-1, 0].set_xlabel("quarters")
    return fig


def sound_to_html(melodies, alt, tempo=100):
    """Return a player for each melody as HTML, with a MIDI file to download; it needs no server.

    Parameters
    ----------
    melodies : dict of str to array_like of int, shape (notes, 2)
        By what stands above each.
    alt : str
        What a reader who cannot listen needs to know.
    tempo : int
        Quarters a minute.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no melody, `alt` is too short, or as :func:`to_wav`.

    Examples
    --------
    >>> page = sound_to_html({"a fifth": [[60, 8], [67, 8]]}, "A note and its fifth.")
    >>> page.count("<audio"), 'download="a-fifth.mid"' in page
    (1, True)
    """
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(f"alt must say in words what there is to hear, got {alt!r}")
    if not melodies:
        raise ValueError("melodies must hold at least one melody")
    players = "".join(_player(name, notes, tempo) for name, notes in melodies.items())
    label = html.escape(" ".join(alt.split()))
    return f'<div class="lstm-sound" role="group" aria-label="{label}">{players}</div>'


def _player(name, melody, tempo):
    label = html.escape(name)
    sound, score = (base64.b64encode(made(melody, tempo)).decode() for made in (to_wav, to_midi))
    file = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
    return (
        f'<p style="margin:.5em 0"><span>{label}</span> · '
        f'<a download="{file}.mid" href="data:audio/midi;base64,{score}" '
        f'aria-label="{label} as a MIDI file">MIDI file</a><br>'
        f'<audio controls preload="metadata" aria-label="{label}" style="width:100%;max-width:28em" '
        f'src="data:audio/wav;base64,{sound}"></audio></p>'
    )


def show_sound(melodies, alt, tempo=100):
    """Show players in a notebook, elsewhere their alternative text.

    Parameters
    ----------
    melodies, alt, tempo
        As for :func:`sound_to_html`.

    Raises
    ------
    ValueError
        As for :func:`sound_to_html`.

    Examples
    --------
    >>> show_sound({"a fifth": [[60, 8], [67, 8]]}, "A note and its fifth.")
    Sound: A note and its fifth.
    """
    page = sound_to_html(melodies, alt, tempo)
    display_page(page, "Sound", alt)


def _timed(melody):
    """Pitch, begin and end of every note, checked."""
    notes = np.asarray(melody)
    if notes.ndim != 2 or notes.shape[1] != 2 or not len(notes) or notes.dtype.kind not in "iu":
        raise ValueError(
            f"a melody must hold whole numbers of shape (notes, 2), got {notes.dtype} {notes.shape}"
        )
    pitches, lengths = notes.T.tolist()
    if any(pitch and not LOWEST <= pitch <= HIGHEST for pitch in pitches):
        raise ValueError(f"pitches must be 0 or lie between {LOWEST} and {HIGHEST}")
    if min(lengths) < 1:
        raise ValueError("lengths must be positive")
    ends = np.cumsum(lengths).tolist()
    return [(p, end - length, end) for p, length, end in zip(pitches, lengths, ends, strict=True)]
