"""Every hand-written backward pass against the complex step, and the judges against each other."""

import numpy as np
import pytest

from lstm_lib import equations
from lstm_lib import numpy as N
from lstm_lib.gradcheck import (
    central_difference,
    check_gradients,
    compare_gradients,
    complex_step,
)
from tests.helpers import as_states, random_problem


@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(num_layers=2, bidirectional=True, lengths=[4, 1, 2]),
        dict(batch_first=True, bias=False),
        dict(lengths=[2, 2, 2]),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_backward_is_the_complex_step_derivative(kind, options):
    problem = random_problem(11, kind=kind, steps=4, hidden=3, **options)
    layer = getattr(N, kind)(**problem.options, dtype=np.float64)
    layer.load_state_dict(problem.state)
    report = check_gradients(layer, problem.x, problem.hx, lengths=problem.lengths)
    assert report.ok, str(report)
    assert len(report.errors) == len(problem.state) + (3 if kind == "LSTM" else 2)


def test_cells_and_linear_backward():
    rng = np.random.default_rng(0)
    x, h, c = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    options = dict(dtype=np.float64, rng=0)
    check_gradients(N.LSTMCell(3, 4, **options), x, (h, c)).raise_if_wrong()
    check_gradients(N.GRUCell(3, 4, **options), x, h).raise_if_wrong()
    for nonlinearity in ("tanh", "relu"):
        cell = N.RNNCell(3, 4, nonlinearity=nonlinearity, **options)
        check_gradients(cell, x, h).raise_if_wrong()
    check_gradients(N.Linear(3, 4, **options), rng.normal(size=(2, 5, 3))).raise_if_wrong()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_cell_backward_through_time_equals_the_layer(kind):
    problem = random_problem(2, kind=kind, steps=5)
    layer = getattr(N, kind)(**problem.options, dtype=np.float64)
    cell = getattr(N, f"{kind}Cell")(2, 5, dtype=np.float64)
    layer.load_state_dict(problem.state)
    cell.load_state_dict({name.removesuffix("_l0"): a for name, a in problem.state.items()})
    layer(problem.x, problem.hx)
    layer.backward(problem.d_output, problem.d_hx)
    states = tuple(s[0] for s in as_states(problem.hx))
    for x in problem.x:
        states = as_states(cell(x, states if kind == "LSTM" else states[0]))
    d_states = tuple(s[0] for s in as_states(problem.d_hx))
    for d_output in problem.d_output[::-1]:
        d_states = as_states(cell.backward(d_states[0] + d_output, *d_states[1:])[1])
    assert np.allclose(cell.weight_hh.grad, layer.weight_hh_l0.grad, rtol=0, atol=1e-12)
    assert np.allclose(cell.bias_hh.grad, layer.bias_hh_l0.grad, rtol=0, atol=1e-12)


def test_step_backward_of_the_equations():
    rng = np.random.default_rng(0)
    arrays = dict(
        x=rng.normal(size=(3, 2)),
        h=rng.normal(size=(3, 4)),
        c=rng.normal(size=(3, 4)),
        weight_ih=rng.normal(size=(16, 2)),
        weight_hh=rng.normal(size=(16, 4)),
        bias=rng.normal(size=16),
    )
    dh, dc = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))

    def loss(a):
        step = equations.lstm_step(**a)
        return (dh * step.h + dc * step.c).sum()

    step = equations.lstm_step(**arrays)
    inputs = {name: a for name, a in arrays.items() if name != "bias"}
    claimed = equations.lstm_step_backward(dh, dc, step, **inputs)._asdict()
    report = compare_gradients(claimed, complex_step(loss, arrays), tolerance=1e-12, hidden_size=4)
    report.raise_if_wrong()


def test_the_two_judges_agree():
    lstm = N.LSTM(2, 3, dtype=np.float64, rng=0)
    x = np.random.default_rng(0).normal(size=(4, 2, 2))
    assert check_gradients(lstm, x, method="central").worst < 1e-8
    assert check_gradients(lstm, x, method="complex").worst < 1e-13


def test_a_wrong_backward_is_found_and_located():
    class Wrong(N.LSTM):
        def backward(self, d_output=None, d_hx=None):
            result = super().backward(d_output, d_hx)
            self.weight_hh_l0.grad[7, 1] *= -1
            return result

    lstm = Wrong(2, 3, dtype=np.float64, rng=0)
    report = check_gradients(lstm, np.random.default_rng(0).normal(size=(4, 2, 2)))
    assert [entry.name for entry in report.failures] == ["weight_hh_l0"]
    assert "gate g, unit 1" in str(report)
    with pytest.raises(AssertionError, match="gate g, unit 1"):
        report.raise_if_wrong()


def test_check_leaves_the_weights_as_they_were():
    lstm = N.LSTM(2, 3, rng=0)
    before = lstm.state_dict()
    check_gradients(lstm, np.ones((2, 1, 2)))
    assert all(np.array_equal(before[n], v) for n, v in lstm.state_dict().items())
    assert lstm.weight_ih_l0.dtype == np.float32


def test_a_nan_gradient_is_a_failure():
    report = compare_gradients({"w": np.array([np.nan])}, {"w": np.array([1.0])}, tolerance=1e-6)
    assert not report.ok


def test_complex_step_refuses_code_that_drops_the_imaginary_part():
    with pytest.raises(TypeError, match="imaginary part"):
        complex_step(lambda a: a["x"].real.sum(), {"x": np.ones(2)})


def test_numerical_derivatives_of_a_known_function():
    point = {"x": np.array([0.3, -0.2]), "y": np.array([[1.5]])}
    exact = {"x": np.exp(point["x"]) * 1.5, "y": np.exp(point["x"]).sum().reshape(1, 1)}

    def f(a):
        return (np.exp(a["x"]) * a["y"]).sum()

    for name in point:
        assert np.allclose(complex_step(f, point)[name], exact[name], rtol=1e-15)
        assert np.allclose(central_difference(f, point)[name], exact[name], rtol=1e-9)
