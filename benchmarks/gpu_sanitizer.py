"""NVIDIA's compute-sanitizer on our kernels: races and accesses out of bounds on small cases."""

import shutil
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
    found = {"ran": True, "held": True}
    for tool in ("racecheck", "memcheck"):
        command = [program, "--tool", tool, "--error-exitcode", "9", *inner]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired as error:
            found |= {"held": False, tool: str(error)[-300:]}
            continue
        found[tool] = (done.stdout + done.stderr)[-2000:]
        found["held"] &= done.returncode == 0
    return found
