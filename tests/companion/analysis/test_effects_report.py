"""Effects in words, tables and pictures."""

import numpy as np
import pandas as pd
import pytest
from designs import LEVELS, TITLES, additive
from matplotlib.figure import Figure

from companion.analysis.effects import (
    interactions,
    main_effects,
    margin_of_error,
    model_differences,
    seed_spread,
)
from companion.analysis.effects_cells import effects_within, step_terms, three_way
from companion.analysis.effects_others import join_others
from companion.analysis.effects_report import (
    au_sentence,
    best_combination,
    best_sentences,
    clear_sentence,
    difference_sentences,
    draw_effects,
    draw_two_changes,
    draw_within,
    elsewhere_sentence,
    failing,
    failing_sentences,
    headline,
    interval,
    levels_table,
    marked,
    read_interaction,
    rounded,
    seeds_sentences,
    smaller_spread_sentence,
    spread_sentence,
    stalled_report,
    step_sentence,
    step_table,
    three_way_sentences,
    verdict,
    within_sentences,
)
from companion.bp4d import AU_NAMES


def test_what_each_level_sets():
    changes = {"start": {"a": {"title": "random", "learning_rate": 0.01}, "b": None}}
    table = levels_table(changes, {"start": {"a": "random", "b": "start b"}})
    assert table.to_numpy().tolist() == [["start", "random", "learning rate", "0.01"]]


def table_of_runs(scores: dict[str, list[float]]) -> pd.DataFrame:
    """Runs of models, by name: the ICC of AU17 of each; .8 for the other AUs."""
    rows = []
    for name, own in scores.items():
        for seed, icc in enumerate(own):
            aus = [0.8, 0.8, 0.8, 0.8, icc]
            rows.append(
                (name, seed, np.mean(aus), np.mean(aus), np.mean(aus) < 0.05, *aus)
            )
    columns = ["model", "seed", "last", "best", "stalled", *AU_NAMES]
    return pd.DataFrame(rows, columns=columns)


def test_stalled_runs_are_reported_by_level_if_there_are_any():
    runs = table_of_runs({"a-x1-s": [0.7, 0.7], "b-x1-s": [0.7]})
    assert stalled_report(runs, LEVELS, TITLES) == "0 of 3 runs stalled."
    runs.loc[2, "stalled"] = True
    said, empty, head, line, *rows = stalled_report(runs, LEVELS, TITLES).split("\n")
    assert said == "1 of 3 runs stalled. By level:" and empty == ""
    assert head.split("|")[1:-1] != [] and len(rows) == 7
    assert [cell.strip() for cell in rows[1].split("|")[2:-1]] == ["title b", "1", "1"]


def test_runs_that_have_not_learned_an_au():
    runs = table_of_runs({name: [0.7, 0.6] for name in LEVELS})
    said = failing_sentences(runs, LEVELS, TITLES)
    assert said == ["Every run has learned each AU to an ICC of 0.25."]
    assert failing(runs) == {}
    low = runs["model"].isin([n for n in LEVELS if n.startswith("a-x2-")])
    runs.loc[low, "AU17"] = 0.1
    one = (runs["model"] == "a-x1-s") & (runs["seed"] == 0)
    runs.loc[one, "AU17"] = 0.2
    assert failing(runs) == {f"a-x2-{sampler}": ["AU17"] for sampler in "jms"}
    assert failing_sentences(runs, LEVELS, TITLES) == [
        "7 of 24 runs have not learned AU17: its ICC there is 0.10 to 0.20, below "
        "0.25. In the other runs it is at least 0.60. All 7 have *title a*. They "
        "include all 6 runs with *title a, title x2*, where AU17 has 0.10 and "
        "the mean ICC over the AUs is 0.760 to 0.780."
    ]
    runs.loc[runs["model"] == "b-x1-s", "AU17"] = 0.1
    (said,) = failing_sentences(runs, LEVELS, TITLES)
    assert "All 9 have" not in said
    assert (
        "all 8 runs with *title a, title x2, title j* or *title a, title x2, " in said
    )


def test_an_au_in_runs_outside_of_the_design_is_not_reported():
    runs = table_of_runs({"a-x1-s": [0.7], "other-joint": [0.1]})
    (said,) = failing_sentences(runs, LEVELS, TITLES)
    assert said.startswith("Every run has learned")
    said = failing_sentences(runs[:0], LEVELS, TITLES)
    assert said == ["No run has learned anything."]


def test_effects_within_combinations_become_sentences():
    small = {name: 0.05 * scores for name, scores in additive().items()}
    small |= {n: own + 0.001 for n, own in small.items() if n.startswith("b-x2")}
    table = effects_within(LEVELS, TITLES, small, (0.0001, 4), ["start", "target"])
    first, second = within_sentences(table, [])
    assert first == (
        "*title b* instead of *title a*: from +0.010 with *title x1* (clear of chance) "
        "to +0.011 with *title x2* (clear of chance)."
    )
    assert second.startswith("*title x2* instead of *title x1*: from −0.005 with")
    loose = effects_within(LEVELS, TITLES, small, (0.1, 4), ["start"])
    said = within_sentences(loose, [])
    assert said == ["*title b* instead of *title a*: +0.011 (within chance)."]
    unknown = effects_within(LEVELS, TITLES, small, (np.nan, 0), ["start"])
    assert within_sentences(unknown, [])[0].endswith("+0.011 (of unknown certainty).")
    none = effects_within(LEVELS, TITLES, {}, (0.1, 4), ["start", "target"])
    assert within_sentences(none, []) == []
    others = table.assign(size=-table["size"], lower=-1.0, upper=-0.5)
    first, _ = within_sentences(join_others(table, others), ["AU10", "AU17"])
    assert first.endswith(
        "*title x2* (clear of chance). Without AU10 and AU17: from −0.011 with *title "
        "x2* (clear of chance) to −0.010 with *title x1* (clear of chance)."
    )
    lost = join_others(table, others.assign(size=np.nan))
    assert within_sentences(lost, ["AU17"]) == within_sentences(table, [])


def test_the_first_interaction_is_read_out():
    scored = {n: own + 0.1 * (n == "b-x2-m") for n, own in additive().items()}
    two = interactions(LEVELS, TITLES, scored, (0.01, 4))
    assert read_interaction(two) == (
        "The first row says: *title b* brings +0.233 with *title x2* and +0.200 with "
        "*title x1*. The difference of the two, +0.033 before rounding, is the "
        "interaction."
    )
    three = three_way(LEVELS, TITLES, scored, (0.01, 4))
    said = read_interaction(three)
    assert "of *title b* and *title x2* is +0.100 with *title m* and 0.000 with" in said
    assert "*title s*. The difference of the two, +0.100 before rounding" in said
    assert read_interaction(three[:0]) == ""


def test_clear_three_way_interactions_become_sentences():
    scored = additive()
    scored["b-x2-m"] = scored["b-x2-m"] - 0.08
    table = three_way(LEVELS, TITLES, scored, (0.001, 4))
    margin = margin_of_error(0.001, 4, 0.25)
    assert three_way_sentences(table, []) == [
        "*title b*, *title x2* and *title m* form a three-way interaction of −0.080 "
        f"(95 % interval −{0.08 + margin:.3f} to −{0.08 - margin:.3f}): the "
        "interaction of the first two is −0.080 with *title m* and 0.000 with *title "
        "s*."
    ]
    none = three_way(LEVELS, TITLES, {}, (0.001, 4))
    assert three_way_sentences(none, []) == []
    others = table.assign(size=0.01, lower=-0.02, upper=0.04)
    (said,) = three_way_sentences(join_others(table, others), ["AU17"])
    assert said.endswith(
        "with *title s*. Without AU17 it is +0.010 (95 % interval −0.020 to +0.040), "
        "within chance."
    )


def test_the_step_in_a_sentence():
    scored, of = additive(), (LEVELS, TITLES)
    table = step_terms(*of, scored, (0.01, 4), "a-x1-s", "b-x2-m")
    said = step_sentence(table)
    assert said.startswith(
        "B-x2-m less a-x1-s is +0.1300, the sum of: main effects +0.1300 (95 % "
    )
    assert "; interactions of 3 changes 0.0000 (95 % interval −0.0" in said
    shown = step_table(table, LEVELS["b-x2-m"], TITLES)
    assert list(shown) == ["size", "both low", "both high"]
    assert list(shown.index) == [
        "main effects, together",
        "title b, title x2, title m",
        "interactions of 3 changes, together",
        "b-x2-m less a-x1-s",
    ]
    assert shown["size"].iloc[-1] == "+0.1300"
    missing = step_terms(*of, {}, (0.01, 4), "a-x1-s", "b-x2-m")
    assert step_table(missing, {}, TITLES).empty
    assert step_sentence(missing) == "Not all models between the two are trained."


def test_the_au_that_changes_most():
    scored = additive()
    for name, levels in LEVELS.items():
        more = np.array([0, 0, 0, 0.01, 0.2])
        scored[name] = scored[name] - more * (levels["target"] == "x2")
    said = au_sentence(main_effects(LEVELS, TITLES, scored, (0.01, 4)))
    assert "; *title x2* AU17 −0.300 (the others −0.102 in the mean); *title m*" in said
    pairs = {"x2": ("a-x2-s", "a-x1-s"), "same": ("a-x1-s", "a-x1-s")}
    one, other = difference_sentences(model_differences(pairs, scored, (0.001, 4)))
    assert one.startswith(
        "*x2*: AU17 changes most, by −0.300; the mean by −0.142, clear "
    )
    assert other.startswith(
        "*same*: AU06 changes most, by 0.000; the mean by 0.000, wi"
    )


def test_the_best_combination_and_its_lead():
    scored = additive()
    assert best_combination(LEVELS, scored) == "b-x1-j"
    assert best_combination(LEVELS, {"other": scored["a-x1-s"]}) is None
    pairs = {"a-x1-s": ("b-x1-j", "a-x1-s")}
    gap = model_differences(pairs, scored, (0.01, 4))
    said = best_sentences(LEVELS, TITLES, scored, gap)
    assert said.startswith(
        "The highest of 12 combinations is *title b, title x1, title j*, 0.250. Its "
        "lead over *a-x1-s* is +0.250 (95 % interval "
    )
    assert "clear of chance. And it was chosen" in said
    assert best_sentences(LEVELS, TITLES, scored, gap.iloc[:0]).endswith("0.250.")
    assert best_sentences(LEVELS, TITLES, {}, gap) == "No combination has a score."


def test_effects_without_the_combinations_that_never_learned_an_au():
    table = main_effects(LEVELS, TITLES, additive(), (0.01, 4))
    others = table.assign(size=table["size"].where(table["effect"] != "title b", 0.15))
    said = elsewhere_sentence(table, others, 2)
    assert said.startswith(
        "Main effects without the 2 combinations that never learned an AU: +0.150 "
        "(*title b*), −0.100 (*title x2*), +0.030 (*title m*) and +0.050 (*title j*). "
        "*title b* changes most, from +0.200 to +0.150. This is exploratory: "
    )
    assert elsewhere_sentence(table, table, 1).startswith(
        "Main effects without the combination"
    )
    assert elsewhere_sentence(table, table, 0).startswith("No combination is left out")
    assert elsewhere_sentence(table, table[:0], 9).startswith(
        "Main effects without the 9 combinations that never learned an AU: there is "
    )


def test_the_headline_sorts_the_main_effects_by_their_verdicts():
    table = main_effects(LEVELS, TITLES, additive(), (0.2, 4))
    none = table[:0]
    assert headline(table, none) == (
        "On average over all combinations, *title b*, *title x2*, *title m* and *title "
        "j* are within chance. What is within chance is too small to be seen with "
        "these people and seeds, if it is there at all."
    )
    clear = table.assign(lower=0.1, upper=0.3, size=0.2)
    clear.loc[table["effect"] == "title x2", ["lower", "size", "upper"]] = (
        -0.3,
        -0.2,
        -0.1,
    )
    clear.loc[table["effect"] == "title m", "lower"] = -0.0001
    clear.loc[table["effect"] == "title j", ["lower", "upper"]] = np.nan
    depends = clear[clear["AU"] == "mean"]
    assert headline(clear, depends) == (
        "What a change does depends on the others: of 4 interactions of two, 2 are "
        "clear of chance. On average over all combinations, *title b* raises the mean "
        "ICC, clear of chance; *title x2* lowers the mean ICC, clear of chance; "
        "*title m* is undecided; *title j* is of unknown certainty."
    )
    loose = depends.assign(lower=-1.0, upper=1.0)
    assert headline(clear, loose).startswith("None of the 4 interactions of two is")


def test_the_interval_over_seeds_is_computed_in_words():
    runs = table_of_runs({"a-x1-s": [0.7, 0.6, 0.5], "b-x1-s": [0.7, 0.6]})
    spread = (0.02 / np.sqrt(2), 3)
    said = seeds_sentences(runs, 0.02, spread, 2, 8)
    assert said == (
        "Here $s$ is 0.0200, with 3 degrees of freedom, and a model's score is the "
        "mean of $r$ = 2 or more runs. A mean of $n$ = 8 differences has the standard "
        "error 0.0200 · √(2 / (8 · 2)) = 0.0071. Times t = 3.18 that is 0.023: the "
        "column *seeds ±* below."
    )
    assert "= 2 runs. A" in seeds_sentences(runs[1:], 0.02, spread, 2, 8)
    assert seeds_sentences(runs, np.nan, (np.nan, 0), 1, 8).startswith("No model has")


def test_clear_intervals_are_counted():
    scored = {name: 0.05 * scores for name, scores in additive().items()}
    of = LEVELS, TITLES, scored

    def count(*of):
        tables = main_effects(*of), interactions(*of), three_way(*of)
        names = "main effects", "interactions of two", "interactions of three"
        return clear_sentence(dict(zip(names, tables)))

    assert count(*of, (0.001, 4)) == (
        "The 95 % interval over people and seeds excludes 0 for 2 of 4 main effects, 0 "
        "of 5 interactions of two and 0 of 2 interactions of three. 2 more are "
        "undecided: an end is within 0.001 of 0, and the resampling is no more exact. "
        "If nothing had any effect, and if the 11 intervals were exact and "
        "independent, at least one would exclude it with a probability of 1 − .95¹¹ = "
        "43 %."
    )
    said = count(*of, (np.nan, 0))
    assert "for 0 of 4 main effects, 0 of 5" in said
    assert said.endswith("(No model has two runs, so no interval is known.)")
    assert "0 of 0 main effects" in count(LEVELS, TITLES, {}, (np.nan, 0))


def test_a_bound_next_to_0_shows_its_sign_and_the_table_says_so():
    row = pd.Series({"lower": 0.00021, "upper": 0.0341})
    assert interval(row) == "95 % interval +0.0002 to +0.034"
    row = pd.Series({"lower": -0.0341, "upper": 0.0})
    assert interval(row) == "95 % interval −0.034 to 0.000"
    near = {"lower": [0.00021, 0.002, -1, np.nan], "upper": [0.0341, 1, 1, np.nan]}
    table = pd.DataFrame(near | {"size": [0.02, 0.1, 0.0, 0.1]})
    assert marked(table)["excludes 0"].tolist() == ["undecided", "yes", "no", "unknown"]
    below = pd.Series({"size": -0.1, "lower": -0.2, "upper": -0.0005})
    assert verdict(below) == "undecided" and verdict(below - 0.01) == "yes"
    assert len(marked(table.iloc[:0])) == 0
    assert list(marked(table)) == ["both low", "both high", "excludes 0", "size"]


def test_the_model_with_most_of_the_spread_is_named():
    runs = table_of_runs({"a-x1-s": [0.7, 0.6], "other": [0.7, 0.4], "b-x1-s": [0.5]})
    assert spread_sentence(runs, LEVELS, TITLES).startswith(
        "90 % of this pooled variance comes from one model, *other* (0.780, 0.720)."
    )
    said = spread_sentence(runs, LEVELS, TITLES)
    assert said.endswith("too narrow for this one. Without it, $s$ is 0.014.")
    said = spread_sentence(runs[runs["model"] != "other"], LEVELS, TITLES)
    assert said.startswith(
        "100 % of this pooled variance comes from one model, *title a"
    )
    said = spread_sentence(runs[runs["model"] == "b-x1-s"], LEVELS, TITLES)
    assert said == "Nothing is known of the spread over seeds."


def test_what_a_smaller_spread_would_change():
    runs = table_of_runs({"a-x1-s": [0.7, 0.6], "other": [0.7, 0.0], "b-x1-s": [0.5]})
    sd, spread, _ = seed_spread(runs)
    tables = {"main effects": main_effects(LEVELS, TITLES, additive(), spread)}
    said = smaller_spread_sentence(tables, runs, spread)
    assert said.startswith(
        "Without the model that varies most over seeds (98 % of the variance), $s$ is "
        "0.014. Of the verdicts of this notebook (4 main effects), this $s$ would "
    )
    same = tables | {"main effects": tables["main effects"].assign(size=0.0, low=-1.0)}
    same["main effects"]["high"] = 1.0
    said = smaller_spread_sentence(same, runs, spread)
    assert said.endswith("this $s$ would change none.")
    gap = model_differences({"x": ("a-x1-s", "b-x1-s")}, additive(), (0.2, 8))
    runs = table_of_runs({"other": [0.9, 0.1], "b-x1-s": [0.7, 0.7001, 0.7]})
    said = smaller_spread_sentence({"differences": gap}, runs, (0.2, 8))
    assert said.endswith(
        "Of the verdicts of this notebook (1 differences), this $s$ would change 1 "
        "(differences: *x* "
        "would be clear of chance). But the model is picked by its scores, so we keep "
        "the larger $s$."
    )
    none = smaller_spread_sentence(tables, runs[2:3], spread)
    assert none == "Nothing is known of the spread over seeds."


def test_one_effect_is_drawn_in_each_combination():
    table = effects_within(LEVELS, TITLES, additive(), (0.01, 4), list(TITLES))
    figure = draw_within(table, "title b", "made up")
    panels = {ax.get_title(): ax for ax in figure.axes}
    assert list(panels) == ["title s", "title m", "title j"]
    for name, ax in panels.items():
        assert [line.get_label() for line in ax.lines] == ["title x1", "title x2"]
        assert [tick.get_text() for tick in ax.get_xticklabels()] == [
            "title a",
            "title b",
        ]
        for line in ax.lines:
            cell = table.set_index(["effect", "within"]).loc[
                ("title b", f"{line.get_label()}, {name}")
            ]
            without, with_it = line.get_ydata()
            assert without == cell["score without"]
            assert with_it - without == pytest.approx(cell["size"])


def test_a_joined_table_has_a_verdict_on_the_others():
    table = effects_within(LEVELS, TITLES, additive(), (0.01, 4), ["start", "target"])
    others = table.assign(size=0.1, lower=-0.2, upper=0.3)
    shown = marked(join_others(table, others))
    assert list(shown)[-1] == "others exclude 0"
    assert set(shown["others exclude 0"]) == {"no"}
    assert set(shown["excludes 0"]) == {"yes"}


def test_rounded_numbers_have_no_negative_zero():
    table = pd.DataFrame({"a": ["x"], "b": [-0.0001], "c": [3], "d": [0.12345]})
    assert rounded(table).to_csv() == ",a,b,c,d\n0,x,0.0,3,0.123\n"


def test_two_changes_are_drawn_with_what_each_adds():
    figure = draw_two_changes(0.5, 0.6, 0.54, 0.74)
    (ax,) = figure.axes
    said = [text.get_text() for text in ax.texts]
    assert sorted(said) == ["A adds 0.10", "A adds 0.20", "B adds 0.04", "B adds 0.14"]
    lines = [line.get_ydata() for line in ax.lines]
    np.testing.assert_allclose(lines, [[0.5, 0.54], [0.6, 0.74]])


def test_the_drawn_effects():
    table = main_effects(LEVELS, TITLES, additive(noise=0.1), (0.01, 4))
    left, right = Figure().subplots(1, 2, sharey=True)
    draw_effects(left, right, table)
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels[0] == "title b\n(not title a)" and len(labels) == 4
    means = table[table["AU"] == "mean"]
    dots = [line.get_xydata()[0] for line in left.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([x for x, _ in dots], means["size"])
    entries = [text.get_text() for text in right.get_legend().get_texts()]
    assert entries == list(AU_NAMES)
    assert left.get_ylim() == (3.5, -0.5)  # the first effect is at the top
    colours = [line.get_color() for line in right.lines if line.get_marker() in "os^Dv"]
    assert len(set(colours)) == len(AU_NAMES)


@pytest.mark.filterwarnings("error")
def test_no_effect_can_be_drawn():
    left, right = Figure().subplots(1, 2, sharey=True)
    draw_effects(left, right, main_effects(LEVELS, TITLES, {}, (0.01, 4)))
    assert left.get_yticklabels() == []
