"""The one style of all figures, and how a figure is saved."""

import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from IPython import get_ipython
from matplotlib.figure import Figure
from matplotlib_inline.config import InlineBackend

from companion.base.tables import save_table

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
    figure: Figure,
    directory: Path,
    name: str,
    numbers: pd.DataFrame,
    origin: dict,
) -> None:
    """Write `<name>.png`, `.svg`, `.pdf` and, with the numbers drawn, `.csv`.

    Each says its origin, as JSON: the PNG in its text chunk Description, the SVG in
    its metadata (dc:description), the PDF as its subject, the CSV in the file beside it
    (`companion.base.tables.origin_path`).

    Args:
        figure: which stays open.
        directory: where the files go; it is made if it is missing.
        name: of the files.
        numbers: what is drawn.
        origin: from `companion.base.provenance.file_origin`.

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
    said = json.dumps(origin)
    for suffix, metadata in {
        "png": {"Description": said, "Software": None},
        "svg": {"Description": said, "Date": None},
        "pdf": {"Subject": said, "CreationDate": None},
    }.items():
        figure.savefig(directory / f"{name}.{suffix}", metadata=metadata)
    path = directory / f"{name}.csv"
    save_table(numbers, path, origin, index=False, float_format="%.6g")
