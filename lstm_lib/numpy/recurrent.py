"""The recurrent layers of the NumPy engine: LSTM, GRU and RNN.

What they share is in :mod:`lstm_lib.numpy.stack`, the loops over time in
:mod:`lstm_lib.numpy.kernels` and :mod:`lstm_lib.numpy.simple_kernels`, the mathematics of one step in
:mod:`lstm_lib.equations`.
"""

import numpy as np

from lstm_lib.numpy import kernels, simple_kernels
from lstm_lib.numpy.stack import Recurrent
from lstm_lib.validation import one_of


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
    bidirectional : bool
        Adds a second direction that reads each sequence from its own last element.
    forget_bias : float, optional
        Value of the forget gate's bias; written to ``bias_ih``, with 0 in ``bias_hh``.
    dtype : numpy dtype or its name
        Precision of weights and computation, float32 by default.
    device : None or "cpu"
        Present so that both engines take the same arguments.
    rng : int or numpy.random.Generator, optional
        Source of the initial weights; the same value gives bit-identical weights in both engines.

    Raises
    ------
    ValueError
        For a size below 1, or `forget_bias` without biases.

    References
    ----------
    Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000; Werbos 1990 for
    backpropagation through time.

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
        *,
        bidirectional=False,
        forget_bias=None,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            bidirectional=bidirectional,
            forget_bias=forget_bias,
            dtype=dtype,
            device=device,
            rng=rng,
        )

    def _new_workspace(self, steps, batch, input_size, dtype):
        return kernels.Workspace(steps, batch, input_size, self.hidden_size, dtype)

    def _run_forward(self, x, states, weights, workspace, past_end):
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        output, h_n, c_n = kernels.forward(
            x, *states, weight_ih, weight_hh, bias_ih + bias_hh, workspace, past_end
        )
        return output, (h_n, c_n)

    def _run_backward(self, d_output, d_states, weights, workspace, past_end):
        dx, dh_0, dc_0, d_ih, d_hh, d_bias = kernels.backward(
            d_output, *d_states, *weights[:2], workspace, past_end
        )
        return dx, (dh_0, dc_0), (d_ih, d_hh, d_bias, d_bias.copy())


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
    input_size, hidden_size, num_layers, bias, batch_first, bidirectional, dtype, device, rng
        As in :class:`LSTM`. Weights have 3H rows in the order r, z, n.

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

    gates = 3
    states = ("h",)

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        *,
        bidirectional=False,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            bidirectional=bidirectional,
            dtype=dtype,
            device=device,
            rng=rng,
        )

    def _new_workspace(self, steps, batch, input_size, dtype):
        return simple_kernels.GRUWorkspace(steps, batch, self.hidden_size, dtype)

    def _run_forward(self, x, states, weights, workspace, past_end):
        output, h_n = simple_kernels.gru_forward(x, *states, *weights, workspace, past_end)
        return output, (h_n,)

    def _run_backward(self, d_output, d_states, weights, workspace, past_end):
        dx, dh_0, *d_weights = simple_kernels.gru_backward(
            d_output, *d_states, *weights[:2], workspace, past_end
        )
        return dx, (dh_0,), d_weights


class RNN(Recurrent):
    r"""Plain recurrent network over whole sequences, with backpropagation through time.

    .. math::  h_t = \phi(W x_t + b_i + U h_{t-1} + b_h)

    Arguments, parameters and call are those of ``torch.nn.RNN``, whose ``state_dict`` loads unchanged.
    The state is a single array ``h``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, bidirectional, dtype, device, rng
        As in :class:`LSTM`. Weights have H rows.
    nonlinearity : {"tanh", "relu"}
        :math:`\phi`.

    References
    ----------
    J. Elman, Finding structure in time, Cognitive Science 14(2), 1990.

    Examples
    --------
    >>> output, h_n = RNN(3, 5, nonlinearity="relu", rng=0)(np.ones((7, 2, 3)))
    >>> output.shape, bool((output >= 0).all())
    ((7, 2, 5), True)
    """

    gates = 1
    states = ("h",)

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        *,
        bidirectional=False,
        nonlinearity="tanh",
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        self.nonlinearity = one_of("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            bidirectional=bidirectional,
            dtype=dtype,
            device=device,
            rng=rng,
        )

    def _new_workspace(self, steps, batch, input_size, dtype):
        return simple_kernels.RNNWorkspace(steps, batch, self.hidden_size, dtype)

    def _run_forward(self, x, states, weights, workspace, past_end):
        output, h_n = simple_kernels.rnn_forward(
            x, *states, *weights, self.nonlinearity, workspace, past_end
        )
        return output, (h_n,)

    def _run_backward(self, d_output, d_states, weights, workspace, past_end):
        dx, dh_0, *d_weights = simple_kernels.rnn_backward(
            d_output, *d_states, *weights[:2], self.nonlinearity, workspace, past_end
        )
        return dx, (dh_0,), d_weights
