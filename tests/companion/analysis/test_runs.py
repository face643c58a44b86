"""Reading runs, grids and recorded sums."""

import json

import numpy as np
import pandas as pd
import pytest
from simulated import simulated_outputs

from companion.analysis import runs
from companion.analysis.bootstrap import icc_from_sums
from companion.analysis.scores import epoch_scores
from companion.base import grids, paths, profiles, provenance
from companion.bp4d import AU_NAMES

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
  proposed:
    method: proposed
    learning_rate: 0.001
    scale: 2.0
    sampler: multinomial
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


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one profile (two models, two seeds), one grid and no runs."""
    for module in (paths, profiles, grids, runs):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    for kind, settings in (("profiles", PROFILE), ("grids", GRID)):
        directory = tmp_path / "notebooks" / kind
        directory.mkdir(parents=True)
        (directory / "small.yaml").write_text(settings)
    return tmp_path


def write_runs(directory) -> dict[int, pd.DataFrame]:
    written = {seed: simulated_outputs(seed, 1.0) for seed in (1, 2)}
    for seed, outputs in written.items():
        for model in ("baseline", "proposed"):
            path = directory / f"{model}_{seed}" / "outputs.parquet"
            path.parent.mkdir(parents=True)
            outputs.to_parquet(path)
    return written


# -- reading


@pytest.mark.parametrize(
    "source, place",
    [("recorded", "data/recorded/small/training"), ("runs", "runs/small/training")],
)
def test_a_profiles_runs_are_read(checkout, source, place):
    written = write_runs(checkout / place)
    read = runs.read_runs("small", source)
    models = ("baseline", "proposed")
    assert list(read) == [(model, seed) for model in models for seed in (1, 2)]
    for (_, seed), outputs in read.items():
        pd.testing.assert_frame_equal(outputs, written[seed], check_dtype=False)


@pytest.mark.parametrize("source", ["recorded", "runs"])
def test_a_missing_run_is_named(checkout, source):
    with pytest.raises(FileNotFoundError) as error:
        runs.read_runs("small", source)
    message = str(error.value)
    assert "baseline_1/outputs.parquet: no such run" in message.replace("\\", "/")
    assert "make PROFILE=small" in message and "\n" not in message


def test_one_run_of_several_missing(checkout):
    write_runs(checkout / "runs/small/training")
    (checkout / "runs/small/training/baseline_2/outputs.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="baseline_2"):
        runs.read_runs("small", "runs")


@pytest.mark.parametrize("length", [0, 4, 500])
def test_a_damaged_run_is_named(checkout, length):
    write_runs(checkout / "runs/small/training")
    path = checkout / "runs/small/training/baseline_2/outputs.parquet"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        ValueError, match=r"baseline_2.outputs\.parquet: damaged"
    ) as error:
        runs.read_runs("small", "runs")
    assert "\n" not in str(error.value)


def test_a_run_without_a_column_is_named(checkout):
    written = write_runs(checkout / "runs/small/training")
    path = checkout / "runs/small/training/baseline_1/outputs.parquet"
    written[1].drop(columns="output_AU14").to_parquet(path)
    with pytest.raises(ValueError, match="baseline_1.*no column 'output_AU14'"):
        runs.read_runs("small", "runs")


def test_an_unknown_source():
    with pytest.raises(ValueError, match="'both' is unknown: 'recorded' or 'runs'"):
        runs.read_runs("standin", "both")


# -- grids


def write_grid(checkout) -> dict[tuple[str, int], pd.DataFrame]:
    """Write four runs, of which three are finished and the last has failed."""
    written = {}
    for model, seed in [("baseline", 1), ("baseline", 2), ("x2-same", 1)]:
        directory = checkout / "runs/small/training" / f"{model}_{seed}"
        directory.mkdir(parents=True)
        written[model, seed] = simulated_outputs(seed, 2.0 if "x2" in model else 1.0)
        written[model, seed].to_parquet(directory / "outputs.parquet")
        (directory / "provenance.json").write_text('{"seconds": 3}')
    failed = checkout / "runs/small/training/x2-same_2"
    failed.mkdir()
    (failed / "outputs.parquet").write_text("left by an interrupted end of the run")
    (failed / "log.txt").write_text("begun\nepoch 1\nfailed: too hot\n")
    return written


def test_a_grids_finished_runs_are_read(checkout):
    written = write_grid(checkout)
    read, missing = runs.read_grid("small", "runs", "small")
    assert list(read) == list(written)
    for run, outputs in read.items():
        pd.testing.assert_frame_equal(outputs, written[run], check_dtype=False)
    assert missing == {("x2-same", 2): "epoch 1\nfailed: too hot"}
    assert runs.read_provenance("small", "runs", "x2-same", 1) == {"seconds": 3}


def test_it_is_told_why_a_run_is_missing(checkout):
    every = [(model, seed) for model in ("baseline", "x2-same") for seed in (1, 2)]
    _, missing = runs.read_grid("small", "recorded", "small")
    assert missing == dict.fromkeys(every, "not recorded")
    _, missing = runs.read_grid("small", "runs", "small")
    assert missing == dict.fromkeys(every, "never begun")
    directory = checkout / "runs/small/training/baseline_1"
    directory.mkdir(parents=True)
    for log, expected in [
        (None, "never begun"),
        ("begun\n", "begun"),
        ("begun\nepoch 1\nfailed: no space\n", "epoch 1\nfailed: no space"),
    ]:
        if log:
            (directory / "log.txt").write_text(log)
        _, missing = runs.read_grid("small", "runs", "small")
        assert missing["baseline", 1] == expected


def test_recorded_sums_are_read_unchanged(checkout):
    written = write_grid(checkout)
    sums, missing = runs.read_sums("small", "runs", "small")
    assert list(missing) == [("x2-same", 2)]
    path = checkout / "data/recorded/small/small.parquet"
    with pytest.raises(FileNotFoundError, match="small.parquet: not rec.* GRID=small"):
        runs.read_sums("small", "recorded", "small")
    path.parent.mkdir(parents=True)
    runs.sums_table(sums).to_parquet(path)
    again, _ = runs.read_sums("small", "recorded", "small")
    assert set(again) == set(sums)
    for run, array in sums.items():
        np.testing.assert_array_equal(again[run], array)
        scores = epoch_scores(written[run], 2.0 if "x2" in run[0] else 1.0)
        per_au = icc_from_sums(array.sum(axis=1))
        np.testing.assert_allclose(per_au, scores[list(AU_NAMES)])


# -- origins


def say_where_from(directory, model: str, seed: int, commit: str, data: str) -> None:
    made = {
        "parameters": {"seed": seed, "data": data * 4},
        "volatile": {"commit": commit, "finished": "2026-11-26T14:44:58Z"},
    }
    path = directory / f"{model}_{seed}" / "provenance.json"
    path.write_text(json.dumps(made))


@pytest.mark.parametrize(
    "source, place",
    [("recorded", "data/recorded/small/training"), ("runs", "runs/small/training")],
)
def test_the_origin_of_runs_is_where_they_were_trained(checkout, source, place):
    write_runs(checkout / place)
    say_where_from(checkout / place, "baseline", 1, "aaa1111", "0123456789abcdef")
    say_where_from(checkout / place, "baseline", 2, "aaa1111", "0123456789abcdef")
    say_where_from(checkout / place, "proposed", 2, "bbb2222", "fedcba9876543210")
    alone = runs.runs_origin("small", source, [("baseline", 2), ("baseline", 1)])
    assert alone == {
        "profile": "small",
        "source": source,
        "data": ["crops 0123456789abcdef"],
        "models": ["baseline"],
        "seeds": [1, 2],
        "commits": ["aaa1111"],
        "versions": provenance.versions(),
    }
    both = runs.runs_origin("small", source, [("baseline", 1), ("proposed", 2)])
    assert both["commits"] == ["aaa1111", "bbb2222"]
    assert both["data"] == ["crops 0123456789abcdef", "crops fedcba9876543210"]
    assert "2026" not in json.dumps(both)


def test_recorded_sums_say_their_origin(checkout):
    write_grid(checkout)
    place = checkout / "runs/small/training"
    for model, seed in [("baseline", 1), ("baseline", 2), ("x2-same", 1)]:
        say_where_from(place, model, seed, f"{seed}{seed}{seed}", "0123456789abcdef")
    own = runs.sums_origin("small", "runs", "small")
    assert own["models"] == ["baseline", "x2-same"] and own["seeds"] == [1, 2]
    assert own["commits"] == ["111", "222"]
    with pytest.raises(FileNotFoundError, match="small.parquet: not recorded"):
        runs.sums_origin("small", "recorded", "small")
    table = runs.sums_table(runs.read_sums("small", "runs", "small")[0])
    path = checkout / "data/recorded/small/small.parquet"
    path.parent.mkdir(parents=True)
    table.to_parquet(path, index=False)
    with pytest.raises(ValueError, match="small.parquet: does not say its origin; "):
        runs.sums_origin("small", "recorded", "small")
    table.attrs["origin"] = own | {"versions": {"torch": "another"}}
    table.to_parquet(path, index=False)
    assert runs.sums_origin("small", "recorded", "small") == own | {
        "source": "recorded"
    }


def test_the_recorded_table_of_sums_comes_out_of_its_sums():
    sums, missing = runs.read_sums("standin", "recorded", "ablation")
    assert not missing
    path = runs.ROOT / "data" / "recorded" / "standin" / "ablation.parquet"
    recorded = pd.read_parquet(path)
    assert recorded["epoch"].min() == 1 and recorded["subject"].min() == 0
    order = recorded[["model", "seed"]].drop_duplicates()
    names = list(order.itertuples(index=False, name=None))
    planned = {run[1:] for run in grids.runs_of(grids.load_grid("ablation"))}
    assert set(names) == set(sums) == planned and len(names) == 54
    table = runs.sums_table({run: sums[run] for run in names})
    pd.testing.assert_frame_equal(table, recorded)
