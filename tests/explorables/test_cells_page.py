"""The cells of the confusion matrices and the faces in them."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from javascript import SCRIPTS, evaluate
from PIL import Image

from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES
from companion.training.outputs import OUTPUT_NAMES
from companion.workflow.explorables import LARGEST_FILE, squares_of


@pytest.fixture(scope="module")
def cells(made) -> dict:
    return evaluate([made.scripts / "data_confusion.js"], "EXPLORABLES.confusion")


def test_matrices_are_pandas_crosstabs_of_the_best_epoch(made, cells):
    frames = made.outputs[made.outputs["epoch"] == 2]
    for au, output, matrix in zip(AU_NAMES, OUTPUT_NAMES, cells["counts"]):
        known = frames[frames[au] != 9]
        guesses = np.floor(known[output] / 2 + 0.5).clip(0, 5).astype(int)
        levels = range(6)
        table = pd.crosstab(known[au], guesses).reindex(levels, columns=levels)
        np.testing.assert_array_equal(matrix, table.fillna(0))


def test_every_cell_shows_its_own_frames_up_to_a_dozen(cells):
    shown = {tuple(cell[:3]): cell[3] for cell in cells["cells"]}
    for au, matrix in enumerate(np.array(cells["counts"])):
        for label, estimate in np.ndindex(6, 6):
            places = shown.get((au, label, estimate), [])
            assert len(places) == min(12, matrix[label, estimate])
            assert len(set(places)) == len(places)
            for place in places:
                output = cells["faces"][place]["outputs"][au]
                assert np.clip(np.floor(output / 2 + 0.5), 0, 5) == estimate


def test_the_sheet_has_the_faces_in_their_places(made, cells):
    sheet = Image.open(io.BytesIO(base64.b64decode(cells["sheet"])))
    side = sheet.width // cells["columns"]
    assert side == 80 and sheet.height == side * cells["rows"]
    index = made.store.index
    for place, face in enumerate(cells["faces"]):
        same = (index["subject"] == face["subject"]) & (index["frame"] == face["frame"])
        (row,) = np.flatnonzero(same & (index["task"] == face["task"]))
        (square,) = squares_of(made.store, np.array([row]))
        small = Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS)
        y, x = divmod(place, cells["columns"])
        box = (x * side, y * side, (x + 1) * side, (y + 1) * side)
        off = np.abs(np.asarray(sheet.crop(box), int) - np.asarray(small, int)).mean()
        assert off < 8, face  # JPEG's losses; another face would be 40 off


def test_the_committed_matrix_of_au12_is_figure_6():
    path = SCRIPTS / "data_confusion.js"
    matrices = evaluate([path], "EXPLORABLES.confusion.counts")
    figure = pd.read_csv(ROOT / "figures" / "figure_6.csv")
    table = figure.pivot(index="label", columns="estimate", values="frames")
    np.testing.assert_array_equal(matrices[AU_NAMES.index("AU12")], table)
    assert path.stat().st_size <= LARGEST_FILE
