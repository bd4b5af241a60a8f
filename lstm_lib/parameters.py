"""Names, shapes, gate order and initial values of the weights.

Both engines take their parameters from here, which is why they can start from
bit-identical weights. Names, shapes and order are those of ``torch.nn.LSTM``.
"""

import math

import numpy as np

__all__ = [
    "COUPLED_GATES",
    "GATES",
    "GRU_GATES",
    "conv_values",
    "embedding_values",
    "gate_rows",
    "linear_values",
    "recurrent_shapes",
    "recurrent_values",
    "row_name",
    "set_chrono_bias",
    "set_forget_bias",
    "suffixes",
    "to_numpy",
]

GATES = ("i", "f", "g", "o")
"""The order of the four blocks of H rows in every LSTM weight and bias."""

GRU_GATES = ("r", "z", "n")
"""The order of the three blocks of H rows in every GRU weight and bias."""

COUPLED_GATES = ("i", "g", "o")
"""The order of the three blocks of an LSTM whose forget gate is one minus its input gate."""

_GATES_BY_COUNT = {4: GATES, 3: GRU_GATES}


def gate_rows(gate, hidden_size):
    """Return the slice of rows that belongs to `gate` in an array of 4H rows.

    Parameters
    ----------
    gate : {"i", "f", "g", "o"}
    hidden_size : int

    Returns
    -------
    slice

    Examples
    --------
    >>> gate_rows("f", 8)
    slice(8, 16, None)
    """
    start = GATES.index(gate) * hidden_size
    return slice(start, start + hidden_size)


def row_name(row, hidden_size, gates=4):
    """Say which gate and unit a row of a recurrent weight belongs to.

    Parameters
    ----------
    row : int
        Counted from 0.
    hidden_size : int
    gates : int or sequence of str
        The number of blocks of rows (4 for an LSTM, 3 for a GRU, 1 for a plain RNN), or their names.

    Returns
    -------
    str

    Examples
    --------
    >>> row_name(13, 8)
    'gate f, unit 5'
    >>> row_name(13, 8, gates=3)
    'gate z, unit 5'
    >>> row_name(13, 8, gates=COUPLED_GATES)
    'gate g, unit 5'
    >>> row_name(5, 8, gates=1)
    'unit 5'
    """
    gate, unit = divmod(row, hidden_size)
    names = _GATES_BY_COUNT.get(gates, ()) if isinstance(gates, int) else gates
    return f"gate {names[gate]}, unit {unit}" if len(names) > 1 else f"unit {unit}"


def suffixes(num_layers, bidirectional):
    """Return torch's suffix for every layer and direction, in torch's order.

    Parameters
    ----------
    num_layers : int
    bidirectional : bool

    Returns
    -------
    list of str

    Examples
    --------
    >>> suffixes(2, True)
    ['l0', 'l0_reverse', 'l1', 'l1_reverse']
    """
    directions = ("", "_reverse") if bidirectional else ("",)
    return [f"l{layer}{direction}" for layer in range(num_layers) for direction in directions]


def recurrent_shapes(
    gates,
    input_size,
    hidden_size,
    num_layers=1,
    bias=True,
    bidirectional=False,
    *,
    proj_size=0,
    peephole=False,
    layer_norm=False,
):
    """Return ``{name: shape}`` of all parameters of a recurrent layer, in torch's order.

    Parameters
    ----------
    gates : int
        Blocks of H rows: 4 for an LSTM (3 with coupled gates), 3 for a GRU, 1 for a plain RNN.
    input_size, hidden_size, num_layers, bias, bidirectional, proj_size
        As in :class:`lstm_lib.numpy.LSTM`.
    peephole, layer_norm : bool
        What these options of :mod:`lstm_lib.variants` add follows in every layer.

    Returns
    -------
    dict of str to tuple of int

    Examples
    --------
    >>> for name, shape in recurrent_shapes(4, 3, 5).items():
    ...     print(name, shape)
    weight_ih_l0 (20, 3)
    weight_hh_l0 (20, 5)
    bias_ih_l0 (20,)
    bias_hh_l0 (20,)

    A peephole is a number a unit for each of three gates:

    >>> recurrent_shapes(4, 3, 5, peephole=True)["weight_ch_l0"]
    (15,)
    """
    rows, units = gates * hidden_size, proj_size or hidden_size
    directions = 2 if bidirectional else 1
    shapes = {}
    for index, suffix in enumerate(suffixes(num_layers, bidirectional)):
        own = {
            "weight_ih": (rows, input_size if index < directions else units * directions),
            "weight_hh": (rows, units),
        }
        if bias:
            own |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if proj_size:
            own["weight_hr"] = (proj_size, hidden_size)
        if peephole:
            own["weight_ch"] = (rows - hidden_size,)
        if layer_norm:
            own |= {"norm_ih": (rows,), "norm_hh": (rows,), "norm_c": (hidden_size,)}
            if bias:
                own["norm_c_bias"] = (hidden_size,)
        shapes |= {f"{name}_{suffix}": shape for name, shape in own.items()}
    return shapes


def with_unit_norms(values):
    """Set the gains of layer normalisation to 1 and its shifts to 0, in place; return `values`."""
    for name, value in values.items():
        if name.startswith("norm_"):
            value[...] = 0.0 if "bias" in name else 1.0
    return values


def uniform(shapes, fan, rng, dtype=np.float32):
    r"""Draw every parameter from :math:`U(-1/\sqrt{n}, 1/\sqrt{n})`, PyTorch's default.

    Parameters
    ----------
    shapes : dict of str to tuple
    fan : int
        The n of the bound: H for a recurrent layer, the input size for a linear one.
    rng : numpy.random.Generator
    dtype : numpy dtype

    Returns
    -------
    dict of str to ndarray
        Drawn in float64 and rounded to `dtype`, so that precisions agree with each other.
    """
    bound = 1 / math.sqrt(fan)
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def recurrent_values(
    sizes, gates=4, *, forget_bias=None, chrono=None, coupled=False, rng=None, dtype=np.float32
):
    r"""Initial values of all parameters of a recurrent layer, within :math:`\pm 1/\sqrt H`.

    Parameters
    ----------
    sizes : dict
        Keyword arguments of :func:`recurrent_shapes` but `gates`.
    gates : int
        4 for an LSTM, 3 for a GRU, 1 for a plain RNN.
    forget_bias : float, optional
        Sets an LSTM's forget bias: `forget_bias` in ``bias_ih`` and 0 in ``bias_hh``, so
        that it is not counted twice. None leaves it random.
    chrono : float, optional
        The longest lag for :func:`set_chrono_bias`.
    coupled : bool
        The rows are i, g, o, and the forget gate is one minus the input gate.
    rng : int or numpy.random.Generator, optional
    dtype : numpy dtype

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        If `forget_bias` or `chrono` is given for a layer without biases, or both are.

    References
    ----------
    R. Jozefowicz, W. Zaremba, I. Sutskever, An empirical exploration of recurrent network
    architectures, ICML 2015 (a forget bias of 1).

    Examples
    --------
    >>> values = recurrent_values(dict(input_size=3, hidden_size=2), forget_bias=1.0, rng=0)
    >>> values["bias_ih_l0"][2:4], values["bias_hh_l0"][2:4]
    (array([1., 1.], dtype=float32), array([0., 0.], dtype=float32))
    """
    hidden_size = sizes["hidden_size"]
    shapes = recurrent_shapes(gates, **sizes)
    rng = np.random.default_rng(rng)
    values = with_unit_norms(uniform(shapes, hidden_size, rng, dtype))
    set_gate_biases(values, hidden_size, forget_bias, chrono, coupled, rng)
    return values


def set_gate_biases(values, hidden_size, forget_bias=None, chrono=None, coupled=False, rng=None):
    """Apply :func:`set_forget_bias` or :func:`set_chrono_bias`, if either is asked for, in place."""
    if forget_bias is not None and chrono is not None:
        raise ValueError("forget_bias and chrono both set the forget gate's bias: pass one of them")
    if chrono is not None:
        set_chrono_bias(values, chrono, hidden_size, rng, coupled=coupled)
    set_forget_bias(values, forget_bias, hidden_size, coupled=coupled)


def set_forget_bias(values, forget_bias, hidden_size, *, coupled=False):
    r"""Write `forget_bias` into the f rows of every ``bias_ih`` and 0 into ``bias_hh``, in place.

    Where the gates are coupled, :math:`f = 1 - \sigma(a_i) = \sigma(-a_i)`: the i rows take the
    negative value.

    Parameters
    ----------
    values : dict of str to array
        All parameters of the layer, under torch's names: NumPy arrays or torch tensors.
    forget_bias : float or None
        None changes nothing.
    hidden_size : int
    coupled : bool

    Raises
    ------
    ValueError
        If the layer has no biases.

    References
    ----------
    F. Gers, J. Schmidhuber, F. Cummins, Learning to forget, Neural Computation 12(10), 2000 (a forget gate that
    starts open); R. Jozefowicz, W. Zaremba, I. Sutskever, An empirical exploration of recurrent network
    architectures, ICML 2015 (a bias of 1).

    Examples
    --------
    >>> values = {"bias_ih_l0": np.zeros(4), "bias_hh_l0": np.ones(4)}
    >>> set_forget_bias(values, 1.0, hidden_size=1)
    >>> values["bias_ih_l0"], values["bias_hh_l0"]
    (array([0., 1., 0., 0.]), array([1., 0., 1., 1.]))
    """
    if forget_bias is None:
        return
    biases = [name for name in values if name.startswith("bias_")]
    if not biases:
        raise ValueError(
            "forget_bias needs a layer with biases: pass bias=True or forget_bias=None"
        )
    rows, sign = gate_rows("i" if coupled else "f", hidden_size), -1 if coupled else 1
    for name in biases:
        values[name][rows] = sign * float(forget_bias) if name.startswith("bias_ih") else 0.0


def set_chrono_bias(values, max_lag, hidden_size, rng=None, *, coupled=False):
    r"""Write Tallec and Ollivier's chrono initialisation into an LSTM's biases, in place.

    A forget gate f remembers for about :math:`1 / (1 - f)` steps. So that the units of a layer span all
    time scales up to :math:`T_{\max}`,

    .. math::  b_f = \log u, \quad u \sim U(1, T_{\max} - 1), \qquad b_i = -b_f

    go into ``bias_ih`` and zeros into the same rows of ``bias_hh``. The other rows are left alone.

    Parameters
    ----------
    values : dict of str to array
        All parameters of the layer, under torch's names: NumPy arrays or torch tensors.
    max_lag : float
        :math:`T_{\max}`, the longest dependency expected, in steps; above 2.
    hidden_size : int
    rng : int or numpy.random.Generator, optional
    coupled : bool
        The layer has no rows f: i alone is written.

    Raises
    ------
    ValueError
        If `max_lag` is not above 2, or the layer has no biases.

    References
    ----------
    C. Tallec, Y. Ollivier, Can recurrent neural networks warp time?, ICLR 2018.

    Examples
    --------
    >>> values = {"bias_ih_l0": np.ones(8), "bias_hh_l0": np.ones(8)}
    >>> set_chrono_bias(values, 100, 2, rng=0)
    >>> values["bias_ih_l0"].round(2)
    array([-4.15, -3.31,  4.15,  3.31,  1.  ,  1.  ,  1.  ,  1.  ])
    >>> values["bias_hh_l0"]
    array([0., 0., 0., 0., 1., 1., 1., 1.])
    """
    if not 2 < max_lag < math.inf:
        raise ValueError(f"max_lag of chrono initialisation must be above 2 steps, got {max_lag}")
    biases = [name for name in values if name.startswith("bias_ih")]
    if not biases:
        raise ValueError("chrono initialisation needs a layer with biases: pass bias=True")
    rng = np.random.default_rng(rng)
    signs = {"i": -1} if coupled else {"i": -1, "f": 1}
    for name in biases:
        drawn = np.log(rng.uniform(1, max_lag - 1, hidden_size))
        recurrent = values[name.replace("bias_ih", "bias_hh")]
        for gate, sign in signs.items():
            bias, rows, value = values[name], gate_rows(gate, hidden_size), sign * drawn
            bias[rows] = bias.new_tensor(value) if hasattr(bias, "new_tensor") else value
            recurrent[rows] = 0


def to_numpy(value):
    """Return an array of either engine, or anything like an array, as a NumPy array.

    Parameters
    ----------
    value : array, tensor or array_like

    Returns
    -------
    ndarray
        The very memory of an array; a tensor is taken off its graph and its device.

    Examples
    --------
    >>> to_numpy([1.0, 2.0])
    array([1., 2.])
    """
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def linear_values(in_features, out_features, bias=True, *, rng=None, dtype=np.float32):
    r"""Initial ``weight`` (out, in) and ``bias`` (out,) of a linear layer.

    Both are drawn from :math:`U(-1/\sqrt{\text{in}}, 1/\sqrt{\text{in}})`, PyTorch's default.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    rng : int or numpy.random.Generator, optional
    dtype : numpy dtype

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> values = linear_values(4, 3, rng=0)
    >>> {name: value.shape for name, value in values.items()}
    {'weight': (3, 4), 'bias': (3,)}
    >>> bool(np.abs(values["weight"]).max() <= 0.5)
    True
    """
    shapes = {"weight": (out_features, in_features)}
    if bias:
        shapes["bias"] = (out_features,)
    return uniform(shapes, in_features, np.random.default_rng(rng), dtype)


def conv_values(in_channels, out_channels, kernel_size, bias=True, *, rng=None, dtype=np.float32):
    r"""Initial ``weight`` (out, in, K) and ``bias`` (out,) of a convolution over time.

    Both are drawn from :math:`U(-1/\sqrt{\text{in} \cdot K}, 1/\sqrt{\text{in} \cdot K})`, PyTorch's
    default.

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int
    bias : bool
    rng : int or numpy.random.Generator, optional
    dtype : numpy dtype

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> conv_values(2, 5, kernel_size=8, rng=0)["weight"].shape
    (5, 2, 8)
    """
    shapes = {"weight": (out_channels, in_channels, kernel_size)}
    if bias:
        shapes["bias"] = (out_channels,)
    return uniform(shapes, in_channels * kernel_size, np.random.default_rng(rng), dtype)


def embedding_values(
    num_embeddings, embedding_dim, padding_idx=None, *, rng=None, dtype=np.float32
):
    """Initial ``weight`` of an embedding, normal with mean 0 and variance 1 as in torch; the padding row is zero.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    padding_idx : int, optional
    rng : int or numpy.random.Generator, optional
    dtype : numpy dtype

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> embedding_values(3, 2, padding_idx=0, rng=0)["weight"][0]
    array([0., 0.], dtype=float32)
    """
    weight = np.random.default_rng(rng).normal(size=(num_embeddings, embedding_dim)).astype(dtype)
    if padding_idx is not None:
        weight[padding_idx] = 0
    return {"weight": weight}
