r"""Table II, "VGG16 in [9]": the same network, but levels are classes.

For each AU a softmax over six levels, all five trained together:

.. math::

    P(y_q = l \mid x) = \frac{e^{o_{ql}}}{\sum_{m=0}^{5} e^{o_{qm}}}

The loss is the mean over frames and AUs of −log P of the coders' level. A level is
answered by arg max; the expectation Σ l·P is the value before rounding, so Eq. 3 of it
is a second answer. Classes know no order: for the loss level 5 is as far from 0 as 1.

What is known of that row is its four numbers and, from the paper, that it is
classification. Filled in here: one network for the five AUs, the weights that the
proposed model starts from, VGG16's own dropout, an epoch of every frame once.
"""

from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from aulib import AUS, UNKNOWN
from aulib.method import Answer, Method
from aulib.model import build_model

LEVELS = 6


def classifier(weights: str | Path | None, width: float) -> Method:
    """VGG16 with 6 outputs for each AU; see `aulib.model.build_model`."""
    network = build_model(
        "baseline", num_aus=LEVELS * len(AUS), weights=weights, width=width
    )
    return Method(
        network,
        lambda outputs, levels, batch: class_loss(outputs, levels),
        class_loss,
        answer,
    )


def class_loss(outputs: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """−log P of the coders' levels, the mean over all that are known.

    Args:
        outputs: float (N, 30), the six of AU06 first.
        levels: int64 (N, 5), 0..5 or `UNKNOWN`.
    """
    flat = outputs.reshape(-1, LEVELS)
    return cross_entropy(flat, levels.reshape(-1), ignore_index=UNKNOWN)


def answer(outputs: torch.Tensor) -> Answer:
    """The most probable level of each AU; beside it the expectation, float (N, 5)."""
    probabilities = outputs.reshape(len(outputs), -1, LEVELS).double().softmax(2)
    steps = torch.arange(LEVELS, dtype=torch.float64, device=outputs.device)
    return Answer(
        (probabilities @ steps).float(), probabilities.argmax(2), rounded=False
    )
