"""probe.trace shows the very numbers that the layers compute."""

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.probe import SYMBOLS, trace
from tests.helpers import distance, random_problem


@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(num_layers=2, bidirectional=True),
        dict(num_layers=2, batch_first=True, bias=False),
    ],
    ids=str,
)
def test_trace_ends_where_the_layer_ends(L, options):
    problem = random_problem(0, **options)
    lstm = L.LSTM(**problem.options, dtype="float64")
    wrap = np.asarray if L is N else torch.tensor
    lstm.load_state_dict({n: wrap(a) for n, a in problem.state.items()})
    output, (h_n, c_n) = lstm(wrap(problem.x), tuple(wrap(s) for s in problem.hx))
    traces = trace(lstm, problem.x, problem.hx)
    directions = 2 if options.get("bidirectional") else 1
    top = np.concatenate([t["h"] for t in list(traces.values())[-directions:]], axis=-1)
    as_array = np.asarray if L is N else lambda t: t.detach().numpy()
    assert distance(top, as_array(output)) <= 1e-14
    time = 1 if options.get("batch_first") else 0
    for index, (suffix, found) in enumerate(traces.items()):
        last = 0 if suffix.endswith("_reverse") else -1
        assert tuple(found) == SYMBOLS
        assert distance(np.take(found["c"], last, axis=time), as_array(c_n)[index]) <= 1e-14


def test_the_equations_hold_at_every_traced_step():
    problem = random_problem(0)
    lstm = N.LSTM(**problem.options, dtype=np.float64)
    t = trace(lstm, problem.x)["l0"]
    before = np.concatenate((np.zeros_like(t["c"][:1]), t["c"][:-1]))
    assert distance(t["c"], t["f"] * before + t["i"] * t["g"]) <= 1e-15
    assert distance(t["h"], t["o"] * np.tanh(t["c"])) <= 1e-15
    with pytest.raises(ValueError, match="input must have 3 axes"):
        trace(lstm, problem.x[0])
    with pytest.raises(TypeError, match="trace looks into an LSTM, got GRU"):
        trace(N.GRU(2, 3), problem.x)
