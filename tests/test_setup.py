"""The set-up: one set of versions behind every door, the Makefile, the doctor."""

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    packages_distributions,
    version,
)
from pathlib import Path

import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import aulib
from aulib import doctor
from aulib.doctor import Finding, normalised
from aulib.model import build_model
from aulib.notebook import ROOT, load_profile

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = doctor.read_pins(ROOT / "constraints.txt")
TEST = PROJECT["optional-dependencies"]["test"]
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
        key = normalised(wanted.name), frozenset(wanted.extras)
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


@pytest.mark.parametrize("line", [*PROJECT["dependencies"], *TEST])
def test_every_dependency_has_an_exact_version_that_it_allows(line):
    requirement = Requirement(line)
    assert requirement.specifier.contains(PINS[normalised(requirement.name)])


@made_by_make
def test_all_that_a_dependency_needs_is_pinned_too():
    names = closure([*PROJECT["dependencies"], *TEST])
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
    assert list(PINS) == sorted(PINS)
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
        (["aulib", "notebooks"], PROJECT["dependencies"]),
        (["tests"], [*PROJECT["dependencies"], *TEST]),
    ],
    ids=["aulib", "tests"],
)
def test_what_is_imported_is_a_dependency(folders, lines):
    paths = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".ipynb") and ".ipynb_checkpoints" not in path.parts
    ]
    used = set().union(*(imports(code_of(path)) for path in paths))
    ours = {"aulib", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    used -= set(sys.stdlib_module_names) | ours
    owners = packages_distributions()
    owners["dlib"] = ["dlib-bin"]  # whose own list names its extension module only
    known = {normalised(Requirement(line).name) for line in lines}
    if folders == ["tests"]:
        known.add("packaging")  # pytest's own
    missing = {
        name
        for name in used
        if not known & {normalised(o) for o in owners.get(name, [])}
    }
    assert not missing


# The Makefile

TARGETS = (
    *("all", "install", "test", "lab", "figures", "doctor", "table-2-all"),
    *("ablation", "pretrain", "record", "stress", "bench", "clean", "help"),
)
FAKE_PYTHON = """#!/bin/sh
# Logs what it is asked; `-m venv … DIR` puts a copy of itself there.
echo "$*" >> "$LOG"
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


@pytest.mark.parametrize("target", ["all", "test", "lab", "figures", "record"])
def test_a_second_call_installs_nothing(checkout, target):
    _, run = checkout
    answer, first = run(target)
    assert answer.returncode == 0, answer.stderr
    answer, second = run(target)
    installs = [
        [line for line in log if "pip install" in line] for log in (first, second)
    ]
    assert len(installs[0]) == 1 and not installs[1]
    assert "--constraint constraints.txt --editable .[test]" in installs[0][0]
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


@pytest.mark.skipif(not shutil.which("flock"), reason="no flock on this system")
def test_two_at_a_time_are_refused_and_a_dead_one_is_no_hindrance(checkout):
    directory, run = checkout
    (directory / "runs").mkdir()
    lock = directory / "runs" / "standin.lock"
    holder = subprocess.Popen(
        ["flock", lock, "sh", "-c", "echo held; exec sleep 60"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        answer, log = run("all")
        assert answer.returncode != 0 and "another one is at work" in answer.stderr
        assert not any("snakemake" in line for line in log)
    finally:
        os.killpg(holder.pid, 9)
        holder.wait()
        holder.stdout.close()
    assert lock.exists()
    assert run("all")[0].returncode == 0


def test_clean_keeps_what_is_not_the_profiles(checkout):
    directory, run = checkout
    for name in ("runs/tiny/crops", "runs/bp4d", "data/BP4D", ".venv"):
        (directory / name).mkdir(parents=True)
    run("clean", "PROFILE=tiny")
    assert not (directory / "runs" / "tiny").exists()
    for name in ("runs/bp4d", "data/BP4D", ".venv"):
        assert (directory / name).exists()


def test_ci_runs_make_test_from_anywhere(tmp_path):
    ci = ROOT / ".ci" / "run"
    assert ci.stat().st_mode & stat.S_IXUSR
    fake = tmp_path / "make"
    fake.write_text('#!/bin/sh\necho "$PWD: $*"\nexit 3\n')
    fake.chmod(0o755)
    answer = subprocess.run(
        [ci],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert answer.stdout == f"{ROOT}: test\n"
    assert answer.returncode == 3


# Licence and citation


def test_citation_is_of_this_version_and_of_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == aulib.__version__
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        *("Batista", "Bellon", "Silva")
    ]
    assert paper["year"] == 2018
    assert paper["title"] in " ".join(aulib.__doc__.split())
    assert "The aulib authors" in (ROOT / "LICENSE").read_text()


# The doctor


def test_the_doctor_speaks_before_anything_is_installed():
    """An old Python can read it, and one without a single package gets advice."""
    ast.parse((ROOT / "aulib" / "doctor.py").read_text(), feature_version=(3, 8))
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE], capture_output=True, text=True
    )
    assert answer.returncode == 1, answer.stderr
    assert "are not there" in answer.stdout
    assert answer.stdout.splitlines()[-1].startswith("Next: ")
    assert "make" in answer.stdout.splitlines()[-1]


BARE = f"""
import sys
sys.path.append({str(ROOT)!r})
sys.argv[1:] = ["standin"]
from aulib.doctor import main
main()
"""


def test_the_doctor_here_finds_python_packages_and_kernel():
    states = {finding.what: finding.state for finding in doctor.examine("tiny")}
    assert states["Python"] == states["kernel"] == "ok"
    assert states["packages"] in ("ok", "note")
    assert list(states) == [
        *("Python", "packages", "kernel", "data", "GPU", "weights", "disk", "run")
    ]


def test_an_unknown_profile_is_one_line():
    answer = subprocess.run(
        [sys.executable, "-m", "aulib.doctor", "bp5d"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1 and "bp5d" in answer.stderr


@pytest.mark.parametrize(
    "found, state",
    [((3, 10, 13), "missing"), ((3, 11, 0), "ok"), ((3, 13, 0), "ok")],
)
def test_python(found, state):
    finding = doctor.check_python(found)
    assert finding.state == state
    assert finding.found.startswith(".".join(map(str, found)))
    assert bool(finding.command) == (state == "missing")


@pytest.fixture
def root(tmp_path):
    """A checkout that needs two packages which are surely here."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["NumPy>=1"]\n'
        '[project.optional-dependencies]\ntest = ["pytest"]\n'
    )
    pins = f"numpy=={version('numpy')}\npytest=={version('pytest')}\nelsewhere==1.0\n"
    (tmp_path / "constraints.txt").write_text(f"# tested\n{pins}")
    return tmp_path


def test_packages_there(root):
    assert doctor.check_packages(root).state == "ok"


def test_packages_of_other_versions(root):
    (root / "constraints.txt").write_text("numpy==0.1\n")
    finding = doctor.check_packages(root)
    assert finding.state == "note"
    assert f"numpy {version('numpy')} (tested: 0.1)" in finding.found


def test_packages_missing(root):
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(text.replace("NumPy>=1", "no_such.pkg"))
    finding = doctor.check_packages(root)
    assert finding.state == "missing"
    assert "1 of 2 are not there: no-such-pkg" in finding.found
    assert finding.command == "make"
    (root / ".venv").mkdir()
    (root / ".venv" / ".installed").touch()
    assert doctor.check_packages(root).command == "rm .venv/.installed && make"


@pytest.mark.parametrize("line", ["numpy>=1", "numpy", "-e .", "a @ file:b"])
def test_pins_are_exact_or_refused_with_their_line(tmp_path, line):
    path = tmp_path / "constraints.txt"
    path.write_text(f"torch==2.15.0\n{line}\n")
    with pytest.raises(
        ValueError, match=r"constraints\.txt:2: .* is not name==version"
    ):
        doctor.read_pins(path)


def test_kernel_that_starts_another_python(tmp_path, monkeypatch):
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    kernel = {"argv": ["/elsewhere/python", "-m", "x"], "display_name": "Python 3"}
    (folder / "kernel.json").write_text(json.dumps({**kernel, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    finding = doctor.check_kernel()
    assert finding.state == "missing" and "/elsewhere/python" in finding.found
    assert "ipykernel install" in finding.command


def test_data_of_a_stand_in(tmp_path):
    profile = load_profile("tiny")
    assert doctor.check_data(profile, tmp_path, "make").state == "note"
    tree = tmp_path / profile["data_root"]
    tree.mkdir(parents=True)
    (tree / "standin.json").write_text(json.dumps(profile["standin"]))
    assert doctor.check_data(profile, tmp_path, "make").state == "ok"
    (tree / "standin.json").write_text(json.dumps({"seed": 1}))
    finding = doctor.check_data(profile, tmp_path, "make PROFILE=tiny")
    assert finding.state == "missing"
    assert finding.command == "rm -r runs/tiny/BP4D && make PROFILE=tiny"


def test_data_that_are_real(tmp_path):
    profile = load_profile("bp4d")
    finding = doctor.check_data(profile, tmp_path, "make")
    assert finding.state == "missing" and "data/BP4D" in finding.found
    assert finding.command.startswith("ln -s ")
    (tmp_path / "data/BP4D/BP4D-training/F001").mkdir(parents=True)
    (tmp_path / "data/BP4D/AU-Intensity-Codes3.0/AU06").mkdir(parents=True)
    finding = doctor.check_data(profile, tmp_path, "make")
    assert finding.state == "ok"
    assert "'BP4D-training' and 'AU-Intensity-Codes3.0'" in finding.found


def test_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert doctor.check_gpu(load_profile("standin")).state == "ok"
    assert doctor.check_gpu(load_profile("bp4d")).state == "note"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Some GPU")
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (0, 80 * 2**30))
    assert doctor.check_gpu(load_profile("bp4d")).found == "Some GPU, 80 GiB"


def test_weights(tmp_path, monkeypatch):
    profile = load_profile("standin")
    path = profile["models"]["proposed"]["weights"]
    finding = doctor.check_weights(profile, tmp_path)
    assert finding.state == "missing" and finding.command.endswith(path)
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).touch()
    assert doctor.check_weights(profile, tmp_path).state == "ok"

    finding = doctor.check_weights(load_profile("standin_gpu"), tmp_path)
    assert finding.state == "note" and "made, by the graph" in finding.found

    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    finding = doctor.check_weights(load_profile("bp4d"), tmp_path)
    assert finding.state == "note" and "vgg16-397923af.pth" in finding.found
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth").touch()
    assert doctor.check_weights(load_profile("bp4d"), tmp_path).state == "ok"


def test_disk():
    assert doctor.check_disk(10**9, 2 * 10**9).state == "ok"
    finding = doctor.check_disk(10**10, 10**9)
    assert finding.state == "missing"
    assert finding.found == "1 GB free, about 10 GB needed"


@pytest.mark.parametrize("width", [1.0, 0.125])
def test_the_size_of_a_run_counts_the_networks_parameters(width):
    profile = load_profile("standin") | {"network_width": width}
    with torch.device("meta"):  # sizes without numbers
        network = build_model("baseline", width=width)
    parameters = sum(p.numel() for p in network.parameters())
    none = doctor.run_size(profile | {"seeds": []})
    networks = doctor.run_size(profile) - none
    assert networks == pytest.approx(4 * parameters * 6, rel=0.01)


def test_how_far_a_run_has_come(tmp_path):
    finding = doctor.check_run(tmp_path, "make")
    assert (finding.state, finding.command) == ("note", "make")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_data_cleaning.ipynb").touch()
    assert "01_data_cleaning, 0 trainings" in doctor.check_run(tmp_path, "make").found
    for name in ("02_pca_dropout", "04_table_2", "05_figures"):
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    assert doctor.check_run(tmp_path, "make").state == "ok"


def test_the_next_command_is_about_what_is_missing():
    ok = Finding("Python", "ok", "3.11")
    note = Finding("run", "note", "not begun", "make")
    missing = Finding("weights", "missing", "none", "git checkout")
    assert doctor.next_command([ok, note, missing]) == "git checkout"
    assert doctor.next_command([ok, note]) == "make"
    assert doctor.next_command([ok]) == "make lab"
    lines = doctor.table([ok, note]).splitlines()
    assert lines[0].split() == ["Python", "ok", "3.11"] and lines[-1] == "Next: make"


@pytest.mark.parametrize(
    "error",
    [ImportError("No module named 'torch'"), OSError("denied"), ValueError("x")],
)
def test_a_check_that_fails_is_a_line_of_the_table(error):
    def check():
        raise error

    assert doctor.guarded("GPU", check)[:3] == ("GPU", "missing", str(error))
