"""Layers without recurrence."""

import numpy as np

from lstm_lib import parameters
from lstm_lib.numpy.module import Module, Parameter, check_device, compute_dtype
from lstm_lib.validation import has_shape, positive_int


class Linear(Module):
    r"""Affine map :math:`y = x A^\top + b` of the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype, device, rng
        As in :class:`lstm_lib.numpy.LSTM`. Parameters are ``weight`` (out, in) and ``bias`` (out,),
        drawn uniformly within :math:`\pm 1/\sqrt{\text{in}}` as torch does.

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
        if self._input is None:
            raise RuntimeError("backward needs a forward pass first: call the layer on an input")
        d_output = np.asarray(d_output)
        expected = (*self._input.shape[:-1], self.out_features)
        has_shape("d_output", d_output.shape, expected, "output's shape")
        flat_d = d_output.reshape(-1, self.out_features)
        self.weight.add_grad(flat_d.T @ self._input.reshape(-1, self.in_features))
        if self.bias is not None:
            self.bias.add_grad(flat_d.sum(axis=0))
        return d_output @ self.weight.data
