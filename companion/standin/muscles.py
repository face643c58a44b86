"""How far each Action Unit pulls, and where it moves the skin.

The comments paraphrase the Facial Action Coding System, FACS (Ekman, Friesen and Hager,
2002). Displacements are those of full intensity, level 5 on a face of mean strength: x
away from the midline, y down the face, so that a part that rises has a height below 0.
A `Hill` is a displacement in one direction; the skin moves most at its centre.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from companion.standin.mouth import LINE_DIP, lip_line
from companion.standin.person import Identity
from companion.standin.shapes import (
    Area,
    Band,
    Edge,
    Hill,
    bump,
    mirrored,
    mound,
    ridge,
    step,
    window,
)

DISTRACTORS = (
    *("brow_raise_inner", "brow_raise_outer", "brow_lower", "lips_part", "jaw_drop"),
    *("blink", "gaze_x", "gaze_y", "yaw", "pitch", "roll"),
)
"""What moves and is not labelled: AU1, 2, 4, 25, 26 and 45 in 0..1; the gaze in -1..1
(right and down in the picture); the turn of the head in degrees."""

RESPONSE = (0.95, 0.9, 0.95, 0.9, 0.9)
"""For each of `aulib.AUS`, the exponent that turns level / 5 into a pull. A smaller one
makes low levels more visible. With these, the levels of an AU look evenly spaced."""

# AU10 with AU12: the stretched lip rises less; both deepen the nasolabial fold.
LIFT_LOST_TO_AU12 = 0.4  # share
FOLD_GAINED_FROM_AU10 = 0.3  # share
HIGH_FOLD_POWER = 1.7  # exponent of AU10; larger: low levels leave the fold shallower
HIGH_FOLD_FROM_AU12 = 0.22  # share of the square
# AU12 with AU14: the tightened corner moves less, its dimple is deeper.
RISE_LOST_TO_AU14 = 0.45  # share
STRETCH_LOST_TO_AU14 = 0.2  # share
DIMPLE_GAINED_FROM_AU12 = 0.3  # share


def contractions(
    identity: Identity, aus: Sequence[float], distractors: Mapping[str, float]
) -> dict[str, float]:
    """How far each muscle pulls: 0..1, or a little more on an expressive face.

    Args:
        identity: the person.
        aus: intensities of `aulib.AUS`, Python floats in 0..5.
        distractors: values of `DISTRACTORS`; a missing one is 0.

    Returns:
        The distractors; `au6` to `au17`; and what AUs do together: `lip_lift`,
        `fold_low`, `fold_high`, `corner_up`, `corner_out`, `dimple`. All are Python
        floats: NumPy's would turn the float32 maps into float64.
    """
    au6, au10, au12, au14, au17 = (
        (level / 5) ** power * strength
        for level, power, strength in zip(aus, RESPONSE, identity.strength, strict=True)
    )
    pull = {name: float(distractors.get(name, 0.0)) for name in DISTRACTORS}
    pull |= {"au6": au6, "au10": au10, "au12": au12, "au14": au14, "au17": au17}
    pull["lip_lift"] = au10 * (1 - LIFT_LOST_TO_AU12 * au12)
    pull["fold_low"] = au12 * (1 + FOLD_GAINED_FROM_AU10 * au10)
    high = au10**HIGH_FOLD_POWER + HIGH_FOLD_FROM_AU12 * au12**2
    pull["fold_high"] = high**0.5
    pull["corner_up"] = au12 * (1 - RISE_LOST_TO_AU14 * au14)
    pull["corner_out"] = au12 * (1 - STRETCH_LOST_TO_AU14 * au14)
    pull["dimple"] = au14 * (1 + DIMPLE_GAINED_FROM_AU12 * au12)
    return pull


# Asymmetry: nobody's face is its own mirror image. `Identity.uneven` multiplies each
# number by -1..1; larger numbers make faces more crooked.
WIDER = 0.006  # share by which the face is wider or narrower
BENT, BENT_BACK = 0.009, 0.35  # slope of the midline; its change a unit down
TILTED, TILTED_BACK = 0.009, 0.3  # slope of the eyes' line; its change a unit aside

# Rows that the muscles of each half move; larger is slower.
LOWER_FACE = (0.0, 0.5)  # from the eyes down to below the chin boss
UPPER_FACE = (-1.1, 0.9)  # from the eyes


def skin_at(
    identity: Identity,
    pull: Mapping[str, float],
    u: np.ndarray,
    v: np.ndarray,
    scale: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step 2: the skin at each point of the head, and the opening of the mouth.

    Args:
        identity: the person.
        pull: from `contractions`.
        u: float32 (height, width), the points' x.
        v: float32 (height, width), the points' y.
        scale: pixels a unit.

    Returns:
        x and y of that skin on the neutral face; and the share of each pixel, 0..1,
        that lies between the parted lips.
    """
    p, q, r, k, *_ = identity.uneven
    bent = u * (1 + WIDER * r) + BENT * p * v * (1 - BENT_BACK * v)
    y = v + TILTED * q * u * (1 - TILTED_BACK * u * k)
    dx, dy = np.zeros_like(bent), np.zeros_like(y)
    top, below_chin = LOWER_FACE
    part = window((v > top) & (v < identity.chin_y + below_chin))
    _pull_lower_face(identity, pull, bent[part], y[part], dx[part], dy[part])
    top, bottom = UPPER_FACE
    part = window((v > top) & (v < bottom))
    _pull_upper_face(identity, pull, bent[part], y[part], dx[part], dy[part])
    _, side = mirrored(bent)
    x = bent - side * dx
    return x, *_part_lips(identity, pull, x, y - dy, scale)


# AU12, lip corner puller. FACS: the corners of the lips go back and up, so that the
# mouth becomes a U; the cheeks rise with them.
CORNER_BACK = Hill(0.135, wide=0.31, tall=0.25)  # outwards; centre: corner of the mouth
CORNER_BACK_OUT, CORNER_BACK_UP = 0.12, -0.13  # how far the centre moves: x; y
MOUTH_RISE = Hill(-0.020, wide=0.50, tall=0.30)  # centre: middle of the mouth
CHEEK_RISE = Hill(-0.10, x=0.58, y=0.56, wide=0.26, tall=0.24)
# The U: no rise in the middle of the mouth, the full rise at a rim beside its corners.
BOWL_RISE = -0.135
BOWL_RIM = 0.12  # from the corner outwards
BOWL_ROUND = 0.4  # larger: an evener bend; smaller: only the corners bend up
BOWL_OUTSIDE = Band(wide=0.26)  # fades beyond the rim
BOWL_BAND = Band(wide=0.27)  # fades above and below the lips' line
BOWL_BAND_UP = 0.07  # how far AU12 moves that band up

# AU14, dimpler. FACS: the corners of the lips are tightened and pulled inwards, into
# the face (see `furrows`) more than towards the midline; they may rise a little.
CORNER_IN = Hill(-0.065, wide=0.20, tall=0.15)  # outwards; centre: corner of the mouth
CORNER_IN_UP = -0.06  # how far AU12 moves the centre
CORNER_IN_RISE = -0.008  # downwards, where `CORNER_IN` acts

# AU10, upper lip raiser. FACS: the middle of the upper lip goes straight up, its outer
# parts less, which bends the lip at an angle; the wings of the nose rise and widen.
LIP_RISE = Hill(-0.080, x=0.22, y=-0.16, wide=0.32, tall=0.18)  # y from the lips' line
CORNER_LIFT = -0.03  # downwards, where `CORNER_IN` acts: the corners do not hang
WING_RISE = Hill(-0.045, x=0.24, y=-0.10, wide=0.15, tall=0.15)  # y from nose's base
WING_FLARE = 0.025  # outwards, where `WING_RISE` acts

# AU17, chin raiser. FACS: the chin boss and the lower lip are pushed up, the middle of
# the mouth most, so that its line may become an arch. Nothing pulls the corners down.
CHIN_RISE = Hill(-0.12, y=-0.06, wide=0.32, tall=0.20)  # y from the chin boss
LOWER_LIP_RISE = Hill(-0.100, y=0.03, wide=0.28, tall=0.18)  # y from the lips' line


def _pull_lower_face(identity: Identity, pull, x, y, dx, dy) -> None:
    """AU10, AU12, AU14 and AU17 added to the displacements, in place."""
    s, side = mirrored(x)
    gain10, gain12, gain14, gain17 = (
        identity.gain(au, side) for au in (10, 12, 14, 17)
    )
    mouth_x, mouth_y = identity.mouth_x, identity.mouth_y
    up, out, au17 = pull["corner_up"], pull["corner_out"], pull["au17"]
    right, down = mouth_x + CORNER_BACK_OUT * out, mouth_y + CORNER_BACK_UP * up
    back = bump(s, y, CORNER_BACK, right, down) * gain12
    corner = bump(s, y, CORNER_IN, mouth_x, mouth_y + CORNER_IN_UP * up)
    tight = pull["dimple"] * corner * gain14
    dx += CORNER_BACK.height * out * back + CORNER_IN.height * tight
    bowl = np.minimum(s * (1 / (mouth_x + BOWL_RIM)), 1)
    bowl = bowl * bowl * (BOWL_ROUND + (1 - BOWL_ROUND) * bowl)
    bowl *= ridge(np.maximum(s - mouth_x - BOWL_RIM, 0), BOWL_OUTSIDE)
    bowl *= ridge(y - mouth_y + BOWL_BAND_UP * up, BOWL_BAND) * gain12
    dy += BOWL_RISE * up * bowl
    dy += CORNER_IN_RISE * tight + CORNER_LIFT * pull["lip_lift"] * corner * gain10
    dy += mound(s, y, MOUTH_RISE, up, down=mouth_y)
    dy += mound(s, y, CHEEK_RISE, up) * gain12
    dy += mound(s, y, LIP_RISE, pull["lip_lift"], down=mouth_y) * gain10
    wing = bump(s, y, WING_RISE, down=identity.nose_y)
    dy += WING_RISE.height * pull["au10"] * wing
    dx += WING_FLARE * pull["au10"] * wing
    dy += mound(x, y, CHIN_RISE, au17, down=identity.chin_y) * gain17
    dy += mound(x, y, LOWER_LIP_RISE, au17, down=mouth_y) * gain17


# AU6, cheek raiser. FACS: the cheeks are lifted towards the eyes; the outer end of the
# brow may come down a little. `companion.standin.eyes` moves the lids.
CHEEK_LIFT = Hill(-0.13, x=0.54, y=0.34, wide=0.34, tall=0.27)
CHEEK_LIFT_FROM = Edge(0.13, width=0.18)  # y
BROW_TAIL = Hill(0.03, x=0.72, y=-0.27, wide=0.20, tall=0.14)

# AU1 and AU2, inner and outer brow raiser. FACS: that part of the brow goes up.
INNER_BROW = Hill(-0.12, x=0.15, y=-0.38, wide=0.26, tall=0.24)
OUTER_BROW = Hill(-0.10, x=0.64, y=-0.36, wide=0.26, tall=0.24)
BROW_ENDS = Edge(
    0.11, width=0.12
)  # above the eyes; below it these and AU4 move no skin

# AU4, brow lowerer. FACS: the brows are lowered and drawn together.
FROWN = Hill(0.075, x=0.26, y=-0.26, wide=0.26, tall=0.18)
FROWN_IN = -0.05  # outwards, where `FROWN` acts


def _pull_upper_face(identity: Identity, pull, x, y, dx, dy) -> None:
    """AU6, AU1, AU2 and AU4 added to the displacements, in place."""
    s, side = mirrored(x)
    cheek = bump(s, y, CHEEK_LIFT) * step(y, CHEEK_LIFT_FROM) * identity.gain(6, side)
    dy += CHEEK_LIFT.height * pull["au6"] * cheek
    dy += mound(s, y, BROW_TAIL, pull["au6"])
    brow = step(-y, BROW_ENDS)
    rise = mound(s, y, INNER_BROW, pull["brow_raise_inner"])
    rise += mound(s, y, OUTER_BROW, pull["brow_raise_outer"])
    frown = pull["brow_lower"] * bump(s, y, FROWN)
    dy += brow * (rise + FROWN.height * frown)
    dx += FROWN_IN * frown


# AU25, lips part. A smile takes more of the upper lip away and keeps the lower one near
# the teeth. FACS: a strong AU10 parts the lips as well, unless AU17 keeps them closed.
UPPER_UP, LOWER_DOWN = 0.03, 0.05  # of the middle of each lip
UPPER_UP_GAINED, LOWER_DOWN_LOST = 0.9, 0.45  # share, by AU12
UPPER_UP_AU10, KEPT_CLOSED = 0.075, 0.9  # of the middle of the lip; share, by AU17
PARTS_POWER = 1.7  # exponent of AU10; larger: low levels leave the lips closed
NEAR_LIPS = Area(wide=1.0, tall=0.20)  # share of it; centre: middle of the mouth
# AU26, jaw drop. FACS: the lower jaw comes down, and the lower lip with it.
JAW_DOWN = 0.15
JAW_BELOW = Edge(-0.1, width=0.2)  # y from the lips' line; below it the skin moves
JAW_ASIDE = Edge(0.36, width=0.55)  # the same beside the mouth


def _part_lips(identity: Identity, pull, x, y, scale: float):
    """y with both lips moved off their line, and the share between them."""
    if not (pull["lips_part"] or pull["lip_lift"] or pull["jaw_drop"]):
        return y, np.zeros_like(y)
    mouth_x, mouth_y = identity.mouth_x, identity.mouth_y
    line = lip_line(identity, pull, x)
    free = np.clip(1 - (x * x) * (1 / mouth_x**2), 0, 1)  # 1 in the middle of the mouth
    rounder = free * (2 - free)
    near = bump(x, y, NEAR_LIPS, down=mouth_y)
    smile = min(pull["corner_up"], 1)
    up = UPPER_UP * (1 + UPPER_UP_GAINED * smile) * pull["lips_part"]
    part = max(1 - KEPT_CLOSED * pull["au17"], 0) * pull["lip_lift"] ** PARTS_POWER
    rise = (up * free + UPPER_UP_AU10 * part * rounder) * near
    down = LOWER_DOWN * (1 - LOWER_DOWN_LOST * smile) * pull["lips_part"]
    jaw = pull["jaw_drop"] * step(y, JAW_BELOW, mouth_y)
    jaw *= rounder + (1 - rounder) * step(y, JAW_ASIDE, mouth_y)
    drop = down * free * near + JAW_DOWN * jaw
    # the lower lip's edge is even, where the upper one dips in its middle
    even = np.minimum(LINE_DIP.height * ridge(x, LINE_DIP), rise + drop)
    upper, lower = y + rise, y - drop + even * near
    inside = np.clip(np.minimum(upper - line, line - lower) * scale, 0, 1)
    inside *= free > 0
    return np.where(upper <= line, upper, np.maximum(lower, line)), inside
