"""A person's neck and shirt as maps, and the long hair that falls behind them."""

from functools import lru_cache

import numpy as np

from companion.standin.person import Identity
from companion.standin.shapes import (
    Area,
    Band,
    Edge,
    Hill,
    Ridge,
    bump,
    look_up,
    mound,
    noise,
    ridge,
    step,
)
from companion.standin.surface import Maps, grid, pack

BODY = (-2.1, 2.1, -0.25, 3.1)  # left; right; top; bottom of the maps
# Outline: half the neck's width, then the shoulders, which bend out and run flat.
NECK, NECK_Y, NECK_WIDENS = 0.62, 1.2, 0.05  # half-width; there; more a unit down
SHOULDER_Y, SHOULDER_SLOPE, SHOULDER_BEND = 1.66, 0.5, 0.75  # larger: wider
FLAT_Y, FLAT_SLOPE = 2.06, 2.6  # from there; more width a unit down
OUTLINE = 0.75  # share of the distance across that counts inside a slanted outline
# Depth of the neck: at its outline, and in its middle on top of that.
NECK_BACK, NECK_ROUND = -0.25, 0.62
NECK_BOXY = 0.4  # 0: sections are ellipses; larger: squarer
CHEST_FORWARD, CHEST_BELOW = 0.12, Edge(2.3, width=0.9)
# The two oblique muscles, from behind the ears to the notch of the breastbone.
MUSCLE, MUSCLE_MAN, MUSCLE_WOMAN = Band(wide=0.085), 0.048, 0.034  # heights
MUSCLE_X, MUSCLE_Y, MUSCLE_SLOPE = 0.075, 2.32, 0.40  # lower end; outwards a unit up
MUSCLE_BELOW, MUSCLE_ABOVE = Edge(1.55, width=0.9), Edge(-2.42, width=0.2)  # y; -y
NOTCH = Hill(-0.04, y=2.34, wide=0.08, tall=0.08)
LARYNX = Area(y=1.93, wide=0.10, tall=0.12)
LARYNX_MAN, LARYNX_WOMAN = 0.05, 0.015  # heights
COLLARBONE, COLLARBONE_FROM = Ridge(0.035, wide=0.05), Edge(0.22, width=0.2)  # x
COLLARBONE_Y, COLLARBONE_SLOPE = 2.30, 0.12  # at the midline; down a unit outwards
NECK_DARK, NECK_UNEVEN = 0.93, 0.03  # factor of the skin's colour; contrast
NECK_GLOSS = 0.35
# The shirt's edge: y beside the neck; a V as deep as `Identity.neckline`; a round cut;
# and its way over the shoulders.
SHIRT_Y, SHIRT_EDGE = 2.04, Edge(0.0, width=0.02)
V_WIDE, ROUND, ROUND_WIDE = 0.55, 0.12, 0.6  # half-width; depth; half-width
OVER_SHOULDER, OVER_SHOULDER_X = 0.15, 0.45  # up a unit outwards; from there
# Depth of the cloth: the chest under it, which falls off at the outline; how it hangs
# from the shirt's edge, with a rolled collar and folds.
CHEST, CHEST_BEND = 0.30, 0.06  # at the midline; larger: rounder
CHEST_FALLS, CHEST_FALLS_SOON = 0.35, 2.2  # at the outline; larger: nearer to it
HANGS_BELOW = Edge(0.22, width=0.5)  # below the shirt's edge
CLOTH, COLLAR = 0.04, Ridge(0.025, at=0.035, wide=0.04)  # `at` below the shirt's edge
FOLDS, FOLDS_BELOW = 0.012, Edge(0.15, width=0.3)  # below the shirt's edge
FOLDS_X, FOLDS_Y, FOLDS_SLANT = 26, 13, 20  # values of the noise a unit; larger: finer
SEAM = Ridge(0.35, at=0.085, wide=0.010)  # share of the light lost; below the edge
WEAVE, WEAVE_FINE = 0.035, 120  # contrast; values of the noise a unit
BLOTCHES = 40  # of the skin, values of the noise a unit
SHIRT_INSIDE, SHIRT_OUT = 0.3, 0.04  # share that makes an outline; outside the body's
# Long hair behind the neck: its lower ends, its sides, and how it widens from its top.
HAIR_ENDS, HAIR_RAGGED = 0.1, 0.03  # above `Identity.hair_length`; of the ends
HAIR_SIDE, HAIR_TOP, HAIR_WIDENS = 0.95, 0.1, 0.5  # half-widths of the face; y; a unit
HAIR_EDGE, HAIR_BESIDE = Edge(0.0, width=0.05), Edge(0.0, width=0.03)
HAIR_BACK, HAIR_DEEP = -0.35, 0.02  # depth; of strands
HAIR_DARK, HAIR_CONTRAST = 0.7, 0.3  # factor of the hair's colour; of strands
STRANDS_X, STRANDS_Y = 55, 14  # values of the noise a unit; larger: finer


@lru_cache(maxsize=16)
def body_maps(identity: Identity, density: int) -> Maps:
    """The body at `density` values a unit."""
    x, y = grid(BODY, density)
    s = np.abs(x)
    half = _half_width(identity, y)
    neck = _neck(identity, x, y, s, half)
    edge = (half - s) * OUTLINE
    inside = _below_neckline(identity, s, y)
    shirt = step(inside, SHIRT_EDGE)
    depth = neck + shirt * (_cloth(identity, x, y, s, half, neck, inside) - neck)
    rgb = _colours(identity, x, y, shirt, inside)
    gloss = NECK_GLOSS * (1 - shirt)
    sleeve = np.where(shirt > SHIRT_INSIDE, half + SHIRT_OUT - s, -1)
    edge = np.maximum(edge, sleeve)
    hair = np.zeros_like(x)
    if identity.hair_length > 0:
        field = noise(identity.texture)["strands"]
        strands = look_up(field, x * STRANDS_X, y * STRANDS_Y)
        back = identity.hair_length - HAIR_ENDS - y + HAIR_RAGGED * strands
        side = HAIR_SIDE * identity.width + identity.hair_volume - s
        back = np.minimum(np.minimum(back, side), HAIR_WIDENS * (y - HAIR_TOP))
        hair = step(back, HAIR_EDGE) * step(-edge, HAIR_BESIDE)
        depth = np.where(edge > 0, depth, HAIR_BACK + HAIR_DEEP * strands)
        edge = np.maximum(edge, back)
        for layer, tint in zip(rgb, identity.hair, strict=True):
            layer += hair * (HAIR_DARK * tint * (1 + HAIR_CONTRAST * strands) - layer)
    flow = [np.zeros_like(x), np.ones_like(x)]
    return pack([depth, *rgb, edge, gloss, hair, *flow], BODY, density)


def _half_width(identity: Identity, y) -> np.ndarray:
    below = np.maximum(y - SHOULDER_Y, 0)
    half = NECK * identity.neck + NECK_WIDENS * (y - NECK_Y)
    half = half + SHOULDER_BEND * below * below + SHOULDER_SLOPE * below
    half += FLAT_SLOPE * np.maximum(y - FLAT_Y, 0)
    return half


def _neck(identity: Identity, x, y, s, half) -> np.ndarray:
    """Depth of the neck, with its muscles, larynx and collarbones."""
    across = np.minimum(s / half, 1)
    square = across * across
    boxy = 1 - NECK_BOXY + NECK_BOXY * across * across
    neck = NECK_BACK + NECK_ROUND * np.sqrt(1 - square * boxy)
    neck += CHEST_FORWARD * step(y, CHEST_BELOW)
    muscle = ridge(s - (MUSCLE_X + MUSCLE_SLOPE * (MUSCLE_Y - y)), MUSCLE)
    muscle = muscle * step(y, MUSCLE_BELOW) * step(-y, MUSCLE_ABOVE)
    neck += (MUSCLE_MAN if identity.male else MUSCLE_WOMAN) * muscle
    neck += mound(x, y, NOTCH)
    neck += (LARYNX_MAN if identity.male else LARYNX_WOMAN) * bump(x, y, LARYNX)
    bone = ridge(y - COLLARBONE_Y - COLLARBONE_SLOPE * s, COLLARBONE)
    neck += COLLARBONE.height * bone * step(s, COLLARBONE_FROM)
    return neck


def _below_neckline(identity: Identity, s, y) -> np.ndarray:
    """Units below the shirt's upper edge."""
    edge = SHIRT_Y + identity.neckline * np.maximum(1 - s * (1 / V_WIDE), 0)
    edge += ROUND * (1 - np.minimum(s * (1 / ROUND_WIDE), 1))
    return y - edge + OVER_SHOULDER * np.maximum(s - OVER_SHOULDER_X, 0)


def _cloth(identity: Identity, x, y, s, half, neck, inside) -> np.ndarray:
    """Depth of the shirt."""
    away = 1 - np.clip((half - s) * CHEST_FALLS_SOON, 0, 1)
    chest = CHEST - CHEST_BEND * s * s - CHEST_FALLS * np.square(away)
    cloth = neck + step(inside, HANGS_BELOW) * (chest - neck)
    cloth += CLOTH + COLLAR.height * ridge(inside, COLLAR)
    field = noise(identity.texture)["blotches"]
    folds = look_up(field, x * FOLDS_X + FOLDS_SLANT * y, y * FOLDS_Y)
    cloth += FOLDS * folds * step(inside, FOLDS_BELOW)
    return cloth


def _colours(identity: Identity, x, y, shirt, inside) -> np.ndarray:
    """Linear light (3, height, width) of neck and shirt."""
    fields = noise(identity.texture)
    blotches = look_up(fields["blotches"], x * BLOTCHES, y * BLOTCHES + 9)
    weave = look_up(fields["pores"], x * WEAVE_FINE, y * WEAVE_FINE)
    seam = 1 - SEAM.height * ridge(inside, SEAM) + WEAVE * weave
    rgb = np.empty((3, *x.shape), np.float32)
    for layer, skin, cloth in zip(rgb, identity.skin, identity.shirt, strict=True):
        layer[:] = NECK_DARK * skin * (1 + NECK_UNEVEN * blotches)
        layer += shirt * (cloth * seam - layer)
    return rgb
