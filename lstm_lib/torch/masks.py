"""Random masks on any device of torch; see :mod:`lstm_lib.masks`."""

import numpy as np
import torch

from lstm_lib import masks
from lstm_lib.validation import check_fraction


class MaskSource(masks.MaskSource):
    """Draws masks as tensors: on a CPU those of the NumPy engine, elsewhere on the device itself."""

    def dropout_mask(self, shape, p, like):
        r"""Multipliers of inverted dropout in the precision and on the device of the tensor `like`."""
        keep = 1.0 / (1.0 - check_fraction("p", p))
        return (self._uniform(shape, like.device) >= p).to(like.dtype) * keep

    def coins(self, shape, p, like):
        """Booleans that are True with probability `p`, on the device of the tensor `like`."""
        return self._uniform(shape, like.device) < p

    def _uniform(self, shape, device):
        seed = self._next_seed()
        if device.type == "cpu":
            return torch.from_numpy(np.random.default_rng(seed).random(shape))
        number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator(device).manual_seed(number)
        return torch.rand(shape, generator=generator, device=device, dtype=torch.float64)


def mask_seed(rng):
    """Return where a new module's masks start: from `rng`, or from torch's generator.

    An int or a NumPy generator gives the seed that the NumPy engine takes from it.
    """
    if rng is None or isinstance(rng, torch.Generator):
        return (int(torch.randint(2**62, (), generator=rng)),)
    return masks.as_seed(rng)


def reseed(model, seed):
    """Start the random masks of every layer of a model anew; as :func:`lstm_lib.numpy.reseed`.

    Parameters
    ----------
    model : torch.nn.Module
    seed : int or sequence of ints

    Examples
    --------
    On a CPU both engines draw the same masks:

    >>> from lstm_lib import numpy as N, torch as T
    >>> outputs = []
    >>> for L, ones in ((N, np.ones(8)), (T, torch.ones(8))):
    ...     dropout = L.Dropout(0.5)
    ...     L.reseed(dropout, 7)
    ...     outputs.append(dropout(ones).tolist())
    >>> outputs[0] == outputs[1]
    True
    """
    for index, module in enumerate(m for m in model.modules() if isinstance(m, MaskSource)):
        module.reseed((*masks.as_seed(seed), index))
