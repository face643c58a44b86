"""Where a BP4D tree keeps its pictures and its intensity CSVs."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from aulib import AUS
from companion.base.files import file_stamp
from companion.bp4d import advice
from companion.bp4d.folders import (
    AU_NAMES,
    CSV_NAME,
    INTENSITY_FOLDERS,
    SUBJECT,
    TASK,
    image_folders,
    intensity_folders,
    subfolders,
)

LINK = "link out of the root"
"""The quarantine's reason for a file that `is_outside` the data root."""


class Layout(NamedTuple):
    """A data root with its folder of pictures and its folder of intensities."""

    root: Path
    images: Path
    intensities: Path


def find_layout(root: str | Path) -> Layout:
    """Find the two folders of a data root.

    Each error says in one line what is there and what to do.

    Raises:
        FileNotFoundError: the root does not exist or lacks pictures or intensities.
        NotADirectoryError: the root is a file.
        ValueError: the root holds two folders of pictures or of intensities, one of
            the folders is a link that leads out of the root, or there are people or
            tasks that BP4D does not have, as in a copy of BP4D+.
    """
    root = Path(root)
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such data root; {advice.on_root(root)}")
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: the data root is a file, not a folder")
    images, intensities = image_folders(root), intensity_folders(root)
    if not images:
        raise FileNotFoundError(
            f"{root}: no folder of pictures such as BP4D-training/F001; "
            f"{advice.on_pictures(root)}"
        )
    if not intensities:
        raise FileNotFoundError(
            f"{root}: no intensities such as '{INTENSITY_FOLDERS[0]}/AU06'; "
            f"{advice.on_intensities(root)}"
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
    layout = Layout(root, images[0], intensities[0])
    _refuse_other_data(layout)
    return layout


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
    for folder in _sequence_folders(layout):
        sequences.setdefault((folder.parent.name, folder.name), {})
    return sequences, problems


def _sequence_folders(layout: Layout) -> list[Path]:
    people = subfolders(layout.images, SUBJECT)
    return [folder for person in people for folder in subfolders(person, TASK)]


def _refuse_other_data(layout: Layout) -> None:
    """Raise ValueError where there are people or tasks that BP4D does not have."""
    found = {path.name for path in subfolders(layout.images, SUBJECT)}
    found |= {path.name for path in _sequence_folders(layout)}
    for name in AU_NAMES:
        for path in layout.intensities.glob(f"{name}/*"):
            if match := CSV_NAME.fullmatch(path.name):
                found |= {match[1], match[2]}
    if others := advice.on_other_data(found):
        raise ValueError(f"{layout.root}: {others}")


def tree_state(root: str | Path) -> str:
    """A hash, 16 hexadecimal digits, of the files that `read_frames` reads.

    It is of names, sizes and times; no file is opened. BP4D's 147,000
    pictures take about a second on a local disk.

    Raises:
        OSError, ValueError: as `find_layout` raises them.
    """
    layout, digest = find_layout(root), hashlib.sha256()
    folders = [layout.intensities / name for name in AU_NAMES]
    for folder in [*_sequence_folders(layout), *folders]:
        try:
            names = sorted(os.listdir(folder))
        except OSError:  # its frames are in quarantine
            names = []
        for name in names:
            path = f"{folder}/{name}"
            digest.update(f"{path} {file_stamp(path)}\n".encode(errors="replace"))
    return digest.hexdigest()[:16]


def is_outside(path: str | Path, root: Path) -> bool:
    """Whether a path leads out of the folder `root`, by a link."""
    inside = os.path.realpath(root)
    return os.path.commonpath([inside, os.path.realpath(path)]) != inside
