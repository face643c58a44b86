"""The crops of all frames, cut once and packed into one file."""

import hashlib
import inspect
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from companion.base.files import atomic_write, file_stamp, lock, map_in_processes
from companion.bp4d import AU_NAMES
from companion.faces.boxes import BOX
from companion.faces.crop import crop_face, read_picture


def write_crops(
    directory: str | Path,
    root: str | Path,
    frames: pd.DataFrame,
    size: int,
    workers: int,
) -> None:
    """Write the crop store of the frames that are kept.

    The store is three files: `crops.bin`, the crops' RGB bytes one after another;
    `index.parquet`, the rows of `frames` with `offset` (bytes), `height` and `width`;
    `store.json`, written last, with the fingerprint of both, and the mean and standard
    deviation of the training crops' channels. The same frames give the same bytes for
    any number of workers. Memory does not grow with the frames.

    A store made from the same pictures (by size and time), boxes, labels and crop size
    by the same code is left alone. Any other store is replaced. Two processes take
    turns.

    Args:
        directory: the store's directory.
        root: the data root.
        frames: the table of frames with x0, y0, x1, y1 and `kept`.
        size: pixels of the smaller side of a crop.
        workers: number of processes; 1 starts none.

    Raises:
        ValueError: a picture can't be read or a box lies outside it. The store is then
            incomplete and can't be opened.
    """
    directory = Path(directory)
    with lock(directory, wait=True):
        directory.mkdir(parents=True, exist_ok=True)
        index = frames[frames["kept"]].reset_index(drop=True)
        inputs = _hash_of_inputs(str(root), index, size)
        if _is_current(directory, inputs):
            return
        (directory / "store.json").unlink(missing_ok=True)
        tasks = zip(index["path"], index[BOX].to_numpy(dtype=np.float64), strict=True)
        crop = partial(_crop, str(root), size)
        digest, shapes, sums = hashlib.sha256(), [], np.zeros((3, 3), np.int64)
        with atomic_write(directory / "crops.bin") as file:
            found = map_in_processes(crop, list(tasks), workers, "crops")
            for pixels, split in zip(found, index["split"], strict=True):
                file.write(pixels)
                digest.update(pixels)
                shapes.append(pixels.shape[:2])
                if split == "train":
                    sums += pixel_sums(pixels)
        shapes = np.array(shapes, dtype=np.int64).reshape(-1, 2)
        lengths = shapes.prod(axis=1) * 3
        index["offset"] = np.cumsum(lengths) - lengths
        index[["height", "width"]] = shapes.astype(np.int32)
        digest.update(index.to_csv(index=False).encode())
        mean, std = mean_and_std(sums)
        about = {
            "fingerprint": digest.hexdigest(),
            "mean": mean,
            "std": std,
            "crop_size": int(size),
            "count": len(index),
            "made_of": inputs,
        }
        with atomic_write(directory / "index.parquet") as file:
            index.to_parquet(file)
        with atomic_write(directory / "store.json") as file:
            file.write(json.dumps(about, indent=1).encode() + b"\n")


def pixel_sums(pixels: np.ndarray) -> np.ndarray:
    """Sums over the pixels, for each channel: int64 (3, 3).

    Args:
        pixels: uint8 (h, w, 3).

    Returns:
        The number of pixels, their sum, and the sum of their squares, in rows.
    """
    flat = pixels.reshape(-1, 3).astype(np.int64)
    return np.stack([np.full(3, len(flat)), flat.sum(axis=0), (flat**2).sum(axis=0)])


def mean_and_std(sums: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, in 0..255, of added `pixel_sums`.

    A deviation of 0, which flat pictures have, becomes 1: it divides.
    """
    count, total, squares = sums
    mean = total / np.maximum(count, 1)
    variance = squares / np.maximum(count, 1) - mean**2
    return mean.tolist(), np.sqrt(np.where(variance > 0, variance, 1)).tolist()


def _hash_of_inputs(root: str, index: pd.DataFrame, size: int) -> str:
    """A hash of everything that the store's bytes depend on."""
    digest = hashlib.sha256(f"{size}\n{index.to_csv(index=False)}".encode())
    for path in index["path"]:
        digest.update(file_stamp(f"{root}/{path}").encode())
    made_by = (crop_face, _crop, read_picture, write_crops, pixel_sums, mean_and_std)
    for function in made_by:
        digest.update(inspect.getsource(function).encode())
    return digest.hexdigest()


def _is_current(directory: Path, inputs: str) -> bool:
    try:
        about = json.loads((directory / "store.json").read_text())
        CropStore(directory)
    except (OSError, KeyError, ValueError):
        return False
    return about.get("made_of") == inputs


class CropStore:
    """The crops written by `write_crops`; `store[i]` is a uint8 view (h, w, 3).

    Attributes:
        index: the table of frames.
        shapes: int64 (N, 2), heights and widths in pixels.
        bytes: uint8 (n,), all crops one after another, mapped from the disk.
        offsets: int64 (N,), the byte at which each crop begins.
        levels: int64 (N, Q), the coders' levels 0..5, or `aulib.UNKNOWN`.
        crop_size: pixels of the smaller side of every crop.
        fingerprint: SHA-256 of the crops and the index.
        mean: of each channel over the training crops, 0..255; a tuple.
        std: of each channel over the training crops, 0..255; a tuple.

    Args:
        directory: the store's directory.

    Raises:
        FileNotFoundError: there is no complete store.
        ValueError: its files do not belong together.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = directory = Path(directory)
        try:
            about = json.loads((directory / "store.json").read_text())
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{directory}: no complete crop store; run notebook 01 first"
            ) from None
        self.index = pd.read_parquet(directory / "index.parquet")
        self.fingerprint: str = about["fingerprint"]
        self.crop_size: int = about["crop_size"]
        if "mean" not in about:
            raise ValueError(
                f"{directory / 'store.json'}: has no mean and deviation, it is of an "
                "older version; run notebook 01 again"
            )
        self.mean: tuple = tuple(about["mean"])
        self.std: tuple = tuple(about["std"])
        self.offsets = self.index["offset"].to_numpy()
        self.levels = self.index[list(AU_NAMES)].to_numpy().astype(np.int64)
        self.shapes = self.index[["height", "width"]].to_numpy(dtype=np.int64)
        length = int(self.shapes.prod(axis=1).sum()) * 3
        actual = (directory / "crops.bin").stat().st_size
        if actual != length or len(self.index) != about["count"]:
            raise ValueError(
                f"{directory / 'crops.bin'}: {actual} bytes where the index says "
                f"{length}; delete the directory and run notebook 01 again"
            )
        # an empty file can't be mapped
        self.bytes = (
            np.memmap(directory / "crops.bin", dtype=np.uint8, mode="r")
            if length
            else np.empty(0, dtype=np.uint8)
        )

    def rows(self, split: str) -> np.ndarray:
        """The rows of the frames of "train" or "evaluation": int64 array.

        Raises:
            ValueError: there are none.
        """
        rows = np.flatnonzero(self.index["split"] == split)
        if not len(rows):
            raise ValueError(
                f"{self.directory}: no {split} frames, see the waterfall of notebook 01"
            )
        return rows

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> np.ndarray:
        height, width = self.shapes[row]
        start = self.offsets[row]
        crop = self.bytes[start : start + height * width * 3]
        return crop.reshape(height, width, 3).view(np.ndarray)


def _crop(root: str, size: int, task: tuple[str, np.ndarray]) -> np.ndarray:
    path, box = task
    image, _ = read_picture(f"{root}/{path}")
    try:
        return crop_face(image, box, size)
    except ValueError as error:
        raise ValueError(f"{root}/{path}: {error}; correct or drop it") from None
