"""Attention: three scores in both engines against torch and the complex step, and masks that are exact."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import check_gradients
from tests.helpers import TOLERANCE, arrays_of, assert_same, distance

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
LENGTHS = [5, 1, 3]


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


def draw_mask(rng, *shape):
    """Random booleans with at least one True a row."""
    mask = rng.random(shape) < 0.5
    mask[..., 0] |= ~mask.any(axis=-1)
    return mask


def problem(seed=0, score="general", dtype=np.float64, values=False, **sizes):
    """Random queries, keys and values of different sizes, and derivatives of both results."""
    rng = np.random.default_rng(seed)
    size = dict(batch=3, queries=4, keys=5, query_size=6, key_size=7, value_size=2) | sizes
    if score == "dot":
        size["query_size"] = size["key_size"]
    b, q, k = size["batch"], size["queries"], size["keys"]
    width = size["value_size"] if values else size["key_size"]
    shapes = [(b, q, size["query_size"]), (b, k, size["key_size"])] + [(b, k, width)] * values
    inputs = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    d_results = [rng.normal(size=shape).astype(dtype) for shape in ((b, q, width), (b, q, k))]
    return inputs, d_results


def build(L, inputs, score, dtype, **options):
    """A layer for `inputs` with large random weights, the same in both engines."""
    sizes = inputs[0].shape[-1], inputs[1].shape[-1]
    hidden = 4 if score == "additive" else None
    layer = L.Attention(*sizes, score, hidden, dtype=np.dtype(dtype).name, rng=3, **options)
    rng = np.random.default_rng(8)
    state = {n: rng.normal(size=a.shape).astype(dtype) for n, a in arrays_of(layer).items()}
    layer.load_state_dict({n: a if L is N else torch.tensor(a) for n, a in state.items()})
    return layer


def solve(L, layer, inputs, d_results, **options):
    """Results and all derivatives, by name."""
    if L is N:
        context, weights = layer(*inputs, **options)
        gradients = layer.backward(*d_results)
        by_parameter = {n: p.grad for n, p in layer.named_parameters()}
    else:
        tensors = [torch.tensor(a, requires_grad=True) for a in inputs]
        context, weights = layer(*tensors, **options)
        d_results = [torch.tensor(d) for d in d_results]
        ((context * d_results[0]).sum() + (weights * d_results[1]).sum()).backward()
        gradients = [t.grad.numpy() for t in tensors]
        by_parameter = {n: p.grad.numpy() for n, p in layer.named_parameters()}
        context, weights = context.detach().numpy(), weights.detach().numpy()
    found = {"context": context, "weights": weights} | by_parameter
    return found | dict(zip(("d_query", "d_keys", "d_values"), gradients, strict=False))


SCORES = pytest.mark.parametrize(
    ("score", "scaled"), [("dot", False), ("dot", True), ("general", False), ("additive", False)]
)
MASKS = pytest.mark.parametrize("masked", ["none", "lengths", "keys", "pairs"])


def mask_options(masked, seed=4):
    rng = np.random.default_rng(seed)
    return {
        "none": {},
        "lengths": {"lengths": LENGTHS},
        "keys": {"mask": draw_mask(rng, 3, 5)},
        "pairs": {"mask": draw_mask(rng, 3, 4, 5)},
    }[masked]


@SCORES
@MASKS
@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_both_engines_agree(score, scaled, masked, values, dtype):
    inputs, d_results = problem(score=score, values=values, dtype=dtype)
    ours, theirs = (
        solve(L, build(L, inputs, score, dtype, scaled=scaled), inputs, d_results, **options)
        for L, options in ((N, mask_options(masked)), (T, mask_options(masked)))
    )
    assert_same(ours, theirs, TOLERANCE[dtype])
    assert all(array.dtype == dtype for array in ours.values())


@SCORES
@MASKS
@pytest.mark.parametrize("values", [False, True])
def test_backward_is_the_complex_step_derivative(score, scaled, masked, values):
    inputs, _ = problem(1, score=score, values=values, query_size=3, key_size=2)
    layer = build(N, inputs, score, np.float64, scaled=scaled)
    check_gradients(layer, *inputs, **mask_options(masked)).raise_if_wrong()


@pytest.mark.parametrize("scaled", [False, True])
@MASKS
def test_dot_attention_is_that_of_torch(scaled, masked):
    inputs, d_results = problem(2, score="dot", values=True)
    d_results[1][:] = 0
    options = mask_options(masked)
    mask = options.get("mask")
    if masked == "lengths":
        mask = np.arange(5) < np.array(LENGTHS)[:, None]
    if mask is not None:
        mask = torch.tensor(mask if mask.ndim == 3 else mask[:, None])
    tensors = [torch.tensor(a, requires_grad=True) for a in inputs]
    expected = scaled_dot_product_attention(*tensors, attn_mask=mask, scale=None if scaled else 1.0)
    (expected * torch.tensor(d_results[0])).sum().backward()
    for L in (N, T):
        found = solve(L, L.Attention(7, 7, scaled=scaled), inputs, d_results, **options)
        assert distance(found["context"], expected.detach().numpy()) <= 1e-14
        for name, tensor in zip(("d_query", "d_keys", "d_values"), tensors, strict=True):
            assert distance(found[name], tensor.grad.numpy()) <= 1e-14


def test_the_weights_are_those_of_multi_head_attention_with_one_head():
    inputs, _ = problem(3, score="dot")
    theirs = torch.nn.MultiheadAttention(7, 1, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for weight in (theirs.in_proj_weight[:7], theirs.in_proj_weight[7:14]):
            weight.copy_(torch.eye(7))
    query, keys = map(torch.tensor, inputs)
    padding = torch.arange(5) >= torch.tensor(LENGTHS)[:, None]
    _, expected = theirs(query, keys, keys, key_padding_mask=padding)
    _, weights = N.Attention(7, 7, scaled=True)(*inputs, lengths=LENGTHS)
    assert distance(weights, expected.detach().numpy()) <= 1e-14


def test_scores_are_the_equations_written_as_loops():
    for score in ("general", "additive"):
        (query, keys), _ = problem(5, score=score)
        layer = build(N, (query, keys), score, np.float64)
        weights = layer(query, keys)[1]
        w = {name: p.data for name, p in layer.named_parameters()}
        for b, i in np.ndindex(3, 4):
            q, ks = query[b, i], keys[b]
            if score == "general":
                energies = [q @ w["key.weight"] @ k for k in ks]
            else:
                hidden = [np.tanh(w["query.weight"] @ q + w["key.weight"] @ k) for k in ks]
                energies = [w["energy.weight"][0] @ h for h in hidden]
            powers = np.exp(energies)
            assert distance(weights[b, i], powers / powers.sum()) <= 1e-14


@st.composite
def any_call(draw):
    size = st.integers(1, 4)
    sizes = {
        name: draw(size)
        for name in ("batch", "queries", "keys", "query_size", "key_size", "value_size")
    }
    score = draw(st.sampled_from(["dot", "general", "additive"]))
    inputs, d_results = problem(
        draw(st.integers(0, 2**32 - 1)), score, values=draw(st.booleans()), **sizes
    )
    lengths = draw(
        st.none()
        | st.lists(st.integers(1, sizes["keys"]), min_size=sizes["batch"], max_size=sizes["batch"])
    )
    return score, inputs, d_results, lengths


@settings(max_examples=60)
@given(any_call())
def test_both_engines_agree_on_any_shape(call):
    score, inputs, d_results, lengths = call
    ours, theirs = (
        solve(L, build(L, inputs, score, np.float64), inputs, d_results, lengths=lengths)
        for L in (N, T)
    )
    assert_same(ours, theirs, 1e-13)
    assert np.allclose(ours["weights"].sum(axis=-1), 1, rtol=0, atol=1e-14)
    assert (ours["weights"] >= 0).all()


@ENGINES
@SCORES
@pytest.mark.parametrize("filling", [np.nan, np.inf, 1e30])
def test_padding_has_no_influence(L, score, scaled, filling):
    inputs, d_results = problem(score=score, values=True)
    options = {"lengths": LENGTHS}
    clean = solve(
        L, build(L, inputs, score, np.float64, scaled=scaled), inputs, d_results, **options
    )
    for sequence, length in enumerate(LENGTHS):
        assert not clean["weights"][sequence, :, length:].any()
        assert not clean["d_keys"][sequence, length:].any()
        for array in inputs[1:]:
            array[sequence, length:] = filling
        d_results[1][sequence, :, length:] = 99.0
    layer = build(L, inputs, score, np.float64, scaled=scaled)
    assert_same(solve(L, layer, inputs, d_results, **options), clean, 0.0)


@ENGINES
def test_large_scores_do_not_overflow(L):
    query, keys = np.full((1, 1, 2), 300.0), np.array([[[300.0, 300.0], [299.0, 300.0], [1, 1]]])
    with np.errstate(all="raise", under="ignore"):
        found = solve(L, L.Attention(2, 2), [query, keys], [np.ones((1, 1, 2)), np.ones((1, 1, 3))])
    assert found["weights"].ravel().tolist() == [1.0, pytest.approx(0, abs=1e-99), 0.0]


@ENGINES
def test_lengths_are_the_mask_they_mean(L):
    inputs, d_results = problem()
    mask = np.arange(5) < np.array(LENGTHS)[:, None]
    both = [
        solve(L, build(L, inputs, "general", np.float64), inputs, d_results, **options)
        for options in (dict(lengths=LENGTHS), dict(mask=mask))
    ]
    assert_same(*both, 0.0)


@pytest.mark.parametrize("hidden", [None, 4])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_pooling(hidden, lengths):
    rng = np.random.default_rng(0)
    output, d_pooled = rng.normal(size=(3, 5, 6)), rng.normal(size=(3, 6))
    ours, theirs = (L.AttentionPooling(6, hidden, dtype="float64", rng=2) for L in (N, T))
    assert_same(arrays_of(ours), arrays_of(theirs), 0.0)
    check_gradients(ours, output, lengths=lengths).raise_if_wrong()
    ours.zero_grad()
    x = torch.tensor(output, requires_grad=True)
    pooled = theirs(x, lengths)
    (pooled * torch.tensor(d_pooled)).sum().backward()
    found = {"pooled": ours(output, lengths), "dx": ours.backward(d_pooled)}
    found |= {name: p.grad for name, p in ours.named_parameters()}
    expected = {"pooled": pooled.detach().numpy(), "dx": x.grad.numpy()}
    expected |= {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert_same(found, expected, 1e-13)


@pytest.mark.parametrize("hidden", [None, 4])
def test_pooling_is_additive_attention_with_a_learned_query(hidden):
    """The bias of the pooling is what the query of an attention contributes to its tanh."""
    output = np.random.default_rng(0).normal(size=(3, 5, 6))
    pool = N.AttentionPooling(6, hidden, dtype=np.float64, rng=2)
    if hidden is None:
        attention, query = N.Attention(6, 6), pool.energy.weight.data
    else:
        attention, query = N.Attention(1, 6, "additive", 4, dtype=np.float64), np.ones((1, 1))
        attention.query.weight.data = pool.hidden.bias.data[:, None]
        attention.key.weight.data = pool.hidden.weight.data
        attention.energy.weight.data = pool.energy.weight.data
    context, weights = attention(np.tile(query, (3, 1, 1)), output, lengths=LENGTHS)
    pooled, pooling_weights = pool.attend(output, LENGTHS)
    assert distance(pooled, context[:, 0]) <= 1e-14
    assert distance(pooling_weights, weights[:, 0]) <= 1e-14


@ENGINES
@pytest.mark.parametrize("filling", [np.nan, np.inf, 1e30])
def test_padding_has_no_influence_on_pooling(L, filling):
    output = np.random.default_rng(0).normal(size=(3, 5, 6))
    pool = L.AttentionPooling(6, 4, dtype="float64", rng=2)

    def run(values):
        pool.zero_grad()
        if L is N:
            pooled = pool(values, LENGTHS)
            return {"pooled": pooled, "dx": pool.backward(np.ones((3, 6)))} | {
                name: p.grad for name, p in pool.named_parameters()
            }
        x = torch.tensor(values, requires_grad=True)
        pooled = pool(x, LENGTHS)
        pooled.sum().backward()
        return {"pooled": pooled.detach().numpy(), "dx": x.grad.numpy()} | {
            name: p.grad.numpy() for name, p in pool.named_parameters()
        }

    clean = run(output)
    for sequence, length in enumerate(LENGTHS):
        output[sequence, length:] = filling
    assert_same(run(output), clean, 0.0)


@ENGINES
def test_the_layers_of_one_attention_start_from_different_weights(L):
    weights = arrays_of(L.Attention(4, 4, "additive", 4, rng=0))
    assert not np.array_equal(weights["query.weight"], weights["key.weight"])


def test_both_engines_start_from_the_same_weights():
    for name, arguments in (("Attention", (3, 4, "additive")), ("AttentionPooling", (3, 4))):
        ours, theirs = (arrays_of(getattr(L, name)(*arguments, rng=0)) for L in (N, T))
        assert list(ours) == list(theirs)
        assert_same(ours, theirs, 0.0)


def test_torch_draws_from_its_own_generator():
    def drawn(seed):
        return arrays_of(T.Attention(3, 4, "general", rng=torch.Generator().manual_seed(seed)))

    assert_same(drawn(0), drawn(0), 0.0)
    assert not np.array_equal(drawn(0)["key.weight"], drawn(1)["key.weight"])


@ENGINES
def test_options_that_do_not_fit(L):
    with raises(ValueError, "score must be one of 'dot', 'general', 'additive'; got 'cosine'"):
        L.Attention(2, 3, "cosine")
    with raises(ValueError, "got query_size=2 and key_size=3; score='general' joins any two"):
        L.Attention(2, 3)
    with raises(ValueError, "scaled belongs to score='dot', got score='general'"):
        L.Attention(2, 3, "general", scaled=True)
    with raises(ValueError, "hidden_size belongs to score='additive', got score='dot'"):
        L.Attention(3, 3, hidden_size=4)
    for wrong in (dict(query_size=0, key_size=1), dict(query_size=1, key_size=-1)):
        with raises(ValueError, "must be a positive integer"):
            L.Attention(**wrong)
    with raises(ValueError, "hidden_size must be a positive integer, got 0"):
        L.Attention(2, 3, "additive", 0)
    with raises(ValueError, "hidden_size must be a positive integer, got 0"):
        L.AttentionPooling(2, 0)
    with raises(ValueError, "input_size must be a positive integer, got 0"):
        L.AttentionPooling(0)


@ENGINES
def test_calls_that_do_not_fit(L):
    def zeros(*shape):
        return np.zeros(shape) if L is N else torch.zeros(shape)

    attention = L.Attention(2, 2)
    query, keys = zeros(3, 4, 2), zeros(3, 5, 2)
    with raises(ValueError, "query must have shape (any, any, 2) = (batch, queries, query_size)"):
        attention(zeros(3, 2), keys)
    with raises(ValueError, "keys must have shape (3, any, 2) = (batch, keys, key_size), got (1,"):
        attention(query, zeros(1, 5, 2))
    with raises(ValueError, "values must have shape (3, 5, any) = (batch, keys, value_size)"):
        attention(query, keys, zeros(3, 4, 2))
    with raises(ValueError, "query must not be empty, got shape (3, 0, 2)"):
        attention(zeros(3, 0, 2), keys)
    with raises(ValueError, "pass a mask or lengths, not both"):
        attention(query, keys, mask=zeros(3, 5) == 0, lengths=[5, 5, 5])
    with raises(ValueError, "mask must have shape (3, 5) = (batch, keys) or (3, 4, 5) = (batch, "):
        attention(query, keys, mask=zeros(5) == 0)
    full = zeros(3, 4, 5) == 0
    full[1, 2] = False
    with raises(ValueError, "mask leaves a query without any key to look at"):
        attention(query, keys, mask=full)
    with raises(ValueError, "lengths[1] must lie between 1 and the number of steps 5, got 0"):
        attention(query, keys, lengths=[5, 0, 1])
    pool = L.AttentionPooling(2)
    with raises(ValueError, "input must have 2 features on its last axis"):
        pool(zeros(3, 4, 5))
    with raises(ValueError, "lengths[0] must lie between 1 and the number of steps 4, got 9"):
        pool(zeros(3, 4, 2), [9, 1, 1])


def test_backward_that_does_not_fit():
    attention, pool = N.Attention(2, 2), N.AttentionPooling(2)
    for layer in (attention, pool):
        with raises(RuntimeError, "backward needs a forward pass first"):
            layer.backward(np.zeros((3, 4, 2)))
    attention(np.zeros((3, 4, 2)), np.zeros((3, 5, 2)))
    with raises(ValueError, "d_context must have shape (3, 4, 2)"):
        attention.backward(np.zeros((3, 2)))
    with raises(ValueError, "d_weights must have shape (3, 4, 5)"):
        attention.backward(None, np.zeros((3, 4, 2)))
    pool(np.zeros((3, 4, 2)))
    with raises(ValueError, "d_pooled must have shape (3, 2)"):
        pool.backward(np.zeros((3, 4, 2)))


def test_absent_derivatives_are_zero():
    inputs, (d_context, d_weights) = problem()
    layer = build(N, inputs, "general", np.float64)
    layer(*inputs)
    whole = layer.backward(d_context, d_weights)
    parts = layer.backward(d_context), layer.backward(None, d_weights)
    for total, *summands in zip(whole, *parts, strict=True):
        assert distance(total, sum(summands)) <= 1e-14
