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

    Args:
        estimate: of N frames.
        truth: int64 (N, Q), the coders' levels, 0..5 or `aulib.UNKNOWN`.
    """
    scores = icc_per_au(truth, estimate.levels.numpy())
    return dict(zip(AU_NAMES, scores.tolist())) | {"mean": float(scores.mean())}


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
