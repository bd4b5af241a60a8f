"""The walls, and what is said where they cannot stand or are lower than they should be."""

import pytest

pytest.importorskip("nbgrader", reason="requirements-instructor.txt is not installed")

from grading import __main__ as command
from grading import command as commands
from grading import sandbox as boxes
from grading import watch
from grading.sandbox import Limits, NoSandbox, Sandbox
from tests.grading.sources import store, tiny

MACHINE = "         0          0 4294967295"
CONTAINER = "         0     100000      65536"


@pytest.mark.parametrize(
    ("inside", "outside", "root"),
    [
        ("      1000          0          1", MACHINE, True),
        ("      1000       1001          1", MACHINE, False),
        ("      1000          0          1", CONTAINER, False),
        ("", MACHINE, False),
    ],
)
def test_root_is_told_from_others(inside, outside, root):
    assert boxes.is_root(inside, outside) is root


@pytest.mark.parametrize("root", [True, False])
def test_who_grades_as_root_is_warned_in_one_line(root, small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(commands, "check", lambda private: root)
    source = store(tiny(), tmp_path / "chapters")
    (tmp_path / "in").mkdir()
    line = ["grade", str(tmp_path / "in"), str(tmp_path / "out"), "--source", str(source)]
    assert command.main(line) == 0
    said = [row for row in capsys.readouterr().err.splitlines() if row.startswith("WARNING")]
    assert len(said) == root and all("root" in row and "instructors.md" in row for row in said)


@pytest.mark.parametrize("why", ["is not installed", "does not work here"])
def test_without_bubblewrap_grading_is_refused_and_says_what_to_do(
    why, tmp_path, monkeypatch, capsys
):
    program = None if "installed" in why else "/bin/false"
    monkeypatch.setattr(boxes.shutil, "which", lambda name: program)
    with pytest.raises(NoSandbox, match=why):
        boxes.check()
    source = store(tiny(), tmp_path / "chapters")
    line = ["grade", str(tmp_path), str(tmp_path / "out"), "--source", str(source)]
    assert command.main(line) == 1
    said = capsys.readouterr().err
    assert "apt install bubblewrap" in said and "--no-sandbox" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("prefix", ["prefix", "base_prefix"])
def test_a_python_that_would_show_what_is_private_is_refused(prefix, tmp_path, monkeypatch):
    monkeypatch.setattr(boxes.sys, prefix, str(tmp_path))
    with pytest.raises(NoSandbox, match=f"yours lies right in {tmp_path}"):
        boxes.check(["elsewhere", tmp_path])
    monkeypatch.setattr(boxes.Path, "home", lambda: tmp_path)
    with pytest.raises(NoSandbox, match=f"yours lies right in {tmp_path}"):
        boxes.check()


def test_private_folders_within_shown_ones_are_covered(tmp_path, monkeypatch):
    monkeypatch.setattr(boxes, "SYSTEM", (str(tmp_path),))
    inner = tmp_path / "course" / "in"
    words = boxes._mounts([inner])
    assert words.index(str(inner)) > words.index(str(tmp_path))
    assert words[words.index(str(inner)) - 1] == "--tmpfs"
    assert words[words.index(str(inner)) - 3] == "--size"
    assert "--remount-ro" in words


def test_the_empty_folder_hides_no_python_that_lies_in_one_of_its_name(sandbox):
    words = boxes.frame(Limits())
    assert words.index("/work") < words.index("--ro-bind")


def test_a_program_is_ended_where_no_process_can_be_seen(monkeypatch):
    """As on systems without /proc, which grade without a sandbox."""
    monkeypatch.setattr(watch, "children", lambda process: [])
    monkeypatch.setattr(boxes, "become_reaper", lambda: None)
    box = Sandbox(Limits(), sandboxed=False)
    box.start()
    process = box.process
    box.close()
    assert process.poll() is not None


@pytest.mark.parametrize("option", ["--workers", "--cell", "--memory"])
def test_a_limit_of_0_is_refused(option, tmp_path, capsys):
    with pytest.raises(SystemExit):
        command.main(["grade", str(tmp_path), str(tmp_path / "out"), option, "0"])
    assert "must be above 0, got 0" in capsys.readouterr().err
