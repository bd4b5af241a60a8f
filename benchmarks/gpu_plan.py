"""What ``benchmarks.gpu`` measures: the cells of its grid, their goals, and in which order."""

from typing import NamedTuple

from benchmarks.plan import SIZES, Goal

STEPS = 512
"""Steps of a sequence, everywhere in the grid and in the map."""


class Cell(NamedTuple):
    """One comparison: a layer, a batch and a precision."""

    mode: str
    precision: str
    batch: int
    hidden: int
    directions: int = 1
    lengths: bool = False
    steps: int = STEPS
    inputs: int | None = None

    @property
    def width(self):
        """Features of the input: as many as hidden units, as in a stack, unless said."""
        return self.inputs or self.hidden

    @property
    def size(self):
        """B, T, I, H."""
        return self.batch, self.steps, self.width, self.hidden

    @property
    def key(self):
        """A short name that no other cell has."""
        text = f"{self.mode} {self.precision} {'x'.join(map(str, self.size))}"
        return (
            text + (" both" if self.directions == 2 else "") + (" lengths" if self.lengths else "")
        )


class Group(NamedTuple):
    """Cells with one goal: lower bounds of time(torch.nn) / time(ours)."""

    name: str
    goal: Goal
    cells: tuple


def _cells(precisions, hidden, batches, **options):
    return tuple(
        Cell("training", precision, batch, size, **options)
        for precision in precisions
        for size in hidden
        for batch in batches
    )


WIDE, BATCHES = (512, 256, 384), (16, 1, 64, 4)

GROUPS = (
    Group("bf16, H 256 to 512, B 1 to 64", Goal(1.5, 3.0), _cells(["bf16"], WIDE, BATCHES)),
    Group("TF32, H 256 to 512, B 1 to 64", Goal(1.3, 2.0), _cells(["tf32"], WIDE, BATCHES)),
    Group(
        "lengths of T/2 in the mean, bf16, H 256 to 512",
        Goal(1.5, 3.0),
        _cells(["bf16"], WIDE, BATCHES[:3], lengths=True),
    ),
    Group(
        "both directions, bf16, H 256 to 512",
        Goal(1.3, 2.0),
        _cells(["bf16"], WIDE, BATCHES[:3], directions=2),
    ),
    Group("bf16, H 1024, B 1 to 16", Goal(1.3, 1.8), _cells(["bf16"], [1024], BATCHES[:2] + (4,))),
    Group(
        "H to 128",
        Goal(0.8, 1.2),
        _cells(["bf16"], [128, 64], BATCHES[:3]) + _cells(["tf32", "fp16"], [128, 64], BATCHES[:3]),
    ),
    Group(
        "fp16 where cuDNN keeps the weights on chip",
        Goal(0.7, 1.0),
        _cells(["fp16"], [512, 1024, 256, 768], [16, 64, 128]),
    ),
)
"""Goals, and for each its cells in the order of their importance."""

LOOP_GOAL = Goal(20.0, 40.0)
"""Lower bounds of time(our loop with autograd) / time(ours), at the cells of the first two groups."""

OTHERS = (
    *_cells(["bf16"], [1024], [64]),
    *_cells(["fp32"], WIDE, BATCHES[:3]),
    *_cells(["tf32"], WIDE, BATCHES[:3], lengths=True),
    *_cells(["tf32"], WIDE, BATCHES[:3], directions=2),
    *(Cell("inference", p, b, h) for p in ("bf16", "tf32") for h in (512, 128) for b in (16, 1)),
)
"""Cells without a goal, for the whole picture."""

CPU_SIZES = tuple(
    Cell("training", "fp32", s.batch, s.hidden, steps=s.steps, inputs=s.inputs) for s in SIZES
)
"""The sizes of the tables for a processor, in plain float32."""

TINY_GROUPS = (
    Group("bf16, tiny", Goal(1.5, 3.0), (Cell("training", "bf16", 2, 8, steps=6, inputs=3),)),
    Group("lengths, tiny", Goal(1.5, 3.0), (Cell("training", "fp32", 3, 4, 2, True, 5, 2),)),
)
"""Stands in for the grid on a CPU."""

MAP_HIDDEN = (512, 256, 128, 1024, 64, 192, 384, 768)
MAP_BATCHES = (16, 1, 64, 128, 8)
MAP_PRECISIONS = ("bf16", "tf32", "fp16", "fp32")


class Job(NamedTuple):
    """One thing to measure; the least `rank` first."""

    rank: tuple
    suite: str
    key: str
    what: object


def jobs(tiny=False, only=()):
    """Everything to measure, in order of importance.

    Peaks and the barrier come first, since all else is judged by them; then the map where goals are,
    the first two cells of every goal, the rest of the grid goal by goal, and the rest of the map.

    Parameters
    ----------
    tiny : bool
        A few jobs that a CPU does in seconds.
    only : sequence of str
        Suites to keep; all by default.

    Returns
    -------
    list of Job
    """
    found = [Job((0, 0), "gpu-peaks", "peaks", None)]
    found += [
        Job((0, 1, place), "gpu-barrier", f"{programs} programs", programs)
        for place, programs in enumerate((2,) if tiny else (64, 32, 128, 16, 8, 4, 2))
    ]
    for place, cell in enumerate(_map_cells(tiny)):
        first = cell.hidden in (512, 256) and cell.batch in (16, 1)
        found.append(Job((1 if first else 4, place), "gpu-map", cell.key, cell))
    for number, group in enumerate(TINY_GROUPS if tiny else GROUPS):
        for place, cell in enumerate(group.cells):
            rank = (2, place, number) if place < 2 else (3, number, place)
            found.append(Job(rank, "gpu-grid", cell.key, (group, cell)))
    if not tiny:
        group = Group("no goal", None, OTHERS)
        found += [
            Job((5, place), "gpu-grid", cell.key, (group, cell))
            for place, cell in enumerate(OTHERS)
        ]
    sizes = CPU_SIZES[:1] if tiny else CPU_SIZES
    found += [Job((3.5, k), "gpu-sizes", cell.key, cell) for k, cell in enumerate(sizes)]
    return sorted((job for job in found if not only or job.suite in only), key=lambda job: job.rank)


def _map_cells(tiny):
    if tiny:
        return [Cell("training", "fp32", 2, 4, steps=3)]
    return [
        Cell("training", precision, batch, hidden)
        for precision in MAP_PRECISIONS
        for hidden in MAP_HIDDEN
        for batch in MAP_BATCHES
    ]


def arithmetic(cell):
    """Operations of the matrix products, additions and multiplications counted.

    Forward :math:`2 T B (I + H) 4H` for each direction; with the backward pass, by inputs and by weights, three
    times that. Padding of shorter sequences is not counted: half of the steps are past an end.

    >>> arithmetic(Cell("inference", "bf16", 2, 4, steps=3, inputs=5))
    1728
    """
    steps = cell.steps // 2 if cell.lengths else cell.steps
    once = 2 * steps * cell.batch * (cell.width + cell.hidden) * 4 * cell.hidden * cell.directions
    return once * (3 if cell.mode == "training" else 1)


def traffic(cell):
    """Bytes that have to pass through memory at the least: inputs read once, results written once.

    Forward: input, weights, output. With the backward pass also the derivative of the output, those of
    input and weights, input and weights once more, and the four gates and the cell of every step, written
    and read, which is what a backward pass needs that does not compute them again.

    >>> traffic(Cell("inference", "bf16", 2, 4, steps=3, inputs=5))
    396
    """
    item = {"fp64": 8, "fp32": 4, "tf32": 4}.get(cell.precision, 2)
    steps = cell.steps // 2 if cell.lengths else cell.steps
    H, I, N = cell.hidden, cell.width, steps * cell.batch
    weights = cell.directions * 4 * H * (I + H)
    output = cell.directions * N * H
    forward = N * I + weights + output
    if cell.mode == "inference":
        return item * forward
    kept = 2 * 5 * output
    return item * (forward + kept + output + 2 * N * I + 2 * weights)


def floors(cell, peaks, barrier=None):
    """Milliseconds below which no program gets, each by itself.

    Parameters
    ----------
    cell : Cell
    peaks : dict
        As :func:`benchmarks.device.peaks` returns it.
    barrier : float, optional
        Seconds of one barrier among all programs: a layer spread over the chip needs one a step, and two with the
        backward pass.

    Returns
    -------
    dict
        "arithmetic", "memory" and, with a barrier, "chain".
    """
    found = {
        "arithmetic": 1e3 * arithmetic(cell) / peaks[cell.precision],
        "memory": 1e3 * traffic(cell) / peaks["bytes"],
    }
    if barrier is not None:
        passes = 2 if cell.mode == "training" else 1
        found["chain"] = 1e3 * barrier * cell.steps * passes
    return found
