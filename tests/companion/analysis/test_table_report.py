"""Table II in words and pictures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from companion.analysis.printing import signed
from companion.analysis.rows import welch_half_width
from companion.analysis.scores import COLUMNS, best_epochs
from companion.analysis.table_report import (
    describe_aggregates,
    describe_difference,
    describe_more_training,
    describe_rows,
    describe_runs,
    draw_curves,
    draw_rows,
)
from companion.bp4d import AU_NAMES


def epochs(means: list[float], au17: list[float]) -> pd.DataFrame:
    """Scores by epoch: `means` for all columns but AU17."""
    table = pd.DataFrame({name: means for name in COLUMNS}, range(1, len(means) + 1))
    return table.assign(AU17=au17)


SCORES = {
    "baseline": {
        1: epochs([0.1, 0.2, 0.3], [0, 0.1, 0.4]),
        2: epochs([0.1, 0.4, 0.2], [0, 0.2, 0.5]),
    },
    "proposed": {1: epochs([0.2, 0.3, 0.5], [0.2, 0.3, 0.3])},
}


def test_runs_in_words():
    first, *each = describe_runs(best_epochs(SCORES), SCORES).split("\n\n")
    assert first == (
        "The best means of the runs are 0.300 to 0.400 for the baseline network; 0.500 "
        "to 0.500 for the proposed network. The paper's gain is .009."
    )
    assert each == [
        "The best epoch is the last in 1 of 2 runs of the baseline network. Over the "
        "last third of the epochs AU17 gains most, +0.300 on average: 0.10 to 0.40 "
        "with seed 1; 0.20 to 0.50 with seed 2.",
        "The best epoch is the last in 1 of 1 runs of the proposed network. Over the "
        "last third of the epochs AU06 gains most, +0.200 on average: 0.30 to 0.50 "
        "with seed 1.",
    ]


@pytest.mark.filterwarnings("error")
def test_runs_without_a_score():
    none = {"baseline": {1: epochs([np.nan] * 2, [np.nan] * 2)}}
    said = describe_runs(best_epochs(none), none)
    assert said.endswith(
        "has too few known evaluation frames for a score, and is in no mean."
    )
    assert "gains most" not in said


def test_curves_are_the_means():
    axes = Figure().subplots(1, 2)
    draw_curves(axes, SCORES)
    assert [len(ax.lines) for ax in axes] == [2, 1]
    assert axes[0].lines[1].get_ydata().tolist() == [0.1, 0.4, 0.2]
    assert axes[1].get_title() == "proposed"


def test_aggregates_in_words():
    means = pd.DataFrame(
        {"baseline": [0.8464, 0.795], "proposed": [0.852, 0.837]}, ["best", "five"]
    )
    said, gains = describe_aggregates(means).split("\n\n")
    assert said == (
        "The same runs of the baseline network have 0.846 by *best* and 0.795 by "
        "*five*. So the rule alone makes a difference of 0.846 − 0.795 = 0.051."
    )
    assert gains == "Proposed less baseline: best, +0.006; five, +0.042."
    assert describe_aggregates(means * np.nan).startswith("Proposed less baseline: ")


def two_intervals(of_difference: float) -> pd.DataFrame:
    """Of a, .06 wide, of b, .08 wide, and of their difference, half of it given."""
    names, rows = [*AU_NAMES, "mean"], []
    for what, middle, half in (
        ("a", 0.5, 0.03),
        ("b", 0.6, 0.04),
        ("difference", 0, of_difference),
    ):
        rows += [(what, name, middle, middle - half, middle + half) for name in names]
    return pd.DataFrame(rows, columns=["what", "AU", "ICC(3,1)", "low", "high"])


def runs_of_two(of_b: list[float]) -> pd.DataFrame:
    """Two runs of a, .5 and .7 on each AU, and as many of b."""
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["model", "seed"])
    return pd.DataFrame({au: [0.5, 0.7, *of_b] for au in AU_NAMES}, index)


@pytest.mark.parametrize(
    "half, found",
    [
        (0.02, "narrower than each"),
        (0.035, "between the two"),
        (0.045, "wider than each"),
    ],
)
def test_the_interval_of_the_difference_is_compared(half, found):
    said = describe_difference(two_intervals(half), runs_of_two([0.6, 0.6]))
    assert f"and {2 * half:.3f} for their difference (from unrounded " in said
    assert f"numbers): {found}." in said
    assert (
        "wider than each: √(0.060² + 0.080²) = 0.100. The interval that we found"
        in said
    )


def test_intervals_of_one_width():
    table = two_intervals(0.04)
    table.loc[:5, ["low", "high"]] = [0.46, 0.54]  # of a
    said = describe_difference(table, runs_of_two([0.6, 0.6]))
    assert "numbers): about as wide as each, neither wider nor narrower." in said
    assert "On no AU is every run of one network ahead of the other's. On AU06" in said


def test_the_difference_in_words():
    table = two_intervals(0)
    gap = ["ICC(3,1)", "low", "high"]
    table.loc[12:, gap] = [[0.1, 0.05, 0.15], [-0.1, -0.2, -0.01], *[[0.01, -1, 1]] * 4]
    runs = runs_of_two([0.6, 0.8])
    runs.loc["a", "AU10"], runs.loc["b", "AU12"] = 0.9, 0.71
    said = describe_difference(table, runs)
    assert said.endswith(
        "What do the other seeds say? Every run of the a network is ahead of every run "
        "of the b one on AU10; every run of the b network is ahead of every run of the "
        "a one on AU12. On AU06, AU14, AU17 the runs overlap. (If the networks did not "
        "differ, all runs of one would be ahead of all of the other, one way or the "
        "other, with a probability of 33 % for each AU.)"
    )
    assert "0.060 wide for the a, 0.080 for the b network, and 2.000" in said
    assert "√(0.060² + 0.080²) = 0.100.\n" in said
    assert (
        "b network's best run is ahead on AU06, AU12, AU14, AU17, the a's on AU10"
        in said
    )
    assert (
        "0 for AU06 in favour of the b network, and for AU10 in favour of the a."
        in said
    )
    assert (
        "of 6 exact and independent intervals would leave out 0 with a probability of "
        "1 − .95⁶ = 26 %" in said
    )


def test_rows_in_words():
    columns = ["best", "best low", "best high", "seeds", "seeds low", "seeds high"]
    rows = {
        "a": [0.15, 0.1, 0.2, 0.1, -1, 1],
        "b, too": [-0.15, -0.2, -0.1, *[np.nan] * 3],
        "c": [0.02, -0.003, 0.04, 0.02, 0.0009, 0.04],
        "d": [0.2, 0.1, 0.3, 0.2, 0.1, 0.3],
        "e": [-0.2, -0.3, -0.1, -0.2, -0.3, -0.1],
    }
    differences = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    scores = pd.DataFrame(0.5, ["proposed", *rows], [*AU_NAMES, "mean"])
    scores.loc["a", "AU17"] = 0.01
    twin = scores.loc[["a"]].rename(index={"a": "a, by expectation"}).assign(AU17=0.4)
    said = describe_rows(differences, pd.concat([scores, twin])).splitlines()[-1]
    assert said.endswith("below 0.25. By expectation, the same networks score 0.400.")
    assert describe_rows(differences, scores).splitlines() == [
        "- Over people and over seeds, clearly better than the proposed network: *d*. "
        "Clearly worse: *e*.",
        "- *a* is clearly better over people, but within chance over seeds.",
        "- *b, too* is clearly worse over people, but of unknown certainty over seeds.",
        "- *c* is undecided over seeds: an end of its interval is within 0.001 of 0. "
        "Over people it is within chance.",
        "- If nothing differed, at least one of 5 exact and independent intervals "
        "would leave out 0 with a probability of 1 − .95⁵ = 23 %.",
        "- *a* misses AU17: its ICC is 0.010, below 0.25.",
    ]


def test_more_training_in_words():
    """The interval of a gain is Welch's, by its formula."""
    longer = {
        "baseline": {
            1: epochs([0.1, 0.5], [0.1, 0.9]),
            2: epochs([0.1, 0.7], [0.1, 0.9]),
        },
        "proposed": {1: epochs([0.6], [0.3]), 2: epochs([0.6], [0.3])},
    }
    short = SCORES | {"proposed": dict.fromkeys((1, 2), epochs([0.5], [0.3]))}
    runs = {"default": best_epochs(short), "afternoon": best_epochs(longer)}
    row = {"best": 0.2, "best low": 0.1, "best high": 0.3}
    row |= {"seeds": 0.15, "seeds low": -0.1, "seeds high": 0.4}
    other = {name: -value for name, value in row.items()}
    gaps = pd.DataFrame({"default": row, "afternoon": other}).T
    said = describe_more_training(pd.concat(runs, names=["training"]), gaps)
    baseline, proposed, between = said.split("\n")
    first, second = np.array([0.3, 0.4]), np.array([0.5, 0.7])
    half = welch_half_width(second, first)
    assert baseline == (
        f"- The baseline network gains +0.250 over the seeds ({signed(0.25 - half)} "
        f"to {signed(0.25 + half)}, Welch's interval). It gains most on AU17: 0.300 "
        "becomes 0.900. The standard deviation over seeds goes from 0.071 to 0.141."
    )
    assert proposed.startswith("- The proposed network gains +0.100 over the seeds (+0")
    assert "most on AU06: 0.500 becomes 0.600" in proposed
    assert between == (
        "- Proposed less baseline: default, +0.200 for the best runs (+0.100 to +0.300 "
        "over people) and +0.150 over the seeds (−0.100 to +0.400); afternoon, −0.200 "
        "for the best runs (−0.100 to −0.300 over people) and −0.150 over the seeds "
        "(+0.100 to −0.400)."
    )


def test_rows_are_drawn_from_the_top():
    scores = pd.DataFrame(
        {"low": [0.7, 0.65, 0.1], "high": [0.9, 0.8, 0.3], "mean": [0.8, 0.7, 0.2]},
        ["a", "b", "far below"],
    )
    bests = pd.DataFrame(
        {"seed 1": [0.8, 0.7, 0.2], "seed 2": [0.75, np.nan, 0.1]}, scores.index
    )
    ax = Figure().subplots()
    draw_rows(ax, scores, bests, 0.95)
    bar, runs, other_bar, other_runs, ceiling = ax.lines
    assert bar.get_xdata().tolist() == [0.7, 0.9]
    assert runs.get_xdata().tolist() == [0.8, 0.75]
    assert runs.get_ydata().tolist() == [-0.1, 0.1]
    assert other_bar.get_ydata().tolist() == [1, 1]
    assert other_runs.get_xydata().tolist() == [[0.7, 1]]
    assert ceiling.get_xdata() == [0.95, 0.95]
    assert [label.get_text() for label in ax.get_yticklabels()] == [*scores.index]
    (written,) = ax.texts
    assert written.get_text() == "← 95 % 0.100 to 0.300; seeds 0.100 to 0.200"
    assert written.xy[1] == 2 and ax.get_xlim()[0] > 0.6
    assert ax.yaxis_inverted()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["95 % over people, best run", "a seed's best epoch", "ceiling"]


def test_without_a_ceiling_no_line_is_drawn():
    scores = pd.DataFrame({"low": [0.7], "high": [0.9], "mean": [0.8]}, ["a"])
    ax = Figure().subplots()
    draw_rows(ax, scores, pd.DataFrame({"seed 1": [0.8]}, ["a"]), np.nan)
    assert len(ax.lines) == len(ax.get_legend().get_texts()) == 2
