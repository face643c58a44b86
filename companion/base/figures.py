"""The one style of all figures, and how a figure is saved."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from IPython import get_ipython
from matplotlib.figure import Figure
from matplotlib_inline.config import InlineBackend

COLUMN_WIDTH, TEXT_WIDTH = 3.4, 7.0
"""Inches: a figure in one column, and across both columns, of a two-column page."""

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
"""Safe for colour-blind readers (Okabe and Ito, 2008)."""


def figure_style() -> None:
    """Set matplotlib up: legible at column width, vector files reproducible.

    The figures do not depend on the user's settings: `MPLBACKEND`, a `matplotlibrc`,
    IPython's configuration. In a notebook they appear as PNG below their cells.
    """
    if shell := get_ipython():
        shell.run_line_magic("matplotlib", "inline")
        inline = InlineBackend.instance(parent=shell)
        inline.figure_formats, inline.rc = {"png"}, {}
        inline.print_figure_kwargs = {"bbox_inches": "tight"}
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 300,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
            "legend.frameon": False,
            "svg.hashsalt": "aulib",
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
        }
    )


def save_figure(
    figure: Figure, directory: Path, name: str, numbers: pd.DataFrame
) -> None:
    """Write `<name>.png`, `.svg`, `.pdf` and, with the numbers drawn, `.csv`.

    Raises:
        TypeError: a cell of `numbers` is a list or an array, which no CSV can hold.
    """
    nested = numbers.map(
        lambda cell: hasattr(cell, "__len__") and type(cell) is not str
    )
    if nested.any(axis=None):
        column = nested.any().idxmax()
        raise TypeError(f"{name}: column {column!r} holds lists; give each its column")
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / f"{name}.png", metadata={"Software": None})
    figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
    figure.savefig(directory / f"{name}.pdf", metadata={"CreationDate": None})
    numbers.to_csv(directory / f"{name}.csv", index=False, float_format="%.6g")
