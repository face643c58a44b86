"""Main effects and interactions of designs whose effects are known."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from companion.analysis.bootstrap import subject_sums
from companion.analysis.effects import (
    average_seeds,
    differences,
    draw_effects,
    draw_level_shares,
    effect_sentences,
    effective_sample_size,
    findings,
    interaction_sentences,
    interactions,
    level_shares,
    levels_table,
    main_effects,
    margin_of_error,
    model_differences,
    model_table,
    pooled_sd,
    resample_runs,
    rounded,
    run_table,
    sampler_table,
    seed_spread,
    seen_share,
    signed,
    stalled_table,
    sums_digest,
)
from companion.bp4d import AU_NAMES

CHANGES = {"start": ["a", "b"], "target": ["x1", "x2"], "sampler": ["s", "m", "j"]}
TITLES = {
    change: {level: f"title {level}" for level in levels}
    for change, levels in CHANGES.items()
}
LEVELS = {
    "-".join(levels): dict(zip(CHANGES, levels))
    for levels in product(*CHANGES.values())
}
SIZES = {"b": 0.2, "x2": -0.1, "m": 0.03, "j": 0.05}


def additive(noise: float = 0.0) -> dict[str, np.ndarray]:
    """Scores (1 + 400, 5): the sum of the levels' effects, and noise."""
    generator = np.random.default_rng(0)
    return {
        name: sum(SIZES.get(level, 0) for level in levels.values())
        + noise * generator.normal(size=(401, 5))
        for name, levels in LEVELS.items()
    }


def test_effects_that_add_up_are_found_exactly():
    table = main_effects(LEVELS, TITLES, additive(), (0.01, 4))
    assert len(table) == 4 * (len(AU_NAMES) + 1)
    for row in table.itertuples():
        assert row.size == pytest.approx(SIZES[row.effect.removeprefix("title ")])
        assert row.low == pytest.approx(row.high)
    assert table.groupby("effect", sort=False)["pairs"].first().tolist() == [6, 6, 4, 4]
    firsts = table.groupby("effect", sort=False)["instead of"].first()
    assert firsts.tolist() == ["title a", "title x1", "title s", "title s"]


@pytest.mark.parametrize("lost", [[3], range(5)])
def test_an_au_without_a_score_has_no_effect(lost):
    """The others keep theirs, and the mean is over them; not even a warning."""
    whole = additive(0.1)
    part = {name: scores.copy() for name, scores in whole.items()}
    for scores in part.values():
        scores[:, list(lost)] = np.nan
    tables = [main_effects(LEVELS, TITLES, s, (0.01, 4)) for s in (whole, part)]
    names = [name for au, name in enumerate(AU_NAMES) if au in lost]
    known = [name for name in AU_NAMES if name not in names]
    for _, table in tables[1].set_index("AU").groupby("effect"):
        full = tables[0].set_index("AU").query("effect == @table.effect.iloc[0]")
        for column in ("size", "low", "high"):
            assert table.loc[names, column].isna().all()
            np.testing.assert_array_equal(
                table.loc[known, column], full.loc[known, column]
            )
        mean = full.loc[known, "size"].mean() if known else np.nan
        assert table.loc["mean", "size"] == pytest.approx(mean, nan_ok=True)
    inner = interactions(LEVELS, TITLES, part, (0.01, 4))
    if known:
        assert inner["size"].notna().all()
        assert inner.loc[0, "size with"] == pytest.approx(0.2, abs=0.2)
    else:
        assert inner["size"].isna().all()


def test_main_effects_against_least_squares():
    """In a balanced design main effects are coefficients of a linear model."""
    scored = additive(noise=0.1)
    rows = [
        [1, *(level in levels.values() for level in SIZES)]
        for levels in LEVELS.values()
    ]
    observed = [scored[name][0].mean() for name in LEVELS]
    expected = np.linalg.lstsq(np.array(rows, float), np.array(observed), rcond=None)[0]
    table = main_effects(LEVELS, TITLES, scored, (0.01, 4)).query("AU == 'mean'")
    np.testing.assert_allclose(table["size"], expected[1:], atol=1e-12)
    starts = [
        scored[name] - scored["a" + name[1:]] for name in LEVELS if name[0] == "b"
    ]
    resampled = np.mean(starts, axis=0)[1:].mean(axis=1)
    expected = np.percentile(resampled, [2.5, 97.5])
    np.testing.assert_allclose(table.iloc[0][["low", "high"]].astype(float), expected)
    seeds = [margin_of_error(0.01, 4, pairs) for pairs in (6, 6, 4, 4)]
    np.testing.assert_allclose(table["seeds ±"], seeds)
    below, above = table["size"] - table["low"], table["high"] - table["size"]
    np.testing.assert_allclose(table["lower"], table["size"] - np.hypot(below, seeds))
    np.testing.assert_allclose(table["upper"], table["size"] + np.hypot(above, seeds))


def test_effects_that_add_up_do_not_interact():
    table = interactions(LEVELS, TITLES, additive(), (0.01, 4))
    # start with target, with two samplers; target with two samplers
    assert len(table) == 5 and table["pairs"].tolist() == [3, 2, 2, 2, 2]
    np.testing.assert_allclose(table[["size", "low", "high"]], 0, atol=1e-12)
    for size in ("size with", "size without"):
        np.testing.assert_allclose(table[size], [0.2, 0.2, 0.2, -0.1, -0.1])
    margins = [margin_of_error(0.01, 4, pairs / 2) for pairs in table["pairs"]]
    np.testing.assert_allclose(table["upper"], margins, atol=1e-12)
    np.testing.assert_allclose(table["lower"], -table["upper"], atol=1e-12)


def test_an_interaction_is_what_one_change_adds_to_the_others_effect():
    scored = additive()
    for name, levels in LEVELS.items():
        both = levels["start"] == "b" and levels["target"] == "x2"
        scored[name] = scored[name] + 0.08 * both
    table = interactions(LEVELS, TITLES, scored, (0.01, 4))
    first = table.iloc[0]
    names = first[["effect", "with", "instead of"]].tolist()
    assert names == ["title b", "title x2", "title x1"]
    assert first["size with"] == pytest.approx(0.28)
    assert first["size without"] == pytest.approx(0.2)
    np.testing.assert_allclose(table["size"], [0.08, 0, 0, 0, 0], atol=1e-12)


def test_interactions_against_least_squares():
    """In a design of twos an interaction is four times a product's coefficient."""
    changes = {change: levels[:2] for change, levels in CHANGES.items()}
    titles = {c: {level: level for level in levels} for c, levels in changes.items()}
    levels_of = {n: v for n, v in LEVELS.items() if v["sampler"] != "j"}
    scored = {name: additive(noise=0.1)[name] for name in levels_of}
    signs = np.array(
        [
            [2 * changes[c].index(v) - 1 for c, v in v.items()]
            for v in levels_of.values()
        ]
    )
    products = [signs[:, i] * signs[:, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    design = np.column_stack([np.ones(len(signs)), signs, *products])
    for row in (0, 7):  # all people, a resample
        observed = [scored[name][row].mean() for name in levels_of]
        fitted = np.linalg.lstsq(design, np.array(observed), rcond=None)[0][4:]
        one = {name: scores[[row, row, row]] for name, scores in scored.items()}
        table = interactions(levels_of, titles, one, (0.01, 4))
        np.testing.assert_allclose(table["size"], 4 * fitted, atol=1e-12)
    whole = interactions(levels_of, titles, scored, (np.nan, 0))
    assert (whole["low"] < whole["high"]).all() and whole["seeds ±"].isna().all()


def test_pairs_of_missing_models_and_within_a_level():
    scored = additive()
    del scored["a-x1-s"]
    assert len(differences(LEVELS, scored, "start", "a", "b")) == 5
    assert len(differences(LEVELS, scored, "start", "a", "b", ("target", "x2"))) == 3
    assert main_effects(LEVELS, TITLES, {}, (0.01, 4)).empty


def test_without_a_pair_there_are_no_effects_and_the_same_columns():
    whole = main_effects(LEVELS, TITLES, additive(), (0.01, 4))
    one = dict([next(iter(additive().items()))])
    none = main_effects(LEVELS, TITLES, one, (np.nan, 0))
    assert len(none) == 0 and list(none.columns) == list(whole.columns)
    alone = {change: {levels[0]: "only"} for change, levels in CHANGES.items()}
    for effects in (main_effects, interactions):
        none = effects(LEVELS, alone, one, (np.nan, 0))
        assert len(none) == 0 and len(none["seeds ±"]) == 0


def test_the_pooled_sd_is_pooled():
    runs = {"one": [0.1, 0.2, 0.3], "two": [1.0, 1.4], "three": [5.0]}
    variances = [np.var(runs[name], ddof=1) for name in ("one", "two")]
    sd, freedom = pooled_sd(runs)
    assert freedom == 3
    assert sd == pytest.approx(np.sqrt((2 * variances[0] + variances[1]) / 3))
    assert np.isnan(pooled_sd({"three": [5.0]})[0])
    assert np.isnan(margin_of_error(np.nan, 0, 3))


def test_the_interval_over_seeds_has_nominal_coverage():
    """Six differences between single runs; the sd comes from six other runs."""
    generator, inside = np.random.default_rng(0), []
    for _ in range(2000):
        runs = {name: list(generator.normal(size=3)) for name in ("one", "two")}
        mean = (generator.normal(size=6) - generator.normal(size=6)).mean()
        inside.append(abs(mean) < margin_of_error(*pooled_sd(runs), 6))
    assert 0.935 < np.mean(inside) < 0.965


# -- runs


def sums_of(noise: list[float], seed: int) -> np.ndarray:
    """Sums (E, 6, 5, 6) of an epoch for each size of noise; NaN answers 0 always."""
    generator = np.random.default_rng(seed)
    truth = np.random.default_rng(0).integers(0, 6, (240, 5))  # the same in all runs
    people = np.repeat(np.arange(6), 40)
    epochs = []
    for size in noise:
        answers = np.zeros((240, 5))
        if size == size:
            answers = np.rint(truth + generator.normal(0, size, (240, 5))).clip(0, 5)
        epochs.append(subject_sums(truth, answers, people))
    return np.stack(epochs)


SUMS = {
    ("a-x1", 1): sums_of([3, 0.5, 1], 1),
    ("a-x1", 2): sums_of([3, 0.5, 1], 2),
    ("b-x1", 1): sums_of([3, 1, 0.5], 3),
    ("b-x1", 2): sums_of([3, 1, np.nan], 4),  # stalls at its last epoch
    ("other", 1): sums_of([3, 1, 2], 5),
}
DESIGN = {
    "a-x1": {"start": "a", "target": "x1"},
    "b-x1": {"start": "b", "target": "x1"},
    "b-x2": {"start": "b", "target": "x2"},  # has no run
}
NAMES = {"start": {"a": "random", "b": "trained"}, "target": {"x1": "one", "x2": "two"}}


def test_the_table_of_runs():
    table = run_table(SUMS)
    assert [*zip(table["model"], table["seed"])] == list(SUMS)
    assert table["stalled"].tolist() == [False, False, False, True, False]
    assert table["last"].iloc[3] == 0 and table["best"].iloc[3] > 0.5
    assert table["best"].iloc[0] > table["last"].iloc[0] + 0.05
    assert table["best"].iloc[2] == table["last"].iloc[2]


def test_the_table_of_models_has_a_row_for_one_without_a_run():
    runs = run_table(SUMS)
    table = model_table(runs, DESIGN, NAMES)
    assert table.index.tolist() == list(DESIGN)
    assert table["start"].tolist() == ["random", "trained", "trained"]
    assert table["runs"].tolist() == [2, 2, 0]
    assert table["stalled"].tolist() == [0, 1, 0]
    assert table.loc["a-x1", "last epoch"] == pytest.approx(runs["last"][:2].mean())
    assert table["best epoch"].isna().tolist() == [False, False, True]


def test_stalled_runs_by_level():
    table = stalled_table(run_table(SUMS), DESIGN, NAMES)
    assert table["runs"].to_dict() == {
        ("start", "random"): 2,
        ("start", "trained"): 2,
        ("target", "one"): 4,
        ("target", "two"): 0,
    }
    assert table["stalled"].tolist() == [0, 1, 1, 0]


def test_all_runs_are_resampled_with_the_same_people():
    resampled = resample_runs(SUMS | {("a-x1", 3): SUMS["a-x1", 1]}, 20, seed=0)
    assert resampled["a-x1", 1].shape == (21, 5)
    np.testing.assert_array_equal(resampled["a-x1", 1], resampled["a-x1", 3])
    table = run_table(SUMS)
    for row in table.itertuples():
        whole = resampled[row.model, row.seed][0]
        assert whole.mean() == pytest.approx(row.last)
    assert np.ptp(resampled["a-x1", 1][1:, 0]) > 0


def test_the_average_over_seeds_is_of_the_kept_runs():
    resampled = resample_runs(SUMS, 3, seed=0)
    kept = [("a-x1", 2), ("a-x1", 1), ("b-x1", 1)]
    found = average_seeds(resampled, kept)
    assert list(found) == ["a-x1", "b-x1"]
    both = (resampled["a-x1", 1] + resampled["a-x1", 2]) / 2
    np.testing.assert_allclose(found["a-x1"], both)
    np.testing.assert_array_equal(found["b-x1"], resampled["b-x1", 1])
    assert average_seeds(resampled, []) == {}


def test_the_spread_over_seeds_is_that_of_the_models_with_the_fewest_runs():
    rows = [("a", 1, 0.1), ("a", 2, 0.3), ("b", 1, 0.5), ("b", 2, 0.5), ("b", 3, 0.5)]
    runs = pd.DataFrame(rows, columns=["model", "seed", "last"])
    sd, spread, fewest = seed_spread(runs)
    assert sd == pytest.approx(np.sqrt(0.02 / 3)) and fewest == 2
    assert spread == (pytest.approx(sd / np.sqrt(2)), 3)
    sd, (of_mean, freedom), fewest = seed_spread(runs.drop_duplicates("model"))
    assert np.isnan(sd) and np.isnan(of_mean) and (freedom, fewest) == (0, 1)


def test_nothing_has_been_learned():
    """All runs stalled: no spread, no effect, and the sizes with them can be joined."""
    runs = run_table({("a-x1", 1): sums_of([np.nan], 1)})
    sd, (of_mean, freedom), fewest = seed_spread(runs[~runs["stalled"]])
    assert np.isnan(sd) and np.isnan(of_mean) and (freedom, fewest) == (0, 1)
    none = main_effects(LEVELS, TITLES, {}, (of_mean, freedom))
    whole = main_effects(LEVELS, TITLES, additive(), (of_mean, freedom))
    sizes = whole.set_index(["effect", "AU"])["size"].rename("all")
    assert len(none.join(sizes, on=["effect", "AU"])) == 0


def test_the_digest_is_of_the_runs_and_their_sums_in_any_order():
    digest = sums_digest(SUMS)
    assert len(digest) == 16
    assert sums_digest(dict(reversed(SUMS.items()))) == digest
    changed = SUMS | {("other", 1): SUMS["other", 1] + 1}
    assert sums_digest(changed) != digest
    assert sums_digest({("new", s): array for (_, s), array in SUMS.items()}) != digest


def test_differences_of_two_models():
    scored = additive(noise=0.1)
    pairs = {"first": ("b-x1-s", "a-x1-s"), "lost": ("b-x1-s", "nobody")}
    table = model_differences(pairs, scored, (0.01, 4))
    gap = scored["b-x1-s"] - scored["a-x1-s"]
    assert table.index.tolist() == ["first"]
    np.testing.assert_allclose(table.loc["first", list(AU_NAMES)], gap[0])
    row = table.loc["first"]
    assert row["size"] == pytest.approx(gap[0].mean())
    low, high = np.percentile(gap[1:].mean(axis=1), [2.5, 97.5])
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
    assert row["seeds ±"] == margin_of_error(0.01, 4, 1)
    assert model_differences({}, scored, (0.01, 4)).empty


# -- what samplers draw


@pytest.mark.parametrize(
    "weights, size",
    [([1, 1, 1, 1], 4), ([3, 1, 1, 1], 3), ([1, 0, 0, 0], 1), ([0.2, 0.2], 2)],
)
def test_the_effective_sample_size_by_hand(weights, size):
    assert effective_sample_size(np.array(weights)) == pytest.approx(size)


def test_a_mean_has_the_variance_that_the_effective_sample_size_says():
    weights = np.random.default_rng(0).exponential(size=30)
    numbers = np.random.default_rng(1).normal(size=(50_000, 30))
    variance = np.average(numbers, axis=1, weights=weights).var()
    assert 1 / variance == pytest.approx(effective_sample_size(weights), rel=0.03)


def test_the_share_of_frames_that_draws_reach():
    """Against draws; of two equal weights, by hand: 1 - 1/4."""
    assert seen_share(np.ones(2)) == pytest.approx(0.75)
    weights = np.random.default_rng(0).exponential(size=400)
    generator, chances = np.random.default_rng(1), weights / weights.sum()
    seen = [len(np.unique(generator.choice(400, 400, p=chances))) for _ in range(200)]
    assert seen_share(weights) == pytest.approx(np.mean(seen) / 400, abs=0.005)


LABELS = np.array([[0, 0, 0, 0, 0], [5, 0, 0, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
WEIGHTS = {"equal": np.ones(4), "odd": np.array([0.0, 1, 1, 2])}


def test_the_table_of_samplers():
    table = sampler_table(WEIGHTS, LABELS)
    assert table["without any AU (%)"].tolist() == [25, 0]
    assert table["with a level 5 (%)"].tolist() == [25, 25]
    assert table["n_eff (%)"].tolist() == pytest.approx([100, 100 * 16 / 6 / 4])
    assert table.loc["equal", "seen (%)"] == pytest.approx(100 * (1 - 0.75**4))


def test_the_shares_of_the_levels():
    table = level_shares(WEIGHTS, LABELS).set_index(["sampler", "AU", "level"])["share"]
    assert table["odd"]["AU06"].tolist() == [0.5, 0.25, 0, 0, 0, 0.25]
    assert table["equal"]["AU17"].tolist() == [0.25, 0.75, 0, 0, 0, 0]
    assert (table.groupby(["sampler", "AU"]).sum() == 1).all()


def test_the_drawn_shares():
    figure = Figure(layout="constrained")
    axes = figure.subplots(1, 5)
    draw_level_shares(axes, level_shares(WEIGHTS, LABELS))
    heights = [bar.get_height() for bar in axes[0].patches]
    assert heights == [0.5, 0.25, 0, 0, 0, 0.25] * 2
    places = [bar.get_x() + bar.get_width() / 2 for bar in axes[0].patches]
    assert places[5] == pytest.approx(4.8) and places[11] == pytest.approx(5.2)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["equal", "odd"]


# -- words and pictures


def test_what_each_level_sets():
    changes = {"start": {"a": {"title": "random", "learning_rate": 0.01}, "b": None}}
    table = levels_table(changes, {"start": {"a": "random", "b": "start b"}})
    assert table.to_numpy().tolist() == [["start", "random", "learning rate", "0.01"]]


def test_clear_effects_become_sentences_the_largest_first():
    small = {name: 0.05 * scores for name, scores in additive().items()}
    table = main_effects(LEVELS, TITLES, small, (0.001, 4))
    sentences = effect_sentences(table)
    assert sentences[0] == (
        "Going from *title a* to *title b* raises the mean ICC by 0.010 "
        "(95 % interval +0.008 to +0.012)."
    )
    assert sentences[1].startswith(
        "Going from *title x1* to *title x2* lowers the mean ICC by 0.005"
    )
    assert len(sentences) == 3  # "m" is lost in the spread over seeds
    assert effect_sentences(main_effects(LEVELS, TITLES, small, (np.nan, 0))) == []
    assert effect_sentences(main_effects(LEVELS, TITLES, {}, (0.01, 4))) == []


def test_clear_interactions_become_sentences():
    scored = additive()
    for name, levels in LEVELS.items():
        both = levels["start"] == "b" and levels["target"] == "x2"
        scored[name] = scored[name] - 0.08 * both
    table = interactions(LEVELS, TITLES, scored, (0.001, 4))
    margin = margin_of_error(0.001, 4, 1.5)
    assert interaction_sentences(table) == [
        "The effect of *title b* is 0.080 lower with *title x2* than with *title x1*: "
        "+0.120 and +0.200 (95 % interval "
        f"−{0.08 + margin:.3f} to −{0.08 - margin:.3f} for the difference)."
    ]


def test_findings_count_what_is_clear():
    scored = {name: 0.05 * scores for name, scores in additive().items()}
    of = LEVELS, TITLES, scored
    text = findings(main_effects(*of, (0.001, 4)), interactions(*of, (0.001, 4)))
    first, empty, *lines = text.split("\n")
    assert first == (
        "3 of 4 main effects and 0 of 5 interactions have a 95 % interval over people "
        "and seeds that leaves out 0. If nothing had any effect, at least one of 9 "
        "independent intervals would leave it out with a probability of 37 %."
    )
    assert empty == "" and len(lines) == 3
    assert all(line.startswith("- Going from *title ") for line in lines)
    no_seeds = np.nan, 0
    text = findings(main_effects(*of, no_seeds), interactions(*of, no_seeds))
    assert text.startswith("0 of 4 main effects and 0 of 5 interactions have")
    assert text.endswith("(No model has two runs, so no interval is known.)\n")
    nothing = LEVELS, TITLES, {}
    text = findings(main_effects(*nothing, no_seeds), interactions(*nothing, no_seeds))
    assert text.startswith("0 of 0 main effects and 0 of 0")


def test_rounded_numbers_have_no_negative_zero():
    table = pd.DataFrame({"a": ["x"], "b": [-0.0001], "c": [3], "d": [0.12345]})
    assert rounded(table).to_csv() == ",a,b,c,d\n0,x,0.0,3,0.123\n"


@pytest.mark.parametrize(
    "value, text",
    [(0.0421, "+0.042"), (-0.0421, "−0.042"), (-0.0001, "0.000"), (0.0, "0.000")],
)
def test_a_number_with_its_sign(value, text):
    assert signed(value) == text


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


@pytest.mark.filterwarnings("error")
def test_no_effect_can_be_drawn():
    left, right = Figure().subplots(1, 2, sharey=True)
    draw_effects(left, right, main_effects(LEVELS, TITLES, {}, (0.01, 4)))
    assert left.get_yticklabels() == []
