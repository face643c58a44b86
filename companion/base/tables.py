"""A table as a file, with its origin beside it."""

import json
from pathlib import Path

import pandas as pd

SUFFIX = ".origin.json"


def save_table(
    table: pd.DataFrame,
    path: Path,
    origin: dict,
    index: bool = True,
    float_format: str | None = "%.6f",
) -> None:
    """Write a table as a plain CSV, and its origin beside it (`origin_path`).

    Args:
        table: the table.
        path: of the CSV; missing folders are made.
        origin: from `companion.base.provenance.file_origin`.
        index: whether the index is written, too.
        float_format: of numbers that are not whole; None for all their digits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=index, float_format=float_format)
    origin_path(path).write_text(json.dumps(origin, indent=1) + "\n")


def origin_path(path: Path) -> Path:
    """The file that says where a table's numbers are from: `runs.origin.json`.

    It holds for all files of that name: `figure_5.csv`, `figure_5.pdf` and so on.
    """
    return path.with_suffix(SUFFIX)
