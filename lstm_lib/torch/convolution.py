"""Convolution over time, for networks that read a signal before they remember it."""

from torch import nn
from torch.nn import functional

from lstm_lib.convolution import Geometry
from lstm_lib.torch.initial import register_conv


class Conv1d(Geometry, nn.Module):
    r"""Convolution over the last axis, time, in torch's layout; as :class:`lstm_lib.numpy.Conv1d`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride : int
    padding : int or {"valid", "same", "causal"}
        ``"causal"`` is our extra: all zeros in front, so that no output sees a later input.
    dilation : int
    bias : bool
    dtype, device, rng
        As in :class:`Linear`. The ``state_dict`` of ``torch.nn.Conv1d`` loads unchanged.

    Raises
    ------
    ValueError, TypeError
        As :class:`lstm_lib.numpy.Conv1d`.

    Examples
    --------
    >>> import torch
    >>> Conv1d(3, 5, kernel_size=4, padding="causal", rng=0)(torch.ones(2, 3, 10)).shape
    torch.Size([2, 5, 10])
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
        dtype=None,
        device=None,
        rng=None,
    ):
        super().__init__()
        self.set_geometry(in_channels, out_channels, kernel_size, stride, padding, dilation)
        sizes = (self.in_channels, self.out_channels, self.kernel_size, bias)
        register_conv(self, *sizes, dtype=dtype, device=device, rng=rng)
        if not bias:
            self.register_parameter("bias", None)

    def forward(self, x):
        """Map ``(B, in_channels, T)`` to ``(B, out_channels, T')``."""
        self.check_input(x.shape)
        padded = functional.pad(x, self.zeros_around)
        return functional.conv1d(
            padded, self.weight, self.bias, stride=self.stride, dilation=self.dilation
        )

    def extra_repr(self):
        """What ``print`` shows of the layer."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}, dilation={self.dilation}, bias={self.bias is not None}"
        )
