"""The eyes: lids that AU6, AU45 and others move, ball, iris, pupil and lashes.

Within an eye, `place` is -1 at its inner corner, 0 in its middle and 1 at its outer
corner; `arch` is 1 in its middle and 0 at both corners. x points away from the midline.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from companion.standin.person import Identity
from companion.standin.shapes import (
    Band,
    Edge,
    Hill,
    Ridge,
    between,
    bump,
    mirrored,
    mound,
    noise,
    paint,
    ridge,
    step,
)


class _Eye(NamedTuple):
    """Where each pixel lies on an eye."""

    side: np.ndarray  # -1 for the eye on the left of the picture, 1 on the right
    across: np.ndarray  # x from the middle of the eye
    down: np.ndarray  # y from the line through both corners
    place: np.ndarray
    arch: np.ndarray
    curve: np.ndarray  # of the upper lid: 1 in its middle, 0 at the corners
    below_upper: np.ndarray  # distance below the rim of the upper lid
    above_lower: np.ndarray  # distance above the rim of the lower lid
    ball: np.ndarray  # share of a pixel that shows the ball


def draw_eyes(
    identity: Identity,
    pull: Mapping[str, float],
    x: np.ndarray,
    y: np.ndarray,
    view: Mapping[str, np.ndarray],
    scale: float,
) -> None:
    """Step 4: both eyes added to the fields of `view`, in place."""
    eye = _opening(identity, pull, x, y, scale)
    _lids(identity, pull, eye, view)
    view["gloss"] *= 1 - eye.ball
    _ball(identity, eye, view["albedo"])
    iris_x, iris_y = _iris(identity, pull, eye, scale, view["albedo"])
    _rims_and_lashes(identity, pull, eye, view["albedo"])
    _glint(identity, eye, iris_x, iris_y, view["albedo"])


# The open eye where `Identity.eye_size` is 1.
HALF_WIDTH = 0.210
UPPER_LID, LOWER_LID = 0.077, 0.069  # of the rims, from the line through the corners
LID_FULL = 0.14  # larger: rounder lids
LID_LEAN = 0.14  # larger: upper lid higher inwards, lower lid lower outwards
# AU6. FACS: the eye narrows, from below more than from above; it never closes as with
# AU43. AU12 raises the lower lid a little as well.
LOWER_UP_AU6, LOWER_UP_AU12 = 0.055, 0.008
UPPER_DOWN_AU6 = 0.11  # share of its height
MOST_SQUEEZED = 1.06  # pull of AU6 from which on the lids stay; larger: narrower
# AU45, blink: the upper lid comes down to the lower one.
BLINK = 1.04  # share of the opening; larger than 1: lids overlap
SHUT = Edge(0.9, width=0.2)  # blink that hides the ball wholly
CORNERS = 0.12  # over which `arch` changes by about 1 at the corners


def _opening(identity: Identity, pull, x, y, scale: float) -> _Eye:
    s, side = mirrored(x)
    across = s - identity.eye_x
    down = y - identity.eye_tilt * across
    size = identity.eye_size
    place = across * (1 / (HALF_WIDTH * size))
    arch = 1 - place * place
    wide = np.maximum(arch, 0)
    wide = wide * (1 + LID_FULL - LID_FULL * wide)
    squeeze = np.minimum(pull["au6"] * identity.gain(6, side), MOST_SQUEEZED)
    low = LOWER_LID - LOWER_UP_AU6 * squeeze - LOWER_UP_AU12 * pull["au12"]
    low = size * low
    high = UPPER_LID * size * (1 - UPPER_DOWN_AU6 * squeeze)
    high = high - (high + low) * (BLINK * pull["blink"])
    upper, lower = wide * (1 - LID_LEAN * place), wide * (1 + LID_LEAN * place)
    below_upper, above_lower = down + high * upper, low * lower - down
    ball = np.clip(np.minimum(below_upper, above_lower) * scale + 0.5, 0, 1)
    ball *= np.clip(arch * (scale * CORNERS) + 0.5, 0, 1) * (arch > 0)
    ball *= 1 - step(np.full_like(ball, pull["blink"]), SHUT)
    return _Eye(side, across, down, place, arch, upper, below_upper, above_lower, ball)


# The fold of the upper lid runs above its open rim.
FOLD = Ridge(0.030, wide=0.020)
FOLD_ABOVE, FOLD_ABOVE_BY_LID, LEAST_LID = 0.030, 0.030, 0.1  # with `Identity.lid`
FOLD_DEEP, FOLD_DEEP_BY_LID = 0.45, 0.5  # factor of the depth; with `Identity.lid`
FOLD_UP_AU4, FOLD_DOWN_AU1 = 0.02, 0.01  # on the skin, which moves the other way
FOLD_LOST_TO_BLINK = 0.5  # share
FOLD_DARK, FOLD_ENDS = 0.65, Edge(-0.20, width=0.55)  # darkness, 0..1; in `arch`
ABOVE_FOLD = Ridge(0.022, at=-0.05, wide=0.045)  # the skin over the fold
# The lower lid, `at` above its rim: its thickness, and the furrow below it.
LOWER_RIM, LOWER_RIM_ENDS = Ridge(0.014, at=-0.026, wide=0.026), Edge(-0.05, width=0.3)
BELOW_RIM, BELOW_RIM_ENDS = Ridge(0.008, at=-0.085, wide=0.030), Edge(-0.10, width=0.4)
BALL_DEEP = 0.030  # behind the lids


def _lids(identity: Identity, pull, eye: _Eye, view: dict) -> None:
    depth, lid = view["depth"], identity.lid
    fold = eye.down + UPPER_LID * identity.eye_size * eye.curve
    fold = fold + FOLD_ABOVE + FOLD_ABOVE_BY_LID * max(lid, LEAST_LID)
    fold += FOLD_UP_AU4 * pull["brow_lower"] - FOLD_DOWN_AU1 * pull["brow_raise_inner"]
    deep = min(1.0, FOLD_DEEP + FOLD_DEEP_BY_LID * lid)
    fade = step(eye.arch, FOLD_ENDS)
    groove = ridge(fold, FOLD) * fade * (1 - FOLD_LOST_TO_BLINK * pull["blink"])
    depth -= FOLD.height * deep * groove
    depth += ABOVE_FOLD.height * ridge(fold, ABOVE_FOLD) * fade
    view["crease"] += FOLD_DARK * deep * groove
    rim = ridge(eye.above_lower, LOWER_RIM) * step(eye.arch, LOWER_RIM_ENDS)
    depth += LOWER_RIM.height * rim - BALL_DEEP * eye.ball
    below = ridge(eye.above_lower, BELOW_RIM) * step(eye.arch, BELOW_RIM_ENDS)
    depth -= BELOW_RIM.height * below


# The white of the eye is grey below the upper lid and towards the corners, and reddish
# at the inner corner. A `Hill` on the ball counts x and `wide` in `place`.
WHITE = (0.37, 0.345, 0.33)
WHITE_ABOVE = Ridge(0.50, wide=0.065)  # share of the light that is lost
WHITE_ASIDE, WHITE_ASIDE_FROM = 0.38, 0.45  # share lost a unit of `place`; from here on
WHITE_RED = Hill(0.05, x=-0.95, y=0.01, wide=0.35, tall=0.06)  # added to red
# The caruncle, the pink flesh in the inner corner: its colour, as a share of the skin's
# and what is added to it.
CARUNCLE = Hill(0.8, x=-0.97, y=0.008, wide=0.13, tall=0.035)  # share that it covers
CARUNCLE_SKIN, CARUNCLE_ADDED = (0.42, 0.15, 0.12), (0.12, 0.10, 0.10)


def _ball(identity: Identity, eye: _Eye, colour: np.ndarray) -> None:
    aside = np.clip(np.abs(eye.place) - WHITE_ASIDE_FROM, 0, 1)
    above = ridge(eye.below_upper, WHITE_ABOVE)
    light = 1 - WHITE_ABOVE.height * above - WHITE_ASIDE * aside
    red, green, blue = (value * light for value in WHITE)
    red = red + mound(eye.place, eye.down, WHITE_RED)
    paint(colour, eye.ball, (red, green, blue))
    caruncle = bump(eye.place, eye.down, CARUNCLE) * eye.ball
    pink = _from_skin(identity, CARUNCLE_SKIN, CARUNCLE_ADDED)
    paint(colour, CARUNCLE.height * caruncle, pink)


# Iris and pupil.
IRIS, PUPIL = 0.084, 0.034  # radii
IRIS_X, IRIS_Y = -0.006, -0.004  # of the middle, when the eyes look ahead
GAZE_X, GAZE_Y = 0.060, 0.035  # how far a gaze of 1 moves it
IRIS_SHARP, PUPIL_SHARP = 0.75, 0.8  # of the borders; at 1 they are one pixel wide
SPOKES, SPOKES_A_UNIT = 0.16, 130  # contrast; values of the noise a unit
# The light comes from above, so the lower half of the iris is brighter.
IRIS_LIGHT, IRIS_LIGHT_VARIES = 0.75, 0.9  # factors: in its middle; of the next line
IRIS_LIGHT_BY_Y, IRIS_LIGHT_RANGE = 6, (-0.4, 0.5)  # a unit down; its limits
LIMBUS = Ridge(0.60, at=IRIS, wide=0.022)  # dark ring: share of the light that is lost
IRIS_ABOVE = Ridge(0.55, wide=0.055)  # the same, below the upper lid
PUPIL_COLOUR = (0.004, 0.004, 0.004)


def _iris(identity: Identity, pull, eye: _Eye, scale: float, colour: np.ndarray):
    """Iris and pupil drawn in place; returns x and y from their middle."""
    x = eye.across * eye.side - GAZE_X * pull["gaze_x"] - IRIS_X * eye.side
    y = eye.down - IRIS_Y - GAZE_Y * pull["gaze_y"]
    radius = np.sqrt(x * x + y * y)
    iris = np.clip((IRIS - radius) * (IRIS_SHARP * scale) + 0.5, 0, 1) * eye.ball
    field = noise(identity.texture)["pores"]
    spokes = between(field, x * SPOKES_A_UNIT + 512, y * SPOKES_A_UNIT + 512)
    below = np.clip(y * IRIS_LIGHT_BY_Y, *IRIS_LIGHT_RANGE)
    light = (IRIS_LIGHT + IRIS_LIGHT_VARIES * below) * (1 + SPOKES * spokes)
    ring = 1 - LIMBUS.height * ridge(radius, LIMBUS)
    light *= ring * (1 - IRIS_ABOVE.height * ridge(eye.below_upper, IRIS_ABOVE))
    paint(colour, iris, [value * light for value in identity.iris])
    pupil = np.clip((PUPIL - radius) * (PUPIL_SHARP * scale) + 0.5, 0, 1) * iris
    paint(colour, pupil, PUPIL_COLOUR)
    return x, y


# The wet rim of the lower lid; its colour as of the caruncle; `arch` where it ends.
WET = Ridge(0.40, at=0.004, wide=0.010)  # share that it covers; `at` above the lid
WET_SKIN, WET_ADDED, WET_ENDS = (0.55, 0.5, 0.5), (0.16, 0.10, 0.10), Edge(0.05, 0.25)
# Lashes of the upper lid, more of them towards the outer corner, and of the lower lid:
# share that they cover, `at` below the upper and above the lower rim.
LASH_DARK, LASH_DARK_BY_PERSON, LASH_MOST = 0.30, 0.42, 0.90  # factors; largest share
UPPER_LASH, UPPER_LASH_ENDS = Band(at=0.006, wide=0.019), Edge(0.0, width=0.22)
OUTER_LASH, OUTER_LASH_ENDS = Ridge(0.5, at=-0.016, wide=0.020), Edge(0.0, width=0.25)
OUTER_LASH_FROM = Edge(0.1, width=0.9)  # in `place`
LOWER_LASH, LOWER_LASH_ENDS = Ridge(0.26, at=-0.010, wide=0.013), Edge(0.05, width=0.2)
LASH_COLOUR = (0.016, 0.011, 0.009)


def _rims_and_lashes(identity: Identity, pull, eye: _Eye, colour: np.ndarray) -> None:
    arch, above, below = eye.arch, eye.above_lower, eye.below_upper
    wet = ridge(above, WET) * step(arch, WET_ENDS) * (1 - pull["blink"])
    paint(colour, WET.height * wet, _from_skin(identity, WET_SKIN, WET_ADDED))
    dark = min(1.0, LASH_DARK + LASH_DARK_BY_PERSON * identity.lashes)
    upper = ridge(below, UPPER_LASH) * step(arch, UPPER_LASH_ENDS)
    outer = OUTER_LASH.height * ridge(below, OUTER_LASH) * step(arch, OUTER_LASH_ENDS)
    upper += outer * step(eye.place, OUTER_LASH_FROM)
    lower = LOWER_LASH.height * dark * ridge(above, LOWER_LASH)
    lash = dark * upper + lower * step(arch, LOWER_LASH_ENDS)
    paint(colour, np.minimum(lash, LASH_MOST), LASH_COLOUR)


def _from_skin(identity: Identity, share, added) -> list[float]:
    """A colour made of a share of the skin's and what is added to it."""
    return [s * skin + more for skin, s, more in zip(identity.skin, share, added)]


# The lamp's reflection on the ball, above the iris's middle and on the lamp's side.
GLINT = Hill(0.75, y=-0.030, wide=0.013, tall=0.013)  # share that it covers
GLINT_ASIDE = 0.06  # x where the lamp stands at a right angle
GLINT_BRIGHT = 1.3  # factor before the share is cut at 1; larger: larger glint
GLINT_BELOW_LID = Edge(0.015, width=0.02)


def _glint(identity: Identity, eye: _Eye, x, y, colour: np.ndarray) -> None:
    glint = bump(x, y, GLINT, right=GLINT_ASIDE * math.sin(identity.lamp))
    glint *= eye.ball * step(eye.below_upper, GLINT_BELOW_LID)
    share = GLINT.height * np.minimum(GLINT_BRIGHT * glint, 1)
    paint(colour, share, (1.0, 1.0, 1.0))
