"""What notebooks 04 to 06 share: runs, scores by epoch, aggregates, verdicts.

The paper is of two minds about how it sums up its runs: Section IV speaks of the mean
of the five best epochs of each run, Section V says that Table II is the best iteration
of three runs. So four aggregates stand side by side, see `aggregates`. Choosing an
epoch by its score on the evaluation frames is the paper's protocol; it flatters.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aulib import AU_NAMES, LEVEL_NAMES, OUTPUT_NAMES, UNKNOWN
from aulib.bootstrap import subject_sums
from aulib.checkpoint import finished
from aulib.grid import failure, grid_models, load_grid
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.notebook import ROOT, load_profile, run_directory

COLUMNS = [*AU_NAMES, "mean"]
VERDICTS = {True: "holds", False: "does not hold", None: "cannot be decided here"}
BEST = 5  # "a média das cinco melhores épocas" (Section IV)


def read_runs(
    profile: str, source: str, models: list[str] | None = None
) -> dict[tuple[str, int], pd.DataFrame]:
    """The outputs of a profile's runs.

    Args:
        profile: its name.
        source: "recorded" (`data/recorded`, in git) or "runs" (what you have trained).
        models: the names of those wanted; all of the profile's when None.

    Returns:
        (model, seed) → outputs.parquet as a table: one row an epoch and evaluation
        frame, with columns epoch, subject, task, frame, the coders' AU06 … AU17 (0..5
        or 9) and the unrounded output_AU06 … output_AU17.

    Raises:
        ValueError: `source` is neither of the two; a file is damaged, or lacks a
            column.
        FileNotFoundError: a run of the profile's models and seeds is missing.
    """
    settings = load_profile(profile)
    runs = {}
    for model in models or settings["models"]:
        for seed in settings["seeds"]:
            path = _run(profile, source, model, seed) / "outputs.parquet"
            if not path.is_file():
                raise FileNotFoundError(_advice(path, profile, source))
            runs[model, seed] = _read(path)
    return runs


def read_grid(
    profile: str, source: str, grid: str
) -> tuple[dict[tuple[str, int], pd.DataFrame], dict[tuple[str, int], str]]:
    """The outputs of a grid's runs, and what has become of those that are not there.

    Args:
        profile: its name.
        source: as in `read_runs`.
        grid: its name.

    Returns:
        (model, seed) → outputs, as `read_runs` gives them; and (model, seed) → the last
        lines of the log of a run that has not come to its end, "never begun", or "not
        recorded".

    Raises:
        ValueError: as `read_runs`.
    """
    settings = load_grid(grid)
    runs, failed = {}, {}
    for model in grid_models(settings, load_profile(profile)):
        for seed in settings["seeds"]:
            directory = _run(profile, source, model, seed)
            if not finished(directory):
                why = "not recorded"
                failed[model, seed] = (
                    why if source == "recorded" else failure(profile, model, seed)
                )
            else:
                runs[model, seed] = _read(directory / "outputs.parquet")
    return runs, failed


SUMS = ("n", "y", "z", "yy", "zz", "yz")  # of `aulib.bootstrap.subject_sums`


def read_sums(
    profile: str, source: str, grid: str
) -> tuple[dict[tuple[str, int], np.ndarray], dict[tuple[str, int], str]]:
    """`epoch_sums` of a grid's runs, and what has become of those that are not there.

    Args:
        profile, grid: their names.
        source: "recorded" (`data/recorded/<profile>/<grid>.parquet`) or "runs".

    Returns:
        (model, seed) → float64 array (E, S, Q, 6), and as in `read_grid`.
    """
    models = grid_models(load_grid(grid), load_profile(profile))
    if source == "runs":
        runs, failed = read_grid(profile, source, grid)
        scales = {
            model: settings.get("scale", 1.0) for model, settings in models.items()
        }
        return {run: epoch_sums(runs[run], scales[run[0]]) for run in runs}, failed
    path = ROOT / "data" / "recorded" / profile / f"{grid}.parquet"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such runs are recorded; `make ablation GRID={grid}` trains "
            "them, source = 'runs' reads them"
        )
    sums = {}
    for run, rows in pd.read_parquet(path).groupby(["model", "seed"], observed=True):
        shape = [rows[name].nunique() for name in ("epoch", "subject", "AU")]
        sums[run] = rows[list(SUMS)].to_numpy(np.float64).reshape(*shape, len(SUMS))
    return sums, {}


def sums_table(sums: dict[tuple[str, int], np.ndarray]) -> pd.DataFrame:
    """The sums of `read_sums` as a table: model, seed, epoch, subject, AU and `SUMS`.

    The people are numbered in the order of their names.
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


def provenance(profile: str, source: str, model: str, seed: int) -> dict:
    """What a finished run says of itself: parameters, where it ran, how long."""
    path = _run(profile, source, model, seed) / "provenance.json"
    return json.loads(path.read_text())


def _run(profile: str, source: str, model: str, seed: int) -> Path:
    if source not in ("recorded", "runs"):
        raise ValueError(f"source {source!r} is unknown: 'recorded' or 'runs'")
    recorded = ROOT / "data" / "recorded" / profile
    directory = run_directory(profile) if source == "runs" else recorded
    return directory / "training" / f"{model}_{seed}"


def _read(path: Path) -> pd.DataFrame:
    try:
        outputs = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{path}: damaged ({reason}); train that run again") from error
    for column in ("epoch", "subject", "task", "frame", *AU_NAMES, *OUTPUT_NAMES):
        if column not in outputs:
            raise ValueError(f"{path}: has no column {column!r}; train that run again")
    return outputs


def _advice(path: Path, profile: str, source: str) -> str:
    other = f"`make PROFILE={profile}` trains it"
    if source == "recorded":
        other = f"no such run is recorded; source = 'runs' reads your own, {other}"
    return f"{path}: no such run; {other}"


def levels(outputs: pd.DataFrame, scale: float) -> np.ndarray:
    """The levels of a table of outputs: int64 array (N, 5), 0..5.

    Eq. 3 of the outputs, unless the table has levels of its own.
    """
    if LEVEL_NAMES[0] in outputs:
        return outputs[list(LEVEL_NAMES)].to_numpy().astype(np.int64)
    return to_intensity(
        torch.tensor(outputs[list(OUTPUT_NAMES)].to_numpy()), scale
    ).numpy()


def epoch_scores(outputs: pd.DataFrame, scale: float) -> pd.DataFrame:
    """ICC(3,1) of each epoch of a run, after Eq. 3.

    Args:
        outputs: as `read_runs` gives them.
        scale: of Eq. 3 and 4, from the profile.

    Returns:
        float table indexed by epoch, columns AU06 … AU17 and mean.
    """
    scores = {}
    for epoch, rows in outputs.groupby("epoch"):
        truth = rows[list(AU_NAMES)].to_numpy()
        per_au = icc_per_au(truth, levels(rows, scale))
        scores[epoch] = [*per_au, per_au.mean()]
    table = pd.DataFrame.from_dict(scores, orient="index", columns=COLUMNS)
    return table.rename_axis("epoch")


def epoch_sums(outputs: pd.DataFrame, scale: float) -> np.ndarray:
    """`aulib.bootstrap.subject_sums` of each epoch: float64 array (E, S, Q, 6).

    All that ICC(3,1) needs, of any people, at any epoch.
    """
    sums = []
    for _, rows in outputs.groupby("epoch"):
        truth, people = rows[list(AU_NAMES)].to_numpy(), rows["subject"].astype(str)
        sums.append(subject_sums(truth, levels(rows, scale), people.to_numpy()))
    return np.stack(sums)


def further_scores(
    intensities: np.ndarray, predictions: np.ndarray, values: np.ndarray
) -> dict[str, np.ndarray]:
    """What ICC(3,1) of the levels does not say, AU by AU.

    Args:
        intensities: int array (N, Q), the coders' levels 0..5, or `UNKNOWN`, which is
            left out for its AU alone.
        predictions: int array (N, Q), the estimated levels 0..5.
        values: float array (N, Q), the estimates before rounding, in levels.

    Returns:
        Float arrays (Q,): "ICC(3,1)", "ICC(3,1), unrounded", "Pearson's r", "MAE" (mean
        absolute error, in levels), "within one level" (share of the frames), and
        "recall 0" … "recall 5" (share of the frames of that level that are given it;
        NaN where there is none).
    """
    scores = {
        "ICC(3,1)": icc_per_au(intensities, predictions),
        "ICC(3,1), unrounded": icc_per_au(intensities, values),
    }
    columns = []
    for truth, estimate in zip(intensities.T, predictions.T, strict=True):
        known = truth != UNKNOWN
        truth, estimate = truth[known], estimate[known]
        error = np.abs(truth - estimate)
        constant = len(set(truth)) < 2 or len(set(estimate)) < 2
        column = {
            "Pearson's r": 0.0 if constant else np.corrcoef(truth, estimate)[0, 1],
            "MAE": error.mean(),
            "within one level": (error <= 1).mean(),
        }
        for level in range(6):
            right = estimate[truth == level] == level
            column[f"recall {level}"] = right.mean() if len(right) else np.nan
        columns.append(column)
    table = pd.DataFrame(columns)
    return scores | {name: table[name].to_numpy() for name in table}


def best_epoch(scores: pd.DataFrame) -> int:
    """The epoch with the best mean ICC, the first of equals."""
    return int(scores["mean"].idxmax())


def best_run(runs_scores: dict[int, pd.DataFrame]) -> int:
    """The seed whose best epoch is the best of all, the first of equals."""
    return max(runs_scores, key=lambda seed: runs_scores[seed]["mean"].max())


def aggregates(runs_scores: dict[int, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Four ways to sum up several runs of one model.

    Per AU the scores are those of the epochs chosen by the mean, never the best of
    each AU by itself.

    Args:
        runs_scores: seed → `epoch_scores` of that run.

    Returns:
        "score" and "spread", two float tables of one row for each aggregate and
        columns AU06 … AU17 and mean. The spread is the standard deviation over runs
        (divisor n − 1); NaN for one run, so always for the best of them.
    """
    best = pd.DataFrame(
        {seed: table.loc[best_epoch(table)] for seed, table in runs_scores.items()}
    )
    five = pd.DataFrame(
        {
            seed: table.sort_values("mean", ascending=False, kind="stable")
            .head(BEST)
            .mean()
            for seed, table in runs_scores.items()
        }
    )
    last = pd.DataFrame({seed: table.iloc[-1] for seed, table in runs_scores.items()})
    chosen = {
        "best epoch of the best run": best[[best_run(runs_scores)]],
        "best epoch, mean over runs": best,
        "five best epochs, mean over runs": five,
        "last epoch, mean over runs": last,
    }
    return {
        "score": pd.DataFrame({k: v.mean(axis=1) for k, v in chosen.items()}).T,
        "spread": pd.DataFrame({k: v.std(axis=1) for k, v in chosen.items()}).T,
    }


def verdict(where: str, claim: str, holds: bool | None, because: str) -> dict[str, str]:
    """Print what becomes of a claim of the paper; a row of the table of claims.

    Args:
        where: it stands in the paper.
        claim: in words.
        holds: None where it cannot be decided with what is at hand.
        because: what the answer rests on.

    Returns:
        where, claim, verdict (one of `VERDICTS`) and because.
    """
    answer = VERDICTS[None if holds is None else bool(holds)]
    print(f"{claim}\n  {answer}: {because}")
    return {"where": where, "claim": claim, "verdict": answer, "because": because}
