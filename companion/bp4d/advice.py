"""What a folder that is no data root holds, and what to do about it.

Each function returns advice as one clause without a full stop. It looks at the folders
of the root and of the folders in it, three levels deep, and into no person's folder.
"""

import re
from pathlib import Path
from typing import NamedTuple

from aulib import AUS
from companion.bp4d.folders import (
    CSV_NAME,
    IMAGE_FOLDERS,
    INTENSITY_FOLDERS,
    OCCURRENCE_NAME,
    PEOPLE,
    SUBJECT,
    TASKS,
    image_folders,
    intensity_folders,
)

LEVELS = 3
MOST = 2_000  # folders that are looked into: a data root can be somebody's home
PERSON = re.compile(SUBJECT.pattern, re.ASCII | re.IGNORECASE)
AU_FOLDER = re.compile(
    rf"au[\s_-]*0?({'|'.join(map(str, AUS))})(?!\d).*", re.ASCII | re.IGNORECASE
)
ARCHIVE = re.compile(r".*\.(zip|7z|rar|tar|tgz|tar\.\w+|z?\d\d\d?)", re.IGNORECASE)


class Found(NamedTuple):
    """Paths, those nearest to the root first.

    people, units: folders of people and of Action Units, whatever they are named.
    codes, occurrences: CSVs by the names of their files; codes lie in no AU's folder.
    archives: files that have to be unpacked.
    """

    people: list[Path]
    units: list[Path]
    codes: list[Path]
    occurrences: list[Path]
    archives: list[Path]


def on_root(root: Path) -> str:
    """Advice where the data root does not exist."""
    if root.is_symlink():
        return f"it is a link to {root.readlink()}, which is not there; link it anew"
    for path in sorted(root.parent.iterdir()) if root.parent.is_dir() else ():
        if _plain(path.name) == _plain(root.name):
            return f"there is '{path.name}'; set data_root to {path}"
    return "put BP4D there or correct data_root"


def on_other_data(names: set[str]) -> str | None:
    """Advice where there are people or tasks that BP4D does not have."""
    others = sorted(names - {*PEOPLE, *TASKS})
    if not others:
        return None
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return (
        f"{', '.join(others[:5])}{more}: not in BP4D, which has F001 to F023, M001 to "
        "M018 and T1 to T8; this may be BP4D+, where F001 is another person; set "
        "data_root to BP4D, or remove what is not part of it"
    )


def on_pictures(root: Path) -> str:
    """Advice where a data root has no folder of pictures."""
    found, example = _survey(root), f"{IMAGE_FOLDERS[0]}/F001/T1/2440.jpg"
    if better := _better_root(root, found.people + found.units):
        return f"set data_root to {better}"
    if found.people:
        if advice := on_other_data({path.name.upper() for path in found.people}):
            return f"'{_within(root, found.people[0].parent)}' holds {advice}"
        return _rename(root, found.people[0], IMAGE_FOLDERS, "F001")
    return _unpack(root, found, example) or (
        f"{_content(root)}; set data_root to the folder that holds {IMAGE_FOLDERS[0]}"
    )


def on_intensities(root: Path) -> str:
    """Advice where a data root has no folder of intensities."""
    found, example = _survey(root), f"{INTENSITY_FOLDERS[0]}/AU06/F001_T1_AU06.csv"
    if better := _better_root(root, found.people + found.units):
        return f"set data_root to {better}"
    if found.units:
        return _rename(root, found.units[0], INTENSITY_FOLDERS, "AU06")
    if found.codes:
        file = _within(root, found.codes[0])
        return f"'{file}' lies in no AU's folder; sort the CSVs, as in {example}"
    if advice := _unpack(root, found, example):
        return advice
    if found.occurrences:
        folder = _within(root, found.occurrences[0].parent)
        return (
            f"'{folder}' holds occurrence codes, which have no levels; ask the "
            "distributor for the AU intensity codes, and put them beside the pictures"
        )
    return f"{_content(root)}; put the intensities beside the folder of pictures"


def _survey(root: Path) -> Found:
    found, folders = Found([], [], [], [], []), [(root, 0)]
    for folder, level in folders:  # grows: nearest first
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue  # what can't be listed can't be the advice
        for path in entries:
            if not path.is_dir():
                if ARCHIVE.fullmatch(path.name):
                    found.archives.append(path)
                elif CSV_NAME.fullmatch(path.name):
                    found.codes.append(path)
                elif OCCURRENCE_NAME.fullmatch(path.name):
                    found.occurrences.append(path)
            elif PERSON.fullmatch(path.name):
                found.people.append(path)
            elif AU_FOLDER.fullmatch(path.name):
                found.units.append(path)
            elif level < LEVELS and len(folders) < MOST and path.name[0] != ".":
                folders.append((path, level + 1))
    return found


def _better_root(root: Path, inside: list[Path]) -> Path | None:
    """A folder above the root, or above one of the paths in it, that is a data root."""
    folders = list(root.absolute().parents)[:3]
    for path in inside:
        folders += [folder for folder in path.parents if folder.is_relative_to(root)]
    for folder in dict.fromkeys(folders):
        try:
            if image_folders(folder) and intensity_folders(folder):
                return folder
        except OSError:
            pass  # what can't be listed can't be the advice
    return None


def _rename(root: Path, path: Path, names: tuple[str, ...], usual: str) -> str:
    """Advice to rename `path`, a person's or an AU's folder, or the folder it is in."""
    folder = _within(root, path.parent)
    if folder in names:
        better = path.name.upper()[0] + usual[1:]
        return f"rename '{_within(root, path)}', and each like it, as '{better}'"
    if path.parent.parent == root:
        return f"rename '{folder}', which holds '{path.name}', to '{names[0]}'"
    return f"move '{_within(root, path)}', and what is beside it, to '{names[0]}'"


def _unpack(root: Path, found: Found, example: str) -> str | None:
    if not found.archives:
        return None
    more = f" and {len(found.archives) - 1} more" if found.archives[1:] else ""
    return (
        f"'{_within(root, found.archives[0])}'{more} not unpacked: unpack, so that "
        f"there is {example}"
    )


def _content(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir() if path.name[0] != ".")
    if not names:
        return "the folder is empty"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"it holds {', '.join(map(repr, names[:3]))}{more}"


def _within(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _plain(name: str) -> str:
    return re.sub(r"\W|_", "", name).lower()
