"""What a recurrent layer is made of, whatever the engine: sizes, options, names of weights and masks."""

import warnings
from dataclasses import asdict, dataclass

from lstm_lib import parameters
from lstm_lib.validation import check_fraction, one_of, positive_int

__all__ = ["Layout"]

_STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}
_GATES = {"LSTM": parameters.GATES, "GRU": parameters.GRU_GATES, "RNN": ("h",)}


@dataclass(frozen=True)
class Layout:
    """Sizes and options of a recurrent layer, checked.

    The fields are the arguments of the layers' constructors; `kind` is ``"LSTM"``, ``"GRU"`` or
    ``"RNN"``.

    Raises
    ------
    ValueError
        For a size below 1, a probability outside [0, 1), or options that exclude each other.
    TypeError
        For a size that is no integer.

    Examples
    --------
    >>> Layout("LSTM", 3, 5, peephole=True).names
    ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh', 'weight_ch')
    """

    kind: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    nonlinearity: str = "tanh"
    peephole: bool = False
    coupled: bool = False
    layer_norm: bool = False
    recurrent_dropout: float = 0.0
    zoneout: object = 0.0
    checkpoint_every: int | None = None

    def __post_init__(self):
        for name in ("input_size", "hidden_size", "num_layers"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        one_of("nonlinearity", self.nonlinearity, ("tanh", "relu"))
        check_fraction("dropout", self.dropout)
        check_fraction("recurrent_dropout", self.recurrent_dropout)
        object.__setattr__(self, "zoneout", _pair_of_fractions("zoneout", self.zoneout))
        if self.checkpoint_every is not None:
            positive_int("checkpoint_every", self.checkpoint_every)
        self._check_projection()
        if self.dropout and self.num_layers == 1:
            warnings.warn(
                f"dropout={self.dropout} acts between layers and so does nothing with num_layers=1",
                stacklevel=4,
            )

    def _check_projection(self):
        if self.proj_size == 0:
            return
        positive_int("proj_size", self.proj_size)
        if self.proj_size >= self.hidden_size:
            raise ValueError(
                f"proj_size must be smaller than hidden_size={self.hidden_size}, got {self.proj_size}"
            )

    @property
    def directions(self):
        """2 for a bidirectional layer, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def units(self):
        """Size of the hidden state, that of the projection where there is one."""
        return self.proj_size or self.hidden_size

    @property
    def gates(self):
        """Names of the blocks of H rows of the weights, in their order."""
        return parameters.COUPLED_GATES if self.coupled else _GATES[self.kind]

    @property
    def states(self):
        """Names of the states that are carried."""
        return _STATES[self.kind]

    @property
    def suffixes(self):
        """Torch's suffix for every layer and direction."""
        return parameters.suffixes(self.num_layers, self.bidirectional)

    @property
    def is_variant(self):
        """Whether a step is one of :mod:`lstm_lib.variants` rather than the standard one."""
        options = self.proj_size, self.peephole, self.coupled, self.layer_norm
        return any(options) or self.recurrent_dropout > 0 or any(self.zoneout)

    @property
    def options(self):
        """Names of the options that make one layer's recurrence another one than the plain."""
        names = ["proj_size", "peephole", "coupled", "layer_norm", "recurrent_dropout"]
        found = [name for name in names if getattr(self, name)]
        found += ["zoneout"] * any(self.zoneout) + ["nonlinearity"] * (self.nonlinearity != "tanh")
        return (*found, *["checkpoint_every"] * (self.checkpoint_every is not None))

    @property
    def extra(self):
        """Names of the weights beyond ``weight_ih, weight_hh, bias_ih, bias_hh``."""
        names = ["weight_hr"] * bool(self.proj_size) + ["weight_ch"] * self.peephole
        if self.layer_norm:
            names += ["norm_ih", "norm_hh", "norm_c"] + ["norm_c_bias"] * self.bias
        return tuple(names)

    @property
    def names(self):
        """Names of the weights of one layer and direction, without suffix, in their order."""
        biases = ("bias_ih", "bias_hh") if self.bias else ()
        return ("weight_ih", "weight_hh", *biases, *self.extra)

    def sizes(self):
        """Keyword arguments of :func:`lstm_lib.parameters.recurrent_shapes`, but the gates."""
        fields = asdict(self)
        names = ("input_size", "hidden_size", "num_layers", "bias", "bidirectional")
        return {name: fields[name] for name in (*names, "proj_size", "peephole", "layer_norm")}

    def shapes(self):
        """``{name: shape}`` of all parameters."""
        return parameters.recurrent_shapes(len(self.gates), **self.sizes())

    def values(self, **options):
        """Initial values; options of :func:`lstm_lib.parameters.recurrent_values`."""
        gates = len(self.gates)
        return parameters.recurrent_values(self.sizes(), gates, coupled=self.coupled, **options)

    def state_shapes(self, batch):
        """Shape of every state."""
        count = self.num_layers * self.directions
        sizes = {"h": self.units, "c": self.hidden_size}
        return [(count, batch, sizes[name]) for name in self.states]

    def masks(self, steps, batch):
        """``{name: (shape, kind, p)}`` of the random masks of one pass over T steps of B sequences.

        `kind` is ``"dropout"`` for multipliers 0 or :math:`1/(1-p)`, ``"zoneout"`` for booleans that
        are True with probability p where the old state is kept.
        """
        time = (batch, steps) if self.batch_first else (steps, batch)
        found = {}
        if self.dropout:
            shape = (*time, self.units * self.directions)
            for layer in range(self.num_layers - 1):
                found[f"dropout_l{layer}"] = (shape, "dropout", self.dropout)
        for suffix in self.suffixes:
            if self.recurrent_dropout:
                shape = (batch, self.units)
                found[f"recurrent_{suffix}"] = (shape, "dropout", self.recurrent_dropout)
            for state, size, p in zip(
                "hc", (self.units, self.hidden_size), self.zoneout, strict=True
            ):
                if p:
                    found[f"zoneout_{state}_{suffix}"] = ((*time, size), "zoneout", p)
        return found

    def __str__(self):
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for name, field in self.__dataclass_fields__.items():
            value = getattr(self, name)
            default = (0.0, 0.0) if name == "zoneout" else field.default
            if name not in ("kind", "input_size", "hidden_size") and value != default:
                shown.append(f"{name}={value}")
        return ", ".join(shown)


def check_masks(masks, expected):
    """Check the names and shapes of injected masks against those that :meth:`Layout.masks` gives."""
    if set(masks) != set(expected):
        raise ValueError(f"masks must have the names {sorted(expected)}, got {sorted(masks)}")
    for name, (shape, _, _) in expected.items():
        if tuple(masks[name].shape) != shape:
            raise ValueError(
                f"masks[{name!r}] must have shape {shape}, got {tuple(masks[name].shape)}"
            )


def _pair_of_fractions(name, value):
    """One probability for both states, or a pair for h and c."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(
            f"{name} must be a probability or a pair of them for h and c, got {value!r}"
        )
    return tuple(check_fraction(name, p) for p in pair)
