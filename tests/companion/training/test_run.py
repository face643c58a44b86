import hashlib
import json
from dataclasses import replace

import faults
import numpy as np
import pandas as pd
import pytest
import torch

from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from aulib.model import build_model
from companion.base import provenance
from companion.base.provenance import versions
from companion.bp4d import AU_NAMES
from companion.methods import objective
from companion.methods.objective import Estimate, Objective
from companion.training import run as run_module
from companion.training.checkpoint import sources_digest
from companion.training.device import execution_facts, open_accelerator
from companion.training.loop import Epoch, Settings, predict
from companion.training.outputs import OUTPUT_NAMES
from companion.training.run import new_state, record, run_parameters, train

OPTIONS = faults.OPTIONS | {"epochs": 3, "batch_size": 12, "learning_rate": 0.001}


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    return directory, train(store, directory, Settings(**OPTIONS))


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
            "precision": "float32",
            "processes": 1,
            "threads": torch.get_num_threads(),
            "accumulation": 1,
            **versions(),
            "sources": sources_digest(),
        }
    ]
    assert not metrics.isna().any().any()


def test_best_is_the_network_of_the_epoch_with_the_best_mean(run, store):
    directory, metrics = run
    network = build_model("proposed", width=0.125)
    network.load_state_dict(torch.load(directory / "best.pt", weights_only=True))
    rows = store.rows("evaluation")
    outputs = predict(open_accelerator(), network, store, rows).numpy()
    table = pd.read_parquet(directory / "outputs.parquet")
    apart = {}
    for epoch, rows in table.groupby("epoch"):
        apart[epoch] = np.abs(outputs - rows[list(OUTPUT_NAMES)].to_numpy()).max()
    best = metrics["epoch"][metrics["mean"].argmax()]
    assert min(apart, key=apart.get) == best
    assert apart[best] < 1e-4 < sorted(apart.values())[1]


def test_the_first_of_the_best_epochs_is_kept(store):
    """Levels that are right for a share of the frames: ICC rises, falls, comes back."""
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    truth = torch.from_numpy(store.levels[store.rows("evaluation")]).clamp(0, 5)

    def estimate(outputs):
        return Estimate(outputs, outputs.long(), rounded=True)

    objective = Objective(
        network, None, lambda *_: torch.tensor(0.0), estimate, lambda levels: None
    )
    state = new_state({})
    for number, right in enumerate([4, 16, 8, 16], 1):
        torch.nn.init.constant_(network.weight, number)
        outputs = torch.where(torch.arange(16)[:, None] < right, truth, 0).float()
        epoch = Epoch(number, 0.1, 0.5, outputs, 32, 1.0, 1.0)
        record(state, epoch, store, objective, optimizer)
    means = [row["mean"] for row in state["metrics"]]
    assert means[0] < means[2] < means[1] == means[3]
    assert state["best"]["weight"].item() == 2
    assert state["network"]["weight"].item() == 4


@pytest.mark.parametrize("stopped_in", [1, 2, 3])
def test_a_stopped_run_ends_with_the_same_bytes(
    run, store, tmp_path, monkeypatch, stopped_in
):
    def stop(directory, state):
        if len(state["metrics"]) == stopped_in:
            raise KeyboardInterrupt
        write(directory, state)

    write = run_module.write_checkpoint
    monkeypatch.setattr(run_module, "write_checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        train(store, tmp_path, Settings(**OPTIONS))
    monkeypatch.undo()
    assert len(list(tmp_path.glob("checkpoint_*.pt"))) == min(stopped_in - 1, 2)
    train(store, tmp_path, Settings(**OPTIONS))
    for name in ("outputs.parquet", "metrics.csv", "best.pt"):
        assert digest(tmp_path / name) == digest(run[0] / name)


def test_a_finished_run_is_read_and_other_settings_replace_it(
    store, tmp_path, monkeypatch
):
    short = Settings(**{**OPTIONS, "epochs": 1})
    first = train(store, tmp_path, short)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "run_epochs", None)  # calling it would fail
        pd.testing.assert_frame_equal(train(store, tmp_path, short), first)
    other = train(store, tmp_path, replace(short, seed=8))
    assert other["train_loss"].iloc[0] != first["train_loss"].iloc[0]


@pytest.mark.parametrize("rate", [1e15, 1e38])
def test_the_run_says_in_which_epoch_the_loss_diverged(store, tmp_path, rate):
    settings = Settings(**{**OPTIONS, "learning_rate": rate})
    with pytest.raises(FloatingPointError, match="epoch 1, batch"):
        train(store, tmp_path, settings)


def test_the_run_is_logged(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    directory, metrics = run
    log = (directory / "log.txt").read_text().splitlines()
    assert "a last map of 2 x 2 cells" in log[0]  # crops of 32 pixels
    assert "from epoch 1 to 3" in log[1] and "epoch 3 of 3" in log[-1]
    assert "images/s in training" in log[-1]
    events = EventAccumulator(str(directory / "events")).Reload()
    drawn = [event.value for event in events.Scalars("ICC/AU12")]
    np.testing.assert_allclose(drawn, metrics["AU12"], rtol=1e-6)
    assert [event.step for event in events.Scalars("loss/train_loss")] == [1, 2, 3]


def test_after_epoch_sees_the_metrics_grow(store, tmp_path):
    seen = []
    settings = Settings(**{**OPTIONS, "epochs": 2})
    train(store, tmp_path, settings, after_epoch=lambda m: seen.append(len(m)))
    assert seen == [1, 2]


@pytest.fixture
def small(monkeypatch):
    """A small network, where the test is not about VGG16."""
    monkeypatch.setattr(objective, "build_model", faults.small_network)


def interrupted(store, run, epochs: int = 1) -> None:
    """Stop a run after so many epochs."""

    def stop(metrics):
        if len(metrics) == epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(store, run, Settings(**OPTIONS), after_epoch=stop)


@pytest.mark.parametrize(
    "name, there",
    [
        (
            "execution_facts",
            lambda accelerator: {"device": "cpu", "precision": "float32"},
        ),
        ("sources_digest", lambda: "fedcba9876543210"),
        ("versions", lambda: {"torch": "2.99"}),
    ],
)
def test_what_changes_between_two_parts_of_a_run_is_logged_and_recorded(
    store, tmp_path, monkeypatch, small, name, there
):
    with monkeypatch.context() as patch:
        gpu = {"device": "NVIDIA H100", "precision": "bfloat16"}
        patch.setattr(run_module, "execution_facts", lambda accelerator: gpu)
        interrupted(store, tmp_path)
        patch.setattr(run_module, name, there)
        train(store, tmp_path, Settings(**OPTIONS))
    first, second = json.loads((tmp_path / "provenance.json").read_text())["ran_on"]
    changes = [
        f"{key} {second.get(key)} not {first[key]}"
        for key in first
        if second.get(key) != first[key]
    ]
    assert changes
    (warning,) = [line for line in (tmp_path / "log.txt").open() if "WARNING" in line]
    assert all(change in warning for change in changes)


def test_nothing_is_asked_of_the_machine_at_the_end_of_a_run(
    store, tmp_path, monkeypatch, small
):
    def fail(*arguments):
        raise OSError("the machine has changed")

    def after_epoch(metrics):
        for module, name in [
            (provenance, "_git"),
            (provenance, "version"),
            (provenance, "cpu_count"),
            (provenance.platform, "machine"),
            (provenance.platform, "python_version_tuple"),
            (run_module, "sources_digest"),
            (run_module, "execution_facts"),
        ]:
            monkeypatch.setattr(module, name, fail)

    train(store, tmp_path, Settings(**OPTIONS), after_epoch=after_epoch)
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["volatile"]["commit"] and record["ran_on"][0]["torch"]


def test_a_run_needs_no_git(store, tmp_path, monkeypatch, small):
    monkeypatch.setenv("PATH", str(tmp_path))
    train(store, tmp_path / "run", Settings(**{**OPTIONS, "epochs": 1}))
    record = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert "No such file" in record["volatile"]["commit"]


def test_a_run_killed_after_its_last_epoch_says_that_none_is_left(
    store, tmp_path, small
):
    metrics = train(store, tmp_path / "undisturbed", Settings(**OPTIONS))
    interrupted(store, tmp_path / "run", epochs=3)
    again = train(store, tmp_path / "run", Settings(**OPTIONS))
    last = (tmp_path / "run" / "log.txt").read_text().splitlines()[-1]
    assert last.endswith("  run: no epoch left")
    pd.testing.assert_frame_equal(again, metrics)


def test_settings_that_are_asked_for_again_find_their_run(
    store, tmp_path, monkeypatch, small
):
    """Finish at .001, begin at .002, return to .001, then to .002."""
    run, settings = tmp_path / "run", Settings(**OPTIONS)
    metrics = train(store, run, settings)
    monkeypatch.setitem(OPTIONS, "learning_rate", 0.002)
    interrupted(store, run)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "run_epochs", None)  # calling it would fail
        pd.testing.assert_frame_equal(train(store, run, settings), metrics)
    train(store, run, Settings(**OPTIONS))
    assert "resumes after epoch 1" in (run / "log.txt").read_text()
    pd.testing.assert_frame_equal(train(store, run, settings), metrics)


def test_a_run_that_goes_on_elsewhere_says_so(run, store, tmp_path, monkeypatch):
    def stop(epoch):
        def after(metrics):
            if len(metrics) == epoch:
                raise KeyboardInterrupt

        return after

    for epoch in (1, 2):  # twice in one place
        with pytest.raises(KeyboardInterrupt):
            train(store, tmp_path, Settings(**OPTIONS), after_epoch=stop(epoch))
    here = execution_facts(open_accelerator())
    there = {**here, "threads": here["threads"] + 1}
    monkeypatch.setattr(run_module, "execution_facts", lambda accelerator: there)
    own = {"accumulation": 1, **versions(), "sources": sources_digest()}
    here, there = ({**place, **own} for place in (here, there))
    train(store, tmp_path, Settings(**OPTIONS))
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["ran_on"] == [here, there]
    change = f"resumes with threads {there['threads']} not {here['threads']}"
    assert change in (tmp_path / "log.txt").read_text()
    assert digest(tmp_path / "metrics.csv") == digest(run[0] / "metrics.csv")


def test_imagenets_weights_define_a_run_by_their_name(store):
    """They are 528 MB; nothing reads them to compare parameters."""
    settings = Settings(**OPTIONS | {"weights": "imagenet", "width": 1.0})
    assert run_parameters(settings, store)["weights"] == "imagenet"
