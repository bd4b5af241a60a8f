"""One sequence or input without a batch axis, and packed sequences."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from lstm_lib import numpy as N
from lstm_lib import torch as T
from tests.helpers import (
    SOLVERS,
    as_states,
    distance,
    random_problem,
)

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])


@pytest.mark.parametrize("solve", SOLVERS)
def test_one_sequence_without_a_batch_axis(solve):
    for kind in ("LSTM", "GRU", "RNN"):
        problem = random_problem(6, kind=kind, batch=1, num_layers=2, bidirectional=True)
        batched = solve(problem)

        def squeezed(state):
            parts = tuple(s[:, 0] for s in as_states(state))
            return parts if len(parts) > 1 else parts[0]

        single = replace(
            problem,
            x=problem.x[:, 0],
            d_output=problem.d_output[:, 0],
            hx=squeezed(problem.hx),
            d_hx=squeezed(problem.d_hx),
        )
        solved = solve(single)
        assert solved["output"].shape == (6, 10) and solved["dx"].shape == (6, 2)
        for name in ("output", "dx", "h_n", "dh_0"):
            assert np.array_equal(solved[name], batched[name][:, 0])
        for name in problem.state:
            assert np.array_equal(solved[name], batched[name])
        first = replace(single, options=problem.options | dict(batch_first=True))
        assert np.array_equal(solve(first)["output"], solved["output"])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_cell_takes_a_single_input(kind):
    rng = np.random.default_rng(0)
    x, state, d_state = rng.normal(size=2), rng.normal(size=3), rng.normal(size=3)
    pair = kind == "LSTM"
    ours, theirs = (getattr(L, f"{kind}Cell")(2, 3, dtype="float64", rng=0) for L in (N, T))
    hx = (state, 2 * state) if pair else state
    single = as_states(ours(x, hx))
    dx, d_before = ours.backward(*([d_state, d_state] if pair else [d_state]))
    gradient = ours.weight_hh.grad
    ours.zero_grad()
    batched = as_states(ours(x[None], tuple(s[None] for s in hx) if pair else hx[None]))
    dx_2, d_before_2 = ours.backward(*[d_state[None]] * len(single))
    assert all(np.array_equal(a, b[0]) for a, b in zip(single, batched, strict=True))
    assert np.array_equal(dx, dx_2[0]) and np.array_equal(gradient, ours.weight_hh.grad)
    pairs = zip(as_states(d_before), as_states(d_before_2), strict=True)
    assert all(np.array_equal(a, b[0]) for a, b in pairs)
    tensors = tuple(torch.tensor(s) for s in hx) if pair else torch.tensor(hx)
    for a, b in zip(single, as_states(theirs(torch.tensor(x), tensors)), strict=True):
        assert distance(a, b.detach().numpy()) <= 1e-15
    for cell, wrap in ((ours, np.asarray), (theirs, torch.tensor)):
        with pytest.raises(ValueError, match=r"input must have shape \(2,\) = \(input_size,\)"):
            cell(wrap(np.zeros(5)))


@ENGINES
def test_one_sequence_is_checked(L):
    wrap = np.asarray if L is N else torch.tensor
    lstm, x = L.LSTM(2, 3, proj_size=2, dtype="float64"), wrap(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="lengths belong to a batch"):
        lstm(x, lengths=[4])
    state = wrap(np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match=r"h_0 must have shape \(1, 2\) = \(layers \* .*proj_size"):
        lstm(x, (state, state))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_packed_sequences_as_in_torch(kind, batch_first, enforce_sorted):
    lengths = [6, 4, 4, 1] if enforce_sorted else [4, 1, 6, 4]
    options = dict(num_layers=2, bidirectional=True, batch_first=batch_first, dtype=torch.float64)
    theirs = getattr(torch.nn, kind)(2, 5, **options)
    ours = getattr(T, kind)(2, 5, **options)
    ours.load_state_dict(theirs.state_dict())
    shape = (4, 6, 2) if batch_first else (6, 4, 2)
    x = torch.randn(shape, dtype=torch.float64)
    packed = pack_padded_sequence(
        x, lengths, batch_first=batch_first, enforce_sorted=enforce_sorted
    )
    state = torch.randn(4, 4, 5, dtype=torch.float64)
    hx = (state, 2 * state) if kind == "LSTM" else state
    (expected, final), (got, own_final) = theirs(packed, hx), ours(packed, hx)
    assert torch.equal(expected.batch_sizes, got.batch_sizes)
    assert torch.allclose(expected.data, got.data, rtol=0, atol=1e-14)
    for a, b in zip(as_states(final), as_states(own_final), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-14)
    padded = [pad_packed_sequence(p, batch_first=batch_first)[0] for p in (expected, got)]
    assert torch.allclose(*padded, rtol=0, atol=1e-14)


def test_a_packed_sequence_carries_its_own_lengths():
    packed = pack_sequence([torch.zeros(3, 2), torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="carries its own lengths"):
        T.LSTM(2, 3)(packed, lengths=[3, 2])
