"""A layer of either engine as NumPy runs: every layer and direction over the whole sequence."""

from dataclasses import dataclass

import numpy as np

from lstm_lib.parameters import suffixes, to_numpy
from lstm_lib.probe.cells import GRUInside, LSTMInside, RNNInside
from lstm_lib.probe.variants import VariantInside
from lstm_lib.validation import check_states, sequence_lengths, sequence_shape, state_meaning


@dataclass
class Run:
    """One layer in one direction. Steps are in the direction's own order.

    Attributes
    ----------
    cell : LSTMInside, VariantInside, GRUInside or RNNInside
    x : ndarray, shape (T, B, features)
    before : list of tuple of ndarray
        The state that entered every step.
    found : list of dict of str to ndarray
        The symbols of every step.
    """

    cell: object
    x: np.ndarray
    before: list
    found: list


@dataclass
class Passage:
    """The forward pass of all layers, ready to be read or sent backwards."""

    layer: object
    names: list
    runs: dict
    steps: int
    batch: int
    past_end: np.ndarray | None
    mirror: np.ndarray | None

    @property
    def directions(self):
        return 2 if self.layer.bidirectional else 1

    def in_time(self, suffix, array):
        """Between a direction's own order of steps and the sequence's, either way; (T, B, ...)."""
        if not suffix.endswith("_reverse"):
            return array
        if self.mirror is None:
            return array[::-1]
        return np.take_along_axis(array, _fit(self.mirror, array), axis=0)

    def cleared(self, array):
        """Zeros past the end of each sequence; (T, B, ...)."""
        return array if self.past_end is None else np.where(_fit(self.past_end, array), 0, array)

    def presented(self, suffix, arrays):
        """Arrays of a direction's steps, each (B, ...), as one array in the layout of the output."""
        stacked = self.cleared(self.in_time(suffix, np.stack(arrays)))
        return stacked.swapaxes(0, 1) if self.layer.batch_first else stacked


def _fit(of_steps, array):
    """A (T, B) array with as many axes as `array`."""
    return of_steps.reshape(of_steps.shape + (1,) * (array.ndim - 2))


def kind_of(layer):
    """``"LSTM"``, ``"GRU"`` or ``"RNN"``, or a TypeError for anything else."""
    layout = getattr(layer, "layout", None)
    if layout is None or not hasattr(layer, "num_layers"):
        raise TypeError(f"probe looks into an LSTM, GRU or RNN, got {type(layer).__name__}")
    return layout.kind


def inside(layer, suffix):
    """The cell of one layer and direction, with NumPy copies of its weights."""
    kind = kind_of(layer)
    weights = {name: to_numpy(value) for name, value in layer.state_dict().items()}
    if layer.layout.is_variant:
        own = {name: weights[f"{name}_{suffix}"] for name in layer.layout.names}
        return VariantInside(own, layer.layout)
    parts = [weights[f"weight_{part}_{suffix}"] for part in ("ih", "hh")]
    none = np.zeros(len(parts[0]), parts[0].dtype)
    parts += [weights.get(f"bias_{part}_{suffix}", none) for part in ("ih", "hh")]
    if kind == "RNN":
        return RNNInside(parts, layer.nonlinearity)
    return (LSTMInside if kind == "LSTM" else GRUInside)(parts)


def passage(layer, x, hx=None, lengths=None, edit=None):
    """Run all layers and directions forward and keep everything.

    Dropout between layers is left out, as in evaluation.
    """
    kind_of(layer)
    x = _in_precision(to_numpy(x), to_numpy(layer.state_dict()["weight_ih_l0"]).dtype)
    steps, batch = sequence_shape(x.shape, layer.input_size, layer.batch_first)
    names = suffixes(layer.num_layers, layer.bidirectional)
    past_end = mirror = None
    if lengths is not None:
        lengths = np.array(sequence_lengths(lengths, steps, batch))
        time = np.arange(steps)[:, None]
        past_end = time >= lengths
        mirror = np.where(past_end, time, lengths - 1 - time)
    whole = Passage(layer, names, {}, steps, batch, past_end, mirror)
    initial = states_of(whole, hx, "{}_0", x.dtype)
    below = whole.cleared(x.swapaxes(0, 1) if layer.batch_first else x)
    for index, suffix in enumerate(names):
        start = tuple(state[index] for state in initial)
        cell = inside(layer, suffix)
        run = _forward(cell, whole.in_time(suffix, below), start, past_end, edit)
        whole.runs[suffix] = run
        if (index + 1) % whole.directions == 0:
            below = _top(whole, names[index + 1 - whole.directions : index + 1])
    return whole


def states_of(whole, hx, pattern, dtype):
    """A state, or its derivative, as a checked list of arrays; zeros for None."""
    layout = whole.layer.layout
    shapes = layout.state_shapes(whole.batch)
    if hx is None:
        return [np.zeros(shape, dtype) for shape in shapes]
    names = [pattern.format(state) for state in layout.states]

    def meaning(name):
        return state_meaning(name, layout.proj_size)

    checked = check_states(hx, names, shapes, meaning, to_numpy)
    return [_in_precision(state, dtype) for state in checked]


def _in_precision(array, dtype):
    """The array in the layer's precision; a complex one stays complex."""
    return array if np.iscomplexobj(array) else array.astype(dtype, copy=False)


def _top(whole, names):
    parts = [np.stack([found["h"] for found in whole.runs[name].found]) for name in names]
    parts = [whole.in_time(name, part) for name, part in zip(names, parts, strict=True)]
    return whole.cleared(np.concatenate(parts, axis=-1))


def _forward(cell, x, state, past_end, edit):
    run = Run(cell, x, [], [])
    for t, x_t in enumerate(x):
        found = cell.step(x_t, state, None if edit is None else lambda gates, t=t: edit(t, gates))
        run.before.append(state)
        run.found.append(found)
        new = tuple(found[name] for name in cell.states)
        if past_end is not None:
            ended = past_end[t][:, None]
            pairs = zip(state, new, strict=True)
            new = tuple(np.where(ended, old, value) for old, value in pairs)
        state = new
    return run


def backward(whole, d_output, d_hx):
    """Derivatives by every symbol of every step, ``{suffix: [{symbol: (B, H)}]}``, own order.

    Parameters
    ----------
    whole : Passage
    d_output : ndarray, shape (T, B, directions * H)
    d_hx : list of ndarray, shape (layers * directions, B, H)
    """
    H = whole.layer.layout.units
    gradients = {}
    d_layer = whole.cleared(d_output)
    for first in reversed(range(0, len(whole.names), whole.directions)):
        d_below = 0
        for direction in range(whole.directions):
            suffix = whole.names[first + direction]
            columns = d_layer[..., direction * H : (direction + 1) * H]
            d_final = tuple(state[first + direction] for state in d_hx)
            run = whole.runs[suffix]
            gradients[suffix], dx = _backward(
                run, whole.in_time(suffix, columns), d_final, whole.past_end
            )
            d_below = d_below + whole.in_time(suffix, dx)
        d_layer = d_below
    return gradients


def _backward(run, d_output, d_state, past_end):
    gradients, d_inputs = [], []
    for t in reversed(range(len(run.x))):
        d_new = (d_state[0] + d_output[t], *d_state[1:])
        of_symbols, dx, d_before = run.cell.backward(d_new, run.found[t], run.x[t], run.before[t])
        if past_end is not None:
            ended = past_end[t][:, None]
            pairs = zip(d_state, d_before, strict=True)
            d_before = tuple(np.where(ended, old, new) for old, new in pairs)
        gradients.append(of_symbols)
        d_inputs.append(dx)
        d_state = d_before
    return gradients[::-1], np.stack(d_inputs[::-1])
