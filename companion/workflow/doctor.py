"""`make doctor`: what is there, what is missing, and the next command to type.

    python3 -m companion.workflow.doctor [PROFILE]

The exit status is 1 if something is missing without which the profile cannot run. This
module needs only the standard library and runs on an older Python, so it works before
anything is installed. Each check imports the packages that it needs.
"""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from companion.base.paths import ROOT

OLDEST_PYTHON = (3, 11)
INSTALLATION = 7 * 10**9  # bytes of .venv with torch and CUDA (measured: 6.4 GiB)
BP4D_FRAMES = 75_586 + 71_261  # published, training and evaluation; not verified


class Finding(NamedTuple):
    """The result of a check; `state` is "ok", "note" or "missing"."""

    state: str
    found: str
    command: str = ""


def check_python() -> Finding:
    found = sys.version.split()[0]
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("ok", found)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    command = f"make PYTHON=/path/to/python{oldest}"
    return Finding("missing", f"{found}; {oldest} or later is needed", command)


def check_packages(root: Path) -> Finding:
    """Compare the installed packages with pyproject.toml and constraints.txt."""
    import tomllib
    from importlib.metadata import PackageNotFoundError, version

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    wanted = [re.match(r"[\w.-]+", line).group() for line in lines]
    lines = (root / "constraints.txt").read_text().splitlines()
    installed, others = set(), []
    for name, tested in (line.split("==") for line in lines if "==" in line):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue  # missing, or for another system
        installed.add(name)
        if found.split("+")[0] != tested:  # torch 2.15.0+cpu is torch 2.15.0
            others.append(f"{name} {found} (tested: {tested})")
    missing = [name for name in wanted if name not in installed]
    if missing:
        marked = (root / ".venv" / ".installed").is_file()
        command = "rm .venv/.installed && make" if marked else "make"
        found = f"{len(missing)} not installed: {_first_three(missing)}"
        return Finding("missing", found, command)
    if others:
        return Finding("note", f"{len(others)} differ: {_first_three(others)}")
    return Finding("ok", "all installed, in the versions of constraints.txt")


def _first_three(names: list) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def check_data(profile: dict, root: Path) -> Finding:
    """Look for a profile's data set."""
    from companion.bp4d.layout import find_layout

    place = profile["data_root"]
    if profile["standin"]:
        if (root / place / "standin.json").is_file():
            return Finding("ok", f"{place}: the stand-in")
        return Finding("note", f"{place}: `make` will make the stand-in")
    try:
        layout = find_layout(root / place)
    except (OSError, ValueError) as error:
        command = f"ln -s /path/to/your/BP4D {place}   (see data/README.md)"
        return Finding("missing", str(error), command)
    folders = f"'{layout.images.name}' and '{layout.intensities.name}'"
    return Finding("ok", f"{place}: {folders}")


def check_gpu(profile: dict) -> Finding:
    """Look for a GPU; the stand-in runs without one."""
    import torch

    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(), torch.cuda.mem_get_info()[1]
        return Finding("ok", f"{name}, {memory / 2**30:.0f} GiB")
    if profile["standin"]:
        return Finding("ok", "none; the stand-in needs none")
    return Finding("note", "none; training VGG16 at full width needs one")


def check_weights(profile: dict, root: Path) -> Finding:
    """Look for the files of weights from which the profile's models start."""
    import torch
    from torchvision.models import VGG16_Weights

    models = profile["models"].values()
    wanted = sorted({settings["weights"] for settings in models} - {None})
    for weights in wanted:
        path, note = root / weights, ""
        if weights == "imagenet":
            file = Path(VGG16_Weights.IMAGENET1K_V1.url).name
            path = Path(torch.hub.get_dir()) / "checkpoints" / file
            note = f"{path}: downloaded on first use (528 MB)"
        elif weights.startswith("runs/"):
            note = f"{weights}: `make` will train the weights"
        if not path.is_file() and note:
            return Finding("note", note)
        if not path.is_file():
            command = f"git checkout -- {weights}"
            return Finding("missing", f"{weights}: no such file", command)
    return Finding("ok", ", ".join(wanted) or "none needed")


def run_size(profile: dict) -> int:
    """About how many bytes `runs/<profile>` takes at its largest.

    The sum of a stand-in's pictures; the crops (uint8, a face being about 1.3 times as
    high as wide); the best network of each run; and three checkpoints (the third is
    being written) of each of two runs at a time: network, momentum and best network.
    """
    standin, frames, pictures = profile["standin"], BP4D_FRAMES, 0
    if standin:
        per_task = standin["frames_per_task"]
        if isinstance(per_task, int):
            per_task = {"train": per_task, "evaluation": per_task}
        frames = 8 * (21 * per_task["train"] + 20 * per_task["evaluation"])
        pictures = frames * standin["height"] * standin["width"] // 2
    crops = frames * profile["crop_size"] ** 2 * 1.3 * 3
    width = profile["network_width"]
    parameters = 14.7e6 * width**2 + 102.8e6 * width + 16.8e6
    runs = len(profile["models"]) * len(profile["seeds"])
    return int(pictures + crops + 4 * parameters * (runs + 3 * 3 * 2))


def check_disk(needed: int, free: int) -> Finding:
    """Compare the bytes that are still needed with the free bytes."""
    found = f"{free / 1e9:.0f} GB free, about {needed / 1e9:.0f} GB needed"
    if free >= needed:
        return Finding("ok", found)
    return Finding("missing", found, "df -h .")


def check_run(run: Path, make: str) -> Finding:
    """See how far the command `make` got in `run`, the directory runs/<profile>."""
    steps = ["01_data_cleaning", "02_pca_dropout", "04_table_2", "05_figures"]
    done = [name for name in steps if (run / "notebooks" / f"{name}.ipynb").is_file()]
    trained = len(list(run.glob("training/*/outputs.parquet")))
    found = f"done: {', '.join(done) or 'no notebook'}, {trained} trainings"
    return Finding("ok", found) if done == steps else Finding("note", found, make)


def guarded(check: Callable, *arguments: object) -> Finding:
    """The result of a check, or "missing" if an import or a file access fails."""
    try:
        return check(*arguments)
    except (ImportError, OSError) as error:
        command = "rm -rf .venv && make" if isinstance(error, ImportError) else ""
        return Finding("missing", str(error).split("\n")[0], command)


def examine(name: str) -> dict:
    """Check everything that a profile needs: name of the check → its result.

    The checks end early if Python is too old or a package is missing.

    Raises:
        ValueError: there is no such profile, or it is wrong.
    """
    findings = {"Python": check_python()}
    if findings["Python"].state == "missing":
        return findings
    free = shutil.disk_usage(ROOT).free
    findings["packages"] = check_packages(ROOT)
    if findings["packages"].state == "missing":
        return {**findings, "disk": check_disk(INSTALLATION, free)}

    from companion.base.profiles import load_profile

    profile, run = load_profile(name), ROOT / "runs" / name
    made = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    return {
        **findings,
        "data": guarded(check_data, profile, ROOT),
        "GPU": guarded(check_gpu, profile),
        "weights": guarded(check_weights, profile, ROOT),
        "disk": check_disk(max(run_size(profile) - made, 0), free),
        "run": check_run(run, "make" if name == "standin" else f"make PROFILE={name}"),
    }


def report(findings: dict) -> str:
    """The results as text, and the next command, first for what is missing."""
    lines = [f"{name:<10}{f.state:<9}{f.found}" for name, f in findings.items()]
    commands = [
        finding.command
        for state in ("missing", "note")
        for finding in findings.values()
        if finding.state == state and finding.command
    ]
    return "\n".join([*lines, "", f"Next: {[*commands, 'make lab'][0]}"])


def main() -> None:
    try:
        findings = examine(sys.argv[1] if len(sys.argv) > 1 else "standin")
    except ValueError as error:
        sys.exit(str(error))
    print(report(findings))
    sys.exit(any(finding.state == "missing" for finding in findings.values()))


if __name__ == "__main__":
    main()
