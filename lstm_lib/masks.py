"""Random masks that can be repeated: where dropout, recurrent dropout and zoneout get their coins.

Mask number k of a module is a function of ``(seed, k)`` alone, so no generator's state has to be
kept, copied or stored in a checkpoint, and on a CPU both engines draw the same masks.
"""

import numpy as np

from lstm_lib.validation import check_fraction


class MaskSource:
    """What a module that draws random masks inherits.

    Examples
    --------
    >>> source = MaskSource()
    >>> source.reseed(3)
    >>> mask = source.dropout_mask((2, 4), 0.5)
    >>> source.reseed(3)
    >>> bool((source.dropout_mask((2, 4), 0.5) == mask).all())
    True
    """

    _mask_seed = (0,)
    _masks_drawn = 0

    def reseed(self, seed):
        """Start the sequence of masks anew from `seed`, an int or a sequence of ints."""
        self._mask_seed = as_seed(seed)
        self._masks_drawn = 0

    def dropout_mask(self, shape, p, dtype=np.float32):
        r"""Multipliers of inverted dropout, 0 with probability `p` and :math:`1/(1-p)` otherwise."""
        keep = 1.0 / (1.0 - check_fraction("p", p))
        return np.where(self._uniform(shape) < p, 0.0, keep).astype(dtype)

    def coins(self, shape, p):
        """Booleans that are True with probability `p`."""
        return self._uniform(shape) < p

    def _uniform(self, shape):
        return np.random.default_rng(self._next_seed()).random(shape)

    def _next_seed(self):
        self._masks_drawn += 1
        return (*self._mask_seed, self._masks_drawn)


def as_seed(seed):
    """Return an int, a sequence of ints, a NumPy generator or None as a tuple of ints.

    A generator gives its next number; None gives fresh entropy.

    Parameters
    ----------
    seed : int, sequence of int, numpy.random.Generator or None

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> as_seed(3), as_seed((3, 1))
    ((3,), (3, 1))
    """
    if seed is None or isinstance(seed, np.random.Generator):
        return (int(np.random.default_rng(seed).integers(2**63)),)
    parts = tuple(seed) if isinstance(seed, (tuple, list)) else (seed,)
    return tuple(int(part) for part in parts)
