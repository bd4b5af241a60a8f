"""Networks kept with the library: whole, small, known by their hash, and made by a program that still runs."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from lstm_lib import pretrained
from lstm_lib.parameters import to_numpy

pytest.importorskip("safetensors")
torch = pytest.importorskip("torch")
from lstm_lib import numpy as N  # noqa: E402
from lstm_lib import torch as T  # noqa: E402
from train import __main__ as program  # noqa: E402

SETTINGS = dict(vocabulary_size=5, embedding_size=3, hidden_size=4)


@pytest.fixture
def stored(tmp_path):
    """A folder with one network, and the model it was made from."""
    model = N.LanguageModel(**SETTINGS, rng=0)
    made = pretrained.store(
        model,
        "tiny",
        settings=SETTINGS,
        seed=7,
        seconds=90,
        notes={"symbols": ["a"]},
        measured={"bits": 1.25},
        made_with="by hand",
        folder=tmp_path,
    )
    return tmp_path, model, made


@pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_weights_come_back_in_the_precision_of_the_model(stored, L, dtype):
    folder, model, made = stored
    copy = L.LanguageModel(**pretrained.card("tiny", folder).settings, rng=1, dtype=dtype)
    assert pretrained.load(copy, "tiny", folder) == made
    for name, value in copy.state_dict().items():
        assert to_numpy(value).dtype == dtype
        assert (to_numpy(value) == to_numpy(model.state_dict()[name])).all()


def test_what_is_measured_after_storing_is_what_a_reader_measures(tmp_path):
    model = N.LanguageModel(**SETTINGS, rng=0)
    before = {name: to_numpy(value).copy() for name, value in model.state_dict().items()}
    pretrained.store(model, "tiny", settings=SETTINGS, seed=0, seconds=1, folder=tmp_path)
    copy = N.LanguageModel(**SETTINGS, rng=1)
    pretrained.load(copy, "tiny", tmp_path)
    tokens = np.arange(5)[None]
    assert (N.predict(copy, tokens) == N.predict(model, tokens)).all()
    assert any((before[name] != to_numpy(v)).any() for name, v in model.state_dict().items())


def test_a_card_says_what_is_known(stored):
    folder, _, made = stored
    assert pretrained.names(folder) == ["tiny"]
    assert made.notes == {"symbols": ["a"]} and made.parameters == 184
    assert made.size == (folder / "tiny.safetensors").stat().st_size
    assert str(made) == (
        "tiny: 184 weights in 0.00 MB, trained in 2 minutes of processor time with seed 7 (by hand); "
        "measured then: bits 1.25"
    )


def test_a_second_network_leaves_the_first(stored):
    folder, model, made = stored
    pretrained.store(model, "a-second", settings=SETTINGS, seed=0, seconds=1, folder=folder)
    assert pretrained.names(folder) == ["a-second", "tiny"]
    assert pretrained.card("tiny", folder) == made


def test_a_changed_file_is_refused_and_the_model_left_alone(stored):
    folder, _, _ = stored
    path = folder / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    model = N.LanguageModel(**SETTINGS, rng=1)
    before = {name: to_numpy(value).copy() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="is not the file that was stored"):
        pretrained.load(model, "tiny", folder)
    assert all((before[name] == to_numpy(v)).all() for name, v in model.state_dict().items())


def test_a_missing_file_is_named(stored):
    folder, model, _ = stored
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="tiny.safetensors is missing"):
        pretrained.load(model, "tiny", folder)


def test_another_model_is_refused(stored):
    folder, _, _ = stored
    with pytest.raises(ValueError, match="belongs to another model"):
        pretrained.load(N.LanguageModel(5, 3, 6, rng=0), "tiny", folder)


@pytest.mark.parametrize("text", ["{", "[1]", '{"tiny": {"name": "tiny"}}', '{"tiny": 3}'])
def test_a_damaged_list_is_named(stored, text):
    folder, model, _ = stored
    (folder / "cards.json").write_text(text)
    with pytest.raises(ValueError, match="is no list of stored networks"):
        pretrained.load(model, "tiny", folder)


@pytest.mark.parametrize("name", ["", "../tiny", "a b", "a/b", "-"])
def test_a_name_that_is_no_name(tmp_path, name):
    with pytest.raises(ValueError, match="letters, digits and hyphens"):
        pretrained.store(
            N.Linear(1, 1, rng=0), name, settings={}, seed=0, seconds=0, folder=tmp_path
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])
def test_weights_that_half_precision_cannot_hold(tmp_path, value):
    layer = N.Linear(1, 1, rng=0)
    layer.weight.data[:] = value
    with pytest.raises(ValueError, match="weight holds a number that half precision cannot"):
        pretrained.store(layer, "wild", settings={}, seed=0, seconds=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_too_large(tmp_path):
    with pytest.raises(ValueError, match="at most 2000000"):
        pretrained.store(
            N.Linear(1000, 1001, rng=0), "large", settings={}, seed=0, seconds=0, folder=tmp_path
        )
    assert list(tmp_path.iterdir()) == []


def test_the_library_keeps_what_its_list_says_and_nothing_else():
    files = {path.stem for path in pretrained.FOLDER.glob("*.safetensors")}
    assert files == set(pretrained.names())
    assert {program.importlib.import_module(f"train.{n}").NAME for n in program.NETWORKS} == files


@pytest.mark.parametrize("name", pretrained.names())
def test_a_kept_network_is_the_one_its_card_describes(name):
    card = pretrained.card(name)
    content = (pretrained.FOLDER / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card.sha256
    assert len(content) == card.size <= 2_050_000
    assert card.seconds > 60 and card.measured and card.made_with
    json.dumps(dataclasses.asdict(card))


@pytest.mark.parametrize("name", program.NETWORKS)
def test_the_program_that_made_a_network_still_runs(name, tmp_path, capsys):
    network = program.importlib.import_module(f"train.{name}")
    try:
        program.main(
            [name, "--quick", "--folder", str(tmp_path), "--checkpoints", str(tmp_path / "runs")]
        )
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    made, kept = pretrained.card(network.NAME, tmp_path), pretrained.card(network.NAME)
    assert (made.settings, made.notes, made.parameters) == (
        kept.settings,
        kept.notes,
        kept.parameters,
    )
    assert made.measured.keys() == kept.measured.keys()
    assert network.NAME in capsys.readouterr().out
    assert list((tmp_path / "runs").iterdir()) == [], "the checkpoint of a finished run is removed"


def test_what_the_program_refuses(capsys):
    for arguments, message in ((["nobody"], "no network nobody"), (["--quick"], "--folder")):
        with pytest.raises(SystemExit):
            program.main(arguments)
        assert message in capsys.readouterr().err
