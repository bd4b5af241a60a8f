r"""Bugs in backpropagation through time: the forward pass is right and only the gradients are not.

Each changes one method of :class:`Stepwise`, whose backward pass runs, with the step's derivative from
:mod:`lstm_lib.equations`,

.. math::

    \delta h_t = \delta y_t + \delta a_{t+1} U, \qquad
    \delta c_t = \delta c_{t+1} \odot f_{t+1} + \delta h_t \odot o_t \odot (1 - \tanh^2 c_t)
"""

import numpy as np

from lstm_lib import equations, parameters
from lstm_lib import numpy as L
from lstm_lib.gradcheck import check_gradients
from lstm_lib.zoo.entry import Bug

_NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class Stepwise(L.Module):
    """One LSTM layer over time, forward and backward, as plain as it can be written.

    Parameters
    ----------
    input_size, hidden_size : int
    rng : int or numpy.random.Generator, optional

    Examples
    --------
    >>> layer = Stepwise(2, 3, rng=0)
    >>> output, (h, c) = layer(np.ones((4, 1, 2)))
    >>> dx, _ = layer.backward(np.ones_like(output), (np.zeros_like(h), np.zeros_like(c)))
    >>> output.shape, dx.shape
    ((4, 1, 3), (4, 1, 2))
    """

    def __init__(self, input_size, hidden_size, rng=None):
        self.hidden_size = hidden_size
        sizes = dict(input_size=input_size, hidden_size=hidden_size)
        for name, value in parameters.recurrent_values(sizes, rng=rng, dtype=np.float64).items():
            setattr(self, name, L.Parameter(value))

    def forward(self, x):
        """Return all hidden states (T, B, H) and the last ``(h, c)``, from states of zero."""
        h = c = np.zeros((x.shape[1], self.hidden_size))
        self.steps, outputs = [], []
        for x_t in x:
            before = x_t, h, c
            step = equations.lstm_step(x_t, h, c, *self.weights(), self.bias())
            self.steps.append((before, step))
            h, c = step.h, step.c
            outputs.append(h)
        return np.stack(outputs), (h, c)

    def backward(self, d_output, d_state):
        """Return the derivative by the input and by the first states."""
        dh, dc = d_state
        dx = np.zeros((*d_output.shape[:2], self.weight_ih_l0.shape[1]))
        for t in reversed(range(len(self.steps))):
            before, step = self.steps[t]
            dx[t], dh, dc = self.step_backward(dh + d_output[t], dc, step, *before)
        return dx, (dh, dc)

    def step_backward(self, dh, dc, step, x, h, c):
        """One step back: collect the gradients, return the derivatives by x, h and c."""
        da, dc = self.gates_backward(dh, dc, step, c)
        da = np.concatenate(da, axis=-1)
        for name, gradient in zip(
            _NAMES, (da.T @ x, da.T @ h, da.sum(axis=0), da.sum(axis=0)), strict=True
        ):
            self.collect(getattr(self, name), gradient)
        weight_ih, weight_hh = self.weights()
        return da @ weight_ih, da @ weight_hh, dc

    def gates_backward(self, dh, dc, step, c):
        """Derivatives by the four pre-activations and by the cell state before."""
        return equations.lstm_gates_backward(dh, dc, step, c)

    def collect(self, parameter, gradient):
        """Add one step's gradient."""
        parameter.add_grad(gradient)

    def weights(self):
        """W and U."""
        return self.weight_ih_l0.data, self.weight_hh_l0.data

    def bias(self):
        """Both biases, summed."""
        return self.bias_ih_l0.data + self.bias_hh_l0.data


class MissingGateDerivative(Stepwise):
    """The derivative of a sigmoid is taken for its value: (1 - f) is missing."""

    def gates_backward(self, dh, dc, step, c):
        """The right derivative but for the forget gate."""
        (da_i, _, da_g, da_o), dc_before = super().gates_backward(dh, dc, step, c)
        dc = dc + dh * step.o * (1 - step.tanh_c**2)
        return (da_i, dc * c * step.f, da_g, da_o), dc_before


class DroppedCellGradient(Stepwise):
    """The derivative by the cell state is not handed to the step before."""

    def gates_backward(self, dh, dc, step, c):
        """The right derivative, with an empty message to the past."""
        da, dc_before = super().gates_backward(dh, dc, step, c)
        return da, np.zeros_like(dc_before)


class UndampedCellGradient(Stepwise):
    """The derivative by the cell state goes to the step before as if the forget gate were 1."""

    def gates_backward(self, dh, dc, step, c):
        """The right derivative, with dc where dc * f belongs."""
        da, _ = super().gates_backward(dh, dc, step, c)
        return da, dc + dh * step.o * (1 - step.tanh_c**2)


class DroppedHiddenGradient(Stepwise):
    """The derivative by the hidden state is not handed to the step before."""

    def step_backward(self, dh, dc, step, x, h, c):
        """One step back that forgets where h came from."""
        dx, dh, dc = super().step_backward(dh, dc, step, x, h, c)
        return dx, np.zeros_like(dh), dc


class ForgottenTanh(Stepwise):
    """On the way from h to c the derivative of tanh is left out."""

    def gates_backward(self, dh, dc, step, c):
        """The equations with dc + dh * o where dc + dh * o * (1 - tanh² c) belongs."""
        i, f, g, o = step.i, step.f, step.g, step.o
        dc = dc + dh * o
        da_i = dc * g * i * (1 - i)
        da_f = dc * c * f * (1 - f)
        da_g = dc * i * (1 - g**2)
        da_o = dh * step.tanh_c * o * (1 - o)
        return (da_i, da_f, da_g, da_o), dc * f


class OverwrittenGradient(Stepwise):
    """Every step writes its gradient over that of the step before instead of adding it."""

    def collect(self, parameter, gradient):
        """An equals sign where a plus belongs."""
        parameter.grad = gradient


class WrongBiasInBackward(Stepwise):
    """To save memory the gates are computed again, with one of the two biases."""

    def step_backward(self, dh, dc, step, x, h, c):
        """One step back from gates that are not those of the forward pass."""
        step = equations.lstm_step(x, h, c, *self.weights(), self.bias_ih_l0.data)
        return super().step_backward(dh, dc, step, x, h, c)


def gradient_error(implementation, rng, biases=True):
    """Largest relative error of all gradients, by the complex step.

    Parameters
    ----------
    implementation : callable
        Of the kind "backward".
    rng : numpy.random.Generator
    biases : bool
        Whether the biases are random or, as in a careless test, all zero.

    Returns
    -------
    float

    Examples
    --------
    A test whose biases are zero does not see a wrong bias:

    >>> rng = np.random.default_rng(0)
    >>> gradient_error(WrongBiasInBackward, rng, biases=False) < 1e-12
    True
    >>> gradient_error(WrongBiasInBackward, rng) > 1e-2
    True
    """
    return _report(implementation, rng, biases).worst


def _report(implementation, rng, biases=True):
    layer = implementation(2, 3, rng=rng)
    for name in _NAMES[2:]:
        parameter = getattr(layer, name)
        parameter.data = rng.normal(size=parameter.shape) * biases
    return check_gradients(layer, rng.normal(size=(5, 2, 2)), rng=rng)


def _disagrees_with_the_complex_step(implementation, rng):
    report = _report(implementation, rng)
    return "" if report.ok else str(report)


def _gradients(implementation, rng, steps, forget_bias=0.0, only_last=True):
    """Gradients of a loss on the last hidden state (or on all), by name, for weights drawn from rng."""
    layer = implementation(2, 8, rng=rng)
    layer.bias_ih_l0.data[parameters.gate_rows("f", 8)] = forget_bias
    x = rng.normal(size=(1, 3, 2)).repeat(steps, axis=0)
    output, (h, c) = layer(x)
    d_output = np.ones_like(output)
    if only_last:
        d_output[:-1] = 0
    dx, _ = layer.backward(d_output, (np.zeros_like(h), np.zeros_like(c)))
    return {"x": dx} | {name: parameter.grad for name, parameter in layer.named_parameters()}


def _forget_gradient_size(implementation, rng):
    seed = rng.integers(2**32)
    claimed, true = (
        _gradients(kind, np.random.default_rng(seed), 10)["bias_ih_l0"]
        for kind in (implementation, Stepwise)
    )
    rows = parameters.gate_rows("f", 8)
    return np.linalg.norm(claimed[rows]) / np.linalg.norm(true[rows])


def _reach(forget_bias):
    """The gradient at the first of 30 inputs over that at the last."""

    def measure(implementation, rng):
        dx = _gradients(implementation, rng, 30, forget_bias)["x"]
        return np.linalg.norm(dx[0]) / np.linalg.norm(dx[-1])

    return measure


def _relative_error(name):
    def measure(implementation, rng):
        seed = rng.integers(2**32)
        claimed, true = (
            _gradients(kind, np.random.default_rng(seed), 20, only_last=False)[name]
            for kind in (implementation, Stepwise)
        )
        return np.linalg.norm(claimed - true) / np.linalg.norm(true)

    return measure


def _size_in_saturation(implementation, rng):
    seed = rng.integers(2**32)
    claimed, true = (
        _gradients(kind, np.random.default_rng(seed), 40, forget_bias=5.0)["bias_hh_l0"]
        for kind in (implementation, Stepwise)
    )
    return np.linalg.norm(claimed) / np.linalg.norm(true)


def _growth_with_length(implementation, rng):
    seed = rng.integers(2**32)
    long, short = (
        _gradients(implementation, np.random.default_rng(seed), steps, only_last=False)
        for steps in (40, 5)
    )
    return np.linalg.norm(long["bias_ih_l0"]) / np.linalg.norm(short["bias_ih_l0"])


_PROMISE = "Backward equals the complex-step derivative, with random biases and several steps."

BUGS = (
    Bug(
        name="missing_gate_derivative",
        kind="backward",
        title="A gate's derivative without (1 - f)",
        wrong="The derivative by the forget gate's pre-activation is dc * c * f.",
        looks="It learns, with steps in the forget gate that are too long just where the gate is open.",
        promise=_PROMISE,
        seen="Common.",
        fix="A sigmoid's derivative is f * (1 - f); compare with a numerical derivative.",
        broken=MissingGateDerivative,
        correct=Stepwise,
        quantity="size of the forget bias's gradient, in units of the true one",
        judge=_disagrees_with_the_complex_step,
        measure=_forget_gradient_size,
    ),
    Bug(
        name="dropped_cell_gradient",
        kind="backward",
        title="No gradient along the cell state",
        wrong="dc is computed in every step and not handed to the step before.",
        looks="Short dependencies are learned, long ones never: the constant error carousel is cut.",
        promise=_PROMISE,
        seen="Common.",
        fix="Carry dc * f to the step before, beside dh.",
        broken=DroppedCellGradient,
        correct=Stepwise,
        quantity="gradient at the first of 30 inputs over that at the last, with a forget bias of 5",
        judge=_disagrees_with_the_complex_step,
        measure=_reach(forget_bias=5.0),
    ),
    Bug(
        name="undamped_cell_gradient",
        kind="backward",
        title="No forget gate on the way back",
        wrong="The step before gets dc where dc * f belongs.",
        looks="The gradient does not fade on its way back, however far the forget gates are shut: what the "
        "cell has forgotten is still blamed.",
        promise=_PROMISE,
        seen="Common.",
        fix="What was multiplied by f on the way forward is multiplied by f on the way back.",
        broken=UndampedCellGradient,
        correct=Stepwise,
        quantity="gradient at the first of 30 inputs over that at the last, with a forget bias of 0",
        judge=_disagrees_with_the_complex_step,
        measure=_reach(forget_bias=0.0),
    ),
    Bug(
        name="dropped_hidden_gradient",
        kind="backward",
        title="No gradient along the hidden state",
        wrong="dh of each step is what the loss says there, without what later steps add.",
        looks="The loss falls, slower than it should: no gate learns what it does to later gates.",
        promise=_PROMISE,
        seen="Common.",
        fix="Add da @ U of the next step to dh.",
        broken=DroppedHiddenGradient,
        correct=Stepwise,
        quantity="relative error of the recurrent weights' gradient over 20 steps",
        judge=_disagrees_with_the_complex_step,
        measure=_relative_error("weight_hh_l0"),
    ),
    Bug(
        name="forgotten_tanh",
        kind="backward",
        title="No derivative of tanh between h and c",
        wrong="dc grows by dh * o instead of dh * o * (1 - tanh² c).",
        looks="Right while the cell state is small; where it is large, gradients are many times too large.",
        promise=_PROMISE,
        seen="Common.",
        fix="Multiply by 1 - tanh² c; check with cell states that are not small.",
        broken=ForgottenTanh,
        correct=Stepwise,
        quantity="size of the bias's gradient after 40 steps of an open cell, in units of the true one",
        judge=_disagrees_with_the_complex_step,
        measure=_size_in_saturation,
    ),
    Bug(
        name="overwritten_gradient",
        kind="backward",
        title="Gradients overwritten instead of added",
        wrong="In the loop over time stands grad = ... where grad += ... belongs.",
        looks="Sequences of one step pass every test; with longer ones only the first step teaches.",
        promise=_PROMISE,
        seen="Common.",
        fix="Add; test with more than one step.",
        broken=OverwrittenGradient,
        correct=Stepwise,
        quantity="growth of the bias's gradient from 5 equal steps to 40",
        judge=_disagrees_with_the_complex_step,
        measure=_growth_with_length,
    ),
    Bug(
        name="wrong_bias_in_backward",
        kind="backward",
        title="A wrong bias that zero biases hide",
        wrong="The backward pass computes the gates again and leaves bias_hh out.",
        looks="The gradient check passes, because its biases are all zero; after some training the "
        "gradients are wrong.",
        promise=_PROMISE,
        seen="In numpy-ml all biases of the test were zero, so a wrong bias in the backward pass went unseen.",
        fix="Test with random biases that are not zero.",
        broken=WrongBiasInBackward,
        correct=Stepwise,
        quantity="largest relative error of a gradient with random biases",
        judge=_disagrees_with_the_complex_step,
        measure=gradient_error,
    ),
)
