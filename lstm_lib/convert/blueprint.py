"""What a recurrent layer is, apart from its engine: its layout and its weights.

Every conversion out starts from a :class:`Blueprint` of the layer, every conversion in ends by building one.
"""

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module

import numpy as np

import lstm_lib
from lstm_lib.checkpoints import restore_parameters
from lstm_lib.convert.gate_orders import our_gates
from lstm_lib.layout import Layout
from lstm_lib.parameters import to_numpy
from lstm_lib.validation import has_shape

KINDS = ("LSTM", "GRU", "RNN")
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass
class Blueprint:
    """A recurrent layer without an engine.

    Attributes
    ----------
    layout : lstm_lib.layout.Layout
        Its kind, sizes and options.
    weights : dict of str to ndarray
        Its ``state_dict``, all in one precision.

    Raises
    ------
    ValueError
        If the weights are not those of the layout, or neither all float32 nor all float64.
    """

    layout: Layout
    weights: dict

    def __post_init__(self):
        expected = self.layout.shapes()
        missing = sorted(expected.keys() - self.weights.keys())
        unknown = sorted(self.weights.keys() - expected.keys())
        if missing or unknown:
            raise ValueError(
                f"these are not the weights of an {self.layout.kind}({self.layout}): "
                f"missing {missing}, not expected {unknown}"
            )
        for name, shape in expected.items():
            has_shape(
                name, self.weights[name].shape, shape, f"of an {self.layout.kind}({self.layout})"
            )
        check_precision(self.weights)

    @property
    def dtype(self):
        """Precision of the weights."""
        return next(iter(self.weights.values())).dtype

    def part(self, suffix, names=PARTS):
        """The named weights of one layer and direction, None for what it lacks."""
        return [self.weights.get(f"{name}_{suffix}") for name in names]

    def refuse(self, target, names, remedy="it has no place for it"):
        """Raise a ValueError if one of the options `names` is in use, which `target` cannot express."""
        for name in names:
            value = getattr(self.layout, name)
            if any(value) if isinstance(value, tuple) else value:
                raise ValueError(
                    f"{target} cannot express {name}={value!r} of this {self.layout.kind}: {remedy}"
                )


def describe(layer):
    """Return the :class:`Blueprint` of a recurrent layer of either engine.

    Raises
    ------
    TypeError
        If it is no LSTM, GRU or RNN of this library.
    ValueError
        If its weights are neither float32 nor float64.
    """
    if not is_ours(layer, *KINDS):
        raise TypeError(
            f"expected an LSTM, GRU or RNN of lstm_lib, got {type(layer).__name__} of "
            f"{type(layer).__module__}"
        )
    return Blueprint(layer.layout, {n: to_numpy(value) for n, value in layer.state_dict().items()})


def is_ours(layer, *kinds):
    """Whether the object is one of these classes of either engine; imports no engine."""
    loaded = [sys.modules.get(f"lstm_lib.{name}") for name in ("numpy", "torch")]
    classes = tuple(getattr(engine, kind) for engine in loaded if engine for kind in kinds)
    return isinstance(layer, classes)


def build(blueprint, engine):
    """Build the layer of a :class:`Blueprint` in an engine, and load its weights."""
    layout = blueprint.layout
    layer_class = getattr(lstm_lib.engine(engine), layout.kind)
    known = inspect.signature(layer_class).parameters
    options = {n: value for n, value in vars(layout).items() if n in known}
    layer = layer_class(**options, dtype=blueprint.dtype.name, rng=0)
    restore_parameters(layer, blueprint.weights, "the imported layer")
    return layer


def build_model(blueprint, head, readout, engine):
    """Build a ``SequenceModel`` of a layer's blueprint and a head's ``(weight, bias or None)``."""
    weight, bias = head
    arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    check_precision({**blueprint.weights, **arrays})
    module = lstm_lib.engine(engine)
    sizes = weight.shape[1], weight.shape[0], bias is not None
    linear = module.Linear(*sizes, dtype=weight.dtype.name, rng=0)
    restore_parameters(linear, arrays, "the imported linear layer")
    return module.SequenceModel(build(blueprint, engine), linear, readout)


def head_of(model):
    """Return ``(weight, bias or None)`` of a ``SequenceModel``'s head."""
    arrays = {name: to_numpy(value) for name, value in model.head.state_dict().items()}
    return arrays["weight"], arrays.get("bias")


def assemble(parts, *, bidirectional, batch_first, **options):
    """Make a :class:`Blueprint` from the arrays of every layer and direction.

    Parameters
    ----------
    parts : list of dict
        Weights by name without suffix, in our order of gates, in the order of
        :func:`lstm_lib.parameters.suffixes`. What is None is left out.
    bidirectional, batch_first : bool
    **options
        Further fields of :class:`lstm_lib.layout.Layout`.

    Raises
    ------
    ValueError
        If the arrays do not belong together.
    """
    first = parts[0]
    coupled = options.get("coupled", False)
    layout = Layout(
        "LSTM" if coupled else kind_by_blocks(first["weight_hh"].shape),
        input_size=first["weight_ih"].shape[1],
        hidden_size=first["weight_hh"].shape[1],
        num_layers=len(parts) // (2 if bidirectional else 1),
        bias=first["bias_ih"] is not None,
        bidirectional=bidirectional,
        batch_first=batch_first,
        **options,
    )
    weights = {
        f"{name}_{suffix}": array
        for suffix, part in zip(layout.suffixes, parts, strict=True)
        for name, array in part.items()
        if array is not None
    }
    return Blueprint(layout, weights)


def kind_by_blocks(shape):
    """Tell the kind of a layer from the shape (nH, H) of its recurrent weight.

    >>> kind_by_blocks((20, 5))
    'LSTM'
    >>> kind_by_blocks((10, 5))
    Traceback (most recent call last):
        ...
    ValueError: the recurrent weight must have 4, 3 or 1 blocks of H = 5 rows, got shape (10, 5)
    """
    for kind in KINDS:
        if len(shape) == 2 and shape[1] > 0 and shape[0] == shape[1] * len(our_gates(kind)):
            return kind
    width = f"H = {shape[1]} rows" if len(shape) == 2 else "H rows"
    raise ValueError(
        f"the recurrent weight must have 4, 3 or 1 blocks of {width}, got shape {tuple(shape)}"
    )


def check_precision(weights):
    """Raise unless all arrays are float32, or all float64."""
    dtypes = {name: array.dtype for name, array in weights.items()}
    first = next(iter(dtypes.values()))
    for name, dtype in dtypes.items():
        if dtype not in (np.float32, np.float64) or dtype != first:
            raise ValueError(
                f"weights must all be float32 or all float64, but {name} is {dtype} and "
                f"the first is {first}"
            )


def require(package, purpose, remedy):
    """Import and return a package that only `purpose` needs, or say what to install."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{purpose} needs {package}: {remedy}", name=package) from error
