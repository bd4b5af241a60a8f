"""Language models: gradients, equal engines, tied weights, carried states, text and streams."""

import itertools

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.data.text import stream_batches
from lstm_lib.decoding import beam_search, greedy, log_softmax
from lstm_lib.gradcheck import check_gradients
from lstm_lib.parameters import to_numpy
from lstm_lib.sampling import continue_tokens, softmax
from lstm_lib.training import evaluate, fit
from tests.helpers import TOLERANCE, arrays_of, as_states, assert_same, distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
OPTIONS = [
    dict(),
    dict(cell="GRU", num_layers=2),
    dict(cell="RNN", embedding_size=None),
    dict(tie_weights=True),
    dict(tie_weights=True, embedding_size=6),
    dict(proj_size=4, peephole=True),
    dict(tie_weights=True, proj_size=4, embedding_size=5),
    dict(dropout=0.4, num_layers=2),
]
TOKENS = np.random.default_rng(0).integers(0, 7, size=(3, 5))


def model_of(L, seed=0, dtype="float64", **options):
    """V = 7, E = 4, H = 6, with biases that are not zero."""
    options = {"embedding_size": 4, **options}
    model = L.LanguageModel(7, options.pop("embedding_size"), 6, dtype=dtype, rng=seed, **options)
    rng = np.random.default_rng(seed)
    state = {
        n: (a + 0.3 * rng.normal(size=a.shape)).astype(a.dtype) for n, a in arrays_of(model).items()
    }
    model.load_state_dict(state if L is N else {n: torch.tensor(a) for n, a in state.items()})
    return model


def random_state(model, seed=1, batch=3):
    _, state = model.forward_with_state(TOKENS[:batch])
    rng = np.random.default_rng(seed)
    drawn = tuple(rng.normal(size=np.shape(s)) for s in as_states(state))
    return drawn if isinstance(state, tuple) else drawn[0]


class WithState(N.Module):
    """The model as a layer that also gives its final state, for the gradient check."""

    def __init__(self, model):
        self.model = model

    def forward(self, tokens, hx):
        return self.model.forward_with_state(tokens, hx)

    def backward(self, d_logits, d_hx):
        return self.model.backward(d_logits, d_hx)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_backward_is_the_complex_step_derivative(options):
    model = model_of(N, **options)
    report = check_gradients(WithState(model), TOKENS, random_state(model))
    assert report.ok, str(report)
    names = {entry.name for entry in report.errors}
    assert {f"model.{name}" for name in model.state_dict()} <= names


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_both_engines_agree(options, dtype):
    results = []
    for L in (N, T):
        model = model_of(L, dtype=dtype, **options)
        hx = random_state(model_of(N, dtype=dtype, **options))
        loss, state = L.stream_value_and_grad(
            model, L.CrossEntropyLoss(), TOKENS, np.roll(TOKENS, 1), as_engine(L, hx, dtype)
        )
        found = {name: to_numpy(p.grad) for name, p in model.named_parameters()}
        found |= {f"state {k}": to_numpy(s) for k, s in enumerate(as_states(state))}
        results.append(found | {"loss": np.array(loss)})
    assert_same(*results, TOLERANCE[np.dtype(dtype).type])


def as_engine(L, hx, dtype="float64"):
    parts = tuple(
        a.astype(dtype) if L is N else torch.tensor(a.astype(dtype)) for a in as_states(hx)
    )
    return parts if isinstance(hx, tuple) else parts[0]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_seed_gives_the_same_weights(options, dtype):
    options = {"embedding_size": 4, **options}
    size = options.pop("embedding_size")
    models = [L.LanguageModel(7, size, 6, dtype=dtype, rng=3, **options) for L in (N, T)]
    a, b = (arrays_of(model) for model in models)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) and a[name].dtype == dtype for name in a)


def test_tied_weights_are_one_parameter():
    """One table, counted once, with the gradients of both of its uses."""
    for L in (N, T):
        tied, plain = model_of(L, tie_weights=True, embedding_size=6), model_of(L, embedding_size=6)
        names = [name for name, _ in tied.named_parameters()]
        assert "head.weight" not in names and names.count("embedding.weight") == 1
        state = {name: v for name, v in tied.state_dict().items()}
        plain.load_state_dict(state | {"head.weight": state["embedding.weight"]})
        for model in (tied, plain):
            L.stream_value_and_grad(model, L.CrossEntropyLoss(), TOKENS, np.roll(TOKENS, 1))
        separate = dict(plain.named_parameters())
        both = separate["embedding.weight"].grad + separate["head.weight"].grad
        tied_gradient = dict(tied.named_parameters())["embedding.weight"].grad
        assert distance(to_numpy(tied_gradient), to_numpy(both)) <= 1e-14
    projected = N.LanguageModel(7, 4, 6, tie_weights=True)
    assert projected.projection.weight.shape == (4, 6)
    assert N.LanguageModel(7, 6, 6, tie_weights=True).projection is None


@ENGINES
def test_a_tied_model_starts_with_small_logits(L):
    model = L.LanguageModel(300, 64, 64, tie_weights=True, rng=0)
    tokens = np.arange(300)[None]
    loss, _ = L.stream_loss(model, L.CrossEntropyLoss(), tokens, tokens)
    assert loss == pytest.approx(np.log(300), abs=0.1)


@ENGINES
@pytest.mark.parametrize("options", OPTIONS[:3], ids=str)
def test_carrying_the_state_is_reading_on(L, options):
    model = model_of(L, **options)
    tokens = TOKENS if L is N else torch.tensor(TOKENS)
    whole, end = model.forward_with_state(tokens)
    first, state = model.forward_with_state(tokens[:, :2])
    second, state = model.forward_with_state(tokens[:, 2:], state)
    parts = np.concatenate([to_numpy(first), to_numpy(second)], axis=1)
    assert distance(to_numpy(whole), parts) <= 1e-14
    for a, b in zip(as_states(end), as_states(state), strict=True):
        assert distance(to_numpy(a), to_numpy(b)) <= 1e-14


@ENGINES
def test_lengths_shield_from_padding(L):
    model, lengths = model_of(L), [5, 2, 3]
    other = TOKENS.copy()
    for row, length in enumerate(lengths):
        other[row, length:] = 6
    results = []
    for tokens in (TOKENS, other):
        tokens = tokens if L is N else torch.tensor(tokens)
        logits, state = model.forward_with_state(tokens, lengths=lengths)
        results.append([to_numpy(a) for a in (logits, *as_states(state))])
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a, b)


@ENGINES
def test_every_token_of_padded_sentences_weighs_the_same(L):
    """Whatever the batches, and whatever stands past the end."""
    model, lengths = model_of(L), np.array([5, 2, 3])
    rows = [TOKENS[k : k + 1, :n] for k, n in enumerate(lengths)]
    alone = [L.stream_loss(model, L.CrossEntropyLoss("sum"), x, x)[0] for x in rows]
    for batch_size in (1, 2, 3):
        data = (TOKENS, TOKENS, lengths)
        value = evaluate(model, "cross_entropy", data, batch_size=batch_size)
        assert value == pytest.approx(sum(alone) / lengths.sum(), rel=1e-13)


def test_dropout_is_the_same_in_both_engines_and_off_in_evaluation():
    losses = []
    for L in (N, T):
        model = model_of(L, dropout=0.4, num_layers=2)
        L.reseed(model, 5)
        loss, _ = L.stream_value_and_grad(model, L.CrossEntropyLoss(), TOKENS, TOKENS)
        calm, _ = L.stream_loss(model, L.CrossEntropyLoss(), TOKENS, TOKENS)
        plain = model_of(L, num_layers=2)
        plain.load_state_dict(model.state_dict())
        expected, _ = L.stream_loss(plain, L.CrossEntropyLoss(), TOKENS, TOKENS)
        assert calm == expected and loss != calm and model.training
        losses.append(loss)
    assert losses[0] == pytest.approx(losses[1], abs=1e-13)


@ENGINES
def test_no_gradient_flows_from_one_chunk_into_another(L):
    """The second chunk's gradient is that of a state made of plain numbers."""
    model = model_of(L)
    _, state = L.stream_value_and_grad(model, L.CrossEntropyLoss(), TOKENS, TOKENS)
    constants = as_engine(L, tuple(to_numpy(s).copy() for s in state))
    gradients = []
    for start in (state, constants):
        L.stream_value_and_grad(model, L.CrossEntropyLoss(), TOKENS, TOKENS, start)
        gradients.append({name: to_numpy(p.grad) for name, p in model.named_parameters()})
    assert_same(*gradients, 0.0)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_state_with_a_history_is_cut_off_from_it(cell):
    """Handing in a state that still hangs on its graph changes nothing, twice over."""
    model = model_of(T, cell=cell)
    _, attached = model.forward_with_state(torch.tensor(TOKENS))
    assert all(s.requires_grad for s in as_states(attached))
    runs = []
    for _ in range(2):
        _, state = T.stream_value_and_grad(model, T.CrossEntropyLoss(), TOKENS, TOKENS, attached)
        assert not any(s.requires_grad for s in as_states(state))
        runs.append({name: p.grad.numpy().copy() for name, p in model.named_parameters()})
    assert_same(*runs, 0.0)
    numpy_model = model_of(N, cell=cell)
    plain = tuple(s.detach().numpy() for s in as_states(attached))
    N.stream_value_and_grad(
        numpy_model, N.CrossEntropyLoss(), TOKENS, TOKENS, plain if cell == "LSTM" else plain[0]
    )
    assert_same(runs[0], {n: p.grad for n, p in numpy_model.named_parameters()}, 1e-13)


@ENGINES
def test_a_language_model_trains_with_fit(L):
    """Counting on, starting anywhere: what follows is certain."""
    rng = np.random.default_rng(0)
    x = (rng.integers(0, 7, size=(32, 1)) + np.arange(6)) % 7
    model = L.LanguageModel(7, 8, 16, rng=0)
    data = (x, (x + 1) % 7)
    history = fit(model, data, loss="cross_entropy", lr=0.03, epochs=25, progress=False)
    assert history.train_loss[-1] < 0.1 < 1.5 < history.train_loss[0]
    assert L.generate(model, [2, 3], steps=5, temperature=0).tolist() == [4, 5, 6, 0, 1]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    "sampling",
    [dict(), dict(temperature=0.6, top_k=4), dict(top_p=0.8), dict(temperature=0)],
    ids=str,
)
def test_both_engines_write_the_same_text(options, sampling):
    texts = [
        L.generate(model_of(L, **options), TOKENS, steps=40, rng=9, **sampling) for L in (N, T)
    ]
    assert np.array_equal(*texts)
    assert texts[0].shape == (3, 40) and texts[0].dtype == np.int64


@ENGINES
def test_generation_is_reading_the_whole_text_again_at_every_step(L):
    """Greedy text by carried state against the slow way."""
    model = model_of(L, cell="GRU", num_layers=2)
    text = TOKENS[0].tolist()
    for _ in range(10):
        tokens = np.array([text])
        logits = model(tokens if L is N else torch.tensor(tokens))
        text.append(int(to_numpy(logits)[0, -1].argmax()))
    assert L.generate(model, TOKENS[0], steps=10, temperature=0).tolist() == text[5:]


@ENGINES
@pytest.mark.parametrize("options", OPTIONS)
def test_a_search_goes_on_from_beginnings_of_any_length(L, options):
    model = model_of(L, **options)
    beginnings, lengths = TOKENS[:, :-1], [4, 2, 3]
    found = greedy(model, beginnings, 6, bos=5, eos=6, lengths=lengths)
    for row, length, best in zip(beginnings, lengths, found, strict=True):
        alone = L.generate(model, [*row[:length], 5], 6, temperature=0, stop=6)
        assert best.tokens.tolist() == list(alone)[: len(best.tokens)]
        assert best.finished == (6 in alone)
    wide = beam_search(model, beginnings, 400, 3, bos=5, eos=6, lengths=lengths)
    for row, length, beam in zip(beginnings, lengths, wide, strict=True):
        prefix = [*row[:length], 5]
        best = max(every_ending(7, 3, 6), key=lambda end: log_likelihood(L, model, prefix, end))
        assert tuple(beam[0].tokens) == best
    assert model.training


def every_ending(vocabulary, steps, eos):
    others = [k for k in range(vocabulary) if k != eos]
    for n in range(steps):
        for start in itertools.product(others, repeat=n):
            yield (*start, eos)
    yield from itertools.product(others, repeat=steps)


def log_likelihood(L, model, prefix, end):
    model.eval()
    tokens = np.array([[*prefix, *end[:-1]]])
    logits = to_numpy(model(tokens if L is N else torch.tensor(tokens)))[0, len(prefix) - 1 :]
    model.train()
    return log_softmax(logits)[np.arange(len(end)), list(end)].sum()


@ENGINES
def test_generation_leaves_the_model_as_it_was(L):
    model = model_of(L, dropout=0.5)
    first = L.generate(model, [1], steps=20, rng=0)
    assert model.training and all(p.grad is None for p in model.parameters())
    assert np.array_equal(first, L.generate(model.eval(), [1], steps=20, rng=0)), "no dropout"
    assert not model.training


def test_rows_end_with_the_stop_token():
    def advance(tokens, state):
        return np.log(np.tile([0.5, 0.3, 0.2], (len(tokens), 1))), state

    drawn = continue_tokens(advance, np.zeros((50, 1), int), steps=60, rng=0, stop=2)
    assert drawn.shape[1] < 60
    for row in drawn:
        first = int(np.argmax(row == 2))
        assert (row[first:] == 2).all() and (row[:first] != 2).all()
    assert (drawn[:, -2] != 2).any(), "it ends when the last row has ended"
    one = continue_tokens(advance, [0], steps=60, rng=1, stop=2)
    assert one[-1] == 2 and (one[:-1] != 2).all()


def test_a_state_is_handed_on():
    def advance(tokens, state):
        state = tokens.sum() + (0 if state is None else state)
        return 50.0 * np.eye(10)[[int(state) % 10]], state

    assert continue_tokens(advance, [1, 1], steps=5).tolist() == [2, 4, 8, 6, 2]


def test_what_is_not_allowed_is_never_drawn_and_the_rest_keeps_its_shares():
    def advance(tokens, state):
        return np.tile(np.log([0.1, 0.2, 0.3, 0.4]), (len(tokens), 1)), state

    def allowed(tokens):
        seen.append(tokens.copy())
        return np.where(tokens[:, :1] == 0, [True, False, True, False], [False, True, False, True])

    seen, prefix = [], np.repeat([0, 1], 4000)[:, None]
    drawn = continue_tokens(advance, prefix, steps=2, rng=0, allowed=allowed)
    assert [tokens.shape[1] for tokens in seen] == [1, 2]
    assert (seen[1] == np.concatenate([prefix, drawn[:, :1]], axis=1)).all()
    for rows, first, second in ((drawn[:4000], 0, 2), (drawn[4000:], 1, 3)):
        assert set(np.unique(rows)) == {first, second}
    assert (drawn[:4000] == 2).mean() == pytest.approx(3 / 4, abs=0.02)
    assert (drawn[4000:] == 3).mean() == pytest.approx(2 / 3, abs=0.02)


@ENGINES
def test_models_write_only_what_is_allowed(L):
    prefix = np.zeros((20, 1), int)
    drawn = L.generate(model_of(L), prefix, 10, rng=0, allowed=lambda tokens: np.arange(7) < 2)
    assert set(np.unique(drawn)) == {0, 1}
    with pytest.raises(ValueError, match="every token is forbidden"):
        L.generate(model_of(L), [0], 1, allowed=lambda tokens: np.zeros(7, bool))


def test_text_follows_the_model():
    """A model that knows nothing but its bias writes tokens as often as the bias says."""
    model = N.LanguageModel(4, 2, 3, rng=0, dtype="float64")
    model.load_state_dict(
        {n: 0 * a for n, a in model.state_dict().items()} | {"head.bias": np.log([1.0, 2, 3, 4])}
    )
    drawn = N.generate(model, np.zeros((100, 1), int), steps=200, rng=0)
    share = np.bincount(drawn.ravel(), minlength=4) / drawn.size
    assert np.abs(share - softmax(np.log([1.0, 2, 3, 4]))).max() < 0.01


@ENGINES
def test_the_loss_over_chunks_is_the_loss_of_the_whole_stream(L):
    text = np.random.default_rng(1).integers(0, 7, size=53)
    model, total, state = model_of(L), 0.0, None
    criterion = L.CrossEntropyLoss("sum")
    for x, y in stream_batches(text, 1, 8):
        loss, state = L.stream_loss(model, criterion, x, y, state)
        total += loss
    whole, _ = L.stream_loss(model, criterion, text[None, :-1], text[None, 1:])
    assert total == pytest.approx(whole, rel=1e-13)


@ENGINES
def test_what_is_refused(L):
    with pytest.raises(ValueError, match="vocabulary_size must be a positive integer, got 0"):
        L.LanguageModel(0, 4, 6)
    with pytest.raises(ValueError, match="embedding_size must be a positive integer, got -1"):
        L.LanguageModel(7, -1, 6)
    with pytest.raises(ValueError, match="hidden_size must be a positive integer, got 0"):
        L.LanguageModel(7, 4, 0)
    with pytest.raises(ValueError, match="cell must be one of 'LSTM', 'GRU', 'RNN'; got 'lstm'"):
        L.LanguageModel(7, 4, 6, cell="lstm")
    with pytest.raises(ValueError, match="tie_weights needs an embedding"):
        L.LanguageModel(7, None, 6, tie_weights=True)
    with pytest.raises(ValueError, match="reads forwards only"):
        L.LanguageModel(7, 4, 6, bidirectional=True)
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\), got 1"):
        L.LanguageModel(7, 4, 6, dropout=1)
    with pytest.raises(TypeError, match="peephole"):
        L.LanguageModel(7, 4, 6, cell="GRU", peephole=True)
    for size in (4, None):
        model = L.LanguageModel(7, size, 6)
        wrap = (lambda a: a) if L is N else torch.tensor
        with pytest.raises(ValueError, match="indices must lie between 0 and 6, got 0 to 7"):
            model(wrap(np.array([[0, 7]])))
        with pytest.raises(TypeError, match="indices must be integers"):
            model(wrap(np.zeros((1, 2))))
        with pytest.raises(
            ValueError, match=r"tokens must have shape \(any, any\) = \(batch, steps"
        ):
            model(wrap(np.array([0, 1])))
    with pytest.raises(ValueError, match="indices must lie between 0 and 6, got 9 to 9"):
        L.generate(model, [9], steps=3)
    with pytest.raises(ValueError, match="prefix must have shape .* and not be empty"):
        L.generate(model, [], steps=3)
    with pytest.raises(ValueError, match="prefix must have shape"):
        L.generate(model, np.zeros((1, 1, 1), int), steps=3)
    with pytest.raises(TypeError, match="prefix must hold integers, got dtype float64"):
        L.generate(model, [0.5], steps=3)
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        L.generate(model, [0], steps=0)
    assert model.training


def test_backward_needs_a_forward_pass():
    for options in (dict(), dict(tie_weights=True)):
        with pytest.raises(RuntimeError, match="forward pass"):
            N.LanguageModel(7, 4, 6, **options).backward(np.zeros((1, 1, 7)))
    tied = N.LanguageModel(7, 4, 6, tie_weights=True)
    tied(TOKENS)
    with pytest.raises(ValueError, match=r"d_output must have shape \(3, 5, 7\)"):
        tied.backward(np.zeros((3, 5, 6)))
