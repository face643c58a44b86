"""What notebook 07 says and draws about ICC(3,1)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aulib.icc import icc_3_1
from companion.analysis.effects_report import signed


def toy_table(truth: np.ndarray, judges: dict[str, np.ndarray]) -> pd.DataFrame:
    """ICC(3,1), Pearson's r and the mean absolute error of judges against the truth.

    Args:
        truth: float or int array (N,), not constant.
        judges: name → answers, array (N,); r and ICC of a constant are 0.
    """
    rows = {}
    for name, answers in judges.items():
        constant = answers.std() == 0
        rows[name] = {
            "ICC(3,1)": icc_3_1(np.column_stack([truth, answers])),
            "Pearson's r": 0.0 if constant else np.corrcoef(truth, answers)[0, 1],
            "mean absolute error": np.abs(truth - answers).mean(),
        }
    return pd.DataFrame(rows).T


def draw_judges(
    axes: Iterable[Axes],
    truth: np.ndarray,
    judges: dict[str, np.ndarray],
    scores: pd.Series,
    seed: int = 0,
) -> None:
    """Draw each judge's levels over the coder's, moved a little so that points show.

    Args:
        axes: one for each judge.
        truth: array (N,), the coder's levels.
        judges: name → answers, array (N,).
        scores: name → ICC(3,1), for the titles.
        seed: of the small moves.
    """
    moves = np.random.default_rng(seed).normal(0, 0.12, (2, len(truth)))
    for ax, (name, answers) in zip(axes, judges.items(), strict=True):
        ax.plot([0, 5], [0, 5], color="0.6", lw=0.8)
        ax.plot(truth + moves[0], answers + moves[1], ".", ms=2)
        ax.set(title=f"{name}\nICC {scores[name]:.2f}", xlabel="coder's level")
        ax.set_xticks(range(6))
    ax.figure.axes[0].set_ylabel("network's level")


def draw_ways(ax: Axes, off_by: pd.Series, gain: float) -> None:
    """Draw by how much each other way moves the score, the largest rise on top.

    Args:
        ax: where to draw.
        off_by: way → difference to Table II's rule.
        gain: ways that move it by more are drawn in colour.
    """
    shown = off_by.sort_values(kind="stable")
    colours = ["C0" if abs(value) > gain else "0.7" for value in shown]
    ax.barh(shown.index, shown, color=colours)
    ax.axvline(0, color="black", lw=0.6)
    ax.set_xlabel("mean ICC(3,1) less that of Table II's rule")


def describe_ways(off_by: pd.Series, gain: float, asked: list[str]) -> str:
    """How many ways move the score by more than the paper's gain; Markdown.

    Args:
        off_by: way → difference to Table II's rule, which itself is left out.
        gain: the paper's.
        asked: the ways of which the one that moves it most is named.
    """
    moved = int((off_by.abs() > gain).sum())
    worst = off_by[asked].abs().idxmax()
    return (
        f"{moved} of {len(off_by)} ways move the mean by more than {gain:.3f}, the "
        f"gain in Table II. Of the {len(asked)} in the question, “{worst}” moves it "
        f"most, by {signed(off_by[worst])}."
    )


def describe_places(measures: pd.DataFrame) -> str:
    """Whether two measures put the rows in the same order; Markdown.

    Args:
        measures: from `companion.analysis.rows.measure_table`.
    """
    order = measures["ICC(3,1)"].rank(ascending=False)
    errors = measures["MAE"].rank()
    said = (
        f"By ICC(3,1) the best row is *{order.idxmin()}*, by mean absolute error "
        f"*{errors.idxmin()}*. "
    )
    apart = (order - errors).abs()
    if not apart.max() > 0:
        return said + "Both put all rows in the same order."
    other = apart.idxmax()
    return said + (
        f"The place of *{other}* changes most: place {order[other]:g} by ICC, "
        f"place {errors[other]:g} by error."
    )


def describe_strongest(recall: pd.Series, labels: np.ndarray) -> str:
    """Which rows find most and least of the strongest expressions; Markdown.

    Args:
        recall: row → recall of level 5, NaN where no frame has it.
        labels: int array, the known labels.
    """
    found = recall.dropna()
    strongest = int((labels == 5).sum())
    if not len(found):
        return "No label is 5."
    most, least = found.idxmax(), found.idxmin()
    return (
        f"Of the frames at level 5, averaged over the AUs, *{most}* finds "
        f"{100 * found[most]:.0f} %, and *{least}* {100 * found[least]:.0f} %. Only "
        f"{strongest:,} of {labels.size:,} labels are 5; they weigh little in a "
        "covariance."
    )
