"""What notebook 05's drawing functions put on the axes they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from companion.analysis import plots
from companion.base.figures import figure_style
from companion.bp4d import AU_NAMES

AUS = list(AU_NAMES)


@pytest.fixture(autouse=True)
def style():
    figure_style()
    yield
    plt.close("all")


def counts(seed=0):
    values = np.random.default_rng(seed).integers(0, 900, (6, 5))
    values[5, 4] = 0
    return pd.DataFrame(values, columns=AUS)


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def test_a_bar_for_each_level_of_each_au():
    ax, table = plt.figure().add_subplot(), counts()
    plots.grouped_bars(ax, table)
    np.testing.assert_array_equal(np.reshape(heights(ax), (6, 5)), table)
    assert [text.get_text() for text in ax.get_xticklabels()] == AUS
    left = sorted(bar.get_x() for bar in ax.patches)
    assert np.diff(left).min() > plots.BAR - 1e-9  # no bar over its neighbour
    ax.figure.canvas.draw()
    digits = [tick.label1.get_text() for tick in ax.xaxis.get_minor_ticks()]
    assert digits == ["0", "1", "2", "3", "4", "5"] * 5
    middles = sorted(bar.get_x() + bar.get_width() / 2 for bar in ax.patches)
    np.testing.assert_allclose(ax.get_xticks(minor=True), middles)
    assert (ax.get_yscale(), ax.get_ylabel()) == ("linear", "frames")


def test_rare_levels_are_seen_on_a_symlog_axis():
    ax, table = plt.figure().add_subplot(), counts() * 0
    table.loc[0], table.loc[5] = 50_000, [0, 1, 2, 4, 8]
    plots.grouped_bars(ax, table, symlog=True)
    assert (ax.get_yscale(), ax.get_ylabel()) == ("symlog", "frames, symlog")
    bottom, top = ax.transAxes.inverted().transform(
        ax.transData.transform([(0, 0), (0, 1)])
    )[:, 1]
    assert bottom == 0 and top > 0.1  # one frame is a visible bar


def test_estimates_are_bars_and_labels_outlines_on_two_axes():
    figure, axes = plt.subplots(2, 5, sharex=True, sharey="row")
    estimated, labelled = counts(1), counts(2)
    plots.estimates_over_labels(axes, estimated, labelled)
    for au, column in zip(AUS, axes.T):
        for ax in column:
            assert heights(ax) == [*estimated[au], *labelled[au]]
            filled = [bar.get_fill() for bar in ax.patches]
            assert filled == [True] * 6 + [False] * 6
            edges = [(b.get_x(), b.get_x() + b.get_width()) for b in ax.patches[6:]]
            ends = np.ravel(edges)
            assert (np.diff(ends) > 0).all(), "an outline crosses its neighbour"
        assert column[0].get_title() == au
        assert [ax.get_yscale() for ax in column] == ["linear", "symlog"]
    figure.canvas.draw()
    bottom, top = axes[1, 4].get_ylim()
    assert bottom == 0 and top > max(estimated.max(axis=None), 1)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["estimates", "labels"]


def test_no_frames_at_all_can_be_drawn():
    figure, axes = plt.subplots(2, 5, sharex=True, sharey="row")
    plots.estimates_over_labels(axes, counts() * 0, counts() * 0)
    figure.canvas.draw()


def test_a_confusion_matrix_has_its_counts_and_row_shares():
    matrix = pd.DataFrame(np.arange(36).reshape(6, 6) * 50)
    matrix.loc[3] = 0  # a level that no frame has
    ax = plt.figure().add_subplot()
    plots.confusion_map(ax, matrix)
    texts = [text.get_text() for text in ax.texts]
    assert texts == [f"{n:,}" for n in matrix.to_numpy().ravel()]
    shares = ax.collections[0].get_array().reshape(6, 6)
    sums = shares.sum(axis=1)
    np.testing.assert_allclose(sums, [1, 1, 1, 0, 1, 1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("estimated level", "labelled level")


def test_numbers_are_black_on_light_squares_and_white_on_dark_ones():
    matrix = pd.DataFrame(np.eye(6, dtype=int) * 7)
    ax = plt.figure().add_subplot()
    plots.confusion_map(ax, matrix)
    colours = np.reshape([text.get_color() for text in ax.texts], (6, 6))
    assert (np.diag(colours) == "black").all()  # cividis is yellow at 1
    assert (colours[~np.eye(6, dtype=bool)] == "white").all()


def test_correlations_share_one_colour_scale():
    one = pd.DataFrame(np.eye(5) - 0.004, AUS, AUS)
    other = one.copy()
    other.loc["AU17"] = np.nan  # a constant AU
    other["AU17"] = np.nan
    other.iloc[0, 1] = -0.5
    figure, axes = plt.subplots(1, 2)
    plots.correlation_maps(axes, {"labels": one, "estimates": other})
    assert [ax.get_title() for ax in axes] == ["labels", "estimates"]
    assert [ax.collections[0].get_clim() for ax in axes] == [(-1, 1), (-1, 1)]
    texts = [text.get_text() for text in axes[0].texts]
    assert texts.count("0.00") == 20 and texts.count("1.00") == 5  # no −0.00
    texts = [text.get_text() for text in axes[1].texts]
    assert len(texts) == 16 and texts[1] == "−0.50"
    assert axes[1].texts[0].get_color() == "white"
    figure.canvas.draw()


def test_a_row_for_each_au_and_level():
    one, other = counts(1), counts(2)
    table = plots.tidy_counts({"frames": one, "labels": other})
    assert list(table) == ["au", "level", "frames", "labels"] and len(table) == 30
    for au, level, frames, labels in table.itertuples(index=False):
        assert (frames, labels) == (one.loc[level, au], other.loc[level, au])
