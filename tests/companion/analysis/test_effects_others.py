"""Effects without some AUs, and without one model's spread."""

import numpy as np
import pandas as pd
import pytest
from designs import LEVELS, TITLES, additive

from companion.analysis.effects import main_effects, seed_spread
from companion.analysis.effects_cells import effects_within, three_way
from companion.analysis.effects_others import (
    OTHERS,
    hard_aus,
    join_others,
    loudest_model,
    spread_without_aus,
    with_spread,
    without_aus,
)
from companion.bp4d import AU_NAMES


def runs_of(scores: dict[str, list[float]], au17: float = 0.5) -> pd.DataFrame:
    """Runs by model: all AUs have the score, but AU17 another."""
    rows = [
        {"model": name, "seed": seed, "last": score}
        | dict.fromkeys(AU_NAMES, score)
        | {"AU17": au17}
        for name, own in scores.items()
        for seed, score in enumerate(own)
    ]
    return pd.DataFrame(rows)


def test_aus_that_some_run_of_the_design_has_not_learned():
    name = next(iter(LEVELS))
    assert hard_aus(runs_of({name: [0.7]}), LEVELS) == []
    assert hard_aus(runs_of({name: [0.7]}, 0.1), LEVELS) == ["AU17"]
    assert hard_aus(runs_of({"elsewhere": [0.7]}, 0.1), LEVELS) == []


@pytest.mark.filterwarnings("error")
def test_effects_on_the_other_aus_are_means_of_the_others():
    scored = additive()
    for name, levels in LEVELS.items():
        scored[name] = scored[name] + [0, 0, 0, 0, levels["start"] == "b"]
    others = without_aus(scored, ["AU17"])
    table = main_effects(LEVELS, TITLES, others, (0.01, 4)).query("AU == 'mean'")
    assert table["size"].tolist() == pytest.approx([0.2, -0.1, 0.03, 0.05])
    nothing = without_aus(scored, list(AU_NAMES))
    assert main_effects(LEVELS, TITLES, nothing, (0.01, 4))["size"].isna().all()
    assert (without_aus(scored, [])["a-x1-s"] == scored["a-x1-s"]).all()


def test_effects_are_joined_by_their_names():
    changes = ["start", "target"]
    whole = effects_within(LEVELS, TITLES, additive(), (0.01, 4), changes)
    part = effects_within(LEVELS, TITLES, additive(), (0.02, 4), changes)[1:]
    table = join_others(whole, part)
    assert list(table) == [*whole, *OTHERS.values()]
    assert table.loc[0, list(OTHERS.values())].isna().all()
    np.testing.assert_allclose(table["other AUs lower"][1:], part["lower"])
    three = three_way(LEVELS, TITLES, additive(), (0.01, 4))
    np.testing.assert_allclose(join_others(three, three)["other AUs"], three["size"])
    assert len(join_others(whole[:0], part[:0])) == 0


def test_the_spread_of_the_other_aus():
    runs = runs_of({"a": [0.7, 0.6], "b": [0.5, 0.6]}).assign(last=[0.1, 0.9, 0.2, 0.4])
    spread = spread_without_aus(runs, ["AU17"])
    _, expected, _ = seed_spread(runs.assign(last=runs["AU06"]))
    assert spread == pytest.approx(expected)
    assert np.isnan(spread_without_aus(runs, list(AU_NAMES))[0])


def test_the_model_with_most_of_the_spread():
    name, share = loudest_model(runs_of({"a": [0.7, 0.6], "b": [0.5, 0.7]}))
    assert name == "b" and share == pytest.approx(0.02 / 0.025)
    assert loudest_model(runs_of({"a": [0.7]})) is None


def test_intervals_with_another_spread_are_those_that_it_gives():
    of = LEVELS, TITLES, additive(noise=0.1)
    wide, narrow = (main_effects(*of, spread) for spread in ((0.1, 4), (0.02, 30)))
    pd.testing.assert_frame_equal(with_spread(wide, (0.1, 4), (0.02, 30)), narrow)
    unknown = with_spread(wide, (0.1, 4), (np.nan, 0))
    assert unknown["lower"].isna().all()
