"""`make doctor`: what is there, what is missing, and the next command to type.

    python -m aulib.doctor [PROFILE]

Each check is a function that returns one line of the table. This module itself needs
nothing but Python's own library, and not a new one, so that it has something to say
before anything is installed; what a check needs it imports when it runs.
"""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

OLDEST_PYTHON = (3, 11)
INSTALLATION = 7 * 10**9
"""Bytes of .venv with torch and its CUDA libraries (measured: 6.4 GiB)."""

BP4D_FRAMES = 146_847
"""Coded frames of BP4D, train and development set (75,586 + 71,261, unverified)."""


class Finding(NamedTuple):
    """One line of the table.

    state: "ok"; "missing", without which the profile cannot run; or "note".
    command: what to type about it, or "".
    """

    what: str
    state: str
    found: str
    command: str = ""


def check_python(version: tuple) -> Finding:
    """`version` is a `sys.version_info` or its first numbers."""
    found = ".".join(map(str, version[:3]))
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return Finding("Python", "ok", found)
    wanted = ".".join(map(str, OLDEST_PYTHON))
    command = "make PYTHON=/path/to/python" + wanted
    return Finding(
        "Python", "missing", f"{found}; {wanted} or later is needed", command
    )


def read_pins(path: Path) -> dict:
    """Package → version of a constraints file, the names as `normalised` has them.

    Raises:
        ValueError: a line is neither a comment nor `name==version`.
    """
    pins = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        match = re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line)
        if match:
            pins[normalised(match.group(1))] = match.group(2)
        elif line:
            raise ValueError(f"{path}:{number}: {line!r} is not name==version")
    return pins


def normalised(package: str) -> str:
    """A package's name as the index compares it: `Jinja2` is `jinja2`."""
    return re.sub(r"[-_.]+", "-", package).lower()


def read_dependencies(path: Path) -> list:
    """The packages that a pyproject.toml names, as `normalised` has them."""
    import tomllib

    project = tomllib.loads(path.read_text())["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    return [normalised(re.match(r"[\w.-]+", line).group()) for line in lines]


def check_packages(root: Path) -> Finding:
    """Compare what is installed with pyproject.toml and the versions tested."""
    from importlib.metadata import distributions

    pins = read_pins(root / "constraints.txt")
    installed = {
        normalised(found.metadata["Name"]): found.version for found in distributions()
    }
    wanted = read_dependencies(root / "pyproject.toml")
    missing = [name for name in wanted if name not in installed]
    if missing:
        found = f"{len(missing)} of {len(wanted)} are not there: {_some(missing)}"
        return Finding("packages", "missing", found, _install(root))
    # torch 2.15.0+cpu is torch 2.15.0 for us: built for other devices
    others = [
        f"{name} {installed[name]} (tested: {pin})"
        for name, pin in pins.items()
        if name in installed and installed[name].split("+")[0] != pin
    ]
    if others:
        return Finding("packages", "note", f"{len(others)} differ: {_some(others)}")
    return Finding("packages", "ok", "all there, the versions of constraints.txt")


def _install(root: Path) -> str:
    marked = (root / ".venv" / ".installed").is_file()
    return "rm .venv/.installed && make" if marked else "make"


def _some(names: list) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def check_kernel() -> Finding:
    """The notebooks name the kernel `python3`; it must start this Python."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        starts = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding("kernel", "missing", "Jupyter has no kernel python3", "make")
    # Jupyter reads these names as "the Python that I run in"
    numbered = f"python3.{sys.version_info[1]}"
    if (
        starts in ("python", "python3", numbered)
        or Path(starts).resolve() == Path(sys.executable).resolve()
    ):
        return Finding("kernel", "ok", "python3 starts this Python")
    command = f"{sys.executable} -m ipykernel install --sys-prefix"
    return Finding("kernel", "missing", f"python3 starts {starts}", command)


def check_data(profile: dict, root: Path, make: str) -> Finding:
    """The data root of a profile; `make` is the command that makes a stand-in."""
    from aulib.bp4d import find_layout

    place = profile["data_root"]
    if profile["standin"]:
        path = root / place / "standin.json"
        if not path.is_file():
            return Finding("data", "note", f"{place}: the stand-in is yet to be made")
        made = json.loads(path.read_text())
        if {key: made.get(key) for key in profile["standin"]} != profile["standin"]:
            found = f"{place}: a stand-in of other parameters than the profile's"
            return Finding("data", "missing", found, f"rm -r {place} && {make}")
        return Finding("data", "ok", f"{place}: the stand-in")
    try:
        layout = find_layout(root / place)
    except (OSError, ValueError) as error:
        command = f"ln -s /path/to/your/BP4D {place}   (see data/README.md)"
        return Finding("data", "missing", str(error), command)
    folders = f"'{layout.images.name}' and '{layout.intensities.name}'"
    return Finding("data", "ok", f"{place}: {folders}")


def check_gpu(profile: dict) -> Finding:
    """A GPU is used where there is one; only the real data need it."""
    import torch

    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(), torch.cuda.mem_get_info()[1]
        return Finding("GPU", "ok", f"{name}, {memory / 2**30:.0f} GiB")
    if profile["standin"]:
        return Finding("GPU", "ok", "none, and none is needed for the stand-in")
    return Finding("GPU", "note", "none: training VGG16 at full width needs one")


def check_weights(profile: dict, root: Path) -> Finding:
    """The files of weights that the profile's models start from."""
    wanted = {settings["weights"] for settings in profile["models"].values()}
    for weights in sorted(wanted - {None}):
        if weights == "imagenet":
            path, fetch = _imagenet_file(), "fetched on first use, 528 MB"
            if not path.is_file():
                return Finding("weights", "note", f"{path}: {fetch}")
        elif weights.startswith("runs/") and not (root / weights).is_file():
            return Finding(
                "weights", "note", f"{weights}: yet to be made, by the graph"
            )
        elif not (root / weights).is_file():
            command = f"git checkout -- {weights}"
            return Finding("weights", "missing", f"{weights}: no such file", command)
    names = ", ".join(sorted(wanted - {None})) or "none, and none is needed"
    return Finding("weights", "ok", names)


def _imagenet_file() -> Path:
    import torch
    from torchvision.models import VGG16_Weights

    name = Path(VGG16_Weights.IMAGENET1K_V1.url).name
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def standin_frames(per_task: int | dict[str, int]) -> int:
    """Of 21 training and 20 evaluation subjects, eight tasks each, at most."""
    if isinstance(per_task, dict):
        return 8 * (21 * per_task["train"] + 20 * per_task["evaluation"])
    return 8 * 41 * per_task


def run_size(profile: dict) -> int:
    """About how many bytes `runs/<profile>` takes at its largest.

    The crops (uint8, a face being some 1.3 times as high as wide); the best network of
    every run; and of two runs at once the checkpoints, network and momentum, of the
    last two epochs, the best, the best before the last, and the one being written.
    """
    standin = profile["standin"]
    frames = standin_frames(standin["frames_per_task"]) if standin else BP4D_FRAMES
    pictures = frames * standin["height"] * standin["width"] // 2 if standin else 0
    crops = frames * profile["crop_size"] ** 2 * 1.3 * 3
    width = profile["network_width"]
    parameters = 14.7e6 * width**2 + 102.8e6 * width + 16.8e6
    runs = len(profile["models"]) * len(profile["seeds"])
    return int(pictures + crops + 4 * parameters * (runs + 2 * 2 * 5))


def check_disk(needed: int, free: int) -> Finding:
    """Bytes that are still needed, and that are free."""
    found = f"{free / 1e9:.0f} GB free, about {max(needed, 0) / 1e9:.0f} GB needed"
    if free >= needed:
        return Finding("disk", "ok", found)
    return Finding("disk", "missing", found, "df -h .")


def check_run(run: Path, make: str) -> Finding:
    """How far `make` has come; `run` is runs/<profile>."""
    steps = ["01_data_cleaning", "02_pca_dropout", "04_table_2", "05_figures"]
    done = [name for name in steps if (run / "notebooks" / f"{name}.ipynb").is_file()]
    trained = len(list(run.glob("training/*/outputs.parquet")))
    if done == steps:
        return Finding("run", "ok", f"Table II and figures from {trained} trainings")
    if not done and not trained:
        return Finding("run", "note", "not begun", make)
    names = ", ".join(done) or "no notebook"
    return Finding("run", "note", f"done: {names}, {trained} trainings", make)


def guarded(what: str, check: Callable, *arguments: object) -> Finding:
    """A check's line; where a package or a file is missing, a line that says so."""
    try:
        return check(*arguments)
    except ImportError as error:
        return Finding(what, "missing", f"{error}", "make")
    except (OSError, ValueError) as error:
        return Finding(what, "missing", f"{error}".split("\n")[0])


def examine(name: str) -> list:
    """All findings about a profile, in the order in which to mend them.

    Raises:
        ValueError: there is no such profile, or it is wrong.
    """
    make = "make" if name == "standin" else f"make PROFILE={name}"
    findings = [
        check_python(sys.version_info),
        guarded("packages", check_packages, ROOT),
        guarded("kernel", check_kernel),
    ]
    run = ROOT / "runs" / name
    needed = 0 if (ROOT / ".venv" / ".installed").is_file() else INSTALLATION
    try:
        from aulib.notebook import load_profile
    except ImportError as error:
        findings.append(Finding("profile", "missing", f"{error}", "make"))
    else:
        profile = load_profile(name)
        findings += [
            guarded("data", check_data, profile, ROOT, make),
            guarded("GPU", check_gpu, profile),
            guarded("weights", check_weights, profile, ROOT),
        ]
        made = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
        needed += max(run_size(profile) - made, 0)
    findings.append(check_disk(needed, shutil.disk_usage(ROOT).free))
    findings.append(check_run(run, make))
    return findings


def next_command(findings: list) -> str:
    """What to type: what is missing comes first, reading what is there last."""
    for state in ("missing", "note"):
        for finding in findings:
            if finding.state == state and finding.command:
                return finding.command
    return "make lab"


def table(findings: list) -> str:
    """The findings as text, and the next command."""
    lines = [f"{f.what:<10}{f.state:<9}{f.found}" for f in findings]
    return "\n".join([*lines, "", f"Next: {next_command(findings)}"])


def main() -> None:
    if len(sys.argv) > 2:
        sys.exit("usage: python -m aulib.doctor [PROFILE]")
    try:
        findings = examine(sys.argv[1] if len(sys.argv) > 1 else "standin")
    except ValueError as error:
        sys.exit(str(error))
    print(table(findings))
    sys.exit(any(finding.state == "missing" for finding in findings))


if __name__ == "__main__":
    main()
