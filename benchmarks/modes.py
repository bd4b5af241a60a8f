"""``python -m benchmarks.modes``: what each backend does under ``torch.autocast`` and ``torch.compile``.

Under autocast: the precision of the results, their distance to float64 and the time of a training step,
beside the same step without autocast. Compiled: into how many graphs a call falls, whether
``fullgraph=True`` accepts it, what the first step costs in seconds of the processor, and the time of a
later one beside the step that is not compiled. On a machine with a GPU the same is measured there, into a
file of its own.
"""

import argparse
import resource
import time

import torch

from benchmarks import record
from benchmarks.plan import Size
from benchmarks.timing import interleaved, ratios, threads
from lstm_lib import torch as torch_engine

AUTOCAST = Size(16, 64, 32, 64)
COMPILED = Size(16, 4, 32, 64)
NAMES = {"cpu": ("loop", "fused"), "cuda": ("loop", "fused", "cudnn", "triton")}


def layer_of(name, size, device, dtype=torch.float32):
    """``torch.nn.LSTM`` or ours by a backend, always with the same weights."""
    ours = torch_engine.LSTM(size.inputs, size.hidden, rng=1, dtype=dtype, device=device)
    if name == "torch.nn":
        layer = torch.nn.LSTM(size.inputs, size.hidden, dtype=dtype, device=device)
        layer.load_state_dict(ours.state_dict())
        return layer
    ours.backend = name
    return ours


def problem(size, device, dtype=torch.float32):
    """Input and derivative of the output."""
    generator = torch.Generator().manual_seed(0)
    shapes = (size.steps, size.batch, size.inputs), (size.steps, size.batch, size.hidden)
    return [torch.randn(s, generator=generator).to(device, dtype) for s in shapes]


def trained(call, layer, x, d_output):
    """One training step: output, final cell and the gradient of the recurrent weights."""
    layer.zero_grad()
    output, (_, c) = call(x)
    output.backward(d_output.to(output.dtype))
    if x.is_cuda:
        torch.cuda.synchronize()
    return output.detach(), c.detach(), layer.weight_hh_l0.grad


def distance(found, exact):
    """Largest difference by the largest number."""
    return float((found.double() - exact).abs().max() / exact.abs().max())


def clock_of(device):
    """The processor's own clock, unless the work is done elsewhere."""
    return time.perf_counter if device == "cuda" else time.process_time


def processor_seconds():
    """What this process and the compilers it started have used so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def under_autocast(name, device, seconds):
    """One row about ``torch.autocast`` in bfloat16."""
    exact = layer_of("loop", AUTOCAST, device, torch.float64)
    best = trained(exact, exact, *problem(AUTOCAST, device, torch.float64))
    layer, (x, d_output) = layer_of(name, AUTOCAST, device), problem(AUTOCAST, device)

    def plain():
        return trained(layer, layer, x, d_output)

    def cast():
        with torch.autocast(device, dtype=torch.bfloat16):
            return trained(layer, layer, x, d_output)

    output, c, gradient = (t.clone() for t in cast())
    times = interleaved({"cast": cast, "plain": plain}, seconds, 9, clock_of(device))
    return {
        "size": list(AUTOCAST),
        "output": str(output.dtype).removeprefix("torch."),
        "cell": str(c.dtype).removeprefix("torch."),
        "gradient": str(gradient.dtype).removeprefix("torch."),
        "error": {"output": distance(output, best[0]), "gradient": distance(gradient, best[2])},
        "ratio": ratios(times, "cast", "plain"),
    }


def compiled(name, device, seconds):
    """One row about ``torch.compile``."""
    from torch._dynamo import explain
    from torch._inductor import config

    config.force_disable_caches = True
    config.compile_threads = 1  # compilers that are waited for, so that their time is counted
    layer, (x, d_output) = layer_of(name, COMPILED, device), problem(COMPILED, device)
    found = explain(lambda x: layer(x))(x)
    torch.compiler.reset()
    fast = torch.compile(lambda x: layer(x))
    expected = trained(layer, layer, x, d_output)
    expected = [t.double().clone() for t in expected]
    start = processor_seconds()
    first = trained(fast, layer, x, d_output)
    took = processor_seconds() - start
    gaps = [distance(a, b) for a, b in zip(first, expected, strict=True)]
    steps = {
        "compiled": lambda: trained(fast, layer, x, d_output),
        "plain": lambda: trained(layer, layer, x, d_output),
    }
    times = interleaved(steps, seconds, 9, clock_of(device))
    torch.compiler.reset()
    return {
        "size": list(COMPILED),
        "graphs": found.graph_count,
        "breaks": found.graph_break_count,
        "full": accepts_a_full_graph(layer, x),
        "first": took,
        "difference": max(gaps),
        "ratio": ratios(times, "compiled", "plain"),
    }


def accepts_a_full_graph(layer, x):
    """Whether a call can be one graph, with nothing compiled for it."""
    from torch._dynamo.exc import Unsupported

    try:
        torch.compile(lambda x: layer(x), fullgraph=True, backend="eager")(x)
    except Unsupported:
        return False
    finally:
        torch.compiler.reset()
    return True


def main(arguments=None):
    """Measure all rows and write their file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each comparison")
    parser.add_argument("--only", nargs="+", default=("autocast", "compile"))
    parser.add_argument("--out", default=record.RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    facts, rows = record.circumstances("python -m benchmarks.modes"), []
    measure = {"autocast": under_autocast, "compile": compiled}
    with threads(1):
        for mode in options.only:
            for name in (*NAMES[device], "torch.nn"):
                try:
                    row = measure[mode](name, device, options.seconds)
                except ValueError as refusal:
                    row = {"refusal": str(refusal)}
                except Exception as error:  # a compiler's: the others are measured all the same
                    row = {"refusal": f"{type(error).__name__}: {str(error)[:300]}"}
                rows.append({"mode": mode, "contestant": name, "threads": 1, "goal": None} | row)
                print(rows[-1], flush=True)
    print(f"==> {record.write(options.out, f'modes-{device}', rows, facts).name}")


if __name__ == "__main__":
    main()
