"""Training in several processes: the result of one, whatever is shared, and no hang when one fails."""

import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from lstm_lib import distributed, pretrained
from lstm_lib import numpy as N
from lstm_lib.checkpoints import load_arrays
from lstm_lib.torch.replica import Replica
from lstm_lib.training import fit
from tests import teams
from train import __main__ as program

ROOT = Path(__file__).resolve().parent.parent


def assert_same_run(result, expected, tolerance=1e-12):
    assert not isinstance(result, str), result
    (weights, history), (own, own_history) = result, expected
    assert max(np.abs(weights[name] - own[name]).max() for name in own) <= tolerance
    for name in ("train_loss", "valid_loss", "grad_norm", "lr"):
        theirs, ours = getattr(history, name), getattr(own_history, name)
        np.testing.assert_allclose(theirs, ours, rtol=1e-11, atol=tolerance, err_msg=name)
    assert history.best_epoch == own_history.best_epoch


@pytest.mark.parametrize("name", teams.RUNS)
def test_two_processes_give_the_result_of_one(name):
    """Uneven lengths, and a last batch of one sequence, which leaves one worker with nothing."""
    expected = teams.train(name)
    first, second = teams.together(teams.train, name)
    assert_same_run(first, expected)
    assert_same_run(second, first, tolerance=0.0)


def test_three_processes_give_the_result_of_one_on_streams():
    expected = teams.read(6, 7, 80)
    for result in teams.together(teams.read, 6, 7, 80, size=3):
        assert_same_run(result, expected)


def test_streams_carry_their_states_where_one_has_nothing_left_to_read():
    """Two streams of 15 and 14 targets in chunks of seven: the last chunk counts on one worker alone."""
    expected = teams.read(2, 7, 30)
    for result in teams.together(teams.read, 2, 7, 30):
        assert_same_run(result, expected)


def test_a_checkpoint_of_one_process_goes_on_in_two(tmp_path):
    path = tmp_path / "run.safetensors"
    teams.train("pools", path, epochs=2)
    expected = teams.train("pools")
    for result in teams.together(teams.train, "pools", path):
        assert_same_run(result, expected)
    assert len(load_arrays(path)[1]["history"]["train_loss"]) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


def differ():
    team = distributed.current()
    fit(teams.model_of(), teams.data_of(seed=team.rank), batch_size=8, progress=False)


def differ_in(**options):
    rank = distributed.current().rank
    options = {name: values[rank] for name, values in options.items()}
    fit(teams.model_of(), teams.data_of(), **{"batch_size": 8, "progress": False, **options})


def differ_in_epochs():
    differ_in(epochs=(2, 3))


def differ_in_valid():
    differ_in(valid=(teams.data_of(), teams.data_of(seed=1)))


def differ_in_checkpoint():
    differ_in(checkpoint=("nowhere/run.safetensors", None))


def refuse(batch_size):
    fit(teams.model_of(), teams.data_of(), batch_size=batch_size, progress=False)


def use_numpy():
    model = N.SequenceModel(N.LSTM(1, 2, batch_first=True), N.Linear(2, 1), "all")
    fit(model, teams.data_of(), batch_size=8, progress=False)


def mean_of_squares(prediction, target):
    return ((prediction - target) ** 2).mean()


def leave_it_open():
    data = (teams.data_of()[0], teams.data_of()[1])
    fit(teams.model_of(), data, loss=mean_of_squares, batch_size=8, progress=False)


def call_another():
    if distributed.current().first:
        teams.read(2, 7, 30)
    else:
        teams.train("pools")


def use_another_checkpoint(path):
    fit(teams.model_of(), teams.data_of(seed=7), batch_size=8, checkpoint=path, progress=False)


@pytest.mark.parametrize(
    ("work", "arguments", "message"),
    [
        (differ, (), "all workers must be given the same data: it is"),
        (differ_in_epochs, (), "the same epochs: it is 2 on worker 0 and 3 on worker 1"),
        (differ_in_valid, (), "all workers must be given the same valid"),
        (differ_in_checkpoint, (), "the same checkpoint: it is 'a path' on worker 0 and None on"),
        (refuse, (1,), "batch_size must be at least the number of workers, 2, got 1"),
        (refuse, (7,), "batch_size must be a multiple of the number of workers, 2"),
        (leave_it_open, (), "the criterion must say whether it is a mean or a sum: give <function"),
        (call_another, (), "all workers must call the same function: one with "),
        (use_numpy, (), "training with 2 workers needs a model of lstm_lib.torch, got one of"),
    ],
    ids=["data", "epochs", "valid", "checkpoint", "small", "odd", "plain", "mixed", "numpy"],
)
def test_what_cannot_be_shared_is_refused_by_all(work, arguments, message):
    for result in teams.together(work, *arguments):
        assert result.startswith("ValueError") and message in result


def test_all_hear_why_a_checkpoint_does_not_fit(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(teams.model_of(), teams.data_of(), batch_size=8, epochs=1, checkpoint=path, progress=False)
    for result in teams.together(use_another_checkpoint, path):
        assert "is of a run with other settings: data was" in result


def fail_on_one():
    def stumble(epoch, _):
        if distributed.current().rank == 1 and epoch == 1:
            raise ZeroDivisionError("worker 1 stumbles")

    return teams.train("every step", callback=stumble)


def test_one_that_fails_does_not_leave_the_other_waiting():
    first, second = teams.together(fail_on_one)
    assert second == "ZeroDivisionError: worker 1 stumbles"
    assert first.startswith("RuntimeError"), "its partner is gone"
    assert "Timed out" not in first, "it heard of that, sooner than its patience of 30 s ends"


def test_who_parts_keeps_no_connection_in_a_replica():
    """Where a replica was the last to hold it, about one end of a failed run in fifteen waited for ever."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        kept = Replica(teams.model_of())
        distributed._part()
        assert not {"reducer", "logger"} & set(vars(kept.parallel))
        assert not torch.distributed.is_initialized()
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def be_killed(path):
    def cut(epoch, _):
        if distributed.current().rank == 1 and epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    return teams.train("pools", path, callback=cut)


def test_a_killed_worker_ends_its_partner_and_the_next_team_goes_on(tmp_path):
    path = tmp_path / "run.safetensors"
    first, second = teams.together(be_killed, path)
    assert first.startswith("RuntimeError") and second == "dead"
    assert len(load_arrays(path)[1]["history"]["train_loss"]) == 2
    whole = teams.together(teams.train, "pools")[0]
    for result in teams.together(teams.train, "pools", path, 4, 5):
        assert_same_run(result, whole, tolerance=0.0)


PROGRAM = """
import os, sys, time
from pathlib import Path
rank, life = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]
print(f"worker {rank}, life {life}", *sys.argv[1:])
there = Path(sys.argv[0]).with_suffix(f".{life}")
if rank == "0":
    there.touch()
    time.sleep(0 if os.environ["WORLD_SIZE"] == "1" else 60)  # until it is stopped
while not there.exists():
    time.sleep(0.01)
sys.exit(f"worker {rank} has enough" if rank == "1" else 0)
"""


def test_a_launch_starts_again_and_tells_what_failed(tmp_path):
    """And what was printed by the other, which is stopped in the middle of its work."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    with pytest.raises(RuntimeError, match="worker 1 has enough") as failure:
        distributed.launch(script, "with", 3, restarts=1, timeout=60)
    for line in ("worker 0, life 0 with 3", "worker 1, life 0", "worker 1, life 1"):
        assert line in str(failure.value)
    printed = distributed.launch(script, processes=1)
    assert printed == "worker 0, life 0\n"


def test_a_launch_knows_the_environment_of_its_own_time(tmp_path, monkeypatch):
    script = tmp_path / "shows.py"
    script.write_text("import os; print(os.environ.get('LSTM_BOOK_MOOD'))", encoding="utf-8")
    for mood in ("bright", "grey"):
        monkeypatch.setenv("LSTM_BOOK_MOOD", mood)
        assert distributed.launch(script, processes=1) == f"{mood}\n"
    monkeypatch.delenv("LSTM_BOOK_MOOD")
    assert distributed.launch(script, processes=1) == "None\n"
    with pytest.raises(ValueError, match="restarts must be 0 or more, got -1"):
        distributed.launch(script, restarts=-1)


KILLED = """
import json, os, signal, sys
from pathlib import Path
from lstm_lib import distributed
from lstm_lib.checkpoints import save_arrays
from tests import teams

folder = Path(sys.argv[1])
killed = folder / "killed"
again = killed.exists()

def unplug(epoch, _):
    if epoch == 1 and not again and distributed.current().rank == 1:
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)

with distributed.workers() as team:
    weights, _ = teams.train("pools", folder / "run.safetensors", seed=5 * again, callback=unplug)
    if team.first:
        save_arrays(folder / "done.safetensors", weights, {"again": again})
"""


def start_torchrun(script, folder, machine, machines, port):
    """What runs on one machine of several; here they are one, and do not know it."""
    options = f"--nproc-per-node {2 // machines} --max-restarts 3 --local-addr 127.0.0.1"
    meeting = f"--rdzv-backend c10d --rdzv-endpoint 127.0.0.1:{port} --rdzv-id run"
    several = f"--nnodes {machines} {meeting} --rdzv-conf is_host={int(machine == 0)}"
    options += f" {several}" if machines > 1 else " --standalone"
    path = os.pathsep.join([str(ROOT), *sys.path])
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    more = {"GLOO_SOCKET_IFNAME": loopback, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *options.split(), script, folder],
        env={**os.environ, "PYTHONPATH": path, **(more if machines > 1 else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("machines", [1, 2])
def test_torchrun_starts_a_killed_team_again_and_it_ends_as_one_process_does(machines, tmp_path):
    """The real one; in its second life the team begins with other weights and goes on from the checkpoint."""
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    team = [start_torchrun(script, tmp_path, k, machines, port) for k in range(machines)]
    late = threading.Timer(
        240, lambda: [agent.terminate() for agent in team]
    )  # it stops its workers
    late.daemon = True
    late.start()
    said = [agent.communicate()[0] for agent in team]
    late.cancel()
    assert [agent.returncode for agent in team] == [0] * machines, said
    found, facts = load_arrays(tmp_path / "done.safetensors")
    expected, _ = teams.train("pools")
    assert facts["again"] is True
    assert max(np.abs(found[name] - expected[name]).max() for name in expected) <= 1e-12


def test_who_restarts_several_machines_is_told_how(monkeypatch):
    for name, value in {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "1",
        "TORCHELASTIC_MAX_RESTARTS": "3",
    }.items():
        monkeypatch.setenv(name, value)
    for shared, told in (("False", 0), ("True", 1)):
        monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", shared)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert distributed._of_this_life("store") == "store"
        assert sum("TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in str(w.message) for w in caught) == told


def test_who_has_not_met_does_not_train_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="torchrun started 2 processes that have not met"):
        fit(teams.model_of(), teams.data_of(), progress=False)
    with pytest.raises(ValueError, match="RANK, .*MASTER_PORT not set: start .* with torchrun"):
        with distributed.workers():
            pass


def test_backends_that_are_not_there(monkeypatch):
    with pytest.raises(ValueError, match="backend must be one of"):
        with distributed.workers(backend="mpi"):
            pass
    for name in distributed.TORCHRUN:
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="needs a GPU for each of the 2 workers .* finds 1"):
        with distributed.workers(backend="nccl"):
            pass
    monkeypatch.setattr(torch.distributed, "is_gloo_available", lambda: False)
    with pytest.raises(ValueError, match="built without Gloo"):
        with distributed.workers():
            pass
    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    with pytest.raises(ValueError, match="built without torch.distributed"):
        with distributed.workers():
            pass


def test_a_model_on_the_cpu_is_refused_where_nccl_would_carry_its_gradients(monkeypatch):
    monkeypatch.setattr(torch.distributed, "get_backend", lambda: "nccl")
    with pytest.raises(ValueError, match="is on the CPU: move it to 'cuda'"):
        distributed.Workers(rank=0, size=2).replica(teams.model_of())


def test_a_launch_that_takes_too_long_is_stopped(tmp_path):
    script = tmp_path / "sleeps.py"
    script.write_text("import time; time.sleep(60)", encoding="utf-8")
    with pytest.raises(TimeoutError, match="was not done in time"):
        distributed.launch(script, timeout=0.5)


def train_a_network(folder):
    program.main(["poems", "--quick", "--folder", folder, "--checkpoints", folder + "/runs"])


def test_a_network_of_the_library_is_trained_by_two_and_stored_by_one(tmp_path):
    """What torchrun --nproc-per-node 2 -m train does."""
    assert teams.together(train_a_network, str(tmp_path)) == [None, None]
    assert pretrained.card("poems", tmp_path).parameters == pretrained.card("poems").parameters
    assert list((tmp_path / "runs").iterdir()) == []
