"""The set-up: one set of versions behind every door, and the Makefile."""

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    packages_distributions,
    version,
)
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from companion.base.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = dict(line.split("==") for line in LINES if not line.startswith("#"))
TEST = PROJECT["optional-dependencies"]["test"]
SITE = PROJECT["optional-dependencies"]["site"]
BROWSER = [
    line
    for line in PROJECT["optional-dependencies"]["browser"]
    if line != "aulib[site]"
]
OF_TORCH = re.compile(r"nvidia-|cuda-|triton$")
"""Packages that torch asks for, and pins, on some systems only."""

made_by_make = pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="an environment of other versions"
)


# Versions


def closure(packages: list[str]) -> set[str]:
    """The packages and all that they need here, as installed."""
    found: set[tuple[str, frozenset]] = set()
    waiting = [Requirement(package) for package in packages]
    while waiting:
        wanted = waiting.pop()
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key in found:
            continue
        found.add(key)
        for text in distribution(wanted.name).requires or []:
            needed = Requirement(text)
            extras = wanted.extras or {""}
            if not needed.marker or any(
                needed.marker.evaluate({"extra": extra}) for extra in extras
            ):
                waiting.append(needed)
    return {name for name, _ in found}


@pytest.mark.parametrize("line", [*PROJECT["dependencies"], *TEST, *SITE, *BROWSER])
def test_every_dependency_has_an_exact_version_that_it_allows(line):
    requirement = Requirement(line)  # of a name that `make doctor` finds in both files
    assert requirement.specifier.contains(PINS[requirement.name])


@made_by_make
def test_all_that_a_dependency_needs_is_pinned_too():
    lines = [*PROJECT["dependencies"], *TEST]
    with suppress(PackageNotFoundError):  # the extras for the site, where they are
        closure([*SITE, *BROWSER])
        lines += [*SITE, *BROWSER]
    names = closure(lines)
    assert not {name for name in names - set(PINS) if not OF_TORCH.match(name)}


@made_by_make
def test_the_versions_installed_are_those_pinned():
    others = {}
    for name, pin in PINS.items():
        try:
            installed = version(name).split("+")[0]
        except PackageNotFoundError:
            continue  # needed on another system
        if installed != pin:
            others[name] = installed
    assert not others


def test_constraints_are_sorted_and_of_the_registry():
    text = (ROOT / "constraints.txt").read_text()
    assert list(PINS) == sorted(map(canonicalize_name, PINS))
    assert all(re.fullmatch(r"[\w.+!-]+", pin) for pin in PINS.values())
    assert "://" not in text and "@" not in text
    assert (PINS["torch"], PINS["torchvision"]) == ("2.15.0", "0.29.2")


def test_the_oldest_versions_named_include_torch_2_11_on_python_3_12():
    lines = map(Requirement, PROJECT["dependencies"])
    allowed = {line.name: line.specifier for line in lines}
    assert allowed["torch"].contains("2.11.0")
    assert allowed["torchvision"].contains("0.26.0")
    python = SpecifierSet(PROJECT["requires-python"])
    assert python.contains("3.11.0") and python.contains("3.12.1")
    assert not python.contains("3.10.13")


def test_conda_gives_what_make_gives():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == "aulib"
    assert environment["channels"] == ["conda-forge"]
    python, pip, by_pip = environment["dependencies"]
    assert pip == "pip"
    assert python.startswith("python=")
    minor = python.removeprefix("python=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{minor}.7")
    # what the Makefile hands to pip, no more and no less
    assert by_pip == {"pip": ["-c constraints.txt", "-e .[test]"]}
    makefile = (ROOT / "Makefile").read_text()
    assert '--constraint constraints.txt --editable ".[test]"' in makefile


def imports(source: str) -> set[str]:
    """The top-level modules that a piece of Python imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def code_of(path: Path) -> str:
    if path.suffix == ".py":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    lines = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    return re.sub(r"^[%!].*$", "", "\n".join(lines), flags=re.MULTILINE)


@pytest.mark.parametrize(
    "folders, lines",
    [
        (["aulib", "companion", "notebooks"], PROJECT["dependencies"]),
        (["tests"], [*PROJECT["dependencies"], *TEST, *BROWSER, *SITE]),
    ],
    ids=["packages", "tests"],
)
def test_what_is_imported_is_a_dependency(folders, lines):
    paths = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".ipynb") and ".ipynb_checkpoints" not in path.parts
    ]
    used = set().union(*(imports(code_of(path)) for path in paths))
    support = {path.stem for path in (ROOT / "tests" / "support").glob("*.py")}
    used -= set(sys.stdlib_module_names) | {"aulib", "companion"} | support
    owners = packages_distributions()
    owners["dlib"] = ["dlib-bin"]  # whose own list names its extension module only
    for line in [*SITE, *BROWSER]:  # installed only where the site is built and tested
        name = Requirement(line).name
        owners.setdefault(name.replace("-", "_").split("_katex")[0], [name])
    known = {canonicalize_name(Requirement(line).name) for line in lines}
    if folders == ["tests"]:
        known.add("packaging")  # pytest's own
    missing = {
        name
        for name in used
        if not known & {canonicalize_name(o) for o in owners.get(name, [])}
    }
    assert not missing


@pytest.mark.parametrize("name", ["bench_aulib", "bench_training", "blind_faces"])
def test_a_script_finds_its_imports(name, tmp_path):
    """As `python SCRIPT` would, which looks in the script's folder first."""
    (script,) = (ROOT / "tests").rglob(f"{name}.py")
    code = "import runpy, sys; sys.path.insert(0, sys.argv[1])\n"
    code += "runpy.run_path(sys.argv[2], run_name='imported')"
    command = [sys.executable, "-P", "-c", code, script.parent, script]
    subprocess.run(command, cwd=tmp_path, check=True)


# The Makefile

TARGETS = (
    *("all", "install", "test", "lab", "figures", "verify", "doctor"),
    *("table-2-all", "ablation", "pretrain", "site", "record", "explorables"),
    *("metadata", "stress", "bench", "clean", "help"),
)
FAKE_PYTHON = """#!/bin/sh
# Logs what it is asked; `-m venv … DIR` puts a copy of itself there.
echo "$*" >> "$LOG"
env > "$LOG.environment"
[ "$1 $2" = "-m venv" ] && { mkdir -p .venv/bin; cp "$0" .venv/bin/python; }
[ "$1 $2" = "-m pip" ] && exit "${PIP_FAILS:-0}"
exit 0
"""


def make(directory: Path, *arguments: str, **environment: str):
    settings = {
        key: value
        for key, value in os.environ.items()
        if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROFILE", "PYTHON")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        env=settings | environment,
    )


@pytest.fixture
def checkout(tmp_path):
    """A directory, with a space in its name, whose Python only takes notes."""
    directory = tmp_path / "a check out"
    directory.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, directory)
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    log = tmp_path / "log"

    def run(*arguments: str, **environment: str):
        log.write_text("")
        environment = {"PYTHON": str(python), "LOG": str(log)} | environment
        answer = make(directory, *arguments, **environment)
        return answer, log.read_text().splitlines()

    return directory, run


def test_help_names_every_target_and_nothing_else():
    text = make(ROOT, "help").stdout
    named = set(re.findall(r"^  make ?([\w-]*)", text, re.MULTILINE))
    assert named == {"" if target == "all" else target for target in TARGETS}
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony[1].split() == list(TARGETS)


def test_every_target_can_be_planned():
    answer = make(ROOT, "--dry-run", "--warn-undefined-variables", *TARGETS)
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr


@pytest.mark.parametrize("target", ["all", "test", "lab", "figures", "record", "site"])
def test_a_second_call_installs_nothing(checkout, target):
    _, run = checkout
    answer, first = run(target)
    assert answer.returncode == 0, answer.stderr
    answer, second = run(target)
    installs = [
        [line for line in log if "pip install" in line] for log in (first, second)
    ]
    extras = ["[test]"]
    if target == "test" and (
        shutil.which("chromium") or shutil.which("chromium-browser")
    ):
        extras.append("[browser]")
    if target == "site":
        extras.append("[site]")
    assert not installs[1]
    for line, extra in zip(installs[0], extras, strict=True):
        assert f"--constraint constraints.txt --editable .{extra}" in line
    assert not [line for line in second if "venv" in line]


def test_the_versions_changing_or_the_checkout_moving_installs_anew(checkout):
    directory, run = checkout
    run(".venv/.installed")
    stamp = directory / ".venv" / ".installed"
    later = stamp.stat().st_mtime + 5
    os.utime(directory / "constraints.txt", (later, later))
    assert any("pip install" in line for line in run(".venv/.installed")[1])

    os.utime(stamp, (later + 5, later + 5))
    assert not run(".venv/.installed")[1]
    stamp.write_text("/where/it/was\n")
    os.utime(stamp, (later + 5, later + 5))
    assert any("pip install" in line for line in run(".venv/.installed")[1])


def test_an_installation_that_failed_is_tried_again(checkout):
    directory, run = checkout
    answer, _ = run("all", PIP_FAILS="1")
    assert answer.returncode != 0
    assert not (directory / ".venv" / ".installed").exists()
    answer, log = run("all")
    assert answer.returncode == 0
    assert any("pip install" in line for line in log)


def test_an_environment_that_make_did_not_make_is_left_alone(checkout):
    directory, run = checkout
    theirs = directory / ".venv" / "bin" / "tool"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    answer, log = run("all")
    assert answer.returncode != 0 and not log
    assert "make: .venv was made by something else: move it away" in answer.stderr
    assert theirs.read_text() == "theirs"


@pytest.mark.parametrize("python", ["/nowhere/python3", "/bin/false"])
def test_a_python_that_will_not_do_is_one_clear_line(checkout, python):
    answer, log = checkout[1]("all", PYTHON=python)
    assert answer.returncode == 2 and not log
    line = answer.stderr.splitlines()[0]
    assert line.startswith("make: Python 3.11 or later is needed: ")
    assert "Traceback" not in answer.stderr


def test_the_profile_reaches_the_graph(checkout):
    _, log = checkout[1]("all", "PROFILE=bp4d", "PROCESSES=4")
    graph = [line for line in log if line.startswith("-m snakemake")]
    assert len(graph) == 1
    assert graph[0].endswith("--config profile=bp4d processes=4")
    assert "--rerun-incomplete" in graph[0]


@pytest.fixture
def hold(checkout):
    """Hold the lock of the runs of the stand-in for some seconds, like a `make`."""
    directory, _ = checkout
    (directory / "runs").mkdir()
    holders = []

    def start(seconds: int) -> None:
        lock = directory / "runs" / "standin.lock"
        holder = subprocess.Popen(
            ["flock", lock, "sh", "-c", f"echo held; exec sleep {seconds}"],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        holders.append(holder)
        assert holder.stdout.readline() == "held\n"

    yield start
    for holder in holders:
        with suppress(ProcessLookupError):
            os.killpg(holder.pid, 9)
        holder.wait()
        holder.stdout.close()


needs_flock = pytest.mark.skipif(not shutil.which("flock"), reason="no flock here")


@needs_flock
@pytest.mark.parametrize("target", ["all", "clean", "ablation"])
def test_two_at_a_time_are_refused(checkout, hold, target, tmp_path):
    directory, run = checkout
    run("install")
    (directory / "runs" / "standin").mkdir()
    hold(60)
    quick = tmp_path / "bin" / "flock"  # waits one second where the Makefile says 20
    quick.parent.mkdir()
    quick.write_text(
        f'#!/bin/sh\n[ "$1" = -w ] && {{ shift 2; set -- -w 1 "$@"; }}\n'
        f'exec {shutil.which("flock")} "$@"\n'
    )
    quick.chmod(0o755)
    answer, log = run(target, PATH=f"{quick.parent}:{os.environ['PATH']}")
    assert answer.returncode != 0
    assert (
        "another make is working on runs/standin: waiting up to 20 s" in answer.stderr
    )
    assert "another make is still working: wait for it" in answer.stderr
    assert not any("snakemake" in line for line in log)
    assert (directory / "runs" / "standin").is_dir()


@needs_flock
def test_the_end_of_an_interrupted_make_is_waited_for(checkout, hold):
    _, run = checkout
    run("install")
    hold(2)
    answer, log = run("all")
    assert answer.returncode == 0 and "waiting up to 20 s" in answer.stderr
    assert any("snakemake" in line for line in log)


@needs_flock
def test_a_dead_holder_is_no_hindrance(checkout):
    directory, run = checkout
    assert run("all")[0].returncode == 0
    assert (directory / "runs" / "standin.lock").exists()
    answer, _ = run("all")
    assert answer.returncode == 0 and "waiting" not in answer.stderr


def test_a_file_system_without_locks_is_named_and_used(checkout, tmp_path):
    broken = tmp_path / "bin" / "flock"
    broken.parent.mkdir()
    broken.write_text(
        '#!/bin/sh\necho "flock: Function not implemented" >&2\nexit 71\n'
    )
    broken.chmod(0o755)
    answer, log = checkout[1]("all", PATH=f"{broken.parent}:{os.environ['PATH']}")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("make: no lock (flock returned 71)") == 1
    assert any("snakemake" in line for line in log)


def test_what_the_callers_other_work_left_is_set_aside(checkout, tmp_path):
    left = {"PIP_USER": "1", "PIP_TARGET": "/x", "SNAKEMAKE_PROFILE": "cluster"}
    left |= {
        "WORLD_SIZE": "4",
        "PMI_SIZE": "4",
        "RANK": "2",
        "MASTER_ADDR": "node7",
        "PYTHONPATH": "/y",
    }
    answer, _ = checkout[1]("all", PIP_INDEX_URL="kept", HOME="/nowhere/home", **left)
    assert answer.returncode == 0, answer.stderr
    environment = dict(
        line.split("=", 1)
        for line in (tmp_path / "log.environment").read_text().splitlines()
        if "=" in line
    )
    assert not set(left) & set(environment)
    assert environment["PIP_INDEX_URL"] == "kept"  # a registry of the user's own
    assert environment["HOME"] == str(checkout[0] / "runs" / ".home")


def test_a_home_that_can_be_written_is_kept(checkout, tmp_path):
    checkout[1]("all", HOME=str(tmp_path))
    assert f"HOME={tmp_path}\n" in (tmp_path / "log.environment").read_text()


def test_clean_keeps_what_is_not_the_profiles(checkout):
    directory, run = checkout
    kept = ("runs/bp4d", "data/BP4D", ".venv", "notebooks/profiles")
    for name in ("runs/tiny/crops", *kept):
        (directory / name).mkdir(parents=True)
    answer, _ = run("clean", "PROFILE=tiny")
    assert answer.returncode == 0
    assert not (directory / "runs" / "tiny").exists()
    assert all((directory / name).exists() for name in kept)


@pytest.mark.parametrize("profile", ["", " ", ".", "..", "../data", "tiny bp4d", "a/b"])
def test_clean_removes_nothing_but_a_profiles_runs(checkout, profile):
    directory, run = checkout
    kept = ("runs/bp4d", "runs/tiny", "data/BP4D")
    for name in kept:
        (directory / name).mkdir(parents=True)
    answer, _ = run("clean", f"PROFILE={profile}")
    assert answer.returncode == 2 and "is no name of a file in" in answer.stderr
    assert all((directory / name).exists() for name in kept)


def test_make_on_windows_is_one_line(checkout):
    answer, log = checkout[1]("all", OS="Windows_NT")
    assert answer.returncode == 2 and not log
    assert "Windows is not supported; run make in WSL" in answer.stderr


def test_a_machine_with_a_gpu_trains_one_run_at_a_time(checkout, tmp_path):
    gpu = tmp_path / "bin" / "nvidia-smi"
    gpu.parent.mkdir()
    gpu.write_text("#!/bin/sh\necho 'GPU 0: Some GPU (UUID: GPU-1)'\n")
    gpu.chmod(0o755)
    path = f"{gpu.parent}:{os.environ['PATH']}"
    _, log = checkout[1]("all", PATH=path)
    (graph,) = [line for line in log if "snakemake" in line]
    assert "--cores all --resources gpu=1 --nolock" in graph
    _, log = checkout[1](
        "ablation", "SLURM=gpus=1 --executor slurm --jobs 8", PATH=path
    )
    (graph,) = [line for line in log if "snakemake" in line]
    assert "--cores" not in graph and "--resources" not in graph
    ending = "grid=ablation gpus=1 --executor slurm --jobs 8 --keep-going -- grid"
    assert graph.endswith(ending)


def test_ci_runs_make_test_from_anywhere(tmp_path):
    ci = ROOT / ".ci" / "run"
    assert ci.stat().st_mode & stat.S_IXUSR
    fake = tmp_path / "make"
    fake.write_text('#!/bin/sh\necho "$PWD: $*"\nexit 3\n')
    fake.chmod(0o755)
    shutil.copy(fake, tmp_path / "chromium")  # nothing is installed where it is found
    answer = subprocess.run(
        [ci],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert answer.stdout == f"{ROOT}: test\n"
    assert answer.returncode == 3
