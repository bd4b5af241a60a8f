"""A device: its precisions and flags, what it is called and runs on, and its clock."""

import gc
import math
import os
import platform
import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import torch

from benchmarks.record import cpu_model

DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""Precisions by name. "tf32" stores float32 and multiplies with ten bits of fraction."""

SMALLEST_TIMING = 2e-3
"""Seconds: a function that is quicker is called several times for one timing."""


@contextmanager
def precision(name):
    """TF32 products on or off, in cuBLAS and in cuDNN alike; yields the dtype."""
    owners = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [owner.allow_tf32 for owner in owners]
    for owner in owners:
        owner.allow_tf32 = name == "tf32"
    try:
        yield DTYPES[name]
    finally:
        for owner, value in zip(owners, before, strict=True):
            owner.allow_tf32 = value


def precisions(device):
    """The precisions that a device has: TF32 belongs to GPUs."""
    return tuple(DTYPES) if is_gpu(device) else tuple(name for name in DTYPES if name != "tf32")


def is_gpu(device):
    """Whether a device is a GPU with CUDA."""
    return torch.device(device).type == "cuda"


def synchronize(device):
    """Wait until the device has done all that it was told."""
    if is_gpu(device):
        torch.cuda.synchronize(device)


def facts(device):
    """What a device is and what runs on it: what results must share to stand in one file."""
    found = {"kind": torch.device(device).type, "name": cpu_model()}
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    if is_gpu(device):
        of = torch.cuda.get_device_properties(device)
        found |= {
            "name": of.name,
            "capability": f"{of.major}.{of.minor}",
            "multiprocessors": of.multi_processor_count,
            "memory GiB": round(of.total_memory / 2**30, 1),
            "driver": (smi("driver_version") or ["unknown"])[0],
        }
        versions |= {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version())}
    versions["triton"] = _version("triton")
    return {"device": found, "versions": versions}


def flags():
    """What of torch decides how products are rounded, as it stands; timings set TF32 by precision."""
    matmul = torch.backends.cuda.matmul
    return {
        "allow_tf32 of cuBLAS": matmul.allow_tf32,
        "allow_tf32 of cuDNN": torch.backends.cudnn.allow_tf32,
        "bf16 sums in bf16": matmul.allow_bf16_reduced_precision_reduction,
        "fp16 sums in fp16": matmul.allow_fp16_reduced_precision_reduction,
        "cuDNN benchmark": torch.backends.cudnn.benchmark,
        "CUBLAS_WORKSPACE_CONFIG": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def clocks(device):
    """Clocks and temperature at this moment as nvidia-smi tells them; {} where it cannot."""
    names = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.draw")
    values = smi(*names) if is_gpu(device) else None
    return dict(zip(names, values, strict=True)) if values else {}


def smi(*names):
    """Values of the first GPU from nvidia-smi, as text; None where there is no such program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, f"--query-gpu={','.join(names)}", "--format=csv,noheader", "--id=0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    values = [value.strip() for value in done.stdout.strip().split(",")]
    return values if done.returncode == 0 and len(values) == len(names) else None


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def seconds_of(function, device, calls=1):
    """Seconds of one call: by CUDA events on a GPU, the launching included; else by the clock."""
    if not is_gpu(device):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    begin.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / calls


def interleaved(functions, device, seconds, least_rounds, most_rounds=51):
    """Time several functions in turn, as :func:`benchmarks.timing.interleaved`, on a device.

    Every function is called twice first, so that compiling, choosing algorithms and capturing graphs
    are over. One timing is as many calls as fill two milliseconds.

    Parameters
    ----------
    functions : dict of str to callable
    device : str
    seconds : float
        About how long to go on.
    least_rounds, most_rounds : int

    Returns
    -------
    dict of str to list of float
        Seconds of a call, of every round.
    """
    calls, a_round = {}, 0.0
    for name, function in functions.items():
        seconds_of(function, device)
        once = seconds_of(function, device)
        calls[name] = max(1, math.ceil(SMALLEST_TIMING / max(once, 1e-9)))
        a_round += once * calls[name]
    rounds = max(least_rounds, min(most_rounds, int(seconds / max(a_round, 1e-9))))
    names, times = list(functions), {name: [] for name in functions}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                times[name].append(seconds_of(functions[name], device, calls[name]))
    finally:
        if collecting:
            gc.enable()
    return times


def peaks(device, tiny=False):
    """What the device reaches here and now: bytes a second of a copy, operations a second of a product.

    Parameters
    ----------
    device : str
    tiny : bool
        Sizes at which the numbers mean nothing, to see that it runs.

    Returns
    -------
    dict
        "bytes" of a copy within its memory, read and written counted; by precision the operations
        of a product of square matrices of random numbers.
    """
    count, side = (2**12, 32) if tiny else (2**30, 8192)
    found = {"bytes": 2 * 4 * count / _copying(count, device)}
    for name in precisions(device):
        n = side // 4 if name in ("fp64", "fp32") else side
        with precision(name) as dtype:
            a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
            found[name] = 2 * n**3 / _typical(lambda a=a, b=b: a @ b, device)
    return found


def _copying(count, device):
    """Seconds of a copy of so many float32 numbers."""
    source = torch.randn(count // 4, device=device).repeat(4)
    target = torch.empty_like(source)
    return _typical(lambda: target.copy_(source), device)


def _typical(function, device):
    """Median seconds of a call, after warming up."""
    for _ in range(3):
        function()
    return statistics.median(seconds_of(function, device) for _ in range(11))
