"""Sheets of faces and of their changes, crops, one photograph; and JPEGs of them."""

import io
import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from companion.base.figures import COLOURS, TEXT_WIDTH
from companion.bp4d import AU_NAMES
from companion.crops.squares import central_corners
from companion.crops.store import CropStore
from companion.faces.crop import crop_face
from companion.faces.detect import detect_faces

CHANGES = "PuOr_r"  # purple: darker; white: the same; orange: lighter


def draw_sheet(
    pictures: Sequence[np.ndarray | None],
    titles: Sequence[str],
    columns: int,
    heading: str,
) -> Figure:
    """A sheet of pictures in rows, each below its title, as wide as a page's text.

    Args:
        pictures: uint8 (h, w, 3), at least one; the first sets the height of a row.
            None leaves a place empty, without its title.
        titles: one for each picture; they can have several lines.
        columns: pictures in a row.
        heading: over all of them.

    Raises:
        ValueError: there are not as many titles as pictures.
    """
    if len(pictures) != len(titles):
        raise ValueError(f"{len(pictures)} pictures, but {len(titles)} titles")
    rows = -(-len(pictures) // columns)
    lines = 1 + max(title.count("\n") for title in titles)
    high, wide = pictures[0].shape[:2]
    height = TEXT_WIDTH / columns * high / wide + 0.12 * lines + 0.04
    size = (TEXT_WIDTH, rows * height + 0.25)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.02, wspace=0, hspace=0)
    figure.suptitle(heading, fontsize=8)
    for ax, picture, title in zip_longest(axes.flat, pictures, titles):
        ax.axis("off")
        if picture is not None:
            ax.imshow(picture)
            ax.set_title(title, fontsize=6, pad=2)
    return figure


def draw_box(ax: Axes, box: ArrayLike, colour: str, style: str = "-") -> None:
    """Draw a box on a picture, over a wider black line, so that any skin shows it.

    Args:
        ax: with the picture.
        box: x0, y0, x1, y1 in pixels; NaN for none.
        colour: of the upper line.
        style: of the upper line; the black one is solid.
    """
    x0, y0, x1, y1 = np.asarray(box, dtype=float)
    for line in ({"ec": "black", "lw": 2.2}, {"ec": colour, "lw": 1.2, "ls": style}):
        ax.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **line))


def draw_cases(
    pictures: Sequence[np.ndarray],
    boxes: np.ndarray,
    crops: Sequence[np.ndarray],
    names: Sequence[str],
    size: int,
    heading: str,
) -> Figure:
    """Draw pictures with their face boxes, and below each one its crop.

    Args:
        pictures: uint8 (h, w, 3).
        boxes: float array (B, 4) of x0, y0, x1, y1 in pixels.
        crops: uint8 (h, w, 3), neither side below `size`.
        names: one for each picture; the crop has it, too, with its height and width.
        size: pixels of a side of the central square, which is dashed on the crop.
        heading: over all of them.
    """
    shapes = [f"{crop.shape[0]} x {crop.shape[1]}" for crop in crops]
    titles = [f"{name}: {shape}" for name, shape in zip(names, shapes, strict=True)]
    everything = [*pictures, *crops]
    sheet = draw_sheet(everything, [*names, *titles], len(pictures), heading)
    above, below = sheet.axes[: len(pictures)], sheet.axes[len(pictures) :]
    for ax, box in zip(above, boxes, strict=True):
        draw_box(ax, box, COLOURS[4])
    for ax, crop in zip(below, crops, strict=True):
        high, wide = crop.shape[:2]
        top, left = (high - size) // 2 - 0.5, (wide - size) // 2 - 0.5
        draw_box(ax, (left, top, left + size, top + size), "white", "--")
        edge = 0.03 * size  # of white, so that a line at the crop's edge is seen whole
        ax.set(xlim=(-0.5 - edge, wide - 0.5 + edge))
    return sheet


def on_one_canvas(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pictures in the middle of white canvases of one size, all at the same scale.

    Args:
        pictures: uint8 (h, w, 3), of any sizes.

    Returns:
        uint8 (H, W, 3) each, H and W the largest height and width.
    """
    high, wide = np.max([picture.shape[:2] for picture in pictures], axis=0)
    canvases = []
    for picture in pictures:
        height, width = picture.shape[:2]
        canvas = np.full((high, wide, 3), 255, dtype=np.uint8)
        top, left = (high - height) // 2, (wide - width) // 2
        canvas[top : top + height, left : left + width] = picture
        canvases.append(canvas)
    return canvases


def colour_change(picture: np.ndarray, before: np.ndarray, limit: float) -> np.ndarray:
    """How much lighter or darker each pixel is than before, as a colour of `CHANGES`.

    Args:
        picture: uint8 (h, w, 3).
        before: uint8 (h, w, 3).
        limit: change of brightness, the mean of red, green and blue, in levels of 255,
            from which the colour no longer grows.

    Returns:
        uint8 (h, w, 3).
    """
    change = picture.mean(axis=2) - before.mean(axis=2)
    return plt.get_cmap(CHANGES)(Normalize(-limit, limit)(change), bytes=True)[..., :3]


def add_change_bar(figure: Figure, limit: float) -> None:
    """Add a colour bar to a sheet of `colour_change`, below it.

    Args:
        figure: from `draw_sheet`.
        limit: that of `colour_change`.
    """
    colours = ScalarMappable(Normalize(-limit, limit), CHANGES)
    options = {"orientation": "horizontal", "shrink": 0.5, "aspect": 40, "pad": 0.01}
    bar = figure.colorbar(colours, ax=figure.axes, extend="both", **options)
    label = "change of brightness against the neutral face, levels of 255"
    bar.set_label(label, fontsize=7)
    bar.ax.tick_params(labelsize=7)


def as_jpeg(figure: Figure, quality: int = 70, origin: dict | None = None) -> Image:
    """Close a figure of photographs and return it as a JPEG, which a notebook shows.

    As PNG it would be five times as large.

    Args:
        figure: which is closed.
        quality: of the JPEG, up to 95.
        origin: from `companion.base.provenance.file_origin`; as JSON it is the JPEG's
            comment.
    """
    file, options = io.BytesIO(), {"quality": quality}
    if origin:
        options["comment"] = json.dumps(origin)
    figure.savefig(file, format="jpeg", dpi=120, pil_kwargs=options)
    plt.close(figure)
    return Image(file.getvalue())


def save_jpeg(figure: Figure, path: Path, origin: dict, quality: int = 70) -> Image:
    """`as_jpeg`, also written to a file; missing folders are made."""
    image = as_jpeg(figure, quality, origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image.data)
    return image


def draw_squares(store: CropStore, rows: np.ndarray, corners: np.ndarray) -> Figure:
    """Draw crops side by side, with the squares that the network gets of them.

    Args:
        store: the crops.
        rows: int array (B,), which crops.
        corners: int array (B, 2), y and x of each crop's random square, which is drawn
            as a solid line; the central square is dashed.
    """
    size, central = store.crop_size, central_corners(store, rows)
    figure, axes = plt.subplots(1, len(rows), figsize=(TEXT_WIDTH, 1.5), squeeze=False)
    for ax, row, random, middle in zip(axes[0], rows, corners, central, strict=True):
        ax.imshow(store[row])
        for (y, x), line in ((middle, {"ls": "--", "ec": "white"}), (random, {})):
            frame = {"fill": False, "ec": "C1", "lw": 1.5} | line
            ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), size, size, **frame))
        ax.axis("off")
    return figure


def crop_photograph(photograph: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The best face of a photograph, as evaluation would see it.

    Args:
        photograph: uint8 array (H, W, 3).
        size: pixels of a side of the square.

    Returns:
        The face box, float array (4,) of x0, y0, x1, y1 in pixels; and the central
        square of the crop, uint8 array (size, size, 3).

    Raises:
        ValueError: no face is found.
    """
    faces = detect_faces(photograph)
    if not len(faces):
        raise ValueError("no face was found in this photograph: try another one")
    crop = crop_face(photograph, faces[0, :4], size)
    top, left = ((side - size) // 2 for side in crop.shape[:2])
    return faces[0, :4], crop[top : top + size, left : left + size].copy()


def draw_photograph(
    photograph: np.ndarray,
    box: np.ndarray,
    square: np.ndarray,
    values: np.ndarray,
    levels: np.ndarray,
    drawn: ArrayLike,
    title: str,
) -> Figure:
    """Draw a picture with its face box, the square, and the estimates of it.

    Args:
        photograph: uint8 array (H, W, 3).
        box, square: from `crop_photograph`.
        values: float array (5,), the estimates before rounding, in levels.
        levels: int array (5,), the levels.
        drawn: int array (5,), the levels with which the face was drawn.
        title: of the estimates.
    """
    figure, (whole, cut, bars) = plt.subplots(
        1, 3, figsize=(TEXT_WIDTH, 2.3), width_ratios=[1, 1, 1.6]
    )
    whole.imshow(photograph)
    width, height = box[2:] - box[:2]
    whole.add_patch(plt.Rectangle(box[:2], width, height, fill=False, ec="C1", lw=1.5))
    cut.imshow(square)
    for ax, name in ((whole, "picture and face box"), (cut, "what the network gets")):
        ax.set_title(name)
        ax.axis("off")
    bars.bar(AU_NAMES, values, color="0.8", label="before rounding")
    line = {"marker": "_", "s": 400, "color": "black", "zorder": 3}
    bars.scatter(AU_NAMES, levels, label="after Eq. 3", **line)
    diamond = {"marker": "D", "s": 30, "fc": "none", "ec": "C5", "zorder": 4}
    bars.scatter(AU_NAMES, drawn, label="as drawn", **diamond)
    low, high = min(-0.5, *values), max(5, *values)
    bars.set(ylabel="intensity, levels", ylim=(low - 0.3, high + 0.3), title=title)
    bars.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)
    return figure
