"""What a run trains: a network, its loss, and how its outputs become levels.

The paper's two models and the two networks that it compares them with differ in nothing
else, so all four share one training loop (`companion.training.loop`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torchvision.models.vgg import VGG

from aulib import UNKNOWN
from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1
from aulib.model import build_model
from companion.methods.start import answer

LEVELS = 6
"""Intensities 0 to 5."""


class Estimate(NamedTuple):
    """A network's estimates for some frames."""

    values: torch.Tensor
    """float (N, Q), unrounded, in the unit of the targets."""
    levels: torch.Tensor
    """int64 (N, Q), 0..5."""
    rounded: bool
    """Whether the levels are Eq. 3 of the values."""


class Objective(NamedTuple):
    """A network, its loss and its estimate."""

    network: VGG
    """Images (N, 3, S, S) → outputs."""
    loss: Callable[..., torch.Tensor]
    """Training outputs, levels (N, Q), all known, and the batch's number → ()."""
    evaluation_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Evaluation outputs and levels (N, Q) → (); `UNKNOWN` levels are left out."""
    estimate: Callable[[torch.Tensor], Estimate]
    """Evaluation outputs → values and levels."""
    start: Callable[[torch.Tensor], None]
    """Training levels (M, Q), all known → nothing; lets a network without training
    answer with their distribution, whatever the image."""


def regression(
    name: str, weights: str | Path | None, width: float, scale: float
) -> Objective:
    """The paper's own: the network of Section III, Eq. 4 and Eq. 3.

    It starts by answering the mean levels, times the scale, to every image.
    """
    network = build_model(name, weights=weights, width=width)

    def start(levels):
        answer(network.classifier[-1], scale * levels.double().mean(0))

    def evaluation_loss(outputs, levels):
        known = levels != UNKNOWN
        return scaled_smooth_l1(outputs[known], levels[known], scale)

    return Objective(
        network,
        lambda outputs, levels, batch: scaled_smooth_l1(outputs, levels, scale),
        evaluation_loss,
        lambda outputs: Estimate(outputs, to_intensity(outputs, scale), rounded=True),
        start,
    )


def frequencies(levels: torch.Tensor) -> torch.Tensor:
    """How often each level occurs: float64 (Q, 6), above 0, each row's sum is 1.

    One more frame is counted for each level, so that a level that does not occur has a
    logarithm.

    Args:
        levels: int64 (M, Q) of 0..5.
    """
    counts = torch.stack([(levels == level).sum(0) for level in range(LEVELS)], 1)
    return (counts + 1) / (len(levels) + LEVELS)
