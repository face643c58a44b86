"""Scores of a run at each epoch, and their aggregates over runs.

The paper describes the numbers of Table II in two ways: Section IV names the mean of
the five best epochs of each run, Section V the best iteration of three runs. So there
are four aggregates side by side, see `aggregates`. The paper's protocol selects epochs
by their score on the evaluation frames, which makes scores too high.
"""

import numpy as np
import pandas as pd
import torch

from aulib import UNKNOWN
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from companion.analysis.bootstrap import subject_sums
from companion.bp4d import AU_NAMES
from companion.training.outputs import LEVEL_NAMES, OUTPUT_NAMES, mean_score

COLUMNS = [*AU_NAMES, "mean"]
BEST = 5  # "a média das cinco melhores épocas" (Section IV)
RECALLS = [f"recall {level}" for level in range(6)]
MEASURES = ["Pearson's r", "MAE", "within one level", *RECALLS]


def estimated_levels(outputs: pd.DataFrame, scale: float) -> np.ndarray:
    """The estimated intensity levels: int64 array (N, 5), 0..5.

    Eq. 3 of the outputs, unless the table has columns of levels.
    """
    if LEVEL_NAMES[0] in outputs:
        return outputs[list(LEVEL_NAMES)].to_numpy().astype(np.int64)
    values = torch.tensor(outputs[list(OUTPUT_NAMES)].to_numpy())
    return to_intensity(values, scale).numpy()


def epoch_scores(outputs: pd.DataFrame, scale: float) -> pd.DataFrame:
    """ICC(3,1) of the estimated levels at each epoch of a run.

    Args:
        outputs: from `companion.analysis.runs.read_runs`.
        scale: the factor of Eq. 3 and 4, from the profile.

    Returns:
        float table indexed by epoch, with the columns AU06 … AU17 and mean. An AU
        with fewer than two known frames has NaN; the mean is over the others.
    """
    scores = {}
    for epoch, rows in outputs.groupby("epoch"):
        truth = rows[list(AU_NAMES)].to_numpy()
        per_au = icc_per_au(truth, estimated_levels(rows, scale))
        scores[epoch] = [*per_au, mean_score(per_au)]
    table = pd.DataFrame.from_dict(scores, orient="index", columns=COLUMNS)
    return table.rename_axis("epoch")


def run_scores(
    runs: dict[tuple[str, int], pd.DataFrame], models: dict[str, dict]
) -> dict[str, dict[int, pd.DataFrame]]:
    """`epoch_scores` of several runs: model → seed → table.

    Args:
        runs: (model, seed) → outputs.
        models: the models' settings by name, for their scale.
    """
    scores: dict[str, dict[int, pd.DataFrame]] = {}
    for (model, seed), outputs in runs.items():
        table = epoch_scores(outputs, models[model]["scale"])
        scores.setdefault(model, {})[seed] = table
    return scores


def epoch_sums(outputs: pd.DataFrame, scale: float) -> np.ndarray:
    """`subject_sums` at each epoch of a run: float64 array (E, S, Q, 6).

    They give ICC(3,1) of any set of people at any epoch.
    """
    sums = []
    for _, rows in outputs.groupby("epoch"):
        truth, subjects = rows[list(AU_NAMES)].to_numpy(), rows["subject"].astype(str)
        levels = estimated_levels(rows, scale)
        sums.append(subject_sums(truth, levels, subjects.to_numpy()))
    return np.stack(sums)


def agreement_scores(
    intensities: np.ndarray, predictions: np.ndarray, values: np.ndarray
) -> dict[str, np.ndarray]:
    """ICC(3,1) of each AU and what it does not show.

    Args:
        intensities: int array (N, Q), the coders' levels, 0..5 or `UNKNOWN`; a frame
            with an unknown level is left out for that AU alone.
        predictions: int array (N, Q), the estimated levels 0..5.
        values: float array (N, Q), the estimates before rounding, in levels.

    Returns:
        Float arrays (Q,): "ICC(3,1)", "ICC(3,1), unrounded", "Pearson's r", "MAE" (mean
        absolute error, in levels), "within one level" (share of the frames), and
        "recall 0" … "recall 5" (share of a level's frames that are estimated to have
        this level; NaN if no frame has it). All are NaN for an AU with fewer than two
        known frames.
    """
    columns = []
    for truth, estimate in zip(intensities.T, predictions.T, strict=True):
        known = truth != UNKNOWN
        if known.sum() < 2:
            columns.append({})
            continue
        truth, estimate = truth[known], estimate[known]
        constant = len(set(truth)) < 2 or len(set(estimate)) < 2
        found = [estimate[truth == level] == level for level in range(6)]
        recalls = [hits.mean() if len(hits) else np.nan for hits in found]
        columns.append(
            {
                "Pearson's r": 0.0 if constant else np.corrcoef(truth, estimate)[0, 1],
                "MAE": np.abs(truth - estimate).mean(),
                "within one level": (np.abs(truth - estimate) <= 1).mean(),
                **dict(zip(RECALLS, recalls)),
            }
        )
    table = pd.DataFrame(columns, columns=MEASURES, dtype=float)
    return {
        "ICC(3,1)": icc_per_au(intensities, predictions),
        "ICC(3,1), unrounded": icc_per_au(intensities, values),
        **{name: table[name].to_numpy() for name in table},
    }


def best_epoch(scores: pd.DataFrame) -> int:
    """The first epoch with the highest mean ICC; the last one if no AU has a score."""
    means = scores["mean"]
    return int(means.idxmax() if means.notna().any() else means.index[-1])


def best_run(runs_scores: dict[int, pd.DataFrame]) -> int:
    """The first seed whose best epoch has the highest mean ICC.

    The first seed of all if no AU has a score.
    """
    return max(runs_scores, key=lambda seed: runs_scores[seed]["mean"].max())


def best_epochs(scores: dict[str, dict[int, pd.DataFrame]]) -> pd.DataFrame:
    """The best epoch of each run.

    Args:
        scores: model → seed → `epoch_scores` of that run.

    Returns:
        A table indexed by model and seed: epoch, AU06 … AU17, mean, and "last epoch",
        the mean at the last one.
    """
    rows = {}
    for model, runs in scores.items():
        for seed, table in runs.items():
            chosen, last = best_epoch(table), table["mean"].iloc[-1]
            rows[model, seed] = {"epoch": chosen, **table.loc[chosen]}
            rows[model, seed] |= {"last epoch": last}
    table = pd.DataFrame(rows).T.rename_axis(["model", "seed"])
    return table.astype({"epoch": int})


def levels_at_best(
    outputs: dict[int, pd.DataFrame], scale: float
) -> dict[int, np.ndarray]:
    """The estimated levels of each run at its own best epoch, the best run first.

    Args:
        outputs: seed → outputs of a run of one model.
        scale: of Eq. 3.

    Returns:
        Seed → int array (N, Q), the frames in one order.
    """
    scores = {seed: epoch_scores(table, scale) for seed, table in outputs.items()}
    first = best_run(scores)
    levels = {}
    for seed in [first, *(other for other in outputs if other != first)]:
        table = outputs[seed]
        table = table[table["epoch"] == best_epoch(scores[seed])]
        levels[seed] = estimated_levels(table, scale)
    return levels


def aggregates(runs_scores: dict[int, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Four ways to sum up several runs of one model.

    The mean ICC selects an epoch for all AUs together, never for each AU on its own.

    Args:
        runs_scores: seed → `epoch_scores` of that run.

    Returns:
        "score" and "spread", two float tables with one row for each aggregate and the
        columns AU06 … AU17 and mean. The spread is the standard deviation over runs
        (divisor n − 1). It is NaN for a single run, so always for the best run.
    """

    def best(scores: pd.DataFrame, count: int) -> pd.Series:
        ranked = scores.sort_values("mean", ascending=False, kind="stable")
        return ranked.head(count).mean()

    runs = runs_scores.items()
    each = pd.DataFrame({seed: best(scores, 1) for seed, scores in runs})
    selected = {
        "best epoch of the best run": each[[best_run(runs_scores)]],
        "best epoch, mean over runs": each,
        "five best epochs, mean over runs": pd.DataFrame(
            {seed: best(scores, BEST) for seed, scores in runs}
        ),
        "last epoch, mean over runs": pd.DataFrame(
            {seed: scores.iloc[-1] for seed, scores in runs}
        ),
    }
    return {
        "score": pd.DataFrame({k: v.mean(axis=1) for k, v in selected.items()}).T,
        "spread": pd.DataFrame({k: v.std(axis=1) for k, v in selected.items()}).T,
    }
