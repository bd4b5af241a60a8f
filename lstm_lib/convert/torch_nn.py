"""Whole layers and models to and from ``torch.nn``."""

from lstm_lib.convert.blueprint import (
    KINDS,
    Blueprint,
    build,
    build_model,
    describe,
    head_of,
    is_ours,
    require,
)
from lstm_lib.layout import Layout
from lstm_lib.parameters import to_numpy

_OPTIONS = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
_OPTIONS += ("bidirectional", "proj_size")
_OURS_ALONE = ("peephole", "coupled", "layer_norm", "recurrent_dropout", "zoneout")


def to_torch(layer):
    """Return the ``torch.nn`` layer with the same options, weights and precision.

    Parameters
    ----------
    layer : LSTM, GRU, RNN or SequenceModel
        Of either engine.

    Returns
    -------
    torch.nn.Module
        ``torch.nn.LSTM``, ``GRU`` or ``RNN``, on the layer's device and in its mode (training or
        evaluation). A ``SequenceModel`` becomes a module of ``torch.nn`` layers alone, with the same
        ``state_dict``.

    Raises
    ------
    ValueError
        If the layer has an option that ``torch.nn`` lacks; the message names it.
    TypeError
        If it is no layer or model of this library.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> to_torch(L.LSTM(3, 5, num_layers=2, bidirectional=True))
    LSTM(3, 5, num_layers=2, bidirectional=True)
    """
    require("torch", "to_torch", "pip install torch")
    convert = _model_to_torch if is_ours(layer, "SequenceModel") else _layer_to_torch
    return convert(layer).train(layer.training)


def from_torch(module, engine="numpy"):
    """Return our layer with the options, weights and precision of a ``torch.nn`` layer.

    Parameters
    ----------
    module : torch.nn.LSTM, GRU or RNN, or what :func:`to_torch` made of a SequenceModel
    engine : {"numpy", "torch", "auto"}
        The engine to build it in.

    Returns
    -------
    LSTM, GRU, RNN or SequenceModel

    Raises
    ------
    TypeError
        If it is another module.
    ValueError
        If the layer has an option that ours lacks, or its weights are neither float32 nor float64.

    Examples
    --------
    >>> import torch
    >>> gru = from_torch(torch.nn.GRU(3, 5, batch_first=True))
    >>> output, h_n = gru(torch.ones(2, 7, 3).numpy())
    >>> output.shape
    (2, 7, 5)
    """
    require("torch", "from_torch", "pip install torch")
    from lstm_lib.convert.torch_modules import SequenceModel

    if isinstance(module, SequenceModel):
        blueprint = _describe_torch(module.rnn)
        model = build_model(blueprint, head_of(module), module.readout, engine)
    else:
        model = build(_describe_torch(module), engine)
    return model.train(module.training)


def _describe_torch(module):
    """The blueprint of a torch.nn layer."""
    nn = require("torch", "from_torch", "pip install torch").nn
    kind = next((kind for kind in KINDS if isinstance(module, getattr(nn, kind))), None)
    if kind is None:
        raise TypeError(
            f"module must be a torch.nn.LSTM, GRU or RNN, got {type(module).__name__} of "
            f"{type(module).__module__}"
        )
    nonlinearity = module.nonlinearity if kind == "RNN" else "tanh"
    options = {name: getattr(module, name) for name in _OPTIONS}
    weights = {name: to_numpy(value) for name, value in module.state_dict().items()}
    return Blueprint(Layout(kind, **options, nonlinearity=nonlinearity), weights)


def _layer_to_torch(layer):
    """The torch.nn layer of one of ours, on its device."""
    torch = require("torch", "to_torch", "pip install torch")
    blueprint = describe(layer)
    layout = blueprint.layout
    blueprint.refuse(f"torch.nn.{layout.kind}", _OURS_ALONE)
    options = {name: getattr(layout, name) for name in _OPTIONS}
    if layout.kind != "LSTM":
        del options["proj_size"]
    if layout.kind == "RNN":
        options["nonlinearity"] = layout.nonlinearity
    layer_class = getattr(torch.nn, layout.kind)
    return _filled(layer_class, blueprint.weights, layer.weight_ih_l0, **options)


def _model_to_torch(model):
    """A module of torch.nn layers alone for a SequenceModel."""
    torch = require("torch", "to_torch", "pip install torch")
    from lstm_lib.convert.torch_modules import SequenceModel

    head = model.head
    sizes = dict(
        in_features=head.in_features, out_features=head.out_features, bias=head.bias is not None
    )
    weights = {name: to_numpy(value) for name, value in head.state_dict().items()}
    linear = _filled(torch.nn.Linear, weights, head.weight, **sizes)
    return SequenceModel(_layer_to_torch(model.rnn), linear, model.readout)


def _filled(module_class, weights, like, **options):
    """A torch module that holds `weights` on the device of `like`; draws no random number."""
    torch = require("torch", "to_torch", "pip install torch")
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    dtype = next(iter(tensors.values())).dtype
    device = getattr(like, "device", "cpu")
    module = module_class(**options, dtype=dtype, device="meta").to_empty(device=device)
    module.load_state_dict(tensors)
    return module
