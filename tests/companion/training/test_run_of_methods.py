"""Whole runs of every method: stopped and resumed, their files, the command line."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from people import Narrow, replace_networks

from aulib import UNKNOWN
from aulib.icc import icc_per_au
from companion.base.files import sha256
from companion.bp4d import AU_NAMES
from companion.methods import METHODS
from companion.training import run as run_module
from companion.training.__main__ import main
from companion.training.loop import Settings
from companion.training.outputs import LEVEL_NAMES, OUTPUT_NAMES
from companion.training.run import train, train_hog

SAMPLERS = {
    "baseline": "joint",
    "proposed": "multinomial",
    "classifier": "shuffle",
    "structured": "iterative",
}
RESULTS = ("outputs.parquet", "metrics.csv", "best.pt")


def settings_of(method: str, epochs: int = 2) -> Settings:
    return Settings(
        method=method,
        weights=None,
        width=0.125,
        scale=1.0,
        sampler=SAMPLERS[method],
        seed=7,
        epochs=epochs,
        batch_size=16,
        accumulation=1,
        learning_rate=0.001,
        learning_rate_step=1,
        momentum=0.9,
        weight_decay=0.0005,
    )


@pytest.fixture
def narrow(monkeypatch):
    replace_networks(monkeypatch, Narrow)


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_of_each_method_ends_with_the_same_bytes(
    people, tmp_path, narrow, method
):
    def stop(metrics):
        raise KeyboardInterrupt

    whole, stopped, settings = tmp_path / "a", tmp_path / "b", settings_of(method)
    metrics = train(people, whole, settings)
    assert len(metrics) == 2 and not metrics.isna().any().any()
    with pytest.raises(KeyboardInterrupt):
        train(people, stopped, settings, after_epoch=stop)
    checkpoints = [path.name for path in stopped.glob("*.pt")]
    assert checkpoints == ["checkpoint_0001.pt"]
    train(people, stopped, settings)
    for name in RESULTS:
        assert sha256(stopped / name) == sha256(whole / name)


@pytest.mark.parametrize("method", METHODS)
def test_levels_are_recorded_where_they_are_not_rounded(
    people, tmp_path, narrow, method
):
    metrics = train(people, tmp_path, settings_of(method, epochs=1))
    outputs = pd.read_parquet(tmp_path / "outputs.parquet")
    values = outputs[list(OUTPUT_NAMES)].to_numpy()
    if method in ("baseline", "proposed"):
        assert not {*LEVEL_NAMES} & {*outputs}
        levels = np.clip(np.floor(values + 0.5), 0, 5)
    else:
        assert (outputs[list(LEVEL_NAMES)].dtypes == np.int8).all()
        levels = outputs[list(LEVEL_NAMES)].to_numpy()
        assert np.isin(levels, range(6)).all()
        assert (0 <= values).all() and (values <= 5).all()
    scores = icc_per_au(outputs[list(AU_NAMES)].to_numpy(), levels)
    np.testing.assert_allclose(metrics[list(AU_NAMES)].iloc[0].to_numpy(float), scores)


def test_several_processes_cannot_train_the_structured_model(
    people, tmp_path, monkeypatch
):
    several = SimpleNamespace(num_processes=2)
    monkeypatch.setattr(run_module, "open_accelerator", lambda: several)
    with pytest.raises(ValueError, match="train it in one"):
        train(people, tmp_path / "run", settings_of("structured"))
    assert not list(tmp_path.iterdir())


# -- hog


@pytest.fixture(scope="module")
def hog_run(people, tmp_path_factory):
    directory = tmp_path_factory.mktemp("hog") / "hog_3"
    return directory, train_hog(people, directory, 3)


def test_hog_writes_the_files_of_a_run(hog_run, people):
    directory, metrics = hog_run
    assert sorted(path.name for path in directory.iterdir()) == [
        "best.pt",
        "log.txt",
        "metrics.csv",
        "outputs.parquet",
        "parameters.json",
        "provenance.json",
    ]
    record = json.loads((directory / "provenance.json").read_text())
    assert record["parameters"] == {
        "method": "hog",
        "seed": 3,
        "crop_size": 32,
        "data": people.fingerprint,
    }
    assert record["network_parameters"] == 5 * 1765
    outputs = pd.read_parquet(directory / "outputs.parquet")
    evaluation = people.index[people.index["split"] == "evaluation"]
    np.testing.assert_array_equal(outputs[list(AU_NAMES)], evaluation[list(AU_NAMES)])
    np.testing.assert_array_equal(outputs["frame"], evaluation["frame"])
    assert (outputs["epoch"] == 1).all() and not {*LEVEL_NAMES} & {*outputs}
    lines = (directory / "log.txt").read_text().splitlines()
    assert len(lines) == 6 and "hog_3: mean ICC" in lines[-1]
    pd.testing.assert_frame_equal(pd.read_csv(directory / "metrics.csv"), metrics)


def test_hog_is_scored_after_equation_3(hog_run):
    directory, metrics = hog_run
    outputs = pd.read_parquet(directory / "outputs.parquet")
    values = outputs[list(OUTPUT_NAMES)].to_numpy()
    truth = outputs[list(AU_NAMES)].to_numpy()
    scores = icc_per_au(truth, np.clip(np.floor(values + 0.5), 0, 5))
    row = metrics.iloc[0]
    np.testing.assert_allclose(row[list(AU_NAMES)].to_numpy(float), scores)
    assert row["mean"] == pytest.approx(scores.mean())
    expected = np.abs(values - truth)[truth != UNKNOWN].mean()
    assert row["evaluation_loss"] == pytest.approx(expected, rel=1e-5)
    assert 0 < row["train_loss"] < row["evaluation_loss"]


def test_hog_reads_the_direction_of_stripes(hog_run):
    _, metrics = hog_run
    others = metrics[["AU06", "AU10", "AU14", "AU17"]].iloc[0]
    assert metrics["AU12"].iloc[0] > 0.8 > others.max()


def test_a_finished_hog_run_is_read_and_not_fitted_again(hog_run, people, monkeypatch):
    directory, metrics = hog_run
    before = sha256(directory / "provenance.json")
    monkeypatch.setattr(run_module, "fit_all", None)  # calling it would fail
    pd.testing.assert_frame_equal(train_hog(people, directory, 3), metrics)
    assert sha256(directory / "provenance.json") == before


def test_a_hog_run_stopped_at_its_end_is_fitted_again_to_the_same_bytes(
    hog_run, people, tmp_path, monkeypatch
):
    def stop(*arguments):
        raise KeyboardInterrupt

    run = tmp_path / "hog_3"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_module, "finish", stop)
        train_hog(people, run, 3)
    pd.testing.assert_frame_equal(train_hog(people, run, 3), hog_run[1])
    for name in RESULTS:
        assert sha256(run / name) == sha256(hog_run[0] / name)


def test_the_command_line_trains_a_grids_hog(hog_run, people, tmp_path, monkeypatch):
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    (tmp_path / "runs" / "tiny" / "crops").symlink_to(people.directory)
    monkeypatch.setattr("companion.base.paths.ROOT", tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    words = ["companion.training", "tiny", "hog", "3", "--grid", "tiny"]
    monkeypatch.setattr(sys, "argv", words)
    main()
    outputs = tmp_path / "runs" / "tiny" / "training" / "hog_3" / "outputs.parquet"
    assert sha256(outputs) == sha256(hog_run[0] / "outputs.parquet")
