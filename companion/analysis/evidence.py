"""What our runs say about the paper's claims on its networks: numbers, and words.

Each function that judges returns whether the claim holds on the runs at hand (None if
they don't tell) and the evidence. A stand-in's runs decide nothing about BP4D; that is
`companion.analysis.claims.row_of_ours`'s business.
"""

import numpy as np
import pandas as pd
from scipy import stats

from companion.analysis.effects import (
    average_seeds,
    model_differences,
    resample_runs,
    run_table,
    seed_spread,
)
from companion.analysis.printing import signed
from companion.analysis.rows import table_rows
from companion.analysis.runs import Run, read_grid, read_sums
from companion.base.grids import grid_models, load_grid
from companion.base.profiles import load_profile

Judgement = tuple[bool | None, str]
"""Whether the claim holds, and the evidence."""

REGRESSION = "pretrained-x1-drop50-shuffle"
"""The model of the grid `ablation` that shares all but the method with `classifier`."""

CLASSES, EXPECTATION = "classifier", "classifier, by expectation"


def gain_beyond_chance(gap: pd.Series) -> Judgement:
    """Is the proposed network's gain over the baseline clear of people and seeds?

    Args:
        gap: a line of `companion.analysis.rows.difference_table`.
    """
    low, seeds_low = float(gap["best low"]), float(gap["seeds low"])
    because = (
        f"best run less best run is {signed(gap['best'])} (95 % over people "
        f"{signed(low)} to {signed(gap['best high'])}), mean less mean "
        f"{signed(gap['seeds'])} (95 % over seeds {signed(seeds_low)} to "
        f"{signed(gap['seeds high'])})"
    )
    if np.isnan([low, seeds_low]).any():
        return None, because
    return bool(low > 0 and seeds_low > 0), because


def describe_chance(gap: pd.Series, bests: dict[str, np.ndarray], gain: float) -> str:
    """By how much two networks with the same true score differ by chance; Markdown.

    Args:
        gap: as in `gain_beyond_chance`.
        bests: the two models → the mean ICC of each run at its best epoch.
        gain: the paper's.
    """
    by_people = (gap["best high"] - gap["best low"]) / 2
    if min(len(scores) for scores in bests.values()) < 2:
        return "A single run of a network does not tell how much chance does."
    by_seed = np.hypot(*(scores.std(ddof=1) for scores in bests.values()))
    larger = [by_people > gain, by_seed > gain]
    verdict = {2: "Both are", 1: "One of them is", 0: "Neither is"}[sum(larger)]
    return (
        "By the people alone, the difference of two runs varies by about "
        f"±{by_people:.3f} (half of its 95 % interval). By the seed alone, it has a "
        f"standard deviation of {by_seed:.3f}. {verdict} larger than the paper's gain "
        f"of {gain:.3f}."
    )


def steadier_over_seeds(
    baseline: np.ndarray,
    proposed: np.ndarray,
    best: pd.DataFrame,
    five: pd.DataFrame,
) -> Judgement:
    """Is the proposed network more robust over trainings?

    It is if its variance over seeds is smaller by more than chance makes it in 95 % of
    cases (an F-test, one-sided); it is not if it is larger by as much.

    Args:
        baseline, proposed: float arrays, the mean ICC of each run at its best epoch.
        best: the mean at the best epoch of the best run; one row for each data set, a
            column for each of the two networks.
        five: the same of the mean over runs of the five best epochs.
    """
    said = "; ".join(
        f"{data}, {name}: {high:.3f} − {low:.3f} = {high - low:.3f}"
        for data in best.index
        for name, high, low in zip(
            best, best.loc[data].round(3), five.loc[data].round(3)
        )
    )
    because = f"best run less mean of the five best epochs: {said}"
    if min(len(baseline), len(proposed)) < 2:
        return None, because
    sd = baseline.std(ddof=1), proposed.std(ddof=1)
    because += f"; the standard deviations over seeds are {sd[0]:.3f} and {sd[1]:.3f}"
    if min(np.ptp(baseline), np.ptp(proposed)) == 0:
        return None, because
    ratio = (sd[0] / sd[1]) ** 2
    limit = stats.f.ppf(0.95, len(baseline) - 1, len(proposed) - 1)
    because += (
        f", a ratio of variances of {ratio:.1f}; with so few runs, chance alone gives "
        f"up to {limit:.0f} in 95 % of cases"
    )
    return (bool(ratio > 1) if max(ratio, 1 / ratio) > limit else None), because


def regression_runs(profile: str, source: str) -> dict[Run, np.ndarray]:
    """The sums of runs that differ in regression or classification alone.

    All start from the proposed network's weights and rate, and have a dropout of .5
    and every frame once an epoch.

    Args:
        profile, source: as in `companion.analysis.runs.read_runs`.

    Returns:
        (name, seed) → float64 (E, S, Q, 6), the names being `CLASSES`, `EXPECTATION`
        and "regression"; empty if one of them has no finished run.
    """
    models = grid_models(load_grid("table_2"), load_profile(profile))
    trained, _ = read_grid(profile, source, "table_2")
    trained = {run: table for run, table in trained.items() if run[0] == CLASSES}
    rows = table_rows(trained, models)
    try:
        ablation, _ = read_sums(profile, source, "ablation")
    except FileNotFoundError:  # this profile's ablation is not recorded
        ablation = {}
    sums = {
        ("regression", seed): own
        for (model, seed), own in ablation.items()
        if model == REGRESSION
    }
    if not (sums and rows):
        return {}
    for name, row in rows.items():
        sums |= {(name, seed): own for seed, own in row.sums.items()}
    return sums


def regression_table(sums: dict[Run, np.ndarray], count: int = 2_000) -> pd.DataFrame:
    """Regression less classification at the last epoch, means over the seeds.

    Args:
        sums: from `regression_runs`.
        count: the number of resamples of the people.

    Returns:
        `companion.analysis.effects.model_differences`, a row for the most probable
        level and one for the expectation; empty without runs.
    """
    pairs = {f"regression less {name}": ("regression", name) for name in _answers(sums)}
    if not pairs:
        return model_differences({}, {}, (np.nan, 0))
    scored = average_seeds(resample_runs(sums, count, seed=0), sums)
    return model_differences(pairs, scored, seed_spread(run_table(sums))[1])


def better_by_regression(
    sums: dict[Run, np.ndarray], differences: pd.DataFrame
) -> Judgement:
    """Does regression score higher than the same network as a classifier?

    It does, or does not, if the interval over people and seeds leaves out 0.

    Args:
        sums: from `regression_runs`.
        differences: its `regression_table`.
    """
    if differences.empty:
        return None, "no runs that differ in this alone"
    means = run_table(sums).groupby("model")[["last", "best"]].mean()
    each = ", ".join(
        f"{name} {means.loc[name, 'last']:.3f} ({means.loc[name, 'best']:.3f})"
        for name in ("regression", *_answers(sums))
    )
    row = differences.iloc[0]
    because = (
        "with the same start, rate, dropout and sampler, the mean ICC over the seeds "
        f"at the last (best) epoch is: {each}; {differences.index[0]} is "
        f"{signed(row['size'])}, 95 % interval over people {signed(row['low'])} to "
        f"{signed(row['high'])}"
    )
    if np.isnan(row["lower"]):
        return None, because
    because += f", with seeds {signed(row['lower'])} to {signed(row['upper'])}"
    clear = row["lower"] > 0 or row["upper"] < 0
    return (bool(row["lower"] > 0) if clear else None), because


def _answers(sums: dict[Run, np.ndarray]) -> list[str]:
    """The classifier's answers that have runs."""
    names = {name for name, _ in sums}
    return [name for name in (CLASSES, EXPECTATION) if name in names]
