"""Outputs as a training run writes them, simulated."""

import numpy as np
import pandas as pd

from companion.bp4d import AU_NAMES
from companion.training.outputs import OUTPUT_NAMES


def simulated_outputs(seed: int, scale: float, epochs: int = 3) -> pd.DataFrame:
    """Random labels, and outputs that come closer to them from epoch to epoch."""
    generator = np.random.default_rng(seed)
    truth = generator.choice([0, 1, 2, 3, 4, 5, 9], (40, 5)).astype(np.int8)
    parts = []
    for epoch in range(1, epochs + 1):
        part = pd.DataFrame(
            {"epoch": np.int16(epoch), "subject": "F002", "task": "T1"}, range(40)
        )
        part["frame"] = range(40)
        part[list(AU_NAMES)] = truth
        noise = generator.normal(0, 3 / epoch, (40, 5))
        part[list(OUTPUT_NAMES)] = (scale * (truth + noise)).astype(np.float32)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
