"""What has to agree across the repository's files: its name, the pins, the commands, the workflows."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VENDORED = ("book/_static/mathjax/", "book/_static/fonts/")
# Other projects on the same host that a page may link to.
OTHER_PROJECTS: set[str] = set()

MENTION = re.compile(
    r"(?:github\.com|google\.com/github)[/:]([\w.-]+)/([\w-]+(?:\.(?!git\b)[\w-]+)*)"
)
PAGES_MENTION = re.compile(r"([\w-]+)\.github\.io(?:/([\w.-]+))?")
# Written in parts, as this file is searched as well.
REGISTRIES = [
    "py" + "pi.org",
    "pythonhosted" + ".org",
    "registry." + "npmjs",
    "deb." + "debian.org",
]
INDEX_ADDRESS = re.compile(r"https?://\S*/(?:whl|simple)\b\S*")
TORCH_INDEX = "https://download.pytorch.org/" + "whl/cpu"
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}])/(?:root|home/\w+|Users/\w+|work/(?:main|shared))\b|[A-Z]:\\\\?Users"
)


def tracked_files() -> list[Path]:
    """The repository's own text files."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [n for n in listed.stdout.split("\0") if n and not n.startswith(VENDORED)]
    binary = {".png", ".woff", ".woff2", ".inv", ".ico", ".safetensors"}
    return [ROOT / n for n in names if (ROOT / n).is_file() and Path(n).suffix not in binary]


def found_in_files(pattern: re.Pattern) -> list[tuple[str, str]]:
    """(file, match) for every match of the pattern."""
    return [
        (str(path.relative_to(ROOT)), match.group(0))
        for path in tracked_files()
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]


@pytest.fixture(scope="module")
def address():
    """(owner, name) of the repository, from the one place that says it."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return tuple(config["repository"]["url"].rstrip("/").split("/")[-2:])


def wrong_mentions(text: str, owner: str, name: str) -> list[str]:
    """Mentions of a repository in `text` that are neither this one nor one of OTHER_PROJECTS."""
    wrong = [
        match.group(0)
        for match in MENTION.finditer(text)
        if match.groups() != (owner, name) and "/".join(match.groups()) not in OTHER_PROJECTS
    ]
    pages = [m for m in PAGES_MENTION.finditer(text) if m.groups() != (owner, name)]
    return wrong + [m.group(0) for m in pages if f"{m[1]}/{m[2]}" not in OTHER_PROJECTS]


def test_every_mention_of_the_repository_is_the_configured_one(address):
    wrong, right = [], 0
    for path in tracked_files():
        if path == Path(__file__).resolve():
            continue
        text = path.read_text(encoding="utf-8")
        wrong += [
            f"{path.relative_to(ROOT)}: {mention}" for mention in wrong_mentions(text, *address)
        ]
        right += len(MENTION.findall(text))
    assert wrong == []
    assert right >= 3, "README, CITATION.cff and the notebooks name the repository"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("https://github.com/a/b.git@main and git@github.com:a/b.git", 0),
        (
            "https://a.github.io/b/ and https://colab.research.google.com/github/a/b/blob/main/x.ipynb",
            0,
        ),
        ("https://github.com/a/c and https://github.com/x/b.git", 2),
        (
            "https://x.github.io/b/ and https://colab.research.google.com/github/a/c/blob/main/x.ipynb",
            2,
        ),
    ],
)
def test_a_wrong_mention_is_noticed(text, count):
    assert len(wrong_mentions(text, "a", "b")) == count


def pins(name: str) -> dict[str, str]:
    """Package to version, each name in its normal form; anything but NAME==VERSION fails."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line:
            match = re.fullmatch(r"([\w.-]+)==([\w.]+)", line)
            assert match, f"{name}: {line!r} is not NAME==VERSION"
            package = re.sub(r"[-_.]+", "-", match[1]).lower()
            assert package not in found, f"{name}: {package} twice"
            found[package] = match[2]
    return found


def test_pins_are_exact_and_stand_once():
    direct, brought, data = map(
        pins, ["requirements.txt", "constraints.txt", "requirements-data.txt"]
    )
    assert not direct.keys() & brought.keys()
    assert not data.keys() & (direct.keys() | brought.keys())
    assert not [name for name in brought if re.search("nvidia|cuda|triton", name)], (
        "of one platform only"
    )


def test_installed_packages_agree():
    """`pip check`; only the data packages, whose files are read without importing them, lack what they ask for."""
    command = [sys.executable, "-m", "pip", "check"]
    said = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    data = tuple(f"{name} " for name in pins("requirements-data.txt"))
    assert [line for line in said if not line.startswith((*data, "No broken requirements"))] == []


def test_the_data_layer_names_the_same_versions():
    from lstm_lib.data import corpora

    named = {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in corpora.DISTRIBUTIONS.items()}
    assert named == pins("requirements-data.txt")


def test_no_registry_is_named():
    hosts = re.compile("|".join(map(re.escape, REGISTRIES)), re.IGNORECASE)
    assert found_in_files(hosts) == []
    others = [
        (name, found) for name, found in found_in_files(INDEX_ADDRESS) if found != TORCH_INDEX
    ]
    assert [hit for hit in others if hit[0] != "tests/test_repository.py"] == []


def test_no_path_of_a_machine_is_left():
    hits = found_in_files(MACHINE_PATH)
    assert [hit for hit in hits if hit[0] != "tests/test_repository.py"] == []


def make_targets() -> set[str]:
    """Every target of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", text, re.MULTILINE))


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "book/intro.md",
        "book/how-to-use.md",
        ".ci/run",
        *(str(w.relative_to(ROOT)) for w in WORKFLOWS),
    ],
)
def test_commands_that_are_named_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^|run: |step )make ([a-z]+)", text, re.MULTILINE))
    assert named <= make_targets()


def test_the_readme_opens_every_notebook_in_colab(address):
    """Each once; a new one is missed here before it is missed by a reader."""
    pytest.importorskip("bs4")
    from tests.site.checks import toc_pages

    owner, name = address
    start = f"https://colab.research.google.com/github/{owner}/{name}/blob/main/"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(re.escape(start) + r"([^)\s]+)", readme)
    pages = [f"{page}.ipynb" for page in toc_pages(ROOT / "_toc.yml")]
    assert sorted(listed) == sorted(page for page in pages if (ROOT / page).exists())


def test_ci_runs_what_the_readme_says():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert [c for c in ("make book", "make test", "make colab") if f"step {c}" not in text] == []
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")]).returncode == 0


def test_the_workflows_are_there():
    assert [path.stem for path in WORKFLOWS] == ["links", "publish", "test", "weekly"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_parses(path):
    flow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert flow["name"] == path.stem
    assert flow[True], "YAML reads the key `on` as true"
    assert flow["permissions"]
    for job in flow["jobs"].values():
        assert job["runs-on"]
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            for script in re.findall(r"(?:tools|tests)/[\w/.-]+", step.get("run", "")):
                assert (ROOT / script).exists(), script


def test_pre_commit_hooks_are_local_and_their_files_exist():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    for script in re.findall(r"tests/[\w/.]+", " ".join(hook["entry"] for hook in hooks)):
        assert (ROOT / script).exists(), script
    assert any("jupyter" in hook.get("types_or", []) for hook in hooks)


def test_files_stay_small():
    """A source file past 500 lines is two ideas; a program of tools has under 150."""
    sources = [p for p in tracked_files() if p.suffix in {".py", ".md", ".css", ".yml"}]
    lengths = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8").count("\n") for p in sources}
    assert {
        name: n for name, n in lengths.items() if n > (149 if name.startswith("tools/") else 500)
    } == {}
