"""What notebooks 04 and 05 share: runs, scores by epoch, aggregates, verdicts.

The paper is of two minds about how it sums up its runs: Section IV speaks of the mean
of the five best epochs of each run, Section V says that Table II is the best iteration
of three runs. So four aggregates stand side by side, see `aggregates`. Choosing an
epoch by its score on the evaluation frames is the paper's protocol; it flatters.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aulib import AU_NAMES, OUTPUT_NAMES
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
    if source not in ("recorded", "runs"):
        raise ValueError(f"source {source!r} is unknown: 'recorded' or 'runs'")
    recorded = ROOT / "data" / "recorded" / profile
    directory = (run_directory(profile) if source == "runs" else recorded) / "training"
    settings = load_profile(profile)
    runs = {}
    for model in models or settings["models"]:
        for seed in settings["seeds"]:
            path = directory / f"{model}_{seed}" / "outputs.parquet"
            if not path.is_file():
                raise FileNotFoundError(_advice(path, profile, source))
            runs[model, seed] = _read(path)
    return runs


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
