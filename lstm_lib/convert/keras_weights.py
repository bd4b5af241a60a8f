"""Weights to and from the layout of Keras 3: lists of arrays, as ``get_weights`` gives them."""

import numpy as np

from lstm_lib.convert.blueprint import PARTS, assemble, build, describe, kind_by_blocks
from lstm_lib.convert.gate_orders import GATE_ORDERS, our_gates, reorder
from lstm_lib.validation import has_shape, one_of

_NOT_IN_KERAS = ("proj_size", "peephole", "coupled", "layer_norm", "zoneout")
_LAYERS = {layout.kind: layout for layout in GATE_ORDERS["keras"].values()}


def to_keras_weights(layer):
    r"""Return the weights of a recurrent layer as Keras's ``set_weights`` takes them.

    Kernels are transposed and their blocks of columns stand in Keras's order (see
    :data:`lstm_lib.convert.gate_orders.GATE_ORDERS`). A Keras LSTM or SimpleRNN has one bias, which becomes
    :math:`b_{ih} + b_{hh}`; a GRU (``reset_after=True``, the default) keeps both.

    Parameters
    ----------
    layer : LSTM, GRU or RNN
        Of either engine. Dropout is no weight: give it to Keras's constructor.

    Returns
    -------
    list of ndarray
        For one layer ``[kernel, recurrent_kernel, bias]``, without the bias for ``bias=False``; for
        ``keras.layers.Bidirectional`` the forward and then the backward direction's; for several
        layers one after the other, which is what ``set_weights`` of a ``keras.Sequential`` takes.

    Raises
    ------
    ValueError
        If the layer has an option that changes its equations and that Keras lacks.
    TypeError
        If it is no recurrent layer of this library.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> [array.shape for array in to_keras_weights(L.LSTM(3, 5))]
    [(3, 20), (5, 20), (20,)]
    >>> [array.shape for array in to_keras_weights(L.GRU(3, 5))]
    [(3, 15), (5, 15), (2, 15)]
    """
    blueprint = describe(layer)
    blueprint.refuse("Keras", _NOT_IN_KERAS)
    kind = blueprint.layout.kind
    source, target = our_gates(kind), _LAYERS[kind].gates
    arrays = []
    for suffix in blueprint.layout.suffixes:
        weight_ih, weight_hh, *biases = (
            None if array is None else reorder(array, source, target)
            for array in blueprint.part(suffix)
        )
        arrays += [weight_ih.T.copy(), weight_hh.T.copy()]
        if blueprint.layout.bias:
            arrays.append(np.stack(biases) if kind == "GRU" else sum(biases))
    return arrays


def from_keras_weights(
    weights,
    engine="numpy",
    *,
    bidirectional=False,
    bias=True,
    batch_first=True,
    nonlinearity="tanh",
    reset_after=True,
):
    """Build the recurrent layer whose weights Keras's ``get_weights`` returned.

    The kind of layer and all sizes are read from the shapes. A single bias becomes ``bias_ih``, with zeros
    in ``bias_hh``.

    Parameters
    ----------
    weights : list of array
        As :func:`to_keras_weights` returns them.
    engine : {"numpy", "torch", "auto"}
    bidirectional : bool
        Whether they come from ``keras.layers.Bidirectional``.
    bias : bool
        Whether the layers have biases, Keras's ``use_bias``.
    batch_first : bool
        True by default, as Keras reads ``(batch, steps, features)``.
    nonlinearity : {"tanh", "relu"}
        The activation of a SimpleRNN.
    reset_after : bool
        A GRU's option in Keras. Only True, its default, is the GRU of this library.

    Returns
    -------
    LSTM, GRU or RNN

    Raises
    ------
    ValueError
        If the number or shapes of arrays do not fit, or for ``reset_after=False``.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> from_keras_weights(to_keras_weights(L.GRU(3, 5, num_layers=2))).num_layers
    2
    """
    if not reset_after:
        raise ValueError(
            "reset_after=False applies the reset gate before the recurrent product, which is another GRU"
        )
    one_of("nonlinearity", nonlinearity, ("tanh", "relu"))
    arrays = [np.asarray(array) for array in weights]
    each, directions = 3 if bias else 2, 2 if bidirectional else 1
    if not arrays or len(arrays) % (each * directions):
        raise ValueError(
            f"weights must hold {each * directions} arrays for every layer with "
            f"bidirectional={bidirectional} and bias={bias}, got {len(arrays)}"
        )
    parts = [_from_keras(*arrays[k : k + each]) for k in range(0, len(arrays), each)]
    blueprint = assemble(
        parts, bidirectional=bidirectional, batch_first=batch_first, nonlinearity=nonlinearity
    )
    return build(blueprint, engine)


def _from_keras(kernel, recurrent_kernel, bias=None):
    """One layer and direction in our layout."""
    if kernel.ndim != 2 or recurrent_kernel.ndim != 2:
        raise ValueError(
            "every kernel must have 2 axes, got shapes "
            f"{kernel.shape} and {recurrent_kernel.shape} where Keras has kernel and recurrent_kernel"
        )
    kind = kind_by_blocks(recurrent_kernel.T.shape)
    rows = recurrent_kernel.shape[1]
    has_shape("kernel", kernel.shape, (None, rows), "(features, blocks * units)")
    biases = (None, None) if bias is None else _two_biases(kind, bias, rows)
    source, target = _LAYERS[kind].gates, our_gates(kind)
    arrays = dict(zip(PARTS, (kernel.T, recurrent_kernel.T, *biases), strict=True))
    return {
        name: None if array is None else reorder(array, source, target)
        for name, array in arrays.items()
    }


def _two_biases(kind, bias, rows):
    """Keras's bias as input bias and recurrent bias."""
    if kind == "GRU":
        if bias.shape == (rows,):
            raise ValueError(
                f"bias must have shape (2, {rows}), got ({rows},): that is a GRU with "
                "reset_after=False, which is another GRU"
            )
        has_shape("bias", bias.shape, (2, rows), "(input and recurrent, blocks * units)")
        return bias
    has_shape("bias", bias.shape, (rows,), "(blocks * units,)")
    return bias, np.zeros_like(bias)
