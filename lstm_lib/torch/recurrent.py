"""LSTM layers of the torch engine, written from the equations and differentiated by autograd."""

import torch
from torch import nn
from torch.nn import functional

from lstm_lib import equations, parameters
from lstm_lib.torch.initial import register_lstm
from lstm_lib.validation import has_shape, sequence_lengths, sequence_shape


class LSTM(nn.Module):
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
        super().__init__()
        sizes = parameters.check_sizes(input_size, hidden_size, num_layers)
        self.input_size, self.hidden_size, self.num_layers = sizes
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        register_lstm(
            self,
            dict(
                input_size=self.input_size,
                hidden_size=self.hidden_size,
                num_layers=self.num_layers,
                bias=bias,
                bidirectional=bidirectional,
            ),
            forget_bias=forget_bias,
            dtype=dtype,
            device=device,
            rng=rng,
        )

    def forward(self, x, hx=None, lengths=None):
        """Run the layers over a batch of sequences.

        Parameters
        ----------
        x : tensor, shape (T, B, I), or (B, T, I) with ``batch_first``
        hx : pair of tensors, optional
            ``(h_0, c_0)``, each ``(layers * directions, B, H)``; zeros by default.
        lengths : sequence of int, optional
            Valid steps of each sequence, between 1 and T. What stands past the end has no
            influence on anything.

        Returns
        -------
        output : tensor, shape (T, B, H * directions), or batch first
            Hidden states of the top layer; zero past the end of a sequence.
        (h_n, c_n) : pair of tensors, shape (layers * directions, B, H)
            States after the last valid step of each sequence.

        Raises
        ------
        ValueError
            For a wrong shape, an empty batch or a length outside 1 to T.
        """
        steps, batch = sequence_shape(x.shape, self.input_size, self.batch_first)
        h_0, c_0 = self._initial_state(hx, batch, x)
        if self.batch_first:
            x = x.transpose(0, 1)
        valid = mirror = None
        if lengths is not None:
            valid, mirror = _valid_steps(sequence_lengths(lengths, steps, batch), steps, x.device)
            x = torch.where(valid, x, x.new_zeros(()))
        h_n, c_n, index = [], [], 0
        for layer in range(self.num_layers):
            outputs = []
            for reverse in (False, True) if self.bidirectional else (False,):
                suffix = f"l{layer}" + ("_reverse" if reverse else "")
                layer_input = _turned(x, mirror) if reverse else x
                output, h, c = self._run(layer_input, h_0[index], c_0[index], suffix, valid)
                outputs.append(_turned(output, mirror) if reverse else output)
                h_n.append(h)
                c_n.append(c)
                index += 1
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        if self.batch_first:
            x = x.transpose(0, 1)
        return x, (torch.stack(h_n), torch.stack(c_n))

    def _run(self, x, h, c, suffix, valid):
        """One layer in one direction: the product with the input first, then the time loop."""
        weight_ih, weight_hh = (
            getattr(self, f"weight_ih_{suffix}"),
            getattr(self, f"weight_hh_{suffix}"),
        )
        bias = None
        if self.bias:
            bias = getattr(self, f"bias_ih_{suffix}") + getattr(self, f"bias_hh_{suffix}")
        from_input = functional.linear(x, weight_ih, bias)
        outputs = []
        for t in range(x.shape[0]):
            step = equations.lstm_gates(from_input[t] + h @ weight_hh.T, c)
            if valid is None:
                h, c = step.h, step.c
                outputs.append(h)
            else:
                h, c = torch.where(valid[t], step.h, h), torch.where(valid[t], step.c, c)
                outputs.append(torch.where(valid[t], step.h, step.h.new_zeros(())))
        return torch.stack(outputs), h, c

    def _initial_state(self, hx, batch, x):
        count = self.num_layers * (2 if self.bidirectional else 1)
        expected = (count, batch, self.hidden_size)
        if hx is None:
            zeros = self.weight_ih_l0.new_zeros(expected)
            return zeros, zeros
        return _state_pair(hx, "h_0", "c_0", expected, "(layers * directions, batch, hidden_size)")

    def extra_repr(self):
        """What ``print`` shows of the layer."""
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, bias={self.bias}, "
            f"batch_first={self.batch_first}, bidirectional={self.bidirectional}"
        )


class LSTMCell(nn.Module):
    r"""One LSTM step with its own weights: :func:`lstm_lib.equations.lstm_step` as a layer.

    Parameters
    ----------
    input_size, hidden_size, bias, forget_bias, dtype, device, rng
        As in :class:`LSTM`. Parameters are ``weight_ih`` (4H, I), ``weight_hh`` (4H, H),
        ``bias_ih`` and ``bias_hh`` (4H,), as in ``torch.nn.LSTMCell``.

    Examples
    --------
    >>> cell = LSTMCell(1, 2, rng=0)
    >>> h, c = cell(torch.ones(3, 1))
    >>> h.shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        *,
        forget_bias=None,
        dtype=None,
        device=None,
        rng=None,
    ):
        super().__init__()
        self.input_size, self.hidden_size, _ = parameters.check_sizes(input_size, hidden_size)
        self.bias = bias
        sizes = dict(input_size=self.input_size, hidden_size=self.hidden_size, bias=bias)
        register_lstm(
            self, sizes, forget_bias=forget_bias, dtype=dtype, device=device, rng=rng, suffix=False
        )

    def forward(self, x, hx=None):
        """Return ``(h, c)`` after one step.

        Parameters
        ----------
        x : tensor, shape (B, I)
        hx : pair of tensors, shape (B, H), optional
        """
        has_shape("input", x.shape, (None, self.input_size), "(batch, input_size)")
        if hx is None:
            h = c = self.weight_ih.new_zeros(x.shape[0], self.hidden_size)
        else:
            expected = (x.shape[0], self.hidden_size)
            h, c = _state_pair(hx, "h", "c", expected, "(batch, hidden_size)")
        bias = self.bias_ih + self.bias_hh if self.bias else None
        step = equations.lstm_step(x, h, c, self.weight_ih, self.weight_hh, bias)
        return step.h, step.c


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


def _state_pair(pair, first, second, expected, meaning):
    """Check a pair of states and return it."""
    try:
        a, b = pair
    except (TypeError, ValueError):
        raise ValueError(
            f"the state must be a pair ({first}, {second}), got {type(pair).__name__}"
        ) from None
    has_shape(first, a.shape, expected, meaning)
    has_shape(second, b.shape, expected, meaning)
    return a, b
