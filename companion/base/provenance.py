"""Where a number comes from: what it depends on, and when and where it was made.

What a run asks its machine never stops the run: where there is no answer, the reason
stands in its place.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

import pandas as pd
from joblib import cpu_count

from companion.base.files import atomic_write
from companion.base.paths import ROOT

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scipy")
"""The packages whose version can change a number."""

GIT_SECONDS = 60  # after which git counts as hanging
OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""What a caller may have set, such as a git hook; git would then look elsewhere."""

_started = time.time()


def stable_provenance(profile: str, **more: object) -> pd.Series:
    """The facts that a notebook's numbers depend on; equal runs have equal facts.

    Args:
        profile: its name.
        more: further facts, such as the data's fingerprint or the seeds.
    """
    facts = {"profile": profile, **more, **versions()}
    return pd.Series({key: str(value) for key, value in facts.items()}, name="")


def versions() -> dict[str, str]:
    """The versions of Python and of `PACKAGES`, by name."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError as error:
            found[package] = f"unknown ({error})"
    return found


def file_origin(
    profile: str,
    source: str,
    data: Iterable[str],
    seeds: Iterable[int],
    models: Iterable[str] = (),
    commits: Iterable[str] = (),
) -> dict:
    """What a figure or a table says of itself: all that it depends on.

    Nothing in it changes between equal runs, so equal files stay equal bytes.

    Args:
        profile: its name.
        source: "recorded" (trainings in `data/recorded`), "runs" (your own trainings)
            or "data" (no training is behind it).
        data: fingerprints, with what was hashed: "crops 8225a6e970ab383f".
        seeds: of the trainings, or of what was drawn or rendered.
        models: that were trained.
        commits: at which they were trained.

    Returns:
        The arguments, in lists without repetitions, and the versions of the packages
        that computed the file. All are plain values of JSON.
    """
    return {
        "profile": profile,
        "source": source,
        "data": sorted(set(data)),
        "models": list(dict.fromkeys(models)),
        "seeds": sorted(set(seeds)),
        "commits": sorted(set(commits)),
        "versions": versions(),
    }


def join_origins(origins: list[dict]) -> dict:
    """The origin of a file that rests on several things of one profile.

    Args:
        origins: from `file_origin`, at least one.
    """

    def joined(key: str) -> Iterator:
        return chain.from_iterable(origin[key] for origin in origins)

    sources = dict.fromkeys(origin["source"] for origin in origins)
    names = "data", "seeds", "models", "commits"
    return file_origin(
        origins[0]["profile"], " and ".join(sources), *map(joined, names)
    )


def table_digest(table: pd.DataFrame) -> str:
    """The beginning of a checksum of a table, its index included."""
    return hashlib.sha256(table.to_csv().encode()).hexdigest()[:16]


def machine_facts() -> dict[str, str]:
    """The commit, machine and system; a run asks for them before its work."""
    return {
        "commit": _commit(),
        "machine": f"{platform.machine()}, {cpu_count()} processors",
        "system": platform.system(),
    }


def _commit() -> str:
    """The checkout's commit, "-dirty" if files were changed; or why it is unknown."""
    try:
        if not os.path.samefile(_git("rev-parse", "--show-toplevel"), ROOT):
            return "unknown (not a git checkout, but inside another repository)"
        return _git("describe", "--always", "--dirty")
    except subprocess.CalledProcessError as error:
        first_line = error.stderr.strip().split("\n")[0]
        reason = first_line or f"git ended with status {error.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"git did not answer in {GIT_SECONDS} s"
    except OSError as error:
        reason = str(error)
    return f"unknown ({reason})"


def _git(*words: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in OF_ANOTHER_REPOSITORY
    }
    return subprocess.run(
        ["git", "-C", str(ROOT), *words],
        capture_output=True,
        check=True,
        encoding="utf-8",
        errors="surrogateescape",  # the names of directories may be of any bytes
        env=environment | {"LC_ALL": "C"},
        timeout=GIT_SECONDS,
    ).stdout.strip()


def write_provenance(
    path: Path, stable: dict, machine: dict[str, str], **more: float
) -> None:
    """Write `stable` and what changes between equal runs: machine, time and `more`.

    Args:
        path: the file to write, JSON.
        stable: plain values of JSON.
        machine: from `machine_facts`, asked for before the work.
        more: further values that change.
    """
    volatile = {
        **machine,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.time() - _started, 1),
        "peak_memory_mib": _peak_memory(),
        **more,
    }
    record = {**stable, "volatile": volatile}
    with atomic_write(path) as file:
        file.write(json.dumps(record, indent=2).encode() + b"\n")


def _peak_memory() -> int | str:
    """This process's largest memory so far in MiB."""
    try:
        import resource
    except ImportError:
        return "unknown (no module resource)"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**10 if sys.platform.startswith("linux") else 2**20))
