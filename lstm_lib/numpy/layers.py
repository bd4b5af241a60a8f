"""Layers without recurrence."""

import numpy as np

from lstm_lib import parameters
from lstm_lib.masks import MaskSource, as_seed
from lstm_lib.normalisation import layer_norm, layer_norm_backward
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype, remembered
from lstm_lib.validation import (
    check_fraction,
    check_indices,
    check_normalized,
    check_padding_idx,
    has_shape,
    normalized_sizes,
    positive,
    positive_int,
)


class Linear(Module):
    r"""Affine map :math:`y = x A^\top + b` of the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are ``weight`` (out, in) and ``bias`` (out,),
        drawn uniformly within :math:`\pm 1/\sqrt{\text{in}}` as torch does.

    Raises
    ------
    ValueError, TypeError
        For a size that is no positive integer.

    Examples
    --------
    >>> layer = Linear(3, 2, dtype=np.float64, rng=0)
    >>> layer(np.ones((4, 5, 3))).shape
    (4, 5, 2)
    >>> layer.backward(np.ones((4, 5, 2))).shape, layer.bias.grad
    ((4, 5, 3), array([20., 20.]))
    """

    def __init__(
        self, in_features, out_features, bias=True, *, dtype=np.float32, device=None, rng=None
    ):
        check_device(device)
        self.in_features = positive_int("in_features", in_features)
        self.out_features = positive_int("out_features", out_features)
        values = parameters.linear_values(
            self.in_features,
            self.out_features,
            bias,
            rng=rng,
            dtype=np.float32 if dtype is None else dtype,
        )
        self.weight = Parameter(values["weight"])
        self.bias = Parameter(values["bias"]) if bias else None
        self._input = None

    def forward(self, x):
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        x = np.asarray(x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"input must have {self.in_features} features on its last axis, got shape {x.shape}"
            )
        self._input = x.astype(compute_dtype(self.weight, x), copy=False)
        y = self._input @ self.weight.data.T
        return y if self.bias is None else y + self.bias.data

    def backward(self, d_output):
        """Return the derivative by the input and add to the gradients of weight and bias."""
        x, d_output = remembered(self._input), np.asarray(d_output)
        expected = (*x.shape[:-1], self.out_features)
        has_shape("d_output", d_output.shape, expected, "output's shape")
        flat_d = d_output.reshape(-1, self.out_features)
        self.weight.add_grad(flat_d.T @ x.reshape(-1, self.in_features))
        if self.bias is not None:
            self.bias.add_grad(flat_d.sum(axis=0))
        return d_output @ self.weight.data


class Embedding(Module):
    r"""A table of vectors, one for every symbol: :math:`y = E_k` is row k of the table.

    It is the product of a one-hot vector by :math:`E`, without the product. Its derivative adds up, in
    every row, what all uses of the symbol say: :math:`\delta E_k = \sum_{n:\, k_n = k} \delta y_n`.

    Parameters
    ----------
    num_embeddings : int
        Number of symbols, the rows of the table.
    embedding_dim : int
        Size of a vector.
    padding_idx : int, optional
        The symbol that only fills up: its vector starts at zero and gets no gradient, so it stays there.
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. The parameter is ``weight`` (num_embeddings, embedding_dim),
        drawn from a normal distribution with mean 0 and variance 1 as torch does.

    Raises
    ------
    ValueError
        For a size below 1, or a `padding_idx` outside the table.

    References
    ----------
    Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, A neural probabilistic language model, Journal of
    Machine Learning Research 3, 2003.

    Examples
    --------
    >>> layer = Embedding(10, 3, padding_idx=0, rng=0)
    >>> layer(np.array([[4, 0], [9, 9]])).shape
    (2, 2, 3)
    >>> layer.backward(np.ones((2, 2, 3)))
    >>> layer.weight.grad[[0, 4, 9], 0]
    array([0., 1., 2.])
    """

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        *,
        dtype=np.float32,
        device=None,
        rng=None,
    ):
        check_device(device)
        self.num_embeddings = positive_int("num_embeddings", num_embeddings)
        self.embedding_dim = positive_int("embedding_dim", embedding_dim)
        self.padding_idx = check_padding_idx(padding_idx, self.num_embeddings)
        values = parameters.embedding_values(
            self.num_embeddings,
            self.embedding_dim,
            self.padding_idx,
            rng=rng,
            dtype=np.float32 if dtype is None else dtype,
        )
        self.weight = Parameter(values["weight"])
        self._indices = None

    def forward(self, indices):
        """Map integers of any shape ``(...)`` to vectors ``(..., embedding_dim)``."""
        indices = np.asarray(indices)
        check_indices(indices, indices.dtype.kind in "iu", self.num_embeddings)
        self._indices = indices
        return self.weight.data[indices]

    def backward(self, d_output):
        """Add to the gradient of the table; return None, for an index has no derivative."""
        indices, d_output = remembered(self._indices), np.asarray(d_output)
        expected = (*indices.shape, self.embedding_dim)
        has_shape("d_output", d_output.shape, expected, "output's shape")
        d_table = np.zeros(self.weight.shape, d_output.dtype)
        order = np.argsort(indices, axis=None, kind="stable")
        used, first = np.unique(indices.reshape(-1)[order], return_index=True)
        d_table[used] = np.add.reduceat(d_output.reshape(-1, self.embedding_dim)[order], first)
        if self.padding_idx is not None:
            d_table[self.padding_idx] = 0
        self.weight.add_grad(d_table)


class Dropout(MaskSource, Module):
    r"""Inverted dropout :math:`y = m \odot x`, with random m while training.

    Every entry of the mask m is 0 with probability `p` and :math:`1/(1-p)` otherwise, so the expected
    output is the input, and in evaluation mode the layer does nothing.

    Parameters
    ----------
    p : float
        Probability of 0, in [0, 1).
    rng : int or numpy.random.Generator, optional
        Where the masks start; :func:`lstm_lib.numpy.reseed` starts them anew.

    Raises
    ------
    ValueError
        If `p` is outside [0, 1).

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, Journal of
    Machine Learning Research 15, 2014.

    Examples
    --------
    >>> layer = Dropout(0.75, rng=0)
    >>> np.unique(layer(np.ones(100)))
    array([0., 4.])
    >>> layer.eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p=0.5, *, rng=None):
        self.p = check_fraction("p", p)
        self.reseed(as_seed(rng))
        self._saved = None

    def forward(self, x, mask=None):
        """Multiply by a random mask.

        Parameters
        ----------
        x : array
        mask : array, shape of `x`, optional
            The mask to use instead of a random one, in evaluation mode too.
        """
        x = np.asarray(x)
        if mask is None and self.training and self.p > 0:
            mask = self.dropout_mask(x.shape, self.p, np.result_type(x.real.dtype, np.float32))
        if mask is not None:
            mask = np.asarray(mask)
            has_shape("mask", mask.shape, x.shape, "input's shape")
        self._saved = x.shape, mask
        return x if mask is None else x * mask

    def backward(self, d_output):
        """Return the derivative by the input: what was dropped gets none."""
        shape, mask = remembered(self._saved)
        d_output = np.asarray(d_output)
        has_shape("d_output", d_output.shape, shape, "output's shape")
        return d_output if mask is None else d_output * mask


class LayerNorm(Module):
    r"""Normalise the last axes to mean 0 and variance 1, then scale and shift.

    The equation and its derivative are :func:`lstm_lib.normalisation.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the axes over which mean and variance are taken together.
    eps : float
        Added to the variance, above 0.
    dtype, device
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are ``weight``, ones, and ``bias``, zeros, both of
        shape `normalized_shape`.

    Raises
    ------
    ValueError
        For a size below 1, or `eps` not above 0.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450, 2016.

    Examples
    --------
    >>> layer = LayerNorm(3, dtype=np.float64)
    >>> layer(np.array([[1.0, 2.0, 3.0]])).round(3)
    array([[-1.225,  0.   ,  1.225]])
    >>> layer.backward(np.ones((1, 3))).shape, layer.bias.grad
    ((1, 3), array([1., 1., 1.]))
    """

    def __init__(self, normalized_shape, eps=1e-5, *, dtype=np.float32, device=None):
        check_device(device)
        self.normalized_shape = normalized_sizes(normalized_shape)
        self.eps = positive("eps", eps)
        dtype = np.float32 if dtype is None else dtype
        self.weight = Parameter(np.ones(self.normalized_shape, dtype))
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype))
        self._input = None

    def forward(self, x):
        """Map an array that ends in `normalized_shape` to one of the same shape."""
        x = np.asarray(x)
        check_normalized(x.shape, self.normalized_shape)
        self._input = x.astype(compute_dtype(self.weight, x), copy=False)
        weight, bias = self.weight.data.reshape(-1), self.bias.data.reshape(-1)
        return layer_norm(self._flat(self._input), weight, bias, self.eps).reshape(x.shape)

    def backward(self, d_output):
        """Return the derivative by the input and add to the gradients of weight and bias."""
        x, d_output = remembered(self._input), np.asarray(d_output)
        has_shape("d_output", d_output.shape, x.shape, "output's shape")
        dx, d_weight, d_bias = layer_norm_backward(
            self._flat(d_output), self._flat(x), self.weight.data.reshape(-1), self.eps
        )
        self.weight.add_grad(d_weight.reshape(self.normalized_shape))
        self.bias.add_grad(d_bias.reshape(self.normalized_shape))
        return dx.reshape(x.shape)

    def _flat(self, x):
        """The normalised axes as one."""
        return x.reshape(*x.shape[: x.ndim - len(self.normalized_shape)], -1)


class ReLU(Module):
    r"""Rectifier :math:`y = \max(0, x)`; its derivative is 1 above 0 and 0 elsewhere.

    Examples
    --------
    >>> layer = ReLU()
    >>> layer(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    >>> layer.backward(np.ones(3))
    array([0., 0., 1.])
    """

    _output = None

    def forward(self, x):
        """Set what is below 0 to 0."""
        x = np.asarray(x)
        self._output = np.where(x.real <= 0, 0, x)
        return self._output

    def backward(self, d_output):
        """Return the derivative by the input."""
        y, d_output = remembered(self._output), np.asarray(d_output)
        has_shape("d_output", d_output.shape, y.shape, "output's shape")
        return np.where(y.real > 0, d_output, 0)


class Tanh(Module):
    r"""Hyperbolic tangent :math:`y = \tanh x`, with the derivative :math:`1 - y^2`.

    Examples
    --------
    >>> layer = Tanh()
    >>> float(layer(np.array(0.0))), float(layer.backward(np.array(1.0)))
    (0.0, 1.0)
    """

    _output = None

    def forward(self, x):
        """Squash every entry to between -1 and 1."""
        self._output = np.tanh(np.asarray(x))
        return self._output

    def backward(self, d_output):
        """Return the derivative by the input."""
        y, d_output = remembered(self._output), np.asarray(d_output)
        has_shape("d_output", d_output.shape, y.shape, "output's shape")
        return d_output * (1 - y * y)


class Sequential(Module):
    """Layers one after the other: each reads what the one before it gives.

    For layers from one array to one array; a recurrent layer, which also has a state, goes into a
    :class:`lstm_lib.numpy.SequenceModel`.

    Parameters
    ----------
    *args : Module
        Their parameters are called ``0.weight``, ``0.bias``, ``1.weight`` and so on, as in torch.

    Raises
    ------
    TypeError
        If something is no layer.

    Examples
    --------
    >>> model = Sequential(Linear(3, 4, rng=0), Tanh(), Linear(4, 1, rng=1))
    >>> model(np.ones((5, 3))).shape
    (5, 1)
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> model.backward(np.ones((5, 1))).shape
    (5, 3)
    """

    def __init__(self, *args):
        for index, layer in enumerate(args):
            if not isinstance(layer, Module):
                raise TypeError(f"layer {index} must be a Module, got {type(layer).__name__}")
            setattr(self, str(index), layer)

    def __len__(self):
        return len(list(self.named_children()))

    def __iter__(self):
        return iter([layer for _, layer in self.named_children()])

    def __getitem__(self, index):
        return list(self)[index]

    def forward(self, x):
        """Call the layers in their order."""
        for layer in self:
            x = layer(x)
        return x

    def backward(self, d_output):
        """Go back through the layers and return the derivative by the input of the first."""
        for layer in reversed(list(self)):
            d_output = layer.backward(d_output)
        return d_output
