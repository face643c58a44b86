"""The style of the figures, and the files of a figure."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from origins import ORIGIN, said

from companion.base.figures import COLOURS, figure_style, save_figure


def draw():
    figure_style()
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 1], label="x")
    return figure


@pytest.fixture
def figure():
    figure = draw()
    yield figure
    plt.close(figure)


def test_figures_are_the_same_bytes_each_time(tmp_path):
    for directory in (tmp_path / "a", tmp_path / "b"):
        figure = draw()
        save_figure(figure, directory, "line", pd.DataFrame({"x": [0, 1]}), ORIGIN)
        plt.close(figure)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [f"line.{s}" for s in ("csv", "origin.json", "pdf", "png", "svg")]
    for name in names:
        one, other = (tmp_path / k / name for k in "ab")
        assert one.read_bytes() == other.read_bytes(), name


def test_numbers_have_six_digits_and_no_index(figure, tmp_path):
    numbers = pd.DataFrame({"AU": ["AU06"], "ICC": [2 / 3], "frames": [1234567]})
    save_figure(figure, tmp_path, "line", numbers, ORIGIN)
    text = (tmp_path / "line.csv").read_text()
    assert text == "AU,ICC,frames\nAU06,0.666667,1234567\n"


@pytest.mark.parametrize("suffix", ["csv", "pdf", "png", "svg"])
def test_each_file_says_its_origin_and_no_time(figure, tmp_path, suffix):
    numbers = pd.DataFrame({"x": [0, 1]})
    save_figure(figure, tmp_path, "line", numbers, ORIGIN)
    path = tmp_path / f"line.{suffix}"
    assert said(path) == ORIGIN
    text = path.read_bytes().decode("latin-1")
    assert not re.search(r"CreationDate|dc:date|\b20\d\d-\d\d-\d\d", text)


@pytest.mark.parametrize("cell", [[0.5], (1, 2), np.array([0.25, 1]), {"a": 1}])
def test_a_cell_that_no_csv_can_hold_is_refused(figure, tmp_path, cell):
    numbers = pd.DataFrame({"AU": ["AU06"], "values": [cell]})
    with pytest.raises(TypeError, match="line: column 'values' holds lists"):
        save_figure(figure, tmp_path / "figures", "line", numbers, ORIGIN)
    assert not (tmp_path / "figures").exists()


def test_lines_have_colours_for_the_colour_blind(figure):
    (line,) = figure.axes[0].get_lines()
    assert line.get_color() == COLOURS[0]
