"""Effects of changes in words, tables and pictures; the numbers are `effects`'."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.analysis.effects import (
    Levels,
    Spread,
    Titles,
    margin_of_error,
    seed_spread,
    stalled_table,
)
from companion.analysis.effects_cells import NOT_LEARNED, TOGETHER
from companion.analysis.effects_others import (
    KEYS,
    OTHERS,
    loudest_model,
    with_spread,
)
from companion.analysis.printing import any_by_chance, signed
from companion.base.figures import TEXT_WIDTH
from companion.bp4d import AU_NAMES
from companion.training.outputs import mean_score

VERDICTS = {
    "yes": "clear of chance",
    "undecided": "undecided",
    "no": "within chance",
    "unknown": "of unknown certainty",
}
"""Whether an interval excludes 0, see `verdict`, and what sentences say."""

SHOWN = {
    "low": "people low",
    "high": "people high",
    "lower": "both low",
    "upper": "both high",
}
"""Columns of tables of effects → their names where they are shown."""

NAMED = [name for name in KEYS if name not in ("instead of", "within")]
"""Columns that name an effect."""

RESAMPLING_ERROR = 0.001
"""The ends of an interval from 2,000 resamples are not more exact than this."""


def stalled_report(runs: pd.DataFrame, levels_of: Levels, titles: Titles) -> str:
    """How many runs have stalled, and where; Markdown.

    Args:
        runs: from `companion.analysis.effects.run_table`.
        levels_of, titles: the models of the design, and the titles of their levels.
    """
    count = runs["stalled"].sum()
    said = f"{count} of {len(runs)} runs stalled."
    if not count:
        return said
    table = stalled_table(runs, levels_of, titles).reset_index()
    return f"{said} By level:\n\n{table.to_markdown(index=False)}"


def failing(runs: pd.DataFrame) -> dict[str, list[str]]:
    """The AUs that no run of a model has learned (see `NOT_LEARNED`), by model.

    Args:
        runs: from `companion.analysis.effects.run_table`.
    """
    best = runs.groupby("model")[list(AU_NAMES)].max()
    poor = {name: list(row.index[row < NOT_LEARNED]) for name, row in best.iterrows()}
    return {str(name): aus for name, aus in poor.items() if aus}


def failing_sentences(
    runs: pd.DataFrame, levels_of: Levels, titles: Titles
) -> list[str]:
    """For each AU, the runs of the design that have not learned it; Markdown.

    Arguments as in `stalled_report`. Without such runs, one sentence says so.
    """
    own = runs[runs["model"].isin(list(levels_of))]
    lines = []
    for au in AU_NAMES:
        poor, others = own[own[au] < NOT_LEARNED], own[own[au] >= NOT_LEARNED]
        if poor.empty:
            continue
        shared = _shared(poor["model"].unique(), levels_of, titles)
        line = (
            f"{len(poor)} of {len(own)} runs have not learned {au}: its ICC there is "
            f"{_range(poor[au])}, below {NOT_LEARNED}."
        )
        if len(others):
            line += f" In the other runs it is at least {others[au].min():.2f}."
        if shared:
            line += f" All {len(poor)} have *{', '.join(shared)}*."
        whole = [name for name, aus in failing(own).items() if au in aus]
        if whole:
            those = own[own["model"].isin(whole)]
            where = _combinations(whole, levels_of, titles)
            line += (
                f" They include all {len(those)} runs with {where}, where {au} has "
                f"{_range(those[au])} and the mean ICC over the AUs is "
                f"{_range(those['last'], 3)}."
            )
        lines.append(line)
    if own.empty:
        return ["No run has learned anything."]
    return lines or [f"Every run has learned each AU to an ICC of {NOT_LEARNED}."]


def seeds_sentences(
    runs: pd.DataFrame, sd: float, spread: Spread, repeats: int, count: int
) -> str:
    """The interval over seeds of a mean of `count` differences, computed; Markdown.

    Args:
        runs: from `companion.analysis.effects.run_table`, those that count.
        sd, spread, repeats: of these, from `companion.analysis.effects.seed_spread`.
        count: of the differences.
    """
    of_mean, freedom = spread
    if not freedom:
        return (
            "No model has two runs that learned: nothing can be said about seeds, and "
            "no interval is complete."
        )
    more = " or more" if runs.groupby("model").size().max() > repeats else ""
    margin = margin_of_error(of_mean, freedom, count)
    factor = margin_of_error(1, freedom, 2)
    return (
        f"Here $s$ is {sd:.4f}, with {freedom} degrees of freedom, and a model's score "
        f"is the mean of $r$ = {repeats}{more} runs. A mean of $n$ = {count} "
        f"differences has the standard error {sd:.4f} · √(2 / ({count} · {repeats})) = "
        f"{margin / factor:.4f}. Times t = {factor:.2f} that is {margin:.3f}: the "
        "column *seeds ±* below."
    )


def spread_sentence(runs: pd.DataFrame, levels_of: Levels, titles: Titles) -> str:
    """Which model has most of the pooled variance over seeds; Markdown.

    Args:
        runs: from `companion.analysis.effects.run_table`, those that count.
        levels_of, titles: the models of the design, and the titles of their levels.
    """
    found = loudest_model(runs)
    if found is None:
        return "Nothing is known of the spread over seeds."
    most, share = found
    known = most in levels_of
    name = _titles(_names(levels_of[most], titles)) if known else f"*{most}*"
    scores = ", ".join(f"{score:.3f}" for score in runs["last"][runs["model"] == most])
    said = (
        f"{100 * share:.0f} % of this pooled variance comes from one model, {name} "
        f"({scores})."
    )
    if share > 0.5:
        said += " So the intervals are too wide for the others, and too narrow for "
        said += "this one."
    sd, (_, freedom), _ = seed_spread(runs[runs["model"] != most])
    if freedom:
        said += f" Without it, $s$ is {sd:.3f}."
    return said


def smaller_spread_sentence(
    tables: dict[str, pd.DataFrame], runs: pd.DataFrame, spread: Spread
) -> str:
    """What changes if the model with most of the spread over seeds is left out of it.

    Args:
        tables: what the rows of a table are → the table of effects; of main effects,
            the rows of the mean count.
        runs: as in `spread_sentence`.
        spread: that the tables were computed with.
    """
    found = loudest_model(runs)
    if found is None:
        return "Nothing is known of the spread over seeds."
    sd, other, _ = seed_spread(runs[runs["model"] != found[0]])
    changed: dict[str, list[str]] = {}
    counts = dict.fromkeys(tables, 0)
    for what, table in tables.items():
        own = table[table["AU"] == "mean"] if "AU" in table else table
        for (name, row), (_, new) in zip(
            own.iterrows(), with_spread(own, spread, other).iterrows()
        ):
            counts[what] += 1
            if verdict(row) != verdict(new):
                keys = [f"*{row[key]}*" for key in NAMED if key in row] or [f"*{name}*"]
                where = f" with *{row['within']}*" if row.get("within") else ""
                becomes = f"{_and(keys)}{where} would be {VERDICTS[verdict(new)]}"
                changed.setdefault(what, []).append(becomes)
    each = _and([f"{count} {what}" for what, count in counts.items()])
    said = (
        f"Without the model that varies most over seeds ({100 * found[1]:.0f} % of the "
        f"variance), $s$ is {sd:.3f}. Of the verdicts of this notebook ({each}), this "
    )
    if not changed:
        return said + "$s$ would change none."
    many = sum(map(len, changed.values()))
    each = "; ".join(f"{what}: {_and(own)}" for what, own in changed.items())
    return (
        f"{said}$s$ would change {many} ({each}). But the model is picked by its "
        "scores, so we keep the larger $s$."
    )


def within_sentences(table: pd.DataFrame, hard: list[str]) -> list[str]:
    """The smallest and the largest effect of each change, and where; Markdown.

    Args:
        table: from `companion.analysis.effects_cells.effects_within`, with the columns
            of `companion.analysis.effects_others.join_others` if there are hard AUs.
        hard: AUs that these columns leave out.
    """
    lines = []
    for (effect, first), own in table.groupby(["effect", "instead of"], sort=False):
        line = f"*{effect}* instead of *{first}*: {_extremes(own)}."
        others = of_others(own) if hard else own[:0]
        if len(others):
            line += f" Without {_and(hard)}: {_extremes(others)}."
        lines.append(line)
    return lines


def _extremes(table: pd.DataFrame) -> str:
    """The smallest and the largest of some effects, where they are, and their verdicts.

    Args:
        table: rows of `companion.analysis.effects_cells.effects_within`.
    """
    said = [
        signed(row["size"])
        + (f" with *{row['within']}*" if row["within"] else "")
        + f" ({VERDICTS[verdict(row)]})"
        for _, row in table.sort_values("size", kind="stable").iterrows()
    ]
    return said[0] if len(said) == 1 else f"from {said[0]} to {said[-1]}"


def of_others(table: pd.DataFrame) -> pd.DataFrame:
    """A joined table's effects on the other AUs as effects; those that have a size.

    Args:
        table: from `companion.analysis.effects_others.join_others`.
    """
    names = {new: old for old, new in OTHERS.items()}
    moved = table.drop(columns=list(OTHERS)).rename(columns=names)
    return moved.dropna(subset=["size"])


def difference_sentences(table: pd.DataFrame) -> list[str]:
    """The AU that changes most in each difference, and the mean; Markdown.

    Args:
        table: from `companion.analysis.effects.model_differences`.
    """
    lines = []
    for name, row in table.iterrows():
        of_aus = row[list(AU_NAMES)].astype(float).dropna()
        most = of_aus.abs().idxmax() if len(of_aus) else "no AU"
        by = f" by {signed(of_aus[most])}" if len(of_aus) else ""
        certain = VERDICTS[verdict(row)]
        lines.append(
            f"*{name}*: {most} changes most,{by}; the mean by {signed(row['size'])}, "
            f"{certain} ({interval(row)})."
        )
    return lines


def step_sentence(table: pd.DataFrame) -> str:
    """What the step between two models is the sum of, with four decimals; Markdown.

    Args:
        table: from `companion.analysis.effects_cells.step_terms`.
    """
    if table.empty:
        return "Not all models between the two are trained."
    *_, whole = table.index
    parts = "; ".join(
        f"{name.removesuffix(TOGETHER)} {signed(row['size'], 4)} (95 % interval "
        f"{signed(row['lower'], 4)} to {signed(row['upper'], 4)})"
        for name, row in table.iterrows()
        if name.endswith(TOGETHER)
    )
    said = f"{whole} is {signed(table.loc[whole, 'size'], 4)}, the sum of: {parts}."
    return said[0].upper() + said[1:]


def three_way_sentences(table: pd.DataFrame, hard: list[str]) -> list[str]:
    """The three-way interactions whose interval excludes 0, a sentence for each.

    Args:
        table: from `companion.analysis.effects_cells.three_way`, with the columns of
            `companion.analysis.effects_others.join_others` if there are hard AUs.
        hard: AUs that these columns leave out.
    """
    lines = []
    for row in _clear(table):
        line = (
            f"*{row['effect']}*, *{row['with']}* and *{row['and']}* form a three-way "
            f"interaction of {signed(row['size'])} ({interval(row)}): the interaction "
            f"of the first two is {signed(row['size with'])} with *{row['and']}* and "
            f"{signed(row['size without'])} with *{row['instead of']}*."
        )
        others = of_others(row.to_frame().T) if hard else table[:0]
        for _, other in others.iterrows():
            line += (
                f" Without {_and(hard)} it is {signed(other['size'])} "
                f"({interval(other)}), {VERDICTS[verdict(other)]}."
            )
        lines.append(line)
    return lines


def headline(effects: pd.DataFrame, depends: pd.DataFrame) -> str:
    """What to remember: the main effects on the mean, and whether changes interact.

    Args:
        effects: from `companion.analysis.effects.main_effects`.
        depends: the interactions of two.
    """
    said = []
    if len(depends):
        clear, many = len(_clear(depends)), len(depends)
        said.append(
            f"What a change does depends on the others: of {many} interactions of two, "
            f"{clear} {'is' if clear == 1 else 'are'} clear of chance."
            if clear
            else f"None of the {many} interactions of two is clear of chance."
        )
    found = {}
    for _, row in effects[effects["AU"] == "mean"].iterrows():
        what = verdict(row)
        if what == "yes":
            what = "raises" if row["size"] > 0 else "lowers"
        found.setdefault(what, []).append(f"*{row['effect']}*")
    ends = {
        "raises": ("raises the mean ICC, clear of chance", "raise"),
        "lowers": ("lowers the mean ICC, clear of chance", "lower"),
        "undecided": ("is undecided", "are"),
        "no": ("is within chance", "are"),
        "unknown": ("is of unknown certainty", "are"),
    }
    parts = []
    for what, (one, many) in ends.items():
        if names := found.get(what):
            end = one if len(names) == 1 else " ".join([many, *one.split(" ")[1:]])
            parts.append(f"{_and(names)} {end}")
    if parts:
        said.append(f"On average over all combinations, {'; '.join(parts)}.")
    if "no" in found:
        said.append(
            "What is within chance is too small to be seen with these people and "
            "seeds, if it is there at all."
        )
    return " ".join(said)


def read_interaction(table: pd.DataFrame) -> str:
    """The first row of a table of interactions, of two or three changes, read out.

    Args:
        table: from `companion.analysis.effects.interactions` or
            `companion.analysis.effects_cells.three_way`.

    Returns:
        Markdown; empty if the table is.
    """
    if table.empty:
        return ""
    row = table.iloc[0]
    with_, without = signed(row["size with"]), signed(row["size without"])
    size = signed(row["size"])
    if "and" in row:
        return (
            f"The first row says: the interaction of *{row['effect']}* and "
            f"*{row['with']}* is {with_} with *{row['and']}* and {without} with "
            f"*{row['instead of']}*. The difference of the two, {size} before "
            "rounding, is the three-way interaction."
        )
    return (
        f"The first row says: *{row['effect']}* brings {with_} with *{row['with']}* "
        f"and {without} with *{row['instead of']}*. The difference of the two, {size} "
        "before rounding, is the interaction."
    )


def au_sentence(table: pd.DataFrame) -> str:
    """Which AU each effect changes most, and the mean effect on the others.

    Args:
        table: from `companion.analysis.effects.main_effects`.
    """
    parts = []
    of_aus = table[table["AU"] != "mean"].dropna(subset=["size"])
    for effect, own in of_aus.groupby("effect", sort=False):
        sizes = own.set_index("AU")["size"]
        most = sizes.abs().idxmax()
        part = f"*{effect}* {most} {signed(sizes[most])}"
        if len(sizes) > 1:
            others = sizes.drop(most)
            part += f" (the others {signed(others.mean())} in the mean)"
        parts.append(part)
    said = "; ".join(parts) or "there is none"
    return f"Main effects on the AU that each changes most: {said}."


def best_sentences(
    levels_of: Levels, titles: Titles, scored: dict[str, np.ndarray], gap: pd.DataFrame
) -> str:
    """The combination with the highest score, and how far it is from a model.

    Args:
        levels_of, titles: the models of the design.
        scored: as in `companion.analysis.effects.main_effects`.
        gap: from `companion.analysis.effects.model_differences`, the best less the
            model in one row named after the latter; without rows, nothing is compared.
    """
    best = best_combination(levels_of, scored)
    if best is None:
        return "No combination has a score."
    of_best = mean_score(scored[best][0])
    line = (
        f"The highest of {len(set(levels_of) & set(scored))} combinations is "
        f"{_titles(_names(levels_of[best], titles))}, {of_best:.3f}."
    )
    for model, row in gap.iterrows():
        certain = VERDICTS[verdict(row)]
        line += (
            f" Its lead over *{model}* is {signed(row['size'])} ({interval(row)}), "
            f"{certain}. And it was chosen as the highest on the frames that are "
            "reported, which flatters it."
        )
    return line


def best_combination(levels_of: Levels, scored: dict[str, np.ndarray]) -> str | None:
    """The name of the combination with the highest mean ICC; None without any."""
    means = {n: mean_score(scored[n][0]) for n in levels_of if n in scored}
    return max(means, key=means.__getitem__) if means else None


def elsewhere_sentence(effects: pd.DataFrame, table: pd.DataFrame, lacking: int) -> str:
    """The effects on the mean without the combinations that never learned an AU.

    Args:
        effects: from `companion.analysis.effects.main_effects`, of all combinations.
        table: the same of the combinations that are not left out.
        lacking: the number of combinations that are left out.
    """
    if not lacking:
        return "No combination is left out of the main effects."
    mean = table[table["AU"] == "mean"]
    which = "the combination" if lacking == 1 else f"the {lacking} combinations"
    said = f"Main effects without {which} that never learned an AU: "
    sizes = [f"{signed(row['size'])} (*{row['effect']}*)" for _, row in mean.iterrows()]
    said += f"{_and(sizes) or 'there is none'}."
    before = effects[effects["AU"] == "mean"].set_index("effect")["size"]
    after = mean.set_index("effect")["size"]
    change = (after - before).abs().dropna()
    if len(change):
        most = change.idxmax()
        said += f" *{most}* changes most, from {signed(before[most])} to "
        said += f"{signed(after[most])}."
    return (
        f"{said} This is exploratory: the combinations are left out because of "
        "their outcome, so we give no intervals."
    )


def clear_sentence(tables: dict[str, pd.DataFrame]) -> str:
    """How many intervals exclude 0, and how often chance alone makes one do so.

    Args:
        tables: what the rows of a table are, in the plural → the table; of main
            effects, the rows of the mean count.
    """
    own = {
        name: table[table["AU"] == "mean"] if "AU" in table else table
        for name, table in tables.items()
    }
    counts = [f"{len(_clear(table))} of {len(table)} {n}" for n, table in own.items()]
    rows = [row for table in own.values() for _, row in table.iterrows()]
    open_ = sum(verdict(row) == "undecided" for row in rows)
    said = f"The 95 % interval over people and seeds excludes 0 for {_and(counts)}."
    if open_:
        said += (
            f" {open_} more {'is' if open_ == 1 else 'are'} undecided: an end is "
            f"within {RESAMPLING_ERROR} of 0, and the resampling is no more exact."
        )
    if all(verdict(row) == "unknown" for row in rows):
        said += " (No model has two runs, so no interval is known.)"
    elif len(rows) > 1:
        said += (
            f" If nothing had any effect, and if the {len(rows)} intervals were exact "
            "and independent, at least one would exclude it with a probability of "
            f"{any_by_chance(len(rows))}."
        )
    return said


def interval(row: pd.Series) -> str:
    """The 95 % interval of a row, in words; a bound near 0 shows its sign."""
    return f"95 % interval {_bound(row['lower'])} to {_bound(row['upper'])}"


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """A `rounded` table of effects with a column "excludes 0", see `verdict`.

    The column stands behind the interval over people and seeds. A table from
    `companion.analysis.effects_others.join_others` gets a last column "others exclude
    0" as well.
    """
    words = [verdict(row) for _, row in table.iterrows()]
    place = table.columns.get_loc("upper") + 1
    shown = rounded(table)
    shown.insert(place, "excludes 0", pd.Series(words, table.index, dtype=str))
    if OTHERS["upper"] in table:
        others = table[list(OTHERS.values())].set_axis(list(OTHERS), axis=1)
        words = [verdict(row) for _, row in others.iterrows()]
        shown["others exclude 0"] = pd.Series(words, table.index, dtype=str)
    return shown


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """A table to show: three decimals, 0 for −0, and columns named as in `SHOWN`."""
    numbers = table.select_dtypes("float").columns
    table = table.assign(**{name: table[name].round(3) + 0.0 for name in numbers})
    return table.rename(columns=SHOWN)


def step_table(
    table: pd.DataFrame, levels: dict[str, str], titles: Titles
) -> pd.DataFrame:
    """The terms of a step as text with four decimals, named by the levels' titles.

    Args:
        table: from `companion.analysis.effects_cells.step_terms`.
        levels: change → level of the last model.
        titles: of the levels.

    Returns:
        A table of the sizes and of the interval over people and seeds.
    """
    of_change = {name: titles[name][level] for name, level in levels.items()}
    names = [
        ", ".join(of_change.get(part, part) for part in str(row).split(", "))
        for row in table.index
    ]
    shown = table[["size", "lower", "upper"]].map(signed, decimals=4)
    return shown.set_axis(names, axis=0).rename(columns=SHOWN)


def verdict(row: pd.Series) -> str:
    """Whether the interval over people and seeds excludes 0: yes, no or undecided.

    It is undecided if the end that is next to 0 is within `RESAMPLING_ERROR` of it, and
    unknown without an interval.
    """
    near = row["lower"] if row["size"] > 0 else -row["upper"]
    if np.isnan(near):
        return "unknown"
    if abs(near) <= RESAMPLING_ERROR:
        return "undecided"
    return "yes" if near > 0 else "no"


def _is_clear(row: pd.Series) -> bool:
    return verdict(row) == "yes"


def _clear(table: pd.DataFrame) -> list[pd.Series]:
    """The rows whose interval excludes 0, by size."""
    order = table["size"].abs().to_numpy().argsort(kind="stable")[::-1]
    return [table.iloc[place] for place in order if _is_clear(table.iloc[place])]


def _bound(value: float) -> str:
    """Like `signed`, with as many decimals as show a number that is not 0."""
    for decimals in range(3, 7):
        if abs(value) >= 0.5 * 10**-decimals:
            return signed(value, decimals)
    return signed(value)


def _range(values: pd.Series, decimals: int = 2) -> str:
    """ "0.10 to 0.22", or one number."""
    low, high = (f"{value:.{decimals}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _shared(models: Iterable[str], levels_of: Levels, titles: Titles) -> list[str]:
    """The titles of the levels that all of some models have."""
    own = [levels_of[name] for name in models]
    return [
        title
        for change, levels in titles.items()
        for level, title in levels.items()
        if len(levels) > 1 and all(of[change] == level for of in own)
    ]


def _combinations(models: list[str], levels_of: Levels, titles: Titles) -> str:
    """The levels that only these models share, or else each model's levels."""
    shared = set(_shared(models, levels_of, titles))
    names = {name: _names(levels, titles) for name, levels in levels_of.items()}
    if {name for name in names if shared <= set(names[name])} == set(models):
        return _titles(_shared(models, levels_of, titles) or ["any level"])
    return " or ".join(_titles(names[name]) for name in models)


def _names(levels: dict[str, str], titles: Titles) -> list[str]:
    return [titles[change][level] for change, level in levels.items()]


def _titles(titles: list[str]) -> str:
    return "*" + ", ".join(titles) + "*"


def _and(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def levels_table(changes: dict, titles: Titles) -> pd.DataFrame:
    """What each level of each change sets: change, level (a title), sets, to.

    Args:
        changes: a grid's, see `companion.base.grids`.
        titles: of its levels.
    """
    rows = [
        (change, titles[change][level], key.replace("_", " "), str(value))
        for change, levels in changes.items()
        for level, settings in levels.items()
        for key, value in (settings or {}).items()
        if key != "title"
    ]
    return pd.DataFrame(rows, columns=["change", "level", "sets", "to"])


def draw_effects(left: Axes, right: Axes, table: pd.DataFrame) -> None:
    """Draw main effects: their mean with both intervals, and AU by AU.

    Args:
        left: gets the means; the thick bars are the intervals over people, the thin
            ones those over people and seeds.
        right: gets the AUs with their intervals over people, and a legend beside it;
            it shares the y-axis of `left`.
        table: from `main_effects`.
    """
    thick = {"color": "0.7", "lw": 6, "solid_capstyle": "butt"}
    means = table[table["AU"] == "mean"]
    heights = {name: float(height) for height, name in enumerate(means["effect"])}
    for _, row in means.iterrows():
        height = heights[row["effect"]]
        left.plot([row["lower"], row["upper"]], [height, height], color="0.3", lw=1)
        left.plot([row["low"], row["high"]], [height, height], **thick)
        left.plot(row["size"], height, "o", color="black", ms=4)
    colours = ["C0", "C1", "C2", "C3", "C5"]  # C4 is too near to C0
    for number, (au, marker, colour) in enumerate(zip(AU_NAMES, "os^Dv", colours)):
        own = table[table["AU"] == au]
        height = own["effect"].map(heights).astype(float) + 0.15 * (number - 2)
        right.hlines(height, own["low"], own["high"], color=colour, lw=1)
        right.plot(own["size"], height, marker, color=colour, ms=4, label=au)
    for ax, title in ((left, "mean of the five AUs, magnified"), (right, "AU by AU")):
        ax.axvline(0, color="0.7", lw=0.8, zorder=0)
        ax.set(xlabel="effect on ICC(3,1), last epoch", title=title)
    pairs = zip(means["effect"], means["instead of"])
    labels = [f"{effect}\n(not {first})" for effect, first in pairs]
    left.set_yticks(list(heights.values()), labels)
    left.set_ylim(max(len(heights), 1) - 0.5, -0.5)
    right.legend(loc="upper left", bbox_to_anchor=(1, 1))


def draw_within(table: pd.DataFrame, effect: str, scored: str) -> Figure:
    """Draw one effect in each combination of others; parallel lines do not interact.

    Args:
        table: from `companion.analysis.effects_cells.effects_within`.
        effect: the title of the level whose effect is drawn. The levels of the last
            other change have a panel each; the levels of the ones before, a line.
        scored: what the score is of, for the title.

    Returns:
        The figure; it is not shown.
    """
    own = table[table["effect"] == effect]
    lines, _, panels = zip(*own["within"].map(lambda name: name.rpartition(", ")))
    names = list(dict.fromkeys(panels))
    figure, axes = plt.subplots(
        1, len(names), figsize=(TEXT_WIDTH, 2.2), sharey=True, squeeze=False
    )
    for (_, row), line, panel in zip(own.iterrows(), lines, panels):
        ax = axes[0][names.index(panel)]
        ax.plot([0, 1], row[["score without", "score with"]], "o-", label=line)
        ticks = [row["instead of"], effect]
        ax.set(title=panel, xticks=[0, 1], xticklabels=ticks, xlim=(-0.4, 1.4))
    axes[0][0].set_ylabel("mean ICC(3,1)")
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(scored, fontsize=8)
    plt.close(figure)
    return figure


def draw_two_changes(none: float, a: float, b: float, both: float) -> Figure:
    """Draw the scores of four models over change B, and what each change adds.

    Args:
        none, a, b, both: the scores without a change, with A, with B, with both.

    Returns:
        The figure; it is not shown.
    """
    figure, ax = plt.subplots(figsize=(4, 2.2))
    for label, scores in {"without A": (none, b), "with A": (a, both)}.items():
        (line,) = ax.plot([0, 1], scores, "o-", label=label)
        ax.annotate(
            f"B adds {scores[1] - scores[0]:.2f}",
            (0.5, sum(scores) / 2),
            (-2, 4),
            textcoords="offset points",
            ha="right",
            color=line.get_color(),
        )
    for place, side, low, high in ((-0.06, "right", none, a), (1.06, "left", b, both)):
        ax.text(place, (low + high) / 2, f"A adds {high - low:.2f}", ha=side)
    ax.set(xticks=[0, 1], xticklabels=["without B", "with B"], xlim=(-1.1, 2))
    ax.set_ylabel("score (invented)")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plt.close(figure)
    return figure
