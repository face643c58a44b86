"""Squares of crops, and their normalisation: what the network is given (Section IV)."""

from functools import lru_cache

import numpy as np
import torch

from companion.crops.store import CropStore


def random_corners(
    store: CropStore, rows: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Where the random squares of training begin.

    Args:
        store: the crops.
        rows: int array (B,), which crops.
        offsets: float array (B, 2), uniform draws in [0, 1), for y and x. They place
            the square uniformly within the crop.

    Returns:
        int64 array (B, 2): y and x of the top left corners, in pixels.
    """
    spare = store.shapes[rows] - store.crop_size
    return np.floor(offsets * (spare + 1)).astype(np.int64)


def central_corners(store: CropStore, rows: np.ndarray) -> np.ndarray:
    """Where the central squares of evaluation begin: int64 array (B, 2) of (y, x)."""
    return (store.shapes[rows] - store.crop_size) // 2


def cut_squares(store: CropStore, rows: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Cut squares, S pixels a side, S the store's `crop_size`.

    Args:
        store: the crops.
        rows: int array (B,), which crops.
        corners: int array (B, 2), y and x of the top left corners, in pixels.

    Returns:
        uint8 array (B, S, S, 3).
    """
    size = store.crop_size
    squares = np.empty((len(rows), size, size, 3), dtype=np.uint8)
    for square, row, (y, x) in zip(squares, rows, corners, strict=True):
        square[:] = store[row][y : y + size, x : x + size]
    return squares


def normalise(
    squares: np.ndarray | torch.Tensor,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> torch.Tensor:
    """The network's input: each channel less its mean, by its standard deviation.

    Section II: "normalizadas para µ = 0 e σ = 1". By the letter, these are the mean and
    deviation of the training crops, and both models use them. ImageNet's constants,
    which come with torchvision's weights, give other numbers: see notebook 03.

    Args:
        squares: uint8 array or tensor (B, S, S, 3).
        mean: of each channel, 0..255; a crop store has it.
        std: of each channel, 0..255; a crop store has it.

    Returns:
        float32 tensor (B, 3, S, S) on the same device, channels last in memory.
    """
    squares = torch.as_tensor(squares)
    means, stds = _lines(mean, std, squares.shape[2], squares.device)
    lines = squares.float().flatten(2).sub_(means).div_(stds)
    return lines.view(squares.shape).permute(0, 3, 1, 2)


@lru_cache(maxsize=8)
def _lines(mean: tuple, std: tuple, width: int, device: torch.device) -> tuple:
    """Mean and deviation, repeated for a line of pixels: float32 (3 width,) each.

    Whole lines take a third of the time of three channels at a time. The cache spares
    a GPU the wait for a copy from the processor.
    """
    lines = [torch.tensor(v, dtype=torch.float32).repeat(width) for v in (mean, std)]
    return tuple(line.to(device) for line in lines)
