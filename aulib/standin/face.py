r"""The stand-in's face: a lit surface that five Action Units deform.

A head is a depth z(x, y) towards the camera with a colour over the same plane. The
unit is half a face's width (69 mm); the origin lies between the pupils, x to the
right of the picture, y down. A picture is made in six steps, all on one pixel grid:

1. pose: for each pixel the point (u, v) of the head that a turned head shows there;
2. muscles: each AU pulls the skin by a smooth displacement d, so the pixel at (u, v)
   shows the skin (x, y) = (u, v) - d(u, v); the lips move apart along their line;
3. look-up: the neutral person's depth, colour and hair at (x, y), from the maps of
   `aulib.standin.surface`;
4. what moves by itself: eyes with lids, lips, teeth; hills and furrows, true hollows
   of the depth, that the AUs raise and press into the skin;
5. light: see `aulib.standin.light`;
6. camera: a little blur, a square-root curve, grain.

What the AUs do follows the descriptions of the Facial Action Coding System (Ekman,
Friesen and Hager, 2002). AUs of one region change each other's look (the paper,
Section I, names 10 with 12 and 12 with 14): see `_muscles`.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from aulib.standin.light import shade, slopes
from aulib.standin.person import Identity, make_identity
from aulib.standin.shapes import between, bump, noise, ridge, step
from aulib.standin.surface import body_maps, head_maps

__all__ = ["DISTRACTORS", "Identity", "make_identity", "render_face"]

DISTRACTORS = (
    *("brow_raise_inner", "brow_raise_outer", "brow_lower", "lips_part", "jaw_drop"),
    *("blink", "gaze_x", "gaze_y", "yaw", "pitch", "roll"),
)
"""What else moves and is not labelled: AU1, 2, 4, 25, 26, 45 in 0..1, the gaze in
-1..1 (right and down in the picture), and the head's angles in degrees."""

LAYERS = ("depth", "right", "down", "gloss", "hair", "flow_x", "flow_y", "crease")


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
    density = 8
    while density < 1.15 * scale and density < 256:
        density *= 2
    u, v, beside, below = _pose(pull, height, width, scale, generator)
    lamp = _lamp(identity, generator)
    surface, alpha = _body(identity, beside, below, scale, density)
    # the head's own steps run on the part of the picture where it can be
    side, top = 1.12 + 1.3 * identity.hair_volume, 1.72 + 1.2 * identity.hair_volume
    bottom = identity.mouth_y + 0.73 * identity.chin + 0.16 * pull["jaw_drop"]
    if identity.hair_length > 0:
        side, bottom = side + 0.2, max(bottom, identity.hair_length + 0.2)
    if identity.hair_style == "tied":
        top += 0.35
    side = max(side, 1.05 + 0.24 * identity.ear_size)
    window = _window((np.abs(u) < side * identity.width) & (v > -top) & (v < bottom))
    if u[window].size:
        head, edge = _head(identity, pull, u[window], v[window], scale, density)
        # hair ends softly, skin within a pixel
        share = np.clip(edge * (scale * (1 - 0.6 * head["hair"])) + 0.5, 0, 1)
        for name in LAYERS:
            layer = surface[name][window]
            layer += share * (head[name] - layer)
        layer = surface["albedo"][:, *window]
        layer += share * (head["albedo"] - layer)
        layer = alpha[window]
        np.maximum(layer, share, out=layer)
    light = shade(surface, scale, lamp)
    picture = _backdrop(identity, lamp, height, width)
    picture += alpha * (light - picture)
    # a lens is never quite sharp; a camera's curve is close to a square root
    picture = gaussian_filter(picture, (0, 0.5, 0.5), truncate=3.0)
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


def _head(identity, pull, u, v, scale, density):
    """Steps 2 to 4: the head's fields, and the distance inside its outline."""
    x, y, inside = _skin(identity, pull, u, v, scale)
    head = head_maps(identity, density).sample(x, y)
    colours = [head[name] for name in ("red", "green", "blue")]
    head["albedo"] = np.stack(colours)
    head["crease"] = np.zeros_like(x)
    chin = identity.chin_y
    for part, box in (
        (_furrows, (np.abs(x) < 1.0) & (y > -1.1) & (y < chin + 0.4)),
        (_mouth, (np.abs(x) < 0.7) & (np.abs(y - identity.mouth_y) < 0.36)),
        (_eyes, (np.abs(x) < 0.9) & (np.abs(y) < 0.34)),
    ):
        window = _window(box)
        view = {
            name: field[(..., *window)] for name, field in (head | {"v": v}).items()
        }
        view["inside"] = inside[window]
        if view["v"].size:
            part(identity, pull, x[window], y[window], scale, view)
    yaw, pitch = math.radians(pull["yaw"]), math.radians(pull["pitch"])
    turned = head["depth"] * math.cos(yaw) - u * math.sin(yaw)
    turned = v * math.sin(pitch) + turned * math.cos(pitch)
    head["right"], head["down"] = slopes(turned, scale)
    return head, head["edge"]


def _body(identity, x, y, scale, density):
    """The picture's fields with neck and shirt in them, and their cover."""
    shape = x.shape
    surface = {name: np.zeros(shape, np.float32) for name in LAYERS}
    surface["albedo"] = np.zeros((3, *shape), np.float32)
    surface["depth"] -= 1.2  # the wall
    alpha = np.zeros(shape, np.float32)
    window = _window(y > (0.0 if identity.hair_length > 0 else 0.6))
    if x[window].size:
        body = body_maps(identity, density).sample(x[window], y[window])
        body["right"], body["down"] = slopes(body["depth"], scale)
        alpha[window] = np.clip(body["edge"] * scale + 0.5, 0, 1)
        for name in LAYERS[:-1]:
            surface[name][window] = body[name]
        for channel, name in enumerate(("red", "green", "blue")):
            surface["albedo"][channel, *window] = body[name]
        depth = surface["depth"][window]
        depth += (1 - alpha[window]) * (-1.2 - depth)
    return surface, alpha


def _backdrop(identity, lamp, height: int, width: int) -> np.ndarray:
    """A wall out of focus: grey, bluish, lighter on the lamp's side."""
    rows = (np.arange(height, dtype=np.float32) * (1 / height) - 0.45)[:, None]
    columns = (np.arange(width, dtype=np.float32) * (1 / width) - 0.5)[None]
    wall = 1 - 0.45 * rows * rows - 0.35 * columns * columns
    wall = wall + 0.25 * math.copysign(1, identity.lamp) * columns - 0.15 * rows
    picture = np.empty((3, height, width), np.float32)
    for channel, grey in enumerate((0.20, 0.225, 0.25)):
        grey *= 1 + 0.25 * identity.uneven[5]
        picture[channel] = 2.0 * grey * lamp["fill"][channel] * wall
    return picture


def _muscles(
    identity: Identity, aus: np.ndarray, distractors: Mapping[str, float]
) -> dict[str, float]:
    """How far each muscle pulls, 0..1 or a little more, with what AUs do together."""
    # plain floats keep the pictures in float32
    rise = (0.95, 1.0, 0.95, 0.9, 0.95)  # so that each AU's levels look even
    au6, au10, au12, au14, au17 = (
        (level / 5) ** power * gain
        for level, power, gain in zip(
            aus.tolist(), rise, identity.strength, strict=True
        )
    )
    pull = {name: float(distractors.get(name, 0.0)) for name in DISTRACTORS}
    pull |= {"au6": au6, "au10": au10, "au12": au12, "au14": au14, "au17": au17}
    # 10 with 12: the stretched lip rises less, the two folds are one, and deeper
    pull["lip_lift"] = au10 * (1 - 0.4 * au12)
    pull["fold_low"] = au12 * (1 + 0.3 * au10)
    pull["fold_high"] = (au10**1.7 + 0.22 * au12**2) ** 0.5
    # 12 with 14: the tight corner is held down, its dimple drawn long
    pull["corner_up"] = au12 * (1 - 0.45 * au14)
    pull["corner_out"] = au12 * (1 - 0.2 * au14)
    pull["dimple"] = au14 * (1 + 0.3 * au12)
    return pull


def _pose(pull, height, width, scale, generator):
    """Step 1: the point (u, v) of the head, and of the body, that each pixel shows."""
    yaw, pitch, roll = (math.radians(pull[angle]) for angle in ("yaw", "pitch", "roll"))
    shift_x, shift_y, zoom = generator.normal(0, [0.04, 0.04, 0.012]).tolist()
    rows = (np.arange(height, dtype=np.float32) - 0.46 * height)[:, None]
    columns = (np.arange(width, dtype=np.float32) - 0.5 * width + 0.5)[None]
    size = scale * (1 + zoom)

    def rolled(angle: float) -> tuple[np.ndarray, np.ndarray]:
        across = (columns * math.cos(angle) + rows * math.sin(angle)) / size - shift_x
        down = (rows * math.cos(angle) - columns * math.sin(angle)) / size - shift_y
        return across, down

    across, down = rolled(roll)
    u, v = across, down
    for _ in range(2):  # the head's own depth moves what a turn shows
        near = np.maximum(1.05 - 0.65 * u * u - 0.16 * v * v, -0.3)
        near += 0.35 * bump(u, v, 0.0, 0.45, 0.2, 0.3)
        u = (across - near * math.sin(yaw)) / math.cos(yaw)
        v = (
            down + (near * math.cos(yaw) - u * math.sin(yaw)) * math.sin(pitch)
        ) / math.cos(pitch)
    # the shoulders take little part in the head's turns
    return u, v, *rolled(0.35 * roll)


def _mirror(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the midline and side of it, -1..1, both smooth at the midline."""
    distance = np.sqrt(x * x + np.float32(0.0025))
    return distance, x / distance


def _lip_line(identity: Identity, x: np.ndarray) -> np.ndarray:
    """Where the closed lips meet: the corners a little lower or higher."""
    along = np.minimum(np.abs(x) / identity.mouth_x, 1.3)
    middle = 0.014 * ridge(x, 0.08) - 0.008 * ridge(np.abs(x) - 0.16, 0.09)
    return identity.mouth_y + middle - identity.corner_lift * along * along


def _skin(identity: Identity, pull, u, v, scale):
    """Step 2: the skin (x, y) seen at each (u, v), and the opening between the lips."""
    # no face is its own mirror image
    p, q, r, k, *_ = identity.uneven
    bent = u * (1 + 0.006 * r) + 0.009 * p * v * (1 - 0.35 * v)
    tilt = 0.009 * q * u * (1 - 0.3 * u * k)
    x, y = bent, v + tilt
    s, side = _mirror(x)
    gain6, gain10, gain12, gain14, _ = (1 + lean * side for lean in identity.lean)
    dx, dy = np.zeros_like(x), np.zeros_like(y)
    mouth_x, mouth_y, chin_y = identity.mouth_x, identity.mouth_y, identity.chin_y
    low = _window((v > 0.0) & (v < chin_y + 0.5))
    a, b, out_x, out_y = s[low], y[low], dx[low], dy[low]
    if a.size:
        up, out = pull["corner_up"], pull["corner_out"]
        # the corners: AU12 pulls them back and up, AU14 in; AU17 lets them hang
        corner = bump(a, b, mouth_x + 0.12 * out, mouth_y - 0.13 * up, 0.31, 0.25)
        corner *= gain12[low]
        tight = bump(a, b, mouth_x, mouth_y - 0.06 * up, 0.20, 0.15) * gain14[low]
        out_x += 0.17 * out * corner - 0.095 * pull["dimple"] * tight
        # the mouth becomes a U: the further out, the higher
        bowl = np.minimum(a * (1 / (mouth_x + 0.12)), 1)
        bowl = bowl * bowl * ridge(np.maximum(a - mouth_x - 0.12, 0), 0.26)
        bowl *= ridge(b - mouth_y + 0.07 * up, 0.27) * gain12[low]
        out_y -= 0.155 * up * bowl
        out_y += 0.060 * pull["au17"] * tight
        out_y -= 0.020 * up * bump(a, b, 0.0, mouth_y, 0.5, 0.3)
        # the cheeks follow the corners
        out_y -= 0.07 * up * bump(a, b, 0.60, 0.56, 0.25, 0.25) * gain12[low]
        # AU10: the upper lip's middle, square rather than round, and the nose's wings
        lift = bump(a, b, 0.12, mouth_y - 0.10, 0.25, 0.21)
        out_y -= 0.085 * pull["lip_lift"] * lift * gain10[low]
        wing = bump(a, b, 0.24, identity.nose_y - 0.1, 0.15, 0.15)
        out_y -= 0.045 * pull["au10"] * wing
        out_x += 0.025 * pull["au10"] * wing
        # AU17: chin boss and lower lip
        out_y -= 0.12 * pull["au17"] * bump(x[low], b, 0.0, chin_y - 0.06, 0.32, 0.2)
        out_y -= 0.100 * pull["au17"] * bump(x[low], b, 0.0, mouth_y + 0.01, 0.25, 0.16)
    high = _window((v > -1.1) & (v < 0.9))
    a, b, out_x, out_y = s[high], y[high], dx[high], dy[high]
    if a.size:
        # AU6: the cheeks towards the eye, the brow's tail down a little
        cheek = bump(a, b, 0.55, 0.30, 0.32, 0.23) * gain6[high]
        out_y -= 0.11 * pull["au6"] * cheek
        out_y += 0.03 * pull["au6"] * bump(a, b, 0.72, -0.27, 0.2, 0.14)
        # AU1, AU2 and AU4: the brows
        out_y -= 0.12 * pull["brow_raise_inner"] * bump(a, b, 0.22, -0.38, 0.18, 0.24)
        out_y -= 0.11 * pull["brow_raise_outer"] * bump(a, b, 0.62, -0.36, 0.23, 0.24)
        frown = pull["brow_lower"] * bump(a, b, 0.26, -0.26, 0.26, 0.18)
        out_y += 0.075 * frown
        out_x -= 0.05 * frown
    x = bent - side * dx
    y = y - dy
    # the lips part: each side of their line goes its own way, most in the middle
    line = _lip_line(identity, x)
    free = np.clip(1 - (x * x) * (1 / mouth_x**2), 0, 1)
    near = bump(x, y, 0.0, mouth_y, 1.0, 0.2)
    rise = (0.03 * pull["lips_part"] + 0.045 * pull["lip_lift"]) * free * near
    jaw = pull["jaw_drop"] * step(y, mouth_y - 0.1, 0.2)
    jaw *= free + (1 - free) * step(y, mouth_y + 0.36, 0.55)
    drop = 0.05 * pull["lips_part"] * free * near + 0.15 * jaw
    upper, lower = y + rise, y - drop
    inside = np.clip(np.minimum(upper - line, line - lower) * scale, 0, 1)
    inside *= free > 0
    y = np.where(upper <= line, upper, np.maximum(lower, line))
    return x, y, inside


def _press(view, distance, size: float, amount) -> None:
    """A furrow where the distance is 0: a hollow between two soft lips, and dark."""
    groove = ridge(distance, size)
    wall = ridge(distance, 2.6 * size)
    view["depth"] -= amount * (groove - 0.35 * wall)
    view["crease"] += np.minimum(amount * 9, 0.75) * groove


def _furrows(identity: Identity, pull, x, y, scale, view) -> None:
    """Step 4: hills and furrows of the skin, in place."""
    s, side = _mirror(x)
    gain6, gain10, gain12, gain14, _ = (1 + lean * side for lean in identity.lean)
    mouth_x, mouth_y, chin_y = identity.mouth_x, identity.mouth_y, identity.chin_y
    au6, au10, au12, au17 = (pull[name] for name in ("au6", "au10", "au12", "au17"))
    depth = view["depth"]
    before = depth.copy()
    eye_x, dimple = identity.eye_x, pull["dimple"]
    # cheeks: what AU6, AU12 and AU10 bunch up
    depth += 0.12 * au6 * bump(s, y, 0.56, 0.30, 0.24, 0.12) * gain6
    depth += 0.15 * au12 * bump(s, y, 0.58, 0.50, 0.20, 0.19) * gain12
    depth += 0.075 * au10 * bump(s, y, 0.40, 0.42, 0.13, 0.16) * gain10
    # the nasolabial fold runs from the wing of the nose to beside the corner; AU10
    # deepens its upper part, AU12 all of it; the cheek stands over it
    top = identity.nose_y - 0.16
    below = y - top
    fold = s - (0.265 + 0.48 * below * (0.72 + 0.25 * below))
    high = ridge(below - 0.12, 0.17)
    low = ridge(y - mouth_y + 0.14, 0.22)
    rest = (0.008 + 0.028 * identity.fold) * low
    amount = rest + 0.060 * pull["fold_high"] * high * gain10
    amount += 0.050 * pull["fold_low"] * low * gain12
    depth += 0.75 * amount * ridge(fold - 0.13, 0.13)
    _press(view, fold, 0.040, amount)
    # AU14: a bent furrow beside the corner, bulges on both sides of it
    bow = s - (mouth_x + 0.085 - 1.6 * (y - mouth_y + 0.02) * (y - mouth_y + 0.02))
    tall = ridge(y - mouth_y - 0.02, 0.135)
    _press(view, bow, 0.046, 0.108 * dimple * tall * gain14)
    depth += 0.145 * dimple * bump(s, y, mouth_x + 0.20, mouth_y + 0.01, 0.12, 0.18)
    # the corner itself is drawn tight over a small knot of muscle
    depth += 0.035 * dimple * bump(s, y, mouth_x - 0.02, mouth_y + 0.075, 0.12, 0.06)
    depth += 0.030 * dimple * bump(s, y, mouth_x - 0.02, mouth_y - 0.080, 0.12, 0.06)
    # AU6: the furrow below the lid, the bag above it, crow's feet
    beside = s - eye_x
    arc = y - 0.155 - 0.10 * beside + 0.95 * beside * beside
    near = ridge(beside + 0.03, 0.21)
    _press(view, arc, 0.026, (0.038 * au6 + 0.005 * identity.age) * near * gain6)
    depth += 0.030 * au6 * ridge(arc + 0.065, 0.035) * near
    second = y - 0.245 - 0.32 * beside + 0.6 * beside * beside
    _press(view, second, 0.030, 0.026 * au6 * ridge(beside + 0.10, 0.17))
    feet = (0.036 * au6 + 0.005 * identity.wrinkles) * gain6
    away = s - (eye_x + 0.205)
    feet = feet * step(away, 0.035, 0.06) * step(-away, -0.22, 0.14)
    for slope, bend in ((-0.75, 0.8), (-0.22, 0.5), (0.22, 0.3), (0.70, -0.2)):
        line = y + 0.02 - slope * away - bend * away * away
        _press(view, line * (1 / math.hypot(1, slope)), 0.017, feet)
    # AU17: the boss of the chin bulges and is pitted, a bent furrow lies over it
    depth += 0.075 * au17 * bump(x, y, 0.0, chin_y - 0.02, 0.22, 0.14)
    boss = bump(x, y, 0.0, chin_y + 0.01, 0.21, 0.14)
    field = noise(identity.texture)["pores"]
    column = (x * 22 + 512).astype(np.float32)
    row = (y * 22 + 512).astype(np.float32)
    pits = np.clip(between(field, column, row) - 0.15, 0, 1.6) * boss
    depth -= 0.036 * au17 * pits
    view["crease"] += 0.30 * au17 * pits
    over = y - (mouth_y + 0.245) - 0.55 * x * x
    _press(view, over, 0.036, 0.060 * au17 * ridge(x, 0.26))
    # AU1 and AU2 fold the forehead across, AU4 the glabella along
    inner, outer = pull["brow_raise_inner"], pull["brow_raise_outer"]
    if inner + outer > 0:
        across = 0.75 * inner * ridge(x, 0.42) + 0.75 * outer * ridge(s - 0.55, 0.30)
        for at in (-0.56, -0.69, -0.83):
            line = y - at - 0.10 * s * s + 0.03 * (x + 0.4) * identity.uneven[4]
            _press(view, line, 0.020, 0.022 * np.minimum(across, 1))
    if pull["brow_lower"] > 0:
        line = s - 0.085 - 0.10 * (y + 0.25)
        tall = ridge(y + 0.27, 0.12)
        _press(view, line, 0.024, 0.045 * pull["brow_lower"] * tall)
        depth += 0.03 * pull["brow_lower"] * bump(s, y, 0.20, -0.25, 0.10, 0.09)
    np.clip(view["crease"], 0, 0.9, out=view["crease"])
    view["crease"] *= 1 - view["hair"]
    depth += view["hair"] * (before - depth)


def _paint(colour: np.ndarray, share: np.ndarray, tint: Sequence) -> None:
    """Cover `share` (0..1) of each pixel with a colour, in place."""
    for layer, value in zip(colour, tint, strict=True):
        layer += share * (value - layer)


def _mouth(identity: Identity, pull, x, y, scale, view) -> None:
    """Lips as two rolls, their colour, teeth and the dark behind them, in place."""
    mouth_x, mouth_y = identity.mouth_x, identity.mouth_y
    depth, colour, inside = view["depth"], view["albedo"], view["inside"]
    s = np.abs(x)
    thin = identity.lips * (1 - 0.28 * pull["au12"] - 0.55 * pull["au14"])
    thin = max(thin, 0.25)
    square = (x * x) * (1 / mouth_x**2)
    arch = np.clip(1 - square, 0, 1)
    offset = y - _lip_line(identity, x)
    bow = (
        1
        - 0.20 * (1 - 0.6 * min(pull["au12"], 1)) * ridge(x, 0.055)
        + 0.06 * ridge(s - 0.085, 0.06)
    )
    balance = identity.lip_balance
    upper = 0.100 * thin * balance * (0.45 * arch + 0.55 * arch * arch) * bow + 1e-4
    upper *= 1 - 0.25 * pull["au17"]
    lower = 0.135 * thin * (2 - balance) * arch * (1 + 0.35 * square) + 1e-4
    lower *= 1 + 0.12 * pull["au17"] - 0.10 * pull["lip_lift"]
    # depth: rolls that turn in towards the line, a soft rim above the upper lip
    fade = step(arch, 0.10, 0.2)
    high = offset / upper + 0.45
    deep = offset / lower - 0.42
    full = min(1.3, 0.55 + 0.45 * thin)
    depth += 0.040 * full * fade * ridge(high, 0.62)
    depth += (0.058 * full + 0.03 * pull["au17"]) * fade * ridge(deep, 0.66)
    depth += 0.008 * fade * ridge(offset + upper + 0.012, 0.018)
    cut = ridge(offset, 0.017) * step(arch, 0.06, 0.12)
    depth -= 0.03 * cut
    # corners sink in
    depth -= 0.03 * bump(s, offset, mouth_x + 0.01, 0.0, 0.05, 0.05)
    # colour, with a border some pixels soft
    top = step(offset + upper, 0.008, 0.040)
    bottom = step(lower - offset, 0.006, 0.058)
    red = top * bottom * step(arch, 0.08, 0.16)
    field = noise(identity.texture)["strands"]
    lines = between(field, x * 60 + 512, y * 90 + 512)
    depth += 0.0022 * lines * red
    skin = [float(value) for value in identity.skin]
    warm = 0.6 + 0.5 * identity.redness
    tints = zip(skin, (0.84, 0.44, 0.47), (0.028, 0.0, 0.004), strict=True)
    lip = [
        value * (1 - (1 - part) * warm) + more + 0.012 * lines * value
        for value, part, more in tints
    ]
    _paint(colour, (0.72 if identity.male else 0.88) * red, lip)
    inner = red * ridge(offset, 0.045)
    colour *= 1 - 0.22 * inner - 0.10 * red * step(-offset, 0.0, 0.02)
    view["crease"] += 0.75 * cut * (1 - inside)
    view["gloss"] += (0.25 + 0.2 * lines) * red
    # between the lips: upper teeth before the dark
    if not inside.any():
        return
    v = view["v"]
    edge = mouth_y + 0.028 + 0.10 * x * x - 0.02 * pull["au12"]
    place = x * (1 / 0.118)
    place = np.abs(place - np.rint(place))  # 0 in the gap, 0.5 in a tooth's middle
    edge = edge - 0.012 * np.clip(0.16 - place, 0, 0.16) * 3.5
    teeth = step(edge - v, 0.0, 0.02) * step(mouth_x + 0.02 - s, 0.10, 0.2)
    shadow = np.clip(1 - 0.9 * square, 0.25, 1) * (
        0.55 + 0.45 * step(v, mouth_y - 0.06, 0.09)
    )
    teeth_tint = [
        tone * shadow * (1 - 0.45 * ridge(place, 0.05)) for tone in (0.60, 0.54, 0.44)
    ]
    tongue = bump(x, v, 0.0, mouth_y + 0.17, 0.26, 0.09)
    _paint(
        colour,
        inside,
        [0.028 + 0.14 * tongue, 0.008 + 0.035 * tongue, 0.008 + 0.03 * tongue],
    )
    _paint(colour, 0.95 * inside * teeth, teeth_tint)
    depth -= inside * (0.10 - 0.07 * teeth)
    view["gloss"] += inside * (1.2 * teeth - view["gloss"])


def _eyes(identity: Identity, pull, x, y, scale, view) -> None:
    """Lids, lashes, ball, iris and pupil, in place; AU6 raises the lower lid."""
    depth, colour, gloss = view["depth"], view["albedo"], view["gloss"]
    s, side = _mirror(x)
    across = s - identity.eye_x
    down = y - identity.eye_tilt * across
    size = identity.eye_size
    place = across * (1 / (0.210 * size))
    arch = 1 - place * place
    wide = np.maximum(arch, 0)
    wide = wide * (1.14 - 0.14 * wide)
    squeeze = pull["au6"] * (1 + identity.lean[0] * side)
    open_high = 0.077 * size
    low = size * (0.069 - 0.080 * squeeze - 0.008 * pull["au12"])
    high = open_high * (1 - 0.20 * squeeze)
    high = high - (high + low) * (1.04 * pull["blink"])
    upper = wide * (1 - 0.14 * place)
    lower = wide * (1 + 0.14 * place)
    under = down + high * upper  # units below the upper lid
    over = low * lower - down  # units above the lower lid
    ball = np.clip(np.minimum(under, over) * scale + 0.5, 0, 1)
    ball *= np.clip(arch * (scale * 0.12) + 0.5, 0, 1) * (arch > 0)
    ball *= 1 - step(np.float32(pull["blink"]) + 0 * x, 0.9, 0.2)
    skin = [float(value) for value in identity.skin]
    # lids: the fold above, thickness at the rims
    fade = step(arch, -0.20, 0.55)
    fold = down + open_high * upper + 0.030 + 0.030 * max(identity.lid, 0.1)
    fold += 0.02 * pull["brow_lower"] - 0.01 * pull["brow_raise_inner"]
    deep = min(1.0, 0.45 + 0.5 * identity.lid)
    groove = ridge(fold, 0.020) * fade * (1 - 0.5 * pull["blink"])
    depth -= 0.030 * deep * groove
    depth += 0.022 * ridge(fold + 0.05, 0.045) * fade
    view["crease"] += 0.65 * deep * groove
    rim = ridge(over + 0.026, 0.026) * step(arch, -0.05, 0.3)
    depth += 0.014 * rim - 0.030 * ball
    below = ridge(over + 0.085, 0.030) * step(arch, -0.10, 0.4)
    depth -= 0.008 * below
    gloss *= 1 - ball
    # ball: grey towards the corners and below the upper lid
    far = np.abs(place)
    shadow = 1 - 0.50 * ridge(under, 0.065) - 0.38 * np.clip(far - 0.45, 0, 1)
    warm = 0.05 * bump(place, down, -0.95, 0.01, 0.35, 0.06)
    white = [0.37 * shadow + warm, 0.345 * shadow, 0.33 * shadow]
    _paint(colour, ball, white)
    caruncle = bump(place, down, -0.97, 0.008, 0.13, 0.035) * ball
    _paint(
        colour,
        0.8 * caruncle,
        [0.42 * skin[0] + 0.12, 0.10 + 0.15 * skin[1], 0.10 + 0.12 * skin[2]],
    )
    iris_x = across * side - 0.060 * pull["gaze_x"] + 0.006 * side
    iris_y = down + 0.004 - 0.035 * pull["gaze_y"]
    radius = np.sqrt(iris_x * iris_x + iris_y * iris_y)
    disc = np.clip((0.084 - radius) * (0.75 * scale) + 0.5, 0, 1) * ball
    spokes = between(
        noise(identity.texture)["pores"], iris_x * 130 + 512, iris_y * 130 + 512
    )
    bright = (0.75 + 0.9 * np.clip(iris_y * 6, -0.4, 0.5)) * (1 + 0.16 * spokes)
    bright *= (1 - 0.60 * ridge(radius - 0.084, 0.022)) * (
        1 - 0.55 * ridge(under, 0.055)
    )
    _paint(colour, disc, [value * bright for value in identity.iris])
    pupil = np.clip((0.034 - radius) * (0.8 * scale) + 0.5, 0, 1) * disc
    _paint(colour, pupil, [0.004, 0.004, 0.004])
    # wet rim, lashes
    wet = ridge(over - 0.004, 0.010) * step(arch, 0.05, 0.25) * (1 - pull["blink"])
    _paint(
        colour,
        0.40 * wet,
        [0.55 * skin[0] + 0.16, 0.5 * skin[1] + 0.10, 0.5 * skin[2] + 0.10],
    )
    dark = min(1.0, 0.30 + 0.42 * identity.lashes)
    lash = ridge(under - 0.006, 0.019) * step(arch, 0.0, 0.22)
    lash += (
        0.5
        * ridge(under + 0.016, 0.020)
        * step(arch, 0.0, 0.25)
        * step(place, 0.1, 0.9)
    )
    lash = dark * lash + 0.26 * dark * ridge(over + 0.010, 0.013) * step(
        arch, 0.05, 0.2
    )
    _paint(colour, np.minimum(lash, 0.90), [0.016, 0.011, 0.009])
    lit = 0.06 * math.sin(identity.lamp)
    glint = bump(iris_x, iris_y, lit, -0.030, 0.013, 0.013)
    glint *= ball * step(under, 0.015, 0.02)
    _paint(colour, 0.75 * np.minimum(1.3 * glint, 1), [1.0, 1.0, 1.0])


def _lamp(identity: Identity, generator: np.random.Generator) -> dict:
    """The frame's light: the lamp's direction and the colours of lamp and room."""
    azimuth = identity.lamp + generator.normal(0, 0.12)
    height = 0.60 + generator.normal(0, 0.08)
    direction = (
        math.cos(height) * math.sin(azimuth),
        -math.sin(height),
        math.cos(height) * math.cos(azimuth),
    )
    warm = generator.normal(0, 0.025)
    # a photographer gives dark skin more light
    strength = 1.18 - 0.3 * min(identity.skin[1], 0.6) + generator.normal(0, 0.06)
    tint = (1 + warm, 1.0, 1 - warm)
    return {
        "direction": tuple(float(part) for part in direction),
        "key": [float(0.78 * strength * part) for part in tint],
        "fill": [float(0.37 * part) for part in tint],
    }
