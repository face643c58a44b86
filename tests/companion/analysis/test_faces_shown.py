import io

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix

from aulib import UNKNOWN
from companion.analysis.faces_shown import (
    SHEET_COLUMNS,
    as_webp,
    count_cells,
    cover_levels,
    draw_sprites,
    fill_cells,
)

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 6, (400, 5))
LABELS[:40, 1] = UNKNOWN
ESTIMATES = (LABELS % 9 + GENERATOR.integers(-1, 2, LABELS.shape)).clip(0, 5)
PEOPLE = np.array([f"F{n % 7:03d}" for n in range(400)])


def test_cells_are_counted_as_scikit_learn_does():
    for au, matrix in enumerate(count_cells(LABELS, ESTIMATES)):
        known = LABELS[:, au] != UNKNOWN
        truth, guess = LABELS[known, au], ESTIMATES[known, au]
        expected = confusion_matrix(truth, guess, labels=range(6))
        np.testing.assert_array_equal(matrix, expected)


def test_each_cell_gets_its_frames_and_people_take_turns():
    cells = fill_cells(LABELS, ESTIMATES, PEOPLE, 7)
    counts = count_cells(LABELS, ESTIMATES)
    assert set(cells) == {tuple(map(int, cell)) for cell in np.argwhere(counts)}
    for (au, label, estimate), rows in cells.items():
        inside = (LABELS[:, au] == label) & (ESTIMATES[:, au] == estimate)
        assert inside[rows].all() and len(rows) == min(7, inside.sum())
        people = len(set(PEOPLE[inside]))
        assert len(set(PEOPLE[rows])) == min(7, people)


def test_frames_that_are_shown_already_come_first():
    """One person and 30 equal AUs need no more frames than one AU."""
    truth = np.repeat(LABELS[:, :1], 30, axis=1)
    cells = fill_cells(truth, truth, np.full(400, "F001"), 12)
    assert len(set().union(*cells.values())) == 6 * 12


def test_faces_cover_levels_and_people():
    chosen = cover_levels(LABELS, PEOPLE, 14)
    assert len(set(chosen)) == 14
    assert sorted(PEOPLE[chosen]) == sorted([*set(PEOPLE)] * 2)
    spread = [len(set(levels) - {UNKNOWN}) for levels in LABELS[chosen].T]
    assert spread == [6] * 5
    assert len(cover_levels(LABELS[:3], PEOPLE[:3], 30)) == 3
    np.testing.assert_array_equal(chosen, cover_levels(LABELS, PEOPLE, 14))


@pytest.mark.parametrize("count", [1, SHEET_COLUMNS, SHEET_COLUMNS + 1])
def test_a_sheet_has_full_rows(count):
    squares = np.full((count, 24, 24, 3), 200, dtype=np.uint8)
    sheet = Image.open(io.BytesIO(draw_sprites(squares, 16, 60)))
    assert sheet.size == (16 * SHEET_COLUMNS, 16 * -(-count // SHEET_COLUMNS))


def test_a_picture_is_the_face_bit_for_bit():
    face = GENERATOR.integers(0, 256, (20, 20, 3)).astype(np.uint8)
    np.testing.assert_array_equal(Image.open(io.BytesIO(as_webp(face))), face)
