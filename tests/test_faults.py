"""A test has to be able to fail: every term of every derivative is damaged once, and each time it is seen.

The source of the backward functions of `lstm_lib.equations` is changed in one place at a time and run; the
complex step, which finds the unchanged functions right, has to object every time.
"""

import ast
import copy
import inspect
import textwrap

import numpy as np
import pytest

from lstm_lib import equations, variants
from lstm_lib.gradcheck import compare_gradients, complex_step

FLIPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add}


def mutants(function, swap=True):
    """Yield ``(description, damaged function)`` for everything of `function` that can be damaged.

    A sum becomes a difference and a difference a sum; a product loses its right or its left factor;
    with `swap`, a variable is taken for each of the others.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    variables = sorted(local_variables(tree)) if swap else []
    for index, node in enumerate(ast.walk(tree)):
        for new in substitutes(node, variables):
            damaged = copy.deepcopy(tree)
            replace(damaged, list(ast.walk(damaged))[index], new)
            ast.fix_missing_locations(damaged)
            names = dict(function.__globals__)
            exec(compile(damaged, "<mutant>", "exec"), names)
            yield f"{ast.unparse(node)} -> {ast.unparse(new)}", names[function.__name__]


def local_variables(tree):
    """Arguments of the function and what it assigns, but strings."""
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    assigned = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return (arguments | assigned) - {"_", "nonlinearity"}


def substitutes(node, variables):
    """What may stand in a node's place by mistake."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in variables:
        return [ast.Name(name, ast.Load()) for name in variables if name != node.id]
    if not isinstance(node, ast.BinOp):
        return []
    if type(node.op) in FLIPPED:
        return [ast.BinOp(node.left, FLIPPED[type(node.op)](), node.right)]
    return [node.left, node.right] if isinstance(node.op, ast.Mult) else []


def replace(tree, old, new):
    """Put `new` where `old` stands in the tree."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and old in value:
                value[value.index(old)] = new


def random_arrays(gates, seed=0, batch=3, inputs=2, hidden=4):
    """Arguments of a step with all sizes different and all biases random."""
    rng = np.random.default_rng(seed)
    shapes = dict(
        x=(batch, inputs),
        h=(batch, hidden),
        weight_ih=(gates * hidden, inputs),
        weight_hh=(gates * hidden, hidden),
        bias_ih=(gates * hidden,),
        bias_hh=(gates * hidden,),
    )
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return arrays, rng.normal(size=(batch, hidden)), rng


def lstm_judge():
    """A function that judges a damaged ``lstm_gates_backward``."""
    _, dh, rng = random_arrays(4)
    a, c, dc = rng.normal(size=(3, 16)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    step = equations.lstm_gates(a, c)

    def loss(point):
        step = equations.lstm_gates(point["a"], point["c"])
        return (dh * step.h + dc * step.c).sum()

    measured = complex_step(loss, {"a": a, "c": c})

    def is_right(gates_backward):
        da, dc_prev = gates_backward(dh, dc, step, c)
        claimed = {"a": np.concatenate(da, axis=-1), "c": dc_prev}
        return compare_gradients(claimed, measured, tolerance=1e-12).ok

    return is_right


def step_judge(gates, forward, *options):
    """A function that judges a damaged ``gru_step_backward`` or ``rnn_step_backward``."""
    arrays, dh, _ = random_arrays(gates)
    step = forward(*arrays.values(), *options)
    inputs = list(arrays.values())[:4]

    def loss(point):
        value = forward(*point.values(), *options)
        return (dh * getattr(value, "h", value)).sum()

    measured = complex_step(loss, arrays)

    def is_right(backward):
        claimed = backward(dh, step, *inputs, *options)._asdict()
        return compare_gradients(claimed, measured, tolerance=1e-12).ok

    return is_right


def variant_judge(coupled, **options):
    """A function that judges a damaged ``variant_step_backward`` on a step with these options."""
    rng = np.random.default_rng(0)
    gates, units = 3 if coupled else 4, 3 if options.get("projection") else 4
    shapes = dict(weight_hh=(gates * 4, units), weight_ch=((gates - 1) * 4,))
    if options.get("norm"):
        shapes |= dict(norm_hh=(gates * 4,), norm_c=(4,), norm_c_bias=(4,))
    if options.get("projection"):
        shapes |= dict(weight_hr=(units, 4))
    shapes |= dict(from_x=(5, gates * 4), h=(5, units), c=(5, 4))
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    masks = variants.NO_MASKS
    if options.get("masks"):
        masks = variants.VariantMasks(*(rng.random((5, n)) for n in (units, units, 4)))
    dh, dc = rng.normal(size=(5, units)), rng.normal(size=(5, 4))

    def step_of(point):
        weights = {n: point[n] for n in variants.VariantWeights._fields if n in point}
        weights = variants.VariantWeights(**weights)
        return variants.variant_step(
            point["from_x"], point["h"], point["c"], weights, masks, coupled
        ), weights

    def loss(point):
        step, _ = step_of(point)
        return (dh * step.h).sum() + (dc * step.c).sum()

    step, weights = step_of(arrays)
    measured = complex_step(loss, arrays)

    def is_right(backward):
        by = backward(dh, dc, step, arrays["h"], arrays["c"], weights, masks, coupled)
        claimed = by.weights._asdict() | by._asdict()
        claimed = {name: claimed[name] for name in arrays}
        return compare_gradients(claimed, measured, tolerance=1e-12).ok

    return is_right


def both(first, second):
    """A function that both judges have to call right."""
    return lambda function: first(function) and second(function)


JUDGED = {
    "lstm_gates_backward": (lstm_judge(), 250),
    "gru_step_backward": (step_judge(3, equations.gru_step), 150),
    "rnn_step_backward": (
        both(step_judge(1, equations.rnn_step, "tanh"), step_judge(1, equations.rnn_step, "relu")),
        30,
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_every_damaged_derivative_is_seen(name):
    is_right, running = JUDGED[name]
    function = getattr(equations, name)
    assert is_right(function)
    verdicts = [(what, verdict(is_right, mutant)) for what, mutant in mutants(function)]
    assert [what for what, said in verdicts if said == "right"] == []
    assert sum(said == "wrong" for _, said in verdicts) >= running


def verdict(is_right, mutant):
    """What is said of a mutant; many damages stop the code with an error."""
    try:
        return "right" if is_right(mutant) else "wrong"
    except (ValueError, TypeError, AttributeError, NameError):
        return "stops"


def test_every_damaged_derivative_of_a_variant_is_seen():
    is_right = both(
        both(
            variant_judge(False, norm=True, projection=True, masks=True),
            variant_judge(True, norm=True, masks=True),
        ),
        both(variant_judge(False), variant_judge(True, projection=True)),
    )
    assert is_right(variants.variant_step_backward)
    damaged = mutants(variants.variant_step_backward, swap=False)
    verdicts = [(what, verdict(is_right, mutant)) for what, mutant in damaged]
    assert [what for what, said in verdicts if said == "right"] == []
    assert sum(said == "wrong" for _, said in verdicts) >= 50
