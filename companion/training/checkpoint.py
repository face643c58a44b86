"""Start, checkpoint and finish a training run on disk.

An unfinished run has the checkpoints of its last two epochs, `checkpoint_0007.pt` and
the one before. A checkpoint holds everything that the run needs to resume: network,
optimizer, the best network so far, the metrics and outputs of all epochs. It is written
atomically, so a killed run loses only the epoch in progress.

A finished run has `outputs.parquet`, `metrics.csv`, `best.pt` and, written last,
`provenance.json` with their checksums.

No run is ever removed. One that has other parameters than those asked for is put aside
as `<directory>.before-1`, `-2`, …, and comes back when its parameters are asked for
again: a finished one is read, an unfinished one resumes. One with damaged files is put
aside as `<directory>.damaged-1`, …. An unfinished run holds two checkpoints, 2 GB at
full width; remove by hand what you no longer need.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from companion.base.files import atomic_write, sha256
from companion.base.paths import ROOT
from companion.base.provenance import write_provenance
from companion.training.device import out_of_memory

OUTPUTS, METRICS, BEST = "outputs.parquet", "metrics.csv", "best.pt"
PARAMETERS, PROVENANCE = "parameters.json", "provenance.json"
KEPT = 2  # checkpoints
SOURCES = ("aulib", "companion/crops", "companion/methods", "companion/training")
"""The code that decides what is trained and scored, and how."""


def begin(
    directory: Path, parameters: dict, log: Callable[[str], None]
) -> tuple[pd.DataFrame | None, dict | None]:
    """Find out where a run stands.

    A run with other parameters, or a finished run with a damaged or missing file, is
    put aside. A run with these parameters that was put aside comes back. The log says
    so.

    Args:
        directory: the run's directory; made if need be.
        parameters: plain values of JSON that define the run.
        log: takes a line of text.

    Returns:
        The metrics of a finished run, else None; and the newest checkpoint of an
        unfinished one, None before its first epoch.

    Raises:
        ValueError: there are checkpoints, and none can be used.
    """
    found = _parameters(directory)
    if found and found != parameters and _holds_run(directory):
        why = f"other settings are asked for ({difference(found, parameters)})"
        _put_aside(directory, "before", why, log)
    if found != parameters and not _checkpoints(directory):
        _bring_back(directory, parameters, log)
    provenance = _read_json(directory / PROVENANCE)
    if problem := _damage(directory, provenance):
        _put_aside(directory, "damaged", problem, log)
        return begin(directory, parameters, log)
    if provenance:
        for path in _checkpoints(directory):
            path.unlink()  # left by a run killed at its very end
        if _sources(provenance) != {sources_digest()}:
            log(
                f"{directory}: trained by other versions of the sources (a changed "
                "comment is enough) and used as it is; remove it to train it again"
            )
        return pd.read_csv(directory / METRICS), None
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / PARAMETERS) as file:
        file.write(json.dumps(parameters, indent=2).encode() + b"\n")
    state = read_checkpoint(directory, parameters, log)
    if state is not None:
        log(f"{directory}: resumes after epoch {len(state['metrics'])}")
    return None, state


def epochs_done(directory: Path, parameters: dict) -> int:
    """The epochs that a run does not have to train any more; all if it is finished.

    Looks where `begin` does, at the directory and the runs put aside, and writes
    nothing.
    """
    is_here = _parameters(directory) in (parameters, {}) and _holds_run(directory)
    here = [directory] if is_here else []
    for run in here + _put_aside_before(directory, parameters):
        provenance = _read_json(run / PROVENANCE)
        if _damage(run, provenance):
            continue
        if provenance:
            return parameters["epochs"]
        return max((int(path.stem[11:]) for path in _checkpoints(run)), default=0)
    return 0


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error}); remove it") from None


def _parameters(directory: Path) -> dict:
    """The parameters of the run in a directory; empty if there is none."""
    provenance = _read_json(directory / PROVENANCE)
    return _read_json(directory / PARAMETERS) or provenance.get("parameters", {})


def _damage(directory: Path, provenance: dict) -> str:
    """What is wrong with a finished run's files; empty if nothing is."""
    if not provenance:
        left = (directory / OUTPUTS).is_file() and not _checkpoints(directory)
        return f"{OUTPUTS} has no {PROVENANCE}" if left else ""
    for name in (OUTPUTS, METRICS, BEST):
        if not (directory / name).is_file():
            return f"{name} is missing"
        if provenance.get("sha256", {}).get(name) != sha256(directory / name):
            return f"the checksum of {name} is not the one in {PROVENANCE}"
    return ""


def _sources(provenance: dict) -> set[str]:
    """The digests of the sources that a finished run was trained by."""
    whole = provenance.get("sources")  # older runs have one digest for all parts
    parts = provenance.get("ran_on", [])
    return {part.get("sources", whole) for part in parts} or {whole}


def _put_aside(
    directory: Path, suffix: str, why: str, log: Callable[[str], None]
) -> None:
    names = (f"{directory.name}.{suffix}-{number}" for number in count(1))
    aside = next(p for p in map(directory.with_name, names) if not p.exists())
    log(f"{directory}: {why}; the run that was here is now {aside.name}")
    os.rename(directory, aside)


def _put_aside_before(directory: Path, parameters: dict) -> list[Path]:
    """The runs with these parameters that were put aside, finished ones first."""
    pattern = re.escape(directory.name) + r"\.before(-\d+)?"
    asides = [p for p in directory.parent.glob("*") if re.fullmatch(pattern, p.name)]
    found = [path for path in sorted(asides) if _parameters(path) == parameters]
    return sorted(found, key=finished, reverse=True)


def _bring_back(directory: Path, parameters: dict, log: Callable[[str], None]) -> None:
    """Give a run its directory back if one with these parameters was put aside."""
    found = _put_aside_before(directory, parameters)
    if not found:
        return
    aside = found[0]
    if directory.exists():
        _merge_log(directory, aside)
        try:
            directory.rmdir()
        except OSError:  # not empty
            _put_aside(directory, "before", "it holds no run", log)
    os.rename(aside, directory)
    log(f"{directory}: the run that was {aside.name} is back")


def _holds_run(directory: Path) -> bool:
    """Whether a directory has more of a run than what stands there before an epoch."""
    files = (directory / name for name in (OUTPUTS, BEST, PROVENANCE))
    return bool(_checkpoints(directory)) or any(path.exists() for path in files)


def _merge_log(directory: Path, aside: Path) -> None:
    """Empty the directory of a run that has not begun; its log goes to `aside`'s."""
    log = directory / "log.txt"
    if log.is_file():
        with open(aside / "log.txt", "a") as file:
            file.write(log.read_text())
    for path in (log, directory / PARAMETERS, *directory.glob("*.pt.partial")):
        path.unlink(missing_ok=True)
    shutil.rmtree(directory / "events", ignore_errors=True)  # curves without a point


def finished(directory: Path) -> bool:
    """Whether a run has come to its end."""
    return (directory / PROVENANCE).is_file()


def sources_digest() -> str:
    """A checksum of `SOURCES` as they are now: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = ROOT / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def write_checkpoint(directory: Path, state: dict) -> None:
    """Write the checkpoint of an epoch, then remove all but the last two.

    Args:
        directory: the run's directory.
        state: tensors and plain values, as `torch.load(weights_only=True)` takes them;
            `metrics` has one row for each epoch.

    Raises:
        OSError: it can't be written; the earlier checkpoints are left as they were.
    """
    epoch = len(state["metrics"])
    path = directory / f"checkpoint_{epoch:04d}.pt"
    try:
        with atomic_write(path) as file:
            torch.save(state, file)
    except OSError as error:
        raise OSError(
            f"{path}: epoch {epoch} could not be written ({error.strerror}; "
            f"{shutil.disk_usage(directory).free / 1e9:.1f} GB free); the epochs "
            "before it are kept: fix this, then repeat the command"
        ) from error
    kept = [directory / f"checkpoint_{epoch - n:04d}.pt" for n in range(KEPT)]
    for other in set(_checkpoints(directory)) - set(kept):
        other.unlink()


def read_checkpoint(
    directory: Path, parameters: dict, log: Callable[[str], None]
) -> dict | None:
    """The newest sound checkpoint, or None before the first epoch.

    A damaged checkpoint is named in the log, and the one before it is used.

    Raises:
        ValueError: there are checkpoints, but they are damaged or of other parameters.
        OSError, RuntimeError: a checkpoint can't be read now (an input error, or too
            little memory); nothing has been changed.
    """
    problem = ""
    for path in reversed(_checkpoints(directory)):
        try:
            return _load(path, parameters)
        except ValueError as error:
            problem = str(error)
            log(f"{problem}; trying the one before")
    if problem:
        raise ValueError(
            f"{problem}; no other checkpoint is left: remove {directory} to start over"
        )
    return None


def _checkpoints(directory: Path) -> list[Path]:
    paths = directory.glob("checkpoint_*.pt")
    return sorted(p for p in paths if re.fullmatch(r"checkpoint_\d{4,}\.pt", p.name))


def _load(path: Path, parameters: dict) -> dict:
    """Read a checkpoint. PyTorch itself does not verify the checksums in its files."""
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"wrong checksum of {damaged}")
        state = torch.load(path, "cpu", weights_only=True)
        found = state["parameters"]
    except Exception as error:  # a damaged file fails in many ways
        # EINVAL is a wrong offset in the file; any other OSError is the disk's
        failing_disk = isinstance(error, OSError) and error.errno != errno.EINVAL
        if failing_disk or out_of_memory(error):
            raise
        raise ValueError(f"{path}: damaged, or no checkpoint") from error
    if found != parameters:
        raise ValueError(f"{path}: of another run, {difference(found, parameters)}")
    return state


def finish(
    directory: Path, state: dict, outputs: pd.DataFrame, machine: dict[str, str]
) -> pd.DataFrame:
    """Write the files of a finished run, remove its checkpoints, return its metrics.

    Args:
        directory: the run's directory.
        state: after the last epoch.
        outputs: from `companion.training.outputs.output_table`.
        machine: from `companion.base.provenance.machine_facts`, before the training.
    """
    metrics, best = pd.DataFrame(state["metrics"]), state["best"]
    with atomic_write(directory / BEST) as file:
        torch.save(best, file)
    with atomic_write(directory / METRICS) as file:
        metrics.to_csv(file, index=False)
    with atomic_write(directory / OUTPUTS) as file:
        outputs.to_parquet(file, compression="zstd")
    stable = {
        "parameters": state["parameters"],
        "sha256": {name: sha256(directory / name) for name in (OUTPUTS, METRICS, BEST)},
        "ran_on": state["ran_on"],
        "network_parameters": sum(values.numel() for values in best.values()),
    }
    seconds = float(median(state["seconds"]))
    write_provenance(directory / PROVENANCE, stable, machine, epoch_seconds=seconds)
    for path in _checkpoints(directory):
        path.unlink()
    return metrics


def difference(found: dict, wanted: dict) -> str:
    """How two dictionaries of parameters differ, in one line."""
    keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    return ", ".join(f"{key} {found.get(key)} not {wanted.get(key)}" for key in keys)
