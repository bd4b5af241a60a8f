"""Random layers for the conversions, and what they compute."""

import numpy as np
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.parameters import to_numpy
from tests.helpers import as_states, random_problem

ENGINES = {"numpy": N, "torch": T}
TOLERANCE = {np.float64: 1e-13, np.float32: 2e-6}
STACKS = [
    dict(),
    dict(batch_first=True),
    dict(bias=False),
    dict(bidirectional=True),
    dict(num_layers=2),
    dict(num_layers=3, bidirectional=True, batch_first=True),
]


def random_layer(kind="LSTM", engine="numpy", seed=0, **options):
    """A layer with random weights and biases, and a :class:`tests.helpers.Problem` that fits it."""
    problem = random_problem(seed, kind=kind, **options)
    L, dtype = ENGINES[engine], problem.x.dtype.name
    layer = getattr(L, kind)(**problem.options, dtype=dtype)
    layer.load_state_dict(problem.state if L is N else tensors(problem.state))
    return layer, problem


def tensors(arrays):
    return {name: torch.tensor(array) for name, array in arrays.items()}


def compute(layer, x, hx=None, lengths=None):
    """Output and final states of a layer of either engine, as a tuple of arrays."""
    if isinstance(layer, torch.nn.Module):
        x = torch.tensor(x)
        if hx is not None:
            hx = tuple(map(torch.tensor, hx)) if isinstance(hx, tuple) else torch.tensor(hx)
    more = {} if lengths is None else {"lengths": lengths}
    output, final = layer(x, hx, **more)
    return tuple(to_numpy(value) for value in (output, *as_states(final)))


def random_model(kind="LSTM", engine="numpy", seed=0, readout="last", bias=True, **options):
    """A SequenceModel with random weights, and the problem of its layer."""
    layer, problem = random_layer(kind, engine, seed, batch_first=True, **options)
    L, width = ENGINES[engine], layer.hidden_size * (2 if layer.bidirectional else 1)
    head = L.Linear(width, 3, bias, rng=seed, dtype=problem.x.dtype.name)
    return L.SequenceModel(layer, head, readout), problem


def predict(model, x, lengths=None):
    """What a SequenceModel of either engine, or torch's, computes."""
    x = torch.tensor(x) if isinstance(model, torch.nn.Module) else x
    return to_numpy(model(x, lengths=lengths))
