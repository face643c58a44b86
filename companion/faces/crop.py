"""The crop of one picture: Section IV, Figure 4.

The box is cut out without being made square, and its smaller side is scaled to the
size of the network's input. So a square of this size can move only along the longer
side, which is mostly the vertical one.
"""

from pathlib import Path

import numpy as np
from PIL import Image

LEAST_SIDE = 16
"""Pixels. In a smaller box wrinkles and lids, which tell the AUs, can't be seen; even
dlib's own faces have 80. It is far above a box whose coordinates are in 0..1."""
GREATEST_RATIO = 3
"""Of a box's longer side to its shorter one. Heads are at most twice as tall as wide,
with hair and neck, and faces seen from the side are not much narrower."""


def crop_face(
    image: np.ndarray | Image.Image, box: np.ndarray, size: int
) -> np.ndarray:
    """Cut out a box, clipped to the picture, and scale its smaller side to `size`.

    Args:
        image: uint8 array (H, W, 3), or a Pillow image in RGB.
        box: x0, y0, x1, y1 in pixels, which may be fractions.
        size: the smaller side of the crop, in pixels.

    Returns:
        uint8 array (h, w, 3) with min(h, w) == size, scaled bilinearly; the longer side
        is rounded down.

    Raises:
        ValueError: the box is NaN or has no part in the picture, or its part has an
            impossible shape: a side below half of `LEAST_SIDE`, or a ratio of sides
            above twice `GREATEST_RATIO`, since half of a face may lie outside. A box of
            .01 x 120 pixels would become a crop of a million lines.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    limits = np.array([*picture.size, *picture.size], dtype=np.float64)
    x0, y0, x1, y1 = np.clip(np.asarray(box, dtype=np.float64), 0, limits)
    width, height = x1 - x0, y1 - y0
    if not (width > 0 and height > 0):
        raise ValueError(f"box {np.asarray(box).tolist()} has no part in the picture")
    short, long = sorted((width, height))
    if short < LEAST_SIDE / 2 or long > 2 * GREATEST_RATIO * short:
        raise ValueError(
            f"box {np.asarray(box).tolist()} has {width:.3g} x {height:.3g} pixels in "
            "the picture, which is no face"
        )
    scale = size / short
    # the division may round, so the smaller side is set rather than computed
    wide = size if width <= height else max(size, int(width * scale))
    high = size if height <= width else max(size, int(height * scale))
    return np.asarray(picture.resize((wide, high), Image.BILINEAR, (x0, y0, x1, y1)))


def read_picture(
    path: str | Path, longest: int | None = None
) -> tuple[Image.Image, float]:
    """Read a picture as RGB, at a reduced size if `longest` allows.

    Args:
        path: the picture's file.
        longest: decode a JPEG at a reduced size whose longer side still has at least
            this many pixels, which is faster. None decodes it at full size.

    Returns:
        (picture, scale): how many pixels of the file each of its pixels spans.

    Raises:
        ValueError: the file can't be read as a picture.
    """
    try:
        with Image.open(path) as picture:
            full = max(picture.size)
            if longest and full > longest:
                picture.draft("RGB", [side * longest // full for side in picture.size])
            return picture.convert("RGB"), full / max(picture.size)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises any of them
        raise ValueError(
            f"{path}: no picture can be read ({error}); copy it again or remove it"
        ) from None
