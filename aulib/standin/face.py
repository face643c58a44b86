r"""The stand-in's face: a shaded surface that five Action Units deform.

A head is a depth z(x, y) towards the camera and an albedo over the same plane. The
unit is half a face's width (69 mm); the origin lies between the pupils, x to the
right of the picture, y down. A picture is made in five steps, all on one pixel grid:

1. pose: for each pixel the point (u, v) of the head that a turned head shows there;
2. muscles: each AU pulls the skin by a smooth displacement d, so the pixel at (u, v)
   shows the skin (x, y) = (u, v) - d(u, v); the lips move apart along their line;
3. depth: skull, brow ridge, sockets, nose, cheeks, lips and chin as sums of bumps
   over the skin, and the furrows that the AUs press into it;
4. albedo: skin, brows, lips, eyes, teeth and hair as colours over the skin;
5. light: normals are the depth's finite differences; one lamp, ambient light, a weak
   gloss; hollows are darkened where the depth lies below its surroundings' mean.

What the AUs do follows the descriptions of the Facial Action Coding System (Ekman,
Friesen and Hager, 2002). AUs of one region change each other's look (the paper,
Section I, names 10 with 12 and 12 with 14): see `_muscles`.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter, gaussian_filter1d, uniform_filter

from aulib.standin.person import Identity, make_identity

__all__ = ["DISTRACTORS", "Identity", "make_identity", "render_face"]

DISTRACTORS = (
    *("brow_raise_inner", "brow_raise_outer", "brow_lower", "lips_part", "jaw_drop"),
    *("blink", "gaze_x", "gaze_y", "yaw", "pitch", "roll"),
)
"""What else moves and is not labelled: AU1, 2, 4, 25, 26, 45 in 0..1, the gaze in
-1..1 (right and down in the picture), and the head's angles in degrees."""

TOP, BOTTOM, HEIGHTS = -2.5, 3.5, 16384  # of the tables of profiles


def render_face(
    identity: Identity,
    aus: Sequence[float],
    distractors: Mapping[str, float],
    height: int,
    width: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """One picture of a person.

    Args:
        identity: who.
        aus: intensities of `aulib.AUS`, continuous, 0..5.
        distractors: values of `DISTRACTORS`; what is missing is 0.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        generator: the frame's chance: small shifts of head and light, camera noise.

    Returns:
        uint8 array (height, width, 3), RGB.

    Raises:
        ValueError: `aus` are not five numbers in 0..5, or a distractor is unknown.
    """
    aus = np.asarray(aus, dtype=np.float64)
    if aus.shape != (5,) or not ((aus >= 0) & (aus <= 5)).all():
        raise ValueError(f"aus must be five intensities in 0..5, not {aus.tolist()}")
    for name in distractors:
        if name not in DISTRACTORS:
            raise ValueError(f"{name!r} is no distractor; there are {DISTRACTORS}")
    pull = _muscles(identity, aus, distractors)
    scale = 0.205 * height  # pixels a unit: crown to chin fill two thirds
    u, v = _pose(pull, height, width, scale, generator)
    lamp = _lamp(identity, generator)
    picture = _body(identity, u, v, lamp)
    # the head's own steps run on the part of the picture where it can be
    side, top = 1.07 + identity.hair_volume, 1.68 + identity.hair_volume
    bottom = identity.mouth_y + 0.70 * identity.chin + 0.16 * pull["jaw_drop"]
    window = _window((np.abs(u) < side * identity.width) & (v > -top) & (v < bottom))
    if u[window].size:
        picture[:, *window] = _head(
            identity, pull, u[window], v[window], scale, lamp, picture[:, *window]
        )
    # a camera's curve is close to a square root of the light
    picture = np.sqrt(np.clip(picture, 0, 1)) * 255
    grain = generator.standard_normal(picture[0].size + 2000, np.float32) * 1.6
    for channel in range(3):  # three shifted views of one field are cheaper than three
        picture[channel].flat += grain[1000 * channel :][: picture[0].size]
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _head(identity, pull, u, v, scale, lamp, behind) -> np.ndarray:
    """Steps 2 to 5 over what is behind the head: linear light (3, height, width)."""
    x, y, inside = _skin(identity, pull, u, v, scale)
    texture = _texture(identity.texture, x, y)
    hair, strands = _hair(identity, x, y, texture)
    depth, edge = _depth(identity, pull, x, y, texture)
    depth += 0.05 * hair - 0.04 * inside
    albedo, gloss = _albedo(identity, pull, x, y, v, texture, inside)
    eyes = _window((np.abs(y) < 0.3) & (np.abs(x) < 0.9))
    _paint_eyes(
        identity,
        pull,
        x[eyes],
        y[eyes],
        scale,
        albedo[:, *eyes],
        depth[eyes],
        gloss[eyes],
    )
    sheen = hair * (1 + 0.3 * strands)
    for channel in range(3):
        albedo[channel] += sheen * identity.hair[channel] - hair * albedo[channel]
    gloss *= 1 - hair
    yaw, pitch = math.radians(pull["yaw"]), math.radians(pull["pitch"])
    turned = depth * math.cos(yaw) - u * math.sin(yaw)
    turned = v * math.sin(pitch) + turned * math.cos(pitch)
    head = _light(turned, depth, scale, albedo, gloss, lamp)
    alpha = np.clip(edge * scale + 0.5, 0, 1)
    return behind + alpha * (head - behind)


def _muscles(
    identity: Identity, aus: np.ndarray, distractors: Mapping[str, float]
) -> dict[str, float]:
    """How far each muscle pulls, 0..1 or a little more, with what AUs do together."""
    # plain floats keep the pictures in float32
    au6, au10, au12, au14, au17 = ((aus / 5) ** 1.2 * identity.strength).tolist()
    pull = {name: float(distractors.get(name, 0.0)) for name in DISTRACTORS}
    pull |= {"au6": au6, "au10": au10, "au12": au12, "au14": au14, "au17": au17}
    # 10 with 12: the stretched lip rises less, the two folds are one, and deeper
    pull["lip_lift"] = au10 * (1 - 0.4 * au12)
    pull["fold_low"] = au12 * (1 + 0.3 * au10)
    pull["fold_high"] = (au10**2 + 0.36 * au12**2) ** 0.5
    # 12 with 14: the tight corner is held down, its dimple drawn long
    pull["corner_up"] = au12 * (1 - 0.45 * au14)
    pull["corner_out"] = au12 * (1 - 0.2 * au14)
    pull["dimple"] = au14 * (1 + 0.3 * au12)
    return pull


def _step(value: np.ndarray, edge: float, width: float) -> np.ndarray:
    """Rises smoothly from 0 to 1 about `edge`, within `width`."""
    share = value * (1 / width)
    share += 0.5 - edge / width
    np.maximum(share, 0, out=share)
    np.minimum(share, 1, out=share)
    slow = 3 - 2 * share
    share *= share
    share *= slow
    return share


def _bump(x, y, at_x: float, at_y: float, size_x: float, size_y: float) -> np.ndarray:
    """A hill of height 1 at (at_x, at_y): nearly exp(-r^2), but 0 from r = 2 on."""
    hill = x - at_x
    hill *= 1 / size_x
    hill *= hill
    along = y - at_y
    along *= 1 / size_y
    along *= along
    hill += along
    return _fall(hill)


def _ridge(distance: np.ndarray, size: float) -> np.ndarray:
    """A wall of height 1 where the distance is 0."""
    wall = distance * (1 / size)
    wall *= wall
    return _fall(wall)


def _fall(square: np.ndarray) -> np.ndarray:
    """(1 - r^2/4)^4, in place: exp(-r^2) without the cost of an exponential."""
    square *= -0.25
    square += 1
    np.maximum(square, 0, out=square)
    square *= square
    square *= square
    return square


def _pose(pull, height, width, scale, generator):
    """Step 1: the point (u, v) of the head that each pixel shows."""
    yaw, pitch, roll = (math.radians(pull[angle]) for angle in ("yaw", "pitch", "roll"))
    shift_x, shift_y, zoom = generator.normal(0, [0.04, 0.04, 0.012]).tolist()
    rows = (np.arange(height, dtype=np.float32) - 0.46 * height)[:, None]
    columns = (np.arange(width, dtype=np.float32) - 0.5 * width + 0.5)[None]
    size = scale * (1 + zoom)
    across = (columns * math.cos(roll) + rows * math.sin(roll)) / size - shift_x
    down = (rows * math.cos(roll) - columns * math.sin(roll)) / size - shift_y
    u, v = across, down
    for _ in range(2):  # the head's own depth moves what a turn shows
        near = np.maximum(1.05 - 0.65 * u * u - 0.16 * v * v, -0.3)
        near += 0.35 * _bump(u, v, 0.0, 0.45, 0.2, 0.3)
        u = (across - near * math.sin(yaw)) / math.cos(yaw)
        v = (
            down + (near * math.cos(yaw) - u * math.sin(yaw)) * math.sin(pitch)
        ) / math.cos(pitch)
    return u, v


def _mirror(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the midline and side of it, -1..1, both smooth at the midline."""
    distance = np.sqrt(x * x + np.float32(0.0025))
    return distance, x / distance


def _lip_line(identity: Identity, x: np.ndarray) -> np.ndarray:
    """Where the closed lips meet: the corners a little lower or higher."""
    along = np.minimum(np.abs(x) / identity.mouth_x, 1.3)
    middle = 0.012 * _ridge(x, 0.07)
    return identity.mouth_y + middle - identity.corner_lift * along * along


def _skin(identity: Identity, pull, u, v, scale):
    """Step 2: the skin (x, y) seen at each (u, v), and the opening between the lips."""
    s, side = _mirror(u)
    mouth_x, mouth_y, chin_y = identity.mouth_x, identity.mouth_y, identity.chin_y
    up, out = pull["corner_up"], pull["corner_out"]
    # the corners: AU12 pulls them back and up, AU14 in; AU17 lets them hang
    corner = _bump(s, v, mouth_x + 0.12 * out, mouth_y - 0.13 * up, 0.25, 0.23)
    tight = _bump(s, v, mouth_x, mouth_y - 0.06 * up, 0.15, 0.12)
    dx = 0.16 * out * corner - 0.055 * pull["dimple"] * tight
    dy = -0.13 * up * corner + (0.04 * pull["au17"] - 0.02 * pull["dimple"]) * tight
    dy -= 0.035 * up * _bump(s, v, 0.0, mouth_y, 0.5, 0.3)
    # the cheeks: AU6 towards the eye, AU12 below it
    dy -= 0.10 * pull["au6"] * _bump(s, v, 0.55, 0.34, 0.32, 0.22)
    dy -= 0.06 * up * _bump(s, v, 0.62, 0.52, 0.25, 0.25)
    # AU10: the upper lip's middle and the nose's wings
    lift = _bump(s, v, 0.13, mouth_y - 0.1, 0.24, 0.2)
    dy -= 0.055 * pull["lip_lift"] * lift
    dy -= 0.035 * pull["au10"] * _bump(s, v, 0.26, identity.nose_y - 0.1, 0.14, 0.14)
    # AU17: chin boss and lower lip
    dy -= 0.11 * pull["au17"] * _bump(u, v, 0.0, chin_y - 0.08, 0.32, 0.2)
    dy -= 0.065 * pull["au17"] * _bump(u, v, 0.0, mouth_y + 0.02, 0.24, 0.16)
    # AU1, AU2 and AU4: the brows
    dy -= 0.11 * pull["brow_raise_inner"] * _bump(s, v, 0.22, -0.38, 0.17, 0.22)
    dy -= 0.10 * pull["brow_raise_outer"] * _bump(s, v, 0.62, -0.36, 0.22, 0.22)
    frown = pull["brow_lower"] * _bump(s, v, 0.24, -0.26, 0.22, 0.17)
    dy += 0.07 * frown
    dx -= 0.05 * frown
    x, y = u - side * dx, v - dy
    # the lips part: each side of their line goes its own way, most in the middle
    line = _lip_line(identity, x)
    free = np.clip(1 - (x * x) * (1 / mouth_x**2), 0, 1)
    near = _bump(x, y, 0.0, mouth_y, 1.0, 0.2)
    rise = (0.03 * pull["lips_part"] + 0.05 * pull["lip_lift"]) * free * near
    jaw = pull["jaw_drop"] * _step(y, mouth_y - 0.1, 0.2)
    jaw *= free + (1 - free) * _step(y, mouth_y + 0.2, 0.5)
    drop = 0.05 * pull["lips_part"] * free * near + 0.15 * jaw
    upper, lower = y + rise, y - drop
    inside = np.clip(np.minimum(upper - line, line - lower) * scale, 0, 1)
    y = np.where(upper <= line, upper, np.maximum(lower, line))
    return x, y, inside


@lru_cache(maxsize=8)
def _noise(seed: int) -> dict[str, np.ndarray]:
    """Periodic fields (256, 256) of a person's skin and hair, 72 values a unit."""
    white = np.random.default_rng(seed).standard_normal((4, 256, 256))
    sizes = {"pores": 0.8, "blotches": 6, "spots": 1.1, "strands": (12, 0.6)}
    fields = {}
    for (name, size), values in zip(sizes.items(), white, strict=True):
        smooth = gaussian_filter(values, size, mode="wrap")
        fields[name] = (smooth / smooth.std()).astype(np.float32)
    fields["spots"] = np.clip(fields["spots"] - 1.5, 0, 1.5)
    return fields


def _texture(seed: int, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """A person's skin at the skin's (x, y); `strands` is finer along x than along y."""
    column = (x * 72 + 512).astype(np.intp) & 255
    row = (y * 72 + 512).astype(np.intp) & 255
    place = row * 256 + column
    return {name: field.take(place) for name, field in _noise(seed).items()}


@lru_cache(maxsize=8)
def _profiles(identity: Identity) -> np.ndarray:
    """Half-width, its slope, depth, nose's height and half-width at `HEIGHTS` of y."""
    y = np.linspace(TOP, BOTTOM, HEIGHTS)
    hair = identity.hair_volume
    chin = identity.mouth_y + 0.70 * identity.chin  # the chin's lowest point
    jaw, wide, nose = identity.jaw, identity.width, identity.nose_y

    def through(at: list[float], values: list[float]) -> np.ndarray:
        return PchipInterpolator(at, values)(np.clip(y, at[0], at[-1]))

    def rounded(at: list[float], values: list[float]) -> np.ndarray:
        # squares are interpolated, so that both ends are round
        squares = gaussian_filter1d(through(at, np.square(values)), 0.009 * HEIGHTS)
        return np.sqrt(np.maximum(squares - 0.06, 1e-6))

    at = [-1.64 - hair, -1.58 - hair, -1.4, -1.1, -0.6, -0.2, 0.2, 0.55]
    at += [chin - 0.66, chin - 0.42, chin - 0.2, chin - 0.07, chin]
    half = [0, 0.42, 0.82 + hair, 0.98 + hair, 1.04 + hair, 1.01 + 0.4 * hair, 0.99]
    half += [0.46 + 0.48 * jaw, 0.85 * jaw, 0.70 * jaw, 0.47 * jaw, 0.28 * jaw, 0]
    half = rounded(at, [wide * value for value in half])
    deep = [0, 0.25, 0.70, 0.88, 1.0, 1.03, 0.98, 0.99, 1.0, 0.99, 0.93, 0.72, 0]
    deep = rounded(at, deep)
    at = [-0.40, -0.15, 0.15, nose - 0.2, nose - 0.10, nose - 0.02, nose + 0.06]
    rise = [0, 0.06, 0.17, 0.30, 0.33, 0.10, 0]
    rise = through(at, [identity.nose_height * value for value in rise])
    thick = through(at, [0.22, 0.16, 0.16, 0.19, 0.21, 0.20, 0.20])
    thick *= identity.nose_width
    return np.stack([half, np.gradient(half, y), deep, rise, thick]).astype(np.float32)


def _depth(identity: Identity, pull, x, y, texture):
    """Step 3: depth towards the camera and the distance to the outline, in units."""
    s, _ = _mirror(x)

    def at(height: np.ndarray) -> np.ndarray:
        place = (height - TOP) * (HEIGHTS / (BOTTOM - TOP))
        return np.clip(place, 0, HEIGHTS - 1).astype(np.intp)

    table, place = _profiles(identity), at(y)
    half, slope, deep = (row.take(place) for row in table[:3])
    nose = at(y + x * x)  # its tip hangs lower than its wings
    rise, thick = (row.take(nose) for row in table[3:])
    across = x / half
    across *= across
    edge = (half - np.abs(x) - 0.01) / np.sqrt(1 + slope * slope)
    z = deep * np.sqrt(np.clip(1 - across * (0.5 + 0.5 * across), 0, 1))
    mouth_x, mouth_y, chin_y = identity.mouth_x, identity.mouth_y, identity.chin_y
    au6, au10, au12, au17 = (pull[name] for name in ("au6", "au10", "au12", "au17"))
    # brow ridge, sockets and the lids over the eyeballs
    ridge_y = -0.27 - identity.brow_height
    z += 0.05 * identity.brow_ridge * _bump(s, y, 0.42, ridge_y, 0.36, 0.10)
    z -= 0.13 * _bump(s, y, identity.eye_x - 0.04, -0.02, 0.26, 0.15)
    z -= 0.06 * _bump(s, y, 0.2, -0.03, 0.09, 0.12)
    z += 0.10 * _bump(s, y, identity.eye_x, 0.0, 0.18, 0.13)
    # the nose: bridge and tip, then its wings
    z += rise * _ridge(x / thick, 1)
    wing_x, wing_y = 0.20 * identity.nose_width, identity.nose_y - 0.09
    wing_y -= 0.02 * au10
    z += 0.10 * _bump(s, y, wing_x, wing_y, 0.08, 0.08)
    z += 0.05 * _bump(x, y, 0.0, identity.nose_y - 0.12, 0.11, 0.09)
    # cheeks: the bone, and what AU6 and AU12 bunch up
    z += 0.06 * identity.cheekbone * _bump(s, y, 0.64, 0.24, 0.24, 0.18)
    z += 0.10 * au6 * _bump(s, y, 0.54, 0.32, 0.22, 0.13)
    z += 0.10 * au12 * _bump(s, y, 0.58, 0.50, 0.18, 0.18)
    # lips, philtrum and chin
    line = _lip_line(identity, x)
    z += 0.05 * _bump(x, y, 0.0, mouth_y, 0.42, 0.32)
    lips = np.clip(1 - (x * x) * (1 / mouth_x**2), 0, 1)
    thickness = identity.lips * (1 - 0.2 * au12 - 0.2 * pull["au14"])
    z += 0.05 * identity.lips * lips * _ridge(y - line + 0.06 * thickness, 0.06)
    z += 0.07 * identity.lips * lips * _ridge(y - line - 0.08 * thickness, 0.075)
    z += 0.04 * au17 * lips * _ridge(y - line - 0.1, 0.08)
    z -= 0.04 * lips * _ridge(y - line, 0.02)
    z -= 0.02 * _bump(x, y, 0.0, mouth_y - 0.2, 0.045, 0.08)
    z += 0.08 * _bump(x, y, 0.0, chin_y, 0.26, 0.17)
    z += 0.05 * au17 * _bump(x, y, 0.0, chin_y - 0.04, 0.2, 0.13)
    z -= (0.05 + 0.05 * au17) * _bump(x, y, 0.0, mouth_y + 0.25, 0.26, 0.06)
    return z + _furrows(identity, pull, x, y, s, texture), edge


def _furrows(identity: Identity, pull, x, y, s, texture):
    """What muscles press into the skin: depth, mostly below 0."""
    mouth_x, mouth_y, chin_y = identity.mouth_x, identity.mouth_y, identity.chin_y
    # the nasolabial fold runs from the wing of the nose to beside the corner; AU10
    # deepens its upper part, AU12 all of it; the cheek stands over it
    top = identity.nose_y - 0.14
    fold = s - (0.27 + 0.50 * (y - top) * (0.75 + 0.2 * (y - top)))
    high = _ridge(y - top - 0.10, 0.17)
    low = _ridge(y - mouth_y + 0.14, 0.22)
    depth = (0.012 + 0.025 * identity.fold) * low
    depth += 0.065 * pull["fold_high"] * high + 0.045 * pull["fold_low"] * low
    z = depth * (0.9 * _ridge(fold - 0.13, 0.12) - _ridge(fold, 0.045))
    # AU14: a dimple beside the corner, and the pouch behind it
    dimple = pull["dimple"]
    z -= 0.10 * dimple * _bump(s, y, mouth_x + 0.075, mouth_y - 0.01, 0.035, 0.10)
    z += 0.06 * dimple * _bump(s, y, mouth_x + 0.20, mouth_y + 0.01, 0.085, 0.15)
    z += 0.04 * dimple * _bump(s, y, mouth_x - 0.02, mouth_y + 0.02, 0.06, 0.09)
    # AU6: the bag under the lid, and crow's feet
    au6 = pull["au6"]
    eye_x, outer = identity.eye_x, identity.eye_x + 0.25
    beside = s - eye_x
    bag = y - 0.18 + 0.9 * beside * beside
    deep = 0.035 * au6 + 0.006 * identity.wrinkles
    z -= deep * _ridge(bag, 0.04) * _ridge(beside, 0.24)
    z += 0.035 * au6 * _ridge(bag + 0.08, 0.045) * _ridge(beside, 0.2)
    feet = np.sin(34 * (y + 0.03) * (1 - 0.9 * (s - outer)))
    z += (
        (0.018 * au6 + 0.003 * identity.wrinkles)
        * feet
        * _bump(s, y, outer + 0.10, 0.02, 0.09, 0.17)
    )
    # AU17: the boss of the chin is pitted
    pits = texture["blotches"] + 0.6 * texture["pores"]
    z += 0.010 * pull["au17"] * pits * _bump(x, y, 0.0, chin_y - 0.02, 0.22, 0.13)
    # AU1 and AU2 fold the forehead across, AU4 the glabella along
    raised = 0.6 * pull["brow_raise_inner"] + 0.4 * pull["brow_raise_outer"]
    forehead = (0.010 * raised + 0.003 * identity.wrinkles) * _bump(
        x, y, 0.0, -0.68, 0.55, 0.2
    )
    z += forehead * np.sin(45 * (y + 0.04 * x * x))
    z -= 0.04 * pull["brow_lower"] * _bump(s, y, 0.10, -0.25, 0.03, 0.11)
    return z


def _paint(colour: np.ndarray, share: np.ndarray, tint: Sequence[float]) -> None:
    """Cover `share` (0..1) of each pixel with a colour, in place."""
    for layer, value in zip(colour, tint, strict=True):
        layer += share * (np.float32(value) - layer)


def _paint_eyes(identity: Identity, pull, x, y, scale, colour, depth, gloss) -> None:
    """Lids, lashes, iris and pupil, in place; AU6 raises the lower lid."""
    s, side = _mirror(x)
    across = s - identity.eye_x
    down = y - identity.eye_tilt * across
    size = identity.eye_size
    arch = 1 - (across * (1 / (0.225 * size))) ** 2
    wide = np.maximum(arch, 0)
    low = 0.068 * size * (1 - 1.05 * pull["au6"] - 0.15 * pull["au12"])
    high = 0.105 * size * (1 - 0.18 * pull["au6"])
    high -= (high + 0.8 * low) * pull["blink"]
    under = down + high * wide * (1 - 0.5 * across)  # units below the upper lid
    over = low * wide * (1 + 0.8 * across) - down  # units above the lower lid
    ball = np.clip(np.minimum(under, over) * scale + 0.5, 0, 1) * (arch > 0)
    depth -= 0.02 * ball
    gloss *= 1 - 0.8 * ball
    skin, iris = np.float32(identity.skin), np.float32(identity.iris)
    crease = _ridge(under + 0.075 * size, 0.022) * _step(arch, -0.1, 0.4)
    _paint(colour, 0.45 * crease * (under < 0), 0.3 * skin)
    iris_x = across * side - 0.06 * pull["gaze_x"]
    iris_y = down + 0.015 - 0.035 * pull["gaze_y"]
    radius = np.sqrt(iris_x * iris_x + iris_y * iris_y)
    _paint(colour, ball, [0.50, 0.46, 0.43])
    _paint(colour, ball * np.clip((0.092 - radius) * scale + 0.5, 0, 1), iris)
    _paint(colour, 0.7 * ball * _ridge(radius - 0.088, 0.02), 0.25 * iris)
    pupil = np.clip((0.038 - radius) * scale + 0.5, 0, 1)
    _paint(colour, ball * pupil, [0.004, 0.004, 0.004])
    _paint(colour, 0.45 * ball * _ridge(under, 0.05), [0.03, 0.02, 0.02])
    lash = _ridge(under - 0.008, 0.020) * _step(arch, -0.02, 0.25)
    lash += 0.35 * _ridge(over, 0.014) * _step(arch, 0.05, 0.2)
    _paint(colour, 0.85 * np.minimum(lash, 1), [0.01, 0.008, 0.007])
    glint = _bump(iris_x, iris_y, 0.03, -0.035, 0.018, 0.018)
    _paint(colour, 0.8 * ball * glint, [0.95, 0.95, 0.95])


def _hair(identity: Identity, x, y, texture) -> tuple[np.ndarray, np.ndarray]:
    """How much of a skin's pixel is hair, 0..1, and its strands, which fan out.

    The hair is a cap above a ragged hairline; a fringe is a low one.
    """
    s = np.abs(x)
    fan = (x - identity.parting) / np.maximum(y + 2.6, 0.3)
    column = (fan * 160 + 512).astype(np.intp) & 255
    row = (y * 40 + 512).astype(np.intp) & 255
    strands = _noise(identity.texture)["strands"].take(row * 256 + column)
    line = -1.02 - identity.hairline + 0.10 * (x - identity.parting) ** 2
    side = (s / (0.97 * identity.width)) ** 2
    line = line + 0.95 * side * side * side
    rough = 0.015 + 0.10 * max(0.0, -identity.hairline)
    ragged = y - line + rough * (strands + 0.5 * texture["pores"])
    end = 0.35 if identity.hair_length < 0 else identity.hair_length
    return _step(-ragged, 0.0, 0.09) * _step(-y, -end, 0.3), strands


def _albedo(identity: Identity, pull, x, y, v, texture, inside):
    """Step 4: colour in linear light (3, height, width), and how much it shines."""
    s, _ = _mirror(x)
    mouth_x, mouth_y = identity.mouth_x, identity.mouth_y
    colour = np.empty((3, *x.shape), np.float32)
    skin = np.float32(identity.skin)
    mottle = 1 + 0.035 * texture["pores"] + 0.03 * texture["blotches"]
    mottle -= (
        0.30 * identity.freckles * texture["spots"] * _bump(s, y, 0.35, 0.3, 0.5, 0.45)
    )
    mottle -= 0.12 * _bump(s, y, identity.eye_x, 0.1, 0.25, 0.14)
    beard = np.maximum(
        _bump(x, y, 0, 1.35, 0.75, 0.45), _bump(x, y, 0, 0.78, 0.4, 0.12)
    )
    mottle -= identity.stubble * 0.4 * beard * (1 + 0.5 * texture["pores"])
    flush = identity.redness * (
        _bump(s, y, 0.6, 0.4, 0.25, 0.25) + 0.7 * _bump(x, y, 0, 0.45, 0.2, 0.2)
    )
    for channel, tint in enumerate((0.03, -0.10, -0.08)):
        colour[channel] = skin[channel] * mottle * (1 + tint * flush)

    # lips: vermilion between two arches, less of it where AU12 and AU14 stretch it
    thin = identity.lips * (1 - 0.25 * pull["au12"] - 0.3 * pull["au14"])
    square = (x * x) * (1 / mouth_x**2)
    arch = np.clip(1 - square, 0, 1) * (1 + 0.5 * square)
    offset = y - _lip_line(identity, x)
    bow = 0.125 * thin * arch * (1 - 0.22 * _ridge(x, 0.07))
    top = _step(offset + bow, 0.0, 0.035)
    bottom = _step(0.155 * thin * arch - offset, 0.0, 0.045)
    vermilion = top * bottom * _step(arch, 0.06, 0.12)
    lip = skin * np.float32([0.78, 0.46, 0.46]) + np.float32([0.04, 0.0, 0.005])
    _paint(colour, 0.85 * vermilion, lip)
    _paint(colour, 0.75 * _ridge(offset, 0.016) * _step(arch, 0.05, 0.15), 0.12 * skin)
    # nostrils and brows
    nostril = _bump(
        s, y, 0.10 * identity.nose_width, identity.nose_y - 0.02, 0.045, 0.024
    )
    _paint(colour, 0.85 * np.minimum(1.2 * nostril, 1), 0.05 * skin)
    along = (s - 0.47) * (1 / 0.34)
    brow = y + 0.31 + identity.brow_height + 0.05 * (1 - along * along) - 0.03 * along
    thick = 0.055 * identity.brow_thickness * (1.1 - 0.45 * along)
    brow = _fall((brow / np.maximum(thick, 0.01)) ** 4)
    brow *= _step(1 - np.abs(along), 0.06, 0.25) * (0.9 + 0.12 * texture["pores"])
    _paint(colour, 0.85 * np.clip(brow, 0, 1), 0.7 * np.float32(identity.hair))
    # between the lips: upper teeth before the dark
    teeth = _step(mouth_y + 0.045 - v, 0.0, 0.03) * _step(mouth_x - s, 0.08, 0.2)
    teeth *= 1 - 0.35 * _ridge(np.sin(x * (np.pi / 0.125)), 0.25)
    _paint(colour, inside, [0.035, 0.010, 0.010])
    _paint(colour, 0.92 * inside * teeth, [0.62, 0.58, 0.48])
    gloss = (0.07 + 0.12 * vermilion) * (1 - inside)
    return colour, gloss


def _lamp(identity: Identity, generator: np.random.Generator) -> dict:
    """The frame's light: the lamp's direction and the colours of lamp and room."""
    azimuth = identity.lamp + generator.normal(0, 0.12)
    height = 0.55 + generator.normal(0, 0.08)
    direction = (
        math.cos(height) * math.sin(azimuth),
        -math.sin(height),
        math.cos(height) * math.cos(azimuth),
    )
    warm = generator.normal(0, 0.03)
    strength = 1.0 + generator.normal(0, 0.06)
    tint = (1 + warm, 1.0, 1 - warm)
    return {
        "direction": direction,
        "key": [0.85 * strength * part for part in tint],
        "fill": [0.32 * part for part in tint],
    }


def _light(turned, depth, scale, albedo, gloss, lamp) -> np.ndarray:
    """Step 5: normals, diffuse light that bleeds into the shade, gloss, hollows."""
    down, right = np.gradient(turned)
    right *= scale
    down *= scale
    np.clip(right, -6, 6, out=right)
    np.clip(down, -6, 6, out=down)
    length = 1 / np.sqrt(1 + right * right + down * down)
    lx, ly, lz = (np.float32(part) for part in lamp["direction"])
    facing = (lz - right * lx - down * ly) * length
    upward = 0.75 + 0.25 * down * length  # the room is brighter above
    # hollows see less of the room
    fine = uniform_filter(depth, max(3, int(0.10 * scale))) - depth
    wide = uniform_filter(depth, max(3, int(0.40 * scale))) - depth
    hollow = 1 / (1 + 9 * np.clip(fine, 0, 0.2) + 3.5 * np.clip(wide, 0, 0.2))
    # gloss: half-way between lamp and camera
    hx, hy, hz = lx, ly, lz + 1
    norm = np.float32(np.sqrt(hx * hx + hy * hy + hz * hz))
    shine = np.maximum((hz - right * hx - down * hy) * length / norm, 0)
    shine = shine * shine
    shine = shine * shine
    shine = shine * shine
    shine = (shine * shine) * (0.6 * shine + 0.4) * gloss * hollow
    picture = np.empty_like(albedo)
    for channel, bleed in enumerate((0.30, 0.18, 0.12)):
        direct = np.clip((facing + bleed) * (1 / (1 + bleed)), 0, 1)
        light = lamp["key"][channel] * direct + lamp["fill"][channel] * upward
        picture[channel] = albedo[channel] * light * hollow
        picture[channel] += shine * lamp["key"][channel]
    return picture


def _body(identity: Identity, u, v, lamp) -> np.ndarray:
    """What is behind the face: wall, long hair, ears, neck and shirt."""
    picture = np.empty((3, *u.shape), np.float32)
    for channel, grey in enumerate((0.26, 0.28, 0.31)):
        picture[channel] = 2.4 * grey * lamp["fill"][channel]
    lx, _, lz = lamp["direction"]

    def paint(window, share, half, colour, shade) -> None:
        """A part whose normals are those of an upright cylinder."""
        across = np.clip(u[window] / half, -1, 1)
        facing = np.maximum(lz * np.sqrt(1 - across * across) + lx * across + 0.1, 0)
        for channel in range(3):
            light = 0.8 * lamp["key"][channel] * facing + lamp["fill"][channel]
            layer = picture[channel, *window]
            layer += share * (colour[channel] * light * shade - layer)

    if identity.hair_length > 0:
        window = _window((np.abs(u) < 1.6) & (v > -1.1) & (v < identity.hair_length))
        s, h = np.abs(u[window]), v[window]
        strands = _texture(identity.texture, u[window], h)["strands"]
        half = identity.width * (1.03 + identity.hair_volume)
        half = half + 0.06 * np.clip(h, 0, 1.5) + 0.01 * strands
        ends = identity.hair_length - 0.15 - h + 0.06 * strands
        share = _step(half - s, 0.0, 0.04) * _step(ends, 0.0, 0.1)
        share *= _step(h, -0.9, 0.2)
        paint(window, share, half, identity.hair, 1 + 0.3 * strands)
    else:
        window = _window((np.abs(u) < 1.3) & (np.abs(v - 0.16) < 0.6))
        ear = _bump(
            np.abs(u[window]), v[window], 1.02 * identity.width, 0.16, 0.11, 0.30
        )
        rim = 0.75 + 0.5 * _ridge(ear - 0.45, 0.15) - 0.3 * _ridge(ear - 0.65, 0.1)
        paint(window, _step(ear, 0.37, 0.12), 1.6, identity.skin, rim)
    window = _window(v > 0.7)
    s, h = np.abs(u[window]), v[window]
    square = s * s
    neck = 0.62 * identity.neck + 0.9 * np.clip(h - 1.75, 0, 1) ** 2
    chin = identity.mouth_y + 0.70 * identity.chin
    shadow = 0.30 + 0.5 * _step(h - 0.3 * square, chin + 0.35, 0.9)
    paint(window, _step(neck - s, 0.0, 0.03), neck + 0.1, identity.skin, shadow)
    shirt = _step(h + 0.5 * np.minimum(square, 0.3), 2.32, 0.03)
    shirt *= _step(h - 0.3 * s, 1.75, 0.03)
    paint(window, shirt, 2.2, identity.shirt, 1.0)
    return picture
