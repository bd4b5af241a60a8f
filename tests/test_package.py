"""What importing costs, what both engines export, and the documentation's examples."""

import inspect
import subprocess
import sys

import pytest

from lstm_lib import numpy as N
from lstm_lib import torch as T


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


@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
def test_every_public_name_is_documented(L):
    for name in L.__all__:
        thing = getattr(L, name)
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing) and thing.__module__.startswith("lstm_lib"):
            for attribute, value in vars(thing).items():
                if inspect.isfunction(value) and not attribute.startswith("_"):
                    assert value.__doc__, f"{name}.{attribute}"
