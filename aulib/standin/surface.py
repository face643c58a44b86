r"""A person's neutral head and body as maps: depth, colour, hair, outline.

Drawn once a person, at a density (values a unit) that fits the picture, then looked
up by every picture. x runs to the right of the picture, y down, depth towards the
camera; the unit is half a face's width (69 mm), the origin lies between the pupils.

1. shape: skull and jaw are sections whose half-width and depth follow the height;
   ridge, sockets, nose, cheeks, muzzle and chin are sums of smooth hills over them;
2. colour: skin varies on three scales, in zones (red nose and cheeks, dark below the
   eyes, shaved chin); brows are some hundreds of single hairs;
3. hair: see `aulib.standin.hair`; it lifts the depth and widens the outline;
4. body: neck with its two oblique muscles, shoulders, a shirt with collar and folds.

Only sums, products and roots are used on arrays: they are the same on all processors.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from aulib.standin.hair import grow
from aulib.standin.person import Identity
from aulib.standin.shapes import bump, look_up, noise, ridge, step, wave

FIELDS = ("depth", "red", "green", "blue", "edge", "gloss", "hair", "flow_x", "flow_y")
BODY = (-2.1, 2.1, -0.25, 3.1)  # left, right, top, bottom in units
TOP, BOTTOM, HEIGHTS = -2.5, 3.5, 4096  # of the tables of profiles


@dataclass(frozen=True)
class Maps:
    """Interleaved fields (rows * columns, len(FIELDS)), float32."""

    values: np.ndarray
    rows: int
    columns: int
    left: float
    top: float
    density: float

    def sample(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """The fields at (x, y), between the maps' values, planar."""
        across = np.clip((x - self.left) * self.density, 0, self.columns - 1.01)
        down = np.clip((y - self.top) * self.density, 0, self.rows - 1.01)
        column, row = across.astype(np.int32), down.astype(np.int32)
        across -= column
        down -= row
        place = (row.astype(np.intp) * self.columns + column).ravel()
        across, down = across.reshape(-1, 1), down.reshape(-1, 1)
        high = self.values.take(place, axis=0)
        right = self.values.take(place + 1, axis=0)
        right -= high
        right *= across
        high += right
        place += self.columns
        low = self.values.take(place, axis=0)
        right = self.values.take(place + 1, axis=0)
        right -= low
        right *= across
        low += right
        low -= high
        low *= down
        high += low
        planes = high.T.reshape(len(FIELDS), *x.shape).copy()
        return dict(zip(FIELDS, planes, strict=True))


@lru_cache(maxsize=16)
def head_maps(identity: Identity, density: int) -> Maps:
    """Steps 1 to 3."""
    box = (-1.5, 1.5, -2.25, max(1.9, identity.hair_length + 0.25))
    x, y = _grid(box, density)
    s = np.abs(x)
    fields = noise(identity.texture)
    pores = look_up(fields["pores"], x * 130, y * 130)
    blotches = look_up(fields["blotches"], x * 60 + 31, y * 60)
    coarse = look_up(fields["blotches"], x * 17, y * 17 + 77)
    depth, edge = _skull(identity, x, y, 0.0)
    depth += _relief(identity, x, y, s) + 0.0012 * pores + 0.0025 * coarse
    rgb, gloss = _skin_colour(identity, x, y, s, pores, blotches, coarse)
    gloss *= 1 + 0.12 * pores
    # ears stand behind the outline
    ear, ear_depth, hollow = _ear(identity, s, y)
    behind = step(edge, -0.012, 0.02)
    depth = ear_depth + behind * (depth - ear_depth)
    rgb *= 1 - (1 - behind) * hollow
    rgb[0] *= 1 + 0.06 * (1 - behind)
    edge = np.maximum(edge, ear)
    gloss *= 1 - _brows(identity, rgb, density, box)
    # the hair has its own, wider head
    wide, around = _skull(identity, x, y, identity.hair_volume)
    hair = grow(identity, x, y, wide, around, density)
    # beyond the face's own outline and the ears there is nothing but hair
    past = step(hair["edge"], -0.045, 0.01) * (1 - step(edge, 0.012, 0.02))
    past *= 1 - step(ear, -0.005, 0.01)
    cover = np.maximum(hair["cover"], past)
    depth += cover * (hair["depth"] - depth)
    for layer, tint in zip(rgb, hair["rgb"], strict=True):
        layer += cover * (tint - layer)
    edge = np.maximum(edge, hair["edge"])
    flow = [hair["flow_x"], hair["flow_y"]]
    return _pack([depth, *rgb, edge, gloss * (1 - cover), cover, *flow], box, density)


@lru_cache(maxsize=16)
def body_maps(identity: Identity, density: int) -> Maps:
    """Step 4."""
    x, y = _grid(BODY, density)
    s = np.abs(x)
    fields = noise(identity.texture)
    blotches = look_up(fields["blotches"], x * 40, y * 40 + 9)
    folds = look_up(fields["blotches"], x * 26 + 20 * y, y * 13)
    wide = 0.62 * identity.neck
    slope = np.maximum(y - 1.66, 0)
    half = wide + 0.05 * (y - 1.2) + 0.75 * slope * slope + 0.5 * slope
    slope = np.maximum(y - 2.06, 0)
    half += 2.6 * slope
    across = np.minimum(s / half, 1)
    neck = -0.25 + 0.62 * np.sqrt(1 - across * across * (0.6 + 0.4 * across * across))
    neck += 0.12 * step(y, 2.3, 0.9)
    # from behind the ear to the notch of the breastbone, and the larynx between
    cord = s - (0.075 + 0.40 * (2.32 - y))
    cord = ridge(cord, 0.085) * step(y, 1.55, 0.9) * step(-y, -2.42, 0.2)
    neck += (0.048 if identity.male else 0.034) * cord
    neck -= 0.04 * bump(x, y, 0.0, 2.34, 0.08, 0.08)
    lump = 0.05 if identity.male else 0.015
    neck += lump * bump(x, y, 0.0, 1.93, 0.10, 0.12)
    neck += 0.035 * ridge(y - 2.30 - 0.12 * s, 0.05) * step(s, 0.22, 0.2)
    rgb = np.empty((3, *x.shape), np.float32)
    for layer, value in zip(rgb, identity.skin, strict=True):
        layer[:] = 0.93 * value * (1 + 0.03 * blotches)
    edge = (half - s) * 0.75
    # the shirt: a collar's roll, and folds that hang from the shoulders
    depth_cut = identity.neckline
    drop = 2.04 + depth_cut * np.maximum(1 - s * (1 / 0.55), 0)
    drop += 0.12 * (1 - np.minimum(s * (1 / 0.6), 1))
    inside = y - drop + 0.15 * np.maximum(s - 0.45, 0)
    shirt = step(inside, 0.0, 0.02)
    chest = 0.30 - 0.06 * s * s - 0.35 * np.square(1 - np.clip((half - s) * 2.2, 0, 1))
    cloth = neck + step(inside, 0.22, 0.5) * (chest - neck)
    cloth += 0.04 + 0.025 * ridge(inside - 0.035, 0.04)
    cloth += 0.012 * folds * step(inside, 0.15, 0.3)
    weave = look_up(fields["pores"], x * 120, y * 120)
    seam = 1 - 0.35 * ridge(inside - 0.085, 0.010) + 0.035 * weave
    for layer, value in zip(rgb, identity.shirt, strict=True):
        layer += shirt * (value * seam - layer)
    depth = neck + shirt * (cloth - neck)
    gloss = 0.35 * (1 - shirt)
    edge = np.maximum(edge, np.where(shirt > 0.3, half + 0.04 - s, -1))
    hair = np.zeros_like(x)
    if identity.hair_length > 0:  # what falls behind the neck
        strands = look_up(fields["strands"], x * 55, y * 14)
        fill = identity.hair_length - 0.1 - y + 0.03 * strands
        back = np.minimum(fill, 0.95 * identity.width + identity.hair_volume - s)
        back = np.minimum(back, 0.5 * (y - 0.1))
        hair = step(back, 0.0, 0.05) * step(-edge, 0.0, 0.03)
        depth = np.where(edge > 0, depth, -0.35 + 0.02 * strands)
        edge = np.maximum(edge, back)
        for layer, value in zip(rgb, identity.hair, strict=True):
            layer += hair * (0.7 * value * (1 + 0.3 * strands) - layer)
    flow = [np.zeros_like(x), np.ones_like(x)]
    return _pack([depth, *rgb, edge, gloss, hair, *flow], BODY, density)


def _grid(box, density):
    left, right, top, bottom = box
    columns, rows = int((right - left) * density), int((bottom - top) * density)
    x = np.arange(columns, dtype=np.float32) * (1 / density) + left
    y = np.arange(rows, dtype=np.float32) * (1 / density) + top
    return tuple(a.astype(np.float32) for a in np.meshgrid(x, y))


def _pack(fields, box, density) -> Maps:
    rows, columns = fields[0].shape
    values = np.stack([field.ravel() for field in fields], axis=1).astype(np.float32)
    return Maps(values, rows, columns, box[0], box[2], density)


def _skull(identity: Identity, x, y, hair: float):
    """Depth of skull and jaw, and the distance inside their outline."""
    heights = np.linspace(TOP, BOTTOM, HEIGHTS)
    chin, jaw = identity.mouth_y + 0.68 * identity.chin, identity.jaw
    top = -1.60 - 1.15 * hair

    def rounded(at: list[float], values: list[float]) -> np.ndarray:
        curve = PchipInterpolator(at, np.square(values))
        squares = curve(np.clip(heights, at[0], at[-1]))
        squares = gaussian_filter1d(squares, 0.011 * HEIGHTS)  # both ends are round
        return np.sqrt(np.maximum(squares - 0.05, 1e-6))

    at = [top, top + 0.06, top + 0.24, -1.1, -0.7, -0.3, 0.1, 0.5, chin - 0.66]
    at += [chin - 0.43, chin - 0.22, chin - 0.08, chin]
    full = 0.02 * (identity.fullness - 0.5)
    side = hair * (1.0 if identity.hair_style in ("coils", "wavy") else 0.45)
    half = [0, 0.41, 0.75 + 0.6 * hair, 0.93 + hair, 1.045 + side, 1.02 + 0.8 * side]
    half += [1.005 + 0.4 * side, 0.96 + full, 0.84 * jaw + 2 * full]
    half += [0.685 * jaw + 2 * full, 0.49 * jaw + full, 0.33 * jaw, 0]
    half = rounded(at, [identity.width * value for value in half])
    deep = [0, 0.30, 0.72, 0.96, 1.07, 1.11, 1.06, 1.05, 1.05, 1.04, 1.0, 0.80, 0]
    deep = rounded(
        at, [value + 0.6 * hair * (place < 0) for value, place in zip(deep, at)]
    )
    slope = np.gradient(half, heights)
    place = ((y - TOP) * (HEIGHTS / (BOTTOM - TOP))).astype(np.intp)
    table = np.stack([half, slope, deep]).astype(np.float32)
    half, slope, deep = (row.take(np.clip(place, 0, HEIGHTS - 1)) for row in table)
    across = x / half
    across *= across
    z = deep * np.sqrt(np.clip(1 - across * (0.48 + 0.52 * across), 0, 1))
    edge = (half - np.abs(x) - 0.01) / np.sqrt(1 + slope * slope)
    return z, np.minimum(edge, np.minimum(chin + 0.02 - y, y - top + 0.02))


def _relief(identity: Identity, x, y, s) -> np.ndarray:
    """What the bones, fat and gristle of the face add to the skull."""
    mouth_y, chin_y, nose = identity.mouth_y, identity.chin_y, identity.nose_y
    eye_x, full = identity.eye_x, identity.fullness
    # brow ridge, temples, sockets and the lids over the eyeballs
    brow = -0.25 - 0.6 * identity.brow_height + 0.10 * s * s
    z = 0.045 * identity.brow_ridge * ridge(y - brow, 0.11) * ridge(s - 0.36, 0.40)
    z += 0.03 * bump(x, y, 0.0, -0.72, 0.55, 0.28)
    z -= 0.07 * bump(s, y, 0.86, -0.30, 0.17, 0.34)
    z -= 0.165 * bump(s, y, eye_x - 0.05, -0.02, 0.27, 0.155)
    z -= 0.07 * bump(s, y, 0.21, -0.04, 0.09, 0.12)
    z += 0.145 * bump(s, y, eye_x, 0.005, 0.185, 0.135)
    # tear trough and the fat below it
    trough = y - 0.15 - 0.28 * (s - 0.25)
    z -= (0.010 + 0.022 * identity.age) * ridge(trough, 0.05) * ridge(s - 0.36, 0.16)
    z += 0.016 * identity.age * ridge(trough + 0.08, 0.05) * ridge(s - 0.42, 0.16)
    # cheeks: bone, fat, the hollow below
    z += 0.085 * identity.cheekbone * bump(s, y, 0.66, 0.27, 0.24, 0.17)
    z += (0.02 + 0.06 * full) * bump(s, y, 0.48, 0.48, 0.24, 0.22)
    z += 0.07 * full * bump(s, y, 0.62, 0.86, 0.22, 0.26)
    z -= (0.135 - 0.12 * full) * bump(s, y, 0.66, 0.74, 0.15, 0.24)
    # muzzle, philtrum, the hollow above the chin, the chin
    z += 0.115 * bump(x, y, 0.0, mouth_y - 0.02, 0.46, 0.34)
    z -= 0.020 * bump(x, y, 0.0, mouth_y - 0.19, 0.042, 0.10)
    z += 0.012 * bump(s, y, 0.07, mouth_y - 0.18, 0.035, 0.09)
    z -= 0.055 * bump(x, y, 0.0, mouth_y + 0.25, 0.24, 0.075)
    z += 0.095 * bump(x, y, 0.0, chin_y + 0.02, 0.27, 0.17)
    z -= 0.03 * identity.cleft * bump(x, y, 0.0, chin_y + 0.03, 0.035, 0.09)
    # age: the fold beside the mouth, the jowl, lines across the forehead
    jowl = s - (0.46 + 0.14 * (y - mouth_y))
    z -= 0.030 * identity.age**2 * ridge(jowl, 0.05) * ridge(y - mouth_y - 0.2, 0.17)
    lines = wave(5.5 * y + 0.35 * s * s + 0.1 * wave(0.8 * x))
    z += 0.007 * identity.wrinkles * lines * bump(x, y, 0.0, -0.68, 0.55, 0.18)
    return z + _nose(identity, x, y, s, nose)


def _nose(identity: Identity, x, y, s, nose: float) -> np.ndarray:
    """Bridge, ball, wings, the strut between dark nostrils."""
    heights = np.linspace(TOP, BOTTOM, HEIGHTS)
    at = [-0.38, -0.14, 0.05, 0.22, nose - 0.26, nose - 0.15, nose - 0.06, nose + 0.03]
    hump = 0.035 * identity.nose_hump
    rise = [0, 0.085, 0.17 + 0.5 * hump, 0.25 + hump, 0.335 + 0.4 * hump]
    rise = PchipInterpolator(at, [*rise, 0.37, 0.24, 0])
    rise = identity.nose_height * rise(np.clip(heights, at[0], at[-1]))
    thick = PchipInterpolator(at, [0.26, 0.155, 0.15, 0.175, 0.20, 0.20, 0.17, 0.15])
    thick = thick(np.clip(heights, at[0], at[-1])) * (0.4 + 0.6 * identity.nose_width)
    table = np.stack([rise, thick]).astype(np.float32)
    table = gaussian_filter1d(table, 0.005 * HEIGHTS, axis=1)
    # the tip hangs lower than the sides
    place = ((y + 0.9 * x * x - TOP) * (HEIGHTS / (BOTTOM - TOP))).astype(np.intp)
    rise, thick = (row.take(np.clip(place, 0, HEIGHTS - 1)) for row in table)
    # a roof with a rounded ridge
    z = rise * (0.92 * ridge(x / thick, 1) + 0.08 * ridge(x / thick, 0.6))
    tip = identity.nose_tip
    z += 0.055 * tip * bump(x, y, 0.0, nose - 0.155, 0.125, 0.115)
    wing_x = 0.195 * identity.nose_width
    z += 0.135 * bump(s, y, wing_x, nose - 0.095, 0.085, 0.10)
    # the groove round the wing
    round_wing = np.sqrt((s - wing_x + 0.01) ** 2 + (y - nose + 0.095) ** 2)
    groove = ridge(round_wing - 0.125, 0.03) * step(s, wing_x + 0.03, 0.08)
    z -= 0.024 * groove * step(-y, 0.02 - nose, 0.08)
    z -= 0.09 * _nostrils(identity, s, y)
    return z


def _nostrils(identity: Identity, s, y) -> np.ndarray:
    at = 0.095 * identity.nose_width
    lift = y - identity.nose_y + 0.030 + 0.30 * (s - at)
    return bump(s, lift, at, 0.0, 0.050 * identity.nose_width, 0.020)


def _ear(identity: Identity, s, y):
    """Distance inside the ear, its depth, and how dark its hollows are."""
    size = identity.ear_size
    lean = s - 1.02 * identity.width - 0.02 - 0.10 * (0.2 - y)
    height = (y - 0.17) * (1 / (0.30 * size))
    wide = 0.095 * size * (1 - 0.25 * np.clip(height, -1.5, 1.5))
    across = lean / wide
    radius = np.sqrt(across * across + height * height)
    outer = step(across - 0.4 * height, -0.25, 0.9)
    rim = ridge(radius - 0.86, 0.15) * outer
    inner = ridge(radius - 0.46 - 0.1 * height, 0.15) * step(across - height, 0.1, 0.8)
    depth = 0.02 + 0.055 * rim + 0.040 * inner + 0.07 * across * size
    shade = 0.30 * ridge(radius - 0.68, 0.10) * outer * step(-height, -0.5, 0.5)
    shade += 0.55 * bump(across, height, -0.30, 0.18, 0.40, 0.30)
    shade += 0.25 * step(-across, 0.35, 0.5)
    if identity.hair_length > 0:  # under the hair
        radius = radius + 9
    return (1 - radius) * wide, depth, np.minimum(shade, 0.75)


def _skin_colour(identity: Identity, x, y, s, pores, blotches, coarse):
    """Step 2: linear light (3, height, width), and how much the skin shines."""
    mouth_y, nose, eye_x = identity.mouth_y, identity.nose_y, identity.eye_x
    skin = np.float32(identity.skin)
    fields = noise(identity.texture)
    medium = look_up(fields["blotches"], x * 150 + 99, y * 150)
    spots = look_up(fields["spots"], x * 55, y * 55)
    warm = identity.redness * (
        0.9 * bump(s, y, 0.58, 0.40, 0.26, 0.22)
        + 0.9 * bump(x, y, 0.0, nose - 0.13, 0.20, 0.13)
        + 0.4 * bump(x, y, 0.0, identity.chin_y, 0.25, 0.18)
        + 0.5 * bump(s, y, 0.22, nose - 0.02, 0.08, 0.10)
    )
    warm += 0.22 * blotches + 0.06 * coarse + 0.12 * medium
    below = bump(s, y, eye_x - 0.05, 0.115, 0.22, 0.09)
    lids = bump(s, y, eye_x, -0.06, 0.26, 0.10)
    dark = 0.10 + 0.22 * identity.eye_shade
    tone = 1 + 0.032 * pores + 0.012 * coarse + 0.02 * blotches + 0.022 * medium
    tone *= 1 - dark * below - 0.12 * lids
    tone *= 1 - 0.06 * bump(x, y, 0.0, -0.9, 0.9, 0.35) * identity.age
    freckles = bump(s, y, 0.32, 0.28, 0.52, 0.40)
    tone *= 1 - 0.34 * identity.freckles * spots * freckles - 0.05 * spots
    generator = np.random.default_rng([identity.texture, 2])
    for _ in range(generator.poisson(2.5)):  # moles
        at_x, at_y, size = generator.uniform([-0.8, -0.6, 0.010], [0.8, 1.6, 0.020])
        tone *= 1 - 0.55 * bump(
            x, y, float(at_x), float(at_y), float(size), float(size)
        )
    beard = np.maximum(
        bump(x, y, 0.0, mouth_y + 0.52, 0.78, 0.46)
        * step(y - 0.35 * s, mouth_y - 0.1, 0.4),
        bump(x, y, 0.0, mouth_y - 0.17, 0.42, 0.11),
    )
    beard = np.maximum(beard, bump(s, y, 0.86, 0.55, 0.13, 0.5))
    stubble = np.clip(beard * 1.35, 0, 1) * identity.stubble
    whiskers = look_up(fields["pores"], x * 150, y * 110)
    stubble *= 0.42 + 0.22 * np.clip(whiskers, -1, 1.5)
    rgb = np.empty((3, *x.shape), np.float32)
    amounts = zip((0.055, -0.075, -0.07), (0.0, -0.02, 0.05), strict=True)
    for channel, (flush, blue) in enumerate(amounts):
        rgb[channel] = skin[channel] * tone * (1 + flush * warm + blue * below)
        hair = 0.35 * identity.hair[channel] + 0.15 * skin[channel]
        rgb[channel] += np.clip(stubble, 0, 0.85) * (hair - rgb[channel])
    # nostrils
    rgb *= 1 - 0.90 * np.minimum(1.3 * _nostrils(identity, s, y), 1)
    gloss = 0.75 + 0.5 * bump(x, y, 0.0, -0.6, 0.5, 0.4) - 0.4 * np.clip(stubble, 0, 1)
    gloss += 0.8 * bump(x, y, 0.0, 0.25, 0.22, 0.4) + 0.3 * bump(
        s, y, 0.55, 0.2, 0.2, 0.2
    )
    return rgb, gloss * identity.oil


def _brows(identity: Identity, rgb, density, box) -> np.ndarray:
    """Single hairs, upright near the nose, lying further on; returns their cover."""
    generator = np.random.default_rng([identity.texture, 1])
    count = int(240 * min(1.6, 0.35 + 0.65 * identity.brow_thickness))
    side = np.repeat([-1.0, 1.0], count)
    along = generator.beta(1.25, 1.35, 2 * count)  # inner to outer end
    spread = np.clip(generator.normal(0, 0.52, 2 * count), -1.3, 1.3)
    thick = 0.048 * identity.brow_thickness * (1 - 0.62 * along)
    thick *= 0.6 + 0.4 * np.minimum(along / 0.2, 1)
    arch = 0.058 * identity.brow_arch * (1 - np.square((along - 0.62) / 0.62))
    arch -= 0.012 * np.square(1 - np.minimum(along / 0.35, 1))
    root_x = 0.155 + 0.60 * along * (0.9 + 0.1 * identity.width)
    root_y = -0.262 - identity.brow_height - arch + 0.03 * along + thick * spread
    angle = -1.25 + 1.15 * np.minimum(along * 2.2, 1) + 0.45 * along  # upright to lying
    angle += np.where(spread > 0, -0.25, 0.18) + generator.normal(0, 0.14, 2 * count)
    length = generator.uniform(0.07, 0.13, 2 * count) * (1 - 0.35 * along)
    points = max(4, int(0.13 * density * 1.5))
    way = np.linspace(0, 1, points)[:, None]
    # a turn by polynomials: no cosine of an array
    turn = angle + 0.35 * way
    square = turn * turn
    cosine = 1 - square / 2 + square * square / 24
    sine = turn * (1 - square / 6 + square * square / 120)
    x = side * (root_x + length * way * cosine)
    y = root_y + length * way * sine
    fade = (1 - 0.75 * way) * np.ones_like(x)
    weight = 0.00078 * density * density / points  # a hair's width by a step's length
    weight = weight * fade * generator.uniform(0.6, 1.4, 2 * count)
    weight *= 0.45 + 0.55 * np.minimum(along / 0.18, 1)  # sparse at the inner end
    canvas = splat(rgb.shape[1:], x, y, weight, density, box)
    canvas = gaussian_filter(canvas, max(0.45, 0.0035 * density))
    soft = gaussian_filter(canvas, 0.022 * density)
    cover = np.clip(0.33 * canvas + 0.14 * soft, 0, 0.84)
    for channel, layer in enumerate(rgb):
        tint = 0.55 * identity.hair[channel] + 0.10 * identity.skin[channel]
        layer += cover * (tint - layer)
    return cover


def splat(shape, x, y, weight, density, box) -> np.ndarray:
    """Points added to a map, each shared by the four values around it."""
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
