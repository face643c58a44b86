"""Which faces the explorable pages show, and a sheet of them.

The choices look at labels and estimates of the evaluation frames, and at nothing else.
"""

import io

import numpy as np
from PIL import Image

from aulib import UNKNOWN
from companion.crops.squares import central_corners, cut_squares
from companion.crops.store import CropStore

SHEET_COLUMNS = 32


def cover_levels(levels: np.ndarray, subjects: np.ndarray, count: int) -> np.ndarray:
    """Frames that together show every level of every AU about equally often.

    The people take turns. Each gives the frame whose levels were shown least so far:
    an AU's level that k chosen frames have counts 1 / (1 + k), an unknown one 0. The
    first of equal frames is taken.

    Args:
        levels: int array (N, Q), the coder's, 0..5 or `UNKNOWN`.
        subjects: array (N,) of the frames' people.
        count: of the frames to choose; fewer if there are fewer.

    Returns:
        int array (count,), the chosen frames, in the order of the rows.
    """
    shown = np.zeros((levels.shape[1], UNKNOWN + 1))
    waiting = {
        who: list(np.flatnonzero(subjects == who)) for who in np.unique(subjects)
    }
    aus, chosen = np.arange(levels.shape[1]), []
    while len(chosen) < min(count, len(levels)):
        for rows in [rows for rows in waiting.values() if rows]:
            worth = np.where(
                levels[rows] == UNKNOWN, 0, 1 / (1 + shown[aus, levels[rows]])
            )
            row = rows.pop(int(worth.sum(axis=1).argmax()))
            shown[aus, levels[row]] += 1
            chosen.append(row)
    return np.sort(chosen[:count])


def count_cells(labels: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """Confusion matrices: int array (Q, 6, 6), labels in rows, estimates in columns.

    A frame that is unknown for an AU is left out for that AU alone.

    Args:
        labels: int array (N, Q), 0..5 or `UNKNOWN`.
        estimates: int array (N, Q), 0..5.
    """
    counts = np.zeros((labels.shape[1], 6, 6), dtype=np.int64)
    for matrix, truth, guess in zip(counts, labels.T, estimates.T, strict=True):
        known = truth != UNKNOWN
        np.add.at(matrix, (truth[known], guess[known]), 1)
    return counts


def fill_cells(
    labels: np.ndarray, estimates: np.ndarray, subjects: np.ndarray, most: int
) -> dict[tuple[int, int, int], list[int]]:
    """Which frames stand for each cell of the confusion matrices.

    Within a cell the people take turns. A frame that another cell shows already comes
    before the person's others, so that few frames show many cells.

    Args:
        labels, estimates: as in `count_cells`.
        subjects: array (N,) of the frames' people.
        most: frames of a cell.

    Returns:
        (AU, label, estimate) → frames, for every cell that has any, rarest cells first.
    """
    members: dict[tuple[int, int, int], list[int]] = {}
    for au, (truth, guess) in enumerate(zip(labels.T, estimates.T, strict=True)):
        for row in np.flatnonzero(truth != UNKNOWN):
            members.setdefault((au, int(truth[row]), int(guess[row])), []).append(row)
    shown: set[int] = set()
    cells = {}
    for cell in sorted(members, key=lambda cell: (len(members[cell]), cell)):
        waiting: dict[str, list[int]] = {}
        for row in sorted(members[cell], key=lambda row: (row not in shown, row)):
            waiting.setdefault(str(subjects[row]), []).append(row)
        turns = [
            (turn, row not in shown, person, row)
            for person, rows in waiting.items()
            for turn, row in enumerate(rows)
        ]
        cells[cell] = sorted(int(row) for *_, row in sorted(turns)[:most])
        shown.update(cells[cell])
    return cells


def squares_of(store: CropStore, rows: np.ndarray) -> np.ndarray:
    """The central squares of crops, uint8 array (N, S, S, 3)."""
    return cut_squares(store, rows, central_corners(store, rows))


def draw_sprites(squares: np.ndarray, side: int, quality: int) -> bytes:
    """All faces on one sheet, `SHEET_COLUMNS` in a row, as a JPEG.

    Args:
        squares: uint8 (N, S, S, 3).
        side: pixels of a side of a small face; a multiple of 8 keeps the blocks of
            JPEG within one face.
        quality: of the JPEG, up to 95.
    """
    rows = -(-len(squares) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * side, rows * side))
    for number, square in enumerate(squares):
        face = Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS)
        row, column = divmod(number, SHEET_COLUMNS)
        sheet.paste(face, (column * side, row * side))
    file = io.BytesIO()
    sheet.save(file, "jpeg", quality=quality, subsampling="4:2:0", optimize=True)
    return file.getvalue()


def as_webp(square: np.ndarray) -> bytes:
    """A face as a lossless WebP, a quarter smaller than a PNG: uint8 (S, S, 3)."""
    file = io.BytesIO()
    Image.fromarray(square).save(file, "webp", lossless=True, quality=100, method=6)
    return file.getvalue()
