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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter, uniform_filter

DISTRACTORS = (
    *("brow_raise_inner", "brow_raise_outer", "brow_lower", "lips_part", "jaw_drop"),
    *("blink", "gaze_x", "gaze_y", "yaw", "pitch", "roll"),
)
"""What else moves and is not labelled: AU1, 2, 4, 25, 26, 45 in 0..1, the gaze in
-1..1 (right and down in the picture), and the head's angles in degrees."""

SKINS = np.array(
    [
        [247, 214, 196],
        [232, 186, 158],
        [206, 152, 118],
        [166, 112, 80],
        [118, 76, 54],
        [76, 48, 38],
    ]
)
HAIRS = np.array(
    [[24, 20, 19], [48, 33, 26], [84, 55, 36], [128, 88, 52], [188, 148, 96]]
)
IRISES = np.array([[44, 26, 18], [86, 54, 30], [96, 100, 62], [98, 124, 146]])


@dataclass(frozen=True)
class Identity:
    """One person: lengths as factors of the mean unless a unit is named."""

    texture: int  # seed of pores, freckles and moles
    skin: tuple[float, float, float]  # colours are linear light, 0..1
    redness: float  # of cheeks, nose and lips, 0..1
    freckles: float  # 0..1
    wrinkles: float  # of the neutral face, 0..1
    width: float
    jaw: float
    chin: float
    cheekbone: float
    brow_ridge: float
    brow_height: float  # units above the mean
    brow_thickness: float
    eye_size: float
    eye_spacing: float
    eye_tilt: float  # slope of the line through both corners
    iris: tuple[float, float, float]
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_width: float
    lips: float  # thickness
    corner_lift: float  # units by which the neutral corners lie higher
    fold: float  # depth of the neutral nasolabial fold, 0..1
    hair: tuple[float, float, float]
    hairline: float  # units above the mean
    parting: float  # where the hairline peaks, units
    hair_length: float  # y where it ends beside the face; below 0: the ears show
    hair_volume: float  # units
    stubble: float  # 0..1
    neck: float
    shirt: tuple[float, float, float]
    lamp: float  # the lamp's azimuth in radians
    strength: tuple[float, ...]  # how strongly this face shows each of the five AUs


def make_identity(generator: np.random.Generator, female: bool) -> Identity:
    """Draw one person.

    Args:
        generator: what the person is drawn from; nothing else decides.
        female: women and men differ a little in shape, brows, hair and stubble.
    """
    sign = -1.0 if female else 1.0

    def around(mean: float, spread: float, limit: float = 2.2) -> float:
        return mean + spread * float(np.clip(generator.normal(), -limit, limit))

    def colour(table: np.ndarray, place: float) -> np.ndarray:
        steps = np.arange(len(table))
        mixed = [np.interp(place, steps, table[:, channel]) for channel in range(3)]
        return (np.array(mixed) / 255) ** 2  # to linear light, see render_face

    def triple(values: np.ndarray) -> tuple[float, float, float]:
        return tuple(float(value) for value in values)

    tone = generator.uniform(0, 5)
    skin = colour(SKINS, tone) * (1 + generator.uniform(-0.06, 0.06, 3))
    dark = np.clip(tone / 5 + generator.normal(0, 0.25), 0, 1)
    hair = colour(HAIRS, (1 - dark) * generator.uniform(0.6, 4.4))
    iris = colour(IRISES, (1 - dark) ** 1.3 * generator.uniform(0, 4.0))
    if generator.random() < 0.12:  # grey
        hair = 0.25 * hair + 0.75 * np.array([0.38, 0.37, 0.36])
    if female:
        length = generator.choice([-1.0, 1.5, 2.0, 3.5], p=[0.3, 0.2, 0.2, 0.3])
    else:
        length = generator.choice([-1.0, 1.2], p=[0.94, 0.06])
    stubble = 0.0 if female else max(0.0, generator.uniform(-0.5, 0.9))
    return Identity(
        texture=int(generator.integers(2**31)),
        skin=triple(skin),
        redness=generator.uniform(0.1, 1.0),
        freckles=max(0.0, generator.uniform(-1.0, 1.0)) * (tone < 2.5),
        wrinkles=generator.uniform(0.0, 1.0) ** 2,
        width=around(1.0 + 0.01 * sign, 0.045),
        jaw=around(1.0 + 0.04 * sign, 0.06),
        chin=around(1.0 + 0.02 * sign, 0.045),
        cheekbone=around(1.0, 0.4),
        brow_ridge=around(1.0 + 0.4 * sign, 0.3),
        brow_height=around(-0.015 * sign, 0.03),
        brow_thickness=around(1.0 + 0.18 * sign, 0.2),
        eye_size=around(1.0 - 0.03 * sign, 0.06),
        eye_spacing=around(1.0, 0.04),
        eye_tilt=around(-0.06, 0.07),
        iris=triple(iris),
        nose_length=around(1.0, 0.05),
        nose_width=around(1.0 + 0.03 * sign, 0.13),
        nose_height=around(1.0 + 0.03 * sign, 0.15),
        mouth_width=around(1.0 + 0.02 * sign, 0.07),
        lips=around(1.0 - 0.08 * sign, 0.2),
        corner_lift=around(0.0, 0.018),
        fold=generator.uniform(0.0, 1.0) ** 2,
        hair=triple(hair),
        hairline=around(0.03 * sign, 0.06),
        parting=generator.uniform(-0.6, 0.6),
        hair_length=float(length),
        hair_volume=generator.uniform(0.05, 0.16) + 0.05 * (length > 0),
        stubble=stubble,
        neck=around(1.0 + 0.1 * sign, 0.05),
        shirt=triple(generator.uniform(0.02, 0.6, 3)),
        lamp=generator.uniform(-0.7, 0.7),
        strength=tuple(around(1.0, 0.1, 2.0) for _ in range(5)),
    )


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
    u, v, turn = _pose(pull, height, width, scale, generator)
    x, y, inside = _skin(identity, pull, u, v)
    texture = _texture(identity.texture)
    depth, edge, hollow = _depth(identity, pull, x, y, texture)
    albedo, gloss, hair = _albedo(identity, pull, x, y, inside, texture, scale)
    depth = depth + 0.05 * hair - 0.05 * inside
    lamp = _lamp(identity, generator)
    head = _light(turn(depth), scale, albedo, gloss, hollow, lamp)
    body = _body(identity, u, v, texture, lamp)
    alpha = np.clip(edge * scale + 0.5, 0, 1)[..., None]
    picture = body + alpha * (head - body)
    # a camera's curve is close to a square root of the light
    picture = np.sqrt(np.clip(picture, 0, 1)) * 255
    picture += generator.standard_normal(picture.shape, np.float32) * np.float32(1.6)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _muscles(
    identity: Identity, aus: np.ndarray, distractors: Mapping[str, float]
) -> dict[str, float]:
    """How far each muscle pulls, 0..1 or a little more, with what AUs do together."""
    au6, au10, au12, au14, au17 = (aus / 5) ** 1.1 * identity.strength
    pull = {name: float(distractors.get(name, 0.0)) for name in DISTRACTORS}
    pull |= {"au6": au6, "au10": au10, "au12": au12, "au14": au14, "au17": au17}
    # 10 with 12: the stretched lip rises less, the two folds are one, and deeper
    pull["lip_lift"] = au10 * (1 - 0.4 * au12)
    pull["fold_low"] = au12 * (1 + 0.3 * au10)
    pull["fold_high"] = np.hypot(au10, 0.6 * au12)
    # 12 with 14: the tight corner is held down, its dimple drawn long
    pull["corner_up"] = au12 * (1 - 0.45 * au14)
    pull["corner_out"] = au12 * (1 - 0.2 * au14)
    pull["dimple"] = au14 * (1 + 0.3 * au12)
    return pull


def _step(value: np.ndarray, edge: float, width: float) -> np.ndarray:
    """Rises smoothly from 0 to 1 about `edge`, within `width`."""
    share = np.clip((value - edge) * (1 / width) + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def _bump(x, y, at_x: float, at_y: float, size_x: float, size_y: float) -> np.ndarray:
    """A Gaussian hill of height 1 at (at_x, at_y)."""
    across, along = (x - at_x) * (1 / size_x), (y - at_y) * (1 / size_y)
    return np.exp(-(across * across + along * along))


def _ridge(distance: np.ndarray, size: float) -> np.ndarray:
    """A Gaussian wall of height 1 where the distance is 0."""
    scaled = distance * (1 / size)
    return np.exp(-(scaled * scaled))


def _pose(pull, height, width, scale, generator):
    """Step 1: the head's (u, v) at each pixel, and the turn of a depth to the camera."""
    yaw, pitch, roll = (np.radians(pull[angle]) for angle in ("yaw", "pitch", "roll"))
    shift_x, shift_y, zoom = generator.normal(0, [0.04, 0.04, 0.012])
    rows = (np.arange(height, dtype=np.float32) - 0.46 * height)[:, None]
    columns = (np.arange(width, dtype=np.float32) - 0.5 * width + 0.5)[None]
    size = scale * (1 + zoom)
    across = (columns * np.cos(roll) + rows * np.sin(roll)) / size - shift_x
    down = (rows * np.cos(roll) - columns * np.sin(roll)) / size - shift_y
    across, down = across.astype(np.float32), down.astype(np.float32)
    u, v = across, down
    for _ in range(2):  # the head's own depth moves what a turn shows
        near = np.maximum(1.05 - 0.65 * u * u - 0.16 * v * v, -0.3)
        near += 0.35 * _bump(u, v, 0.0, 0.45, 0.2, 0.3)
        u = (across - near * np.sin(yaw)) / np.cos(yaw)
        v = (down + (near * np.cos(yaw) - u * np.sin(yaw)) * np.sin(pitch)) / np.cos(
            pitch
        )
    u, v = u.astype(np.float32), v.astype(np.float32)

    def turn(depth: np.ndarray) -> np.ndarray:
        turned = depth * np.cos(yaw) - u * np.sin(yaw)
        return (v * np.sin(pitch) + turned * np.cos(pitch)).astype(np.float32)

    return u, v, turn


def _mirror(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the midline and side of it, -1..1, both smooth at the midline."""
    distance = np.sqrt(x * x + np.float32(0.0025))
    return distance, x / distance
