"""The programs behind the Makefile: environment, build, server."""

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load(name):
    """A program of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def env(tmp_path, monkeypatch):
    """setup_env, looking at a copy of the pins in an empty folder, with pip replaced by a list of calls."""
    module = load("setup_env")
    for name in (*module.SOURCES, *module.EXTRAS.values()):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(
        module, "PYTHON", tmp_path / ".venv" / module.PYTHON.relative_to(ROOT / ".venv")
    )
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "book-ready.json")
    monkeypatch.setattr(module, "MAKE_VENV", ["-m", "venv", "--without-pip"])
    really_create = module.create

    def create():
        """As the real one, but with an empty module for pip, which takes seconds to install."""
        really_create()
        question = "import sysconfig; print(sysconfig.get_path('purelib'))"
        purelib = subprocess.check_output([module.PYTHON, "-c", question], text=True).strip()
        (Path(purelib) / "pip.py").touch()

    monkeypatch.setattr(module, "create", create)
    module.calls = []
    monkeypatch.setattr(module, "pip", module.calls.append)
    return module


def test_environment_is_made_once(env, capsys):
    env.main()
    assert [call.split()[-1] for call in env.calls] == [
        "constraints.txt",
        "requirements-data.txt",
        ".",
    ]
    assert "ready in .venv" in capsys.readouterr().out
    env.calls.clear()
    env.main()
    assert env.calls == []
    assert capsys.readouterr().out == ""


def test_changed_pins_are_installed_into_it(env):
    env.main()
    env.calls.clear()
    marker = env.VENV / "still-the-same"
    marker.touch()
    with (env.ROOT / "requirements.txt").open("a") as file:
        file.write("# changed\n")
    env.main()
    assert len(env.calls) == 3
    assert marker.exists()


@pytest.mark.parametrize("extra", ["instructor", "gpu"])
def test_what_some_commands_need_comes_on_demand_and_stays(env, extra):
    env.main()
    env.calls.clear()
    env.main([extra])
    assert [call for call in env.calls if env.EXTRAS[extra] in call]
    assert len(env.calls) == 4
    env.calls.clear()
    env.main()
    env.main([extra])
    assert env.calls == []
    (env.ROOT / env.EXTRAS[extra]).write_text("nbgrader")
    env.main()
    assert [call for call in env.calls if env.EXTRAS[extra] in call]


@pytest.mark.parametrize("damage", ["interrupted", "broken", "moved", "garbled"])
def test_half_an_environment_is_made_anew(env, damage):
    env.main()
    env.calls.clear()
    marker = env.VENV / "left-over"
    marker.touch()
    if damage == "interrupted":
        env.STAMP.unlink()
    elif damage == "broken":
        env.PYTHON.unlink()
    elif damage == "garbled":
        env.STAMP.write_text("{")
    else:
        env.STAMP.write_text(json.dumps({**json.loads(env.STAMP.read_text()), "root": "elsewhere"}))
    env.main()
    assert len(env.calls) == 3
    assert not marker.exists()


def test_an_interrupted_install_leaves_no_stamp(env, monkeypatch):
    env.main()
    (env.ROOT / "constraints.txt").write_text("")

    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(env, "pip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        env.main()
    assert env.present() == {}


def test_too_old_python_is_told_by_name(env, monkeypatch):
    monkeypatch.setattr(env, "OLDEST", (4, 0))
    monkeypatch.setattr(env, "NEWER", [])
    with pytest.raises(
        SystemExit, match=r"needs Python 4\.0 or newer, and this is Python 3\.\d+"
    ) as stopped:
        env.main()
    assert "make book PYTHON=" in str(stopped.value)


def test_a_newer_python_on_the_path_takes_over(env, monkeypatch):
    monkeypatch.setattr(env, "OLDEST", (4, 0))
    monkeypatch.setattr(env, "NEWER", ["no-such-python", sys.executable])
    calls = []
    monkeypatch.setattr(sys, "argv", ["setup_env.py", "instructor"])
    monkeypatch.setattr(env.subprocess, "call", lambda command, **_: calls.append(command) or 0)
    with pytest.raises(SystemExit) as stopped:
        env.check_python()
    assert stopped.value.code == 0
    assert calls[-1] == [sys.executable, str(ROOT / "tools" / "setup_env.py"), "instructor"]


def test_missing_venv_module_is_explained(env, monkeypatch):
    with pytest.raises(SystemExit, match="python3-venv"):
        broken = subprocess.CompletedProcess([], 1, "", "ensurepip is not available")
        monkeypatch.setattr(env.subprocess, "run", lambda *a, **k: broken)
        env.create()


def test_a_failing_pip_prints_what_it_said():
    module = load("setup_env")
    module.PYTHON = Path(sys.executable)
    with pytest.raises(SystemExit) as stopped:
        module.pip("install --no-index no-such-package-of-this-name")
    assert "no-such-package-of-this-name" in str(stopped.value)
    assert "That was:  pip install" in str(stopped.value)


def test_makefile_explains_a_missing_python():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    command = ["make", "book", "PYTHON=no-such-python"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode != 0
    assert "No 'no-such-python' found. The book needs Python 3.11 or newer" in made.stdout


def test_make_alone_lists_the_commands():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in [
        "book",
        "test",
        "serve",
        "notebooks",
        "bench",
        "bench-gpu",
        "colab",
        "assignments",
        "grade",
        "clean",
    ]:
        assert f"make {target} " in listed


@pytest.fixture
def sources(tmp_path):
    """A folder with the inputs that a build looks at."""
    build = load("build_book")
    for name in build.INPUTS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "." in Path(name).name:
            path.write_text(name)
        else:
            path.mkdir(exist_ok=True)
            (path / "file.md").write_text(name)
    return build, tmp_path


def test_build_notices_changes_additions_and_renames(sources):
    build, root = sources
    seen = {build.inputs_hash(root)}
    (root / "lstm_lib" / "file.md").write_text("changed")
    seen.add(build.inputs_hash(root))
    (root / "chapters" / "new.md").write_text("new")
    seen.add(build.inputs_hash(root))
    (root / "chapters" / "new.md").rename(root / "chapters" / "newer.md")
    seen.add(build.inputs_hash(root))
    assert len(seen) == 4


def test_build_does_not_notice_caches(sources):
    build, root = sources
    before = build.inputs_hash(root)
    (root / "lstm_lib" / "__pycache__").mkdir()
    (root / "lstm_lib" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    assert build.inputs_hash(root) == before


def test_build_is_not_repeated_and_not_trusted_when_it_failed(sources, monkeypatch, capsys):
    build, root = sources
    runs = []

    def run(command, **options):
        runs.append(command)
        build.HTML.mkdir(parents=True)
        (build.HTML / "index.html").write_text("book")
        said = "reading\n\x1b[91mpage.md:3: WARNING: no such label\x1b[39;49;00m\n"
        return subprocess.CompletedProcess(command, int(len(runs) == 1), said)

    for name, path in {
        "ROOT": root,
        "HTML": root / "_build/html",
        "STAMP": root / "_build/stamp",
    }.items():
        monkeypatch.setattr(build, name, path)
    monkeypatch.setattr(build.subprocess, "run", run)
    assert [build.main() for _ in range(3)] == [1, 0, 0]
    assert len(runs) == 2, "the failed build is repeated, the clean one is not"
    said = capsys.readouterr()
    assert said.out.rstrip().endswith("The book: _build/html/index.html")
    assert said.err.startswith("page.md:3: WARNING: no such label\n\nThe book did not build")
    assert all("-W" in command and "-n" in command and "--all" in command for command in runs)


def test_server_takes_the_next_free_port(tmp_path, capsys):
    serve = load("serve_book")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serve.open_server(tmp_path, port) as server:
            assert server.server_address[0] == "127.0.0.1"
            assert port < server.server_port < port + serve.TRIES
    assert f"Port {port} is in use" in capsys.readouterr().out


def numbers_and_rest(svg):
    """The numbers of an SVG, and its text without them and without the names made from them."""
    svg = re.sub(r"[mp][0-9a-f]{10}", "<name>", svg)
    return [float(n) for n in re.findall(r"-?\d+\.\d+", svg)], re.sub(r"-?\d+(\.\d+)?", "#", svg)


as_svg = load("pictures").as_svg


def same_picture(one, other):
    (numbers, rest), (others, other_rest) = numbers_and_rest(one), numbers_and_rest(other)
    return rest == other_rest and numbers == pytest.approx(others, abs=0.01)


@pytest.mark.parametrize("folder", load("draw_chapters").PICTURES)
def test_the_picture_of_a_chapter_is_the_one_that_is_drawn(folder):
    tool = load("draw_chapters")
    stored = tool.CHAPTERS / folder / f"{tool.PICTURES[folder].__name__}.svg"
    assert same_picture(as_svg(tool.PICTURES[folder]), stored.read_text("utf8"))


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("draw_sequences", "kinds"),
        ("draw_sequences", "window"),
        ("draw_gradients", "message"),
        ("draw_cell", "step"),
        ("draw_cell", "explorer"),
        ("draw_paths", "paths"),
        ("draw_backward", "backward"),
        ("draw_training", "parts"),
        ("draw_gpu", "timeline"),
        ("draw_classification", "readouts"),
        ("draw_generation", "running"),
        ("draw_captions", "looking"),
        ("draw_seq2seq", "bridge"),
        ("draw_attention", "attention"),
        ("draw_scaling", "shared"),
        ("draw_scaling", "ring"),
    ],
)
def test_the_pictures_with_a_program_of_their_own_are_those_that_are_drawn(program, name):
    tool = load(program)
    assert same_picture(
        as_svg(tool.PICTURES[name]), (tool.CHAPTER / f"{name}.svg").read_text("utf8")
    )


def test_another_picture_is_noticed():
    tool = load("draw_chapters")
    svg = as_svg(tool.PICTURES["08-prediction"])
    assert same_picture(svg, svg)
    assert not same_picture(svg, svg.replace("<path", "<path ", 1))
    assert not same_picture(svg, re.sub(r"\d\d\.\d+", "99.5", svg, count=1))
