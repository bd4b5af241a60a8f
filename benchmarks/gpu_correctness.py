"""Every gate of correctness on a device: ``python -m benchmarks.gpu_correctness --device cuda``.

Every backend that serves a case computes it, and is held against the NumPy engine in float64, whose
backward pass is derived by hand. Always with biases that are not zero, with I, H, B and T all different,
with initial states, and with random derivatives of the output, of h_n and of c_n at once. The inputs
are rounded to the precision first, so that what is measured is the computing.

agree
    the largest difference relative to the largest entry of each result, below :func:`bound`
beside torch.nn
    in 16 bits, for backends with wider sums: the error of all results together, at most :data:`WORSE`
    times that of ``torch.nn``
complex step
    gradients in float64 against derivatives that no backward pass has a part in
recorded
    on a GPU, the fused backend's fifth pass, by when it replays what it recorded, as above
same bits
    the same run twice gives the same bits, with an algorithm of cuBLAS that does not depend on luck
finite
    inputs and weights that drive every gate into saturation give finite numbers

Under Triton's interpreter (``TRITON_INTERPRET=1`` on a CPU) leave out bf16: it multiplies the bits of such
numbers as integers.

Writes a JSON record, prints a table, and ends with status 1 if a gate does not hold. ``--racecheck`` runs
the triton backend on two small cases under compute-sanitizer, where that is installed.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import device as devices
from benchmarks import record
from benchmarks.gpu_cases import LARGE, SMALL, SMOKE, Case
from benchmarks.gpu_sanitizer import sanitized
from benchmarks.gpu_summary import line, summary
from benchmarks.gpu_warm import warm
from lstm_lib import gradcheck
from lstm_lib import numpy as numpy_engine
from lstm_lib import torch as torch_engine
from lstm_lib.files import write_atomically
from lstm_lib.torch.persistent import faults

BOUNDS = {"fp64": 1e-13, "fp32": 2e-6, "tf32": 2e-3, "fp16": 4e-3, "bf16": 2e-2}
"""Of the largest difference, by precision."""

NARROW_SUMS = 2.5
"""How much more the loop may be off in 16 bits, in which it adds up the gradients of its steps."""

COMPLEX_STEP = 1e-12
WORSE = 1.5
FEW_NUMBERS, DRAWS = 32, 8
"""Below so many units errors are a matter of luck: there the gate beside torch.nn sums up so many draws."""

NARROW = ("fp16", "bf16")
WIDE_SUMS = ("fused", "triton", "cudnn")
"""Backends that keep the cell in float32 where the numbers have 16 bits; the loop rounds at every operation."""

REFERENCE = "torch.nn"
BACKENDS = ("loop", "fused", "triton", "cudnn", "auto")
SERVE_ALL = ("loop", "auto")
"""Backends that may refuse nothing."""

MUST_SERVE = {"cpu": ("loop", "fused", "auto"), "cuda": BACKENDS}
"""Backends that have to serve some case of a device: a run in which one refuses everything fails."""


@dataclass
class Problem:
    """A case with its numbers, in float64, rounded to the precision it is for."""

    case: Case
    state: dict
    x: np.ndarray
    hx: tuple
    d_output: np.ndarray
    d_hx: tuple
    lengths: list | None

    @property
    def options(self):
        """Arguments of the layer."""
        case = self.case
        return dict(
            input_size=case.inputs,
            hidden_size=case.hidden,
            num_layers=case.layers,
            bidirectional=case.directions == 2,
        )


def bound(backend, precision):
    """What the largest difference of a backend may be.

    >>> bound("fused", "bf16"), bound("loop", "bf16"), bound("loop", "fp32")
    (0.02, 0.05, 2e-06)
    """
    narrow = precision in NARROW and backend not in WIDE_SUMS
    return BOUNDS[precision] * (NARROW_SUMS if narrow else 1)


def draw(case, precision, seed=0, saturated=False):
    """Random numbers for a case, rounded to `precision`.

    Parameters
    ----------
    case : Case
    precision : str
        A name of :data:`benchmarks.device.DTYPES`.
    seed : int
    saturated : bool
        Inputs and weights so large that every gate is at an end of its range.

    Returns
    -------
    Problem
    """
    rng, dtype = np.random.default_rng(seed), devices.DTYPES[precision]

    def normal(shape, scale=1.0):
        return torch.tensor(rng.normal(scale=scale, size=shape)).to(dtype).double().numpy()

    layer = getattr(numpy_engine, case.kind)(**Problem(case, *[None] * 6).options)
    grown, scale = (20.0, 50.0) if saturated else (1.0, 1.0)
    state = {
        name: normal(p.shape, grown * (0.5 if len(p.shape) == 1 else case.hidden**-0.5))
        for name, p in layer.named_parameters()
    }
    batch, steps = case.batch, case.steps
    states = 2 if case.kind == "LSTM" else 1
    of_state = (case.layers * case.directions, batch, case.hidden)
    lengths = None
    if case.lengths:
        lengths = [steps, *rng.integers(1, steps, batch - 1).tolist()]
    return Problem(
        case,
        state,
        normal((steps, batch, case.inputs), scale),
        tuple(normal(of_state) for _ in range(states)),
        normal((steps, batch, case.hidden * case.directions)),
        tuple(normal(of_state) for _ in range(states)),
        lengths,
    )


def exact(problem):
    """Outputs and all gradients by the NumPy engine in float64."""
    layer = getattr(numpy_engine, problem.case.kind)(**problem.options, dtype="float64")
    layer.load_state_dict(problem.state)
    one = len(problem.hx) == 1
    hx, d_hx = (states[0] if one else states for states in (problem.hx, problem.d_hx))
    output, final = layer(problem.x, hx, lengths=problem.lengths)
    dx, d_initial = layer.backward(problem.d_output, d_hx)
    final, d_initial = ((s,) if one else s for s in (final, d_initial))
    return _named(output, final, dx, d_initial, {n: p.grad for n, p in layer.named_parameters()})


def solve(problem, backend, precision, device, passes=1):
    """The same by a backend of the torch engine, or by ``torch.nn``, as float64 arrays.

    Of several `passes`, in which a recording is made and used, the last; the others have another input.

    Raises
    ------
    ValueError
        If the backend does not serve the case.
    """
    with devices.precision(precision) as dtype:
        like = dict(device=device, dtype=dtype)
        if backend == REFERENCE:
            layer = getattr(torch.nn, problem.case.kind)(**problem.options, **like)
        else:
            make = getattr(torch_engine, problem.case.kind)
            layer = make(**problem.options, **like, backend=backend)
        layer.load_state_dict({name: torch.tensor(a) for name, a in problem.state.items()})
        x, *states = (torch.tensor(a, **like, requires_grad=True) for a in (problem.x, *problem.hx))
        hx = tuple(states) if len(states) > 1 else states[0]
        run = _by_nn if backend == REFERENCE else _by_ours
        weights = tuple(torch.tensor(a, **like) for a in (problem.d_output, *problem.d_hx))
        for left in reversed(range(passes)):
            for leaf in (x, *states, *layer.parameters()):
                leaf.grad = None
            output, final = run(layer, -x if left else x, hx, problem.lengths)
            final = final if isinstance(final, tuple) else (final,)
            torch.autograd.backward((output, *final), weights)
    faults.check()
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    found = _named(output, final, x.grad, [state.grad for state in states], gradients)
    return {name: value.detach().double().cpu().numpy() for name, value in found.items()}


def _by_ours(layer, x, hx, lengths):
    return layer(x, hx, lengths=lengths)


def _by_nn(layer, x, hx, lengths):
    if lengths is None:
        return layer(x, hx)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, final = layer(packed, hx)
    return torch.nn.utils.rnn.pad_packed_sequence(output, total_length=len(x))[0], final


def _named(output, final, dx, d_initial, gradients):
    found = {"output": output, "dx": dx}
    found |= {f"{name}_n": state for name, state in zip("hc", final, strict=False)}
    found |= {f"d{name}_0": state for name, state in zip("hc", d_initial, strict=False)}
    return found | gradients


def largest(found, expected):
    """The largest difference in any result, relative to the largest entry of that result.

    >>> largest({"a": np.array([1.0, 4.0])}, {"a": np.array([1.0, 2.0])})
    1.0
    """
    return max(_apart(found[name], expected[name], lambda a: np.abs(a).max()) for name in expected)


def together(found, expected):
    """The error of all results together: the root mean square of their relative distances."""
    apart = [_apart(found[name], expected[name], np.linalg.norm) for name in expected]
    return float(np.sqrt(np.mean(np.square(apart))))


def _apart(found, expected, size):
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(size(found - expected) / max(size(expected), np.finfo(float).tiny))


def by_complex_step(problem, entries=6, seed=1):
    """Derivatives of the weighted outputs at some entries of every array, without a backward pass.

    Returns
    -------
    sample : dict of str to list of index tuples
    slopes : dict of str to ndarray
        Zero at the other entries.
    """
    names = ["x", *(f"{name}_0" for name in "hc"[: len(problem.hx)])]
    arrays = problem.state | dict(zip(names, (problem.x, *problem.hx), strict=True))
    rng = np.random.default_rng(seed)
    sample = {
        name: [tuple(int(rng.integers(n)) for n in array.shape) for _ in range(entries)]
        for name, array in arrays.items()
    }
    layer = getattr(numpy_engine, problem.case.kind)(**problem.options, dtype="float64")
    parameters = dict(layer.named_parameters())

    def weighted(point):
        for name, parameter in parameters.items():
            parameter.data = point[name]
        states = tuple(point[name] for name in names[1:])
        hx = states if len(states) > 1 else states[0]
        output, final = layer(point["x"], hx, lengths=problem.lengths)
        final = final if len(states) > 1 else (final,)
        pairs = zip((output, *final), (problem.d_output, *problem.d_hx), strict=True)
        return sum((y * weight).sum() for y, weight in pairs)

    return sample, gradcheck.complex_step(weighted, arrays, entries=sample)


class Gates:
    """Runs the gates on a device and keeps a row for each.

    Parameters
    ----------
    device : str
    cases : sequence of Case
    backends, precisions : sequence of str
    say : callable
        Called with every row.
    after : callable
        Called when all gates of a case were tried.
    """

    def __init__(self, device, cases, backends=BACKENDS, precisions=None, say=None, after=None):
        self.device, self.cases = device, cases
        self.backends = backends
        self.precisions = precisions or devices.precisions(device)
        self.rows, self.say = [], say or (lambda row: None)
        self.after = after or (lambda: None)
        self._known = {}

    def run(self):
        """Run all and return the rows."""
        for case in self.cases:
            for precision in self.precisions:
                self.agreement(case, precision)
            self._known.clear()
            for precision in self.precisions:
                self.saturation(case, precision)
            self.after()
        if "fp64" in self.precisions:
            for case in self.cases:
                if case.hidden < 32:
                    self.complex_steps(case)
        for backend in MUST_SERVE[torch.device(self.device).type]:
            of = [row for row in self.rows if row["backend"] == backend]
            if backend in self.backends and not any(row["held"] for row in of):
                self.note("serves something", backend, "any", self.cases[0], None, None, False)
        return self.rows

    def agreement(self, case, precision):
        """Agreement with float64, the error beside that of torch.nn, and the same bits twice."""
        problem, expected, error = self.known(case, precision)
        for backend in self.backends:
            found = self.attempt("agree", backend, precision, case, problem)
            if found is None:
                continue
            where, limit = (backend, precision, case), bound(backend, precision)
            self.note("agree", *where, largest(found, expected), limit)
            if error is not None and backend in WIDE_SUMS:
                self.note("beside torch.nn", *where, self.beside(*where), WORSE)
            if backend == "fused" and devices.is_gpu(self.device):
                replayed = self.attempt("recorded", *where, problem, 5)
                if replayed is not None:
                    self.note("recorded", *where, largest(replayed, expected), limit)
            again = self.attempt("same bits", *where, problem)
            if again is None:
                continue
            differing = sum(not np.array_equal(found[name], again[name]) for name in found)
            self.note("same bits", *where, differing, 0)

    def beside(self, backend, precision, case):
        """The error of all results together, divided by that of torch.nn."""
        ours = theirs = 0.0
        for seed in range(DRAWS if case.hidden < FEW_NUMBERS else 1):
            problem, expected, error = self.known(case, precision, seed)
            if error is None:
                continue
            found = solve(problem, backend, precision, self.device)
            ours, theirs = ours + together(found, expected) ** 2, theirs + error**2
        return float(np.sqrt(ours / theirs))

    def known(self, case, precision, seed=0):
        """A problem, what is exact, and in 16 bits the error of torch.nn; kept, as backends share it."""
        key = case, precision, seed
        if key not in self._known:
            problem = draw(case, precision, seed)
            expected, error = exact(problem), None
            if precision in NARROW:
                theirs = self.attempt("beside torch.nn", REFERENCE, precision, case, problem)
                error = None if theirs is None else together(theirs, expected)
            self._known[key] = problem, expected, error
        return self._known[key]

    def saturation(self, case, precision):
        """Finite numbers where every gate is at an end of its range."""
        problem = draw(case, precision, saturated=True)
        for backend in self.backends:
            found = self.attempt("finite", backend, precision, case, problem)
            if found is not None:
                wrong = sum(not np.isfinite(array).all() for array in found.values())
                self.note("finite", backend, precision, case, wrong, 0)

    def complex_steps(self, case):
        """Gradients in float64 against the complex step."""
        problem = draw(case, "fp64")
        sample, slopes = by_complex_step(problem)
        for backend in self.backends:
            found = self.attempt("complex step", backend, "fp64", case, problem)
            if found is None:
                continue
            claimed = {name: found[f"d{name}"] for name in ("x", "h_0", "c_0") if name in slopes}
            claimed |= {name: found[name] for name in problem.state}
            picked = {
                name: tuple(np.array([array[index] for index in sample[name]]) for array in pair)
                for name, pair in ((n, (claimed[n], slopes[n])) for n in slopes)
            }
            apart = largest(*({n: pair[k] for n, pair in picked.items()} for k in (0, 1)))
            self.note("complex step", backend, "fp64", case, apart, COMPLEX_STEP)

    def attempt(self, check, backend, precision, case, problem, *passes):
        """What a backend finds; None, and a row that says why, where it refuses."""
        try:
            return solve(problem, backend, precision, self.device, *passes)
        except ValueError as refusal:
            held = False if backend in SERVE_ALL else None
            self.note(check, backend, precision, case, None, None, held, str(refusal))
        except (
            Exception
        ) as error:  # a compiler, memory, a watchdog: the other gates are tried as well
            said = f"{type(error).__name__}: {str(error)[:300]}"
            self.note(check, backend, precision, case, None, None, False, said)
        return None

    def note(self, check, backend, precision, case, value, bound, held=None, said=""):
        """Keep a row; a value below its bound, both included, holds."""
        if value is not None:
            held = bool(value <= bound)
        row = dict(check=check, backend=backend, precision=precision, case=str(case))
        self.rows.append(row | dict(value=value, bound=bound, held=held, said=said))
        self.say(self.rows[-1])


def run_case(case, precision, device):
    """One case by the triton backend, so that its kernels are compiled."""
    solve(draw(case, precision), "triton", precision, device)


def parser():
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_correctness", description=__doc__.partition("\n")[0]
    )
    add = result.add_argument
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    add("--precisions", nargs="+", choices=list(devices.DTYPES))
    add("--small", action="store_true", help="the small cases alone, as on a CPU")
    add("--smoke", action="store_true", help="small cases in float32, for the sanitizer")
    add("--warm", type=int, default=0, help="processes that compile the kernels first")
    add("--racecheck", action="store_true", help="small cases under compute-sanitizer too")
    add("--out", type=Path, help="file of the record; none by default")
    return result


def main(arguments=None):
    """Run the gates; returns 0 if all hold, else 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    gpu = devices.is_gpu(options.device)
    cases = SMOKE[: 1 + gpu] if options.smoke else SMALL + LARGE * (gpu and not options.small)
    precisions = ("fp32",) if options.smoke else options.precisions
    begin = time.time()
    head = record.circumstances(" ".join(["python -m benchmarks.gpu_correctness", *arguments]))
    head |= {**devices.facts(options.device), "flags": devices.flags()}

    def write(checked, finished):
        if options.out:
            content = {
                **head,
                "seconds": round(time.time() - begin),
                "finished": finished,
                "held": finished and held(gates.rows, checked),
                "sanitizer": checked,
                "rows": gates.rows,
            }
            text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
            part = options.out.with_suffix(".part.json")
            write_atomically(options.out if finished else part, text.encode("utf-8"))
            if finished:
                part.unlink(missing_ok=True)

    gates = Gates(
        options.device,
        cases,
        options.backends,
        precisions,
        say=lambda row: None if row["held"] in (True, None) else print(line(row), flush=True),
        after=lambda: write(None, False),  # whoever cuts it off has what was done
    )
    if options.warm:
        items = [(case, name, options.device) for case in cases for name in gates.precisions]
        warm(run_case, items, options.warm)
    rows = gates.run()
    print(summary(rows))
    checked = sanitized(options.device) if options.racecheck else None
    if checked is not None:
        print(f"sanitizer: {checked}")
    write(checked, True)
    served = [row for row in rows if row["held"] is not None]
    good = sum(row["held"] for row in served)
    print(f"{good} of {len(served)} gates hold on {options.device}")
    return 0 if held(rows, checked) else 1


def held(rows, checked):
    """Whether no gate fails and the sanitizer, if it was asked, found nothing."""
    return all(row["held"] is not False for row in rows) and (checked or {}).get("held", True)


if __name__ == "__main__":
    sys.exit(main())
