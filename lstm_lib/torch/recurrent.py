"""The recurrent layers of the torch engine: LSTM, GRU and RNN.

What they share is in :mod:`lstm_lib.torch.stack`, the mathematics of one step in
:mod:`lstm_lib.equations` and :mod:`lstm_lib.variants`.
"""

import torch  # noqa: F401  (for the examples)
from torch.nn import functional

from lstm_lib import equations
from lstm_lib.kernels import GRUKernel, LSTMKernel, RNNKernel, VariantKernel
from lstm_lib.layout import Layout
from lstm_lib.normalisation import layer_norm
from lstm_lib.torch.stack import Recurrent
from lstm_lib.variants import VariantWeights, variant_step


class LSTM(Recurrent):
    r"""Long short-term memory over whole sequences, on any device of torch.

    For every step t and layer

    .. math::

        i_t = \sigma(W_i x_t + U_i h_{t-1} + b_i), \quad
        f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)

        g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g), \quad
        o_t = \sigma(W_o x_t + U_o h_{t-1} + b_o)

        c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)

    Arguments, parameters and results are those of :class:`lstm_lib.numpy.LSTM`; positional
    arguments, names and shapes are those of ``torch.nn.LSTM``, whose ``state_dict`` loads unchanged.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size
        As in ``torch.nn.LSTM``.
    forget_bias, chrono, peephole, coupled, layer_norm, recurrent_dropout, zoneout, checkpoint_every
        As in :class:`lstm_lib.numpy.LSTM`.
    backend : {"auto", "loop", "fused", "triton", "cudnn"}
        What computes; all give the same results. ``"loop"`` is the equations in torch operations: any
        device, any option, differentiable any number of times. The others are one node of torch's
        graph, are differentiable once, and say what they do not serve. ``"fused"`` on a CPU is the
        kernels of :mod:`lstm_lib.kernels`, with every option, in float32 or float64; on a GPU it is
        the plain cells in few torch operations, replayed as a CUDA graph where shapes repeat.
        ``"triton"`` is plain LSTM and GRU in one launch for all steps, with U kept on the chip: see
        :mod:`lstm_lib.torch.persistent`. ``"cudnn"`` is torch's own operator on an NVIDIA GPU. ``"auto"`` asks them in the order of a
        table, ``lstm_lib/torch/choices.py``. :meth:`backend_for` says which one a call would use.
    dtype : torch dtype or its name, optional
    device : torch device, optional
    rng : int, numpy.random.Generator or torch.Generator, optional
        An int or a NumPy generator gives the very weights of the NumPy engine; None draws from
        torch's global generator.

    Raises
    ------
    ValueError
        For a size below 1, a probability outside [0, 1), a `proj_size` that is not below
        `hidden_size`, `forget_bias` or `chrono` without biases, or an unknown backend.

    References
    ----------
    Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000.

    Examples
    --------
    >>> lstm = LSTM(3, 5, num_layers=2, rng=0)
    >>> output, (h_n, c_n) = lstm(torch.ones(7, 2, 3))
    >>> output.shape, h_n.shape
    (torch.Size([7, 2, 5]), torch.Size([2, 2, 5]))
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
        dtype=None,
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

    def _from_input(self, x, weights):
        if not self.layout.is_variant:
            return functional.linear(x, weights["weight_ih"], weights.get("bias_ih"))
        product = functional.linear(x, weights["weight_ih"])
        if self.layer_norm:
            product = layer_norm(product, weights["norm_ih"])
        return product + weights["bias_ih"] + weights["bias_hh"] if self.bias else product

    def _step(self, from_input, states, weights, masks):
        h, c = states
        if self.layout.is_variant:
            own = VariantWeights(*(weights.get(name) for name in VariantWeights._fields))
            step = variant_step(from_input, h, c, own, masks, self.coupled)
        else:
            from_state = functional.linear(h, weights["weight_hh"], weights.get("bias_hh"))
            step = equations.lstm_gates(from_input + from_state, c)
        return step.h, step.c


class GRU(Recurrent):
    """Gated recurrent unit over whole sequences, on any device of torch; as :class:`lstm_lib.numpy.GRU`.

    The ``state_dict`` of ``torch.nn.GRU`` loads unchanged.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in ``torch.nn.GRU``.
    checkpoint_every, backend, dtype, device, rng
        As in :class:`LSTM`.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`.

    Examples
    --------
    >>> output, h_n = GRU(3, 5, rng=0)(torch.ones(7, 2, 3))
    >>> output.shape, h_n.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
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
        dtype=None,
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

    def _from_input(self, x, weights):
        return functional.linear(x, weights["weight_ih"], weights.get("bias_ih"))

    def _step(self, from_input, states, weights, masks):
        from_state = functional.linear(states[0], weights["weight_hh"], weights.get("bias_hh"))
        return (equations.gru_gates(from_input, from_state, states[0]).h,)


class RNN(Recurrent):
    """Plain recurrent network over whole sequences, on any device of torch; as :class:`lstm_lib.numpy.RNN`.

    The ``state_dict`` of ``torch.nn.RNN`` loads unchanged.

    Parameters
    ----------
    input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional
        As in ``torch.nn.RNN``.
    checkpoint_every, backend, dtype, device, rng
        As in :class:`LSTM`.

    Raises
    ------
    ValueError, TypeError
        As :class:`LSTM`, and for another nonlinearity.

    Examples
    --------
    >>> output, h_n = RNN(3, 5, nonlinearity="relu", rng=0)(torch.ones(7, 2, 3))
    >>> bool((output >= 0).all())
    True
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
        dtype=None,
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

    def _from_input(self, x, weights):
        return functional.linear(x, weights["weight_ih"], weights.get("bias_ih"))

    def _step(self, from_input, states, weights, masks):
        a = from_input + functional.linear(states[0], weights["weight_hh"], weights.get("bias_hh"))
        return (a.tanh() if self.nonlinearity == "tanh" else a.relu(),)
