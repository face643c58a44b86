"""The picture of the way: every stage, arrow and number is drawn, inside its box."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.patches import FancyBboxPatch, Rectangle
from origins import ORIGIN

from companion.analysis.diagram import draw_way, way_stages
from companion.base.figures import figure_style, save_figure

BLOCKS = pd.DataFrame(
    {
        "block": ["conv 1", "conv 2", "fc 1", "fc 2", "fc 3"],
        "channels": [8, 16, 512, 4096, 5],
        "cells": [56, 14, 1, 1, 1],
    }
)


def stages(frames_per_task=2) -> pd.DataFrame:
    frames = {"train": 3024, "evaluation": 1280}
    return way_stages(41, 8, frames, frames_per_task, (348, 260), 112, BLOCKS)


@pytest.fixture
def figure():
    figure_style()
    figure = draw_way(stages(), BLOCKS)
    figure.canvas.draw()
    yield figure
    plt.close(figure)


def test_the_stages_hold_the_numbers():
    table = stages({"train": 18, "evaluation": 8}).set_index("stage")
    pictures = "41 people x 8 tasks\n= 328 sequences,\n348 x 260 pixels"
    assert table.loc["pictures and codes", "text"] == pictures
    frames = "3,024 to train (18 a sequence),\n1,280 to evaluate (8)"
    assert table.loc["frames and quarantine", "text"] == frames
    assert "112 pixels" in table.loc["crops of the faces", "text"]
    assert "5 outputs" in table.index
    same = stages(2).set_index("stage").loc["frames and quarantine", "text"]
    assert same == "3,024 to train (2 a sequence),\n1,280 to evaluate (2)"


def test_the_way_meets_the_notebooks_in_their_order():
    table = stages().set_index("stage")
    assert table["notebook"].tolist() == sorted(table["notebook"])
    assert table.loc["levels", "notebook"] == "03"  # where Eq. 3 is explained
    beside = " ".join(table["text"])
    assert all(f": {number}" in beside for number in ("05", "06", "07", "08"))


def test_all_of_it_is_drawn(figure):
    (ax,) = figure.axes
    drawn = [text.get_text() for text in ax.texts]
    for column in ("stage", "text", "notebook"):
        assert {*stages()[column]} <= {*drawn, ""}
    sizes = ["8 maps,\n56 x 56", "16 maps,\n14 x 14", "512\nunits"]
    assert {*sizes, "4,096\nfeatures", "5\noutputs", *BLOCKS["block"]} <= {*drawn}
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == len(stages()) - 1


def test_the_squares_shrink_with_the_maps_and_the_bars_with_the_units(figure):
    shapes = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    one, two, *bars = shapes
    assert one.get_width() == pytest.approx(2 * two.get_width())  # root of 56 / 14
    assert one.get_width() == one.get_height()
    heights = [bar.get_height() for bar in bars]
    assert heights[1] == max(heights) and heights[2] == min(heights)


def test_no_text_leaves_its_box_or_covers_another(figure):
    (ax,) = figure.axes
    boxes = [p.get_window_extent() for p in ax.patches if isinstance(p, FancyBboxPatch)]
    texts = [text.get_window_extent() for text in ax.texts if text.get_text()]
    for number, text in enumerate(texts):
        for box in boxes:
            inside = box.x0 < text.x0 and text.x1 < box.x1
            inside &= box.y0 < text.y0 and text.y1 < box.y1
            assert inside or not box.overlaps(text)
        assert not any(text.overlaps(other) for other in texts[:number])


def test_it_can_be_saved(figure, tmp_path):
    save_figure(figure, tmp_path, "way_of_the_data", stages(), ORIGIN)
    path = tmp_path / "way_of_the_data.csv"
    saved = pd.read_csv(path, keep_default_na=False, dtype={"notebook": str})
    pd.testing.assert_frame_equal(saved, stages())
    assert (tmp_path / "way_of_the_data.svg").stat().st_size > 1000
