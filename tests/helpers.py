"""What several tests need: a random LSTM problem, and the distance between two results."""

from dataclasses import dataclass

import numpy as np
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T

TOLERANCE = {np.float64: 1e-13, np.float32: 2e-6}


@dataclass
class Problem:
    """A recurrent layer's weights, a batch, its initial states and random derivatives of its outputs."""

    kind: str
    options: dict
    state: dict
    x: np.ndarray
    hx: object
    d_output: np.ndarray
    d_hx: object
    lengths: list | None
    masks: dict | None = None


def random_problem(
    seed,
    *,
    kind="LSTM",
    steps=6,
    batch=3,
    inputs=2,
    hidden=5,
    dtype=np.float64,
    lengths=None,
    masks=False,
    **options,
):
    """Draw a problem with non-zero biases, states and derivatives of every output, and with `masks`."""
    rng = np.random.default_rng(seed)
    options = dict(input_size=inputs, hidden_size=hidden, **options)
    layers, directions = options.get("num_layers", 1), 2 if options.get("bidirectional") else 1
    layer = getattr(N, kind)(**options)
    shapes = {n: p.shape for n, p in layer.named_parameters()}
    state = {
        name: rng.normal(scale=0.6, size=shape).astype(dtype) for name, shape in shapes.items()
    }
    leading = (batch, steps) if options.get("batch_first") else (steps, batch)

    def draw(*shape):
        return rng.normal(size=shape).astype(dtype)

    units = options.get("proj_size") or hidden

    def draw_state():
        h, c = ((layers * directions, batch, size) for size in (units, hidden))
        return (draw(*h), draw(*c)) if kind == "LSTM" else draw(*h)

    x, hx = draw(*leading, inputs), draw_state()
    d_output = draw(*leading, units * directions)
    problem = Problem(kind, options, state, x, hx, d_output, draw_state(), lengths)
    if masks:
        layer.reseed(seed)
        problem.masks = layer.draw_masks(steps, batch)
    return problem


def as_states(hx):
    """The state of an LSTM (a pair) or of another layer (an array) as a tuple."""
    return tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)


def solve_numpy(problem):
    """Outputs and all gradients by the NumPy engine."""
    dtype = problem.x.dtype
    layer = getattr(N, problem.kind)(**problem.options, dtype=dtype)
    layer.load_state_dict(problem.state)
    output, final = layer(problem.x, problem.hx, lengths=problem.lengths, masks=problem.masks)
    dx, d_initial = layer.backward(problem.d_output, problem.d_hx)
    results = {"output": output, "dx": dx}
    results |= {f"{n}_n": s for n, s in zip("hc", as_states(final), strict=False)}
    results |= {f"d{n}_0": s for n, s in zip("hc", as_states(d_initial), strict=False)}
    results |= {name: p.grad for name, p in layer.named_parameters()}
    return results


def solve_torch(problem, reference=False, backend="auto", dtype=None):
    """Outputs and all gradients by the torch engine, or by ``torch.nn`` as the reference."""
    x = torch.tensor(problem.x, dtype=dtype, requires_grad=True)
    states = tuple(torch.tensor(s, dtype=dtype, requires_grad=True) for s in as_states(problem.hx))
    hx = states if problem.kind == "LSTM" else states[0]
    options = problem.options if reference else problem.options | {"backend": backend}
    layer = getattr(torch.nn if reference else T, problem.kind)(**options, dtype=x.dtype)
    layer.load_state_dict({name: torch.tensor(a) for name, a in problem.state.items()})
    if reference:
        output, final = _packed_call(layer, x, hx, problem.lengths)
    else:
        masks = problem.masks
        if masks is not None:
            masks = {name: torch.tensor(mask) for name, mask in masks.items()}
        output, final = layer(x, hx, lengths=problem.lengths, masks=masks)
    outputs = (output, *as_states(final))
    weights = (problem.d_output, *as_states(problem.d_hx))
    sum((torch.tensor(w) * y).sum() for w, y in zip(weights, outputs, strict=True)).backward()
    results = {"output": output, "dx": x.grad}
    results |= {f"{n}_n": s for n, s in zip("hc", as_states(final), strict=False)}
    results |= {f"d{n}_0": s.grad for n, s in zip("hc", states, strict=False)}
    results |= {name: p.grad for name, p in layer.named_parameters()}
    return {name: as_array(value) for name, value in results.items()}


def as_array(tensor):
    """A tensor's numbers; in float32 where NumPy has no such precision."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()


def solve_loop(problem):
    """The torch engine by its loop of torch operations."""
    return solve_torch(problem, backend="loop")


def solve_fused(problem):
    """The torch engine by the kernels as one node of the graph."""
    return solve_torch(problem, backend="fused")


SOLVERS = [solve_numpy, solve_loop, solve_fused]
"""Our ways to compute a layer."""


def _packed_call(lstm, x, hx, lengths):
    if lengths is None:
        return lstm(x, hx)
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    steps = x.shape[1] if lstm.batch_first else x.shape[0]
    packed = pack_padded_sequence(x, lengths, batch_first=lstm.batch_first, enforce_sorted=False)
    output, states = lstm(packed, hx)
    padded, _ = pad_packed_sequence(output, batch_first=lstm.batch_first, total_length=steps)
    return padded, states


def arrays_of(model):
    """All parameters of a model of either engine as copied NumPy arrays."""
    state = model.state_dict().items()
    return {n: np.array(v.detach().numpy() if hasattr(v, "detach") else v) for n, v in state}


def distance(a, b):
    """Largest difference of two arrays, relative to the largest entry of either (at least 1)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape} differ"
    return float(np.abs(a - b).max() / max(1.0, np.abs(a).max(), np.abs(b).max()))


def assert_same(ours, theirs, tolerance):
    """Assert that two dicts of results agree within the tolerance, and say where they do not."""
    assert ours.keys() == theirs.keys()
    errors = {name: distance(ours[name], theirs[name]) for name in ours}
    wrong = {name: f"{error:.1e}" for name, error in errors.items() if not error <= tolerance}
    assert not wrong, f"beyond {tolerance:.0e}: {wrong}"
