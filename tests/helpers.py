"""What several tests need: a random LSTM problem, and the distance between two results."""

from dataclasses import dataclass

import numpy as np
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T

TOLERANCE = {np.float64: 1e-13, np.float32: 2e-6}


@dataclass
class Problem:
    """An LSTM's weights, a batch, its initial states and random derivatives of its outputs."""

    options: dict
    state: dict
    x: np.ndarray
    hx: tuple
    d_output: np.ndarray
    d_hx: tuple
    lengths: list | None


def random_problem(
    seed, *, steps=6, batch=3, inputs=2, hidden=5, dtype=np.float64, lengths=None, **options
):
    """Draw a problem with non-zero biases, states and derivatives of every output."""
    rng = np.random.default_rng(seed)
    options = dict(input_size=inputs, hidden_size=hidden, **options)
    layers, directions = options.get("num_layers", 1), 2 if options.get("bidirectional") else 1
    shapes = {n: p.shape for n, p in N.LSTM(**options).named_parameters()}
    state = {
        name: rng.normal(scale=0.6, size=shape).astype(dtype) for name, shape in shapes.items()
    }
    leading = (batch, steps) if options.get("batch_first") else (steps, batch)

    def draw(*shape):
        return rng.normal(size=shape).astype(dtype)

    states = (layers * directions, batch, hidden)
    return Problem(
        options,
        state,
        draw(*leading, inputs),
        (draw(*states), draw(*states)),
        draw(*leading, hidden * directions),
        (draw(*states), draw(*states)),
        lengths,
    )


def solve_numpy(problem):
    """Outputs and all gradients by the NumPy engine."""
    dtype = problem.x.dtype
    lstm = N.LSTM(**problem.options, dtype=dtype)
    lstm.load_state_dict(problem.state)
    output, (h_n, c_n) = lstm(problem.x, problem.hx, lengths=problem.lengths)
    dx, (dh_0, dc_0) = lstm.backward(problem.d_output, problem.d_hx)
    results = {"output": output, "h_n": h_n, "c_n": c_n, "dx": dx, "dh_0": dh_0, "dc_0": dc_0}
    results |= {name: p.grad for name, p in lstm.named_parameters()}
    return results


def solve_torch(problem, reference=False):
    """Outputs and all gradients by the torch engine, or by ``torch.nn.LSTM`` as the reference."""
    tensors = [torch.tensor(a, requires_grad=True) for a in (problem.x, *problem.hx)]
    x, h_0, c_0 = tensors
    if reference:
        lstm = torch.nn.LSTM(**problem.options, dtype=x.dtype)
        lstm.load_state_dict({name: torch.tensor(a) for name, a in problem.state.items()})
        output, (h_n, c_n) = _packed_call(lstm, x, (h_0, c_0), problem.lengths)
    else:
        lstm = T.LSTM(**problem.options, dtype=x.dtype)
        lstm.load_state_dict({name: torch.tensor(a) for name, a in problem.state.items()})
        output, (h_n, c_n) = lstm(x, (h_0, c_0), lengths=problem.lengths)
    weights = (problem.d_output, *problem.d_hx)
    loss = sum(
        (torch.tensor(w) * y).sum() for w, y in zip(weights, (output, h_n, c_n), strict=True)
    )
    loss.backward()
    results = {"output": output, "h_n": h_n, "c_n": c_n}
    results |= {f"d{name}": t.grad for name, t in zip(("x", "h_0", "c_0"), tensors, strict=True)}
    results |= {name: p.grad for name, p in lstm.named_parameters()}
    return {name: value.detach().numpy() for name, value in results.items()}


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
