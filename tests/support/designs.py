"""A factorial design whose effects are known."""

from itertools import product

import numpy as np

CHANGES = {"start": ["a", "b"], "target": ["x1", "x2"], "sampler": ["s", "m", "j"]}
TITLES = {
    change: {level: f"title {level}" for level in levels}
    for change, levels in CHANGES.items()
}
LEVELS = {
    "-".join(levels): dict(zip(CHANGES, levels))
    for levels in product(*CHANGES.values())
}
SIZES = {"b": 0.2, "x2": -0.1, "m": 0.03, "j": 0.05}


def additive(noise: float = 0.0) -> dict[str, np.ndarray]:
    """Scores (1 + 400, 5): the sum of the levels' effects, and noise."""
    generator = np.random.default_rng(0)
    return {
        name: sum(SIZES.get(level, 0) for level in levels.values())
        + noise * generator.normal(size=(401, 5))
        for name, levels in LEVELS.items()
    }
