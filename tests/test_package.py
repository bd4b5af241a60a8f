"""What importing costs, what both engines export, and the documentation's examples."""

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import lstm_lib
from lstm_lib import numpy as N
from lstm_lib import torch as T
from lstm_lib.validation import positive_int
from tests import reference

PUBLIC = reference.public_names()
ON_NO_PAGE = {"validation"}  # it serves the other modules alone


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_import_needs_neither_torch_nor_matplotlib():
    code = (
        "import sys, lstm_lib, lstm_lib.numpy, lstm_lib.training, lstm_lib.gradcheck, lstm_lib.claims\n"
        "import lstm_lib.data.windows, lstm_lib.data.corpora, lstm_lib.data.tasks, lstm_lib.convert\n"
        "heavy = {'torch', 'matplotlib', 'sklearn', 'IPython', 'tqdm', 'safetensors', 'tokenizers', 'onnx'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("missing", "code", "hint"),
    [
        ("torch", "import lstm_lib.torch", "pip install torch"),
        ("torch", "import lstm_lib; lstm_lib.engine('torch')", "pip install torch"),
        (
            "safetensors",
            "from lstm_lib.checkpoints import save_arrays; save_arrays('x', {})",
            "pip install 'lstm_lib[train]'",
        ),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(missing, code, hint):
    result = run(f"import sys; sys.modules[{missing!r}] = None\n{code}")
    assert "ModuleNotFoundError" in result.stderr and hint in result.stderr


def test_the_numpy_engine_works_where_torch_is_not_installed():
    code = "import sys; sys.modules['torch'] = None\nimport lstm_lib.numpy as L; L.LSTM(1, 2)"
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_both_engines_export_the_same_names():
    assert N.__all__ == T.__all__


@pytest.mark.parametrize(
    "name",
    [
        "LSTM",
        "GRU",
        "RNN",
        "LSTMCell",
        "GRUCell",
        "RNNCell",
        "Linear",
        "SequenceModel",
        "MixtureDensity",
        "MDNLoss",
        "LanguageModel",
        "Attention",
        "AttentionPooling",
        "Conv1d",
        "Dropout",
        "Embedding",
        "LayerNorm",
        "EncoderDecoder",
        "WindowLSTM",
        "HandwritingModel",
    ],
)
def test_both_engines_take_the_same_arguments(name):
    ours, theirs = (inspect.signature(getattr(L, name)).parameters for L in (N, T))
    assert list(ours) == list(theirs)
    for call in ("forward",):
        a, b = (inspect.signature(getattr(getattr(L, name), call)).parameters for L in (N, T))
        assert list(a) == list(b)


@pytest.mark.parametrize(
    "name",
    [
        "value_and_grad",
        "predict",
        "evaluate",
        "device",
        "clip_grad_norm_",
        "generate",
        "generate_points",
        "stream_value_and_grad",
        "stream_loss",
    ],
)
def test_functions_of_both_engines_take_the_same_arguments(name):
    a, b = (inspect.signature(getattr(L, name)) for L in (N, T))
    assert list(a.parameters) == list(b.parameters)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_arguments_result_errors_and_an_example(name):
    assert reference.gaps(PUBLIC[name]) == []


@pytest.mark.parametrize("name", [n for n, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_every_public_method_is_documented(name):
    if PUBLIC[name].__module__.startswith("lstm_lib"):
        for attribute, value in vars(PUBLIC[name]).items():
            if not attribute.startswith("_") and (inspect.isfunction(value) or is_property(value)):
                assert value.__doc__, f"{name}.{attribute}"


@pytest.mark.parametrize("name", PUBLIC)
def test_attributes_are_described_one_by_one(name):
    # Sphinx takes the first of two names for the type of the second
    text = reference.sections(inspect.getdoc(PUBLIC[name])).get("Attributes", "")
    heads = [line.partition(" : ")[0] for line in text.splitlines() if line[:1].strip()]
    assert [head for head in heads if "," in head] == []


def is_property(value):
    return isinstance(value, property)


@pytest.mark.parametrize("module", reference.shown_modules())
def test_the_reference_shows_all_that_a_module_exports(module):
    module = import_module(module)
    exported = (getattr(module, name) for name in getattr(module, "__all__", ()))
    ours = [x for x in exported if callable(x) and not x.__module__.startswith("torch")]
    assert [thing for thing in ours if thing not in list(PUBLIC.values())] == []


def test_the_reference_says_what_is_torchs_own():
    page = (reference.API / "torch.md").read_text(encoding="utf-8")
    own = [name for name in T.__all__ if getattr(T, name).__module__.startswith("torch")]
    assert len(own) > 10 and [name for name in own if f"`{name}`" not in page] == []


def test_the_reference_shows_every_part_of_the_library():
    parts = {f"lstm_lib.{module.name}" for module in pkgutil.iter_modules(lstm_lib.__path__)}
    shown = {".".join(module.split(".")[:2]) for module in reference.shown_modules()}
    assert parts - shown == {f"lstm_lib.{name}" for name in ON_NO_PAGE}
    linked = reference.API.with_suffix(".md").read_text(encoding="utf-8")
    assert all(f"(api/{page.stem})" in linked for page in reference.API.glob("*.md"))


def silent(x):
    pass


def poor(x, *, width=3):
    """Do something.

    Parameters
    ----------
    x : int

    >>> poor(1)
    1
    """
    if x < 0:
        raise ValueError("x must not be negative")
    return x


def rich(x, *rest):
    """Do something.

    Parameters
    ----------
    x, *rest : int

    Examples
    --------
    >>> rich(1)
    """

    def inner():
        return ValueError(x)

    inner()


class Checked:
    """A class that checks its argument."""

    def __init__(self, size):
        self.size = positive_int("size", size)


@pytest.mark.parametrize(
    ("thing", "lacks"),
    [
        (silent, ["a docstring"]),
        (poor, ["an example", "the argument width", "the result", "the errors"]),
        (rich, []),
        (Checked, ["an example", "the argument size", "the errors"]),
    ],
)
def test_gaps_of_a_docstring_are_found(thing, lacks):
    assert reference.gaps(thing) == lacks
