"""What notebook 05 draws: bars of frames per level, and squares with numbers in them.

Each function draws numbers on axes that it is given. The notebook makes the figure,
gives it a title and saves it.
"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from companion.base.figures import COLOURS

LEVELS = range(6)
BAR = 0.14  # width of a bar where six are side by side


def grouped_bars(ax: Axes, counts: pd.DataFrame, symlog: bool = False) -> None:
    """Draw frames per level, a group of bars for each AU, its level below each bar.

    Args:
        ax: where to draw.
        counts: frames at each level (rows 0..5) of each AU (columns).
        symlog: an axis on which rare levels can be read: logarithmic from 1, linear
            below it, so that a level without a frame is at 0.
    """
    colours = sns.color_palette("viridis", len(LEVELS))
    places = np.arange(counts.shape[1])
    middles = places[:, None] + BAR * (np.array(LEVELS) - 2.5)
    for level in LEVELS:
        ax.bar(middles[:, level], counts.loc[level], BAR, color=colours[level])
    ax.set_xticks(places, counts.columns)
    ax.set_xticks(middles.ravel(), [*LEVELS] * len(places), minor=True)
    ax.tick_params(axis="x", which="minor", length=0, pad=1, labelsize=5.5)
    ax.tick_params(axis="x", length=0, pad=9)
    ax.set(xlabel="intensity level, by AU", ylabel="frames")
    if symlog:
        ax.set_yscale("symlog", linthresh=1)
        ax.set(ylabel="frames, symlog", ylim=(0, 2 * max(counts.max(axis=None), 1)))
    ax.yaxis.set_major_formatter("{x:,.0f}")


def estimates_over_labels(
    axes: np.ndarray, estimated: pd.DataFrame, labelled: pd.DataFrame
) -> None:
    """Draw frames per level, estimates as bars and labels as outlines.

    On a linear axis the frequent levels can be compared, on a symlog one the rare ones:
    it is logarithmic from 1, and linear below, so that a level without a frame is at 0.

    Args:
        axes: array (2, Q) of axes of one figure, a column for each AU; the upper row
            gets the linear axis, and the figure a legend at the bottom.
        estimated: frames estimated at each level (rows 0..5) of each AU (columns).
        labelled: frames labelled so.
    """
    outline = {"fill": False, "edgecolor": "black", "linewidth": 1}
    for au, column in zip(labelled.columns, axes.T, strict=True):
        for ax in column:
            ax.bar(LEVELS, estimated[au], 0.8, color=COLOURS[4], label="estimates")
            ax.bar(LEVELS, labelled[au], 0.8, label="labels", **outline)
            ax.set_xticks(LEVELS)
            ax.tick_params(axis="x", length=0)
        column[0].set_title(au)
        column[1].set_yscale("symlog", linthresh=1)
    for ax, label in zip(axes[:, 0], ["frames", "frames, symlog"], strict=True):
        ax.set_ylabel(label)
        ax.yaxis.set_major_formatter("{x:,.0f}")
    axes[1, axes.shape[1] // 2].set_xlabel("intensity level")
    handles = axes[0, 0].get_legend_handles_labels()
    axes[0, 0].figure.legend(*handles, loc="outside lower center", ncols=2)


def confusion_map(ax: Axes, matrix: pd.DataFrame) -> None:
    """Draw a confusion matrix: frames as numbers, shares of the row as colours.

    Args:
        ax: where to draw, with a colour bar beside it.
        matrix: int table (6, 6), frames of each label (rows) and estimate (columns).
    """
    shares = matrix.div(matrix.sum(axis=1).clip(lower=1), axis=0)
    options = {"cmap": "cividis", "vmin": 0, "vmax": 1, "annot_kws": {"size": 6.5}}
    options["cbar_kws"] = {"label": "share of the row"}
    _heat_map(ax, shares, matrix.map("{:,}".format), **options)
    ax.set(xlabel="estimated level", ylabel="labelled level")


def correlation_maps(axes: np.ndarray, panels: dict[str, pd.DataFrame]) -> None:
    """Draw correlations, −1 in one colour, 1 in another, and 0 in white.

    Args:
        axes: array (P,) of axes of one figure; they share a colour bar.
        panels: title → float table of Pearson's r; what is NaN stays empty.
    """
    options = {"cmap": "PuOr_r", "vmin": -1, "vmax": 1, "annot_kws": {"size": 7}}
    for ax, (title, table) in zip(axes, panels.items(), strict=True):
        rounded = table.round(2) + 0.0  # no −0.00
        numbers = rounded.map(lambda r: f"{r:.2f}".replace("-", "−"))
        squares = _heat_map(ax, table, numbers, cbar=False, **options)
        ax.set_title(title)
    ax.figure.colorbar(squares, ax=list(axes), label="Pearson's r", shrink=0.7)


def tidy_counts(counts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row for each AU and level, for the CSV of a figure.

    Args:
        counts: column → frames at each level (rows) of each AU (columns).

    Returns:
        Columns au, level and those of `counts`.
    """
    table = pd.DataFrame({name: levels.unstack() for name, levels in counts.items()})
    return table.rename_axis(["au", "level"]).reset_index()


def _heat_map(
    ax: Axes, values: pd.DataFrame, numbers: pd.DataFrame, **options: object
) -> QuadMesh:
    """seaborn's, its numbers black or white, whichever is easier to read."""
    sns.heatmap(values, annot=numbers, fmt="", square=True, ax=ax, **options)
    squares = ax.collections[0]
    filled = squares.get_facecolors()[values.notna().to_numpy().ravel()]
    for text, colour in zip(ax.texts, filled, strict=True):
        light = sns.utils.relative_luminance(colour) > 0.18
        text.set_color("black" if light else "white")
    ax.set(xlabel="", ylabel="")
    ax.tick_params(rotation=0, length=0, labelsize=7)
    return squares
