"""Intensity codes: one CSV, and the five CSVs of a sequence joined."""

import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aulib import AUS, UNKNOWN

PLAIN_ROWS = re.compile(rb"(?:\d{1,9},[0-59]\r?\n)*(?:\d{1,9},[0-59])?")
"""A CSV without faults; any other CSV is read line by line."""


class Codes(NamedTuple):
    """The content of one CSV.

    frames: int64 array (N,), increasing.
    codes: int8 array (N,), 0..5 or 9.
    problems: (frame or None, reason, line or None) of each faulty row.
    """

    frames: np.ndarray
    codes: np.ndarray
    problems: list[tuple[int | None, str, int | None]]


def read_codes(data: bytes) -> Codes:
    """Read the bytes of one intensity CSV; no content raises an error."""
    if PLAIN_ROWS.fullmatch(data):
        numbers = np.array(data.replace(b",", b" ").split(), dtype=np.int64)
        frames, codes = numbers.reshape(-1, 2).T
        if len(frames) and (np.diff(frames) > 0).all():
            return Codes(frames, codes.astype(np.int8), [])
    return _read_lines(data)


def _read_lines(data: bytes) -> Codes:
    """Read a CSV line by line and note what is wrong with each faulty row."""
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


def join_codes(
    paths: dict[int, Path],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple]]:
    """Read the CSVs of one sequence and join them on the frame number.

    Args:
        paths: the CSVs by Action Unit.

    Returns:
        (numbers, codes, coded, problems): the frame numbers, int64 (N,), increasing;
        their codes, int8 (N, Q), 9 where a code is missing; whether the Action Unit's
        CSV has a row of the frame, bool (N, Q); and each fault as (frame, au, reason,
        path, line), where frame and line can be None.
    """
    tables: dict[int, Codes] = {}
    problems: list[tuple] = []
    for au, path in paths.items():
        try:
            tables[au] = read_codes(path.read_bytes())
        except OSError:
            problems.append((None, au, "unreadable CSV", path, None))
            continue
        for frame, reason, line in tables[au].problems:
            problems.append((frame, au, reason, path, line))
    numbers = np.array([], dtype=np.int64)
    for table in tables.values():
        if not np.array_equal(table.frames, numbers):  # the five are mostly equal
            numbers = np.union1d(numbers, table.frames)
    codes = np.full((len(numbers), len(AUS)), UNKNOWN, dtype=np.int8)
    coded = np.zeros(codes.shape, dtype=bool)
    for au, table in tables.items():
        rows = np.searchsorted(numbers, table.frames)
        codes[rows, AUS.index(au)] = table.codes
        coded[rows, AUS.index(au)] = True
    return numbers, codes, coded, problems
