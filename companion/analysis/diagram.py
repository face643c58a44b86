"""The way of the data as boxes and arrows, which notebook 00 opens with."""

from collections.abc import Mapping
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from companion.base.figures import COLOURS, TEXT_WIDTH

# In units of the drawing, of which 2 are an inch.
WIDTH, HEIGHT = 2 * TEXT_WIDTH, 8.0
ROWS = ((6.3, 1.6), (2.8, 2.6), (0.1, 1.8))
"""Of each row of boxes, the lower edge and the height; row 1 holds the network."""
NETWORK = 1
GAP = 1.0  # between the boxes of a row: the length of an arrow
TALLEST = 1.2  # map or bar of the network
SMALL = 7  # points


def way_stages(
    people: int,
    tasks: int,
    frames: Mapping[str, int],
    frames_per_task: int | Mapping[str, int],
    picture: tuple[int, int],
    crop: int,
    blocks: pd.DataFrame,
) -> pd.DataFrame:
    """The stages from the pictures to Table II, with their numbers.

    Args:
        people: of the data set.
        tasks: of each person.
        frames: the frames that have a picture, of "train" and of "evaluation".
        frames_per_task: of each sequence, or of each sequence of a split.
        picture: height and width in pixels.
        crop: smaller side of a crop in pixels.
        blocks: from `companion.analysis.blocks.network_blocks`.

    Returns:
        One row for each stage, in order: `stage`; `text`, its lines, in which a
        notebook beside the way has a colon before its number; `notebook`, what is
        written on the arrow that leads to it; and `row` of the drawing, from 0. Along
        the way the notebooks' numbers never fall.
    """
    outputs = blocks["channels"].iloc[-1]
    each = {"train": frames_per_task, "evaluation": frames_per_task}
    if isinstance(frames_per_task, Mapping):
        each = dict(frames_per_task)
    tree = (
        f"{people} people x {tasks} tasks\n= {people * tasks} sequences,\n"
        f"{picture[0]} x {picture[1]} pixels"
    )
    split = (
        f"{frames['train']:,} to train ({each['train']} a sequence),\n"
        f"{frames['evaluation']:,} to evaluate ({each['evaluation']})"
    )
    stages = [
        ("pictures and codes", tree, "", 0),
        ("frames and quarantine", split, "01", 0),
        ("crops of the faces", f"smaller side\n{crop} pixels", "01", 0),
        ("VGG16", "", "02 and 03", NETWORK),
        (f"{outputs} outputs", "one for\neach AU", "03", 2),
        ("Eq. 3", "scale, round,\nlimit", "03", 2),
        ("levels", "0 to 5 for\neach AU;\nfigures: 05", "03", 2),
        ("ICC(3,1)", f"{outputs} scores and\ntheir mean;\nexplained: 07", "04", 2),
        ("Table II", "ablation: 06\nclaims: 08", "04", 2),
    ]
    return pd.DataFrame(stages, columns=["stage", "text", "notebook", "row"])


def draw_way(stages: pd.DataFrame, blocks: pd.DataFrame) -> Figure:
    """Draw the stages as boxes, with an arrow from each to the next.

    Args:
        stages: from `way_stages`.
        blocks: from `companion.analysis.blocks.network_blocks`. In the network's box, a
            block of convolutions is a square, its side in proportion to the root of the
            map's; a connected layer is a bar, its height to the logarithm of its units.
    """
    figure, ax = plt.subplots(figsize=(WIDTH / 2, HEIGHT / 2))
    ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    ax.set_axis_off()
    before = None
    for row, (low, height) in enumerate(ROWS):
        members = stages[stages["row"] == row]
        width = (WIDTH - 0.2 + GAP) / len(members) - GAP
        for number, stage in enumerate(members.itertuples()):
            left = 0.1 + number * (width + GAP)
            _draw_box(ax, (left, low, width, height), stage, COLOURS[row])
            if number:
                ends = [(left - GAP, low + height / 2), (left, low + height / 2)]
            elif before:
                ends = _turn(before, (left + min(width / 2, 1), low + height))
            if before:
                _draw_arrow(ax, ends, stage.notebook)
            before = (left + width / 2, low)
            if row == NETWORK:
                _draw_network(ax, blocks, low)
                before = (left + width - 1, low)
    return figure


def _draw_box(
    ax: Axes, box: tuple[float, float, float, float], stage: tuple, colour: str
) -> None:
    """A box (left, low, width, height) with the stage's name and text."""
    left, low, width, height = box
    shape = FancyBboxPatch(
        (left, low), width, height, boxstyle="round,pad=0,rounding_size=.15"
    )
    shape.set(facecolor=f"{colour}22", edgecolor=colour)
    ax.add_patch(shape)
    centre, top = left + width / 2, low + height
    ax.text(centre, top - 0.15, stage.stage, weight="bold", ha="center", va="top")
    middle = low + (height - 0.45) / 2
    ax.text(centre, middle, stage.text, fontsize=SMALL, ha="center", va="center")


def _turn(
    start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    """From below one box to above another: down, across, down."""
    middle = (start[1] + end[1]) / 2
    return [start, (start[0], middle), (end[0], middle), end]


def _draw_arrow(ax: Axes, ends: list[tuple[float, float]], text: str) -> None:
    """An arrow along straight lines, with text over the middle of its longest one."""
    ax.plot(*zip(*ends[:-1]), color="0.3", lw=1, solid_capstyle="butt")
    style = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", ends[-1], ends[-2], arrowprops=style)
    one, other = max(pairwise(ends), key=lambda line: abs(line[1][0] - line[0][0]))
    place = ((one[0] + other[0]) / 2, one[1] + 0.08)
    ax.text(*place, text, fontsize=SMALL, ha="center", va="bottom")


def _draw_network(ax: Axes, blocks: pd.DataFrame, low: float) -> None:
    """The blocks side by side, each with its name and its output's size."""
    step, middle = (WIDTH - 0.2) / len(blocks), low + 1.25
    widest, most = blocks["cells"].max(), np.log(blocks["channels"].max())
    for number, block in enumerate(blocks.itertuples()):
        centre = 0.1 + step * (number + 0.5)
        if block.block.startswith("conv"):
            width = height = TALLEST * np.sqrt(block.cells / widest)
            size = f"{block.channels} maps,\n{block.cells} x {block.cells}"
        else:
            width, height = 0.16, TALLEST * np.log(block.channels) / most
            kind = {len(blocks) - 2: "features", len(blocks) - 1: "outputs"}
            size = f"{block.channels:,}\n{kind.get(number, 'units')}"
        corner = (centre - width / 2, middle - height / 2)
        ax.add_patch(Rectangle(corner, width, height, color=COLOURS[NETWORK], lw=0))
        label = {"fontsize": SMALL, "ha": "center"}
        ax.text(centre, low + 0.08, size, va="bottom", **label)
        ax.text(centre, low + 1.95, block.block, va="bottom", color="0.3", **label)
