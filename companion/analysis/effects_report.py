"""Effects of changes in words, tables and pictures; the numbers are `effects`'."""

import pandas as pd
from matplotlib.axes import Axes

from companion.analysis.effects import Titles
from companion.bp4d import AU_NAMES


def effect_sentences(table: pd.DataFrame) -> list[str]:
    """The effects on the mean ICC whose interval leaves out 0, a sentence for each.

    Args:
        table: from `main_effects`; the rows of single AUs are left out.

    Returns:
        Markdown, the largest effect first; titles in italics.
    """
    return [
        f"Going from *{row['instead of']}* to *{row['effect']}* "
        f"{'raises' if row['size'] > 0 else 'lowers'} the mean ICC by "
        f"{abs(row['size']):.3f} ({_interval(row)})."
        for row in _clear(table[table["AU"] == "mean"])
    ]


def interaction_sentences(table: pd.DataFrame) -> list[str]:
    """The interactions whose interval leaves out 0, a sentence for each.

    Args:
        table: from `interactions`.

    Returns:
        Markdown, the largest interaction first; titles in italics.
    """
    return [
        f"The effect of *{row['effect']}* is {abs(row['size']):.3f} "
        f"{'higher' if row['size'] > 0 else 'lower'} with *{row['with']}* than with "
        f"*{row['instead of']}*: {signed(row['size with'])} and "
        f"{signed(row['size without'])} ({_interval(row)} for the difference)."
        for row in _clear(table)
    ]


def findings(effects: pd.DataFrame, depends: pd.DataFrame) -> str:
    """What can be told from chance: a paragraph, and a list of sentences.

    Args:
        effects: from `main_effects`.
        depends: from `interactions`.

    Returns:
        Markdown.
    """
    alone, together = effect_sentences(effects), interaction_sentences(depends)
    mean = effects[effects["AU"] == "mean"]
    total = len(mean) + len(depends)
    told = (
        f"{len(alone)} of {len(mean)} main effects and {len(together)} of "
        f"{len(depends)} interactions have a 95 % interval over people and seeds that "
        "leaves out 0."
    )
    if mean["seeds ±"].isna().all():
        told += " (No model has two runs, so no interval is known.)"
    elif total > 1:
        chance = 100 * (1 - 0.95**total)
        told += (
            f" If nothing had any effect, at least one of {total} independent "
            f"intervals would leave it out with a probability of {chance:.0f} %."
        )
    return "\n".join([told, "", *(f"- {line}" for line in alone + together)])


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """A table with its numbers rounded to three decimals, and 0 for −0."""
    numbers = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].round(3) + 0.0 for name in numbers})


def signed(value: float) -> str:
    """A number with its sign and three decimals, as text; 0 has none."""
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "−")


def _clear(table: pd.DataFrame) -> list[pd.Series]:
    """The rows whose interval leaves out 0, by size."""
    clear = table[(table["lower"] > 0) | (table["upper"] < 0)]
    order = clear["size"].abs().to_numpy().argsort(kind="stable")[::-1]
    return [clear.iloc[place] for place in order]


def _interval(row: pd.Series) -> str:
    return f"95 % interval {signed(row['lower'])} to {signed(row['upper'])}"


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
    means = table[table["AU"] == "mean"]
    heights = {name: float(height) for height, name in enumerate(means["effect"])}
    for _, row in means.iterrows():
        height = heights[row["effect"]]
        left.plot([row["lower"], row["upper"]], [height, height], color="0.3", lw=1)
        left.plot([row["low"], row["high"]], [height, height], color="C4", lw=6)
        left.plot(row["size"], height, "o", color="black", ms=4)
    for number, (au, marker) in enumerate(zip(AU_NAMES, "os^Dv")):
        own = table[table["AU"] == au]
        height = own["effect"].map(heights).astype(float) + 0.15 * (number - 2)
        colour = f"C{number}"
        right.hlines(height, own["low"], own["high"], color=colour, lw=1)
        right.plot(own["size"], height, marker, color=colour, ms=4, label=au)
    for ax, title in ((left, "mean of the five AUs"), (right, "AU by AU")):
        ax.axvline(0, color="0.7", lw=0.8, zorder=0)
        ax.set(xlabel="effect on ICC(3,1), last epoch", title=title)
    pairs = zip(means["effect"], means["instead of"])
    labels = [f"{effect}\n(not {first})" for effect, first in pairs]
    left.set_yticks(list(heights.values()), labels)
    left.set_ylim(max(len(heights), 1) - 0.5, -0.5)
    right.legend(loc="upper left", bbox_to_anchor=(1, 1))
