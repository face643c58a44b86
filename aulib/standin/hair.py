"""Hair: where it grows, how it lies, what colour its strands have.

1. cover: hair grows above a hairline and beside the temples; long hair hangs as two
   curtains from a parting; the border is broken by the strands themselves;
2. flow: a function that is constant along a strand. Its level lines are rays from the
   face (combed back), arcs about it (parted) or, with waves, bent ones;
3. strands: noise that is stretched along the flow, on three scales: locks, bundles,
   single hairs; coils are noise that isn't stretched.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from aulib.standin.person import Identity


def grow(identity: Identity, x, y, s, skull, around, fields, look_up, density) -> dict:
    """Cover, depth, outline, colour and flow of the hair over the head's map.

    Args:
        identity: whose hair.
        x: map of places.
        y: map of places.
        s: |x|.
        skull: depth of the head with the hair's volume.
        around: distance inside that head's outline.
        fields: the person's noise.
        look_up: reads a periodic field.
        density: values a unit.

    Returns:
        `cover` 0..1, `depth`, `edge` (distance inside the outline), `rgb`, `flow_x`
        and `flow_y` (a unit vector along the strands).
    """
    style, width = identity.hair_style, identity.width
    long = identity.hair_length > 0
    side = x - identity.parting
    # 2. flow
    if long:
        high = y + 0.35
        high = 0.5 * (high - np.sqrt(high * high + 0.08))  # below 0 above the temples
        across = 0.4 * np.sqrt(side * side + 0.55 * high * high + 1e-4)
        across += 0.6 * np.sqrt(side * side + 4e-4) - 0.42 * high
        across += 0.10 * np.maximum(y, 0) * 0.3
        along = y + 0.6 * np.abs(side)
        bend = _curve(look_up, fields, x, y) * 0.03
    else:
        reach = np.maximum(0.55 - y, 0.25)
        across = (0.75 * x + 0.25 * side) / reach
        along = np.sqrt(x * x + reach * reach)
        bend = _curve(look_up, fields, x, y) * 0.05
        if style == "short":  # combed to one side
            across = (x + identity.sweep * (y + 1.2)) / (reach + 0.4)
    turns = along * 1.15 + 0.35 * _curve(look_up, fields, 0.5 * x, 0.5 * y)
    turns = turns - np.rint(turns)
    lock = 8 * turns * (1 - 2 * np.abs(turns))
    across = across + bend + identity.wave * (0.030 + 0.02 * (y > 9)) * lock
    # 3. strands
    if style in ("coils", "cropped", "bald"):
        size = 22 if style == "coils" else 60
        fine = look_up(fields["pores"], x * 3.2 * size, y * 3.2 * size)
        bundle = look_up(fields["pores"], x * size, y * size)
        locks = look_up(fields["blotches"], x * 2 * size, y * 2 * size)
    else:
        pace = 75 if style == "short" else 34
        fine = look_up(
            fields["strands"], across * min(230, 0.95 * density), along * pace
        )
        bundle = look_up(
            fields["strands"], across * min(85, 0.5 * density) + 70, along * 0.7 * pace
        )
        locks = look_up(fields["strands"], across * 24 + 30, along * 0.35 * pace)
    strands = 0.6 * fine + 0.5 * bundle + 0.3 * locks
    if style in ("cropped", "bald"):
        strands = 0.8 * fine + 0.25 * bundle
    if style == "short":  # the sides are clipped
        share = _step(s + 0.35 * y, 0.55, 0.4)
        clipped = look_up(fields["pores"], x * 130, y * 90)
        strands = strands + share * (0.7 * clipped - strands)
    # 1. cover
    line = -1.04 - identity.hairline + (0.22 + 0.25 * s) * s * s
    if not long:
        widow = np.clip(1 - s * (1 / 0.16), 0, 1)
        line = line + 0.03 * widow * widow
    recede = identity.receding
    corner = np.clip(1 - np.abs(s - 0.50) * (1 / 0.34), 0, 1)
    line = line - recede * (0.27 * corner * corner * (3 - 2 * corner) + 0.10)
    line = line + 0.02 * _curve(look_up, fields, x, y)
    temple = 0.83 * width + 0.10 * np.clip(y + 0.75, 0, 1.0)
    temple = temple + 0.06 * recede + 0.10 * np.clip(y, 0, 1)
    front, beside = y - line, temple - s
    if style == "bald":
        front = np.maximum(front, 0.55 + 0 * y)
        beside = np.maximum(beside, -0.72 - y + 0.10 * strands)
    if long:
        # two curtains: from the parting over the temples, beside the cheeks, down
        fall = np.clip((y + 1.12 + identity.hairline) * (1 / 1.15), 0, 1)
        peak = 0.5 + 0.4 * identity.sweep  # a pointed opening or a round one
        root = np.sqrt(fall) * (1.15 - 0.15 * fall)
        root += peak * (fall * (1.6 - 0.6 * fall) - root)
        reach = np.where(side > 0, 1.0, 1.0) * (0.88 + identity.open) * width
        center = identity.parting * (1 - root)
        inner = np.abs(x - center) - reach * root
        stray = _curve(look_up, fields, 0.7 * x, 1.6 * y)
        inner = (
            inner
            + 0.05 * np.clip(y - 0.3, 0, 2)
            + 0.028 * stray
            - 0.02 * identity.wave * lock
        )
        front = np.minimum(front, -inner)
        beside = np.full_like(x, 9.0)
        end = identity.hair_length
    else:
        end = 0.10 if identity.male else 0.02
        # sideburns before the ear, a free ear
        stop = end - 0.30 * _step(s, 0.96 * width, 0.05)
        beside = np.maximum(beside, (y - stop) * 0.8)
    away = np.minimum(front, beside)
    rough = {"tied": 0.02, "cropped": 0.03, "bald": 0.05, "long": 0.018}.get(
        style, 0.03
    )
    soft = {
        "long": 0.05,
        "wavy": 0.05,
        "tied": 0.15,
        "bald": 0.30,
        "cropped": 0.18,
        "short": 0.20,
    }.get(style, 0.12)
    if style == "short":
        rough = 0.055 * (1 - 0.75 * share)
    cover = _step(-(away + rough * strands), 0.01, soft)
    thin = {"cropped": 0.88, "bald": 0.75}.get(style, 1.0)
    cover *= thin
    if long:  # the parting's scalp
        scalp = np.clip(1 - np.abs(side + 0.003 * bundle) * (1 / 0.022), 0, 1)
        cover = cover * (1 - 0.45 * scalp * _step(-y, 0.9, 0.3))
    # outline
    if style == "short":
        around = around + 0.02 * locks * np.clip(-y, 0, 1)
    wisps = look_up(fields["pores"], x * 100, y * 100)
    edge = around + 0.006 * strands + 0.005 * wisps - 0.01
    if style == "coils":
        edge = edge + 0.02 * bundle + 0.02 * locks
    depth = skull + (0.028 if style == "coils" else 0.010) * strands
    if long:
        outer = (1.0 + 0.10 * np.clip(y + 0.3, 0, 1.3)) * width
        outer = outer + identity.hair_volume * (0.5 + 0.5 * np.clip(y, 0, 1))
        outer = outer + 0.06 * identity.wave * lock * np.clip(y + 0.6, 0, 1)
        hang = np.minimum(
            outer - s,
            (
                end
                - y
                + 0.05 * locks
                + 0.03 * bundle
                + 0.02 * fine
                - 0.5 * (s - 1.0) ** 2
            ),
        )
        hang = np.minimum(hang, -front)
        share = _step(y, -0.35, 0.6)  # from the scalp's outline to the curtain's
        edge = edge + share * (hang - edge)
        # a roll that turns away at both sides
        middle = (s - (0.95 + 0.06 * np.clip(y, 0, 2)) * width) * (1 / 0.30)
        roll = 0.46 - 0.05 * np.clip(y, 0, 3)
        curtain = roll - 0.18 * middle * middle + 0.008 * strands
        depth = np.maximum(depth, curtain - 0.55 * (1 - _step(y, -0.35, 1.4)))
        smooth = gaussian_filter(depth, 0.05 * density)
        depth = depth + _step(s, 0.85, 0.3) * (smooth + 0.008 * strands - depth)
    else:
        end = (
            0.40 * (stop - y) + 0.02 * bundle if style == "coils" else 0.7 * (stop - y)
        )
        edge = np.minimum(edge, end)
        lift = _step(-away, 0.16, 0.50)
        depth = depth - (1 - lift) * 0.45 * identity.hair_volume
    edge = np.where(cover > 0.02, edge, -1.0)
    if style == "tied" and identity.sweep > -0.2:  # a knot above the crown
        above = y + 1.60 + 0.9 * identity.hair_volume
        knot = np.sqrt(x * x + 1.5 * above * above)
        size = 0.26 + 0.10 * identity.sweep
        edge = np.maximum(edge, size - knot + 0.015 * strands)
        bun = np.sqrt(np.maximum(size * size - knot * knot, 0)) - 0.1
        depth = np.maximum(depth, np.where(cover > 0.5, depth, bun))
    # flow's direction: along the level lines
    down, right = np.gradient(across)
    length = np.sqrt(down * down + right * right) + 1e-9
    if style in ("cropped", "bald", "coils"):
        length = length + 1e3  # no common flow, no sheen
    rgb = np.empty((3, *x.shape), np.float32)
    shade = (
        1 + {"cropped": 0.13, "bald": 0.13, "coils": 0.30}.get(style, 0.20) * strands
    )
    shade = np.clip(shade, 0.25, 1.9)
    grey = np.clip(fine + 0.3 * bundle, 0, 1) * identity.greying
    for channel, tint in enumerate(identity.hair):
        rgb[channel] = tint * shade * (1 + 0.10 * locks * (1 - channel * 0.4))
        pale = 0.34 * shade
        rgb[channel] += (0.25 * grey + 0.6 * identity.greying**2) * (
            pale - rgb[channel]
        )
    return {
        "cover": cover,
        "depth": depth,
        "edge": edge,
        "rgb": rgb,
        "flow_x": -down / length,
        "flow_y": right / length,
    }


def _curve(look_up, fields, x, y) -> np.ndarray:
    """A slow wander that keeps strands from being ruled."""
    return look_up(fields["blotches"], x * 12 + 5, y * 12 + 50)


def _step(value: np.ndarray, edge: float, width: float) -> np.ndarray:
    share = np.clip((value - edge) * (1 / width) + 0.5, 0, 1)
    return share * share * (3 - 2 * share)
