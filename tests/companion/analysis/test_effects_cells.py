"""Effects within combinations, and interactions of three changes, that are known."""

from itertools import product

import numpy as np
import pytest
from designs import CHANGES, LEVELS, TITLES, additive

from companion.analysis.effects import interactions, main_effects, margin_of_error
from companion.analysis.effects_cells import (
    effects_within,
    single_pairs,
    step_terms,
    three_way,
)

SPREAD = (0.01, 4)
FOUR = {change: ["off", "on"] for change in "abcd"}
FOUR_TITLES = {c: {"off": f"no {c}", "on": f"with {c}"} for c in FOUR}
FOUR_LEVELS = {"".join(ls): dict(zip(FOUR, ls)) for ls in product(*FOUR.values())}
ALL_OFF, ALL_ON = "off" * 4, "on" * 4


def noisy() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {name: generator.normal(size=(31, 5)) for name in FOUR_LEVELS}


def test_effects_within_every_combination():
    scored = additive()
    for name, levels in LEVELS.items():
        scored[name] = scored[name] + 0.3 * (
            levels["start"] + levels["target"] == "bx2"
        )
    table = effects_within(LEVELS, TITLES, scored, SPREAD, ["start", "target"])
    assert table["effect"].tolist() == ["title b"] * 2 + ["title x2"] * 2
    assert table["within"].tolist() == ["title x1", "title x2", "title a", "title b"]
    np.testing.assert_allclose(table["size"], [0.2, 0.5, -0.1, 0.2])
    np.testing.assert_allclose(
        table["score with"] - table["score without"], table["size"]
    )
    assert table["pairs"].tolist() == [3, 3, 3, 3]  # over the three samplers
    np.testing.assert_allclose(table["seeds ±"], margin_of_error(*SPREAD, 3))


def test_effects_within_average_to_the_main_effect():
    scored = additive(noise=0.1)
    table = effects_within(LEVELS, TITLES, scored, SPREAD, list(CHANGES))
    main = main_effects(LEVELS, TITLES, scored, SPREAD).query("AU == 'mean'")
    means = table.groupby("effect", sort=False)["size"].mean()
    np.testing.assert_allclose(means, main["size"])
    lost = {name: own for name, own in scored.items() if name != "a-x1-s"}
    fewer = effects_within(LEVELS, TITLES, lost, SPREAD, list(CHANGES))
    assert len(fewer) == len(table) - 4
    none = effects_within(LEVELS, TITLES, {}, SPREAD, list(CHANGES))
    assert len(none) == 0 and list(none.columns) == list(table.columns)


def test_an_effect_alone_is_the_main_effect():
    scored = noisy()
    table = effects_within(FOUR_LEVELS, FOUR_TITLES, scored, SPREAD, ["c"])
    main = main_effects(FOUR_LEVELS, FOUR_TITLES, scored, SPREAD)
    expected = main.query("AU == 'mean' and effect == 'with c'").iloc[0]
    assert table["within"].tolist() == [""]
    for column in ("size", "low", "high", "seeds ±", "lower", "upper", "pairs"):
        assert table.loc[0, column] == pytest.approx(expected[column])


def test_three_changes_interact_by_what_is_put_in():
    scored = {name: 0.0 * own for name, own in noisy().items()}
    for name, of in FOUR_LEVELS.items():
        scored[name] = scored[name] + 0.08 * (of["a"] == of["b"] == of["d"] == "on")
    table = three_way(FOUR_LEVELS, FOUR_TITLES, scored, SPREAD)
    sizes = table.set_index(["effect", "with", "and"])["size"]
    assert len(sizes) == 4
    assert sizes["with a", "with b", "with d"] == pytest.approx(0.08)
    assert sizes.drop(("with a", "with b", "with d")).abs().max() < 1e-12
    row = table[sizes.to_numpy() > 0.01].iloc[0]
    assert row["size with"] == pytest.approx(0.08)
    assert row["size without"] == pytest.approx(0)
    assert row["pairs"] == 2 and row["seeds ±"] == margin_of_error(*SPREAD, 0.5)


def test_three_way_interactions_are_differences_of_interactions():
    """And its error over seeds is that of sixteen scores, each with its own."""
    scored = noisy()
    table = three_way(FOUR_LEVELS, FOUR_TITLES, scored, SPREAD).iloc[0]
    parts = []
    for level in ("off", "on"):
        own = {name: of for name, of in FOUR_LEVELS.items() if of["c"] == level}
        titles = FOUR_TITLES | {"c": {level: "one"}}
        parts.append(interactions(own, titles, scored, SPREAD).iloc[0])
    assert table["size without"] == pytest.approx(parts[0]["size"])
    assert table["size with"] == pytest.approx(parts[1]["size"])
    assert table["size"] == pytest.approx(parts[1]["size"] - parts[0]["size"])
    factor = margin_of_error(
        1, 4, 2
    )  # t times 1: a difference of two means of ... runs
    # each of 16 scores counts with ±1/2: a standard error of s · √(16/4)
    assert table["seeds ±"] == pytest.approx(factor * 0.01 * 2)
    none = three_way(FOUR_LEVELS, FOUR_TITLES, {}, SPREAD)
    assert len(none) == 0 and "and" in none


@pytest.mark.filterwarnings("error")
def test_the_step_is_the_sum_of_its_terms():
    scored = noisy()
    of = FOUR_LEVELS, FOUR_TITLES, scored, SPREAD
    table = step_terms(*of, ALL_OFF, ALL_ON)
    main, *threes, three, whole = table.index
    assert main == "main effects, together"
    assert three == "interactions of 3 changes, together"
    assert threes == ["a, b, c", "a, b, d", "a, c, d", "b, c, d"]
    assert whole == f"{ALL_ON} less {ALL_OFF}"
    gap = (scored[ALL_ON] - scored[ALL_OFF]).mean(axis=1)
    row = table.loc[whole]
    assert row["size"] == pytest.approx(gap[0])
    expected = np.percentile(gap[1:], [2.5, 97.5])
    np.testing.assert_allclose([row["low"], row["high"]], expected)
    assert row["seeds ±"] == pytest.approx(margin_of_error(*SPREAD, 1))
    size = table["size"]
    assert size[main] + size[three] == pytest.approx(size[whole])
    assert size[threes].sum() == pytest.approx(size[three])
    effects = main_effects(*of).query("AU == 'mean'")
    assert size[main] == pytest.approx(effects["size"].sum())
    np.testing.assert_allclose(size[threes], three_way(*of)["size"] / 4)
    # of independent terms with equal errors
    assert table.loc[main, "seeds ±"] == pytest.approx(2 * effects["seeds ±"].iloc[0])


def test_the_step_of_one_change_and_of_missing_models():
    scored = noisy()
    of = FOUR_LEVELS, FOUR_TITLES
    table = step_terms(*of, scored, SPREAD, ALL_OFF, "onoffoffoff")
    assert list(table.index) == [
        "main effects, together",
        f"onoffoffoff less {ALL_OFF}",
    ]
    gap = (scored["onoffoffoff"] - scored[ALL_OFF])[0].mean()
    np.testing.assert_allclose(table["size"], gap)
    del scored["onoffoffon"]
    assert step_terms(*of, scored, SPREAD, ALL_OFF, ALL_ON).empty
    assert step_terms(*of, scored, SPREAD, ALL_OFF, "nobody").empty


def test_pairs_that_differ_in_the_sampler():
    levels = {
        "baseline": {"target": "x1", "sampler": "shuffle"},
        "other": {"target": "x1", "sampler": "multinomial"},
        "proposed": {"target": "x2", "sampler": "multinomial"},
    }
    models = {name: {"sampler": of["sampler"]} for name, of in levels.items()}
    models |= {name: {"sampler": "joint"} for name in ("proposed-joint", "lost-joint")}
    assert single_pairs(models, levels) == {
        "baseline: multinomial sampler": ("other", "baseline"),
        "proposed: joint sampler": ("proposed-joint", "proposed"),
    }
    assert single_pairs({"hog": {"sampler": "shuffle"}}, {}) == {}
