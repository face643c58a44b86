"""Reading runs: recorded ones (`data/recorded`) or your own (`runs`)."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from companion.analysis.scores import epoch_sums
from companion.base.grids import grid_models, load_grid
from companion.base.paths import ROOT, run_directory
from companion.base.profiles import load_profile
from companion.base.provenance import file_origin, join_origins
from companion.bp4d import AU_NAMES
from companion.training.checkpoint import finished
from companion.training.outputs import OUTPUT_NAMES

Run = tuple[str, int]
"""Model and seed."""

SUMS = ("n", "y", "z", "yy", "zz", "yz")
"""The columns that hold the sums of `companion.analysis.bootstrap.subject_sums`."""


def read_runs(
    profile: str, source: str, models: list[str] | None = None
) -> dict[Run, pd.DataFrame]:
    """Read the outputs of a profile's runs.

    Args:
        profile: its name.
        source: "recorded" (`data/recorded`, in git) or "runs" (your own).
        models: the names of the models to read; None for all of the profile's.

    Returns:
        (model, seed) → outputs.parquet as a table, with one row for each epoch and
        evaluation frame. Its columns are epoch, subject, task, frame, the coders'
        AU06 … AU17 (0..5 or 9) and the unrounded output_AU06 … output_AU17.

    Raises:
        ValueError: `source` is unknown; a file is damaged or lacks a column.
        FileNotFoundError: a run of these models and the profile's seeds is missing.
    """
    settings = load_profile(profile)
    runs = {}
    for model in models or settings["models"]:
        for seed in settings["seeds"]:
            path = _directory(profile, source, model, seed) / "outputs.parquet"
            if not path.is_file():
                trains = f"`make PROFILE={profile}` trains it"
                if source == "recorded":
                    trains = f"source = 'runs' reads your own, {trains}"
                raise FileNotFoundError(f"{path}: no such run; {trains}")
            runs[model, seed] = _read(path)
    return runs


def read_grid(
    profile: str, source: str, grid: str
) -> tuple[dict[Run, pd.DataFrame], dict[Run, str]]:
    """Read the outputs of a grid's finished runs; say why the others are missing.

    Args:
        profile: its name.
        source: as in `read_runs`.
        grid: its name.

    Returns:
        (model, seed) → outputs of the finished runs, as in `read_runs`; and
        (model, seed) → "not recorded", "never begun" or the last two lines of the log,
        for every other run.

    Raises:
        ValueError: as in `read_runs`.
    """
    settings = load_grid(grid)
    runs, missing = {}, {}
    for model in grid_models(settings, load_profile(profile)):
        for seed in settings["seeds"]:
            directory = _directory(profile, source, model, seed)
            if finished(directory):
                runs[model, seed] = _read(directory / "outputs.parquet")
            elif source == "recorded":
                missing[model, seed] = "not recorded"
            else:
                missing[model, seed] = _log_end(directory / "log.txt")
    return runs, missing


def read_sums(
    profile: str, source: str, grid: str
) -> tuple[dict[Run, np.ndarray], dict[Run, str]]:
    """Read `epoch_sums` of a grid's finished runs; say why the others are missing.

    Args:
        profile, grid: their names.
        source: "recorded" (`data/recorded/<profile>/<grid>.parquet`) or "runs".

    Returns:
        (model, seed) → float64 array (E, S, Q, 6); and the others, as in `read_grid`.

    Raises:
        ValueError: as in `read_runs`.
        FileNotFoundError: the grid's sums are not recorded.
    """
    if source == "runs":
        models = grid_models(load_grid(grid), load_profile(profile))
        runs, missing = read_grid(profile, source, grid)
        scales = {model: own.get("scale", 1.0) for model, own in models.items()}
        return {run: epoch_sums(runs[run], scales[run[0]]) for run in runs}, missing
    table, sums = pd.read_parquet(_sums_path(profile, grid)), {}
    for run, rows in table.groupby(["model", "seed"], observed=True):
        shape = [rows[name].nunique() for name in ("epoch", "subject", "AU")]
        sums[run] = rows[list(SUMS)].to_numpy(np.float64).reshape(*shape, len(SUMS))
    return sums, {}


def sums_table(sums: dict[Run, np.ndarray]) -> pd.DataFrame:
    """The sums of `read_sums` as a table: model, seed, epoch, subject, AU and `SUMS`.

    Subjects are numbers, in the order of their names.
    """
    parts = []
    for (model, seed), array in sums.items():
        epochs, people, _, _ = array.shape
        names = [range(1, epochs + 1), range(people), AU_NAMES]
        index = pd.MultiIndex.from_product(names, names=["epoch", "subject", "AU"])
        part = pd.DataFrame(array.reshape(-1, len(SUMS)), index, SUMS).astype(np.int32)
        part = part.reset_index().astype({"epoch": np.int16, "subject": np.int16})
        part.insert(0, "seed", seed)
        part.insert(0, "model", model)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"model": "category", "AU": "category"})


def read_provenance(profile: str, source: str, model: str, seed: int) -> dict:
    """The provenance of a finished run: parameters, machine, durations."""
    path = _directory(profile, source, model, seed) / "provenance.json"
    return json.loads(path.read_text())


def runs_origin(profile: str, source: str, runs: Iterable[Run]) -> dict:
    """The origin of what is computed from runs (`companion.base.provenance`).

    The data, seeds and commits are those of the runs' provenance.json.

    Args:
        profile, source: as in `read_runs`.
        runs: (model, seed) of each; all are finished.
    """
    runs = list(runs)
    made = [read_provenance(profile, source, *run) for run in runs]
    return file_origin(
        profile,
        source,
        data=[f"crops {own['parameters']['data'][:16]}" for own in made],
        seeds=[own["parameters"]["seed"] for own in made],
        models=[model for model, _ in runs],
        commits=[own["volatile"]["commit"] for own in made],
    )


def sums_origin(profile: str, source: str, grid: str) -> dict:
    """The origin of what is computed from the sums of `read_sums`.

    Recorded sums hold it in their file, since the runs themselves are not recorded.

    Raises:
        FileNotFoundError: the grid's sums are not recorded.
        ValueError: the file does not say its origin.
    """
    if source == "runs":
        settings = load_grid(grid)
        runs = [
            (model, seed)
            for model in grid_models(settings, load_profile(profile))
            for seed in settings["seeds"]
            if finished(_directory(profile, source, model, seed))
        ]
        return runs_origin(profile, source, runs)
    path = _sums_path(profile, grid)
    own = pd.read_parquet(path, columns=["seed"]).attrs.get("origin")
    if own is None:
        raise ValueError(
            f"{path}: does not say its origin; `make record` writes it anew"
        )
    return join_origins([own | {"source": source}])


def outputs_digest(runs: dict[Run, pd.DataFrame]) -> str:
    """The beginning of a checksum of all outputs, for a notebook's provenance."""
    digest = hashlib.sha256()
    for table in runs.values():
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy())
    return digest.hexdigest()[:16]


def _directory(profile: str, source: str, model: str, seed: int) -> Path:
    roots = {
        "recorded": ROOT / "data" / "recorded" / profile,
        "runs": run_directory(profile),
    }
    if source not in roots:
        raise ValueError(f"source {source!r} is unknown: 'recorded' or 'runs'")
    return roots[source] / "training" / f"{model}_{seed}"


def _sums_path(profile: str, grid: str) -> Path:
    path = ROOT / "data" / "recorded" / profile / f"{grid}.parquet"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: not recorded; `make ablation GRID={grid}` trains the runs, "
            "source = 'runs' reads them"
        )
    return path


def _read(path: Path) -> pd.DataFrame:
    try:
        outputs = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{path}: damaged ({reason}); {_repair(path)}") from error
    for column in ("epoch", "subject", "task", "frame", *AU_NAMES, *OUTPUT_NAMES):
        if column not in outputs:
            raise ValueError(f"{path}: has no column {column!r}; {_repair(path)}")
    return outputs


def _repair(path: Path) -> str:
    if path.is_relative_to(ROOT / "data"):
        return f"`git checkout -- {path.relative_to(ROOT)}` restores it"
    return f"remove {path.parent}, and `make` trains the run again"


def _log_end(log: Path) -> str:
    if not log.is_file():
        return "never begun"
    return "\n".join(log.read_text().splitlines()[-2:])
