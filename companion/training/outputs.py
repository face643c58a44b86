"""What a run writes about its evaluation frames: scores and outputs.parquet."""

import numpy as np
import pandas as pd

from aulib.icc import icc_per_au
from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore
from companion.methods.objective import Estimate

OUTPUT_NAMES = tuple(f"output_{name}" for name in AU_NAMES)
"""The columns of outputs.parquet that hold the unrounded outputs."""

LEVEL_NAMES = tuple(f"level_{name}" for name in AU_NAMES)
"""The columns of levels, for methods that do not use Eq. 3."""


def score(estimate: Estimate, truth: np.ndarray) -> dict[str, float]:
    """ICC(3,1) of the levels: the columns AU06 … AU17 and mean of metrics.csv.

    An AU with fewer than two known frames has NaN; the mean is over the others.

    Args:
        estimate: of N frames.
        truth: int64 (N, Q), the coders' levels, 0..5 or `aulib.UNKNOWN`.
    """
    scores = icc_per_au(truth, estimate.levels.numpy())
    return dict(zip(AU_NAMES, scores.tolist())) | {"mean": float(mean_score(scores))}


def mean_score(scores: np.ndarray) -> np.ndarray:
    """The mean over the AUs that have a score in any row.

    Args:
        scores: float (..., Q), ICC(3,1); NaN where an AU has fewer than two known
            frames.

    Returns:
        float (...). Of one row, (Q,), the mean of the AUs that have a score. Of more
        rows, the mean of the AUs that have one in any of them: a row that lacks one of
        these has NaN (a bootstrap's resample can), since its mean would be of other
        AUs. So rows to be compared belong into one call. NaN where no AU has a score.
    """
    scored = ~np.isnan(scores).all(axis=tuple(range(scores.ndim - 1)))
    if not scored.any():
        return np.full(scores.shape[:-1], np.nan)[()]
    return scores[..., scored].mean(axis=-1)


def is_best(mean: float, earlier: list[float]) -> bool:
    """Whether an epoch is the best so far, by its mean score and the earlier epochs'.

    The best epoch is the first with the highest mean. Where no AU has a score, every
    mean is NaN and the last epoch counts as the best.
    """
    return not mean <= max(earlier, default=-np.inf)


def mean_in_words(row: dict[str, float]) -> str:
    """The mean of a row of metrics.csv, and of how many AUs it is if not of all."""
    scored = sum(not np.isnan(row[name]) for name in AU_NAMES)
    if not scored:
        return "no ICC, since no AU has two known evaluation frames"
    of = "" if scored == len(AU_NAMES) else f" of {scored} AUs"
    return f"mean ICC {row['mean']:.3f}{of}"


def output_table(store: CropStore, state: dict) -> pd.DataFrame:
    """outputs.parquet as a table: one row for each epoch and evaluation frame.

    Args:
        store: the crops.
        state: the run's state. Its `values` hold the unrounded outputs of each epoch,
            float32 (N, Q); its `levels` the levels, int64 (N, Q), unless Eq. 3 gives
            them.
    """
    columns = ["subject", "task", "frame", *AU_NAMES]
    frames = store.index.iloc[store.rows("evaluation")][columns]
    frames = frames.astype({"subject": "category", "task": "category"})
    levels, tables = state["levels"], []
    for epoch, outputs in enumerate(state["values"], 1):
        table = frames.copy()
        table.insert(0, "epoch", np.int16(epoch))
        table[list(OUTPUT_NAMES)] = outputs.numpy()
        if levels:
            table[list(LEVEL_NAMES)] = levels[epoch - 1].numpy().astype(np.int8)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
