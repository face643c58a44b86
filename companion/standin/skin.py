"""The colour of skin, of brows and beard, and how much they shine.

Skin varies on three scales and in zones: red nose and cheeks, dark below the eyes, a
shaved chin. Brows are some hundreds of single hairs.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from companion.standin.person import Identity
from companion.standin.relief import nostrils
from companion.standin.shapes import Area, Edge, Hill, bump, look_up, mound, noise, step

MEDIUM, SPOTS = 150, 55  # values of the noise a unit; larger: smaller blotches; spots

# Blood. Where `Identity.redness` shows, and how much three scales of noise add to it;
# then what it adds to red, green and blue, shares of the skin's colour.
RED_CHEEK = Hill(0.9, x=0.58, y=0.40, wide=0.26, tall=0.22)
RED_NOSE = Hill(0.9, y=-0.13, wide=0.20, tall=0.13)  # y from the nose's base
RED_WING = Hill(0.5, x=0.22, y=-0.02, wide=0.08, tall=0.10)  # y from the nose's base
RED_CHIN = Hill(0.4, wide=0.25, tall=0.18)  # centre: chin boss
RED_BLOTCHES, RED_COARSE, RED_MEDIUM = 0.22, 0.06, 0.12
BLOOD = (0.055, -0.075, -0.07)
# Shadows, shares of the light that is lost: below the eyes, where skin is bluish; on
# the lids; on an old forehead.
BELOW_EYE = Hill(0.10, x=-0.05, y=0.115, wide=0.22, tall=0.09)  # x from the pupil
BELOW_EYE_BY_PERSON = 0.22  # for an `eye_shade` of 1
BELOW_EYE_BLUE = (0.0, -0.02, 0.05)  # added to red, green and blue, shares
LID = Hill(0.12, y=-0.06, wide=0.26, tall=0.10)  # x from the pupil
FOREHEAD = Hill(0.06, y=-0.9, wide=0.9, tall=0.35)
# Grain: contrast on four scales of noise.
TONE_PORES, TONE_COARSE, TONE_BLOTCHES, TONE_MEDIUM = 0.032, 0.012, 0.02, 0.022
# Freckles, spots everywhere, and moles: shares of the light that is lost.
FRECKLES, SPOTTED = Hill(0.34, x=0.32, y=0.28, wide=0.52, tall=0.40), 0.05
MOLES, MOLE_DARK = 2.5, 0.55  # mean number; share
MOLE_FROM, MOLE_TO = [-0.8, -0.6, 0.010], [0.8, 1.6, 0.020]  # limits of x, y and radius
# The beard, factors of `Identity.stubble`: round the chin, below a slanted edge; above
# the upper lip; before the ears.
BEARD = Area(y=0.52, wide=0.78, tall=0.46)  # y from the line of the lips
BEARD_FROM, BEARD_SLANT = Edge(-0.1, width=0.4), 0.35  # larger: begins lower aside
MOUSTACHE = Area(y=-0.17, wide=0.42, tall=0.11)  # y from the line of the lips
WHISKERS = Area(x=0.86, y=0.55, wide=0.13, tall=0.5)
BEARD_FULL = 1.35  # factor before the share is cut at 1; larger: fuller
STUBBLE_X, STUBBLE_Y = 150, 110  # values of the noise a unit; larger: finer
STUBBLE, STUBBLE_VARIES, STUBBLE_MOST = 0.42, 0.22, 0.85  # share covered: mean; ±; most
STUBBLE_HAIR, STUBBLE_SKIN = 0.35, 0.15  # its colour, shares: the hair's; the skin's
NOSTRIL_DARK, NOSTRIL_FULL = 0.90, 1.3  # share of the light lost; larger: larger hole
# Gloss: everywhere, and what some places add; a beard takes a share of it off.
GLOSS, GLOSS_STUBBLE = 0.75, 0.4
GLOSS_FOREHEAD = Hill(0.5, y=-0.6, wide=0.5, tall=0.4)
GLOSS_NOSE = Hill(0.8, y=0.25, wide=0.22, tall=0.4)
GLOSS_CHEEK = Hill(0.3, x=0.55, y=0.2, wide=0.2, tall=0.2)


def skin_colour(
    identity: Identity,
    x: np.ndarray,
    y: np.ndarray,
    s: np.ndarray,
    pores: np.ndarray,
    blotches: np.ndarray,
    coarse: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Step 2: linear light (3, height, width), and how much the skin shines.

    Args:
        identity: the person.
        x: of the map's values, units.
        y: of the map's values, units.
        s: their distances from the midline.
        pores: noise of unit variance.
        blotches: the same, coarser.
        coarse: the same, coarser still.
    """
    fields = noise(identity.texture)
    medium = look_up(fields["blotches"], x * MEDIUM + 99, y * MEDIUM)
    below = bump(s, y, BELOW_EYE, right=identity.eye_x)
    tone = 1 + TONE_PORES * pores + TONE_COARSE * coarse
    tone = tone + TONE_BLOTCHES * blotches + TONE_MEDIUM * medium
    dark = BELOW_EYE.height + BELOW_EYE_BY_PERSON * identity.eye_shade
    tone *= 1 - dark * below - mound(s, y, LID, right=identity.eye_x)
    tone *= 1 - mound(x, y, FOREHEAD) * identity.age
    _add_spots(identity, tone, x, y, s)
    blood = _blood(identity, x, y, s)
    blood += RED_BLOTCHES * blotches + RED_COARSE * coarse + RED_MEDIUM * medium
    stubble = _stubble(identity, x, y, s)
    rgb = np.empty((3, *x.shape), np.float32)
    for channel, skin in enumerate(np.float32(identity.skin)):
        tint = 1 + BLOOD[channel] * blood + BELOW_EYE_BLUE[channel] * below
        rgb[channel] = skin * tone * tint
        hair = STUBBLE_HAIR * identity.hair[channel] + STUBBLE_SKIN * skin
        rgb[channel] += np.clip(stubble, 0, STUBBLE_MOST) * (hair - rgb[channel])
    dark = np.minimum(NOSTRIL_FULL * nostrils(identity, s, y), 1)
    rgb *= 1 - NOSTRIL_DARK * dark
    gloss = GLOSS + mound(x, y, GLOSS_FOREHEAD)
    gloss = gloss - GLOSS_STUBBLE * np.clip(stubble, 0, 1)
    gloss += mound(x, y, GLOSS_NOSE) + mound(s, y, GLOSS_CHEEK)
    return rgb, gloss * identity.oil


def _add_spots(identity: Identity, tone, x, y, s) -> None:
    """Freckles and moles darken the skin, in place."""
    spots = look_up(noise(identity.texture)["spots"], x * SPOTS, y * SPOTS)
    freckles = FRECKLES.height * identity.freckles * spots * bump(s, y, FRECKLES)
    tone *= 1 - freckles - SPOTTED * spots
    generator = np.random.default_rng([identity.texture, 2])
    for _ in range(generator.poisson(MOLES)):
        mole_x, mole_y, size = generator.uniform(MOLE_FROM, MOLE_TO).tolist()
        mole = Hill(MOLE_DARK, x=mole_x, y=mole_y, wide=size, tall=size)
        tone *= 1 - mound(x, y, mole)


def _blood(identity: Identity, x, y, s) -> np.ndarray:
    return identity.redness * (
        mound(s, y, RED_CHEEK)
        + mound(x, y, RED_NOSE, down=identity.nose_y)
        + mound(x, y, RED_CHIN, down=identity.chin_y)
        + mound(s, y, RED_WING, down=identity.nose_y)
    )


def _stubble(identity: Identity, x, y, s) -> np.ndarray:
    """Share of the skin that a beard covers."""
    mouth_y = identity.mouth_y
    beard = bump(x, y, BEARD, down=mouth_y)
    beard *= step(y - BEARD_SLANT * s, BEARD_FROM, mouth_y)
    beard = np.maximum(beard, bump(x, y, MOUSTACHE, down=mouth_y))
    beard = np.maximum(beard, bump(s, y, WHISKERS))
    stubble = np.clip(beard * BEARD_FULL, 0, 1) * identity.stubble
    pores = noise(identity.texture)["pores"]
    single = look_up(pores, x * STUBBLE_X, y * STUBBLE_Y)
    return stubble * (STUBBLE + STUBBLE_VARIES * np.clip(single, -1, 1.5))


# Brows. `along` is 0 at the inner end of a brow, 1 at its outer end.
BROW_HAIRS = 240  # of a brow of mean thickness
BROW_HAIRS_LEAST, BROW_HAIRS_BY_THICKNESS, BROW_HAIRS_MOST = 0.35, 0.65, 1.6  # factors
BROW_ENDS = (1.25, 1.35)  # of a beta distribution; larger: sparser inner; outer end
BROW_SPREAD, BROW_SPREAD_MOST = 0.52, 1.3  # of the roots, deviation; limit: thicknesses
BROW_THICK, BROW_TAPERS = 0.048, 0.62  # thickness; share of it lost at the outer end
BROW_TIP, BROW_TIP_THICK = 0.2, 0.6  # inner end: `along`; share of the thickness
BROW_X, BROW_LONG = 0.155, 0.60  # inner end; length
BROW_BY_WIDTH = 0.1  # share of the length that follows the width of the face
BROW_Y, BROW_DROPS = -0.262, 0.03  # inner end; how much lower the outer end is
BROW_ARCH, BROW_ARCH_AT = 0.058, 0.62  # height; `along`
BROW_DIP, BROW_DIP_TO = 0.012, 0.35  # how much lower the inner end is; `along`
# Directions of hairs in radians: 0 points outwards, -pi/2 up. Hairs stand up at the
# inner end and lie down along the brow. The rest is added to that.
UPRIGHT, LYING, LIES_SOON = -1.25, 1.15, 2.2  # at the inner end; added; how soon
DROPS = 0.45  # at the outer end
LOWER_HAIRS, UPPER_HAIRS = -0.25, 0.18  # below; above the middle line of the brow
VARIES, BENDS = 0.14, 0.35  # standard deviation; from root to tip
HAIR_SHORT, HAIR_LONG, HAIR_SHORTENS = 0.07, 0.13, 0.35  # limits; share lost outwards
HAIR_POINTS = 1.5  # drawn along the longest hair, per value of the map
HAIR_WIDE, HAIR_FADES = 0.00078, 0.75  # larger: darker; share lost at the tip
HAIR_PALE, HAIR_DARK = 0.6, 1.4  # limits of a factor of single hairs
BROW_SPARSE, BROW_SPARSE_TO = 0.45, 0.18  # inner end: factor; `along`
HAIR_BLUR, HAIR_BLUR_LEAST = 0.0035, 0.45  # of hairs; values of the map
BROW_BLUR = 0.022  # of the shadow that all of them make
HAIR_COVERS, BROW_COVERS, BROW_COVERS_MOST = 0.33, 0.14, 0.84  # shares: hairs; shadow
BROW_HAIR, BROW_SKIN = 0.55, 0.10  # colour, shares: the hair's; the skin's


def draw_brows(
    identity: Identity,
    rgb: np.ndarray,
    density: int,
    box: tuple[float, float, float, float],
) -> np.ndarray:
    """Brows painted hair by hair, in place; returns how much they cover, 0..1.

    Args:
        identity: the person.
        rgb: map of the skin's colour (3, height, width).
        density: of the map, values a unit.
        box: left, right, top and bottom of the map, units.
    """
    canvas = _splat(rgb.shape[1:], *_brow_hairs(identity, density), density, box)
    canvas = gaussian_filter(canvas, max(HAIR_BLUR_LEAST, HAIR_BLUR * density))
    soft = gaussian_filter(canvas, BROW_BLUR * density)
    cover = np.clip(HAIR_COVERS * canvas + BROW_COVERS * soft, 0, BROW_COVERS_MOST)
    for channel, layer in enumerate(rgb):
        tint = BROW_HAIR * identity.hair[channel] + BROW_SKIN * identity.skin[channel]
        layer += cover * (tint - layer)
    return cover


def _brow_hairs(identity: Identity, density: int) -> tuple[np.ndarray, ...]:
    """x, y and weight of points along the hairs of both brows: (points, hairs) each."""
    generator = np.random.default_rng([identity.texture, 1])
    count = BROW_HAIRS_LEAST + BROW_HAIRS_BY_THICKNESS * identity.brow_thickness
    count = int(BROW_HAIRS * min(BROW_HAIRS_MOST, count))
    hairs = 2 * count
    side = np.repeat([-1.0, 1.0], count)
    along = generator.beta(*BROW_ENDS, hairs)
    spread = generator.normal(0, BROW_SPREAD, hairs)
    spread = np.clip(spread, -BROW_SPREAD_MOST, BROW_SPREAD_MOST)
    thick = BROW_THICK * identity.brow_thickness * (1 - BROW_TAPERS * along)
    inner = np.minimum(along / BROW_TIP, 1)
    thick *= BROW_TIP_THICK + (1 - BROW_TIP_THICK) * inner
    away = (along - BROW_ARCH_AT) / BROW_ARCH_AT
    arch = BROW_ARCH * identity.brow_arch * (1 - np.square(away))
    arch -= BROW_DIP * np.square(1 - np.minimum(along / BROW_DIP_TO, 1))
    share = 1 - BROW_BY_WIDTH + BROW_BY_WIDTH * identity.width
    root_x = BROW_X + BROW_LONG * along * share
    root_y = BROW_Y - identity.brow_height - arch + BROW_DROPS * along + thick * spread
    angle = UPRIGHT + LYING * np.minimum(along * LIES_SOON, 1) + DROPS * along
    half = np.where(spread > 0, LOWER_HAIRS, UPPER_HAIRS)
    angle += half + generator.normal(0, VARIES, hairs)
    length = generator.uniform(HAIR_SHORT, HAIR_LONG, hairs)
    length = length * (1 - HAIR_SHORTENS * along)
    points = max(4, int(HAIR_LONG * density * HAIR_POINTS))
    way = np.linspace(0, 1, points)[:, None]  # from root to tip
    turn = angle + BENDS * way
    square = turn * turn
    # polynomials, because a cosine of an array may differ between processors
    cosine = 1 - square / 2 + square * square / 24
    sine = turn * (1 - square / 6 + square * square / 120)
    x = side * (root_x + length * way * cosine)
    y = root_y + length * way * sine
    fade = (1 - HAIR_FADES * way) * np.ones_like(x)
    weight = HAIR_WIDE * density * density / points
    weight = weight * fade * generator.uniform(HAIR_PALE, HAIR_DARK, hairs)
    sparse = np.minimum(along / BROW_SPARSE_TO, 1)
    weight *= BROW_SPARSE + (1 - BROW_SPARSE) * sparse
    return x, y, weight


def _splat(shape, x, y, weight, density: int, box) -> np.ndarray:
    """A map of points, each shared by the four values around it."""
    across = (x.ravel() - box[0]) * density
    down = (y.ravel() - box[2]) * density
    column, row = np.floor(across).astype(np.intp), np.floor(down).astype(np.intp)
    right, low = across - column, down - row
    canvas = np.zeros(shape[0] * shape[1])
    inside = (column >= 0) & (row >= 0) & (column < shape[1] - 1) & (row < shape[0] - 1)
    place, weight = (row * shape[1] + column)[inside], weight.ravel()[inside]
    right, low = right[inside], low[inside]
    for shift, share in (
        (0, (1 - right) * (1 - low)),
        (1, right * (1 - low)),
        (shape[1], (1 - right) * low),
        (shape[1] + 1, right * low),
    ):
        canvas += np.bincount(place + shift, weight * share, len(canvas))
    return canvas.reshape(shape).astype(np.float32)
