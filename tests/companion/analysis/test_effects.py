"""Main effects and simple effects of designs whose effects are known."""

from itertools import product

import numpy as np
import pytest

from companion.analysis.effects import (
    differences,
    interactions,
    main_effects,
    margin_of_error,
    pooled_sd,
    simple_effects,
)
from companion.bp4d import AU_NAMES

CHANGES = {"start": ["a", "b"], "target": ["x1", "x2"], "sampler": ["s", "m", "j"]}
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
    table = main_effects(LEVELS, CHANGES, additive(), (0.01, 4))
    assert len(table) == 4 * (len(AU_NAMES) + 1)
    for row in table.itertuples():
        high = row.effect.split(": ")[1].split(",")[0]
        assert row.size == pytest.approx(SIZES[high])
        assert row.low == pytest.approx(row.high)
    assert table.groupby("effect", sort=False)["pairs"].first().tolist() == [6, 6, 4, 4]
    inner = simple_effects(LEVELS, CHANGES, additive(), (0.01, 4))
    for effect, row in inner.drop(columns="seeds ±").iterrows():
        high = effect.split(": ")[1].split(",")[0]
        np.testing.assert_allclose(row.dropna(), SIZES[high])
    # "start: b, not a" has three pairs with each target and two with each sampler
    start = inner.loc["start: b, not a"]
    assert start["seeds ±"] == margin_of_error(0.01, 4, 1)
    others = ["target: x1", "target: x2", "sampler: s", "sampler: m", "sampler: j"]
    assert list(start.dropna().drop("seeds ±").index) == others


@pytest.mark.parametrize("lost", [[3], range(5)])
def test_an_au_without_a_score_has_no_effect(lost):
    """The others keep theirs, and the mean is over them; not even a warning."""
    whole = additive(0.1)
    part = {name: scores.copy() for name, scores in whole.items()}
    for scores in part.values():
        scores[:, list(lost)] = np.nan
    tables = [main_effects(LEVELS, CHANGES, s, (0.01, 4)) for s in (whole, part)]
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
    inner = simple_effects(LEVELS, CHANGES, part, (0.01, 4)).drop(columns="seeds ±")
    start = inner.loc["start: b, not a", "target: x1"]
    assert np.isnan(start) if not known else start == pytest.approx(0.2, abs=0.2)


def test_main_effects_against_least_squares():
    """In a balanced design main effects are coefficients of a linear model."""
    scored = additive(noise=0.1)
    rows = [
        [1, *(level in levels.values() for level in SIZES)]
        for levels in LEVELS.values()
    ]
    observed = [scored[name][0].mean() for name in LEVELS]
    expected = np.linalg.lstsq(np.array(rows, float), np.array(observed), rcond=None)[0]
    table = main_effects(LEVELS, CHANGES, scored, (0.01, 4)).query("AU == 'mean'")
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
    table = interactions(LEVELS, CHANGES, additive(), (0.01, 4))
    # start with target, with two samplers; target with two samplers
    assert len(table) == 5 and table["pairs"].tolist() == [3, 2, 2, 2, 2]
    np.testing.assert_allclose(table[["size", "low", "high"]], 0, atol=1e-12)
    margins = [margin_of_error(0.01, 4, pairs / 2) for pairs in table["pairs"]]
    np.testing.assert_allclose(table["upper"], margins, atol=1e-12)
    np.testing.assert_allclose(table["lower"], -table["upper"], atol=1e-12)


def test_an_interaction_is_what_one_change_adds_to_the_others_effect():
    scored = additive()
    for name, levels in LEVELS.items():
        both = levels["start"] == "b" and levels["target"] == "x2"
        scored[name] = scored[name] + 0.08 * both
    table = interactions(LEVELS, CHANGES, scored, (0.01, 4))
    assert table.iloc[0][["effect", "with"]].tolist() == [
        "start: b, not a",
        "target: x2, not x1",
    ]
    np.testing.assert_allclose(table["size"], [0.08, 0, 0, 0, 0], atol=1e-12)


def test_interactions_against_least_squares():
    """In a design of twos an interaction is four times a product's coefficient."""
    changes = {"start": ["a", "b"], "target": ["x1", "x2"], "sampler": ["s", "m"]}
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
        table = interactions(levels_of, changes, one, (0.01, 4))
        np.testing.assert_allclose(table["size"], 4 * fitted, atol=1e-12)
    whole = interactions(levels_of, changes, scored, (np.nan, 0))
    assert (whole["low"] < whole["high"]).all() and whole["seeds ±"].isna().all()


def test_pairs_of_missing_models_and_within_a_level():
    scored = additive()
    del scored["a-x1-s"]
    assert len(differences(LEVELS, scored, "start", "a", "b")) == 5
    assert len(differences(LEVELS, scored, "start", "a", "b", ("target", "x2"))) == 3
    assert main_effects(LEVELS, CHANGES, {}, (0.01, 4)).empty


def test_without_a_pair_there_are_no_effects_and_the_same_columns():
    whole = main_effects(LEVELS, CHANGES, additive(), (0.01, 4))
    one = dict([next(iter(additive().items()))])
    none = main_effects(LEVELS, CHANGES, one, (np.nan, 0))
    assert len(none) == 0 and list(none.columns) == list(whole.columns)
    alone = {change: levels[:1] for change, levels in CHANGES.items()}
    for effects in (main_effects, simple_effects, interactions):
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
