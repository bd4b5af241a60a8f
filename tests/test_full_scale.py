"""The training runs at full scale, for a moment and in small: they record a curve, go on and stop."""

import doctest
import json

import pytest

pytest.importorskip("torch")

from benchmarks import record
from train import __main__ as program


def run(name, folder, *more):
    """A quick run; the content of its record, or a skip where the data is not installed."""
    arguments = [name, "--quick", "--folder", str(folder), "--checkpoints", str(folder / "runs")]
    try:
        program.main([*arguments, *more])
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    (path,) = folder.glob("*-run-*.json")
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("shakespeare_full", {"bits a character, test plays"}),
        ("pronunciation_full", {"words, bare, nearest, beam of 5, test"}),
    ],
)
def test_a_run_records_its_curve(name, measured, tmp_path):
    found = run(name, tmp_path, "--mixed")
    assert found["quick"] and found["mixed"] and found["stopped"] == "epochs"
    assert {"device", "versions", "settings", "command", "flags"} <= found.keys()
    assert measured <= found["measured"].keys()
    curve = found["curve"]
    assert [point["epoch"] for point in curve] == [1, 2]
    assert curve[1]["step"] == 2 * curve[0]["step"] > 0
    assert 0 < curve[0]["seconds"] <= curve[1]["seconds"]
    assert curve[1]["train"] < curve[0]["train"]
    assert {"train", "valid", "lr"} <= curve[0].keys()
    stem = name.removesuffix("_full")
    assert (tmp_path / "runs" / f"{stem}.safetensors").is_file(), "the weights are kept apart"


def test_a_run_that_was_stopped_goes_on(tmp_path):
    first = run("shakespeare_full", tmp_path, "--budget", "0")
    assert first["stopped"] == "budget" and len(first["curve"]) == 1 and first["measured"]
    second = run("shakespeare_full", tmp_path)
    assert second["stopped"] == "epochs" and second["curve"][0] == first["curve"][0]
    whole = run("shakespeare_full", tmp_path / "whole")
    assert second["measured"] == whole["measured"], "the very result of an uninterrupted run"


def test_full_runs_are_made_by_name_alone(capsys):
    assert set(program.FULL) == {"shakespeare_full", "pronunciation_full"}
    assert not set(program.FULL) & set(program.NETWORKS)
    if not program.torch.cuda.is_available():
        with pytest.raises(SystemExit):
            program.main(["shakespeare_full"])
        assert "is for a GPU, and here is none" in capsys.readouterr().err


def test_stored_runs_were_not_quick():
    for path in record.RESULTS.glob("gpu-run-*.json"):
        stored = json.loads(path.read_text("utf-8"))
        assert not stored["quick"] and stored["measured"] and len(stored["curve"]) > 2, path.name


def test_ways_of_counting_errors():
    from train import pronunciation_full

    failed, attempted = doctest.testmod(pronunciation_full)
    assert failed == 0 and attempted >= 3
