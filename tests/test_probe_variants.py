"""The probe inside LSTMs with options: the layer's own numbers, autograd's derivatives."""

import numpy as np
import pytest
import torch

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.gradcheck import complex_step
from lstm_lib.probe import gradient_flow, jacobian_product, memory_length, step_jacobian, trace
from lstm_lib.variants import VariantMasks, VariantWeights, variant_step
from tests.helpers import distance, random_problem

VARIANTS = [
    dict(proj_size=3),
    dict(peephole=True, coupled=True),
    dict(layer_norm=True, zoneout=(0.2, 0.3)),
    dict(recurrent_dropout=0.4),
    dict(proj_size=2, peephole=True, layer_norm=True, zoneout=0.2),
]


def layer_of(problem, engine=N):
    wrap = np.asarray if engine is N else torch.tensor
    layer = engine.LSTM(**problem.options, dtype="float64").eval()
    layer.load_state_dict({n: wrap(a) for n, a in problem.state.items()})
    return layer


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("engine", [N, T], ids=["numpy", "torch"])
def test_the_trace_ends_where_the_layer_ends(variant, engine):
    options = dict(num_layers=2, bidirectional=True, lengths=[6, 2, 4])
    problem = random_problem(0, **options, **variant)
    layer = layer_of(problem, engine)
    found = trace(layer, problem.x, problem.hx, lengths=problem.lengths)
    reference = layer_of(problem)
    output, (h_n, c_n) = reference(problem.x, problem.hx, lengths=problem.lengths)
    top = np.concatenate([found[s]["h"] for s in ("l1", "l1_reverse")], axis=-1)
    assert distance(top, output) <= 1e-14
    assert distance(found["l0_reverse"]["c"][0], c_n[1]) <= 1e-14


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_derivatives_by_every_symbol_are_those_of_autograd(variant):
    problem = random_problem(3, batch_first=True, **variant)
    layer = layer_of(problem)
    found = trace(layer, problem.x, problem.hx, d_output=problem.d_output, d_hx=problem.d_hx)["l0"]
    w = {n.removesuffix("_l0"): torch.tensor(a) for n, a in problem.state.items()}
    weights = VariantWeights(*(w.get(name) for name in VariantWeights._fields))
    masks = VariantMasks(None, *(p or None for p in layer.zoneout))
    h, c = (torch.tensor(s[0], requires_grad=True) for s in problem.hx)
    steps = []
    for t in range(6):
        product = torch.tensor(problem.x[:, t]) @ w["weight_ih"].T
        if "norm_ih" in w:
            product = torch.nn.functional.layer_norm(product, product.shape[-1:], w["norm_ih"])
        from_x = product + w["bias_ih"] + w["bias_hh"]
        step = variant_step(from_x, h, c, weights, masks, layer.coupled)
        for name in "ifgoch":
            getattr(step, name).retain_grad()
        steps.append(step)
        h, c = step.h, step.c
    loss = sum((s.h * torch.tensor(problem.d_output[:, t])).sum() for t, s in enumerate(steps))
    d_h, d_c = (torch.tensor(s[0]) for s in problem.d_hx)
    (loss + (h * d_h).sum() + (c * d_c).sum()).backward()
    for name in "ifgoch":
        expected = torch.stack([getattr(step, name).grad for step in steps], dim=1)
        assert distance(found[f"d_{name}"], expected.numpy()) <= 1e-13, name


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_jacobian_is_the_complex_step_derivative(variant):
    problem = random_problem(5, batch=1, steps=1, **variant)
    layer = layer_of(problem)
    h, c = (s[0, 0] for s in problem.hx)
    jacobian = step_jacobian(layer, problem.x[0, 0], (h, c))
    size = len(h)
    for of, states in (("h", 0), ("c", 1)):
        for row in range(len((h, c)[states])):

            def entry(a, row=row, states=states):
                state = (a["h"][None, None], a["c"][None, None])
                return layer(problem.x, state)[1][states][0, 0, row]

            by = complex_step(entry, {"h": h, "c": c})
            assert distance(jacobian.block(of, "h")[row], by["h"]) <= 1e-13
            assert distance(jacobian.block(of, "c")[row], by["c"]) <= 1e-13
    assert jacobian.matrix.shape == (size + 5, size + 5)
    assert jacobian.singular_values.shape == (size + 5,)


def test_flow_product_and_memory_of_an_lstm_with_options():
    problem = random_problem(2, proj_size=3, peephole=True)
    layer = layer_of(problem)
    flow = gradient_flow(layer, problem.x, problem.hx)["l0"]
    assert flow["h"].shape == flow["c"].shape == (6, 3)
    product = jacobian_product(layer, problem.x, problem.hx)
    assert product.matrix.shape == (6, 3, 8, 8)
    of_loss = np.concatenate((np.ones(3), np.zeros(5)))
    arriving = of_loss @ product.matrix[1]
    assert np.allclose(np.linalg.norm(arriving[:, :3], axis=-1), flow["h"][1], rtol=1e-12)
    assert memory_length(layer, problem.x)["l0"].shape == (3,)


def test_an_intervention_is_refused():
    problem = random_problem(0, peephole=True)
    with pytest.raises(ValueError, match="edit knows the standard LSTM"):
        trace(layer_of(problem), problem.x, edit=lambda t, gates: gates)
