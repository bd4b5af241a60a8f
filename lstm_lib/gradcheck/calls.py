"""A module and its inputs as one function of a dict of arrays, for the checks of both engines.

NumPy arrays and torch tensors are handled by what both have, so torch is not imported here.
"""

import numpy as np

from lstm_lib.masks import MaskSource


class Call:
    """A call of `module` as a function of its parameters and its real inputs.

    Calling it with a dict of arrays puts them into the module and runs it. Inputs that cannot be
    differentiated (integers, booleans, None) are passed as they are. Random masks are the same in every
    run. As a context manager it leaves the module's parameters, buffers and masks as they were and
    its gradients empty.
    """

    def __init__(self, module, inputs, options):
        self.module, self.inputs, self.options = module, inputs, options
        trained, fixed = _trained_and_fixed(module)
        self.parameters = trained
        self._kept = {name: parameter.data for name, parameter in trained.items()}
        self._buffers = fixed
        self._kept_buffers = [buffer.data for buffer in self._buffers]
        self._sources = [m for m in module.modules() if isinstance(m, MaskSource)]
        self._drawn = [source._masks_drawn for source in self._sources]
        self._leaves = leaves(inputs)

    @property
    def is_torch(self):
        """Whether the module belongs to the torch engine, and so to autograd."""
        return hasattr(self.module, "named_buffers")

    def real_inputs(self):
        """``{"input k": array}`` of the inputs that can be differentiated, in float64."""
        return {
            f"input {k}": to_float64(leaf) for k, leaf in enumerate(self._leaves) if is_real(leaf)
        }

    def point(self):
        """Parameters and real inputs by name, copied, in float64."""
        return {name: to_float64(data) for name, data in self._kept.items()} | self.real_inputs()

    def __call__(self, point):
        for name, parameter in self.parameters.items():
            parameter.data = point[name]
        self._rewind()
        filled = (point.get(f"input {k}", leaf) for k, leaf in enumerate(self._leaves))
        return self.module(*rebuild(self.inputs, filled), **self.options)

    def weighted_sum(self, point, projection):
        """The sum of all outputs at `point`, weighted by the arrays of `projection`."""
        outputs = leaves(self(point))
        return sum((p * detached(y)).sum() for p, y in zip(projection, outputs, strict=True))

    def __enter__(self):
        self.module.zero_grad()
        for buffer, kept in zip(self._buffers, self._kept_buffers, strict=True):
            buffer.data = to_float64(kept)
        return self

    def __exit__(self, *error):
        self.module.zero_grad()
        for name, parameter in self.parameters.items():
            parameter.data = self._kept[name]
        for buffer, kept in zip(self._buffers, self._kept_buffers, strict=True):
            buffer.data = kept
        self._rewind()

    def _rewind(self):
        for source, drawn in zip(self._sources, self._drawn, strict=True):
            source._masks_drawn = drawn


def by_backward(call, point, rng):
    """Random weights of the outputs, and what ``backward`` says about the outputs' weighted sum."""
    output = call(point)
    projection = [rng.normal(size=np.shape(leaf)) for leaf in leaves(output)]
    d_output = rebuild(output, iter(projection))
    backward = call.module.backward
    d_inputs = backward(*d_output) if isinstance(output, tuple) else backward(d_output)
    returned = dict(enumerate(leaves(d_inputs)))
    claimed = {name: parameter.grad for name, parameter in call.parameters.items()}
    claimed |= {name: returned.get(int(name.split()[1])) for name in call.real_inputs()}
    missing = [name for name, gradient in claimed.items() if gradient is None]
    if missing:
        raise TypeError(f"backward gave no derivative by {', '.join(missing)}")
    return projection, claimed


def by_autograd(call, point, rng):
    """The same for the torch engine; what the outputs do not depend on has the derivative 0."""
    inputs = {name: point[name].clone().requires_grad_() for name in call.real_inputs()}
    outputs = leaves(call(point | inputs))
    projection = [like(leaf, rng.normal(size=tuple(leaf.shape))) for leaf in outputs]
    sum((p * y).sum() for p, y in zip(projection, outputs, strict=True)).backward()
    sources = call.parameters | inputs
    claimed = {
        name: array.new_zeros(array.shape) if sources[name].grad is None else sources[name].grad
        for name, array in point.items()
    }
    return projection, claimed


def _trained_and_fixed(module):
    """Parameters that are differentiated, by name; and the real tensors of torch that are not."""
    named = dict(module.named_parameters())
    trained = {name: p for name, p in named.items() if getattr(p, "requires_grad", True)}
    fixed = [p for name, p in named.items() if name not in trained]
    return trained, fixed + [b for b in getattr(module, "buffers", tuple)() if is_real(b)]


def is_real(leaf):
    """Whether an input or buffer holds real numbers, which can be differentiated."""
    if hasattr(leaf, "is_floating_point"):
        return leaf.is_floating_point()
    return leaf is not None and np.asarray(leaf).dtype.kind == "f"


def to_float64(array):
    """A copy of an array or tensor in float64, on its device."""
    if hasattr(array, "detach"):
        return array.detach().clone().double()
    return np.array(array, np.float64)


def like(array, values):
    """NumPy `values` as an array of the kind, precision and device of `array`."""
    return array.new_tensor(values) if hasattr(array, "new_tensor") else values


def detached(array):
    """A tensor cut off its graph, an array as it is."""
    return array.detach() if hasattr(array, "detach") else array


def leaves(nested):
    """The arrays of nested tuples, in order."""
    if isinstance(nested, (tuple, list)):
        return [leaf for part in nested for leaf in leaves(part)]
    return [nested]


def rebuild(nested, arrays):
    """The same nested tuples with other arrays, taken in order from the iterator `arrays`."""
    if isinstance(nested, (tuple, list)):
        return tuple(rebuild(part, arrays) for part in nested)
    return next(arrays)
