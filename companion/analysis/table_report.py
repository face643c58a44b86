"""Table II in words and pictures; the numbers are `scores`' and `rows`'."""

from math import comb

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from companion.analysis.effects_cells import NOT_LEARNED
from companion.analysis.effects_report import RESAMPLING_ERROR, VERDICTS, verdict
from companion.analysis.printing import any_by_chance, signed
from companion.analysis.rows import welch_half_width
from companion.bp4d import AU_NAMES

AUS = list(AU_NAMES)
Scores = dict[str, dict[int, pd.DataFrame]]
"""Model → seed → `companion.analysis.scores.epoch_scores`."""

FAR = 0.1
"""A row whose interval ends so far below the median row is not drawn but written."""


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
            "network. " + _late_gain(scores[model])
        )
    if unscored:
        said.append(
            f"{', '.join(unscored)} has too few known evaluation frames for a score, "
            "and is in no mean."
        )
    return "\n\n".join(said)


def _late_gain(runs: dict[int, pd.DataFrame]) -> str:
    """The AU that gains most over the last third of the epochs, in words."""
    tables = runs.values()
    before = [table.iloc[-1 - max(len(table) // 3, 1) :].iloc[0] for table in tables]
    gains = pd.DataFrame([t.iloc[-1] - b for t, b in zip(tables, before)])[AUS].mean()
    if gains.isna().all():
        return ""
    most = gains.idxmax()
    told = "; ".join(
        f"{old[most]:z.2f} to {table.iloc[-1][most]:z.2f} with seed {seed}"
        for old, (seed, table) in zip(before, runs.items())
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


def describe_aggregates(means: pd.DataFrame) -> str:
    """How far the rules lie apart on the same runs, and the gain by each; Markdown.

    Args:
        means: rule → mean ICC, a column for each of two networks; the gain is the
            second less the first.
    """
    first, second = means.columns
    gains = "; ".join(
        f"{rule}, {signed(gain)}"
        for rule, gain in (means[second] - means[first]).items()
    )
    gains = f"{second.capitalize()} less {first}: {gains}."
    spans = means.max() - means.min()
    if spans.isna().all():
        return gains
    own = means[spans.idxmax()].round(3)
    high, low = own.idxmax(), own.idxmin()
    return (
        f"The same runs of the {spans.idxmax()} network have {own[high]:.3f} by "
        f"*{high}* and {own[low]:.3f} by *{low}*. So the rule alone makes a difference "
        f"of {own[high]:.3f} − {own[low]:.3f} = {own[high] - own[low]:.3f}.\n\n{gains}"
    )


def describe_difference(intervals: pd.DataFrame, each_run: pd.DataFrame) -> str:
    """The intervals of two networks and of their difference; Markdown.

    Args:
        intervals: from `companion.analysis.rows.interval_table`.
        each_run: from `companion.analysis.scores.best_epochs`, of the same networks.
    """
    of_mean = intervals[intervals["AU"] == "mean"]
    one, two, both = (of_mean["high"] - of_mean["low"]).round(3).tolist()
    alone = np.hypot(one, two)
    gap = intervals[intervals["what"] == "difference"].set_index("AU")
    first, second = intervals["what"].unique()[:2]
    sizes = gap.loc[AUS, "ICC(3,1)"]
    clear = {second: gap["low"] > 0, first: gap["high"] < 0}
    found = "about as wide as each, neither wider nor narrower"
    if both > 1.1 * max(one, two):
        found = "wider than each"
    elif both < min(one, two) / 1.1:
        found = "narrower than each"
    elif max(one, two) > 1.1 * min(one, two):
        found = "between the two"
    why = (
        " The interval that we found is narrower than that: a person who is hard for "
        "one network is hard for the other, so that much of the scatter cancels in the "
        "difference."
    )
    return (
        f"The mean's interval is {one:.3f} wide for the {first}, {two:.3f} for the "
        f"{second} network, and {both:.3f} for their difference (from unrounded "
        f"numbers): {found}. If the two "
        "scores varied independently, it would be wider than each: "
        f"√({one:.3f}² + {two:.3f}²) = {alone:.3f}.{why if both < alone else ''}\n\n"
        f"The {second} network's best run is ahead on {_listed(sizes.index[sizes > 0])}"
        f", the {first}'s on {_listed(sizes.index[sizes < 0])}. The interval leaves "
        f"out 0 for {_listed(gap.index[clear[second]])} in favour of the {second} "
        f"network, and for {_listed(gap.index[clear[first]])} in favour of the "
        f"{first}. ({_by_chance(len(gap))})\n\n"
        "These intervals take the two best runs as given. What do the other seeds say? "
        f"{_apart(each_run, first, second)}"
    )


def _apart(each_run: pd.DataFrame, first: str, second: str) -> str:
    """The AUs on which every run of one network is ahead of every run of the other."""
    one, other = (each_run.loc[model, AUS] for model in (first, second))
    ahead = {first: one.min() > other.max(), second: other.min() > one.max()}
    said = "; ".join(
        f"every run of the {model} network is ahead of every run of the {behind} one "
        f"on {_listed(ahead[model].index[ahead[model]])}"
        for model, behind in ((first, second), (second, first))
        if ahead[model].any()
    )
    said = said or "on no AU is every run of one network ahead of the other's"
    overlap = ~(ahead[first] | ahead[second])
    said += f". On {_listed(overlap.index[overlap])} the runs overlap."
    by_chance = 2 / comb(len(one) + len(other), len(one))
    return (
        f"{said[0].upper()}{said[1:]} (If the networks did not differ, all runs of one "
        "would be ahead of all of the other, one way or the other, with a probability "
        f"of {100 * by_chance:.0f} % for each AU.)"
    )


def describe_rows(differences: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Which rows differ from the reference, and which did not learn an AU; Markdown.

    Args:
        differences: from `companion.analysis.rows.difference_table`.
        scores: from `companion.analysis.rows.score_table`.
    """
    words = pd.DataFrame(
        {
            over: [_direction(row, start) for _, row in differences.iterrows()]
            for over, start in (("people", "best"), ("seeds", "seeds"))
        },
        differences.index,
    )

    def listed(chosen: pd.Series) -> str:
        return " · ".join(f"*{name}*" for name in words.index[chosen]) or "none"

    both = words["people"].where(words["people"] == words["seeds"], "")
    lines = [
        f"- Over people and over seeds, clearly better than the proposed network: "
        f"{listed(both == 'better')}. Clearly worse: {listed(both == 'worse')}.",
    ]
    for over, other in (("people", "seeds"), ("seeds", "people")):
        alone = words[over].isin(["better", "worse"]) & (both == "")
        lines += [
            f"- *{name}* is clearly {words.loc[name, over]} over {over}, but "
            f"{words.loc[name, other]} over {other}."
            for name in words.index[alone]
        ]
        lines += [
            f"- *{name}* is undecided over {over}: an end of its interval is within "
            f"{RESAMPLING_ERROR} of 0. Over {other} it is {words.loc[name, other]}."
            for name in words.index[words[over] == "undecided"]
        ]
    lines.append(f"- {_by_chance(len(differences))}")
    for name, row in scores[AUS].iterrows():
        for au in row.index[row < NOT_LEARNED]:
            said = f"- *{name}* misses {au}: its ICC is {row[au]:z.3f}, below "
            said += f"{NOT_LEARNED}."
            other = f"{name}, by expectation"
            if other in scores.index:
                said += " By expectation, the same networks score "
                said += f"{scores.loc[other, au]:z.3f}."
            lines.append(said)
    return "\n".join(lines)


def describe_more_training(runs: pd.DataFrame, gaps: pd.DataFrame) -> str:
    """What longer training changes, for each network and between the two; Markdown.

    Args:
        runs: `companion.analysis.scores.best_epochs` of each training, indexed by
            training (the shorter one first), model and seed.
        gaps: training → one network less the other, a row of
            `companion.analysis.rows.difference_table`.
    """
    short, long = runs.index.unique("training")
    said = []
    for model in runs.index.unique("model"):
        before, after = (runs.loc[(name, model)] for name in (short, long))
        gain = after.mean() - before.mean()
        half = welch_half_width(after["mean"].to_numpy(), before["mean"].to_numpy())
        most = gain[AUS].idxmax()
        low, high = signed(gain["mean"] - half), signed(gain["mean"] + half)
        said.append(
            f"- The {model} network gains {signed(gain['mean'])} over the seeds ({low} "
            f"to {high}, Welch's interval). It gains most on {most}: "
            f"{before[most].mean():.3f} becomes {after[most].mean():.3f}. "
            f"The standard deviation over seeds goes from {before['mean'].std():.3f} "
            f"to {after['mean'].std():.3f}."
        )
    parts = [
        f"{name}, {told['best']} for the best runs ({told['best low']} to "
        f"{told['best high']} over people) and {told['seeds']} over the seeds "
        f"({told['seeds low']} to {told['seeds high']})"
        for name, told in gaps.map(signed).iterrows()
    ]
    said.append(f"- Proposed less baseline: {'; '.join(parts)}.")
    return "\n".join(said)


def _direction(row: pd.Series, start: str) -> str:
    """Whether a difference is better, worse, within chance, undecided or unknown.

    Args:
        row: of `companion.analysis.rows.difference_table`.
        start: "best" (over people) or "seeds".
    """
    ends = {"size": start, "lower": f"{start} low", "upper": f"{start} high"}
    found = verdict(pd.Series({name: row[column] for name, column in ends.items()}))
    if found == "yes":
        return "better" if row[start] > 0 else "worse"
    return VERDICTS[found]


def _listed(names: pd.Index) -> str:
    return ", ".join(names) or "no AU"


def _by_chance(count: int) -> str:
    return (
        f"If nothing differed, at least one of {count} exact and independent intervals "
        f"would leave out 0 with a probability of {any_by_chance(count)}."
    )


def draw_rows(
    ax: Axes, scores: pd.DataFrame, bests: pd.DataFrame, ceiling: float
) -> None:
    """Draw each row's interval over people and its runs, the first row on top.

    A row far below the others (`FAR`) would squeeze them: its numbers are written at
    the left edge instead.

    Args:
        ax: where to draw; its legend goes above it.
        scores: from `companion.analysis.rows.score_table`.
        bests: from `companion.analysis.rows.best_means`.
        ceiling: a dotted line; NaN for none.
    """
    ring = {"marker": "o", "mfc": "white", "mec": "C0", "ms": 4, "ls": ""}
    bar = {"color": "0.75", "lw": 6, "solid_capstyle": "butt"}
    dots = {"color": "black", "lw": 0.8, "ls": ":"}
    border = scores["mean"].median() - FAR
    for y, (name, row) in enumerate(scores.iterrows()):
        runs = bests.loc[name].dropna()
        if row["high"] < border:
            ax.annotate(
                f"← 95 % {row['low']:.3f} to {row['high']:.3f}; "
                f"seeds {runs.min():.3f} to {runs.max():.3f}",
                (0.02, y),
                xycoords=("axes fraction", "data"),
                va="center",
            )
            continue
        ax.plot(row[["low", "high"]], [y, y], **bar)
        ax.plot(runs, y + 0.2 * (np.arange(len(runs)) - (len(runs) - 1) / 2), **ring)
    legend = {"95 % over people, best run": bar, "a seed's best epoch": ring}
    if not np.isnan(ceiling):
        ax.axvline(ceiling, **dots)
        legend["ceiling"] = dots
    lines = [Line2D([], [], label=label, **style) for label, style in legend.items()]
    place = {"loc": "lower center", "bbox_to_anchor": (0.4, 1)}
    ax.legend(handles=lines, ncols=len(lines), **place)
    ax.set_yticks(range(len(scores)), scores.index)
    ax.set_ylim(len(scores) - 0.5, -0.5)
    ax.set_xlabel("mean ICC(3,1)")
