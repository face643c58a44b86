"""A training run on disk: begun, kept after each epoch, finished; whole or not at all.

An epoch is a directory of `<run>/epochs`:

    0007/outputs.parquet   the evaluation frames with this epoch's outputs
    0007/metrics.csv       one row an epoch, up to this one
    0007/checkpoint.pt     what the run goes on from; of the last two and of the best,
                           up to the last epoch and up to the one before it
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

from aulib.files import digest, durable, names_to_disk, whole
from aulib.machine import out_of_memory
from aulib.notebook import ROOT, write_provenance

CHECKPOINT, OUTPUTS, METRICS = "checkpoint.pt", "outputs.parquet", "metrics.csv"
SUMS = "SHA256SUMS"
BEST, PARAMETERS, PROVENANCE = "best.pt", "parameters.json", "provenance.json"
SOURCES = (
    *("sampler", "model", "loss", "inference", "icc", "method", "compared/classifier"),
    *("compared/structured", "compared/joint", "compared/hog"),
)
"""The modules of `aulib` that say what is trained and scored, and how."""


class Start(NamedTuple):
    """Where a run stands when it is begun or gone on with."""

    metrics: pd.DataFrame | None
    """Of a finished run, one row an epoch; None where there is something to do."""
    checkpoint: dict | None
    """What an unfinished one goes on from; None at the very beginning."""


def begin(run: Path, parameters: dict, say: Callable[[str], None]) -> Start:
    """Find out where a run stands.

    What can't be gone on with (a run of other parameters, or a finished one with a
    file that is damaged or gone) is put aside as `<run>.before`, which is said.

    Args:
        run: the directory of the run; made where it is not there.
        parameters: what the run was asked for: plain values of JSON.
        say: takes a line of text.

    Raises:
        ValueError: there are epochs, and none can be gone on from.
    """
    provenance = _read_json(run / PROVENANCE)
    before = _read_json(run / PARAMETERS) or provenance.get("parameters", parameters)
    if before != parameters:
        _put_aside(run, difference(before, parameters), say)
    elif provenance:
        problem = _damage(run, provenance.get("sha256", {}))
        if not problem:
            shutil.rmtree(run / "epochs", ignore_errors=True)  # a kill may leave them
            if provenance["sources"] != sources():
                say(
                    f"{run}: read as it was trained, by other sources than today's "
                    "(a changed comment counts); to train it again remove it"
                )
            return Start(pd.read_csv(run / METRICS), None)
        _put_aside(run, problem, say)
    elif not (run / "epochs").is_dir() and (run / OUTPUTS).is_file():
        _put_aside(run, f"there are {OUTPUTS} without a {PROVENANCE}", say)
    run.mkdir(parents=True, exist_ok=True)
    with whole(run / PARAMETERS) as file:
        file.write(json.dumps(parameters, indent=2).encode() + b"\n")
    checkpoint = read_newest(run, parameters, say)
    if checkpoint is not None:
        say(f"{run}: goes on after epoch {len(checkpoint['metrics'])}")
    return Start(None, checkpoint)


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error}); remove it") from None


def _damage(run: Path, sums: dict[str, str]) -> str:
    """The file of a finished run that is not what its provenance says, or nothing."""
    for name in (OUTPUTS, METRICS, BEST):
        if not (run / name).is_file():
            return f"{name} is gone"
        if sums.get(name) != digest(run / name):
            return f"{name} is not the one that {PROVENANCE} speaks of"
    return ""


def _put_aside(run: Path, why: str, say: Callable[[str], None]) -> None:
    aside = run.with_name(f"{run.name}.before")
    say(f"{run}: begun anew, {why}; what was there is now {aside.name}")
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(run, aside)


def finished(run: Path) -> bool:
    """Whether a run has come to its end."""
    return (run / PROVENANCE).is_file()


def sources() -> str:
    """A digest of `SOURCES`, as they are now: 16 hexadecimal digits."""
    total = hashlib.sha256()
    for name in SOURCES:
        total.update((ROOT / "aulib" / f"{name}.py").read_bytes())
    return total.hexdigest()[:16]


def finish(
    run: Path, parameters: dict, metrics: pd.DataFrame, facts: dict, seconds: float
) -> None:
    """Join the epochs to the files of a finished run and drop what resuming needs.

    Args:
        run: the directory of the run, with all its epochs.
        parameters: what the run was asked for.
        metrics: of all epochs.
        facts: more for the provenance, such as on what machines it ran.
        seconds: that an epoch took, the median.

    Raises:
        ValueError: an epoch is damaged.
    """
    folders = [run / "epochs" / f"{epoch:04d}" for epoch in metrics["epoch"]]
    best = folders[best_epoch(metrics) - 1]
    _check(best, (CHECKPOINT,))
    network = _load(best / CHECKPOINT, parameters)["network"]
    with whole(run / BEST) as file:
        torch.save(network, file)
    with whole(run / METRICS) as file:
        metrics.to_csv(file, index=False)
    for folder in folders:
        _check(folder, (OUTPUTS,))
    parts = [pd.read_parquet(folder / OUTPUTS) for folder in folders]
    outputs = pd.concat(parts, ignore_index=True)
    for name in ("subject", "task"):
        outputs[name] = outputs[name].astype("category")
    with whole(run / OUTPUTS) as file:
        outputs.to_parquet(file, compression="zstd")
    sums = {name: digest(run / name) for name in (OUTPUTS, METRICS, BEST)}
    stable = {"parameters": parameters, "sha256": sums, **facts}
    write_provenance(run / PROVENANCE, stable, epoch_seconds=seconds)
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
                file.write(f"{digest(partial / name)}  {name}\n".encode())
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
    epochs that follow the one used are put aside, to be trained again.

    Args:
        run: the directory of the run.
        parameters: of the run; a checkpoint with others is foreign.
        say: takes a line of text.

    Returns:
        What `write_epoch` was given, and `metrics` as a list of rows; None where no
        epoch has been finished.

    Raises:
        ValueError: there are checkpoints, and none can be used.
        OSError, RuntimeError: one can't be read now, for want of memory, say; nothing
            has been changed.
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
            best = best_epoch(pd.DataFrame(checkpoint["metrics"]))
            _check(run / "epochs" / f"{best:04d}", (CHECKPOINT,))
        except ValueError as error:
            problem = str(error)
            say(f"{problem}; trying the one before")
            continue
        for later in finished[finished.index(directory) + 1 :]:
            aside = later.with_name(f"{later.name}.before")
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(later, aside)
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
    # the best, and what was the best before the last: if that is found damaged, the
    # run goes on from the one before it
    kept = {*metrics["epoch"].iloc[-2:], best_epoch(metrics)}
    if len(metrics) > 1:
        kept.add(best_epoch(metrics.iloc[:-1]))
    for epoch in set(metrics["epoch"]) - kept:
        (run / "epochs" / f"{epoch:04d}" / CHECKPOINT).unlink(missing_ok=True)


def _check(directory: Path, names: tuple[str, ...]) -> None:
    """Raise a ValueError where a file is not what SHA256SUMS says."""
    try:
        lines = re.findall(r"^(\w+)  (\S+)$", (directory / SUMS).read_text(), re.M)
        sums = {name: digest for digest, name in lines}
        for name in names:
            if sums.get(name) != digest(directory / name):
                raise ValueError(f"{directory / name}: damaged, its checksum differs")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise ValueError(f"{directory}: damaged ({error})") from None


def _load(path: Path, parameters: dict) -> dict:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        found = checkpoint["parameters"]
    except (RuntimeError, EOFError, UnpicklingError, KeyError, TypeError) as error:
        if out_of_memory(error):
            raise
        raise ValueError(f"{path}: no checkpoint of a training run") from error
    if found != parameters:
        raise ValueError(f"{path}: of another run, {difference(found, parameters)}")
    return checkpoint


def difference(found: dict, wanted: dict) -> str:
    """In what two dictionaries of parameters differ, in a line."""
    keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    return ", ".join(f"{key} {found.get(key)} not {wanted.get(key)}" for key in keys)
