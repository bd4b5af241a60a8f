"""The judges of gradients: the valley of step sizes, the Taylor slope, samples, masks and integers."""

import re

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import (
    check_gradients,
    check_taylor,
    forward_difference,
    step_sweep,
    taylor_slope,
)
from lstm_lib.masks import MaskSource
from lstm_lib.torch.masks import MaskSource as TorchMaskSource

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 2, 3))


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def cubic(arrays):
    return (arrays["x"] ** 3).sum() + arrays["x"].sum() * arrays["y"].sum()


POINT = {"x": np.array([0.7, -1.3]), "y": np.array([[0.4]])}
GRADIENT = {"x": 3 * POINT["x"] ** 2 + 0.4, "y": np.array([[-0.6]])}


class Tokens(N.Module):
    """Looks rows up by integers; there is no derivative by a token."""

    def __init__(self, wrong=False):
        self.weight, self.wrong = N.Parameter(RNG.normal(size=(5, 3))), wrong

    def forward(self, tokens, scale):
        self.tokens, self.scale = tokens, scale
        self.rows = self.weight.data[tokens]
        return self.rows * scale

    def backward(self, d_output):
        gradient = np.zeros(self.weight.shape)
        np.add.at(gradient, self.tokens, d_output * self.scale)
        self.weight.add_grad(gradient)
        return None, None if self.wrong else (d_output * self.rows).sum()


class Dropped(MaskSource, N.Module):
    """Draws a mask in training mode."""

    def __init__(self):
        self.linear = N.Linear(3, 4, rng=0)
        self.reseed(1)

    def forward(self, x):
        self.mask = self.dropout_mask(x.shape, 0.5) if self.training else 1.0
        return self.linear(x * self.mask)

    def backward(self, d_output):
        return self.linear.backward(d_output) * self.mask


class TorchDropped(TorchMaskSource, torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = T.Linear(3, 4, rng=0)
        self.register_buffer("shift", torch.ones(4))
        self.register_buffer("count", torch.tensor(3))
        self.reseed(1)

    def forward(self, x):
        x = x * self.dropout_mask(x.shape, 0.5, x) if self.training else x
        return self.linear(x).tanh() + self.shift * self.count


def wrong_sign(kind):
    """A layer whose gradient has the wrong sign in the candidate's block of weight_hh."""

    class Wrong(getattr(N, kind)):
        def backward(self, *d_outputs):
            result = super().backward(*d_outputs)
            size = self.hidden_size
            self.weight_hh_l0.grad[2 * size : 3 * size] *= -1
            return result

    return Wrong


class WrongSign(torch.autograd.Function):
    """The identity, with the wrong sign in the candidate's block of the derivative."""

    @staticmethod
    def forward(ctx, weight):
        return weight.clone()

    @staticmethod
    def backward(ctx, d_weight):
        size = d_weight.shape[1]
        d_weight = d_weight.clone()
        d_weight[2 * size : 3 * size] *= -1
        return d_weight


def test_the_error_falls_and_rises_again():
    sweep = step_sweep(cubic, POINT, exact=GRADIENT)
    assert 1e-9 <= sweep.best_step("forward") <= 1e-7
    assert 1e-6 <= sweep.best_step("central") <= 1e-4
    assert sweep.best_error("central") < 1e-2 * sweep.best_error("forward") < 1e-8
    assert sweep.errors["complex"][-1] < 1e-15
    for method, order in (("forward", 1), ("central", 2), ("complex", 2)):
        error = sweep.errors[method]
        assert np.log10(error[0] / error[1]) == pytest.approx(order, abs=0.15)
    assert np.all(np.diff(sweep.steps) < 0)


def test_the_sweep_finds_the_true_derivative_itself():
    with_exact = step_sweep(cubic, POINT, [1e-3, 1e-5], exact=GRADIENT)
    assert np.allclose(
        step_sweep(cubic, POINT, [1e-5, 1e-3]).errors["central"],
        with_exact.errors["central"],
        atol=1e-14,
    )


def test_the_sweep_of_a_real_function_needs_its_derivative():
    def real(arrays):
        return cubic({name: array.real for name, array in arrays.items()})

    with raises(TypeError, "imaginary part"):
        step_sweep(real, POINT)
    sweep = step_sweep(real, POINT, methods=["central"], exact=GRADIENT)
    assert sweep.best_error("central") < 1e-9


def test_the_table_marks_the_best_step():
    text = str(step_sweep(cubic, POINT, [1e-2, 1e-5, 1e-9], methods=("forward", "central")))
    header, *rows = text.splitlines()
    assert header.split() == ["step", "forward", "central"]
    assert [row.split()[0] for row in rows] == ["1.0e-02", "1.0e-05", "1.0e-09"]
    assert text.count("*") == 2 and rows[1].endswith("*")


def test_bad_arguments_of_the_sweep():
    with raises(ValueError, "steps must be positive numbers, at least one, got [0.1, -0.1]"):
        step_sweep(cubic, POINT, [0.1, -0.1])
    with raises(ValueError, "steps must be positive"):
        step_sweep(cubic, POINT, [])
    with raises(ValueError, "method must be one of 'forward', 'central', 'complex'"):
        step_sweep(cubic, POINT, methods=["backward"])
    with raises(ValueError, "methods must name at least one"):
        step_sweep(cubic, POINT, methods=[])
    with raises(ValueError, "method must be one of 'central'; got 'forward'"):
        step_sweep(cubic, POINT, [1e-3], methods=["central"]).best_step("forward")


def test_forward_difference_of_a_known_function():
    measured = forward_difference(cubic, POINT, entries={"x": [(1,)]})
    assert measured["x"][0] == 0
    assert measured["x"][1] == pytest.approx(GRADIENT["x"][1], rel=1e-6)
    assert measured["y"] == pytest.approx(GRADIENT["y"], rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_slope_two_for_the_right_gradient_and_one_for_a_wrong_one(seed):
    report = taylor_slope(cubic, GRADIENT, POINT, rng=seed)
    assert report.ok and report.slope == pytest.approx(2, abs=0.05)
    report.raise_if_wrong()
    wrong = dict(GRADIENT, x=GRADIENT["x"] + 1e-3)
    report = taylor_slope(cubic, wrong, POINT, rng=seed)
    assert not report.ok and report.slope == pytest.approx(1, abs=0.05)
    with raises(AssertionError, "WRONG"):
        report.raise_if_wrong()


def test_rounding_is_left_out():
    report = taylor_slope(cubic, GRADIENT, POINT)
    assert report.used.any() and not report.used.all()
    assert report.residuals[report.used].min() > report.floor
    assert "(rounding)" in str(report) and "right" in str(report)


def test_a_linear_function_has_no_residual():
    report = taylor_slope(lambda a: 3 * a["x"].sum(), {"x": np.full(2, 3.0)}, {"x": np.ones(2)})
    assert report.slope == np.inf and report.ok
    assert taylor_slope(lambda a: 0.0, {"x": np.zeros(2)}, {"x": np.zeros(2)}).ok


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_wrong(bad):
    assert not taylor_slope(cubic, dict(GRADIENT, y=np.array([[bad]])), POINT).ok


def test_a_direction_can_be_given():
    only_y = {"x": np.zeros(2), "y": np.ones((1, 1))}
    wrong_x = dict(GRADIENT, x=-GRADIENT["x"])
    assert taylor_slope(cubic, wrong_x, POINT, only_y).ok
    assert not taylor_slope(cubic, wrong_x, POINT).ok


def test_bad_arguments_of_the_slope():
    with raises(ValueError, "steps must be at least two positive numbers, got [0.1]"):
        taylor_slope(cubic, GRADIENT, POINT, steps=[0.1])
    with raises(ValueError, "gradient has the names ['x'], the point ['x', 'y']"):
        taylor_slope(cubic, {"x": GRADIENT["x"]}, POINT)
    with raises(ValueError, "direction['y'] must have shape (1, 1) = shape of the point, got (1,)"):
        taylor_slope(cubic, GRADIENT, POINT, {"x": np.ones(2), "y": np.ones(1)})
    with raises(ValueError, "must draw no random numbers"):
        taylor_slope(lambda a: cubic(a) + RNG.normal(), GRADIENT, POINT)
    with raises(ValueError, "f must compute in float64, it returns float32"):
        taylor_slope(lambda a: np.float32(cubic(a)), GRADIENT, POINT)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_large_models_of_both_engines(kind):
    options = dict(input_size=3, hidden_size=40, num_layers=2, bidirectional=True, rng=0)
    lengths = [4, 2]
    assert check_taylor(getattr(N, kind)(**options), X, lengths=lengths).slope > 1.9
    report = check_taylor(getattr(T, kind)(**options), torch.tensor(X), lengths=lengths)
    assert report.slope > 1.9
    assert report.slope == pytest.approx(2, abs=0.1)


def test_the_states_are_inputs_too():
    state = (RNG.normal(size=(1, 2, 5)), RNG.normal(size=(1, 2, 5)))
    assert check_taylor(N.LSTM(3, 5, rng=0), X, state).ok
    tensors = tuple(torch.tensor(s) for s in state)
    assert check_taylor(torch.nn.LSTM(3, 5), torch.tensor(X), tensors).ok


@pytest.mark.parametrize("seed", range(3))
def test_one_wrong_sign_in_one_block_of_one_weight_is_seen(seed):
    report = check_taylor(wrong_sign("LSTM")(3, 40, rng=seed), X, rng=seed)
    assert not report.ok and report.slope == pytest.approx(1, abs=0.2)
    layer = torch.nn.LSTMCell(3, 40)

    class Wrong(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = layer

        def forward(self, x):
            cell = self.cell
            h = torch.nn.functional.linear(x, cell.weight_ih, cell.bias_ih)
            h = h[:, :40].tanh()
            a = torch.nn.functional.linear(h, WrongSign.apply(cell.weight_hh), cell.bias_hh)
            return a.tanh()

    assert not check_taylor(Wrong(), torch.tensor(X[0]), rng=seed).ok


def test_a_dozen_evaluations_whatever_the_size():
    calls = []

    class Counting(N.LSTM):
        def forward(self, *args, **kwargs):
            calls.append(args)
            return super().forward(*args, **kwargs)

    check_taylor(Counting(3, 64), X)
    assert len(calls) <= 13


@pytest.mark.parametrize("training", [True, False])
def test_random_masks_are_the_same_in_every_evaluation(training):
    for module, x in ((Dropped(), X), (TorchDropped(), torch.tensor(X))):
        module.train(training)
        module.dropout_mask((2,), 0.5, *(() if module.__class__ is Dropped else (x,)))
        assert check_taylor(module, x).ok
        if module.__class__ is Dropped:
            check_gradients(module, x).raise_if_wrong()
        assert module._masks_drawn == 1
    assert TorchDropped().shift.dtype == torch.float32


def test_the_model_is_left_as_it_was():
    module = TorchDropped()
    module.linear.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module(torch.tensor(X, dtype=torch.float32)).sum().backward()
    assert check_taylor(module, torch.tensor(X)).ok
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name])
    assert module.linear.weight.grad is None and module.linear.bias.grad is None
    cell = N.LSTMCell(3, 4, rng=0)
    check_gradients(cell, X[0])
    with raises(RuntimeError, "backward needs a forward pass"):
        cell.backward(np.ones((2, 4)), np.ones((2, 4)))


def test_the_model_is_left_as_it_was_after_an_error():
    lstm = N.LSTM(3, 4, rng=0)
    with raises(ValueError, "lengths"):
        check_taylor(lstm, X, lengths=[9, 9])
    assert lstm.weight_ih_l0.dtype == np.float32


def test_integer_inputs_are_passed_as_they_are():
    tokens, scale = np.array([[0, 1], [4, 1]]), np.array(0.7)
    report = check_gradients(Tokens(), tokens, scale)
    report.raise_if_wrong()
    assert [entry.name for entry in report.errors] == ["weight", "input 1"]
    assert check_taylor(Tokens(), tokens, scale).ok
    with raises(TypeError, "backward gave no derivative by input 1"):
        check_gradients(Tokens(wrong=True), tokens, scale)
    embedding = torch.nn.Embedding(5, 3)
    assert check_taylor(embedding, torch.tensor(tokens)).ok


def test_none_stands_for_no_state():
    check_gradients(N.LSTM(3, 4, rng=0), X, None).raise_if_wrong()


def test_names_restrict_the_check():
    lstm = wrong_sign("LSTM")(3, 4, rng=0)
    names = ["bias_hh_l0", "input 0"]
    report = check_gradients(lstm, X, names=names)
    assert report.ok and [entry.name for entry in report.errors] == names
    assert not check_gradients(lstm, X, names=["weight_hh_l0"]).ok
    for bad in (["weight"], []):
        with raises(ValueError, "names must be some of ['bias_hh_l0', 'bias_ih_l0', 'input 0', "):
            check_gradients(lstm, X, names=bad)


def test_a_sample_of_entries_is_quick_and_still_finds_the_error():
    counted = []

    class Counting(wrong_sign("LSTM")):
        def forward(self, *args, **kwargs):
            counted.append(1)
            return super().forward(*args, **kwargs)

    lstm = Counting(3, 50, rng=0)
    report = check_gradients(lstm, X, names=["weight_hh_l0", "weight_ih_l0"], entries=40)
    assert len(counted) == 81
    assert [entry.name for entry in report.failures] == ["weight_hh_l0"]
    assert "gate g" in str(report)
    again = check_gradients(lstm, X, names=["weight_hh_l0", "weight_ih_l0"], entries=40)
    assert str(again) == str(report)
    other = check_gradients(lstm, X, names=["weight_hh_l0", "weight_ih_l0"], entries=40, rng=1)
    assert str(other) != str(report)
    with raises(ValueError, "entries must be a positive integer, got 0"):
        check_gradients(lstm, X, entries=0)


def test_a_sample_larger_than_the_array_is_the_whole_array():
    lstm = N.LSTM(3, 2, rng=0)
    assert str(check_gradients(lstm, X, entries=10_000)) == str(check_gradients(lstm, X))


def test_torch_modules_are_sent_to_the_taylor_slope():
    with raises(TypeError, "use check_taylor for torch"):
        check_gradients(T.LSTM(3, 4), torch.tensor(X))


def test_no_entry_of_a_sample_stands_in_it_twice():
    points = set()

    class Recording(N.Linear):
        def forward(self, x):
            points.add(self.weight.data.tobytes())
            return super().forward(x)

    check_gradients(Recording(6, 5, rng=0), X[0].repeat(2, axis=1), names=["weight"], entries=29)
    assert len(points) == 29 + 1
