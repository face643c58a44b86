"""Light on a depth map: one soft lamp, a room, skin that lets light through.

1. normals are the depth's finite differences;
2. the room's light is dimmed where the surroundings rise above a point: the steepest
   horizon over eight directions and five distances, at half the resolution;
3. the lamp's light is dimmed where the ray towards it runs below the surface;
4. skin scatters: diffuse light is spread over some pixels, red further than green, and
   reaches round the border of a shadow;
5. gloss: a broad and a narrow lobe towards the lamp, more at grazing view; hair shines
   where its strands lie across the direction half-way between lamp and camera, h.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from companion.standin.person import Identity
from companion.standin.shapes import bands, blur

# Direction of the lamp in radians. Its mean azimuth is `Identity.lamp`.
AZIMUTH_VARIES = 0.12  # standard deviation
ELEVATION, ELEVATION_VARIES = 0.60, 0.08  # mean; standard deviation
# Strength: larger is brighter. A photographer gives dark skin more of the lamp's light.
LAMP, ROOM = 0.78, 0.37
EXPOSURE, EXPOSURE_VARIES = 1.18, 0.06  # mean factor for black skin; deviation
EXPOSURE_SKIN, EXPOSURE_LIMIT = 0.3, 0.6  # less for a green of 1; of green, at most
WARMTH_VARIES = 0.025  # standard deviation of the share that red gains and blue loses


def draw_lamp(identity: Identity, generator: np.random.Generator) -> dict:
    """The light of one picture, in the form that `shade` takes."""
    azimuth = identity.lamp + generator.normal(0, AZIMUTH_VARIES)
    height = ELEVATION + generator.normal(0, ELEVATION_VARIES)
    direction = (
        math.cos(height) * math.sin(azimuth),
        -math.sin(height),
        math.cos(height) * math.cos(azimuth),
    )
    warm = generator.normal(0, WARMTH_VARIES)
    strength = EXPOSURE - EXPOSURE_SKIN * min(identity.skin[1], EXPOSURE_LIMIT)
    strength += generator.normal(0, EXPOSURE_VARIES)
    tint = (1 + warm, 1.0, 1 - warm)
    return {
        "direction": direction,
        "key": [LAMP * strength * part for part in tint],
        "fill": [ROOM * part for part in tint],
    }


STEEPEST = 5  # limit of a slope, units a unit, where an outline makes the depth jump


def slopes(depth: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Step 1: the depth's slopes to the right and down, units a unit."""
    down, right = np.empty_like(depth), np.empty_like(depth)
    half = np.float32(0.5 * scale)
    right[:, 1:-1] = (depth[:, 2:] - depth[:, :-2]) * half
    right[:, 0], right[:, -1] = right[:, 1], right[:, -2]
    down[1:-1] = (depth[2:] - depth[:-2]) * half
    down[0], down[-1] = down[1], down[-2]
    np.clip(right, -STEEPEST, STEEPEST, out=right)
    np.clip(down, -STEEPEST, STEEPEST, out=down)
    return right, down


MARGIN = 0.75  # as far as steps 2 and 3 look around a point
SOFT = 0.035  # standard deviation of a blur; larger: softer shadows of the lamp
# Step 2 looks in eight directions, at five distances.
AROUND = [
    (math.cos(0.25 * math.pi * k), math.sin(0.25 * math.pi * k)) for k in range(8)
]
REACH = (0.035, 0.08, 0.16, 0.30, 0.52)
FAR, FAR_STEEPEST = 0.2, 1.6  # distance beyond which horizons are limited; their slope
ROOM_ABOVE = 0.35  # share that the room is brighter above, and darker below
# Step 3 looks at these distances along the ray. A surface that rises so far above the
# ray hides the lamp wholly; larger: softer shadows.
MARCH = (0.03, 0.055, *(0.085 + 0.045 * k for k in range(14)))
HIDES, HIDES_MORE = 0.03, 0.42  # at a distance of 0; more a unit


def reaching(
    depth: np.ndarray, scale: float, direction: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Steps 2 and 3: the shares of room and lamp that reach each pixel, 0..1."""
    height, width = depth.shape
    coarse = np.ascontiguousarray(depth[::2, ::2])
    rows, columns = coarse.shape
    scale = 0.5 * scale
    pad = int(MARGIN * scale) + 2
    padded = np.pad(coarse, pad, mode="edge")
    soft = blur(padded, SOFT * scale, truncate=2.0)
    room, hidden = np.empty_like(coarse), np.empty_like(coarse)
    for band in bands(rows, columns):
        here = coarse[band]
        room[band] = _look_around(here, _Near(padded, band.start, pad, scale))
        hidden[band] = _march(here, _Near(soft, band.start, pad, scale), direction)
    lamp = blur(1 - hidden, SOFT * scale, truncate=2.0)
    return _finer(room, height, width), _finer(lamp, height, width)


class _Near(NamedTuple):
    """The surroundings of a band of rows."""

    field: np.ndarray  # of the whole picture, with margins
    top: int  # row of the band
    pad: int  # width of the margins
    scale: float

    def moved(self, depth: np.ndarray, across: float, down: float) -> np.ndarray:
        """How far what lies (across, down) from the band rises above its depth."""
        right = self.pad + int(math.floor(across * self.scale + 0.5))
        low = self.pad + int(math.floor(down * self.scale + 0.5)) + self.top
        rows, columns = depth.shape
        return self.field[low : low + rows, right : right + columns] - depth


def _look_around(depth: np.ndarray, near: _Near) -> np.ndarray:
    """Step 2: the share of the room's light."""
    room = np.zeros_like(depth)
    for across, down in AROUND:
        horizon = np.zeros_like(depth)
        for far in REACH:
            rise = near.moved(depth, across * far, down * far)
            rise *= 1 / far
            if far > FAR:
                np.minimum(rise, FAR_STEEPEST, out=rise)
            np.maximum(horizon, rise, out=horizon)
        horizon *= horizon
        horizon += 1
        room += (1 - ROOM_ABOVE * down) / horizon
    room *= 1 / len(AROUND)
    return room


def _march(depth: np.ndarray, near: _Near, direction) -> np.ndarray:
    """Step 3: the share of the lamp that is hidden."""
    lx, ly, lz = direction
    flat = math.hypot(lx, ly) + 1e-6
    climb = lz / flat
    hidden = np.zeros_like(depth)
    for far in MARCH:
        above = near.moved(depth, lx / flat * far, ly / flat * far)
        above -= climb * far
        above *= 1 / (HIDES_MORE * far + HIDES)
        np.maximum(hidden, above, out=hidden)
    np.minimum(hidden, 1, out=hidden)
    return hidden


def _finer(coarse: np.ndarray, height: int, width: int) -> np.ndarray:
    """Twice the resolution, linear in between."""
    rows, columns = coarse.shape
    tall = np.empty((2 * rows, columns), np.float32)
    tall[::2] = coarse
    tall[1:-1:2] = 0.5 * (coarse[:-1] + coarse[1:])
    tall[-1] = coarse[-1]
    fine = np.empty((2 * rows, 2 * columns), np.float32)
    fine[:, ::2] = tall
    fine[:, 1:-1:2] = 0.5 * (tall[:, :-1] + tall[:, 1:])
    fine[:, -1] = tall[:, -1]
    return fine[:height, :width]


# Shares of the light that fine hollows lose: the room's; the lamp's.
CREASE_ROOM, CREASE_LAMP = 0.75, 0.60
# The room's light, a factor: everywhere; where a surface looks up; at the camera.
ROOM_ALL, ROOM_UP, ROOM_FORWARD = 0.80, 0.20, 0.06
# Step 4, for red, green and blue: how far light reaches round the border of a shadow
# (factor; 0: not at all), and how far it spreads in the skin (standard deviation).
SCATTER = ((0.34, 0.030), (0.20, 0.016), (0.14, 0.008))
SCATTERED = 0.8  # share of the light that spreads
LEAST_SPREAD = 0.4  # pixels below which a spread is left out
SHADOW_GLOW = 0.06  # larger: brighter cast shadows
HOLLOW_GLOW = 0.75  # share of its light that a hollow gets back from its own walls


def shade(surface: Mapping[str, np.ndarray], scale: float, lamp: dict) -> np.ndarray:
    """Steps 4 and 5: light towards the camera, linear (3, height, width).

    Args:
        surface: fields of the picture: `right` and `down` (slopes), `depth`, `albedo`
            (3, height, width), `gloss`, `hair`, `flow_x`, `flow_y`, and `crease`: 0..1,
            fine hollows, which half the resolution misses.
        scale: pixels a unit.
        lamp: `direction`, a unit vector towards the lamp; `key` and `fill`, the red,
            green and blue of lamp and room.
    """
    room, free = reaching(surface["depth"], scale, lamp["direction"])
    light, shine = np.empty_like(surface["albedo"]), np.empty_like(room)
    strand = np.zeros_like(room)
    parts = []
    for rows in bands(*room.shape):
        part = {name: field[..., rows, :] for name, field in surface.items()}
        lights = (light[:, rows], shine[rows], strand[rows])
        parts.append((part, *lights))
        _receive(part, room[rows], free[rows], lamp, *lights)
    for channel, (_, spread) in enumerate(SCATTER):
        if spread * scale > LEAST_SPREAD:
            smooth = blur(light[channel], spread * scale, truncate=2.5)
            smooth -= light[channel]
            smooth *= (1 - surface["hair"]) * SCATTERED
            light[channel] += smooth
    for part in parts:
        _reflect(*part, lamp)
    return light


def _receive(surface, room, free, lamp, light, shine, strand) -> None:
    """Steps 4 and 5: light that falls on a surface, its shine on skin and on hair."""
    right, down, hair = surface["right"], surface["down"], surface["hair"]
    room = room * (1 - CREASE_ROOM * surface["crease"])
    free = free * (1 - CREASE_LAMP * surface["crease"])
    length = 1 / np.sqrt(1 + right * right + down * down)
    lx, ly, lz = lamp["direction"]
    facing = (lz - right * lx - down * ly) * length
    upward = ROOM_ALL + ROOM_UP * down * length + ROOM_FORWARD * length
    shine[:] = _skin_shine(surface, length, room, lamp) * (1 - hair) * free
    if hair.any():
        strand[:] = _hair_shine(surface, length, lamp)
        strand *= free * np.maximum(facing + HAIR_FACING, 0)
    shadow, dark = 1 - free, 1 - np.minimum(room, 1)
    for channel, (bleed, _) in enumerate(SCATTER):
        albedo, key = surface["albedo"][channel], lamp["key"][channel]
        direct = np.clip((facing + bleed) * (1 / (1 + bleed)), 0, 1)
        dim = room / (1 - HOLLOW_GLOW * albedo * dark)
        light[channel] = key * direct * (free + SHADOW_GLOW * bleed * shadow)
        light[channel] += lamp["fill"][channel] * upward * dim


def _reflect(surface, light, shine, strand, lamp) -> None:
    """Light that falls on a surface, turned in place into what it sends back."""
    albedos = surface["albedo"]
    hairy = strand.any()
    for channel, albedo in enumerate(albedos):
        key = lamp["key"][channel]
        light[channel] *= albedo
        light[channel] += key * shine
        if hairy:
            tint = SHEEN_WHITE + SHEEN_HUE * albedo / (albedos[0] + 0.02)
            own = albedo * HAIR_OWN + HAIR_SHEEN * tint
            light[channel] += key * strand * own * HAIR_BRIGHT


def _halfway(lamp: dict) -> tuple[float, float, float, float]:
    """The direction half-way between lamp and camera, and one over its length."""
    hx, hy, hz = lamp["direction"]
    hz = hz + 1
    return hx, hy, hz, 1 / math.sqrt(hx * hx + hy * hy + hz * hz)


# Shine of skin: strength of a broad lobe (16th power) and of a narrow one (64th).
BROAD, NARROW = 0.032, 0.046
GRAZING, ROOM_GRAZING = 3, 0.05  # at grazing view: added share; strength of the room's


def _skin_shine(surface, length, room, lamp) -> np.ndarray:
    """Step 5: the reflection of lamp and room on skin, without shadows."""
    right, down, gloss = surface["right"], surface["down"], surface["gloss"]
    hx, hy, hz, norm = _halfway(lamp)
    shine = np.maximum((hz - right * hx - down * hy) * length, 0) * norm
    for _ in range(3):
        shine *= shine  # to the 8th
    broad = shine * shine
    narrow = broad * broad
    narrow *= narrow  # to the 64th
    grazing = 1 - length
    grazing *= grazing
    shine = (BROAD * broad + NARROW * narrow) * (1 + GRAZING * grazing) * gloss
    return shine + ROOM_GRAZING * grazing * gloss * room


# Shine of hair: strength of a narrow lobe (16th power) and of a broad one (8th).
STRAND_NARROW, STRAND_BROAD = 0.20, 0.04
STRAND_OUTLINE, STRAND_AHEAD = 0.25, 0.75  # share at the outline; added at the camera
HAIR_FACING = 0.2  # larger: shines further round from the lamp
# Its colour: a factor of the hair's own and one of a pale tint; shares of white and of
# the hair's hue in that tint; and a factor of all of it.
HAIR_OWN, HAIR_SHEEN = 1.8, 0.10
SHEEN_WHITE, SHEEN_HUE = 0.55, 0.45
HAIR_BRIGHT = 2.5


def _hair_shine(surface, length, lamp) -> np.ndarray:
    """Step 5: (1 - (t h)^2) to a power, t along the strand; without shadows."""
    right, down = surface["right"], surface["down"]
    hx, hy, hz, norm = _halfway(lamp)
    tx, ty = surface["flow_x"], surface["flow_y"]
    tz = tx * right + ty * down
    dot = (tx * hx + ty * hy + tz * hz) * norm
    dot *= dot
    dot /= tx * tx + ty * ty + tz * tz + 1e-6
    strand = np.maximum(1 - dot, 0)
    for _ in range(3):
        strand *= strand
    lobes = STRAND_NARROW * strand * strand + STRAND_BROAD * strand
    strand = surface["hair"] * lobes * (tx * tx + ty * ty)
    return strand * (STRAND_OUTLINE + STRAND_AHEAD * length)
