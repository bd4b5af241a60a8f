"""The NumPy LSTM of a tutorial: the readable step of ``lstm_lib.equations`` in a loop, nothing more."""

import numpy as np

from lstm_lib.equations import lstm_step, lstm_step_backward


def forward(x, weight_ih, weight_hh, bias):
    """Outputs (T, B, H), and all that the backward pass needs."""
    h = c = np.zeros((x.shape[1], weight_hh.shape[1]), x.dtype)
    steps, before = [], []
    for x_t in x:
        before.append((h, c))
        step = lstm_step(x_t, h, c, weight_ih, weight_hh, bias)
        steps.append(step)
        h, c = step.h, step.c
    return np.stack([step.h for step in steps]), (steps, before)


def backward(d_output, x, weight_ih, weight_hh, kept):
    """Derivatives by the input and the three weights."""
    dh = dc = np.zeros_like(d_output[0])
    d_weights = [np.zeros_like(weight_ih), np.zeros_like(weight_hh), np.zeros_like(weight_hh[:, 0])]
    dx = np.empty_like(x)
    steps, before = kept
    for t in reversed(range(len(x))):
        d = lstm_step_backward(
            dh + d_output[t], dc, steps[t], x[t], *before[t], weight_ih, weight_hh
        )
        dx[t], dh, dc = d.x, d.h, d.c
        for total, part in zip(d_weights, (d.weight_ih, d.weight_hh, d.bias), strict=True):
            total += part
    return dx, *d_weights
