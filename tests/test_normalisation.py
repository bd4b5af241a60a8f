"""Layer normalisation is torch's, in both engines, and its derivative is the complex step's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.gradcheck import compare_gradients, complex_step
from lstm_lib.normalisation import layer_norm, layer_norm_backward
from tests.helpers import TOLERANCE, distance


def random_case(seed, shape, affine, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = (rng.uniform(-1, 1, size=shape) + 4 * np.arange(shape[-1])).astype(dtype)  # no two equal
    dy = rng.normal(size=shape).astype(dtype)
    if not affine:
        return x, dy, None, None
    return x, dy, *(rng.normal(size=shape[-1]).astype(dtype) for _ in range(2))


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(2, 5)),
    st.booleans(),
    st.sampled_from([1e-5, 0.1]),
    st.sampled_from([np.float64, np.float32]),
)
def test_value_and_derivative_are_torchs(seed, shape, affine, eps, dtype):
    x, dy, weight, bias = random_case(seed, shape, affine, dtype)
    leaves = [None if a is None else torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    expected = torch.nn.functional.layer_norm(leaves[0], shape[-1:], leaves[1], leaves[2], eps)
    expected.backward(torch.tensor(dy))
    tolerance = 10 * TOLERANCE[dtype]  # the weight sums up to 25 terms that cancel
    assert distance(layer_norm(x, weight, bias, eps), expected.detach()) <= tolerance
    claimed = layer_norm_backward(dy, x, weight, eps)
    assert distance(claimed[0], leaves[0].grad) <= tolerance
    if affine:
        assert distance(claimed[1], leaves[1].grad) <= tolerance
        assert distance(claimed[2], leaves[2].grad) <= tolerance
    tensors = layer_norm_backward(torch.tensor(dy), leaves[0].detach(), leaves[1], eps)
    for ours, theirs in zip(claimed, tensors, strict=True):
        assert distance(ours, theirs.detach()) <= tolerance


@pytest.mark.parametrize("affine", [False, True])
def test_derivative_is_the_complex_steps(affine):
    x, dy, weight, bias = random_case(3, (2, 3, 5), affine)
    arrays = {"x": x} | ({"weight": weight, "bias": bias} if affine else {})
    measured = complex_step(lambda a: (dy * layer_norm(**a, eps=1e-3)).sum(), arrays)
    names = ("x", "weight", "bias")
    claimed = dict(zip(names, layer_norm_backward(dy, x, weight, 1e-3), strict=True))
    claimed = {name: claimed[name] for name in arrays}
    compare_gradients(claimed, measured, tolerance=1e-12).raise_if_wrong()


def test_one_feature_is_always_its_mean():
    x, dy, weight, bias = random_case(0, (4, 1), affine=True)
    assert np.array_equal(layer_norm(x, weight, bias), np.tile(bias, (4, 1)))
    dx, d_weight, d_bias = layer_norm_backward(dy, x, weight)
    assert not dx.any() and not d_weight.any() and d_bias == dy.sum()


def test_mean_and_variance_of_the_result():
    x, _, _, _ = random_case(0, (50, 40), affine=False)
    y = layer_norm(x, eps=0.0)
    assert np.abs(y.mean(axis=-1)).max() < 1e-14
    assert np.abs(y.var(axis=-1) - 1).max() < 1e-13
