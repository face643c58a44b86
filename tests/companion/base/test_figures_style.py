"""The style of the figures, and the four files of a figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

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
        save_figure(figure, directory, "line", pd.DataFrame({"x": [0, 1]}))
        plt.close(figure)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["line.csv", "line.pdf", "line.png", "line.svg"]
    for name in names:
        one, other = (tmp_path / k / name for k in "ab")
        assert one.read_bytes() == other.read_bytes(), name


def test_numbers_have_six_digits_and_no_index(figure, tmp_path):
    numbers = pd.DataFrame({"AU": ["AU06"], "ICC": [2 / 3], "frames": [1234567]})
    save_figure(figure, tmp_path, "line", numbers)
    text = (tmp_path / "line.csv").read_text()
    assert text == "AU,ICC,frames\nAU06,0.666667,1234567\n"


@pytest.mark.parametrize("cell", [[0.5], (1, 2), np.array([0.25, 1]), {"a": 1}])
def test_a_cell_that_no_csv_can_hold_is_refused(figure, tmp_path, cell):
    numbers = pd.DataFrame({"AU": ["AU06"], "values": [cell]})
    with pytest.raises(TypeError, match="line: column 'values' holds lists"):
        save_figure(figure, tmp_path / "figures", "line", numbers)
    assert not (tmp_path / "figures").exists()


def test_lines_have_colours_for_the_colour_blind(figure):
    (line,) = figure.axes[0].get_lines()
    assert line.get_color() == COLOURS[0]
