"""One step of every implementation on a device: the reference, our backends, and two loops.

All contestants of a cell have the same weights, input, lengths and derivative of the output.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from benchmarks.device import DTYPES
from lstm_lib import equations
from lstm_lib import torch as torch_engine

REFERENCE = "torch.nn"
PADDED = "torch.nn, padded"
COMPILED = "compiled loop"
BACKENDS = ("fused", "triton", "cudnn", "loop")


@dataclass
class Contestant:
    """A step to be timed, how to read its output, and the bytes that earlier steps have kept."""

    layer: torch.nn.Module
    x: Any
    d_output: torch.Tensor
    lengths: list | None
    trains: bool
    kept: int = 0

    def step(self):
        """A forward pass and, in training, a backward pass to weights and input; the output."""
        if not self.trains:
            with torch.no_grad():
                return self._run()
        self.layer.zero_grad(set_to_none=True)
        data = self.x.data if isinstance(self.x, PackedSequence) else self.x
        data.grad = None
        output = self._run()
        found = output.data if isinstance(output, PackedSequence) else output
        found.backward(self.d_output)
        return output

    def _run(self):
        if self.lengths is not None:
            return self.layer(self.x, lengths=self.lengths)[0]
        return self.layer(self.x)[0]


def output_of(contestant, steps):
    """The output of one step as a tensor (T, B, H) in float64, zero past the ends."""
    found = contestant.step()
    if isinstance(found, PackedSequence):
        found, _ = pad_packed_sequence(found, total_length=steps)
    return found.detach().double()


def lengths_of(cell):
    """Lengths of T/2 in the mean, the first one T; None where all are full."""
    if not cell.lengths:
        return None
    rng = np.random.default_rng(0)
    return [cell.steps, *rng.integers(1, cell.steps, cell.batch - 1).tolist()]


def build(name, cell, device):
    """A contestant for a cell.

    Parameters
    ----------
    name : str
        "torch.nn", "torch.nn, padded", "compiled loop" or a backend of our layer.
    cell : benchmarks.gpu_plan.Cell
    device : str

    Returns
    -------
    Contestant

    Notes
    -----
    ``torch.nn`` gets its shorter sequences packed, once and not in every step. Padded, it computes past the
    ends: in one direction that leaves the outputs before them as they are.
    """
    B, T, I, H = cell.size
    like = dict(device=device, dtype=DTYPES[cell.precision])
    shared = torch_engine.LSTM(I, H, bidirectional=cell.directions == 2, rng=1)
    if name in (REFERENCE, PADDED):
        layer = torch.nn.LSTM(I, H, bidirectional=cell.directions == 2, **like)
    elif name == COMPILED:
        layer = CompiledLoop(I, H, **like)
    else:
        layer = torch_engine.LSTM(I, H, bidirectional=cell.directions == 2, backend=name, **like)
    layer.load_state_dict(shared.state_dict())
    trains, lengths = cell.mode == "training", lengths_of(cell)
    layer.train(trains)
    generator = torch.Generator(device).manual_seed(0)
    x, d_output = (
        torch.randn(shape, generator=generator, device=device).to(like["dtype"])
        for shape in ((T, B, I), (T, B, H * cell.directions))
    )
    if lengths is not None:
        past = torch.arange(T)[:, None] >= torch.tensor(lengths)
        d_output[past.to(device)] = 0
    if name == REFERENCE and lengths is not None:
        x, d_output = (
            pack_padded_sequence(a, lengths, enforce_sorted=False) for a in (x, d_output)
        )
        x.data.requires_grad_(trains)
        return Contestant(layer, x, d_output.data, None, trains)
    x.requires_grad_(trains)
    return Contestant(layer, x, d_output, None if name == PADDED else lengths, trains)


class CompiledLoop(torch.nn.Module):
    """The equations in a loop whose step went through ``torch.compile``.

    The loop as a whole is not compiled: the compiler would unroll it, and 512 steps take it minutes.
    """

    def __init__(self, input_size, hidden_size, **like):
        super().__init__()
        shapes = (4 * hidden_size, input_size), (4 * hidden_size, hidden_size)
        self.weight_ih_l0, self.weight_hh_l0 = (
            torch.nn.Parameter(torch.empty(shape, **like)) for shape in shapes
        )
        self.bias_ih_l0, self.bias_hh_l0 = (
            torch.nn.Parameter(torch.empty(4 * hidden_size, **like)) for _ in range(2)
        )
        torch.compiler.reset()  # after eight versions of a function it would run uncompiled, and not say so
        self._step = torch.compile(_step, dynamic=False)

    def forward(self, x):
        """Outputs (T, B, H) and the final states."""
        from_x = functional.linear(x, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0)
        h = c = x.new_zeros(x.shape[1], self.weight_hh_l0.shape[1])
        outputs = []
        for part in from_x.unbind():
            h, c = self._step(part, h, c, self.weight_hh_l0)
            outputs.append(h)
        return torch.stack(outputs), (h, c)


def _step(from_x, h, c, weight_hh):
    new = equations.lstm_gates(from_x + functional.linear(h, weight_hh), c)
    return new.h, new.c
