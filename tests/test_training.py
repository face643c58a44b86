import hashlib
import json

import faults
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import aulib.training
from aulib import AU_NAMES, OUTPUT_NAMES
from aulib.batches import shares
from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.machine import open_accelerator
from aulib.model import build_model
from aulib.training import (
    Part,
    draw_epoch,
    feature_batches,
    learning_rate_at,
    train,
    train_epoch,
)

OPTIONS = faults.OPTIONS | {"epochs": 3, "batch_size": 12, "learning_rate": 0.001}


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
        "events",
        "log.txt",
        "metrics.csv",
        "outputs.parquet",
        "parameters.json",
        "provenance.json",
    ]
    record = json.loads((directory / "provenance.json").read_text())
    assert record["parameters"]["seed"] == 7
    assert record["volatile"]["seconds"] > 0
    assert record["ran_on"] == [
        {
            "device": "cpu",
            "processes": 1,
            "threads": torch.get_num_threads(),
            "accumulation": 1,
        }
    ]
    assert not metrics.isna().any().any()


@pytest.mark.parametrize("stopped_in", [1, 2, 3])
def test_a_stopped_run_ends_with_the_same_bytes(
    run, store, tmp_path, monkeypatch, stopped_in
):
    def stop(directory, epoch, *contents):
        if epoch == stopped_in:
            raise KeyboardInterrupt
        write(directory, epoch, *contents)

    write = aulib.training.write_epoch
    monkeypatch.setattr(aulib.training, "write_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path, **OPTIONS)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("epochs/*/checkpoint.pt"))) == stopped_in - 1
    train(store, tmp_path, **OPTIONS)
    for name in ("outputs.parquet", "metrics.csv", "best.pt"):
        assert digest(tmp_path / name) == digest(run[0] / name)


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


def without_number(loss):
    """A loss that does not ask which batch it is of."""
    return lambda outputs, targets, batch: loss(outputs, targets)


def parts_of(inputs, targets, batch):
    for share in shares(len(inputs), batch):
        yield Part(inputs[share.positions], targets[share.positions], share)


def test_a_diverging_loss_stops_the_run():
    network = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    inputs = torch.zeros(21, 2)
    inputs[13] = torch.inf
    parts = parts_of(inputs, torch.zeros(21, 1), 3)
    with pytest.raises(FloatingPointError, match=r"batch 4: .* learning rate 0\.5"):
        loss = without_number(nn.functional.mse_loss)
        train_epoch(open_accelerator(), network, optimizer, parts, loss)


@pytest.mark.parametrize("rate", [1e15, 1e38])
def test_the_run_says_in_which_epoch_the_loss_diverged(store, tmp_path, rate):
    options = {**OPTIONS, "learning_rate": rate}
    with pytest.raises(FloatingPointError, match="epoch 1, batch"):
        train(store, tmp_path, **options)


def test_an_epoch_lowers_the_loss_of_a_linear_problem():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 3, generator=generator)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]])
    network = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    accelerator, loss = open_accelerator(), without_number(nn.functional.mse_loss)
    losses = [
        train_epoch(accelerator, network, optimizer, parts_of(inputs, targets, 8), loss)
        for _ in range(20)
    ]
    assert losses[-1] < 1e-3 < losses[0]


def test_the_mean_loss_is_over_frames_not_batches():
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    targets = torch.arange(130.0)[:, None]
    loss = without_number(nn.functional.l1_loss)
    for batch in (1, 7, 130):  # 130 batches: more than are looked at together
        parts = parts_of(torch.zeros(130, 1), targets, batch)
        mean = train_epoch(open_accelerator(), network, optimizer, parts, loss)
        assert mean == pytest.approx(64.5)


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
    network = build_model("baseline", width=0.125)
    rows = np.arange(5)
    batch = np.concatenate(list(feature_batches(network, store, rows)))
    assert batch.shape == (5, 4096)
    outputs = network.classifier[6](torch.from_numpy(batch)).detach()
    accelerator = open_accelerator()
    expected = aulib.training.predict(accelerator, network, store, rows)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_the_run_tells_its_story(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    directory, metrics = run
    log = (directory / "log.txt").read_text().splitlines()
    assert "from epoch 1 to 3" in log[0] and "epoch 3 of 3" in log[-1]
    assert "images/s in training" in log[-1]
    events = EventAccumulator(str(directory / "events")).Reload()
    drawn = [event.value for event in events.Scalars("ICC/AU12")]
    np.testing.assert_allclose(drawn, metrics["AU12"], rtol=1e-6)
    assert [event.step for event in events.Scalars("loss/train_loss")] == [1, 2, 3]


def test_after_epoch_sees_the_metrics_grow(store, tmp_path):
    seen = []
    options = {**OPTIONS, "epochs": 2, "after_epoch": lambda m: seen.append(len(m))}
    train(store, tmp_path, **options)
    assert seen == [1, 2]


def test_a_run_that_goes_on_elsewhere_says_so(run, store, tmp_path, monkeypatch):
    def stop(epoch):
        def after(metrics):
            if len(metrics) == epoch:
                raise KeyboardInterrupt

        return after

    for epoch in (1, 2):  # twice in one place
        with pytest.raises(KeyboardInterrupt):
            train(store, tmp_path, **OPTIONS, after_epoch=stop(epoch))
    here = aulib.training.where_it_runs(open_accelerator())
    there = {**here, "threads": here["threads"] + 1}
    monkeypatch.setattr(aulib.training, "where_it_runs", lambda accelerator: there)
    here, there = ({**place, "accumulation": 1} for place in (here, there))
    train(store, tmp_path, **OPTIONS)
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["ran_on"] == [here, there]
    change = f"threads {here['threads']} then, now {there['threads']}"
    assert change in (tmp_path / "log.txt").read_text()
    assert digest(tmp_path / "metrics.csv") == digest(run[0] / "metrics.csv")
