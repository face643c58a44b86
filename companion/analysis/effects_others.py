"""Effects that rest on few AUs or on one model: what is left without them.

Some AUs are learned by some runs and not by others. A mean over all AUs then says
mostly whether these were learned, so the same effects are computed without them. And
the spread over seeds, pooled over the models, can come mostly from one model.
"""

import numpy as np
import pandas as pd

from companion.analysis.effects import (
    Levels,
    Spread,
    margin_of_error,
    seed_spread,
)
from companion.analysis.effects_cells import NOT_LEARNED
from companion.bp4d import AU_NAMES
from companion.training.outputs import mean_score

OTHERS = {
    "size": "other AUs",
    "lower": "other AUs lower",
    "upper": "other AUs upper",
}
"""Columns of a table of effects → their names when they are of the other AUs."""

KEYS = ["effect", "with", "and", "instead of", "within"]
"""Columns that name the rows of tables of effects on the mean."""


def hard_aus(runs: pd.DataFrame, levels_of: Levels) -> list[str]:
    """The AUs that some runs of the design have not learned (see `NOT_LEARNED`).

    Args:
        runs: from `companion.analysis.effects.run_table`.
        levels_of: the models of the design.
    """
    own = runs.loc[runs["model"].isin(list(levels_of)), list(AU_NAMES)]
    return [au for au in AU_NAMES if (own[au] < NOT_LEARNED).any()]


def without_aus(scored: dict[str, np.ndarray], aus: list[str]) -> dict[str, np.ndarray]:
    """Scores (1 + R, Q) of models in which some AUs have none (NaN).

    Effects on the mean are then those on the mean of the other AUs.
    """
    lost = np.isin(AU_NAMES, aus)
    return {name: np.where(lost, np.nan, own) for name, own in scored.items()}


def spread_without_aus(runs: pd.DataFrame, aus: list[str]) -> Spread:
    """`seed_spread` of a model's mean if some AUs are in no mean.

    Args:
        runs: from `companion.analysis.effects.run_table`, those that count.
        aus: that are left out.
    """
    others = [au for au in AU_NAMES if au not in aus]
    means = mean_score(runs[others].to_numpy()) if others else np.nan
    _, spread, _ = seed_spread(runs.assign(last=means))
    return spread


def join_others(table: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Add to effects on the mean the sizes and intervals of the same without some AUs.

    Args:
        table, others: two tables of the same function, such as
            `companion.analysis.effects_cells.effects_within`.

    Returns:
        `table` with the columns `OTHERS`; NaN where `others` lacks a row.
    """
    names = [name for name in KEYS if name in table]
    return table.merge(
        others[[*names, *OTHERS]].rename(columns=OTHERS), on=names, how="left"
    )


def loudest_model(runs: pd.DataFrame) -> tuple[str, float] | None:
    """The model with most of the pooled variance over seeds, and its share, 0..1.

    Args:
        runs: from `companion.analysis.effects.run_table`, those that count.

    Returns:
        None if no model varies.
    """
    last = runs.groupby("model")["last"]
    squares = (runs["last"] - last.transform("mean")) ** 2
    by_model = squares.groupby(runs["model"]).sum()
    if not by_model.sum() > 0:
        return None
    return str(by_model.idxmax()), float(by_model.max() / by_model.sum())


def with_spread(table: pd.DataFrame, before: Spread, after: Spread) -> pd.DataFrame:
    """A table of effects with another spread over seeds: its intervals anew.

    Args:
        table: with the intervals of `companion.analysis.effects.main_effects`.
        before: the spread that it was computed with.
        after: the other one.
    """
    factor = margin_of_error(*after, 1) / margin_of_error(*before, 1)
    seeds = table["seeds ±"] * factor
    return table.assign(
        **{
            "seeds ±": seeds,
            "lower": table["size"] - np.hypot(table["size"] - table["low"], seeds),
            "upper": table["size"] + np.hypot(table["high"] - table["size"], seeds),
        }
    )
