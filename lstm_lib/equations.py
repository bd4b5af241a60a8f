r"""One step of an LSTM, a GRU and a plain RNN and its derivative, as pure functions of arrays.

The mathematics of the course lives here once, each function written so that it reads like
its equation. The steps work on NumPy arrays and torch tensors alike, their derivatives on
arrays (torch finds its own). Nothing here knows about layers, batches of different lengths
or optimisers. The fast loops of the engines are tested against these functions.

Symbols and shapes, with batch size B, input size I and hidden size H:

============  ===========  =====================================================
symbol        shape        meaning
============  ===========  =====================================================
`x`           (B, I)       input of this step
`h`, `c`      (B, H)       hidden state and cell state
`weight_ih`   (4H, I)      input weights :math:`W`, rows in the order i, f, g, o
`weight_hh`   (4H, H)      recurrent weights :math:`U`, rows in the same order
`bias`        (4H,)        biases
`i, f, o`     (B, H)       input, forget and output gate, each between 0 and 1
`g`           (B, H)       candidate, between -1 and 1
============  ===========  =====================================================

References
----------
S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997;
F. Gers, J. Schmidhuber, F. Cummins, Learning to forget, Neural Computation 12(10), 2000
(the forget gate); K. Cho et al., Learning phrase representations using RNN encoder-decoder,
EMNLP 2014 (the GRU); J. Elman, Finding structure in time, Cognitive Science 14(2), 1990 (the RNN).
"""

from typing import NamedTuple

import numpy as np


class LSTMStep(NamedTuple):
    """All that one LSTM step computes; each entry has shape (B, H)."""

    h: object
    c: object
    i: object
    f: object
    g: object
    o: object
    tanh_c: object


def tanh(x):
    r"""Hyperbolic tangent :math:`\tanh x`, with derivative :math:`1 - \tanh^2 x`.

    Parameters
    ----------
    x : array or tensor

    Returns
    -------
    array or tensor, shape of `x`

    Examples
    --------
    >>> float(tanh(0.0)), round(float(tanh(1.0)), 4)
    (0.0, 0.7616)
    """
    return x.tanh() if hasattr(x, "tanh") else np.tanh(x)


def sigmoid(x):
    r"""Logistic sigmoid :math:`\sigma(x) = 1 / (1 + e^{-x}) = \tfrac12 (1 + \tanh \tfrac x2)`.

    The second form neither overflows for large :math:`|x|` nor leaves the complex plane's
    analytic path, which the complex-step check of :mod:`lstm_lib.gradcheck` needs.
    Its derivative is :math:`\sigma(x) (1 - \sigma(x))`.

    Parameters
    ----------
    x : array or tensor

    Returns
    -------
    array or tensor, shape of `x`

    Examples
    --------
    A closed gate, a gate at rest (0.5, not 0) and an open one:

    >>> import numpy as np
    >>> sigmoid(np.array([-800.0, 0.0, 800.0]))
    array([0. , 0.5, 1. ])
    """
    return x.sigmoid() if hasattr(x, "sigmoid") else 0.5 + 0.5 * np.tanh(0.5 * x)


def lstm_preactivation(x, h, weight_ih, weight_hh, bias=None):
    r"""What enters the four nonlinearities: :math:`a = W x_t + U h_{t-1} + b`.

    Parameters
    ----------
    x, h : arrays, shapes (B, I) and (B, H)
    weight_ih, weight_hh : arrays, shapes (4H, I) and (4H, H)
    bias : array, shape (4H,), optional
        The sum of both biases.

    Returns
    -------
    array, shape (B, 4H)
        Columns in the order i, f, g, o.

    Examples
    --------
    >>> import numpy as np
    >>> x, h = np.ones((1, 1)), np.zeros((1, 2))
    >>> lstm_preactivation(x, h, np.ones((8, 1)), np.ones((8, 2)), np.ones(8))
    array([[2., 2., 2., 2., 2., 2., 2., 2.]])
    """
    a = x @ weight_ih.T + h @ weight_hh.T
    return a if bias is None else a + bias


def lstm_gates(a, c):
    r"""Gates, candidate and the new states from the pre-activation.

    .. math::

        i_t = \sigma(a_i), \quad f_t = \sigma(a_f), \quad
        g_t = \tanh(a_g), \quad o_t = \sigma(a_o)

        c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad
        h_t = o_t \odot \tanh(c_t)

    Parameters
    ----------
    a : array, shape (B, 4H)
        Pre-activation in the order i, f, g, o.
    c : array, shape (B, H)
        Previous cell state :math:`c_{t-1}`.

    Returns
    -------
    LSTMStep

    Examples
    --------
    With :math:`f = 1` and :math:`i = 0` the cell keeps its content, whatever the input:

    >>> import numpy as np
    >>> step = lstm_gates(np.array([[-50.0, 50.0, 0.3, 0.0]]), np.array([[0.7]]))
    >>> float(step.c[0, 0])
    0.7
    """
    size = c.shape[-1]
    i = sigmoid(a[..., :size])
    f = sigmoid(a[..., size : 2 * size])
    g = tanh(a[..., 2 * size : 3 * size])
    o = sigmoid(a[..., 3 * size :])
    c_next = f * c + i * g
    tanh_c = tanh(c_next)
    return LSTMStep(o * tanh_c, c_next, i, f, g, o, tanh_c)


def lstm_step(x, h, c, weight_ih, weight_hh, bias=None):
    """One LSTM step: :func:`lstm_preactivation` followed by :func:`lstm_gates`.

    Parameters
    ----------
    x : array, shape (B, I)
    h, c : arrays, shape (B, H)
    weight_ih, weight_hh, bias : arrays, shapes (4H, I), (4H, H), (4H,)

    Returns
    -------
    LSTMStep

    Examples
    --------
    All weights one, one input of 1: every gate is σ(2) = 0.881, not σ(1).

    >>> import numpy as np
    >>> one = np.ones
    >>> step = lstm_step(one((1, 1)), 0 * one((1, 4)), 0 * one((1, 4)),
    ...                  one((16, 1)), one((16, 4)), one(16))
    >>> print(f"{step.i[0, 0]:.3f} {step.c[0, 0]:.3f} {step.h[0, 0]:.3f}")
    0.881 0.849 0.608
    """
    return lstm_gates(lstm_preactivation(x, h, weight_ih, weight_hh, bias), c)


def lstm_gates_backward(dh, dc, step, c):
    r"""Derivative of :func:`lstm_gates`.

    With :math:`\delta h, \delta c` the derivatives of the loss by :math:`h_t` and, through
    later steps alone, by :math:`c_t`:

    .. math::

        \delta c_t &= \delta c + \delta h \odot o \odot (1 - \tanh^2 c_t) \\
        \delta a_i &= \delta c_t \odot g \odot i (1 - i), \quad
        \delta a_f = \delta c_t \odot c_{t-1} \odot f (1 - f) \\
        \delta a_g &= \delta c_t \odot i \odot (1 - g^2), \quad
        \delta a_o = \delta h \odot \tanh c_t \odot o (1 - o) \\
        \delta c_{t-1} &= \delta c_t \odot f

    Parameters
    ----------
    dh, dc : arrays, shape (B, H)
    step : LSTMStep
        What the forward step returned.
    c : array, shape (B, H)
        Previous cell state :math:`c_{t-1}`.

    Returns
    -------
    da : tuple of four arrays, shape (B, H) each
        Derivatives by the pre-activations, in the order i, f, g, o.
    dc_prev : array, shape (B, H)

    References
    ----------
    A. Graves, J. Schmidhuber, Framewise phoneme classification with bidirectional LSTM and other neural
    network architectures, Neural Networks 18, 2005 (the whole gradient; that of 1997 is cut off).

    Examples
    --------
    At rest, where every gate is 1/2 and g is 0, a derivative of 1 that arrives by the cell alone:

    >>> import numpy as np
    >>> c = np.ones((1, 1))
    >>> step = lstm_gates(np.zeros((1, 4)), c)
    >>> da, dc_prev = lstm_gates_backward(np.zeros((1, 1)), np.ones((1, 1)), step, c)
    >>> [float(d[0, 0]) for d in da], float(dc_prev[0, 0])
    ([0.0, 0.25, 0.5, 0.0], 0.5)
    """
    _, _, i, f, g, o, tanh_c = step
    dc = dc + dh * o * (1 - tanh_c * tanh_c)
    da_i = dc * g * i * (1 - i)
    da_f = dc * c * f * (1 - f)
    da_g = dc * i * (1 - g * g)
    da_o = dh * tanh_c * o * (1 - o)
    return (da_i, da_f, da_g, da_o), dc * f


class LSTMStepGradients(NamedTuple):
    """Derivatives by everything that enters one LSTM step, named after it."""

    x: object
    h: object
    c: object
    weight_ih: object
    weight_hh: object
    bias: object


def lstm_step_backward(dh, dc, step, x, h, c, weight_ih, weight_hh):
    r"""Derivative of :func:`lstm_step` by its inputs, states and weights.

    With :math:`\delta a` from :func:`lstm_gates_backward`,

    .. math::

        \delta x = \delta a\, W, \quad \delta h_{t-1} = \delta a\, U, \quad
        \delta W = \delta a^\top x, \quad \delta U = \delta a^\top h_{t-1}, \quad
        \delta b = \textstyle\sum_B \delta a

    Parameters
    ----------
    dh, dc : arrays, shape (B, H)
    step : LSTMStep
        What the forward step returned.
    x, h, c : arrays
        What the forward step received.
    weight_ih, weight_hh : arrays, shapes (4H, I) and (4H, H)

    Returns
    -------
    LSTMStepGradients

    Examples
    --------
    An input of 2 and weights of zero, so that all gates are 1/2, the candidate is 0 and c is halved.
    Where the loss is the new cell state, the input weights get twice what the biases get:

    >>> import numpy as np
    >>> x, h, c, W = np.full((1, 1), 2.0), np.zeros((1, 1)), np.ones((1, 1)), np.zeros((4, 1))
    >>> step = lstm_step(x, h, c, W, W)
    >>> grads = lstm_step_backward(np.zeros((1, 1)), np.ones((1, 1)), step, x, h, c, W, W)
    >>> grads.bias, grads.weight_ih.ravel(), float(grads.c[0, 0])
    (array([0.  , 0.25, 0.5 , 0.  ]), array([0. , 0.5, 1. , 0. ]), 0.5)
    """
    da, dc_prev = lstm_gates_backward(dh, dc, step, c)
    da = np.concatenate(da, axis=-1)
    return LSTMStepGradients(
        x=da @ weight_ih,
        h=da @ weight_hh,
        c=dc_prev,
        weight_ih=da.T @ x,
        weight_hh=da.T @ h,
        bias=da.sum(axis=0),
    )


class StepGradients(NamedTuple):
    """Derivatives by everything that enters a GRU or RNN step, named after it."""

    x: object
    h: object
    weight_ih: object
    weight_hh: object
    bias_ih: object
    bias_hh: object


class GRUStep(NamedTuple):
    """All that one GRU step computes; each entry has shape (B, H)."""

    h: object
    r: object
    z: object
    n: object
    q: object


def gru_step(x, h, weight_ih, weight_hh, bias_ih=0.0, bias_hh=0.0):
    r"""One step of a gated recurrent unit, in torch's form.

    .. math::

        r_t = \sigma(W_r x_t + U_r h_{t-1} + b_r), \quad
        z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z)

        q_t = U_n h_{t-1} + b_{hn}, \quad n_t = \tanh(W_n x_t + b_{in} + r_t \odot q_t), \quad
        h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The reset gate r acts *after* the recurrent product, so the two biases of n are not one.

    Parameters
    ----------
    x, h : arrays, shapes (B, I) and (B, H)
    weight_ih, weight_hh : arrays, shapes (3H, I) and (3H, H), rows in the order r, z, n
    bias_ih, bias_hh : arrays, shape (3H,), optional

    Returns
    -------
    GRUStep

    References
    ----------
    Cho et al. 2014; the reset gate after the product is that of arXiv:1406.1078v1, as in cuDNN.

    Examples
    --------
    With the update gate at 1 the state is kept:

    >>> import numpy as np
    >>> step = gru_step(np.ones((1, 1)), np.array([[0.3]]), np.array([[0.0], [50.0], [1.0]]), np.zeros((3, 1)))
    >>> float(step.h[0, 0])
    0.3
    """
    return gru_gates(x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh, h)


def gru_gates(from_x, from_h, h):
    """The part of :func:`gru_step` after both products.

    Parameters
    ----------
    from_x, from_h : arrays, shape (B, 3H)
        :math:`W x_t + b_i` and :math:`U h_{t-1} + b_h`, columns in the order r, z, n.
    h : array, shape (B, H)
        Previous state :math:`h_{t-1}`.

    Returns
    -------
    GRUStep

    Examples
    --------
    At rest both gates are 1/2 and the candidate is 0: half of the state is kept.

    >>> import numpy as np
    >>> float(gru_gates(np.zeros((1, 3)), np.zeros((1, 3)), np.array([[0.8]])).h[0, 0])
    0.4
    """
    size = h.shape[-1]
    r = sigmoid(from_x[..., :size] + from_h[..., :size])
    z = sigmoid(from_x[..., size : 2 * size] + from_h[..., size : 2 * size])
    q = from_h[..., 2 * size :]
    n = tanh(from_x[..., 2 * size :] + r * q)
    return GRUStep((1 - z) * n + z * h, r, z, n, q)


def gru_step_backward(dh, step, x, h, weight_ih, weight_hh):
    r"""Derivative of :func:`gru_step`.

    .. math::

        \delta z = \delta h \odot (h_{t-1} - n), \quad
        \delta a_n = \delta h \odot (1 - z) \odot (1 - n^2), \quad
        \delta r = \delta a_n \odot q, \quad \delta q = \delta a_n \odot r

    and :math:`\delta a = \delta g \odot g (1 - g)` for both gates.

    Parameters
    ----------
    dh : array, shape (B, H)
    step : GRUStep
        What the forward step returned.
    x, h, weight_ih, weight_hh : arrays
        What the forward step received.

    Returns
    -------
    StepGradients

    Examples
    --------
    At rest the gates are 1/2 and the candidate is 0. The recurrent bias of n stands behind the reset
    gate, which halves its derivative:

    >>> import numpy as np
    >>> x, h, W, U = np.zeros((1, 1)), np.ones((1, 1)), np.zeros((3, 1)), np.zeros((3, 1))
    >>> step = gru_step(x, h, W, U)
    >>> grads = gru_step_backward(np.ones((1, 1)), step, x, h, W, U)
    >>> grads.bias_ih.tolist(), grads.bias_hh.tolist(), float(grads.h[0, 0])
    ([0.0, 0.25, 0.5], [0.0, 0.25, 0.25], 0.5)
    """
    _, r, z, n, q = step
    da_z = dh * (h - n) * z * (1 - z)
    da_n = dh * (1 - z) * (1 - n * n)
    da_r = da_n * q * r * (1 - r)
    by_x = np.concatenate((da_r, da_z, da_n), axis=-1)
    by_h = np.concatenate((da_r, da_z, da_n * r), axis=-1)
    return StepGradients(
        x=by_x @ weight_ih,
        h=dh * z + by_h @ weight_hh,
        weight_ih=by_x.T @ x,
        weight_hh=by_h.T @ h,
        bias_ih=by_x.sum(axis=0),
        bias_hh=by_h.sum(axis=0),
    )


def rnn_step(x, h, weight_ih, weight_hh, bias_ih=0.0, bias_hh=0.0, nonlinearity="tanh"):
    r"""One step of a plain recurrent network: :math:`h_t = \phi(W x_t + b_i + U h_{t-1} + b_h)`.

    Parameters
    ----------
    x : array, shape (B, I)
    h : array, shape (B, H)
    weight_ih, weight_hh : arrays, shapes (H, I) and (H, H)
    bias_ih, bias_hh : arrays, shape (H,), optional
    nonlinearity : {"tanh", "relu"}
        :math:`\phi`; relu is :math:`\max(0, a)`.

    Returns
    -------
    array, shape (B, H)

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones((1, 1))
    >>> print(f"{rnn_step(one, 0 * one, one, one)[0, 0]:.4f}")
    0.7616
    """
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    if nonlinearity == "tanh":
        return tanh(a)
    return a.relu() if hasattr(a, "relu") else a * (a.real > 0)


def rnn_step_backward(dh, h_next, x, h, weight_ih, weight_hh, nonlinearity="tanh"):
    r"""Derivative of :func:`rnn_step`: :math:`\delta a = \delta h \odot \phi'(a)`.

    :math:`\phi'` is :math:`1 - h_t^2` for tanh, and 1 where :math:`h_t > 0` for relu.

    Parameters
    ----------
    dh : array, shape (B, H)
    h_next : array, shape (B, H)
        What the forward step returned.
    x, h, weight_ih, weight_hh, nonlinearity
        What the forward step received.

    Returns
    -------
    StepGradients

    Examples
    --------
    A rectified unit that is on passes everything through: :math:`h_t = 1 \cdot 2 + 3 \cdot 0.5`.

    >>> import numpy as np
    >>> x, h, W, U = (np.array([[value]]) for value in (2.0, 0.5, 1.0, 3.0))
    >>> h_next = rnn_step(x, h, W, U, nonlinearity="relu")
    >>> grads = rnn_step_backward(np.ones((1, 1)), h_next, x, h, W, U, "relu")
    >>> float(h_next[0, 0]), [float(grad[0, 0]) for grad in grads[:4]]
    (3.5, [1.0, 3.0, 2.0, 0.5])
    """
    da = dh * (1 - h_next * h_next) if nonlinearity == "tanh" else dh * (h_next.real > 0)
    bias = da.sum(axis=0)
    return StepGradients(da @ weight_ih, da @ weight_hh, da.T @ x, da.T @ h, bias, bias.copy())
