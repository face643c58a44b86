"""The JPEGs of a sequence, found by frame number and examined."""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from companion.bp4d.layout import LINK, is_outside

IMAGE_NAME = re.compile(r"(\d{1,9})\.jpe?g", re.ASCII | re.IGNORECASE)


def find_images(
    root: Path, folder: Path, numbers: np.ndarray
) -> tuple[dict[int, str], dict[int, tuple[str, Path]]]:
    """Find the readable images of a sequence's frames.

    Args:
        root: the data root.
        folder: the pictures of the sequence.
        numbers: int array (N,), the frame numbers.

    Returns:
        (paths, faults), both by frame number: the image's path relative to the root,
        or (reason, file or folder) if there is no readable image.
    """
    entries, absent = _list_images(root, folder)
    relative = folder.relative_to(root).as_posix()
    paths, faults, sizes = {}, {}, {}
    for frame in numbers.tolist():
        entry, *more = entries.get(frame, [None])
        if entry is None:
            faults[frame] = (absent, folder)
            continue
        if more:
            reason = "several images"
        elif entry.is_symlink() and is_outside(entry.path, root):
            reason = LINK
        else:
            reason, sizes[frame] = examine_image(entry.path)
        if reason:
            faults[frame] = (reason, folder / entry.name)
        else:
            paths[frame] = f"{relative}/{entry.name}"
    usual = Counter(sizes[frame] for frame in paths).most_common(1)
    for frame in [frame for frame in paths if sizes[frame] != usual[0][0]]:
        faults[frame] = ("other size than its sequence", root / paths.pop(frame))
    return paths, faults


def _list_images(root: Path, folder: Path) -> tuple[dict[int, list[os.DirEntry]], str]:
    """The images by frame number, and the reason why any other frame has none."""
    images: dict[int, list[os.DirEntry]] = {}
    if is_outside(folder, root):
        return images, LINK
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if match := IMAGE_NAME.fullmatch(entry.name):
                    images.setdefault(int(match[1]), []).append(entry)
    except FileNotFoundError:
        pass
    except OSError:
        return images, "unreadable folder"
    return images, "no image"


def examine_image(path: str | Path) -> tuple[str | None, tuple[int, int] | None]:
    """Examine a JPEG file without decoding the picture.

    The marker FF D9 ends a JPEG. It cannot occur in the picture data, where FF is
    always followed by 00 or by a restart marker. Some cameras pad the file after it.

    Returns:
        (None, (width, height)) of a readable image, else (reason, None).
    """
    try:
        with open(path, "rb") as file:
            start = file.read(3)
            if not start:
                return "empty image", None
            if start != b"\xff\xd8\xff":
                return "not a JPEG", None
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - 64))
            if b"\xff\xd9" not in file.read():
                return "truncated image", None
            file.seek(0)
            with Image.open(file, formats=["JPEG"]) as picture:
                return None, picture.size
    except Image.UnidentifiedImageError:
        return "not a JPEG", None
    except (OSError, SyntaxError, ValueError):  # Pillow raises any of the three
        return "unreadable image", None
