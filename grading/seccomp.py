"""A filter of system calls for bubblewrap: no memory outside of processes, where no watch counts it.

Files without a name and System V's shared memory are held by the kernel, whatever their makers use
themselves. The rest of the list is what no notebook needs and what holes in kernels were found in.
A program that asks gets the answer of a kernel without that call.
"""

import errno
import os
import platform
import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CALLS = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ptrace": (101, 117),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
}
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # of <linux/bpf_common.h>
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.ENOSYS  # of <linux/seccomp.h>
OTHER_ABI = 0x40000000  # system calls of x86-64 in another numbering


def program(machine=None):
    """Return the filter for a machine such as ``x86_64``; empty for one whose calls are not known."""
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        return b""
    column = list(ARCHITECTURES).index(machine)
    numbers = [row[column] for row in CALLS.values()]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 0, len(numbers) + 3, ARCHITECTURES[machine]), (LOAD, 0, 0, 0)]
    steps.append((AT_LEAST, len(numbers) + 1, 0, OTHER_ABI))
    steps += [(EQUAL, len(numbers) - n, 0, number) for n, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def readable():
    """Return a descriptor from which the filter can be read once, or None."""
    content = program()
    if not content:
        return None
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return read
