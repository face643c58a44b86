"""Occurrence codes, where the data root has them beside the intensities.

Occurrence is a separate coding. Each sequence has one CSV: its header names the Action
Units by number, its first column is the frame number, and a code is 1 (present),
0 (absent) or 9 (unknown).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from aulib import AUS, UNKNOWN
from companion.bp4d.folders import AU_NAMES, OCCURRENCE_FOLDERS, OCCURRENCE_NAME
from companion.bp4d.layout import is_outside


def find_occurrences(root: Path) -> list[Path]:
    """The CSVs of occurrence codes, sorted by name; most copies of BP4D have none."""
    found = {}
    for folder in (root / name for name in OCCURRENCE_FOLDERS):
        for path in folder.iterdir() if folder.is_dir() else []:
            if OCCURRENCE_NAME.fullmatch(path.name) and not is_outside(path, root):
                found.setdefault(path.stem, path)
    return [path for _, path in sorted(found.items())]


def read_occurrences(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read the occurrence codes of a data root.

    Returns:
        (occurrences, problems). `occurrences` has the columns `subject` and `task`
        str, `frame` int64, and `AU06` … `AU17` int8 in 0, 1 or 9. `problems` has a
        sentence for each file that can't be read.
    """
    names, tables, problems = list(AU_NAMES), [], []
    for path in find_occurrences(root):
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            table.columns = [str(name).strip() for name in table.columns]
            table = table[[table.columns[0], *map(str, AUS)]]
            table = table.apply(lambda column: column.str.strip()).astype(np.int64)
        except (OSError, KeyError, ValueError) as error:  # pandas raises ValueErrors
            file, reason = path.relative_to(root).as_posix(), str(error).split("\n")[0]
            problems.append(f"{file}: no table of occurrences ({reason})")
            continue
        table.columns = ["frame", *names]
        table[names] = table[names].where(table[names].isin([0, 1]), UNKNOWN)
        subject, task = path.stem.split("_")
        table.insert(0, "subject", subject)
        table.insert(1, "task", task)
        tables.append(table.drop_duplicates("frame"))
    if not tables:
        return pd.DataFrame(columns=["subject", "task", "frame", *names]), problems
    occurrences = pd.concat(tables, ignore_index=True)
    return occurrences.astype(dict.fromkeys(names, np.int8)), problems
