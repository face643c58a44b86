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


def map_note(width: float, size: int) -> str:
    """What is wrong with the size of the images, if something is; else "".

    VGG16's first hidden layer is made for a last map of 7 x 7 cells; another map is
    averaged or spread to it.

    Args:
        width: of the network, see `aulib.model.build_model`.
        size: pixels of a side of an image.
    """
    cell = 32 if width == 1 else 16  # pixels: the network in small pools once less
    cells = size // cell
    if cells == 7:
        return ""
    return (
        f"crops of {size} pixels leave a last map of {cells} x {cells} cells, not 7 x "
        f"7: set crop_size to {7 * cell} in the profile, which makes the crops again"
    )


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
