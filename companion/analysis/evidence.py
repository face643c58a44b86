"""What our runs say about the paper's claims on its networks: numbers, and words.

Each function that judges returns whether the claim holds on the runs at hand (None if
they don't tell), the reason, and how certain it is. One rule decides every comparison
of two networks: the claim holds if the 95 % interval of the difference over people and
seeds lies above 0, it does not hold if the interval lies below 0, and is undecided
otherwise. The spread over seeds is that of the two networks compared (Welch's). A
stand-in's runs decide nothing about BP4D; that is `companion.analysis.claims`'s
business.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from companion.analysis.bootstrap import (
    icc_from_sums,
    percentile_interval,
    resampled_icc,
    resamples,
)
from companion.analysis.effects import (
    average_seeds,
    model_differences,
    resample_runs,
    run_table,
    welch_spread,
)
from companion.analysis.printing import signed
from companion.analysis.rows import table_rows
from companion.analysis.runs import (
    Run,
    read_grid,
    read_sums,
    runs_origin,
    sums_origin,
)
from companion.base.grids import grid_models, load_grid
from companion.base.profiles import load_profile
from companion.base.provenance import join_origins
from companion.bp4d import AU_NAMES
from companion.training.outputs import mean_score

Judgement = tuple[bool | None, str, str]
"""Whether the claim holds, because, and the uncertainty."""

PARTNERS = {
    "targets × 1": "pretrained-x1-drop50-shuffle",
    "targets × 2": "pretrained-x2-drop50-shuffle",
}
"""The models of the grid `ablation` that share all but the method with `classifier`."""

CLASSES, EXPECTATION = "classifier", "classifier, by expectation"
"""Two answers of the same trainings."""


def pair_differences(
    sums: dict[Run, np.ndarray], pairs: dict[str, tuple[str, str]], count: int = 2_000
) -> pd.DataFrame:
    """Differences of models at the last epoch, means over the seeds.

    Args:
        sums: (model, seed) → float64 (E, S, Q, 6).
        pairs: name of the row → the model and the one that is subtracted.
        count: the number of resamples of the people.

    Returns:
        `companion.analysis.effects.model_differences`; empty without pairs.
    """
    if not pairs:
        return model_differences({}, {}, (np.nan, 0))
    scored = average_seeds(resample_runs(sums, count, seed=0), sums)
    last = run_table(sums).groupby("model")["last"]
    rows = [
        model_differences(
            {name: pair}, scored, welch_spread(*map(last.get_group, pair))
        )
        for name, pair in pairs.items()
    ]
    return pd.concat(rows)


def clear_of_chance(row: pd.Series) -> tuple[bool | None, str]:
    """Is a difference above 0, by the module's rule? And its intervals in words.

    Args:
        row: a line of `pair_differences`.
    """
    people = f"95 % over people {signed(row['low'])} to {signed(row['high'])}"
    if np.isnan(row["lower"]):
        return None, f"{people}; a single run of each says nothing about seeds"
    clear = row["lower"] > 0 or row["upper"] < 0
    return (
        bool(row["lower"] > 0) if clear else None,
        f"{people}; over people and seeds {signed(row['lower'])} to "
        f"{signed(row['upper'])}",
    )


def gain_beyond_chance(sums: dict[Run, np.ndarray]) -> Judgement:
    """Is the proposed network's gain over the baseline clear of people and seeds?

    Args:
        sums: of the runs of "baseline" and "proposed", as in `pair_differences`.
    """
    table = pair_differences(sums, {"gain": ("proposed", "baseline")})
    means = run_table(sums).groupby("model")["last"].mean()
    because = (
        f"mean ICC at the last epoch, over the seeds: {means['proposed']:.3f} less "
        f"{means['baseline']:.3f} is {signed(table.loc['gain', 'size'])}"
    )
    holds, uncertainty = clear_of_chance(table.loc["gain"])
    return holds, because, uncertainty


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
        "At the best epochs, as in Table II: the difference of the two best runs has a "
        f"95 % interval of about ±{by_people:.3f} over people. By the seed alone, the "
        f"difference of two runs has a standard deviation of {by_seed:.3f}. {verdict} "
        f"larger than the paper's gain of {gain:.3f}."
    )


def au_margins(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """By how much each AU's ICC differs between two runs by the choice of people alone.

    Args:
        one, other: sums of two runs on the same people, float64 (S, Q, 6).

    Returns:
        AU → half the 95 % interval over people of the difference.
    """
    drawn = resamples(len(one), 2_000, 0)
    gap = resampled_icc(one, drawn) - resampled_icc(other, drawn)
    low, high = percentile_interval(gap)
    return dict(zip(AU_NAMES, (high - low) / 2))


def by_people_alone(margins: dict[str, float], aus: list[str], title: str) -> str:
    """The margins of some AUs in words.

    Args:
        margins: from `au_margins`.
        aus: their names.
        title: of the data that the margins are from.
    """
    said = ", ".join(f"{au} by ±{margins[au]:.3f}" for au in aus)
    return f"on {title} the choice of people alone (95 %) moves {said}"


def steadier_over_seeds(
    baseline: np.ndarray,
    proposed: np.ndarray,
    best: pd.DataFrame,
    five: pd.DataFrame,
) -> Judgement:
    """Is the proposed network more robust over trainings?

    It is if its variance over seeds is smaller by more than chance makes it in 95 % of
    cases, it is not if it is larger by as much (an F-test, two-sided).

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
        return None, because, "a single run of each says nothing about seeds"
    sd = baseline.std(ddof=1), proposed.std(ddof=1)
    because += f"; the standard deviations over seeds are {sd[0]:.3f} and {sd[1]:.3f}"
    if min(np.ptp(baseline), np.ptp(proposed)) == 0:
        return None, because, "equal scores have no ratio of variances"
    ratio = (sd[0] / sd[1]) ** 2
    limit = stats.f.ppf(0.975, len(baseline) - 1, len(proposed) - 1)
    because += f", unrounded a ratio of variances of {ratio:.1f}"
    uncertainty = (
        f"with {len(baseline)} and {len(proposed)} runs, chance alone makes the larger "
        f"variance up to {limit:.0f} times the smaller in 95 % of cases (the F "
        "distribution)"
    )
    clear = max(ratio, 1 / ratio) > limit
    return (bool(ratio > 1) if clear else None), because, uncertainty


def seeded_sums(
    profile: str, source: str, others: dict[Run, np.ndarray]
) -> dict[Run, np.ndarray]:
    """The sums of the ablation's runs; the others if there is no ablation.

    Args:
        profile, source: as in `companion.analysis.runs.read_runs`.
        others: (model, seed) → float64 (E, S, Q, 6).
    """
    try:
        return read_sums(profile, source, "ablation")[0] or others
    except FileNotFoundError:  # this profile's ablation is not recorded
        return others


def claims_origin(profile: str, source: str, runs: Iterable[Run]) -> dict:
    """The origin of the verdicts, which rest on several sets of runs.

    Args:
        profile, source: as in `companion.analysis.runs.read_runs`.
        runs: (model, seed) of the two networks; the ablation's runs and the
            classifier's are added, where there are any.
    """
    trained, _ = read_grid(profile, source, "table_2")
    classifier = [run for run in trained if run[0] == CLASSES]
    origins = [runs_origin(profile, source, [*runs, *classifier])]
    try:
        origins.append(sums_origin(profile, source, "ablation"))
    except FileNotFoundError:  # this profile's ablation is not recorded
        pass
    return join_origins(origins)


def five_best_are_steadier(sums: dict[Run, np.ndarray]) -> Judgement:
    """Does the mean of a run's five best epochs vary less over seeds than its best one?

    Each model has a ratio of the two standard deviations; the claim is about their
    median, so that no single model makes it. The interval is that of ranks.

    Args:
        sums: (model, seed) → float64 (E, S, Q, 6).
    """
    scores = [(model, *_best_and_five(own)) for (model, _), own in sums.items()]
    table = pd.DataFrame(scores, columns=["model", "best", "five"])
    spread = table.groupby("model").std()
    spread = spread[(spread > 1e-9).all(axis=1)]
    if len(spread) < 6:
        return None, "too few models with several runs", "no interval from so few"
    ratio = spread["five"] / spread["best"]
    found = stats.quantile_test(ratio.to_numpy(), q=1, p=0.5)
    low, high = found.confidence_interval(0.95)
    because = (
        f"the standard deviation over seeds of the five best is {ratio.median():.2f} "
        f"times that of the best epoch, the median of {len(ratio)} models; it is "
        f"smaller for {(ratio < 1).sum()} of them"
    )
    holds = True if high < 1 else False if low > 1 else None
    return holds, because, f"95 % over models {low:.2f} to {high:.2f}"


def _best_and_five(sums: np.ndarray) -> tuple[float, float]:
    """A run's mean ICC at its best epoch and over its five best: (E, S, Q, 6)."""
    means = np.sort(mean_score(icc_from_sums(sums.sum(axis=1))))
    return float(means[-1]), float(means[-5:].mean())


def regression_runs(profile: str, source: str) -> dict[Run, np.ndarray]:
    """The sums of runs that differ in regression or classification alone.

    All start from the proposed network's weights and rate, and have a dropout of .5
    and every frame once an epoch.

    Args:
        profile, source: as in `companion.analysis.runs.read_runs`.

    Returns:
        (name, seed) → float64 (E, S, Q, 6), the names being `CLASSES`, `EXPECTATION`
        and those of `PARTNERS`; empty if one of them has no finished run.
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
        (name, seed): own
        for name, partner in PARTNERS.items()
        for (model, seed), own in ablation.items()
        if model == partner
    }
    if not (rows and {name for name, _ in sums} == {*PARTNERS}):
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
        As `pair_differences`, a row for each partner and answer; empty without runs.
    """
    pairs = {
        f"{partner}, less {answer}": (partner, answer)
        for answer in _answers(sums)
        for partner in PARTNERS
    }
    return pair_differences(sums, pairs, count)


def better_by_regression(
    sums: dict[Run, np.ndarray], differences: pd.DataFrame
) -> Judgement:
    """Does regression score higher than the same network as a classifier?

    A classifier has no factor on its targets, so both factors are its partners: the
    claim holds, or does not, if both of them say so. The classifier's answer is the
    most probable level.

    Args:
        sums: from `regression_runs`.
        differences: its `regression_table`.
    """
    if differences.empty:
        return None, "no runs differ in this alone", "no runs"
    means = run_table(sums).groupby("model")["last"].mean()
    each = "; ".join(
        f"{name} {means[name]:.3f}" for name in [*PARTNERS, *_answers(sums)]
    )
    because = (
        "with the same start, rate, dropout and sampler, the mean ICC over the seeds "
        f"at the last epoch is, of regression with {each}"
    )
    found, said = {}, []
    for partner in PARTNERS:
        row = differences.loc[f"{partner}, less {CLASSES}"]
        found[partner], interval = clear_of_chance(row)
        said.append(f"{partner}, less {CLASSES}: {signed(row['size'])} ({interval})")
    holds = found[partner] if len({*found.values()}) == 1 else None
    return holds, because, "; ".join(said)


def _answers(sums: dict[Run, np.ndarray]) -> list[str]:
    """The classifier's answers that have runs."""
    names = {name for name, _ in sums}
    return [name for name in (CLASSES, EXPECTATION) if name in names]
