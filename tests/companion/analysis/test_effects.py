"""Main effects and interactions of designs whose effects are known."""

import numpy as np
import pandas as pd
import pytest
from designs import CHANGES, LEVELS, SIZES, TITLES, additive
from scipy import stats

from companion.analysis.bootstrap import subject_sums
from companion.analysis.effects import (
    average_seeds,
    differences,
    interactions,
    join_sizes,
    main_effects,
    margin_of_error,
    model_differences,
    model_table,
    pairs_of,
    pooled_sd,
    resample_runs,
    run_table,
    seed_spread,
    stalled_table,
    sums_digest,
    welch_spread,
)
from companion.bp4d import AU_NAMES


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
    assert len(differences(LEVELS, scored, "start", "a", "b", {"target": "x2"})) == 3
    two = {"target": "x2", "sampler": "j"}
    assert pairs_of(LEVELS, scored, "start", "a", "b", two) == [("a-x2-j", "b-x2-j")]
    assert pairs_of(LEVELS, {"a-x2-j"}, "start", "a", "b", two) == []
    assert main_effects(LEVELS, TITLES, {}, (0.01, 4)).empty


def test_sizes_of_another_table_are_joined():
    whole = main_effects(LEVELS, TITLES, additive(), (0.01, 4))
    scored = {name: 2 * own for name, own in additive().items() if name[-1] != "j"}
    part = main_effects(LEVELS, TITLES, scored, (0.01, 4))
    table = join_sizes(whole, part, "others")
    assert list(table.columns) == [*whole.columns, "others"]
    lost = table["effect"] == "title j"
    np.testing.assert_allclose(table["others"][~lost], 2 * table["size"][~lost])
    assert table["others"][lost].isna().all() and lost.sum() == 6


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


def test_welchs_interval_from_its_spread():
    one, other = [0.1, 0.2, 0.6], [1.0, 1.4]
    half = margin_of_error(*welch_spread(one, other), 1)
    found = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert half == pytest.approx((found.high - found.low) / 2)
    for none in ([0.1], [0.1, 0.1]):
        assert np.isnan(margin_of_error(*welch_spread(none, [0.3, 0.3]), 1))


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
    np.testing.assert_allclose(table[list(AU_NAMES)].mean(axis=1), table["last"])


def test_the_table_of_models_has_a_row_for_one_without_a_run():
    runs = run_table(SUMS)
    table = model_table(runs, DESIGN, NAMES)
    assert table.index.tolist() == list(DESIGN)
    assert table["start"].tolist() == ["random", "trained", "trained"]
    assert table["runs"].tolist() == [2, 2, 0]
    assert table["stalled"].tolist() == [0, 1, 0]
    assert table.loc["a-x1", "last epoch"] == pytest.approx(runs["last"][:2].mean())
    assert table["best epoch"].isna().tolist() == [False, False, True]
    of_aus = runs[list(AU_NAMES)][:2].mean()
    assert table.loc["a-x1", "weakest AU"] == of_aus.idxmin()
    assert table.loc["a-x1", "its ICC"] == pytest.approx(of_aus.min())
    assert table.loc["b-x2", "weakest AU"] == "" and np.isnan(table["its ICC"].iloc[2])


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
