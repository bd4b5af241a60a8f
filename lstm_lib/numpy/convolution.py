"""Convolution over time, for networks that read a signal before they remember it."""

import numpy as np

from lstm_lib import parameters
from lstm_lib.convolution import Geometry
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype, remembered
from lstm_lib.validation import has_shape


class Conv1d(Geometry, Module):
    r"""Convolution over the last axis, time, in torch's layout ``(B, C, T)``.

    .. math::

        y_{b,o,t} = b_o + \sum_{c=1}^{C} \sum_{k=0}^{K-1} w_{o,c,k}\; x_{b,\,c,\,s t + d k - p}

    with stride s, dilation d, p zeros in front and zero past the end of x. (As everywhere in deep
    learning, the kernel is not turned round: mathematicians say cross-correlation.)

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int
        K, s and d.
    padding : int or {"valid", "same", "causal"}
        Zeros on both sides; ``"same"`` keeps the length; ``"causal"`` puts all zeros in front, so that no
        output sees a later input (our extra: torch does not have it).
    bias : bool
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are ``weight`` (out, in, K) and ``bias`` (out,),
        drawn uniformly within :math:`\pm 1/\sqrt{CK}` as torch does.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, or an unknown padding.

    References
    ----------
    A. Waibel et al., Phoneme recognition using time-delay neural networks, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 37(3), 1989.

    Examples
    --------
    >>> layer = Conv1d(3, 5, kernel_size=4, stride=2, padding=1, rng=0)
    >>> layer(np.ones((2, 3, 10))).shape
    (2, 5, 5)
    >>> layer.backward(np.ones((2, 5, 5))).shape, layer.weight.grad.shape
    ((2, 3, 10), (5, 3, 4))
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        *,
        bias=True,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        check_device(device)
        self.set_geometry(in_channels, out_channels, kernel_size, stride, padding, dilation)
        values = parameters.conv_values(
            self.in_channels,
            self.out_channels,
            self.kernel_size,
            bias,
            rng=rng,
            dtype=np.float32 if dtype is None else dtype,
        )
        self.weight = Parameter(values["weight"])
        self.bias = Parameter(values["bias"]) if bias else None
        self._saved = None

    def forward(self, x):
        """Map ``(B, in_channels, T)`` to ``(B, out_channels, T')``.

        All windows become the rows of one matrix, so that the convolution is one product.
        """
        x = np.asarray(x)
        self.check_input(x.shape)
        x = x.astype(compute_dtype(self.weight, x), copy=False)
        padded = np.pad(x, ((0, 0), (0, 0), self.zeros_around))
        span = self.dilation * (self.kernel_size - 1) + 1
        windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=2)
        windows = windows[:, :, :: self.stride, :: self.dilation].transpose(0, 2, 1, 3)
        batch, steps = windows.shape[:2]
        rows = windows.reshape(batch * steps, self.in_channels * self.kernel_size)
        self._saved = rows, x.shape, (batch, self.out_channels, steps)
        y = rows @ self.weight.data.reshape(self.out_channels, -1).T
        if self.bias is not None:
            y += self.bias.data
        return np.ascontiguousarray(y.reshape(batch, steps, -1).transpose(0, 2, 1))

    def backward(self, d_output):
        """Return the derivative by the input and add to the gradients of weight and bias."""
        rows, input_shape, output_shape = remembered(self._saved)
        d_output = np.asarray(d_output)
        has_shape("d_output", d_output.shape, output_shape, "output's shape")
        flat_d = d_output.transpose(0, 2, 1).reshape(-1, self.out_channels)
        self.weight.add_grad((flat_d.T @ rows).reshape(self.weight.shape))
        if self.bias is not None:
            self.bias.add_grad(flat_d.sum(axis=0))
        d_rows = flat_d @ self.weight.data.reshape(self.out_channels, -1)
        return self._fold(d_rows, input_shape, output_shape[2])

    def _fold(self, d_rows, input_shape, steps):
        """Add what every window says to the inputs it saw."""
        batch, channels, length = input_shape
        d_windows = d_rows.reshape(batch, steps, channels, self.kernel_size).transpose(3, 0, 2, 1)
        left, right = self.zeros_around
        d_padded = np.zeros((batch, channels, left + length + right), d_rows.dtype)
        for k, d_tap in enumerate(d_windows):
            first = k * self.dilation
            d_padded[:, :, first : first + self.stride * steps : self.stride] += d_tap
        return d_padded[:, :, left : left + length]
