"""The rows of Table II: the runs of each model summed up, compared and measured.

Every table here holds numbers; `companion.analysis.printing` makes text of them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from companion.analysis import bootstrap
from companion.analysis.runs import Run
from companion.analysis.scores import agreement_scores, epoch_sums, estimated_levels
from companion.bp4d import AU_NAMES
from companion.training.outputs import LEVEL_NAMES, OUTPUT_NAMES, mean_score

AUS = list(AU_NAMES)


@dataclass(frozen=True)
class Row:
    """The runs of one row of the table."""

    model: str
    """Its name in the profile or the grid; two rows can share one."""
    scale: float
    """Of Eq. 3."""
    outputs: dict[int, pd.DataFrame]
    """Seed → outputs of a run, from `companion.analysis.runs`."""
    sums: dict[int, np.ndarray]
    """Seed → float64 (E, S, Q, 6), from `companion.analysis.scores.epoch_sums`."""
    means: dict[int, np.ndarray]
    """Seed → float64 (E,), the mean ICC(3,1) of each epoch."""

    @property
    def best_seed(self) -> int:
        """The first seed whose best epoch has the highest mean ICC."""
        return max(self.means, key=lambda seed: self.means[seed].max())

    @property
    def best_epoch(self) -> int:
        """The first epoch, from 1, with the highest mean ICC of the best run.

        The last one if no AU has a score.
        """
        means = self.means[self.best_seed]
        return len(means) if np.isnan(means).all() else 1 + int(means.argmax())

    @property
    def best_sums(self) -> np.ndarray:
        """`subject_sums` at the best epoch of the best run: float64 (S, Q, 6)."""
        return self.sums[self.best_seed][self.best_epoch - 1]

    @property
    def best_frames(self) -> pd.DataFrame:
        """The outputs at the best epoch of the best run."""
        table = self.outputs[self.best_seed]
        return table[table["epoch"] == self.best_epoch].reset_index(drop=True)


def table_rows(
    runs: dict[Run, pd.DataFrame], models: dict[str, dict]
) -> dict[str, Row]:
    """The rows by name, in the order of the runs.

    A model whose levels are not Eq. 3 of its outputs has a second row, "<model>, by
    expectation": its outputs, which are expected levels, rounded.

    Args:
        runs: (model, seed) → outputs.
        models: the models' settings by name, for their scale.
    """
    outputs: dict[str, dict[int, pd.DataFrame]] = {}
    for (model, seed), table in runs.items():
        outputs.setdefault(model, {})[seed] = table
        if LEVEL_NAMES[0] in table:
            rounded = table.drop(columns=list(LEVEL_NAMES))
            outputs.setdefault(f"{model}, by expectation", {})[seed] = rounded
    rows = {}
    for name, tables in outputs.items():
        model = name.split(",")[0]
        scale = models[model].get("scale", 1.0)
        sums = {seed: epoch_sums(table, scale) for seed, table in tables.items()}
        means = {
            seed: mean_score(bootstrap.icc_from_sums(run.sum(axis=1)))
            for seed, run in sums.items()
        }
        rows[name] = Row(model, scale, tables, sums, means)
    return rows


def score_table(rows: dict[str, Row], drawn: np.ndarray) -> pd.DataFrame:
    """Each row at the best epoch of its best run, and how much that varies.

    Args:
        rows: from `table_rows`.
        drawn: resampled people, (R, S), from `companion.analysis.bootstrap.resamples`.

    Returns:
        Float columns AU06 … AU17 and mean; low and high, the 95 % interval of the mean
        over people; seeds and sd, the mean and the standard deviation (divisor n − 1)
        of the best epochs over runs; last, the mean of the last epochs over runs; and
        the number of runs. The sd is NaN for a single run.
    """
    table = {}
    for name, row in rows.items():
        scores = bootstrap.icc_from_sums(row.best_sums.sum(axis=0))
        resampled = mean_score(bootstrap.resampled_icc(row.best_sums, drawn))
        low, high = bootstrap.percentile_interval(resampled)
        best = np.array([run.max() for run in row.means.values()])
        table[name] = dict(zip(AUS, scores)) | {
            "mean": mean_score(scores),
            "low": low,
            "high": high,
            "seeds": best.mean(),
            "sd": best.std(ddof=1) if len(best) > 1 else np.nan,
            "last": np.mean([run[-1] for run in row.means.values()]),
            "runs": len(best),
        }
    return pd.DataFrame(table).T.astype({"runs": int})


def interval_table(rows: dict[str, Row], drawn: np.ndarray) -> pd.DataFrame:
    """ICC(3,1) of two rows and of their difference, with intervals over people.

    Args:
        rows: two of `table_rows`; the difference is the second less the first.
        drawn: as in `score_table`; the same people are drawn for both rows.

    Returns:
        One line for each of the two names and "difference" and each of AU06 … AU17 and
        mean: columns what, AU, "ICC(3,1)" at the best epoch of the best run, low, high.
    """
    score = {
        n: bootstrap.icc_from_sums(r.best_sums.sum(axis=0)) for n, r in rows.items()
    }
    many = {n: bootstrap.resampled_icc(r.best_sums, drawn) for n, r in rows.items()}
    first, second = rows
    for values in (score, many):
        values["difference"] = values[second] - values[first]
    lines = []
    for what in score:
        middle = np.append(score[what], mean_score(score[what]))
        spread = np.column_stack([many[what], mean_score(many[what])])
        interval = bootstrap.percentile_interval(spread)
        lines += zip([what] * 6, [*AUS, "mean"], middle, *interval)
    return pd.DataFrame(lines, columns=["what", "AU", "ICC(3,1)", "low", "high"])


def best_means(rows: dict[str, Row]) -> pd.DataFrame:
    """The mean ICC of the best epoch of each run: a line a row, columns "seed 42" …"""
    return pd.DataFrame(
        {
            name: {f"seed {seed}": run.max() for seed, run in row.means.items()}
            for name, row in rows.items()
        }
    ).T


def difference_table(
    rows: dict[str, Row], reference: str, drawn: np.ndarray
) -> pd.DataFrame:
    """Each row's mean ICC less that of the reference row, in two ways.

    Args:
        rows: from `table_rows`.
        reference: the name of the row that is subtracted.
        drawn: as in `score_table`; the same people are drawn for both rows.

    Returns:
        Float columns "best", the difference at the best epochs of the best runs, with
        "best low" and "best high", its 95 % interval over people; and "seeds", the
        difference of the means over runs of the best epochs, with "seeds low" and
        "seeds high", its 95 % interval by Welch's t. The last three are NaN where one
        of the two has a single run.
    """

    def best(row: Row) -> np.ndarray:
        return np.array([run.max() for run in row.means.values()])

    def resampled(row: Row) -> np.ndarray:
        return mean_score(bootstrap.resampled_icc(row.best_sums, drawn))

    theirs, theirs_drawn = best(rows[reference]), resampled(rows[reference])
    table = {}
    for name, row in rows.items():
        if name == reference:
            continue
        ours, gap = best(row), resampled(row) - theirs_drawn
        low, high = bootstrap.percentile_interval(gap)
        seeds, half = ours.mean() - theirs.mean(), np.nan
        if min(len(ours), len(theirs)) > 1:
            half = welch_half_width(ours, theirs)
        table[name] = {
            "best": ours.max() - theirs.max(),
            "best low": low,
            "best high": high,
            "seeds": seeds if half == half else np.nan,
            "seeds low": seeds - half,
            "seeds high": seeds + half,
        }
    return pd.DataFrame(table).T


def welch_half_width(first: np.ndarray, second: np.ndarray) -> float:
    """Half of Welch's 95 % interval of the difference of two means.

    0 if neither sample varies.
    """
    if np.ptp(first) == np.ptp(second) == 0:
        return 0.0
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    return float(interval.high - interval.low) / 2


def choosing_table(rows: dict[str, Row], splits: int, seed: int) -> pd.DataFrame:
    """What choosing the epoch on the evaluation frames adds to a row's mean ICC.

    Returns:
        Float columns "best less last", the mean over runs of best less last epoch; and
        "chance", the mean over runs of
        `companion.analysis.bootstrap.selection_optimism`.
    """
    table = {}
    for name, row in rows.items():
        falls = [run.max() - run[-1] for run in row.means.values()]
        gains = [
            bootstrap.selection_optimism(sums, splits, seed).mean()
            for sums in row.sums.values()
        ]
        table[name] = {"best less last": np.mean(falls), "chance": np.mean(gains)}
    return pd.DataFrame(table).T


def measure_table(rows: dict[str, Row]) -> pd.DataFrame:
    """Each row at the best epoch of its best run by other measures of agreement.

    Returns:
        The measures of `companion.analysis.scores.agreement_scores` as float columns,
        each the mean over the AUs.
    """
    table = {}
    for name, row in rows.items():
        frames = row.best_frames
        values = frames[list(OUTPUT_NAMES)].to_numpy().astype(float) / row.scale
        levels = estimated_levels(frames, row.scale)
        found = agreement_scores(frames[AUS].to_numpy().astype(int), levels, values)
        table[name] = {measure: mean_score(per_au) for measure, per_au in found.items()}
    return pd.DataFrame(table).T
