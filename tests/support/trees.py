"""BP4D trees for tests, written by hand."""

import io

import numpy as np
from PIL import Image

from aulib import AUS


def jpeg(
    size: tuple[int, int] = (8, 8), orientation: int = 1, hole: bool = False
) -> bytes:
    """A picture of one colour; or of noise, with zeros in the middle of its data."""
    buffer, exif = io.BytesIO(), Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    picture = Image.new("RGB", size, (120, 90, 60))
    if hole:
        noise = np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8)
        picture = Image.fromarray(noise)
    picture.save(buffer, "JPEG", exif=exif)
    data = buffer.getvalue()
    if hole:
        data = data[: len(data) // 2] + bytes(len(data) // 4) + data[-len(data) // 4 :]
    return data


JPEG = jpeg()
OLD = "AU Intensity Codes3.0"


def write_tree(root, images, rows, folder="BP4D-training", intensities=OLD):
    """`images`: {(subject, task): names}; `rows`: {(subject, task, au): text}."""
    for (subject, task), names in images.items():
        directory = root / folder / subject / task
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            (directory / name).write_bytes(JPEG)
    for (subject, task, au), text in rows.items():
        path = root / intensities / f"AU{au:02d}" / f"{subject}_{task}_AU{au:02d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def sequence(text="1,0\n2,3\n3,9\n", subject="F001", task="T1"):
    return {(subject, task, au): text for au in AUS}


NAMES = ["1.jpg", "2.jpg", "3.jpg"]
