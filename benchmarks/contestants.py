"""One training step or one inference of every implementation, as a function without arguments.

All contestants of a problem have the same weights, the same input and the same derivative of the
output, and compute the same: the output and, in training, the derivatives by input and weights. The
tests compare what they return.
"""

import inspect
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks import tutorial
from benchmarks.plan import REFERENCE
from lstm_lib import numpy as numpy_engine
from lstm_lib import torch as torch_engine


@dataclass
class Problem:
    """What is computed: a cell, a size, a precision, and training or inference."""

    cell: str
    size: tuple
    dtype: str
    mode: str
    options: dict

    def arrays(self):
        """Input and derivative of the output, always the same for the same size."""
        B, T, I, H = self.size
        rng = np.random.default_rng(0)
        draw = (rng.normal(size=shape).astype(self.dtype) for shape in ((T, B, I), (T, B, H)))
        return tuple(draw)

    def layer(self, engine, **options):
        """Our layer with the weights of this problem."""
        _, _, I, H = self.size
        return getattr(engine, self.cell)(I, H, dtype=self.dtype, rng=1, **options, **self.options)

    @property
    def trains(self):
        return self.mode == "training"


def build(name, problem):
    """The contestant `name` as a function, or None where this version of the library has none.

    Parameters
    ----------
    name : str
        "torch.nn", "numpy", "torch-loop", "torch-fused", "tutorial" or "cell-loop".
    problem : Problem

    Returns
    -------
    callable or None
        Returns the output and, in training, the derivatives ``dx, weight_ih, weight_hh``.
    """
    if name == REFERENCE:
        return _torch_step(_nn_layer(problem), problem)
    if name == "cell-loop":
        return _torch_step(_cell_loop(problem), problem)
    if name == "numpy":
        return _numpy_step(problem)
    if name == "tutorial":
        return _tutorial_step(problem)
    backend = name.removeprefix("torch-")
    if "backend" in inspect.signature(getattr(torch_engine, problem.cell)).parameters:
        return _torch_step(problem.layer(torch_engine, backend=backend), problem)
    return _torch_step(problem.layer(torch_engine), problem) if backend == "loop" else None


def _nn_layer(problem):
    _, _, I, H = problem.size
    layer = getattr(torch.nn, problem.cell)(I, H, dtype=getattr(torch, problem.dtype))
    layer.load_state_dict(problem.layer(torch_engine).state_dict())
    return layer


class _CellLoop(torch.nn.Module):
    """``torch.nn.LSTMCell`` called at every step."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        state, outputs = None, []
        for x_t in x:
            state = self.cell(x_t, state)
            outputs.append(state[0])
        return torch.stack(outputs), state


def _cell_loop(problem):
    _, _, I, H = problem.size
    cell = torch.nn.LSTMCell(I, H, dtype=getattr(torch, problem.dtype))
    state = problem.layer(torch_engine).state_dict()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in state.items()})
    return _CellLoop(cell)


def _torch_step(layer, problem):
    x, d_output = (torch.from_numpy(a) for a in problem.arrays())
    x.requires_grad_(problem.trains)
    layer.train(problem.trains)
    parameters = dict(layer.named_parameters())

    def infer():
        with torch.no_grad():
            return (layer(x)[0],)

    def train():
        x.grad = None
        for parameter in parameters.values():
            parameter.grad = None
        output, _ = layer(x)
        output.backward(d_output)
        weights = (p.grad for name, p in parameters.items() if "weight" in name)
        return output.detach(), x.grad, *weights

    return train if problem.trains else infer


def _numpy_step(problem):
    x, d_output = problem.arrays()
    layer = problem.layer(numpy_engine)
    layer.train(problem.trains)

    def infer():
        return (layer(x)[0],)

    def train():
        layer.zero_grad()
        output, _ = layer(x)
        dx, _ = layer.backward(d_output)
        return output, dx, layer.weight_ih_l0.grad, layer.weight_hh_l0.grad

    return train if problem.trains else infer


def _tutorial_step(problem):
    x, d_output = problem.arrays()
    state = problem.layer(numpy_engine).state_dict()
    weights = state["weight_ih_l0"], state["weight_hh_l0"]
    bias = state["bias_ih_l0"] + state["bias_hh_l0"]

    def infer():
        return (tutorial.forward(x, *weights, bias)[0],)

    def train():
        output, kept = tutorial.forward(x, *weights, bias)
        dx, d_ih, d_hh, _ = tutorial.backward(d_output, x, *weights, kept)
        return output, dx, d_ih, d_hh

    return train if problem.trains else infer
