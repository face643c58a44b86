"""What `companion.standin.tree` has written, told from all other files by its content.

    README.txt            begins with the line NOTICE
    pictures              hold NOTICE as a comment of the JPEG
    codes                 have the checksums of standin.sha256
    standin.sha256        holds checksums of codes, and nothing else
    standin.json          has exactly the keys of a stand-in

A killed process may leave an empty picture or CSV, or the beginning of a file. Anything
else is somebody's, such as a licensed copy of BP4D, and is neither removed nor changed.
"""

import hashlib
import json
import os
import re
import shlex
from pathlib import Path

from companion.base.files import sha256

PICTURES, CODES = "BP4D-training", "AU Intensity Codes3.0"
README, CHECKSUMS, MARKER = "README.txt", "standin.sha256", "standin.json"
NOTICE = (
    "Made by companion.standin: rendered faces of nobody, in the shape of the BP4D "
    "data set."
)
"""A tree keeps it: another NOTICE makes the trees that are there somebody's."""
KEYS = {"seed", "frames_per_task", "height", "width", "renderer"}

_FOLDER = re.compile(rf"{PICTURES}(/[FM]\d\d\d(/T\d)?)?|{re.escape(CODES)}(/AU\d\d)?")
_PICTURE = re.compile(rf"{PICTURES}/[FM]\d\d\d/T\d/\d+\.jpg")
_CODE = re.compile(rf"{re.escape(CODES)}/AU\d\d/[FM]\d\d\d_T\d_AU\d\d\.csv")
_COMMENT = b"\xff\xfe" + (len(NOTICE) + 2).to_bytes(2) + NOTICE.encode()  # in a JPEG
_CHECKSUM = re.compile(rf"([0-9a-f]{{64}})  ({_CODE.pattern})")


def clear(root: Path) -> None:
    """Empty a directory that holds nothing but a stand-in, all but its README.txt.

    Every file is looked at before the first one is removed.

    Raises:
        ValueError: the directory holds something else, or a link leads to it; it is
            left as it is.
    """
    if os.path.lexists(root) and not root.is_dir():
        raise ValueError(f"{root}: is a file or a broken link; name another data_root")
    if not root.is_dir() or not any(root.iterdir()):
        return
    for folder in (root.absolute(), *root.absolute().parents):
        if folder.is_symlink():
            raise ValueError(
                f"{root}: {folder} is a link, and no files are removed through links; "
                f"write `data_root: {root.resolve()}`, or remove the link"
            )
    if not _begins(root / README, f"{NOTICE}\n"):
        raise ValueError(
            f"{root}: holds files that are not a stand-in's, such as "
            f"{min(root.iterdir()).name}; name another data_root, or write "
            "`standin: null` if these are your data"
        )
    files, folders = _list(root)
    (root / MARKER).unlink(missing_ok=True)  # first, so that no part counts as whole
    for path in reversed(files):  # the checksums come after the codes
        path.unlink(missing_ok=True)
    for path in reversed(folders):
        path.rmdir()


def checksums(codes: dict[str, bytes]) -> str:
    """The text of `standin.sha256`, as `sha256sum` writes it.

    Args:
        codes: the content of each CSV by its path relative to the root.
    """
    sums = {path: hashlib.sha256(content) for path, content in codes.items()}
    return "".join(f"{sums[path].hexdigest()}  {path}\n" for path in sorted(sums))


def _list(root: Path) -> tuple[list[Path], list[Path]]:
    """The files, without README.txt, and the folders of a tree, top down.

    Raises:
        ValueError: one of them is not a stand-in's; the error names the first.
        OSError: one of them can't be read.
    """
    files, folders = [], []
    for place, names, others in os.walk(root, onerror=_raise):
        names.sort()
        folders += [Path(place, name) for name in names]
        files += [Path(place, name) for name in sorted(others)]
    codes = {}
    if root / CHECKSUMS in files and _holds_checksums(root / CHECKSUMS):
        lines = _CHECKSUM.findall((root / CHECKSUMS).read_text())
        codes = {path: checksum for checksum, path in lines}
    for path in (*files, *folders):
        name = path.relative_to(root).as_posix()
        if path.is_dir() and not path.is_symlink():
            ours = _FOLDER.fullmatch(name)
        else:
            regular = path.is_file() and not path.is_symlink()
            ours = regular and _is_ours(path, name, codes)
        if not ours:
            raise ValueError(
                f"{path}: not written by this version of the stand-in, so nothing is "
                f"removed; if {root} holds nothing of yours: rm -r "
                f"{shlex.quote(str(root))}; else name another data_root"
            )
    return [path for path in files if path != root / README], folders


def _raise(error: OSError) -> None:
    raise error


def _is_ours(path: Path, name: str, codes: dict[str, str]) -> bool:
    """Whether a file of a tree is a stand-in's.

    Args:
        path: the file.
        name: its path relative to the root.
        codes: the checksums of the codes.
    """
    if name == README:
        return _begins(path, f"{NOTICE}\n")
    if name == CHECKSUMS:
        return _holds_checksums(path)
    if name == MARKER:
        return _holds_parameters(path)
    if name == f"{MARKER}.partial":
        return _begins(path, '{\n  "seed": ')
    if _PICTURE.fullmatch(name):
        with open(path, "rb") as file:
            start = file.read(len(NOTICE) + 64)
        return not start or start[:2] == b"\xff\xd8" and _COMMENT in start
    if _CODE.fullmatch(name):
        return not path.stat().st_size or codes.get(name) == sha256(path)
    return False


def _begins(path: Path, text: str) -> bool:
    """Whether a file begins with a text, or is the beginning of the text."""
    if not path.is_file():
        return False
    start = path.read_bytes()[: len(text)]
    return text.encode().startswith(start)


def _holds_checksums(path: Path) -> bool:
    """Whether all lines are checksums of codes; the last one may be cut off."""
    *lines, last = path.read_bytes().decode(errors="replace").split("\n")
    whole = all(map(_CHECKSUM.fullmatch, lines))
    return whole and bool(re.fullmatch(r"[0-9a-f]{0,64}(  .*)?", last))


def _holds_parameters(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() == KEYS
