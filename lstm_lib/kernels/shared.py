"""What the kernels of the GRU and the plain RNN share: memory and the weights' gradients."""

import numpy as np


class InputFirstWorkspace:
    """Memory for one pass in which the product with the input is made for all steps at once."""

    def __init__(self, gates, steps, batch, hidden_size, dtype):
        T, B, H = steps, batch, hidden_size
        self.dtype = np.dtype(dtype)
        self.from_x = np.empty((T, gates * H, B), dtype)
        self.h = np.empty((T + 1, H, B), dtype)
        self.from_h = np.empty((gates * H, B), dtype)
        self.da = np.empty((T, gates * H, B), dtype)
        self.x = self.past_end = None

    def start(self, x, h_0, weight_ih, bias, past_end):
        """Keep the input and make its product with the weights for all steps."""
        self.x, self.past_end = x, past_end
        self.h[0] = h_0.T
        weight_ih = weight_ih.astype(self.dtype, copy=False)
        np.matmul(weight_ih, x.transpose(0, 2, 1), out=self.from_x)
        self.from_x += bias[:, None]

    def output(self):
        """The states after every step, (T, B, H), and the last of them."""
        return self.h[1:].transpose(0, 2, 1).copy(), (self.h[-1].T.copy(),)

    def gradients(self, by_x, by_h, weight_ih, dh):
        """Derivatives by input, initial state and weights from those by the pre-activations."""
        T, B, I = self.x.shape
        h_before = self.h[:-1].transpose(0, 2, 1).reshape(T * B, -1)
        dx = (by_x.T @ weight_ih).reshape(T, B, I)
        d_weights = (
            by_x @ self.x.reshape(T * B, I),
            by_h @ h_before,
            by_x.sum(axis=1),
            by_h.sum(axis=1),
        )
        return dx, (dh.T.copy(),), d_weights


def steps_side_by_side(a):
    """From (T, R, B) to (R, T * B), so that a weight gradient is one product."""
    return a.transpose(1, 0, 2).reshape(a.shape[1], -1)
