"""The BP4D / FERA-2015 tree, read into a table of frames.

A data root holds the pictures and the coders' intensities, each in a folder:

    BP4D-training/F001/T1/2440.jpg                     (or BP4D/F001/T1, or F001/T1)
    AU Intensity Codes3.0/AU06/F001_T1_AU06.csv        (or AU-Intensity-Codes3.0/AU06,
                                                        or AUCoding/AU_INT/AU06)

A CSV has no header. Each row is a frame number and a code: 0 absent, 1 to 5 the
intensities A to E, 9 unknown. The picture of frame f is the JPEG whose name is the
number f, with or without leading zeros: 753.jpg or 0753.jpg. The coders coded a segment
of each sequence, so a picture without a code is not a frame. The five Action Units are
joined on the frame number, not on the row.

No row is dropped silently. The code of each row is in the table of frames, or the row
has a line in the quarantine, or its frame has a line without `au`, which stands for the
whole frame. The reasons are:

    no image                        the folder has no picture of this number
    several images                  0753.jpg and 753.jpg both exist
    empty image                     zero bytes
    not a JPEG                      no JPEG marker at the start, or no readable header
    truncated image                 no JPEG marker at the end
    damaged image                   the decoder warns, as of a hole in the file
    rotated by EXIF                 the header asks viewers to rotate or mirror it
    unreadable image                the system refuses to read the picture
    unreadable folder               the system refuses to read the folder of pictures
    other size than its sequence    most pictures of the sequence have another size
    link out of the root            the link leads elsewhere and is not followed
    no CSV                          the Action Unit has no CSV of this sequence
    no row                          the CSV has no row of this frame
    empty CSV                       no rows
    unreadable CSV                  the system refuses to read the CSV
    unexpected file name            the CSV belongs to no sequence
    not two columns                 the row is not a frame and a code
    frame is not a number           the frame is not an integer of 0 or more
    frame is rounded                such as 2.44e+03, which can be any of ten frames
    code is not a number            the code is blank, `nan` or text
    code is neither 0 to 5 nor 9    such as -1, 6 or 2.5
    duplicate row                   the frame has an earlier row with the same code
    conflicting rows                the frame has rows with different codes

An intensity that is missing for one of these reasons is 9; the frame keeps its other
intensities.

Programs disagree on whether to follow the EXIF orientation, so it is not known which
way round the coordinates of somebody's boxes are meant. Such a picture is no frame.

Every picture is decoded once, by a thread on each processor that the process may use.
BP4D's 147,000 pictures of 1392 x 1040 pixels take about 10 minutes of one core, or 5 of
two (3 to 5 ms each), and are 30 GB to read if a picture has 200 KB.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from aulib import AUS
from companion.bp4d.codes import join_codes
from companion.bp4d.folders import AU_NAMES
from companion.bp4d.images import find_images
from companion.bp4d.layout import Layout, find_layout, find_sequences

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


def read_frames(root: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the coded frames of a BP4D tree and list its faults.

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
        OSError, ValueError: as `find_layout` and `find_sequences` raise them.
    """
    layout = find_layout(root)
    sequences, quarantine = find_sequences(layout)
    columns: dict[str, list[np.ndarray]] = {}
    places = sorted(sequences)
    threads = Parallel(cpu_count(), "threading", return_as="generator")
    read = threads(
        delayed(_read_sequence)(layout, *place, sequences[place]) for place in places
    )
    bar = tqdm(read, "sequences", len(places), leave=False)
    for place, (sequence, problems) in zip(places, bar, strict=True):
        for name, values in sequence.items():
            columns.setdefault(name, []).append(values)
        quarantine += [(*place, *problem) for problem in problems]
    frames = pd.DataFrame({name: np.concatenate(columns[name]) for name in columns})
    lines = pd.DataFrame(quarantine, columns=list(QUARANTINE_TYPES))
    return frames.astype(dict.fromkeys(TEXT, "str")), lines.astype(QUARANTINE_TYPES)


def _read_sequence(
    layout: Layout, subject: str, task: str, paths: dict[int, Path]
) -> tuple[dict[str, np.ndarray], list[tuple]]:
    """The columns of one sequence's frames, and its faults.

    A fault is (frame, au, reason, file, line).
    """
    numbers, codes, coded, problems = join_codes(paths)
    folder = layout.images / subject / task
    images, faults = find_images(layout.root, folder, numbers)
    problems += [(frame, None, *fault, None) for frame, fault in faults.items()]
    kept = np.array([frame in images for frame in numbers.tolist()], dtype=bool)

    for column, (au, name) in enumerate(zip(AUS, AU_NAMES, strict=True)):
        missing = numbers[kept & ~coded[:, column]].tolist()
        if au in paths:
            path, reason = paths[au], "no row"
        else:
            path = layout.intensities / name / f"{subject}_{task}_{name}.csv"
            reason = "no CSV"
            if not len(numbers):
                missing = [None]  # the sequence has no code at all
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
