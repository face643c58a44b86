"""What a network gets, and what it hands on before any training."""

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import RidgeCV
from torchvision.models.vgg import VGG

from aulib.icc import icc_per_au
from companion.crops.batches import central_batches
from companion.crops.squares import normalise
from companion.crops.store import CropStore
from companion.training.outputs import mean_score

PENALTIES = np.logspace(-4, 1, 11)
"""From which the regression chooses, by leaving out one training frame at a time."""

AT_A_TIME = 64  # frames; more take longer, since their first maps leave the cache


IMAGENET = (
    (0.485 * 255, 0.456 * 255, 0.406 * 255),
    (0.229 * 255, 0.224 * 255, 0.225 * 255),
)
"""Mean and deviation of ImageNet's channels, 0..255, as torchvision's weights use."""


def sample_rows(store: CropStore, split: str, count: int) -> np.ndarray:
    """Evenly spaced rows of "train" or "evaluation": int64 array (count,).

    Rows repeat where there are fewer.

    Raises:
        ValueError: there are none.
    """
    rows = store.rows(split)
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def channel_table(
    squares: np.ndarray, constants: dict[str, tuple[tuple, tuple]]
) -> pd.DataFrame:
    """Mean and deviation of each channel of normalised squares.

    Args:
        squares: uint8 array (N, S, S, 3).
        constants: name → mean and deviation of each channel, 0..255, by which the
            squares are normalised.

    Returns:
        Rows "<name>: mean" and "<name>: deviation", columns red, green and blue, in
        hundredths.
    """
    rows = {}
    for name, (mean, deviation) in constants.items():
        images = normalise(squares, mean, deviation)
        rows[f"{name}: mean"] = images.mean((0, 2, 3)).tolist()
        rows[f"{name}: deviation"] = images.std((0, 2, 3)).tolist()
    columns = ["red", "green", "blue"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.round(2) + 0.0  # no −0.0


def measure_start(
    network: VGG, store: CropStore, training: np.ndarray, others: np.ndarray
) -> tuple[float, float]:
    """How a network's last maps tell faces apart, and how well the AUs can be read.

    Args:
        network: in evaluation mode, on the processor.
        store: the crops.
        training: int array (N,), the rows of frames of which all levels are known.
        others: int array (K,), the rows of other people's frames.

    Returns:
        The share of the maps' mean square in which the training frames differ, 0..1;
        and the mean ICC(3,1) on `others` of a linear (ridge) regression of the levels
        on the maps, fitted on `training`.
    """
    maps, theirs = (_last_maps(network, store, rows) for rows in (training, others))
    mean, length = maps.mean(axis=0), np.sqrt((maps**2).sum(axis=1).mean())
    regression = RidgeCV(alphas=PENALTIES)
    regression.fit((maps - mean) / length, store.levels[training])
    answers = regression.predict((theirs - mean) / length)
    levels = np.rint(answers.clip(0, 5)).astype(int)
    scores = icc_per_au(store.levels[others], levels)
    return float(maps.var(axis=0).sum() / length**2), float(mean_score(scores))


def measure_starts(
    networks: dict[str, VGG], store: CropStore, training: np.ndarray, others: np.ndarray
) -> pd.DataFrame:
    """`measure_start` of several networks: columns "differs" and "mean ICC".

    Args:
        networks: name → network.
        store, training, others: as in `measure_start`.
    """
    rows = {
        name: measure_start(network, store, training, others)
        for name, network in networks.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["differs", "mean ICC"])


def describe_starts(table: pd.DataFrame) -> str:
    """What standardising and pairing do to random weights, in words.

    Args:
        table: of `measure_starts`; its rows are random weights, the same standardised,
            and the same paired and standardised.
    """
    (_, random), (_, alone), (_, both) = table["mean ICC"].items()
    before, after, _ = table["differs"]
    verb = "raises" if after > before else "lowers"
    also = "raises" if alone > random else "lowers"
    with_pairs = "higher" if both > alone else "no higher"
    return (
        f"Standardising alone {verb} the share that differs from {before:.2f} to "
        f"{after:.2f} and {also} the ICC from {random:z.2f} to {alone:z.2f}. With "
        f"pairs as well the ICC is {with_pairs}, {both:z.2f}."
    )


def _last_maps(network: VGG, store: CropStore, rows: np.ndarray) -> np.ndarray:
    """What the convolutions hand on for central squares: float32 array (N, units)."""
    batches = central_batches(store, rows, AT_A_TIME, torch.device("cpu"))
    with torch.inference_mode():
        maps = [network.features(images) for images in batches]
    return torch.cat(maps).flatten(1).numpy()
