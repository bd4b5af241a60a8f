"""CUDA graphs of passes that repeat: a whole pass becomes one order to the GPU.

A pass of the same shape that comes a third time is recorded, and from then on replayed: its input is
copied to where the recording reads it, and the recorded kernels run without Python or torch between
them. What a replay leaves in memory belongs to the pass until its backward pass can no longer come; a
pass that comes meanwhile gets a recording of its own, or runs without one.
"""

import threading
from collections import OrderedDict

import torch

_QUEUES = {}
_FIRST = 3
_KEPT = 2
_SHAPES = 16


def possible(x):
    """Whether a pass on this input may be recorded now: on a GPU, outside other recordings."""
    return may_record(x.device)


def may_record(device):
    """Whether work on a device is for a GPU and goes there at once."""
    return (
        device.type == "cuda"
        and not torch.compiler.is_compiling()
        and not torch.cuda.is_current_stream_capturing()
    )


def room_for(x, size):
    """Whether a recording that keeps `size` bytes leaves at least as much of the GPU free."""
    free, _ = torch.cuda.mem_get_info(x.device)
    return free >= 4 * size


def record(function):
    """Record what a function of tensors in fixed places does: how to replay it, and its results."""
    stream = _beside()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        function()  # libraries set up at a first call what they may not inside a recording
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        results = function()
    return graph.replay, results


def _beside():
    """The queue for recordings of this thread: one, as cuBLAS keeps a workspace for every queue it has seen."""
    key = threading.get_ident(), torch.cuda.current_device()
    if key not in _QUEUES:
        _QUEUES[key] = torch.cuda.Stream()
    return _QUEUES[key]


def circumstances(x):
    """What a recording depends on beside shapes: the queue it runs in and how products are made."""
    stream = torch.cuda.current_stream(x.device).cuda_stream if x.is_cuda else 0
    return stream, torch.get_float32_matmul_precision(), torch.is_inference_mode_enabled()


class Recording:
    """A pass in fixed memory: forward, and backward if it learns.

    Parameters
    ----------
    cell : object with ``forward`` and ``backward`` of :mod:`lstm_lib.torch.unrolled`
    x, counts, states, weights
        Of the pass that is recorded. Weights are read where they are, the others copied.
    learns : bool
    """

    def __init__(self, cell, x, counts, states, weights, learns):
        self._inputs = x.clone(), None if counts is None else counts.clone(), _clones(states)
        own_x, own_counts, own_states = self._inputs
        weights = tuple(w.detach() for w in weights)
        self._forward, self._results = record(
            lambda: cell.forward(own_x, own_counts, own_states, weights)
        )
        if learns:
            output, final, kept = self._results
            self._arriving = torch.zeros_like(output), tuple(map(torch.zeros_like, final))
            self._backward, self._derivatives = record(
                lambda: cell.backward(*self._arriving, own_x, own_counts, weights, kept)
            )

    def forward(self, x, counts, states):
        """Replay the forward pass: its results, in memory that the next replay overwrites."""
        own_x, own_counts, own_states = self._inputs
        own_x.copy_(x)
        if counts is not None:
            own_counts.copy_(counts)
        _copy(states, own_states)
        self._forward()
        return self._results

    def backward(self, d_output, d_states):
        """Replay the backward pass of the last forward pass: copies of the derivatives."""
        own_output, own_states = self._arriving
        own_output.copy_(d_output)
        _copy(d_states, own_states)
        self._backward()
        dx, d_initial, d_weights = self._derivatives
        return dx.clone(), _clones(d_initial), _clones(d_weights)


def _clones(tensors):
    return tuple(tensor.clone() for tensor in tensors)


def _copy(tensors, places):
    for tensor, place in zip(tensors, places, strict=True):
        place.copy_(tensor)


class Shape:
    """What is known of one shape: how often it came, its recordings, and whether they fit."""

    def __init__(self):
        self.calls = self.made = self.size = 0
        self.free, self.fits = [], True


class Graphs:
    """The recordings of one layer; a copy of a layer starts with none."""

    def __init__(self):
        self._shapes, self._zeros = OrderedDict(), {}

    def zeros(self, weight):
        """The biases of a layer without any: zeros that stay where they are."""
        key = len(weight), weight.dtype, weight.device, torch.is_inference_mode_enabled()
        if key not in self._zeros:
            self._zeros[key] = torch.zeros_like(weight[:, 0])
        return self._zeros[key]

    def lease(self, key, x, make):
        """A recording for this pass, or None where it runs without; it comes back with its lease.

        Parameters
        ----------
        key : hashable
            What two passes have in common that one recording serves.
        x : tensor
            The input.
        make : callable
            Returns a new :class:`Recording`.
        """
        shape = self._shape((*key, circumstances(x)))
        shape.calls += 1
        if not shape.fits or shape.calls < _FIRST:
            return None
        if shape.free:
            return Lease(shape, shape.free.pop())
        if shape.made == _KEPT or not room_for(x, shape.size):
            return None
        try:
            recording = make()
        except torch.OutOfMemoryError:
            shape.fits = False
            return None
        shape.made += 1
        return Lease(shape, recording)

    def note(self, key, x, tensors):
        """Remember how much memory a pass of this shape keeps."""
        size = sum(tensor.nbytes for tensor in tensors)
        self._shape((*key, circumstances(x))).size = size

    def _shape(self, key):
        shape = self._shapes.setdefault(key, Shape())
        self._shapes.move_to_end(key)
        if len(self._shapes) > _SHAPES:
            self._shapes.popitem(last=False)
        return shape

    def __deepcopy__(self, memo):
        return Graphs()

    def __reduce__(self):
        return (Graphs, ())


class Lease:
    """Holds a recording as long as a pass may still need its memory."""

    def __init__(self, shape, recording):
        self._shape, self.recording = shape, recording

    def __del__(self):
        self._shape.free.append(self.recording)
