r"""Where training starts: initial values of recurrent weights, one gate at a time.

A recurrent layer stacks the matrices of its gates: an LSTM's ``weight_hh`` is :math:`(4H, H)`, four matrices
of :math:`H \times H` one above the other. What an initialiser promises, it promises of *one* matrix that maps
one vector to another. :func:`initialise` therefore draws every gate's block by itself. Calling
``torch.nn.init.xavier_uniform_(lstm.weight_hh_l0)``, as is often seen, takes 4H for the number of outputs and
so draws from an interval :math:`\sqrt{5/2} \approx 1.6` times too narrow; ``orthogonal_`` gives
a matrix of which no gate's block is orthogonal.

Every function here takes a shape and a generator and returns an array in float64.
"""

import math
from functools import partial

import numpy as np

from lstm_lib.parameters import set_gate_biases, to_numpy
from lstm_lib.validation import has_shape, one_of


def zeros(shape, rng=None):
    """Zeros. Right for biases; weights that are all equal would stay equal for ever.

    Parameters
    ----------
    shape : tuple of int
    rng : object, optional
        Not used; here so that all initialisers are called alike.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> zeros((2,))
    array([0., 0.])
    """
    return np.zeros(shape)


def constant(shape, rng=None, *, value):
    """The same `value` everywhere.

    Parameters
    ----------
    shape : tuple of int
    rng : object, optional
        Not used; here so that all initialisers are called alike.
    value : float

    Returns
    -------
    ndarray

    Examples
    --------
    >>> constant((2,), value=0.5)
    array([0.5, 0.5])
    """
    return np.full(shape, float(value))


def uniform(shape, rng=None, *, bound):
    r"""Draw from :math:`U(-a, a)`.

    Parameters
    ----------
    shape : tuple of int
    rng : int or numpy.random.Generator, optional
    bound : float
        a; :math:`1/\sqrt H` is PyTorch's for recurrent layers.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> bool(np.abs(uniform((100,), 0, bound=0.1)).max() <= 0.1)
    True
    """
    return np.random.default_rng(rng).uniform(-bound, bound, shape)


def xavier_uniform(shape, rng=None, gain=1.0):
    r"""Draw from :math:`U(-a, a)` with :math:`a = g \sqrt{6 / (n_\text{in} + n_\text{out})}`.

    The variance lies between what keeps the activations' variance and what keeps the gradients'.

    Parameters
    ----------
    shape : tuple of two ints
        :math:`(n_\text{out}, n_\text{in})`.
    rng : int or numpy.random.Generator, optional
    gain : float
        g.

    Returns
    -------
    ndarray

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010.

    Examples
    --------
    >>> print(f"{xavier_uniform((300, 300), rng=0).std():.3f}")  # sqrt(2 / 600) = 0.058
    0.058
    """
    fan_in, fan_out = _fans(shape)
    return uniform(shape, rng, bound=gain * math.sqrt(6 / (fan_in + fan_out)))


def xavier_normal(shape, rng=None, gain=1.0):
    r"""Draw from a normal distribution of variance :math:`2 g^2 / (n_\text{in} + n_\text{out})`.

    Parameters
    ----------
    shape, rng, gain
        As in :func:`xavier_uniform`.

    Returns
    -------
    ndarray

    References
    ----------
    Glorot and Bengio 2010, as :func:`xavier_uniform`.

    Examples
    --------
    >>> print(f"{xavier_normal((300, 300), rng=0).std():.3f}")
    0.058
    """
    fan_in, fan_out = _fans(shape)
    return np.random.default_rng(rng).normal(0, gain * math.sqrt(2 / (fan_in + fan_out)), shape)


def kaiming_uniform(shape, rng=None):
    r"""He's initialisation for rectifiers, :math:`U(-a, a)` with :math:`a = \sqrt{6 / n_\text{in}}`.

    Parameters
    ----------
    shape : tuple of two ints
        :math:`(n_\text{out}, n_\text{in})`.
    rng : int or numpy.random.Generator, optional

    Returns
    -------
    ndarray

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, Delving deep into rectifiers: surpassing human-level performance on
    ImageNet classification, ICCV 2015.

    Examples
    --------
    >>> print(f"{kaiming_uniform((400, 200), rng=0).std():.2f}")  # sqrt(2 / 200) = 0.1
    0.10
    """
    return uniform(shape, rng, bound=math.sqrt(6 / _fans(shape)[0]))


def kaiming_normal(shape, rng=None):
    r"""He's initialisation for rectifiers, normal with variance :math:`2 / n_\text{in}`.

    Parameters
    ----------
    shape, rng
        As in :func:`kaiming_uniform`.

    Returns
    -------
    ndarray

    References
    ----------
    He et al. 2015, as :func:`kaiming_uniform`.

    Examples
    --------
    >>> print(f"{kaiming_normal((400, 200), rng=0).std():.2f}")
    0.10
    """
    return np.random.default_rng(rng).normal(0, math.sqrt(2 / _fans(shape)[0]), shape)


def orthogonal(shape, rng=None, gain=1.0):
    r"""Draw a matrix Q with :math:`Q^\top Q = g^2 I`, uniformly among all of them.

    It neither stretches nor shrinks a state that it is applied to again and again. A matrix that is not
    square has orthonormal rows or columns, whichever are fewer.

    Parameters
    ----------
    shape : tuple of two ints
    rng : int or numpy.random.Generator, optional
    gain : float
        g, the singular values.

    Returns
    -------
    ndarray

    References
    ----------
    A. Saxe, J. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, ICLR 2014; F. Mezzadri, How to generate random matrices from the classical
    compact groups, Notices of the AMS 54(5), 2007 (why the signs of R matter).

    Examples
    --------
    >>> Q = orthogonal((3, 3), rng=0)
    >>> bool(np.allclose(Q.T @ Q, np.eye(3), atol=1e-14))
    True
    """
    _fans(shape)
    tall = shape if shape[0] >= shape[1] else shape[::-1]
    q, r = np.linalg.qr(np.random.default_rng(rng).normal(size=tall))
    q = gain * q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return q if tall == shape else np.ascontiguousarray(q.T)


def identity(shape, rng=None, gain=1.0):
    r"""The identity matrix times `gain`, with which a rectified RNN starts by keeping its state.

    Parameters
    ----------
    shape : tuple of two ints
    rng : object, optional
        Not used; here so that all initialisers are called alike.
    gain : float

    Returns
    -------
    ndarray

    References
    ----------
    Q. V. Le, N. Jaitly, G. E. Hinton, A simple way to initialize recurrent networks of rectified linear
    units, arXiv 1504.00941, 2015.

    Examples
    --------
    >>> identity((2, 2))
    array([[1., 0.],
           [0., 1.]])
    """
    _fans(shape)
    return gain * np.eye(*shape)


MATRICES = {
    "zeros": zeros,
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "kaiming_uniform": kaiming_uniform,
    "kaiming_normal": kaiming_normal,
    "orthogonal": orthogonal,
    "identity": identity,
}
"""Initialisers of weights by name; ``"uniform"``, which needs the hidden size, comes on top."""


def initialise(
    layer, *, input=None, recurrent=None, bias=None, forget_bias=None, chrono=None, rng=None
):
    r"""Give every recurrent layer of a model new initial values, gate by gate.

    The same `rng` gives bit-identical weights in both engines. What is None stays as it is, and so do
    projections, peepholes, the gains of layer normalisation, and layers without recurrence.

    Parameters
    ----------
    layer : module of lstm_lib.numpy or lstm_lib.torch
        A recurrent layer, a cell, or a model that holds some; layers of ``torch.nn`` too.
    input, recurrent : str, float or callable, optional
        For each gate's block of ``weight_ih``, :math:`(H, I)`, and of ``weight_hh``, :math:`(H, H)`:
        ``"uniform"`` (within :math:`\pm 1/\sqrt H`), ``"xavier_uniform"``, ``"xavier_normal"``,
        ``"kaiming_uniform"``, ``"kaiming_normal"``, ``"orthogonal"``, ``"identity"``, ``"zeros"``; a number;
        or a function of shape and generator, such as those of this module.
    bias : {"zeros", "uniform"}, float or callable, optional
        A number goes into ``bias_ih`` alone, with 0 in ``bias_hh``, so that it is not counted twice.
    forget_bias : float, optional
        Bias of an LSTM's forget gate, as in its constructor.
    chrono : float, optional
        Longest dependency expected, in steps: :func:`lstm_lib.parameters.set_chrono_bias`.
    rng : int or numpy.random.Generator, optional

    Returns
    -------
    module
        `layer` itself.

    Raises
    ------
    ValueError
        For an unknown name; `forget_bias` together with `chrono`, or either for a layer that is no LSTM or
        has no biases; a model without recurrent layers; an initialiser that returns another shape.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> lstm = initialise(L.LSTM(3, 4), input="xavier_uniform", recurrent="orthogonal",
    ...                   bias="zeros", forget_bias=1.0, rng=0)
    >>> forget = lstm.weight_hh_l0.data[4:8]
    >>> bool(np.allclose(forget @ forget.T, np.eye(4), atol=1e-6))
    True
    >>> lstm.bias_ih_l0.data
    array([0., 0., 0., 0., 1., 1., 1., 1., 0., 0., 0., 0., 0., 0., 0., 0.],
          dtype=float32)
    """
    found = [module for module in layer.modules() if _is_recurrent(module)]
    if not found:
        raise ValueError(f"{type(layer).__name__} holds no recurrent layer")
    rng = np.random.default_rng(rng)
    schemes = dict(weight_ih=input, weight_hh=recurrent, bias_ih=bias, bias_hh=bias)
    for module in found:
        _initialise_layer(module, schemes, forget_bias, chrono, rng)
    return layer


def _is_recurrent(module):
    return hasattr(module, "hidden_size") and bool(_recurrent_parts(module.state_dict()))


def _recurrent_parts(state):
    """``{name: what it is}`` of the weights and biases that belong to gates, owned by the layer itself."""
    parts = {name: "_".join(name.split("_")[:2]) for name in state if "." not in name}
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {name: kind for name, kind in parts.items() if kind in kinds}


def _initialise_layer(module, schemes, forget_bias, chrono, rng):
    state = dict(module.state_dict())
    parts = _recurrent_parts(state)
    values = {name: np.array(to_numpy(state[name]), np.float64) for name in parts}
    for name, kind in parts.items():
        if schemes[kind] is not None:
            draw = _initialiser(schemes[kind], kind, module.hidden_size)
            values[name] = _drawn_by_gates(draw, name, values[name].shape, module.hidden_size, rng)
    coupled = getattr(module, "coupled", False)
    if forget_bias is not None or chrono is not None:
        rows = next(len(values[name]) for name in parts)
        if rows != (3 if coupled else 4) * module.hidden_size:
            raise ValueError(
                f"forget_bias and chrono need an LSTM, the only layer with a forget gate; "
                f"got a layer {type(module).__name__}"
            )
        set_gate_biases(values, module.hidden_size, forget_bias, chrono, coupled, rng)
    module.load_state_dict({**state, **{n: _like(state[n], v) for n, v in values.items()}})


def _drawn_by_gates(draw, name, shape, hidden_size, rng):
    """The blocks of H rows of one array, each drawn by itself."""
    block = (hidden_size, *shape[1:])
    parts = [np.asarray(draw(block, rng), np.float64) for _ in range(shape[0] // hidden_size)]
    for part in parts:
        has_shape(f"the initial value of {name}", part.shape, block, "one gate's block")
    return np.concatenate(parts)


def _like(old, value):
    """The array `value` as what a state_dict holds in `old`: a NumPy array or a tensor."""
    return old.new_tensor(value) if hasattr(old, "new_tensor") else value


def _initialiser(scheme, kind, hidden_size):
    """The function of shape and generator that a scheme stands for."""
    if callable(scheme):
        return scheme
    if isinstance(scheme, (int, float)) and not isinstance(scheme, bool):
        return partial(constant, value=0.0 if kind == "bias_hh" else scheme)
    known = {**MATRICES, "uniform": partial(uniform, bound=1 / math.sqrt(hidden_size))}
    if kind.startswith("bias"):
        known = {name: known[name] for name in ("zeros", "uniform")}
    argument = {"weight_ih": "input", "weight_hh": "recurrent"}.get(kind, "bias")
    return known[one_of(argument, scheme, tuple(known))]


def _fans(shape):
    """Numbers of inputs and outputs of a matrix of `shape`."""
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"shape must be that of a matrix, (outputs, inputs), got {tuple(shape)}")
    return shape[1], shape[0]
