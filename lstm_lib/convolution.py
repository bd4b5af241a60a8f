"""How many steps a convolution over time adds and leaves: the arithmetic that both engines share."""

import operator

from lstm_lib.validation import positive_int

PADDINGS = ("valid", "same", "causal")
"""What `padding` may be called instead of a number."""


def padding_of(padding, kernel_size, stride, dilation):
    """Return the zeros to put before and behind a sequence, as a pair.

    Parameters
    ----------
    padding : int or {"valid", "same", "causal"}
        A number of zeros on both sides; none; so many that the length stays; or all of them in
        front, so that no output sees a later input.
    kernel_size, stride, dilation : int

    Returns
    -------
    left, right : int

    Raises
    ------
    ValueError, TypeError
        For another padding, or ``"same"`` with a stride.

    Examples
    --------
    >>> padding_of("same", 4, 1, 1), padding_of("causal", 4, 1, 1), padding_of(2, 4, 1, 1)
    ((1, 2), (3, 0), (2, 2))
    """
    reach = dilation * (kernel_size - 1)
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach, 0
    if padding == "same":
        if stride != 1:
            raise ValueError(f"padding='same' keeps the length only with stride 1, got {stride}")
        return reach // 2, reach - reach // 2
    try:
        number = operator.index(padding)
    except TypeError:
        raise TypeError(
            f"padding must be an integer or one of {', '.join(map(repr, PADDINGS))}; got {padding!r}"
        ) from None
    if number < 0:
        raise ValueError(f"padding must be at least 0, got {number}")
    return number, number


class Geometry:
    """What a one-dimensional convolution inherits in both engines: its sizes and its lengths.

    Examples
    --------
    Ten steps, of which a kernel of 3 leaves eight, every second of them four:

    >>> layer = Geometry()
    >>> layer.set_geometry(1, 1, kernel_size=3, stride=2, padding=0, dilation=1)
    >>> layer.output_length(10)
    4
    """

    def set_geometry(self, in_channels, out_channels, kernel_size, stride, padding, dilation):
        """Check and keep the sizes."""
        self.in_channels = positive_int("in_channels", in_channels)
        self.out_channels = positive_int("out_channels", out_channels)
        self.kernel_size = positive_int("kernel_size", kernel_size)
        self.stride = positive_int("stride", stride)
        self.dilation = positive_int("dilation", dilation)
        self.padding = padding
        self.zeros_around = padding_of(padding, self.kernel_size, self.stride, self.dilation)

    def output_length(self, length):
        r"""Steps that come out of `length` steps.

        .. math::

            T' = \left\lfloor \frac{T + p_\text{left} + p_\text{right} - d (K - 1) - 1}{s} \right\rfloor + 1

        with kernel size K, stride s and dilation d.

        Parameters
        ----------
        length : int

        Raises
        ------
        ValueError
            If not even one step comes out.
        """
        span = self.dilation * (self.kernel_size - 1) + 1
        steps = (length + sum(self.zeros_around) - span) // self.stride + 1
        if steps < 1:
            raise ValueError(
                f"a sequence must have at least {span - sum(self.zeros_around)} steps for a kernel of "
                f"size {self.kernel_size} with dilation {self.dilation} and padding "
                f"{self.padding!r}, got {length}"
            )
        return steps

    def check_input(self, shape):
        """Raise a ValueError unless `shape` is ``(B, in_channels, T)`` and long enough."""
        shape = tuple(shape)
        if len(shape) != 3 or shape[1] != self.in_channels:
            raise ValueError(
                f"input must have shape (batch, {self.in_channels} channels, steps), got {shape}"
            )
        if 0 in shape:
            raise ValueError(f"input (batch, channels, steps) must not be empty, got shape {shape}")
        self.output_length(shape[2])
