"""A copy of the checkout, to run things in that the checkout itself must not see."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from companion.base.paths import ROOT

FOLDERS = ("aulib", "companion", "data", "notebooks")
FILES = ("Snakefile", "pyproject.toml", "constraints.txt", "Makefile")


def copy_checkout(target: Path) -> Path:
    """Copy what a run reads; what git ignores stays behind."""
    target.mkdir(parents=True)
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", *FOLDERS, *FILES],
        cwd=ROOT,
        text=True,
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # not a file that was just removed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def write_profile(checkout: Path, name: str, changes: dict, of: str = "tiny") -> dict:
    """Write a profile: another one with changes; of `models`, key by key."""
    profiles = checkout / "notebooks" / "profiles"
    profile = yaml.safe_load((profiles / f"{of}.yaml").read_text())
    for model, settings in changes.get("models", {}).items():
        profile["models"][model] |= settings
    profile |= {key: value for key, value in changes.items() if key != "models"}
    (profiles / f"{name}.yaml").write_text(yaml.safe_dump(profile))
    return profile


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """The variables with which Python and its kernels import the copy's packages."""
    return {**os.environ, "PYTHONPATH": str(checkout), "TQDM_DISABLE": "1", **more}


def run(
    checkout: Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m ARGUMENTS` in the copy."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=checkout,
        capture_output=True,
        text=True,
        env=environment(checkout, **more),
    )
