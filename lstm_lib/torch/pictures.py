"""Reading a picture for a decoder that puts it into words; torch alone, whose convolutions it uses."""

import numpy as np
import torch
from torch import nn

from lstm_lib.parameters import conv_values
from lstm_lib.torch.initial import as_dtype, one_stream
from lstm_lib.torch.layers import LayerNorm, Linear
from lstm_lib.validation import has_shape, one_of, positive_int

__all__ = ["PictureEncoder"]


class PictureEncoder(nn.Module):
    r"""Turn a picture into a map of features for attention and a first state for the decoder.

    Every picture is shifted and scaled to mean 0 and standard deviation 1, so its unit of brightness
    does not matter. Layers of 3 x 3 convolution, ReLU and, for the first `pools` of them, a 2 x 2
    maximum leave K channels at each of P places. A learned vector :math:`e_j` says which place it is,
    and the memory is

    .. math::  m_j = \mathrm{ReLU}(\mathrm{LN}(A f_j) + e_j), \qquad j = 1 \dots P

    where LN is layer normalisation, without which training is slow to begin.

    The first state of an LSTM, :math:`(h_0, c_0)`, is a linear map of :math:`\tanh` of either the mean
    of the :math:`m_j` or all of them side by side.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the pictures.
    hidden_size : int
        Units of the decoder's LSTM, which has one layer.
    channels : sequence of int
        Output channels of each convolution; the last is the size of the memory.
    pools : int
        How many of the first convolutions a maximum over 2 x 2 places follows.
    state : {"mean", "whole"}
        What the decoder's first state is made of.
    dtype, device, rng
        As in :class:`lstm_lib.torch.Linear`.

    Raises
    ------
    ValueError, TypeError
        For sizes that are no positive integers, too many pools for the picture, or a picture of
        another shape.

    References
    ----------
    K. Xu et al., Show, attend and tell, ICML 2015 (attention over a feature map, first state from its
    mean); O. Vinyals et al., Show and tell, CVPR 2015 (first state from the whole picture).

    Examples
    --------
    >>> encoder = PictureEncoder((12, 28), 8, channels=(4, 6), pools=2, rng=0)
    >>> memory, (h, c) = encoder(torch.zeros(5, 12, 28))
    >>> encoder.map_shape, memory.shape, h.shape
    ((3, 7), torch.Size([5, 21, 6]), torch.Size([1, 5, 8]))
    >>> from lstm_lib import torch as L
    >>> model = L.EncoderDecoder(
    ...     8, encoder=encoder, memory_size=6, target_vocabulary=9, attention="general", rng=0
    ... )
    >>> model.attention_weights(torch.zeros(5, 12, 28), torch.zeros(5, 3, dtype=int)).shape
    (5, 3, 21)
    """

    def __init__(
        self,
        shape,
        hidden_size,
        channels=(16, 32),
        pools=2,
        state="mean",
        *,
        dtype=None,
        device=None,
        rng=None,
    ):
        super().__init__()
        self.shape = tuple(positive_int("shape", side) for side in shape)
        self.hidden_size = positive_int("hidden_size", hidden_size)
        channels = [positive_int("channels", size) for size in channels]
        self.pools = pools
        self.map_shape = tuple(side // 2**pools for side in self.shape)
        if not 0 <= pools <= len(channels) or not all(self.map_shape):
            raise ValueError(
                f"pools must be at most the number of convolutions, {len(channels)}, and leave a "
                f"place of a picture of shape {self.shape}; got {pools}"
            )
        self.state = one_of("state", state, ("mean", "whole"))
        options = dict(dtype=dtype, device=device, rng=one_stream(rng))
        self.layers = nn.ModuleList(
            _convolution(*sizes, **options) for sizes in zip([1, *channels], channels, strict=False)
        )
        places, size = self.map_shape[0] * self.map_shape[1], channels[-1]
        self.features = Linear(size, size, bias=False, **options)
        self.norm = LayerNorm(size, dtype=dtype, device=device)
        self.place = Linear(places, size, bias=False, **options)
        read = size if state == "mean" else size * places
        self.first = Linear(read, 2 * hidden_size, **options)

    def forward(self, pictures, lengths=None):
        """Return the memory and the decoder's first state.

        Parameters
        ----------
        pictures : array or tensor of numbers, shape (B, rows, columns)
        lengths : None
            Pictures have none; an encoder is called with this argument.

        Returns
        -------
        memory : tensor, shape (B, P, K)
            Row by row of the map.
        state : tuple of tensor, each of shape (1, B, H)
            h and c.
        """
        if lengths is not None:
            raise ValueError("pictures have no lengths: pass None for the source's")
        has_shape("pictures", pictures.shape, (None, *self.shape), "(batch, rows, columns)")
        x = torch.as_tensor(pictures).to(self.place.weight)[:, None]
        spread, mean = torch.std_mean(x, dim=(2, 3), correction=0, keepdim=True)
        x = (x - mean) / (spread + 1e-5)
        for k, layer in enumerate(self.layers):
            x = layer(x).relu()
            if k < self.pools:
                x = nn.functional.max_pool2d(x, 2)
        x = x.flatten(2).transpose(1, 2)
        memory = (self.norm(self.features(x)) + self.place.weight.T).relu()
        read = memory.mean(dim=1) if self.state == "mean" else memory.flatten(1)
        h, c = self.first(read).tanh().chunk(2, dim=-1)
        return memory, (h[None].contiguous(), c[None].contiguous())


def _convolution(in_channels, out_channels, *, dtype, device, rng):
    """A 3 x 3 convolution that leaves the size of a picture, its weights drawn like the others."""
    layer = nn.Conv2d(in_channels, out_channels, 3, padding=1, device=device, dtype=as_dtype(dtype))
    if isinstance(rng, np.random.Generator):
        drawn = conv_values(9 * in_channels, out_channels, 1, rng=rng, dtype=np.float64)
        with torch.no_grad():
            for name, values in drawn.items():
                weight = getattr(layer, name)
                weight.copy_(torch.as_tensor(values * 6**0.5).reshape(weight.shape))
    return layer
