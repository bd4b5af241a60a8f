"""Flax's cells written again in NumPy from their documented equations, parameter names included.

Flax brings more to an installation than this repository's tests should ask for. Where it is installed, the same
tests hold the conversions against the real cells too.
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def dense(params, x):
    return x @ params["kernel"] + params.get("bias", 0)


def lstm_by_gate(params, carry, x):
    c, h = carry
    forget = "if_" if "if_" in params else "if"
    i = sigmoid(dense(params["ii"], x) + dense(params["hi"], h))
    f = sigmoid(dense(params[forget], x) + dense(params["hf"], h))
    g = np.tanh(dense(params["ig"], x) + dense(params["hg"], h))
    o = sigmoid(dense(params["io"], x) + dense(params["ho"], h))
    c = f * c + i * g
    return (c, o * np.tanh(c))


def lstm_fused(params, carry, x):
    c, h = carry
    i, f, g, o = np.split(dense(params["dense_i"], x) + dense(params["dense_h"], h), 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return (c, sigmoid(o) * np.tanh(c))


def gru_by_gate(params, h, x):
    r = sigmoid(dense(params["ir"], x) + dense(params["hr"], h))
    z = sigmoid(dense(params["iz"], x) + dense(params["hz"], h))
    n = np.tanh(dense(params["in"], x) + r * dense(params["hn"], h))
    return (1 - z) * n + z * h


def gru_fused(params, h, x):
    xr, xz, xn = np.split(dense(params["dense_i"], x), 3, axis=-1)
    hr, hz, hn = np.split(dense(params["dense_h"], h), 3, axis=-1)
    z = sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h


def simple_by_gate(params, h, x):
    return np.tanh(dense(params["i"], x) + dense(params["h"], h))


def simple_fused(params, h, x):
    return np.tanh(dense(params["dense_i"], x) + dense(params["dense_h"], h))


CELLS = {
    "linen.LSTMCell": lstm_by_gate,
    "linen.OptimizedLSTMCell": lstm_by_gate,
    "linen.GRUCell": gru_by_gate,
    "linen.SimpleCell": simple_by_gate,
    "nnx.LSTMCell": lstm_by_gate,
    "nnx.OptimizedLSTMCell": lstm_fused,
    "nnx.GRUCell": gru_fused,
    "nnx.SimpleCell": simple_fused,
}
"""Cell to its step: parameters, carry and input to the new carry."""


def real_step(cell, hidden_size, input_size):
    """The same step by Flax itself."""

    from flax import linen, nnx

    api, name = cell.split(".")
    if api == "linen":
        module = getattr(linen, name)(features=hidden_size, param_dtype=np.float64)
        return lambda params, carry, x: module.apply({"params": params}, carry, x)[0]
    module = getattr(nnx, name)(
        input_size, hidden_size, rngs=nnx.Rngs(0), dtype="float64", param_dtype="float64"
    )

    def step(params, carry, x):
        state = nnx.state(module)
        nnx.replace_by_pure_dict(state, params)
        nnx.update(module, state)
        return module(carry, x)[0]

    return step
