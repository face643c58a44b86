"""The BP4D / FERA-2015 tree, read to a table of frames.

A data root holds the pictures and the coders' intensities, one folder each:

    BP4D-training/F001/T1/2440.jpg                     (or BP4D/F001/T1, or F001/T1)
    AU Intensity Codes3.0/AU06/F001_T1_AU06.csv        (or AU-Intensity-Codes3.0/AU06,
                                                        or AUCoding/AU_INT/AU06)

A CSV has no header; each of its rows is a frame number and a code: 0 absent, 1 to 5
the intensities A to E, 9 unknown. Frame f is the picture whose name is the number f,
be it 753.jpg or 0753.jpg: pictures are found by number, never by padding a name. The
coded part is a segment of the sequence, so a picture without a code is no frame. The
five Action Units are joined on the frame number, not on the row.

Nothing is lost in silence: a row of a CSV is a code in the table of frames, or it has
its line in the quarantine, or its frame has one as a whole (one without `au`). The
reasons are these:

    no image                        the folder has no picture of this number
    several images                  0753.jpg and 753.jpg: no telling which is meant
    empty image                     zero bytes
    not a JPEG                      no JPEG marker at the start, or no readable header
    truncated image                 no JPEG marker at the end
    unreadable image                the system refuses to read it
    unreadable folder               the same of a folder of pictures
    other size than its sequence    a picture unlike most of its sequence's
    link out of the root            a link to elsewhere; it is not followed
    no CSV                          for this Action Unit, for this sequence
    no row                          the CSV has no row of this frame
    empty CSV                       no rows at all
    unreadable CSV                  the system refuses to read it
    unexpected file name            a CSV that belongs to no sequence
    not two columns                 a row that is not frame,code
    frame is not a number           its frame is not an integer of 0 or more
    code is not a number            blank, `nan` or text
    code is neither 0 to 5 nor 9    such as -1, 6 or 2.5
    duplicate row                   a second row of a frame with the same code: harmless
    conflicting rows                rows of a frame with different codes

An intensity that was lost so is 9 in its frame, which keeps its other intensities.

    python -m aulib.bp4d ROOT

tells what is in a tree, what is missing and what is odd (`aulib.checkup`).
"""

import io
import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from aulib import AU_NAMES, AUS, UNKNOWN

IMAGE_FOLDERS = ("BP4D-training", "BP4D", ".")
INTENSITY_FOLDERS = (
    "AU Intensity Codes3.0",  # the first distribution
    "AU-Intensity-Codes3.0",  # the same, as some unpack it
    "AUCoding/AU_INT",  # the later distribution
)
OCCURRENCE_FOLDERS = ("AUCoding/AU_OCC", "AUCoding")
SUBJECT = re.compile(r"[FM]\d{3}", re.ASCII)
TASK = re.compile(r"T\d{1,2}", re.ASCII)
CSV_NAME = re.compile(r"([FM]\d{3})_(T\d{1,2})_(AU\d\d)\.[cC][sS][vV]", re.ASCII)
OCCURRENCE_NAME = re.compile(r"[FM]\d{3}_T\d{1,2}\.[cC][sS][vV]", re.ASCII)
IMAGE_NAME = re.compile(r"(\d{1,9})\.jpe?g", re.ASCII | re.IGNORECASE)

PLAIN_ROWS = re.compile(rb"(?:\d{1,9},[0-59]\r?\n)*(?:\d{1,9},[0-59])?")
"""A CSV as it should be; any other is read line by line."""

LINK = "link out of the root"
TEXT = ("subject", "task", "split", "path")
QUARANTINE_TYPES = {
    "subject": "str",
    "task": "str",
    "frame": "Int64",
    "au": "Int64",
    "reason": "str",
    "file": "str",
    "line": "Int64",
}


class Layout(NamedTuple):
    """Where a data root keeps its pictures and its intensities."""

    root: Path
    images: Path
    intensities: Path


class Codes(NamedTuple):
    """What one CSV says.

    frames: int64 array (N,), increasing; codes: int8 array (N,), 0..5 or 9;
    problems: (frame or None, reason, line or None) of every row that says less.
    """

    frames: np.ndarray
    codes: np.ndarray
    problems: list[tuple[int | None, str, int | None]]


def read_frames(root: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the coded frames of a BP4D tree, and what is wrong with it.

    Args:
        root: the folder that holds the two folders above.

    Returns:
        (frames, quarantine). `frames`, sorted by subject, task and frame: `subject`
        and `task` str, `frame` int64, `split` ("train" for odd subjects, "evaluation"
        for even ones: FERA 2015), `path` str relative to root, `AU06` … `AU17` int8 in
        0..5 or 9. `quarantine`: `subject`, `task`, `frame`, `au`, `reason`, `file`
        (relative to root), `line`, the numbers nullable. A frame whose CSV or row is
        missing for one Action Unit has 9 there and a line in `quarantine`; a frame
        without a readable image is in `quarantine` only.

    Raises:
        FileNotFoundError: there is no such root, or it lacks pictures or intensities.
        NotADirectoryError: root is a file.
        ValueError: root holds two folders of pictures or two of intensities.
    """
    layout = find_layout(root)
    sequences, quarantine = find_sequences(layout)
    columns: dict[str, list[np.ndarray]] = {}
    bar = tqdm(sorted(sequences), desc="sequences", leave=False)
    for subject, task in bar:
        kept, problems = _read_sequence(layout, subject, task, sequences)
        for name, values in kept.items():
            columns.setdefault(name, []).append(values)
        quarantine += [(subject, task, *problem) for problem in problems]
    frames = pd.DataFrame({name: np.concatenate(columns[name]) for name in columns})
    lines = pd.DataFrame(quarantine, columns=list(QUARANTINE_TYPES))
    return frames.astype(dict.fromkeys(TEXT, "str")), lines.astype(QUARANTINE_TYPES)


def find_layout(root: str | Path) -> Layout:
    """Find the two folders of a data root; raises as `read_frames` does."""
    root = Path(root)
    if not root.exists():
        raise FileNotFoundError(
            f"{root}: no such data root; put BP4D there or correct data_root"
        )
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: the data root is a file, not a folder")
    images = [root / name for name in IMAGE_FOLDERS if _has_subjects(root / name)]
    intensities = [
        root / name
        for name in INTENSITY_FOLDERS
        if any((root / name / au).is_dir() for au in AU_NAMES)
    ]
    if not images:
        raise FileNotFoundError(
            f"{root}: no folder of pictures such as BP4D-training/F001; "
            "point data_root to the folder that holds BP4D-training"
        )
    if not intensities:
        raise FileNotFoundError(
            f"{root}: no intensities such as '{INTENSITY_FOLDERS[0]}/AU06'; "
            "point data_root to the folder that holds them beside the pictures"
        )
    for folders in (images, intensities):
        if len(folders) > 1:
            names = " and ".join(f"'{path.relative_to(root)}'" for path in folders)
            raise ValueError(f"{root}: both {names} are there; keep one of them")
        if leaves(folders[0], root):
            raise ValueError(
                f"{folders[0]}: a link out of the data root; make the data root a "
                "folder that holds both, or mount or copy it there"
            )
    return Layout(root, images[0], intensities[0])


def find_sequences(
    layout: Layout,
) -> tuple[dict[tuple[str, str], dict[int, Path]], list[tuple]]:
    """Find the CSVs of the five Action Units.

    Returns:
        (sequences, problems): for each (subject, task) its CSVs by Action Unit, none
        where it has pictures only; and quarantine rows of CSVs of no sequence.

    Raises:
        FileNotFoundError: there is not one CSV.
    """
    sequences: dict[tuple[str, str], dict[int, Path]] = {}
    problems = []
    for au, name in zip(AUS, AU_NAMES, strict=True):
        folder = layout.intensities / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix.lower() != ".csv":
                continue  # Thumbs.db and the like
            match = CSV_NAME.fullmatch(path.name)
            file = path.relative_to(layout.root).as_posix()
            if not match or match[3] != name:
                row = (None, None, None, au, "unexpected file name", file, None)
                problems.append(row)
                continue
            sequence = sequences.setdefault((match[1], match[2]), {})
            if leaves(path, layout.root):
                problems.append((match[1], match[2], None, au, LINK, file, None))
            else:
                sequence[au] = path
    if not sequences:
        raise FileNotFoundError(
            f"{layout.intensities}: no CSV such as AU06/F001_T1_AU06.csv; "
            "unpack the intensities there"
        )
    for folder in layout.images.glob("[FM][0-9][0-9][0-9]/T[0-9]*"):
        if TASK.fullmatch(folder.name) and folder.is_dir():
            sequences.setdefault((folder.parent.name, folder.name), {})
    return sequences, problems


def read_codes(data: bytes) -> Codes:
    """Read the bytes of one intensity CSV; never raises."""
    if PLAIN_ROWS.fullmatch(data):
        numbers = np.array(data.replace(b",", b" ").split(), dtype=np.int64)
        frames, codes = numbers.reshape(-1, 2).T
        if len(frames) and (np.diff(frames) > 0).all():
            return Codes(frames, codes.astype(np.int8), [])
    return _read_lines(data)


def join_codes(
    paths: dict[int, Path],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple]]:
    """Read the CSVs of one sequence, by Action Unit, and join them on the frame number.

    Returns:
        (numbers, codes, coded, problems): the frame numbers, int64 (N,), increasing;
        their codes, int8 (N, Q), 9 where there is none; whether the Action Unit's CSV
        has a row of the frame, bool (N, Q); and (frame, au, reason, path, line) of
        everything that is wrong, with None for what does not apply.
    """
    read: dict[int, Codes] = {}
    problems: list[tuple] = []
    for au, path in paths.items():
        try:
            read[au] = read_codes(path.read_bytes())
        except OSError:
            problems.append((None, au, "unreadable CSV", path, None))
            continue
        for frame, reason, line in read[au].problems:
            problems.append((frame, au, reason, path, line))
    numbers = np.array([], dtype=np.int64)
    for one in read.values():
        if not np.array_equal(one.frames, numbers):  # five times the same, mostly
            numbers = np.union1d(numbers, one.frames)
    codes = np.full((len(numbers), len(AUS)), UNKNOWN, dtype=np.int8)
    coded = np.zeros(codes.shape, dtype=bool)
    for au, one in read.items():
        rows = np.searchsorted(numbers, one.frames)
        codes[rows, AUS.index(au)] = one.codes
        coded[rows, AUS.index(au)] = True
    return numbers, codes, coded, problems


def read_occurrences(layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """The occurrence codes beside the intensities, where the data root has them.

    They are another coding: one CSV a sequence, whose header names the Action Units by
    their numbers and whose first column is the frame; 1 present, 0 absent, 9 unknown.

    Returns:
        (occurrences, problems): `subject`, `task` str, `frame` int64, `AU06` … `AU17`
        int8 in 0, 1 or 9; and a sentence for each file that can't be read.
    """
    tables, problems = [], []
    for path in find_occurrences(layout.root):
        subject, task = path.stem.split("_")
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            table.columns = [str(name).strip() for name in table.columns]
            numbers = table[[table.columns[0], *map(str, AUS)]]
            numbers = numbers.apply(lambda column: column.str.strip()).astype(np.int64)
        except (OSError, KeyError, ValueError) as error:  # pandas' own are ValueErrors
            file = path.relative_to(layout.root).as_posix()
            reason = str(error).split("\n")[0]
            problems.append(f"{file}: no table of occurrences ({reason})")
            continue
        numbers.columns = ["frame", *AU_NAMES]
        codes = numbers[list(AU_NAMES)]
        numbers[list(AU_NAMES)] = codes.where(codes.isin([0, 1]), UNKNOWN)
        numbers.insert(0, "subject", subject)
        numbers.insert(1, "task", task)
        tables.append(numbers.drop_duplicates("frame"))
    columns = ["subject", "task", "frame", *AU_NAMES]
    if not tables:
        return pd.DataFrame(columns=columns), problems
    types = dict.fromkeys(AU_NAMES, np.int8)
    return pd.concat(tables, ignore_index=True).astype(types), problems


def find_occurrences(root: Path) -> list[Path]:
    """The CSVs of occurrence codes, sorted by name; none in most copies."""
    found = {}
    for folder in (root / name for name in OCCURRENCE_FOLDERS):
        for path in folder.iterdir() if folder.is_dir() else []:
            if OCCURRENCE_NAME.fullmatch(path.name) and not leaves(path, root):
                found.setdefault(path.stem, path)
    return [path for _, path in sorted(found.items())]


def examine_image(path: str | Path) -> tuple[str | None, tuple[int, int] | None]:
    """What is wrong with a JPEG file and its size, without decoding it.

    The marker that ends a JPEG, FF D9, can't be part of its picture data, where FF is
    always followed by 00 or a restart marker. Some cameras pad the file after it.

    Returns:
        (reason, None) where something is wrong, else (None, (width, height)).
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
    except (OSError, SyntaxError, ValueError):  # the ways in which Pillow gives up
        return "unreadable image", None


def leaves(path: Path, root: Path) -> bool:
    """Whether a path leads out of a folder, by a link in it."""
    inside = os.path.realpath(root)
    return os.path.commonpath([inside, os.path.realpath(path)]) != inside


def _has_subjects(folder: Path) -> bool:
    return folder.is_dir() and any(
        SUBJECT.fullmatch(path.name) and path.is_dir() for path in folder.iterdir()
    )


def _read_lines(data: bytes) -> Codes:
    """Read an odd CSV row by row, and say of each row that is wrong why."""
    problems: list[tuple[int | None, str, int | None]] = []
    rows: dict[int, list[tuple[int, int]]] = {}  # frame → its (code, line)
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", "replace")
    for line, row in enumerate(text, 1):
        if not row.strip():
            continue
        cells = [cell.strip() for cell in row.split(",")]
        if len(cells) != 2:
            problems.append((None, "not two columns", line))
        elif not re.fullmatch(r"\d{1,9}", cells[0], re.ASCII):
            problems.append((None, "frame is not a number", line))
        else:
            frame = int(cells[0])
            found = rows.setdefault(frame, [])
            if re.fullmatch(r"[0-59]", cells[1]):
                found.append((int(cells[1]), line))
            elif re.fullmatch(r"[+-]?\d+\.?\d*", cells[1], re.ASCII):
                problems.append((frame, "code is neither 0 to 5 nor 9", line))
            else:
                problems.append((frame, "code is not a number", line))
    if not rows and not problems:
        problems.append((None, "empty CSV", None))

    codes = []
    for frame, found in sorted(rows.items()):
        same = len({code for code, _ in found}) == 1
        codes.append(found[0][0] if same else UNKNOWN)
        if same:
            problems += [(frame, "duplicate row", line) for _, line in found[1:]]
        else:
            problems += [(frame, "conflicting rows", line) for _, line in found]
    frames = np.array(sorted(rows), dtype=np.int64)
    return Codes(frames, np.array(codes, dtype=np.int8), problems)


def _read_sequence(
    layout: Layout, subject: str, task: str, sequences: dict
) -> tuple[dict[str, np.ndarray], list[tuple]]:
    """One sequence: the columns of its frames, and its problems.

    A problem is (frame, au, reason, file, line).
    """
    paths = sequences[subject, task]
    numbers, codes, coded, problems = join_codes(paths)
    images, faults = _find_images(layout, layout.images / subject / task, numbers)
    problems += [(frame, None, *fault, None) for frame, fault in faults.items()]
    kept = np.array([frame in images for frame in numbers.tolist()], dtype=bool)

    for column, (au, name) in enumerate(zip(AUS, AU_NAMES, strict=True)):
        path = layout.intensities / name / f"{subject}_{task}_{name}.csv"
        path, reason = (paths[au], "no row") if au in paths else (path, "no CSV")
        missing = numbers[kept & ~coded[:, column]].tolist()
        if au not in paths and not len(numbers):
            missing = [None]  # a sequence without a single code
        problems += [(frame, au, reason, path, None) for frame in missing]

    problems = [
        (frame, au, reason, Path(file).relative_to(layout.root).as_posix(), line)
        for frame, au, reason, file, line in problems
    ]
    split = "train" if int(subject[1:]) % 2 else "evaluation"
    columns = {
        "subject": np.full(kept.sum(), subject, dtype=object),
        "task": np.full(kept.sum(), task, dtype=object),
        "frame": numbers[kept],
        "split": np.full(kept.sum(), split, dtype=object),
        "path": np.array([*images.values()], dtype=object),
    }
    columns |= dict(zip(AU_NAMES, codes[kept].T, strict=True))
    return columns, problems


def _find_images(
    layout: Layout, folder: Path, numbers: np.ndarray
) -> tuple[dict[int, str], dict[int, tuple[str, Path]]]:
    """The readable images of the frames `numbers`: (paths, faults), both by frame.

    A path is relative to the root; a fault is (reason, file).
    """
    found: dict[int, list[str]] = {}
    links: set[str] = set()
    absent = "no image"
    try:
        if leaves(folder, layout.root):
            absent = LINK
        else:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if match := IMAGE_NAME.fullmatch(entry.name):
                        found.setdefault(int(match[1]), []).append(entry.name)
                        if entry.is_symlink():
                            links.add(entry.name)
    except FileNotFoundError:
        pass
    except OSError:
        absent = "unreadable folder"

    relative = folder.relative_to(layout.root).as_posix()
    paths, faults, sizes = {}, {}, {}
    for frame in numbers.tolist():
        names = found.get(frame, [])
        if not names:
            faults[frame] = (absent, folder)
            continue
        file = f"{folder}/{names[0]}"
        problem, size = None, None
        if len(names) > 1:
            problem = "several images"
        elif names[0] in links and leaves(Path(file), layout.root):
            problem = LINK
        else:
            problem, size = examine_image(file)
        if problem:
            faults[frame] = (problem, folder / names[0])
        else:
            paths[frame], sizes[frame] = f"{relative}/{names[0]}", size
    if len(set(sizes.values())) > 1:
        ((usual, _),) = Counter(sizes.values()).most_common(1)
        for frame, size in sizes.items():
            if size != usual:
                file = layout.root / paths.pop(frame)
                faults[frame] = ("other size than its sequence", file)
    return paths, faults


if __name__ == "__main__":
    from aulib.checkup import main

    main()
