"""Face boxes: read from a CSV of another detector, matched with frames, and judged."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from companion.faces.crop import GREATEST_RATIO, LEAST_SIDE

KEY = ["subject", "task", "frame"]
BOX = ["x0", "y0", "x1", "y1"]
BOX_COLUMNS = [*KEY, "num_faces", *BOX, "score"]


def read_boxes(path: str | Path) -> pd.DataFrame:
    """Read the face boxes of another detector from a CSV.

    Args:
        path: a CSV with a header and one row for each frame, its cells separated by
            commas, semicolons or tabs, in UTF-8 or UTF-16. The columns subject, task,
            frame, x0, y0, x1 and y1 are required; num_faces and score are optional. A
            frame without a face has a blank box. Case in the header, and blanks around
            names and values, do not matter. The table of `detect_boxes`, written with
            `to_csv(path, index=False)`, is such a file.

    Returns:
        The columns of `detect_boxes`, in the order of the file.

    Raises:
        ValueError: the file lacks a column, or a value or a row is invalid.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
        encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        header = start.decode(encoding, "replace").split("\n")[0]
        text = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding=encoding,
            sep=max(",;\t", key=header.count),
        )
    except ValueError as error:  # pandas' errors are ValueErrors
        raise ValueError(f"{path}: no CSV of boxes ({error}); see read_boxes") from None
    # pandas calls a second column x0 "x0.1"
    names = text.columns.str.strip().str.lower()
    text.columns = names.str.replace(r"\.\d+$", "", regex=True)
    if missing := {*KEY, *BOX} - {*text.columns}:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
    text = text[[name for name in text.columns if name in BOX_COLUMNS]]
    if twice := [*text.columns[text.columns.duplicated()]]:
        raise ValueError(f"{path}: has two columns {twice[0]}; remove one")
    text = text.apply(lambda column: column.str.strip())

    def check(valid: pd.Series, complaint: str) -> None:
        if not valid.all():
            row = int(np.argmin(valid))
            raise ValueError(f"{path}, line {row + 2}: {complaint}")

    boxes = text[["subject", "task"]].copy()
    for name in text.columns.intersection(["frame", *BOX, "num_faces", "score"]):
        values = pd.to_numeric(text[name], errors="coerce")
        blank = text[name].str.lower().isin(["", "nan"])
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


def match_boxes(
    path: str | Path, root: str | Path, frames: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """Read the CSV of another detector and give each frame its box.

    Args:
        path: the CSV, see `read_boxes`.
        root: the data root.
        frames: with the columns subject, task, frame and path, as from `read_frames`.

    Returns:
        The table that `detect_boxes` would return, in which a frame without a row has
        no face; and a line of text that says how many rows matched.

    Raises:
        ValueError: the CSV can't be read, or it does not belong to these pictures: less
            than half of the frames have a row, it counts the frames differently than
            the names of the pictures, or its boxes are not in the pictures' pixels.
    """
    boxes = read_boxes(path)
    boxes["line"] = np.arange(len(boxes)) + 2
    paths = frames[[*KEY, "path"]]
    rows = boxes.merge(paths, "left", KEY, validate="one_to_one")
    strange = rows[rows["path"].isna()]
    matched = len(rows) - len(strange)
    example = ""
    if len(strange):
        subject, task, frame = strange[KEY].iloc[0]
        example = f"{subject!r}, {task!r}, {frame} in line {strange['line'].iloc[0]}"
    found = paths.merge(boxes, "left", KEY, validate="one_to_one")
    _check_shift(path, boxes, frames)
    if 2 * matched < len(frames):
        missing = found.loc[found["line"].isna(), KEY].iloc[0]
        if not len(strange):
            raise ValueError(
                f"{path}: has rows for {matched} of {len(frames)} frames; add the "
                f"others, such as {' '.join(map(str, missing))}"
            )
        raise ValueError(
            f"{path}: only {matched} of {len(frames)} frames have a row; "
            "correct subject, task and frame (the number in the picture's name): "
            f"no row is {missing['subject']!r}, {missing['task']!r}, {missing['frame']}"
            + (f", no frame is {example}" if example else "")
        )
    _check_count(path, Path(root), boxes, frames)
    _check_pixels(path, Path(root), found.dropna(subset=BOX))
    found["num_faces"] = found["num_faces"].fillna(0).astype(np.int64)
    summary = f"{matched} of {len(frames)} frames have a row in {Path(path).name}"
    if example:
        summary += f"; rows of no frame: {len(strange)}, the first is {example}"
    return found[BOX_COLUMNS], summary


def _check_shift(path: str | Path, boxes: pd.DataFrame, frames: pd.DataFrame) -> None:
    """Refuse frames that are counted from another number than the pictures'.

    In most sequences the first and the last row then are as far from the first and the
    last frame. A CSV of whole videos has more rows, at both ends.
    """
    ranges = [
        table.groupby(["subject", "task"])["frame"].agg(["min", "max"])
        for table in (boxes, frames)
    ]
    apart = (ranges[0] - ranges[1]).dropna()
    shifted = apart[(apart["min"] == apart["max"]) & (apart["min"] != 0)]
    if len(shifted) > len(apart) / 2:
        subject, task = shifted.index[0]
        raise ValueError(
            f"{path}: in {len(shifted)} of {len(apart)} sequences the frames are "
            f"counted differently, in {subject} {task} by "
            f"{shifted['min'].iloc[0]:+.0f}; number them as the pictures' names do"
        )


def _check_count(
    path: str | Path, root: Path, boxes: pd.DataFrame, frames: pd.DataFrame
) -> None:
    """Refuse a frame 0 in a sequence whose pictures are numbered from 1."""
    sequence = ["subject", "task"]
    pictures = frames.drop_duplicates(sequence)[[*sequence, "path"]]
    for row in boxes[boxes["frame"] == 0].merge(pictures, on=sequence).itertuples():
        names = [picture.stem for picture in (root / row.path).parent.iterdir()]
        if not any(name.isdecimal() and int(name) == 0 for name in names):
            raise ValueError(
                f"{path}, line {row.line}: frame 0, but {row.subject} {row.task} has "
                "no picture 0; number the frames as the pictures' names do"
            )


def _check_pixels(path: str | Path, root: Path, found: pd.DataFrame) -> None:
    """Refuse boxes that are not in pixels of the pictures.

    A detector's boxes may reach over the edge, and single detections may be wrong. So
    the CSV is refused if half of a sequence's boxes have less than half of their area
    in the picture. It is refused too if less than a tenth of all boxes cross the
    picture's vertical middle line, in front of which people sit. This finds boxes in
    0..1, and in pixels of pictures that are much smaller or larger than these; a
    factor from about two thirds to two is not found. All pictures of a sequence have
    one size, which the header of one tells.

    Args:
        path: the CSV.
        root: the data root.
        found: the frames that have a box, with `path` and `line`.
    """
    if found.empty:
        return
    sizes = np.empty((len(found), 2))
    groups = found.groupby(["subject", "task"], sort=False)
    for rows in groups.indices.values():
        with Image.open(root / found["path"].iloc[rows[0]]) as picture:
            sizes[rows] = picture.size
    box = found[BOX].to_numpy()
    inside = _area(np.clip(box, 0, np.tile(sizes, 2))) / _area(box)
    sequences = pd.Series(inside, found.index).groupby(
        [found["subject"], found["task"]]
    )
    wrong = (inside < 0.5) & (sequences.transform("median").to_numpy() < 0.5)
    aside = (box[:, 0] > sizes[:, 0] / 2) | (box[:, 2] < sizes[:, 0] / 2)
    if aside.mean() > 0.9:
        wrong |= aside
    if wrong.any():
        first = int(np.argmax(wrong))
        row, (width, height) = found.iloc[first], sizes[first].astype(int)
        raise ValueError(
            f"{path}, line {row['line']:.0f}: the box {box[first].tolist()} is not in "
            f"pixels of its picture, {row['path']}, which has {width} x {height}; "
            f"correct all {wrong.sum()} such boxes"
        )


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def judge_boxes(boxes: pd.DataFrame) -> pd.DataFrame:
    """Mark wrong detections, and replace their boxes.

    A detection is wrong if there is no face ("none"), if there are several faces
    ("several"), if a single face's box has an impossible shape ("shape": a side below
    `LEAST_SIDE`, or a ratio of sides above `GREATEST_RATIO`), or if its overlap
    (intersection over union) with the median box of its sequence's single faces of
    possible shape is below one half ("jump"). A person in front of a camera does not
    jump.

    The replacement is the nearest correct box of the sequence, the earlier of two at
    the same distance. If the sequence has no correct box, it is the median of the
    person's correct boxes. If the person has none either, the box stays if its shape is
    possible.

    Args:
        boxes: the table of `detect_boxes`.

    Returns:
        A copy with the boxes to use, and with a column `box_reason`, which is "" for a
        correct detection. A box is NaN only if there is no face, or none of possible
        shape, and the person has no correct box.
    """
    judged = boxes.copy()
    values = boxes[BOX].to_numpy(dtype=np.float64)
    faces = boxes["num_faces"].to_numpy()
    short, long = np.sort(values[:, 2:] - values[:, :2], axis=1).T
    possible = (short >= LEAST_SIDE) & (long <= GREATEST_RATIO * short)
    cases = {"none": faces == 0, "several": faces > 1, "shape": ~possible}
    reason = np.select([*cases.values()], [*cases], "").astype(object)
    sequences = boxes.groupby(["subject", "task"], sort=False).indices.values()
    for rows in sequences:
        single = rows[reason[rows] == ""]
        if len(single):
            median = np.median(values[single], axis=0)
            reason[single[overlap(values[single], median) < 0.5]] = "jump"

    correct = reason == ""
    replaced = np.where(possible[:, None], values, np.nan)
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
    return shared / (_area(boxes) + _area(other[None]) - shared)
