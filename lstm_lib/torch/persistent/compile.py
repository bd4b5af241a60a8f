"""Compile the kernels without a GPU and print what each takes of a multiprocessor.

python -m lstm_lib.torch.persistent.compile               the shapes of the benchmark, sm_80 and sm_90
python -m lstm_lib.torch.persistent.compile LSTM bfloat16 512 16    one layer: kind, dtype, H and B
"""

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from lstm_lib.torch.persistent.residency import CHIPS, plan

COMPILED_FOR = ("A100", "H100")
"""The chips of the table."""

TRITON_TYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
FLOATS = ("cells", "d_carry")
INTEGERS = ("lengths", "flags", "fault")


class Resources(NamedTuple):
    """What a compiled kernel takes: registers a thread, bytes of shared memory, bytes of stack."""

    registers: int
    shared: int
    stack: int
    ptx: str


def compiled(name, kind, dtype, hidden, chosen, capability, precision="tf32"):
    """Compile one kernel for a chip that need not be there.

    Parameters
    ----------
    name : {"forward_kernel", "backward_kernel"}
    kind : {"LSTM", "GRU"}
    dtype : {"float32", "float16", "bfloat16"}
    hidden : int
    chosen : lstm_lib.torch.persistent.residency.Plan
    capability : int
        80 for sm_80, 90 for sm_90.
    precision : {"tf32", "tf32x3"}

    Returns
    -------
    Resources
        A stack of 0 bytes: no register was spilled.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from lstm_lib.torch.persistent import kernels

    kernel = getattr(kernels, name)
    constants = chosen.constants(kind, hidden, name, precision)
    signature = {}
    for argument in kernel.arg_names:
        if argument in constants:
            signature[argument] = "constexpr"
        elif argument in ("start", "stop", "steps", "batch", "limit"):
            signature[argument] = "i32"
        elif argument in FLOATS:
            signature[argument] = "*fp32"
        elif argument in INTEGERS:
            signature[argument] = "*i32"
        else:
            signature[argument] = f"*{TRITON_TYPES[dtype]}"
    pointers = [i for i, kind in enumerate(signature.values()) if kind.startswith("*")]
    source = ASTSource(
        kernel,
        signature,
        constexprs={(kernel.arg_names.index(n),): value for n, value in constants.items()},
        attrs={(index,): [["tt.divisibility", 16]] for index in pointers},
    )
    options = {"num_warps": chosen.warps, "num_stages": 1}
    if chosen.slices > 1:
        options["launch_cooperative_grid"] = True
    built = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    registers, stack = _usage(built.asm["cubin"])
    return Resources(registers, built.metadata.shared, stack, built.asm["ptx"])


def _usage(cubin):
    """Registers a thread and bytes of stack, as cuobjdump reads them."""
    import triton

    program = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(program), "--dump-resource-usage", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in re.findall(r"(REG|STACK):(\d+)", said)}
    return found["REG"], found["STACK"]


def rows(shapes):
    """Lines of the table for ``(kind, dtype, precision, hidden, batch)``."""
    for kind, dtype, precision, hidden, batch in shapes:
        for chip in map(CHIPS.get, COMPILED_FOR):
            yield from _lines(kind, dtype, precision, hidden, batch, chip)


def _lines(kind, dtype, precision, hidden, batch, chip):
    about = f"{chip.name:6s} {kind:4s} {dtype:9s} {precision:6s} {hidden:5d} {batch:4d}"
    try:
        chosen = plan(hidden, batch, 1, dtype, chip, precision)
    except ValueError as error:
        yield f"{about}  {error}"
        return
    for name in ("forward_kernel", "backward_kernel"):
        found = compiled(name, kind, dtype, hidden, chosen, chip.capability, precision)
        yield (
            f"{about} {name.split('_')[0]:9s}{chosen.slices:4d} x {chosen.tiles:<3d}"
            f"{chosen.units:4d}{chosen.rows:5d}{chosen.chunks:7d}"
            f"{found.registers:10d}{found.shared:8d}{found.stack:6d}"
        )


def main(arguments):
    """Print the table."""
    print(
        "chip   cell dtype     product    H    B pass        P x Q units rows chunks"
        " registers shared stack"
    )
    if arguments:
        kind, dtype, hidden, batch = arguments
        shapes = [(kind, dtype, "tf32", int(hidden), int(batch))]
    else:
        precisions = [("bfloat16", "tf32"), ("float32", "tf32"), ("float32", "tf32x3")]
        sizes = itertools.product((64, 128, 256, 512, 1024), (1, 16, 64))
        shapes = [("LSTM", *p, *size) for size in sizes for p in precisions]
    for line in rows(shapes):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
