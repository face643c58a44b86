"""What a run trains: a network, its loss, and what its outputs answer.

The paper's two models and the two networks that it is compared with differ in no more
than this, so they share one training loop (`aulib.training`).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torchvision.models.vgg import VGG

from aulib import AU_NAMES, LEVEL_NAMES, OUTPUT_NAMES, UNKNOWN
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1
from aulib.model import build_model


class Answer(NamedTuple):
    """What a network says of some frames."""

    values: torch.Tensor
    """float (N, Q), unrounded, in the unit of the targets."""
    levels: torch.Tensor
    """int64 (N, Q), 0..5."""
    rounded: bool
    """Whether the levels are Eq. 3 of the values."""


class Method(NamedTuple):
    """A network and what makes it learn and answer."""

    network: VGG
    """Images (N, 3, S, S) → outputs."""
    loss: Callable[..., torch.Tensor]
    """Outputs in training, levels (N, Q) all known, number of the batch → ()."""
    evaluation_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Outputs in evaluation, levels (N, Q), some `UNKNOWN` and left out → ()."""
    answer: Callable[[torch.Tensor], Answer]
    """Outputs in evaluation → what they say."""


def regression(
    name: str, weights: str | Path | None, width: float, scale: float
) -> Method:
    """The paper's: Section III's network, Eq. 4, Eq. 3."""

    def known_loss(outputs, levels):
        known = levels != UNKNOWN
        return scaled_smooth_l1(outputs[known], levels[known], scale)

    return Method(
        build_model(name, weights=weights, width=width),
        lambda outputs, levels, batch: scaled_smooth_l1(outputs, levels, scale),
        known_loss,
        partial(_rounded, scale=scale),
    )


def _rounded(outputs: torch.Tensor, scale: float) -> Answer:
    return Answer(outputs, to_intensity(outputs, scale), rounded=True)


def scores(answer: Answer, truth: torch.Tensor) -> dict[str, float]:
    """ICC(3,1) of the levels: the columns AU06 … AU17 and mean of metrics.csv.

    Args:
        answer: for N frames.
        truth: int64 (N, Q), the coders' levels, 0..5 or `UNKNOWN`.
    """
    found = icc_per_au(truth.numpy(), answer.levels.numpy())
    return dict(zip(AU_NAMES, found.tolist())) | {"mean": float(found.mean())}


def output_table(frames: pd.DataFrame, epoch: int, answer: Answer) -> pd.DataFrame:
    """The rows of outputs.parquet of one epoch; `aulib.results.read_runs` reads them.

    The levels stand there only where they are not Eq. 3 of the values.
    """
    table = frames[["subject", "task", "frame", *AU_NAMES]].reset_index(drop=True)
    table.insert(0, "epoch", np.int16(epoch))
    table[list(OUTPUT_NAMES)] = answer.values.numpy()
    if not answer.rounded:
        table[list(LEVEL_NAMES)] = answer.levels.numpy().astype(np.int8)
    return table
