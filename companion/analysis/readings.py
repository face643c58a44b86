"""Five things or one? How many separate readings of a face a trained network holds.

Independent columns have correlations of 0, an effective rank equal to their number, and
a first principal component that holds an equal share. One reading that is scaled five
ways has correlations of 1, an effective rank of 1, and a first component that holds
everything.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torchvision.models.vgg import VGG

from aulib import UNKNOWN
from aulib.model import build_model
from companion.analysis.features import extract_features
from companion.analysis.scores import best_epoch, estimated_levels
from companion.analysis.spectrum import components_for, effective_rank, spectrum
from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore

ONE = 1.5
"""An effective rank below this is called one reading."""

NEAR = 0.1
"""Effective ranks that differ by less, as a share of the labels', are called equal."""

HIGH_LOW = {True: "high", False: "low"}


def load_best(method: str, width: float, directory: Path) -> VGG:
    """The network of a run's best epoch, in evaluation mode, on the processor.

    Args:
        method, width: the run's, as in `aulib.model.build_model`.
        directory: the run's.
    """
    best = build_model(method, width=width).eval()
    state = torch.load(directory / "best.pt", map_location="cpu", weights_only=True)
    best.load_state_dict(state)
    return best


def write_spectrum(
    network: VGG, store: CropStore, path: Path, accumulation: int = 1
) -> np.ndarray:
    """Write the variances of the features of all training frames as a CSV.

    Args:
        network: from `load_best`.
        store: the crops.
        path: of the CSV, whose columns are component (from 1) and variance.
        accumulation: as in `companion.analysis.features.extract_features`.

    Returns:
        The variances, float64 array (4096,), largest first.
    """
    rows = store.rows("train")
    variances = spectrum(extract_features(network, store, rows, accumulation))
    numbers = np.arange(1, len(variances) + 1)
    table = pd.DataFrame({"component": numbers, "variance": variances})
    table.to_csv(path, index=False, float_format="%.6g")
    return variances


def describe_spectrum(variances: np.ndarray, frames: int) -> str:
    """In how many directions the features of frames vary, in words.

    Args:
        variances: from `write_spectrum`.
        frames: their number.
    """
    if not variances.any():
        return f"The features of all {frames:,} frames are the same."
    needed, rank = components_for(variances, 0.95), effective_rank(variances)
    count = len(AU_NAMES)
    room = "leave room for" if rank >= count else "have fewer directions than"
    return (
        f"Of {len(variances):,} principal components {needed:,} "
        f"hold 95 % of the variance of {frames:,} frames, and the first alone "
        f"{100 * variances[0] / variances.sum():.0f} %. The effective rank is "
        f"{rank:.1f}: the features {room} {count} separate readings."
    )


def best_estimates(directory: Path, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and estimated levels of a run's best epoch: two int arrays (N, 5), 0..5.

    Only evaluation frames of which all levels are known.

    Args:
        directory: the run's.
        scale: of Eq. 3.
    """
    metrics = pd.read_csv(directory / "metrics.csv").set_index("epoch")
    outputs = pd.read_parquet(directory / "outputs.parquet")
    outputs = outputs[outputs["epoch"] == best_epoch(metrics)]
    known = outputs[(outputs[list(AU_NAMES)] != UNKNOWN).all(axis=1)]
    return known[list(AU_NAMES)].to_numpy(), estimated_levels(known, scale)


def compare_readings(labels: np.ndarray, estimates: np.ndarray) -> pd.DataFrame:
    """How separate the columns of labels are, and those of estimates.

    A column that is constant in either is left out of both.

    Args:
        labels: array (N, Q), known levels 0..5.
        estimates: array (N, Q), estimated levels.

    Returns:
        Rows "labels" and "estimates", columns "AUs" (that vary), "mean correlation" (of
        all pairs), "effective rank" and "first component" (its share of the variance of
        the standardised columns). All but the first are NaN with fewer than two AUs.
    """
    both = np.stack([labels, estimates])
    varying = (both != both[:, :1]).any(axis=1).all(axis=0)
    rows = {
        name: _separate(levels[:, varying].astype(float))
        for name, levels in zip(("labels", "estimates"), both, strict=True)
    }
    columns = ["AUs", "mean correlation", "effective rank", "first component"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.astype({"AUs": int})


def _separate(levels: np.ndarray) -> tuple[int, float, float, float]:
    """The numbers of `compare_readings` for levels, float array (N, varying AUs)."""
    count = levels.shape[1]
    if count < 2:
        return count, np.nan, np.nan, np.nan
    correlations = np.corrcoef(levels.T)
    strengths = np.linalg.eigvalsh(correlations)
    pairs = correlations[np.triu_indices(count, 1)]
    first = strengths[-1] / strengths.sum()
    return count, float(pairs.mean()), effective_rank(strengths), float(first)


def judge_readings(table: pd.DataFrame) -> str:
    """The answer to "five things or one?" in words.

    Args:
        table: from `compare_readings`.
    """
    count = table.loc["estimates", "AUs"]
    if count < 2:
        return (
            "No answer: fewer than two AUs vary both in the labels and in the "
            "estimates of the frames with five known levels."
        )
    ranks, means = table["effective rank"], table["mean correlation"]
    against = "as many as"
    if ranks["estimates"] < (1 - NEAR) * ranks["labels"]:
        against = "fewer than"
    elif ranks["estimates"] > (1 + NEAR) * ranks["labels"]:
        against = "more than"
    one = ranks["estimates"] < ONE
    answer = "One thing" if one else f"About {ranks['estimates']:.1f} things"
    more = "more" if means["estimates"] > means["labels"] else "no more"
    return (
        f"**{answer}, by the effective rank.** That of the estimates of {count} AUs is "
        f"{ranks['estimates']:.1f}, {against} the {ranks['labels']:.1f} of the labels. "
        f"The estimates are {more} correlated than the labels of the same frames: "
        f"{means['estimates']:z.2f} on average, against {means['labels']:z.2f}."
    )


def describe_picture(
    drawn: Sequence[int],
    estimated: Sequence[int],
    labels: np.ndarray,
    estimates: np.ndarray,
    people: int,
) -> str:
    """How far the estimates of one drawn face are off, and what that proves, in words.

    Args:
        drawn: the levels of the five AUs with which it was drawn.
        estimated: the levels that a network gives it.
        labels, estimates: of the evaluation frames, as from `best_estimates`.
        people: whose frames these are.
    """
    misses = []
    for name, level, answer in zip(AU_NAMES, drawn, estimated, strict=True):
        if answer != level:
            gap = abs(int(answer) - int(level))
            levels = "level" if gap == 1 else "levels"
            misses.append(f"{name} {gap} {levels} too {HIGH_LOW[answer > level]}")
    found = "All five levels are as drawn."
    if misses:
        right = len(AU_NAMES) - len(misses)
        found = f"{right} of 5 levels {'is' if right == 1 else 'are'} as drawn. "
        found += f"The network reads {', '.join(misses)}."
    found += f" One picture proves nothing either way. On the frames of {people} people"
    if not len(labels):
        return f"{found}, no frame has five known levels."
    gaps = np.abs(labels.astype(int) - estimates)
    exact, near = (100 * (gaps <= most).mean() for most in (0, 1))
    return (
        f"{found}, {exact:.0f} % of the estimates are exactly the coder's level, "
        f"{near - exact:.0f} % one level off and {100 - near:.0f} % further off."
    )
