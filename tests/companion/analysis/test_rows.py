"""The rows of Table II, against frames resampled one by one and scores by epoch."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from simulated import simulated_outputs

from aulib.icc import icc_per_au
from companion.analysis import bootstrap, rows, scores
from companion.bp4d import AU_NAMES
from companion.training.outputs import LEVEL_NAMES, OUTPUT_NAMES

AUS = list(AU_NAMES)
PEOPLE = ["F002", "F004", "F006", "M002"]


def outputs_of(seed: int, scale: float = 1.0, levels: bool = False) -> pd.DataFrame:
    """Simulated outputs of four people; with `levels`, of a method without Eq. 3."""
    table = simulated_outputs(seed, scale)
    table["subject"] = np.tile(np.repeat(PEOPLE, 10), 3)
    if levels:
        table[list(LEVEL_NAMES)] = scores.estimated_levels(table, scale).astype(np.int8)
        table.loc[::3, list(LEVEL_NAMES)] = 1
    return table


RUNS = {
    ("proposed", 1): outputs_of(1, 2.0),
    ("proposed", 2): outputs_of(2, 2.0),
    ("baseline", 1): outputs_of(3),
    ("baseline", 2): outputs_of(4),
    ("classifier", 1): outputs_of(5, levels=True),
}
MODELS = {"proposed": {"scale": 2.0}, "baseline": {"scale": 1.0}, "classifier": {}}


@pytest.fixture(scope="module")
def table():
    return rows.table_rows(RUNS, MODELS)


def test_a_method_without_eq_3_has_two_rows(table):
    assert list(table) == [
        *("proposed", "baseline", "classifier"),
        "classifier, by expectation",
    ]
    first, second = table["classifier"], table["classifier, by expectation"]
    assert first.model == second.model == "classifier"
    assert (scores.estimated_levels(first.outputs[1], 1.0)[::3] == 1).all()
    expected = scores.epoch_scores(second.outputs[1], 1.0)["mean"]
    assert second.means[1] == pytest.approx(expected.to_numpy(), abs=1e-12)
    assert LEVEL_NAMES[0] not in second.outputs[1]


@pytest.mark.parametrize("name", ["proposed", "baseline"])
def test_the_best_epoch_of_the_best_run_is_that_of_the_scores(table, name):
    row = table[name]
    by_epoch = {
        seed: scores.epoch_scores(RUNS[name, seed], row.scale) for seed in (1, 2)
    }
    assert row.best_seed == scores.best_run(by_epoch)
    assert row.best_epoch == scores.best_epoch(by_epoch[row.best_seed])
    frames = row.best_frames
    assert (frames["epoch"] == row.best_epoch).all() and len(frames) == 40
    own = bootstrap.icc_from_sums(row.best_sums.sum(axis=0))
    expected = by_epoch[row.best_seed].loc[row.best_epoch, AUS].to_numpy()
    assert own == pytest.approx(expected, abs=1e-12)


def brute_force(row: rows.Row, drawn: np.ndarray) -> np.ndarray:
    """The mean ICC of each resample from its frames, copied out person by person."""
    frames = row.best_frames
    parts = [frames[frames["subject"] == person] for person in PEOPLE]
    means = []
    for times in drawn:
        copied = pd.concat([parts[i] for i in range(4) for _ in range(times[i])])
        levels = scores.estimated_levels(copied, row.scale)
        means.append(icc_per_au(copied[AUS].to_numpy(), levels).mean())
    return np.array(means)


def test_scores_and_differences_by_brute_force(table):
    drawn = bootstrap.resamples(4, 25, seed=3)
    found = rows.score_table(table, drawn)
    proposed, baseline = (table[name] for name in ("proposed", "baseline"))
    by_hand = {row.model: brute_force(row, drawn) for row in (proposed, baseline)}
    for row in (proposed, baseline):
        interval = np.percentile(by_hand[row.model], [2.5, 97.5])
        assert found.loc[row.model, ["low", "high"]].tolist() == pytest.approx(interval)
        best = [row.means[seed].max() for seed in (1, 2)]
        assert found.loc[row.model, "mean"] == pytest.approx(max(best))
        assert found.loc[row.model, "seeds"] == pytest.approx(np.mean(best))
        assert found.loc[row.model, "sd"] == pytest.approx(np.std(best, ddof=1))
        last = np.mean([row.means[seed][-1] for seed in (1, 2)])
        assert found.loc[row.model, "last"] == pytest.approx(last)
    assert found["runs"].tolist() == [2, 2, 1, 1]
    assert found.loc["classifier", "sd"] != found.loc["classifier", "sd"]

    gaps = rows.difference_table(table, "proposed", drawn)
    assert list(gaps.index) == ["baseline", "classifier", "classifier, by expectation"]
    gap = by_hand["baseline"] - by_hand["proposed"]
    interval = np.percentile(gap, [2.5, 97.5])
    assert gaps.loc["baseline", ["best low", "best high"]].tolist() == pytest.approx(
        interval
    )
    assert gaps.loc["baseline", "best"] == pytest.approx(
        found.loc["baseline", "mean"] - found.loc["proposed", "mean"]
    )
    assert gaps.loc["classifier", ["seeds", "seeds low"]].isna().all()  # one run


def test_welch_by_its_formula():
    """The interval of two means of three numbers each, by the textbook's formula."""
    first, second = np.array([0.80, 0.84, 0.85]), np.array([0.79, 0.70, 0.83])
    parts = [x.var(ddof=1) / 3 for x in (first, second)]
    freedom = sum(parts) ** 2 / sum(part**2 / 2 for part in parts)
    expected = student.ppf(0.975, freedom) * np.sqrt(sum(parts))
    assert rows.welch_half_width(first, second) == pytest.approx(expected)
    same = np.full(3, 0.5)
    assert rows.welch_half_width(same, same + 1) == 0


def test_what_choosing_an_epoch_adds(table):
    found = rows.choosing_table(table, 20, 0)
    for name, row in table.items():
        falls = [run.max() - run[-1] for run in row.means.values()]
        assert found.loc[name, "best less last"] == pytest.approx(np.mean(falls))
        gains = [
            bootstrap.selection_optimism(sums, 20, 0).mean()
            for sums in row.sums.values()
        ]
        assert found.loc[name, "chance"] == pytest.approx(np.mean(gains))


def test_measures_are_of_the_best_frames(table):
    found = rows.measure_table(table)
    row = table["proposed"]
    frames, levels = row.best_frames, scores.estimated_levels(row.best_frames, 2.0)
    errors = [
        np.abs(y[y != 9] - z[y != 9]).mean()
        for y, z in zip(frames[AUS].to_numpy().T, levels.T)
    ]
    assert found.loc["proposed", "MAE"] == pytest.approx(np.mean(errors))
    raw = frames[list(OUTPUT_NAMES)].to_numpy(float) / 2
    unrounded = icc_per_au(frames[AUS].to_numpy(), raw).mean()
    assert found.loc["proposed", "ICC(3,1), unrounded"] == pytest.approx(unrounded)


def test_without_any_score_the_last_epoch_counts():
    blind = outputs_of(1)
    blind[AUS] = np.int8(9)
    row = rows.table_rows({("baseline", 1): blind}, MODELS)["baseline"]
    assert row.best_epoch == 3 and np.isnan(row.means[1]).all()
