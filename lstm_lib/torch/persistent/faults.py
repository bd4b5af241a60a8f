"""What became of the launches whose programs wait for each other.

A program that has looked LOOKS times for its neighbours' arrival gives up: it sets a flag, waits no
more and writes NaN. The flag is copied to the host without waiting for the device, as CUDA reports its
own faults, and read at the next launch, or by :func:`check`.
"""

import torch

LOOKS = 1 << 22
"""Looks at a flag, each of them a journey to the second-level cache: seconds in all."""

_pending = []


def watch(fault):
    """Remember a launch, and raise for those that are known to have failed.

    Parameters
    ----------
    fault : tensor, shape (1,), of int32, on the device
        Not 0 where a program gave up.

    Raises
    ------
    RuntimeError
        As :func:`check`.
    """
    told = torch.empty(fault.shape, dtype=fault.dtype, pin_memory=True)
    told.copy_(fault, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()
    _pending.append((copied, told))
    _read(wait=False)


def check():
    """Wait for the launches so far and raise if one of them failed.

    Raises
    ------
    RuntimeError
        If programs waited for each other in vain: their results are NaN.
    """
    _read(wait=True)


def _read(wait):
    failed, unknown = False, []
    for copied, told in _pending:
        if wait:
            copied.synchronize()
        if copied.query():
            failed = failed or bool(told.item())
        else:
            unknown.append((copied, told))
    _pending[:] = unknown
    if failed:
        raise RuntimeError(
            "the programs of a triton kernel waited for each other in vain and its results are NaN; "
            "backend='fused' does not wait"
        )
