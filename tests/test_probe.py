"""probe.trace shows the very numbers that the layers compute, and the derivatives that autograd finds."""

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.probe import SYMBOLS, trace
from tests.helpers import arrays_of, as_states, distance, random_problem

KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
OPTIONS = pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(num_layers=2, bidirectional=True),
        dict(num_layers=2, batch_first=True, bias=False),
        dict(num_layers=2, bidirectional=True, lengths=[5, 2, 4]),
        dict(lengths=[1, 6, 3], batch_first=True),
    ],
    ids=str,
)


def layer_of(problem, L=N):
    layer = getattr(L, problem.kind)(**problem.options, dtype="float64")
    wrap = np.asarray if L is N else torch.tensor
    layer.load_state_dict({n: wrap(a) for n, a in problem.state.items()})
    return layer


def wrapped(state, L):
    if L is N:
        return state
    tensors = tuple(torch.tensor(s) for s in as_states(state))
    return tensors if isinstance(state, tuple) else tensors[0]


@KINDS
@ENGINES
@OPTIONS
def test_trace_ends_where_the_layer_ends(L, kind, options):
    problem = random_problem(0, kind=kind, **options)
    layer = layer_of(problem, L)
    x = problem.x if L is N else torch.tensor(problem.x)
    output, final = layer(x, wrapped(problem.hx, L), lengths=problem.lengths)
    traces = trace(layer, problem.x, problem.hx, lengths=problem.lengths)
    directions = 2 if options.get("bidirectional") else 1
    top = np.concatenate([t["h"] for t in list(traces.values())[-directions:]], axis=-1)
    as_array = np.asarray if L is N else lambda t: t.detach().numpy()
    assert distance(top, as_array(output)) <= 1e-14
    time = 1 if options.get("batch_first") else 0
    lengths = problem.lengths or [problem.x.shape[time]] * problem.x.shape[1 - time]
    for index, (suffix, found) in enumerate(traces.items()):
        assert tuple(found) == SYMBOLS[kind]
        for state, values in zip("hc", as_states(final), strict=False):
            for sequence, length in enumerate(lengths):
                last = 0 if suffix.endswith("_reverse") else length - 1
                of_sequence = np.take(found[state], sequence, axis=1 - time)
                assert distance(of_sequence[last], as_array(values)[index, sequence]) <= 1e-14
                assert not of_sequence[length:].any()


def test_the_equations_hold_at_every_traced_step():
    problem = random_problem(0)
    lstm = N.LSTM(**problem.options, dtype=np.float64)
    t = trace(lstm, problem.x)["l0"]
    before = np.concatenate((np.zeros_like(t["c"][:1]), t["c"][:-1]))
    assert distance(t["c"], t["f"] * before + t["i"] * t["g"]) <= 1e-15
    assert distance(t["h"], t["o"] * np.tanh(t["c"])) <= 1e-15
    with pytest.raises(ValueError, match="input must have 3 axes"):
        trace(lstm, problem.x[0])
    with pytest.raises(TypeError, match="probe looks into an LSTM, GRU or RNN, got Linear"):
        trace(N.Linear(2, 3), problem.x)


def autograd_step(kind, a, b, state):
    """All symbols of one step from the products with input and state, in plain torch."""
    if kind == "RNN":
        return {"a": a + b, "h": None}
    parts_a, parts_b = (
        a.chunk(4 if kind == "LSTM" else 3, -1),
        b.chunk(4 if kind == "LSTM" else 3, -1),
    )
    if kind == "GRU":
        r, z = torch.sigmoid(parts_a[0] + parts_b[0]), torch.sigmoid(parts_a[1] + parts_b[1])
        q = parts_b[2] * 1
        n = torch.tanh(parts_a[2] + r * q)
        return {"r": r, "z": z, "n": n, "q": q, "h": (1 - z) * n + z * state[0]}
    i, f, g, o = (x + y for x, y in zip(parts_a, parts_b, strict=True))
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * state[1] + i * g
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * c.tanh()}


def autograd_symbols(problem):
    """Derivatives of every symbol by autograd on a loop that keeps them all, ``{suffix: {name: (T, B, H)}}``."""
    weights = {name: torch.tensor(a, requires_grad=True) for name, a in problem.state.items()}
    batch_first = problem.options.get("batch_first", False)
    below = torch.tensor(problem.x.swapaxes(0, 1) if batch_first else problem.x)
    steps, batch = below.shape[:2]
    lengths = problem.lengths or [steps] * batch
    directions = 2 if problem.options.get("bidirectional") else 1
    symbols, finals = {}, []
    for layer in range(problem.options.get("num_layers", 1)):
        outputs = torch.zeros(steps, batch, 0, dtype=torch.float64)
        for direction in range(directions):
            suffix = f"l{layer}" + ("_reverse" if direction else "")
            part = [weights[f"weight_{p}_{suffix}"] for p in ("ih", "hh")]
            bias = [weights.get(f"bias_{p}_{suffix}", torch.zeros(1)) for p in ("ih", "hh")]
            own = [[None] * batch for _ in range(steps)]
            last = []
            for sequence in range(batch):
                state = [torch.tensor(s[len(finals), sequence]) for s in as_states(problem.hx)]
                order = range(lengths[sequence])
                for t in reversed(order) if direction else order:
                    a = below[t, sequence] @ part[0].T + bias[0]
                    found = autograd_step(problem.kind, a, state[0] @ part[1].T + bias[1], state)
                    if problem.kind == "RNN":
                        found["h"] = found["a"].tanh()
                    for tensor in found.values():
                        tensor.retain_grad()
                    own[t][sequence] = found
                    state = [found[s] for s in "hc" if s in found]
                last.append(state)
            finals.append([torch.stack(parts) for parts in zip(*last, strict=True)])
            symbols[suffix] = own
            none = torch.zeros(part[1].shape[1], dtype=torch.float64)
            h = [torch.stack([f["h"] if f else none for f in at_t]) for at_t in own]
            outputs = torch.cat((outputs, torch.stack(h)), dim=-1)
        below = outputs
    d_output = problem.d_output.swapaxes(0, 1) if batch_first else problem.d_output
    loss = (torch.tensor(d_output) * below).sum()
    for index, states in enumerate(finals):
        for d, value in zip(as_states(problem.d_hx), states, strict=True):
            loss = loss + (torch.tensor(d[index]) * value).sum()
    loss.backward()
    shape = (steps, batch, problem.options["hidden_size"])
    return {
        suffix: {name: gathered(own, name, shape) for name in SYMBOLS[problem.kind]}
        for suffix, own in symbols.items()
    }


def gathered(own, name, shape):
    gradients = np.zeros(shape)
    for t, at_t in enumerate(own):
        for sequence, found in enumerate(at_t):
            if found and found[name].grad is not None:
                gradients[t, sequence] = found[name].grad.numpy()
    return gradients


@KINDS
@OPTIONS
def test_derivatives_are_those_of_autograd(kind, options):
    problem = random_problem(4, kind=kind, **options)
    expected = autograd_symbols(problem)
    found = trace(
        layer_of(problem),
        problem.x,
        problem.hx,
        lengths=problem.lengths,
        d_output=problem.d_output,
        d_hx=problem.d_hx,
    )
    assert found.keys() == expected.keys()
    for suffix, gradients in expected.items():
        for name, gradient in gradients.items():
            ours = found[suffix][f"d_{name}"]
            ours = ours.swapaxes(0, 1) if options.get("batch_first") else ours
            assert distance(ours, gradient) <= 1e-13, f"d_{name} of {suffix}"


@KINDS
def test_derivatives_are_those_of_the_complex_step(kind):
    problem = random_problem(5, kind=kind, steps=4, batch=2, hidden=3, lengths=[4, 2])
    layer = layer_of(problem)
    call = dict(hx=problem.hx, lengths=problem.lengths)
    found = trace(layer, problem.x, d_output=problem.d_output, **call)["l0"]
    for name in {"LSTM": "ifgo", "GRU": "rzq", "RNN": "a"}[kind]:
        measured = np.zeros_like(found[name])
        for t, sequence, unit in np.ndindex(measured.shape):

            def push(step, gates, at=(t, sequence, unit), name=name):
                pushed = gates[name].astype(complex)
                if step == at[0]:
                    pushed[at[1:]] += 1e-30j
                return gates | {name: pushed}

            h = trace(layer, problem.x, edit=push, **call)["l0"]["h"]
            measured[t, sequence, unit] = (problem.d_output * h.imag).sum() / 1e-30
        assert distance(found[f"d_{name}"], measured) <= 1e-14, name


def test_a_complex_state_reaches_the_trace():
    problem = random_problem(6)
    h_0, c_0 = problem.hx
    found = trace(layer_of(problem), problem.x, (h_0 + 1e-30j, c_0))["l0"]
    assert found["h"].imag.any()


@KINDS
def test_an_intervention_is_followed_by_the_states(kind):
    problem = random_problem(7, kind=kind)
    layer = layer_of(problem)
    untouched = trace(layer, problem.x, problem.hx, edit=lambda t, gates: gates)["l0"]
    plain = trace(layer, problem.x, problem.hx)["l0"]
    for name in SYMBOLS[kind]:
        assert np.array_equal(untouched[name], plain[name])
    keep = {
        "LSTM": lambda t, s: s | {"i": 0 * s["i"], "f": 0 * s["f"] + 1},
        "GRU": lambda t, s: s | {"z": 0 * s["z"] + 1},
        "RNN": lambda t, s: {"a": np.arctanh(0.5 + 0 * s["a"])},
    }[kind]
    kept = trace(layer, problem.x, problem.hx, edit=keep)["l0"]
    if kind == "RNN":
        assert distance(kept["h"], np.full_like(kept["h"], 0.5)) <= 1e-15
    else:
        state = kept["c"] if kind == "LSTM" else kept["h"]
        assert np.array_equal(state, np.broadcast_to(as_states(problem.hx)[-1][0], state.shape))
    reset = trace(N.GRU(2, 3, rng=0), problem.x, edit=lambda t, s: s | {"r": 0 * s["r"]})["l0"]
    assert reset["q"].any(), "the product is still there, and n no longer hears it"


@KINDS
@pytest.mark.parametrize("filling", [np.nan, 1e30])
def test_padding_has_no_influence(kind, filling):
    problem = random_problem(1, kind=kind, lengths=[6, 1, 4], num_layers=2, bidirectional=True)
    layer = layer_of(problem)

    def solve():
        call = dict(lengths=problem.lengths, d_output=problem.d_output, d_hx=problem.d_hx)
        return trace(layer, problem.x, problem.hx, **call)

    clean = solve()
    for sequence, length in enumerate(problem.lengths):
        problem.x[length:, sequence] = problem.d_output[length:, sequence] = filling
    again = solve()
    for suffix in clean:
        for name in clean[suffix]:
            assert np.array_equal(clean[suffix][name], again[suffix][name]), (suffix, name)


def test_trace_leaves_the_layer_alone_and_keeps_its_precision():
    problem = random_problem(2, dtype=np.float32)
    for L in (N, T):
        layer = L.LSTM(2, 5, rng=0)
        before = arrays_of(layer)
        found = trace(layer, problem.x, d_output=problem.d_output)["l0"]
        assert {a.dtype for a in found.values()} == {np.dtype("float32")}
        assert all(np.array_equal(before[n], v) for n, v in arrays_of(layer).items())


def test_relu_networks_are_traced():
    problem = random_problem(8, kind="RNN", nonlinearity="relu")
    layer = layer_of(problem)
    found = trace(layer, problem.x, problem.hx, d_output=problem.d_output)["l0"]
    assert np.array_equal(found["h"], np.maximum(found["a"], 0))
    assert np.array_equal(found["d_a"], found["d_h"] * (found["a"] > 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(d_output=np.zeros((6, 3, 4))), r"d_output must have shape \(6, 3, 5\)"),
        (dict(d_hx=np.zeros((1, 3, 5))), "the state must be a pair"),
        (dict(hx=(np.zeros((1, 3, 4)), np.zeros((1, 3, 5)))), r"h_0 must have shape \(1, 3, 5\)"),
        (dict(lengths=[7, 1, 1]), r"lengths\[0\] must lie between 1 and"),
        (dict(edit=lambda t, g: g, d_output=np.zeros((6, 3, 5))), "exclude each other"),
    ],
)
def test_bad_input_is_named(arguments, message):
    problem = random_problem(0)
    with pytest.raises(ValueError, match=message):
        trace(layer_of(problem), problem.x, **arguments)
