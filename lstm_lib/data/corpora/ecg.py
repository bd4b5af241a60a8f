"""A heart's beats, one of them abnormal."""

import csv
import io
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read

__all__ = ["Heartbeats", "heartbeats"]

ECG = DataFile(
    "sktime",
    "sktime/datasets/data/mitdb/mitdb.csv",
    "d4f2539a5e85e1ac1e7f8bba152b5e60a02356282463a8a1c97848ad3e1bb386",
)


class Heartbeats(NamedTuple):
    """An electrocardiogram with its labels and parts.

    Parameters
    ----------
    values : ndarray, shape (7500,)
        Voltage, in millivolts.
    labels : ndarray of bool, shape (7500,)
        True during the abnormal beat.
    train, valid, test : slice
        The first two parts hold normal beats only: learn from the one, choose a threshold
        by the other.
    """

    values: np.ndarray
    labels: np.ndarray
    train: slice = slice(0, 5000)
    valid: slice = slice(5000, 6900)
    test: slice = slice(6900, 7500)


@corpus(
    ECG,
    task="classification: the abnormal beat of an electrocardiogram",
    size="7,500 samples at 360 a second, 352 of them labelled abnormal",
    source="by its name the MIT-BIH arrhythmia database; the package says nothing more",
    licence="package BSD 3-clause; the database is open (ODC-BY)",
    split="by time: the abnormal beat lies in the test part alone",
)
def heartbeats():
    """Twenty-one seconds of an electrocardiogram with one early, abnormal beat.

    Samples 6,936 to 7,287 are labelled. One beat is one example: what is found here about
    a method is an illustration and no measurement of how well it works on other hearts.

    Returns
    -------
    Heartbeats

    References
    ----------
    G. B. Moody and R. G. Mark, "The impact of the MIT-BIH arrhythmia database", IEEE
    Engineering in Medicine and Biology 20 (2001) 45-50.

    Examples
    --------
    >>> ecg = heartbeats()
    >>> ecg.values.shape, int(ecg.labels.sum()), bool(ecg.labels[ecg.train].any())
    ((7500,), 352, False)
    """
    rows = list(csv.DictReader(io.StringIO(read(ECG).decode("utf-8"))))
    values = np.array([float(row["data"]) for row in rows])
    labels = np.array([row["label"] == "1" for row in rows])
    values.flags.writeable = labels.flags.writeable = False
    return Heartbeats(values, labels)
