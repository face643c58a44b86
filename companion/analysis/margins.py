"""Equations 3 and 4 together: where a level begins, and where the loss bends.

The figures are returned and not shown.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1

SIZE = (4.6, 2.3)
"""Inches."""

BAND = "correct level after Eq. 3\n(levels 1 to 4)"


def draw_steps(to_level: Callable[[torch.Tensor], torch.Tensor]) -> Figure:
    """Draw Eq. 3 with targets × 2 as steps, and what `torch.round` makes of the ties.

    Args:
        to_level: outputs, float (N,) → levels 0..5, int (N,); a half rounds up.
    """
    ties = torch.arange(1.0, 10.0, 2.0)
    levels, to_even = to_level(ties), torch.round(ties / 2)
    figure, ax = plt.subplots(figsize=SIZE)
    starts, ends = [-2, *ties.tolist()], [*ties.tolist(), 12]
    ax.hlines(range(6), starts, ends, color="C0")
    ax.plot(ties, levels, "o", color="C0", ms=5, label="belongs to the step")
    hollow = {"color": "C0", "mfc": "white", "ms": 5, "zorder": 3}
    ax.plot(ties, levels - 1, "o", **hollow, label="does not belong")
    wrong = to_even != levels
    cross = {
        "color": "C5",
        "ms": 12,
        "mew": 1.5,
        "clip_on": False,
        "label": "torch.round differs",
    }
    ax.plot(ties[wrong], to_even[wrong], "x", **cross)
    ax.set(xlabel="output", ylabel="level", xticks=range(-1, 12, 2), title="Eq. 3")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.close(figure)
    return figure


def draw_losses(smooth_l1: Callable[[torch.Tensor], torch.Tensor]) -> Figure:
    """Draw Eq. 4 over the error in levels, with targets × 1 and × 2.

    A dot is where a loss turns linear. The band is where Eq. 3 gives the correct level
    of a face with one of the levels 1 to 4.

    Args:
        smooth_l1: errors of the output, float (N,) → losses, float (N,).
    """
    errors = torch.linspace(-2, 2, 401)
    figure, ax = plt.subplots(figsize=SIZE)
    for number, (scale, line) in enumerate(((1, "--"), (2, "-"))):
        losses = smooth_l1(scale * errors)
        ax.plot(errors, losses, line, color=f"C{number}", label=f"targets × {scale}")
        ends = torch.tensor([-1 / scale, 1 / scale])
        ax.plot(ends, smooth_l1(scale * ends), "o", color=f"C{number}", ms=5)
    ax.axvspan(-0.5, 0.5, color="0.9", zorder=0, label=BAND)
    ax.set(xlabel="error, levels", ylabel="loss", title="Eq. 4")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.close(figure)
    return figure


def shared_margin(
    scale: float,
    levels: tuple[int, ...] = (1, 2, 3, 4),
    outputs: tuple[int, int] = (0, 5),
) -> float:
    """The share of the outputs where a quadratic loss and a right answer go together.

    For each level, and outputs in steps of .001 levels, it is asked whether the loss of
    Eq. 4 is quadratic there, and whether Eq. 3 answers with the level.

    Args:
        scale: the factor of Eq. 3 and 4.
        levels: the true levels.
        outputs: from where to where, in levels.

    Returns:
        The share of the outputs, 0..1, where both are so or neither is.
    """
    grid = torch.arange(outputs[0] + 0.0005, outputs[1], 0.001)  # no point is a tie
    points = grid.repeat(len(levels), 1) * scale
    level = torch.tensor(levels).reshape(-1, 1).expand_as(points)
    points.requires_grad_()
    scaled_smooth_l1(points, level, scale).backward()
    steepness = points.grad.abs()
    quadratic = steepness < steepness.max() * 0.9999
    right = to_intensity(points.detach(), scale) == level
    return float((quadratic == right).float().mean())
