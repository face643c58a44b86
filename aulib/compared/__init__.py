"""The other rows of Table II, and what a user might pick instead.

None of these is the paper's own method. `classifier` and `structured` are the two rows
that the paper takes from its reference [9] (Walecki et al., CVPR 2017); `hog` is the
common recipe without a network.
"""

from pathlib import Path

from aulib.compared.classifier import classifier
from aulib.compared.structured import structured
from aulib.method import Method, regression
from aulib.model import DROPOUT

METHODS = (*DROPOUT, "classifier", "structured")
"""Those of `build_method`; "hog" trains no network, see `aulib.compared.hog`."""


def build_method(
    name: str, weights: str | Path | None, width: float, scale: float
) -> Method:
    """One of `METHODS`.

    Args:
        name: "baseline" or "proposed" (the paper's; see `aulib.model.build_model`),
            "classifier" or "structured" (see `aulib.compared`).
        weights, width: as in `aulib.model.build_model`.
        scale: of Eq. 3 and 4; 1 for those that are not the paper's.

    Raises:
        ValueError: an unknown name, or a scale for a method that has none; and what
            `aulib.model.build_model` raises.
    """
    if name in DROPOUT:
        return regression(name, weights, width, scale)
    if name not in METHODS:
        raise ValueError(f"method {name!r} is unknown: choose one of {METHODS}")
    if scale != 1:
        raise ValueError(
            f"method {name!r} has no targets to scale: scale {scale} not 1"
        )
    return (classifier if name == "classifier" else structured)(weights, width)
