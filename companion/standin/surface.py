"""A person's neutral head as maps: depth, colour, hair, outline.

The maps are drawn once for each person, at a density (values a unit) that fits the
picture; every picture looks them up.

1. shape: skull, face, nose and ears, see `companion.standin.relief`;
2. colour: skin, beard and brows, see `companion.standin.skin`;
3. hair: see `companion.standin.hair`; it lifts the depth and widens the outline.

Arrays are only added, multiplied and rooted, which gives the same bits on every
processor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from companion.standin.hair import grow
from companion.standin.person import Identity
from companion.standin.relief import draw_ear, draw_relief, draw_skull
from companion.standin.shapes import Edge, bands, look_up, noise, step
from companion.standin.skin import draw_brows, skin_colour

FIELDS = ("depth", "red", "green", "blue", "edge", "gloss", "hair", "flow_x", "flow_y")
RED = FIELDS.index("red")
Box = tuple[float, float, float, float]
"""Left, right, top and bottom of a map, units."""
HEAD = (-1.5, 1.5, -2.25, 1.9)  # left; right; top; bottom of the maps, at least
BELOW_HAIR = 0.25  # from the ends of long hair to the bottom


@dataclass(frozen=True)
class Maps:
    """Fields over a part of the plane."""

    values: np.ndarray  # float32 (rows * columns, len(FIELDS)), interleaved for speed
    rows: int
    columns: int
    left: float
    top: float
    density: int  # values a unit

    def sample(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """The fields at (x, y): each float32 of their shape, linear between values.

        `albedo` holds red, green and blue once more, as (3, *shape).
        """
        planes = np.empty((len(FIELDS), *x.shape), np.float32)
        for rows in bands(*x.shape):
            self._interpolate(x[rows], y[rows], planes[:, rows])
        fields = dict(zip(FIELDS, planes, strict=True))
        return fields | {"albedo": planes[RED : RED + 3]}

    def _interpolate(self, x: np.ndarray, y: np.ndarray, planes: np.ndarray) -> None:
        across = np.clip((x - self.left) * self.density, 0, self.columns - 1.01)
        down = np.clip((y - self.top) * self.density, 0, self.rows - 1.01)
        column, row = across.astype(np.int32), down.astype(np.int32)
        across -= column
        down -= row
        place = (row.astype(np.intp) * self.columns + column).ravel()
        across, down = across.reshape(-1, 1), down.reshape(-1, 1)
        high = self.values.take(place, axis=0, mode="clip")
        right = self.values.take(place + 1, axis=0, mode="clip")
        right -= high
        right *= across
        high += right
        place += self.columns
        low = self.values.take(place, axis=0, mode="clip")
        right = self.values.take(place + 1, axis=0, mode="clip")
        right -= low
        right *= across
        low += right
        low -= high
        low *= down
        high += low
        planes[:] = high.T.reshape(planes.shape)


# Noise of the skin.
PORES, BLOTCHES, COARSE = 130, 60, 17  # values a unit; larger: finer
PORES_DEEP, COARSE_DEEP, PORES_GLOSS = 0.0012, 0.0025, 0.12  # deviations; contrast
# Outlines, as distances inside them: ears show outside the face's, a little redder;
# hair covers whatever lies inside its own and outside both others.
FACE_ENDS, EAR_RED = Edge(-0.012, width=0.02), 0.06  # share added to red
HAIR_INSIDE = Edge(-0.045, width=0.01)
FACE_INSIDE, EAR_INSIDE = Edge(0.012, width=0.02), Edge(-0.005, width=0.01)


@lru_cache(maxsize=16)
def head_maps(identity: Identity, density: int) -> Maps:
    """The head at `density` values a unit."""
    left, right, top, bottom = HEAD
    box = (left, right, top, max(bottom, identity.hair_length + BELOW_HAIR))
    x, y = grid(box, density)
    s = np.abs(x)
    fields = noise(identity.texture)
    pores = look_up(fields["pores"], x * PORES, y * PORES)
    blotches = look_up(fields["blotches"], x * BLOTCHES + 31, y * BLOTCHES)
    coarse = look_up(fields["blotches"], x * COARSE, y * COARSE + 77)
    depth, edge = draw_skull(identity, x, y, 0.0)
    depth += draw_relief(identity, x, y, s) + PORES_DEEP * pores + COARSE_DEEP * coarse
    rgb, gloss = skin_colour(identity, x, y, s, pores, blotches, coarse)
    gloss *= 1 + PORES_GLOSS * pores
    ear, ear_depth, hollow = draw_ear(identity, s, y)
    face = step(edge, FACE_ENDS)
    depth = ear_depth + face * (depth - ear_depth)
    rgb *= 1 - (1 - face) * hollow
    rgb[0] *= 1 + EAR_RED * (1 - face)
    edge = np.maximum(edge, ear)
    gloss *= 1 - draw_brows(identity, rgb, density, box)
    # hair has a wider head of its own
    wide, around = draw_skull(identity, x, y, identity.hair_volume)
    hair = grow(identity, x, y, wide, around, density)
    past = step(hair["edge"], HAIR_INSIDE) * (1 - step(edge, FACE_INSIDE))
    past *= 1 - step(ear, EAR_INSIDE)
    cover = np.maximum(hair["cover"], past)
    depth += cover * (hair["depth"] - depth)
    for layer, tint in zip(rgb, hair["rgb"], strict=True):
        layer += cover * (tint - layer)
    edge = np.maximum(edge, hair["edge"])
    flow = [hair["flow_x"], hair["flow_y"]]
    return pack([depth, *rgb, edge, gloss * (1 - cover), cover, *flow], box, density)


def grid(box: Box, density: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the values of a map."""
    left, right, top, bottom = box
    columns, rows = int((right - left) * density), int((bottom - top) * density)
    x = np.arange(columns, dtype=np.float32) * (1 / density) + left
    y = np.arange(rows, dtype=np.float32) * (1 / density) + top
    return tuple(np.meshgrid(x, y))


def pack(fields: Sequence[np.ndarray], box: Box, density: int) -> Maps:
    """Maps of `FIELDS`, in that order."""
    rows, columns = fields[0].shape
    values = np.stack([field.ravel() for field in fields], axis=1).astype(np.float32)
    return Maps(values, rows, columns, box[0], box[2], density)
