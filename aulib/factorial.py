"""Effects of changes that have been made in all combinations: a factorial design.

The main effect of a change is the mean difference between models that differ in it
alone, over all combinations of the other changes. Two sources of chance come with it:
who was evaluated (`aulib.bootstrap`; the scores of a model come resampled), and the
seed. A mean of n differences of single runs with a standard deviation s has, for the
seeds, the standard error s · √(2/n).
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats

from aulib import AU_NAMES
from aulib.bootstrap import interval

Levels = dict[str, dict[str, str]]
"""Model → change → level; see `aulib.grid.levels_of_models`."""


def differences(
    levels_of: Levels,
    scored: dict[str, np.ndarray],
    change: str,
    low: str,
    high: str,
    without: Collection[str] = (),
    within: tuple[str, str] | None = None,
) -> list[np.ndarray]:
    """Scores at `high` less scores at `low` of models that differ in this alone.

    Args:
        levels_of: the models of the design.
        scored: model → scores, arrays of one shape. A pair of which one is not there is
            left out.
        change: which one; low, high: two of its levels.
        without: models whose pairs are left out.
        within: another change and its level, to which both models are held.
    """
    named = {tuple(levels.values()): name for name, levels in levels_of.items()}
    usable, gaps = set(scored) - set(without), []
    for name, levels in levels_of.items():
        if levels[change] != low or (within and levels[within[0]] != within[1]):
            continue
        other = named[tuple({**levels, change: high}.values())]
        if {name, other} <= usable:
            gaps.append(scored[other] - scored[name])
    return gaps


def spread_over_seeds(runs: dict[str, list[float]]) -> tuple[float, int]:
    """The standard deviation between runs of one model, pooled, and its freedom.

    Args:
        runs: model → the score of each seed.

    Returns:
        NaN and 0 where no model has two.
    """
    freedom = sum(len(scores) - 1 for scores in runs.values())
    squares = sum(np.var(scores) * len(scores) for scores in runs.values())
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)


def half_interval(sd: float, freedom: int, count: float) -> float:
    """Half of the 95 % interval, for the seeds, of a mean of `count` differences."""
    return stats.t.ppf(0.975, freedom) * sd * np.sqrt(2 / count) if freedom else np.nan


def main_effects(
    levels_of: Levels,
    changes: dict,
    scored: dict[str, np.ndarray],
    spread: tuple[float, int],
    without: Collection[str] = (),
) -> pd.DataFrame:
    """The effect of each level of each change against its first.

    Args:
        levels_of, without: as in `differences`.
        changes: change → its levels.
        scored: model → ICC (1 + R, Q): of all people, then of R resamples of them; the
            mean over the seeds of the grid, as many for each model.
        spread: of `spread_over_seeds`, of such a mean.

    Returns:
        One row an effect and AU, and one for their mean: effect, AU, size, low and high
        (95 % over people), "seeds ±", lower and upper (people and seeds, added as
        squares), pairs, and "with stalled": the size with the models left out. A change
        without a pair has no row.
    """
    rows = []
    for change, (low, *others) in changes.items():
        for high in others:
            which = (levels_of, scored, change, low, high)
            gaps = differences(*which, without)
            if not gaps:
                continue
            values, every = np.mean(gaps, axis=0), np.mean(differences(*which), axis=0)
            seeds = half_interval(*spread, len(gaps))
            for q, name in enumerate([*AU_NAMES, "mean"]):
                column, all_pairs = (
                    part.mean(axis=1) if name == "mean" else part[:, q]
                    for part in (values, every)
                )
                size, (below, above) = column[0], interval(column[1:])
                by_seed = seeds if name == "mean" else np.nan
                rows.append(
                    {
                        "effect": f"{change}: {high}, not {low}",
                        "AU": name,
                        "size": size,
                        "low": below,
                        "high": above,
                        "seeds ±": by_seed,
                        "lower": size - np.hypot(size - below, by_seed),
                        "upper": size + np.hypot(above - size, by_seed),
                        "pairs": len(gaps),
                        "with stalled": all_pairs[0],
                    }
                )
    return pd.DataFrame(rows, columns=list(rows[0]) if rows else ["effect", "AU"])


def effects_within(
    levels_of: Levels,
    changes: dict,
    scored: dict[str, np.ndarray],
    spread: tuple[float, int],
    without: Collection[str] = (),
) -> pd.DataFrame:
    """The effect on the mean ICC of each change within each level of every other.

    Arguments as in `main_effects`.

    Returns:
        A row an effect (of a level against the first of its change), a column a level
        of another change, NaN where there is no pair; and "seeds ±", for the difference
        of two of a row's numbers.
    """
    table = {}
    for change, (low, *others) in changes.items():
        for high in others:
            row, counts = {}, []
            for other, levels in changes.items():
                for level in levels if other != change else ():
                    which = (levels_of, scored, change, low, high, without)
                    gaps = differences(*which, within=(other, level))
                    counts.append(len(gaps))
                    means = [gap[0].mean() for gap in gaps]
                    row[f"{other}: {level}"] = np.mean(means) if means else np.nan
            fewest = min((count for count in counts if count), default=np.nan)
            row["seeds ±"] = half_interval(*spread, fewest / 2)
            table[f"{change}: {high}, not {low}"] = row
    return pd.DataFrame(table).T
