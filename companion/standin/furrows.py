"""Hills and furrows that the Action Units raise and press into the skin.

They are true hollows of the depth map, so that light falls on them. Heights are those
of full intensity, level 5 on a face of mean strength; larger heights make higher hills
and deeper furrows. A slope is units outwards a unit down, or down a unit outwards; a
bend above 0 turns the ends of a line outwards or down. The comments paraphrase FACS,
see `companion.standin.muscles`.
"""

import math
from collections.abc import Mapping

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
    ridge,
    step,
    window,
)


def draw_furrows(
    identity: Identity,
    pull: Mapping[str, float],
    x: np.ndarray,
    y: np.ndarray,
    view: Mapping[str, np.ndarray],
) -> None:
    """Step 4: hills and furrows added to the fields of `view`, in place."""
    s, side = mirrored(x)
    depth, hair = view["depth"], view["hair"]
    before = depth.copy()
    _cheeks(identity, pull, s, y, side, depth)
    _nasolabial_fold(identity, pull, s, y, side, view)
    _dimple(identity, pull, s, y, side, view)
    _around_eyes(identity, pull, s, y, side, view)
    _chin(identity, pull, x, y, side, view)
    _forehead(identity, pull, x, s, y, view)
    np.clip(view["crease"], 0, MOST_CREASED, out=view["crease"])
    view["crease"] *= 1 - hair
    depth += hair * (before - depth)


# Every furrow is a dark groove between two soft walls.
WALL, WALL_WIDE = 0.35, 2.6  # factors: of the groove's depth; of its radius
DARKNESS, DARKEST = 9, 0.75  # darkness a unit of depth; its limit, 0..1
MOST_CREASED = 0.9  # darkness where furrows cross, 0..1


def _press(view, distance, furrow: Ridge, amount, dark: float = 1.0) -> None:
    """A furrow of depth `amount` where the distance is 0, in place.

    `dark` is a factor of its darkness; smaller ones leave more to the light.
    """
    groove = ridge(distance, furrow)
    wall = ridge(distance, Band(wide=WALL_WIDE * furrow.wide))
    view["depth"] -= amount * (groove - WALL * wall)
    view["crease"] += np.minimum(amount * DARKNESS, DARKEST) * dark * groove


# FACS: the cheeks bunch up, below the eyes with AU6, beside the mouth with AU12, beside
# the nose with AU10.
CHEEK_AU12 = Hill(0.19, x=0.58, y=0.52, wide=0.20, tall=0.20)
CHEEK_AU10 = Hill(0.060, x=0.46, y=0.44, wide=0.15, tall=0.17)


def _cheeks(identity: Identity, pull, s, y, side, depth) -> None:
    depth += mound(s, y, CHEEK_AU12, pull["au12"]) * identity.gain(12, side)
    depth += mound(s, y, CHEEK_AU10, pull["au10"]) * identity.gain(10, side)


# The nasolabial fold runs from the wing of the nose to beside the corner of the mouth.
# FACS: AU10 deepens its upper part, AU12 all of it; the cheek stands over it.
FOLD, FOLD_DARK = Band(wide=0.046), 1.0  # factor of its darkness
FOLD_TOP = -0.16  # y from the base of the nose
FOLD_X, FOLD_SLOPE = 0.265, 0.48  # at its top
FOLD_STRAIGHT, FOLD_BEND = 0.72, 0.33  # share of the slope at its top; more a unit down
FOLD_REST, FOLD_BY_PERSON = 0.008, 0.028  # depth of the neutral fold; by `fold`
FOLD_AU10 = Ridge(0.105, at=0.12, wide=0.17)  # `at` from the top down
FOLD_AU12 = Ridge(0.055, at=-0.10, wide=0.24)  # `at` from the lips' line down
FOLD_CHEEK = Ridge(0.6, at=0.19, wide=0.15)  # factor of the depth; `at` outwards


def _nasolabial_fold(identity: Identity, pull, s, y, side, view) -> None:
    below = y - (identity.nose_y + FOLD_TOP)
    across = FOLD_SLOPE * below * (FOLD_STRAIGHT + FOLD_BEND * below)
    fold = s - (FOLD_X + across)
    high, low = ridge(below, FOLD_AU10), ridge(y - identity.mouth_y, FOLD_AU12)
    amount = (FOLD_REST + FOLD_BY_PERSON * identity.fold) * low
    amount += FOLD_AU10.height * pull["fold_high"] * high * identity.gain(10, side)
    amount += FOLD_AU12.height * pull["fold_low"] * low * identity.gain(12, side)
    view["depth"] += FOLD_CHEEK.height * amount * ridge(fold, FOLD_CHEEK)
    _press(view, fold, FOLD, amount, FOLD_DARK)


# AU14, dimpler. FACS: a wrinkle or dimple beside the corner of the mouth, with bulges
# around it. All x and y are from that corner.
DIMPLE, DIMPLE_DARK = Ridge(0.095, wide=0.050), 0.40  # factor of its darkness
DIMPLE_X, DIMPLE_Y = 0.080, -0.02  # of its outermost point
DIMPLE_BEND = -2.4
DIMPLE_TALL = Band(at=0.005, wide=0.125)
PIT_DARK = 0.25  # darkness, 0..1
PIT = Hill(-0.09, x=0.045, y=-0.005, wide=0.065, tall=0.055)  # the corner drawn inwards
DIMPLE_BULGE = Hill(0.18, x=0.20, y=0.00, wide=0.125, tall=0.165)
KNOT_BELOW = Hill(0.042, x=-0.02, y=0.075, wide=0.12, tall=0.06)  # tightened muscle
KNOT_ABOVE = Hill(0.036, x=-0.02, y=-0.080, wide=0.12, tall=0.06)


def _dimple(identity: Identity, pull, s, y, side, view) -> None:
    mouth_x, mouth_y, dimple = identity.mouth_x, identity.mouth_y, pull["dimple"]
    if dimple == 0:
        return
    down = y - mouth_y - DIMPLE_Y
    bow = s - (mouth_x + DIMPLE_X + DIMPLE_BEND * down * down)
    tall = ridge(y - mouth_y, DIMPLE_TALL)
    shown = dimple * identity.gain(14, side)
    _press(view, bow, DIMPLE, DIMPLE.height * shown * tall, DIMPLE_DARK)
    pit = bump(s, y, PIT, mouth_x, mouth_y) * shown
    view["depth"] += PIT.height * pit
    view["crease"] += PIT_DARK * pit
    for hill in (DIMPLE_BULGE, KNOT_BELOW, KNOT_ABOVE):
        view["depth"] += mound(s, y, hill, 1.0, mouth_x, mouth_y) * shown


# AU6, cheek raiser. FACS: the cheek is raised and bulges below the eye; the skin in
# between bags and wrinkles; crow's feet form beside the eye. What is below the eye
# curves round it: its y are below an arc, its x from the pupil outwards.
ARC_Y, ARC_SLOPE, ARC_BEND = 0.140, 0.03, -0.85
# The cheek's top is steep towards the eye and runs out gently towards the mouth.
CHEEK_AU6 = Hill(0.105, x=0.07, y=0.145, wide=0.31, tall=0.115)
CHEEK_AU6_BELOW = 0.33  # its `tall` below the top
BAG = Hill(0.026, x=-0.02, y=-0.045, wide=0.20, tall=0.045)  # under the lower lid
# Two furrows, the first below the bag, the second on the cheek's upper slope.
LID_FURROW, LID_FURROW_BY_AGE = Ridge(0.042, wide=0.022), 0.006  # neutral depth, age 1
LID_FURROW_SPAN = Band(at=-0.02, wide=0.25)
SECOND_FURROW, SECOND_SPAN = (
    Ridge(0.020, at=0.058, wide=0.020),
    Band(at=-0.06, wide=0.20),
)
# Crow's feet run out from a point beside the eye, one line for each slope and bend.
FEET, FEET_BY_WRINKLES = Ridge(0.046, wide=0.017), 0.005  # neutral depth, wrinkles 1
FEET_X, FEET_Y = 0.205, -0.02  # from the pupil; from the eyes
FEET_BEGIN, FEET_LONG = Edge(0.035, width=0.06), 0.22  # outwards from there
FEET_END = Edge(0.0, width=0.14)  # inwards from FEET_LONG
FEET_LINES = ((-0.75, 0.8), (-0.22, 0.5), (0.22, 0.3), (0.70, -0.2))
# Rows that these change, y from the eyes; larger is slower.
EYES_ROWS, FEET_ROWS = (-0.15, 0.96), (-0.35, 0.35)


def _around_eyes(identity: Identity, pull, s, y, side, view) -> None:
    x = s - identity.eye_x
    part = window((y > EYES_ROWS[0]) & (y < EYES_ROWS[1]))
    _below_eyes(identity, pull, x[part], y[part], side[part], _part(view, part))
    part = window((y > FEET_ROWS[0]) & (y < FEET_ROWS[1]) & (x > FEET_X))
    _crows_feet(identity, pull, x[part], y[part], side[part], _part(view, part))


def _part(view, part: tuple[slice, slice]) -> dict[str, np.ndarray]:
    """The fields that furrows change, in a part of the rows and columns."""
    return {name: view[name][part] for name in ("depth", "crease")}


def _below_eyes(identity: Identity, pull, x, y, side, view) -> None:
    """The cheek, the bag and the two furrows of AU6."""
    below = y - ARC_Y - ARC_SLOPE * x - ARC_BEND * x * x
    au6 = pull["au6"] * identity.gain(6, side)
    cheek = bump(x, below, CHEEK_AU6)
    gentle = bump(x, below, CHEEK_AU6._replace(tall=CHEEK_AU6_BELOW))
    cheek = np.where(below > CHEEK_AU6.y, gentle, cheek)
    view["depth"] += au6 * (CHEEK_AU6.height * cheek + mound(x, below, BAG))
    amount = LID_FURROW.height * au6 + LID_FURROW_BY_AGE * identity.age
    _press(view, below, LID_FURROW, amount * ridge(x, LID_FURROW_SPAN))
    amount = SECOND_FURROW.height * au6 * ridge(x, SECOND_SPAN)
    _press(view, below, SECOND_FURROW, amount)


def _crows_feet(identity: Identity, pull, x, y, side, view) -> None:
    feet = FEET.height * pull["au6"] + FEET_BY_WRINKLES * identity.wrinkles
    feet = feet * identity.gain(6, side)
    away = x - FEET_X
    feet = feet * step(away, FEET_BEGIN) * step(-away, FEET_END, -FEET_LONG)
    for slope, bend in FEET_LINES:
        line = y - FEET_Y - slope * away - bend * away * away
        _press(view, line * (1 / math.hypot(1, slope)), FEET, feet)


# AU17, chin raiser. FACS: the chin boss bulges and wrinkles as it is pushed up, like
# the peel of an orange; a hollow forms between it and the lower lip.
BOSS = Hill(0.075, y=-0.02, wide=0.22, tall=0.14)  # y from the chin boss
PEEL = Hill(0.046, y=0.01, wide=0.24, tall=0.15)  # y from the chin boss
PEEL_DARK = 0.45  # darkness, 0..1
PEEL_A_UNIT = 27  # values of the noise a unit; larger: a finer net of wrinkles
PEEL_WIDE = 0.9  # half-width of a wrinkle, deviations of the noise
HOLLOW, HOLLOW_SPAN, HOLLOW_DARK = Ridge(0.060, wide=0.045), Band(wide=0.26), 0.6
HOLLOW_Y, HOLLOW_BEND = 0.245, 0.55  # y from the lips' line


def _chin(identity: Identity, pull, x, y, side, view) -> None:
    if pull["au17"] == 0:
        return
    au17, chin_y = pull["au17"] * identity.gain(17, side), identity.chin_y
    view["depth"] += mound(x, y, BOSS, down=chin_y) * au17
    field = noise(identity.texture)["pores"]
    column = (x * PEEL_A_UNIT + 512).astype(np.float32)
    row = (y * PEEL_A_UNIT + 512).astype(np.float32)
    net = np.maximum(1 - np.abs(between(field, column, row)) * (1 / PEEL_WIDE), 0)
    net *= bump(x, y, PEEL, down=chin_y) * au17
    view["depth"] -= PEEL.height * net
    view["crease"] += PEEL_DARK * net
    arc = y - (identity.mouth_y + HOLLOW_Y) - HOLLOW_BEND * x * x
    hollow = HOLLOW.height * au17 * ridge(x, HOLLOW_SPAN)
    _press(view, arc, HOLLOW, hollow, HOLLOW_DARK)


# AU1 and AU2, brow raisers. FACS: wrinkles across the forehead, in its middle with AU1,
# at its sides with AU2.
WRINKLE = Ridge(0.032, wide=0.020)
WRINKLES_Y, WRINKLES_BEND = (-0.56, -0.69, -0.83), 0.10
WRINKLES_UNEVEN, WRINKLES_UNEVEN_X = -0.03, -0.4  # slope; x that it does not move
WRINKLES_AU1 = Ridge(0.75, wide=0.42)  # share of the depth; across
WRINKLES_AU2 = Ridge(0.75, at=0.55, wide=0.30)
# AU4, brow lowerer. FACS: vertical wrinkles between the brows, beside a muscle bulge.
FROWN = Ridge(0.055, wide=0.024)
FROWN_X, FROWN_Y, FROWN_SLOPE = 0.085, -0.25, 0.10
FROWN_TALL = Band(at=-0.27, wide=0.12)
FROWN_BULGE = Hill(0.03, x=0.20, y=-0.25, wide=0.10, tall=0.09)


def _forehead(identity: Identity, pull, x, s, y, view) -> None:
    inner, outer = pull["brow_raise_inner"], pull["brow_raise_outer"]
    if inner + outer > 0:
        share = WRINKLES_AU1.height * inner * ridge(x, WRINKLES_AU1)
        share += WRINKLES_AU2.height * outer * ridge(s, WRINKLES_AU2)
        amount = WRINKLE.height * np.minimum(share, 1)
        tilt = WRINKLES_UNEVEN * (x - WRINKLES_UNEVEN_X) * identity.uneven[4]
        for at in WRINKLES_Y:
            _press(view, y - at - WRINKLES_BEND * s * s - tilt, WRINKLE, amount)
    if pull["brow_lower"] > 0:
        line = s - FROWN_X - FROWN_SLOPE * (y - FROWN_Y)
        amount = FROWN.height * pull["brow_lower"] * ridge(y, FROWN_TALL)
        _press(view, line, FROWN, amount)
        view["depth"] += mound(s, y, FROWN_BULGE, pull["brow_lower"])
