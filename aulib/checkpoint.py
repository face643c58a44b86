"""A training run on disk: begun, kept after each epoch, finished; whole or not at all.

An epoch is a directory of `<run>/epochs`:

    0007/outputs.parquet   the evaluation frames with this epoch's outputs
    0007/metrics.csv       one row an epoch, up to this one
    0007/checkpoint.pt     what the run goes on from; of the last two and the best
    0007/SHA256SUMS        of the three, as `sha256sum --check` reads it

It is written to `0007.partial`, brought to the disk and then renamed, which no kill can
halve: outputs, metrics and checkpoint of an epoch are all there or none is. The run is
finished when its `provenance.json` is there, which is written last.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO, NamedTuple

import pandas as pd
import torch

from aulib.files import durable, names_to_disk, whole
from aulib.notebook import write_provenance

CHECKPOINT, OUTPUTS, METRICS = "checkpoint.pt", "outputs.parquet", "metrics.csv"
SUMS = "SHA256SUMS"
BEST, PARAMETERS, PROVENANCE = "best.pt", "parameters.json", "provenance.json"


class Start(NamedTuple):
    """Where a run stands when it is begun or gone on with."""

    finished: bool
    metrics: pd.DataFrame
    """One row an epoch; empty where there is none."""
    checkpoint: dict | None
    """Of the last epoch, as `write_epoch` was given it; None at the very beginning."""


def begin(run: Path, parameters: dict, say: Callable[[str], None]) -> Start:
    """Find out where a run stands. One of other parameters is removed, which is said.

    Args:
        run: the directory of the run; made where it is not there.
        parameters: what the run was asked for: plain values of JSON.
        say: takes a line of text.

    Raises:
        ValueError: there are epochs, and none can be gone on from.
    """
    if finished(run, parameters):
        shutil.rmtree(run / "epochs", ignore_errors=True)  # a kill may have left them
        return Start(True, pd.read_csv(run / METRICS), None)
    run.mkdir(parents=True, exist_ok=True)
    asked = run / PARAMETERS
    before = json.loads(asked.read_text()) if asked.is_file() else parameters
    if before != parameters:
        say(f"{run}: begun anew, {difference(before, parameters)}")
        shutil.rmtree(run / "epochs", ignore_errors=True)
    for name in (PROVENANCE, OUTPUTS, METRICS, BEST):  # of no use without each other
        (run / name).unlink(missing_ok=True)
    with whole(asked) as file:
        file.write(json.dumps(parameters, indent=2).encode() + b"\n")
    checkpoint = read_newest(run, parameters, say)
    if checkpoint is None:
        return Start(False, pd.DataFrame(), None)
    metrics = pd.DataFrame(checkpoint["metrics"])
    say(f"{run}: goes on after epoch {len(metrics)}")
    return Start(False, metrics, checkpoint)


def finished(run: Path, parameters: dict) -> bool:
    """Whether the run is complete and has these parameters."""
    path = run / PROVENANCE
    if not path.is_file() or not (run / OUTPUTS).is_file():
        return False
    return json.loads(path.read_text())["parameters"] == parameters


def finish(run: Path, parameters: dict, metrics: pd.DataFrame, ran_on: list) -> None:
    """Join the epochs to the files of a finished run and drop what resuming needs.

    Args:
        run: the directory of the run, with all its epochs.
        parameters: what the run was asked for.
        metrics: of all epochs.
        ran_on: on what machines, for the provenance.
    """
    folders = [run / "epochs" / f"{epoch:04d}" for epoch in metrics["epoch"]]
    best = _load(folders[best_epoch(metrics) - 1] / CHECKPOINT, parameters)
    with whole(run / BEST) as file:
        torch.save(best["network"], file)
    with whole(run / METRICS) as file:
        metrics.to_csv(file, index=False)
    parts = [pd.read_parquet(folder / OUTPUTS) for folder in folders]
    outputs = pd.concat(parts, ignore_index=True)
    for name in ("subject", "task"):
        outputs[name] = outputs[name].astype("category")
    with whole(run / OUTPUTS) as file:
        outputs.to_parquet(file, compression="zstd")
    write_provenance(run / PROVENANCE, {"parameters": parameters, "ran_on": ran_on})
    shutil.rmtree(run / "epochs")


def write_epoch(
    run: Path,
    epoch: int,
    checkpoint: dict,
    metrics: pd.DataFrame,
    outputs: pd.DataFrame,
) -> None:
    """Write an epoch, whole or not at all, then drop the checkpoints no longer needed.

    Args:
        run: the directory of the run.
        epoch: counted from 1.
        checkpoint: tensors and plain values, as `torch.load(weights_only=True)` takes.
        metrics: of all epochs up to this one, with the columns epoch and mean.
        outputs: of this epoch.

    Raises:
        OSError: the disk is full, say, or not to be written to. The epochs before
            this one are left as they were.
    """
    target = run / "epochs" / f"{epoch:04d}"
    partial = target.with_name(f"{target.name}.partial")
    contents = {**checkpoint, "metrics": metrics.to_dict("records")}
    writers: dict[str, Callable[[BinaryIO], None]] = {
        OUTPUTS: lambda file: outputs.to_parquet(file, compression="zstd"),
        METRICS: lambda file: metrics.to_csv(file, index=False),
        CHECKPOINT: lambda file: torch.save(contents, file),
    }
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, write in writers.items():
            with durable(partial / name) as file:
                write(file)
        with durable(partial / SUMS) as file:
            for name in writers:
                file.write(f"{_digest(partial / name)}  {name}\n".encode())
        names_to_disk(partial)
        os.rename(partial, target)
        names_to_disk(target.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(
            f"{error.filename or target}: epoch {epoch} could not be written "
            f"({error.strerror}; {shutil.disk_usage(run).free / 1e9:.1f} GB free); the "
            "epochs before it are kept: mend that and start again"
        ) from error
    _prune(run, metrics)


def read_newest(run: Path, parameters: dict, say: Callable[[str], None]) -> dict | None:
    """The newest checkpoint that is sound.

    A damaged or foreign one is named to `say`, and the one before it is used; the
    epochs that follow the one used are removed, to be trained again.

    Args:
        run: the directory of the run.
        parameters: of the run; a checkpoint with others is foreign.
        say: takes a line of text.

    Returns:
        What `write_epoch` was given, and `metrics` as a list of rows; None where no
        epoch has been finished.

    Raises:
        ValueError: there are checkpoints, and none can be used.
    """
    finished = sorted(
        path for path in (run / "epochs").glob("*") if path.name.isdecimal()
    )
    problem = ""
    for directory in reversed(finished):
        if not (directory / CHECKPOINT).is_file():
            continue
        try:
            _check(directory, (OUTPUTS, METRICS, CHECKPOINT))
            checkpoint = _load(directory / CHECKPOINT, parameters)
            for epoch in range(1, int(directory.name)):
                _check(run / "epochs" / f"{epoch:04d}", (OUTPUTS, METRICS))
        except ValueError as error:
            problem = str(error)
            say(f"{problem}; trying the one before")
            continue
        for later in finished[finished.index(directory) + 1 :]:
            shutil.rmtree(later)
        return checkpoint
    if finished:
        problem = problem or f"{run / 'epochs'}: no {CHECKPOINT} is left"
        raise ValueError(
            f"{problem}; no other can be used: remove {run / 'epochs'} to begin anew"
        )
    return None


def best_epoch(metrics: pd.DataFrame) -> int:
    """The first epoch with the highest mean ICC."""
    return int(metrics["epoch"].iloc[metrics["mean"].argmax()])


def _prune(run: Path, metrics: pd.DataFrame) -> None:
    kept = {*metrics["epoch"].iloc[-2:], best_epoch(metrics)}
    for epoch in set(metrics["epoch"]) - kept:
        (run / "epochs" / f"{epoch:04d}" / CHECKPOINT).unlink(missing_ok=True)


def _check(directory: Path, names: tuple[str, ...]) -> None:
    """Raise a ValueError where a file is not what SHA256SUMS says."""
    try:
        lines = re.findall(r"^(\w+)  (\S+)$", (directory / SUMS).read_text(), re.M)
        sums = {name: digest for digest, name in lines}
        for name in names:
            if sums.get(name) != _digest(directory / name):
                raise ValueError(f"{directory / name}: damaged, its checksum differs")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{directory}: damaged ({error})") from None


def _load(path: Path, parameters: dict) -> dict:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = checkpoint["parameters"]
    except (RuntimeError, EOFError, UnpicklingError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no checkpoint of a training run") from error
    if found != parameters:
        raise ValueError(f"{path}: of another run, {difference(found, parameters)}")
    return checkpoint


def difference(found: dict, wanted: dict) -> str:
    """In what two dictionaries of parameters differ, in a line."""
    keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    return ", ".join(f"{key} {found.get(key)} not {wanted.get(key)}" for key in keys)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
