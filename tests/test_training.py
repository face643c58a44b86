import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import aulib.training
from aulib import AU_NAMES
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.training import (
    OUTPUT_NAMES,
    draw_epoch,
    feature_batches,
    learning_rate_at,
    train,
    train_epoch,
)

OPTIONS = dict(
    model="proposed",
    seed=7,
    epochs=3,
    batch_size=12,
    learning_rate=0.001,
    learning_rate_step=2,
    momentum=0.9,
    weight_decay=0.0005,
    scale=2.0,
    sampler="multinomial",
    weights=None,
    width=0.125,
)


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    return directory, train(store, directory, **OPTIONS)


def test_outputs_hold_every_evaluation_frame_at_every_epoch(run, store):
    directory, metrics = run
    outputs = pd.read_parquet(directory / "outputs.parquet")
    evaluation = store.index[store.index["split"] == "evaluation"]
    assert len(outputs) == 3 * len(evaluation)
    for epoch, rows in outputs.groupby("epoch"):
        np.testing.assert_array_equal(rows["frame"], evaluation["frame"])
        np.testing.assert_array_equal(rows[list(AU_NAMES)], evaluation[list(AU_NAMES)])
        levels = to_intensity(torch.tensor(rows[list(OUTPUT_NAMES)].to_numpy()))
        scores = icc_per_au(rows[list(AU_NAMES)].to_numpy(), levels.numpy())
        row = metrics[metrics["epoch"] == epoch].iloc[0]
        np.testing.assert_allclose(row[list(AU_NAMES)].to_numpy(float), scores)
        assert row["mean"] == pytest.approx(scores.mean())


def test_evaluation_loss_leaves_out_the_unknown(run):
    directory, metrics = run
    outputs = pd.read_parquet(directory / "outputs.parquet").query("epoch == 3")
    truth, estimate = outputs[list(AU_NAMES)], outputs[list(OUTPUT_NAMES)]
    error = np.abs(estimate.to_numpy(np.float64) - 2 * truth.to_numpy())
    losses = np.where(error < 1, error**2 / 2, error - 0.5)
    expected = losses[truth.to_numpy() != 9].mean()
    assert metrics["evaluation_loss"].iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_a_finished_run_keeps_outputs_metrics_the_best_network_and_provenance(run):
    directory, metrics = run
    assert sorted(p.name for p in directory.iterdir()) == [
        "best.pt",
        "metrics.csv",
        "outputs.parquet",
        "provenance.json",
    ]
    record = json.loads((directory / "provenance.json").read_text())
    assert record["parameters"]["seed"] == 7
    assert record["volatile"]["seconds"] > 0
    assert not metrics.isna().any().any()


@pytest.mark.parametrize("stopped_in", [1, 2, 3])
def test_a_stopped_run_ends_with_the_same_bytes(
    run, store, tmp_path, monkeypatch, stopped_in
):
    def stop(directory, frames, epoch, outputs):
        if epoch == stopped_in:
            raise KeyboardInterrupt
        write(directory, frames, epoch, outputs)

    write = aulib.training._write_epoch
    monkeypatch.setattr(aulib.training, "_write_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path, **OPTIONS)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("checkpoint_*.pt"))) == min(stopped_in - 1, 2)
    train(store, tmp_path, **OPTIONS)
    for name in ("outputs.parquet", "metrics.csv"):
        assert digest(tmp_path / name) == digest(run[0] / name)
    resumed, best = (torch.load(d / "best.pt") for d in (tmp_path, run[0]))
    assert all(torch.equal(resumed[key], best[key]) for key in best)


def test_a_finished_run_is_read_and_other_parameters_replace_it(
    store, tmp_path, monkeypatch
):
    short = {**OPTIONS, "epochs": 1}
    first = train(store, tmp_path, **short)
    with monkeypatch.context() as patch:
        patch.setattr(aulib.training, "train_epoch", None)  # calling it would fail
        pd.testing.assert_frame_equal(train(store, tmp_path, **short), first)
    other = train(store, tmp_path, **{**short, "seed": 8})
    assert other["train_loss"].iloc[0] != first["train_loss"].iloc[0]


def test_a_diverging_loss_stops_the_run():
    network = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    batches = [(torch.full((3, 2), torch.inf), torch.zeros(3, 1))]
    with pytest.raises(FloatingPointError, match=r"batch 0: .* learning rate 0\.5"):
        train_epoch(network, optimizer, batches, nn.functional.mse_loss)


def test_an_epoch_lowers_the_loss_of_a_linear_problem():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 3, generator=generator)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]])
    network = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    batches = list(zip(inputs.split(8), targets.split(8), strict=True))
    losses = [
        train_epoch(network, optimizer, batches, nn.functional.mse_loss)
        for _ in range(20)
    ]
    assert losses[-1] < 1e-3 < losses[0]


def test_draws_are_a_function_of_seed_and_epoch():
    intensities = np.random.default_rng(0).integers(0, 6, (500, 5))
    for sampler in ("multinomial", "shuffle"):
        draw = draw_epoch(intensities, sampler, 1, 1)
        np.testing.assert_array_equal(draw, draw_epoch(intensities, sampler, 1, 1))
        assert (draw != draw_epoch(intensities, sampler, 1, 2)).any()
        assert (draw != draw_epoch(intensities, sampler, 2, 1)).any()
    np.testing.assert_array_equal(np.sort(draw), np.arange(500))
    with pytest.raises(ValueError, match="'random' is unknown"):
        draw_epoch(intensities, "random", 1, 1)


def test_the_papers_schedule():
    rates = [learning_rate_at(epoch, 0.01, 20) for epoch in (1, 20, 21, 40, 41, 100)]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-6])


def test_features_are_what_the_last_layer_reads(store):
    network = aulib.training.build_model("baseline", width=0.125)
    rows = np.arange(5)
    batch = np.concatenate(list(feature_batches(network, store, rows)))
    assert batch.shape == (5, 4096)
    outputs = network.classifier[6](torch.from_numpy(batch)).detach()
    expected = aulib.training.predict(network, store, rows, torch.device("cpu"))
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
