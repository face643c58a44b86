"""Hair: where it grows, how it lies, what colour its strands have.

1. flow: a function `across` that is constant along a strand, and a place `along` it.
   The strands are rays from the face (combed back), slanted (combed to a side) or fall
   from a parting to both sides; waves bend them;
2. strands: noise that is stretched along the flow, on three scales: locks, bundles,
   single hairs; cropped and curled hair is noise that isn't stretched;
3. cover: hair grows above a hairline and beside the temples; long hair hangs as two
   curtains from the parting; the border is broken by the strands;
4. body: the outline that the strands fray, and how the hair stands out in depth;
5. colour: darker and lighter strands, white ones among them with age.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from aulib.standin.person import Identity
from aulib.standin.shapes import look_up, noise, step, wave


class Look(NamedTuple):
    """What a style looks like from near."""

    rough: float  # units by which strands fray the border
    soft: float  # width of the border, units
    contrast: float  # of strands
    dense: float  # most of the skin that is covered
    stretched: bool  # whether strands lie along a common flow


LOOKS = {
    "cropped": Look(0.030, 0.18, 0.13, 0.88, False),
    "short": Look(0.055, 0.20, 0.20, 1.0, True),
    "bald": Look(0.050, 0.30, 0.13, 0.75, False),
    "coils": Look(0.030, 0.12, 0.30, 1.0, False),
    "tied": Look(0.020, 0.15, 0.20, 1.0, True),
    "long": Look(0.018, 0.05, 0.20, 1.0, True),
    "wavy": Look(0.015, 0.05, 0.20, 1.0, True),
}


class Strands(NamedTuple):
    """Noise of unit variance on three scales, and their mixture."""

    fine: np.ndarray
    bundle: np.ndarray
    locks: np.ndarray
    mixed: np.ndarray


def grow(identity: Identity, x, y, skull, around, density: int) -> dict:
    """Cover, depth, outline, colour and flow of the hair over the head's map.

    Args:
        identity: whose hair.
        x: map of places, units.
        y: map of places, units.
        skull: depth of the head with the hair's volume.
        around: distance inside that head's outline.
        density: of the map, values a unit.

    Returns:
        `cover` 0..1, `depth`, `edge` (distance inside the outline), `rgb`, `flow_x`
        and `flow_y` (a unit vector along the strands, 0 where they share none).
    """
    s = np.abs(x)
    look, long = LOOKS[identity.hair_style], identity.hair_length > 0
    across, along, bend = _flow(identity, x, y)
    clipped = 0.0  # short hair is clipped at the sides
    if identity.hair_style == "short":
        clipped = step(s + 0.35 * y, 0.55, 0.4)
    strands = _strands(identity, x, y, across, along, clipped, density)
    if long:
        border, inner = _curtains(identity, x, y, bend)
    else:
        # sideburns before the ear, a free ear
        stop = (0.10 if identity.male else 0.02) - 0.30 * step(
            s, 0.96 * identity.width, 0.05
        )
        border = _hairline(identity, x, y, stop, strands)
    rough = look.rough * (1 - 0.75 * clipped)
    cover = look.dense * step(-(border + rough * strands.mixed), 0.01, look.soft)
    wisps = look_up(noise(identity.texture)["pores"], x * 100, y * 100)
    edge = around + 0.006 * strands.mixed + 0.005 * wisps - 0.01
    depth = skull + 0.010 * strands.mixed
    if long:
        side = x - identity.parting
        scalp = np.clip(1 - np.abs(side) * (1 / 0.022), 0, 1)
        cover *= 1 - 0.45 * scalp * step(-y, 0.9, 0.3)
        edge, depth = _fall(identity, s, y, inner, bend, strands, edge, depth, density)
    else:
        depth -= step(border, -0.16, 0.50) * 0.45 * identity.hair_volume
        end = 0.7 * (stop - y)
        if identity.hair_style == "short":
            edge += 0.02 * strands.locks * np.clip(-y, 0, 1)
        if identity.hair_style == "coils":
            edge += 0.02 * strands.bundle + 0.02 * strands.locks
            depth += 0.018 * strands.mixed
            end = 0.40 * (stop - y) + 0.02 * strands.bundle
        edge = np.minimum(edge, end)
    edge = np.where(cover > 0.02, edge, -1)
    if identity.hair_style == "tied" and identity.sweep > -0.2:  # a knot on the crown
        above = y + 1.60 + 0.9 * identity.hair_volume
        knot = np.sqrt(x * x + 1.5 * above * above)
        size = 0.26 + 0.10 * identity.sweep
        edge = np.maximum(edge, size - knot + 0.015 * strands.mixed)
    # along the level lines of `across`
    down, right = np.gradient(across)
    share = look.stretched / (np.sqrt(down * down + right * right) + 1e-9)
    return {
        "cover": cover,
        "depth": depth,
        "edge": edge,
        "rgb": _colour(identity, look, strands),
        "flow_x": -down * share,
        "flow_y": right * share,
    }


def _flow(identity: Identity, x, y):
    """Step 1: across and along the strands, and how far a wave bends them."""
    side = x - identity.parting
    wander = _wander(identity, x, y)
    if identity.hair_length > 0:
        high = y + 0.35
        high = 0.5 * (high - np.sqrt(high * high + 0.08))  # below 0 above the temples
        across = 0.4 * np.sqrt(side * side + 0.55 * high * high + 1e-4)
        across += 0.6 * np.sqrt(side * side + 4e-4) - 0.42 * high
        across += 0.03 * np.maximum(y, 0) + 0.03 * wander
        along = y + 0.6 * np.abs(side)
    else:
        reach = np.maximum(0.55 - y, 0.25)
        along = np.sqrt(x * x + reach * reach)
        if identity.hair_style == "short":  # combed to one side
            across = (x + identity.sweep * (y + 1.2)) / (reach + 0.4)
        else:
            across = (0.75 * x + 0.25 * side) / reach
        across += 0.05 * wander
    bend = wave(along * 1.15 + 0.35 * _wander(identity, 0.5 * x, 0.5 * y))
    bend *= identity.wave
    return across + 0.030 * bend, along, bend


def _strands(identity: Identity, x, y, across, along, clipped, density) -> Strands:
    """Step 2."""
    fields = noise(identity.texture)
    if not LOOKS[identity.hair_style].stretched:
        size = 22 if identity.hair_style == "coils" else 60
        fine = look_up(fields["pores"], x * 3.2 * size, y * 3.2 * size)
        bundle = look_up(fields["pores"], x * size, y * size)
        locks = look_up(fields["blotches"], x * 2 * size, y * 2 * size)
        if identity.hair_style != "coils":
            return Strands(fine, bundle, locks, 0.8 * fine + 0.25 * bundle)
        return Strands(fine, bundle, locks, 0.6 * fine + 0.5 * bundle + 0.3 * locks)
    pace = 75 if identity.hair_style == "short" else 34
    finest, finer = min(230, 0.95 * density), min(85, 0.5 * density)
    fine = look_up(fields["strands"], across * finest, along * pace)
    bundle = look_up(fields["strands"], across * finer + 70, along * 0.7 * pace)
    locks = look_up(fields["strands"], across * 24 + 30, along * 0.35 * pace)
    mixed = 0.6 * fine + 0.5 * bundle + 0.3 * locks
    if identity.hair_style == "short":
        ends = look_up(fields["pores"], x * 130, y * 90)
        mixed += clipped * (0.7 * ends - mixed)
    return Strands(fine, bundle, locks, mixed)


def _hairline(identity: Identity, x, y, stop, strands: Strands):
    """Step 3, short hair: distance from its border, below 0 inside."""
    s = np.abs(x)
    line = -1.04 - identity.hairline + (0.22 + 0.25 * s) * s * s
    peak = np.clip(1 - s * (1 / 0.16), 0, 1)
    line += 0.03 * peak * peak + 0.02 * _wander(identity, x, y)
    corner = np.clip(1 - np.abs(s - 0.50) * (1 / 0.34), 0, 1)
    corner = corner * corner * (3 - 2 * corner)
    line -= identity.receding * (0.27 * corner + 0.10)
    temple = 0.83 * identity.width + 0.06 * identity.receding
    temple = temple + 0.10 * (np.clip(y + 0.75, 0, 1) + np.clip(y, 0, 1))
    front, beside = y - line, temple - s
    if identity.hair_style == "bald":
        front = np.maximum(front, 0.55)
        beside = np.maximum(beside, -0.72 - y + 0.10 * strands.mixed)
    return np.minimum(front, np.maximum(beside, (y - stop) * 0.8))


def _curtains(identity: Identity, x, y, bend):
    """Step 3, long hair: distance from its border, and from the opening's edge."""
    fall = np.clip((y + 1.12 + identity.hairline) * (1 / 1.15), 0, 1)
    root = np.sqrt(fall) * (1.15 - 0.15 * fall)
    pointed = 0.5 + 0.4 * identity.sweep  # or else a round opening
    root += pointed * (fall * (1.6 - 0.6 * fall) - root)
    reach = (0.88 + identity.open) * identity.width
    inner = np.abs(x - identity.parting * (1 - root)) - reach * root
    inner += 0.05 * np.clip(y - 0.3, 0, 2) - 0.02 * bend
    inner += 0.028 * _wander(identity, 0.7 * x, 1.6 * y)
    line = -1.04 - identity.hairline + 0.02 * _wander(identity, x, y)
    s = np.abs(x)
    return np.minimum(y - line - (0.22 + 0.25 * s) * s * s, -inner), inner


def _fall(identity: Identity, s, y, inner, bend, strands, edge, depth, density):
    """Step 4: the curtains' outline and depth joined to the scalp's."""
    outer = (1.0 + 0.10 * np.clip(y + 0.3, 0, 1.3)) * identity.width
    outer = outer + identity.hair_volume * (0.5 + 0.5 * np.clip(y, 0, 1))
    outer = outer + 0.06 * bend * np.clip(y, 0, 1)
    ends = identity.hair_length - y - 0.5 * np.square(s - 1)
    ends += 0.05 * strands.locks + 0.03 * strands.bundle + 0.02 * strands.fine
    hang = np.minimum(np.minimum(outer - s, ends), inner)
    edge = edge + step(y, -0.35, 0.6) * (hang - edge)
    # a roll that turns away at both sides
    middle = (s - (0.95 + 0.06 * np.clip(y, 0, 2)) * identity.width) * (1 / 0.30)
    roll = 0.46 - 0.05 * np.clip(y, 0, 3) - 0.18 * middle * middle
    depth = np.maximum(depth, roll - 0.55 * (1 - step(y, -0.35, 1.4)))
    smooth = gaussian_filter(depth, 0.05 * density) + 0.008 * strands.mixed
    return edge, depth + step(s, 0.85, 0.3) * (smooth - depth)


def _colour(identity: Identity, look: Look, strands: Strands) -> np.ndarray:
    """Step 5: linear light (3, height, width)."""
    shade = np.clip(1 + look.contrast * strands.mixed, 0.25, 1.9)
    white = np.clip(strands.fine + 0.3 * strands.bundle, 0, 1)
    white = 0.25 * identity.greying * white + 0.6 * identity.greying**2
    rgb = np.empty((3, *shade.shape), np.float32)
    for channel, tint in enumerate(identity.hair):
        warm = 0.10 - 0.04 * channel
        rgb[channel] = tint * shade * (1 + warm * strands.locks)
        rgb[channel] += white * (0.34 * shade - rgb[channel])
    return rgb


def _wander(identity: Identity, x, y) -> np.ndarray:
    """Slow noise that keeps strands and borders from being ruled."""
    return look_up(noise(identity.texture)["blotches"], x * 12 + 5, y * 12 + 50)
