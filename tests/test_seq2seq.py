"""Encoder-decoders: both engines, torch.nn and the complex step agree; searches say what the model says."""

import re

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.decoding import log_softmax
from lstm_lib.gradcheck import check_gradients
from tests.helpers import TOLERANCE, arrays_of, assert_same, distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 4], [1, 4, 3]
BOS, EOS = 0, 1

TOKENS = dict(source_vocabulary=6, target_vocabulary=7, embedding_size=3)
REAL = dict(source_features=3, target_features=2)
OPTIONS = [
    dict(TOKENS),
    dict(TOKENS, attention="dot", num_layers=2),
    dict(TOKENS, attention="general", bidirectional=True, num_layers=2, forget_bias=1.0),
    dict(TOKENS, attention="additive", cell="GRU", bidirectional=True),
    dict(TOKENS, cell="RNN", nonlinearity="relu", bidirectional=True),
    dict(REAL),
    dict(REAL, attention="general", cell="GRU", num_layers=2, bidirectional=True),
    dict(source_features=3, target_vocabulary=7, attention="dot"),
    dict(TOKENS, peephole=True, layer_norm=True, recurrent_dropout=0.2, zoneout=0.1),
]
EVERY_OPTION = pytest.mark.parametrize("options", OPTIONS, ids=str)
LENGTHS = pytest.mark.parametrize("with_lengths", [False, True])


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def build(L, options, dtype=np.float64, hidden=4):
    """A model with random weights, biases too, the same in both engines."""
    model = L.EncoderDecoder(**{"hidden_size": hidden} | options, dtype=np.dtype(dtype).name, rng=3)
    rng = np.random.default_rng(8)
    state = {
        n: rng.normal(scale=0.6, size=a.shape).astype(dtype) for n, a in arrays_of(model).items()
    }
    model.load_state_dict({n: a if L is N else torch.tensor(a) for n, a in state.items()})
    return model


def inputs_of(options, dtype=np.float64, seed=0):
    """Source and target of a batch of 3, 5 and 4 steps long."""
    rng = np.random.default_rng(seed)

    def side(steps, name):
        if f"{name}_features" in options:
            return rng.normal(size=(3, steps, options[f"{name}_features"])).astype(dtype)
        return rng.integers(0, options[f"{name}_vocabulary"], size=(3, steps))

    return side(5, "source"), side(4, "target")


def lengths_if(with_lengths):
    return (SOURCE_LENGTHS, TARGET_LENGTHS) if with_lengths else ()


def solve(L, model, inputs, d_logits, lengths=()):
    """Logits and all derivatives, by name."""
    if L is N:
        model.zero_grad()
        logits = model(*inputs, *lengths)
        gradients = model.backward(d_logits)
    else:
        tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in inputs]
        model.zero_grad(set_to_none=True)
        logits = model(*tensors, *lengths)
        (logits * torch.tensor(d_logits)).sum().backward()
        logits = logits.detach().numpy()
        gradients = [None if t.grad is None else t.grad.numpy() for t in tensors]
    found = {"logits": logits} | {n: np.asarray(p.grad) for n, p in model.named_parameters()}
    given = zip(("d_source", "d_target"), gradients, strict=True)
    return found | {name: value for name, value in given if value is not None}


def d_logits_for(options, dtype=np.float64):
    width = options.get("target_vocabulary") or options["target_features"]
    return np.random.default_rng(5).normal(size=(3, 4, width)).astype(dtype)


@EVERY_OPTION
@LENGTHS
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_both_engines_agree(options, with_lengths, dtype):
    problem = inputs_of(options, dtype), d_logits_for(options, dtype), lengths_if(with_lengths)
    ours, theirs = (solve(L, build(L, options, dtype), *problem) for L in (N, T))
    assert_same(ours, theirs, TOLERANCE[dtype])


@EVERY_OPTION
@LENGTHS
def test_backward_is_the_complex_step_derivative(options, with_lengths):
    model = build(N, options, hidden=3)
    lengths = dict(
        zip(("source_lengths", "target_lengths"), lengths_if(with_lengths), strict=False)
    )
    check_gradients(model, *inputs_of(options), **lengths).raise_if_wrong()


@pytest.mark.parametrize("attention", [None, "dot"])
def test_the_logits_are_those_of_layers_of_torch_put_together(attention):
    options = dict(TOKENS, attention=attention, num_layers=2)
    source, target_in = map(torch.tensor, inputs_of(options))
    model = build(T, options)

    def copied(kind, name, *sizes, **more):
        layer = getattr(torch.nn, kind)(*sizes, **more, dtype=torch.float64)
        layer.load_state_dict(getattr(model, name).state_dict())
        return layer

    recurrent = dict(num_layers=2, batch_first=True)
    memory, last = copied("LSTM", "encoder", 3, 4, **recurrent)(
        copied("Embedding", "source_embedding", 6, 3)(source)
    )
    h, _ = copied("LSTM", "decoder", 3, 4, **recurrent)(
        copied("Embedding", "target_embedding", 7, 3)(target_in), last
    )
    if attention:
        context = scaled_dot_product_attention(h, memory, memory, scale=1.0)
        h = copied("Linear", "combine", 8, 4, bias=False)(torch.cat((context, h), -1)).tanh()
    expected = copied("Linear", "head", 4, 7)(h).detach().numpy()
    for L in (N, T):
        logits = build(L, options)(source.numpy() if L is N else source, inputs_of(options)[1])
        assert distance(logits if L is N else logits.detach().numpy(), expected) <= 1e-14


def test_the_bridge_maps_both_directions_onto_the_decoder_layer_by_layer():
    options = dict(TOKENS, bidirectional=True, num_layers=2)
    model, (source, _) = build(N, options), inputs_of(options)
    _, final = model.encoder(model.source_embedding(source), lengths=SOURCE_LENGTHS)
    hx = model.encode(source, SOURCE_LENGTHS).hx
    for name, state, first in zip("hc", final, hx, strict=True):
        for layer in range(2):
            bridge = getattr(model, f"bridge_{name}_l{layer}")
            both = np.concatenate((state[2 * layer], state[2 * layer + 1]), axis=-1)
            expected = both @ bridge.weight.data.T + bridge.bias.data
            assert distance(first[layer], expected) <= 1e-14


@ENGINES
@EVERY_OPTION
def test_padding_has_no_influence(L, options):
    inputs, d_logits = inputs_of(options), d_logits_for(options)
    lengths = lengths_if(True)
    clean = solve(L, build(L, options), inputs, d_logits, lengths)
    for array, ends in zip(inputs, lengths, strict=True):
        for sequence, end in enumerate(ends):
            array[sequence, end:] = np.nan if array.dtype.kind == "f" else -100
    for sequence, end in enumerate(TARGET_LENGTHS):
        assert not clean["logits"][sequence, end:].any()
        d_logits[sequence, end:] = 99.0
    assert_same(solve(L, build(L, options), inputs, d_logits, lengths), clean, 0.0)


@ENGINES
@EVERY_OPTION
def test_step_by_step_is_the_whole_sequence(L, options):
    model, (source, target_in) = build(L, options), inputs_of(options)
    with model.searching():
        whole = np.asarray(model(source, target_in, SOURCE_LENGTHS))
        state, logits = model.encode(source, SOURCE_LENGTHS), []
        for t in range(4):
            step, state = model.step(target_in[:, t], state)
            logits.append(np.asarray(step))
    assert distance(np.stack(logits, axis=1), whole) <= 1e-14


def targets_of(hypothesis):
    """The target that a hypothesis is, and what the decoder read to say it."""
    tokens = hypothesis.tokens[None]
    return np.concatenate(([[BOS]], tokens[:, :-1]), axis=1), tokens


@ENGINES
@pytest.mark.parametrize("options", [o for o in OPTIONS if "target_vocabulary" in o], ids=str)
def test_hypotheses_score_their_log_likelihood_and_a_beam_of_one_is_greedy(L, options):
    model, (source, _) = build(L, options), inputs_of(options)
    beams = model.beam_search(source, 4, 6, BOS, EOS, SOURCE_LENGTHS, length_penalty=0.7)
    ones = model.beam_search(source, 1, 6, BOS, EOS, SOURCE_LENGTHS)
    chosen = model.greedy(source, 6, BOS, EOS, SOURCE_LENGTHS)
    for b, length in enumerate(SOURCE_LENGTHS):
        for hypothesis in (*beams[b], *ones[b], chosen[b]):
            read = source[b : b + 1, :length]
            (expected,) = model.log_likelihood(read, *targets_of(hypothesis))
            assert hypothesis.log_likelihood == pytest.approx(expected, abs=1e-12)
        assert ones[b][0].tokens.tolist() == chosen[b].tokens.tolist()
        assert beams[b][0].score == max(h.score for h in beams[b])


def test_both_engines_find_the_same():
    options = OPTIONS[2]
    source, _ = inputs_of(options)
    ours, theirs = (build(L, options).beam_search(source, 5, 6, BOS, EOS) for L in (N, T))
    for a, b in zip(sum(ours, []), sum(theirs, []), strict=True):
        assert a.tokens.tolist() == b.tokens.tolist()
        assert a.score == pytest.approx(b.score, abs=1e-12)


@ENGINES
def test_log_likelihood_is_the_sum_of_the_chosen_log_probabilities(L):
    model, (source, target_in) = build(L, OPTIONS[2]), inputs_of(OPTIONS[2])
    target = np.random.default_rng(1).integers(0, 7, size=(3, 4))
    log_p = log_softmax(np.asarray(arrays(model(source, target_in, *lengths_if(True)))))
    expected = [
        sum(log_p[b, t, target[b, t]] for t in range(end)) for b, end in enumerate(TARGET_LENGTHS)
    ]
    for b, end in enumerate(TARGET_LENGTHS):
        target[b, end:] = -100
    found = model.log_likelihood(source, target_in, target, *lengths_if(True))
    assert found == pytest.approx(expected, abs=1e-12)
    assert model.training


def arrays(value):
    return value.detach().numpy() if hasattr(value, "detach") else value


def test_attention_weights_are_those_the_logits_come_from():
    options = OPTIONS[2]
    for L in (N, T):
        model, (source, target_in) = build(L, options), inputs_of(options)
        weights = model.attention_weights(source, target_in, SOURCE_LENGTHS)
        state = model.encode(source, SOURCE_LENGTHS)
        embedded = model.target_embedding(target_in if L is N else torch.tensor(target_in))
        h, _ = model.decoder(embedded, state.hx)
        expected = arrays(model.attention(h, state.memory, lengths=SOURCE_LENGTHS)[1])
        assert distance(weights, expected) <= 1e-14
        assert not weights[1, :, 2:].any()


@ENGINES
def test_a_forecast_reads_what_it_said(L):
    model, (source, target_in) = build(L, OPTIONS[6]), inputs_of(OPTIONS[6])
    found = model.forecast(source, target_in[:, 0], 3, SOURCE_LENGTHS)
    read = np.concatenate((target_in[:, :1], found[:, :2]), axis=1)
    assert distance(arrays(model(source, read, SOURCE_LENGTHS)), found) <= 1e-13


SAMPLED = pytest.mark.parametrize(
    "options", [dict(OPTIONS[3], dropout=0.3), dict(OPTIONS[6], num_layers=1), OPTIONS[7]], ids=str
)


@SAMPLED
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_own_predictions_are_constants_for_the_gradient_in_both_engines(options, share):
    options = dict(options, teacher_forcing=share)
    models = [build(L, options, hidden=2) for L in (N, T)]
    problem = inputs_of(options), d_logits_for(options), lengths_if(True)
    results = []
    for L, model in zip((N, T), models, strict=True):
        L.reseed(model, 7)
        results.append(solve(L, model, *problem))
    assert_same(*results, 1e-13)
    lengths = dict(source_lengths=SOURCE_LENGTHS, target_lengths=TARGET_LENGTHS)
    check_gradients(models[0], *problem[0], **lengths).raise_if_wrong()


@ENGINES
def test_without_teacher_forcing_the_decoder_reads_what_greedy_search_says(L):
    options = dict(OPTIONS[2], teacher_forcing=0.0)
    model, (source, target_in) = build(L, options), inputs_of(options)
    target_in[:, 0] = BOS
    model.eval()
    given = arrays(model(source, target_in))
    assert distance(given, arrays(build(L, OPTIONS[2])(source, target_in))) == 0
    model.train()
    model.head.bias.data[EOS] = -20.0
    said = arrays(model(source, target_in)).argmax(axis=-1)
    expected = [hypothesis.tokens.tolist() for hypothesis in model.greedy(source, 4, BOS, EOS)]
    assert said.tolist() == expected


@ENGINES
def test_own_predictions_follow_from_what_was_read_before_without_dropout(L):
    options = dict(OPTIONS[2], teacher_forcing=0.5, dropout=0.5)
    model, rng = build(L, options), np.random.default_rng(0)
    source, target_in = rng.integers(0, 6, size=(50, 5)), rng.integers(0, 7, size=(50, 8))
    state = model.encode(source)
    own, values = model._own_predictions(target_in, state)
    with model.searching():
        said = arrays(model._decode(values, state)[0]).argmax(axis=-1)
    assert np.array_equal(values[:, 1:][own[:, 1:]], said[:, :-1][own[:, 1:]])
    assert np.array_equal(values[~own], target_in[~own])
    assert model.training and (values != target_in).any()


@ENGINES
def test_the_share_of_given_steps_is_the_teacher_forcing_ratio(L):
    model = build(L, dict(REAL, teacher_forcing=0.3))
    rng = np.random.default_rng(0)
    source, target_in = rng.normal(size=(400, 2, 3)), np.full((400, 6, 2), 1e3)
    own, values = model._own_predictions(target_in, model.encode(source))
    assert not own[:, 0].any()
    assert own[:, 1:].mean() == pytest.approx(0.7, abs=0.03)
    assert ((values == 1e3).all(axis=-1) == ~own[..., 0]).all()


def test_dropout_drops_the_same_in_both_engines_and_only_while_training():
    options = dict(OPTIONS[2], dropout=0.4)
    problem = inputs_of(options), d_logits_for(options)
    models = [build(L, options) for L in (N, T)]
    results = []
    for L, model in zip((N, T), models, strict=True):
        L.reseed(model, 7)
        results.append(solve(L, model, *problem))
    assert_same(*results, 1e-13)
    plain = solve(N, build(N, OPTIONS[2]), *problem)
    assert distance(results[0]["logits"], plain["logits"]) > 0.1
    assert_same(solve(N, models[0].eval(), *problem), plain, 0.0)
    check_gradients(models[0].train(), *problem[0], entries=8).raise_if_wrong()
    places = [models[0].source_dropout, models[0].target_dropout, models[0].output_dropout]
    assert [place.p for place in places] == [0.4] * 3 and models[0].encoder.dropout == 0.4


def test_both_engines_start_from_the_same_weights():
    for seed in (0, np.random.default_rng(5)):
        again = 0 if seed == 0 else np.random.default_rng(5)
        ours, theirs = (
            arrays_of(L.EncoderDecoder(4, **OPTIONS[3], rng=rng))
            for L, rng in ((N, seed), (T, again))
        )
        assert list(ours) == list(theirs)
        assert_same(ours, theirs, 0.0)
        assert not np.array_equal(ours["encoder.weight_hh_l0"], ours["decoder.weight_hh_l0"])


@ENGINES
def test_options_that_do_not_fit(L):
    def make(**options):
        return L.EncoderDecoder(**{"hidden_size": 4} | options)

    with raises(
        ValueError, "give source_vocabulary for tokens or source_features for real numbers"
    ):
        make(target_vocabulary=5)
    with raises(ValueError, "got target_vocabulary=5 and target_features=2"):
        make(source_vocabulary=5, target_vocabulary=5, target_features=2)
    for name in ("source_vocabulary", "target_vocabulary", "embedding_size", "hidden_size"):
        with raises(ValueError, f"{name} must be a positive integer, got 0"):
            make(**TOKENS | {name: 0})
    with raises(ValueError, "source_features must be a positive integer, got -1"):
        make(source_features=-1, target_features=1)
    with raises(ValueError, "cell must be one of 'LSTM', 'GRU', 'RNN'; got 'lstm'"):
        make(**TOKENS, cell="lstm")
    with raises(ValueError, "attention must be one of 'dot', 'general', 'additive'; got 'luong'"):
        make(**TOKENS, attention="luong")
    with raises(ValueError, "use attention='general'"):
        make(**TOKENS, attention="dot", bidirectional=True)
    with raises(ValueError, "teacher_forcing must lie in [0, 1], got 1.5"):
        make(**TOKENS, teacher_forcing=1.5)
    with raises(ValueError, "got 1.0"):
        make(**TOKENS, dropout=1.0)
    with raises(ValueError, "proj_size does not go with an encoder-decoder"):
        make(**TOKENS, proj_size=2)
    with raises(TypeError, "peephol"):
        make(**TOKENS, peephol=True)


@ENGINES
def test_calls_that_do_not_fit(L):
    model = build(L, OPTIONS[0])
    source, target_in = inputs_of(OPTIONS[0])
    with raises(ValueError, "source must have shape (any, any) = (batch, steps), got (5,)"):
        model(source[0], target_in)
    with raises(ValueError, "target_in must have shape (3, any) = (batch, steps), got (2, 4)"):
        model(source, target_in[:2])
    with raises(ValueError, "source must not be empty, got shape (3, 0)"):
        model.greedy(source[:, :0], 3, BOS, EOS)
    with raises(ValueError, "indices must lie between 0 and 5, got"):
        model(source + 5, target_in)
    with raises(TypeError, "indices must be integers"):
        model(source * 1.0, target_in)
    with raises(ValueError, "lengths[1] must lie between 1 and the number of steps 5, got 0"):
        model(source, target_in, [1, 0, 2])
    with raises(ValueError, "lengths[0] must lie between 1 and the number of steps 4, got 9"):
        model(source, target_in, None, [9, 1, 1])
    with raises(ValueError, "target must have shape (3, 4)"):
        model.log_likelihood(source, target_in, target_in[:, :2])
    with raises(ValueError, "indices must lie between 0 and 6"):
        model.log_likelihood(source, target_in, target_in + 7)
    with raises(ValueError, "forecast needs a model with target_features; this one writes tokens"):
        model.forecast(source, target_in[:, 0], 2)
    with raises(ValueError, "attention_weights needs a model with attention; this one has none"):
        model.attention_weights(source, target_in)
    real, (x, y) = build(L, REAL), inputs_of(REAL)
    with raises(ValueError, "target_in must have shape (3, any, 2) = (batch, steps, features)"):
        real(x, y[..., :1])
    with raises(ValueError, "steps must be a positive integer, got 0"):
        real.forecast(x, y[:, 0], 0)
    for call in (
        lambda: real.greedy(x, 3, BOS, EOS),
        lambda: real.beam_search(x, 2, 3, BOS, EOS),
        lambda: real.log_likelihood(x, y, y),
    ):
        with raises(ValueError, "needs a model with target_vocabulary; use forecast"):
            call()


def test_backward_that_does_not_fit():
    model = build(N, OPTIONS[0])
    with raises(RuntimeError, "backward needs a forward pass first"):
        model.backward(np.zeros((3, 4, 7)))
    inputs = inputs_of(OPTIONS[0])
    model(*inputs)
    with raises(ValueError, "d_output must have shape (3, 4, 7)"):
        model.backward(np.zeros((3, 4, 6)))
    model(*inputs, *lengths_if(True))
    with raises(ValueError, "d_logits must have shape (3, 4, any)"):
        model.backward(np.zeros((3, 2, 7)))
