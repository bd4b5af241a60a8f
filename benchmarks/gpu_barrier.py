"""What it costs when all programs of a grid wait for each other: the barrier of the persistent kernels, bare."""

import torch
import triton
import triton.language as tl

from benchmarks import device as devices
from lstm_lib.torch.persistent.kernels import arrive, wait

LOOKS = 1_000_000
"""How often a program looks for the others before it gives up."""


@triton.jit
def barriers(flag, fault, steps, limit, PROGRAMS: tl.constexpr):
    """`steps` barriers among PROGRAMS programs; `fault` is 1 if one of them waited in vain."""
    for t in range(0, steps):
        arrive(flag)
        arrived = wait(flag, PROGRAMS * (t + 1), limit)
        tl.store(fault, 1, mask=arrived == 0)
        limit = tl.where(arrived, limit, 0)


def microseconds(programs, device, steps=4096, repeats=7):
    """Median microseconds of one barrier.

    Parameters
    ----------
    programs : int
        Programs of the grid, one on a multiprocessor; all must be resident at once.
    device : str
    steps : int
        Barriers in a launch.
    repeats : int

    Raises
    ------
    ValueError
        If the device has fewer multiprocessors.
    RuntimeError
        If the programs did not find each other.
    """
    there = torch.cuda.get_device_properties(device).multi_processor_count
    if programs > there:
        raise ValueError(f"{programs} programs do not run at once on {there} multiprocessors")
    flag, fault = (torch.zeros(1, dtype=torch.int32, device=device) for _ in range(2))

    def launch():
        flag.zero_()
        barriers[(programs,)](
            flag, fault, steps, LOOKS, programs, num_warps=8, launch_cooperative_grid=True
        )

    launch()
    times = sorted(devices.seconds_of(launch, device) for _ in range(repeats))
    if int(fault):
        raise RuntimeError(f"{programs} programs waited for each other in vain")
    return 1e6 * times[repeats // 2] / steps
