"""Every bug of the zoo is caught, shows its symptom, and no right code is accused."""

import importlib.util
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from lstm_lib import numpy as L
from lstm_lib import zoo
from lstm_lib.zoo.gradients import gradient_error

SEEDS = range(5)
BUGS = pytest.mark.parametrize("bug", zoo.BUGS.values(), ids=list(zoo.BUGS))

# What a measured symptom has to look like: with the bug, and without it.
BOUNDS = {
    "swapped_projections": lambda broken, correct: broken > 0.1 and correct < 1e-12,
    "shared_bias": lambda broken, correct: (
        broken == 0 and correct == pytest.approx(0.4526, abs=1e-4)
    ),
    "output_gate_twice": lambda broken, correct: broken == 0.25 and correct == 0,
    "cell_state_into_gates": lambda broken, correct: broken == 0 and correct > 0.1,
    "forget_and_input_swapped": lambda broken, correct: broken < 1e-5 and correct > 0.8,
    "sigmoid_candidate": lambda broken, correct: broken == 0 and correct > 0.05,
    "output_without_tanh": lambda broken, correct: broken > 100 and correct <= 1,
    "missing_gate_derivative": lambda broken, correct: broken > 1.5 and correct == 1,
    "dropped_cell_gradient": lambda broken, correct: broken < 1e-10 and correct > 1e-3,
    "undamped_cell_gradient": lambda broken, correct: broken > 0.1 and correct < 1e-3,
    "dropped_hidden_gradient": lambda broken, correct: broken > 0.05 and correct == 0,
    "forgotten_tanh": lambda broken, correct: broken > 2 and correct == 1,
    "overwritten_gradient": lambda broken, correct: broken < 3 and correct > 5,
    "wrong_bias_in_backward": lambda broken, correct: broken > 1e-2 and correct < 1e-12,
    "last_of_padding": lambda broken, correct: broken > 0.02 and correct == 0,
    "reverse_from_padding": lambda broken, correct: broken > 1e-3 and correct == 0,
    "batch_taken_for_time": lambda broken, correct: broken > 1e-3 and correct == 0,
    "never_detached": lambda broken, correct: (broken, correct) == (80, 10),
    "forget_bias_twice": lambda broken, correct: (
        broken == pytest.approx(0.8808, abs=1e-4) and correct == pytest.approx(0.7311, abs=1e-4)
    ),
    "all_equal": lambda broken, correct: (broken, correct) == (1, 6),
    "dropout_unscaled": lambda broken, correct: (
        broken == pytest.approx(0.5, abs=0.03) and correct == pytest.approx(1, abs=0.03)
    ),
    "dropout_in_evaluation": lambda broken, correct: broken > 0.4 and correct == 0,
    "dropout_with_one_layer": lambda broken, correct: broken == 0 and correct > 0.01,
    "eval_forgotten": lambda broken, correct: broken > 0.1 and correct == 0,
    "softmax_twice": lambda broken, correct: (
        broken == pytest.approx(np.log(np.e + 2) - 1) and correct < 1e-12
    ),
    "loss_over_padding": lambda broken, correct: (
        broken == pytest.approx(0.2) and correct == pytest.approx(1)
    ),
    "clipped_one_by_one": lambda broken, correct: broken < 0.97 and correct == pytest.approx(1),
    "rate_of_every_batch": lambda broken, correct: (
        broken == pytest.approx(0.9**50) and correct == pytest.approx(0.9)
    ),
    "gradients_pile_up": lambda broken, correct: (
        broken == pytest.approx(20) and correct == pytest.approx(1)
    ),
    "drops_the_last_target": lambda broken, correct: (broken, correct) == (1, 0),
    "holds_the_target": lambda broken, correct: broken > 0.99 and correct < 0.1,
    "same_day_columns": lambda broken, correct: broken > 0.9 and correct < 0.1,
    "scaled_with_the_future": lambda broken, correct: broken < 0.75 and correct == 1,
    "split_at_random": lambda broken, correct: broken > 0.8 and correct == 0,
    "same_tokens": lambda broken, correct: broken == 1 and correct < 0.1,
    "explained_variance": lambda broken, correct: broken > 0.9 and correct == 0,
}


def test_the_zoo_is_complete():
    assert list(BOUNDS) == list(zoo.BUGS)
    assert all(name == bug.name for name, bug in zoo.BUGS.items())
    assert {bug.kind for bug in zoo.BUGS.values()} == set(zoo.KINDS)
    with pytest.raises(TypeError):
        zoo.BUGS["another"] = None


@BUGS
@pytest.mark.parametrize("seed", SEEDS)
def test_the_bug_is_caught_and_right_code_is_not_accused(bug, seed):
    verdict = bug.check(bug.broken, seed)
    assert not verdict.ok and verdict.found and str(verdict).startswith("BROKEN: " + bug.promise)
    verdict = bug.check(bug.correct, seed)
    assert verdict.ok, str(verdict)
    assert verdict.found == "" and str(verdict) == f"holds: {bug.promise}"


@pytest.mark.parametrize("seed", SEEDS)
def test_right_code_passes_all_checks_of_its_kind(seed):
    pairs = {
        (judge.name, other.correct)
        for judge, other in itertools.product(zoo.BUGS.values(), repeat=2)
        if judge.kind == other.kind
    }
    assert [pair for pair in pairs if not zoo.BUGS[pair[0]].check(pair[1], seed).ok] == []


@BUGS
@pytest.mark.parametrize("seed", SEEDS)
def test_the_symptom_shows(bug, seed):
    symptom = bug.symptom(seed)
    assert BOUNDS[bug.name](symptom.broken, symptom.correct), str(symptom)
    assert bug.symptom(seed) == symptom
    assert symptom.quantity == bug.quantity and "with the bug" in str(symptom)


@BUGS
def test_an_entry_can_be_read(bug):
    for text in (bug.wrong, bug.looks, bug.promise, bug.seen, bug.fix):
        assert text.endswith("."), text
    assert bug.code.startswith(("def ", "class ")) and len(bug.code.splitlines()) < 20
    assert bug.broken.__doc__ and bug.correct.__doc__


@BUGS
def test_code_that_stops_with_an_error_breaks_the_promise(bug):
    def stops(*arguments, **options):
        raise OSError("no disk")

    verdict = bug.check(stops)
    assert not verdict.ok and verdict.found == "It raised OSError: no disk"
    with pytest.raises(TypeError, match=re.escape(zoo.KINDS[bug.kind])):
        bug.check(None)


def test_zero_biases_hide_a_wrong_bias():
    bug = zoo.BUGS["wrong_bias_in_backward"]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        assert gradient_error(bug.broken, rng, biases=False) < 1e-12
        assert gradient_error(bug.broken, rng) > 1e-2


def test_one_step_hides_an_overwritten_gradient():
    x = np.random.default_rng(0).normal(size=(1, 2, 2))
    grads = []
    for implementation in (
        zoo.BUGS["overwritten_gradient"].broken,
        zoo.BUGS["overwritten_gradient"].correct,
    ):
        layer = implementation(2, 3, rng=0)
        output, (h, c) = layer(x)
        layer.backward(np.ones_like(output), (0 * h, 0 * c))
        grads.append(layer.weight_ih_l0.grad)
    assert np.array_equal(*grads)


def test_the_checks_serve_other_code_of_their_kind():
    def layer(input_size, hidden_size, rng=None):
        return L.LSTM(input_size, hidden_size, dtype=np.float64, rng=rng)

    for bug in zoo.BUGS.values():
        if bug.kind == "backward":
            assert bug.check(layer).ok
    assert zoo.BUGS["softmax_twice"].check(lambda z, k: L.CrossEntropyLoss()(z, k)).ok


def test_the_stepwise_layer_is_the_layer_of_the_engine():
    slow = zoo.BUGS["dropped_cell_gradient"].correct(2, 3, rng=5)
    fast = L.LSTM(2, 3, dtype=np.float64, rng=5)
    x = np.random.default_rng(1).normal(size=(4, 2, 2))
    assert np.allclose(slow(x)[0], fast(x)[0], rtol=0, atol=1e-15)


@pytest.fixture(scope="module")
def page():
    """The extension of the documentation that shows the zoo."""
    path = Path(__file__).parents[1] / "_ext" / "zoo_entries.py"
    spec = importlib.util.spec_from_file_location("zoo_entries", path)
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    return extension


def test_the_documentation_lists_every_bug_and_every_kind_once(page):
    text = page.overview("bugs").astext()
    links = [link["refid"] for link in page.overview("bugs").findall(page.nodes.reference)]
    assert links == [name.replace("_", "-") for name in zoo.BUGS]
    assert all(text.count(f"{bug.title}\n\n{bug.looks}") == 1 for bug in zoo.BUGS.values())
    kinds = page.overview("kinds").astext()
    assert all(kinds.count(f"{kind}\n\n{call}") == 1 for kind, call in zoo.KINDS.items())


def test_the_page_shows_each_bug_with_what_was_measured_and_its_lines_marked(page):
    shown = set()
    for bug in zoo.BUGS.values():
        entry = page.entry(bug, shown)
        text = entry.astext()
        assert entry.attributes["ids"] == [bug.name.replace("_", "-")]
        for part in (bug.title, bug.looks, bug.fix, str(bug.symptom())):
            assert part in text
        assert bug.broken.__doc__ not in text
    first, right = page.entry(zoo.BUGS["sigmoid_candidate"], set()).findall(
        page.nodes.literal_block
    )
    marked = [first.astext().splitlines()[n - 1] for n in first["highlight_args"]["hl_lines"]]
    assert marked[0] == "    i, f, g, o = np.split(sigmoid(a), 4, axis=-1)" and len(marked) == 3
    assert right.astext().startswith("def step(")
