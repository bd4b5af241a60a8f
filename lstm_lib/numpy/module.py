"""Parameters and the base class of every layer of the NumPy engine.

What torch users expect of ``torch.nn.Module``, in a screen of code: named parameters,
``state_dict``, ``zero_grad`` and train or eval mode. There is no graph and no autograd:
each layer derives its own ``backward``.
"""

import numpy as np

from lstm_lib.masks import MaskSource, as_seed
from lstm_lib.parameters import to_numpy


class Parameter:
    """An array that is trained, with the gradient that belongs to it.

    Parameters
    ----------
    data : ndarray

    Attributes
    ----------
    data : ndarray
        The value. Optimisers change it in place.
    grad : ndarray or None
        The derivative of the loss by `data`, same shape; None before the first backward pass.

    Examples
    --------
    >>> p = Parameter(np.zeros(3))
    >>> p.add_grad(np.ones(3)); p.add_grad(np.ones(3)); p.grad
    array([2., 2., 2.])
    """

    def __init__(self, data):
        self.data = np.asarray(data)
        self.grad = None

    @property
    def shape(self):
        """Shape of the value."""
        return self.data.shape

    @property
    def dtype(self):
        """Precision of the value."""
        return self.data.dtype

    def add_grad(self, grad):
        """Add `grad` to the gradient, as repeated use of one parameter requires."""
        self.grad = grad if self.grad is None else self.grad + grad

    def __repr__(self):
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


class Module:
    """Base class: finds parameters in its attributes, names them and moves them in and out.

    Examples
    --------
    A layer of your own says what comes out and what its derivative is:

    >>> class Square(Module):
    ...     def __init__(self):
    ...         self.scale = Parameter(np.array(3.0))
    ...     def forward(self, x):
    ...         self.x = x
    ...         return self.scale.data * x**2
    ...     def backward(self, d_output):
    ...         self.scale.add_grad((d_output * self.x**2).sum())
    ...         return d_output * 2 * self.scale.data * self.x
    >>> layer = Square()
    >>> float(layer(2.0)), float(layer.backward(np.ones(()))), float(layer.scale.grad)
    (12.0, 12.0, 4.0)
    >>> [name for name, _ in layer.named_parameters()]
    ['scale']
    """

    training = True

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def forward(self, *args, **kwargs):
        """Compute the output; each layer says how."""
        raise TypeError(f"{type(self).__name__} has no forward pass of its own")

    def named_children(self):
        """Yield ``(name, module)`` for every module held in an attribute."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def modules(self):
        """Yield this module and every module below it, parents first."""
        yield self
        for _, child in self.named_children():
            yield from child.modules()

    def named_parameters(self, prefix=""):
        """Yield ``(name, parameter)``, names joined by dots as in torch."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
            elif isinstance(value, Module):
                yield from value.named_parameters(f"{prefix}{name}.")

    def parameters(self):
        """Yield every parameter."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self):
        """Forget all gradients."""
        for value in vars(self).values():
            if isinstance(value, Parameter):
                value.grad = None
            elif isinstance(value, Module):
                value.zero_grad()

    def train(self, mode=True):
        """Switch this module and its children to training mode, or out of it."""
        self.training = bool(mode)
        for _, child in self.named_children():
            child.train(mode)
        return self

    def eval(self):
        """Switch to evaluation mode; same as ``train(False)``."""
        return self.train(False)

    def state_dict(self):
        """Return ``{name: copy of the array}`` of all parameters."""
        return {name: parameter.data.copy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state):
        """Copy arrays of the same names and shapes into the parameters.

        Parameters
        ----------
        state : mapping of str to array
            NumPy arrays or torch tensors, so the ``state_dict`` of ``torch.nn.LSTM`` fits.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a shape differs. Nothing is changed then.
        """
        own = dict(self.named_parameters())
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise ValueError(f"state_dict does not fit: missing {missing}, not expected {unknown}")
        arrays = {name: to_numpy(value) for name, value in state.items()}
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                raise ValueError(
                    f"{name} must have shape {own[name].shape}, the state_dict has {array.shape}"
                )
        for name, array in arrays.items():
            own[name].data = array.astype(own[name].dtype)


def reseed(model, seed):
    """Start the random masks of every layer of a model anew.

    After the same `seed`, dropout, recurrent dropout and zoneout draw the same masks again, in both
    engines. :func:`lstm_lib.training.fit` does this at the start of every epoch.

    Parameters
    ----------
    model : Module
    seed : int or sequence of ints

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> model = L.Sequential(L.Dropout(0.5), L.Dropout(0.5))
    >>> outputs = []
    >>> for _ in range(2):
    ...     reseed(model, 7)
    ...     outputs.append(model(np.ones(8)))
    >>> bool((outputs[0] == outputs[1]).all())
    True
    """
    sources = (module for module in model.modules() if isinstance(module, MaskSource))
    for index, module in enumerate(sources):
        module.reseed((*as_seed(seed), index))


def remembered(saved):
    """Return what the latest forward pass left for the backward pass, or raise."""
    if saved is None:
        raise RuntimeError("backward needs a forward pass first: call the layer on an input")
    return saved


def compute_dtype(parameter, *arrays):
    """Precision to compute in: the parameter's, made complex where an argument is complex.

    Complex numbers enter only through the complex-step check of :mod:`lstm_lib.gradcheck`.
    """
    dtype = np.dtype(parameter.dtype)
    if any(np.iscomplexobj(array) for array in arrays):
        dtype = np.result_type(dtype, np.complex64)
    return dtype


def check_device(device):
    """Accept the only device this engine has."""
    if device not in (None, "cpu"):
        raise ValueError(
            f"the NumPy engine runs on 'cpu' only, got device={device!r}; use lstm_lib.torch"
        )
