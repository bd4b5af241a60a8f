"""The recurrent layers of the torch engine, written from the equations and differentiated by autograd."""

import torch
from torch import nn
from torch.nn import functional

from lstm_lib import equations, parameters
from lstm_lib.torch.initial import register_recurrent
from lstm_lib.validation import (
    STATE_MEANING,
    check_states,
    one_of,
    sequence_lengths,
    sequence_shape,
)


class _Recurrent(nn.Module):
    """Base of the recurrent layers: everything but the recurrence itself.

    A subclass sets `gates`, the number of blocks of H rows, and `states`, the names of the states it
    carries, and defines :meth:`_step`.
    """

    gates = 4
    states = ("h", "c")

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers,
        bias,
        batch_first,
        *,
        bidirectional,
        dtype,
        device,
        rng,
        forget_bias=None,
    ):
        super().__init__()
        sizes = parameters.check_sizes(input_size, hidden_size, num_layers)
        self.input_size, self.hidden_size, self.num_layers = sizes
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        sizes = dict(
            input_size=self.input_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bias=bias,
            bidirectional=bidirectional,
        )
        options = dict(dtype=dtype, device=device, rng=rng, forget_bias=forget_bias)
        register_recurrent(self, sizes, self.gates, **options)

    def forward(self, x, hx=None, lengths=None):
        """Run the layers over a batch of sequences.

        Parameters
        ----------
        x : tensor, shape (T, B, I), or (B, T, I) with ``batch_first``
        hx : initial state, optional
            ``(h_0, c_0)`` for an LSTM, ``h_0`` for a GRU or RNN, each of shape
            ``(layers * directions, B, H)``; zeros by default.
        lengths : sequence of int, optional
            Valid steps of each sequence, between 1 and T. What stands past the end has no
            influence on anything.

        Returns
        -------
        output : tensor, shape (T, B, H * directions), or batch first
            Hidden states of the top layer; zero past the end of a sequence.
        hx : final state, in the form of the initial one
            After the last valid step of each sequence.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch or a length outside 1 to T.
        """
        steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first)
        initial = self._initial_state(hx, batch)
        if self.batch_first:
            x = x.transpose(0, 1)
        valid = mirror = None
        if lengths is not None:
            valid, mirror = _valid_steps(sequence_lengths(lengths, steps, batch), steps, x.device)
            x = torch.where(valid, x, x.new_zeros(()))
        final, index = [], 0
        for layer in range(self.num_layers):
            outputs = []
            for reverse in (False, True) if self.bidirectional else (False,):
                suffix = f"l{layer}" + ("_reverse" if reverse else "")
                layer_input = _turned(x, mirror) if reverse else x
                start = tuple(state[index] for state in initial)
                output, states = self._run(layer_input, start, suffix, valid)
                outputs.append(_turned(output, mirror) if reverse else output)
                final.append(states)
                index += 1
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        if self.batch_first:
            x = x.transpose(0, 1)
        final = tuple(torch.stack(state) for state in zip(*final, strict=True))
        return x, final if len(self.states) > 1 else final[0]

    def _run(self, x, states, suffix, valid):
        """One layer in one direction: the product with the input first, then the time loop."""
        weight_ih, weight_hh = (getattr(self, f"weight_{part}_{suffix}") for part in ("ih", "hh"))
        bias_ih = bias_hh = None
        if self.bias:
            bias_ih, bias_hh = (getattr(self, f"bias_{part}_{suffix}") for part in ("ih", "hh"))
        from_input = functional.linear(x, weight_ih, bias_ih)
        outputs = []
        for t in range(x.shape[0]):
            from_state = functional.linear(states[0], weight_hh, bias_hh)
            new = self._step(from_input[t], from_state, states)
            if valid is None:
                states = new
                outputs.append(new[0])
            else:
                states = tuple(
                    torch.where(valid[t], after, before)
                    for after, before in zip(new, states, strict=True)
                )
                outputs.append(torch.where(valid[t], new[0], new[0].new_zeros(())))
        return torch.stack(outputs), states

    def _step(self, from_input, from_state, states):
        """The states after one step, from both products and the states before it."""
        raise TypeError(f"{type(self).__name__} does not say what a step is")

    def _initial_state(self, hx, batch):
        count = self.num_layers * (2 if self.bidirectional else 1)
        expected = (count, batch, self.hidden_size)
        if hx is None:
            return (self.weight_ih_l0.new_zeros(expected),) * len(self.states)
        names = [f"{state}_0" for state in self.states]
        return check_states(hx, names, expected, STATE_MEANING)

    def extra_repr(self):
        """What ``print`` shows of the layer."""
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, bias={self.bias}, "
            f"batch_first={self.batch_first}, bidirectional={self.bidirectional}"
        )


class LSTM(_Recurrent):
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
    input_size, hidden_size, num_layers : int
    bias, batch_first, bidirectional : bool
    forget_bias : float, optional
        Value of the forget gate's bias; written to ``bias_ih``, with 0 in ``bias_hh``.
    dtype : torch dtype or its name, optional
    device : torch device, optional
    rng : int, numpy.random.Generator or torch.Generator, optional
        An int or a NumPy generator gives the very weights of the NumPy engine; None draws from
        torch's global generator.

    Raises
    ------
    ValueError
        For a size below 1, or `forget_bias` without biases.

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
        *,
        bidirectional=False,
        forget_bias=None,
        dtype=None,
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

    def _step(self, from_input, from_state, states):
        step = equations.lstm_gates(from_input + from_state, states[1])
        return step.h, step.c


class GRU(_Recurrent):
    """Gated recurrent unit over whole sequences; equations and arguments as :class:`lstm_lib.numpy.GRU`.

    The ``state_dict`` of ``torch.nn.GRU`` loads unchanged.

    Examples
    --------
    >>> output, h_n = GRU(3, 5, rng=0)(torch.ones(7, 2, 3))
    >>> output.shape, h_n.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
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
        dtype=None,
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

    def _step(self, from_input, from_state, states):
        return (equations.gru_gates(from_input, from_state, states[0]).h,)


class RNN(_Recurrent):
    """Plain recurrent network over whole sequences; as :class:`lstm_lib.numpy.RNN`.

    The ``state_dict`` of ``torch.nn.RNN`` loads unchanged.

    Examples
    --------
    >>> output, h_n = RNN(3, 5, nonlinearity="relu", rng=0)(torch.ones(7, 2, 3))
    >>> bool((output >= 0).all())
    True
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
        dtype=None,
        device=None,
        rng=None,
    ):
        one_of("nonlinearity", nonlinearity, ("tanh", "relu"))
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
        self.nonlinearity = nonlinearity

    def _step(self, from_input, from_state, states):
        a = from_input + from_state
        return (a.tanh() if self.nonlinearity == "tanh" else a.relu(),)


def _valid_steps(lengths, steps, device):
    """Mask ``(T, B, 1)`` of valid steps, and the index that turns each sequence within its length."""
    lengths = torch.tensor(lengths, device=device)
    time = torch.arange(steps, device=device)[:, None]
    valid = time < lengths
    mirror = torch.where(valid, lengths - 1 - time, time)
    return valid[..., None], mirror[..., None]


def _turned(x, mirror):
    """Each sequence reversed within its own length."""
    return x.flip(0) if mirror is None else x.gather(0, mirror.expand(-1, -1, x.shape[-1]))
