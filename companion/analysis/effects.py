"""Effects of changes that were made in all combinations: a factorial design.

The main effect of a change is the mean difference between models that differ in this
change alone, over all combinations of the other changes. It is uncertain for two
reasons: other people could have been evaluated (so each model has scores of resamples,
see `companion.analysis.bootstrap`), and other seeds could have been used. If single
runs have the standard deviation s over seeds, a mean of n differences between runs has
the standard error s · √(2/n). The interaction of two changes is how much the effect of
one differs between two levels of the other.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from companion.analysis.bootstrap import percentile_interval
from companion.bp4d import AU_NAMES
from companion.training.outputs import mean_score

INTERVALS = ["size", "low", "high", "seeds ±", "lower", "upper"]
EFFECT_COLUMNS = ["effect", "AU", *INTERVALS, "pairs"]
INTERACTION_COLUMNS = ["effect", "with", *INTERVALS, "pairs"]

Levels = dict[str, dict[str, str]]
"""Model → change → level; see `companion.base.grids.levels_of_models`."""


def differences(
    levels_of: Levels,
    scored: dict[str, np.ndarray],
    change: str,
    low: str,
    high: str,
    within: tuple[str, str] | None = None,
) -> list[np.ndarray]:
    """Scores at level `high` minus scores at `low`, of models that differ only in this.

    Args:
        levels_of: the models of the design.
        scored: model → scores, arrays of one shape. A pair is left out if one of its
            models has no scores.
        change: the name of the change; low, high: two of its levels.
        within: another change and the level of it that both models must have.
    """
    named = {tuple(levels.values()): name for name, levels in levels_of.items()}
    pairs = []
    for name, levels in levels_of.items():
        if levels[change] != low or (within and levels[within[0]] != within[1]):
            continue
        other = named[tuple({**levels, change: high}.values())]
        if {name, other} <= set(scored):
            pairs.append(scored[other] - scored[name])
    return pairs


def pooled_sd(runs: dict[str, list[float]]) -> tuple[float, int]:
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


def margin_of_error(sd: float, freedom: int, count: float) -> float:
    """Half the 95 % interval, over seeds, of a mean of `count` differences.

    `sd` is the standard deviation between single runs, `freedom` its degrees of
    freedom; without any, the margin is NaN.
    """
    return stats.t.ppf(0.975, freedom) * sd * np.sqrt(2 / count) if freedom else np.nan


def main_effects(
    levels_of: Levels,
    changes: dict,
    scored: dict[str, np.ndarray],
    spread: tuple[float, int],
) -> pd.DataFrame:
    """The effect of each level of each change against the change's first level.

    Args:
        levels_of: the models of the design.
        changes: change → its levels.
        scored: model → ICC (1 + R, Q), of all people and then of R resamples, averaged
            over the grid's seeds (as many for each model).
        spread: standard deviation of such an average over seeds, and its degrees of
            freedom, see `pooled_sd`.

    Returns:
        One row for each effect and AU, and one for the mean over AUs: effect, AU, size,
        low and high (95 % over people), "seeds ±", lower and upper (people and seeds,
        added as squares), and pairs (their number). A change without a pair has no row.
    """
    parts = []
    for name, contrast in _contrasts(changes):
        pairs = differences(levels_of, scored, *contrast)
        if not pairs:
            continue
        effect = _with_mean(pairs)
        seeds = np.full(effect.shape[1], np.nan)
        seeds[-1] = margin_of_error(*spread, len(pairs))
        part = {"effect": name, "AU": [*AU_NAMES, "mean"], "pairs": len(pairs)}
        parts.append(pd.DataFrame(part | _intervals(effect, seeds)))
    if not parts:
        return pd.DataFrame(columns=EFFECT_COLUMNS, dtype=float)
    return pd.concat(parts, ignore_index=True)[EFFECT_COLUMNS]


def interactions(
    levels_of: Levels,
    changes: dict,
    scored: dict[str, np.ndarray],
    spread: tuple[float, int],
) -> pd.DataFrame:
    """How much the effect of one change on the mean ICC depends on another change.

    Arguments as in `main_effects`.

    Returns:
        One row for each two effects of different changes: effect, with, size (the
        effect within the level that "with" names first, less that within the other;
        the same if the two change places), the intervals as in `main_effects`, and
        pairs (the fewer of the two). Two effects without a pair have no row.
    """
    parts = []
    for (name, contrast), (other, (change, low, high)) in combinations(
        _contrasts(changes), 2
    ):
        if contrast[0] == change:
            continue
        at_low, at_high = (
            differences(levels_of, scored, *contrast, within=(change, level))
            for level in (low, high)
        )
        pairs = min(len(at_low), len(at_high))
        if pairs:
            gap = _with_mean(at_high)[:, -1:] - _with_mean(at_low)[:, -1:]
            # two means of so many differences between runs, each with its own error
            seeds = np.array([margin_of_error(*spread, pairs / 2)])
            part = {"effect": name, "with": other, "pairs": pairs}
            parts.append(pd.DataFrame(part | _intervals(gap, seeds)))
    if not parts:
        return pd.DataFrame(columns=INTERACTION_COLUMNS, dtype=float)
    return pd.concat(parts, ignore_index=True)[INTERACTION_COLUMNS]


def simple_effects(
    levels_of: Levels,
    changes: dict,
    scored: dict[str, np.ndarray],
    spread: tuple[float, int],
) -> pd.DataFrame:
    """The effect of each change on the mean ICC, within each level of every other.

    Arguments as in `main_effects`.

    Returns:
        One row for each effect and one column for each level of another change, NaN if
        it has no pair; and "seeds ±", for the difference between two numbers of a row.
    """
    table = {}
    for name, contrast in _contrasts(changes):
        row, counts = {}, []
        for other, levels in changes.items():
            for level in levels if other != contrast[0] else ():
                pairs = differences(levels_of, scored, *contrast, within=(other, level))
                counts.append(len(pairs))
                means = [mean_score(pair[0]) for pair in pairs]
                row[f"{other}: {level}"] = np.mean(means) if means else np.nan
        fewest = min((count for count in counts if count), default=np.nan)
        row["seeds ±"] = margin_of_error(*spread, fewest / 2)
        table[name] = row
    if not table:
        return pd.DataFrame(columns=["seeds ±"], dtype=float)
    return pd.DataFrame(table).T


def _contrasts(changes: dict) -> list[tuple[str, tuple[str, str, str]]]:
    """The name of each effect, and its change, first level and other level."""
    return [
        (f"{change}: {other}, not {first}", (change, first, other))
        for change, (first, *others) in changes.items()
        for other in others
    ]


def _with_mean(pairs: list[np.ndarray]) -> np.ndarray:
    """The mean of arrays (1 + R, Q), with `mean_score` as a further column."""
    effect = np.mean(pairs, axis=0)
    return np.column_stack([effect, mean_score(effect)])


def _intervals(effect: np.ndarray, seeds: np.ndarray) -> dict[str, np.ndarray]:
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
