"""The kernels run as NumPy, beside the loop in float64: errors of each case, printed as JSON.

Triton decides at its import whether it interprets. So this is a process of its own:

    TRITON_INTERPRET=1 python -m tests.persistent.interpreted
"""

import json

import numpy as np
import torch

from lstm_lib import torch as T
from lstm_lib.probe import trace
from lstm_lib.torch import persistent
from lstm_lib.torch.persistent.residency import Plan
from tests.helpers import distance, random_problem, solve_torch

ALONE = Plan(1, 1, 16, 16, 4)
TILES = Plan(1, 2, 16, 16, 4)
SLICES = Plan(3, 2, 8, 16, 2)
CHUNKS = SLICES._replace(chunks=2)

CASES = {
    "LSTM": (ALONE, dict(kind="LSTM", steps=4, batch=3, inputs=2, hidden=7)),
    "LSTM of lengths": (TILES, dict(kind="LSTM", steps=4, batch=17, inputs=3, hidden=16)),
    "LSTM in both directions, two layers": (
        ALONE,
        dict(kind="LSTM", steps=3, batch=2, inputs=5, hidden=7, bidirectional=True, num_layers=2),
    ),
    "LSTM in slices": (SLICES, dict(kind="LSTM", steps=3, batch=18, inputs=2, hidden=21)),
    "LSTM without biases": (
        ALONE,
        dict(kind="LSTM", steps=2, batch=3, inputs=4, hidden=5, bias=False, batch_first=True),
    ),
    "GRU": (ALONE, dict(kind="GRU", steps=4, batch=3, inputs=2, hidden=7)),
    "GRU in slices and chunks, both directions": (
        CHUNKS,
        dict(kind="GRU", steps=3, batch=18, inputs=2, hidden=21, bidirectional=True),
    ),
}


def errors(plan, sizes):
    """Distance of every result in float32 from that of the loop in float64."""
    steps, batch = sizes["steps"], sizes["batch"]
    lengths = None if batch == 3 else [1 + (7 * b) % steps for b in range(batch)]
    persistent.plan = lambda *arguments: plan
    ours, exact = (
        random_problem(0, dtype=dtype, lengths=lengths, **sizes)
        for dtype in (np.float32, np.float64)
    )
    ours, exact = solve_torch(ours, backend="triton"), solve_torch(exact, backend="loop")
    assert ours.keys() == exact.keys()
    return {name: distance(ours[name], exact[name]) for name in ours}


def widened(dot):
    """Triton 3.7 holds bfloat16 as uint16 where it interprets, and its product multiplies those bits."""
    from triton import language as tl
    from triton.runtime.interpreter import TensorHandle

    def wide(handle):
        if handle.dtype.scalar != tl.bfloat16:
            return handle
        bits = np.asarray(handle.data, np.uint16).astype(np.uint32) << 16
        return TensorHandle(bits.view(np.float32), tl.float32)

    return lambda self, a, b, *rest: dot(self, wide(a), wide(b), *rest)


def rounded(dtype):
    """Distance of outputs and gradients in half precision from those of the loop in float64."""
    persistent.plan = lambda *arguments: SLICES
    exact = T.LSTM(3, 21, backend="loop", dtype=torch.float64, rng=0)
    ours = T.LSTM(3, 21, backend="triton", dtype=dtype, rng=0)
    x = torch.randn(4, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for lstm in (ours, exact):
        y, (_, c) = lstm(x.to(lstm.weight_hh_l0.dtype))
        (y.sin().sum() + c.sum()).backward()
        found.append([y, c, *(p.grad for p in lstm.parameters())])
    return max(distance(a.detach().double(), b.detach()) for a, b in zip(*found, strict=True))


def graph():
    """What a layer says to a second derivative and to a weight changed between the passes."""
    persistent.plan = lambda *arguments: ALONE
    lstm, x = T.LSTM(2, 3, backend="triton", rng=0), torch.ones(3, 2, 2, requires_grad=True)
    loss = lstm(x)[0].sum()
    once = torch.autograd.grad(loss, x, retain_graph=True)[0]
    said = {"twice the same": torch.equal(once, torch.autograd.grad(loss, x, retain_graph=True)[0])}
    for name, change in (("second derivative", None), ("changed weight", lstm.weight_ih_l0)):
        if change is not None:
            with torch.no_grad():
                change.add_(1.0)
        try:
            torch.autograd.grad(loss, x, create_graph=change is None, retain_graph=True)
        except RuntimeError as error:
            said[name] = str(error)
    return said


def traces():
    """Distance of what the kernels stored from the trace of the same layer on the loop."""
    persistent.plan = lambda *arguments: ALONE
    found = {}
    for kind in ("LSTM", "GRU"):
        options = dict(num_layers=2, bidirectional=True, batch_first=True, dropout=0.5, rng=0)
        x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
        hx = np.full((4, 3, 5), 0.5, np.float32)
        layers = (getattr(T, kind)(2, 5, backend=b, **options) for b in ("triton", "loop"))
        hx = (hx, -hx) if kind == "LSTM" else hx
        ours, exact = (trace(layer, x, hx, lengths=[4, 1, 3]) for layer in layers)
        assert {s: list(v) for s, v in ours.items()} == {s: list(v) for s, v in exact.items()}
        found[kind] = max(distance(ours[s][n], exact[s][n]) for s in ours for n in ours[s])
    return found


def watchdog():
    """The flag and the share of NaN when programs wait in vain: one after the other they never meet."""
    from lstm_lib.torch.persistent import kernels

    steps, batch, hidden = 3, 2, 32
    plan = Plan(2, 1, 16, 16, 1)
    gates = torch.zeros(1, steps, batch, 4 * hidden)
    states = torch.zeros(1, steps + 1, batch, hidden)
    weight = torch.zeros(1, 4 * hidden, hidden)
    lengths = torch.full((batch,), steps, dtype=torch.int32)
    flags, fault = torch.zeros(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    buffers = gates, weight, states, states.clone(), lengths, flags, fault
    constants = plan.constants("LSTM", hidden, "forward_kernel")
    assert constants["BARRIER"]
    kernels.forward_kernel[plan.grid(1)](*buffers, 0, steps, steps, batch, 5, **constants)
    return {"fault": int(fault), "lost": float(states[0, -1].isnan().float().mean())}


if __name__ == "__main__":
    from triton.runtime.interpreter import InterpreterBuilder

    InterpreterBuilder.create_dot = widened(InterpreterBuilder.create_dot)
    found = {name: errors(*case) for name, case in CASES.items()}
    found["rounded"] = {d: rounded(getattr(torch, d)) for d in ("bfloat16", "float16")}
    found["traces"] = traces()
    print(json.dumps(found | {"graph": graph(), "watchdog": watchdog()}))
