"""The shapes and the noise of which faces are made: smooth, cheap, the same anywhere.

Hills and steps are polynomials with an end: sums, products and roots of float32 give
the same bits on all processors, which exponentials and sines needn't.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates


def step(value: np.ndarray, edge: float, width: float) -> np.ndarray:
    """Rises smoothly from 0 to 1 about `edge`, within `width`."""
    share = value * (1 / width)
    share += 0.5 - edge / width
    np.maximum(share, 0, out=share)
    np.minimum(share, 1, out=share)
    slow = 3 - 2 * share
    share *= share
    share *= slow
    return share


def bump(x, y, at_x: float, at_y: float, size_x: float, size_y: float) -> np.ndarray:
    """A hill of height 1 at (at_x, at_y): nearly exp(-r^2), but 0 from r = 2 on."""
    hill = x - at_x
    hill *= 1 / size_x
    hill *= hill
    along = y - at_y
    along *= 1 / size_y
    along *= along
    return fall(hill + along)


def ridge(distance: np.ndarray, size: float) -> np.ndarray:
    """A wall of height 1 where the distance is 0."""
    wall = distance * (1 / size)
    wall *= wall
    return fall(wall)


def fall(square: np.ndarray) -> np.ndarray:
    """(1 - r^2/4)^4, in place: exp(-r^2) without an exponential."""
    square *= -0.25
    square += 1
    np.maximum(square, 0, out=square)
    square *= square
    square *= square
    return square


def wave(turns: np.ndarray) -> np.ndarray:
    """Nearly sin(2 pi turns), from two parabolas."""
    turns = turns - np.rint(turns)
    return 8 * turns * (1 - 2 * np.abs(turns))


@lru_cache(maxsize=16)
def noise(seed: int) -> dict[str, np.ndarray]:
    """Periodic fields (256, 256) of unit variance; `strands` run along the rows."""
    white = np.random.default_rng(seed).standard_normal((4, 256, 256))
    sizes = {"pores": 0.75, "blotches": 7, "spots": 1.3, "strands": (14, 0.7)}
    fields = {}
    for (name, size), values in zip(sizes.items(), white, strict=True):
        smooth = gaussian_filter(values, size, mode="wrap")
        fields[name] = (smooth / smooth.std()).astype(np.float32)
    fields["spots"] = np.clip(fields["spots"] - 1.6, 0, 1.5)
    return fields


def look_up(field: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """A periodic field at columns `across` and rows `down`."""
    return map_coordinates(field, [down, across], order=1, mode="grid-wrap")


def between(field: np.ndarray, column, row) -> np.ndarray:
    """A periodic field (256, 256), linear between its values."""
    left, top = column.astype(np.int32), row.astype(np.int32)
    right, low = column - left, row - top
    left, top = left.astype(np.intp) & 255, top.astype(np.intp) & 255
    after, under = (left + 1) & 255, (top + 1) & 255
    high = field[top, left] * (1 - right) + field[top, after] * right
    return (
        high * (1 - low)
        + (field[under, left] * (1 - right) + field[under, after] * right) * low
    )
