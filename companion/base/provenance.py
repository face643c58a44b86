"""Where a number comes from: what it depends on, and when and where it was made."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from companion.base.files import atomic_write
from companion.base.paths import ROOT

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scipy")
"""The packages whose version can change a number."""

_started = time.time()


def stable_provenance(profile: str, **more: object) -> pd.Series:
    """The facts that a notebook's numbers depend on; equal runs have equal facts.

    Args:
        profile: its name.
        more: further facts, such as the data's fingerprint or the seeds.
    """
    facts = {"profile": profile, **more}
    facts["python"] = ".".join(platform.python_version_tuple()[:2])
    facts |= {package: version(package) for package in PACKAGES}
    return pd.Series({key: str(value) for key, value in facts.items()}, name="")


def write_provenance(path: Path, stable: dict, **more: float) -> None:
    """Write `stable` and what changes between equal runs: commit, time and `more`."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kibibytes = 1 if sys.platform.startswith("linux") else 1 / 1024
    volatile = {
        "commit": commit or "not a git checkout",
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "system": platform.system(),
        "seconds": round(time.time() - _started, 1),
        "peak_memory_mib": round(peak * kibibytes / 1024),
        **more,
    }
    versions = {package: version(package) for package in PACKAGES}
    record = {**stable, "versions": versions, "volatile": volatile}
    with atomic_write(path) as file:
        file.write(json.dumps(record, indent=2).encode() + b"\n")
