r"""One step of the LSTM's variants and its derivative, as pure functions of arrays.

Peepholes, a coupled gate, layer normalisation, a projection of the output, dropout of the recurrent
state and zoneout are one step with parts that can be left out, so that they combine. As in
:mod:`lstm_lib.equations`, the functions work on NumPy arrays and torch tensors alike.

With R rows of gates (4H, or 3H if coupled) and P units in the output (H without a projection):

==============  ============  =================================================================
symbol          shape         meaning
==============  ============  =================================================================
`from_x`        (B, R)        :math:`W x_t` and both biases, made for all steps beforehand
`weight_hh`     (R, P)        recurrent weights :math:`U`
`weight_ch`     (3H,)         peepholes :math:`p`, rows i, f, o; (2H,), rows i, o, if coupled
`norm_ih`       (R,)          gains of the normalised input product
`norm_hh`       (R,)          gains of the normalised recurrent product
`norm_c`        (H,)          gain of the normalised cell, with the shift `norm_c_bias`
`weight_hr`     (P, H)        projection
==============  ============  =================================================================

References
----------
Peepholes: F. Gers, J. Schmidhuber, Recurrent nets that time and count, IJCNN 2000. Coupled gate:
K. Greff et al., LSTM, a search space odyssey, IEEE TNNLS 28(10), 2017. Layer normalisation: J. Ba,
J. Kiros, G. Hinton, arXiv:1607.06450, 2016. Projection: H. Sak, A. Senior, F. Beaufays, Interspeech
2014. Recurrent dropout: Y. Gal, Z. Ghahramani, NeurIPS 2016. Zoneout: D. Krueger et al., ICLR 2017.
"""

from typing import NamedTuple

import numpy as np

from lstm_lib.equations import sigmoid, tanh
from lstm_lib.normalisation import layer_norm, layer_norm_backward


class VariantWeights(NamedTuple):
    """Weights of a step; what is None is left out of the computation."""

    weight_hh: object
    weight_ch: object = None
    norm_hh: object = None
    norm_c: object = None
    norm_c_bias: object = None
    weight_hr: object = None


class VariantMasks(NamedTuple):
    r"""Random factors of a step, or of a run with a leading axis of steps for zoneout.

    `recurrent`, (B, P), multiplies :math:`h_{t-1}` where it enters the gates and is the same for all
    steps. `zoneout_h`, (B, P), and `zoneout_c`, (B, H), are 1 where the old state is kept, 0 where
    the new one is taken, and the probability of keeping when nothing is drawn.
    """

    recurrent: object = None
    zoneout_h: object = None
    zoneout_c: object = None

    def of_steps(self, part):
        """The masks of one step, or of a slice of the steps of a run."""
        h, c = (None if zoneout is None else zoneout[part] for zoneout in self[1:])
        return VariantMasks(self.recurrent, h, c)


class VariantStep(NamedTuple):
    """All that one step computes: the states, the gates and what the derivative needs."""

    h: object
    c: object
    i: object
    f: object
    g: object
    o: object
    tanh_c: object
    c_new: object
    h_entering: object
    from_h: object


NO_MASKS = VariantMasks()
"""Nothing is dropped and nothing kept by chance."""


def variant_step(from_x, h, c, weights, masks=NO_MASKS, coupled=False):
    r"""One step of an LSTM with any of its variants.

    .. math::

        a &= \tilde W x_t + \operatorname{LN}(U (m \odot h_{t-1})), \quad
        \tilde W x_t = \operatorname{LN}(W x_t) + b \\
        i_t &= \sigma(a_i + p_i \odot c_{t-1}), \quad
        f_t = \sigma(a_f + p_f \odot c_{t-1}) \;\text{or}\; 1 - i_t, \quad g_t = \tanh(a_g) \\
        \hat c_t &= f_t \odot c_{t-1} + i_t \odot g_t, \quad
        o_t = \sigma(a_o + p_o \odot \hat c_t) \\
        \hat h_t &= W_{hr} \left( o_t \odot \tanh(\operatorname{LN}(\hat c_t)) \right) \\
        c_t &= z_c \odot c_{t-1} + (1 - z_c) \odot \hat c_t, \quad
        h_t = z_h \odot h_{t-1} + (1 - z_h) \odot \hat h_t

    Parameters
    ----------
    from_x : array, shape (B, R)
        Rows i, f, g, o; without f if `coupled`.
    h, c : arrays, shapes (B, P) and (B, H)
    weights : VariantWeights
    masks : VariantMasks
    coupled : bool
        The forget gate is :math:`1 - i_t`.

    Returns
    -------
    VariantStep

    References
    ----------
    Gers and Schmidhuber 2000 (peepholes); Greff et al. 2017 (coupled gate); Ba, Kiros and Hinton 2016
    (LN); Sak, Senior and Beaufays 2014 (projection); Gal and Ghahramani 2016 (m); Krueger et al. 2017
    (zoneout).

    Examples
    --------
    Without options it is :func:`lstm_lib.equations.lstm_step`; coupled, the cell takes a mean:

    >>> import numpy as np
    >>> weights = VariantWeights(np.zeros((3, 1)))
    >>> step = variant_step(np.array([[0.0, 50.0, 0.0]]), np.zeros((1, 1)), np.array([[0.5]]), weights, coupled=True)
    >>> float(step.i[0, 0] + step.f[0, 0]), float(step.c[0, 0])
    (1.0, 0.75)
    """
    w = weights
    h_entering = h if masks.recurrent is None else h * masks.recurrent
    from_h = h_entering @ w.weight_hh.T
    a = from_x + (from_h if w.norm_hh is None else layer_norm(from_h, w.norm_hh))
    a_i, *a_f, a_g, a_o = _blocks(a, c.shape[-1])
    if w.weight_ch is not None:
        p_i, *p_f, p_o = _blocks(w.weight_ch, c.shape[-1])
        a_i = a_i + p_i * c
        a_f = [a_f[0] + p_f[0] * c] if p_f else []
    i = sigmoid(a_i)
    f = 1 - i if coupled else sigmoid(a_f[0])
    g = tanh(a_g)
    c_new = f * c + i * g
    o = sigmoid(a_o if w.weight_ch is None else a_o + p_o * c_new)
    tanh_c = tanh(c_new if w.norm_c is None else layer_norm(c_new, w.norm_c, w.norm_c_bias))
    h_new = o * tanh_c
    if w.weight_hr is not None:
        h_new = h_new @ w.weight_hr.T
    h_next = _zoned(masks.zoneout_h, h, h_new)
    c_next = _zoned(masks.zoneout_c, c, c_new)
    return VariantStep(h_next, c_next, i, f, g, o, tanh_c, c_new, h_entering, from_h)


class VariantStepGradients(NamedTuple):
    """Derivatives by what enters a step, by the fields of :class:`VariantWeights`, and inside it.

    `gates` are those by the values of i, f, g and o, where i counts what it does through f if both
    are coupled; `c_new` is that by the cell before zoneout.
    """

    from_x: object
    h: object
    c: object
    weights: VariantWeights
    gates: tuple
    c_new: object


def variant_step_backward(dh, dc, step, h, c, weights, masks=NO_MASKS, coupled=False):
    r"""Derivative of :func:`variant_step` by its inputs, states and weights.

    Read upwards through the equations of the step: zoneout splits each derivative into a part for
    the old state and one for the new; a peephole adds :math:`\delta a_o \odot p_o` to
    :math:`\delta \hat c_t` and :math:`\delta a_i \odot p_i + \delta a_f \odot p_f` to
    :math:`\delta c_{t-1}`; for a coupled gate
    :math:`\delta i = \delta \hat c_t \odot (g_t - c_{t-1})`.

    Parameters
    ----------
    dh, dc : arrays, shapes (B, P) and (B, H)
        Derivatives by the new states.
    step : VariantStep
        What the forward step returned.
    h, c, weights, masks, coupled
        What the forward step received.

    Returns
    -------
    VariantStepGradients

    Examples
    --------
    With coupled gates at 1/2 and a candidate of 0, one half of the derivative by the cell goes to the old
    cell, one half to the candidate, and :math:`(g - c_{t-1})\, i (1 - i) = -\tfrac18` to the one gate left:

    >>> import numpy as np
    >>> h, c, weights = np.zeros((1, 1)), np.array([[0.5]]), VariantWeights(np.zeros((3, 1)))
    >>> step = variant_step(np.zeros((1, 3)), h, c, weights, coupled=True)
    >>> grads = variant_step_backward(0 * h, np.ones((1, 1)), step, h, c, weights, coupled=True)
    >>> grads.from_x.tolist(), float(grads.c[0, 0])
    ([[-0.125, 0.5, 0.0]], 0.5)
    """
    w = weights
    d_hr = d_ch = d_norm_hh = d_norm_c = d_norm_c_bias = None
    dh_before, dh_new = _unzoned(masks.zoneout_h, dh)
    dc_before, dc_new = _unzoned(masks.zoneout_c, dc)
    if w.weight_hr is not None:
        d_hr = dh_new.T @ (step.o * step.tanh_c)
        dh_new = dh_new @ w.weight_hr
    d_o = dh_new * step.tanh_c
    da_o = d_o * step.o * (1 - step.o)
    d_read = dh_new * step.o * (1 - step.tanh_c * step.tanh_c)
    if w.norm_c is not None:
        d_read, d_norm_c, d_norm_c_bias = layer_norm_backward(d_read, step.c_new, w.norm_c)
    dc_new = dc_new + d_read
    if w.weight_ch is not None:
        p_i, *p_f, p_o = _blocks(w.weight_ch, c.shape[-1])
        dc_new = dc_new + da_o * p_o
    d_f, d_g = dc_new * c, dc_new * step.i
    d_i = dc_new * step.g - d_f if coupled else dc_new * step.g
    gates = [d_i * step.i * (1 - step.i)]
    if not coupled:
        gates.append(d_f * step.f * (1 - step.f))
    da_g = d_g * (1 - step.g * step.g)
    dc_before = dc_before + dc_new * step.f
    if w.weight_ch is not None:
        dc_before = dc_before + sum(da * p for da, p in zip(gates, [p_i, *p_f], strict=True))
        pairs = [*((da, c) for da in gates), (da_o, step.c_new)]
        d_ch = np.concatenate([(da * cell).sum(axis=0) for da, cell in pairs])
    da = np.concatenate([*gates, da_g, da_o], axis=-1)
    d_from_h = da
    if w.norm_hh is not None:
        d_from_h, d_norm_hh, _ = layer_norm_backward(da, step.from_h, w.norm_hh)
    dh_entering = d_from_h @ w.weight_hh
    if masks.recurrent is not None:
        dh_entering = dh_entering * masks.recurrent
    d_hh = d_from_h.T @ step.h_entering
    if w.norm_c_bias is None:
        d_norm_c_bias = None
    by_weights = VariantWeights(d_hh, d_ch, d_norm_hh, d_norm_c, d_norm_c_bias, d_hr)
    inside = (d_i, d_f, d_g, d_o)
    return VariantStepGradients(da, dh_before + dh_entering, dc_before, by_weights, inside, dc_new)


def _blocks(a, size):
    """The blocks of `size` columns of an array."""
    return [a[..., k : k + size] for k in range(0, a.shape[-1], size)]


def _zoned(zoneout, old, new):
    return new if zoneout is None else zoneout * old + (1 - zoneout) * new


def _unzoned(zoneout, d_state):
    return (0, d_state) if zoneout is None else (zoneout * d_state, (1 - zoneout) * d_state)
