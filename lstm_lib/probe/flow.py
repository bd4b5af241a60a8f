"""How far a gradient reaches back, and how long a gate keeps what it has."""

import numpy as np

from lstm_lib.probe.runs import kind_of, passage
from lstm_lib.probe.traces import gradients_of
from lstm_lib.validation import one_of


def gradient_flow(layer, x, hx=None, *, lengths=None, d_output=None, d_hx=None):
    r"""Size of the gradient that arrives at every state, on its way back through time.

    .. math::  \left\lVert \frac{\partial L}{\partial h_t} \right\rVert_2 \quad \text{and} \quad
        \left\lVert \frac{\partial L}{\partial c_t} \right\rVert_2

    for every step and sequence, where :math:`\partial` counts all paths, as in :func:`trace`. Unless
    derivatives are given, the loss is one of the last step: the sum of the final hidden state
    of the top layer, for a bidirectional layer in both directions.

    Parameters
    ----------
    layer, x, hx, lengths
        As in :func:`trace`.
    d_output, d_hx : optional
        Derivatives of another loss, as in :func:`trace`.

    Returns
    -------
    dict of str to dict of str to ndarray
        For every layer and direction ``"h"`` and, for an LSTM, ``"c"``, each (T, B), or (B, T) with
        ``batch_first``.

    Raises
    ------
    TypeError, ValueError
        As :func:`trace`.

    References
    ----------
    Y. Bengio, P. Simard, P. Frasconi, Learning long-term dependencies with gradient descent is
    difficult, IEEE Transactions on Neural Networks 5(2), 1994.

    Examples
    --------
    An untrained LSTM without forget bias loses a gradient faster than one with it:

    >>> from lstm_lib import numpy as L
    >>> x = np.random.default_rng(0).normal(size=(60, 1, 2))
    >>> plain, biased = (L.LSTM(2, 16, forget_bias=b, rng=0, dtype=np.float64) for b in (0.0, 3.0))
    >>> first = [gradient_flow(lstm, x)["l0"]["c"][0, 0] for lstm in (plain, biased)]
    >>> bool(first[0] < 1e-10 < first[1])
    True
    """
    whole = passage(layer, x, hx, lengths)
    norms = _norms(whole, d_output, d_hx)
    return {
        suffix: {state: whole.presented(suffix, values) for state, values in of_states.items()}
        for suffix, of_states in norms.items()
    }


def memory_length(layer, x, hx=None, *, lengths=None, fraction=0.01, state="h", d_hx=None):
    r"""Over how many steps back the gradient keeps at least a fraction of its size.

    With :math:`\gamma_k = \lVert \partial L / \partial s_{T-k} \rVert_2` from :func:`gradient_flow` for a
    loss at the last step T of a sequence, and :math:`\rho` the fraction,

    .. math::  K = 1 + \max \{ k : \gamma_k \geq \rho\, \gamma_0 \},

    the first lag from which on the gradient stays below :math:`\rho\, \gamma_0`; infinite where it is
    still above at the first step, so that the sequence is too short to tell, and NaN where
    :math:`\gamma_0 = 0`.

    It measures the layer *at these weights and inputs*, by a derivative: a saturated unit can hold a bit
    for ever and show a gradient of zero. It says how far learning can see, not what is remembered.

    Parameters
    ----------
    layer, x, hx, lengths
        As in :func:`trace`.
    fraction : float
        :math:`\rho`, between 0 and 1.
    state : {"h", "c"}
        Whose gradient; ``"c"`` for an LSTM alone.
    d_hx : optional
        Derivative of the loss by the final state; by default that of :func:`gradient_flow`.

    Returns
    -------
    dict of str to ndarray
        K for every layer and direction, shape (B,).

    Raises
    ------
    TypeError
        For anything but an LSTM, GRU or RNN.
    ValueError
        If `fraction` does not lie between 0 and 1, for a `state` the layer does not have, or as
        :func:`trace`.

    Examples
    --------
    A linear memory: with U = 1/2 the gradient halves at each step, and falls below 1 % after 7.

    >>> from lstm_lib import numpy as L
    >>> rnn = L.RNN(1, 1, nonlinearity="relu", dtype=np.float64, rng=0)
    >>> one, half = np.ones((1, 1)), np.full((1, 1), 0.5)
    >>> rnn.load_state_dict({"weight_ih_l0": one, "weight_hh_l0": half,
    ...                      "bias_ih_l0": np.zeros(1), "bias_hh_l0": np.zeros(1)})
    >>> memory_length(rnn, np.ones((20, 1, 1)))["l0"]
    array([7.])
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    one_of("state", state, ("h", "c") if kind_of(layer) == "LSTM" else ("h",))
    whole = passage(layer, x, hx, lengths)
    ends = np.full(whole.batch, whole.steps)
    if whole.past_end is not None:
        ends = whole.steps - whole.past_end.sum(axis=0)
    norms = _norms(whole, None, d_hx)
    return {suffix: _reach(of_states[state], ends, fraction) for suffix, of_states in norms.items()}


def _reach(norms, ends, fraction):
    """K of every sequence from norms (T, B) in the direction's own order."""
    reach = np.empty(len(ends))
    for sequence, end in enumerate(ends):
        by_lag = norms[:end, sequence][::-1]
        last = np.flatnonzero(by_lag >= fraction * by_lag[0])[-1] + 1
        reach[sequence] = np.inf if last == end else last
        if by_lag[0] == 0:
            reach[sequence] = np.nan
    return reach


def time_constants(layer, x, hx=None, *, lengths=None):
    r"""Time constant of every unit, from the gate that keeps its state.

    Left to itself, a cell with the forget gate f holds :math:`c_{t+k} = f^k c_t = e^{-k/\tau} c_t`. So

    .. math::  \tau_j = -\frac{1}{\overline{\log f_j}},

    with the mean over all valid steps and sequences (that of the logarithm, because the gates of
    successive steps multiply): the steps after which 1/e of the content is left. For a GRU the update
    gate z takes the place of f.

    The reading has its limits. New content that the input gate writes is not counted, nor are the paths
    through the hidden state and the gates, which can lengthen or shorten a memory; and a gate
    that is open by default and shut once at the right moment has a mean that says little.
    :func:`memory_length` counts all paths.

    Parameters
    ----------
    layer, x, hx, lengths
        As in :func:`trace`; an LSTM or a GRU.

    Returns
    -------
    dict of str to ndarray
        :math:`\tau` in steps for every layer and direction, shape (H,).

    Raises
    ------
    TypeError
        For a plain RNN, which has no such gate.
    ValueError
        As :func:`trace`.

    References
    ----------
    C. Tallec, Y. Ollivier, Can recurrent neural networks warp time?, ICLR 2018 (gates as inverse time
    constants); S. Mahto, V. Vo, J. Turek, A. Huth, Multi-timescale representation learning in LSTM
    language models, ICLR 2021 (:math:`-1 / \log f`); K. Ohno, A. Kumagai, Recurrent neural networks for
    learning long-term temporal dependencies with reanalysis of time scale representation, 2021,
    arXiv 2111.03282 (when the reading holds).

    Examples
    --------
    A forget gate of σ(3) = 0.953 and nothing else:

    >>> from lstm_lib import numpy as L
    >>> lstm = L.LSTM(1, 1, forget_bias=3.0, dtype=np.float64, rng=0)
    >>> print(f"{time_constants(lstm, np.zeros((1, 1, 1)))['l0'][0]:.2f}")
    20.58
    """
    gate = {"LSTM": "f", "GRU": "z"}.get(kind_of(layer))
    if gate is None:
        raise TypeError("time_constants needs a gate that keeps the state; a plain RNN has none")
    whole = passage(layer, x, hx, lengths)
    result = {}
    for suffix, run in whole.runs.items():
        values = np.stack([found[gate] for found in run.found])
        valid = np.ones(values.shape[:2], bool) if whole.past_end is None else ~whole.past_end
        with np.errstate(divide="ignore"):
            result[suffix] = -1 / np.log(values[valid]).mean(axis=0)
    return result


def _norms(whole, d_output, d_hx):
    """Norms of the gradient by each state, ``{suffix: {state: (T, B)}}``, in a direction's own order."""
    if d_output is None and d_hx is None:
        d_hx = _sum_of_last(whole)
    return {
        suffix: {
            state: np.stack([np.linalg.norm(found[state], axis=-1) for found in steps])
            for state in whole.runs[suffix].cell.states
        }
        for suffix, steps in gradients_of(whole, d_output, d_hx).items()
    }


def _sum_of_last(whole):
    """Derivative, by the final states, of the sum of the top layer's final hidden state."""
    run = whole.runs[whole.names[-1]]
    dtype = run.found[0]["h"].dtype
    states = [np.zeros(s, dtype) for s in whole.layer.layout.state_shapes(whole.batch)]
    states[0][-whole.directions :] = 1
    return tuple(states) if len(states) > 1 else states[0]
