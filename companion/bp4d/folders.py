"""The names of BP4D's people, tasks, folders and files, and which folders are there."""

import re
from collections.abc import Iterator
from pathlib import Path

from aulib import AUS

AU_NAMES = tuple(f"AU{au:02d}" for au in AUS)
"""The columns of the five Action Units in every table: AU06 … AU17."""

PEOPLE = tuple(
    f"{sex}{number:03d}"
    for sex, count in (("F", 23), ("M", 18))
    for number in range(1, count + 1)
)
"""BP4D's 41 people: F001 … F023, M001 … M018."""

TASKS = tuple(f"T{number}" for number in range(1, 9))
"""BP4D's eight tasks: T1 … T8."""

IMAGE_FOLDERS = ("BP4D-training", "BP4D", ".")
INTENSITY_FOLDERS = (
    "AU Intensity Codes3.0",  # the first distribution
    "AU-Intensity-Codes3.0",  # the first distribution, unpacked under another name
    "AUCoding/AU_INT",  # the later distribution
)
OCCURRENCE_FOLDERS = ("AUCoding/AU_OCC", "AUCoding")

SUBJECT = re.compile(r"[FM]\d{3}", re.ASCII)
TASK = re.compile(r"T\d{1,2}", re.ASCII)
CSV_NAME = re.compile(r"([FM]\d{3})_(T\d{1,2})_(AU\d\d)\.[cC][sS][vV]", re.ASCII)
OCCURRENCE_NAME = re.compile(r"[FM]\d{3}_T\d{1,2}\.[cC][sS][vV]", re.ASCII)


def image_folders(root: Path) -> list[Path]:
    """The folders of a data root, of `IMAGE_FOLDERS`, that hold folders of people."""
    folders = [root / name for name in IMAGE_FOLDERS]
    return [path for path in folders if any(subfolders(path, SUBJECT))]


def intensity_folders(root: Path) -> list[Path]:
    """The folders of a data root, of `INTENSITY_FOLDERS`, that hold folders of AUs."""
    folders = [root / name for name in INTENSITY_FOLDERS]
    return [path for path in folders if any((path / au).is_dir() for au in AU_NAMES)]


def subfolders(folder: Path, name: re.Pattern) -> Iterator[Path]:
    """The folders in `folder` whose names match; none if `folder` is not there."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if name.fullmatch(path.name) and path.is_dir():
            yield path
