"""The mouth: lips as two rolls, their colour, the teeth and the dark behind them.

`arch` is 1 in the middle of the mouth and 0 at its corners.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from companion.standin.person import Identity
from companion.standin.shapes import (
    Area,
    Edge,
    Hill,
    Ridge,
    between,
    bump,
    mound,
    noise,
    paint,
    ridge,
    step,
)

# The line between the closed lips dips in its middle and rises on each side of it.
LINE_DIP = Ridge(0.011, wide=0.08)  # downwards
LINE_RISE = Ridge(0.008, at=0.16, wide=0.09)  # upwards; `at` from the midline
LINE_END = 1.3  # half-widths of the mouth from which on the line runs level


LINE_FLATTENED = 0.7  # share of dip and rises that a smile stretches flat


def lip_line(
    identity: Identity, pull: Mapping[str, float], x: np.ndarray
) -> np.ndarray:
    """y at which the closed lips meet; `Identity.corner_lift` raises the corners."""
    along = np.minimum(np.abs(x) / identity.mouth_x, LINE_END)
    dip, rise = ridge(x, LINE_DIP), ridge(np.abs(x), LINE_RISE)
    middle = LINE_DIP.height * dip - LINE_RISE.height * rise
    middle *= 1 - LINE_FLATTENED * min(pull["corner_out"], 1)
    return identity.mouth_y + middle - identity.corner_lift * along * along


class _Lips(NamedTuple):
    """Where each pixel lies on the lips."""

    thickness: float  # of both lips, as a factor of the mean person's
    square: np.ndarray  # 0 in the middle of the mouth, 1 at its corners
    arch: np.ndarray
    offset: np.ndarray  # below the line between the lips
    upper: np.ndarray  # height of the upper lip
    lower: np.ndarray  # height of the lower lip


def draw_mouth(
    identity: Identity,
    pull: Mapping[str, float],
    x: np.ndarray,
    y: np.ndarray,
    view: Mapping[str, np.ndarray],
) -> None:
    """Step 4: the mouth added to the fields of `view`, in place."""
    lips = _lips(identity, pull, x, y)
    cut = _lip_depth(identity, pull, x, lips, view["depth"])
    _lip_colour(identity, x, y, lips, view)
    view["crease"] += CUT_DARK * cut * (1 - view["inside"])
    if view["inside"].any():
        _draw_teeth(identity, pull, x, lips, view)


# Height of each lip in the middle of the mouth. FACS: AU12 and AU14 stretch the lips
# thin; AU17 pushes the lower lip up, over a part of the upper one.
THINNED_BY_AU12, THINNED_BY_AU14 = 0.36, 0.55  # share
THINNEST = 0.25  # factor of the mean thickness
UPPER_LIP = 0.100
UPPER_LIP_PARTS = (0.45, 0.55)  # shares that follow `arch`; its square
UPPER_LIP_COVERED = 0.25  # share, by AU17
LOWER_LIP, LOWER_LIP_FULL = 0.122, 0.65  # larger: thicker towards the corners
LOWER_LIP_FROM_AU17, LOWER_LIP_LOST_TO_AU10 = 0.12, 0.20  # share
NO_LIP = 1e-4  # keeps divisions finite beside the mouth
# Cupid's bow, shares of the upper lip: a notch in its middle and two peaks beside it.
NOTCH, NOTCH_LOST_TO_AU12 = Ridge(0.20, wide=0.055), 0.6  # share
PEAK = Ridge(0.06, at=0.085, wide=0.06)  # `at` from the midline


def _lips(identity: Identity, pull, x, y) -> _Lips:
    au12, au14, au17 = pull["au12"], pull["au14"], pull["au17"]
    thickness = identity.lips * (1 - THINNED_BY_AU12 * au12 - THINNED_BY_AU14 * au14)
    thickness = max(thickness, THINNEST)
    square = (x * x) * (1 / identity.mouth_x**2)
    arch = np.clip(1 - square, 0, 1)
    notch = NOTCH.height * (1 - NOTCH_LOST_TO_AU12 * min(au12, 1))
    bow = 1 - notch * ridge(x, NOTCH) + PEAK.height * ridge(np.abs(x), PEAK)
    flat, rounded = UPPER_LIP_PARTS
    form = flat * arch + rounded * arch * arch
    upper = UPPER_LIP * thickness * identity.lip_balance * form * bow + NO_LIP
    upper *= 1 - UPPER_LIP_COVERED * au17
    lower = LOWER_LIP * thickness * (2 - identity.lip_balance) * arch
    lower = lower * (1 + LOWER_LIP_FULL * square) + NO_LIP
    lower *= 1 + LOWER_LIP_FROM_AU17 * au17 - LOWER_LIP_LOST_TO_AU10 * pull["lip_lift"]
    return _Lips(thickness, square, arch, y - lip_line(identity, pull, x), upper, lower)


# How far the lips stand out. `at` and `wide` of a roll are in heights of its lip.
UPPER_ROLL = Ridge(0.036, at=-0.45, wide=0.62)
LOWER_ROLL = Ridge(0.046, at=0.42, wide=0.66)
LOWER_ROLL_AU17 = 0.03  # FACS: the lower lip may protrude
ROLL_LEAST, ROLL_BY_THICKNESS, ROLL_MOST = 0.55, 0.45, 1.3  # factor of both rolls
ROLL_ENDS = Edge(0.10, width=0.2)  # in `arch`
RIM = Ridge(0.008, at=-0.012, wide=0.018)  # `at` below the upper edge of the upper lip
CUT = Ridge(0.03, wide=0.017)  # the groove between the closed lips
CUT_ENDS, CUT_DARK = Edge(0.06, width=0.12), 0.75  # in `arch`; darkness, 0..1
CORNER_HOLLOW = Hill(-0.03, x=0.01, wide=0.05, tall=0.05)  # x from the corner


def _lip_depth(identity: Identity, pull, x, lips: _Lips, depth) -> np.ndarray:
    """The lips added to the depth, in place; returns the groove between them, 0..1."""
    fade = step(lips.arch, ROLL_ENDS)
    full = min(ROLL_MOST, ROLL_LEAST + ROLL_BY_THICKNESS * lips.thickness)
    lower = LOWER_ROLL.height * full + LOWER_ROLL_AU17 * pull["au17"]
    upper = UPPER_ROLL.height * full
    depth += upper * fade * ridge(lips.offset / lips.upper, UPPER_ROLL)
    depth += lower * fade * ridge(lips.offset / lips.lower, LOWER_ROLL)
    depth += RIM.height * fade * ridge(lips.offset + lips.upper, RIM)
    cut = ridge(lips.offset, CUT) * step(lips.arch, CUT_ENDS)
    depth -= CUT.height * cut
    depth += mound(np.abs(x), lips.offset, CORNER_HOLLOW, right=identity.mouth_x)
    return cut


# The borders of the red: distance inside the upper edge, inside the lower one; `arch`.
RED_TOP, RED_BOTTOM = Edge(0.008, width=0.040), Edge(0.006, width=0.058)
RED_ENDS = Edge(0.08, width=0.16)
RED_MAN, RED_WOMAN = 0.72, 0.88  # share of the skin's colour that the red covers
# Red, green and blue as shares of the skin's, and what is added to them. Redness mixes
# the shares in: RED_LEAST + RED_BY_REDNESS * `Identity.redness`.
RED, RED_ADDED = (0.84, 0.44, 0.47), (0.028, 0.0, 0.004)
RED_LEAST, RED_BY_REDNESS = 0.6, 0.5
# Fine lines in the lips.
LINES_X, LINES_Y = 60, 90  # values of the noise a unit; larger: finer
LINES_DEEP, LINES_CONTRAST = 0.0022, 0.012
LIP_GLOSS, LINES_GLOSS = 0.25, 0.2  # larger: wetter
INNER_DARK = Ridge(0.22, wide=0.045)  # share of the light lost near the groove
UPPER_DARK, UPPER_DARK_FROM = 0.10, Edge(0.0, width=0.02)  # share; above the line


def _lip_colour(identity: Identity, x, y, lips: _Lips, view: dict) -> None:
    """Colour, gloss and fine lines of the lips, in place."""
    colour, offset = view["albedo"], lips.offset
    red = step(offset + lips.upper, RED_TOP) * step(lips.lower - offset, RED_BOTTOM)
    red = red * step(lips.arch, RED_ENDS)
    field = noise(identity.texture)["strands"]
    lines = between(field, x * LINES_X + 512, y * LINES_Y + 512)
    view["depth"] += LINES_DEEP * lines * red
    warm = RED_LEAST + RED_BY_REDNESS * identity.redness
    tint = [
        skin * (1 - (1 - share) * warm) + more + LINES_CONTRAST * lines * skin
        for skin, share, more in zip(identity.skin, RED, RED_ADDED, strict=True)
    ]
    paint(colour, (RED_MAN if identity.male else RED_WOMAN) * red, tint)
    inner = red * ridge(offset, INNER_DARK)
    above = step(-offset, UPPER_DARK_FROM)
    colour *= 1 - INNER_DARK.height * inner - UPPER_DARK * red * above
    view["gloss"] += (LIP_GLOSS + LINES_GLOSS * lines) * red


# The upper teeth end below the line of the lips, in a curve.
TEETH_Y, TEETH_CURVE = 0.036, -0.05  # in the middle; larger: lower at the sides
TEETH_BOTTOM = Edge(0.0, width=0.02)  # upwards from that curve
TEETH_ASIDE = 0.02  # from the corner of the mouth outwards
TEETH_ENDS = Edge(0.10, width=0.2)  # inwards from there
TOOTH = 0.118  # width; CHAMFER_WIDE and GAP are in teeth
CHAMFER_WIDE = 0.16  # of each rounded corner of a tooth; its height is the product
CHAMFER, CHAMFER_STEEP = 0.012, 3.5  # of all three numbers
GAP = Ridge(0.45, wide=0.05)  # share of the light that is lost between teeth
TEETH_COLOUR, TEETH_COVER, TEETH_GLOSS = (0.60, 0.54, 0.44), 0.95, 1.2
SIDE_DARK, SIDE_LEAST = 0.9, 0.25  # light lost at the corners of the mouth; least light
LIP_SHADE = Edge(-0.06, width=0.09)  # y from the lips' line: the upper lip's shadow
LIP_SHADE_LEAST, LIP_SHADE_MORE = 0.55, 0.45  # light above that edge; more below it
# The dark behind the teeth, and the tongue in it.
DARK = (0.028, 0.008, 0.008)
TONGUE, TONGUE_ADDS = Area(y=0.17, wide=0.26, tall=0.09), (0.14, 0.035, 0.03)
DARK_DEEP, TEETH_FORWARD = 0.10, 0.07  # behind the lips; before the dark


def _draw_teeth(identity: Identity, pull, x, lips: _Lips, view: dict) -> None:
    """What shows between parted lips, in place."""
    mouth_x, mouth_y = identity.mouth_x, identity.mouth_y
    colour, inside, v = view["albedo"], view["inside"], view["v"]
    edge = mouth_y + TEETH_Y + TEETH_CURVE * x * x
    place = view["u"] * (1 / TOOTH)
    place = np.abs(place - np.rint(place))  # 0 in the gap, 0.5 in a tooth's middle
    corner = np.clip(CHAMFER_WIDE - place, 0, CHAMFER_WIDE)
    edge = edge - CHAMFER * corner * CHAMFER_STEEP
    teeth = step(edge - v, TEETH_BOTTOM)
    teeth = teeth * step(mouth_x + TEETH_ASIDE - np.abs(x), TEETH_ENDS)
    light = np.clip(1 - SIDE_DARK * lips.square, SIDE_LEAST, 1)
    below = step(v, LIP_SHADE, mouth_y)
    light = light * (LIP_SHADE_LEAST + LIP_SHADE_MORE * below)
    gap = 1 - GAP.height * ridge(place, GAP)
    tongue = bump(x, v, TONGUE, down=mouth_y)
    paint(colour, inside, [a + b * tongue for a, b in zip(DARK, TONGUE_ADDS)])
    tint = [value * light * gap for value in TEETH_COLOUR]
    paint(colour, TEETH_COVER * inside * teeth, tint)
    view["depth"] -= inside * (DARK_DEEP - TEETH_FORWARD * teeth)
    view["gloss"] += inside * (TEETH_GLOSS * teeth - view["gloss"])
