"""Every gate, candidate and state of a layer at every step, and the loss's derivative by each."""

import numpy as np

from lstm_lib.parameters import to_numpy
from lstm_lib.probe.runs import backward, passage, states_of
from lstm_lib.validation import has_shape


def trace(layer, x, hx=None, edit=None, *, lengths=None, d_output=None, d_hx=None):
    r"""Run a recurrent layer of either engine and keep every gate, candidate and state.

    The sequences are computed step by step with the equations of :mod:`lstm_lib.equations`, in NumPy
    and in the layer's precision, whatever engine and backend the layer belongs to. It runs as in
    evaluation: nothing is dropped, and zoneout takes the mean of both states. With
    ``backend="triton"``, and no `edit` and no derivatives, the layer's own kernels run instead, on its
    device, and what they have stored is returned.

    =====  ====================  ==================================================================
    layer  symbols               meaning
    =====  ====================  ==================================================================
    LSTM   i, f, g, o, c, h      gates and candidate, cell state and hidden state
    GRU    r, z, n, q, h         reset and update gate, candidate, its recurrent part, hidden state
    RNN    a, h                  pre-activation and hidden state
    =====  ====================  ==================================================================

    With `d_output` or `d_hx`, the derivative of the loss by the output and by the final state, the
    trace also runs backwards. For every symbol s it then holds ``d_s``,

    .. math::  \delta s_t = \frac{\partial L}{\partial s_t},

    the derivative over all paths by which :math:`s_t` acts on the loss L: for an LSTM

    .. math::

        \delta c_t &= \delta c_{t+1} \odot f_{t+1} + \delta h_t \odot o_t \odot (1 - \tanh^2 c_t), \quad
        \delta o_t = \delta h_t \odot \tanh c_t \\
        \delta i_t &= \delta c_t \odot g_t, \quad
        \delta f_t = \delta c_t \odot c_{t-1}, \quad
        \delta g_t = \delta c_t \odot i_t

    and for a GRU

    .. math::

        \delta z_t &= \delta h_t \odot (h_{t-1} - n_t), \quad \delta n_t = \delta h_t \odot (1 - z_t) \\
        \delta q_t &= \delta n_t \odot (1 - n_t^2) \odot r_t, \quad
        \delta r_t = \delta n_t \odot (1 - n_t^2) \odot q_t

    Parameters
    ----------
    layer : LSTM, GRU or RNN
        Of :mod:`lstm_lib.numpy` or :mod:`lstm_lib.torch`.
    x : array, shape (T, B, I), or (B, T, I) with ``batch_first``
    hx : initial state, optional
        In the layer's form, each array of shape (layers * directions, B, H); zeros by default.
    edit : callable, optional
        An intervention: called at every step as ``edit(t, gates)`` with the step t, counted from 0 in
        the direction's own order, and a dict of what the states follow from, each (B, H): ``i, f, g,
        o`` of an LSTM, ``r, z, q`` of a GRU, ``a`` of an RNN. What it returns takes their place. It
        shows what a gate is *for*, where the trace only shows what it does.
    lengths : sequence of int, optional
        Valid steps of each sequence, between 1 and T. Past the end every entry of the trace is zero.
    d_output : array, shape of the layer's output, optional
    d_hx : derivative by the final state, in its form, optional

    Returns
    -------
    dict of str to dict of str to ndarray
        For every layer and direction, under torch's suffix (``"l0"``, ``"l0_reverse"``, ...), the
        symbols, each with the axes of the output: (T, B, H) or (B, T, H). Step t is the t-th element
        of the sequence in both directions.

    Raises
    ------
    TypeError
        For anything but an LSTM, GRU or RNN.
    ValueError
        For a wrong shape, a length outside 1 to T, an `edit` of an LSTM with options, or derivatives
        asked for together with `edit`: they would have to pass through it.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> lstm = L.LSTM(2, 3, dtype=np.float64, rng=0)
    >>> x = np.ones((5, 4, 2))
    >>> gates = trace(lstm, x)["l0"]
    >>> gates["f"].shape
    (5, 4, 3)
    >>> output, _ = lstm(x)
    >>> bool(np.allclose(gates["h"], output))
    True

    With the input gate shut nothing is ever written:

    >>> shut = trace(lstm, x, edit=lambda t, gates: gates | {"i": 0 * gates["i"]})["l0"]
    >>> float(np.abs(shut["c"]).max())
    0.0

    A loss at the last step alone still reaches the forget gate of the second; that of the first has
    nothing to forget:

    >>> d_output = np.zeros_like(output)
    >>> d_output[-1] = 1
    >>> d_f = trace(lstm, x, d_output=d_output)["l0"]["d_f"]
    >>> [bool(d_f[t].any()) for t in (0, 1)]
    [False, True]
    """
    backwards = d_output is not None or d_hx is not None
    if backwards and edit is not None:
        raise ValueError("edit and derivatives exclude each other: pass either, not both")
    if getattr(layer, "backend", None) == "triton" and edit is None and not backwards:
        return _stored(layer, x, hx, lengths)
    whole = passage(layer, x, hx, lengths, edit)
    result = {}
    for suffix, run in whole.runs.items():
        result[suffix] = {
            name: whole.presented(suffix, [found[name] for found in run.found])
            for name in run.cell.symbols
        }
    if backwards:
        for suffix, steps in gradients_of(whole, d_output, d_hx).items():
            for name in whole.runs[suffix].cell.symbols:
                of_steps = [found[name] for found in steps]
                result[suffix][f"d_{name}"] = whole.presented(suffix, of_steps)
    return result


def _stored(layer, x, hx, lengths):
    """What the kernels of a triton layer have stored."""
    from lstm_lib.torch.persistent.record import stored

    found = stored(layer, x, hx, lengths)
    return {
        suffix: {name: to_numpy(tensor.float()) for name, tensor in symbols.items()}
        for suffix, symbols in found.items()
    }


def gradients_of(whole, d_output, d_hx):
    """Check the loss's derivatives by the results of a passage and send them backwards."""
    layer = whole.layer
    dtype = next(iter(whole.runs.values())).found[0]["h"].dtype
    width = layer.layout.units * whole.directions
    if d_output is None:
        d_output = np.zeros((whole.steps, whole.batch, width), dtype)
    else:
        leading = (whole.batch, whole.steps) if layer.batch_first else (whole.steps, whole.batch)
        d_output = to_numpy(d_output).astype(dtype, copy=False)
        has_shape("d_output", d_output.shape, (*leading, width), "output's shape")
        d_output = d_output.swapaxes(0, 1) if layer.batch_first else d_output
    return backward(whole, d_output, states_of(whole, d_hx, "d{}_n", dtype))
