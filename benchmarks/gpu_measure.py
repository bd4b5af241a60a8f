"""The measurements of ``benchmarks.gpu``: each takes a job and returns rows for its suite's file."""

import statistics
from collections import Counter
from typing import NamedTuple

import torch

from benchmarks import device as devices
from benchmarks import gpu_plan as plan
from benchmarks.gpu_contestants import COMPILED, PADDED, REFERENCE, build, lengths_of, output_of
from benchmarks.timing import ratios
from lstm_lib.torch.persistent import faults

APART = {"fp64": 1e-9, "fp32": 1e-3, "tf32": 2e-2, "fp16": 2e-2, "bf16": 1e-1}
"""How far outputs of contestants may be apart to be timed; the gates are ``gpu_correctness``'s."""

OURS = ("fused", "triton")
"""Backends that the goals are for; "cudnn" calls the same code as ``torch.nn``."""


FAILED = ("failed: ", "while all were timed: ")
"""How what is said of a contestant begins that neither served nor refused: it is tried again."""


class Setting(NamedTuple):
    """What all measurements of a run share."""

    device: str
    seconds: float
    rounds: int
    tiny: bool
    peaks: dict | None = None
    barrier: float | None = None


def peaks(job, setting):
    """What the device reaches in a copy and in products."""
    return [{"key": job.key, "peaks": devices.peaks(setting.device, setting.tiny)}]


def barrier(job, setting):
    """Microseconds of one barrier among so many programs."""
    row = {"key": job.key, "programs": job.what, "microseconds": None, "said": ""}
    if not devices.is_gpu(setting.device):
        return [row | {"said": "programs that wait for each other need a GPU"}]
    from benchmarks import gpu_barrier

    try:
        return [row | {"microseconds": gpu_barrier.microseconds(job.what, setting.device)}]
    except (RuntimeError, ValueError) as error:
        return [row | {"said": str(error)}]


def kernels(job, setting):
    """Which kernels ``torch.nn.LSTM`` runs, and how long it takes."""
    cell, row = job.what, {"key": job.key, "cell": job.what._asdict()}
    row |= {"milliseconds": {}, "kernels": {}, "launches": {}, "algorithm": {}}
    with devices.precision(cell.precision):
        for mode in ("inference", "training"):
            step = build(REFERENCE, cell._replace(mode=mode), setting.device).step
            times = devices.interleaved({mode: step}, setting.device, setting.seconds / 4, 3, 11)
            found = _profiled(step, setting.device)
            launches = sum(kernel["count"] for kernel in found)
            row["milliseconds"][mode] = 1e3 * statistics.median(times[mode])
            row["kernels"][mode] = found[:6]
            row["launches"][mode] = launches
            row["algorithm"][mode] = algorithm(found, launches, cell.steps)
    return [row]


def _profiled(step, device):
    """Kernels of one step, the longest first: name, how often, microseconds in all."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if devices.is_gpu(device):
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        step()
        devices.synchronize(device)
    wanted = torch.autograd.DeviceType.CUDA if devices.is_gpu(device) else None
    counts, spent = Counter(), Counter()
    for event in profile.events():
        if wanted is None or event.device_type == wanted:
            counts[event.name] += 1
            spent[event.name] += event.time_range.elapsed_us()
    return [
        {"name": name[:160], "count": counts[name], "microseconds": round(time, 1)}
        for name, time in spent.most_common()
    ]


def algorithm(found, launches, steps):
    """What the kernels' names and number say about cuDNN's choice.

    >>> algorithm([{"name": "RNN_blockPersist_fp_LSTM", "count": 1}], 4, 512)
    'persistent'
    >>> algorithm([{"name": "gemm", "count": 512}], 1030, 512), algorithm([], 0, 512)
    ('kernels at every step', 'not seen')
    """
    if any("persist" in kernel["name"].lower() for kernel in found):
        return "persistent"
    if not launches:
        return "not seen"
    return "kernels at every step" if launches >= steps else "few kernels"


def compare(job, setting):
    """All contestants of a cell in turn, each held against the output of ``torch.nn`` first."""
    group, cell = job.what
    with devices.precision(cell.precision):
        ready, rows = _ready(names_for(cell, setting.tiny), cell, setting)
        try:
            ready = {REFERENCE: _settled(REFERENCE, cell, setting.device), **ready}
            measured = _in_turn(ready, setting) if len(ready) > 1 else {}
        except (
            Exception
        ) as error:  # a watchdog, say: the cells that follow are measured all the same
            measured = {}
            for name in ready.keys() - {REFERENCE}:
                rows[name]["said"] = f"{FAILED[1]}{_in_short(error)}"
    for name, row in measured.items():
        rows[name] |= row | {"goal": _goal(group.goal if name in OURS else None)}
    shared = {"key": job.key, "group": group.name, "cell": cell._asdict(), "size": cell.size}
    if setting.peaks:
        shared["floors"] = plan.floors(cell, setting.peaks, setting.barrier)
    return [shared | row for row in rows.values()]


def compare_sizes(job, setting):
    """The tables' sizes for a processor, with rows in the form of those tables."""
    group = plan.Group("sizes of the tables for a processor", None, ())
    rows = compare(job._replace(what=(group, job.what)), setting)
    shape = {"cell": "LSTM", "dtype": "float32", "mode": "training"}
    return [row | shape for row in rows if row["ratio"]]


def names_for(cell, tiny=False):
    """Contestants of a cell besides the reference; the slow loops at a few cells alone."""
    names = ["fused", "triton", "cudnn"]
    plain = cell.mode == "training" and cell.directions == 1 and not cell.lengths
    if tiny or (plain and cell.batch in (1, 16) and cell.hidden in (128, 256, 512)):
        names.append("loop")
    if not tiny and plain and (cell.batch, cell.hidden) in ((16, 512), (16, 256)):
        names.append(COMPILED)
    if cell.lengths and cell.directions == 1:
        names.append(PADDED)
    return names


def _ready(names, cell, setting):
    """Contestants that serve the cell and agree, and a row for every name with what was said."""
    expected = output_of(build(REFERENCE, cell, setting.device), cell.steps)
    ready, rows = {}, {}
    for name in names:
        rows[name] = {"contestant": name, "ratio": None, "goal": None, "said": ""}
        try:
            contestant = _settled(name, cell, setting.device)
            apart = _apart(output_of(contestant, cell.steps), expected, lengths_of(cell))
        except ValueError as refusal:
            rows[name]["said"] = str(refusal)
        except (
            Exception
        ) as error:  # a compiler, memory, a watchdog: the others are measured all the same
            rows[name]["said"] = f"{FAILED[0]}{_in_short(error)}"
        else:
            rows[name]["apart"] = apart
            if apart <= APART[cell.precision]:
                ready[name] = contestant
            else:
                rows[name]["said"] = f"not timed: its output is {apart:.1e} from that of torch.nn"
    return ready, rows


def _settled(name, cell, device):
    """A contestant after three steps: what it records it has recorded, and if that fails, it alone does."""
    contestant = build(name, cell, device)
    before = _allocated(device)
    for _ in range(3):
        contestant.step()
    contestant.kept = _allocated(device) - before
    return contestant


def _allocated(device):
    return torch.cuda.memory_allocated(device) if devices.is_gpu(device) else 0


def _apart(found, expected, lengths):
    if lengths is not None:
        valid = torch.arange(len(found))[:, None] < torch.tensor(lengths)
        found, expected = found[valid.to(found.device)], expected[valid.to(found.device)]
    gap = float((found - expected).abs().max() / expected.abs().max())
    return gap if gap == gap else float("inf")


def _in_short(error):
    return f"{type(error).__name__}: {str(error)[:300]}"


def _in_turn(ready, setting):
    """What was measured of every contestant but the reference, which comes first."""
    weighed = {name: _mib(one, setting.device) for name, one in ready.items()}
    steps = {name: one.step for name, one in ready.items()}
    times = devices.interleaved(steps, setting.device, setting.seconds, setting.rounds)
    faults.check()
    return {name: _timed(times, name, weighed) for name in list(ready)[1:]}


def _timed(times, name, weighed):
    """Ratios of a contestant: the reference's time to its own, so that above one it is faster."""
    row = {
        "ratio": ratios(times, REFERENCE, name),
        "milliseconds": {
            "ours": 1e3 * statistics.median(times[name]),
            "reference": 1e3 * statistics.median(times[REFERENCE]),
        },
        "mib": weighed[name],
        "reference_mib": weighed[REFERENCE],
    }
    if "loop" in times and name in OURS:
        row["over_loop"] = ratios(times, "loop", name)
        row["loop_goal"] = _goal(plan.LOOP_GOAL)
    return row


def _goal(goal):
    return None if goal is None else goal._asdict()


def _mib(contestant, device):
    """MiB beyond weights, input and derivative of the output; None where torch does not count."""
    if not devices.is_gpu(device):
        return None
    devices.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = _allocated(device) - contestant.kept
    contestant.step()
    devices.synchronize(device)
    return round((torch.cuda.max_memory_allocated(device) - before) / 2**20, 1)


MEASURE = {
    "gpu-peaks": peaks,
    "gpu-barrier": barrier,
    "gpu-map": kernels,
    "gpu-grid": compare,
    "gpu-sizes": compare_sizes,
}
"""By suite."""
