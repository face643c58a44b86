"""Face boxes: read from a CSV of another detector, and judged."""

from pathlib import Path

import numpy as np
import pandas as pd

KEY = ["subject", "task", "frame"]
BOX = ["x0", "y0", "x1", "y1"]
BOX_COLUMNS = [*KEY, "num_faces", *BOX, "score"]


def read_boxes(path: str | Path) -> pd.DataFrame:
    """Read the face boxes of another detector from a CSV.

    Args:
        path: a CSV with a header and one row for each frame. The columns subject, task,
            frame, x0, y0, x1 and y1 are required; num_faces and score are optional. A
            frame without a face has a blank box. The table of `detect_boxes`, written
            with `to_csv(path, index=False)`, is such a file.

    Returns:
        The columns of `detect_boxes`, in the order of the file.

    Raises:
        ValueError: the file lacks a column, or a value or a row is invalid.
    """
    try:
        text = pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except ValueError as error:  # pandas' errors are ValueErrors
        raise ValueError(f"{path}: no CSV of boxes ({error}); see read_boxes") from None
    if missing := {*KEY, *BOX} - {*text.columns}:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")

    def check(valid: pd.Series, complaint: str) -> None:
        if not valid.all():
            row = int(np.argmin(valid))
            raise ValueError(f"{path}, line {row + 2}: {complaint}")

    boxes = text[["subject", "task"]].copy()
    for name in text.columns.intersection(["frame", *BOX, "num_faces", "score"]):
        values = pd.to_numeric(text[name].str.strip(), errors="coerce")
        blank = text[name].str.strip().str.lower().isin(["", "nan"])
        check(np.isfinite(values) | blank, f"{name} is not a number")
        boxes[name] = values.astype(np.float64)
    blank = boxes[BOX].isna()
    check(blank.all(axis=1) | ~blank.any(axis=1), "a box needs all of x0, y0, x1, y1")
    boxless = blank["x0"]
    check(boxless | (boxes["x1"] > boxes["x0"]), "x1 must be greater than x0")
    check(boxless | (boxes["y1"] > boxes["y0"]), "y1 must be greater than y0")
    if "num_faces" not in boxes:
        boxes["num_faces"] = np.where(boxless, 0.0, 1.0)
    if "score" not in boxes:
        boxes["score"] = np.where(boxless, np.nan, 1.0)
    for name in ("frame", "num_faces"):
        valid = boxes[name].ge(0) & (boxes[name] % 1 == 0)
        check(valid, f"{name} must be an integer of 0 or more")
        boxes[name] = boxes[name].astype(np.int64)
    check((boxes["num_faces"] == 0) == boxless, "num_faces must be 0 without a box")
    check(~boxes.duplicated(KEY), "a second box of this frame; keep one")
    return boxes[BOX_COLUMNS]


def judge_boxes(boxes: pd.DataFrame) -> pd.DataFrame:
    """Mark wrong detections, and replace their boxes.

    A detection is wrong if there is no face ("none"), if there are several faces
    ("several"), or if the overlap (intersection over union) of a single face with the
    median box of its sequence's single faces is below one half ("jump"). A person in
    front of a camera does not jump.

    The replacement is the nearest correct box of the sequence, the earlier of two at
    the same distance. If the sequence has no correct box, it is the median of the
    person's correct boxes; if the person has none either, the box stays.

    Args:
        boxes: the table of `detect_boxes`.

    Returns:
        A copy with the boxes to use, and with a column `box_reason`, which is "" for a
        correct detection. A box is NaN only if there is no face and the person has no
        correct box.
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

    correct = reason == ""
    replaced = values.copy()
    for rows in boxes.groupby("subject", sort=False).indices.values():
        right = rows[correct[rows]]
        if len(right):
            replaced[rows[~correct[rows]]] = np.median(values[right], axis=0)
    number = boxes["frame"].to_numpy()
    for rows in sequences:
        right = rows[correct[rows]]
        right = right[np.argsort(number[right], kind="stable")]
        for row in rows[~correct[rows]] if len(right) else []:
            # argmin returns the first of equal distances, which is the earlier frame
            nearest = right[np.argmin(np.abs(number[right] - number[row]))]
            replaced[row] = values[nearest]
    judged[BOX] = replaced
    judged["box_reason"] = pd.Series(reason, index=judged.index, dtype="str")
    return judged


def overlap(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) with one box (4,): float64 (N,)."""
    low = np.maximum(boxes[:, :2], other[:2])
    high = np.minimum(boxes[:, 2:], other[2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (areas + np.prod(other[2:] - other[:2]) - shared)
