"""Table II in words and pictures; the numbers are `scores`' and `rows`'."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from companion.analysis.effects import STALLED
from companion.analysis.effects_report import signed
from companion.bp4d import AU_NAMES

AUS = list(AU_NAMES)
Scores = dict[str, dict[int, pd.DataFrame]]
"""Model → seed → `companion.analysis.scores.epoch_scores`."""


def describe_runs(each_run: pd.DataFrame, scores: Scores) -> str:
    """How far the runs of a network lie apart, and whether they were still improving.

    Args:
        each_run: from `companion.analysis.scores.best_epochs`.
        scores: of the same runs.

    Returns:
        Markdown, a paragraph for all networks and one for each.
    """
    unscored = [au for au in AUS if each_run[au].isna().all()]
    spans = "; ".join(
        f"{own['mean'].min():.3f} to {own['mean'].max():.3f} for the {model} network"
        for model, own in each_run.groupby(level="model", sort=False)
    )
    said = [f"The best means of the runs are {spans}. The paper's gain is .009."]
    for model, own in each_run.groupby(level="model", sort=False):
        tables = scores[model].values()
        late = sum(t.index[-1] == e for t, e in zip(tables, own["epoch"]))
        said.append(
            f"The best epoch is the last in {late} of {len(own)} runs of the {model} "
            "network. " + _late_gain(list(tables))
        )
    if unscored:
        said.append(
            f"{', '.join(unscored)} has too few known evaluation frames for a score, "
            "and is in no mean."
        )
    return "\n\n".join(said)


def _late_gain(tables: list[pd.DataFrame]) -> str:
    """The AU that gains most over the last third of the epochs, in words."""
    before = [table.iloc[-1 - max(len(table) // 3, 1) :].iloc[0] for table in tables]
    gains = pd.DataFrame([t.iloc[-1] - b for t, b in zip(tables, before)])[AUS].mean()
    if gains.isna().all():
        return ""
    most = gains.idxmax()
    told = "; ".join(
        f"{old[most]:z.2f} to {new[most]:z.2f}"
        for old, new in zip(before, (table.iloc[-1] for table in tables))
    )
    return (
        f"Over the last third of the epochs {most} gains most, {signed(gains[most])} "
        f"on average: {told}."
    )


def draw_curves(axes: np.ndarray, scores: Scores) -> None:
    """Draw the mean ICC(3,1) of each run over the epochs.

    Args:
        axes: one for each model, in order; the last gets a legend.
        scores: of the runs.
    """
    for ax, (model, runs) in zip(axes, scores.items(), strict=True):
        for number, (seed, table) in enumerate(runs.items()):
            style = ("-", "--", ":")[number % 3]
            ax.plot(table.index, table["mean"], style, label=f"seed {seed}")
        ax.set(xlabel="epoch", title=model)
    axes[0].set_ylabel("mean ICC(3,1)")
    axes[-1].legend(loc="lower right")


def describe_difference(intervals: pd.DataFrame) -> str:
    """The intervals of two networks and of their difference; Markdown.

    Args:
        intervals: from `companion.analysis.rows.interval_table`.
    """
    wide = (intervals["high"] - intervals["low"])[intervals["AU"] == "mean"].tolist()
    gap = intervals[intervals["what"] == "difference"].set_index("AU")
    first, second = intervals["what"].unique()[:2]
    sizes = gap.loc[AUS, "ICC(3,1)"]
    clear = {second: gap["low"] > 0, first: gap["high"] < 0}
    return (
        f"The mean's interval is {wide[0]:.3f} wide for the {first}, {wide[1]:.3f} for "
        f"the {second} network, and {wide[2]:.3f} for their difference. Independent "
        f"scores would make the last {np.hypot(*wide[:2]):.3f}: a person who is hard "
        "for one network is hard for the other.\n\n"
        f"The {second} network's best run is ahead on {_listed(sizes.index[sizes > 0])}"
        f", the {first}'s on {_listed(sizes.index[sizes < 0])}. The interval leaves "
        f"out 0 for {_listed(gap.index[clear[second]])} in favour of the {second} "
        f"network, and for {_listed(gap.index[clear[first]])} in favour of the "
        f"{first}. ({_by_chance(len(gap))} And they take the chosen runs as given.)"
    )


def describe_rows(differences: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Which rows differ from the reference, and which did not learn an AU; Markdown.

    Args:
        differences: from `companion.analysis.rows.difference_table`.
        scores: from `companion.analysis.rows.score_table`.
    """
    lines = []
    for over in ("people", "seeds"):
        low, high = (
            differences[f"{'best' if over == 'people' else over} {end}"]
            for end in ("low", "high")
        )
        better, worse = (
            " · ".join(f"*{name}*" for name in differences.index[far]) or "none"
            for far in (low > 0, high < 0)
        )
        lines.append(
            f"- Over {over}, clearly better than the proposed network: {better}. "
            f"Clearly worse: {worse}."
        )
    lines.append(f"- {_by_chance(len(differences))}")
    lines += [
        f"- *{name}* has not learned {_listed(row.index[row < STALLED])}: its ICC is "
        f"below {STALLED}."
        for name, row in scores[AUS].iterrows()
        if (row < STALLED).any()
    ]
    return "\n".join(lines)


def _listed(names: pd.Index) -> str:
    return ", ".join(names) or "no AU"


def _by_chance(count: int) -> str:
    return (
        f"If nothing differed, at least one of {count} independent intervals would "
        f"leave out 0 with a probability of {100 * (1 - 0.95**count):.0f} %."
    )


def draw_rows(
    ax: Axes, scores: pd.DataFrame, bests: pd.DataFrame, ceiling: float
) -> None:
    """Draw each row's interval over people and its runs, the first row on top.

    Args:
        ax: where to draw.
        scores: from `companion.analysis.rows.score_table`.
        bests: from `companion.analysis.rows.best_means`.
        ceiling: a dotted line; NaN for none.
    """
    for y, (name, row) in enumerate(scores.iterrows()):
        ax.plot(row[["low", "high"]], [y, y], color="0.75", lw=5, solid_capstyle="butt")
        ax.plot(bests.loc[name], [y] * bests.shape[1], "|", color="C0", ms=9, mew=1.5)
    ax.axvline(ceiling, color="black", lw=0.8, ls=":")
    ax.set_yticks(range(len(scores)), scores.index)
    ax.invert_yaxis()
    ax.set_xlabel("mean ICC(3,1)")
