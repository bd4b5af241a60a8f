"""Training on one long text: carried states, exact weights of tokens, equal engines, checkpoints."""

import math

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.data.text import stream_batches
from lstm_lib.streams import bits_per_token, fit_stream, log2_probabilities, perplexity
from tests.helpers import arrays_of

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])


def model_of(L, seed=0, **options):
    return L.LanguageModel(7, 4, 8, dtype="float64", rng=seed, **options)


def random_text(n=53, seed=0):
    return np.random.default_rng(seed).integers(0, 7, size=n)


@ENGINES
def test_bits_are_those_of_the_whole_text_read_at_once(L):
    model, text = model_of(L), random_text()
    x = text[None, :-1]
    logits = np.asarray(model(x if L is N else torch.tensor(x)).detach() if L is T else model(x))
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    expected = -np.log2(shares[np.arange(52), text[1:]]).mean()
    for steps in (1, 8, 52, 100):
        assert bits_per_token(model, text, steps=steps) == pytest.approx(expected, rel=1e-12)
    assert perplexity(model, text) == pytest.approx(2**expected, rel=1e-12)
    for steps in (1, 8, 100):
        found = log2_probabilities(model, text, steps)
        np.testing.assert_allclose(found, np.log2(shares[np.arange(52), text[1:]]), rtol=1e-10)
    assert model.training


@ENGINES
def test_streams_side_by_side_weigh_every_token_once(L):
    """A model without memory gives the same, however the text is cut."""
    model, text = model_of(L), random_text()
    state = {name: 0 * value for name, value in model.state_dict().items()}
    bias = np.linspace(-1, 1, 7)
    state["head.bias"] = bias if L is N else torch.tensor(bias)
    model.load_state_dict(state)
    expected = math.log2(np.exp(bias).sum()) - bias[text[1:]].mean() / math.log(2)
    for batch_size in (1, 3, 5, 52):
        for steps in (1, 4, 60):
            value = bits_per_token(model, text, batch_size, steps)
            assert value == pytest.approx(expected, rel=1e-12)


def test_both_engines_follow_the_same_curve():
    histories, models = [], []
    for L in (N, T):
        model = model_of(L, dropout=0.3, num_layers=2)
        histories.append(
            fit_stream(
                model,
                random_text(200),
                valid=random_text(60, seed=1),
                lr=0.01,
                epochs=4,
                batch_size=3,
                steps=10,
                progress=False,
            )
        )
        models.append(arrays_of(model))
    ours, theirs = histories
    for name in ("train_loss", "valid_loss", "grad_norm"):
        assert np.abs(np.subtract(getattr(ours, name), getattr(theirs, name))).max() < 1e-10
    assert max(np.abs(models[0][n] - models[1][n]).max() for n in models[0]) < 1e-9


@ENGINES
def test_an_epoch_carries_the_state_through_the_text(L):
    """The same as the loop by hand, with the state of every chunk handed to the next."""
    text, model, by_hand = random_text(), model_of(L), model_of(L)
    history = fit_stream(
        model, text, lr=0.1, optimizer="sgd", epochs=1, batch_size=3, steps=7, progress=False
    )
    optimizer, state, total = L.SGD(list(by_hand.parameters()), lr=0.1), None, 0.0
    for x, y in stream_batches(text, 3, 7):
        loss, state = L.stream_value_and_grad(by_hand, L.CrossEntropyLoss(), x, y, state)
        L.clip_grad_norm_(list(by_hand.parameters()), 1.0)
        optimizer.step()
        total += loss * (y >= 0).sum()
    a, b = arrays_of(model), arrays_of(by_hand)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert history.train_loss == [pytest.approx(total / 52, rel=1e-13)]


@ENGINES
def test_an_interrupted_run_resumes_to_the_same_result(L, tmp_path):
    class Interrupted(Exception):
        pass

    def cut(epoch, _):
        if epoch == 2:
            raise Interrupted

    options = dict(valid=random_text(40, 1), lr=0.02, epochs=6, batch_size=2, steps=8)
    options |= dict(progress=False, patience=4)
    whole = model_of(L, dropout=0.2)
    expected = fit_stream(whole, random_text(), **options)
    path = tmp_path / "run.safetensors"
    with pytest.raises(Interrupted):
        fit_stream(
            model_of(L, dropout=0.2), random_text(), checkpoint=path, callback=cut, **options
        )
    resumed = model_of(L, seed=4, dropout=0.2)
    assert fit_stream(resumed, random_text(), checkpoint=path, **options) == expected
    a, b = arrays_of(whole), arrays_of(resumed)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    with pytest.raises(ValueError, match="steps was 8 and is 9"):
        fit_stream(model_of(L), random_text(), checkpoint=path, **{**options, "steps": 9})
    with pytest.raises(ValueError, match="data was"):
        fit_stream(model_of(L), random_text(seed=3), checkpoint=path, **options)


def test_a_trained_model_writes_the_text_it_read():
    text = np.arange(201) % 7
    model = model_of(N)
    fit_stream(model, text, lr=0.03, epochs=20, batch_size=4, steps=10, progress=False)
    assert N.generate(model, [3, 4], steps=6, temperature=0).tolist() == [5, 6, 0, 1, 2, 3]


@ENGINES
def test_what_is_refused(L):
    model, text = model_of(L), random_text()
    before = arrays_of(model)
    for call in (bits_per_token, perplexity, lambda m, t: fit_stream(m, t, batch_size=1)):
        with pytest.raises(TypeError, match="tokens must be integers"):
            call(model, [0.5, 1.0])
        with pytest.raises(ValueError, match=r"tokens must have shape \(N,\), got \(1, 53\)"):
            call(model, text[None])
        with pytest.raises(ValueError, match="tokens must hold at least batch_size"):
            call(model, [1])
        with pytest.raises(TypeError, match="model must be a module of lstm_lib"):
            call(object(), text)
    for name in ("epochs", "batch_size", "steps"):
        with pytest.raises(ValueError, match=f"{name} must be a positive integer, got 0"):
            fit_stream(model, text, **{name: 0})
    with pytest.raises(ValueError, match="patience needs validation data"):
        fit_stream(model, text, patience=2)
    with pytest.raises(ValueError, match="optimizer must be one of"):
        fit_stream(model, text, optimizer="adagrad")
    with pytest.raises(ValueError, match="indices must lie between 0 and 6, got 9 to 9"):
        fit_stream(model, text * 0 + 9, progress=False)
    after = arrays_of(model)
    assert all(np.array_equal(before[name], after[name]) for name in before)
