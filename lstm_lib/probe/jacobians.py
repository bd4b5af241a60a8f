"""How one state depends on an earlier one: the Jacobian of a step, and of many."""

from dataclasses import dataclass

import numpy as np

from lstm_lib.parameters import suffixes, to_numpy
from lstm_lib.probe.runs import inside, kind_of, passage
from lstm_lib.validation import has_shape, one_of


@dataclass
class Jacobian:
    r"""The derivative of one state by another, :math:`\partial s / \partial s'`, with its spectrum.

    The state s is h, or h and c one below the other, S = H or 2H numbers.

    Attributes
    ----------
    matrix : ndarray, shape (..., S, S)
        Row: entry of the later state; column: entry of the earlier one.
    states : tuple of str
        ``("h",)`` or ``("h", "c")``.
    sizes : tuple of int, optional
        Size of each state; equal ones by default.
    """

    matrix: np.ndarray
    states: tuple
    sizes: tuple | None = None

    def block(self, of, by):
        r"""One block, :math:`\partial\,\text{of} / \partial\,\text{by}`, of shape (..., H, H).

        >>> Jacobian(np.arange(16.0).reshape(4, 4), ("h", "c")).block("c", "h")
        array([[ 8.,  9.],
               [12., 13.]])
        """
        equal = (self.matrix.shape[-1] // len(self.states),) * len(self.states)
        ends = np.cumsum((0, *(self.sizes or equal)))
        row, column = (
            slice(*ends[k : k + 2])
            for k in (
                self.states.index(one_of("of", of, self.states)),
                self.states.index(one_of("by", by, self.states)),
            )
        )
        return self.matrix[..., row, column]

    @property
    def singular_values(self):
        """Singular values (..., S), largest first: by how much a change can grow at most, and at least."""
        return np.linalg.svd(self.matrix, compute_uv=False)

    @property
    def eigenvalues(self):
        """Eigenvalues (..., S), complex, by magnitude, largest first."""
        values = np.linalg.eigvals(self.matrix).astype(complex)
        order = np.argsort(-np.abs(values), axis=-1, kind="stable")
        return np.take_along_axis(values, order, axis=-1)

    @property
    def spectral_radius(self):
        """The largest magnitude of an eigenvalue (...,)."""
        return np.abs(self.eigenvalues[..., 0])


def step_jacobian(layer, x_t, state, suffix="l0"):
    r"""The exact Jacobian of one step by the state before it, from the equations.

    With :math:`D(v)` the diagonal matrix of v, for an LSTM, where :math:`s = (h, c)`,

    .. math::

        \frac{\partial c_t}{\partial h_{t-1}} &= D(g\, i (1-i))\, U_i + D(c_{t-1} f (1-f))\, U_f
            + D(i (1 - g^2))\, U_g, \qquad
        \frac{\partial c_t}{\partial c_{t-1}} = D(f) \\
        \frac{\partial h_t}{\partial h_{t-1}} &= D(\tanh(c_t)\, o (1-o))\, U_o
            + D(o (1 - \tanh^2 c_t))\, \frac{\partial c_t}{\partial h_{t-1}}, \qquad
        \frac{\partial h_t}{\partial c_{t-1}} = D(o (1 - \tanh^2 c_t)\, f),

    for a GRU

    .. math::

        \frac{\partial h_t}{\partial h_{t-1}} = D(z) + D((h_{t-1} - n)\, z (1-z))\, U_z
            + D((1-z)(1-n^2)) \left[ D(r)\, U_n + D(q\, r (1-r))\, U_r \right],

    and for a plain RNN :math:`\partial h_t / \partial h_{t-1} = D(\phi'(a_t))\, U`. For an LSTM with
    options it is the complex-step derivative of :func:`lstm_lib.variants.variant_step`.

    Parameters
    ----------
    layer : LSTM, GRU or RNN
        Of either engine.
    x_t : array, shape (B, features) or (features,)
        Input of the step, as wide as this layer and direction reads.
    state : array, or pair of arrays for an LSTM, shape (B, H) or (H,)
        The state before the step.
    suffix : str
        Which layer and direction, by torch's suffix: ``"l0"``, ``"l1_reverse"``, ...

    Returns
    -------
    Jacobian
        Its matrix has shape (B, S, S), or (S, S) for a single sequence.

    Raises
    ------
    TypeError
        For anything but an LSTM, GRU or RNN.
    ValueError
        For a wrong shape or an unknown suffix.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural networks,
    ICML 2013 (why the singular values of this matrix decide whether gradients vanish).

    Examples
    --------
    A plain RNN at rest has the Jacobian U:

    >>> from lstm_lib import numpy as L
    >>> rnn = L.RNN(2, 3, bias=False, rng=0, dtype=np.float64)
    >>> jacobian = step_jacobian(rnn, np.zeros(2), np.zeros(3))
    >>> bool(np.allclose(jacobian.matrix, rnn.weight_hh_l0.data))
    True

    An LSTM's cell state feels its predecessor through the forget gate alone:

    >>> lstm = L.LSTM(2, 3, rng=0, dtype=np.float64)
    >>> jacobian = step_jacobian(lstm, np.ones(2), (np.zeros(3), np.zeros(3)))
    >>> bool(np.count_nonzero(jacobian.block("c", "c")) == 3)
    True
    """
    cell = _cell(layer, suffix)
    width, sizes = cell.weight_ih.shape[1], _sizes(layer)
    x_t = to_numpy(x_t)
    has_shape("x_t", x_t.shape, (*x_t.shape[:-1][:1], width), "(batch, features) or (features,)")
    parts = state if len(cell.states) > 1 else (state,)
    if len(parts) != len(cell.states):
        raise ValueError(f"state must be ({', '.join(cell.states)}), got {len(parts)} arrays")
    before = tuple(to_numpy(part) for part in parts)
    for name, part, size in zip(cell.states, before, sizes, strict=True):
        has_shape(name, part.shape, (*x_t.shape[:-1], size), "(batch, size), as x_t has it")
    return Jacobian(cell.jacobian(cell.step(x_t, before, None), before), cell.states, sizes)


def jacobian_product(layer, x, hx=None, *, lengths=None, suffix="l0"):
    r"""The Jacobian of the final state by the state after every step.

    .. math::

        \frac{\partial s_T}{\partial s_t} =
        \frac{\partial s_T}{\partial s_{T-1}} \cdots \frac{\partial s_{t+1}}{\partial s_t}

    within one layer and direction, whose inputs are held fixed. It needs T · B · S² numbers.

    Parameters
    ----------
    layer, x, hx, lengths
        As in :func:`trace`.
    suffix : str
        Which layer and direction.

    Returns
    -------
    Jacobian
        Its matrix has shape (T, B, S, S), or (B, T, S, S) with ``batch_first``. The last step of a
        direction (for the reverse direction the first of the sequence) holds the unit matrix; past
        the end of a sequence stand zeros.

    Raises
    ------
    TypeError, ValueError
        As :func:`step_jacobian` and :func:`trace`.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> rnn = L.RNN(2, 3, rng=0, dtype=np.float64)
    >>> product = jacobian_product(rnn, np.ones((6, 1, 2)))
    >>> product.matrix.shape
    (6, 1, 3, 3)
    >>> bool((np.diff(product.singular_values[:, 0, 0]) > 0).all())  # it fades backwards
    True
    """
    _cell(layer, suffix)
    whole = passage(layer, x, hx, lengths)
    run = whole.runs[suffix]
    dtype = run.found[0]["h"].dtype
    unit = np.eye(sum(_sizes(layer)), dtype=dtype)
    product = np.broadcast_to(unit, (whole.batch, *unit.shape))
    products = [product]
    for t in range(whole.steps - 1, 0, -1):
        step = run.cell.jacobian(run.found[t], run.before[t])
        if whole.past_end is not None:
            step = np.where(whole.past_end[t][:, None, None], unit, step)
        product = product @ step
        products.append(product)
    products = whole.presented(suffix, products[::-1])
    return Jacobian(products, run.cell.states, _sizes(layer))


def _sizes(layer):
    """Size of every state of a layer."""
    return tuple(shape[-1] for shape in layer.layout.state_shapes(1))


def _cell(layer, suffix):
    """The inside of one layer and direction, or an error that lists the suffixes there are."""
    kind_of(layer)
    one_of("suffix", suffix, suffixes(layer.num_layers, layer.bidirectional))
    return inside(layer, suffix)
