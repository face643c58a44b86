"""One picture of a person: a lit surface that five Action Units deform.

A head is a depth z(x, y) towards the camera with a colour over the same plane, in the
units that `companion.standin` names. Six steps make a picture, on one grid of pixels:

1. pose: for each pixel the point (u, v) of the head that a turned head shows there;
2. muscles: each AU pulls the skin by a smooth displacement d, so the pixel at (u, v)
   shows the skin (x, y) = (u, v) - d(u, v); the lips move apart along their line;
3. look-up: the neutral person's depth, colour and hair at (x, y), from the maps of
   `companion.standin.surface`;
4. what changes with the expression: eyes with lids, lips, teeth; hills and furrows,
   true hollows of the depth, that the AUs raise and press into the skin;
5. light: see `companion.standin.light`;
6. camera: a little blur, a square-root curve, grain.

What the AUs do follows the descriptions of the Facial Action Coding System (Ekman,
Friesen and Hager, 2002). AUs of one region change each other's look; the paper's
Section I names 10 with 12 and 12 with 14. See `companion.standin.muscles`.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from companion.standin.body import body_maps
from companion.standin.eyes import draw_eyes
from companion.standin.furrows import draw_furrows
from companion.standin.light import draw_lamp, shade, slopes
from companion.standin.mouth import draw_mouth
from companion.standin.muscles import DISTRACTORS, contractions, skin_at
from companion.standin.person import Identity
from companion.standin.shapes import Hill, bands, bump, window
from companion.standin.surface import head_maps

LAYERS = ("depth", "right", "down", "gloss", "hair", "flow_x", "flow_y", "crease")

# The picture's frame, shares of its height.
UNIT = 0.205  # a unit; from crown to chin, a head fills two thirds
EYE_LINE = 0.46  # of the eyes, from the top
# A person's maps have 8, 16, … values a unit: enough for each pixel, or DENSEST.
MAP_VALUES, DENSEST = 1.15, 256  # a pixel; a unit
# The camera.
LENS_BLUR = 0.5  # standard deviation, pixels
GRAIN = 1.6  # standard deviation, grey levels of 255
GRAIN_SHIFT = 1000  # values between the parts of one field that the channels get


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
        identity: the person.
        aus: intensities of `aulib.AUS`, continuous, 0..5.
        distractors: values of `DISTRACTORS`; a missing one is 0.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        generator: of small shifts of head and light, and of the camera's grain.

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
    pull = contractions(identity, aus.tolist(), distractors)
    scale = UNIT * height
    density = 8
    while density < MAP_VALUES * scale and density < DENSEST:
        density *= 2
    u, v, beside, below = _pose(pull, height, width, scale, generator)
    lamp = draw_lamp(identity, generator)
    surface, alpha = _body(identity, beside, below, scale, density)
    part = _head_window(identity, pull, u, v)
    if u[part].size:
        behind = {name: field[(..., *part)] for name, field in surface.items()}
        behind["alpha"] = alpha[part]
        _add_head(identity, pull, u[part], v[part], scale, density, behind)
    picture = _backdrop(identity, lamp, height, width)
    light = shade(surface, scale, lamp)
    for rows in bands(height, width):
        light[:, rows] -= picture[:, rows]
        light[:, rows] *= alpha[rows]
        picture[:, rows] += light[:, rows]
    return _photograph(picture, generator)


def _photograph(picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Step 6: linear light (3, height, width) to uint8 (height, width, 3)."""
    picture = gaussian_filter(picture, (0, LENS_BLUR, LENS_BLUR), truncate=3.0)
    height, width = picture.shape[1:]
    size = height * width
    grain = generator.standard_normal(size + 2 * GRAIN_SHIFT, np.float32)
    grain *= GRAIN
    shown = np.empty((height, width, 3), np.uint8)
    grains = [grain[GRAIN_SHIFT * channel :][:size] for channel in range(3)]
    for rows in bands(height, width):
        for channel in range(3):
            grey = np.clip(picture[channel, rows], 0, 1)
            grey = np.sqrt(grey) * 255  # close to a camera's curve
            grey += grains[channel].reshape(height, width)[rows]
            grey += 0.5
            shown[rows, :, channel] = np.clip(grey, 0, 255)
    return shown


# Where the head can be in the picture; larger is slower. Half-width, in half-widths of
# the face, and crown, with what hair of volume 1, long hair, ears and a knot add.
SIDE, SIDE_HAIR, SIDE_LONG_HAIR = 1.12, 1.3, 0.2
SIDE_EARS, SIDE_EAR_SIZE = 1.05, 0.24
CROWN, CROWN_HAIR, CROWN_KNOT = 1.72, 1.2, 0.35
CHIN_BELOW, JAW_BELOW, HAIR_BELOW = 0.73, 0.16, 0.2  # mouth; dropped jaw; long hair


def _head_window(identity: Identity, pull, u, v) -> tuple[slice, slice]:
    """The part of the picture where the head can be."""
    side = SIDE + SIDE_HAIR * identity.hair_volume
    top = CROWN + CROWN_HAIR * identity.hair_volume
    bottom = identity.mouth_y + CHIN_BELOW * identity.chin
    bottom += JAW_BELOW * pull["jaw_drop"]
    if identity.hair_length > 0:
        side += SIDE_LONG_HAIR
        bottom = max(bottom, identity.hair_length + HAIR_BELOW)
    if identity.hair_style == "tied":
        top += CROWN_KNOT
    side = max(side, SIDE_EARS + SIDE_EAR_SIZE * identity.ear_size)
    return window((np.abs(u) < side * identity.width) & (v > -top) & (v < bottom))


# Where furrows, mouth and eyes can be on the neutral face; larger is slower.
FURROWS_X, FURROWS_TOP, FURROWS_BOTTOM = 1.0, -1.1, 0.4  # from the chin boss
MOUTH_X, MOUTH_Y = 0.7, 0.36  # from its middle
EYES_X, EYES_Y = 0.9, 0.34
HAIR_SOFT = 0.6  # share by which hair's outline is softer than skin's, one pixel wide


def _add_head(identity: Identity, pull, u, v, scale: float, density: int, behind):
    """Steps 2 to 4: the head painted over the fields of `behind`, in place."""
    x, y, inside, turned, share = (np.empty_like(u) for _ in range(5))
    for rows in bands(*u.shape):
        x[rows], y[rows], inside[rows] = skin_at(
            identity, pull, u[rows], v[rows], scale
        )
    maps, drawn = head_maps(identity, density), _features(identity, pull, x, y, scale)
    for rows in bands(*u.shape):
        head = maps.sample(x[rows], y[rows])
        head |= {"crease": np.zeros_like(x[rows]), "inside": inside[rows]}
        head |= {"u": u[rows], "v": v[rows]}
        for draw, (down, across) in drawn:
            top, end = max(down.start, rows.start), min(down.stop, rows.stop)
            if top < end:
                place = slice(top, end), across
                near = slice(top - rows.start, end - rows.start), across
                view = {name: field[(..., *near)] for name, field in head.items()}
                draw(x[place], y[place], view)
        yaw, pitch = math.radians(pull["yaw"]), math.radians(pull["pitch"])
        deep = head["depth"] * math.cos(yaw) - u[rows] * math.sin(yaw)
        turned[rows] = v[rows] * math.sin(pitch) + deep * math.cos(pitch)
        sharp = scale * (1 - HAIR_SOFT * head["hair"])
        share[rows] = np.clip(head["edge"] * sharp + 0.5, 0, 1)
        for name in (*LAYERS[3:], "depth", "albedo"):
            layer = behind[name][..., rows, :]
            layer += share[rows] * (head[name] - layer)
    for name, slope in zip(("right", "down"), slopes(turned, scale), strict=True):
        behind[name] += share * (slope - behind[name])
    np.maximum(behind["alpha"], share, out=behind["alpha"])


def _features(identity: Identity, pull, x, y, scale: float) -> list:
    """What step 4 draws, and the part of the head where it does."""
    s, lowest = np.abs(x), identity.chin_y + FURROWS_BOTTOM
    face = (s < FURROWS_X) & (y > FURROWS_TOP) & (y < lowest)
    mouth = (s < MOUTH_X) & (np.abs(y - identity.mouth_y) < MOUTH_Y)
    eyes = (s < EYES_X) & (np.abs(y) < EYES_Y)
    return [
        (partial(draw_furrows, identity, pull), window(face)),
        (partial(draw_mouth, identity, pull), window(mouth)),
        (partial(draw_eyes, identity, pull, scale=scale), window(eyes)),
    ]


BODY_BELOW, LONG_HAIR_BELOW = 0.6, 0.0  # y from which they can show; smaller is slower
WALL = -1.2  # depth


def _body(identity: Identity, x, y, scale: float, density: int):
    """The picture's fields with neck and shirt in them, and their cover."""
    surface = {name: np.zeros(x.shape, np.float32) for name in LAYERS}
    surface["albedo"] = np.zeros((3, *x.shape), np.float32)
    surface["depth"] += WALL
    alpha = np.zeros(x.shape, np.float32)
    long = identity.hair_length > 0
    part = window(y > (LONG_HAIR_BELOW if long else BODY_BELOW))
    if x[part].size:
        body = body_maps(identity, density).sample(x[part], y[part])
        body["right"], body["down"] = slopes(body["depth"], scale)
        alpha[part] = np.clip(body["edge"] * scale + 0.5, 0, 1)
        for name in (*LAYERS[:-1], "albedo"):
            surface[name][(..., *part)] = body[name]
        depth = surface["depth"][part]
        depth += (1 - alpha[part]) * (WALL - depth)
    return surface, alpha


# The wall is bluish grey, lighter in its middle and towards the lamp. Shares of light,
# with x and y in widths and heights of the picture.
WALL_GREYS, WALL_VARIES = (0.20, 0.225, 0.25), 0.25  # ± between people
WALL_LIGHT = 2.0  # factor of the room's light
WALL_Y, WALL_DARK_Y, WALL_DARK_X = 0.45, 0.45, 0.35  # middle; lost at a distance of 1
WALL_SLOPE_X, WALL_SLOPE_Y = 0.25, 0.15  # gained towards the lamp; lost downwards


def _backdrop(identity: Identity, lamp: dict, height: int, width: int) -> np.ndarray:
    """The wall behind the person, linear light (3, height, width)."""
    rows = (np.arange(height, dtype=np.float32) * (1 / height) - WALL_Y)[:, None]
    columns = (np.arange(width, dtype=np.float32) * (1 / width) - 0.5)[None]
    wall = 1 - WALL_DARK_Y * rows * rows - WALL_DARK_X * columns * columns
    side = math.copysign(1, identity.lamp)
    wall = wall + WALL_SLOPE_X * side * columns - WALL_SLOPE_Y * rows
    picture = np.empty((3, height, width), np.float32)
    for channel, grey in enumerate(WALL_GREYS):
        grey *= 1 + WALL_VARIES * identity.uneven[5]
        picture[channel] = WALL_LIGHT * grey * lamp["fill"][channel] * wall
    return picture


# Standard deviations between frames: to the right; down; of the size, a share.
SHIFTS = [0.04, 0.04, 0.012]
# The depth that moves with a turn: a rounded head with a nose.
HEAD_DEEP, HEAD_BACK, NOSE = 1.05, -0.3, Hill(0.35, y=0.45, wide=0.2, tall=0.3)
HEAD_BEND_X, HEAD_BEND_Y = 0.65, 0.16  # larger: rounder across; down
SHOULDERS_ROLL = 0.35  # share of the head's roll


def _pose(pull, height: int, width: int, scale: float, generator):
    """Step 1: the points of the head, u and v, and of the body that pixels show."""
    shift_x, shift_y, zoom = generator.normal(0, SHIFTS).tolist()
    size = scale * (1 + zoom)
    rows = (np.arange(height, dtype=np.float32) - EYE_LINE * height)[:, None]
    columns = (np.arange(width, dtype=np.float32) - 0.5 * width + 0.5)[None]
    roll = math.radians(pull["roll"])

    def rolled(angle: float, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        across = (columns * math.cos(angle) + rows * math.sin(angle)) / size - shift_x
        down = (rows * math.cos(angle) - columns * math.sin(angle)) / size - shift_y
        return across, down

    points = np.empty((4, height, width), np.float32)
    for band in bands(height, width):
        points[:2, band] = _turned(pull, *rolled(roll, rows[band]))
        points[2:, band] = rolled(SHOULDERS_ROLL * roll, rows[band])
    return points


def _turned(pull, across, down) -> tuple[np.ndarray, np.ndarray]:
    """The points of the head that its turn shows at points of the picture."""
    yaw, pitch = math.radians(pull["yaw"]), math.radians(pull["pitch"])
    u, v = across, down
    for _ in range(2):  # the depth at (u, v) decides which point a turn shows
        near = HEAD_DEEP - HEAD_BEND_X * u * u - HEAD_BEND_Y * v * v
        near = np.maximum(near, HEAD_BACK)
        near += NOSE.height * bump(u, v, NOSE)
        u = (across - near * math.sin(yaw)) / math.cos(yaw)
        turned = near * math.cos(yaw) - u * math.sin(yaw)
        v = (down + turned * math.sin(pitch)) / math.cos(pitch)
    return u, v
