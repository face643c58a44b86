"""What notebooks 04 and 05 share: recorded runs, scores by epoch, four aggregates.

The paper is of two minds about how it sums up its runs: Section IV speaks of the mean
of the five best epochs of each run, Section V says that Table II is the best iteration
of three runs. So four aggregates stand side by side, see `aggregates`. Choosing an
epoch by its score on the evaluation frames is the paper's protocol; it flatters.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aulib import AU_NAMES
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.notebook import ROOT, load_profile, run_directory
from aulib.training import OUTPUT_NAMES

COLUMNS = [*AU_NAMES, "mean"]
BEST = 5  # "a média das cinco melhores épocas" (Section IV)


def read_runs(profile: str, source: str) -> dict[tuple[str, int], pd.DataFrame]:
    """The outputs of all runs of a profile.

    Args:
        profile: its name.
        source: "recorded" (`data/recorded`, in git) or "runs" (what you have trained).

    Returns:
        (model, seed) → outputs.parquet as a table: one row an epoch and evaluation
        frame, with columns epoch, subject, task, frame, the coders' AU06 … AU17 (0..5
        or 9) and the unrounded output_AU06 … output_AU17.

    Raises:
        ValueError: `source` is neither of the two.
        FileNotFoundError: a run of the profile's models and seeds is missing.
    """
    if source not in ("recorded", "runs"):
        raise ValueError(f"source {source!r} is unknown: 'recorded' or 'runs'")
    recorded = ROOT / "data" / "recorded" / profile
    directory = (run_directory(profile) if source == "runs" else recorded) / "training"
    settings = load_profile(profile)
    runs = {}
    for model in settings["models"]:
        for seed in settings["seeds"]:
            path = directory / f"{model}_{seed}" / "outputs.parquet"
            if not path.is_file():
                raise FileNotFoundError(_advice(path, profile, source))
            runs[model, seed] = pd.read_parquet(path)
    return runs


def _advice(path: Path, profile: str, source: str) -> str:
    other = f"`make PROFILE={profile}` trains it"
    if source == "recorded":
        other = f"no such run is recorded; source = 'runs' reads your own, {other}"
    return f"{path}: no such run; {other}"


def levels(outputs: pd.DataFrame, scale: float) -> np.ndarray:
    """Eq. 3 of a table of outputs: int64 array (N, 5) of levels 0..5."""
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


def best_epoch(scores: pd.DataFrame) -> int:
    """The epoch with the best mean ICC, the first of equals."""
    return int(scores["mean"].idxmax())


def best_run(runs_scores: dict[int, pd.DataFrame]) -> int:
    """The seed whose best epoch is the best of all, the first of equals."""
    return max(runs_scores, key=lambda seed: runs_scores[seed]["mean"].max())


def aggregates(runs_scores: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Four ways to sum up several runs of one model.

    Per AU the scores are those of the epochs chosen by the mean, never the best of
    each AU by itself.

    Args:
        runs_scores: seed → `epoch_scores` of that run.

    Returns:
        float table, one row for each aggregate, columns AU06 … AU17, mean and spread:
        the standard deviation over runs (divisor n − 1) of the mean, NaN for one run.
    """
    best = [scores.loc[best_epoch(scores)] for scores in runs_scores.values()]
    ordered = [
        scores.sort_values("mean", ascending=False, kind="stable").head(BEST).mean()
        for scores in runs_scores.values()
    ]
    last = [scores.iloc[-1] for scores in runs_scores.values()]
    rows = {
        "best epoch of the best run": max(best, key=lambda row: row["mean"]),
        "best epoch, mean over runs": pd.DataFrame(best).mean(),
        "five best epochs, mean over runs": pd.DataFrame(ordered).mean(),
        "last epoch, mean over runs": pd.DataFrame(last).mean(),
    }
    table = pd.DataFrame(rows).T[COLUMNS]
    table["spread"] = [
        pd.DataFrame(chosen)["mean"].std() for chosen in (best, best, ordered, last)
    ]
    table.iloc[0, -1] = np.nan  # one run has no spread
    return table
