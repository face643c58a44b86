"""What notebook 07 says and draws about ICC(3,1)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aulib.icc import icc_3_1
from companion.analysis.printing import signed

CUT = 0.1
"""Where longer bars of `draw_ways` are cut off."""

ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


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
        ax.set(title=f"{name}\nICC {scores[name]:.3f}", xlabel="coder's level")
        ax.set_xticks(range(6))
    ax.figure.axes[0].set_ylabel("network's level")


def beyond(off_by: pd.Series, gain: float) -> pd.Series:
    """Which ways move the score by more than the paper's gain, by its three digits.

    Args:
        off_by: way → difference to Table II's rule.
        gain: the paper's.
    """
    return off_by.abs().round(3) > round(gain, 3)


def draw_ways(ax: Axes, off_by: pd.Series, gain: float) -> None:
    """Draw by how much each other way moves the score, the largest rise on top.

    Bars are cut at `CUT`, which an arrow shows; each has its number on the right.

    Args:
        ax: where to draw.
        off_by: way → difference to Table II's rule.
        gain: ways that move it by more are drawn in colour.
    """
    shown = off_by.sort_values(kind="stable")
    colours = np.where(beyond(shown, gain), "C0", "0.7").tolist()
    ax.barh(shown.index, shown.clip(-CUT, CUT), color=colours)
    ax.axvline(0, color="black", lw=0.6)
    for y, value in enumerate(shown):
        if abs(value) > CUT:
            arrow = "<" if value < 0 else ">"
            ax.plot(np.sign(value) * CUT, y, arrow, color="C0", ms=8, clip_on=False)
        number = "–" if np.isnan(value) else signed(value)
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "center"}
        ax.text(1.15, y, number, **place)
    ax.set_xlim(-CUT, max(0.02, 1.2 * min(shown.max(), CUT)))
    ax.set_xlabel("mean ICC(3,1) less that of Table II's rule")


def describe_ways(off_by: pd.Series, gain: float, asked: list[str]) -> str:
    """How many ways move the score by more than the paper's gain; Markdown.

    Args:
        off_by: way → difference to Table II's rule, which itself is left out.
        gain: the paper's.
        asked: the ways of which the one that moves it most is named.
    """
    worst = off_by[asked].abs().idxmax()
    equal = off_by.index[off_by.abs().round(3) == round(gain, 3)]
    tie = "".join(
        f" “{name}” changes it by {signed(off_by[name])}, which rounds to the gain, so "
        "it is drawn grey."
        for name in equal
    )
    return (
        f"{beyond(off_by, gain).sum()} of {len(off_by)} ways move the mean by more "
        f"than {gain:.3f}, the gain in Table II. The list is ours, so this count is no "
        f"rate.{tie} Of the {len(asked)} in the question, “{worst}” moves it most, by "
        f"{signed(off_by[worst])}."
    )


def describe_gaps(scores: pd.DataFrame, gaps: pd.Series, gain: float) -> str:
    """Whether a way that is applied to both networks moves their difference; Markdown.

    Args:
        scores: way → "off by", the score of one network less that by Table II's rule.
        gaps: way that treats both networks alike → their difference; the first is
            Table II's.
        gain: the paper's.
    """
    rule, *ways = gaps.index
    far = [way for way in ways if beyond(scores["off by"], gain)[way]]
    if not far:
        return f"No way moves both scores by more than {gain:.3f}."
    moved = (gaps - gaps[rule]).drop(rule)
    same = (~beyond(moved, gain))[far].sum()
    most = moved.abs().idxmax()
    return (
        f"By Table II's rule the networks differ by {signed(gaps[rule])}. {len(far)} "
        f"ways that treat both alike move the score by more than {gain:.3f}; {same} of "
        "them move the difference by no more than that. Over all ways that treat both "
        f"alike it is {signed(gaps.min())} to {signed(gaps.max())}; “{most}” changes "
        f"it most, to {signed(gaps[most])}."
    )


def describe_clip(unclipped: float, clipped: float, share: float) -> str:
    """What the clip of Eq. 3 does to outputs that were not halved; Markdown.

    Args:
        unclipped: mean ICC of the rounded outputs.
        clipped: mean ICC of the same after the clip to 0..5.
        share: of the rounded outputs that lie outside of 0..5, 0..1.
    """
    verb = "raises" if clipped > unclipped else "does not raise"
    return (
        "Outputs that are rounded but neither halved nor clipped score "
        f"{unclipped:.3f}; {100 * share:.0f} % of them lie outside of 0 to 5. The clip "
        f"{verb} the score: with it, *Eq. 3 without its ½* has {clipped:.3f}."
    )


def describe_places(measures: pd.DataFrame) -> str:
    """Whether two measures put the rows in the same order; Markdown.

    Args:
        measures: from `companion.analysis.rows.measure_table`.
    """
    order = measures["ICC(3,1)"].rank(method="min", ascending=False)
    errors = measures["MAE"].rank(method="min")
    first, other_first = order.idxmin(), errors.idxmin()
    said = f"*{first}* is the best row by both ICC(3,1) and mean absolute error. "
    if first != other_first:
        said = (
            f"By ICC(3,1) the best row is *{first}*, by mean absolute error "
            f"*{other_first}*. "
        )
    apart = (order - errors).abs()
    if not apart.max() > 0:
        return said + "Both put all rows in the same order."
    other = apart.idxmax()
    return said + (
        f"*{other}* changes rank most: {_ordinal(order[other])} by ICC, "
        f"{_ordinal(errors[other])} by error."
    )


def _ordinal(rank: float) -> str:
    place = int(rank)
    return ORDINALS[place - 1] if place <= len(ORDINALS) else f"number {place}"


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
        f"{strongest:,} of {labels.size:,} labels are 5."
    )
