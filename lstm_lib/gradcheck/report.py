"""Two sets of gradients side by side: how far apart they are, and where."""

from dataclasses import dataclass, field

import numpy as np

from lstm_lib.parameters import GATES, row_name


@dataclass
class GradientError:
    """How far one array of gradients is from its judge.

    Attributes
    ----------
    name : str
        The parameter, input or state.
    error : float
        Largest difference, relative to the largest entry of either array.
    index : tuple of int
        Where the largest difference is.
    claimed : float
        What ``backward`` says there.
    measured : float
        What the judge says there.
    where : str
        The index in words: row, column, gate and unit.
    """

    name: str
    error: float
    index: tuple
    claimed: float
    measured: float
    where: str


@dataclass
class GradientReport:
    """The result of a comparison: one :class:`GradientError` an array.

    Printing it shows every array that misses the tolerance, and where.
    """

    method: str
    tolerance: float
    errors: list = field(default_factory=list)

    @property
    def worst(self):
        """The largest error of all arrays."""
        return max(entry.error for entry in self.errors)

    @property
    def failures(self):
        """The arrays that miss the tolerance, worst first."""
        wrong = [entry for entry in self.errors if not entry.error <= self.tolerance]
        return sorted(wrong, key=lambda entry: -entry.error)

    @property
    def ok(self):
        """Whether every array is within the tolerance."""
        return not self.failures

    def raise_if_wrong(self):
        """Raise an AssertionError with the whole report unless all is right."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self):
        wrong = self.failures
        head = f"gradient check by {self.method}, tolerance {self.tolerance:.0e}: "
        if not wrong:
            return head + f"all {len(self.errors)} arrays agree, worst error {self.worst:.1e}"
        lines = [head + f"{len(wrong)} of {len(self.errors)} arrays are wrong"]
        for entry in wrong:
            lines.append(
                f"  {entry.name}: error {entry.error:.1e} at {entry.where}; "
                f"backward says {entry.claimed:+.6g}, {self.method} {entry.measured:+.6g}"
            )
        return "\n".join(lines)


def compare_gradients(
    claimed, measured, *, tolerance, method="numerical derivative", hidden_size=None, gates=None
):
    """Compare two dicts of gradients, array by array.

    Parameters
    ----------
    claimed, measured : dict of str to ndarray
        The gradients to judge, and the judge's. Same names and shapes.
    tolerance : float
        Largest error allowed, relative to the largest entry of the array.
    method : str
        Name of the judge, for the report.
    hidden_size : int, optional
        If given, rows of recurrent weights are named by gate and unit.
    gates : sequence of str, optional
        Names of the blocks of rows, if they are not those of a standard LSTM, GRU or RNN.

    Returns
    -------
    GradientReport

    Raises
    ------
    ValueError
        If names or shapes differ.

    Examples
    --------
    >>> right = {"bias_ih_l0": np.arange(8.0)}
    >>> wrong = {"bias_ih_l0": np.array([0.0, 1, 2, 3, 4, -5, 6, 7])}
    >>> print(compare_gradients(wrong, right, tolerance=1e-12, hidden_size=2))
    gradient check by numerical derivative, tolerance 1e-12: 1 of 1 arrays are wrong
      bias_ih_l0: error 1.4e+00 at [5], gate g, unit 1; backward says -5, numerical derivative +5
    """
    if claimed.keys() != measured.keys():
        raise ValueError(f"names differ: {sorted(claimed)} and {sorted(measured)}")
    report = GradientReport(method, tolerance)
    for name in claimed:
        a, n = np.asarray(claimed[name]), np.asarray(measured[name])
        if a.shape != n.shape:
            raise ValueError(f"{name}: shapes {a.shape} and {n.shape} differ")
        difference = np.abs(a - n)
        difference = np.where(np.isnan(difference), np.inf, difference)
        index = np.unravel_index(np.argmax(difference), a.shape)
        scale = max(np.abs(a).max(), np.abs(n).max(), np.finfo(np.float64).tiny)
        error = float(difference[index] / scale) if difference[index] else 0.0
        index = tuple(int(k) for k in index)
        where = _in_words(name, index, a.shape, hidden_size, gates)
        report.errors.append(
            GradientError(name, error, index, float(a[index]), float(n[index]), where)
        )
    return report


def _in_words(name, index, shape, hidden_size, gates):
    words = "[" + ", ".join(map(str, index)) + "]"
    name = name.rpartition(".")[2]
    if not hidden_size or not name.startswith(("weight_", "bias_", "norm_")):
        return words
    blocks, rest = divmod(shape[0], hidden_size)
    if rest or name.startswith("weight_hr"):
        return words
    if name.startswith("weight_ch"):
        gates = tuple(gate for gate in gates or GATES if gate != "g")
    names = gates if gates and len(gates) == blocks else blocks
    return f"{words}, {row_name(index[0], hidden_size, names)}"
