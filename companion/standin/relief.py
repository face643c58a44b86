"""The shape of the neutral head: skull and jaw, the face's relief, nose and ears.

Skull and jaw are sections whose half-width and depth follow the height; the relief is a
sum of smooth hills over them, and of hollows, whose height is below 0.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from companion.standin.person import Identity
from companion.standin.shapes import (
    Band,
    Edge,
    Hill,
    Ridge,
    bump,
    mound,
    ridge,
    step,
    wave,
)

# Curves over the height are tables of so many rows, from TOP to BOTTOM.
TOP, BOTTOM, HEIGHTS = -2.5, 3.5, 4096


def _at_height(y: np.ndarray, *curves: np.ndarray) -> np.ndarray:
    """Each curve (HEIGHTS,) at heights y: float32 (len(curves), *y.shape)."""
    place = ((y - TOP) * (HEIGHTS / (BOTTOM - TOP))).astype(np.intp)
    table = np.stack(curves).astype(np.float32)
    return table.take(np.clip(place, 0, HEIGHTS - 1), axis=1)


CROWN, CHIN = -1.60, 0.68  # y, without hair; y of the chin's tip from the mouth
# Sections of the head from crown to chin: y from a landmark; half-width, a share of
# `Identity.width`; whether `Identity.jaw` multiplies it; how many times FULL_CHEEKS and
# the hair's volume, over the head and at its sides, are added to it; depth.
SECTIONS = (
    # landmark  y  half-width  jaw  cheeks  hair  hair at the sides  depth
    ("crown", 0.00, 0.00, False, 0, 0.0, 0.0, 0.00),
    ("crown", 0.06, 0.41, False, 0, 0.0, 0.0, 0.30),
    ("crown", 0.24, 0.75, False, 0, 0.6, 0.0, 0.72),
    ("eyes", -1.10, 0.93, False, 0, 1.0, 0.0, 0.96),
    ("eyes", -0.70, 1.045, False, 0, 0.0, 1.0, 1.07),
    ("eyes", -0.30, 1.02, False, 0, 0.0, 0.8, 1.11),
    ("eyes", 0.10, 1.005, False, 0, 0.0, 0.4, 1.06),
    ("eyes", 0.50, 0.96, False, 1, 0.0, 0.0, 1.05),
    ("chin", -0.66, 0.84, True, 2, 0.0, 0.0, 1.05),
    ("chin", -0.43, 0.685, True, 2, 0.0, 0.0, 1.04),
    ("chin", -0.22, 0.49, True, 1, 0.0, 0.0, 1.00),
    ("chin", -0.08, 0.33, True, 0, 0.0, 0.0, 0.80),
    ("chin", 0.00, 0.00, False, 0, 0.0, 0.0, 0.00),
)
FULL_CHEEKS = 0.02  # for a fullness of 1 more
HAIR_ABOVE, HAIR_BEFORE = 1.15, 0.6  # factors of the volume: on the crown; in depth
HAIR_ASIDE, FLAT_HAIR_ASIDE = 1.0, 0.45  # the same at the sides: coils, waves; others
SMOOTH, SMOOTH_LOSS = 0.011, 0.05  # blur, a share of HEIGHTS; what it adds, squared
BOXY = 0.52  # 0: sections are ellipses; larger: squarer
INSET, CHIN_OUT, CROWN_OUT = 0.01, 0.02, 0.02  # of the outline: inwards; out; out


def draw_skull(
    identity: Identity, x: np.ndarray, y: np.ndarray, hair: float
) -> tuple[np.ndarray, np.ndarray]:
    """Depth of a head under `hair` units of hair; distance inside its outline."""
    heights = np.linspace(TOP, BOTTOM, HEIGHTS)
    chin = identity.mouth_y + CHIN * identity.chin
    crown = CROWN - HAIR_ABOVE * hair
    landmarks = {"crown": crown, "eyes": 0.0, "chin": chin}
    full = FULL_CHEEKS * (identity.fullness - 0.5)
    bushy = identity.hair_style in ("coils", "wavy")
    beside = hair * (HAIR_ASIDE if bushy else FLAT_HAIR_ASIDE)
    at, half, deep = [], [], []
    for landmark, place, wide, by_jaw, cheeks, above, aside, depth in SECTIONS:
        at.append(landmarks[landmark] + place)
        wide = wide * (identity.jaw if by_jaw else 1) + cheeks * full
        half.append(identity.width * (wide + above * hair + aside * beside))
        deep.append(depth + HAIR_BEFORE * hair * (at[-1] < 0))

    def rounded(values: list[float]) -> np.ndarray:
        curve = PchipInterpolator(at, np.square(values))
        squares = curve(np.clip(heights, at[0], at[-1]))
        squares = gaussian_filter1d(squares, SMOOTH * HEIGHTS)  # round at both ends
        return np.sqrt(np.maximum(squares - SMOOTH_LOSS, 1e-6))

    half = rounded(half)
    half, slope, deep = _at_height(y, half, np.gradient(half, heights), rounded(deep))
    square = x / half
    square *= square
    z = deep * np.sqrt(np.clip(1 - square * (1 - BOXY + BOXY * square), 0, 1))
    edge = (half - np.abs(x) - INSET) / np.sqrt(1 + slope * slope)
    return z, np.minimum(edge, np.minimum(chin + CHIN_OUT - y, y - crown + CROWN_OUT))


# Brow and temples. The brow ridge follows the brow, in a bend.
BROW_RIDGE, BROW_RIDGE_SPAN = Ridge(0.045, wide=0.11), Band(at=0.36, wide=0.40)
BROW_RIDGE_Y, BROW_RIDGE_BEND = -0.25, 0.10  # at the midline; larger: ends lower
BROW_RIDGE_BY_BROW = -0.6  # y a unit of `brow_height`
FOREHEAD = Hill(0.03, y=-0.72, wide=0.55, tall=0.28)
TEMPLE = Hill(-0.07, x=0.86, y=-0.30, wide=0.17, tall=0.34)
# Eyes: the sockets, and the lids over the eyeballs.
SOCKET = Hill(-0.165, x=-0.05, y=-0.02, wide=0.27, tall=0.155)  # x from the pupil
INNER_CORNER = Hill(-0.07, x=0.21, y=-0.04, wide=0.09, tall=0.12)
EYEBALL = Hill(0.145, y=0.005, wide=0.185, tall=0.135)  # x from the pupil
# Below the eyes: the tear trough, and the bag over it that comes with age.
TROUGH, TROUGH_BY_AGE = Ridge(0.010, wide=0.05), 0.022
TROUGH_X, TROUGH_Y, TROUGH_SLOPE = 0.25, 0.15, 0.28  # inner end; down a unit outwards
TROUGH_SPAN = Band(at=0.36, wide=0.16)
BAG, BAG_SPAN = Ridge(0.016, at=-0.08, wide=0.05), Band(at=0.42, wide=0.16)
# Cheeks: bone, fat, the fat beside the mouth, and the hollow behind it; what a fullness
# of 1 adds to the second and the last height.
CHEEKBONE = Hill(0.085, x=0.66, y=0.27, wide=0.24, tall=0.17)
CHEEK, CHEEK_FULL = Hill(0.02, x=0.48, y=0.48, wide=0.24, tall=0.22), 0.06
MOUTH_FAT = Hill(0.07, x=0.62, y=0.86, wide=0.22, tall=0.26)
HOLLOW, HOLLOW_FULL = Hill(-0.135, x=0.66, y=0.74, wide=0.15, tall=0.24), 0.12
# The mouth, y from the line of the lips: the arch of the teeth, the philtrum between
# its two edges, and the hollow above the chin.
MUZZLE = Hill(0.115, y=-0.02, wide=0.46, tall=0.34)
PHILTRUM = Hill(-0.020, y=-0.19, wide=0.042, tall=0.10)
PHILTRUM_EDGE = Hill(0.012, x=0.07, y=-0.18, wide=0.035, tall=0.09)
ABOVE_CHIN = Hill(-0.055, y=0.25, wide=0.24, tall=0.075)
# The chin, y from its boss.
CHIN_BOSS = Hill(0.095, y=0.02, wide=0.27, tall=0.17)
CLEFT = Hill(-0.03, y=0.03, wide=0.035, tall=0.09)
# Age: the furrow from the corner of the mouth to the jaw; lines across the forehead.
JOWL, JOWL_SPAN = Ridge(0.030, wide=0.05), Band(at=0.2, wide=0.17)
JOWL_X, JOWL_SLOPE = 0.46, 0.14  # at the line of the lips; outwards a unit down
LINES = Hill(0.007, y=-0.68, wide=0.55, tall=0.18)
LINES_A_UNIT, LINES_BEND = 5.5, 0.35  # larger: more lines; lower ends
LINES_SWAY, LINES_SWAY_A_UNIT = 0.1, 0.8  # in lines; waves a unit across


def draw_relief(
    identity: Identity, x: np.ndarray, y: np.ndarray, s: np.ndarray
) -> np.ndarray:
    """The depth that bones, fat and gristle of the face add to the skull."""
    mouth_y, chin_y, eye_x = identity.mouth_y, identity.chin_y, identity.eye_x
    age, full = identity.age, identity.fullness
    brow = BROW_RIDGE_Y + BROW_RIDGE_BY_BROW * identity.brow_height
    brow = brow + BROW_RIDGE_BEND * s * s
    z = BROW_RIDGE.height * identity.brow_ridge * ridge(y - brow, BROW_RIDGE)
    z *= ridge(s, BROW_RIDGE_SPAN)
    z += mound(x, y, FOREHEAD)
    z += mound(s, y, TEMPLE)
    z += mound(s, y, SOCKET, right=eye_x)
    z += mound(s, y, INNER_CORNER)
    z += mound(s, y, EYEBALL, right=eye_x)
    trough = y - TROUGH_Y - TROUGH_SLOPE * (s - TROUGH_X)
    deep = TROUGH.height + TROUGH_BY_AGE * age
    z -= deep * ridge(trough, TROUGH) * ridge(s, TROUGH_SPAN)
    z += BAG.height * age * ridge(trough, BAG) * ridge(s, BAG_SPAN)
    z += mound(s, y, CHEEKBONE, identity.cheekbone)
    z += (CHEEK.height + CHEEK_FULL * full) * bump(s, y, CHEEK)
    z += mound(s, y, MOUTH_FAT, full)
    z += (HOLLOW.height + HOLLOW_FULL * full) * bump(s, y, HOLLOW)
    z += mound(x, y, MUZZLE, down=mouth_y)
    z += mound(x, y, PHILTRUM, down=mouth_y)
    z += mound(s, y, PHILTRUM_EDGE, down=mouth_y)
    z += mound(x, y, ABOVE_CHIN, down=mouth_y)
    z += mound(x, y, CHIN_BOSS, down=chin_y)
    z += mound(x, y, CLEFT, identity.cleft, down=chin_y)
    jowl = s - (JOWL_X + JOWL_SLOPE * (y - mouth_y))
    z -= JOWL.height * age**2 * ridge(jowl, JOWL) * ridge(y - mouth_y, JOWL_SPAN)
    sway = LINES_SWAY * wave(LINES_SWAY_A_UNIT * x)
    lines = wave(LINES_A_UNIT * y + LINES_BEND * s * s + sway)
    z += LINES.height * identity.wrinkles * lines * bump(x, y, LINES)
    return z + _nose(identity, x, y, s)


# The nose is a roof: how far it rises and how thick it is, at heights from the eyes and
# from its base. A hump adds a share of NOSE_HUMP to the rise.
NOSE_FROM_EYES, NOSE_FROM_BASE = (-0.38, -0.14, 0.05, 0.22), (-0.26, -0.15, -0.06, 0.03)
NOSE_RISE = (0, 0.085, 0.17, 0.25, 0.335, 0.37, 0.24, 0)
NOSE_HUMP, NOSE_HUMP_SHARES = 0.035, (0, 0, 0.5, 1, 0.4, 0, 0, 0)
NOSE_THICK = (0.26, 0.155, 0.15, 0.175, 0.20, 0.20, 0.17, 0.15)
NOSE_THICK_LEAST, NOSE_THICK_BY_WIDTH = 0.4, 0.6  # factor; for a `nose_width` of 1 more
NOSE_SMOOTH = 0.005  # blur, a share of HEIGHTS
NOSE_HANGS = 0.9  # larger: the sides end higher than the tip
NOSE_ROOF = Ridge(0.92, wide=1)  # share of the rise; `wide` is in thicknesses
NOSE_RIDGE = Ridge(0.08, wide=0.6)  # the same; larger: a sharper ridge
# Ball, wings and the groove round them; y from the base of the nose.
NOSE_BALL = Hill(0.055, y=-0.155, wide=0.125, tall=0.115)
WING_X, WING = 0.195, Hill(0.135, y=-0.095, wide=0.085, tall=0.10)
GROOVE = Ridge(0.024, at=0.125, wide=0.03)  # `at` from a point near the wing's middle:
GROOVE_X = -0.01  # outwards from it
GROOVE_FROM, GROOVE_ABOVE = Edge(0.03, width=0.08), Edge(0.02, width=0.08)  # out; up
# Nostrils: slanted ellipses.
NOSTRIL_X, NOSTRIL_Y, NOSTRIL_SLOPE = 0.095, -0.030, -0.30  # down a unit outwards
NOSTRIL = Hill(-0.09, wide=0.050, tall=0.020)


def _nose(identity: Identity, x, y, s) -> np.ndarray:
    """Bridge, ball, wings, the strut between nostrils."""
    base, width = identity.nose_y, identity.nose_width
    heights = np.linspace(TOP, BOTTOM, HEIGHTS)
    at = [*NOSE_FROM_EYES, *(base + place for place in NOSE_FROM_BASE)]
    hump = NOSE_HUMP * identity.nose_hump
    rise = [up + share * hump for up, share in zip(NOSE_RISE, NOSE_HUMP_SHARES)]
    heights = np.clip(heights, at[0], at[-1])
    rise = identity.nose_height * PchipInterpolator(at, rise)(heights)
    thick = NOSE_THICK_LEAST + NOSE_THICK_BY_WIDTH * width
    thick = PchipInterpolator(at, NOSE_THICK)(heights) * thick
    curves = np.stack([rise, thick]).astype(np.float32)
    curves = gaussian_filter1d(curves, NOSE_SMOOTH * HEIGHTS, axis=1)
    rise, thick = _at_height(y + NOSE_HANGS * x * x, *curves)
    across = x / thick
    roof = NOSE_ROOF.height * ridge(across, NOSE_ROOF)
    z = rise * (roof + NOSE_RIDGE.height * ridge(across, NOSE_RIDGE))
    z += mound(x, y, NOSE_BALL, identity.nose_tip, down=base)
    wing_x = WING_X * width
    z += mound(s, y, WING, right=wing_x, down=base)
    beside, above = s - wing_x - GROOVE_X, y - base - WING.y
    groove = ridge(np.sqrt(beside**2 + above**2), GROOVE)
    groove *= step(s, GROOVE_FROM, wing_x)
    z -= GROOVE.height * groove * step(-y, GROOVE_ABOVE, -base)
    z += NOSTRIL.height * nostrils(identity, s, y)
    return z


def nostrils(identity: Identity, s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 in the middle of each nostril, 0 outside."""
    x, hill = NOSTRIL_X * identity.nose_width, NOSTRIL
    hill = hill._replace(wide=hill.wide * identity.nose_width)
    slanted = y - identity.nose_y - NOSTRIL_Y - NOSTRIL_SLOPE * (s - x)
    return bump(s, slanted, hill, right=x)


# The ear is an ellipse behind the outline of the face that leans outwards.
EAR_X, EAR_OUT, EAR_Y = 1.02, 0.02, 0.17  # middle: half-widths of the face; more; y
EAR_LEAN, EAR_LEAN_Y = 0.10, 0.2  # outwards a unit up; y that leaning does not move
EAR_TALL, EAR_WIDE = 0.30, 0.095  # radii
EAR_TAPERS, EAR_TAPERS_TO = 0.25, 1.5  # share of the width a radius down; radii
EAR_DEEP, EAR_TURNS = 0.02, 0.07  # depth of its middle; more a radius outwards
# Inside it, across and down count in radii: its rim, the fold inside the rim, and how
# much light the hollows below the rim, in the conch and towards the head lose (shares).
RIM, RIM_FROM, RIM_SLANT = Ridge(0.055, at=0.86, wide=0.15), Edge(-0.25, width=0.9), 0.4
FOLD, FOLD_FROM = Ridge(0.040, wide=0.15), Edge(0.1, width=0.8)
FOLD_RADIUS, FOLD_EGG = 0.46, 0.1  # larger: wider below
RIM_DARK, RIM_DARK_ABOVE = Ridge(0.30, at=0.68, wide=0.10), Edge(-0.5, width=0.5)
CONCH_DARK = Hill(0.55, x=-0.30, y=0.18, wide=0.40, tall=0.30)
HEAD_DARK, HEAD_DARK_FROM = 0.25, Edge(0.35, width=0.5)
EAR_DARKEST = 0.75
EAR_COVERED = 9  # radii that an ear under long hair loses: no ear is left


def draw_ear(
    identity: Identity, s: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance inside the ear, its depth, and how dark its hollows are."""
    size = identity.ear_size
    lean = s - EAR_X * identity.width - EAR_OUT - EAR_LEAN * (EAR_LEAN_Y - y)
    down = (y - EAR_Y) * (1 / (EAR_TALL * size))
    taper = 1 - EAR_TAPERS * np.clip(down, -EAR_TAPERS_TO, EAR_TAPERS_TO)
    wide = EAR_WIDE * size * taper
    across = lean / wide
    radius = np.sqrt(across * across + down * down)
    outer = step(across - RIM_SLANT * down, RIM_FROM)
    rim = ridge(radius, RIM) * outer
    fold = ridge(radius - FOLD_RADIUS - FOLD_EGG * down, FOLD)
    fold *= step(across - down, FOLD_FROM)
    depth = EAR_DEEP + RIM.height * rim + FOLD.height * fold + EAR_TURNS * across * size
    dark = RIM_DARK.height * ridge(radius, RIM_DARK) * outer
    dark *= step(-down, RIM_DARK_ABOVE)
    dark += mound(across, down, CONCH_DARK)
    dark += HEAD_DARK * step(-across, HEAD_DARK_FROM)
    if identity.hair_length > 0:
        radius = radius + EAR_COVERED
    return (1 - radius) * wide, depth, np.minimum(dark, EAR_DARKEST)
