"""Scores of a run whose evaluation frames lack an AU, or all of them."""

import shutil

import faults
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from people import Narrow, replace_networks

from aulib import UNKNOWN
from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore
from companion.methods import METHODS
from companion.training.loop import Settings
from companion.training.outputs import is_best, mean_in_words, mean_score
from companion.training.run import train


def without(store: CropStore, directory, aus) -> CropStore:
    """The store, but all evaluation frames have a 9 for these AUs."""
    shutil.copytree(store.directory, directory)
    index = pd.read_parquet(directory / "index.parquet")
    index.loc[index["split"] == "evaluation", list(aus)] = np.int8(UNKNOWN)
    index.to_parquet(directory / "index.parquet")
    return CropStore(directory)


def trained(store, directory, method="proposed") -> pd.DataFrame:
    scale = 2.0 if method in ("baseline", "proposed") else 1.0
    options = {"method": method, "scale": scale, "epochs": 2, "batch_size": 12}
    options["sampler"] = "iterative" if method == "structured" else "shuffle"
    return train(store, directory, Settings(**faults.OPTIONS | options))


@pytest.mark.parametrize("method", METHODS)
def test_an_au_without_known_frames_has_no_score(people, tmp_path, monkeypatch, method):
    """Two epochs with it and without: the other AUs' scores are the same."""
    replace_networks(monkeypatch, Narrow)
    whole = trained(people, tmp_path / "whole", method)
    lacking = without(people, tmp_path / "crops", ["AU14"])
    part = trained(lacking, tmp_path / "part", method)
    others = [name for name in AU_NAMES if name != "AU14"]
    assert list(part) == list(whole) and part["AU14"].isna().all()
    pd.testing.assert_frame_equal(part[others], whole[others])
    np.testing.assert_allclose(part["mean"], whole[others].mean(axis=1), rtol=1e-12)
    assert part["evaluation_loss"].notna().all()
    log = (tmp_path / "part" / "log.txt").read_text()
    assert log.count(" of 4 AUs; ") == 2 and "nan" not in log
    log = (tmp_path / "whole" / "log.txt").read_text()
    assert " AUs" not in log and f"mean ICC {whole['mean'][1]:.3f}; " in log


@pytest.mark.parametrize("method", METHODS)
def test_without_any_score_the_last_epoch_is_the_best(
    people, tmp_path, monkeypatch, method
):
    seen = []

    def remembered(*arguments, **named):
        seen.append(Narrow(*arguments, **named))
        return seen[-1]

    replace_networks(monkeypatch, remembered)
    lacking = without(people, tmp_path / "crops", AU_NAMES)
    metrics = trained(lacking, tmp_path / "run", method)
    assert metrics[[*AU_NAMES, "mean"]].isna().all(axis=None)
    again = trained(lacking, tmp_path / "run", method)  # reads what is on the disk
    pd.testing.assert_frame_equal(again, metrics, check_dtype=False)
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("no ICC, since no AU has two known evaluation frames") == 2
    best = torch.load(tmp_path / "run" / "best.pt", weights_only=True)
    for name, values in seen[0].state_dict().items():
        assert torch.equal(best[name], values)


def test_the_best_epoch_is_the_first_of_the_highest():
    def best(*means):
        return [is_best(mean, means[:n]) for n, mean in enumerate(means)]

    assert best(-0.5, 0.1, 0.1, 0.3, 0.2) == [True, True, False, True, False]
    assert best(np.nan, np.nan) == [True, True]


@given(arrays(np.float64, (7, 5), elements=st.floats(-1, 1)))
def test_the_mean_of_all_aus_is_numpys(scores):
    np.testing.assert_array_equal(mean_score(scores), scores.mean(axis=1))
    assert mean_score(scores[0]) == scores[0].mean()


def test_the_mean_is_over_the_aus_that_any_row_has():
    scores = np.array([[0.1, np.nan, 0.3], [0.2, np.nan, np.nan]])
    np.testing.assert_allclose(mean_score(scores), [0.2, np.nan])
    assert mean_score(scores[1]) == 0.2
    assert np.isnan(mean_score(np.full(3, np.nan)))
    assert np.isnan(mean_score(np.full((2, 3), np.nan))).all()


def test_a_mean_in_words():
    row = dict.fromkeys(AU_NAMES, 0.5) | {"mean": 0.5}
    assert mean_in_words(row) == "mean ICC 0.500"
    assert mean_in_words(row | {"AU06": np.nan}) == "mean ICC 0.500 of 4 AUs"
