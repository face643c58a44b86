"""The functions that a face is built with: smooth hills, steps and noise.

Hills and steps are polynomials that end at a finite distance. Sums, products and roots
of float32 give the same bits on every processor; exponentials and sines may not.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

MIDLINE = np.float32(0.05**2)
"""Square of the distance from the midline within which left and right merge."""


class Area(NamedTuple):
    """An elliptical part of the face without sharp borders, see `bump`."""

    wide: float
    """Radius across: 32 % of the effect is left there, nothing at two radii."""
    tall: float
    """Radius down."""
    x: float = 0.0
    """Of the centre, from the midline or from the landmark that the call adds."""
    y: float = 0.0
    """Of the centre, from the eyes or from the landmark that the call adds."""


class Hill(NamedTuple):
    """An area with a height, see `mound`; a hollow where the height is below 0."""

    height: float
    """At the centre, in the unit of what the hill is added to."""
    wide: float
    tall: float
    x: float = 0.0
    y: float = 0.0


class Band(NamedTuple):
    """The surroundings of a line, without sharp borders, see `ridge`."""

    wide: float
    """Radius, as of an `Area`."""
    at: float = 0.0
    """Of the line: the distance that `ridge` is given there."""


class Ridge(NamedTuple):
    """A band with a height; a furrow where the height is subtracted."""

    height: float
    """On the line, in the unit of what the ridge is added to."""
    wide: float
    at: float = 0.0


class Edge(NamedTuple):
    """A smooth rise from 0 to 1, see `step`."""

    at: float
    """Where the rise has reached a half."""
    width: float
    """From 0 to 1."""


def step(value: np.ndarray, edge: Edge, at: float = 0.0) -> np.ndarray:
    """A smooth rise from 0 to 1 over an edge, moved by `at`."""
    share = value * (1 / edge.width)
    share += 0.5 - (at + edge.at) / edge.width
    np.maximum(share, 0, out=share)
    np.minimum(share, 1, out=share)
    slow = 3 - 2 * share
    share *= share
    share *= slow
    return share


def bump(
    x: np.ndarray,
    y: np.ndarray,
    area: Area | Hill,
    right: float = 0.0,
    down: float = 0.0,
) -> np.ndarray:
    """1 at the centre of an area, which is moved by (right, down); 0 outside it."""
    square = x - (right + area.x)
    square *= 1 / area.wide
    square *= square
    along = y - (down + area.y)
    along *= 1 / area.tall
    along *= along
    return fall(square + along)


def mound(
    x: np.ndarray,
    y: np.ndarray,
    hill: Hill,
    amount: float = 1.0,
    right: float = 0.0,
    down: float = 0.0,
) -> np.ndarray:
    """`amount` times a hill, which is moved by (right, down)."""
    return hill.height * amount * bump(x, y, hill, right, down)


def ridge(distance: np.ndarray, band: Band | Ridge) -> np.ndarray:
    """1 on the line of a band, 0 outside it."""
    square = distance - band.at
    square *= 1 / band.wide
    square *= square
    return fall(square)


def fall(square: np.ndarray) -> np.ndarray:
    """(1 - r^2 / 4)^4 from r^2, in place: exp(-r^2) without an exponential."""
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
    fields["spots"] = np.clip(fields["spots"] - 1.6, 0, 1.5)  # few, apart
    return fields


def look_up(field: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """A periodic field at columns `across` and rows `down`."""
    return map_coordinates(field, [down, across], order=1, mode="grid-wrap")


def between(field: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """A field (256, 256) at columns and rows of at least 0: a faster `look_up`."""
    left, top = column.astype(np.int32), row.astype(np.int32)
    right, low = column - left, row - top
    left, top = left.astype(np.intp) & 255, top.astype(np.intp) & 255
    after, under = (left + 1) & 255, (top + 1) & 255
    high = field[top, left] * (1 - right) + field[top, after] * right
    return (
        high * (1 - low)
        + (field[under, left] * (1 - right) + field[under, after] * right) * low
    )


def mirrored(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the midline and side of it, -1..1, both smooth at the midline."""
    distance = np.sqrt(x * x + MIDLINE)
    return distance, x / distance


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle that holds a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


BAND = 65536  # pixels that are worked on at once; larger: temporary arrays leave caches


def bands(rows: int, columns: int) -> list[slice]:
    """Slices of rows for work on single pixels, with about `BAND` pixels in each."""
    tall = max(1, BAND // max(1, columns))
    return [slice(top, min(top + tall, rows)) for top in range(0, rows, tall)]


# A blur of more pixels is done at half the resolution, but not on a field with less
# deviations from side to side.
COARSEN, NARROW = 2.5, 4


def blur(field: np.ndarray, deviation: float, truncate: float) -> np.ndarray:
    """A Gaussian blur, `deviation` in pixels, whose time does not depend on it."""
    if deviation <= COARSEN or min(field.shape) < NARROW * deviation:
        return gaussian_filter(field, deviation, truncate=truncate)
    rows, columns = field.shape
    field = np.pad(field, ((0, rows % 2), (0, columns % 2)), mode="edge")
    half = field[::2, ::2] + field[1::2, ::2]
    half += field[::2, 1::2]
    half += field[1::2, 1::2]
    half *= 0.25
    # averages of four and linear values in between blur by one pixel themselves
    half = blur(half, math.sqrt(deviation * deviation - 1) / 2, truncate)
    tall = _doubled(half)
    return _doubled(tall.T).T[:rows, :columns]


def _doubled(field: np.ndarray) -> np.ndarray:
    """Two rows for each, linear between the middles of the rows."""
    fine = np.empty((2 * len(field), *field.shape[1:]), field.dtype)
    most, least = 0.75 * field, 0.25 * field
    np.add(most[1:], least[:-1], out=fine[2::2])
    np.add(most[:-1], least[1:], out=fine[1:-1:2])
    fine[0], fine[-1] = field[0], field[-1]
    return fine


def paint(colour: np.ndarray, share: np.ndarray, tint: Sequence) -> None:
    """Cover `share` (0..1) of each pixel with a colour, in place."""
    for layer, value in zip(colour, tint, strict=True):
        layer += share * (value - layer)
