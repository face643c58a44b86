"""Effects of changes that were made in all combinations: a factorial design.

The main effect of a change is the mean difference between models that differ in this
change alone, over all combinations of the other changes. It is uncertain for two
reasons: other people could have been evaluated (so each model has scores of resamples,
see `companion.analysis.bootstrap`), and other seeds could have been used. If single
runs have the standard deviation s over seeds, a mean of n differences between runs has
the standard error s · √(2/n). The interaction of two changes is how much the effect of
one differs between two levels of the other.
"""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from companion.analysis.bootstrap import (
    icc_from_sums,
    percentile_interval,
    resampled_icc,
    resamples,
)
from companion.analysis.runs import Run
from companion.bp4d import AU_NAMES
from companion.training.outputs import mean_score

STALLED = 0.05
"""A run whose mean ICC at the last epoch is not at least this has stalled."""

INTERVALS = ["size", "low", "high", "seeds ±", "lower", "upper"]
EFFECT_COLUMNS = ["effect", "instead of", "AU", *INTERVALS, "pairs"]
INTERACTION_COLUMNS = [
    *("effect", "with", "instead of", "size with", "size without"),
    *(*INTERVALS, "pairs"),
]

Levels = dict[str, dict[str, str]]
"""Model → change → level; see `companion.base.grids.levels_of_models`."""

Titles = dict[str, dict[str, str]]
"""Change → level → title, levels in order; see `companion.base.grids.level_titles`."""

Spread = tuple[float, float]
"""The standard deviation over seeds of a model's score, and its degrees of freedom."""


# -- runs and models


def run_table(sums: dict[Run, np.ndarray]) -> pd.DataFrame:
    """The mean ICC of each run.

    Args:
        sums: (model, seed) → float64 (E, S, Q, 6), from
            `companion.analysis.runs.read_sums`.

    Returns:
        One row for each run, in order, with the columns model, seed, last (the mean ICC
        at the last epoch), best (at the best one), stalled (see `STALLED`), and AU06 …
        AU17 (the ICC of each AU at the last epoch).
    """
    rows = []
    for (model, seed), run in sums.items():
        scores = icc_from_sums(run.sum(axis=1))
        means = mean_score(scores)
        own = (model, seed, means[-1], means.max(), not means[-1] >= STALLED)
        rows.append((*own, *scores[-1]))
    columns = ["model", "seed", "last", "best", "stalled", *AU_NAMES]
    return pd.DataFrame(rows, columns=columns)


def model_table(runs: pd.DataFrame, levels_of: Levels, titles: Titles) -> pd.DataFrame:
    """The models of the design: their levels, and their mean over seeds.

    Args:
        runs: from `run_table`.
        levels_of: the models of the design.
        titles: of their levels.

    Returns:
        One row for each model, by name; columns: each change, which holds titles, "last
        epoch" and "best epoch", the means over all runs (NaN without any), "weakest AU"
        and "its ICC", by the mean at the last epoch ("" and NaN without any), and the
        numbers of runs and of stalled runs.
    """
    rows = {}
    for name, levels in levels_of.items():
        own = runs[runs["model"] == name]
        rows[name] = {change: titles[change][level] for change, level in levels.items()}
        rows[name] |= {
            "last epoch": own["last"].mean(),
            "best epoch": own["best"].mean(),
        }
        of_aus = own[list(AU_NAMES)].mean().dropna()
        rows[name]["weakest AU"] = "" if of_aus.empty else of_aus.idxmin()
        rows[name]["its ICC"] = of_aus.min()
        rows[name] |= {"runs": len(own), "stalled": int(own["stalled"].sum())}
    scores = ["last epoch", "best epoch", "weakest AU", "its ICC"]
    columns = [*titles, *scores, "runs", "stalled"]
    return pd.DataFrame(rows, index=columns).T.infer_objects()


def stalled_table(
    runs: pd.DataFrame, levels_of: Levels, titles: Titles
) -> pd.DataFrame:
    """How many runs have each level, and how many of them have stalled.

    Arguments as in `model_table`. Returns one row for each level, by change and title,
    with the integer columns runs and stalled.
    """
    rows = {}
    for change, levels in titles.items():
        for level, title in levels.items():
            models = [name for name, of in levels_of.items() if of[change] == level]
            own = runs[runs["model"].isin(models)]
            rows[change, title] = {"runs": len(own), "stalled": own["stalled"].sum()}
    table = pd.DataFrame(rows, index=["runs", "stalled"]).T.astype(int)
    return table.rename_axis(["change", "level"])


def resample_runs(
    sums: dict[Run, np.ndarray], count: int, seed: int
) -> dict[Run, np.ndarray]:
    """The ICC of each run at its last epoch, of all people and of resampled ones.

    Args:
        sums: as in `run_table`, at least one run, all with the same people.
        count: the number of resamples; each draws the same people for all runs.
        seed: of the draws.

    Returns:
        (model, seed) → float64 (1 + count, Q), all people first.
    """
    people = next(iter(sums.values())).shape[1]
    everybody = np.ones((1, people), dtype=np.int64)
    drawn = np.concatenate([everybody, resamples(people, count, seed)])
    return {run: resampled_icc(epochs[-1], drawn) for run, epochs in sums.items()}


def average_seeds(
    resampled: dict[Run, np.ndarray], kept: Iterable[Run]
) -> dict[str, np.ndarray]:
    """The mean over the seeds of each model, of the runs that are kept.

    Args:
        resampled: from `resample_runs`.
        kept: some of its runs.

    Returns:
        Model → float64 (1 + R, Q); a model without a kept run is left out.
    """
    runs_of: dict[str, list[np.ndarray]] = {}
    for run in sorted(kept):
        runs_of.setdefault(run[0], []).append(resampled[run])
    return {model: np.mean(runs, axis=0) for model, runs in runs_of.items()}


def seed_spread(runs: pd.DataFrame) -> tuple[float, Spread, int]:
    """How much a score varies over seeds.

    Models can have different numbers of runs, since stalled runs are left out. The
    spread of a model's mean is that of the models with the fewest runs: too large for
    the others rather than too small.

    Args:
        runs: from `run_table`, those that count.

    Returns:
        The standard deviation between single runs of one model at the last epoch,
        pooled over the models; the spread of a model's mean over seeds; and the fewest
        runs that such a mean is of (1 if there is no model).
    """
    by_model = {name: list(own["last"]) for name, own in runs.groupby("model")}
    sd, freedom = pooled_sd(by_model)
    fewest = min(map(len, by_model.values()), default=1)
    return sd, (sd / np.sqrt(fewest), freedom), fewest


def welch_spread(one: Sequence[float], other: Sequence[float]) -> Spread:
    """The spread over seeds of two models that may vary differently, by Welch.

    `margin_of_error` of it is half of Welch's interval of the difference of the means.

    Args:
        one, other: the scores of each model's runs, one for each seed.

    Returns:
        The root of the mean of the two squared standard errors, and Welch's degrees of
        freedom: NaN and 0 if one of the two has a single run or neither varies.
    """
    if min(len(one), len(other)) < 2 or np.ptp(one) == np.ptp(other) == 0:
        return np.nan, 0
    errors = np.array([np.var(own, ddof=1) / len(own) for own in (one, other)])
    freedom = errors.sum() ** 2 / sum(errors**2 / [len(one) - 1, len(other) - 1])
    return float(np.sqrt(errors.mean())), float(freedom)


def pooled_sd(runs: dict[str, list[float]]) -> Spread:
    """The standard deviation between runs of one model, pooled over models.

    Args:
        runs: model → the score of each seed.

    Returns:
        The standard deviation and its degrees of freedom; NaN and 0 if no model has
        two runs.
    """
    freedom = sum(len(scores) - 1 for scores in runs.values())
    squares = sum(np.var(scores) * len(scores) for scores in runs.values())
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)


def margin_of_error(sd: float, freedom: float, count: float) -> float:
    """Half the 95 % interval, over seeds, of a mean of `count` differences.

    `sd` is the standard deviation over seeds of what is subtracted, `freedom` its
    degrees of freedom; without any, the margin is NaN.
    """
    return stats.t.ppf(0.975, freedom) * sd * np.sqrt(2 / count) if freedom else np.nan


def sums_digest(sums: dict[Run, np.ndarray]) -> str:
    """A checksum of all runs and their sums: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for (model, seed), array in sorted(sums.items()):
        digest.update(f"{model} {seed}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


# -- effects


def pairs_of(
    levels_of: Levels,
    scored: Iterable[str],
    change: str,
    low: str,
    high: str,
    within: dict[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Pairs of models that differ only in having `low` or `high`, in this order.

    Args:
        levels_of: the models of the design.
        scored: the names of models; a pair is left out if one of its two is not there.
        change: the name of the change; low, high: two of its levels.
        within: other changes → the level that both models must have.
    """
    named = {tuple(levels.values()): name for name, levels in levels_of.items()}
    wanted = {**(within or {}), change: low}.items()
    pairs = [
        (name, named[tuple({**levels, change: high}.values())])
        for name, levels in levels_of.items()
        if wanted <= levels.items()
    ]
    return [pair for pair in pairs if set(pair) <= set(scored)]


def differences(
    levels_of: Levels,
    scored: dict[str, np.ndarray],
    change: str,
    low: str,
    high: str,
    within: dict[str, str] | None = None,
) -> list[np.ndarray]:
    """Scores at level `high` minus scores at `low`, of models that differ only in this.

    Args:
        scored: model → scores, arrays of one shape.
        levels_of, change, low, high, within: as in `pairs_of`.
    """
    pairs = pairs_of(levels_of, scored, change, low, high, within)
    return [scored[other] - scored[name] for name, other in pairs]


def join_sizes(effects: pd.DataFrame, others: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add the sizes of the same effects in a second table of `main_effects`.

    Args:
        effects, others: two such tables; `others` may lack rows, which get NaN.
        name: of the new column.
    """
    sizes = others.set_index(["effect", "AU"])["size"].rename(name)
    return effects.join(sizes, on=["effect", "AU"])


def main_effects(
    levels_of: Levels,
    titles: Titles,
    scored: dict[str, np.ndarray],
    spread: Spread,
) -> pd.DataFrame:
    """The effect of each level of each change against the change's first level.

    Args:
        levels_of: the models of the design.
        titles: of its levels, by change.
        scored: model → ICC (1 + R, Q), of all people and then of R resamples, averaged
            over the model's runs. Models can have different numbers of runs, since
            stalled ones are left out; a model without scores is in no pair.
        spread: of such an average over seeds, one for all models, see `seed_spread`.

    Returns:
        One row for each effect and AU, and one for the mean over AUs: effect and
        instead of (titles of the level and of the first one), AU, size, low and high
        (95 % over people), "seeds ±", lower and upper (people and seeds, added as
        squares), and pairs (their number). "seeds ±", lower and upper are NaN but for
        the mean. A level without a pair has no row.
    """
    parts = []
    for title, first, contrast in contrasts(titles):
        pairs = differences(levels_of, scored, *contrast)
        if not pairs:
            continue
        effect = with_mean(pairs)
        seeds = np.full(effect.shape[1], np.nan)
        seeds[-1] = margin_of_error(*spread, len(pairs))
        part = {"effect": title, "instead of": first, "AU": [*AU_NAMES, "mean"]}
        part |= {"pairs": len(pairs)} | intervals(effect, seeds)
        parts.append(pd.DataFrame(part))
    return stacked(parts, EFFECT_COLUMNS)


def interactions(
    levels_of: Levels,
    titles: Titles,
    scored: dict[str, np.ndarray],
    spread: Spread,
) -> pd.DataFrame:
    """How much the effect of one change on the mean ICC depends on another change.

    Arguments as in `main_effects`.

    Returns:
        One row for each two levels of different changes: effect (the level whose effect
        it is), with and instead of (the other change's level, and its first one), "size
        with" and "size without" (the effect within each of these), size (their
        difference, the interaction; the same if the two changes trade places), the
        intervals of size as in `main_effects`, and pairs (the fewer of the two). Two
        levels without a pair have no row.
    """
    parts = []
    for (title, _, contrast), (other, without, (change, low, high)) in combinations(
        contrasts(titles), 2
    ):
        if contrast[0] == change:
            continue
        at_low, at_high = (
            differences(levels_of, scored, *contrast, within={change: level})
            for level in (low, high)
        )
        pairs = min(len(at_low), len(at_high))
        if pairs:
            here, there = (with_mean(of)[:, -1:] for of in (at_low, at_high))
            # two means of so many differences between runs, each with its own error
            seeds = np.array([margin_of_error(*spread, pairs / 2)])
            part = {"effect": title, "with": other, "instead of": without}
            part |= {"size with": there[0], "size without": here[0], "pairs": pairs}
            parts.append(pd.DataFrame(part | intervals(there - here, seeds)))
    return stacked(parts, INTERACTION_COLUMNS)


def model_differences(
    pairs: dict[str, tuple[str, str]],
    scored: dict[str, np.ndarray],
    spread: Spread,
) -> pd.DataFrame:
    """Single differences between two models, on the same people.

    Args:
        pairs: name of the row → the model and the one that is subtracted. A pair is
            left out if one of the two has no scores.
        scored, spread: as in `main_effects`.

    Returns:
        Float columns AU06 … AU17 (differences), and of their mean size, low, high,
        "seeds ±", lower and upper as in `main_effects`.
    """
    rows = {}
    for name, models in pairs.items():
        if set(models) <= set(scored):
            gap = with_mean([scored[models[0]] - scored[models[1]]])
            seeds = np.array([margin_of_error(*spread, 1)])
            of_mean = intervals(gap[:, -1:], seeds)
            rows[name] = dict(zip(AU_NAMES, gap[0])) | {
                key: values[0] for key, values in of_mean.items()
            }
    return pd.DataFrame(rows, index=[*AU_NAMES, *INTERVALS], dtype=float).T


def contrasts(titles: Titles) -> list[tuple[str, str, tuple[str, str, str]]]:
    """For each effect: the titles of its level and of the first one, and the contrast.

    The contrast is the change, its first level and its other level.
    """
    return [
        (levels[other], levels[first], (change, first, other))
        for change, levels in titles.items()
        for first, *others in [list(levels)]
        for other in others
    ]


def stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Some columns of tables of effects, one below the other; no row if there are none.

    Columns of names are of type str in a table without a row, too.
    """
    if tables:
        return pd.concat(tables, ignore_index=True)[columns]
    names = {"effect", "instead of", "AU", "with", "and", "within"} & set(columns)
    return pd.DataFrame(columns=columns, dtype=float).astype(dict.fromkeys(names, str))


def with_mean(pairs: list[np.ndarray]) -> np.ndarray:
    """The mean of arrays (1 + R, Q), with `mean_score` as a further column."""
    effect = np.mean(pairs, axis=0)
    return np.column_stack([effect, mean_score(effect)])


def intervals(effect: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
    """Sizes (1 + R, n), all people first, and margins (n,) as columns `INTERVALS`."""
    size, (low, high) = effect[0], percentile_interval(effect[1:])
    return {
        "size": size,
        "low": low,
        "high": high,
        "seeds ±": seeds,
        "lower": size - np.hypot(size - low, seeds),
        "upper": size + np.hypot(high - size, seeds),
    }
