"""NVIDIA's compute-sanitizer on our kernels: races and accesses out of bounds on small cases."""

import os
import shutil
import signal
import subprocess
import sys

from benchmarks import device as devices


def sanitized(device):
    """What compute-sanitizer says of our kernels on small cases, or why it was not asked."""
    program = shutil.which("compute-sanitizer")
    if program is None or not devices.is_gpu(device):
        return {"ran": False, "said": "compute-sanitizer is not there, or the device is no GPU"}
    inner = [sys.executable, "-m", "benchmarks.gpu_correctness", "--device", device, "--smoke"]
    inner += ["--backends", "triton"]
    inner = [*_ours(program), *inner]
    found = {"ran": True, "held": True}
    for tool in ("racecheck", "memcheck"):
        code, found[tool] = _run([program, "--tool", tool, "--error-exitcode", "9", *inner])
        found["held"] &= code == 0
    return found


def _ours(program):
    """Options that leave the kernels of torch and its libraries alone; their name changed once."""
    known = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    names = [name for name in ("--kernel-name", "--kernel-regex") if name in known]
    return [names[0], "kernel_substring=ward_kernel"] if names else []


def _run(command, seconds=120):
    """Exit status and the end of what was said; all that a command started ends with it."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, text=True, start_new_session=True, **both)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None, str(error)[-300:]
    return process.returncode, said[-2000:]
