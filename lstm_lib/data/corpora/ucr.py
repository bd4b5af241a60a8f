"""Classes of series: some sets of the UCR and UEA archives."""

from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read_folder
from lstm_lib.data.corpora.splits import Split, stratified
from lstm_lib.validation import one_of

__all__ = ["Series", "japanese_vowels", "ucr_archive"]

_SHA256 = {
    "ACSF1": "0e98ed64417e6b00d08489138349ba4127528bd50cfc970164d582625b1e8abb",
    "ArrowHead": "96e31c7d2c99730a1fe4dea24db21f83bc16dc72ff93c268d1ffb3a6872a004b",
    "BasicMotions": "c44d7f3e85a975926e1614b2ceff60a592e9a498f5649fd4b39b47b55225f580",
    "GunPoint": "536c92702eab39468e87e37c141a3d4ec3f128ec77ecdfc7d4f8a66e03d725a0",
    "ItalyPowerDemand": "c96ef6dd978ebf8eed1004c1b6da18897978ab46c0d22577926cf96b30b8b387",
    "JapaneseVowels": "ac9dfa17b3a52e90fe56a17f7f44659afea1e078f3755484bb0236e8a00aca5a",
    "OSULeaf": "5b6e23a0b609ca23a564d9a03288e4c003626cc43893e844c6621cf59a78afb2",
}
FOLDERS = {
    name: DataFile("sktime", f"sktime/datasets/data/{name}", sha256, "*.ts")
    for name, sha256 in _SHA256.items()
}


class Series(NamedTuple):
    """A series of T steps with C channels, shape (T, C), and its class."""

    values: np.ndarray
    label: str


@corpus(
    *FOLDERS.values(),
    task="classification: series of one or more channels",
    size="7 sets with 2 to 10 classes, 67 to 1,096 series each",
    source="the UCR and UEA archives of time series classification",
    licence="package BSD 3-clause; nothing is said of the data",
    split="the archive's test part; a fifth of each class of its training part validates",
)
def ucr_archive(name):
    """One set of the archives that most papers on classifying series report on.

    Parameters
    ----------
    name : str
        ``ACSF1``, ``ArrowHead``, ``BasicMotions``, ``GunPoint``, ``ItalyPowerDemand``,
        ``JapaneseVowels`` or ``OSULeaf``.

    Returns
    -------
    Split
        Three tuples of `Series`.

    References
    ----------
    H. A. Dau et al., "The UCR time series archive", IEEE/CAA Journal of Automatica Sinica
    6 (2019) 1293-1305. A. Bagnall et al., "The UEA multivariate time series classification
    archive, 2018", arXiv:1811.00075.

    Examples
    --------
    >>> ucr_archive("GunPoint")
    Split(train: 40, valid: 10, test: 150)
    """
    files = read_folder(FOLDERS[one_of("name", name, tuple(FOLDERS))])
    test, train = (
        _records(files[f"{name}_{part}.ts"].decode("utf-8")) for part in ("TEST", "TRAIN")
    )
    known = stratified(train, [series.label for series in train], valid=0.2, test=0)
    return Split(known.train, known.valid, test)


@corpus(
    FOLDERS["JapaneseVowels"],
    task="classification: who speaks, twelve channels of varying length",
    size="640 utterances of 9 speakers, 7 to 29 steps of 12 channels",
    source="M. Kudo, J. Toyama and M. Shimbo (1999), in the UCI and UEA archives",
    licence="package BSD 3-clause; data CC BY 4.0 at UCI",
    split="the archive's 370 for the test; of its 270 each speaker's fifth validates",
)
def japanese_vowels():
    """Nine men saying the vowels ae, as twelve cepstral coefficients a step.

    The class is the speaker, 1 to 9, so every speaker is in every part; what the parts do
    not share is an utterance.

    Returns
    -------
    Split
        Three tuples of `Series`.

    References
    ----------
    M. Kudo, J. Toyama and M. Shimbo, "Multidimensional curve classification using
    passing-through regions", Pattern Recognition Letters 20 (1999) 1103-1111.

    Examples
    --------
    >>> japanese_vowels().train[0].values.shape[1]
    12
    """
    return ucr_archive("JapaneseVowels")


def _records(text):
    """Return the series of a ``.ts`` file: channels between colons, the class at the end."""
    body = text[text.lower().index("@data") :].splitlines()[1:]
    records = []
    for line in filter(None, map(str.strip, body)):
        *channels, label = line.split(":")
        values = np.array([[float(v) for v in channel.split(",")] for channel in channels]).T
        values.flags.writeable = False
        records.append(Series(values, label))
    return tuple(records)
