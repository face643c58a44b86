"""Squares of crops, and their normalisation: what the network is given (Section IV)."""

from functools import lru_cache

import numpy as np
import torch

from companion.crops.store import CropStore

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in 0..1


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


def normalise(squares: np.ndarray | torch.Tensor) -> torch.Tensor:
    """The network's input: RGB in 0..1, by ImageNet's mean and standard deviation.

    The paper says only "µ = 0 e σ = 1" (Section II). ImageNet's statistics belong to
    the weights that the proposed model starts from; both models use them.

    Args:
        squares: uint8 array or tensor (B, S, S, 3).

    Returns:
        float32 tensor (B, 3, S, S) on the same device, channels last in memory.
    """
    squares = torch.as_tensor(squares)
    mean, std = _statistics(squares.shape[2], squares.device)
    lines = squares.float().flatten(2).sub_(mean).div_(std)
    return lines.view(squares.shape).permute(0, 3, 1, 2)


@lru_cache(maxsize=8)
def _statistics(width: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """ImageNet's mean and deviation of 0..255, repeated for a line of pixels.

    Whole lines take a third of the time of three channels at a time. The cache spares
    a GPU the wait for a copy from the processor.
    """
    lines = [torch.tensor(values).mul(255).repeat(width) for values in (MEAN, STD)]
    return tuple(line.to(device) for line in lines)
