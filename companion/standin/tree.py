"""The stand-in on disk: a directory tree in the shape of BP4D's.

    <root>/BP4D-training/F001/T1/0753.jpg            one picture a frame
    <root>/AU Intensity Codes3.0/AU06/F001_T1_AU06.csv    frame, code; no header
    <root>/standin.sha256            checksums of the codes, written before them
    <root>/standin.json              parameters and the renderer's hash, written last

A tree without `standin.json` is unfinished; `write_tree` makes it anew, as it does a
tree that another version of the renderer made, if no file of it is somebody else's.
Every picture is a function of (seed, subject, task, frame), whatever the number of
processes.
"""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count
from PIL import Image

from companion.base.files import atomic_write, lock, map_in_processes
from companion.bp4d import AU_NAMES
from companion.standin.face import render_face
from companion.standin.labels import make_labels, strided
from companion.standin.muscles import DISTRACTORS
from companion.standin.ownership import (
    CHECKSUMS,
    CODES,
    MARKER,
    NOTICE,
    PICTURES,
    README,
    checksums,
    clear,
)
from companion.standin.person import Identity, make_identity

MODULES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if path.stem not in ("__init__", "__main__", "ceiling", "damage", "pretrain")
)
"""The modules that the bytes of a tree depend on."""
JPEG_QUALITY = 92
EXPLANATION = f"""\
{NOTICE}
Neither pictures nor codes are BP4D's. Safe to delete: `python -m companion.standin`
makes the same tree again.
"""


def write_tree(
    root: str | Path,
    seed: int,
    frames_per_task: int | dict[str, int],
    height: int,
    width: int,
    workers: int | None = None,
) -> None:
    """Write the stand-in data set; a finished tree of these parameters stays as it is.

    Args:
        root: the directory to make.
        seed: of the people, the labels and the pictures.
        frames_per_task: frames of each of the 328 sequences, evenly spaced over it; a
            shorter sequence gives all its frames. Or a number for each split:
            {"train": 12, "evaluation": 6}.
        height: of a picture, in pixels.
        width: of a picture, in pixels.
        workers: processes; as many as there are usable processors when None.

    Raises:
        ValueError: `root` holds a tree of other parameters, or a file that is not a
            stand-in's; or a link leads to an unfinished tree; or a parameter is out of
            range. Then nothing in `root` is written or removed.
    """
    root = Path(root)
    parameters = {
        "seed": seed,
        "frames_per_task": frames_per_task,
        "height": height,
        "width": width,
    }
    for name, least in (("seed", 0), ("height", 32), ("width", 32)):
        if parameters[name] < least:
            raise ValueError(f"{name} must be at least {least}, not {parameters[name]}")
    if _is_finished(root, parameters):
        return
    with lock(root, wait=True):
        if _is_finished(root, parameters):  # by the process that was waited for
            return
        frames = strided(make_labels(seed), frames_per_task)
        clear(root)
        root.mkdir(parents=True, exist_ok=True)
        _explain(root / README)
        _write_codes(root, frames)
        sequences = [
            (root / PICTURES, seed, height, width, rows)
            for _, rows in frames.groupby(["subject", "task"], sort=True)
        ]
        workers = min(workers or cpu_count(), len(sequences))
        for _ in map_in_processes(_write_pictures, sequences, workers, "stand-in"):
            pass
        marker = json.dumps(parameters | {"renderer": renderer_hash()}, indent=2)
        with atomic_write(root / MARKER) as file:
            file.write(f"{marker}\n".encode())


def renderer_hash() -> str:
    """Of the source of `MODULES`: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for module in MODULES:
        digest.update((Path(__file__).parent / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def subject_identity(seed: int, subject: str) -> Identity:
    """The person that `subject` (F001 … M018) is in the stand-in of this seed."""
    female = subject[0] == "F"
    generator = np.random.default_rng([seed, 1, int(female), int(subject[1:])])
    return make_identity(generator, female)


def render_row(
    identity: Identity, seed: int, row: dict, height: int, width: int
) -> np.ndarray:
    """The picture of one row of `make_labels`: uint8 (height, width, 3)."""
    subject, task = row["subject"], int(row["task"][1:])
    place = [int(subject[0] == "F"), int(subject[1:]), task, int(row["frame"])]
    generator = np.random.default_rng([seed, 2, *place])
    aus = [row[f"drawn_{name}"] for name in AU_NAMES]
    distractors = {name: row[name] for name in DISTRACTORS}
    return render_face(identity, aus, distractors, height, width, generator)


def _is_finished(root: Path, parameters: dict[str, int]) -> bool:
    """Whether `root` is a whole tree of these parameters by this renderer.

    Raises:
        ValueError: it is a tree of other parameters.
    """
    marker = root / MARKER
    if not marker.is_file():
        return False
    try:
        found = dict(json.loads(marker.read_bytes()))
    except (TypeError, ValueError):
        raise ValueError(
            f"{marker}: no JSON object; delete {root} if all of it is a stand-in, "
            "or name another data_root"
        ) from None
    renderer = found.pop("renderer", None)
    if found != parameters:
        raise ValueError(
            f"{marker}: made with {found}, not {parameters}; delete {root} if all of "
            "it is a stand-in, or name another data_root"
        )
    return renderer == renderer_hash()


def _explain(readme: Path) -> None:
    """Write README.txt, unless it is there; somebody may have added to it."""
    if not readme.is_file() or NOTICE.encode() not in readme.read_bytes():
        readme.write_text(EXPLANATION)


def _write_codes(root: Path, frames: pd.DataFrame) -> None:
    codes = {}
    for (subject, task), rows in frames.groupby(["subject", "task"]):
        for name in AU_NAMES:
            text = rows[["frame", name]].to_csv(
                header=False, index=False, lineterminator="\n"
            )
            codes[f"{CODES}/{name}/{subject}_{task}_{name}.csv"] = text.encode()
    (root / CHECKSUMS).write_text(checksums(codes))
    for name in AU_NAMES:
        (root / CODES / name).mkdir(parents=True)
    for path, content in codes.items():
        _write_new(root / path, content)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet."""
    with open(path, "xb") as file:
        file.write(content)


def _write_pictures(sequence: tuple[Path, int, int, int, pd.DataFrame]) -> None:
    """Render one subject's task: the directory, seed, height, width and rows."""
    pictures, seed, height, width, rows = sequence
    subject, task = rows["subject"].iloc[0], rows["task"].iloc[0]
    directory = pictures / subject / task
    directory.mkdir(parents=True)
    identity = subject_identity(seed, subject)
    # BP4D numbers with three digits in some folders and with four in others
    place = [int(subject[0] == "F"), int(subject[1:]), int(task[1:])]
    digits = int(np.random.default_rng([seed, 3, *place]).integers(3, 5))
    for row in rows.to_dict("records"):
        picture = render_row(identity, seed, row, height, width)
        content = io.BytesIO()
        Image.fromarray(picture).save(
            content, "jpeg", quality=JPEG_QUALITY, comment=NOTICE
        )
        name = f"{row['frame']:0{digits}d}.jpg"
        _write_new(directory / name, content.getvalue())
