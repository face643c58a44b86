"""Intensity codes: one CSV, and the five CSVs of a sequence joined."""

import codecs
import io
import itertools
import re
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aulib import AUS, UNKNOWN

PLAIN_ROWS = re.compile(rb"(?:\d{1,9},[0-59]\r?\n)*(?:\d{1,9},[0-59])?")
"""A CSV without faults; any other CSV is read line by line."""

NUMBER = re.compile(r"[+-]?\d{1,25}(\.\d{0,25})?([eE][+-]?\d{1,2})?", re.ASCII)
"""A number whose value `Decimal` keeps to the last digit."""

VALUES = {0, 1, 2, 3, 4, 5, UNKNOWN}


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
    """Read the bytes of one intensity CSV; no content raises an error.

    Accepted are UTF-8 and UTF-16, with a byte-order mark or without; commas, semicolons
    or blanks between the columns; quotes; empty columns at the end of a row; and whole
    numbers that are written as floats: 2440.0, or 2.440e+03 if all digits are there.
    In 2.44e+03 the last digit may have been rounded, so this row is a fault.
    """
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
    for line, row in enumerate(io.StringIO(_decode(data), newline=None), 1):
        if not row.strip():
            continue
        cells = _split(row)
        if len(cells) != 2:
            problems.append((None, "not two columns", line))
            continue
        frame, code = map(_number, cells)
        if frame is None or frame.is_signed() or frame >= 10**9 or frame % 1:
            problems.append((None, "frame is not a number", line))
        elif frame.as_tuple().exponent > 0:
            problems.append((None, "frame is rounded", line))
        else:
            found = rows.setdefault(int(frame), [])
            if code is None:
                problems.append((int(frame), "code is not a number", line))
            elif code in VALUES:
                found.append((int(code), line))
            else:
                problems.append((int(frame), "code is neither 0 to 5 nor 9", line))
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


def read_line(path: Path, line: int) -> str:
    """The text of one line of a CSV, from 1, as `read_codes` counts them."""
    rows = io.StringIO(_decode(path.read_bytes()), newline=None)
    return next(itertools.islice(rows, line - 1, None), "").strip()[:60]


def _decode(data: bytes) -> str:
    """The text of a CSV: UTF-16 if it begins as such a file does, otherwise UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if data[:1] != b"\0" == data[1:2]:
        return data.decode("utf-16-le", "replace")
    if data[:1] == b"\0" != data[1:2]:
        return data.decode("utf-16-be", "replace")
    return data.decode("utf-8-sig", "replace")


def _split(row: str) -> list[str]:
    """The cells of a row, without quotes; empty cells after the second are left out."""
    mark = next((mark for mark in ",;" if mark in row), None)
    cells = [cell.strip().strip("\"'").strip() for cell in row.strip().split(mark)]
    while len(cells) > 2 and not cells[-1]:
        cells.pop()
    return cells


def _number(cell: str) -> Decimal | None:
    return Decimal(cell) if NUMBER.fullmatch(cell) else None


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
