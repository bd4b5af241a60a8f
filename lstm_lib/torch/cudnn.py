"""torch's own recurrent operator with our weights: on an NVIDIA GPU, cuDNN.

The operator takes the plain cells, projections of the LSTM included, in any floating-point precision.
Sequences that end early go through it packed. On a CPU the same operator is oneDNN's or torch's own, and
the layer's other backends are what is meant there.
"""

import torch
from torch import _VF
from torch.backends import cudnn
from torch.backends.cudnn import rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

_ON_CPU = False  # tests hold the order of weights and states by the same operator on a CPU
_SERVED = ("proj_size", "nonlinearity")
_MODES = {"LSTM": _VF.lstm, "GRU": _VF.gru, "RNN": _VF.rnn_tanh}


def refusal(request):
    """What the operator does not compute, and what does."""
    kind = request.device.type
    if kind != "cuda" and not (_ON_CPU and kind == "cpu"):
        other = "fused" if kind == "cpu" else "loop"
        return f"cuDNN runs on NVIDIA GPUs: on this {kind.upper()} pass backend={other!r}"
    if kind == "cuda" and not (cudnn.is_available() and cudnn.enabled):
        return "cuDNN is missing or switched off (torch.backends.cudnn): pass backend='fused'"
    found = [name for name in request.options if name not in _SERVED]
    if found:
        return f"cuDNN has no {request.kind} with {found[0]}: pass backend='loop'"
    if not (request.autocast or request.dtype == request.weight_dtype):
        return (
            "cuDNN needs input and weights of one precision; got "
            f"{request.dtype} for weights in {request.weight_dtype}. Convert one of them"
        )
    return ""


def run(layer, request, x, states, weights, ends, masks):
    """One layer in one direction; see :mod:`lstm_lib.torch.backends`."""
    output, final = _call(request, x, [states], [weights], ends)
    return output, tuple(state[0] for state in final)


def run_directions(layer, request, x, states, weights, ends, masks):
    """One layer in both directions by one call."""
    output, final = _call(request, x, states, weights, ends)
    outputs = output.chunk(2, -1)
    return [(outputs[k], tuple(state[k] for state in final)) for k in range(2)]


def _call(request, x, states, weights, ends):
    """Output and final states (directions, B, H) of one layer."""
    operator = _MODES[request.kind]
    if "nonlinearity" in request.options:
        operator = _VF.rnn_relu
    flat = [weight for own in weights for weight in own.values()]
    hx = [torch.stack(pair) for pair in zip(*states, strict=True)]
    if request.autocast and request.dtype != torch.float64:
        lower = torch.get_autocast_dtype(x.device.type)
        x, flat, hx = x.to(lower), [w.to(lower) for w in flat], [state.to(lower) for state in hx]
    else:
        _side_by_side(request, flat, weights)
    options = "bias_ih" in weights[0], 1, 0.0, torch.is_grad_enabled(), len(weights) == 2
    with torch.autocast(x.device.type, enabled=False):
        return _by_length(operator, x, hx, flat, options, ends)


def _by_length(operator, x, hx, flat, options, ends):
    """Call the operator, with a packed input where sequences end early."""
    if ends is None:
        output, *final = operator(x, _one_or_pair(hx), flat, *options, False)
        return output, final
    packed = pack_padded_sequence(x, torch.tensor(ends.lengths), enforce_sorted=False)
    hx = [state.index_select(1, packed.sorted_indices) for state in hx]
    data, *final = operator(packed.data, packed.batch_sizes, _one_or_pair(hx), flat, *options)
    back = packed.sorted_indices, packed.unsorted_indices
    result = PackedSequence(data, packed.batch_sizes, *back)
    output, _ = pad_packed_sequence(result, total_length=len(x))
    return output, [state.index_select(1, packed.unsorted_indices) for state in final]


def _one_or_pair(hx):
    return hx if len(hx) > 1 else hx[0]


def _side_by_side(request, flat, weights):
    """Move the weights of a layer into one piece of memory, as cuDNN reads them, unless they are there."""
    if len({weight.untyped_storage().data_ptr() for weight in flat}) == 1 or not _movable(flat):
        return
    mode = "RNN_TANH" if request.kind == "RNN" else request.kind
    if "nonlinearity" in request.options:
        mode = "RNN_RELU"
    projection = len(weights[0]["weight_hr"]) if "weight_hr" in weights[0] else 0
    sizes = flat[0].shape[1], rnn.get_cudnn_mode(mode), request.hidden_size, projection
    with torch.no_grad(), torch.cuda.device_of(flat[0]):
        torch._cudnn_rnn_flatten_weight(flat, len(weights[0]), *sizes, 1, False, len(weights) == 2)


def _movable(flat):
    """Whether all are parameters on a GPU, each in a place of its own."""
    places = {weight.data_ptr() for weight in flat}
    return all(w.is_cuda and w.is_leaf for w in flat) and len(places) == len(flat)
