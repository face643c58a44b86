"""The doctor: each of its checks, and what it says before anything is installed."""

import ast
import json
import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pytest
import torch
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from torchvision.models import vgg16

from aulib.model import build_model
from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.bp4d.checkup import listed_frames
from companion.workflow import doctor
from companion.workflow.doctor import Finding

BARE = f"""
import sys
sys.path.append({str(ROOT)!r})
sys.argv[1:] = ["standin"]
from companion.workflow.doctor import main
main()
"""


def test_the_doctor_speaks_before_anything_is_installed():
    """An old Python can read it, and one without a single package gets advice."""
    for package in (".", "base", "workflow"):
        path = ROOT / "companion" / package / "__init__.py"
        body = ast.parse(path.read_text()).body
        imported = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
        assert [ast.unparse(node) for node in imported] in ([], ["import sys"])
        ast.parse(path.read_text(), feature_version=(3, 8))
    for module in ("workflow/doctor.py", "base/paths.py"):
        source = (ROOT / "companion" / module).read_text()
        ast.parse(source, feature_version=(3, 8))
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE], capture_output=True, text=True
    )
    assert answer.returncode == 1, answer.stderr
    first, packages, disk, _, last = answer.stdout.splitlines()
    assert first.split()[:2] == ["Python", "ok"]
    assert " not installed: torch, torchvision, accelerate …" in packages
    assert disk.endswith("about 7 GB needed")
    assert last.startswith("Next: ") and last.endswith("make")


def test_windows_is_told_of_wsl_in_one_line(tmp_path):
    """Before anything of ours is imported, by the first command of every kind."""
    commands = ["from companion.workflow import doctor", "import companion.bp4d"]
    for command in commands:
        code = f"import sys; sys.platform = 'win32'; {command}"
        answer = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        assert answer.returncode == 1
        (line,) = answer.stderr.splitlines()
        assert "Linux and macOS" in line and "WSL" in line


def test_an_old_python_is_all_that_is_told(monkeypatch):
    old = SimpleNamespace(version="3.10.13 (main)", version_info=(3, 10, 13))
    monkeypatch.setattr(doctor, "sys", old)
    assert doctor.report(doctor.examine("tiny")).splitlines() == [
        "Python    missing  3.10.13; 3.11 or later is needed",
        "",
        "Next: make PYTHON=/path/to/python3.11",
    ]


@pytest.mark.parametrize(
    "found, state", [((3, 10, 13), "missing"), ((3, 11, 0), "ok"), ((3, 13, 0), "ok")]
)
def test_python(monkeypatch, found, state):
    text = ".".join(map(str, found))
    there = SimpleNamespace(version=f"{text} (main)", version_info=found)
    monkeypatch.setattr(doctor, "sys", there)
    finding = doctor.check_python()
    assert finding.state == state and finding.found.startswith(text)
    assert bool(finding.command) == (state == "missing")


def test_the_doctor_here_finds_python_and_packages():
    findings = doctor.examine("tiny")
    assert findings["Python"].state == "ok"
    assert findings["packages"].state in ("ok", "note")
    assert list(findings) == [
        *("Python", "packages", "kernel", "data", "GPU", "weights", "network"),
        *("grids", "disk", "locks", "run"),
    ]


def run(*arguments):
    command = [sys.executable, "-m", "companion.workflow.doctor", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_exit_status_says_whether_the_profile_can_run(monkeypatch, capsys):
    for state, code in (("ok", 0), ("note", 0), ("missing", 1)):
        found = {"Python": Finding("ok", "3.11"), "GPU": Finding(state, "x")}
        monkeypatch.setattr(doctor, "examine", lambda name, found=found: found)
        with pytest.raises(SystemExit) as caught:
            doctor.main()
        assert int(caught.value.code) == code
        assert capsys.readouterr().out.splitlines()[-1] == "Next: make lab"


def test_an_unknown_profile_is_one_line():
    answer = run("bp5d")
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1 and "bp5d" in answer.stderr


@pytest.fixture
def root(tmp_path):
    """A checkout that needs two packages which are surely here."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy>=1"]\n'
        '[project.optional-dependencies]\ntest = ["pytest"]\n'
    )
    pins = f"numpy=={version('numpy')}\npytest=={version('pytest')}\nelsewhere==1.0\n"
    (tmp_path / "constraints.txt").write_text(f"# tested\n{pins}")
    return tmp_path


def test_packages_there(root):
    assert doctor.check_packages(root).state == "ok"


def test_packages_of_other_versions(root, monkeypatch):
    pins = (root / "constraints.txt").read_text()
    other = pins.replace(f"numpy=={version('numpy')}", "numpy==0.1")
    (root / "constraints.txt").write_text(other)
    finding = doctor.check_packages(root)
    assert finding.state == "note"
    assert finding.found == f"1 differ: numpy {version('numpy')} (tested: 0.1)"
    # built for another device, it is the same version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1+cpu")
    (root / "constraints.txt").write_text("numpy==0.1\npytest==0.1\n")
    assert doctor.check_packages(root).state == "ok"


def test_packages_missing(root):
    for name in ("pyproject.toml", "constraints.txt"):
        text = (root / name).read_text()
        (root / name).write_text(text.replace("numpy", "no-such-package"))
    finding = doctor.check_packages(root)
    assert finding.state == "missing"
    assert finding.found == "1 not installed: no-such-package"
    assert finding.command == "make"
    (root / ".venv").mkdir()
    (root / ".venv" / ".installed").touch()
    assert doctor.check_packages(root).command == "rm .venv/.installed && make"


def test_data_of_a_stand_in(tmp_path):
    profile = load_profile("tiny")
    assert doctor.check_data(profile, tmp_path).state == "note"
    tree = tmp_path / profile["data_root"]
    tree.mkdir(parents=True)
    (tree / "standin.json").write_text("{}")
    assert doctor.check_data(profile, tmp_path).state == "ok"


def test_frames_of_bp4d_are_those_of_the_public_lists():
    published = json.loads((ROOT / "data" / "bp4d_statistics.json").read_text())
    counts = doctor.frame_counts(load_profile("bp4d"))
    assert (counts["train"], counts["evaluation"]) == listed_frames(published)


def test_data_that_are_real(tmp_path):
    profile = load_profile("bp4d")
    finding = doctor.check_data(profile, tmp_path)
    assert finding.state == "missing" and "data/BP4D" in finding.found
    assert finding.command.startswith("ln -s ")
    (tmp_path / "data/BP4D/BP4D-training/F001").mkdir(parents=True)
    (tmp_path / "data/BP4D/AU-Intensity-Codes3.0/AU06").mkdir(parents=True)
    finding = doctor.check_data(profile, tmp_path)
    assert finding.state == "ok"
    assert "'BP4D-training' and 'AU-Intensity-Codes3.0'" in finding.found


def test_gpu(monkeypatch):
    bp4d = load_profile("bp4d"), "make PROFILE=bp4d"
    monkeypatch.delenv("AULIB_ALLOW_CPU", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for name in ("standin", "tiny"):
        assert doctor.check_gpu(load_profile(name), "make").state == "ok"
    finding = doctor.check_gpu(*bp4d)
    assert finding.state == "missing"
    assert "6 trainings, about 33 days each on 8 processor threads" in finding.found
    assert finding.command.endswith("AULIB_ALLOW_CPU=1 make PROFILE=bp4d")
    monkeypatch.setenv("AULIB_ALLOW_CPU", "1")
    assert doctor.check_gpu(*bp4d).state == "note"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Some GPU")
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (0, 80 * 2**30))
    assert doctor.check_gpu(*bp4d).found == "Some GPU, 80 GiB"


def test_weights(tmp_path, monkeypatch):
    profile = load_profile("standin")
    path = profile["models"]["proposed"]["weights"]
    finding = doctor.check_weights(profile, tmp_path)
    assert finding.state == "missing"
    assert finding.command == f"git checkout -- {path}"
    (tmp_path / path).parent.mkdir(parents=True)
    network = build_model("baseline", width=profile["network_width"])
    torch.save(network.state_dict(), tmp_path / path)
    assert doctor.check_weights(profile, tmp_path) == ("ok", path, "")
    finding = doctor.check_weights(profile | {"network_width": 0.25}, tmp_path)
    assert finding.state == "missing" and finding.command == f"git checkout -- {path}"
    assert "the weights are of width 0.125 with" in finding.found
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:99])
    finding = doctor.check_weights(profile, tmp_path)
    assert finding.state == "missing" and "standin_vgg16.pt: damaged" in finding.found
    assert finding.command == f"git checkout -- {path}"
    other = {"models": {"proposed": {"weights": "elsewhere/vgg16.pt"}}}
    assert doctor.check_weights(profile | other, tmp_path).state == "missing"

    finding = doctor.check_weights(load_profile("standin_gpu"), tmp_path)
    assert finding.state == "note" and "`make` will train the weights" in finding.found

    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    finding = doctor.check_weights(load_profile("bp4d"), tmp_path)
    assert finding.state == "note" and "vgg16-397923af.pth" in finding.found
    path = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"the beginning of a download")
    finding = doctor.check_weights(load_profile("bp4d"), tmp_path)
    assert finding.state == "missing" and f"{path}: damaged" in finding.found
    subprocess.run(finding.command, shell=True, check=True)  # the advice works
    assert doctor.check_weights(load_profile("bp4d"), tmp_path).state == "note"
    monkeypatch.setattr("aulib.model._verify", lambda path: None)
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in vgg16().state_dict().items()}
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    torch.save(state, path)
    assert doctor.check_weights(load_profile("bp4d"), tmp_path).state == "ok"


@pytest.mark.parametrize(
    "name, change, found",
    [
        ("bp4d", {}, "VGG16"),
        ("standin", {}, "VGG16 in small, width 0.125"),
        (
            "standin",
            {"crop_size": 80},
            "VGG16 in small, width 0.125; crops of 80 pixels leave a last map of 5 x 5 "
            "cells, not 7 x 7: set crop_size to 112 in the profile, which makes the "
            "crops again",
        ),
        (
            "bp4d",
            {"crop_size": 256},
            "VGG16; crops of 256 pixels leave a last map of 8 x 8 cells, not 7 x 7: "
            "set crop_size to 224 in the profile, which makes the crops again",
        ),
    ],
)
def test_the_last_map(name, change, found):
    finding = doctor.check_network(load_profile(name) | change)
    assert finding == ("note" if change else "ok", found, "")


def test_kernel(monkeypatch, tmp_path):
    assert doctor.check_kernel() == ("ok", "python3", "")
    spec = tmp_path / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(tmp_path / "removed" / "python"), "-m", "ipykernel_launcher"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "x", "language": "x"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    finding = doctor.check_kernel()
    assert finding.state == "missing" and f"{argv[0]}, which is not" in finding.found


def test_no_kernel(monkeypatch):
    def none(*arguments):
        raise NoSuchKernel("python3")

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert doctor.check_kernel()[:2] == ("missing", "python3 is not installed")


def test_grids(monkeypatch, tmp_path):
    finding = doctor.check_grids(ROOT)
    assert finding.state == "ok" and "ablation, ablation_batch" in finding.found
    monkeypatch.setattr("companion.base.grids.ROOT", tmp_path)
    folder = tmp_path / "notebooks" / "grids"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("seeds: 42\n")
    finding = doctor.check_grids(tmp_path)
    assert finding.state == "note" and "mine.yaml: " in finding.found


def test_locks(monkeypatch, tmp_path):
    assert doctor.check_locks(tmp_path).state == "ok"
    asked = []

    def without(directory):
        asked.append(directory)
        return "Function not implemented"

    monkeypatch.setattr("companion.base.files.can_lock", without)
    finding = doctor.check_locks(tmp_path)
    assert finding.state == "note" and "Function not implemented" in finding.found
    (tmp_path / "runs").mkdir()
    doctor.check_locks(tmp_path)
    assert asked == [tmp_path, tmp_path / "runs"]


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


def test_the_size_of_a_run_counts_its_frames():
    profile = load_profile("standin") | {"network_width": 0}
    networks = doctor.run_size(profile | {"standin": None, "crop_size": 0})
    per_frame = 348 * 260 // 2 + profile["crop_size"] ** 2 * 1.3 * 3
    for frames_per_task, frames in (
        (12, 8 * 41 * 12),
        ({"train": 240, "evaluation": 125}, 8 * (21 * 240 + 20 * 125)),
    ):
        standin = profile["standin"] | {"frames_per_task": frames_per_task}
        size = doctor.run_size(profile | {"standin": standin}) - networks
        assert size == pytest.approx(frames * per_frame, rel=1e-6)


def test_how_far_a_run_has_come(tmp_path):
    finding = doctor.check_run(tmp_path, "make")
    assert (finding.state, finding.command) == ("note", "make")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_data_cleaning.ipynb").touch()
    assert "01_data_cleaning, 0 trainings" in doctor.check_run(tmp_path, "make").found
    later = ("02_pca_dropout", "04_table_2", "05_figures", "07_icc", "08_claims")
    for name in later:
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    assert doctor.check_run(tmp_path, "make").state == "ok"


def test_the_next_command_is_about_what_is_missing():
    ok = Finding("ok", "3.11")
    note = Finding("note", "not begun", "make")
    missing = Finding("missing", "none", "git checkout")

    def last_line(*findings):
        return doctor.report(dict(zip("abc", findings))).splitlines()[-1]

    assert last_line(ok, note, missing) == "Next: git checkout"
    assert last_line(ok, note) == "Next: make"
    assert last_line(ok) == "Next: make lab"
    lines = doctor.report({"Python": ok, "run": note}).splitlines()
    assert lines[0].split() == ["Python", "ok", "3.11"]


@pytest.mark.parametrize(
    "error, command",
    [
        (ImportError("No module named 'torch'"), "rm -rf .venv && make"),
        (OSError("libcudart: not found"), ""),
        (RuntimeError("no CUDA-capable device is detected"), ""),
    ],
)
def test_a_check_that_fails_is_a_line_of_the_table(error, command):
    def check():
        raise error

    assert doctor.guarded(check) == ("missing", str(error), command)
