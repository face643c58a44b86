"""Main effects of designs whose effects are known."""

from itertools import product

import numpy as np
import pytest

from aulib import AU_NAMES
from aulib.factorial import (
    differences,
    effects_within,
    half_interval,
    main_effects,
    spread_over_seeds,
)

CHANGES = {"start": ["a", "b"], "target": ["x1", "x2"], "sampler": ["s", "m", "j"]}
LEVELS = {
    "-".join(levels): dict(zip(CHANGES, levels))
    for levels in product(*CHANGES.values())
}
SIZES = {"b": 0.2, "x2": -0.1, "m": 0.03, "j": 0.05}


def additive(noise: float = 0.0) -> dict[str, np.ndarray]:
    """(1 + 400, 5) scores: sums of the levels' sizes; resampled with noise."""
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
    inner = effects_within(LEVELS, CHANGES, additive(), (0.01, 4))
    for effect, row in inner.drop(columns="seeds ±").iterrows():
        high = effect.split(": ")[1].split(",")[0]
        np.testing.assert_allclose(row.dropna(), SIZES[high])


def test_main_effects_against_least_squares():
    """In a balanced design they are the coefficients of a linear model."""
    scored = additive(noise=0.1)
    rows = [
        [1, *(level in levels.values() for level in SIZES)]
        for levels in LEVELS.values()
    ]
    observed = [scored[name][0].mean() for name in LEVELS]
    expected = np.linalg.lstsq(np.array(rows, float), np.array(observed), rcond=None)[0]
    table = main_effects(LEVELS, CHANGES, scored, (0.01, 4)).query("AU == 'mean'")
    np.testing.assert_allclose(table["size"], expected[1:], atol=1e-12)
    assert ((table["lower"] < table["low"]) & (table["upper"] > table["high"])).all()


def test_one_stalled_model_moves_every_effect_unless_its_pairs_are_left_out():
    scored = additive()
    scored["b-x2-m"] = scored["b-x2-m"] - 6
    without = main_effects(LEVELS, CHANGES, scored, (0.01, 4), ["b-x2-m"])
    without = without.query("AU == 'mean'").set_index("effect")
    start = without.loc["start: b, not a"]
    assert start["size"] == pytest.approx(0.2) and start["pairs"] == 5
    assert start["with stalled"] == pytest.approx(0.2 - 6 / 6)
    assert without.loc["sampler: j, not s", "pairs"] == 4


def test_missing_models_and_levels_of_others():
    scored = additive()
    del scored["a-x1-s"]
    assert len(differences(LEVELS, scored, "start", "a", "b")) == 5
    assert (
        len(differences(LEVELS, scored, "start", "a", "b", (), ("target", "x2"))) == 3
    )
    assert main_effects(LEVELS, CHANGES, {}, (0.01, 4)).empty


def test_the_spread_over_seeds_is_pooled():
    runs = {"one": [0.1, 0.2, 0.3], "two": [1.0, 1.4], "three": [5.0]}
    variances = [np.var(runs[name], ddof=1) for name in ("one", "two")]
    sd, freedom = spread_over_seeds(runs)
    assert freedom == 3
    assert sd == pytest.approx(np.sqrt((2 * variances[0] + variances[1]) / 3))
    assert np.isnan(spread_over_seeds({"three": [5.0]})[0])
    assert np.isnan(half_interval(np.nan, 0, 3))


def test_the_interval_for_the_seeds_covers_what_it_says():
    """Six differences of single runs; the sd from as many other runs as here, six."""
    generator, inside = np.random.default_rng(0), []
    for _ in range(2000):
        runs = {name: list(generator.normal(size=3)) for name in ("one", "two")}
        mean = (generator.normal(size=6) - generator.normal(size=6)).mean()
        inside.append(abs(mean) < half_interval(*spread_over_seeds(runs), 6))
    assert 0.935 < np.mean(inside) < 0.965
