"""A small tree of rendered people, and faults to put into it on purpose.

Neither the stand-in nor, one hopes, a copy of BP4D has every fault that
`companion.bp4d.read_frames` knows. `write_small_tree` writes a tree of four sequences,
`damage` puts one fault of each kind into it, and `damage_boxes` spoils face boxes, so
that notebook 01 can show what becomes of them. No random numbers are drawn: the same
tree gets the same faults.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import simplejpeg
from PIL import ExifTags, Image

from companion.bp4d import AU_NAMES
from companion.faces.boxes import BOX
from companion.standin.labels import make_labels, strided
from companion.standin.ownership import CODES, PICTURES
from companion.standin.tree import JPEG_QUALITY, render_row, subject_identity

PICTURES_OF, ROWS_OF = ("F001", "T1"), ("F002", "T1")
CSVS_OF, FOLDER_OF = ("M001", "T1"), ("M002", "T1")
"""The sequences of which pictures, rows, CSVs and the folder are damaged."""

SEQUENCES = {PICTURES_OF: 14, ROWS_OF: 10, CSVS_OF: 4, FOLDER_OF: 3}
"""The sequences of the small tree, and how many frames each one has."""


class Damage(NamedTuple):
    """A fault, described in less than 50 characters, which is what pandas shows."""

    done: str
    """What `apply` does."""
    remedy: str
    """What to do about such a fault in a real tree."""
    apply: Callable[[Path], object]
    """Takes the root of a tree of `write_small_tree`."""


def write_small_tree(
    root: Path, height: int = 348, width: int = 260, seed: int = 2018
) -> None:
    """Write the `SEQUENCES` in the shape of BP4D's tree.

    Args:
        root: a folder that is made.
        height: of a picture, in pixels.
        width: of a picture, in pixels.
        seed: of the people, the labels and the pictures.

    Raises:
        FileExistsError: there is a sequence already.
    """
    labels = make_labels(seed)
    for (subject, task), count in SEQUENCES.items():
        there = (labels["subject"] == subject) & (labels["task"] == task)
        rows = strided(labels[there], count)
        folder, person = (
            root / PICTURES / subject / task,
            subject_identity(seed, subject),
        )
        folder.mkdir(parents=True)
        for row in rows.to_dict("records"):
            picture = Image.fromarray(render_row(person, seed, row, height, width))
            picture.save(folder / f"{row['frame']:04d}.jpg", quality=JPEG_QUALITY)
        for name in AU_NAMES:
            path = _csv(root, subject, task, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            rows[["frame", name]].to_csv(path, header=False, index=False)


def damage(root: Path) -> None:
    """Put every fault of `DAMAGES` into a tree of `write_small_tree`."""
    for fault in DAMAGES.values():
        fault.apply(root)


def explain(quarantine: pd.DataFrame) -> pd.DataFrame:
    """The quarantine of any tree in one row for each reason.

    Args:
        quarantine: from `companion.bp4d.read_frames`.

    Returns:
        Indexed by reason, in the order of `DAMAGES`: `lines`, their number; `first
        line`, the place that the first of them names; `what to do`.
    """
    rows = {}
    for reason, fault in DAMAGES.items():
        lines = quarantine[quarantine["reason"] == reason]
        if len(lines):
            rows[reason] = (len(lines), _place(lines.iloc[0]), fault.remedy)
    columns = ["lines", "first line", "what to do"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("reason")


def view(path: Path) -> np.ndarray:
    """A JPEG as a tolerant viewer decodes it, damaged or not: uint8 (H, W, 3).

    What can't be decoded is grey. The EXIF orientation is not followed.

    Raises:
        ValueError: no header can be read.
    """
    return simplejpeg.decode_jpeg(path.read_bytes(), strict=False)


def damage_boxes(boxes: pd.DataFrame) -> pd.DataFrame:
    """Spoil face boxes of a sequence in each way that `judge_boxes` knows.

    Args:
        boxes: of one sequence, from `companion.faces.detect.detect_boxes`; at least
            nine rows, each with a face.

    Returns:
        A copy in which the rows at the positions of `BOX_DAMAGES` are spoilt, with the
        column `done`, which says how; it is "" for the other rows.

    Raises:
        ValueError: there are fewer rows than that.
    """
    if len(boxes) <= max(BOX_DAMAGES):
        raise ValueError(f"{len(boxes)} boxes: at least {max(BOX_DAMAGES) + 1} needed")
    spoilt = boxes.reset_index(drop=True).assign(done="")
    for position, (_, done) in BOX_DAMAGES.items():
        spoilt.loc[position, "done"] = done
    none, several, strip, small, moved = BOX_DAMAGES
    spoilt.loc[none, "num_faces"] = 0
    spoilt.loc[none, [*BOX, "score"]] = np.nan
    spoilt.loc[several, "num_faces"] = 2
    x0, y0, x1, y1 = spoilt.loc[strip, BOX].astype(float)
    spoilt.loc[strip, "y1"] = y0 + (y1 - y0) / 5
    x0, y0, x1, y1 = spoilt.loc[small, BOX].astype(float)
    spoilt.loc[small, ["x1", "y1"]] = [x0 + 12, y0 + 12]
    x0, y0, x1, y1 = spoilt.loc[moved, BOX].astype(float)
    spoilt.loc[moved, ["x0", "x1"]] = [x0 + 0.6 * (x1 - x0), x1 + 0.6 * (x1 - x0)]
    return spoilt


BOX_DAMAGES = {
    1: ("none", "no face found"),
    3: ("several", "two faces found"),
    4: ("shape", "cut to a fifth of its height"),
    6: ("shape", "shrunk to 12 x 12 pixels"),
    8: ("jump", "moved by 0.6 of its width"),
}
"""Position in the sequence → the reason expected, and what is done."""


def _csv(root: Path, subject: str, task: str, name: str) -> Path:
    return root / CODES / name / f"{subject}_{task}_{name}.csv"


def _place(line: pd.Series) -> str:
    """Where a line of the quarantine points to, in a few words."""
    if pd.isna(line["subject"]):
        return Path(line["file"]).name
    words = [f"{line['subject']} {line['task']}"]
    if pd.notna(line["frame"]):
        words.append(f"frame {line['frame']}")
    if pd.notna(line["au"]):
        words.append(f"AU{line['au']:02d}")
    if pd.notna(line["line"]):
        words.append(f"line {line['line']}")
    return ", ".join(words)


def _damage_picture(
    position: int, change: Callable[[Path], object], root: Path
) -> None:
    """Change one picture of `PICTURES_OF`, counted from 0."""
    untouched = _csv(root, *PICTURES_OF, "AU17").read_text().split()
    frame = int(untouched[position].split(",")[0])
    change(root.joinpath(PICTURES, *PICTURES_OF, f"{frame:04d}.jpg"))


def _damage_row(
    name: str, position: int, change: Callable[[int, int], list[str]], root: Path
) -> None:
    """Replace one row of a CSV of `ROWS_OF`.

    Args:
        name: of the Action Unit.
        position: of the row, from the end: -1 is the last one.
        change: frame and code → the rows to write.
        root: of the tree.
    """
    path = _csv(root, *ROWS_OF, name)
    rows = path.read_text().split()
    after = len(rows) + position
    rows[after : after + 1] = change(*map(int, rows[after].split(",")))
    path.write_text("\n".join(rows) + "\n")


def _damage_csv(name: str, change: Callable[[Path], object], root: Path) -> None:
    """Change one CSV of `CSVS_OF`."""
    change(_csv(root, *CSVS_OF, name))


def _damage_folder(root: Path) -> None:
    """Put a file in the place of the folder of `FOLDER_OF`."""
    folder = root.joinpath(PICTURES, *FOLDER_OF)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_bytes(b"PK\x03\x04")  # how a ZIP begins


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _copy_as(new_name: Callable[[str], str], path: Path) -> None:
    path.with_name(new_name(path.name)).write_bytes(path.read_bytes())


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _save_as_png(path: Path) -> None:
    Image.open(path).save(path, "png")


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _make_hole(path: Path) -> None:
    data = path.read_bytes()
    start, length = len(data) // 2, len(data) // 8
    path.write_bytes(data[:start] + bytes(length) + data[start + length :])


def _ask_for_turn(path: Path) -> None:
    picture, exif = Image.open(path), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # a quarter turn clockwise
    picture.save(path, quality=JPEG_QUALITY, exif=exif)


def _halve(path: Path) -> None:
    picture = Image.open(path)
    picture.reduce(2).save(path, quality=JPEG_QUALITY)


def _move_out(path: Path) -> None:
    """Move a picture to a folder beside the tree and leave a link to it."""
    root = path.parents[3]
    target = root.with_name(f"{root.name}_elsewhere") / path.name
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    path.symlink_to(target.absolute())


DAMAGES = {
    "no image": Damage(
        "a picture removed",
        "copy it again",
        partial(_damage_picture, 0, Path.unlink),
    ),
    "several images": Damage(
        "a picture copied, a zero put before its name",
        "compare the two, remove one",
        partial(_damage_picture, 1, partial(_copy_as, lambda name: f"0{name}")),
    ),
    "empty image": Damage(
        "a picture emptied",
        "copy it again; was the disk full?",
        partial(_damage_picture, 2, _empty),
    ),
    "not a JPEG": Damage(
        "a PNG written under a JPEG's name",
        "copy the original",
        partial(_damage_picture, 3, _save_as_png),
    ),
    "truncated image": Damage(
        "the second half of a picture's file cut off",
        "copy it again; was a download interrupted?",
        partial(_damage_picture, 4, _cut),
    ),
    "damaged image": Damage(
        "an eighth of a picture's file set to zeros",
        "copy it again; check the disk",
        partial(_damage_picture, 5, _make_hole),
    ),
    "rotated by EXIF": Damage(
        "a header added that asks for a quarter turn",
        "rotate it without loss: exiftran -ai",
        partial(_damage_picture, 6, _ask_for_turn),
    ),
    "unreadable image": Damage(
        "a folder put in a picture's place",
        "check names and permissions",
        partial(_damage_picture, 7, _make_folder),
    ),
    "unreadable folder": Damage(
        "a ZIP put in the place of a task's folder",
        "unpack it; check permissions",
        _damage_folder,
    ),
    "other size than its sequence": Damage(
        "a picture shrunk to half its size",
        "copy the original",
        partial(_damage_picture, 8, _halve),
    ),
    "link out of the root": Damage(
        "a picture moved out of the tree and linked",
        "put the file itself there",
        partial(_damage_picture, 9, _move_out),
    ),
    "no CSV": Damage(
        "a CSV removed",
        "copy it again, unless the AU was never coded",
        partial(_damage_csv, "AU06", Path.unlink),
    ),
    "no row": Damage(
        "a row removed",
        "look for the cause in the same CSV",
        partial(_damage_row, "AU14", -1, lambda frame, code: []),
    ),
    "empty CSV": Damage(
        "a CSV emptied",
        "copy it again; was the disk full?",
        partial(_damage_csv, "AU10", _empty),
    ),
    "unreadable CSV": Damage(
        "a folder put in a CSV's place",
        "check names and permissions",
        partial(_damage_csv, "AU12", _make_folder),
    ),
    "unexpected file name": Damage(
        "a CSV copied, (1) put behind its name",
        "rename it, or remove it if it is a copy",
        partial(
            _damage_csv,
            "AU14",
            partial(_copy_as, lambda name: name.replace(".csv", " (1).csv")),
        ),
    ),
    "not two columns": Damage(
        "a third column added to a row",
        "keep the frame and the code",
        partial(_damage_row, "AU06", -3, lambda frame, code: [f"{frame},{code},sure"]),
    ),
    "frame is not a number": Damage(
        "a file name written in a frame's place",
        "write the frame number",
        partial(_damage_row, "AU06", -2, lambda frame, code: [f"{frame}.jpg,{code}"]),
    ),
    "frame is rounded": Damage(
        "a frame number rounded, such as 7.7e+02",
        "format the column without decimals, save again",
        partial(_damage_row, "AU06", -1, lambda frame, code: [f"{frame:.1e},{code}"]),
    ),
    "code is not a number": Damage(
        "nan written in a code's place",
        "look the code up; write 9 if it is unknown",
        partial(_damage_row, "AU10", -2, lambda frame, code: [f"{frame},nan"]),
    ),
    "code is neither 0 to 5 nor 9": Damage(
        "a code of 7 written",
        "look the code up; write 9 if it is unknown",
        partial(_damage_row, "AU10", -1, lambda frame, code: [f"{frame},7"]),
    ),
    "duplicate row": Damage(
        "a row written twice",
        "nothing, the code counts once",
        partial(_damage_row, "AU12", -1, lambda frame, code: [f"{frame},{code}"] * 2),
    ),
    "conflicting rows": Damage(
        "a second row with another code added",
        "find out which code is right",
        partial(
            _damage_row,
            "AU17",
            -1,
            lambda frame, code: [f"{frame},{code}", f"{frame},{(code + 1) % 6}"],
        ),
    ),
}
"""The quarantine's reason → the fault that has this reason."""
