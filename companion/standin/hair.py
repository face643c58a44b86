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

from companion.standin.person import Identity
from companion.standin.shapes import Edge, look_up, noise, step, wave


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


# Short hair is clipped outside a slanted edge.
CLIPPED_FROM, CLIPPED_SLANT = Edge(0.55, width=0.4), 0.35  # x; larger: wider above
CLIPPED_EVEN = 0.75  # share of the border's roughness that is lost there
# Sideburns end before the ear; behind its edge, the hair ends higher.
SIDEBURNS_MAN, SIDEBURNS_WOMAN, SIDEBURNS_EAR = 0.10, 0.02, 0.30  # y; y; higher
EAR, EAR_EDGE = 0.96, Edge(0.0, width=0.05)  # half-widths of the face
BORDER = 0.01  # inside it the cover reaches a half
# The outline, frayed by strands and wisps.
OUTLINE, FRAYED, WISPS = -0.01, 0.006, 0.005  # outwards; deviations
WISPS_FINE = 100  # values of the noise a unit; larger: finer
STRANDS_DEEP = 0.010
# The parting of long hair shows the scalp.
SCALP, SCALP_WIDE = 0.45, 0.022  # share of the hair that is lost; half-width
SCALP_ABOVE = Edge(0.9, width=0.3)  # upwards from the eyes
BARE = 0.02  # share of cover up to which hair has no outline
# The knot on the crown that some people with tied hair wear.
KNOT_FROM = -0.2  # `Identity.sweep` above which there is one
KNOT_UP, KNOT_BY_VOLUME = 1.60, 0.9  # above the eyes; for a volume of 1
KNOT, KNOT_BY_SWEEP = 0.26, 0.10  # radius; for a sweep of 1
KNOT_FLAT, KNOT_FRAYED = 1.5, 0.015  # larger: flatter; deviation


def grow(
    identity: Identity,
    x: np.ndarray,
    y: np.ndarray,
    skull: np.ndarray,
    around: np.ndarray,
    density: int,
) -> dict[str, np.ndarray]:
    """Cover, depth, outline, colour and flow of the hair over the head's map.

    Args:
        identity: the person.
        x: of the map's values, units.
        y: of the map's values, units.
        skull: depth of the head with the hair's volume.
        around: distance inside that head's outline.
        density: of the map, values a unit.

    Returns:
        `cover` 0..1, `depth`, `edge` (distance inside the outline), `rgb`, `flow_x`
        and `flow_y` (a unit vector along the strands, 0 where they share none).
    """
    s = np.abs(x)
    look = LOOKS[identity.hair_style]
    across, along, bend = _flow(identity, x, y)
    clipped = 0.0
    if identity.hair_style == "short":
        clipped = step(s + CLIPPED_SLANT * y, CLIPPED_FROM)
    strands = _strands(identity, x, y, across, along, clipped, density)
    rough = look.rough * (1 - CLIPPED_EVEN * clipped)
    wisps = look_up(noise(identity.texture)["pores"], x * WISPS_FINE, y * WISPS_FINE)
    edge = around + FRAYED * strands.mixed + WISPS * wisps + OUTLINE
    depth = skull + STRANDS_DEEP * strands.mixed
    if identity.hair_length > 0:
        border, inner = _curtains(identity, x, y, bend)
        cover = _cover(look, border, rough, strands)
        away = np.abs(x - identity.parting)
        scalp = np.clip(1 - away * (1 / SCALP_WIDE), 0, 1)
        cover *= 1 - SCALP * scalp * step(-y, SCALP_ABOVE)
        edge, depth = _fall(identity, s, y, inner, bend, strands, edge, depth, density)
    else:
        stop = SIDEBURNS_MAN if identity.male else SIDEBURNS_WOMAN
        stop = stop - SIDEBURNS_EAR * step(s, EAR_EDGE, EAR * identity.width)
        border = _hairline(identity, x, y, stop, strands)
        cover = _cover(look, border, rough, strands)
        edge, depth = _short_body(identity, y, border, stop, strands, edge, depth)
    edge = np.where(cover > BARE, edge, -1)
    if identity.hair_style == "tied" and identity.sweep > KNOT_FROM:
        above = y + KNOT_UP + KNOT_BY_VOLUME * identity.hair_volume
        knot = np.sqrt(x * x + KNOT_FLAT * above * above)
        radius = KNOT + KNOT_BY_SWEEP * identity.sweep
        edge = np.maximum(edge, radius - knot + KNOT_FRAYED * strands.mixed)
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


def _cover(look: Look, border, rough, strands: Strands) -> np.ndarray:
    """Share of the skin that hair covers, from the distance to its border."""
    inside = -(border + rough * strands.mixed)
    return look.dense * step(inside, Edge(BORDER, width=look.soft))


# Short hair lies flat towards its border.
FLAT, FLAT_FROM = 0.45, Edge(-0.16, width=0.50)  # share of the volume; of the border
ENDS, COILED_ENDS = 0.7, 0.40  # of the outline below; larger: more abrupt
SHORT_FRAYED = 0.02  # deviation, a unit above the eyes
COILS_BUNDLES, COILS_LOCKS, COILS_ENDS, COILS_DEEP = 0.02, 0.02, 0.02, 0.018


def _short_body(identity: Identity, y, border, stop, strands, edge, depth):
    """Step 4, short hair: its outline and depth."""
    depth = depth - step(border, FLAT_FROM) * FLAT * identity.hair_volume
    end = ENDS * (stop - y)
    if identity.hair_style == "short":
        edge = edge + SHORT_FRAYED * strands.locks * np.clip(-y, 0, 1)
    if identity.hair_style == "coils":
        edge = edge + (COILS_BUNDLES * strands.bundle + COILS_LOCKS * strands.locks)
        depth = depth + COILS_DEEP * strands.mixed
        end = COILED_ENDS * (stop - y) + COILS_ENDS * strands.bundle
    return np.minimum(edge, end), depth


# Long hair flows out of the parting: round it above the temples, straight down below
# them. The numbers in `_SOFT`, squared units, round its bends.
TEMPLES, TEMPLES_SOFT = 0.35, 0.08  # above the eyes
ROUND, ROUND_TALL, ROUND_SOFT = 0.4, 0.55, 1e-4  # larger: rounder; flatter
ASIDE, ASIDE_SOFT = 0.6, 4e-4  # larger: straighter down
FLAT_ABOVE, TURNS_IN = 0.42, 0.03  # larger: flatter above; more inwards below the eyes
ALONG_ASIDE = 0.6  # along a strand, a unit from the parting
# Other hair runs in rays from a point; short hair is combed to a side.
RAYS_Y, RAYS_LEAST = 0.55, 0.25  # of that point; least distance from it
RAYS, RAYS_PARTED = 0.75, 0.25  # shares that count from the midline; from the parting
COMBED, COMBED_WIDE = 1.2, 0.4  # above the eyes; larger: more parallel
WANDER_LONG, WANDER = 0.03, 0.05  # deviation from the ruled lines
# Waves bend the strands.
WAVES, WAVES_SWAY, WAVES_WIDE = 1.15, 0.35, 0.030  # a unit; in waves; across


def _flow(identity: Identity, x, y):
    """Step 1: across and along the strands, and how far a wave bends them."""
    side = x - identity.parting
    wander = _wander(identity, x, y)
    if identity.hair_length > 0:
        high = y + TEMPLES
        high = 0.5 * (high - np.sqrt(high * high + TEMPLES_SOFT))  # below 0 above them
        across = ROUND * np.sqrt(side * side + ROUND_TALL * high * high + ROUND_SOFT)
        across += ASIDE * np.sqrt(side * side + ASIDE_SOFT) - FLAT_ABOVE * high
        across += TURNS_IN * np.maximum(y, 0) + WANDER_LONG * wander
        along = y + ALONG_ASIDE * np.abs(side)
    else:
        reach = np.maximum(RAYS_Y - y, RAYS_LEAST)
        along = np.sqrt(x * x + reach * reach)
        if identity.hair_style == "short":
            across = (x + identity.sweep * (y + COMBED)) / (reach + COMBED_WIDE)
        else:
            across = (RAYS * x + RAYS_PARTED * side) / reach
        across += WANDER * wander
    sway = WAVES_SWAY * _wander(identity, 0.5 * x, 0.5 * y)
    bend = wave(along * WAVES + sway) * identity.wave
    return across + WAVES_WIDE * bend, along, bend


# Noise of hair that shares no flow: values a unit of bundles; factors for single hairs
# and for locks; shares of single hairs, bundles and locks in the mixture.
COILS_FINE, CROPPED_FINE, SINGLE_FINER, LOCKS_FINER = 22, 60, 3.2, 2
COILS_MIX, CROPPED_MIX = (0.6, 0.5, 0.3), (0.8, 0.25, 0.0)
# Noise of hair that flows: values a unit across, of single hairs and bundles no more
# than the map shows (a factor of its density); values a unit along; shares as above.
SINGLE, SINGLE_SHOWN, BUNDLES, BUNDLES_SHOWN, LOCKS = 230, 0.95, 85, 0.5, 24
SHORT_ALONG, LONG_ALONG = 75, 34  # of single hairs
BUNDLES_ALONG, LOCKS_ALONG = 0.7, 0.35  # factors of that
MIX = (0.6, 0.5, 0.3)
CLIPPED_X, CLIPPED_Y, CLIPPED_MIX = 130, 90, 0.7  # clipped ends: values a unit; share


def _strands(identity: Identity, x, y, across, along, clipped, density) -> Strands:
    """Step 2."""
    fields, style = noise(identity.texture), identity.hair_style
    pores, stretched = fields["pores"], fields["strands"]
    if not LOOKS[style].stretched:
        size = COILS_FINE if style == "coils" else CROPPED_FINE
        fine = look_up(pores, x * SINGLE_FINER * size, y * SINGLE_FINER * size)
        bundle = look_up(pores, x * size, y * size)
        coarse = LOCKS_FINER * size
        locks = look_up(fields["blotches"], x * coarse, y * coarse)
        a, b, c = COILS_MIX if style == "coils" else CROPPED_MIX
        return Strands(fine, bundle, locks, a * fine + b * bundle + c * locks)
    pace = SHORT_ALONG if style == "short" else LONG_ALONG
    hairs = min(SINGLE, SINGLE_SHOWN * density)
    bundles = min(BUNDLES, BUNDLES_SHOWN * density)
    fine = look_up(stretched, across * hairs, along * pace)
    bundle = look_up(stretched, across * bundles + 70, along * BUNDLES_ALONG * pace)
    locks = look_up(stretched, across * LOCKS + 30, along * LOCKS_ALONG * pace)
    a, b, c = MIX
    mixed = a * fine + b * bundle + c * locks
    if style == "short":
        ends = look_up(pores, x * CLIPPED_X, y * CLIPPED_Y)
        mixed += clipped * (CLIPPED_MIX * ends - mixed)
    return Strands(fine, bundle, locks, mixed)


# The hairline of a face: y at the midline, and how it comes down at the sides.
LINE_Y, LINE_BEND, LINE_BEND_MORE = -1.04, 0.22, 0.25  # larger: lower; further out
PEAK, PEAK_WIDE, LINE_WANDER = 0.03, 0.16, 0.02  # widow's peak; half-width; deviation
# For a `receding` of 1: two bays, and how far all of the line recedes.
BAY, BAY_X, BAY_WIDE = 0.27, 0.50, 0.34  # depth; middle; half-width
RECEDES = 0.10
# Temples: where hair begins beside the face, further out below.
TEMPLE, TEMPLE_RECEDES = 0.83, 0.06  # half-widths of the face; for a `receding` of 1
TEMPLE_OUT, TEMPLE_UP = 0.10, 0.75  # a unit down; from there above the eyes
SIDEBURNS_ABRUPT = 0.8  # larger: a sharper lower end
# A bald head keeps a ring of hair around it.
BALD_FRONT = 0.55  # above 0: no hair behind the hairline
BALD_UP, BALD_RAGGED = 0.72, 0.10  # upper end of the ring above the eyes; deviation


def _hairline(identity: Identity, x, y, stop, strands: Strands):
    """Step 3, short hair: distance from its border, below 0 inside."""
    s = np.abs(x)
    line = LINE_Y - identity.hairline + (LINE_BEND + LINE_BEND_MORE * s) * s * s
    peak = np.clip(1 - s * (1 / PEAK_WIDE), 0, 1)
    line += PEAK * peak * peak + LINE_WANDER * _wander(identity, x, y)
    bay = np.clip(1 - np.abs(s - BAY_X) * (1 / BAY_WIDE), 0, 1)
    bay = bay * bay * (3 - 2 * bay)
    line -= identity.receding * (BAY * bay + RECEDES)
    temple = TEMPLE * identity.width + TEMPLE_RECEDES * identity.receding
    lower = np.clip(y + TEMPLE_UP, 0, 1) + np.clip(y, 0, 1)
    front, beside = y - line, temple + TEMPLE_OUT * lower - s
    if identity.hair_style == "bald":
        front = np.maximum(front, BALD_FRONT)
        beside = np.maximum(beside, -BALD_UP - y + BALD_RAGGED * strands.mixed)
    return np.minimum(front, np.maximum(beside, (y - stop) * SIDEBURNS_ABRUPT))


# Long hair hangs like two curtains. The opening between them begins above the hairline;
# by `Identity.sweep` its top is round or pointed.
OPEN_UP, OPEN_TALL = 1.12, 1.15  # its top above the eyes; its height
ROUNDED, POINTED = (1.15, -0.15), (1.6, -0.6)  # slope at the top and its change below
POINTED_MEAN, POINTED_BY_SWEEP = 0.5, 0.4  # share
OPEN_WIDE = 0.88  # half-widths of the face
CLOSES, CLOSES_Y = 0.05, 0.3  # narrower a unit down; from there
OPEN_WAVES, OPEN_WANDER = 0.02, 0.028  # deviations


def _curtains(identity: Identity, x, y, bend):
    """Step 3, long hair: distance from its border, and from the opening's edge."""
    fall = np.clip((y + OPEN_UP + identity.hairline) * (1 / OPEN_TALL), 0, 1)
    slope, more = ROUNDED
    root = np.sqrt(fall) * (slope + more * fall)
    slope, more = POINTED
    pointed = POINTED_MEAN + POINTED_BY_SWEEP * identity.sweep
    root += pointed * (fall * (slope + more * fall) - root)
    reach = (OPEN_WIDE + identity.open) * identity.width
    inner = np.abs(x - identity.parting * (1 - root)) - reach * root
    inner += CLOSES * np.clip(y - CLOSES_Y, 0, 2) - OPEN_WAVES * bend
    inner += OPEN_WANDER * _wander(identity, 0.7 * x, 1.6 * y)
    line = LINE_Y - identity.hairline + LINE_WANDER * _wander(identity, x, y)
    s = np.abs(x)
    line_bend = (LINE_BEND + LINE_BEND_MORE * s) * s * s
    return np.minimum(y - line - line_bend, -inner), inner


# The outline of the curtains: half-width, in half-widths of the face, and what hair's
# volume and waves add to it.
OUTER, OUTER_WIDENS = 1.0, 0.10  # above; more a unit down
OUTER_UP, OUTER_LONG = 0.3, 1.3  # where that begins above the eyes; how long it goes on
OUTER_VOLUME, OUTER_VOLUME_BELOW = 0.5, 0.5  # factors of the volume: all over; below
OUTER_WAVES = 0.06
ENDS_RISE = 0.5  # of the lower ends towards both sides
ENDS_LOCKS, ENDS_BUNDLES, ENDS_SINGLE = 0.05, 0.03, 0.02  # deviations
HANGS_BELOW = Edge(-0.35, width=0.6)  # y from which they replace the scalp's outline
# Their depth: a roll that turns away on both sides and lies further back below.
ROLL_X, ROLL_WIDENS = 0.95, 0.06  # its middle, half-widths of the face; a unit down
ROLL_WIDE = 0.30  # its half-width
ROLL, ROLL_BACK, ROLL_BEND = 0.46, 0.05, 0.18  # depth; less a unit down; at its sides
ROLL_RISES, ROLL_BELOW = 0.55, Edge(-0.35, width=1.4)  # from behind; y
CURTAIN_BLUR, CURTAIN_DEEP = 0.05, 0.008  # standard deviation; of strands
CURTAIN_FROM = Edge(0.85, width=0.3)  # x from which the blur acts


def _fall(identity: Identity, s, y, inner, bend, strands, edge, depth, density):
    """Step 4, long hair: the outline and depth of curtains, joined to the scalp's."""
    below = np.clip(y, 0, 1)
    outer = OUTER + OUTER_WIDENS * np.clip(y + OUTER_UP, 0, OUTER_LONG)
    outer = outer * identity.width
    outer += identity.hair_volume * (OUTER_VOLUME + OUTER_VOLUME_BELOW * below)
    outer = outer + OUTER_WAVES * bend * below
    ends = identity.hair_length - y - ENDS_RISE * np.square(s - 1)
    ragged = ENDS_LOCKS * strands.locks + ENDS_BUNDLES * strands.bundle
    ends += ragged + ENDS_SINGLE * strands.fine
    hang = np.minimum(np.minimum(outer - s, ends), inner)
    edge = edge + step(y, HANGS_BELOW) * (hang - edge)
    middle = (ROLL_X + ROLL_WIDENS * np.clip(y, 0, 2)) * identity.width
    middle = (s - middle) * (1 / ROLL_WIDE)
    roll = ROLL - ROLL_BACK * np.clip(y, 0, 3) - ROLL_BEND * middle * middle
    depth = np.maximum(depth, roll - ROLL_RISES * (1 - step(y, ROLL_BELOW)))
    smooth = gaussian_filter(depth, CURTAIN_BLUR * density)
    smooth = smooth + CURTAIN_DEEP * strands.mixed
    return edge, depth + step(s, CURTAIN_FROM) * (smooth - depth)


DARKEST, LIGHTEST = 0.25, 1.9  # strands, factors of the hair's colour
WARM = (0.10, 0.06, 0.02)  # by which locks differ in red; green; blue
WHITE, WHITE_BUNDLES = 0.34, 0.3  # colour of white hairs; how far they come in bundles
WHITE_SINGLE, WHITE_ALL = 0.25, 0.6  # shares for a `greying` of 1: single hairs; all


def _colour(identity: Identity, look: Look, strands: Strands) -> np.ndarray:
    """Step 5: linear light (3, height, width)."""
    shade = np.clip(1 + look.contrast * strands.mixed, DARKEST, LIGHTEST)
    white = np.clip(strands.fine + WHITE_BUNDLES * strands.bundle, 0, 1)
    white = WHITE_SINGLE * identity.greying * white + WHITE_ALL * identity.greying**2
    rgb = np.empty((3, *shade.shape), np.float32)
    for channel, (tint, warm) in enumerate(zip(identity.hair, WARM, strict=True)):
        rgb[channel] = tint * shade * (1 + warm * strands.locks)
        rgb[channel] += white * (WHITE * shade - rgb[channel])
    return rgb


def _wander(identity: Identity, x, y) -> np.ndarray:
    """Slow noise that keeps strands and borders from being ruled."""
    return look_up(noise(identity.texture)["blotches"], x * 12 + 5, y * 12 + 50)
