r"""The triton backend: one launch for all steps of a layer, with the recurrent weights on the chip.

The input's share :math:`W x_t + b` of all steps is one large product. Then one launch runs over time. A
grid of P slices of hidden units times Q tiles of the batch times the directions is resident at once:
each program holds its rows of U in shared memory for all T, and its cells in registers, in float32. A
step is

.. math::

    a_t = (W x_t + b) + U h_{t-1}, \qquad c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad
    h_t = o_t \odot \tanh(c_t)

of which a program computes its units, and needs all of :math:`h_{t-1}`. With P = 1 it has them. With
P > 1 it writes its part of :math:`h_t` to memory, counts itself in at the flag of its batch tile
(release), and waits until the count says that all P have (acquire). One meeting a step is enough, as
every step has its own place in memory and nothing is written twice.

Backwards a program holds its columns of U, and what is exchanged is the derivative by the
pre-activations:

.. math::

    \delta h_t = \delta y_t + \delta a_{t+1} U

Derivatives by W, U, b and x are products of all steps, after the loop. Gates and cells are written as
they are computed: the backward pass reads them, and so does ``lstm_lib.probe.trace``, for which the
layer runs once and nothing is computed twice.

Where things lie, for D directions, each in its own order of time:

=========  ===================  ===========================================================
buffer     shape                contents
=========  ===================  ===========================================================
`gates`    (D, T, B, 4H)        W x + b, overwritten by the gates; four columns to a unit
`hidden`   (D, T + 1, B, H)     h, slot 0 the initial one: the output is a view of it
`cells`    (D, T + 1, B, H)     c in float32 (of a GRU, h in float32)
`d_gates`  (D, T + 1, B, 4H)    derivatives by the pre-activations; slot T is zero
=========  ===================  ===========================================================

Past the end of a sequence states are kept and derivatives by gates are zero. So the derivative by the
last h joins at the last valid step, and :math:`\delta h_0 = \delta a_1 U` holds whatever the lengths.

A meeting in vain ends after some seconds: the programs then write NaN, and the next launch raises a
``RuntimeError``. Triton is imported when a layer first runs. Without a GPU, ``TRITON_INTERPRET=1`` in the environment runs
the kernels as NumPy, slowly, with one launch a step where P > 1.
"""

import importlib.util

import torch

from lstm_lib.torch.persistent.launch import PersistentRun, Run, interpreting
from lstm_lib.torch.persistent.residency import CHIPS, SIZES, Chip, plan

INSTEAD = "pass backend='fused' or backend='loop'"


def refusal(request):
    """Why the kernels do not serve a request and what would; ``""`` if they do.

    Parameters
    ----------
    request : lstm_lib.torch.backends.Request

    Returns
    -------
    str
    """
    dtype = _name(request.dtype)
    if request.kind not in ("LSTM", "GRU"):
        return f"the triton backend computes LSTM and GRU, not {request.kind}: {INSTEAD}"
    if request.options:
        options = ", ".join(request.options)
        return f"the triton backend has no {options}: pass backend='loop'"
    if request.device.type != "cuda" and not interpreting():
        return f"the triton backend needs a CUDA device, got tensors on {request.device}: {INSTEAD}"
    if importlib.util.find_spec("triton") is None:
        return (
            "the triton backend needs Triton, which comes with a CUDA build of torch on Linux, or by "
            f"pip install -r requirements-gpu.txt; or {INSTEAD}"
        )
    if request.autocast:
        return "the triton backend does not follow autocast: convert layer and input, or pass backend='loop'"
    if dtype not in SIZES or request.weight_dtype != request.dtype:
        return (
            f"the triton backend computes in {', '.join(SIZES)}, input and weights alike; got {dtype} "
            f"for weights in {_name(request.weight_dtype)}: convert, or pass backend='loop'"
        )
    try:
        _plan(request._replace(directions=1))
    except ValueError as error:
        return f"the triton backend does not serve this size: {error}; {INSTEAD}"
    return ""


def run(layer, request, x, states, weights, ends, masks):
    """One layer in one direction, as :mod:`lstm_lib.torch.backends` has it."""
    return _run(request._replace(directions=1), [x], [states], [weights], ends)[0]


def run_directions(layer, request, x, states, weights, ends, masks):
    """Both directions of a layer, as :mod:`lstm_lib.torch.backends` has it: in one launch if they fit."""
    from lstm_lib.torch.backends import turned

    inputs = x, turned(x, ends)
    try:
        _plan(request)
    except ValueError:
        one = request._replace(directions=1)
        parts = zip(inputs, states, weights, strict=True)
        ahead, back = (_run(one, [x], [h], [w], ends)[0] for x, h, w in parts)
    else:
        ahead, back = _run(request, inputs, states, weights, ends)
    return ahead, (turned(back[0], ends), back[1])


def _run(request, inputs, states, weights, ends):
    from lstm_lib.torch.persistent import record

    x = inputs[0]
    steps, batch, _ = x.shape
    if ends is None:
        lengths = torch.full((batch,), steps, dtype=torch.int32, device=x.device)
    else:
        lengths = ends.counts.to(torch.int32)
    chosen, precision = _plan(request), _precision(request)

    def keep(buffers):
        record.keep(request.kind, ends, buffers)

    settings = Run(request.kind, chosen, lengths, request.directions, precision, keep)
    tensors = []
    for x, initial, of_direction in zip(inputs, states, weights, strict=True):
        weight = of_direction["weight_hh"]
        none = weight.new_zeros(len(weight))
        biases = (of_direction.get(name, none) for name in ("bias_ih", "bias_hh"))
        tensors += [x, *initial, of_direction["weight_ih"], weight, *biases]
    results = PersistentRun.apply(settings, *tensors)
    every = 1 + settings.states
    parts = [results[every * d : every * (d + 1)] for d in range(request.directions)]
    return [(output, tuple(final)) for output, *final in parts]


def _plan(request):
    """The layout of a request's layer on its device."""
    return plan(
        request.hidden_size,
        request.batch,
        request.directions,
        _name(request.dtype),
        _chip(request.device),
        _precision(request),
    )


def _precision(request):
    """How float32 is multiplied: as torch's own products are; what is narrower has one way."""
    narrow = request.dtype != torch.float32
    return "tf32" if narrow or torch.backends.cuda.matmul.allow_tf32 else "tf32x3"


def _chip(device):
    """The figures of a device; under the interpreter, those of a chip that it may be meant for."""
    if device.type != "cuda":
        return CHIPS["H100"]
    found = torch.cuda.get_device_properties(device)
    return Chip(
        found.name,
        10 * found.major + found.minor,
        found.multi_processor_count,
        found.shared_memory_per_block_optin,
        found.regs_per_multiprocessor,
    )


def _name(dtype):
    return str(dtype).removeprefix("torch.")
