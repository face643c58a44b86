"""Light on a depth map: one soft lamp, a room, skin that lets light through.

1. normals are the depth's finite differences;
2. the room's light is dimmed where surroundings rise above a point: the steepest
   horizon over eight directions and five distances, at half the resolution;
3. the lamp's light is dimmed where the ray towards it runs below the surface;
4. skin scatters: diffuse light is spread over some pixels, red further than green, and
   reaches round the shade's border;
5. gloss: a broad and a narrow lobe towards the lamp, more at grazing view; hair shines
   where its strands lie across the middle between lamp and view.
"""

import math
from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter

AROUND = [
    (math.cos(0.25 * math.pi * k), math.sin(0.25 * math.pi * k)) for k in range(8)
]
REACH = (0.035, 0.08, 0.16, 0.30, 0.52)  # units
MARCH = (0.03, 0.055, *(0.085 + 0.045 * k for k in range(14)))


def slopes(depth: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Step 1: the depth's slopes to the right and down, per unit."""
    down, right = np.empty_like(depth), np.empty_like(depth)
    half = np.float32(0.5 * scale)
    right[:, 1:-1] = (depth[:, 2:] - depth[:, :-2]) * half
    right[:, 0], right[:, -1] = right[:, 1], right[:, -2]
    down[1:-1] = (depth[2:] - depth[:-2]) * half
    down[0], down[-1] = down[1], down[-2]
    np.clip(right, -5, 5, out=right)
    np.clip(down, -5, 5, out=down)
    return right, down


def shades(depth: np.ndarray, scale: float, direction) -> tuple[np.ndarray, np.ndarray]:
    """Steps 2 and 3: the shares of room and lamp that reach each pixel, 0..1."""
    height, width = depth.shape
    coarse = depth[::2, ::2]
    rows, columns = coarse.shape
    scale = 0.5 * scale
    pad = int(0.75 * scale) + 2
    padded = np.pad(coarse, pad, mode="edge")
    soft = gaussian_filter(padded, 0.035 * scale, truncate=2.0)

    def moved(across: float, down: float, padded=padded) -> np.ndarray:
        right = pad + int(math.floor(across * scale + 0.5))
        low = pad + int(math.floor(down * scale + 0.5))
        return padded[low : low + rows, right : right + columns]

    room = np.zeros_like(coarse)
    for across, down in AROUND:
        horizon = np.zeros_like(coarse)
        for far in REACH:
            rise = moved(across * far, down * far) - coarse
            rise *= 1 / far
            if far > 0.2:  # what is far off hides less than its edge's steepness
                np.minimum(rise, 1.6, out=rise)
            np.maximum(horizon, rise, out=horizon)
        horizon *= horizon
        horizon += 1
        room += (1 - 0.35 * down) / horizon  # the room is brighter above
    room *= 1 / 8
    lx, ly, lz = direction
    flat = math.hypot(lx, ly) + 1e-6
    climb = lz / flat
    hidden = np.zeros_like(coarse)
    for far in MARCH:
        above = moved(lx / flat * far, ly / flat * far, soft) - coarse
        above -= climb * far
        above *= 1 / (0.42 * far + 0.03)
        np.maximum(hidden, above, out=hidden)
    np.minimum(hidden, 1, out=hidden)
    lamp = 1 - hidden
    lamp = gaussian_filter(lamp, 0.035 * scale, truncate=2.0)
    return _finer(room, height, width), _finer(lamp, height, width)


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


def shade(surface: Mapping[str, np.ndarray], scale: float, lamp: dict) -> np.ndarray:
    """Steps 4 and 5: light towards the camera, linear (3, height, width).

    Args:
        surface: fields of the picture: `right` and `down` (slopes), `depth`, `albedo`
            (3, height, width), `gloss`, `hair`, `flow_x`, `flow_y`, `crease` (0..1,
            fine hollows that the half resolution misses).
        scale: pixels a unit.
        lamp: `direction`, `key` and `fill`.
    """
    right, down, hair = surface["right"], surface["down"], surface["hair"]
    room, free = shades(surface["depth"], scale, lamp["direction"])
    room = room * (1 - 0.75 * surface["crease"])
    free = free * (1 - 0.60 * surface["crease"])
    length = 1 / np.sqrt(1 + right * right + down * down)
    lx, ly, lz = lamp["direction"]
    facing = (lz - right * lx - down * ly) * length
    upward = 0.80 + 0.20 * down * length + 0.06 * length
    # gloss: half-way between lamp and camera
    hx, hy, hz = lx, ly, lz + 1
    norm = 1 / math.sqrt(hx * hx + hy * hy + hz * hz)
    shine = np.maximum((hz - right * hx - down * hy) * length, 0) * norm
    for _ in range(3):
        shine *= shine  # to the 8th
    broad = shine * shine
    narrow = broad * broad
    narrow *= narrow  # to the 64th
    grazing = 1 - length
    grazing *= grazing
    shine = (0.032 * broad + 0.046 * narrow) * (1 + 3 * grazing) * surface["gloss"]
    shine += 0.05 * grazing * surface["gloss"] * room
    # hair: along the strand t, (1 - (t h)^2) to a power
    tx, ty = surface["flow_x"], surface["flow_y"]
    tz = tx * right + ty * down
    dot = (tx * hx + ty * hy + tz * hz) * norm
    dot *= dot
    dot /= tx * tx + ty * ty + tz * tz + 1e-6
    strand = np.maximum(1 - dot, 0)
    for _ in range(3):
        strand *= strand
    strand = hair * (0.20 * strand * strand + 0.04 * strand) * (tx * tx + ty * ty)
    strand *= 0.25 + 0.75 * length  # less at the outline
    shine *= 1 - hair
    shine *= free
    strand *= free * np.maximum(facing + 0.2, 0)
    skin = 1 - hair
    picture = np.empty_like(surface["albedo"])
    widths = ((0.34, 0.030), (0.20, 0.016), (0.14, 0.008))
    for channel, (bleed, spread) in enumerate(widths):
        albedo = surface["albedo"][channel]
        direct = np.clip((facing + bleed) * (1 / (1 + bleed)), 0, 1)
        # light comes back from red skin into its own hollows
        dim = room / (1 - 0.75 * albedo * (1 - np.minimum(room, 1)))
        light = lamp["key"][channel] * direct * (free + 0.06 * bleed * (1 - free))
        light += lamp["fill"][channel] * upward * dim
        if spread * scale > 0.4:
            smooth = gaussian_filter(light, spread * scale, truncate=2.5)
            light += skin * 0.8 * (smooth - light)
        tint = 0.55 + 0.45 * albedo / (surface["albedo"][0] + 0.02)
        picture[channel] = albedo * light + lamp["key"][channel] * shine
        own = albedo * 1.8 + 0.10 * tint
        picture[channel] += lamp["key"][channel] * strand * own * 2.5
    return picture
