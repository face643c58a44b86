r"""Table II, "VGG16 in [9]": the same network, but levels are classes.

For each AU a softmax over six levels, all five trained together:

.. math::

    P(y_q = l \mid x) = \frac{e^{o_{ql}}}{\sum_{m=0}^{5} e^{o_{qm}}}

The loss is −log P of the coders' level, averaged over frames and AUs. The estimate is
the most probable level. The expectation Σ l·P is kept as its unrounded value, so Eq. 3
of the expectation is a second estimate. Classes have no order: to the loss, level 5 is
as far from level 0 as level 1 is.

The paper gives this row's four numbers and says that it is a classification. Our own
choices: one network for the five AUs, the weights that the proposed model starts from,
VGG16's own dropout, an epoch that uses every frame once, and a last layer that starts
with the levels' frequencies as its answer (`companion.methods.start` says why).
"""

from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from aulib import AUS, UNKNOWN
from aulib.model import build_model
from companion.methods.objective import LEVELS, Estimate, Objective, frequencies
from companion.methods.start import answer


def classifier(weights: str | Path | None, width: float) -> Objective:
    """VGG16 with 6 outputs for each AU; see `aulib.model.build_model`."""
    network = build_model(
        "baseline", num_aus=LEVELS * len(AUS), weights=weights, width=width
    )

    def start(levels):
        answer(network.classifier[-1], frequencies(levels).log().flatten())

    return Objective(
        network,
        lambda outputs, levels, batch: class_loss(outputs, levels),
        class_loss,
        estimate,
        start,
    )


def class_loss(outputs: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """−log P of the coders' levels, averaged over the known ones.

    Args:
        outputs: float (N, 30), the six of AU06 first.
        levels: int64 (N, 5), 0..5 or `UNKNOWN`.
    """
    flat = outputs.reshape(-1, LEVELS)
    return cross_entropy(flat, levels.reshape(-1), ignore_index=UNKNOWN)


def estimate(outputs: torch.Tensor) -> Estimate:
    """The most probable level of each AU; the values are the expectations."""
    probabilities = outputs.reshape(len(outputs), -1, LEVELS).double().softmax(2)
    steps = torch.arange(LEVELS, dtype=torch.float64, device=outputs.device)
    return Estimate(
        (probabilities @ steps).float(), probabilities.argmax(2), rounded=False
    )
