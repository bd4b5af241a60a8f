"""How a layer is laid out on a chip so that all its programs run at once, or why it cannot be.

Programs that wait for each other must all be resident: one that never starts is waited for in vain.
So a grid has at most one program for each multiprocessor, whose shared memory holds its slice of U.
"""

from functools import lru_cache
from typing import NamedTuple


class Chip(NamedTuple):
    """The figures of a GPU that a plan depends on.

    Attributes
    ----------
    name : str
    capability : int
        Ten times the compute capability: 80, 90.
    multiprocessors : int
    shared_memory : int
        Bytes that one block may ask for.
    registers : int
        32-bit registers of a multiprocessor.
    """

    name: str
    capability: int
    multiprocessors: int
    shared_memory: int
    registers: int = 65536


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("A100", 80, 108, 166912),
        Chip("H100", 90, 132, 232448),
        Chip("H200", 90, 132, 232448),
        Chip("RTX 3060", 86, 28, 101376),
    )
}
"""Figures of some chips, for plans without one at hand."""

ALONE = 128
"""The most hidden units that one program computes."""

FEW = 16
"""The fewest rows of a matrix product on the chip."""

SHORTEST = 16
"""The fewest terms of its sums."""

TILES = ((16, 8), (16, 16), (32, 8))
"""Rows and units of a program, in the order of preference: more of both would not fit into registers."""

CHUNKS = (1, 2, 4)
"""Passes that may be needed to read what the others wrote."""

SIZES = {"float32": 4, "float16": 2, "bfloat16": 2}


class Plan(NamedTuple):
    """P slices of hidden units times Q tiles of the batch, for each direction.

    Attributes
    ----------
    slices, tiles : int
        P and Q.
    units, rows : int
        Hidden units and sequences of a program; the last ones may be beyond H and B.
    warps : int
    chunks : int
        Passes in which the backward pass reads what the others wrote: more of them take less shared
        memory, and a journey to the second-level cache each.
    """

    slices: int
    tiles: int
    units: int
    rows: int
    warps: int
    chunks: int = 1

    def grid(self, directions):
        """The grid of a launch."""
        return self.slices, self.tiles, directions

    def constants(self, kind, hidden, kernel, precision="tf32", barrier=True):
        """What a kernel is compiled for: a dict of its ``tl.constexpr`` arguments.

        The sum over K of a product with U, H long forward and 4H backward, is shared out to the warps.
        """
        terms, chunks = (hidden, 1) if kernel == "forward_kernel" else (4 * hidden, self.chunks)
        width = power_of_two(max(SHORTEST, terms))
        split = min(self.warps, width // SHORTEST // chunks)
        return {
            "KIND": kind,
            "H": hidden,
            "SLICES": self.slices,
            "UNITS": self.units,
            "ROWS": self.rows,
            "SPLIT": split,
            "PART": width // split // chunks,
            "CHUNKS": chunks,
            "PRECISION": precision,
            "BARRIER": barrier and self.slices > 1,
        }

    def shared_memory(self, hidden, dtype, precision="tf32"):
        """Bytes of shared memory that the kernels take: U, and the larger of what passes through."""
        size = SIZES[dtype]
        width = power_of_two(hidden) if self.slices > 1 else self.units
        split_in = 2 if dtype == "float32" and precision == "tf32x3" else 1
        weights = 4 * self.units * width * size * split_in
        if self.slices == 1:
            return weights + 4 * self.rows * self.units * size * split_in
        read = 4 * self.rows * width * size // self.chunks
        summed = 4 * self.warps * self.rows * 4 * self.units
        return weights + max(read, summed)


def power_of_two(n):
    """The smallest power of two that is at least `n`."""
    return 1 << (n - 1).bit_length()


@lru_cache
def plan(hidden, batch, directions, dtype, chip, precision="tf32"):
    """Lay out a layer on a chip.

    One program for all hidden units where its U fits; otherwise the fewest rows and units a program
    with which all programs run at once.

    Parameters
    ----------
    hidden, batch : int
        H and B.
    directions : {1, 2}
    dtype : {"float32", "float16", "bfloat16"}
    chip : Chip
    precision : {"tf32", "tf32x3"}

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        Where no layout is resident at once: what would be needed.

    Examples
    --------
    >>> plan(512, 16, 1, "bfloat16", CHIPS["H100"])
    Plan(slices=64, tiles=1, units=8, rows=16, warps=8, chunks=1)
    >>> plan(2048, 16, 1, "bfloat16", CHIPS["A100"])
    Traceback (most recent call last):
    ...
    ValueError: H = 2048 in bfloat16 needs 196608 bytes of shared memory a program; A100 has 166912
    """
    if chip.capability < 80:
        raise ValueError(
            f"{chip.name} is older than the kernels, which need compute capability 8.0"
        )
    side = power_of_two(max(SHORTEST, hidden))
    alone = Plan(1, -(-batch // FEW), side, FEW, 4 if side <= 32 else 8)
    if side <= ALONE and alone.shared_memory(hidden, dtype, precision) <= chip.shared_memory:
        return alone
    fitting, needed = [], []
    for rows, units in TILES:
        for chunks in CHUNKS:
            tried = Plan(-(-hidden // units), -(-batch // rows), units, rows, 8, chunks)
            needed.append(tried.shared_memory(hidden, dtype, precision))
            if needed[-1] <= chip.shared_memory:
                fitting.append(tried)
                break
    for tried in fitting:
        if tried.slices * tried.tiles * directions <= chip.multiprocessors:
            return tried
    if not fitting:
        raise ValueError(
            f"H = {hidden} in {dtype} needs {min(needed)} bytes of shared memory a program; "
            f"{chip.name} has {chip.shared_memory}"
        )
    needed = min(tried.slices * tried.tiles for tried in fitting) * directions
    raise ValueError(
        f"H = {hidden} and B = {batch} in {dtype} need {needed} programs at once; "
        f"{chip.name} runs {chip.multiprocessors}"
    )
