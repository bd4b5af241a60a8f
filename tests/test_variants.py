"""The LSTM's options: dropout, projection, peepholes, coupled gate, layer norm, zoneout, memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib import variants
from lstm_lib.gradcheck import check_gradients, compare_gradients, complex_step
from tests.helpers import (
    SOLVERS,
    TOLERANCE,
    as_states,
    assert_same,
    distance,
    random_problem,
    solve_loop,
    solve_numpy,
    solve_torch,
)

VARIANTS = [
    dict(proj_size=3),
    dict(peephole=True),
    dict(coupled=True),
    dict(layer_norm=True),
    dict(recurrent_dropout=0.4),
    dict(zoneout=0.3),
    dict(zoneout=(0.0, 0.4)),
    dict(peephole=True, coupled=True),
    dict(proj_size=2, peephole=True, layer_norm=True, recurrent_dropout=0.3, zoneout=(0.2, 0.3)),
    dict(peephole=True, coupled=True, layer_norm=True, bias=False, zoneout=0.2),
]
SHAPES = [
    dict(),
    dict(num_layers=2, bidirectional=True, lengths=[6, 1, 4]),
    dict(batch_first=True, lengths=[3, 5, 2], checkpoint_every=2, num_layers=2, dropout=0.5),
]
ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_variant_is_the_same_in_every_backend(variant, shape):
    problem = random_problem(4, masks=True, **shape, **variant)
    numpy, loop, fused = (solve(problem) for solve in SOLVERS)
    assert_same(numpy, loop, 1e-13)
    assert_same(numpy, fused, 0.0)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("solve", SOLVERS)
def test_single_precision_rounds_the_double_precision_result(variant, solve):
    # normalising five units divides by a small deviation, which amplifies rounding
    tolerance = 1e-5 if variant.get("layer_norm") else 2e-6
    single = random_problem(4, dtype=np.float32, masks=True, num_layers=2, dropout=0.5, **variant)
    as_double = {n: a.astype(np.float64) for n, a in single.state.items()}
    double = replace(
        single,
        state=as_double,
        x=single.x.astype(np.float64),
        d_output=single.d_output.astype(np.float64),
        hx=tuple(s.astype(np.float64) for s in single.hx),
        d_hx=tuple(s.astype(np.float64) for s in single.d_hx),
    )
    assert_same(solve(single), solve_numpy(double), tolerance)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_backward_of_every_variant_is_the_complex_step_derivative(variant):
    lengths = [4, 1, 2]
    problem = random_problem(11, steps=4, hidden=4, masks=True, lengths=lengths, **variant)
    layer = N.LSTM(**problem.options, dtype=np.float64)
    layer.load_state_dict(problem.state)
    options = dict(lengths=lengths, masks=problem.masks)
    report = check_gradients(layer, problem.x, problem.hx, **options)
    assert report.ok, str(report)
    assert len(report.errors) == len(problem.state) + 3


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_backward_of_the_step_is_the_complex_step_derivative(variant):
    rng = np.random.default_rng(0)
    problem = random_problem(1, steps=1, masks=True, **variant)
    coupled, units = variant.get("coupled", False), variant.get("proj_size", 5)
    weights = {
        name: problem.state[f"{name}_l0"]
        for name in variants.VariantWeights._fields
        if f"{name}_l0" in problem.state
    }
    masks = variants.VariantMasks(
        *(problem.masks.get(f"{name}_l0") for name in variants.VariantMasks._fields)
    ).of_steps(0)
    masks = variants.VariantMasks(*(None if m is None else m.astype(float) for m in masks))
    arrays = dict(
        from_x=rng.normal(size=(3, 5 * (3 if coupled else 4))),
        h=rng.normal(size=(3, units)),
        c=rng.normal(size=(3, 5)),
        **weights,
    )
    dh, dc = rng.normal(size=(3, units)), rng.normal(size=(3, 5))

    def step_of(a):
        own = variants.VariantWeights(**{name: a[name] for name in weights})
        return variants.variant_step(a["from_x"], a["h"], a["c"], own, masks, coupled), own

    def loss(a):
        step, _ = step_of(a)
        return (dh * step.h).sum() + (dc * step.c).sum()

    step, own = step_of(arrays)
    grads = variants.variant_step_backward(
        dh, dc, step, arrays["h"], arrays["c"], own, masks, coupled
    )
    claimed = grads._asdict() | {name: getattr(grads.weights, name) for name in weights}
    claimed = {name: claimed[name] for name in arrays}
    compare_gradients(claimed, complex_step(loss, arrays), tolerance=1e-12).raise_if_wrong()


def paper_lstm(problem):
    """The variants once more, unit by unit as their papers print them, in torch; one layer."""
    option, state = problem.options, {n: torch.tensor(a) for n, a in problem.state.items()}
    w = {name.removesuffix("_l0"): value for name, value in state.items()}
    masks = {n: torch.tensor(np.asarray(m, float)) for n, m in problem.masks.items()}
    hidden = option["hidden_size"]
    rows = 3 if option.get("coupled") else 4
    h, c = (torch.tensor(s[0]) for s in problem.hx)
    outputs = []
    for t, x in enumerate(torch.tensor(problem.x)):
        wx, uh = x @ w["weight_ih"].T, (h * masks.get("recurrent_l0", 1.0)) @ w["weight_hh"].T
        if option.get("layer_norm"):
            wx = functional.layer_norm(wx, wx.shape[-1:], w["norm_ih"])
            uh = functional.layer_norm(uh, uh.shape[-1:], w["norm_hh"])
        a = dict(zip("igo" if rows == 3 else "ifgo", (wx + uh).split(hidden, -1), strict=True))
        for name in ("bias_ih", "bias_hh"):
            if name in w:
                for k, bias in zip(a, w[name].split(hidden), strict=True):
                    a[k] = a[k] + bias
        p = dict.fromkeys("ifo", torch.zeros(hidden))
        if option.get("peephole"):
            names = "io" if rows == 3 else "ifo"
            p |= dict(zip(names, w["weight_ch"].split(hidden), strict=True))
        i = torch.sigmoid(a["i"] + p["i"] * c)
        f = 1 - i if rows == 3 else torch.sigmoid(a["f"] + p["f"] * c)
        new_c = f * c + i * torch.tanh(a["g"])
        o = torch.sigmoid(a["o"] + p["o"] * new_c)
        read = new_c
        if option.get("layer_norm"):
            read = functional.layer_norm(new_c, (hidden,), w["norm_c"], w.get("norm_c_bias"))
        new_h = o * torch.tanh(read)
        if "weight_hr" in w:
            new_h = new_h @ w["weight_hr"].T
        keep_h, keep_c = (masks.get(f"zoneout_{s}_l0") for s in "hc")
        h = new_h if keep_h is None else torch.where(keep_h[t] == 1, h, new_h)
        c = new_c if keep_c is None else torch.where(keep_c[t] == 1, c, new_c)
        outputs.append(h)
    return torch.stack(outputs).numpy(), c.numpy()


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_variant_is_what_its_paper_says(variant):
    problem = random_problem(9, masks=True, **variant)
    output, c = paper_lstm(problem)
    solved = solve_numpy(problem)
    assert distance(solved["output"], output) <= 1e-13
    assert distance(solved["c_n"][0], c) <= 1e-13


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(num_layers=2, bidirectional=True, batch_first=True),
        dict(lengths=[5, 2, 4], num_layers=2, bidirectional=True),
        dict(bias=False, checkpoint_every=4),
    ],
    ids=str,
)
def test_projections_are_those_of_torch(options, dtype):
    problem = random_problem(7, dtype=dtype, proj_size=3, **options)
    plain = {n: v for n, v in problem.options.items() if n != "checkpoint_every"}
    reference = solve_torch(replace(problem, options=plain), reference=True)
    for solve in SOLVERS:
        assert_same(solve(problem), reference, TOLERANCE[dtype])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_multiplies_what_passes_between_layers(kind, bidirectional):
    problem = random_problem(
        3, kind=kind, num_layers=3, dropout=0.4, bidirectional=bidirectional, masks=True
    )
    assert list(problem.masks) == ["dropout_l0", "dropout_l1"]
    directions = 2 if bidirectional else 1
    x, states = torch.tensor(problem.x), []
    for layer in range(3):
        width = 2 if layer == 0 else 5 * directions
        part = getattr(torch.nn, kind)(width, 5, bidirectional=bidirectional, dtype=x.dtype)
        suffixed = {
            n.replace(f"l{layer}", "l0"): torch.tensor(a)
            for n, a in problem.state.items()
            if f"_l{layer}" in n
        }
        part.load_state_dict(suffixed)
        rows = slice(layer * directions, (layer + 1) * directions)
        start = tuple(torch.tensor(s[rows]) for s in as_states(problem.hx))
        x, final = part(x, start if kind == "LSTM" else start[0])
        states.append(as_states(final)[0])
        if layer < 2:
            x = x * torch.tensor(problem.masks[f"dropout_l{layer}"])
    for solve in SOLVERS:
        solved = solve(problem)
        assert distance(solved["output"], x.detach().numpy()) <= 1e-13
        assert distance(solved["h_n"], torch.cat(states).detach().numpy()) <= 1e-13
    assert_same(solve_numpy(problem), solve_loop(problem), 1e-13)


@ENGINES
def test_masks_are_drawn_in_training_only_and_can_be_repeated(L):
    lstm = L.LSTM(2, 4, num_layers=2, dropout=0.5, recurrent_dropout=0.3, zoneout=0.2, rng=0)
    x = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    x = x if L is N else torch.tensor(x)

    def run():
        output = lstm(x)[0]
        return output if L is N else output.detach().numpy()

    L.reseed(lstm, 1)
    first, second = run(), run()
    assert not np.array_equal(first, second)
    L.reseed(lstm, 1)
    assert np.array_equal(first, run()) and np.array_equal(second, run())
    lstm.eval()
    assert np.array_equal(run(), run()) and not np.array_equal(first, run())


def test_both_engines_drop_the_same_units():
    options = dict(num_layers=2, dropout=0.5, recurrent_dropout=0.3, zoneout=0.2, rng=0)
    ours, theirs = (L.LSTM(2, 4, dtype="float64", **options) for L in (N, T))
    x = np.random.default_rng(0).normal(size=(5, 3, 2))
    assert distance(ours(x)[0], theirs(torch.tensor(x))[0].detach().numpy()) <= 1e-14
    for L, layer in ((N, ours), (T, theirs)):
        L.reseed(layer, 7)
    assert distance(ours(x)[0], theirs(torch.tensor(x))[0].detach().numpy()) <= 1e-14


def test_zoneout_outside_training_takes_the_mean_of_both_states():
    lstm = N.LSTM(2, 4, zoneout=(0.3, 0.4), dtype=np.float64, rng=0).eval()
    plain = N.LSTM(2, 4, dtype=np.float64, rng=0)
    rng = np.random.default_rng(1)
    x, h, c = rng.normal(size=(1, 3, 2)), rng.normal(size=(1, 3, 4)), rng.normal(size=(1, 3, 4))
    _, (h_new, c_new) = plain(x, (h, c))
    _, (h_1, c_1) = lstm(x, (h, c))
    assert distance(h_1, 0.3 * h + 0.7 * h_new) <= 1e-15
    assert distance(c_1, 0.4 * c + 0.6 * c_new) <= 1e-15
    theirs = T.LSTM(2, 4, zoneout=(0.3, 0.4), dtype="float64", rng=0).eval()
    _, (h_2, _) = theirs(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    assert distance(h_1, h_2.detach().numpy()) <= 1e-15


def test_a_wrong_row_is_named_by_the_gates_of_the_layer():
    class Wrong(N.LSTM):
        def backward(self, d_output=None, d_hx=None):
            result = super().backward(d_output, d_hx)
            self.weight_hh_l0.grad[7, 1] *= -1
            self.weight_ch_l0.grad[4] *= -1
            return result

    lstm = Wrong(2, 3, coupled=True, peephole=True, dtype=np.float64, rng=0)
    report = str(check_gradients(lstm, np.random.default_rng(0).normal(size=(4, 2, 2))))
    assert "weight_hh_l0: " in report and "[7, 1], gate o, unit 1" in report
    assert "weight_ch_l0: " in report and "[4], gate o, unit 1" in report


def test_a_variant_whose_parts_do_nothing_is_the_standard_lstm():
    problem = random_problem(5, lengths=[6, 1, 4])
    standard = solve_numpy(problem)
    options = problem.options | dict(peephole=True)
    state = problem.state | {"weight_ch_l0": np.zeros(15)}
    peephole = solve_numpy(replace(problem, options=options, state=state))
    del peephole["weight_ch_l0"]
    assert_same(peephole, standard, 1e-14)
    all_kept = {"recurrent_l0": np.ones((3, 5))}
    options = problem.options | dict(recurrent_dropout=0.5)
    assert_same(solve_numpy(replace(problem, options=options, masks=all_kept)), standard, 1e-14)
    none_kept = {f"zoneout_{s}_l0": np.zeros((6, 3, 5)) for s in "hc"}
    options = problem.options | dict(zoneout=0.5)
    assert_same(solve_numpy(replace(problem, options=options, masks=none_kept)), standard, 1e-14)


def test_chrono_and_forget_bias_of_every_variant():
    for L in (N, T):
        value = {n: np.asarray(v) for n, v in L.LSTM(2, 64, chrono=50, rng=0).state_dict().items()}
        f = value["bias_ih_l0"][64:128]
        assert f.min() >= 0 and f.max() <= np.log(49) and f.std() > 0.5
        assert np.array_equal(value["bias_ih_l0"][:64], -f)
        assert not value["bias_hh_l0"][:128].any()
        coupled = L.LSTM(2, 64, chrono=50, coupled=True, rng=0).state_dict()["bias_ih_l0"]
        assert np.asarray(coupled)[:64].max() <= 0
        biased = L.LSTM(2, 3, forget_bias=1.5, coupled=True, rng=0)
        rows = np.asarray(biased.state_dict()["bias_ih_l0"])
        assert (rows[:3] == -1.5).all() and (abs(rows[3:]) < 1).all()
    same = [
        {
            n: np.asarray(v)
            for n, v in L.LSTM(2, 3, chrono=9, layer_norm=True, peephole=True, rng=4)
            .state_dict()
            .items()
        }
        for L in (N, T)
    ]
    assert all(np.array_equal(same[0][n], same[1][n]) for n in same[0])
    assert (same[0]["norm_hh_l0"] == 1).all() and not same[0]["norm_c_bias_l0"].any()
    torch.manual_seed(0)
    first = T.LSTM(2, 3, chrono=9).bias_ih_l0
    torch.manual_seed(0)
    assert torch.equal(first, T.LSTM(2, 3, chrono=9).bias_ih_l0)


@ENGINES
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(dropout=1.0), r"dropout must lie in \[0, 1\), got 1.0"),
        (dict(dropout=float("nan")), r"dropout must lie in \[0, 1\)"),
        (dict(recurrent_dropout=-0.1), "recurrent_dropout must lie in"),
        (dict(zoneout=(0.1, 0.2, 0.3)), "zoneout must be a probability or a pair"),
        (dict(zoneout=1.5), "zoneout must lie in"),
        (dict(proj_size=-1), "proj_size must be a positive integer, got -1"),
        (dict(proj_size=4), "proj_size must be smaller than hidden_size=4, got 4"),
        (dict(checkpoint_every=0), "checkpoint_every must be a positive integer, got 0"),
        (dict(forget_bias=1.0, chrono=10), "pass one of them"),
        (dict(chrono=2), "above 2 steps"),
        (dict(chrono=10, bias=False), "needs a layer with biases"),
        (dict(backend="triton?"), "backend must be one of"),
    ],
    ids=str,
)
def test_wrong_options_are_named(L, options, message):
    with pytest.raises(ValueError, match=message):
        L.LSTM(2, 4, **options)


@ENGINES
def test_dropout_of_a_single_layer_is_warned_of(L):
    with pytest.warns(UserWarning, match="does nothing with num_layers=1") as caught:
        L.LSTM(2, 4, dropout=0.5)
    assert caught[0].filename == __file__


@ENGINES
def test_wrong_masks_are_named(L):
    wrap = np.asarray if L is N else torch.tensor
    lstm = L.LSTM(2, 4, num_layers=2, dropout=0.5, dtype="float64")
    x = wrap(np.zeros((5, 3, 2)))
    with pytest.raises(ValueError, match=r"masks must have the names \['dropout_l0'\], got \[\]"):
        lstm(x, masks={})
    with pytest.raises(ValueError, match=r"masks\['dropout_l0'\] must have shape \(5, 3, 4\)"):
        lstm(x, masks={"dropout_l0": wrap(np.ones((5, 3, 1)))})


def test_segments_keep_less():
    def kept(every):
        lstm = N.LSTM(4, 32, checkpoint_every=every, rng=0)
        lstm(np.zeros((400, 8, 4), np.float32))
        [workspace] = lstm._workspaces.values()
        inner = workspace.inner.values() if every else [workspace]
        return sum(a.nbytes for w in inner for a in vars(w).values() if isinstance(a, np.ndarray))

    assert kept(20) < kept(None) / 10
