"""The soft window: against a plain loop over bumps and places, the complex step, and between the engines."""

import math

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import check_gradients
from lstm_lib.mixtures import output_size
from lstm_lib.parameters import to_numpy
from lstm_lib.softwindow import window_step
from lstm_lib.training import fit
from tests.helpers import TOLERANCE, assert_same, distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
LENGTHS = pytest.mark.parametrize("lengths", [None, (4, 2, 3)], ids=["full", "lengths"])
BATCH, STEPS, PLACES, KEYS, HIDDEN, BUMPS = 3, 6, 4, 5, 7, 2


def layer(L, dtype=np.float64, **options):
    name = np.dtype(dtype).name
    made = L.WindowLSTM(
        2, HIDDEN, KEYS, BUMPS, **({"advance": 0.6, "rng": 3} | options), dtype=name
    )
    rng = np.random.default_rng(8)
    state = {n: p + 0.3 * rng.normal(size=p.shape) for n, p in arrays_of(made).items()}
    made.load_state_dict({n: a if L is N else torch.tensor(a) for n, a in state.items()})
    return made


def arrays_of(model):
    return {name: to_numpy(value) for name, value in model.state_dict().items()}


def problem(dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = [(STEPS, 2), (PLACES, KEYS), (STEPS, HIDDEN), (STEPS, KEYS), (STEPS, PLACES)]
    return [rng.normal(size=(BATCH, *shape)).astype(dtype) for shape in shapes]


def solve(L, made, x, keys, d_output, d_context, d_weights, lengths=None):
    """Results and all derivatives, by name."""
    given = [d_output, d_context, d_weights]
    if L is N:
        made.zero_grad()
        *results, _ = made(x, keys, lengths)
        d_x, d_keys = made.backward(*given)
    else:
        made.zero_grad(set_to_none=True)
        x, keys = (torch.tensor(a, requires_grad=True) for a in (x, keys))
        *results, _ = made(x, keys, lengths)
        sum((r * torch.tensor(d)).sum() for r, d in zip(results, given, strict=True)).backward()
        results, d_x, d_keys = [r.detach().numpy() for r in results], x.grad, keys.grad
    found = dict(zip(("output", "context", "weights"), results, strict=True))
    found |= {"d_x": np.asarray(d_x), "d_keys": np.asarray(d_keys)}
    return found | {name: np.asarray(p.grad) for name, p in made.named_parameters()}


@LENGTHS
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_both_engines_agree(lengths, dtype):
    found = (solve(L, layer(L, dtype), *problem(dtype), lengths) for L in (N, T))
    assert_same(*found, 5 * TOLERANCE[dtype])


@LENGTHS
def test_backward_is_the_complex_step_derivative(lengths):
    options = {} if lengths is None else {"lengths": lengths}
    model = Heard(layer(N))
    check_gradients(model, *problem()[:2], **options).raise_if_wrong()


class Heard(N.Module):
    """All that a layer with a window says, side by side, so that every derivative is checked at once."""

    def __init__(self, inner):
        self.inner = inner

    def forward(self, x, keys, lengths=None):
        *parts, _ = self.inner(x, keys, lengths)
        self.ends = np.cumsum([part.shape[-1] for part in parts])[:-1]
        return np.concatenate(parts, axis=-1)

    def backward(self, d_output):
        return self.inner.backward(*np.split(d_output, self.ends, axis=-1))


@ENGINES
def test_the_layer_is_a_plain_loop_over_bumps_and_places(L):
    made, (x, keys, *_) = layer(L), problem()
    w = arrays_of(made)
    given = (x, keys) if L is N else (torch.tensor(x), torch.tensor(keys))
    output, context, weights, state = made(*given)
    for b in range(BATCH):
        h, c, seen, kappa = np.zeros(HIDDEN), np.zeros(HIDDEN), np.zeros(KEYS), [0.0] * BUMPS
        for t in range(STEPS):
            a = w["cell.weight_ih"] @ [*x[b, t], *seen] + w["cell.weight_hh"] @ h
            i, f, g, o = np.split(a + w["cell.bias_ih"] + w["cell.bias_hh"], 4)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            alpha, beta, move = np.split(w["window.weight"] @ h + w["window.bias"], 3)
            phi, seen = [0.0] * PLACES, np.zeros(KEYS)
            for k in range(BUMPS):
                kappa[k] += math.exp(move[k])
                for u in range(PLACES):
                    phi[u] += math.exp(alpha[k] - math.exp(beta[k]) * (kappa[k] - u) ** 2)
            for u in range(PLACES):
                seen = seen + phi[u] * keys[b, u]
            for found, expected in ((output, h), (context, seen), (weights, phi)):
                assert distance(np.asarray(found[b, t].tolist()), np.array(expected)) <= 1e-13
        assert np.allclose(state.kappa[b].tolist(), kappa, rtol=1e-13)


@ENGINES
def test_before_training_the_window_moves_by_what_is_asked(L):
    made = L.WindowLSTM(2, 200, 3, 4, advance=0.25, rng=0, dtype="float64")
    x, keys = np.zeros((1, 40, 2)), np.zeros((1, 3, 3))
    state = made(*((x, keys) if L is N else (torch.tensor(x), torch.tensor(keys))))[-1]
    assert np.allclose(state.kappa.tolist(), 10, atol=2.5)


@ENGINES
def test_what_stands_past_the_end_of_a_text_has_no_influence(L):
    inputs, lengths = problem(), (4, 2, 3)
    clean = solve(L, layer(L), *inputs, lengths)
    for b, end in enumerate(lengths):
        inputs[1][b, end:] = np.nan
        assert not clean["weights"][b, :, end:].any() and not clean["d_keys"][b, end:].any()
    assert_same(solve(L, layer(L), *inputs, lengths), clean, 0.0)


@ENGINES
def test_a_line_can_be_read_in_two_parts(L):
    made, (x, keys, *_) = layer(L), problem()
    x, keys = (x, keys) if L is N else (torch.tensor(x), torch.tensor(keys))
    whole = made(x, keys)
    first = made(x[:, :2], keys)
    second = made(x[:, 2:], keys, state=first[-1])
    for k in range(3):
        parts = [np.asarray(part[k].tolist()) for part in (first, second)]
        assert distance(np.concatenate(parts, axis=1), np.asarray(whole[k].tolist())) <= 1e-14


def test_a_bump_on_its_place_sees_that_place():
    step = window_step(
        np.array([[0.0, 9.0, 0.0]]), np.ones((1, 1)), np.eye(4)[None], np.arange(4.0)
    )
    assert step.kappa == 2 and step.weights.round(6).tolist() == [[0, 0, 1, 0]]
    assert step.context.round(6).tolist() == [[0, 0, 1, 0]]


def writer(L, **options):
    sizes = dict(vocabulary_size=4, hidden_size=6, components=2, bumps=2, advance=0.5, rng=1)
    return L.HandwritingModel(**(sizes | options), dtype="float64")


def lines(steps=5):
    rng = np.random.default_rng(2)
    points = rng.normal(size=(BATCH, steps, 3))
    points[..., 2] = rng.random((BATCH, steps)) < 0.3
    return points, rng.integers(0, 4, size=(BATCH, PLACES))


def test_the_model_has_the_same_weights_outputs_and_gradients_in_both_engines():
    points, text = lines()
    d_raw = np.random.default_rng(3).normal(size=(BATCH, 5, output_size(2)))
    ours, theirs = writer(N), writer(T)
    assert_same(arrays_of(ours), arrays_of(theirs), 0.0)
    raw = ours(points, text, None, (4, 2, 3))
    d_points, _ = ours.backward(d_raw)
    given = torch.tensor(points, requires_grad=True)
    other = theirs(given, torch.tensor(text), None, (4, 2, 3))
    (other * torch.tensor(d_raw)).sum().backward()
    found = {"raw": raw, "d_points": d_points} | {n: p.grad for n, p in ours.named_parameters()}
    expected = {"raw": other.detach().numpy(), "d_points": given.grad.numpy()}
    expected |= {n: p.grad.numpy() for n, p in theirs.named_parameters()}
    assert_same(found, expected, 1e-12)


def test_the_gradient_of_the_model_is_the_complex_step_derivative():
    check_gradients(writer(N), *lines(4), text_lengths=(4, 2, 3)).raise_if_wrong()


def test_both_engines_write_the_same_line_and_know_where_they_looked():
    texts = [[1, 2, 3], [3]]
    for bias in (0.0, 2.0):
        both = [writer(L).write(texts, rng=5, bias=bias, max_steps=30) for L in (N, T)]
        for text, ours, theirs in zip(texts, *both, strict=True):
            assert ours.ended == theirs.ended
            assert distance(ours.points, theirs.points) <= 1e-9
            read = np.concatenate((np.zeros((1, 3)), ours.points[:-1]))[None]
            for L in (N, T):
                weights = writer(L).window_weights(read, np.array([text]))
                assert distance(ours.weights, weights[0]) <= 1e-9


@ENGINES
def test_a_line_ends_with_the_stroke_that_begins_on_the_last_place(L):
    model = writer(L, advance=0.3)
    found = model.write([[1, 2]] * 40, rng=0, max_steps=60)
    assert model.training and any(line.ended for line in found)
    for line in found:
        lifts = np.flatnonzero(line.points[:, 2])
        begins = np.array([0, *(lifts + 1)])[: len(lifts)]
        over = line.weights.argmax(axis=1)[begins] == 1
        assert not over[:-1].any() and (
            not line.ended or (over[-1] and lifts[-1] + 1 == len(line.points))
        )
        assert line.ended or len(line.points) == 60


@ENGINES
def test_padding_does_not_count_in_the_loss(L):
    points, text = lines()
    model, loss, ends = writer(L), L.MDNLoss(), ((5, 2, 4), (4, 2, 3))
    before = L.evaluate(model, loss, (points, text), points, ends)
    for b, end in enumerate(ends[0]):
        points[b, end:, :2] = 7.0
    assert L.evaluate(model, loss, (points, text), points, ends) == pytest.approx(before, abs=1e-12)
    assert model.output_mask((None, None), 5) is None


@ENGINES
def test_it_learns_which_way_a_letter_goes(L):
    rng = np.random.default_rng(0)
    text = rng.integers(0, 2, size=(64, 3))
    moves = np.repeat(2.0 * text - 1, 4, axis=1)
    target = np.stack([moves, 0 * moves, np.tile([0, 0, 0, 1], (64, 3))], axis=-1)
    target[..., :2] += 0.1 * rng.normal(size=(64, 12, 2))
    points = np.concatenate((np.zeros((64, 1, 3)), target[:, :-1]), axis=1)
    model = writer(L, vocabulary_size=2, hidden_size=12, advance=0.25)
    options = dict(loss=L.MDNLoss(), lr=0.02, epochs=12, batch_size=16, progress=False)
    history = fit(model, ((points, text), target), **options)
    blind = fit(
        writer(L, vocabulary_size=2, hidden_size=12, advance=0.25),
        ((points, 0 * text), target),
        **options,
    )
    assert history.train_loss[-1] < blind.train_loss[-1] - 0.1


@ENGINES
def test_what_is_refused(L):
    model, (points, text) = writer(L), lines()
    if L is T:
        points, text = torch.tensor(points), torch.tensor(text)
    with pytest.raises(ValueError, match=r"points must have shape"):
        model(points[..., :2], text)
    with pytest.raises(ValueError, match=r"text must have shape"):
        model(points, text[:2])
    with pytest.raises(ValueError, match="9"):
        model(points, text * 0 + 9)
    for texts, message in (([], "at least one text"), ([[1], []], "at least one character")):
        with pytest.raises(ValueError, match=message):
            model.write(texts)
    with pytest.raises(ValueError, match="advance"):
        L.WindowLSTM(2, 3, 4, advance=0.0)
    with pytest.raises(TypeError, match="bumps"):
        L.WindowLSTM(2, 3, 4, bumps=1.5)
