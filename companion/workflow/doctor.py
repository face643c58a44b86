"""`make doctor`: what is there, what is missing, and the next command to type.

    python3 -m companion.workflow.doctor [PROFILE]

The exit status is 1 if something is missing without which the profile cannot run. This
module needs only the standard library and runs on an older Python, so it works before
anything is installed. Each check imports the packages that it needs.
"""

import re
import shlex
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from companion.base.paths import ROOT

OLDEST_PYTHON = (3, 11)
INSTALLATION = 7 * 10**9  # bytes of .venv with torch and CUDA (measured: 6.4 GiB)
BP4D_FRAMES = {"train": 75_331, "evaluation": 71_245}  # as bp4d.checkup.listed_frames


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


def check_kernel() -> Finding:
    """Look for the Jupyter kernel that runs the notebooks, and its Python."""
    from jupyter_client import KernelManager
    from jupyter_client.kernelspec import NoSuchKernel

    try:
        program = KernelManager(kernel_name="python3").format_kernel_cmd()[0]
    except NoSuchKernel:
        found = "python3 is not installed"
        return Finding("missing", found, "rm -rf .venv && make")
    if shutil.which(program):
        return Finding("ok", "python3")
    found = f"python3 starts {program}, which is not there"
    remove = f"{sys.executable} -m jupyter kernelspec remove python3"
    return Finding("missing", found, remove)


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


def check_gpu(profile: dict, make: str) -> Finding:
    """Look for a GPU; without one, see how long the command `make` would train."""
    import torch

    from companion.training import duration

    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(), torch.cuda.mem_get_info()[1]
        return Finding("ok", f"{name}, {memory / 2**30:.0f} GiB")
    frames, threads = frame_counts(profile), profile["threads"]
    hours = duration.hours_on_processor(
        profile["epochs"],
        frames["train"],
        frames["evaluation"],
        profile["crop_size"],
        profile["network_width"],
        threads,
    )
    if hours <= duration.PATIENCE:
        return Finding("ok", "none; this profile needs none")
    runs = len(profile["models"]) * len(profile["seeds"])
    each = f"{duration.in_words(hours)} each on {threads} processor threads"
    found = f"none; {runs} trainings, {each}"
    if duration.allowed():
        return Finding("note", f"{found}, which {duration.ALLOW} allows")
    command = f"use a machine with a GPU, or train here: {duration.ALLOW}=1 {make}"
    return Finding("missing", found, command)


def check_weights(profile: dict, root: Path) -> Finding:
    """See whether the profile's models can start from the weights that it names."""
    import torch

    from aulib.model import build_model, imagenet_file

    models = profile["models"].values()
    wanted = sorted({settings["weights"] for settings in models} - {None})
    for weights in wanted:
        imagenet, made = weights == "imagenet", weights.startswith("runs/")
        path = imagenet_file() if imagenet else root / weights
        again = f"git checkout -- {weights}" if weights.startswith("data/") else ""
        if path.exists():
            start = {"weights": weights if imagenet else path}
            try:
                with torch.device("meta"), warnings.catch_warnings():
                    # names and sizes without numbers, of which torch warns
                    warnings.filterwarnings("ignore", ".*copying from a non-meta")
                    build_model("baseline", width=profile["network_width"], **start)
            except ValueError as error:
                if imagenet or made:
                    again = f"rm -r {shlex.quote(str(path))}"
                return Finding("missing", str(error), again)
        elif imagenet:
            return Finding("note", f"{path}: downloaded on first use (528 MB)")
        elif made:
            return Finding("note", f"{weights}: `make` will train the weights")
        else:
            found = f"{weights}: no such file; put it there or correct the profile"
            return Finding("missing", found, again)
    return Finding("ok", ", ".join(wanted) or "none needed")


def check_network(profile: dict) -> Finding:
    """See whether the network's last map has VGG16's 7 x 7 cells."""
    from companion.methods import map_note

    width, size = profile["network_width"], profile["crop_size"]
    name = "VGG16" if width == 1 else f"VGG16 in small, width {width:g}"
    note = map_note(width, size)
    return Finding("note", f"{name}; {note}") if note else Finding("ok", name)


def check_grids(root: Path) -> Finding:
    """Check the files of `notebooks/grids`."""
    from companion.base.grids import load_grid

    names, wrong = sorted(p.stem for p in root.glob("notebooks/grids/*.yaml")), []
    for name in names:
        try:
            load_grid(name)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        return Finding("note", "; ".join(wrong))
    return Finding("ok", ", ".join(names))


def check_locks(root: Path) -> Finding:
    """See whether the file system of `runs` keeps two processes apart."""
    from companion.base.files import can_lock

    runs = root / "runs"
    if reason := can_lock(runs if runs.is_dir() else root):
        found = f"none on this file system ({reason}); do not start the same work twice"
        return Finding("note", found)
    return Finding("ok", "the same work can't be started twice at a time")


def frame_counts(profile: dict) -> dict:
    """How many frames a profile's data have, by split; BP4D's as published."""
    if not profile["standin"]:
        return BP4D_FRAMES
    each = profile["standin"]["frames_per_task"]
    if isinstance(each, int):
        each = {"train": each, "evaluation": each}
    return {"train": 8 * 21 * each["train"], "evaluation": 8 * 20 * each["evaluation"]}


def run_size(profile: dict) -> int:
    """About how many bytes `runs/<profile>` takes at its largest.

    The sum of a stand-in's pictures; the crops (uint8, a face being about 1.3 times as
    high as wide); the best network of each run; and three checkpoints (the third is
    being written) of each of two runs at a time: network, momentum and best network.
    """
    standin, pictures = profile["standin"], 0
    frames = sum(frame_counts(profile).values())
    if standin:
        pictures = frames * standin["height"] * standin["width"] // 2
    crops = frames * profile["crop_size"] ** 2 * 1.3 * 3
    runs = len(profile["models"]) * len(profile["seeds"])
    return int(pictures + crops + network_size(profile) * (runs + 3 * 3 * 2))


def network_size(profile: dict) -> int:
    """About how many bytes the weights of a profile's network take."""
    width = profile["network_width"]
    return int(4 * (117.5e6 * width**2 + 16.8e6 * width))


def training_memory(profile: dict) -> int:
    """About how many MiB of main memory a training takes at most.

    The sum of Python with its libraries (2.5 GiB); eight times the network: weights,
    gradients, momentum, best network, and the four of them that a resumed run reads;
    and the maps of VGG16, on a processor, of a training batch (110 MB an image of 224
    pixels) or of 256 evaluation frames (26 MB an image), whichever is more.
    """
    images = max(110e6 * profile["batch_size"] / profile["accumulation"], 26e6 * 256)
    maps = images * profile["network_width"] * (profile["crop_size"] / 224) ** 2
    return 2560 + round((8 * network_size(profile) + maps) / 2**20)


def check_disk(needed: int, free: int) -> Finding:
    """Compare the bytes that are still needed with the free bytes."""
    found = f"{free / 1e9:.0f} GB free, about {needed / 1e9:.0f} GB needed"
    if free >= needed:
        return Finding("ok", found)
    return Finding("missing", found, "df -h .")


def check_run(run: Path, make: str) -> Finding:
    """See how far the command `make` got in `run`, the directory runs/<profile>."""
    steps = ["01_data_cleaning", "02_pca_dropout"]
    steps += ["04_table_2", "05_figures", "07_icc", "08_claims"]
    done = [name for name in steps if (run / "notebooks" / f"{name}.ipynb").is_file()]
    runs = [path.parent.name for path in run.glob("training/*/outputs.parquet")]
    # a run that was put aside has ".before-1" or the like behind its seed
    trained = sum(re.search(r"_\d+$", name) is not None for name in runs)
    found = f"done: {', '.join(done) or 'no notebook'}, {trained} trainings"
    return Finding("ok", found) if done == steps else Finding("note", found, make)


def guarded(check: Callable, *arguments: object) -> Finding:
    """The result of a check, or "missing" if an import, a file or a device fails."""
    try:
        return check(*arguments)
    except (ImportError, OSError, RuntimeError) as error:
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
    make = "make" if name == "standin" else f"make PROFILE={name}"
    made = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    return {
        **findings,
        "kernel": guarded(check_kernel),
        "data": guarded(check_data, profile, ROOT),
        "GPU": guarded(check_gpu, profile, make),
        "weights": guarded(check_weights, profile, ROOT),
        "network": guarded(check_network, profile),
        "grids": guarded(check_grids, ROOT),
        "disk": check_disk(max(run_size(profile) - made, 0), free),
        "locks": guarded(check_locks, ROOT),
        "run": check_run(run, make),
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
