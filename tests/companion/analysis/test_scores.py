"""Scores of epochs, the four aggregates, other measures of agreement."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from simulated import simulated_outputs

from aulib import UNKNOWN
from aulib.icc import icc_per_au
from companion.analysis import scores
from companion.bp4d import AU_NAMES
from companion.training.outputs import LEVEL_NAMES, OUTPUT_NAMES

AGGREGATES = [
    "best epoch of the best run",
    "best epoch, mean over runs",
    "five best epochs, mean over runs",
    "last epoch, mean over runs",
]


def scores_of_a_run(means: list[float], per_au: list[float] | None = None):
    """A table with these means; AU06 has `per_au` or the means, the other AUs 0."""
    table = pd.DataFrame(0.0, range(1, len(means) + 1), scores.COLUMNS)
    table["mean"] = means
    table["AU06"] = means if per_au is None else per_au
    return table.rename_axis("epoch")


# -- epochs


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_levels_are_those_of_equation_3(scale):
    """By plain arithmetic: none of these random outputs is a tie."""
    outputs = simulated_outputs(3, scale)
    halves = outputs[list(OUTPUT_NAMES)].to_numpy(np.float64) / scale
    expected = np.clip(np.floor(halves + 0.5), 0, 5)
    assert (scores.estimated_levels(outputs, scale) == expected).all()


def test_columns_of_levels_take_precedence_over_equation_3():
    outputs = simulated_outputs(0, 1.0)
    assert not (scores.estimated_levels(outputs, 1.0) == 5).all()
    outputs[list(LEVEL_NAMES)] = np.int8(5)
    assert (scores.estimated_levels(outputs, 1.0) == 5).all()


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_scores_by_the_closed_form(scale):
    """Each epoch and AU by covariances, frames with a 9 left out."""
    outputs = simulated_outputs(4, scale)
    table = scores.epoch_scores(outputs, scale)
    assert list(table.index) == [1, 2, 3] and list(table) == [*AU_NAMES, "mean"]
    for epoch, rows in outputs.groupby("epoch"):
        for truth, estimate in zip(AU_NAMES, OUTPUT_NAMES):
            known = rows[truth] != 9
            y = rows.loc[known, truth].to_numpy(float)
            z = np.clip(
                np.floor(rows.loc[known, estimate].to_numpy(float) / scale + 0.5), 0, 5
            )
            expected = 2 * np.cov(y, z)[0, 1] / (y.var(ddof=1) + z.var(ddof=1))
            assert table.loc[epoch, truth] == pytest.approx(expected, abs=1e-12)
    means = table[list(AU_NAMES)].mean(axis=1)
    assert table["mean"].to_numpy() == pytest.approx(means.to_numpy())
    assert table["mean"].is_monotonic_increasing  # the noise shrinks


def test_best_is_the_first_of_equals():
    assert scores.best_epoch(scores_of_a_run([0.1, 0.5, 0.5, 0.2])) == 2
    runs = {
        7: scores_of_a_run([0.5]),
        8: scores_of_a_run([0.6]),
        9: scores_of_a_run([0.6]),
    }
    assert scores.best_run(runs) == 8


def without(outputs: pd.DataFrame, *aus: str) -> pd.DataFrame:
    """The outputs with no label of these AUs but one."""
    outputs = outputs.copy()
    for au in aus:
        outputs.loc[outputs["frame"] > 0, au] = UNKNOWN
    return outputs


@pytest.mark.parametrize("au", AU_NAMES)
def test_an_au_without_known_frames_has_no_score_and_the_others_have(au):
    outputs = simulated_outputs(5, 1.0)
    whole, table = (
        scores.epoch_scores(o, 1.0) for o in (outputs, without(outputs, au))
    )
    others = [name for name in AU_NAMES if name != au]
    assert table[au].isna().all()
    pd.testing.assert_frame_equal(table[others], whole[others])
    np.testing.assert_allclose(table["mean"], whole[others].mean(axis=1))
    assert scores.best_epoch(table) == table["mean"].idxmax()
    score = scores.aggregates({1: table, 2: table})["score"]
    assert score[au].isna().all()
    np.testing.assert_allclose(score["mean"], score[others].mean(axis=1))


def test_where_no_au_has_a_score_the_last_epoch_is_the_best():
    table = scores.epoch_scores(without(simulated_outputs(5, 1.0), *AU_NAMES), 1.0)
    assert table.isna().all(axis=None)
    assert scores.best_epoch(table) == 3
    assert scores.best_run({7: table, 8: table}) == 7
    tables = scores.aggregates({7: table, 8: table})
    assert list(tables["score"].index) == AGGREGATES
    assert all(part.isna().all(axis=None) for part in tables.values())


@pytest.mark.parametrize("aus", [["AU14"], AU_NAMES])
def test_other_measures_of_an_au_without_known_frames(aus):
    outputs = simulated_outputs(3, 1.0).query("epoch == 3")
    levels = scores.estimated_levels(outputs, 1.0)
    values = outputs[list(OUTPUT_NAMES)].to_numpy().astype(float)
    whole, part = (
        scores.agreement_scores(o[list(AU_NAMES)].to_numpy(), levels, values)
        for o in (outputs, without(outputs, *aus))
    )
    lost = np.isin(AU_NAMES, aus)
    assert list(whole) == list(part)
    for name in whole:
        assert np.isnan(part[name][lost]).all()
        np.testing.assert_array_equal(part[name][~lost], whole[name][~lost])


# -- aggregates


def test_four_aggregates_by_hand():
    runs = {
        42: scores_of_a_run([0.10, 0.50, 0.40, 0.30, 0.20, 0.45]),
        43: scores_of_a_run([0.00, 0.30, 0.60, 0.20, 0.10, 0.15]),
        44: scores_of_a_run([0.20, 0.40, 0.30, 0.10, 0.05, 0.30]),
    }
    tables = scores.aggregates(runs)
    score, spread = tables["score"], tables["spread"]
    assert list(score.index) == list(spread.index) == AGGREGATES
    assert list(score) == list(spread) == scores.COLUMNS
    # the five best leave out the worst of each run: .10, .00, .05
    five = [1.85 / 5, 1.35 / 5, 1.30 / 5]
    expected = [0.6, (0.5 + 0.6 + 0.4) / 3, sum(five) / 3, (0.45 + 0.15 + 0.30) / 3]
    assert score["mean"].to_list() == pytest.approx(expected)
    assert np.isnan(spread["mean"].iloc[0])
    expected = [0.1, np.std(five, ddof=1), 0.15]
    assert spread["mean"].iloc[1:].to_list() == pytest.approx(expected)
    assert (score["AU17"] == 0).all()


def test_an_aus_own_best_epoch_does_not_count():
    runs = {
        1: scores_of_a_run([0.5, 0.4], per_au=[0.1, 0.9]),
        2: scores_of_a_run([0.3, 0.2], per_au=[0.3, 0.8]),
    }
    score = scores.aggregates(runs)["score"]["AU06"]
    assert score.to_list() == pytest.approx([0.1, 0.2, 0.525, 0.85])


def test_fewer_epochs_than_five():
    score = scores.aggregates({1: scores_of_a_run([0.2, 0.4])})["score"]
    assert score["mean"].to_list() == pytest.approx([0.4, 0.4, 0.3, 0.4])


def test_one_run_has_no_spread():
    assert scores.aggregates({1: scores_of_a_run([0.2])})["spread"].isna().all().all()


# -- measures of agreement


def test_agreement_scores_by_hand():
    outputs = simulated_outputs(3, 1.0).query("epoch == 3")
    truth = outputs[list(AU_NAMES)].to_numpy().astype(int)
    values = outputs[list(OUTPUT_NAMES)].to_numpy().astype(float)
    estimate = scores.estimated_levels(outputs, 1.0)
    found = scores.agreement_scores(truth, estimate, values)
    np.testing.assert_array_equal(found["ICC(3,1)"], icc_per_au(truth, estimate))
    unrounded = icc_per_au(truth, values)
    np.testing.assert_array_equal(found["ICC(3,1), unrounded"], unrounded)
    for au in range(5):
        known = truth[:, au] != UNKNOWN
        y, z = truth[known, au], estimate[known, au]
        apart = [abs(a - b) for a, b in zip(y, z)]
        assert found["MAE"][au] == pytest.approx(sum(apart) / len(apart))
        near = sum(gap <= 1 for gap in apart) / len(apart)
        assert found["within one level"][au] == pytest.approx(near)
        assert found["Pearson's r"][au] == pytest.approx(pearsonr(y, z).statistic)
        for level in range(6):
            right = sum(b == level for a, b in zip(y, z) if a == level)
            expected = right / (y == level).sum()
            assert found[f"recall {level}"][au] == pytest.approx(expected)


def test_a_constant_shift_changes_every_score_but_icc_and_pearson():
    truth = np.random.default_rng(0).integers(0, 5, (200, 5))
    found = scores.agreement_scores(truth, truth + 1, truth + 1.0)
    for name in ("ICC(3,1)", "ICC(3,1), unrounded", "Pearson's r"):
        np.testing.assert_allclose(found[name], 1)
    assert (found["MAE"] == 1).all() and (found["recall 2"] == 0).all()
    assert np.isnan(found["recall 5"]).all()  # no frame has this level


def test_pearsons_r_of_a_constant_is_0():
    truth = np.random.default_rng(0).integers(0, 6, (20, 5))
    found = scores.agreement_scores(truth, np.full_like(truth, 2), truth + 0.5)
    assert (found["Pearson's r"] == 0).all() and (found["recall 2"] == 1).all()


def test_scores_of_runs_and_their_best_epochs():
    runs = {("b", 1): simulated_outputs(1, 1.0), ("b", 2): simulated_outputs(2, 1.0)}
    runs["p", 1] = simulated_outputs(3, 2.0)
    models = {"b": {"scale": 1.0}, "p": {"scale": 2.0}}
    found = scores.run_scores(runs, models)
    assert list(found) == ["b", "p"] and list(found["b"]) == [1, 2]
    for (model, seed), outputs in runs.items():
        expected = scores.epoch_scores(outputs, models[model]["scale"])
        pd.testing.assert_frame_equal(found[model][seed], expected)
    table = scores.best_epochs(found)
    assert list(table.index) == list(runs)
    for (model, seed), row in table.iterrows():
        chosen = scores.best_epoch(found[model][seed])
        assert row["epoch"] == chosen
        assert row["mean"] == found[model][seed]["mean"].max()
        assert row["last epoch"] == found[model][seed]["mean"].iloc[-1]
