"""One direction of one layer, seen from inside: its step, the step's derivative and its Jacobian.

A cell turns the input and the state before a step into the named arrays of that step, and back. It
holds NumPy weights and knows nothing of time, directions or engines.
"""

import numpy as np

from lstm_lib.equations import (
    GRUStep,
    LSTMStep,
    gru_gates,
    gru_step_backward,
    lstm_gates,
    lstm_preactivation,
    lstm_step_backward,
    rnn_step_backward,
    tanh,
)

SYMBOLS = {
    "LSTM": ("i", "f", "g", "o", "c", "h"),
    "GRU": ("r", "z", "n", "q", "h"),
    "RNN": ("a", "h"),
}
"""What a trace of each kind of layer holds, with the symbols of the equations."""


class LSTMInside:
    """The step of an LSTM; an intervention replaces i, f, g, o, and c and h follow."""

    symbols = SYMBOLS["LSTM"]
    states = ("h", "c")

    def __init__(self, weights):
        self.weight_ih, self.weight_hh, bias_ih, bias_hh = weights
        self.bias = bias_ih + bias_hh

    def step(self, x, state, edit):
        h, c = state
        step = lstm_gates(lstm_preactivation(x, h, self.weight_ih, self.weight_hh, self.bias), c)
        found = {name: getattr(step, name) for name in self.symbols}
        if edit is not None:
            gates = edit({name: found[name] for name in "ifgo"})
            c = gates["f"] * c + gates["i"] * gates["g"]
            found = {**gates, "c": c, "h": gates["o"] * tanh(c)}
        return found

    def backward(self, d_state, found, x, before):
        dh, dc = d_state
        tanh_c = np.tanh(found["c"])
        step = LSTMStep(**found, tanh_c=tanh_c)
        by = lstm_step_backward(dh, dc, step, x, *before, self.weight_ih, self.weight_hh)
        dc = dc + dh * step.o * (1 - tanh_c * tanh_c)
        of_symbols = {
            "i": dc * step.g,
            "f": dc * before[1],
            "g": dc * step.i,
            "o": dh * tanh_c,
            "c": dc,
            "h": dh,
        }
        return of_symbols, by.x, (by.h, by.c)

    def jacobian(self, found, before):
        i, f, g, o = (found[name] for name in "ifgo")
        tanh_c = np.tanh(found["c"])
        of_i, of_f, of_g, of_o = _blocks(self.weight_hh, 4)
        c_by_h = (
            _rows(g * i * (1 - i), of_i)
            + _rows(before[1] * f * (1 - f), of_f)
            + _rows(i * (1 - g * g), of_g)
        )
        h_by_c = o * (1 - tanh_c * tanh_c)
        h_by_h = _rows(tanh_c * o * (1 - o), of_o) + _rows(h_by_c, c_by_h)
        one = np.eye(f.shape[-1])
        return np.block([[h_by_h, _rows(h_by_c * f, one)], [c_by_h, _rows(f, one)]])


class GRUInside:
    """The step of a GRU; an intervention replaces r, z, q, and n and h follow."""

    symbols = SYMBOLS["GRU"]
    states = ("h",)

    def __init__(self, weights):
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights

    def step(self, x, state, edit):
        (h,) = state
        from_x = x @ self.weight_ih.T + self.bias_ih
        step = gru_gates(from_x, h @ self.weight_hh.T + self.bias_hh, h)
        found = {name: getattr(step, name) for name in self.symbols}
        if edit is not None:
            gates = edit({name: found[name] for name in "rzq"})
            n = tanh(from_x[..., 2 * h.shape[-1] :] + gates["r"] * gates["q"])
            found = {**gates, "n": n, "h": (1 - gates["z"]) * n + gates["z"] * h}
        return found

    def backward(self, d_state, found, x, before):
        (dh,), (h,) = d_state, before
        step = GRUStep(**found)
        by = gru_step_backward(dh, step, x, h, self.weight_ih, self.weight_hh)
        dn = dh * (1 - step.z)
        da_n = dn * (1 - step.n * step.n)
        of_symbols = {
            "r": da_n * step.q,
            "z": dh * (h - step.n),
            "n": dn,
            "q": da_n * step.r,
            "h": dh,
        }
        return of_symbols, by.x, (by.h,)

    def jacobian(self, found, before):
        r, z, n, q = (found[name] for name in "rznq")
        of_r, of_z, of_n = _blocks(self.weight_hh, 3)
        from_r = (1 - z) * (1 - n * n) * q * r * (1 - r)
        return (
            _rows(z, np.eye(z.shape[-1]))
            + _rows((before[0] - n) * z * (1 - z), of_z)
            + _rows(from_r, of_r)
            + _rows((1 - z) * (1 - n * n) * r, of_n)
        )


class RNNInside:
    """The step of a plain RNN; an intervention replaces the pre-activation a, and h follows."""

    symbols = SYMBOLS["RNN"]
    states = ("h",)

    def __init__(self, weights, nonlinearity):
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights
        self.nonlinearity = nonlinearity

    def step(self, x, state, edit):
        a = x @ self.weight_ih.T + self.bias_ih + state[0] @ self.weight_hh.T + self.bias_hh
        if edit is not None:
            a = edit({"a": a})["a"]
        return {"a": a, "h": tanh(a) if self.nonlinearity == "tanh" else a * (a.real > 0)}

    def slope(self, h):
        """Derivative of h by a, from h."""
        return 1 - h * h if self.nonlinearity == "tanh" else (h.real > 0).astype(h.dtype)

    def backward(self, d_state, found, x, before):
        (dh,), h = d_state, found["h"]
        weights = self.weight_ih, self.weight_hh
        by = rnn_step_backward(dh, h, x, before[0], *weights, self.nonlinearity)
        return {"a": dh * self.slope(h), "h": dh}, by.x, (by.h,)

    def jacobian(self, found, before):
        return _rows(self.slope(found["h"]), self.weight_hh)


def _blocks(weight, gates):
    """The recurrent matrix of each gate, (H, H) each."""
    return weight.reshape(gates, -1, weight.shape[-1])


def _rows(factors, matrix):
    """diag(factors) @ matrix, for factors of shape (..., H)."""
    return factors[..., :, None] * matrix
