"""Where a BP4D tree keeps its pictures and its intensity CSVs."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from aulib import AUS

AU_NAMES = tuple(f"AU{au:02d}" for au in AUS)
"""The columns of the five Action Units in every table: AU06 … AU17."""

IMAGE_FOLDERS = ("BP4D-training", "BP4D", ".")
INTENSITY_FOLDERS = (
    "AU Intensity Codes3.0",  # the first distribution
    "AU-Intensity-Codes3.0",  # the first distribution, unpacked under another name
    "AUCoding/AU_INT",  # the later distribution
)
SUBJECT = re.compile(r"[FM]\d{3}", re.ASCII)
TASK = re.compile(r"T\d{1,2}", re.ASCII)
CSV_NAME = re.compile(r"([FM]\d{3})_(T\d{1,2})_(AU\d\d)\.[cC][sS][vV]", re.ASCII)

LINK = "link out of the root"
"""The quarantine's reason for a file that `is_outside` the data root."""


class Layout(NamedTuple):
    """A data root with its folder of pictures and its folder of intensities."""

    root: Path
    images: Path
    intensities: Path


def find_layout(root: str | Path) -> Layout:
    """Find the two folders of a data root.

    Raises:
        FileNotFoundError: the root does not exist or lacks pictures or intensities.
        NotADirectoryError: the root is a file.
        ValueError: the root holds two folders of pictures or of intensities, or one
            of the folders is a link that leads out of the root.
    """
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
            "set data_root to the folder that holds BP4D-training"
        )
    if not intensities:
        raise FileNotFoundError(
            f"{root}: no intensities such as '{INTENSITY_FOLDERS[0]}/AU06'; "
            "put them beside the folder of pictures"
        )
    for folders in (images, intensities):
        if len(folders) > 1:
            names = " and ".join(f"'{path.relative_to(root)}'" for path in folders)
            raise ValueError(f"{root}: holds both {names}; keep one of them")
        if is_outside(folders[0], root):
            raise ValueError(
                f"{folders[0]}: a link out of the data root; copy or mount the folder "
                "there, or set data_root to a folder that holds both"
            )
    return Layout(root, images[0], intensities[0])


def find_sequences(
    layout: Layout,
) -> tuple[dict[tuple[str, str], dict[int, Path]], list[tuple]]:
    """Find the sequences and their CSVs.

    Returns:
        (sequences, problems). `sequences` maps (subject, task) to the sequence's CSVs
        by Action Unit; a sequence that has only pictures has no CSV. `problems` are
        rows of the quarantine, for CSVs that belong to no sequence and for links.

    Raises:
        FileNotFoundError: there is no CSV at all.
    """
    sequences: dict[tuple[str, str], dict[int, Path]] = {}
    problems: list[tuple] = []
    for au, name in zip(AUS, AU_NAMES, strict=True):
        folder = layout.intensities / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix.lower() != ".csv":
                continue  # Thumbs.db, .DS_Store
            match = CSV_NAME.fullmatch(path.name)
            file = path.relative_to(layout.root).as_posix()
            if not match or match[3] != name:
                reason = "unexpected file name"
                problems.append((None, None, None, au, reason, file, None))
                continue
            subject, task, _ = match.groups()
            paths = sequences.setdefault((subject, task), {})
            if is_outside(path, layout.root):
                problems.append((subject, task, None, au, LINK, file, None))
            else:
                paths[au] = path
    if not sequences:
        raise FileNotFoundError(
            f"{layout.intensities}: no CSV such as AU06/F001_T1_AU06.csv; "
            "unpack the intensities there"
        )
    for folder in layout.images.glob("[FM][0-9][0-9][0-9]/T[0-9]*"):
        if TASK.fullmatch(folder.name) and folder.is_dir():
            sequences.setdefault((folder.parent.name, folder.name), {})
    return sequences, problems


def is_outside(path: str | Path, root: Path) -> bool:
    """Whether a path leads out of the folder `root`, by a link."""
    inside = os.path.realpath(root)
    return os.path.commonpath([inside, os.path.realpath(path)]) != inside


def _has_subjects(folder: Path) -> bool:
    return folder.is_dir() and any(
        SUBJECT.fullmatch(path.name) and path.is_dir() for path in folder.iterdir()
    )
