"""Reading runs, scoring epochs, the four aggregates."""

import numpy as np
import pandas as pd
import pytest

from aulib import (
    AU_NAMES,
    LEVEL_NAMES,
    OUTPUT_NAMES,
    bootstrap,
    grid,
    notebook,
    results,
)
from aulib.icc import icc_per_au

AGGREGATES = [
    "best epoch of the best run",
    "best epoch, mean over runs",
    "five best epochs, mean over runs",
    "last epoch, mean over runs",
]
PROFILE = """\
title: a test
data_root: nowhere
standin: null
boxes: null
crop_size: 32
network_width: 0.125
epochs: 3
learning_rate_step: 2
batch_size: 4
accumulation: 1
momentum: 0.9
weight_decay: 0.0005
seeds: [1, 2]
threads: 1
models:
  baseline:
    method: baseline
    learning_rate: 0.01
    scale: 1.0
    sampler: shuffle
    weights: null
"""
GRID = """\
profiles: [small]
seeds: [1, 2]
models: {}
changes:
  target:
    x1: {scale: 1.0}
    x2: {scale: 2.0}
  rest:
    same: {method: baseline, learning_rate: 0.01, sampler: shuffle, weights: null}
"""


def outputs_of_a_run(seed: int, scale: float, epochs: int = 3) -> pd.DataFrame:
    """A truth and estimates that come nearer to it from epoch to epoch."""
    generator = np.random.default_rng(seed)
    truth = generator.choice([0, 1, 2, 3, 4, 5, 9], (40, 5)).astype(np.int8)
    parts = []
    for epoch in range(1, epochs + 1):
        part = pd.DataFrame(
            {"epoch": np.int16(epoch), "subject": "F002", "task": "T1"}, range(40)
        )
        part["frame"] = range(40)
        part[list(AU_NAMES)] = truth
        noise = generator.normal(0, 3 / epoch, (40, 5))
        part[list(OUTPUT_NAMES)] = (scale * (truth + noise)).astype(np.float32)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def scores_of_a_run(means: list[float], per_au: list[float] | None = None):
    """A table of scores with these means; AU06's are given, the others' are 0."""
    table = pd.DataFrame(0.0, range(1, len(means) + 1), results.COLUMNS)
    table["mean"] = means
    table["AU06"] = means if per_au is None else per_au
    return table.rename_axis("epoch")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An empty checkout with one profile of one model and two seeds."""
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    profiles = tmp_path / "notebooks" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "small.yaml").write_text(PROFILE)
    monkeypatch.setattr(grid, "ROOT", tmp_path)
    (tmp_path / "notebooks" / "grids").mkdir()
    (tmp_path / "notebooks" / "grids" / "small.yaml").write_text(GRID)
    return tmp_path


def write_runs(directory) -> dict[int, pd.DataFrame]:
    runs = {seed: outputs_of_a_run(seed, 1.0) for seed in (1, 2)}
    for seed, outputs in runs.items():
        path = directory / f"baseline_{seed}" / "outputs.parquet"
        path.parent.mkdir(parents=True)
        outputs.to_parquet(path)
    return runs


# -- reading


@pytest.mark.parametrize(
    "source, place",
    [("recorded", "data/recorded/small/training"), ("runs", "runs/small/training")],
)
def test_reads_what_was_written(house, source, place):
    written = write_runs(house / place)
    read = results.read_runs("small", source)
    assert list(read) == [("baseline", 1), ("baseline", 2)]
    for (_, seed), outputs in read.items():
        pd.testing.assert_frame_equal(outputs, written[seed], check_dtype=False)


@pytest.mark.parametrize("source", ["recorded", "runs"])
def test_a_missing_run_is_named(house, source):
    with pytest.raises(FileNotFoundError) as error:
        results.read_runs("small", source)
    message = str(error.value)
    assert "baseline_1/outputs.parquet: no such run" in message.replace("\\", "/")
    assert "make PROFILE=small" in message and "\n" not in message


def test_one_run_of_several_missing(house):
    write_runs(house / "runs/small/training")
    (house / "runs/small/training/baseline_2/outputs.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="baseline_2"):
        results.read_runs("small", "runs")


@pytest.mark.parametrize("length", [0, 4, 500])
def test_a_damaged_run_is_named(house, length):
    write_runs(house / "runs/small/training")
    path = house / "runs/small/training/baseline_2/outputs.parquet"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        ValueError, match=r"baseline_2.outputs\.parquet: damaged"
    ) as error:
        results.read_runs("small", "runs")
    assert "\n" not in str(error.value)


def test_a_run_without_a_column_is_named(house):
    runs = write_runs(house / "runs/small/training")
    path = house / "runs/small/training/baseline_1/outputs.parquet"
    runs[1].drop(columns="output_AU14").to_parquet(path)
    with pytest.raises(ValueError, match="baseline_1.*no column 'output_AU14'"):
        results.read_runs("small", "runs")


def test_another_source():
    with pytest.raises(ValueError, match="'both' is unknown: 'recorded' or 'runs'"):
        results.read_runs("standin", "both")


# -- scores


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_levels_are_those_of_equation_3(scale):
    """By plain arithmetic: none of these random outputs is a tie."""
    outputs = outputs_of_a_run(3, scale)
    halves = outputs[list(OUTPUT_NAMES)].to_numpy(np.float64) / scale
    expected = np.clip(np.floor(halves + 0.5), 0, 5)
    assert (results.levels(outputs, scale) == expected).all()


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_scores_by_the_closed_form(scale):
    """Each epoch and AU by covariances, frames with a 9 left out."""
    outputs = outputs_of_a_run(4, scale)
    scores = results.epoch_scores(outputs, scale)
    assert list(scores.index) == [1, 2, 3] and list(scores) == [*AU_NAMES, "mean"]
    for epoch, rows in outputs.groupby("epoch"):
        for truth, estimate in zip(AU_NAMES, OUTPUT_NAMES):
            known = rows[truth] != 9
            y = rows.loc[known, truth].to_numpy(float)
            z = np.clip(
                np.floor(rows.loc[known, estimate].to_numpy(float) / scale + 0.5), 0, 5
            )
            expected = 2 * np.cov(y, z)[0, 1] / (y.var(ddof=1) + z.var(ddof=1))
            assert scores.loc[epoch, truth] == pytest.approx(expected, abs=1e-12)
    means = scores[list(AU_NAMES)].mean(axis=1)
    assert scores["mean"].to_numpy() == pytest.approx(means.to_numpy())
    assert scores["mean"].is_monotonic_increasing  # the noise shrinks


def test_best_is_the_first_of_equals():
    assert results.best_epoch(scores_of_a_run([0.1, 0.5, 0.5, 0.2])) == 2
    runs = {
        7: scores_of_a_run([0.5]),
        8: scores_of_a_run([0.6]),
        9: scores_of_a_run([0.6]),
    }
    assert results.best_run(runs) == 8


# -- aggregates


def test_four_aggregates_by_hand():
    runs = {
        42: scores_of_a_run([0.10, 0.50, 0.40, 0.30, 0.20, 0.45]),
        43: scores_of_a_run([0.00, 0.30, 0.60, 0.20, 0.10, 0.15]),
        44: scores_of_a_run([0.20, 0.40, 0.30, 0.10, 0.05, 0.30]),
    }
    tables = results.aggregates(runs)
    score, spread = tables["score"], tables["spread"]
    assert list(score.index) == list(spread.index) == AGGREGATES
    assert list(score) == list(spread) == results.COLUMNS
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
    score = results.aggregates(runs)["score"]["AU06"]
    assert score.to_list() == pytest.approx([0.1, 0.2, 0.525, 0.85])


def test_fewer_epochs_than_five():
    score = results.aggregates({1: scores_of_a_run([0.2, 0.4])})["score"]
    assert score["mean"].to_list() == pytest.approx([0.4, 0.4, 0.3, 0.4])


def test_one_run_has_no_spread():
    assert results.aggregates({1: scores_of_a_run([0.2])})["spread"].isna().all().all()


# -- what the paper prints


def test_the_papers_table():
    path = notebook.ROOT / "data" / "paper_table_2.csv"
    assert path.read_text().startswith("# Table II of Batista, Bellon and Silva")
    table = pd.read_csv(path, comment="#", index_col="model")
    assert list(table) == [*AU_NAMES, "mean"] and len(table) == 4
    means = table[list(AU_NAMES)].mean(axis=1)
    # three rows round to the printed mean; the fourth has .506 and prints .510
    assert (means - table["mean"]).abs().round(4).tolist() == [0, 0.0002, 0, 0.004]


# -- grids


def write_grid(house) -> dict[tuple[str, int], pd.DataFrame]:
    """Three of the grid's four runs have ended, the fourth has failed."""
    runs = {}
    for model, seed in [("baseline", 1), ("baseline", 2), ("x2-same", 1)]:
        directory = house / "runs/small/training" / f"{model}_{seed}"
        directory.mkdir(parents=True)
        runs[model, seed] = outputs_of_a_run(seed, 2.0 if "x2" in model else 1.0)
        runs[model, seed].to_parquet(directory / "outputs.parquet")
        (directory / "provenance.json").write_text('{"seconds": 3}')
    failed = house / "runs/small/training/x2-same_2"
    failed.mkdir()
    (failed / "outputs.parquet").write_text("what an interrupted end has left")
    (failed / "log.txt").write_text("begun\nepoch 1\nfailed: too hot\n")
    return runs


def test_a_grids_runs_are_read_and_failures_told(house):
    written = write_grid(house)
    read, failed = results.read_grid("small", "runs", "small")
    assert list(read) == list(written)
    assert failed == {("x2-same", 2): "epoch 1\nfailed: too hot"}
    assert results.provenance("small", "runs", "x2-same", 1) == {"seconds": 3}
    read, failed = results.read_grid("small", "recorded", "small")
    assert not read and set(failed.values()) == {"not recorded"}


def test_the_sums_are_recorded_and_read_as_they_were(house):
    written = write_grid(house)
    sums, failed = results.read_sums("small", "runs", "small")
    assert list(failed) == [("x2-same", 2)]
    path = house / "data/recorded/small/small.parquet"
    with pytest.raises(
        FileNotFoundError, match="small.parquet: no such runs .* GRID=small"
    ):
        results.read_sums("small", "recorded", "small")
    path.parent.mkdir(parents=True)
    results.sums_table(sums).to_parquet(path)
    again, _ = results.read_sums("small", "recorded", "small")
    assert set(again) == set(sums)
    for run, array in sums.items():
        np.testing.assert_array_equal(again[run], array)
        scores = results.epoch_scores(written[run], 2.0 if "x2" in run[0] else 1.0)
        per_au = bootstrap.icc_from_sums(array.sum(axis=1))
        np.testing.assert_allclose(per_au, scores[list(AU_NAMES)])


def test_levels_of_its_own_count_more_than_rounding():
    outputs = outputs_of_a_run(0, 1.0)
    assert not (results.levels(outputs, 1.0) == 5).all()
    outputs[list(LEVEL_NAMES)] = np.int8(5)
    assert (results.levels(outputs, 1.0) == 5).all()


# -- further scores


def test_further_scores_against_scikit_learn_and_scipy():
    from scipy.stats import pearsonr
    from sklearn.metrics import mean_absolute_error, recall_score

    outputs = outputs_of_a_run(3, 1.0).query("epoch == 3")
    truth = outputs[list(AU_NAMES)].to_numpy().astype(int)
    values = outputs[list(OUTPUT_NAMES)].to_numpy().astype(float)
    estimate = results.levels(outputs, 1.0)
    scores = results.further_scores(truth, estimate, values)
    np.testing.assert_array_equal(scores["ICC(3,1)"], icc_per_au(truth, estimate))
    for au in range(5):
        known = truth[:, au] != 9
        y, z = truth[known, au], estimate[known, au]
        assert scores["MAE"][au] == pytest.approx(mean_absolute_error(y, z))
        assert scores["Pearson's r"][au] == pytest.approx(pearsonr(y, z).statistic)
        near = np.mean([abs(a - b) <= 1 for a, b in zip(y, z)])
        assert scores["within one level"][au] == pytest.approx(near)
        recalls = recall_score(
            y, z, labels=range(6), average=None, zero_division=np.nan
        )
        found = [scores[f"recall {level}"][au] for level in range(6)]
        np.testing.assert_allclose(found, recalls)


def test_a_constant_shift_is_seen_by_all_but_icc_and_pearson():
    truth = np.random.default_rng(0).integers(0, 5, (200, 5))
    scores = results.further_scores(truth, truth + 1, truth + 1.0)
    for name in ("ICC(3,1)", "ICC(3,1), unrounded", "Pearson's r"):
        np.testing.assert_allclose(scores[name], 1)
    assert (scores["MAE"] == 1).all() and (scores["recall 2"] == 0).all()
    assert np.isnan(scores["recall 5"]).all()  # there is no frame of that level
