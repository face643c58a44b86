"""How high a score on the stand-in can be: the coder's noise sets a ceiling."""

import numpy as np
import pandas as pd

from aulib.icc import icc_per_au
from companion.bp4d import AU_NAMES
from companion.standin.labels import make_labels
from companion.training.outputs import mean_score

AUS = list(AU_NAMES)


def coder_ceiling(coded: pd.DataFrame, seed: int) -> pd.Series:
    """ICC(3,1) of the levels that the stand-in's faces show against the coder's.

    The stand-in's coder writes some levels one off, so nobody who reads the faces can
    be expected to score higher.

    Args:
        coded: evaluation frames with subject, task, frame and the coder's AU06 … AU17.
        seed: of the stand-in's labels, from the profile.

    Returns:
        AU06 … AU17 and mean.
    """
    coded = coded.astype({"subject": str, "task": str})
    keys = ["subject", "task", "frame"]
    shown = coded[keys].merge(make_labels(seed), how="left", on=keys)
    levels = np.ceil(shown[[f"drawn_{au}" for au in AUS]].to_numpy() - 0.5)
    scores = icc_per_au(coded[AUS].to_numpy().astype(int), levels.astype(int))
    return pd.Series([*scores, mean_score(scores)], [*AUS, "mean"])
