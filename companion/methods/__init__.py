"""What a run can train, and how it draws frames.

`classifier` and `structured` are the two rows of Table II that the paper takes from its
reference [9] (Walecki et al., CVPR 2017); `hog` is the common recipe without a network.
None of the three is the paper's own method.
"""

from pathlib import Path

from aulib.model import DROPOUT
from companion.methods.classifier import classifier
from companion.methods.objective import Objective, regression
from companion.methods.structured import structured

METHODS = (*DROPOUT, "classifier", "structured")
"""The networks. "hog" trains no network, see `companion.methods.hog`."""


def build_objective(
    method: str, weights: str | Path | None, width: float, scale: float
) -> Objective:
    """The network, loss and estimate of one of `METHODS`.

    Args:
        method: "baseline" or "proposed" (the paper's, see `aulib.model.build_model`),
            "classifier" or "structured".
        weights, width: as in `aulib.model.build_model`.
        scale: of Eq. 3 and 4; must be 1 for a method that is not the paper's.

    Raises:
        ValueError: an unknown method, or a scale for a method that has none; and what
            `aulib.model.build_model` raises.
    """
    if method in DROPOUT:
        return regression(method, weights, width, scale)
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown: choose one of {METHODS}")
    if scale != 1:
        raise ValueError(
            f"method {method!r} has no targets to scale: scale {scale} not 1"
        )
    return (classifier if method == "classifier" else structured)(weights, width)
