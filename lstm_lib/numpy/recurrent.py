"""The recurrent layers of the NumPy engine: LSTM, GRU and RNN.

What they share is in :mod:`lstm_lib.numpy.stack`, the loops over time in :mod:`lstm_lib.kernels`, the
mathematics of one step in :mod:`lstm_lib.equations` and :mod:`lstm_lib.variants`.
"""

import numpy as np

from lstm_lib.kernels import GRUKernel, LSTMKernel, RNNKernel, VariantKernel
from lstm_lib.layout import Layout
from lstm_lib.numpy.stack import Recurrent


class LSTM(Recurrent):
    r"""Long short-term memory over whole sequences, with backpropagation through time.

    For every step t and layer

    .. math::

        i_t = \sigma(W_i x_t + U_i h_{t-1} + b_i), \quad
        f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)

        g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g), \quad
        o_t = \sigma(W_o x_t + U_o h_{t-1} + b_o)

        c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)

    The constructor's arguments, the parameters' names and shapes and the call are those of
    ``torch.nn.LSTM``, whose ``state_dict`` loads unchanged.

    Parameters
    ----------
    input_size : int
        Features I of the input.
    hidden_size : int
        Units H of every layer.
    num_layers : int
        Layers; each reads the output of the one below.
    bias : bool
        Whether the layers have biases (two each, as torch has them).
    batch_first : bool
        Input and output are ``(B, T, ...)`` instead of ``(T, B, ...)``. States are not affected.
    dropout : float
        Probability of dropping an output of every layer but the last, in training mode.
    bidirectional : bool
        Adds a second direction that reads each sequence from its own last element.
    proj_size : int
        Size P of a projection :math:`h_t = W_{hr} (o_t \odot \tanh c_t)`; 0 for none.
    forget_bias : float, optional
        Value of the forget gate's bias; written to ``bias_ih``, with 0 in ``bias_hh``.
    chrono : float, optional
        Longest lag of the chrono initialisation, :func:`lstm_lib.parameters.set_chrono_bias`.
    peephole : bool
        The gates see the cell state, through ``weight_ch``.
    coupled : bool
        The forget gate is :math:`1 - i_t`: weights have 3H rows in the order i, g, o.
    layer_norm : bool
        Normalises both products and the cell that is read out.
    recurrent_dropout : float
        Probability of dropping a unit of :math:`h_{t-1}` where it enters the gates, in training mode;
        the same units at every step.
    zoneout : float or pair of float
        Probability of keeping the old value of a unit of h and c instead of the new one.
    checkpoint_every : int, optional
        Remember the states of every so many steps alone and compute the rest again in the backward
        pass: less memory, about a third more time.
    backend : {"auto", "fused"}
        Present so that both engines take the same arguments: this engine has one.
    dtype : numpy dtype or its name
        Precision of weights and computation, float32 by default.
    device : None or "cpu"
        Present so that both engines take the same arguments.
    rng : int or numpy.random.Generator, optional
        Source of the initial weights; the same value gives bit-identical weights in both engines.

    Raises
    ------
    ValueError
        For a size below 1, a probability outside [0, 1), a `proj_size` that is not below
        `hidden_size`, or `forget_bias` or `chrono` without biases.

    Notes
    -----
    The equations of the options from `proj_size` to `zoneout` are those of
    :func:`lstm_lib.variants.variant_step`; they combine. A layer with any of them runs the readable
    steps instead of the fast loop.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997; F. Gers,
    J. Schmidhuber, F. Cummins, Learning to forget, Neural Computation 12(10), 2000; P. Werbos,
    Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78(10), 1990.

    Examples
    --------
    >>> lstm = LSTM(3, 5, num_layers=2, rng=0)
    >>> x = np.ones((7, 2, 3))
    >>> output, (h_n, c_n) = lstm(x)
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 2, 5), (2, 2, 5), (2, 2, 5))
    >>> dx, (dh_0, dc_0) = lstm.backward(np.ones_like(output))
    >>> dx.shape, lstm.weight_hh_l0.grad.shape
    ((7, 2, 3), (20, 5))
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        *,
        forget_bias=None,
        chrono=None,
        peephole=False,
        coupled=False,
        layer_norm=False,
        recurrent_dropout=0.0,
        zoneout=0.0,
        checkpoint_every=None,
        backend="auto",
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        layout = Layout(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            peephole=peephole,
            coupled=coupled,
            layer_norm=layer_norm,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            checkpoint_every=checkpoint_every,
        )
        kernel = VariantKernel(layout.extra, coupled) if layout.is_variant else LSTMKernel()
        super().__init__(
            layout,
            kernel,
            backend=backend,
            dtype=dtype,
            device=device,
            rng=rng,
            forget_bias=forget_bias,
            chrono=chrono,
        )


class GRU(Recurrent):
    r"""Gated recurrent unit over whole sequences, with backpropagation through time.

    .. math::

        r_t = \sigma(W_r x_t + U_r h_{t-1} + b_r), \quad
        z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z)

        n_t = \tanh(W_n x_t + b_{in} + r_t \odot (U_n h_{t-1} + b_{hn})), \quad
        h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    Arguments, parameters and call are those of ``torch.nn.GRU``, whose ``state_dict`` loads unchanged.
    The state is a single array ``h``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in :class:`LSTM`. Weights have 3H rows in the order r, z, n.
    checkpoint_every, backend, dtype, device, rng
        As in :class:`LSTM`.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`.

    References
    ----------
    K. Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014.

    Examples
    --------
    >>> gru = GRU(3, 5, rng=0)
    >>> output, h_n = gru(np.ones((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    >>> dx, dh_0 = gru.backward(np.ones_like(output))
    >>> dx.shape, gru.weight_hh_l0.grad.shape
    ((7, 2, 3), (15, 5))
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        *,
        checkpoint_every=None,
        backend="auto",
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        layout = Layout(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            checkpoint_every=checkpoint_every,
        )
        kernel = GRUKernel()
        super().__init__(layout, kernel, backend=backend, dtype=dtype, device=device, rng=rng)


class RNN(Recurrent):
    r"""Plain recurrent network over whole sequences, with backpropagation through time.

    .. math::  h_t = \phi(W x_t + b_i + U h_{t-1} + b_h)

    Arguments, parameters and call are those of ``torch.nn.RNN``, whose ``state_dict`` loads unchanged.
    The state is a single array ``h``.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        As in :class:`LSTM`. Weights have H rows.
    nonlinearity : {"tanh", "relu"}
        :math:`\phi`.
    bias, batch_first, dropout, bidirectional, checkpoint_every, backend, dtype, device, rng
        As in :class:`LSTM`.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`, and for another nonlinearity.

    References
    ----------
    J. Elman, Finding structure in time, Cognitive Science 14(2), 1990.

    Examples
    --------
    >>> output, h_n = RNN(3, 5, nonlinearity="relu", rng=0)(np.ones((7, 2, 3)))
    >>> output.shape, bool((output >= 0).all())
    ((7, 2, 5), True)
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        nonlinearity="tanh",
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        *,
        checkpoint_every=None,
        backend="auto",
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        layout = Layout(
            "RNN",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            nonlinearity=nonlinearity,
            checkpoint_every=checkpoint_every,
        )
        kernel = RNNKernel(nonlinearity)
        super().__init__(layout, kernel, backend=backend, dtype=dtype, device=device, rng=rng)
